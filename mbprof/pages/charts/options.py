"""What charts are asked for, and what a chart of a single network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbprof.errors import UsageError
from mbprof.language.record import record
from mbprof.network.load import Spec, as_spec
from mbprof.pages import points


@record
class Options:
    """What a chart is asked for besides its specs."""

    alphas: tuple[float, ...] = ()
    sides: tuple[int, ...] = ()
    scope: str = "all"
    dtype: str | None = None
    device: str | None = None
    panels: tuple[Axes, ...] = ()
    """Axes to draw into, one for each panel, instead of a figure of its own."""


class Plot(NamedTuple):
    """A kind of chart: how it is drawn, what it shows, and what it is drawn of."""

    draw: Callable[[Sequence[Any], Options], Figure]
    doc: str
    read: Callable[[Any], Any] = as_spec


def single(spec: Spec, options: Options, kind: str) -> dict[str, Any]:
    """Return the one width and resolution that a chart of a single network is of."""
    if len(options.alphas) > 1 or len(options.sides) > 1:
        raise UsageError(f"--kind {kind} draws one width and one resolution")
    knobs: dict[str, Any] = {}
    if options.alphas:
        points.axes(spec, options.alphas)  # refuses them where there is no width
        knobs["alpha"] = options.alphas[0]
    if options.sides:
        knobs["res"] = options.sides[0]
    return knobs


def at_most(specs: Sequence[object], most: int, name: str, what: str = "network") -> None:
    """Refuse more networks than a kind of chart draws, with a UsageError."""
    if len(specs) > most:
        allowed = f"one {what}" if most == 1 else f"at most {most} {what}s"
        raise UsageError(f"--kind {name} draws {allowed}, {len(specs)} are given")

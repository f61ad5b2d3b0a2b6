"""What charts are asked for, and what a chart of a single network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbprof.device.lanes import TIME, Needs, needs
from mbprof.errors import UsageError
from mbprof.language.record import NamedTuple, record
from mbprof.network import conventions
from mbprof.network.conventions import DEFAULT
from mbprof.network.load import Spec, spec_at
from mbprof.pages import points
from mbprof.spec.knobs import Given


@record
class Options:
    """What a chart is asked for besides its specs."""

    alphas: tuple[float, ...] = ()
    sides: tuple[int, ...] = ()
    scope: str = "all"
    convention: str = DEFAULT
    by: str | None = None
    dtype: str | None = None
    device: str | None = None
    panels: tuple[Axes, ...] = ()
    """Axes to draw into, one for each panel, instead of a figure of its own."""

    @property
    def unit(self) -> str:
        """What the convention counts: MACs or FLOPs.

        Raises: UsageError: no such convention, or one that counts no cost.
        """
        convention = conventions.load(self.convention)
        if not convention.measures:
            raise UsageError(
                f"convention {convention.name} counts no cost, which this chart shows",
                hint="mbprof table shows its params",
            )
        return convention.unit

    @property
    def drawn(self) -> dict[str, str]:
        """The fields of points that charts show, with the words for them."""
        cost = {"MACs": "multiply-accumulates"}.get(self.unit, self.unit)
        return {"macs": cost, "params": "parameters"}

    @property
    def needs(self) -> Needs | None:
        """What networks need at the type, on the device.

        Raises: UsageError: there is no such type or device.
        """
        return needs(self.dtype, self.device)

    @property
    def against(self) -> dict[str, str]:
        """What accuracy is drawn against: two costs, or first what networks need.

        Raises: see `needs`, and `unit`.
        """
        asked, found = self.needs, {}
        if asked is not None and asked.device is not None:
            found[TIME] = f"nanoseconds on {asked.device.name}"
        if asked is not None and asked.rules is not None:
            found["peak_bytes"] = f"live bytes at the peak, {asked.rules.dtype.name}"
        return dict(islice((found | self.drawn).items(), 2))

    @property
    def counted(self) -> str:
        """What the costs are, for a caption."""
        what = {"all": "the whole network", "body": "the network without its head"}[self.scope]
        how = f"scope {self.scope}, convention {conventions.load(self.convention).name}"
        asked = self.needs
        needed = f" {asked.said}" if asked is not None else ""
        return f"Costs of {what} ({how}), computed by mbprof.{needed}"


class Plot(NamedTuple):
    """A kind of chart: how it is drawn, what it shows, and what it is drawn of."""

    draw: Callable[[Sequence[Any], Options], Figure]
    doc: str
    read: Callable[[Any, Given, Given], Any] = spec_at
    takes: frozenset[str] = frozenset()
    """Which options it takes that not every kind does."""


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

"""Charts written to files: the same specs and settings give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mbprof.errors import UsageError, unknown
from mbprof.language import fmt
from mbprof.network.load import Spec
from mbprof.output.files import emit
from mbprof.output.formats import Formats
from mbprof.spec.claims import chosen_scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mbprof.pages.charts.kinds import Plot

DEFAULT = "accuracy"

CHARTS: Formats[Callable[[Figure], bytes]] = Formats()
"""The formats of charts by their names."""


def _saved(format: str, metadata: Mapping[str, Any], figure: Figure) -> bytes:
    """Return a figure as the bytes of a file, without its date."""
    figure.canvas.draw()  # ticks can change when the layout does; the second time it settles
    out = io.BytesIO()
    figure.savefig(out, format=format, dpi=200, metadata=dict(metadata))
    return out.getvalue()


for _name, _metadata in (
    ("svg", {"Date": None, "Creator": "mbprof"}),
    ("png", {"Software": None}),
    ("pdf", {"CreationDate": None, "Creator": "mbprof", "Producer": None}),
):
    CHARTS.add(_name, f".{_name}")(partial(_saved, _name, _metadata))


def kinds() -> dict[str, str]:
    """Return the kinds of charts, each with what it shows.

    >>> sorted(kinds())
    ['accuracy', 'cost', 'grid', 'layers']
    """
    return {name: kind.doc for name, kind in _kinds().items()}


def _kinds() -> dict[str, Plot]:
    # matplotlib takes longer to load than a whole table to compute.
    from mbprof.pages.charts import costs, fronts  # noqa: F401 - they register their charts
    from mbprof.pages.charts.kinds import PLOTS

    return dict(sorted(PLOTS.items()))


def draw(
    specs: Sequence[Spec],
    kind: str = DEFAULT,
    format: str = "svg",
    *,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
) -> bytes:
    """Draw a chart and return the bytes of its file; ``format`` is svg, png or pdf.

    Raises: UsageError: no such kind, format or scope, no spec, or a chart that the specs do not
    allow. MbprofError: a configuration that a network does not take.

    >>> from mbprof.network.load import load
    >>> draw([load("mobilenet_v1")], "grid")[:5]
    b'<?xml'
    """
    from mbprof.pages.charts import style
    from mbprof.pages.charts.kinds import Options

    known, chosen = _kinds(), CHARTS[format]
    if kind not in known:
        raise unknown("kind of chart", kind, known)
    chosen_scope(scope)
    if not specs:
        raise UsageError("a chart needs at least one spec")
    options = Options(tuple(alphas), tuple(sides), scope)
    with style.look():
        return chosen.write(known[kind].draw(specs, options))


def write(
    path: str | Path,
    specs: Sequence[Spec],
    kind: str = DEFAULT,
    format: str | None = None,
    *,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
) -> None:
    """Draw a chart into a file, whose ending chooses the format: svg, png or pdf.

    Raises: UsageError: see `draw`; or the file cannot be written.
    """
    if format is None and CHARTS.of_file(str(path)) is None:
        endings = fmt.either(f".{name}" for name in CHARTS)
        raise UsageError(f"{path} has no ending of a chart", hint=f"end it in {endings}")
    chosen = CHARTS.choose(format, str(path)).name
    emit(draw(specs, kind, chosen, alphas=alphas, sides=sides, scope=scope), path)


T = TypeVar("T", int, float)


def numbers(option: str, text: str | None, read: Callable[[str], T]) -> tuple[T, ...]:
    """Return the positive numbers of an option, which are separated by commas.

    Raises: UsageError: a part is no such number.

    >>> numbers("--alpha", "1,0.75", float)
    (1.0, 0.75)
    """
    found = []
    for part in text.split(",") if text else ():
        try:
            number = read(part)
        except ValueError:
            number = read("0")
        # Not a number is not above zero, either.
        if not 0 < number < float("inf"):
            what = "whole numbers" if read is int else "numbers"
            raise UsageError(f"{option} {text}: expected positive {what} with commas between them")
        found.append(number)
    return tuple(found)

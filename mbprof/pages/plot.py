"""Charts written to files: the same specs and settings give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError, unknown
from mbprof.language import fmt
from mbprof.network import conventions
from mbprof.network.load import SpecLike
from mbprof.output.files import emit
from mbprof.output.formats import Formats
from mbprof.spec.knobs import Given
from mbprof.spec.sections import chosen_scope
from mbprof.spec.zoo import NOTHING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEFAULT = "accuracy"

CHARTS: Formats[Callable[[Figure], bytes]] = Formats()
"""The formats of charts by their names."""


def _saved(format: str, metadata: Mapping[str, Any], figure: Figure) -> bytes:
    """Return a figure as the bytes of a file, without its date."""
    # Ticks can change when the layout does; the second time it settles.
    figure.draw_without_rendering()
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
    ['accuracy', 'cost', 'grid', 'layers', 'memory', 'predicted', 'roofline']
    """
    from mbprof.pages.charts.kinds import PLOTS

    return {name: kind.doc for name, kind in PLOTS.items()}


def plot(
    *specs: SpecLike,
    kind: str = DEFAULT,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
    convention: str = conventions.DEFAULT,
    by: str | None = None,
    theme: str = "light",
    dtype: str | None = None,
    device: str | None = None,
    knobs: Given = NOTHING,
    ax: Axes | Iterable[Axes] | None = None,
) -> Figure:
    """Draw published accuracy, computed cost or live memory as a matplotlib figure.

    ``kind`` is one of `kinds`; memory and roofline are at ``dtype``, the latter on a ``device``,
    and predicted is of a file that `mbprof.calibrate` reads; ``alphas`` and ``sides`` are the
    widths and resolutions to show, and ``knobs`` are set of every network. Layers are drawn ``by``
    layer, block or op. ``theme`` is light, dark or transparent. With ``ax`` the chart is drawn into
    axes of your own, one for each of its panels, and without its caption.
    Raises: UsageError: no such spec, kind, theme, convention or scope, no spec, a chart that the
    specs do not allow, or another number of axes than of panels. MbprofError: a configuration that
    a network does not take.

    >>> len(plot("mobilenet_v1", kind="grid").axes)
    2
    """
    # matplotlib takes longer to load than a whole table to compute.
    from mbprof.pages.charts import style
    from mbprof.pages.charts.kinds import PLOTS
    from mbprof.pages.charts.options import Options

    if kind not in PLOTS:
        raise unknown("kind of chart", kind, PLOTS)
    chosen_scope(scope)
    if not specs:
        raise UsageError("a chart needs at least one spec")
    given = (
        ("convention", convention, conventions.DEFAULT), ("by", by, None),
        ("dtype", dtype, None), ("device", device, None),
    )  # fmt: skip
    for name, value, usual in given:
        if value != usual and name not in PLOTS[kind].takes:
            takers = fmt.either(known for known, plotted in PLOTS.items() if name in plotted.takes)
            raise UsageError(f"--kind {kind} has no {name}", hint=f"--kind {takers} has one")
    options = Options(
        tuple(alphas), tuple(sides), scope, convention, by, dtype, device, style.axes_of(ax)
    )
    open_axes: Given = {"res": options.sides[0]} if options.sides else NOTHING
    with style.look(theme):
        chosen = PLOTS[kind]
        return chosen.draw([chosen.read(spec, knobs, open_axes) for spec in specs], options)


def draw(
    specs: Sequence[SpecLike], kind: str = DEFAULT, format: str = "svg", **settings: Any
) -> bytes:
    """Draw a chart and return the bytes of its file; ``format`` is svg, png or pdf.

    The settings are those of `plot`.
    Raises: UsageError: no such format; see `plot`. MbprofError: see `plot`.

    >>> draw(["mobilenet_v1"], "grid")[:5]
    b'<?xml'
    """
    from mbprof.pages.charts import style

    chosen = CHARTS[format]
    drawn = plot(*specs, kind=kind, **settings)
    with style.look(settings.get("theme", "light")):
        return chosen.write(drawn)


def write(
    path: str | Path,
    specs: Sequence[SpecLike],
    kind: str = DEFAULT,
    format: str | None = None,
    **settings: Any,
) -> None:
    """Draw a chart into a file, whose ending chooses the format: svg, png or pdf.

    The settings are those of `plot`.
    Raises: UsageError: see `draw`; or the file cannot be written.
    """
    chosen = CHARTS.choose(format, str(path)).name
    emit(draw(specs, kind, chosen, **settings), path)

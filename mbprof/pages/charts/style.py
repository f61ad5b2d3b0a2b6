"""How charts look, and how a figure becomes the same bytes every time."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.output import inert
from mbprof.pages.charts import labels, themes
from mbprof.pages.charts.themes import face, grey, shades

__all__ = ["face", "grey", "shades"]

WIDTH = 7.2
"""Inches of a figure over both columns of a paper."""

SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    # The first comes with matplotlib, so it is the same everywhere; an SVG may need the others.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "mbprof",
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are no mathematics
    "pdf.fonttype": 42,
}
MARKERS = "osD^vPX<>ph*"
LINES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
_WIDE = 500
_TICKS = 3
"""An axis of fewer numbers says too little of what lies between them."""
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"), (1, ""))


@contextmanager
def look(theme: str = "light") -> Iterator[None]:
    """Give the context in which figures are drawn and saved; a user's own settings stay out.

    A sign that the font lacks is drawn as a box. Raises: UsageError: no such theme.
    """
    settings = {**SETTINGS, **themes.theme(theme).settings}
    with style.context(["default", settings]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font")
        yield


def axes_of(given: Axes | Iterable[Axes] | None) -> tuple[Axes, ...]:
    """Return the axes that were given: none, one, or all of an array.

    Raises: UsageError: something else was given.
    """
    listed = () if given is None else (given,) if isinstance(given, Axes) else given
    found = tuple(getattr(listed, "flat", listed))
    if not all(isinstance(axes, Axes) for axes in found):
        raise UsageError("ax takes the Axes of matplotlib, one or several")
    return found


def panels(
    given: Sequence[Axes], height: float, caption: str, rows: int, columns: int, **shared: Any
) -> tuple[Figure, Any]:
    """Return a figure and its panels: axes that are given, or a new figure with its caption.

    Raises: UsageError: there are more or fewer axes than panels.
    """
    if not given:
        # The margin takes up what ticks change after the layout.
        made = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.07))
        FigureCanvasAgg(made)
        text = textwrap.fill(inert.line(caption), 135, break_long_words=False)
        made.supxlabel(text, x=0.01, ha="left", fontsize=7, color=grey(0.35), linespacing=1.25)
        return made, made.subplots(rows, columns, squeeze=False, **shared)
    if len(given) != rows * columns:
        raise UsageError(
            f"this chart has {fmt.several(rows * columns, 'panel')}; ax has {len(given)} axes",
            hint=f"give ax=plt.subplots({rows}, {columns})[1]",
        )
    array = np.array(given, dtype=object).reshape(rows, columns)
    whole: Any = given[0].figure  # which can be a part of a figure
    return whole.canvas.figure, array


def unit(largest: int) -> tuple[int, str]:
    """Return the power and the letter that a largest number is best written with.

    >>> unit(569_000_000)
    (1000000, 'M')
    """
    return next((power, letter) for power, letter in _UNITS if largest >= power or power == 1)


def titled(quantity: str, letter: str) -> str:
    """Return the label of an axis: the quantity and its unit."""
    return f"{quantity} ({letter})" if letter else quantity


class _Plain(LogLocator):
    """Ticks at plain numbers: at the fewest of a decade of which an axis has three, or more."""

    def __init__(self, first: tuple[float, ...]) -> None:
        super().__init__(subs=first)
        self.tries: tuple[Locator, ...] = (
            *(LogLocator(subs=subs) for subs in (first, (1, 2, 3, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))),
            MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3),
        )

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((vmin, vmax))
        found: Any = ()
        for locator in self.tries:
            found = locator.tick_values(low, high)
            if sum(low <= tick <= high for tick in found) >= _TICKS:
                break
        return [tick for tick in found if tick > 0]


def log_axis(axes: Axes, which: str, span: float = 1.0) -> None:
    """Give an axis a logarithmic scale with plain numbers at 1, 2 and 5; at 1 and 3 if wide."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(_Plain((1, 3) if span > _WIDE else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(LogLocator(subs=()))


def key(marker: str, colour: Any, label: str, **look: Any) -> Line2D:
    """Return a handle of a legend: a marker without a line, unless its look has one."""
    return Line2D(
        [], [], marker=marker, color=colour, label=named(label), **{"linestyle": "none"} | look
    )


def named(label: str) -> str:
    """Return a label of a legend; one that starts with an underscore would be left out of it."""
    return " " * label.startswith("_") + inert.line(label)


def lines(handles: Sequence[Artist], most: int) -> list[Sequence[Artist]]:
    """Return the handles of a legend in lines."""
    return [handles[i : i + most] for i in range(0, len(handles), most)]


def legend(drawn: Figure, rows: Sequence[Sequence[Artist]], given: Sequence[Axes] = ()) -> None:
    """Put a legend above the panels, one line for each row of handles; into axes that are given."""
    blank = Line2D([], [], linestyle="none", label=" ")
    # matplotlib fills a legend column by column.
    columns = list(zip_longest(*filter(None, rows), fillvalue=blank))
    if not columns:
        return
    handles = [handle for column in columns for handle in column]
    shape: dict[str, Any] = {"ncols": len(columns), "handletextpad": 0.4, "columnspacing": 1.2}
    if given:
        labels = [str(handle.get_label()) for handle in handles]
        above = Legend(given[0], handles, labels, loc="lower left", bbox_to_anchor=(0, 1), **shape)
        given[0].add_artist(above)
    else:
        drawn.legend(handles=handles, loc="outside upper left", **shape)


def label_points(
    drawn: Figure, axes: Axes, places: Sequence[tuple[float, float]], names: Sequence[str]
) -> None:
    """Write names beside points, see `labels.arranged`; a thin line leads to those far off."""
    drawn.draw_without_rendering()  # what is free is known when the layout is
    pixels = [(float(x), float(y)) for x, y in map(axes.transData.transform, places)]
    sizes = []
    for name, place in zip(names, places, strict=True):
        note = _note(axes, name, place, labels.NEAR, 0)
        extent = _extent(note)
        sizes.append((float(extent.width), float(extent.height)))
        note.remove()
    inside = labels.Box(*axes.get_window_extent().extents)
    spots = labels.arranged(pixels, sizes, inside, drawn.dpi / 72)
    for name, place, spot in zip(names, places, spots, strict=True):
        _note(axes, name, place, spot.dx, spot.dy)


def _extent(note: Annotation) -> Bbox:
    """Return the box of the text alone, in pixels."""
    note.get_window_extent()  # settles where the text stands; it counts the line, too
    return Bbox(Text.get_window_extent(note))


def _note(axes: Axes, name: str, place: tuple[float, float], dx: int, dy: int) -> Annotation:
    far = max(abs(dx), abs(dy)) > labels.NEAR
    line = {"arrowstyle": "-", "linewidth": 0.4, "color": grey(0.5), "shrinkA": 0, "shrinkB": 2}
    note = axes.annotate(
        inert.line(name),
        place,
        (dx, dy),
        textcoords="offset points",
        ha={-1: "right", 0: "center", 1: "left"}[(dx > 0) - (dx < 0)],
        va={-1: "top", 0: "center", 1: "bottom"}[(dy > 0) - (dy < 0)],
        fontsize=7,
        arrowprops=line if far else None,
    )
    note.set_in_layout(False)
    return note

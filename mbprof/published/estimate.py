"""Accuracy between published cells: a surface, never without its error; both in a sweep."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from mbprof.errors import UsageError
from mbprof.language.fmt import Value, plain
from mbprof.language.record import NamedTuple, record
from mbprof.network.load import SpecLike, as_spec
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.published.accuracy import has_knobs, join
from mbprof.published.rows import Published, called, default_series, families, in_series, published
from mbprof.published.rows import series as series_of
from mbprof.spec.model import Definition

WIDTHS = RESOLUTIONS = 4
"""A grid is dense if it has this many widths with this many resolutions each."""

MAX_ROWS = 100_000
NAMES = ("top1", "top1_estimate", "top1_error", "top1_worst", "series")
"""The columns of a sweep."""

_TINY = 1e-9


@record
class Estimate(Result):
    """An estimated top-1 accuracy in percent, with the error that the surface is known to make.

    ``error_mean`` and ``error_worst`` are those of published cells, in percentage points: between
    widths with the whole width of a cell left out of the fit, at a published width with the cell.
    """

    top1: float
    error_mean: float
    error_worst: float
    cells: int
    series: str
    source: str

    @property
    def brief(self) -> str:
        """The accuracy with its error."""
        worst = f"at worst {self.error_worst:.1f}"
        return f"top-1 {self.top1:.1f} ± {self.error_mean:.1f} %, {worst}, series {self.series}"

    def report(self, layout: str = "page") -> Report:
        """Lay the estimate out as a row."""
        row: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        columns = tuple(
            Column(name, name.replace("_", " "), name, _number, isinstance(value, int | float))
            for name, value in row.items()
        )
        return Report(self.brief, columns, (row,), {**row, **stamp()})


_FIELDS = tuple(Estimate.__annotations__)


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


class Cell(NamedTuple):
    """A published accuracy at a width and a resolution."""

    alpha: float
    res: int
    top1: float


class Surface(NamedTuple):
    """The coefficients of a surface, and what it missed cells by that were left out.

    ``missed`` are the distances with one cell left out, ``between`` those with a whole width,
    for the widths that lie between others.
    """

    coefficients: tuple[float, ...]
    missed: tuple[float, ...]
    between: tuple[float, ...]

    def at(self, alpha: float, res: int) -> float:
        """Return the accuracy at a width and a resolution, in percent."""
        return sum(c * x for c, x in zip(self.coefficients, _terms(alpha, res), strict=True))


def estimate(
    of: Definition | SpecLike, alpha: float, res: int, series: str | None = None
) -> Estimate:
    """Estimate top-1 inside the cells that one series published of a spec or a family.

    top1 = c0 + c1·a + c2·r + c3·a² + c4·a·r + c5·r², a = ln alpha, r = ln(res / 224), by least
    squares. It holds for the training recipe of the series and for no other.

    Raises: UsageError: no such spec, family or series, no dense grid of float accuracies, or a
    point outside the cells.

    >>> top1 = estimate("mobilenet_v1", 0.6, 192)
    >>> round(top1.top1, 1), round(top1.error_mean, 1), round(top1.error_worst, 1)
    (64.4, 0.2, 0.5)
    """
    if not (isinstance(of, Definition) or (isinstance(of, str) and of in families())):
        of = as_spec(of).definition
    name, rows = _chosen(of, series)
    cells = _cells(rows)
    if not _dense(cells):
        raise UsageError(
            f"the series {name} of {called(of)} has no dense grid of accuracies",
            hint=f"needed are {WIDTHS} widths at {RESOLUTIONS} resolutions, as of {_grids()}",
        )
    _check_inside(cells, alpha, res, name)
    surface = fit(cells)
    published_width = any(abs(cell.alpha - alpha) <= _TINY for cell in cells)
    missed = surface.missed if published_width else surface.between
    mean, worst = sum(missed) / len(missed), max(missed)
    return Estimate(surface.at(alpha, res), mean, worst, len(cells), name, rows[0].source)


def _chosen(of: Definition | str, name: str | None) -> tuple[str, tuple[Published, ...]]:
    usual = default_series(of)
    name = name or usual
    if name is None:
        raise UsageError(
            f"no float accuracy is published of {called(of)}",
            hint=f"published grids are those of {_grids()}",
        )
    rows = in_series(of, name)
    if rows[0].precision != "fp32":
        raise UsageError(
            f"the series {name} is {rows[0].precision}; only float accuracy is estimated",
            hint=f"the default series is {usual}",
        )
    return name, rows


def _cells(rows: Iterable[Published]) -> tuple[Cell, ...]:
    """Return what a surface can be fitted to: one trained network a cell, no known errors."""
    fitted = [
        Cell(row.alpha, row.resolution, row.top1)
        for row in rows
        if row.usable and row.alpha is not None and row.resolution is not None
    ]
    shared = Counter((cell.alpha, cell.res) for cell in fitted)
    return tuple(cell for cell in fitted if shared[cell.alpha, cell.res] == 1)


def _dense(cells: Iterable[Cell]) -> bool:
    widths = Counter(cell.alpha for cell in cells)
    return sum(count >= RESOLUTIONS for count in widths.values()) >= WIDTHS


@lru_cache(maxsize=1)
def _grids() -> str:
    """Name the families with a dense grid, and its series."""
    groups: dict[tuple[str, str], list[Published]] = {}
    for row in published():
        groups.setdefault((row.family, row.series), []).append(row)
    dense = [key for key, rows in groups.items() if _dense(_cells(rows))]
    return ", ".join(f"{family} ({name})" for family, name in sorted(dense))


def _check_inside(cells: Sequence[Cell], alpha: float, res: int, name: str) -> None:
    widths = [cell.alpha for cell in cells]
    low, high = min(widths), max(widths)
    if not low <= alpha <= high:
        raise UsageError(
            f"alpha {plain(alpha)} is outside the cells of {name}",
            hint=f"its alpha goes from {plain(low)} to {plain(high)}",
        )
    bottom, top = _span(cells, alpha)
    if not math.exp(bottom) - _TINY * res <= res <= math.exp(top) + _TINY * res:
        least, most = math.ceil(math.exp(bottom) - 1e-6), math.floor(math.exp(top) + 1e-6)
        raise UsageError(
            f"alpha {plain(alpha)} at res {res} is outside the cells of {name}",
            hint=f"at alpha {plain(alpha)} its res goes from {least} to {most}",
        )


def _span(cells: Sequence[Cell], alpha: float) -> tuple[float, float]:
    """Return least and largest ln res of the convex hull of the cells at a width."""
    # The hull's ends at any width lie on segments between two of its points.
    x = math.log(alpha)
    points = [(math.log(cell.alpha), math.log(cell.res)) for cell in cells]
    ends = []
    for xa, ya in points:
        for xb, yb in points:
            if xa == xb and abs(xa - x) <= _TINY:
                ends.append(ya)
            elif xa <= x <= xb and xa < xb:
                ends.append(ya + (yb - ya) * (x - xa) / (xb - xa))
    return min(ends), max(ends)


def _terms(alpha: float, res: int) -> tuple[float, ...]:
    a, r = math.log(alpha), math.log(res / 224)
    return 1.0, a, r, a * a, a * r, r * r


@lru_cache(maxsize=64)
def fit(cells: tuple[Cell, ...]) -> Surface:
    """Fit a surface to cells by least squares; the errors are those of cells left out.

    With H the projection onto the surfaces and e the residuals, cells g that are left out together
    are missed by (I - H[g, g])^-1 e[g], so no fit is repeated.
    """
    import numpy

    terms = numpy.array([_terms(cell.alpha, cell.res) for cell in cells])
    top1 = numpy.array([cell.top1 for cell in cells])
    q, r = numpy.linalg.qr(terms)
    coefficients = numpy.linalg.solve(r, q.T @ top1)
    residuals = top1 - terms @ coefficients

    def missed(*left_out: int) -> list[float]:
        rows = list(left_out)
        kept = numpy.eye(len(rows)) - q[rows] @ q[rows].T
        return [abs(float(miss)) for miss in numpy.linalg.solve(kept, residuals[rows])]

    numbers = range(len(cells))
    widths = sorted({cell.alpha for cell in cells})
    groups = [[n for n in numbers if cells[n].alpha == width] for width in widths[1:-1]]
    return Surface(
        tuple(map(float, coefficients)),
        tuple(miss for n in numbers for miss in missed(n)),
        tuple(miss for group in groups for miss in missed(*group)),
    )


@record
class Joined:
    """Adds what one series published of a spec to the rows of a sweep.

    ``top1`` stands where exactly this configuration was published; ``top1_estimate`` where it lies
    inside a dense grid of such cells, with ``top1_error`` and ``top1_worst``, its mean and worst
    error on held-out cells.
    """

    definition: Definition
    fixed: Mapping[str, Value]
    series: str

    @classmethod
    def of(cls, definition: Definition, fixed: Mapping[str, Value], name: str | None) -> Joined:
        """Choose a series, the default one if none is named.

        Raises: UsageError: nothing is published of the network, or no such series.
        """
        known = series_of(definition)
        if not known:
            raise UsageError(f"no accuracy of {definition.name} is in the data set")
        chosen = name or default_series(definition) or next(iter(known))
        in_series(definition, chosen)
        return cls(definition, fixed, chosen)

    def columns(self, rows: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Return the columns that are added to some rows.

        Raises: UsageError: there are too many rows to look up one by one.
        """
        import numpy as np

        if count > MAX_ROWS:
            raise UsageError(f"accuracies are looked up for at most {MAX_ROWS:,} configurations")
        names = list(rows)
        cells = [
            self.cell(dict(zip(names, values, strict=True)))
            for values in zip(*(rows[name].tolist() for name in names), strict=True)
        ]
        accuracies = np.array(cells, dtype=np.float64).reshape(count, len(NAMES) - 1)
        label = np.full(count, self.series, dtype=object)
        return dict(zip(NAMES, (*accuracies.T, label), strict=True))

    def cell(self, values: Mapping[str, Any]) -> tuple[float, float, float, float]:
        """Return the published accuracy of a configuration, the estimate and its errors."""
        knobs = {**self.fixed, **values}
        res: Any = knobs.get("res", (0, 1))
        side = res if isinstance(res, int) else res[0] if res[0] == res[1] else None
        alpha: Any = knobs.get("alpha")
        if side is None:
            return math.nan, math.nan, math.nan, math.nan
        row = join(self.definition, alpha, side, self.series, knobs)
        top1 = math.nan if row is None else row.top1
        if alpha is None or not self.alike(alpha, knobs):
            return top1, math.nan, math.nan, math.nan
        try:
            guess = estimate(self.definition, alpha, side, self.series)
        except UsageError:
            return top1, math.nan, math.nan, math.nan
        return top1, guess.top1, guess.error_mean, guess.error_worst

    def alike(self, alpha: float, knobs: Mapping[str, Any]) -> bool:
        """Whether the published networks of the widths around are the same but for the width."""
        rows = in_series(self.definition, self.series)
        widths = {row.alpha for row in rows if row.alpha is not None}
        below = max((width for width in widths if width <= alpha), default=None)
        above = min((width for width in widths if width >= alpha), default=None)
        return all(has_knobs(row, knobs) for row in rows if row.alpha in (below, above))

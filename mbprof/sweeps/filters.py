"""What is kept of a sweep: rows that meet a condition, that no other beats, or that come first."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mbprof.errors import ExpressionError, Loc, MbprofError, Source, UsageError, unknown
from mbprof.language.expr import Expr, unlimited
from mbprof.language.fmt import Value, spelled
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.output.model import Column as ReportColumn
from mbprof.output.model import standing
from mbprof.sweeps.axes import CHUNK, Column, column, sides
from mbprof.sweeps.front import unbeaten
from mbprof.symbolic.columns import picked, wide

MAX_PATHS = 256
"""So often rows may differ in how a condition is answered; the rest are asked one by one."""
AT_ONCE = 4 * CHUNK
"""So many rows wait before they are looked through."""
PARTS = 256
"""Of so many chunks at most rows wait."""
RIVALS = 16
"""With so many rows of a front others are compared before they wait."""


@record
class Where:
    """A condition, asked of many rows at once as a spec asks it of one.

    It is traced for the first row; the rows that answer every question of the trace alike share
    its answer, and the first of the others is next. So the first row that has no answer is the
    first to be asked without one, and says why.
    """

    expr: Expr
    fixed: Mapping[str, Value]
    sizes: Collection[str] = ()

    @classmethod
    def parse(
        cls,
        text: str,
        names: Sequence[str],
        fixed: Mapping[str, Value],
        sizes: Collection[str] = (),
    ) -> Where:
        """Read a condition over the columns, of which some are sizes, and the knobs that are fixed.

        Raises: ExpressionError: it does not parse, or mentions an unknown column.
        """
        expr = Expr.parse(Scalar(text, Loc(Source("--where", text), 1, 1)), unlimited)
        expr.check({**dict.fromkeys(names), **fixed})
        return cls(expr, fixed, sizes)

    def holds(self, columns: Mapping[str, Column], count: int) -> Column:
        """Return for which rows the condition holds.

        Raises: ExpressionError: it is neither true nor false for a row, or has no value.
        """
        import numpy as np

        lanes = self._lanes(columns)
        answers = np.zeros(count, dtype=bool)
        pending = np.arange(count)
        for _ in range(MAX_PATHS):
            if not len(pending):
                break
            part = {n: c if len(pending) == count else c[pending] for n, c in lanes.items()}
            path = self._path(part)
            if path is None:
                break
            truths, alike = path
            if alike.all():
                answers[pending] = truths
                return answers
            answers[pending[alike]] = truths[alike] if isinstance(truths, np.ndarray) else truths
            pending = pending[~alike]
        for row in pending:
            answers[row] = self._single({name: _plain(lane[row]) for name, lane in lanes.items()})
        return answers

    def _lanes(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that are mentioned, in numbers where they are; sizes as two."""
        lanes = {}
        for name in {name for name, _ in self.expr.names if name in columns}:
            cells = columns[name]
            if name in self.sizes:
                lanes[f"{name}.h"], lanes[f"{name}.w"] = sides(cells)
            else:
                lanes[name] = column(cells.tolist()) if cells.dtype == object else cells
        return wide(lanes)

    def _env(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the condition is asked with: the values of lanes and the fixed knobs."""
        env = {**self.fixed, **values}
        for name in self.sizes:
            if f"{name}.h" in env:
                env[name] = (env[f"{name}.h"], env[f"{name}.w"])
        return env

    def _single(self, values: Mapping[str, Any]) -> bool:
        """Ask of a single row."""
        env = self._env(values)
        try:
            return bool(self.expr.truth(env))
        except ExpressionError as error:
            names = sorted({name for name, _ in self.expr.names})
            at = spelled({name: env[name] for name in names})
            raise error.through(f"at {at}") if at else error from None

    def _path(self, lanes: Mapping[str, Column]) -> tuple[Any, Column] | None:
        """Return the answers, and which rows are asked like the first; None if Python differs."""
        import numpy as np

        from mbprof.symbolic.program import Program
        from mbprof.symbolic.trace import Trace

        trace, values, alike = Trace(), dict[str, Any](), list[Column]()
        for name, lane in lanes.items():
            first = values[name] = _plain(lane[0])
            if lane.dtype == object and type(first) is int:
                return None
            if lane.dtype.kind not in "iuf" or not math.isfinite(first):
                alike.append(_same(lane, first))
                continue
            if lane.dtype.kind == "f" and not (usual := np.isfinite(lane)).all():
                alike.append(usual)
                lane = lane[usual]
            values[name] = trace.input(name, first, lane.min().item(), lane.max().item())
        try:
            answer = self.expr.flag(self._env(values))
        except (MbprofError, ArithmeticError, ValueError):
            return None
        program = Program(trace, [answer])
        if not program.exact:
            return None
        matching, *answers = program.answers(lanes)
        chosen = np.logical_and.reduce(alike if matching is None else [*alike, matching])
        return ((answers or [answer])[0], chosen) if chosen.all() or chosen[0] else None


def _plain(cell: Any) -> Any:
    return cell.item() if hasattr(cell, "item") else cell


def _same(lane: Column, first: Any) -> Column:
    """Return which cells hold the value and type of the first one; no number equals itself here."""
    import numpy as np

    if lane.dtype != object:
        return np.isnan(lane) if first != first else lane == first
    cells = lane.tolist()
    return np.array([type(cell) is type(first) and cell == first for cell in cells], dtype=bool)


@dataclass(slots=True)
class Reducer:
    """Rows of a stream that are kept; fed chunk by chunk, it holds few others."""

    held: dict[str, Column] = field(default_factory=dict, kw_only=True)
    waiting: list[Mapping[str, Column]] = field(default_factory=list, kw_only=True)
    rows: int = field(default=0, init=False)
    """How many wait."""

    def add(self, columns: Mapping[str, Column]) -> None:
        """Take further rows into account."""
        # Of rows that are picked, those that nobody keeps are not taken along.
        left = dict(self.promising(columns) if self.held else columns)
        if self.held and not height(left):
            return
        self.waiting.append(left)
        self.rows += height(left)
        # The rows are looked through anew when they have doubled, not with every chunk.
        many = self.rows >= max(AT_ONCE, height(self.held)) or len(self.waiting) >= PARTS
        if many or not self.held:
            self.settle()

    @property
    def columns(self) -> dict[str, Column]:
        """The rows that are kept so far."""
        self.settle()
        return self.held

    def promising(self, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        """Return rows without those of which those that are held let see at once: not kept."""
        return columns

    def settle(self) -> None:
        """Keep what is kept of the rows that wait."""
        import numpy as np

        if self.waiting:
            parts = [self.held, *self.waiting] if self.held else self.waiting
            self.held = self.kept({n: np.concatenate([p[n] for p in parts]) for n in parts[0]})
            self.waiting, self.rows = [], 0

    def kept(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Return the rows that are kept of some alone."""
        return dict(picked(columns, self.best(columns)))

    def best(self, columns: Mapping[str, Column]) -> Column:
        """Return the numbers of the rows that are kept."""
        raise NotImplementedError


def height(columns: Mapping[str, Column]) -> int:
    """Return how many rows some columns have."""
    return next((len(column) for column in columns.values()), 0)


@dataclass(slots=True)
class Front(Reducer):
    """The rows that no other row beats in every column, in their order."""

    goals: tuple[tuple[str, bool], ...]
    rivals: list[tuple[Any, ...]] | None = field(default=None, init=False)
    """The costs of some rows that are held, from the middle of the front on: most rows fall to the
    first; None where others are held now."""

    @classmethod
    def parse(cls, text: str, names: Sequence[str]) -> Front:
        """Read ``params,macs`` or ``macs:min,top1:max``; least is best unless said otherwise.

        Raises: UsageError: an unknown column, a goal that is neither min nor max, a single column.
        """
        goals = []
        for part in text.split(","):
            name, _, goal = part.strip().partition(":")
            if name not in names:
                raise unknown("column", name, names)
            if goal not in ("", "min", "max"):
                raise UsageError(f"unknown goal {goal!r} of {name}", hint="it is min or max")
            goals.append((name, goal == "max"))
        if len(goals) < 2:
            raise UsageError("a front needs two columns or more", hint="--pareto params,macs")
        return cls(tuple(goals))

    def best(self, columns: Mapping[str, Column]) -> Column:
        import numpy as np

        costs = [_cost(name, columns[name], most) for name, most in self.goals]
        # What is not known, such as an accuracy, is on no front.
        known = np.flatnonzero(np.logical_and.reduce([cost == cost for cost in costs]))
        return known[unbeaten([cost[known] for cost in costs])]

    def promising(self, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        import numpy as np

        costs = [_cost(name, columns[name], most) for name, most in self.goals]
        if self.rivals is None:
            self.rivals = self._rivals()
        if any(cost.dtype == object for cost in costs):
            return columns
        rows = np.arange(height(columns))
        for rival in self.rivals:
            pairs = [(cost[rows], own) for cost, own in zip(costs, rival, strict=True)]
            no_more = np.logical_and.reduce([own <= cost for cost, own in pairs])
            less = np.logical_or.reduce([own < cost for cost, own in pairs])
            rows = rows[~(no_more & less)]
        return picked(columns, rows)

    def settle(self) -> None:
        if self.waiting:
            self.rivals = None
        Reducer.settle(self)

    def _rivals(self) -> list[tuple[Any, ...]]:
        import numpy as np

        held = [_cost(name, self.held[name], most) for name, most in self.goals]
        if not height(self.held) or any(cost.dtype == object for cost in held):
            return []
        order = np.lexsort(held[::-1])
        places = order[np.linspace(0, len(order) - 1, min(RIVALS, len(order))).astype(int)]
        return [tuple(own[place] for own in held) for place in np.roll(places, -(len(places) // 2))]


def _cost(name: str, column: Column, most: bool) -> Column:
    """Return a column as numbers of which less is better; of a size that is its area.

    Raises: UsageError: it holds words.
    """
    import numpy as np

    if column.dtype == object:
        cells = [math.nan if cell is None else cell for cell in column.tolist()]
        if any(isinstance(cell, tuple) for cell in cells):
            cells = list(map(area, cells))
        if any(isinstance(cell, str) for cell in cells):
            message = f"a front compares numbers, and {name} holds words"
            raise UsageError(message, hint="leave it out of --pareto")
        column = np.array(cells, dtype=object)
    return -column if most else column


def area(side: Any) -> int:
    """Return what a size is compared by; a square one is a number.

    >>> area((160, 224)), area(8)
    (35840, 64)
    """
    return math.prod(side) if isinstance(side, tuple) else int(side) ** 2


@dataclass(slots=True)
class First(Reducer):
    """The first rows by a column: numbers from large to small, words from A to Z."""

    by: ReportColumn
    top: int | None

    def best(self, columns: Mapping[str, Column]) -> Column:
        import numpy as np

        column = columns[self.by.name]
        if column.dtype == object:
            values = [None if value != value else value for value in column.tolist()]
            rows = sorted(range(len(values)), key=lambda row: standing(values[row], self.by))
            return rows[: self.top]
        return np.argsort(-column, kind="stable")[: self.top]

    def promising(self, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        column, held = columns[self.by.name], self.held[self.by.name]
        if (
            self.top is None
            or not 0 < self.top <= len(held)
            or object in (column.dtype, held.dtype)
        ):
            return columns
        # What is as good as the last one comes behind it.
        return picked(columns, ~(column <= held[-1]))


@dataclass(slots=True)
class InOrder(Reducer):
    """What a rule keeps of rows, where it knows those of chunks before: they come first."""

    rule: Reducer

    def __post_init__(self) -> None:
        self.rule = replace(self.rule, held={}, waiting=[])

    def kept(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        kept = self.rule.kept(self.rule.promising(columns) if self.rule.held else columns)
        self.rule.add(kept)
        return kept


def reducers(front: Front | None, by: ReportColumn | None, top: int | None) -> list[Reducer]:
    """Return what reduces a stream, in this order."""
    return [rule for rule in (front, First(by, top) if by is not None else None) if rule]


def reduced(
    chunks: Iterable[Mapping[str, Column]],
    front: Front | None = None,
    by: ReportColumn | None = None,
    top: int | None = None,
) -> Iterator[Mapping[str, Column]]:
    """Yield what is kept of a stream: a front, then the first rows by a column, or as they come.

    Only rows that are kept are held.
    """
    for reducer in reducers(front, by, top):
        for chunk in chunks:
            reducer.add(chunk)
        chunks = [reducer.columns]
    left = top
    for chunk in chunks:
        if left is not None:
            chunk = {name: column[:left] for name, column in chunk.items()}
            left -= len(next(iter(chunk.values())))
        yield chunk
        if left == 0:
            return

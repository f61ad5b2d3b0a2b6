"""What is kept of a sweep: rows for which a condition holds, and the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from mbprof.errors import ExpressionError, Loc, Source, UsageError, nearest
from mbprof.language.expr import Expr
from mbprof.language.source import Scalar
from mbprof.language.values import Value, plain
from mbprof.output.arrange import order, standing
from mbprof.output.model import Column as ReportColumn
from mbprof.sweeps.axes import Column


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in the spec's expression language, over whole columns."""

    expr: Expr
    fixed: Mapping[str, Value]

    @classmethod
    def parse(cls, text: str, names: Sequence[str], fixed: Mapping[str, Value]) -> Where:
        """Read a condition over the columns and the knobs that do not vary.

        Raises: ExpressionError: it does not parse, or mentions an unknown column.
        """
        expr = Expr.parse(Scalar(text, Loc(Source("--where", text), 1, 1)))
        expr.check({**dict.fromkeys(names), **fixed})
        return cls(expr, {name: _single(value) for name, value in fixed.items()})

    def holds(self, columns: Mapping[str, Column], count: int) -> Column:
        """Return for which rows the condition holds.

        Raises: ExpressionError: it is no condition, or has no value.
        """
        import numpy as np

        fixed = {name: value for name, value in self.fixed.items() if name not in columns}
        try:
            with np.errstate(all="ignore"):
                found = self.expr.over({**fixed, **columns}, _OVER)
        except TypeError:
            raise ExpressionError(
                "the condition compares what cannot be compared", self.expr.scalar.loc
            ) from None
        if not _is_condition(found):
            raise ExpressionError(
                "this is no condition", self.expr.scalar.loc, "compare it, as in  macs <= 300e6"
            )
        return np.broadcast_to(np.asarray(found, dtype=bool), (count,))


def _single(value: Value) -> Value:
    """Return a size as one value: its side where it is square, else as it is typed."""
    if not isinstance(value, tuple):
        return value
    return value[0] if len(set(value)) == 1 else plain(value)


def _is_condition(found: Any) -> bool:
    import numpy as np

    return bool(np.asarray(found).dtype == bool)


def _over() -> dict[str, Callable[..., Any]]:
    """Return what the language's operators and functions are on columns."""

    def numpy(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            import numpy as np

            return getattr(np, name)(*arguments)

        return call

    def folded(name: str) -> Callable[..., Any]:
        return lambda *arguments: reduce(numpy(name), arguments)

    def whole(name: str) -> Callable[..., Any]:
        return lambda x: numpy(name)(x).astype("int64")

    return {
        "and": numpy("logical_and"),
        "or": numpy("logical_or"),
        "not": numpy("logical_not"),
        "if": numpy("where"),
        "+": numpy("add"),
        "-": numpy("subtract"),
        "*": numpy("multiply"),
        "/": numpy("divide"),
        "//": numpy("floor_divide"),
        "%": numpy("mod"),
        "<": numpy("less"),
        "<=": numpy("less_equal"),
        ">": numpy("greater"),
        ">=": numpy("greater_equal"),
        "==": numpy("equal"),
        "!=": numpy("not_equal"),
        "negative": numpy("negative"),
        "min": folded("minimum"),
        "max": folded("maximum"),
        "int": whole("trunc"),
        "ceil": whole("ceil"),
        "floor": whole("floor"),
        "round": whole("rint"),
        "pow": numpy("float_power"),
    }


_OVER = _over()


@dataclass(slots=True)
class Front:
    """The rows that no other row beats in every column; fed chunk by chunk."""

    goals: tuple[tuple[str, bool], ...]
    columns: dict[str, Column] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, names: Sequence[str]) -> Front:
        """Read ``params,macs`` or ``macs:min,top1:max``; least is best unless said otherwise.

        Raises: UsageError: an unknown column, a goal that is neither min nor max, a single column.
        """
        goals = []
        for part in text.split(","):
            name, _, goal = part.strip().partition(":")
            if name not in names:
                raise UsageError(f"unknown column {name!r}", hint=nearest(name, names))
            if goal not in ("", "min", "max"):
                raise UsageError(f"unknown goal {goal!r} of {name}", hint="it is min or max")
            goals.append((name, goal == "max"))
        if len(goals) < 2:
            raise UsageError("a front needs two columns or more", hint="--pareto params,macs")
        return cls(tuple(goals))

    def add(self, columns: Mapping[str, Column]) -> None:
        """Take further rows into account."""
        joined = _joined(self.columns, columns)
        kept = self.best(joined)
        self.columns = {name: column[kept] for name, column in joined.items()}

    def best(self, columns: Mapping[str, Column]) -> Column:
        """Return the numbers of the rows on the front, in their order."""
        import numpy as np

        columns = {name: columns[name] for name, _ in self.goals}
        known = np.logical_and.reduce([column == column for column in columns.values()])
        if not known.all():
            # What is not known, such as an accuracy, is on no front.
            numbers = np.flatnonzero(known)
            return numbers[self.best({name: c[known] for name, c in columns.items()})]
        costs = [-columns[name] if most else columns[name] for name, most in self.goals]
        order = np.lexsort(costs[::-1])
        ordered = [cost[order] for cost in costs]
        kept = _staircase(*ordered) if len(ordered) == 2 else _beaten_by_none(ordered)
        return np.sort(order[kept])


@dataclass(slots=True)
class First:
    """The first rows by a column; fed chunk by chunk, it holds no more than are kept."""

    by: ReportColumn
    top: int | None
    columns: dict[str, Column] = field(default_factory=dict)

    def add(self, columns: Mapping[str, Column]) -> None:
        """Take further rows into account."""
        joined = _joined(self.columns, columns)
        kept = self.order(joined[self.by.name])[: self.top]
        self.columns = {name: column[kept] for name, column in joined.items()}

    def order(self, column: Column) -> Column:
        """Return the numbers of the rows: numbers from large to small, words from A to Z."""
        import numpy as np

        if column.dtype == object:
            values = [None if value != value else value for value in column.tolist()]
            numbers = range(len(values))
            return sorted(numbers, key=lambda number: standing(values[number], self.by))
        return np.argsort(-column, kind="stable")


def reduced(
    chunks: Iterator[Mapping[str, Column]],
    front: Front | None,
    by: ReportColumn | None,
    top: int | None,
) -> Iterator[Mapping[str, Column]]:
    """Yield what is kept of a stream: a front, then the first rows by a column, or as they come.

    Only rows that are kept are held. Raises: UsageError: ``top`` is below 1.
    """
    order((), None, top)
    for reducer in (front, First(by, top) if by is not None else None):
        if reducer is not None:
            for chunk in chunks:
                reducer.add(chunk)
            chunks = iter([reducer.columns])
    left = top
    for chunk in chunks:
        if left is not None:
            chunk = {name: column[:left] for name, column in chunk.items()}
            left -= len(next(iter(chunk.values())))
        yield chunk
        if left == 0:
            return


def _joined(before: Mapping[str, Column], columns: Mapping[str, Column]) -> Mapping[str, Column]:
    import numpy as np

    if not before:
        return columns
    return {name: np.concatenate([before[name], column]) for name, column in columns.items()}


def _staircase(x: Column, y: Column) -> Column:
    """Keep what lies below all that came before, of rows sorted by x and then y."""
    import numpy as np

    if not len(x):
        return np.zeros(0, dtype=bool)
    before = np.empty_like(y)
    before[0] = y[0]
    lowest = np.minimum.accumulate(y)
    before[1:] = lowest[:-1]
    kept = y < before
    kept[0] = True
    # A row that equals the one on the front before it is as good.
    same = np.zeros(len(x), dtype=bool)
    same[1:] = (x[1:] == x[:-1]) & (y[1:] == y[:-1])
    front = np.maximum.accumulate(np.where(~same, np.arange(len(x)), 0))
    return kept[front]


def _beaten_by_none(costs: Sequence[Column]) -> Column:
    """Keep the rows that no other row beats, of rows sorted by all columns."""
    import numpy as np

    table = np.stack([np.asarray(cost, dtype=object if cost.dtype == object else None)
                      for cost in costs], axis=1)  # fmt: skip
    kept = np.zeros(len(table), dtype=bool)
    front: list[Any] = []
    for row, values in enumerate(table):
        if front:
            best = np.array(front)
            beaten = (best <= values).all(axis=1) & (best < values).any(axis=1)
            if beaten.any():
                continue
        kept[row] = True
        front.append(values)
    return kept

"""What is kept of a sweep: the rows that no other row beats, or the first by a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mbprof.errors import UsageError, unknown
from mbprof.output.model import Column as ReportColumn
from mbprof.output.model import standing
from mbprof.sweeps.axes import Column


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
                raise unknown("column", name, names)
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
            return sorted(range(len(values)), key=lambda row: standing(values[row], self.by))
        return np.argsort(-column, kind="stable")


def reduced(
    chunks: Iterable[Mapping[str, Column]],
    front: Front | None = None,
    by: ReportColumn | None = None,
    top: int | None = None,
) -> Iterator[Mapping[str, Column]]:
    """Yield what is kept of a stream: a front, then the first rows by a column, or as they come.

    Only rows that are kept are held.
    """
    for reducer in (front, First(by, top) if by is not None else None):
        if reducer is not None:
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

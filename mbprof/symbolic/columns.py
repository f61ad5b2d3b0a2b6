"""Columns of configurations by name: some of their rows, and as wide as arithmetic needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Column = Any


def wide(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Return columns in which nothing overflows at once: whole numbers have 64 bits.

    >>> import numpy as np
    >>> (wide({"k": np.array([100], np.int8)})["k"] * 100).tolist()
    [10000]
    """
    return {name: _wide(column) for name, column in columns.items()}


def _wide(column: Column) -> Column:
    kind = column.dtype
    return column.astype("int64") if kind.kind == "i" and kind.itemsize < 8 else column


def taken(columns: Mapping[str, Column], rows: Column, count: int) -> Mapping[str, Column]:
    """Return some rows of the columns; all of them as they are."""
    if len(rows) == count:
        return columns
    return {name: column[rows] for name, column in columns.items()}


class Picked(Mapping[str, Column]):
    """Some rows of columns, each column picked when it is asked for, as `wide`."""

    def __init__(self, columns: Mapping[str, Column], rows: Column) -> None:
        self.columns, self.rows = columns, rows

    def __getitem__(self, name: str) -> Column:
        return _wide(self.columns[name][self.rows])

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def picked(columns: Mapping[str, Column], rows: Column) -> Picked:
    """Return some rows of columns, by number or mask, of which some may have been picked already.

    >>> import numpy as np
    >>> some = picked({"k": np.array([5, 6, 7])}, np.array([False, True, True]))
    >>> picked(some, np.array([1]))["k"].tolist()
    [7]
    """
    import numpy as np

    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp, copy=False)
    if isinstance(columns, Picked):
        return Picked(columns.columns, columns.rows[rows])
    return Picked(columns, rows)

"""Which rows and columns of a report are shown: sorted, the first of them, those that are named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mbprof.errors import UsageError, nearest
from mbprof.output.model import Cell, Column, Report

_HINTED = 20


R = TypeVar("R", bound=Report)


def arranged(
    report: R,
    sort: str | None = None,
    top: int | None = None,
    columns: Iterable[str] | None = None,
) -> R:
    """Sort the rows of a report, keep the first ``top`` of them, and show the named columns.

    The list of rows in the report's data follows; tables of the same columns that come after this
    one do, too. See `order` for what comes first.
    Raises: UsageError: no such column, or ``top`` below 1.
    """
    chosen = [column_of(report, name) for name in columns or ()]
    numbers = picked(report, sort, top)
    more = tuple(
        arranged(part, sort, top, columns) if part.columns == report.columns else part
        for part in report.more
    )
    shown = {column.name: column for column in report.columns}
    report = replace(
        report, more=more, columns=tuple(shown.get(c.name, c) for c in chosen) or report.columns
    )
    if sort is None and top is None:
        return report
    return replace(
        report,
        rows=tuple(report.rows[number] for number in numbers),
        data=_followed(report, numbers),
        notes=(*_left_out(report, len(numbers)), *report.notes),
    )


def picked(report: Report, sort: str | None = None, top: int | None = None) -> list[int]:
    """Return the numbers of the rows that `arranged` shows.

    Raises: UsageError: no such column, or ``top`` below 1.
    """
    return order(report.rows, column_of(report, sort) if sort is not None else None, top)


def order(
    rows: Sequence[Mapping[str, Cell]], by: Column | None = None, top: int | None = None
) -> list[int]:
    """Return the numbers of the rows to show: numbers from large to small, words from A to Z.

    What has no value comes last; equal rows stay in their order.
    Raises: UsageError: ``top`` is below 1.

    >>> order([{"n": 1}, {"n": None}, {"n": 3}], Column("n", "n", "a number"), 2)
    [2, 0]
    """
    if top is not None and top < 1:
        raise UsageError(f"--top is {top}; it must be at least 1")
    numbers = list(range(len(rows)))
    if by is not None:
        numbers.sort(key=lambda number: standing(rows[number].get(by.name), by))
    return numbers[:top]


def standing(value: Cell, column: Column | None = None) -> tuple[int, Any]:
    """Return what a value is sorted by: a shape stands by its product, what is written by its text.

    >>> sorted([(8, 2), None, "b", 3, "a", 20], key=standing)
    [20, (8, 2), 3, 'a', 'b', None]
    """
    if value is None or value == "":
        return 2, 0
    if column is not None and column.rank is not None:
        value = column.rank(value)
    if isinstance(value, tuple | list) and all(isinstance(part, int) for part in value):
        value = math.prod(value)
    if isinstance(value, int | float):
        return 0, -value
    return 1, column.text(value) if column is not None else str(value)


def column_of(report: Report, name: str) -> Column:
    """Return a column that can be asked for of a report.

    Raises: UsageError: there is none of that name.
    """
    known = {column.name: column for column in report.known or report.columns}
    if name not in known:
        hint = nearest(name, known, _HINTED) if known else "this is no table"
        raise UsageError(f"unknown column {name!r}", hint=hint)
    return known[name]


def _left_out(report: Report, shown: int) -> tuple[str, ...]:
    if shown == len(report.rows):
        return ()
    of_all = "; the total is of all" if report.total is not None else ""
    return (f"{shown} of {len(report.rows)} rows are shown{of_all}.",)


def _followed(report: Report, numbers: Sequence[int]) -> Any:
    """Return the data of a report with its list of rows in the order of the numbers."""
    if report.listed is None:
        return report.data
    items = report.data[report.listed] if report.listed else report.data
    if isinstance(items, Mapping):
        names = list(items)
        picked: Any = {names[number]: items[names[number]] for number in numbers}
    else:
        picked = [items[number] for number in numbers]
    return {**report.data, report.listed: picked} if report.listed else picked


def columns_report(report: Report) -> Report:
    """List every column that can be asked for of a report, with its meaning."""
    rows = tuple(
        {"name": column.name, "heading": column.heading, "doc": column.doc}
        for column in report.known or report.columns
    )
    columns = (
        Column("name", "column", "the name to type"),
        Column("heading", "heading", "what stands above it"),
        Column("doc", "meaning", "what it holds", wraps=True),
    )
    return Report(f"{len(rows)} columns", columns, rows, [dict(row) for row in rows])

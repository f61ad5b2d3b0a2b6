"""What a report is before it has a format: columns, rows of values, a total, notes, plain data."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from mbprof.errors import UsageError, nearest, visible
from mbprof.language import fmt
from mbprof.language.record import NamedTuple, record

Cell: TypeAlias = Any
T = TypeVar("T")
R = TypeVar("R", bound="Report")
_LONGEST = 160


class Screen(NamedTuple):
    """What shows a text: how wide it is, and whether it has colours."""

    width: int = 80
    colours: bool = False


class Note(NamedTuple):
    """A note that says what to do next: as one types it, and as one calls it in Python."""

    typed: str
    called: str = ""
    """Empty where Python has no use for the note."""


@record
class Column:
    """A column: its name in data, its heading, how a value is written, and how it yields."""

    name: str
    heading: str
    doc: str
    text: Callable[[Cell], str] = str
    numeric: bool = False
    yields: int = 0
    """Where a terminal is narrow, columns that yield more are left out first; 0 never."""
    once: bool = False
    """Whether a value that repeats the row above is left blank where people read."""
    wraps: bool = False
    """Whether long text goes on in another line instead of taking the width that it needs."""
    shrinks: bool = False
    """Whether a narrow terminal shortens the text before it leaves out columns that matter."""
    tells: bool = False
    """Whether it never yields where its values differ, as it tells rows apart."""
    group: str = ""
    """Columns of one group are left out together."""
    absent: str = ""
    """What people read where a row has no value."""
    rank: Callable[[Cell], Any] | None = None
    """What a value is sorted by, if not by its size or its text."""

    def written(self, row: Mapping[str, Cell]) -> str:
        """Return a row's value as people read it."""
        value = row.get(self.name)
        return self.absent if value is None else self.text(value)


class Later(Mapping[str, Any]):
    """A mapping that is made when it is first looked into: few formats show all that is known."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self.make = make

    @cached_property
    def made(self) -> Mapping[str, Any]:
        """What is made."""
        return self.make()

    def __getitem__(self, key: str) -> Any:
        return self.made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.made)

    def __len__(self) -> int:
        return len(self.made)


class Rows(Sequence[Mapping[str, Cell]]):
    """Rows that are made where they are looked at: a long table need not be there twice."""

    def __init__(self, make: Callable[[T], Mapping[str, Cell]], of: Sequence[T]) -> None:
        self.make, self.of = make, of

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return Rows(self.make, self.of[number])
        return self.make(self.of[number])


@record
class Report:
    """A table to be written; every format shows the same values."""

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Cell]]
    data: Any
    total: Mapping[str, Cell] | None = None
    notes: tuple[str | Note, ...] = ()
    lead: tuple[str, ...] = ()
    """Lines between the title and the table."""
    text: str | None = None
    """Prose that stands instead of the table in a terminal and in Markdown."""
    more: tuple[Report, ...] = ()
    """What follows where people read; data is in ``data`` already."""
    known: tuple[Column, ...] = ()
    """Every column that can be asked for, where that is more than ``columns``."""
    listed: str | None = None
    """The key of ``data`` that holds an item for each row; empty if ``data`` itself does."""

    @property
    def parts(self) -> tuple[Report, ...]:
        """The report and what follows it."""
        return (self, *self.more)

    def typed_notes(self) -> list[str]:
        """Return the notes for people at a command line."""
        return [note.typed if isinstance(note, Note) else note for note in self.notes]

    def called_notes(self) -> list[str]:
        """Return the notes for people who write Python."""
        notes = [note.called if isinstance(note, Note) else note for note in self.notes]
        return [note for note in notes if note]

    def cells(self) -> list[list[str]]:
        """Return the rows as people read them."""
        return [
            [
                ""
                if column.once and before.get(column.name) == row[column.name]
                else column.written(row)
                for column in self.columns
            ]
            for before, row in zip(({}, *self.rows), self.rows, strict=False)
        ]

    def total_cells(self) -> list[str] | None:
        """Return the total as people read it, if there is one."""
        if self.total is None:
            return None
        return [
            column.written(self.total) if self.total.get(column.name) is not None else ""
            for column in self.columns
        ]


def arranged(
    report: R,
    sort: str | None = None,
    top: int | None = None,
    columns: Iterable[str] | None = None,
) -> R:
    """Sort the rows of a report, keep the first ``top`` of them, and show the named columns.

    The name of a group stands for its columns.
    The list of rows in the report's data follows; tables of the same columns that come after this
    one do, too. See `order` for what comes first.
    Raises: UsageError: no such column, or ``top`` below 1.
    """
    chosen = [column for name in columns or () for column in _named(report, name)]
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
    notes = report.notes
    if len(numbers) < len(report.rows):
        of_all = "; the total is of all" if report.total is not None else ""
        said = fmt.part(len(numbers), len(report.rows), "row")
        notes = (f"{said} shown{of_all}.", *notes)
    rows = tuple(report.rows[number] for number in numbers)
    return replace(report, rows=rows, data=_followed(report, numbers), notes=notes)


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


def _named(report: Report, name: str) -> Sequence[Column]:
    """Return the column of a name, or the columns of a group; see `column_of`."""
    group = [column for column in report.known or report.columns if column.group == name]
    return group if name and group else [column_of(report, name)]


def column_of(report: Report, name: str) -> Column:
    """Return a column that can be asked for of a report.

    Raises: UsageError: there is none of that name.
    """
    known = {column.name: column for column in report.known or report.columns}
    if not known:
        raise UsageError(f"there is no column {name!r}: {report.title} is shown as text")
    if name not in known:
        raise UsageError(f"unknown column {name!r}", hint=nearest(name, known))
    return known[name]


def _followed(report: Report, numbers: Sequence[int]) -> Any:
    """Return the data of a report with its list of rows in the order of the numbers."""
    if report.listed is None:
        return report.data
    items = report.data[report.listed] if report.listed else report.data
    entries = list(items.items() if isinstance(items, Mapping) else items)
    chosen = [entries[number] for number in numbers]
    followed: Any = dict(chosen) if isinstance(items, Mapping) else chosen
    return {**report.data, report.listed: followed} if report.listed else followed


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
    return Report(fmt.several(len(rows), "column"), columns, rows, [dict(row) for row in rows])


def line(what: object, said: str) -> str:
    """Return the line by which an object shows itself: its class, and what is said of it."""
    said = visible(" ".join(said.split()))
    short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    return f"<{type(what).__name__} {short}>"


class Brief(ABC):
    """What shows itself in one line, whatever it holds: its class and its ``brief``.

    A dataclass of this kind is made with ``repr=False``.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def brief(self) -> str:
        """What it is, in a few words."""

    def __repr__(self) -> str:
        return line(self, self.brief)

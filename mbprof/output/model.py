"""What a report is before it has a format: columns, rows of values, a total, notes, plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Cell: TypeAlias = Any


class Screen(NamedTuple):
    """What shows a text: how wide it is, and whether it has colours."""

    width: int = 80
    colours: bool = False


class Note(NamedTuple):
    """A note that says what to do next: as one types it, and as one calls it in Python."""

    typed: str
    called: str = ""
    """Empty where Python has no use for the note."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Report:
    """A table to be written; every format shows the same values."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
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

    @property
    def drawn(self) -> bool:
        """Whether there is a table to draw; the title and first lines can say all there is."""
        return bool(self.rows)

    def cells(self) -> list[list[str]]:
        """Return the rows as people read them."""
        written = []
        before: Mapping[str, Cell] = {}
        for row in self.rows:
            written.append(
                [
                    ""
                    if column.once and before.get(column.name) == row[column.name]
                    else column.written(row)
                    for column in self.columns
                ]
            )
            before = row
        return written

    def total_cells(self) -> list[str] | None:
        """Return the total as people read it, if there is one."""
        if self.total is None:
            return None
        return [
            column.written(self.total) if self.total.get(column.name) is not None else ""
            for column in self.columns
        ]

"""What a report is before it has a format: columns, rows of values, a total, notes, plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Cell: TypeAlias = Any


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
    wraps: bool = False
    """Whether long text goes on in another line instead of taking the width that it needs."""
    shrinks: bool = False
    """Whether a narrow terminal shortens the text before it leaves out columns that matter."""


@dataclass(frozen=True, slots=True)
class Report:
    """A table to be written; every format shows the same values."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    data: Any
    total: Mapping[str, Cell] | None = None
    notes: tuple[str, ...] = ()
    text: str | None = None
    """Prose that stands instead of the table in a terminal and in Markdown."""

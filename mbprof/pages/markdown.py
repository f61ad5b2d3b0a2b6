"""Parts of a page in Markdown: tables, their columns, what is folded away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mbprof.language import fmt
from mbprof.output import Column, Report, render


def tabled(
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Mapping[str, Any]],
    total: Mapping[str, Any] | None = None,
) -> str:
    """Write a table."""
    return render(Report(title, tuple(columns), tuple(rows), None, total), "md")


def worded(**headings: str) -> tuple[Column, ...]:
    """Return columns of text with their headings."""
    return tuple(Column(name, heading, "") for name, heading in headings.items())


def numbered(**headings: str) -> tuple[Column, ...]:
    """Return columns of whole numbers with their headings."""
    return tuple(Column(n, text, "", fmt.integer, numeric=True) for n, text in headings.items())


def folded(summary: str, inside: str) -> str:
    """Fold text away behind a line."""
    return f"<details>\n<summary>{summary}</summary>\n\n{inside.strip()}\n\n</details>"

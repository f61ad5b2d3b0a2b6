"""The formats of a report: each a function from a report to text, in one registry."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TypeAlias

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.output import html, plain
from mbprof.output.formats import Formats
from mbprof.output.model import Report, Screen

Writer: TypeAlias = Callable[[Report, Screen], str]

REPORTS: Formats[Writer] = Formats()
"""Every format of reports by its name."""


def render(report: Report, format: str, width: int = 80) -> str:
    """Write a report in a format; ``width`` is that of the terminal.

    Raises: UsageError: no such format, or one that the report has no form for.
    """
    return REPORTS[format].write(report, Screen(width))


@REPORTS.add("rich", layout="terminal")
def rich(report: Report, screen: Screen) -> str:
    """Write for a terminal: aligned, fitted to the width, coloured where there are colours."""
    from mbprof.output.terminal import draw

    return "\n".join(draw(part, screen) for part in report.parts)


@REPORTS.add("md", ".md", ".markdown", layout="page")
def markdown(report: Report, screen: Screen) -> str:
    """Write Markdown tables, as GitHub renders them."""
    return "\n".join(_md_part(part) for part in report.parts)


def _md_part(report: Report) -> str:
    if report.text is not None:
        return f"# {report.title}\n\n```\n{report.text.rstrip()}\n```\n"
    columns = report.columns
    lines = [f"**{_escape_md(report.title)}**", ""]
    if report.lead:
        lines += [f"- {_escape_md(line)}" for line in report.lead]
        lines += [""] if report.drawn else []
    if report.drawn:
        lines.append(_md_row(_escape_md(column.heading) for column in columns))
        lines.append(_md_row("---:" if column.numeric else "---" for column in columns))
    lines += [_md_row(_escape_md(cell) for cell in row) for row in report.cells()]
    total = report.total_cells()
    if total is not None:
        lines.append(_md_row(_bold(_escape_md(cell)) for cell in total))
    for note in report.typed_notes():
        lines += ["", _escape_md(note)]
    return "\n".join(lines) + "\n"


def _md_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _bold(text: str) -> str:
    return f"**{text}**" if text.strip() else text


def _escape_md(text: str) -> str:
    for sign in ("\\", "|", "*", "_", "`", "<"):
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", " ")


@REPORTS.add("csv", ".csv")
def comma_separated(report: Report, screen: Screen) -> str:
    """Write raw values as CSV, one row a layer; the total is not a row, and there is no stamp.

    Raises: UsageError: the report is prose.
    """
    if report.text is not None:
        others = fmt.either(name for name in REPORTS if name != "csv")
        raise UsageError(f"this is no table; choose the format {others}")
    out = io.StringIO()
    table = plain.rows_of(out)
    table.writerow(column.name for column in report.columns)
    for row in report.rows:
        table.writerow(plain.cell(row.get(column.name)) for column in report.columns)
    return out.getvalue()


@REPORTS.add("json", ".json")
def plain_data(report: Report, screen: Screen) -> str:
    """Write the report's data as one JSON value."""
    return plain.to_json(report.data) + "\n"


REPORTS.add("html", ".html", ".htm", layout="page")(html.page)

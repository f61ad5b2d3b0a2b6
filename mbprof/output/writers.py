"""The formats: each a function from a report to text, in one registry."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, NamedTuple, TypeAlias

from mbprof.errors import UsageError, nearest
from mbprof.output.model import Cell, Column, Report

Writer: TypeAlias = Callable[[Report, int], str]


class Format(NamedTuple):
    """A format: how it is written, and which columns it shows unless told otherwise."""

    write: Writer
    layout: str


REPORTS: dict[str, Format] = {}
"""Every format by its name; layouts are ``terminal``, ``page`` and ``data``."""


def writer(name: str, layout: str) -> Callable[[Writer], Writer]:
    """Register a format under its name."""

    def register(function: Writer) -> Writer:
        REPORTS[name] = Format(function, layout)
        return function

    return register


def layout(format: str) -> str:
    """Return the layout of a format.

    Raises: UsageError: no such format.
    """
    if format not in REPORTS:
        raise UsageError(f"unknown format {format!r}", hint=nearest(format, REPORTS))
    return REPORTS[format].layout


def render(report: Report, format: str, width: int = 80) -> str:
    """Write a report in a format; ``width`` is that of the terminal.

    Raises: UsageError: no such format.
    """
    if layout(format) == "data":
        return REPORTS[format].write(report, width)
    parts = (report, *report.more)
    return "\n".join(REPORTS[format].write(part, width) for part in parts)


@writer("rich", layout="terminal")
def rich(report: Report, width: int) -> str:
    """Write for a terminal: aligned, fitted to the width, coloured where there are colours."""
    from mbprof.output.terminal import draw

    return draw(report, width)


@writer("md", layout="page")
def markdown(report: Report, width: int) -> str:
    """Write a Markdown table, as GitHub renders it."""
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
    for note in report.notes:
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


@writer("csv", layout="data")
def comma_separated(report: Report, width: int) -> str:
    """Write raw values as CSV, one row a layer; the total is not a row.

    Raises: UsageError: the report is prose.
    """
    if report.text is not None:
        raise UsageError("this is no table; choose the format rich, md, json or html")
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(column.name for column in report.columns)
    for row in report.rows:
        table.writerow(_raw(row.get(column.name)) for column in report.columns)
    return out.getvalue()


def _raw(value: Cell) -> Cell:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_raw(each)}" for name, each in value.items())
    if isinstance(value, tuple | list):
        between = " " if any(isinstance(each, str) for each in value) else "x"
        return between.join(str(each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


@writer("json", layout="data")
def plain_data(report: Report, width: int) -> str:
    """Write the report's data as one JSON value."""
    return json.dumps(report.data, indent=1, ensure_ascii=False, default=_jsonable) + "\n"


@writer("sarif", layout="data")
def static_analysis(report: Report, width: int) -> str:
    """Write findings as a SARIF log.

    Raises: UsageError: the report has no findings.
    """
    if report.sarif is None:
        raise UsageError("there are no findings; sarif is a format of mbprof check")
    return json.dumps(report.sarif, indent=1, ensure_ascii=False, default=_jsonable) + "\n"


def _jsonable(value: Any) -> Any:
    if hasattr(value, "items"):
        return dict(value)
    return list(value)


@writer("html", layout="page")
def html(report: Report, width: int) -> str:
    """Write an HTML fragment that a notebook or a page can show."""
    lines = ["<div>", f"<p><strong>{escape(report.title)}</strong></p>"]
    if report.text is not None:
        return "\n".join([*lines, f"<pre>{escape(report.text)}</pre>", "</div>", ""])
    lines += [f"<p>{escape(line)}</p>" for line in report.lead]
    if report.drawn:
        lines += _html_table(report)
    lines += [f"<p>{escape(note)}</p>" for note in report.notes]
    return "\n".join([*lines, "</div>", ""])


def _html_table(report: Report) -> list[str]:
    columns = report.columns
    lines = ["<table>", "<thead>", _html_row("th", columns, (c.heading for c in columns))]
    lines += ["</thead>", "<tbody>"]
    lines += [_html_row("td", columns, row) for row in report.cells()]
    lines.append("</tbody>")
    total = report.total_cells()
    if total is not None:
        lines += ["<tfoot>", _html_row("th", columns, total), "</tfoot>"]
    return [*lines, "</table>"]


def _html_row(tag: str, columns: Iterable[Column], cells: Iterable[str]) -> str:
    parts = []
    for column, cell in zip(columns, cells, strict=True):
        side = "right" if column.numeric else "left"
        parts.append(f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>')
    return f"<tr>{''.join(parts)}</tr>"

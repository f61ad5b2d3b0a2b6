"""Reports as HTML: a fragment for a notebook, a whole page for a file."""

from __future__ import annotations

from collections.abc import Iterable

from mbprof.output.formats import stamped, to_json
from mbprof.output.inert import html
from mbprof.output.model import Column, Report

_STYLE = """\
:root { color-scheme: light dark; --line: #d0d4d9; --quiet: #59616b; --band: #f4f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3f46; --quiet: #a2a9b2; --band: #1d2024; }
  body { background: #131518; color: #e4e6e9; }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { position: sticky; top: 0; background: var(--band); }
tfoot th { border-bottom: 0; border-top: 2px solid var(--line); }
tbody tr:hover { background: var(--band); }
pre { overflow-x: auto; }
table ~ p { color: var(--quiet); }
@media print {
  :root { color-scheme: light; --line: #999; --quiet: #333; --band: #fff; }
  body { background: #fff; color: #000; font-size: 9pt; margin: 0; }
  thead th { position: static; }
  tr { break-inside: avoid; }
  pre { white-space: pre-wrap; }
}"""


def page(report: Report) -> str:
    """Write an HTML page, on a screen bright or dark, and for print; its head bears the stamp."""
    stamp = stamped(report.data)
    head = (
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="mbprof {html(stamp["version"])}">',
        f'<meta name="mbprof" content="{html(to_json(stamp, None))}">',
        f"<title>{html(report.title)}</title>",
        f"<style>\n{_STYLE}\n</style>",
        "</head>",
        "<body>",
    )
    parts = [_part(part, part.typed_notes()) for part in report.parts]
    return "\n".join([*head, *parts, "</body>", "</html>", ""])


def fragment(report: Report) -> str:
    """Write what a notebook shows; notes say what to do next in Python."""
    return "\n".join(_part(part, part.called_notes()) for part in report.parts) + "\n"


def _part(report: Report, notes: Iterable[str]) -> str:
    lines = ["<div>", f"<p><strong>{html(report.title)}</strong></p>"]
    if report.text is not None:
        return "\n".join([*lines, f"<pre>{html(report.text)}</pre>", "</div>"])
    lines += [f"<p>{html(line)}</p>" for line in report.lead]
    if report.rows:
        lines += _table(report)
    lines += [f"<p>{html(note)}</p>" for note in notes]
    return "\n".join([*lines, "</div>"])


def _table(report: Report) -> list[str]:
    columns = report.columns
    lines = ["<table>", "<thead>", _row("th", columns, (c.heading for c in columns))]
    lines += ["</thead>", "<tbody>"]
    lines += [_row("td", columns, row) for row in report.cells()]
    lines.append("</tbody>")
    total = report.total_cells()
    if total is not None:
        lines += ["<tfoot>", _row("th", columns, total), "</tfoot>"]
    return [*lines, "</table>"]


def _row(tag: str, columns: Iterable[Column], cells: Iterable[str]) -> str:
    parts = []
    for column, text in zip(columns, cells, strict=True):
        side = "right" if column.numeric else "left"
        parts.append(f'<{tag} style="text-align: {side}">{html(text)}</{tag}>')
    return f"<tr>{''.join(parts)}</tr>"

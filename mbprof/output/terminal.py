"""The terminal format, the only one that needs rich."""

from __future__ import annotations

import io
import os
import shutil
import sys

from mbprof.output.model import Report, Screen

_GAP = 2
_NARROWEST_NAME = 12
_NARROWEST_WRAP = 16


def screen_for(path: str | None) -> Screen:
    """Return the screen of an output: the terminal's width, and colours if it is a terminal.

    NO_COLOR forbids and FORCE_COLOR demands them; each counts where it is not empty. A file has
    none, nor has a terminal that calls itself dumb.
    """
    able = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    asked = able or bool(os.environ.get("FORCE_COLOR"))
    colours = asked and path in (None, "-") and not os.environ.get("NO_COLOR")
    return Screen(shutil.get_terminal_size((80, 24)).columns, colours)


def draw(report: Report, screen: Screen) -> str:
    """Draw a report for a screen."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    width, colours = screen
    console = Console(
        file=out, width=width, force_terminal=colours, color_system="auto" if colours else None,
        no_color=not colours, highlight=False, legacy_windows=False,
    )  # fmt: skip
    console.print(Text(report.title, style="bold"))
    for line in report.lead:
        console.print(Text(line))
    if report.text is not None:
        console.print(Text(report.text), soft_wrap=True)
        return out.getvalue()
    cells, total = report.cells(), report.total_cells()
    kept, first = _fitting(report, cells, total, width)
    table = Table(
        box=box.SIMPLE,
        show_footer=total is not None,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
    )
    for i in kept:
        column = report.columns[i]
        table.add_column(
            column.heading,
            footer=Text(total[i], style="bold") if total else "",
            justify="right" if column.numeric else "left",
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
            max_width=first if i == 0 and not column.wraps else None,
            style="dim" if column.yields > 2 else "",
        )
    whole = not report.columns[0].wraps
    for row in cells:
        shown = [_shortened(row[i], first) if i == 0 and whole else row[i] for i in kept]
        table.add_row(*(Text(cell) for cell in shown))
    if report.drawn:
        console.print(table)
    notes = report.typed_notes()
    if notes:
        console.print()
    for note in notes:
        console.print(Text(note), style="dim" if colours else "")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _fitting(
    report: Report, cells: list[list[str]], total: list[str] | None, width: int
) -> tuple[list[int], int]:
    """Return the columns that fit, and the width that is left for the first one."""
    widths, columns = [], report.columns
    for i, column in enumerate(columns):
        texts = [column.heading, *(row[i] for row in cells), *([total[i]] if total else [])]
        widest = max(len(text) for text in texts)
        widths.append(min(widest, _NARROWEST_WRAP) if column.wraps else widest)
    kept = list(range(len(widths)))
    name, shrinks = widths[0], columns[0].shrinks

    def needed() -> int:
        return sum(widths[i] + _GAP for i in kept) - _GAP

    for yields in range(max(column.yields for column in columns), 0, -1):
        for i in reversed(range(len(widths))):
            spare = max(0, name - _NARROWEST_NAME) if yields <= 2 and shrinks else 0
            if i in kept and columns[i].yields == yields and needed() - spare > width:
                group = columns[i].group
                kept = [k for k in kept if k != i and not (group and columns[k].group == group)]
    over = max(0, needed() - width)
    return kept, max(_NARROWEST_NAME if name > _NARROWEST_NAME else name, name - over)


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return text[: width - 1 - half] + "…" + text[len(text) - half :]

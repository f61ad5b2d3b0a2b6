"""The formats of a report, functions to text in one registry, and answers that have one."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from mbprof.errors import UsageError, wrapped
from mbprof.language import fmt
from mbprof.output import inert
from mbprof.output.formats import Formats, cell, rows_of, to_json
from mbprof.output.model import Brief, Report, Screen

if TYPE_CHECKING:
    import pandas

_GAP = 2
_NARROWEST_NAME = 12
_NARROWEST_WRAP = 16
_NARROWEST_PROSE = 22
_SINGLE = "[ -~\\xa0-\\xac\\xae-\\u02ff\\u0370-\\u0482–—…\\u2500-\\u25fc]*"
"""Signs that are one column wide in every terminal."""
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
    return "\n".join(_drawn(part, screen) for part in report.parts)


@REPORTS.add("md", ".md", ".markdown", layout="page")
def markdown(report: Report, screen: Screen) -> str:
    """Write Markdown tables, as GitHub renders them."""
    return "\n".join(_md_part(part) for part in report.parts)


def _md_part(report: Report) -> str:
    if report.text is not None:
        return f"# {inert.markdown(report.title)}\n\n{inert.fenced(report.text)}"
    columns = report.columns
    lines = [f"**{inert.markdown(report.title)}**", ""]
    if report.lead:
        lines += [f"- {inert.markdown(line)}" for line in report.lead]
        lines += [""] if report.rows else []
    if report.rows:
        lines.append(_md_row(inert.markdown(column.heading) for column in columns))
        lines.append(_md_row("---:" if column.numeric else "---" for column in columns))
    lines += [_md_row(inert.markdown(cell) for cell in row) for row in report.cells()]
    total = report.total_cells()
    if total is not None:
        bold = (f"**{inert.markdown(cell)}**" if cell.strip() else cell for cell in total)
        lines.append(_md_row(bold))
    for note in report.typed_notes():
        lines += ["", inert.markdown(note)]
    return "\n".join(lines) + "\n"


def _md_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


@REPORTS.add("csv", ".csv")
def comma_separated(report: Report, screen: Screen) -> str:
    """Write raw values as CSV, one row a layer; the total is not a row, and there is no stamp.

    Raises: UsageError: the report is prose.
    """
    if report.text is not None:
        others = fmt.either(name for name in REPORTS if name != "csv")
        hint = f"choose the format {others}"
        raise UsageError(f"{report.title} is shown as text, which CSV cannot hold", hint=hint)
    out = io.StringIO()
    table = rows_of(out)
    table.writerow(column.name for column in report.columns)
    for row in report.rows:
        table.writerow(cell(row.get(column.name)) for column in report.columns)
    return out.getvalue()


@REPORTS.add("json", ".json")
def plain_data(report: Report, screen: Screen) -> str:
    """Write the report's data as one JSON value."""
    return to_json(report.data) + "\n"


@REPORTS.add("html", ".html", ".htm", layout="page")
def html_page(report: Report, screen: Screen) -> str:
    """Write an HTML page, on a screen bright or dark, and for print."""
    from mbprof.output.html import page

    return page(report)


def screen_for(path: str | None) -> Screen:
    """Return the screen of an output: the terminal's width, and colours if it is a terminal.

    NO_COLOR forbids and FORCE_COLOR demands them; each counts where it is not empty. A file has
    none, nor has a terminal that calls itself dumb.
    """
    able = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    asked = able or bool(os.environ.get("FORCE_COLOR"))
    colours = asked and path in (None, "-") and not os.environ.get("NO_COLOR")
    return Screen(shutil.get_terminal_size((80, 24)).columns, colours)


def _drawn(report: Report, screen: Screen) -> str:
    """Draw what needs no colours and is one column a sign by hand: rich takes long to import."""
    above = [inert.line(line) for line in (report.title, *report.lead)]
    below = [inert.line(note) for note in report.typed_notes()]
    heads = [inert.line(column.heading) for column in report.columns]
    cells, total = [[*map(inert.line, row)] for row in report.cells()], report.total_cells()
    if report.text is not None:
        lines = inert.terminal(report.text).split("\n")
        below = [part for line in lines for part in _broken(line, screen.width)]
    texts = (above, below, heads, *cells, total or ())
    if screen.colours or not all(map(re.compile(_SINGLE).fullmatch, chain.from_iterable(texts))):
        return _by_rich(report, screen, above, below, heads, cells, total)
    drawn = [part for line in above for part in _folded(line, screen.width)]
    if report.text is not None:
        return "\n".join([*drawn, *below, ""])
    if report.rows:
        kept, first, widths = _fitting(report, heads, cells, total, screen.width)
        if not kept or not all(widths.get(i) for i in kept):  # Not even the least fits.
            return _by_rich(report, screen, above, below, heads, cells, total)
        rule = "─" * (sum(widths[i] + _GAP for i in kept) - _GAP)
        shown = [(i, widths[i], report.columns[i].numeric) for i in kept]
        drawn += [*_laid(heads, shown, above=True), rule]
        for row in cells:
            name = row[0] if report.columns[0].wraps else _shortened(row[0], first)
            drawn += _laid([name, *row[1:]], shown)
        drawn += [rule, *_laid(total, shown)] if total is not None else []
    if below:
        drawn += ["", *(part for line in below for part in _folded(line, screen.width))]
    return "\n".join(line.rstrip() for line in drawn) + "\n"


def _laid(
    row: Sequence[str], columns: Sequence[tuple[int, int, bool]], above: bool = False
) -> list[str]:
    """Return the lines of a row of a table, at a width a column; a head stands on its rule."""
    parts = [_folded(row[i], width) for i, width, _ in columns]
    height = max(map(len, parts))
    cells = []
    for part, (_, width, right) in zip(parts, columns, strict=True):
        free = [""] * (height - len(part))
        lines = [*free, *part] if above else [*part, *free]
        cells.append([x.rstrip().rjust(width) if right else x.ljust(width) for x in lines])
    return [(" " * _GAP).join(line) for line in zip(*cells, strict=True)]


def _folded(text: str, width: int) -> list[str]:
    """Break a text between words, and within those that are longer than a line, as rich does."""
    if len(text) <= width:
        return [text]
    breaks, used = [0], 0
    for found in re.finditer(r"\s*\S+\s*", text):
        start, end = found.span()
        long = len(found[0].rstrip())
        if long > width:
            breaks += range(start, end, width)
            used = (end - start - 1) % width + 1
        elif long > width - used:
            breaks.append(start)
            used = end - start
        else:
            used += end - start
    lines = (text[at:to] for at, to in pairwise([*dict.fromkeys(breaks), len(text)]))
    return [line[:width] + line[width:].rstrip() for line in lines]


def _by_rich(
    report: Report,
    screen: Screen,
    above: list[str],
    below: list[str],
    heads: list[str],
    cells: list[list[str]],
    total: list[str] | None,
) -> str:
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from mbprof.output.prose import console_of

    out = io.StringIO()
    width, colours = screen
    console = console_of(screen, out)
    title, *lead = above
    console.print(Text(title, style="bold"))
    for line in lead:
        console.print(Text(line))
    if report.text is not None:
        console.print(Text("\n".join(below)), soft_wrap=True)
        return out.getvalue()
    kept, first, given = _fitting(report, heads, cells, total, width)
    # Where every sign is one column wide, rich need not measure again what does not wrap.
    measured = all(cell_len(text) == len(text) for row in [heads, *cells] for text in row)
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
            Text(heads[i]),
            footer=Text(total[i], style="bold") if total else "",
            justify="right" if column.numeric else "left",
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
            max_width=first if i == 0 and not column.wraps else None,
            width=given.get(i) if column.wraps or measured else None,
            style="dim" if column.yields > 2 else "",
        )
    whole = not report.columns[0].wraps
    for row in cells:
        shown = [_shortened(row[i], first) if i == 0 and whole else row[i] for i in kept]
        table.add_row(*(Text(cell) for cell in shown))
    if report.rows:
        console.print(table)
    if below:
        console.print()
    for note in below:
        console.print(Text(note), style="dim" if colours else "")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _broken(line: str, width: int) -> list[str]:
    """Break a line of prose; what follows stands below its last column that leaves it room."""
    starts = [cell.start() for cell in re.finditer(r"(?:(?<=^)|(?<=  ))\S", line)]
    room = max(_NARROWEST_PROSE, *(len(word) for word in line.split()), 0)
    indent = max((at for at in starts if at <= width - room), default=0)
    # The lanes of a drawing go on beside it.
    margin = "".join("│" if sign in "│├●┼┬╮┤" else " " for sign in line[:indent])
    return wrapped(line, width, margin)


def _fitting(
    report: Report,
    heads: list[str],
    cells: list[list[str]],
    total: list[str] | None,
    width: int,
) -> tuple[list[int], int, dict[int, int]]:
    """Return the columns that fit, the width left for the first one, and that of all of them.

    What wraps does so between words where these take no more than a third of the width; the widths
    are left out where even the least do not fit.
    """
    widths, tight, whole, columns = [], [], [], report.columns
    for i, column in enumerate(columns):
        texts = [heads[i], *(row[i] for row in cells), *([total[i]] if total else [])]
        widest = max(len(text) for text in texts)
        longest = max((len(word) for text in texts for word in text.split()), default=0)
        least = max(_NARROWEST_WRAP, min(longest, width // 3))
        widths.append(min(widest, least) if column.wraps else widest)
        tight.append(min(widths[i], max(len(heads[i]), min(longest, width // 3))))
        whole.append(widest)
    kept = list(range(len(widths)))
    ranks = [
        0 if column.tells and len({row[i] for row in cells}) > 1 else column.yields
        for i, column in enumerate(columns)
    ]
    name, shrinks = widths[0], columns[0].shrinks

    def needed() -> int:
        return sum(widths[i] + _GAP for i in kept) - _GAP

    for yields in range(max(ranks), 0, -1):
        for i in reversed(range(len(widths))):
            spare = max(0, name - _NARROWEST_NAME) if yields <= 2 and shrinks else 0
            if i in kept and ranks[i] == yields and needed() - spare > width:
                group = columns[i].group
                kept = [k for k in kept if k != i and not (group and columns[k].group == group)]
    wraps = [i for i in kept if columns[i].wraps]
    for i in wraps:
        widths[i] -= min(widths[i] - tight[i], max(0, needed() - width))
    over = max(0, needed() - width)
    first = max(_NARROWEST_NAME if name > _NARROWEST_NAME else name, name - over)
    if over:
        widths[0] = first
        ends = max(len(heads[0]), len(total[0]) if total else 0)
        fits = not wraps and ends <= first and needed() <= width
        return kept, first, {i: widths[i] for i in kept} if fits else {}
    # What is left over goes to what wraps, the column that wants least of it first.
    spare = width - needed()
    for number, i in enumerate(sorted(wraps, key=lambda i: whole[i] - widths[i])):
        more = min(whole[i] - widths[i], spare // (len(wraps) - number))
        widths[i] += more
        spare -= more
    return kept, first, {i: widths[i] for i in kept}


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return text[: width - 1 - half] + "…" + text[len(text) - half :]


class Result(Brief):
    """An answer, which a notebook shows as a table; every format writes the same `report`."""

    __slots__ = ()

    @abstractmethod
    def report(self, layout: str = "page") -> Report:
        """Lay the answer out for a layout: terminal, page or data."""

    @property
    def brief(self) -> str:
        """The title of the report."""
        return self.report().title

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, as ``--format json`` prints it; a list is ``rows``."""
        data = self.report("data").data
        return dict(data) if isinstance(data, Mapping) else {"rows": data}

    def to_frame(self) -> pandas.DataFrame:
        """Return the answer as a pandas DataFrame, whose columns are those of ``--format csv``."""
        import pandas

        report = self.report("data")
        names = [column.name for column in report.columns]
        rows = [[row.get(name) for name in names] for row in report.rows]
        return pandas.DataFrame(rows, columns=names)

    def _repr_html_(self) -> str:
        from mbprof.output.html import fragment

        return fragment(self.report())

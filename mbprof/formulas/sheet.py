"""Formulas as documents: for a terminal, LaTeX, Markdown, or data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from mbprof.errors import UsageError, nearest
from mbprof.formulas.algebra import Sum, Symbol, Tree, symbols
from mbprof.formulas.closed import COUNTS, Formula
from mbprof.formulas.conditions import Condition, Range
from mbprof.formulas.notes import notes
from mbprof.formulas.text import Latex, Markdown, Text, escaped
from mbprof.network.conventions.model import UNITS, Convention
from mbprof.output.formats import Formats
from mbprof.output.model import Screen
from mbprof.output.plain import to_json


class Sheet(NamedTuple):
    """A formula to be written, and which fields of it."""

    formula: Formula
    counts: tuple[str, ...]

    @classmethod
    def of(cls, formula: Formula, of: str = "both") -> Sheet:
        """Choose what to write: params, cost or both; the cost's own name says cost, too.

        Raises: UsageError: no such count, or a cost that the convention does not count.
        """
        return cls(formula, _counts(formula.convention, of))


Writer: TypeAlias = Callable[[Sheet, Screen], str]
FORMATS: Formats[Writer] = Formats()
"""Every format of formulas by its name; rich is what a terminal shows, as for other commands."""


def render(formula: Formula, format: str = "text", of: str = "both", width: int = 80) -> str:
    """Write a formula in a format; ``width`` is the terminal's. See `Sheet.of`.

    Raises: UsageError: no such format or count, or a cost that the convention does not count.
    """
    return FORMATS[format].write(Sheet.of(formula, of), Screen(width))


def _counts(convention: Convention, of: str) -> tuple[str, ...]:
    """Return the fields to show."""
    fields = {"params": COUNTS[:1], "both": COUNTS}
    if not convention.measures:
        if of in ("cost", *UNITS):
            raise UsageError(f"convention {convention.name} counts no cost, only params")
        fields["both"] = COUNTS[:1]
    else:
        fields |= {convention.unit.lower(): COUNTS[1:], "cost": COUNTS[1:]}
    if of not in fields:
        if of in UNITS:
            unit = convention.unit
            message = f"the formula of convention {convention.name} is in {unit}, not {UNITS[of]}"
            raise UsageError(message, hint=f"give --of {unit.lower()}, or another --convention")
        raise UsageError(f"cannot show {of!r}", hint=nearest(of, fields))
    return fields[of]


@FORMATS.add("text", layout="terminal")
@FORMATS.add("rich", layout="terminal")
def text(sheet: Sheet, screen: Screen) -> str:
    """Write for a terminal, with the signs of Unicode."""
    (formula, counts), width = sheet, screen.width
    style = Text(formula.alone)
    lines = [_title(formula, style)]
    lines += _rows(formula, counts, style, width)
    for count in counts:
        head = f"{formula.heading(count)} = "
        said = _total(style, getattr(formula.total, count), width - len(head))
        lines += ["", head + said[0], *(" " * len(head) + each for each in said[1:])]
    lines += _where(formula, style, counts, width)
    lines.append("")
    if holds := _holds(formula, style):
        lines += _filled("Holds for ", [*holds[:-1], f"{holds[-1]}."], width, ", ")
    for note in notes(formula, style):
        lines += _filled("", note.split(" "), width, " ")
    return "\n".join(lines) + "\n"


@FORMATS.add("latex", ".tex", layout="page")
def latex(sheet: Sheet, screen: Screen) -> str:
    """Write LaTeX that stands in a document with the package amsmath."""
    formula, counts = sheet
    style = Latex(formula.alone)
    lines = [f"% {_title(formula, Text(formula.alone))}"]
    if formula.lines:
        heads = [escaped(formula.heading(count)) for count in counts]
        lines += [rf"\begin{{tabular}}{{l{'l' * len(counts)}}}"]
        lines += [rf"{formula.by} & {' & '.join(heads)} \\ \hline"]
        for line in formula.lines:
            cells = [f"${style(getattr(line, count))}$" for count in counts]
            lines.append(rf"{escaped(line.name)} & {' & '.join(cells)} \\")
        lines.append(r"\end{tabular}")
    lines += _aligned(formula, style, counts, r"\begin{align*}", r"\end{align*}")
    holds = [f"${each}$" for each in _holds(formula, style)]
    lines += [f"Holds for {', '.join(holds)}."] if holds else []
    lines += notes(formula, style, escaped)
    return "\n".join(lines) + "\n"


@FORMATS.add("md", ".md", ".markdown", layout="page")
def markdown(sheet: Sheet, screen: Screen) -> str:
    """Write Markdown whose formulas GitHub renders."""
    formula, counts = sheet
    style = Markdown(formula.alone)
    lines = [f"**{_title(formula, Text(formula.alone))}**".replace("_", r"\_"), ""]
    if formula.lines:
        lines.append(f"| {' | '.join([formula.by, *(formula.heading(c) for c in counts)])} |")
        lines.append("| --- " * (1 + len(counts)) + "|")
        for line in formula.lines:
            cells = [f"${style(getattr(line, count))}$" for count in counts]
            lines.append(f"| {' | '.join([f'`{line.name}`', *cells])} |")
        lines.append("")
    begin, end = "```math\n\\begin{aligned}", "\\end{aligned}\n```"
    lines += _aligned(formula, style, counts, begin, end)
    holds = [f"${each}$" for each in _holds(formula, style)]
    lines += ["", f"Holds for {', '.join(holds)}."] if holds else []
    lines += ["", *notes(formula, style, lambda text: text.replace("_", r"\_"))]
    return "\n".join(lines) + "\n"


@FORMATS.add("json", ".json")
def data(sheet: Sheet, screen: Screen) -> str:
    """Write JSON: every formula as text and as LaTeX, with its value at the defaults."""
    formula, counts = sheet
    return to_json(formula.to_dict(counts)) + "\n"


def _title(formula: Formula, style: Text) -> str:
    names = [style.name(Symbol(each)) for each in _used(formula)]
    if not names:
        return f"{formula.spec}, which depends on no symbol"
    *most, last = names
    return f"{formula.spec} in {', '.join(most) + ' and ' if most else ''}{last}"


def _used(formula: Formula) -> list[str]:
    """Return the symbols that the cost depends on."""
    trees = [tree for _, tree in formula.where] + list(formula.total[1:])
    trees += [tree for line in formula.lines for tree in line[1:]]
    found = {each.letter for tree in trees for each in symbols(tree) if not each.number}
    return [each.name for each in formula.symbols if each.name in found]


def _rows(formula: Formula, counts: Sequence[str], style: Text, width: int) -> list[str]:
    """Return the lines as columns, or as paragraphs if columns are too wide."""
    if not formula.lines:
        return []
    heads = [formula.by, *(formula.heading(count) for count in counts)]
    rows = [[line.name, *(style(getattr(line, c)) for c in counts)] for line in formula.lines]
    wide = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    if sum(wide) + 2 * len(counts) > width:
        found = []
        for line in formula.lines:
            found += ["", line.name]
            for count, head in zip(counts, heads[1:], strict=True):
                parts = style.lines(getattr(line, count))
                found += _filled(f"  {head} = ", parts, width)
        return found
    table = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip()
        for row in [heads, *rows]
    ]
    return [table[0], "─" * (sum(wide) + 2 * len(counts)), *table[1:]]


def _total(style: Text, tree: Tree, width: int) -> list[str]:
    """Return a sum in lines; a product with a sum in it has lines of its own."""
    parts = style.lines(tree)
    grouped = isinstance(tree, Sum) and any(
        isinstance(part, Sum) for each in tree.parts for part in each.parts
    )
    if grouped and sum(map(len, parts)) > width:
        return [line for part in parts for line in _broken([part], width)]
    return _broken(parts, width)


def _where(formula: Formula, style: Text, counts: Sequence[str], width: int) -> list[str]:
    """Return the definitions in lines, the height and the width of a map in one."""
    needed = _needed(formula, counts)
    if not needed:
        return []
    said = {name: f"{style.name(name)} = {style(tree)}" for name, tree in needed}
    lines: list[str] = []
    for name, line in said.items():
        if name.letter == "w" and Symbol("h", name.number) in said:
            continue
        pair = [line]
        if name.letter == "h" and (other := Symbol("w", name.number)) in said:
            pair.append(said[other])
        room = width - len("where ")
        if len(", ".join(pair)) <= room:
            lines.append(", ".join(pair))
        else:
            for each in pair:
                first, *more = _broken([each], room - 4) if len(each) > room else [each]
                lines += [first, *(f"    {one}" for one in more)]
    return ["", *(("where " if i == 0 else "      ") + line for i, line in enumerate(lines))]


def _needed(formula: Formula, counts: Sequence[str]) -> list[tuple[Symbol, Tree]]:
    """Return the definitions that the counts and the conditions need, widths before sizes."""
    lines = (*formula.lines, formula.total)
    trees = [getattr(line, count) for line in lines for count in counts]
    trees += [tree for each in formula.conditions for tree in each.trees]
    wanted = {each for tree in trees for each in symbols(tree)}
    for name, tree in reversed(formula.where):
        if name in wanted:
            wanted.update(symbols(tree))
    found = [(name, tree) for name, tree in formula.where if name in wanted]
    return sorted(found, key=lambda each: each[0].letter in "hw")


def _aligned(
    formula: Formula, style: Latex, counts: Sequence[str], begin: str, end: str
) -> list[str]:
    """Return totals and definitions as lines of LaTeX that are aligned at their equals signs."""
    lines = []
    for count in counts:
        head = style.name(Symbol(formula.heading(count)))
        first, *rest = _total(style, getattr(formula.total, count), 120)
        lines += [f"{head} &= {first}", *(f"&\\quad {each}" for each in rest)]
    lines += [f"{style.name(n)} &= {style(tree)}" for n, tree in _needed(formula, counts)]
    return [begin, *(f"{line} \\\\" for line in lines[:-1]), lines[-1], end]


def _holds(formula: Formula, style: Text) -> list[str]:
    """Return the conditions; symbols of one range share it, those of no use are left out."""
    used = _used(formula)
    ranges: dict[tuple[Any, ...], list[Range]] = {}
    rest: list[Condition] = []
    for each in formula.conditions:
        if isinstance(each, Range):
            if each.symbol.letter in used or not _is_free(formula, each):
                ranges.setdefault((each.low, each.high, each.above, each.below), []).append(each)
        else:
            rest.append(each)
    return [style.ranges(same) for same in ranges.values()] + [style.condition(c) for c in rest]


def _is_free(formula: Formula, each: Range) -> bool:
    """Whether a symbol may take every value that symbols take."""
    domain = next(d for d in formula.symbols if d.name == each.symbol.letter)
    return bool(each.low <= domain.low and each.high == domain.high)


def _filled(head: str, parts: Sequence[str], width: int, between: str = " ") -> list[str]:
    """Return parts in lines that fit, behind a head and indented like it."""
    broken = _broken(parts, max(width - len(head), 40), between)
    return [(head if i == 0 else " " * len(head)) + line for i, line in enumerate(broken)]


def _broken(parts: Sequence[str], width: int, between: str = " ") -> list[str]:
    """Fill lines with parts; a part that is too long is broken at its sums."""
    lines: list[str] = []
    for i, part in enumerate(parts):
        said = part + (between.rstrip() if i < len(parts) - 1 else "")
        for piece in _pieces(said, width):
            if lines and len(lines[-1]) + 1 + len(piece) <= width:
                lines[-1] += " " + piece
            else:
                lines.append(piece)
    return lines or [""]


_OPENING = ("(", r"\l")
_CLOSING = (")", r"\r")


def _pieces(part: str, width: int) -> Iterator[str]:
    """Yield a part whole, or in pieces that begin with a sign outside of growing brackets."""
    if len(part) <= width:
        yield part
        return
    depth, start = 0, 0
    for i, char in enumerate(part):
        depth += (char in "{⌊⌈") - (char in "}⌋⌉")
        depth += any(part.startswith(rf"\left{each}", i) for each in _OPENING)
        depth -= any(part.startswith(rf"\right{each}", i) for each in _CLOSING)
        if depth == 0 and i > start + 2 and part[i : i + 3] in (" + ", " - "):
            yield part[start:i]
            start = i + 1
    yield part[start:]

"""Formulas as documents: for a terminal, LaTeX, Markdown, or data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from mbprof.errors import UsageError, nearest
from mbprof.formulas.closed import COUNTS, Formula
from mbprof.formulas.text import (
    Call,
    Condition,
    Latex,
    Markdown,
    Range,
    Sum,
    Symbol,
    Text,
    Tree,
    number,
    parts,
    symbols,
)
from mbprof.language.fmt import integer, plain
from mbprof.language.record import NamedTuple
from mbprof.network.conventions import UNITS
from mbprof.output import inert
from mbprof.output.formats import Formats, to_json
from mbprof.output.model import Screen


class Sheet(NamedTuple):
    """A formula to be written, and which fields of it."""

    formula: Formula
    counts: tuple[str, ...]

    @classmethod
    def of(cls, formula: Formula, of: str = "both") -> Sheet:
        """Choose what to write: params, cost or both; the cost's own name says cost, too.

        Raises: UsageError: no such count, or a cost that the convention does not count.
        """
        convention = formula.convention
        fields = {"params": COUNTS[:1], "both": formula.counts}
        if convention.measures:
            fields |= {convention.unit.lower(): COUNTS[1:], "cost": COUNTS[1:]}
        elif of in ("cost", *UNITS):
            raise UsageError(f"convention {convention.name} counts no cost, only params")
        if of in fields:
            return cls(formula, fields[of])
        if of in UNITS:
            unit = convention.unit
            message = f"the formula of convention {convention.name} is in {unit}, not {UNITS[of]}"
            raise UsageError(message, hint=f"give --of {unit.lower()}, or another --convention")
        raise UsageError(f"cannot show {of!r}", hint=nearest(of, fields))

    @property
    def heads(self) -> list[str]:
        """What stands above the columns of lines."""
        return [self.formula.by, *map(self.formula.heading, self.counts)]

    @property
    def used(self) -> list[str]:
        """The symbols that the cost depends on."""
        formula = self.formula
        trees = [tree for _, tree in formula.where]
        trees += [tree for line in (*formula.lines, formula.total) for tree in line[1:]]
        letters = {symbol.letter for t in trees for symbol in symbols(t) if not symbol.number}
        return [symbol.name for symbol in formula.symbols if symbol.name in letters]

    @property
    def needed(self) -> list[tuple[Symbol, Tree]]:
        """The definitions that the counts and the conditions need, widths before sizes."""
        formula = self.formula
        lines = (*formula.lines, formula.total)
        trees = [getattr(line, count) for line in lines for count in self.counts]
        trees += [tree for condition in formula.conditions for tree in condition.trees]
        wanted = {symbol for tree in trees for symbol in symbols(tree)}
        for name, tree in reversed(formula.where):
            if name in wanted:
                wanted.update(symbols(tree))
        definitions = [(name, tree) for name, tree in formula.where if name in wanted]
        return sorted(definitions, key=lambda definition: definition[0].letter in "hw")

    def title(self, style: Text) -> str:
        """Name the spec, and the symbols that its cost depends on."""
        names = [style.name(Symbol(name)) for name in self.used]
        if not names:
            return f"{self.formula.spec}, which depends on no symbol"
        *most, last = names
        return f"{self.formula.spec} in {', '.join(most) + ' and ' if most else ''}{last}"

    def rows(self, style: Text, escaped: Callable[[str], str]) -> list[list[str]]:
        return [
            [escaped(line.name), *(style(getattr(line, count)) for count in self.counts)]
            for line in self.formula.lines
        ]

    def holds(self, style: Text) -> list[str]:
        """Return the conditions; symbols of one range share it, those of no use are left out."""
        used = self.used
        domains = {domain.name: domain for domain in self.formula.symbols}
        ranges: dict[tuple[Any, ...], list[Range]] = {}
        rest: list[Condition] = []
        for condition in self.formula.conditions:
            if not isinstance(condition, Range):
                rest.append(condition)
                continue
            low, high, domain = condition.low, condition.high, domains[condition.symbol.letter]
            if domain.name in used or low > domain.low or high != domain.high:
                ends = low, high, condition.above, condition.below
                ranges.setdefault(ends, []).append(condition)
        return [style.ranges(same) for same in ranges.values()] + [*map(style.condition, rest)]


Writer: TypeAlias = Callable[[Sheet, Screen], str]
FORMATS: Formats[Writer] = Formats()
"""Every format of formulas by its name; rich is what a terminal shows, as for other commands."""


def render(formula: Formula, format: str = "text", of: str = "both", width: int = 80) -> str:
    """Write a formula in a format; ``width`` is the terminal's. See `Sheet.of`.

    Raises: UsageError: no such format or count, or a cost that the convention does not count.
    """
    return FORMATS[format].write(Sheet.of(formula, of), Screen(width))


@FORMATS.add("text", layout="terminal")
@FORMATS.add("rich", layout="terminal")
def text(sheet: Sheet, screen: Screen) -> str:
    """Write for a terminal, with the signs of Unicode."""
    (formula, counts), width = sheet, screen.width
    style = Text(formula.alone)
    lines = [inert.line(sheet.title(style)), *_rows(sheet, style, width)]
    for count in counts:
        head = f"{formula.heading(count)} = "
        total = _total(style, getattr(formula.total, count), width - len(head))
        lines += ["", *_behind(head, total)]
    lines += [*_where(sheet, style, width), ""]
    if holds := sheet.holds(style):
        lines += _filled("Holds for ", [*holds[:-1], f"{holds[-1]}."], width, ", ")
    for note in notes(formula, style):
        lines += _filled("", note.split(" "), width)
    return "\n".join(lines) + "\n"


@FORMATS.add("latex", ".tex", layout="page")
def latex(sheet: Sheet, screen: Screen) -> str:
    """Write LaTeX that stands in a document with the package amsmath."""
    formula, counts = sheet
    style = Latex(formula.alone)
    lines = [f"% {inert.line(sheet.title(Text(formula.alone)))}"]
    if formula.lines:
        by, *heads = sheet.heads
        lines += [rf"\begin{{tabular}}{{l{'l' * len(counts)}}}"]
        lines += [rf"{by} & {' & '.join(map(inert.latex, heads))} \\ \hline"]
        for name, *cells in sheet.rows(style, inert.latex):
            lines.append(" & ".join([name, *(f"${cell}$" for cell in cells)]) + r" \\")
        lines.append(r"\end{tabular}")
    lines += _aligned(sheet, style, r"\begin{align*}", r"\end{align*}")
    holds = [f"${condition}$" for condition in sheet.holds(style)]
    lines += [f"Holds for {', '.join(holds)}."] if holds else []
    lines += notes(formula, style, inert.latex)
    return "\n".join(lines) + "\n"


@FORMATS.add("md", ".md", ".markdown", layout="page")
def markdown(sheet: Sheet, screen: Screen) -> str:
    """Write Markdown whose formulas GitHub renders."""
    formula, counts = sheet
    style = Markdown(formula.alone)
    lines = [f"**{inert.markdown(sheet.title(Text(formula.alone)))}**", ""]
    if formula.lines:
        lines.append(f"| {' | '.join(sheet.heads)} |")
        lines.append("| --- " * (1 + len(counts)) + "|")
        for name, *cells in sheet.rows(style, partial(inert.code, cell=True)):
            lines.append(f"| {' | '.join([name, *(f'${cell}$' for cell in cells)])} |")
        lines.append("")
    lines += _aligned(sheet, style, "```math\n\\begin{aligned}", "\\end{aligned}\n```")
    holds = [f"${condition}$" for condition in sheet.holds(style)]
    lines += ["", f"Holds for {', '.join(holds)}."] if holds else []
    lines += ["", *notes(formula, style, inert.markdown)]
    return "\n".join(lines) + "\n"


@FORMATS.add("json", ".json")
def data(sheet: Sheet, screen: Screen) -> str:
    """Write JSON: every formula as text and as LaTeX, with its value at the defaults."""
    return to_json(sheet.formula.to_dict(sheet.counts)) + "\n"


_ROUND = (
    "{call} is the multiple of {n} nearest to {x}, but at least {n}, and {n} more where that is "
    "less than {share}; with {limited} it is at least {m}."
)


def notes(
    formula: Formula, style: Text, escaped: Callable[[str], str] = inert.line
) -> Iterator[str]:
    """Yield sentences: the value at the defaults, functions, what is counted and what is fixed.

    ``escaped`` makes names harmless; formulas stand between dollars unless that is for a terminal.
    """
    dollars = escaped is not inert.line

    def math(text: str) -> str:
        return f"${text}$" if dollars else text

    values = formula.evaluate()
    at = [
        math(f"{style.name(Symbol(symbol.name))} = {number(symbol.value)}")
        for symbol in formula.symbols
    ]
    unit = formula.convention.unit
    where = f"At {', '.join(at)}: " if at else "That is "
    cost = f", {integer(values.cost)} {unit}" if unit else ""
    yield f"{where}{integer(values.params)} params{cost}."
    trees = [tree for _, tree in formula.where] + [t for c in formula.conditions for t in c.trees]
    within = {p for tree in trees for p in parts(tree) if isinstance(p, Call)}
    calls = {call.name for call in within}
    if "divisible" in calls:
        n = "n" if dollars else "ₙ"
        words = {letter: letter for letter in "nxm"} | {"share": f"0.9{style.times}x"}
        words |= {"call": style.called("round", ["x"], n)}
        words |= {"limited": style.called("round", ["x", "m"], n)}
        yield _ROUND.format(**{name: math(word) for name, word in words.items()})
    if "round" in calls:
        call = math(style.called("round", ["x"]))
        yield f"{call} is the nearest whole number, the even one of two."
    if "gcd" in calls:
        call = math(style.called("gcd", ["x", "y"]))
        yield f"{call} is the greatest common divisor of {math('x')} and {math('y')}."
    if any(call.doubles for call in within):
        yield "Numbers with decimals are IEEE doubles, computed in the order in which they stand."
    convention = escaped(formula.convention.name)
    yield f"Counted: {escaped(formula.convention.doc)} (convention {convention})."
    fixed = [f"{name} {plain(value)}" for name, value in formula.fixed.items() if value is not None]
    yield escaped(f"Scope {formula.scope}{'; fixed: ' if fixed else ''}{', '.join(fixed)}.")


def _rows(sheet: Sheet, style: Text, width: int) -> list[str]:
    """Return the lines as columns, or as paragraphs if columns are too wide."""
    if not sheet.formula.lines:
        return []
    heads = sheet.heads
    table = [heads, *sheet.rows(style, inert.line)]
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]
    room = sum(wide) + 2 * len(sheet.counts)
    if room > width:
        paragraphs = []
        for line in sheet.formula.lines:
            paragraphs += ["", inert.line(line.name)]
            for count, head in zip(sheet.counts, heads[1:], strict=True):
                terms = style.lines(getattr(line, count))
                paragraphs += _filled(f"  {head} = ", terms, width)
        return paragraphs
    first, *more = (
        "  ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip()
        for row in table
    )
    return [first, "─" * room, *more]


def _total(style: Text, tree: Tree, width: int) -> list[str]:
    """Return a sum in lines; a product with a sum in it has lines of its own."""
    terms = style.lines(tree)
    grouped = isinstance(tree, Sum) and any(
        isinstance(part, Sum) for product in tree.parts for part in product.parts
    )
    if grouped and sum(map(len, terms)) > width:
        return [line for term in terms for line in _broken([term], width)]
    return _broken(terms, width)


def _where(sheet: Sheet, style: Text, width: int) -> list[str]:
    """Return the definitions in lines, the height and the width of a map in one."""
    said = {name: f"{style.name(name)} = {style(tree)}" for name, tree in sheet.needed}
    room = width - len("where ")
    lines: list[str] = []
    for name, line in said.items():
        if name.letter == "w" and Symbol("h", name.number) in said:
            continue
        pair = [line]
        if name.letter == "h" and (other := Symbol("w", name.number)) in said:
            pair.append(said[other])
        if len(", ".join(pair)) <= room:
            lines.append(", ".join(pair))
            continue
        for definition in pair:
            fits = len(definition) <= room
            first, *more = [definition] if fits else _broken([definition], room - 4)
            lines += [first, *(f"    {piece}" for piece in more)]
    return ["", *_behind("where ", lines)] if lines else []


def _aligned(sheet: Sheet, style: Latex, begin: str, end: str) -> list[str]:
    """Return totals and definitions as lines of LaTeX that are aligned at their equals signs."""
    lines = []
    for count in sheet.counts:
        head = style.name(Symbol(sheet.formula.heading(count)))
        first, *rest = _total(style, getattr(sheet.formula.total, count), 120)
        lines += [f"{head} &= {first}", *(f"&\\quad {term}" for term in rest)]
    lines += [f"{style.name(name)} &= {style(tree)}" for name, tree in sheet.needed]
    return [begin, *(f"{line} \\\\" for line in lines[:-1]), lines[-1], end]


def _behind(head: str, lines: Sequence[str]) -> list[str]:
    """Return lines behind a head and indented like it."""
    return [(head if i == 0 else " " * len(head)) + line for i, line in enumerate(lines)]


def _filled(head: str, parts: Sequence[str], width: int, between: str = " ") -> list[str]:
    """Return parts in lines that fit, behind a head and indented like it."""
    return _behind(head, _broken(parts, max(width - len(head), 40), between))


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


def _pieces(part: str, width: int) -> Iterator[str]:
    """Yield a part whole, or in pieces that begin with a sign outside of growing brackets."""
    if len(part) <= width:
        yield part
        return
    depth, start = 0, 0
    for i, char in enumerate(part):
        depth += (char in "{⌊⌈") - (char in "}⌋⌉")
        depth += part.startswith((r"\left(", r"\left\l"), i)
        depth -= part.startswith((r"\right)", r"\right\r"), i)
        if depth == 0 and i > start + 2 and part[i : i + 3] in (" + ", " - "):
            yield part[start:i]
            start = i + 1
    yield part[start:]

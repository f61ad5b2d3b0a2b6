"""Formulas as trees and conditions, and as text: Unicode, LaTeX, and what Markdown shows of it.

GitHub allows neither operatorname nor what Markdown reads as emphasis, such as an underscore
between two brackets; the Markdown form has none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from mbprof.language.record import record
from mbprof.symbolic.arithmetic import OPERATIONS

Values: TypeAlias = Mapping["Symbol", Any]
SIGN = {"whole": "=", "==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
"""The signs of relations by their operations."""
_OPERATION = {sign: operation for operation, sign in SIGN.items()}
OPPOSITE = {"=": "≠", "≠": "=", "<": "≥", "≤": ">", ">": "≤", "≥": "<"}
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "phi": "φ", "rho": "ρ"}
"""Knobs that papers write with a Greek letter."""
_LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_HIGH = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

SUM, PRODUCT, ATOM = range(3)
"""How tightly a piece of text holds together."""


@record
class Symbol:
    """A name: that of a knob, or a letter with a number for what the where-list defines."""

    letter: str
    number: int = 0

    def value(self, values: Values) -> Any:
        return values[self]


@record
class Number:
    """A plain number."""

    number: float

    def value(self, values: Values) -> Any:
        return self.number


@record
class Product:
    """A whole factor times others, each as often as it is listed."""

    factor: int
    parts: tuple[Tree, ...] = ()

    def value(self, values: Values) -> Any:
        return self.factor * math.prod(part.value(values) for part in self.parts)


@record
class Sum:
    """A sum of products, in the order in which they are written."""

    parts: tuple[Product, ...]

    def value(self, values: Values) -> Any:
        return sum(part.value(values) for part in self.parts)


@record
class Rounded:
    """A quotient rounded down or up; ``by`` is 1 where a number is rounded by itself."""

    up: bool
    top: Tree
    by: Tree

    def value(self, values: Values) -> Any:
        top, by = self.top.value(values), self.by.value(values)
        if by == 1 and isinstance(top, float):
            return math.ceil(top) if self.up else math.floor(top)
        return -(-top // by) if self.up else top // by


@record
class Call:
    """A function, a rest, or a sign of doubles, in the order in which the reference computes."""

    name: str
    arguments: tuple[Tree, ...]

    def value(self, values: Values) -> Any:
        arguments = (argument.value(values) for argument in self.arguments)
        return OPERATIONS[self.name].plain(*(map(float, arguments) if self.doubles else arguments))

    @property
    def doubles(self) -> bool:
        """Whether it computes with doubles, whatever its arguments are."""
        return self.name in ("+", "-", "*", "/", "//")


Tree: TypeAlias = Symbol | Number | Product | Sum | Rounded | Call


def symbols(tree: Tree) -> Iterator[Symbol]:
    """Yield the names of a tree in the order in which they are written.

    >>> h, w = Symbol("h", 1), Symbol("w", 1)
    >>> [symbol.letter for symbol in symbols(Sum((Product(3, (h, w)), Product(1, (w,)))))]
    ['h', 'w', 'w']
    """
    return (part for part in parts(tree) if isinstance(part, Symbol))


def parts(tree: Tree) -> Iterator[Tree]:
    """Yield a tree and all that it is made of, in the order in which they are written."""
    yield tree
    inner: tuple[Tree, ...] = ()
    match tree:
        case Product(_, inner) | Sum(inner) | Call(_, inner):
            pass
        case Rounded(_, top, by):
            inner = top, by
    for part in inner:
        yield from parts(part)


@record
class Relation:
    """A comparison of two quantities."""

    sign: str
    left: Tree
    right: Tree

    def holds(self, values: Values) -> bool:
        asked = OPERATIONS[_OPERATION[self.sign]].plain
        return bool(asked(self.left.value(values), self.right.value(values)))

    @property
    def trees(self) -> tuple[Tree, ...]:
        return self.left, self.right


@record
class Range:
    """The values that a symbol may take; ``above`` and ``below`` if the ends are excluded."""

    symbol: Symbol
    low: Any
    high: Any
    above: bool = False
    below: bool = False

    def holds(self, values: Values) -> bool:
        value = values[self.symbol]
        inside = self.low < value if self.above else self.low <= value
        return bool(inside and (value < self.high if self.below else value <= self.high))

    @property
    def trees(self) -> tuple[Tree, ...]:
        return (self.symbol,)


Condition: TypeAlias = Relation | Range


class Text:
    """Writes formulas with the signs of Unicode; ``alone`` are letters that need no number."""

    times = "·"
    mod = "mod"
    quotient, top_holds, bottom_holds, quotient_holds = "{}/{}", PRODUCT, ATOM, PRODUCT
    """How a quotient is written, how tightly its parts have to hold, and how tightly it does."""
    rounded = "⌊{}⌋", "⌈{}⌉"
    """How what is rounded down is written, and what is rounded up."""
    signs: Mapping[str, str] = {}
    """How the signs of relations are written."""

    def __init__(self, alone: frozenset[str] = frozenset()) -> None:
        self.alone = alone

    def __call__(self, tree: Tree) -> str:
        return self.written(tree)[0]

    def lines(self, tree: Tree) -> list[str]:
        """Write the terms of a sum one by one, the first one without its sign."""
        if not isinstance(tree, Sum):
            return [self(tree)]
        first, *rest = tree.parts
        signed = (
            f"- {self.inside(Product(-part.factor, part.parts), PRODUCT)}"
            if part.factor < 0
            else f"+ {self(part)}"
            for part in rest
        )
        return [self(first), *signed]

    def written(self, tree: Tree) -> tuple[str, int]:
        """Write a tree, and say how tightly it holds together."""
        match tree:
            case Symbol():
                return self.name(tree), ATOM
            case Number(value):
                return number(value), ATOM if value >= 0 else SUM
            case Product():
                return self.product(tree)
            case Sum():
                return " ".join(self.lines(tree)), SUM
            case Rounded(up, top, Number(1)):
                return self.rounded[up].format(self(top)), ATOM
            case Rounded(up, top, by):
                parts = self.inside(top, self.top_holds), self.inside(by, ATOM)
                return self.rounded[up].format(self.quotient.format(*parts)), ATOM
            case Call("%", (top, by)):
                return f"{self.inside(top, ATOM)} {self.mod} {self.inside(by, ATOM)}", SUM
            case Call("pow", (base, exponent)):
                return self.power(self.inside(base, ATOM), self(exponent), False), PRODUCT
            case Call("divisible", (value, divisor, floor)):
                more = [] if floor == divisor else [self(floor)]
                return self.called("round", [self(value), *more], self(divisor)), ATOM
            case Call("/" | "//" as sign, (top, by)):
                parts = self.inside(top, self.top_holds), self.inside(by, self.bottom_holds)
                written = self.quotient.format(*parts)
                if sign == "//":
                    return self.rounded[False].format(written), ATOM
                return written, self.quotient_holds
            case Call("*", (left, right)):
                parts = self.inside(left, PRODUCT), self.inside(right, ATOM)
                return self.times.join(parts), PRODUCT
            case Call("+" | "-" as sign, (left, right)):
                return f"{self.inside(left, SUM)} {sign} {self.inside(right, PRODUCT)}", SUM
            case Call(name, arguments):
                return self.called(name, [*map(self, arguments)]), ATOM

    def inside(self, tree: Tree, least: int) -> str:
        """Write a tree as a part of what holds together so tightly."""
        text, tight = self.written(tree)
        return text if tight >= least else self.bracketed(text)

    def product(self, tree: Product) -> tuple[str, int]:
        if tree.factor < 0:
            return f"-{self.inside(Product(-tree.factor, tree.parts), PRODUCT)}", SUM
        runs = [(part, len(list(same))) for part, same in groupby(tree.parts)]
        if tree.factor == 1 and len(runs) == 1 and runs[0][1] == 1:
            return self.written(runs[0][0])
        words = [str(tree.factor)] if tree.factor != 1 or not runs else []
        for part, count in runs:
            base = self.inside(part, ATOM)
            words.append(self.power(base, str(count), True) if count > 1 else base)
        return self.times.join(words), PRODUCT if len(words) > 1 else ATOM

    def condition(self, condition: Condition) -> str:
        if isinstance(condition, Range):
            return self.ranges([condition])
        left, right = self(condition.left), self(condition.right)
        return f"{left} {self.signs.get(condition.sign, condition.sign)} {right}"

    def ranges(self, same: Sequence[Range]) -> str:
        """Write the one range that several symbols share."""
        names = ", ".join(self.name(shared.symbol) for shared in same)
        low, high = number(same[0].low), number(same[0].high)
        if low == high:
            return f"{names} = {low}"
        at_most = self.signs.get("≤", "≤")
        first = "<" if same[0].above else at_most
        last = "<" if same[0].below else at_most
        return f"{low} {first} {names} {last} {high}"

    # What the styles differ in

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def name(self, symbol: Symbol) -> str:
        """Write a name, with its number where it needs one."""
        if not symbol.number:
            return GREEK.get(symbol.letter, symbol.letter)
        number = "" if symbol.letter in self.alone else str(symbol.number).translate(_LOW)
        return f"{symbol.letter}{number}"

    def power(self, base: str, exponent: str, whole: bool) -> str:
        return base + exponent.translate(_HIGH) if whole else f"{base}^({exponent})"

    def called(self, name: str, arguments: Sequence[str], low: str = "") -> str:
        """Write a function with its arguments and the number that stands below its name."""
        return f"{name}{low.translate(_LOW)}({', '.join(arguments)})"


class Latex(Text):
    """Writes formulas as LaTeX, for what stands between dollars."""

    times = r" \, "
    mod = r"\bmod"
    quotient, top_holds, bottom_holds, quotient_holds = r"\frac{{{}}}{{{}}}", SUM, SUM, ATOM
    rounded = r"\left\lfloor {} \right\rfloor", r"\left\lceil {} \right\rceil"
    signs = {"≠": r"\neq", "≤": r"\leq", "≥": r"\geq"}  # noqa: RUF012
    function = r"\operatorname{{{}}}"
    lowered = r"\operatorname{{{}}}_{{{}}}"
    """How a function is written with a number below its name."""
    underscore = r"\_"
    """How it is written in the name of a knob."""

    def bracketed(self, text: str) -> str:
        # Lines may break inside brackets that do not grow.
        tall = "\\frac" in text or "\\left" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def name(self, symbol: Symbol) -> str:
        letter = symbol.letter
        if symbol.number:
            return letter if letter in self.alone else f"{letter}_{{{symbol.number}}}"
        if letter in GREEK:
            return f"\\{letter}"
        return letter if len(letter) == 1 else rf"\mathrm{{{letter.replace('_', self.underscore)}}}"

    def power(self, base: str, exponent: str, whole: bool) -> str:
        return f"{base}^{{{exponent}}}"

    def called(self, name: str, arguments: Sequence[str], low: str = "") -> str:
        """Write a function; max, min and gcd have commands of their own."""
        head = rf"\{name}" if name in ("max", "min", "gcd") else self.function.format(name)
        if low:
            head = self.lowered.format(name, low)
        return head + self.bracketed(", ".join(arguments))


class Markdown(Latex):
    """Writes formulas for what stands between dollars in Markdown."""

    times = r" \cdot "
    function = r"\mathrm{{{}}}"
    lowered = r"\mathrm{{{}_{{{}}}}}"
    underscore = r"\ "


def number(value: float) -> str:
    """Write a number; doubles without decimals that are all zero.

    >>> number(32.0), number(0.25)
    ('32', '0.25')
    """
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)

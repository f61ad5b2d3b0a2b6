"""Formulas as text: signs, fractions and powers, as a terminal or LaTeX shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from mbprof.formulas.conditions import Condition, Range
from mbprof.formulas.tree import (
    Call,
    Double,
    Number,
    Product,
    Rest,
    Rounded,
    Sum,
    Symbol,
    Tree,
)

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "phi": "φ", "rho": "ρ"}
"""Knobs that papers write with a Greek letter."""
_LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_HIGH = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

SUM, PRODUCT, ATOM = range(3)
"""How tightly a piece of text holds together."""


class Text:
    """Writes formulas with the signs of Unicode; ``alone`` are letters that need no number."""

    times = "·"
    minus = "-"
    mod = "mod"
    fraction_holds = PRODUCT

    def __init__(self, alone: frozenset[str] = frozenset()) -> None:
        self.alone = alone

    def __call__(self, tree: Tree) -> str:
        """Write a tree."""
        return self.written(tree)[0]

    def lines(self, tree: Tree) -> list[str]:
        """Write the terms of a sum one by one, the first one without its sign."""
        if not isinstance(tree, Sum):
            return [self(tree)]
        first, *rest = tree.parts
        return [self(first), *(self.signed(part) for part in rest)]

    def written(self, tree: Tree) -> tuple[str, int]:
        """Write a tree, and say how tightly it holds together."""
        return _WRITTEN[type(tree)](self, tree)

    def inside(self, tree: Tree, least: int) -> str:
        """Write a tree as a part of what holds together so tightly."""
        text, tight = self.written(tree)
        return text if tight >= least else self.bracketed(text)

    def signed(self, part: Product) -> str:
        """Write a further term of a sum with its sign."""
        if part.factor < 0:
            return f"{self.minus} {self.inside(Product(-part.factor, part.parts), PRODUCT)}"
        return f"+ {self(part)}"

    # What the styles differ in

    def bracketed(self, text: str) -> str:
        """Put brackets around a text."""
        return f"({text})"

    def name(self, symbol: Symbol) -> str:
        """Write a name."""
        if not symbol.number:
            return GREEK.get(symbol.letter, symbol.letter)
        number = "" if symbol.letter in self.alone else str(symbol.number).translate(_LOW)
        return f"{symbol.letter}{number}"

    def power(self, base: str, exponent: str, whole: bool) -> str:
        """Write a power."""
        return base + exponent.translate(_HIGH) if whole else f"{base}^({exponent})"

    def rounded(self, up: bool, top: str, by: str) -> str:
        """Write a rounding of a number, or of a quotient if ``by`` is not empty."""
        inner = f"{top}/{by}" if by else top
        return f"⌈{inner}⌉" if up else f"⌊{inner}⌋"

    def called(self, name: str, arguments: Sequence[str], low: str = "") -> str:
        """Write a function with its arguments and the number that stands below its name."""
        return f"{name}{low.translate(_LOW)}({', '.join(arguments)})"

    def over(self, top: Tree) -> str:
        """Write the top of a quotient of whole numbers."""
        return self.inside(top, PRODUCT)

    def fraction(self, top: Tree, bottom: Tree) -> str:
        """Write a quotient of doubles."""
        return f"{self.inside(top, PRODUCT)}/{self.inside(bottom, ATOM)}"

    def sign(self, sign: str) -> str:
        """Write the sign of a relation."""
        return sign

    # Conditions

    def condition(self, condition: Condition) -> str:
        """Write a condition."""
        if isinstance(condition, Range):
            return self.ranges([condition])
        left, right = self(condition.left), self(condition.right)
        return f"{left} {self.sign(condition.sign)} {right}"

    def ranges(self, same: Sequence[Range]) -> str:
        """Write the one range that several symbols share."""
        names = ", ".join(self.name(each.symbol) for each in same)
        low, high = number(same[0].low), number(same[0].high)
        if low == high:
            return f"{names} = {low}"
        first = self.sign("<" if same[0].above else "≤")
        last = self.sign("<" if same[0].below else "≤")
        return f"{low} {first} {names} {last} {high}"


def number(value: float) -> str:
    """Write a number; doubles without decimals that are all zero.

    >>> number(32.0), number(0.25)
    ('32', '0.25')
    """
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def _symbol(style: Text, tree: Symbol) -> tuple[str, int]:
    return style.name(tree), ATOM


def _number(style: Text, tree: Number) -> tuple[str, int]:
    return number(tree.number), ATOM if tree.number >= 0 else SUM


def _product(style: Text, tree: Product) -> tuple[str, int]:
    if tree.factor < 0:
        return f"{style.minus}{style.inside(Product(-tree.factor, tree.parts), PRODUCT)}", SUM
    runs = [(part, len(list(same))) for part, same in groupby(tree.parts)]
    if tree.factor == 1 and len(runs) == 1 and runs[0][1] == 1:
        return style.written(runs[0][0])
    words = [str(tree.factor)] if tree.factor != 1 or not runs else []
    for part, count in runs:
        if count > 1:
            words.append(style.power(style.inside(part, ATOM), str(count), True))
        else:
            words.append(style.inside(part, ATOM))
    return style.times.join(words), PRODUCT if len(words) > 1 else ATOM


def _sum(style: Text, tree: Sum) -> tuple[str, int]:
    return " ".join(style.lines(tree)), SUM


def _rounded(style: Text, tree: Rounded) -> tuple[str, int]:
    by = "" if tree.by == Number(1) else style.inside(tree.by, ATOM)
    top = style(tree.top) if not by else style.over(tree.top)
    return style.rounded(tree.up, top, by), ATOM


def _rest(style: Text, tree: Rest) -> tuple[str, int]:
    return f"{style.inside(tree.top, ATOM)} {style.mod} {style.inside(tree.by, ATOM)}", SUM


def _call(style: Text, tree: Call) -> tuple[str, int]:
    if tree.name == "pow":
        base, exponent = tree.arguments
        return style.power(style.inside(base, ATOM), style(exponent), False), PRODUCT
    if tree.name == "divisible":
        value, divisor, floor = tree.arguments
        more = [] if floor == divisor else [style(floor)]
        return style.called("round", [style(value), *more], style(divisor)), ATOM
    return style.called(tree.name, [style(each) for each in tree.arguments]), ATOM


def _double(style: Text, tree: Double) -> tuple[str, int]:
    if tree.sign == "//":
        return style.rounded(False, style.fraction(tree.left, tree.right), ""), ATOM
    if tree.sign == "/":
        return style.fraction(tree.left, tree.right), style.fraction_holds
    least = SUM if tree.sign in "+-" else PRODUCT
    left, right = style.inside(tree.left, least), style.inside(tree.right, least + 1)
    if tree.sign == "*":
        return f"{left}{style.times}{right}", PRODUCT
    return f"{left} {style.minus if tree.sign == '-' else '+'} {right}", SUM


_WRITTEN: dict[type, Callable[..., tuple[str, int]]] = {
    Symbol: _symbol,
    Number: _number,
    Product: _product,
    Sum: _sum,
    Rounded: _rounded,
    Rest: _rest,
    Call: _call,
    Double: _double,
}

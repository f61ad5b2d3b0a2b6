"""Formulas as text: with the signs of Unicode, as LaTeX, and as the part of it that Markdown shows.

GitHub allows neither operatorname nor what Markdown reads as emphasis, such as an underscore
between two brackets; the Markdown form has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mbprof.formulas.algebra import (
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
from mbprof.formulas.conditions import Condition, Range

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "phi": "φ", "rho": "ρ"}
"""Knobs that papers write with a Greek letter."""
_LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_HIGH = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNS = {"≠": r"\neq", "≤": r"\leq", "≥": r"\geq"}
_ESCAPED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}

SUM, PRODUCT, ATOM = range(3)
"""How tightly a piece of text holds together."""


class Text:
    """Writes formulas with the signs of Unicode; ``alone`` are letters that need no number."""

    times = "·"
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
            case Rounded(up, top, by):
                if by == Number(1):
                    return self.rounded(up, self(top)), ATOM
                return self.rounded(up, self.over(top), self.inside(by, ATOM)), ATOM
            case Rest(top, by):
                return f"{self.inside(top, ATOM)} {self.mod} {self.inside(by, ATOM)}", SUM
            case Call("pow", (base, exponent)):
                return self.power(self.inside(base, ATOM), self(exponent), False), PRODUCT
            case Call("divisible", (value, divisor, floor)):
                more = [] if floor == divisor else [self(floor)]
                return self.called("round", [self(value), *more], self(divisor)), ATOM
            case Call(name, arguments):
                return self.called(name, [*map(self, arguments)]), ATOM
            case Double("//", left, right):
                return self.rounded(False, self.fraction(left, right)), ATOM
            case Double("/", left, right):
                return self.fraction(left, right), self.fraction_holds
            case Double("*", left, right):
                parts = self.inside(left, PRODUCT), self.inside(right, ATOM)
                return self.times.join(parts), PRODUCT
            case Double(sign, left, right):
                return f"{self.inside(left, SUM)} {sign} {self.inside(right, PRODUCT)}", SUM

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
        """Write a condition."""
        if isinstance(condition, Range):
            return self.ranges([condition])
        left, right = self(condition.left), self(condition.right)
        return f"{left} {self.sign(condition.sign)} {right}"

    def ranges(self, same: Sequence[Range]) -> str:
        """Write the one range that several symbols share."""
        names = ", ".join(self.name(shared.symbol) for shared in same)
        low, high = number(same[0].low), number(same[0].high)
        if low == high:
            return f"{names} = {low}"
        first = self.sign("<" if same[0].above else "≤")
        last = self.sign("<" if same[0].below else "≤")
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

    def rounded(self, up: bool, top: str, by: str = "") -> str:
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


class Latex(Text):
    """Writes formulas as LaTeX, for what stands between dollars."""

    times = r" \, "
    mod = r"\bmod"
    fraction_holds = ATOM
    function = r"\operatorname"

    def bracketed(self, text: str) -> str:
        # Lines may break inside brackets that do not grow.
        tall = "\\frac" in text or "\\left" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def name(self, symbol: Symbol) -> str:
        """Write a name; words are upright."""
        letter = symbol.letter
        if symbol.number:
            return letter if letter in self.alone else f"{letter}_{{{symbol.number}}}"
        if letter in GREEK:
            return f"\\{letter}"
        return letter if len(letter) == 1 else rf"\mathrm{{{self.word(letter)}}}"

    def word(self, text: str) -> str:
        """Escape the name of a knob."""
        return text.replace("_", r"\_")

    def power(self, base: str, exponent: str, whole: bool) -> str:
        return f"{base}^{{{exponent}}}"

    def rounded(self, up: bool, top: str, by: str = "") -> str:
        inner = rf"\frac{{{top}}}{{{by}}}" if by else top
        name = "ceil" if up else "floor"
        return rf"\left\l{name} {inner} \right\r{name}"

    def called(self, name: str, arguments: Sequence[str], low: str = "") -> str:
        """Write a function; max, min and gcd have commands of their own."""
        head = rf"\{name}" if name in ("max", "min", "gcd") else rf"{self.function}{{{name}}}"
        if low:
            head = self.lowered(name, low)
        return head + self.bracketed(", ".join(arguments))

    def lowered(self, name: str, low: str) -> str:
        """Write a function with a number below its name."""
        return rf"{self.function}{{{name}}}_{{{low}}}"

    def over(self, top: Tree) -> str:
        return self(top)

    def fraction(self, top: Tree, bottom: Tree) -> str:
        return rf"\frac{{{self(top)}}}{{{self(bottom)}}}"

    def sign(self, sign: str) -> str:
        return _SIGNS.get(sign, sign)


class Markdown(Latex):
    """Writes formulas for what stands between dollars in Markdown."""

    times = r" \cdot "
    function = r"\mathrm"

    def word(self, text: str) -> str:
        return text.replace("_", r"\ ")

    def lowered(self, name: str, low: str) -> str:
        return rf"\mathrm{{{name}_{{{low}}}}}"


def number(value: float) -> str:
    """Write a number; doubles without decimals that are all zero.

    >>> number(32.0), number(0.25)
    ('32', '0.25')
    """
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def escaped(text: str) -> str:
    r"""Escape a name for LaTeX's text.

    >>> escaped("Conv2d_1 100%")
    'Conv2d\\_1 100\\%'
    """
    return "".join(_ESCAPED.get(char, f"\\{char}" if char in "_%&#${}" else char) for char in text)

r"""Formulas as LaTeX, and as the part of it that Markdown renders.

GitHub allows neither ``\operatorname`` nor what Markdown reads as emphasis, such as an underscore
between two brackets; the Markdown form has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mbprof.formulas.text import ATOM, Text
from mbprof.formulas.tree import Symbol, Tree

GREEK = {name: f"\\{name}" for name in ("alpha", "beta", "gamma", "phi", "rho")}
"""Knobs that papers write with a Greek letter."""
_SIGNS = {"≠": r"\neq", "≤": r"\leq", "≥": r"\geq"}
_ESCAPED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


class Latex(Text):
    """Writes formulas as LaTeX, for what stands between dollars."""

    times = r" \, "
    mod = r"\bmod"
    fraction_holds = ATOM
    function = r"\operatorname"

    def bracketed(self, text: str) -> str:
        """Put brackets around a text; lines may break inside those that do not grow."""
        tall = "\\frac" in text or "\\left" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def name(self, symbol: Symbol) -> str:
        """Write a name; words are upright."""
        if symbol.number:
            index = "" if symbol.letter in self.alone else f"_{{{symbol.number}}}"
            return f"{symbol.letter}{index}"
        letter = symbol.letter
        if letter in GREEK:
            return GREEK[letter]
        return letter if len(letter) == 1 else rf"\mathrm{{{self.word(letter)}}}"

    def word(self, text: str) -> str:
        """Escape the name of a knob."""
        return text.replace("_", r"\_")

    def power(self, base: str, exponent: str, whole: bool) -> str:
        """Write a power."""
        return f"{base}^{{{exponent}}}"

    def rounded(self, up: bool, top: str, by: str) -> str:
        """Write a rounding of a number or quotient."""
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
        """Write the top of a fraction."""
        return self(top)

    def fraction(self, top: Tree, bottom: Tree) -> str:
        """Write a fraction."""
        return rf"\frac{{{self(top)}}}{{{self(bottom)}}}"

    def sign(self, sign: str) -> str:
        """Write the sign of a relation."""
        return _SIGNS.get(sign, sign)


class Markdown(Latex):
    """Writes formulas for what stands between dollars in Markdown."""

    times = r" \cdot "
    function = r"\mathrm"

    def word(self, text: str) -> str:
        """Write the name of a knob without underscores."""
        return text.replace("_", r"\ ")

    def lowered(self, name: str, low: str) -> str:
        """Write a function with a number below its name."""
        return rf"\mathrm{{{name}_{{{low}}}}}"


def escaped(text: str) -> str:
    r"""Escape a name for LaTeX's text.

    >>> escaped("Conv2d_1 100%")
    'Conv2d\\_1 100\\%'
    """
    return "".join(_ESCAPED.get(char, f"\\{char}" if char in "_%&#${}" else char) for char in text)

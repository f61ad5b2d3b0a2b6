"""Text that comes from specs and file names, made harmless where it goes: a function a medium.

Specs are sent by strangers. What they hold is text everywhere: it moves no cursor, starts no
markup, mentions nobody, and is computed by no spreadsheet.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of characters that act, or that nobody sees: controls, formats, surrogates."""

_MARKDOWN = re.compile(r"[\\`*_|<\[\]~]|(?<!\w)@(?=\w)|&(?=#?\w+;)")
_LINE_START = re.compile(r"^(\s*)([#>+=-]|\d+(?=[.)]))")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
}  # fmt: skip


def visible(text: str, kept: str = "") -> str:
    r"""Return the text with every character that acts or hides shown as its code point.

    ``kept`` are characters that may stay, such as a line break. Cursor movements, colours,
    bidirectional overrides and lone surrogates are such characters.

    >>> visible("a\x1b[2Jb")
    'a<U+001B>[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in kept or _shows(char) else _code(char) for char in text)


def _shows(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) not in _HIDDEN


def _code(char: str) -> str:
    return f"<U+{ord(char):04X}>"


def terminal(text: str) -> str:
    r"""Return prose for a terminal: its line breaks stay, nothing else moves the cursor.

    >>> terminal("a\tb\n\u202ec")
    'a<U+0009>b\n<U+202E>c'
    """
    return visible(text, "\n")


def markdown(text: str) -> str:
    r"""Return one line of Markdown that renders as the text: no link, image, mention or HTML.

    >>> markdown("![x](y) @team <b> `c`")
    '!\\[x\\](y) @\u2060team \\<b> \\`c\\`'
    """
    line = visible(" ".join(text.splitlines()))
    escaped = _MARKDOWN.sub(lambda m: "@\u2060" if m[0] == "@" else "\\" + m[0], line)
    return _LINE_START.sub(lambda m: m[1] + (m[2] if m[2].isdigit() else "\\" + m[2]), escaped)


def code(text: str) -> str:
    """Return a Markdown code span; its fence is longer than any run of backticks inside.

    >>> code("specs/a.yaml"), code("a`b")
    ('`specs/a.yaml`', '`` a`b ``')
    """
    line = visible(" ".join(text.splitlines()))
    runs = [len(run) for run in re.findall(r"`+", line)]
    fence, pad = "`" * (1 + max(runs, default=0)), " " if runs else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return a Markdown code block; its fence is longer than any run of backticks inside.

    >>> fenced("a```b").splitlines()[0]
    '````'
    """
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * max(3, 1 + max(runs, default=0))
    return f"{fence}{language}\n{terminal(text).rstrip()}\n{fence}\n"


def html(text: str) -> str:
    """Return the text for an HTML page, between tags or in quotes.

    >>> html('<a href="x">')
    '&lt;a href=&quot;x&quot;&gt;'
    """
    return escape(visible(text, "\n"))


def latex(text: str) -> str:
    r"""Return one line of LaTeX that prints the text and runs no command.

    >>> latex("50% of a_b\n\\input")
    '50\\% of a\\_b \\textbackslash{}input'
    """
    return "".join(_LATEX.get(char, char) for char in visible(" ".join(text.splitlines())))


def cell(text: str) -> str:
    """Return the text for a cell of a table that spreadsheets open: they compute nothing of it.

    A text that they would take for a formula gets an apostrophe before it.

    >>> cell("=1+1"), cell("conv_1")
    ("'=1+1", 'conv_1')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text

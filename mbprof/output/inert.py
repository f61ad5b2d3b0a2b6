"""Text of strangers made harmless in Markdown, for the Action that comments on changes."""

from __future__ import annotations

import re
import unicodedata


def visible(text: str) -> str:
    r"""Return the text with every character that acts or hides shown as its code point.

    Cursor movements, colours, bidirectional overrides and lone surrogates are such characters.

    >>> visible("a\x1b[2Jb")
    'a<U+001B>[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or unicodedata.category(char) == "Zs" else f"<U+{ord(char):04X}>"
        for char in text
    )


def code(text: str) -> str:
    """Return a Markdown code span; its fence is longer than any run of backticks inside.

    >>> code("specs/a.yaml"), code("a`b")
    ('`specs/a.yaml`', '`` a`b ``')
    """
    line = visible(" ".join(text.splitlines()))
    runs = [len(run) for run in re.findall(r"`+", line)]
    fence, pad = "`" * (1 + max(runs, default=0)), " " if runs else ""
    return f"{fence}{pad}{line}{pad}{fence}"

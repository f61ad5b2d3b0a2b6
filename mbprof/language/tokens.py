"""Expressions as words and signs, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mbprof.language.counts import UNIT

MAX_LENGTH = 400
_TOKEN = re.compile(
    rf"\s*(?:(?P<count>\d+(?:_\d+)*(?:\.\d+)? ?(?i:{UNIT})(?!\w))"
    r"|(?P<number>(?:\d+\.\d*|\.\d+|\d+(?:_\d+)*)(?:[eE][-+]?\d{1,3})?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[a-z]+)?)"
    r"|(?P<text>'[^']*')|(?P<sign><=|>=|==|!=|//|[-+*/%<>(),])|(?P<other>\S))"
)


class Fail(Exception):
    """What is wrong with an expression, and at which offset of its text."""

    def __init__(self, message: str, at: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.hint = message, at, hint


class Token(NamedTuple):
    """A word or sign, what it is, and at which offset of the text."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the words and signs of an expression, and its end.

    Raises: Fail: it is too long, or holds a sign that means nothing.
    """
    if len(text) > MAX_LENGTH:
        raise Fail(f"an expression of more than {MAX_LENGTH} characters", 0)
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or ""
        token = Token(kind, match[kind], match.start(kind))
        if kind == "other":
            hint = "an argument is written by its bare name here" if token.text == "$" else None
            if token.text == "=":
                hint = "equality is written =="
            raise Fail(f"unexpected {token.text!r}", token.at, hint)
        if kind == "sign" and token.text == "*" and text[match.end() : match.end() + 1] == "*":
            raise Fail("there is no power operator", token.at, "write k * k, or pow(k, 2)")
        yield token
        position = match.end()
    yield Token("end", "", len(text.rstrip()))

"""What can go wrong with a user's input, each error with its place and a hint.

    MbprofError
    ├── SourceError      the text cannot be read: missing, not text, too big, not the YAML subset
    ├── SpecError        a key, type, name or value that the spec language does not know
    ├── ExpressionError  an expression that does not parse or cannot be evaluated
    ├── KnobError        a knob that a spec lacks, or a value outside the knob's range
    ├── ShapeError       tensors that do not fit an op or each other
    ├── WiringError      a reference to nothing, a recursive block
    │   └── UnusedError  an output that nobody takes
    ├── LimitError       more layers or larger numbers than mbprof is willing to expand
    ├── ExchangeError    a file or a module of another format that cannot be read as a network
    │   └── MissingError a library that is not installed
    └── UsageError       a name, format or option that the command line or API does not know

Every error renders as one message: place, kind, sentence, the line with a caret, the way through
the blocks that led there, and a hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

_EXCERPT = 96
_MARGIN = 10
"""Columns of an excerpt that its line's number takes, and what shows that there is more."""
_LISTED = 40
"""Names that are listed where none is like the word that was typed."""
_YAML = (".yaml", ".yml")
_SEARCHED = 1000
"""Files of a folder among which a near one is looked for."""
_NAME = r"\w+|\S"
_WORD = r"\S{300,}"
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Printable characters that nobody sees; selectors of variants are besides."""


class Source(NamedTuple):
    """A text and the name that a user knows it by: a path, ``<stdin>``, ``command line``."""

    name: str
    text: str
    what: str = "spec"
    """What the text should hold."""

    def __repr__(self) -> str:
        return f"<Source {self.name}>"

    def line(self, number: int) -> str:
        """Return line ``number`` (from 1), without its line break; empty past the end."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if number <= len(lines) else ""


class Loc(NamedTuple):
    """A place in a source; line and column count from 1.

    ``until`` are the line and the column behind the last character of what stands there, as the
    parser marked it.
    """

    source: Source
    line: int
    column: int
    until: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def right(self, columns: int) -> Loc:
        """Return the place ``columns`` further to the right on the same line."""
        return Loc(self.source, self.line, self.column + columns)


def span(loc: Loc | None) -> dict[str, int | None]:
    """Return from where to where something stands, as plain data for editors.

    Lines and columns count from 1, columns in characters; the end is behind the last character.
    What no parser has marked ends with the word that begins there.

    >>> span(Loc(Source("s", "a: conv 3"), 1, 4))
    {'line': 1, 'column': 4, 'end_line': 1, 'end_column': 8}
    """
    if loc is None:
        return dict.fromkeys(("line", "column", "end_line", "end_column"))
    line, column = loc.until or (0, 0)
    while column == 1 and line > loc.line:  # behind the break, or the empty lines, of a folded text
        line, column = line - 1, len(loc.source.line(line - 1)) + 1
    if (line, column) <= (loc.line, loc.column):
        found = re.compile(_NAME).match(loc.source.line(loc.line), loc.column - 1)
        line, column = loc.line, loc.column + (len(found[0]) if found else 0)
    return {"line": loc.line, "column": loc.column, "end_line": line, "end_column": column}


class MbprofError(Exception):
    """The user's input cannot be used; ``str()`` is the whole message."""

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, loc: Loc | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = _shortened(message)
        self.loc = loc
        self._hint = hint and _shortened(hint)
        self._advice: Callable[[MbprofError], str | None] | None = None
        self.trace: list[str] = []
        self.trail: list[Loc] = []
        """Where the steps of the trace stand."""

    @property
    def hint(self) -> str | None:
        """What would help; `advised` may have put off the work of finding it out."""
        if self._advice is not None:
            advice, self._advice = self._advice, None
            self.hint = advice(self)
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint and _shortened(hint)

    def advised(self, advice: Callable[[MbprofError], str | None]) -> MbprofError:
        """Let the hint be found out when somebody reads it; many errors are never read."""
        self._advice = advice
        return self

    def at(self, loc: Loc) -> MbprofError:
        """Give the error a place if it has none yet."""
        if self.loc is None:
            self.loc = loc
        return self

    def through(self, step: str, loc: Loc | None = None) -> MbprofError:
        """Add one step, innermost first, of the way that led to the error, and where it stands."""
        self.trace.append(_shortened(step))
        if loc is not None:
            self.trail.append(loc)
        return self

    def to_dict(self) -> dict[str, object]:
        """Return the error as plain data, with where it is: see `span`."""
        return {
            "kind": self.kind,
            "message": self.message,
            "file": self.loc.source.name if self.loc else None,
            **span(self.loc),
            "hint": self.hint,
            "trace": list(self.trace),
        }

    def __str__(self) -> str:
        return self.said()

    def said(self, width: int | None = None) -> str:
        """Return the whole message, on lines of at most ``width`` columns where words allow it."""
        head = f"error[{self.kind}]: {self.message}"
        lines = wrapped(visible(f"{self.loc}: {head}" if self.loc else head), width)
        if self.loc:
            lines += _excerpt(self.loc, width)
        steps, more = self.trace, len(self.trace) - 8
        if more > 0:
            steps = [*steps[:4], f"... {more} more ...", *steps[-4:]]
        for step in [*steps, *([f"hint: {self.hint}"] if self.hint else ())]:
            lines += wrapped(visible(f"  {step}"), width)
        return "\n".join(lines)


class SourceError(MbprofError):
    """The text cannot be read as the YAML subset that specs are written in."""

    kind = "source"


class SpecError(MbprofError):
    """A key, type, name or value that the spec language does not know."""

    kind = "spec"


class ExpressionError(MbprofError):
    """An expression that does not parse, or whose value does not exist."""

    kind = "expression"


class KnobError(MbprofError):
    """A knob that the spec lacks, or a value that the knob does not take."""

    kind = "knob"


class ShapeError(MbprofError):
    """Tensors whose shapes do not fit an op, or do not fit each other."""

    kind = "shape"

    def __init__(
        self,
        message: str,
        loc: Loc | None = None,
        hint: str | None = None,
        letter: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, loc, hint)
        self.letter = letter
        """The key of the op that is at fault, so that the caret can point at its value."""
        self.remedy = remedy
        """What helps at all sizes where the tensors fit at some."""


class WiringError(MbprofError):
    """A reference to an unknown output, or a recursive block."""

    kind = "wiring"


class UnusedError(WiringError):
    """A dead branch: an output that nothing takes."""


class LimitError(MbprofError):
    """A spec that would expand to more layers or larger tensors than mbprof takes."""

    kind = "limit"


class ExchangeError(MbprofError):
    """A network of another format that cannot be read, or a library for it that is missing."""

    kind = "exchange"


class MissingError(ExchangeError):
    """A library that is not installed."""


class UsageError(MbprofError):
    """A spec name, format, column or scope that does not exist."""

    kind = "usage"


def wrapped(line: str, width: int | None, margin: str = "    ") -> list[str]:
    """Break a line between words where it is longer than ``width``; a margin follows the breaks.

    >>> wrapped("a word and another", 10, "  ")
    ['a word and', '  another']
    """
    if width is None or len(line) <= width:
        return [line]
    from textwrap import TextWrapper

    broken = TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    broken.subsequent_indent = margin
    return [part for whole in line.split("\n") for part in broken.wrap(whole)]


def _shortened(text: str) -> str:
    """Return a text without the middle of a word that nobody would read to its end."""
    return re.sub(_WORD, lambda word: f"{word[0][:40]}…{word[0][-8:]}", text)


def _excerpt(loc: Loc, width: int | None) -> list[str]:
    most = _EXCERPT if width is None else max(width - _MARGIN, _MARGIN)
    text = loc.source.line(loc.line).replace("\t", " ")
    column = min(loc.column, len(text) + 1)
    start = max(0, column - 1 - most * 2 // 3) if len(text) > most else 0
    before, behind = visible(text[start : column - 1]), text[column - 1 : start + most]
    before = ("…" if start else "") + before
    shown = before + visible(behind) + ("…" if len(text) > start + most else "")
    number = str(loc.line).rjust(5)
    return [f"{number} | {shown}".rstrip(), f"      | {' ' * len(before)}^"]


def visible(text: str, kept: str = "") -> str:
    r"""Return the text with every character that acts or hides shown as its code point.

    Controls, escapes, bidirectional and zero-width characters, odd spaces, and lone surrogates are
    such characters; those of ``kept``, such as a line break, may stay.

    >>> visible("a\x1b[2Jb\u202e")
    'a\\x1b[2Jb<U+202E>'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in kept or _shows(char) else _code(char) for char in text)


@lru_cache(4096)
def _shows(char: str) -> bool:
    variant = "\u180b" <= char <= "\u180f" or "\ufe00" <= char <= "\ufe0f" or char >= "\U000e0000"
    shown = char.isprintable() or char == "\N{NO-BREAK SPACE}"
    return shown and char not in _BLANK and not variant


def _code(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"<U+{number:04X}>"


def closest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that a word resembles, if there is one.

    >>> closest("strid", ["kernel", "stride"])
    'stride'
    """
    # Only errors need it; to import it takes a tenth of the time of a whole run.
    import difflib

    if len(word) > _EXCERPT:
        return None
    lowered = {name.lower(): name for name in islice(known, 10_000)}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=likeness)
    return lowered[found[0]] if found else None


def unknown(
    what: str,
    word: str,
    known: Iterable[str],
    loc: Loc | None = None,
    error: type[MbprofError] | None = None,
) -> MbprofError:
    """Return the error that a word is none of those that are known, with a hint.

    What has a place stands in a spec, unless ``error`` says more.

    >>> unknown("scope", "al", ["body", "all"]).message
    "unknown scope 'al'"
    """
    kind = error or (SpecError if loc else UsageError)
    return kind(f"unknown {what} {word!r}", loc, nearest(word, known))


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant, or list them; of many the most alike.

    >>> nearest("dwcov", ["conv", "dwconv", "linear"])
    "did you mean 'dwconv'?"
    >>> nearest("xyz", ["conv", "linear"])
    'known are conv, linear'
    """
    names = list(known)
    close = closest(word, names)
    if close is not None:
        return f"did you mean {close!r}?"
    if not names:
        return "there are none here"
    if len(names) <= _LISTED:
        return f"known are {', '.join(names)}"
    import difflib

    alike = difflib.get_close_matches(word, names, n=8, cutoff=0)
    return f"of {len(names)} names the most alike are {', '.join(alike)}"


def near_file(path: Path) -> str | None:
    """Return the hint which file of the folder a missing one is probably, if one is like it."""
    kinds = _YAML if path.suffix in ("", *_YAML) else (path.suffix,)
    names: dict[str, str] = {}
    with suppress(OSError, ValueError):
        if not path.exists():
            beside = sorted(islice(path.parent.iterdir(), _SEARCHED))
            known = (file for file in beside if file.suffix in kinds)
            names = {file.name if path.suffix else file.stem: file.name for file in known}
    like = closest(path.name, names)
    return f"did you mean {str(path.with_name(names[like]))!r}?" if like else None

"""Text to a located tree, and how it is read: the closed subset of YAML of specs.

The tree is built from PyYAML's event stream, so no constructor ever runs and every scalar stays
text with its line and column; the field that takes it decides its type. Tags, anchors, aliases,
duplicate keys and further documents are refused, size and depth are capped.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from mbprof.errors import (
    LimitError,
    Loc,
    Source,
    SourceError,
    SpecError,
    near_file,
    nearest,
    unknown,
)
from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.language.record import at_once, record

MAX_BYTES = 1 << 24
MAX_DEPTH = 24
MAX_VALUES = 800_000
"""So many single values, keys included, a text holds at most."""
MAX_LISTED = 256
"""So many knobs, arguments, columns or values of one field there are at most."""
_SLOW = 1 << 15
"""Longer texts that are not YAML are described in the words of the fast parser."""
COMMAND_LINE = "command line"
"""What errors call a text that was typed."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@record
class Scalar:
    """A piece of text and where it stands; ``quoted`` when it was written in quotes."""

    text: str
    loc: Loc
    quoted: bool = False

    @classmethod
    def typed(cls, option: str, text: str) -> Scalar:
        """Return what was typed behind an option, such as ``--set alpha=``, and where."""
        whole = option + text
        place = Loc(Source(COMMAND_LINE, whole), 1, len(option) + 1, (1, len(whole) + 1))
        return cls(text, place)

    def place(self, offset: int) -> Loc:
        """Return the place of the character at ``offset`` of the text."""
        return self.loc.right(offset + self.quoted)


@record
class Seq:
    """A list of nodes."""

    items: tuple[Node, ...]
    loc: Loc


@record
class Entry:
    """A key of a mapping, with its place, and its value."""

    key: Scalar
    value: Node


@record
class Map:
    """A mapping; the order of the text is kept."""

    entries: Mapping[str, Entry]
    loc: Loc

    def get(self, key: str) -> Node | None:
        """Return the value of ``key``, or None."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node: TypeAlias = Scalar | Seq | Map

KIND_OF = {Scalar: "a single value", Seq: "a list", Map: "a mapping"}
_HELD = {
    "spec": ("a short table of layers", "name, input and body"),
    "convention": ("a short list of weights and formulas", "name, unit and params"),
}
"""What the texts that people write are, and the least that they need."""


def repository_of(name: str) -> Path:
    """Return the folder whose files a spec may read: its repository, or else its own folder."""
    own = Path(os.path.realpath(Path(name).parent))
    return next((top for top in (own, *own.parents) if exists(top / ".git")), own)


def lies_below(path: str | Path, *folders: Path) -> bool:
    """Whether a file lies below one of some folders, wherever links lead."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; what cannot be a name, or cannot be looked at, is none."""
    return _stands(Path.is_file, path)


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder, see `is_file`."""
    return _stands(Path.is_dir, path)


def exists(path: str | Path) -> bool:
    """Whether there is anything of that name, see `is_file`."""
    return _stands(Path.exists, path)


def _stands(asks: Callable[[Path], bool], path: str | Path) -> bool:
    try:
        return asks(Path(path))
    except (OSError, ValueError):
        return False


def read(path: Path, what: str = "spec") -> Source:
    """Read a text file; ``what`` says what it should hold.

    Raises: SourceError: missing, a directory, unreadable, too big, or not UTF-8 text.
    """
    name = str(path)
    try:
        if path.is_dir():
            raise SourceError(f"{name} is a directory, not a {what} file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {name}: {why}", hint=near_file(path)) from None
    return decode(name, data, what)


def read_stdin() -> Source:
    """Read standard input as a spec's text."""
    return decode("<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1))


def decode(name: str, data: bytes, what: str = "spec") -> Source:
    """Turn bytes into a source.

    Raises: SourceError: too big, or not printable UTF-8 text.
    """
    if len(data) > MAX_BYTES:
        hint = f"a {what} is {_HELD[what][0]}"
        raise SourceError(f"{name} is larger than {MAX_BYTES:,} bytes", hint=hint)
    hint = f"a {what} is a YAML text file"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8 text (byte {error.start})"
        raise SourceError(message, hint=hint) from None
    if control := _UNPRINTABLE.search(text):
        before = text[: control.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"holds the control character {ord(control[0]):#04x}"
        raise SourceError(f"{name}:{line}:{column} {message}", hint=hint)
    return Source(name, text, what)


@at_once
def parse(source: Source) -> Node:
    """Turn a source into its located tree.

    Raises: SourceError: not YAML, or outside the subset.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(source.text) < _SLOW:
        with suppress(yaml.YAMLError):
            return _Builder(source, yaml, loader).document()
        # The C parser is fast, the Python one says the same words on every machine.
        loader = yaml.SafeLoader
    try:
        return _Builder(source, yaml, loader).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        loc = Loc(source, mark.line + 1, mark.column + 1) if mark else None
        context = f", {error.context}" if error.context else ""
        hint = "check the brackets, the colons and the indentation of this line and the one above"
        raise SourceError(f"not valid YAML: {error.problem}{context}", loc, hint) from None
    except yaml.YAMLError as error:
        raise SourceError(f"{source.name} is not YAML: {error}") from None


class _Builder:
    """Consumes the event stream; recursion is bounded by MAX_DEPTH."""

    def __init__(self, source: Source, yaml: Any, loader: Any) -> None:
        self.source, self.yaml, self.left = source, yaml, MAX_VALUES
        self.texts: dict[str, str] = {}
        self.line = 0
        self.event: Callable[[], Any] = loader(source.text).get_event

    def document(self) -> Node:
        self.event()
        first = self.event()
        if isinstance(first, self.yaml.StreamEndEvent):
            hint = f"a {self.source.what} needs at least {_HELD[self.source.what][1]}"
            raise SourceError(f"{self.source.name} is empty", hint=hint)
        root = self.node(self.event(), 0)
        self.event()
        more = self.event()
        if not isinstance(more, self.yaml.StreamEndEvent):
            message = f"a second document; a {self.source.what} is one document"
            raise SourceError(message, self.loc(more))
        return root

    def loc(self, event: Any) -> Loc:
        mark, end = event.start_mark, event.end_mark
        until = self.number(end), end.column + 1
        return Loc(self.source, self.number(mark), mark.column + 1, until)

    def number(self, mark: Any) -> int:
        """Return the number of a line, which is one object for all that stands there."""
        if mark.line + 1 != self.line:
            self.line = mark.line + 1
        return self.line

    def around(self, start: Any, end: Any, parts: list[Node]) -> Loc:
        """Return the place of a collection; without brackets it ends as its last part does."""
        last = parts[-1].loc if parts and not start.flow_style else self.loc(end)
        mark = start.start_mark
        return Loc(self.source, self.number(mark), mark.column + 1, last.until)

    def brackets(self, start: Any, end: Any) -> bool:
        """Whether there are round brackets in square or curly ones."""
        between = start.start_mark.index, end.end_mark.index
        return start.flow_style and self.source.text.find("(", *between) >= 0

    def node(self, event: Any, depth: int) -> Node:
        yaml, outside = self.yaml, "are not part of the spec language"
        self.left -= 1
        if self.left < 0:
            message = f"{self.source.name} holds more than {MAX_VALUES:,} values"
            raise LimitError(message, self.loc(event))
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            alias = isinstance(event, yaml.AliasEvent)
            noun, nouns = ("alias (*", "aliases") if alias else ("anchor (&", "anchors")
            hint = "say it with a block that takes arguments, or with extend"
            raise SourceError(f"an {noun}{event.anchor}); {nouns} {outside}", self.loc(event), hint)
        if event.tag is not None and event.tag != "!":
            raise SourceError(f"a tag ({event.tag}); tags {outside}", self.loc(event))
        if isinstance(event, yaml.ScalarEvent):
            text = self.texts.setdefault(event.value, event.value)  # most values stand there often
            return Scalar(text, self.loc(event), bool(event.style))
        if depth >= MAX_DEPTH:
            raise SourceError(f"nested deeper than {MAX_DEPTH} levels", self.loc(event))
        sequence = isinstance(event, yaml.SequenceStartEvent)
        return self.sequence(event, depth) if sequence else self.mapping(event, depth)

    def sequence(self, start: Any, depth: int) -> Seq:
        items = []
        while not isinstance(event := self.event(), self.yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        if self.brackets(start, event):
            _uncut(items)
        return Seq(tuple(items), self.around(start, event, items))

    def mapping(self, start: Any, depth: int) -> Map:
        parts: list[Node] = []
        while not isinstance(event := self.event(), self.yaml.MappingEndEvent):
            parts.append(self.node(event, depth + 1))
        if self.brackets(start, event):
            _uncut(parts)
        entries: dict[str, Entry] = {}
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise SourceError("a key must be a single word", key.loc)
            if key.text in entries:
                line = entries[key.text].key.loc.line
                message = f"duplicate key {key.text!r}; it is set on line {line} already"
                raise SourceError(message, key.loc)
            entries[key.text] = Entry(key, value)
        return Map(entries, self.around(start, event, parts))


def _uncut(parts: Iterable[Node]) -> None:
    """Refuse what YAML has cut at the commas between the round brackets of an expression."""
    cut: list[Scalar] = []
    opened = 0
    for part in parts:
        if not isinstance(part, Scalar) or part.quoted:
            continue
        opened = max(opened + part.text.count("(") - part.text.count(")"), 0)
        if opened or cut:
            cut.append(part)
        if cut and not opened:
            whole = ", ".join(piece.text for piece in cut if piece.text)
            message = "an expression with a comma needs quotes inside of brackets"
            raise SourceError(message, cut[0].loc, f'write  "{whole}"')


def mapping(node: Node, what: str) -> Map:
    """Return the node if it is a mapping.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Map):
        raise SpecError(f"{what} must be a mapping, found {KIND_OF[type(node)]}", node.loc)
    return node


def sequence(node: Node, what: str) -> Seq:
    """Return the node if it is a list.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Seq):
        raise SpecError(f"{what} must be a list, found {KIND_OF[type(node)]}", node.loc)
    return node


def word(node: Node, what: str) -> Scalar:
    """Return the node if it is a single, non-empty value.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Scalar):
        raise SpecError(f"{what} must be a single value, found {KIND_OF[type(node)]}", node.loc)
    if not node.text:
        raise SpecError(f"{what} is empty", node.loc)
    return node


def left_out(cell: Node) -> bool:
    """Whether a cell of a table says nothing: ``~``, YAML's word for none, or a bare ``-``."""
    return isinstance(cell, Scalar) and cell.text in ("~", "-") and not cell.quoted


def value_of(scalar: Scalar) -> Value:
    """Return the value that is typed: none, true, false, a number, HxW, or a word.

    Raises: SpecError: a number that is out of bounds, see `mbprof.language.fmt.parse`.
    """
    try:
        return fmt.parse(scalar.text)
    except ValueError as error:
        raise SpecError(f"{scalar.text} is no number here; it {error}", scalar.loc) from None


def words(node: Node, what: str) -> tuple[Scalar, ...]:
    """Return one value or a list of values as a tuple."""
    if isinstance(node, Seq):
        return tuple(word(item, what) for item in node.items)
    return (word(node, what),)


def identifier(scalar: Scalar, what: str, reserved: Collection[str] = ()) -> str:
    """Return a name that expressions can use.

    Raises: SpecError: not a name, or one with a meaning of its own.
    """
    name = scalar.text
    if not name.isidentifier() or not name.isascii():
        hint = "use letters, digits and underscores"
        raise SpecError(f"{name!r} cannot name {what}", scalar.loc, hint)
    if name in reserved:
        raise SpecError(f"{name!r} cannot name {what}; it has a meaning of its own", scalar.loc)
    return name


def known_keys(node: Map, allowed: Iterable[str], what: str, of_maps: str = "") -> None:
    """Refuse keys that are not allowed; ``of_maps`` is what is said of one that holds a mapping.

    Raises: SpecError: with the nearest allowed key.
    """
    names = dict.fromkeys(allowed)
    for key, entry in node.entries.items():
        if key not in names:
            known = nearest(key, names)
            hint = of_maps if of_maps and isinstance(entry.value, Map) else known
            raise SpecError(f"{what} has no key {key!r}", entry.key.loc, hint)


def few(items: Collection[object], what: str, loc: Loc) -> None:
    """Refuse a list that is too long to be read at every step.

    Raises: LimitError: it has more than 256 items.
    """
    if len(items) > MAX_LISTED:
        raise LimitError(f"{len(items):,} {what}; there are {MAX_LISTED} at most", loc)


def required(node: Map, key: str, what: str, loc: Loc | None = None) -> Node:
    """Return the value of a key.

    Raises: SpecError: the key is missing.
    """
    value = node.get(key)
    if value is None:
        raise SpecError(f"{what} lacks the key {key!r}", loc or node.loc)
    return value


def text(node: Map, key: str, default: str = "") -> str:
    """Return a key's text, or the default where the key is absent."""
    value = node.get(key)
    return default if value is None else word(value, key).text


def one_of(node: Map, key: str, choices: tuple[str, ...], default: str) -> str:
    """Return a key's text, which must be one of a few words.

    Raises: SpecError: it is another word.
    """
    value = node.get(key)
    if value is None:
        return default
    scalar = word(value, key)
    if scalar.text not in choices:
        raise unknown(key, scalar.text, choices, scalar.loc)
    return scalar.text

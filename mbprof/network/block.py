"""A block by itself: a block and an input make a network of one row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mbprof.errors import (
    KnobError,
    Loc,
    Source,
    SourceError,
    SpecError,
    UsageError,
    nearest,
    unknown,
)
from mbprof.language.source import Entry, Map, Node, Scalar, Seq, parse, read
from mbprof.language.tree import mapping, word
from mbprof.language.values import Shape, Value, plain
from mbprof.language.values import parse as parse_value
from mbprof.network.load import Network, Spec
from mbprof.ops.fields import ARGUMENT_KINDS
from mbprof.output.result import Brief
from mbprof.spec import git, zoo
from mbprof.spec.model import Block
from mbprof.spec.reader import BLOCK_KEYS, SPEC_KEYS

DEFAULTS = {"bn": "true", "act": "relu"}
"""What follows a convolution where a block leaves it open; a block of a spec has the spec's."""

_IMAGE = re.compile(r"(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})")
_KEPT = ("source", "padding", "knobs", "defaults", "blocks", "calls")


@dataclass(frozen=True, slots=True, repr=False)
class Alone(Brief):
    """A block on an input of its own; ``arguments`` are those that were given, as typed."""

    name: str
    spec: Spec
    image: Shape
    arguments: Mapping[str, str]
    knobs: Mapping[str, str]

    @property
    def block(self) -> Block:
        """The block."""
        return self.spec.definition.blocks[self.name]

    @property
    def brief(self) -> str:
        """The block, its input and its arguments in a line."""
        c, h, w = self.image
        given = [f"{name} {value}" for name, value in {**self.arguments, **self.knobs}.items()]
        return ", ".join([f"{self.name}, in {h}x{w}x{c}", *given])

    def build(self) -> Network:
        """Compile the block.

        Raises: MbprofError: it makes no network with this input and these arguments.
        """
        return self.spec.build()


@dataclass(frozen=True, slots=True)
class Found:
    """A block's tree, and the spec around it if there is one."""

    name: str
    node: Map
    around: zoo.Opened | None
    path: str


def is_block(text: str) -> bool:
    """Return whether a text that can name a spec or a block names a block.

    >>> is_block("inv_res"), is_block("mobilenet_v1"), is_block("mobilenet_v1:dw_sep")
    (True, False, True)
    """
    if text == "-":
        return False
    if (source := _source(text)) is not None:
        root = parse(source)
        return isinstance(root, Map) and _is_block_file(root)
    if zoo.exists(text):
        return False
    return text in zoo.block_names() or _of_spec(text) is not None


def alone(
    text: str, image: str | None = None, given: Mapping[str, tuple[str, Loc]] | None = None
) -> Alone:
    """Return a block on an input of its own, by the name of a library block, a file or SPEC:BLOCK.

    ``image`` is HEIGHTxWIDTHxCHANNELS and ``given`` what was typed for each argument of the block
    or knob of its spec, with its place; what is not given is taken from the block's example.
    Raises: UsageError: no such block, no input. SourceError, SpecError: the block cannot be read.

    >>> network = alone("dw_sep", "7x7x64", {"c": ("128", at_command_line("c=128"))}).build()
    >>> network.profile().total.cost
    429632
    """
    found = find(text)
    example = _example(found)
    if image is None and "in" not in example:
        raise UsageError(
            f"block {found.name} has no example; say what its input is",
            hint="give --in HEIGHTxWIDTHxCHANNELS, such as --in 56x56x24",
        )
    place = at_command_line(image or "", "--in ")
    scalar = Scalar(image, place) if image is not None else example["in"]
    shape = _image(scalar)
    knobs = _knobs(found)
    settings = {name: Scalar(value, loc) for name, (value, loc) in (given or {}).items()}
    outer = {name: settings.pop(name) for name in list(settings) if _is_knob(name, found, knobs)}
    arguments = {name: each for name, each in example.items() if name != "in"} | settings
    _complete(found, arguments)
    root = _root(found, scalar, _plain_defaults(found) | arguments, outer)
    definition = zoo.define(zoo.Opened(root, found.path, "", None))
    return Alone(
        found.name,
        Spec(definition, alone=True),
        shape,
        {name: each.text for name, each in arguments.items()},
        {name: each.text for name, each in outer.items()},
    )


def typed(values: Mapping[str, Value]) -> dict[str, tuple[str, Loc]]:
    """Return values as if they had been typed on a command line.

    >>> typed({"k": (3, 5)})["k"][0]
    '3x5'
    """
    written = {key: _written(value) for key, value in values.items()}
    return {key: (text, at_command_line(f"{key}={text}")) for key, text in written.items()}


def _written(value: Value) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else plain(value)


def at_command_line(typed: str, option: str = "--set ") -> Loc:
    """Return the place of a value behind ``NAME=`` or an option, as it was typed."""
    return Loc(Source("command line", option + typed), 1, len(option) + typed.find("=") + 2)


# Where blocks are


def find(text: str) -> Found:
    """Return where a block is: the library, a file, or a spec.

    Raises: UsageError: there is no such block. SourceError, SpecError: it cannot be read.
    """
    if (source := _source(text)) is not None:
        return _in_file(text, source)
    node = zoo.block_tree(text)
    if node is not None:
        return Found(text, node, None, f"specs/blocks/{text}.yaml")
    if (found := _of_spec(text)) is not None:
        return _inside(zoo.tree(found[0]), found[0], found[1])
    if zoo.exists(text):
        return _inside(zoo.tree(text), text, None)
    if "/" in text or text.endswith((".yaml", ".yml")):
        raise SourceError(
            f"there is no file {text}", hint="a block is a name, a file or SPEC:BLOCK"
        )
    raise unknown("block", text, zoo.block_names())


def _source(text: str) -> Source | None:
    """Return the text of a file, also of one at a revision of git; None if it is none of both."""
    if Path(text).is_file():
        return read(Path(text))
    if text in zoo.block_names() or zoo.exists(text) or _of_spec(text) is not None:
        return None
    asked = git.revision(text)
    return git.read(asked) if asked is not None else None


def _of_spec(text: str) -> tuple[str, str] | None:
    spec, colon, name = text.rpartition(":")
    return (spec, name) if colon and name.isidentifier() and zoo.exists(spec) else None


def _is_block_file(root: Map) -> bool:
    """Whether a file holds a block: by its arguments, or by keys that are all a block's."""
    if root.get("input") is not None or root.get("extend") is not None:
        return False
    return root.get("takes") is not None or root.entries.keys() <= BLOCK_KEYS.keys()


def _in_file(path: str, source: Source) -> Found:
    root = mapping(parse(source), "a block")
    if not _is_block_file(root):
        return _inside(zoo.tree(path), path, None)
    stem = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
    named = root.get("name")
    name = word(named, "name").text if named else stem
    return Found(name, root, None, path)


def _inside(spec: zoo.Opened, text: str, name: str | None) -> Found:
    """Return a block of a spec; the only one if none is named."""
    node = spec.root.get("blocks")
    blocks = node.entries if isinstance(node, Map) else {}
    if name is None:
        if len(blocks) != 1:
            known = ", ".join(f"{text}:{each}" for each in blocks)
            raise UsageError(
                f"{text} is a spec with {len(blocks) or 'no'} blocks; say which one",
                hint=f"one of {known}" if known else "mbprof table costs a whole network",
            )
        name = next(iter(blocks))
    if name not in blocks:
        library = zoo.block_tree(name)
        if library is not None:
            return Found(name, library, spec, spec.path)
        hint = nearest(name, [*blocks, *zoo.block_names()])
        raise UsageError(f"{text.rpartition(':')[0] or text} has no block {name!r}", hint=hint)
    return Found(name, mapping(blocks[name].value, f"block {name}"), spec, spec.path)


# The network of one row


def _example(found: Found) -> dict[str, Scalar]:
    node = found.node.get("example")
    if node is None:
        return {}
    entries = mapping(node, f"the example of block {found.name}").entries
    return {name: word(each.value, name) for name, each in entries.items() if name != "defaults"}


def _defaults(found: Found, place: Loc) -> Node:
    """Return what the block's ops have where it leaves that open: the example's, or the usual."""
    example = found.node.get("example")
    own = example.get("defaults") if isinstance(example, Map) else None
    return own or usual_defaults(place)


def usual_defaults(place: Loc) -> Map:
    """Return what follows a convolution that nothing is said of, as the ``defaults:`` of a spec."""
    conv = as_map({key: Scalar(value, place) for key, value in DEFAULTS.items()}, place)
    return as_map({"conv": conv}, place)


def input_of(image: Shape, place: Loc) -> Map:
    """Return an image (C, H, W) as the ``input:`` of a spec."""
    c, h, w = image
    return as_map({"channels": Scalar(str(c), place), "res": Scalar(f"{h}x{w}", place)}, place)


def _image(scalar: Scalar) -> Shape:
    match = _IMAGE.fullmatch(scalar.text.strip())
    if match is None or not all(map(int, match.groups())):
        raise SpecError(
            f"{scalar.text!r} is no input",
            scalar.loc,
            "write HEIGHTxWIDTHxCHANNELS, such as 56x56x24",
        )
    h, w, c = map(int, match.groups())
    return c, h, w


def _knobs(found: Found) -> dict[str, Entry]:
    node = found.around.root.get("knobs") if found.around else None
    return dict(node.entries) if isinstance(node, Map) else {}


def _is_knob(name: str, found: Found, knobs: Mapping[str, Entry]) -> bool:
    takes = found.node.get("takes")
    return name in knobs and not (isinstance(takes, Map) and name in takes.entries)


def _complete(found: Found, arguments: Mapping[str, Scalar]) -> None:
    """Refuse arguments that the block does not take, and a block whose arguments are not all there.

    Raises: KnobError, UsageError.
    """
    takes = found.node.get("takes")
    known = list(takes.entries) if isinstance(takes, Map) else []
    for name, scalar in arguments.items():
        if name not in known:
            message = f"block {found.name} has no argument {name!r}"
            raise KnobError(message, scalar.loc, nearest(name, known, 12))
    missing = []
    for name, entry in (takes.entries if isinstance(takes, Map) else {}).items():
        node = entry.value
        typed = isinstance(node, Scalar) and node.text in ARGUMENT_KINDS
        if name not in arguments and (typed or (isinstance(node, Map) and not node.get("default"))):
            missing.append(name)
    if missing:
        raise UsageError(
            f"block {found.name} needs {' and '.join(missing)}",
            hint="give " + " ".join(f"--set {name}=..." for name in missing),
        )


def _plain_defaults(found: Found) -> dict[str, Scalar]:
    """Return the arguments whose defaults are numbers: they can be turned like those given."""
    takes = found.node.get("takes")
    defaults = {}
    for name, entry in (takes.entries if isinstance(takes, Map) else {}).items():
        node = entry.value.get("default") if isinstance(entry.value, Map) else entry.value
        if isinstance(node, Scalar) and not isinstance(parse_value(node.text), str | None):
            defaults[name] = node
    return defaults


def _root(
    found: Found, image: Scalar, arguments: Mapping[str, Scalar], outer: Mapping[str, Scalar]
) -> Map:
    """Write the spec whose body is one row; numbers that were given are knobs of it."""
    place = Loc(Source(found.path, found.node.loc.source.text), *found.node.loc[1:])
    row: dict[str, Node] = {"op": Scalar(found.name, place), "name": Scalar(found.name, place)}
    knobs = {name: _with_default(each, outer.get(name)) for name, each in _knobs(found).items()}
    for name, scalar in arguments.items():
        is_number = not isinstance(parse_value(scalar.text), str | None)
        row[name] = Scalar(name, scalar.loc) if is_number else scalar
        if is_number:
            knobs[name] = Entry(Scalar(name, scalar.loc), scalar)
    inputs = found.node.get("inputs")
    if isinstance(inputs, Seq) and len(inputs.items) > 1:
        row["in"] = Seq(tuple(Scalar("x", place) for _ in inputs.items), place)
    entries = around(found, _image(image), image.loc, place)
    entries |= {"knobs": Map(knobs, place), "body": Seq((as_map(row, place),), place)}
    return as_map({key: entries[key] for key in SPEC_KEYS if key in entries}, place)


def around(found: Found, image: Shape, typed: Loc, place: Loc) -> dict[str, Node]:
    """Return the keys of a spec around a block, all but the body; the image was typed somewhere."""
    own = found.around.root.entries if found.around else {}
    entries: dict[str, Node] = {
        "padding": Scalar("tf-same", place),
        "defaults": _defaults(found, place),
        **{key: entry.value for key, entry in own.items() if key in _KEPT},
        "name": Scalar(found.name, place),
        "input": input_of(image, typed),
    }
    for key in ("accept", "budget"):
        if found.around is None and (node := found.node.get(key)) is not None:
            entries[key] = node
    if found.around is None and found.path != f"specs/blocks/{found.name}.yaml":
        entries["blocks"] = as_map({found.name: found.node}, place)
    return entries


def as_map(entries: Mapping[str, Node], place: Loc) -> Map:
    """Return a mapping node whose keys stand where their values do."""
    return Map({key: Entry(Scalar(key, node.loc), node) for key, node in entries.items()}, place)


def _with_default(entry: Entry, given: Scalar | None) -> Entry:
    """Return a knob's entry with another default."""
    if given is None:
        return entry
    if isinstance(entry.value, Map):
        changed = {**entry.value.entries, "default": Entry(Scalar("default", given.loc), given)}
        return Entry(entry.key, Map(changed, entry.value.loc))
    return Entry(entry.key, given)

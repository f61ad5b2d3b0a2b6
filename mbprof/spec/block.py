"""A block by itself: a block and an input make a network of one row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mbprof.errors import KnobError, Loc, SpecError, UsageError, nearest
from mbprof.language.fmt import Shape
from mbprof.language.source import Entry, Map, Node, Scalar, Seq, mapping, value_of, word
from mbprof.spec.model import Block, Definition
from mbprof.spec.zoo import OpenedBlock, OpenedSpec

DEFAULTS = {"bn": "true", "act": "relu"}
"""What follows a convolution where a block leaves it open; a block of a spec has the spec's."""

_IMAGE = re.compile(r"\s*[xX×]\s*".join(["([0-9]{1,9})"] * 3))
_KEPT = ("source", "padding", "defaults", "blocks", "calls")


@dataclass(frozen=True, slots=True)
class LoneBlock:
    """A block on an input of its own; arguments and knobs are those that were given, as typed."""

    name: str
    definition: Definition
    image: Shape
    arguments: Mapping[str, str]
    knobs: Mapping[str, str]

    @property
    def block(self) -> Block:
        """The block."""
        return self.definition.blocks[self.name]

    @property
    def title(self) -> str:
        """The block, its input and its arguments in a line."""
        c, h, w = self.image
        given = [f"{name} {value}" for name, value in {**self.arguments, **self.knobs}.items()]
        return ", ".join([f"{self.name}, in {h}x{w}x{c}", *given])


def lone(
    source: OpenedBlock, image: str | Shape | None = None, given: Mapping[str, Scalar] | None = None
) -> LoneBlock:
    """Return a block on an input of its own.

    ``image`` is HEIGHTxWIDTHxCHANNELS or these numbers, ``given`` what was typed for each argument
    of the block or knob of its spec; the rest is taken from its example. Numbers are knobs.
    Raises: UsageError: no input. KnobError: no such argument. SpecError: it cannot be read.

    >>> from mbprof.spec.zoo import open_block
    >>> lone(open_block("dw_sep"), "7x7x64", {"c": Scalar.typed("c=", "128")}).title
    'dw_sep, in 7x7x64, c 128'
    """
    node = source.node.get("example")
    entries = mapping(node, f"the example of block {source.name}").entries if node else {}
    example = {key: word(entry.value, key) for key, entry in entries.items() if key != "defaults"}
    where = example.pop("in", None)
    if image is not None:
        size = image if isinstance(image, str) else "x".join(map(str, image))
        where = Scalar.typed("--in ", size)
    if where is None:
        hint = "give --in HEIGHTxWIDTHxCHANNELS, such as --in 56x56x24"
        raise UsageError(f"block {source.name} has no example; say what its input is", hint=hint)
    match = _IMAGE.fullmatch(where.text.strip())
    if match is None or not all(map(int, match.groups())):
        hint = "write HEIGHTxWIDTHxCHANNELS, such as 56x56x24"
        raise SpecError(f"{where.text!r} is no input", where.loc, hint)
    h, w, c = map(int, match.groups())
    block, knobs = source.signature(), source.knobs
    typed = dict(given or {})
    outer = {name: typed.pop(name) for name in knobs if name in typed and name not in block.takes}
    arguments = example | typed
    _complete(block, arguments)
    for name, scalar in outer.items():
        knobs[name] = _with_default(knobs[name], scalar)
    # Numbers can be turned, those of the block's own defaults like those given.
    own = {name: takes.default.node for name, takes in block.takes.items() if takes.default}
    row: dict[str, Node] = {name: node for name, node in own.items() if _is_number(node)}
    row |= arguments
    for name, node in row.items():
        if _is_number(node):
            knobs[name] = Entry(Scalar(name, node.loc), node)
            row[name] = Scalar(name, node.loc)
    opened = by_itself(source, source.name, input_of((c, h, w), where.loc), row, knobs)
    typed_of = [{name: text.text for name, text in part.items()} for part in (arguments, outer)]
    return LoneBlock(source.name, opened.definition, (c, h, w), *typed_of)


def by_itself(
    source: OpenedBlock,
    name: str,
    image: Map,
    arguments: Mapping[str, Node],
    knobs: Mapping[str, Entry],
) -> OpenedSpec:
    """Return the spec whose body is one row, a block with arguments; ``name`` is the row's."""
    place = source.node.loc
    if sizes := source.node.get("sizes"):
        image = Map({**image.entries, "sizes": Entry(Scalar("sizes", sizes.loc), sizes)}, image.loc)
    row: dict[str, Node | str] = {"op": source.name, "name": name, **arguments}
    inputs = source.node.get("inputs")
    if isinstance(inputs, Seq) and len(inputs.items) > 1:
        row["in"] = Seq(tuple(Scalar("x", place) for _ in inputs.items), place)
    example = source.node.get("example")
    defaults = example.get("defaults") if isinstance(example, Map) else None
    around: dict[str, Node | str] = {"defaults": defaults} if defaults else {}
    if source.around is not None:
        entries = source.around.root.entries
        around |= {key: entries[key].value for key in _KEPT if key in entries}
    else:
        around |= {key: node for key in ("accept", "budget") if (node := source.node.get(key))}
        if not source.shared:
            around["blocks"] = as_map({source.name: source.node}, place)
    return of_row(source.name, as_map(row, place), image, Map(knobs, place), around)


def of_row(
    name: str, row: Map, image: Map, knobs: Map, around: Mapping[str, Node | str] | None = None
) -> OpenedSpec:
    """Return the spec whose body is one row; ``around`` are more of its keys."""
    place = row.loc
    entries: dict[str, Node | str] = {
        "name": name,
        "input": image,
        "knobs": knobs,
        "defaults": as_map({"conv": as_map(DEFAULTS, place)}, place),
        **(around or {}),
        "body": Seq((row,), place),
    }
    return OpenedSpec(as_map(entries, place))


def input_of(image: Shape, place: Loc) -> Map:
    """Return an image (C, H, W) as the ``input:`` of a spec."""
    c, h, w = image
    return as_map({"channels": f"{c}", "res": f"{h}x{w}"}, place)


def as_map(values: Mapping[str, Node | str], place: Loc) -> Map:
    """Return a mapping node whose keys stand where their values do, and texts at ``place``."""
    nodes = {
        key: Scalar(value, place) if isinstance(value, str) else value
        for key, value in values.items()
    }
    return Map({key: Entry(Scalar(key, node.loc), node) for key, node in nodes.items()}, place)


def _complete(block: Block, arguments: Mapping[str, Scalar]) -> None:
    """Refuse arguments that the block does not take, and a block whose arguments lack."""
    for name, scalar in arguments.items():
        if name not in block.takes:
            message = f"block {block.name} has no argument {name!r}"
            raise KnobError(message, scalar.loc, nearest(name, block.takes))
    takes = block.takes.items()
    missing = [name for name, takes in takes if takes.default is None and name not in arguments]
    if missing:
        hint = "give " + " ".join(f"--set {name}=..." for name in missing)
        raise UsageError(f"block {block.name} needs {' and '.join(missing)}", hint=hint)


def _is_number(node: Node) -> bool:
    return isinstance(node, Scalar) and not isinstance(value_of(node), str | None)


def _with_default(entry: Entry, given: Scalar) -> Entry:
    """Return a knob's entry with another default."""
    if isinstance(entry.value, Map):
        changed = {**entry.value.entries, "default": Entry(Scalar("default", given.loc), given)}
        return Entry(entry.key, Map(changed, entry.value.loc))
    return Entry(entry.key, given)

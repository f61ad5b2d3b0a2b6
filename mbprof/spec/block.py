"""A block by itself: a block and an input make a network of one row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mbprof.errors import KnobError, Loc, SpecError, UsageError, nearest
from mbprof.language.fmt import Images, Shape, Shapes, Value, plain, several
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import Entry, Map, Node, Scalar, Seq, mapping, value_of, word, words
from mbprof.spec.knobs import USUAL
from mbprof.spec.model import Block, Definition, written
from mbprof.spec.zoo import OpenedBlock, OpenedSpec

DEFAULTS = {"bn": "true", "act": "relu"}
"""What follows a convolution where a block leaves it open; a block of a spec has the spec's."""

_KEPT = ("source", "padding", "defaults", "blocks", "calls")


class Called(NamedTuple):
    """How a spec calls a block: with which inputs, and what it gives for which argument."""

    images: Shapes
    arguments: Mapping[str, Node]


@record
class LoneBlock:
    """A block on inputs of its own; arguments and knobs are those that were given, as typed."""

    name: str
    definition: Definition
    images: Shapes
    arguments: Mapping[str, str]
    knobs: Mapping[str, str]

    @property
    def block(self) -> Block:
        """The block."""
        return self.definition.blocks[self.name]

    @property
    def title(self) -> str:
        """The block, its inputs and its arguments in a line."""
        came = [f"in {as_typed(image)}" for image in self.images]
        given = [f"{name} {value}" for name, value in {**self.arguments, **self.knobs}.items()]
        return ", ".join([self.name, *came, *given])


def as_typed(image: Shape) -> str:
    """Return an input as it is typed: HEIGHTxWIDTHxCHANNELS, or TOKENSxCHANNELS.

    >>> as_typed((64, 7, 9)), as_typed((197, 192))
    ('7x9x64', '197x192')
    """
    return "x".join(map(str, (*image[1:], image[0]) if len(image) == 3 else image))


def lone(
    source: OpenedBlock,
    image: Images = None,
    given: Mapping[str, Scalar] | None = None,
    called: Called | None = None,
) -> LoneBlock:
    """Return a block on inputs of its own.

    ``image`` is HEIGHTxWIDTHxCHANNELS or these numbers, TOKENSxCHANNELS, or several of such;
    ``given`` what was typed for each argument of the block or knob of its spec. The rest is taken
    from a call of it, or else from its example. Numbers are knobs.
    Raises: UsageError: no input, or too many. KnobError: no such argument. SpecError: it cannot be
    read.

    >>> from mbprof.spec.zoo import open_block
    >>> lone(open_block("dw_sep"), "7x7x64", {"c": Scalar.typed("c=", "128")}).title
    'dw_sep, in 7x7x64, c 128'
    """
    images, shown = called or _example(source)
    if image:
        one = isinstance(image, str) or all(isinstance(size, int) for size in image)
        every: Any = [image] if one else image
        texts = (each if isinstance(each, str) else "x".join(map(str, each)) for each in every)
        images = tuple(_shape(Scalar.typed("--in ", text)) for text in texts)
    if not images:
        hint = "give --in HEIGHTxWIDTHxCHANNELS, such as --in 56x56x24"
        raise UsageError(f"block {source.name} has no example; say what its input is", hint=hint)
    block, knobs = source.signature(), source.knobs
    if len(images) not in (1, len(block.inputs)):
        takes = several(len(block.inputs), "input")
        message = f"block {block.name} takes {takes}, not {len(images)}"
        each = f"give --in for each of {', '.join(block.inputs)}, in order"
        raise UsageError(message, hint=each if len(block.inputs) > 1 else None)
    typed = dict(given or {})
    outer = {name: typed.pop(name) for name in knobs if name in typed and name not in block.takes}
    arguments: dict[str, Node] = {**shown, **typed}
    _complete(block, arguments)
    for name, scalar in outer.items():
        knobs[name] = _with_default(knobs[name], scalar)
    # Numbers can be turned, those of the block's own defaults like those given.
    own = {name: takes.default.node for name, takes in block.takes.items() if takes.default}
    row: dict[str, Node] = {name: node for name, node in own.items() if _is_number(node)}
    row |= arguments
    for name, node in row.items():
        if _is_number(node) and name not in USUAL:
            knobs[name] = Entry(Scalar(name, node.loc), node)
            row[name] = Scalar(name, node.loc)
    opened = by_itself(source, source.name, images, source.node.loc, row, knobs)
    typed_of = [{name: written(of) for name, of in part.items()} for part in (arguments, outer)]
    return LoneBlock(source.name, opened.definition, images, *typed_of)


def _example(source: OpenedBlock) -> tuple[Shapes, dict[str, Node]]:
    """Return the inputs and the arguments of a block's example, empty if it has none."""
    node = source.node.get("example")
    entries = mapping(node, f"the example of block {source.name}").entries if node else {}
    where = words(entries["in"].value, "in") if "in" in entries else ()
    kept = (key for key in entries if key not in ("in", "defaults"))
    return tuple(map(_shape, where)), {key: word(entries[key].value, key) for key in kept}


def _shape(scalar: Scalar) -> Shape:
    """Return the shape of an input that is typed as height, width, channels or tokens, channels."""
    sizes = re.split(r"\s*[xX×]\s*", scalar.text.strip())
    if len(sizes) not in (2, 3) or not all(re.fullmatch("[0-9]{1,9}", n) and int(n) for n in sizes):
        hint = "write HEIGHTxWIDTHxCHANNELS, such as 56x56x24, or TOKENSxCHANNELS"
        raise SpecError(f"{scalar.text!r} is no input", scalar.loc, hint)
    *size, c = map(int, sizes)
    return (c, *size) if len(size) == 2 else (*size, c)


def by_itself(
    source: OpenedBlock,
    name: str,
    images: Shapes,
    place: Loc,
    arguments: Mapping[str, Node],
    knobs: Mapping[str, Entry],
) -> OpenedSpec:
    """Return the spec whose body is one row, a block with arguments; ``name`` is the row's."""
    row: dict[str, Node | str] = {"op": source.name, "name": name, **arguments}
    block = source.signature()
    inputs = block.inputs if len(images) > 1 else ("x",) * len(block.inputs)
    if len(inputs) > 1:
        row["in"] = Seq(tuple(Scalar(text, place) for text in inputs), place)
    example = source.node.get("example")
    defaults = example.get("defaults") if isinstance(example, Map) else None
    around: dict[str, Node | str] = {"defaults": defaults} if defaults else {}
    if len(block.outputs) > 1:
        row["out"] = around["outputs"] = Seq(block.outputs, place)
    if source.around is not None:
        entries = source.around.root.entries
        around["defaults"] = Map({}, place)
        around |= {key: entries[key].value for key in _KEPT if key in entries}
    else:
        around |= {key: node for key in ("accept", "budget") if (node := source.node.get(key))}
        if not source.shared:
            around["blocks"] = as_map({source.name: source.node}, place)
    image = input_of(images[0], place)
    if (stated := source.node.get("sizes")) is not None:
        image = Map({**image.entries, "sizes": Entry(Scalar("sizes", stated.loc), stated)}, place)
    ports: dict[str, Node | str] = {"input": image}
    if len(images) > 1:
        each = (input_of(image, place) for image in images)
        ports = {"inputs": as_map(dict(zip(inputs, each, strict=True)), place)}
    return of_row(source.name, as_map(row, place), ports, Map(knobs, place), around)


def of_row(
    name: str,
    row: Map,
    ports: Mapping[str, Node | str],
    knobs: Map,
    around: Mapping[str, Node | str] | None = None,
) -> OpenedSpec:
    """Return the spec whose body is one row; ``ports`` are its inputs, ``around`` more keys."""
    place = row.loc
    entries: dict[str, Node | str] = {
        "name": name,
        **ports,
        "knobs": knobs,
        "defaults": as_map({"conv": as_map(DEFAULTS, place)}, place),
        **(around or {}),
        "body": Seq((row,), place),
    }
    return OpenedSpec(as_map(entries, place))


def input_of(image: Shape, place: Loc) -> Map:
    """Return maps (C, H, W), or a tensor of another shape, as the ``input:`` of a spec."""
    if len(image) == 3:
        c, h, w = image
        return as_map({"channels": f"{c}", "res": f"{h}x{w}"}, place)
    return as_map({"shape": Seq(tuple(Scalar(f"{n}", place) for n in image), place)}, place)


def tree_of(value: Value, place: Loc) -> Node:
    """Return a value as it can be written in a spec.

    >>> from mbprof.errors import Source
    >>> written(tree_of((3, 5), Loc(Source("s", ""), 1, 1)))
    '[3, 5]'
    """
    if isinstance(value, tuple):
        return Seq(tuple(tree_of(item, place) for item in value), place)
    return Scalar(plain(value), place)


def as_map(values: Mapping[str, Node | str], place: Loc) -> Map:
    """Return a mapping node whose keys stand where their values do, and texts at ``place``."""
    nodes = {
        key: Scalar(value, place) if isinstance(value, str) else value
        for key, value in values.items()
    }
    return Map({key: Entry(Scalar(key, node.loc), node) for key, node in nodes.items()}, place)


def _complete(block: Block, arguments: Mapping[str, Node]) -> None:
    """Refuse arguments that the block does not take, and a block whose arguments lack."""
    for name, node in arguments.items():
        if name not in block.takes:
            message = f"block {block.name} has no argument {name!r}"
            raise KnobError(message, node.loc, nearest(name, block.takes))
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

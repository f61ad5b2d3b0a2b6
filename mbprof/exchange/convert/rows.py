"""A graph as the rows of a table: each op with what can be written as keys of its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mbprof.errors import ShapeError
from mbprof.language.record import NamedTuple
from mbprof.network.graph import Edge, Graph, Node
from mbprof.ops import Op
from mbprof.ops.padding import PADDING_RULES, Padding

Slot = tuple[str, int]
"""A key of a row and the number of a value in its list, -1 where it is no list."""


class Form(NamedTuple):
    """What rows of one kind have in common: the words of ops, what is no number, the inputs.

    ``keys`` are those of the op: a word for a number, a length for a list of them, else a value.
    """

    words: tuple[str, ...]
    keys: tuple[tuple[str, object], ...]
    inputs: int


class Row(NamedTuple):
    """A row: its op and the ops that follow as keys, the tensors that it takes and makes.

    ``form`` is what rows of one kind have in common; ``values`` are the numbers, activations and
    paddings by which they differ.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    form: Form
    values: Mapping[Slot, Any]

    @property
    def op(self) -> Op:
        """The op itself, without what follows it."""
        return self.nodes[0].op

    @property
    def name(self) -> str:
        """The name of its layer."""
        return self.nodes[0].name

    @property
    def shared(self) -> bool:
        """Whether others compute with the same weights."""
        return any(node.weights is not None for node in self.nodes)


def uses_of(graph: Graph) -> Counter[Edge]:
    """Return how often each tensor is taken, or is an output."""
    taken = Counter(edge for node in graph.nodes for edge in node.inputs)
    return taken + Counter(graph.outputs)


def rows_of(
    graph: Graph, family: str, norm: Op | None = None, apart: Collection[int] = ()
) -> list[Row]:
    """Return the rows of a graph in execution order; ``family`` says what padding ``same`` is.

    ``norm`` is the batch norm that can be a key of a row. Nodes that stand ``apart`` have nothing
    behind them in their rows.
    """
    uses = uses_of(graph)
    rows, number = [], 0
    while number < len(graph.nodes):
        end = number + 1 if number in apart else _end(graph.nodes, number, uses, norm)
        nodes = graph.nodes[number:end]
        outputs = tuple(Edge(end - 1, port) for port in range(len(nodes[-1].out_shapes)))
        words = tuple(node.op.word for node in nodes)
        values: dict[Slot, Any] = {}
        form = Form(words, _keys(nodes[0], family, values), len(nodes[0].inputs))
        if "act" in words[1:]:
            values["act", -1] = nodes[words.index("act", 1)].op.function
        rows.append(Row(nodes, nodes[0].inputs, outputs, form, values))
        number = end
    return rows


def _end(nodes: Sequence[Node], number: int, uses: Mapping[Edge, int], norm: Op | None) -> int:
    """Return the number behind the last node that can be a key of the row of a node."""
    left, end = list(nodes[number].op.after), number + 1
    while end < len(nodes):
        node, before = nodes[end], Edge(end - 1)
        if (node.scope, node.layer) != (nodes[number].scope, nodes[number].layer):
            break
        if node.op.word not in left or node.inputs != (before,) or uses.get(before) != 1:
            break
        if node.op.function == "none":
            break
        if node.op.word != "act" and (node.op != norm or nodes[number].weights is not None):
            break
        left = left[left.index(node.op.word) + 1 :]
        end += 1
    return end


def usual_norm(graph: Graph) -> Op | None:
    """Return the batch norm that most layers have behind them, None without any."""
    counts: dict[Op, int] = {}
    for node in graph.nodes:
        if node.op.word == "bn" and node.layer != node.name:
            counts[node.op] = counts.get(node.op, 0) + 1
    return max(counts, key=lambda op: counts[op], default=None)


NUMBER = "number"
"""What a form says of a key whose value is a number, an activation or a padding."""


def _keys(node: Node, family: str, values: dict[Slot, Any]) -> tuple[tuple[str, object], ...]:
    """Return what an op has that is no number, and note its numbers among the values."""
    keys: list[tuple[str, object]] = []
    for key, letter in node.op.letters.items():
        value: Any = getattr(node.op, letter.attribute)
        if key == "p":
            value = _padding(node, value, family)
        if key == "p" and node.op.multiplies and value is not None:
            values[key, -1] = value
            keys.append((key, NUMBER))
            continue
        if isinstance(value, tuple) and letter.kind.word in ("pair", "counts"):
            value = value[0] if value[0] == value[1] else value
        if value and isinstance(value, tuple) and all(isinstance(item, int) for item in value):
            values.update({(key, place): item for place, item in enumerate(value)})
            keys.append((key, len(value)))
        elif node.op.function or (isinstance(value, int | float) and not isinstance(value, bool)):
            values[key, -1] = value
            keys.append((key, NUMBER))
        else:
            keys.append((key, value))
    return tuple(keys)


def _padding(node: Node, padding: Padding | None, family: str) -> Padding | None:
    """Return the usual word, ``same`` or ``valid`` where the padding is that, else as it is."""
    axes = node.op.axes(node.in_shapes)
    if padding is None or not axes or node.op.word in ("pad", "crop"):
        return padding
    rules = {"same": family, "valid": "valid"}
    usual: Any = node.op.letters["p"].default
    alike = (word for word in (usual, *rules) if _pads_alike(node, rules[word]))
    return next(alike, padding)


def _pads_alike(node: Node, rule: str) -> bool:
    """Whether a rule of padding gives the padding and the outputs that a node has."""
    own: Any = node.op
    ruled: Op = replace(own, padding=rule)
    pairs = zip(own.axes(node.in_shapes), ruled.axes(node.in_shapes), strict=True)
    try:
        fits = ruled.shapes(node.in_shapes) == node.out_shapes
    except ShapeError:
        return False
    return fits and all(one.padded == other.padded for one, other in pairs)


def family_of(graph: Graph) -> str:
    """Return the rule of padding that most layers follow."""
    counts = dict.fromkeys(PADDING_RULES, 0)
    for node in graph.nodes:
        padding: Any = getattr(node.op, "padding", None)
        if isinstance(padding, str):
            counts[padding] = counts.get(padding, 0) + 1
        elif padding and any(padding):
            counts["torch"] += 1
    counts.pop("valid", None)
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else "torch"

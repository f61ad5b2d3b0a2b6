"""Walks through a graph: what stands before a node and behind it, and what it can see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from mbprof.checks.model import Subject, Undecided
from mbprof.language.values import Shape
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.base import elements
from mbprof.ops.padding import RULES, effective
from mbprof.symbolic.arithmetic import product

DENSE = ("conv", "linear")
MULTIPLY = ("conv", "dwconv", "linear")
KEEPING = ("bn", "dropout", "identity")
"""Ops that a linear layer can pass through and stay linear."""
NON_NEGATIVE = ("relu", "relu6", "sigmoid", "hsigmoid")
"""Activations that give no negative values."""


def function(node: Node) -> str:
    """Return the activation function of a node, ``none`` of any other op."""
    return str(getattr(node.op, "function", "none")) if node.op.word == "act" else "none"


def has_bias(node: Node) -> bool:
    """Whether a convolution or linear layer adds a bias."""
    return bool(getattr(node.op, "bias", False))


def is_pointwise(node: Node) -> bool:
    """Whether a node is a convolution with a 1x1 kernel."""
    return node.op.word == "conv" and node.op.geometry(node.in_shapes).kernel == (1, 1)


def channels(node: Node) -> tuple[int, int]:
    """Return the channels of a node's first input and output."""
    return _channels(node.in_shapes[0]), _channels(node.out_shapes[0])


def _channels(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]


def area(shape: Shape) -> int:
    """Return H·W of maps, 1 of a vector."""
    return product(shape[1:]) if len(shape) == 3 else 1


def before(graph: Graph, edge: Edge, through: Collection[str]) -> Edge:
    """Return the first edge, upwards, whose producer is not one of some ops of one input."""
    while edge.node != IMAGE:
        node = graph.nodes[edge.node]
        if node.op.word not in through or len(node.inputs) != 1:
            return edge
        edge = node.inputs[0]
    return edge


def producer(graph: Graph, edge: Edge, through: Collection[str] = KEEPING) -> Node | None:
    """Return the node behind an edge, through some ops; None for the image."""
    found = before(graph, edge, through)
    return None if found.node == IMAGE else graph.nodes[found.node]


def behind(subject: Subject, number: int, through: Collection[str] = KEEPING) -> Iterator[int]:
    """Yield the numbers of the nodes that take a node's output, through some ops."""
    for taker in subject.consumers[number]:
        if subject.nodes[taker].op.word in through:
            yield from behind(subject, taker, through)
        else:
            yield taker


def traffic(node: Node) -> int:
    """Return the elements that a node reads and writes, with a folded batch norm."""
    return node.facts.read + node.facts.write


def held(node: Node) -> int:
    """Return the elements of a node's inputs and outputs, which it needs at one time."""
    return elements(node.in_shapes) + elements(node.out_shapes)


def padded(node: Node, axis: int) -> tuple[int, int]:
    """Return the padding of a windowed node before and after, on the axis 0 (H) or 1 (W)."""
    padding = getattr(node.op, "padding", "valid")
    if not isinstance(padding, str):
        return int(padding[2 * axis]), int(padding[2 * axis + 1])
    window = node.op.geometry(node.in_shapes)
    assert window.kernel is not None
    stride, dilation = window.stride or (1, 1), window.dilation or (1, 1)
    n = node.in_shapes[0][1 + axis]
    return RULES[padding].amounts(n, window.kernel[axis], stride[axis], dilation[axis])


def windows(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes with a window that slides over maps."""
    for node in nodes:
        if node.op.windowed and len(node.in_shapes[0]) == 3:
            yield node


class Field(NamedTuple):
    """A receptive field: its height and width, and the steps of the image from one to the next."""

    size: tuple[Fraction, Fraction]
    jump: tuple[Fraction, Fraction]


SPATIAL = ("maxpool", "avgpool", "conv", "dwconv", "pad")
WHOLE = ("gap", "gmp", "adaptiveavgpool", "linear", "matmul", "flatten", "reshape", "softmax")


def receptive_fields(graph: Graph) -> list[Field | None]:
    """Return the receptive field of every node; None where it sees the whole image.

    r += (k_eff - 1)·j, j *= s on each axis; a join takes the largest of its inputs, and a gate
    leaves the field of what it weighs. An op that changes the size divides the step.
    Raises: Undecided: paths of different steps meet.
    Source: google-research/receptive_field, python/util/receptive_field_computation.py.
    """
    one = (Fraction(1), Fraction(1))
    fields: list[Field | None] = []
    for node in graph.nodes:
        known = [Field(one, one) if e.node == IMAGE else fields[e.node] for e in node.inputs]
        seen = [field for field in known if field is not None]
        gated = node.op.word == "mul" and seen
        if node.op.word in WHOLE or not seen or (len(seen) < len(known) and not gated):
            fields.append(None)
            continue
        if len({field.jump for field in seen}) > 1:
            raise Undecided(f"{node.name} joins maps of different steps")
        field = Field(_largest(seen), seen[0].jump)
        if node.op.word == "resize":
            field = _resampled(node, field)
        fields.append(_slid(node, field) if node.op.windowed else field)
    return fields


def _resampled(node: Node, field: Field) -> Field:
    """Return the field behind a change of size; interpolation looks at the next pixel, too."""
    bilinear = getattr(node.op, "mode", "") == "bilinear"
    size, jump = [], []
    for axis in (0, 1):
        size.append(field.size[axis] + (field.jump[axis] if bilinear else 0))
        factor = Fraction(node.in_shapes[0][1 + axis], node.out_shapes[0][1 + axis])
        jump.append(field.jump[axis] * factor)
    return Field((size[0], size[1]), (jump[0], jump[1]))


def _largest(fields: list[Field]) -> tuple[Fraction, Fraction]:
    high, wide = (max(field.size[axis] for field in fields) for axis in (0, 1))
    return high, wide


def _slid(node: Node, field: Field) -> Field:
    window = node.op.geometry(node.in_shapes)
    assert window.kernel is not None
    stride, dilation = window.stride or (1, 1), window.dilation or (1, 1)
    size = [
        field.size[axis] + (effective(window.kernel[axis], dilation[axis]) - 1) * field.jump[axis]
        for axis in (0, 1)
    ]
    jump = [field.jump[axis] * stride[axis] for axis in (0, 1)]
    return Field((size[0], size[1]), (jump[0], jump[1]))

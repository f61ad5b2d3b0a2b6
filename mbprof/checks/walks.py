"""Walks through a graph: what stands before a node and behind it, and what it can see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from mbprof.checks.model import Subject, Undecided
from mbprof.language.fmt import Shape
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops import Op
from mbprof.ops.base import elements
from mbprof.ops.padding import Axis
from mbprof.symbolic.arithmetic import product

Through: TypeAlias = Callable[[Op], bool]
"""Which ops a walk passes through."""


def linear(op: Op) -> bool:
    """Whether a linear layer stays linear behind an op, such as a batch norm."""
    return op.keeps_linear


def around(op: Op) -> bool:
    """Whether an op belongs to the layer before it: an activation, or what keeps it linear."""
    return op.keeps_linear or bool(op.function)


def passes(op: Op) -> bool:
    """Whether an op hands its input on at inference."""
    return op.passes


def activates(node: Node) -> bool:
    """Whether a node is an activation with a function."""
    return node.op.function not in ("", "none")


def is_dense(node: Node) -> bool:
    """Whether a node is a convolution that is not depthwise, or a linear layer."""
    return node.op.multiplies and not node.op.depthwise


def is_convolution(node: Node) -> bool:
    """Whether a node is a convolution, depthwise ones included."""
    return node.op.multiplies and node.op.windowed


def is_pointwise(node: Node) -> bool:
    """Whether a node is a convolution with a 1x1 kernel."""
    return is_dense(node) and node.op.geometry(node.in_shapes).kernel == (1, 1)


def groups(node: Node) -> int:
    """Return the groups of a convolution that is not depthwise, 0 of another op."""
    return node.op.geometry(node.in_shapes).groups or 0 if is_dense(node) else 0


def channels(node: Node) -> tuple[int, int]:
    """Return the channels of a node's first input and output."""
    return _channels(node.in_shapes[0]), _channels(node.out_shapes[0])


def _channels(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]


def area(shape: Shape) -> int:
    """Return H·W of maps, 1 of a vector."""
    return product(shape[1:]) if len(shape) == 3 else 1


def widest(node: Node) -> Edge:
    """Return the input of a node with the largest maps, the first of them."""
    areas = [area(shape) for shape in node.in_shapes]
    return node.inputs[areas.index(max(areas))]


def before(graph: Graph, edge: Edge, through: Through = linear) -> list[Edge]:
    """Return an edge and those above it, through some ops of one input."""
    path = [edge]
    while (node := graph.producer(path[-1])) and through(node.op) and len(node.inputs) == 1:
        path.append(node.inputs[0])
    return path


def producer(graph: Graph, edge: Edge, through: Through = linear) -> Node | None:
    """Return the node behind an edge, through some ops; None for the image."""
    return graph.producer(before(graph, edge, through)[-1])


def behind(subject: Subject, number: int, through: Through = linear) -> Iterator[int]:
    """Yield the numbers of the nodes that take a node's output, through some ops."""
    for taker in subject.consumers[number]:
        if through(subject.nodes[taker].op):
            yield from behind(subject, taker, through)
        else:
            yield taker


def traffic(node: Node) -> int:
    """Return the elements that a node reads and writes, with a folded batch norm."""
    return node.facts.read + node.facts.write


def held(node: Node) -> int:
    """Return the elements of a node's inputs and outputs, which it needs at one time."""
    return elements(node.in_shapes) + elements(node.out_shapes)


def windows(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes with a window that slides over maps."""
    return (node for node in nodes if node.op.windowed)


def along(nodes: Iterable[Node], test: Callable[[Axis], bool]) -> list[tuple[Axis, Node]]:
    """Return the nodes that have an axis of which a test holds, each with the first such axis."""
    first = ((next(filter(test, node.op.axes(node.in_shapes)), None), node) for node in nodes)
    return [(axis, node) for axis, node in first if axis is not None]


class Field(NamedTuple):
    """A receptive field: its height and width, and the steps of the image from one to the next."""

    size: tuple[Fraction, Fraction]
    jump: tuple[Fraction, Fraction]


def receptive_fields(graph: Graph) -> list[Field | None]:
    """Return the receptive field of every node; None where it sees the whole image.

    r += (k_eff - 1)·j, j *= s on each axis; a join takes the largest of its inputs, and a gate
    leaves the field of what it weighs. An op that changes the size divides the step.
    Raises: Undecided: paths of different steps meet.
    Source: google-research/receptive_field, python/util/receptive_field_computation.py.
    """
    pixel = (Fraction(1), Fraction(1))
    fields: list[Field | None] = []
    for node in graph.nodes:
        known = [Field(pixel, pixel) if e.node == IMAGE else fields[e.node] for e in node.inputs]
        seen = [field for field in known if field is not None]
        if node.op.sees_whole or not seen or (len(seen) < len(known) and not node.op.gates):
            fields.append(None)
            continue
        if len({field.jump for field in seen}) > 1:
            raise Undecided(f"{node.name} joins maps of different steps")
        high, wide = (max(field.size[axis] for field in seen) for axis in (0, 1))
        field = Field((high, wide), seen[0].jump)
        if node.op.resamples:
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


def _slid(node: Node, field: Field) -> Field:
    high, wide = node.op.axes(node.in_shapes)
    return Field(
        (
            field.size[0] + (high.extent - 1) * field.jump[0],
            field.size[1] + (wide.extent - 1) * field.jump[1],
        ),
        (field.jump[0] * high.s, field.jump[1] * wide.s),
    )

"""Walks through a graph: what stands before a node and behind it, and what it can see."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias

from mbprof.language.fmt import Shape
from mbprof.network.graph import Edge, Graph, Node
from mbprof.ops import Op
from mbprof.ops.base import STORED
from mbprof.symbolic.arithmetic import product

Through: TypeAlias = Callable[[Op], bool]
"""Which ops a walk passes through."""
LINEAR: Through = attrgetter("keeps_linear")
"""What a linear layer stays linear behind, such as a batch norm."""


def around(op: Op) -> bool:
    """Whether an op belongs to the layer before it: an activation, or what keeps it linear."""
    return op.keeps_linear or bool(op.function)


def activates(node: Node) -> bool:
    """Whether a node is an activation with a function."""
    return node.op.function not in ("", "none")


def is_dense(node: Node) -> bool:
    """Whether a node is a convolution that is not depthwise, or a linear layer."""
    return node.op.multiplies and not node.op.depthwise


def is_pointwise(node: Node) -> bool:
    """Whether a node is a convolution with a 1x1 kernel."""
    return is_dense(node) and node.op.geometry(node.in_shapes).kernel == (1, 1)


def groups(node: Node) -> int:
    """Return the groups of a convolution that is not depthwise, 0 of another op."""
    return node.op.geometry(node.in_shapes).groups or 0 if is_dense(node) else 0


def channels(node: Node) -> tuple[int, int]:
    """Return the channels of a node's first input and output."""
    first, last = node.in_shapes[0], node.out_shapes[0]
    return first[0 if len(first) == 3 else -1], last[0 if len(last) == 3 else -1]


def area(shape: Shape) -> int:
    """Return H·W of maps, 1 of a vector."""
    return product(shape[1:]) if len(shape) == 3 else 1


def widest(node: Node) -> Edge:
    """Return the input of a node with the largest maps, else most elements, the first of them."""
    areas = [(area(shape), product(shape)) for shape in node.in_shapes]
    return node.inputs[areas.index(max(areas))]


def before(graph: Graph, edge: Edge, through: Through = LINEAR) -> list[Edge]:
    """Return an edge and those above it, through some ops of one input."""
    path = [edge]
    while (node := graph.producer(path[-1])) and through(node.op) and len(node.inputs) == 1:
        path.append(node.inputs[0])
    return path


def producer(graph: Graph, edge: Edge, through: Through = LINEAR) -> Node | None:
    """Return the node behind an edge, through some ops; None for the image."""
    return graph.producer(before(graph, edge, through)[-1])


def bends(node: Node) -> bool:
    """Whether a node is no linear map of its input: by its facts, a gate, a product, a norm."""
    product_of_maps = node.facts.mac > 0 and not node.op.multiplies
    own = node.op.normalises and not node.op.folds
    exact = node.facts.compare == node.facts.exp == 0
    return not exact or product_of_maps or own or (node.op.gates and len(set(node.inputs)) > 1)


def made(graph: Graph, edge: Edge) -> Node | None:
    """Return the node that computes what an edge carries, past what only hands on or resizes."""
    while (node := graph.producer(edge)) and len(node.inputs) == 1:
        if any(node.facts[len(STORED) : -2]) and not node.op.resamples:
            break
        edge = node.inputs[0]
    return node


def climb(graph: Graph, edge: Edge, through: Through) -> list[Edge]:
    """Return an edge and those above it, through some ops, of several inputs the widest."""
    path = [edge]
    while (node := graph.producer(path[-1])) and through(node.op) and node.inputs:
        path.append(widest(node))
    return path


def poolings(graph: Graph, edge: Edge) -> list[tuple[Node, int]]:
    """Return the poolings of whole maps that a vector is made from, and how many layers between.

    Empty where anything else makes the vector, too.
    """
    found, seen, ahead = list[tuple[Node, int]](), set[Edge](), [(edge, 0)]
    while ahead:
        edge, layers = ahead.pop()
        node = graph.producer(edge)
        if node is None or not node.inputs:
            return []
        wide, made = node.in_shapes[0], node.out_shapes[0]
        if len(node.inputs) > 1:
            if not node.op.joins or area(made) > 1:
                return []
            ahead += [(above, layers) for above in node.inputs if above not in seen]
            seen.update(node.inputs)
        elif area(wide) > 1 == area(made) and product(made) < product(wide):
            if node.op.multiplies or not node.op.keeps_sign:
                return []
            found.append((node, layers))
        else:
            ahead.append((node.inputs[0], layers + is_dense(node)))
    return found


def traffic(node: Node) -> int:
    """Return the elements that a node reads and writes, with a folded batch norm."""
    return node.facts.read + node.facts.write

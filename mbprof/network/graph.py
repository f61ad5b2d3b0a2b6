"""The graph of a network: ops with their shapes, in execution order; its layers, and folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mbprof.errors import Loc
from mbprof.language.fmt import Shape, Shapes, several, show
from mbprof.ops import OPS, Op
from mbprof.ops.base import Facts
from mbprof.output.model import Brief

if TYPE_CHECKING:
    import networkx

IMAGE = -1
"""The producer of the network's input."""


class Edge(NamedTuple):
    """One output of one node; ``node`` is its number, or IMAGE."""

    node: int
    port: int = 0


class Node(NamedTuple):
    """An op in its place.

    ``layer`` is the row of a report that it belongs to: a convolution's batch norm and activation
    share the convolution's layer. ``block`` is the row of the body or head that it came from and
    ``unit`` the block or op that the row calls. ``call`` is the framework's class or function, and
    ``side`` is set on a path that ends in an output of its own, such as an auxiliary classifier.
    ``trail`` are the places in the spec that led to the node, from the row through the blocks to
    the step itself.
    """

    name: str
    op: Op
    inputs: tuple[Edge, ...]
    in_shapes: Shapes
    out_shapes: Shapes
    layer: str
    block: str
    unit: str
    scope: str
    facts: Facts
    call: str = ""
    side: bool = False
    trail: tuple[Loc, ...] = ()

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.op.word} {' '.join(map(show, self.out_shapes))}>"


_ATTRIBUTES = ("in_shapes", "out_shapes", "layer", "block", "unit", "scope", "facts", "call")


@dataclass(frozen=True, slots=True, repr=False)
class Graph(Brief):
    """Nodes in execution order; every node comes behind those that it takes from."""

    nodes: tuple[Node, ...]
    image: Shape
    outputs: tuple[Edge, ...]

    @property
    def brief(self) -> str:
        """How many nodes there are, and the shapes that they lead from and to."""
        return f"{several(len(self.nodes), 'node')}, {show(self.image)} → {show(self.output_shape)}"

    @property
    def output_shape(self) -> Shape:
        """The shape of the network's output."""
        return self.shape(self.outputs[0])

    def shape(self, edge: Edge) -> Shape:
        """Return the shape that an edge carries."""
        return self.image if edge.node == IMAGE else self.nodes[edge.node].out_shapes[edge.port]

    def producer(self, edge: Edge) -> Node | None:
        """Return the node that an edge comes from, None for the image."""
        return None if edge.node == IMAGE else self.nodes[edge.node]

    def cut(self, output: Edge) -> Graph:
        """Return the part that ``output`` depends on, with it as the only output."""
        kept = {output.node}
        for number in range(len(self.nodes) - 1, -1, -1):
            if number in kept:
                kept.update(edge.node for edge in self.nodes[number].inputs)
        order = sorted(kept - {IMAGE})
        moved = {old: new for new, old in enumerate(order)}

        def renumbered(edges: Iterable[Edge]) -> tuple[Edge, ...]:
            return tuple(Edge(moved.get(node, IMAGE), port) for node, port in edges)

        kept_nodes = [self.nodes[old] for old in order]
        nodes = tuple(node._replace(inputs=renumbered(node.inputs)) for node in kept_nodes)
        return Graph(nodes, self.image, renumbered([output]))

    def unused(self) -> Iterator[Edge]:
        """Yield the outputs of nodes that nobody takes."""
        taken = set(self.outputs).union(*(node.inputs for node in self.nodes))
        for number, node in enumerate(self.nodes):
            for port in range(len(node.out_shapes)):
                if Edge(number, port) not in taken:
                    yield Edge(number, port)

    def to_networkx(self) -> networkx.DiGraph[str]:
        """Return the graph as a networkx DiGraph, one node for each op and one for the input.

        The input is ``input``, with a prime behind it where a layer bears that name.
        Node attributes: ``op``, ``in_shapes``, ``out_shapes``, ``layer``, ``block``, ``unit``,
        ``scope``, ``facts``, ``call``. Edge attribute: ``shape``.
        """
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph()
        names, image = {node.name for node in self.nodes}, "input"
        while image in names:
            image += "'"
        graph.add_node(image, op="input", in_shapes=(), out_shapes=(self.image,))
        for node in self.nodes:
            attributes = {name: getattr(node, name) for name in _ATTRIBUTES}
            graph.add_node(node.name, op=node.op.word, **attributes)
            for edge, shape in zip(node.inputs, node.in_shapes, strict=True):
                made = self.producer(edge)
                graph.add_edge(made.name if made else image, node.name, shape=shape)
        return graph

    def name_of(self, edge: Edge) -> str:
        """Return the name of an edge's producer."""
        node = self.producer(edge)
        return "input" if node is None else node.name


def layers(nodes: Iterable[Node]) -> Iterator[tuple[Node, ...]]:
    """Group nodes, which stand in execution order, into layers."""
    for _, group in groupby(nodes, attrgetter("layer")):
        yield tuple(group)


def fold(graph: Graph) -> Graph:
    """Return the graph with every batch norm folded that alone follows a layer with weights.

    The scale goes into the weights and the shift into the bias, which the layer gets if it has
    none. A norm that follows something else, or a layer that others take from too, stays.
    Source: arXiv:1712.05877, section 3.2.
    """
    taken = Counter(edge.node for node in graph.nodes for edge in node.inputs)
    taken.update(edge.node for edge in graph.outputs)
    nodes = list(graph.nodes)
    for number, node in enumerate(graph.nodes):
        host = node.inputs[0].node if node.op.folds else IMAGE
        if host != IMAGE and taken[host] == 1 and nodes[host].op.multiplies:
            layer = nodes[host]
            op: Any = layer.op
            biased = replace(op, bias=True)
            facts = biased.facts(layer.in_shapes, layer.out_shapes)
            nodes[host] = layer._replace(op=biased, facts=facts)
            gone = OPS["identity"]()
            nodes[number] = node._replace(op=gone, facts=Facts(), call=gone.called)
    return Graph(tuple(nodes), graph.image, graph.outputs)

"""The graph of a network: ops with their shapes, in execution order; its layers, and folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mbprof.errors import Loc
from mbprof.language.fmt import Shape, Shapes, several, show
from mbprof.language.record import NamedTuple, record
from mbprof.ops import OPS, Op
from mbprof.ops.base import Facts
from mbprof.output.model import Brief

if TYPE_CHECKING:
    import networkx

IMAGE = -1
"""The producer of the network's inputs; a port is the number of one."""


class Edge(NamedTuple):
    """One output of one node; ``node`` is its number, or IMAGE."""

    node: int
    port: int = 0


class Image(NamedTuple):
    """An input of the network."""

    name: str
    shape: Shape


class Call(NamedTuple):
    """A block that is called: the number of the call, its name, and the block's arguments.

    ``stated`` are the arguments that the calling step says; the others are the block's defaults.
    """

    number: int
    block: str
    name: str
    arguments: Mapping[str, Any]
    stated: frozenset[str]


class Node(NamedTuple):
    """An op in its place.

    ``layer`` is the row of a report that it belongs to: a convolution's batch norm and activation
    share the convolution's layer. ``block`` is the row of the body or head that it came from and
    ``unit`` the block or op that the row calls. ``call`` is the framework's class or function, and
    ``side`` is set on a path that ends in an output of its own, such as an auxiliary classifier.
    ``trail`` are the places in the spec that led to the node, from the row through the blocks to
    the step itself, and ``calls`` the calls of these blocks. Nodes of one number in ``weights``
    compute with the same stored values, which are among the facts of one of them; of the others
    ``alone`` are the facts with these values.
    ``present`` is 1, or the symbol of a trace that leaves open whether the node is there; its
    facts are multiplied by it.
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
    weights: int | None = None
    alone: Facts | None = None
    present: Any = 1
    calls: tuple[Call, ...] = ()

    @property
    def by_itself(self) -> Node:
        """The node with all stored values that it computes with among its facts."""
        return self if self.alone is None else self._replace(facts=self.alone, alone=None)

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.op.word} {' '.join(map(show, self.out_shapes))}>"


_NONE = Facts()
_ATTRIBUTES = ("in_shapes", "out_shapes", "layer", "block", "unit", "scope", "facts", "call")


@record
class Graph(Brief):
    """Nodes in execution order; every node comes behind those that it takes from.

    The results come first among the outputs, and ``names`` are theirs where a spec names them;
    behind them are the ends of paths aside.
    """

    nodes: tuple[Node, ...]
    images: tuple[Image, ...]
    outputs: tuple[Edge, ...]
    names: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """How many nodes there are, and the shapes that they lead from and to."""
        ends = [image.shape for image in self.images], map(self.shape, self.results)
        came, went = (", ".join(map(show, shapes)) for shapes in ends)
        return f"{several(len(self.nodes), 'node')}, {came} → {went}"

    @property
    def image(self) -> Shape:
        """The shape of the input, of several the first."""
        return self.images[0].shape

    @property
    def results(self) -> tuple[Edge, ...]:
        """The outputs that are named, or else the one where the head ends."""
        return self.outputs[: len(self.names) or 1]

    @property
    def named(self) -> dict[str, Shape]:
        """The shapes of the results that are named."""
        return dict(zip(self.names, map(self.shape, self.results), strict=False))

    @property
    def output_shape(self) -> Shape:
        """The shape of the network's output, of several the first."""
        return self.shape(self.outputs[0])

    def shape(self, edge: Edge) -> Shape:
        """Return the shape that an edge carries."""
        if edge.node == IMAGE:
            return self.images[edge.port].shape
        return self.nodes[edge.node].out_shapes[edge.port]

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
        return Graph(nodes, self.images, renumbered([output]))

    def unused(self) -> Iterator[Edge]:
        """Yield the inputs, and the outputs of nodes, that nobody takes."""
        taken = set(self.outputs).union(*(node.inputs for node in self.nodes))
        yield from {Edge(IMAGE, port) for port in range(len(self.images))} - taken
        for number, node in enumerate(self.nodes):
            for port in range(len(node.out_shapes)):
                if Edge(number, port) not in taken:
                    yield Edge(number, port)

    def to_networkx(self) -> networkx.DiGraph[str]:
        """Return the graph as a networkx DiGraph, one node for each op and one for each input.

        An input is called as in the spec, ``input`` where it is the only one, with a prime behind
        it where a layer bears that name. The graph's attribute ``outputs`` are the results that
        the spec names, each with the node that it comes from.
        Node attributes: ``op``, ``in_shapes``, ``out_shapes``, ``layer``, ``block``, ``unit``,
        ``scope``, ``facts``, ``call``. Edge attribute: ``shape``.
        """
        import networkx

        ends = dict(zip(self.names, map(self.name_of, self.results), strict=False))
        graph: networkx.DiGraph[str] = networkx.DiGraph(outputs=ends)
        for port, image in enumerate(self.images):
            shapes = {"in_shapes": (), "out_shapes": (image.shape,)}
            graph.add_node(self.name_of(Edge(IMAGE, port)), op="input", **shapes)
        for node in self.nodes:
            attributes = {name: getattr(node, name) for name in _ATTRIBUTES}
            graph.add_node(node.name, op=node.op.word, **attributes)
            for edge, shape in zip(node.inputs, node.in_shapes, strict=True):
                graph.add_edge(self.name_of(edge), node.name, shape=shape)
        return graph

    def name_of(self, edge: Edge) -> str:
        """Return the name of an edge's producer, of an input one that no layer bears."""
        node = self.producer(edge)
        if node is not None:
            return node.name
        taken, name = {node.name for node in self.nodes}, self.images[edge.port].name
        while name in taken:
            name += "'"
        return name


def once(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Count weights that several nodes share once: with a node of the body, if there is one.

    A path aside is no such node, where the weights are needed without it.
    """
    order = sorted(range(len(nodes)), key=lambda n: (nodes[n].side, nodes[n].scope != "body"))
    owners: dict[int | None, int] = {}
    for number in order:
        owners.setdefault(nodes[number].weights, number)
    return tuple(
        node
        if node.weights is None or owners[node.weights] == number
        else node._replace(facts=node.facts.again(), alone=node.alone or node.facts)
        for number, node in enumerate(nodes)
    )


def layers(nodes: Iterable[Node]) -> Iterator[tuple[Node, ...]]:
    """Group nodes, which stand in execution order, into layers."""
    for _, group in groupby(nodes, attrgetter("layer")):
        yield tuple(group)


def fold(graph: Graph) -> Graph:
    """Return the graph with every batch norm folded that alone follows a layer with weights.

    The scale goes into the weights and the shift into the bias, which the layer gets if it has
    none. A norm that follows something else, or a layer that others take from too, stays; so does
    one that does not follow all that share the layer's weights, or itself follows more.
    Source: arXiv:1712.05877, section 3.2.
    """
    taken = Counter(edge.node for node in graph.nodes for edge in node.inputs)
    taken.update(edge.node for edge in graph.outputs)
    nodes = list(graph.nodes)
    hosts = {}
    for number, node in enumerate(graph.nodes):
        host = node.inputs[0].node if node.op.folds else IMAGE
        if host != IMAGE and taken[host] == 1 and nodes[host].op.multiplies:
            hosts[number] = host
    gone, biased = OPS["identity"](), cache(_biased)
    for number, host in _alike(nodes, hosts):
        layer = nodes[host]
        op, facts = biased(layer.op, layer.in_shapes, layer.out_shapes)
        nodes[host] = layer._replace(op=op, facts=facts, alone=None)
        norm = nodes[number]._replace(op=gone, facts=_NONE, call=gone.called)
        nodes[number] = norm._replace(weights=None, alone=None)
    return replace(graph, nodes=once(nodes) if hosts else graph.nodes)


def _biased(op: Any, inputs: Shapes, outputs: Shapes) -> tuple[Op, Facts]:
    """Return an op with a bias, and what it costs then."""
    biased = replace(op, bias=True)
    return biased, biased.facts(inputs, outputs)


def _alike(nodes: Sequence[Node], hosts: Mapping[int, int]) -> Iterable[tuple[int, int]]:
    """Return the norms with their hosts, without those whose weights others use otherwise."""
    if all(node.weights is None for node in nodes):
        return hosts.items()
    own = [~n if node.weights is None else node.weights for n, node in enumerate(nodes)]
    uses, kept = Counter(own), dict(hosts)
    while True:
        pairs = Counter((own[norm], own[host]) for norm, host in kept.items())
        wrong = [
            norm for norm, host in kept.items()
            if not uses[own[norm]] == uses[own[host]] == pairs[own[norm], own[host]]
        ]  # fmt: skip
        if not wrong:
            return kept.items()
        for norm in wrong:
            del kept[norm]

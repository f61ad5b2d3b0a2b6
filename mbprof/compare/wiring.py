"""What layers that stand for each other take from: inputs, weights and outputs that moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from mbprof.language.record import NamedTuple, record
from mbprof.network.graph import IMAGE, Edge, Graph, Node, layers

Pairs: TypeAlias = Mapping[int, int]
"""The layer of the new network for a layer of the old one, by number."""


class Origin(NamedTuple):
    """Where a tensor comes from, as far as layers have a counterpart: in numbers of the new ones.

    An origin is ``direct`` if it is itself the output of such a layer, or an input; else it is
    made of those in ``anchors`` by layers that only one network has.
    """

    direct: bool
    anchors: frozenset[tuple[object, int]]

    def same(self, other: Origin) -> bool:
        """Whether two tensors are one, or one that layers were put behind or taken from."""
        if (self.direct and other.direct) or not (self.anchors and other.anchors):
            return self.anchors == other.anchors
        return not self.anchors.isdisjoint(other.anchors)


@record
class Wires:
    """The layers of a graph, and for each node the layer that it belongs to."""

    graph: Graph
    layers: Sequence[Sequence[Node]]
    layer_of: Sequence[int]

    @classmethod
    def of(cls, graph: Graph) -> Wires:
        """Number the layers of a graph in their order."""
        grouped = list(layers(graph.nodes))
        return cls(graph, grouped, [n for n, group in enumerate(grouped) for _ in group])

    def inputs(self, layer: int) -> tuple[Edge, ...]:
        """Return what a layer takes from other layers."""
        taken = (edge for node in self.layers[layer] for edge in node.inputs)
        return tuple(e for e in taken if e.node == IMAGE or self.layer_of[e.node] != layer)

    def holder(self, layer: int) -> int:
        """Return the first layer that has the same weights, itself if there is none."""
        keys = (node.weights for node in self.layers[layer] if node.weights is not None)
        return min((self.layer_of[key] for key in keys), default=layer)

    def name(self, edge: Edge) -> str:
        """Name where an edge comes from: a layer, of several outputs with the number of one."""
        if edge.node == IMAGE:
            return self.graph.name_of(edge)
        node = self.graph.nodes[edge.node]
        return f"{node.layer}:{edge.port}" if node.out_shapes[1:] else node.layer

    def origins(self, paired: Pairs) -> list[Origin]:
        """Return the origin of each layer's first output; ``paired`` numbers the layers anew."""
        found: list[Origin] = []
        for layer in range(len(self.layers)):
            if layer in paired:
                found.append(Origin(True, frozenset({(paired[layer], 0)})))
                continue
            before = (self.origin(edge, found).anchors for edge in self.inputs(layer))
            found.append(Origin(False, frozenset().union(*before)))
        return found

    def origin(self, edge: Edge, found: Sequence[Origin]) -> Origin:
        """Return the origin of an edge, from those of all layers."""
        if edge.node == IMAGE:
            name = self.graph.images[edge.port].name if self.graph.images[1:] else ""
            return Origin(True, frozenset({(name, 0)}))
        direct, anchors = found[self.layer_of[edge.node]]
        if direct:
            anchors = frozenset((number, edge.port) for number, _ in anchors)
        return Origin(direct, anchors)


@record
class Moves:
    """What moved: sentences by the number of the new layer, and the outputs' origins by name."""

    layers: Mapping[int, tuple[str, ...]]
    outputs: Mapping[str, tuple[str | None, str | None]]


def moves(old: Graph, new: Graph, pairs: Iterable[tuple[int, int]]) -> Moves:
    """Say which of the layers that stand for each other take from elsewhere, or share weights.

    Layers that were put between two or taken away move nothing; where a sum or a product takes
    the same tensors in another order, nothing moved either.
    """
    a, b, paired = Wires.of(old), Wires.of(new), dict(pairs)
    before, after = a.origins(paired), b.origins({n: n for n in paired.values()})
    said: dict[int, tuple[str, ...]] = {}
    for i, j in paired.items():
        op = b.layers[j][0].op
        ends = [(e, a.origin(e, before)) for e in a.inputs(i)]
        others = [(e, b.origin(e, after)) for e in b.inputs(j)]
        what: tuple[str, ...] = ()
        if len(ends) != len(others):
            what = (f"inputs {len(ends)} → {len(others)}",)
        else:
            moved = _moved(ends, others, op.joins and op.elementwise)
            what = tuple(f"from {a.name(x)} → {b.name(y)}" for x, y in moved)
        first, second = a.holder(i), b.holder(j)
        if paired.get(first) != second and (first, second) != (i, j):
            words = (_weights(wires, n, own) for wires, n, own in ((a, first, i), (b, second, j)))
            what += (f"weights {' → '.join(words)}",)
        if what:
            said[j] = what
    return Moves(said, _outputs((a, before), (b, after)))


def _weights(wires: Wires, holder: int, layer: int) -> str:
    return "its own" if holder == layer else f"of {wires.layers[holder][0].layer}"


Ends: TypeAlias = Sequence[tuple[Edge, Origin]]


def _moved(old: Ends, new: Ends, unordered: bool) -> list[tuple[Edge, Edge]]:
    """Return the inputs that are not the same, those of one network with those of the other."""
    if not unordered:
        pairs = zip(old, new, strict=True)
        return [(x, y) for (x, one), (y, other) in pairs if not one.same(other)]
    rest, gone = list(new), []
    for x, one in old:
        match = next((n for n, (_, other) in enumerate(rest) if one.same(other)), None)
        if match is None:
            gone.append(x)
        else:
            del rest[match]
    return [(x, y) for x, (y, _) in zip(gone, rest, strict=True)]


def _outputs(
    old: tuple[Wires, Sequence[Origin]], new: tuple[Wires, Sequence[Origin]]
) -> dict[str, tuple[str | None, str | None]]:
    """Return the outputs that come from elsewhere, with what they came and come from."""
    before, after = (
        {
            name: (wires.name(edge), wires.origin(edge, found))
            for name, edge in zip(
                wires.graph.names or ("",), wires.graph.results, strict=True
            )
        }
        for wires, found in (old, new)
    )  # fmt: skip
    moved = {}
    for name in {**before, **after}:
        (x, one), (y, other) = before.get(name, (None, None)), after.get(name, (None, None))
        if one is None or other is None or not one.same(other):
            moved[name] = x, y
    return moved

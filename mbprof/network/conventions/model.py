"""What a convention is: what it counts, by weight or by formula, and what a formula can ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mbprof.errors import ExpressionError, SpecError
from mbprof.language.expr import Expr
from mbprof.language.values import Shape
from mbprof.network.graph import Graph, Node, fold
from mbprof.ops import OPS, elements
from mbprof.ops.facts import FACTS, Facts, total
from mbprof.symbolic.arithmetic import added, is_whole, product

UNITS = {"macs": "MACs", "flops": "FLOPs"}
"""What a convention can count, with the unit as it is printed."""

SIDE = {
    "all": "paths that end in an output of their own are counted as any other",
    "params": "of them only stored values are counted, because the tool runs the network without",
    "none": "they are not counted at all",
}
"""What a convention does with auxiliary outputs."""


def _maps(shape: Shape) -> tuple[int, int, int]:
    """Return a shape as C, H, W; a vector is one pixel, tokens are rows of one column."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return shape[-1], product(shape[:-1]), 1


QUANTITIES: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "in": ("elements of the first input", lambda node: product(node.in_shapes[0])),
    "in.c": ("channels of the first input", lambda node: _maps(node.in_shapes[0])[0]),
    "in.h": ("height of the same", lambda node: _maps(node.in_shapes[0])[1]),
    "in.w": ("width of the same", lambda node: _maps(node.in_shapes[0])[2]),
    "out": ("elements of all outputs", lambda node: elements(node.out_shapes)),
    "out.c": ("channels of the first output", lambda node: _maps(node.out_shapes[0])[0]),
    "out.h": ("height of the same", lambda node: _maps(node.out_shapes[0])[1]),
    "out.w": ("width of the same", lambda node: _maps(node.out_shapes[0])[2]),
    "inputs": ("how many inputs there are", lambda node: len(node.in_shapes)),
    "window": (
        "elements of the window, 1 if there is none",
        lambda node: product(node.op.geometry(node.in_shapes).kernel or ()),
    ),
    "covered": (
        "elements that the windows of an average pooling hold together, without padding",
        lambda node: node.op.covered(node.in_shapes, node.out_shapes),
    ),
    "params": ("all stored values", lambda node: node.facts.params),
    "trainable": ("stored values that training changes", lambda node: node.facts.trainable),
}
"""The quantities besides the kinds of facts, with their meaning."""

FIELDS = {key: letter for op in OPS.values() for key, letter in op.letters.items() if len(key) > 1}
"""Keys of ops that a formula can ask for, such as ``bias`` or ``mode``."""

NAMES = {**FACTS, **{name: doc for name, (doc, _) in QUANTITIES.items()}, **FIELDS}
"""Every name that a formula knows."""


class NodeNames(dict[str, Any]):
    """The names of a formula for one node, computed when they are asked for.

    A name that the node's op has no field for is not in sight.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __iter__(self) -> Iterator[str]:
        """Yield every name in sight, for the hint of an error."""
        fields = (key for key in self.node.op.letters if key in FIELDS)
        yield from (*FACTS, *QUANTITIES, *fields)

    def __missing__(self, name: str) -> Any:
        node = self.node
        if name in FACTS:
            value = getattr(node.facts, name)
        elif name in QUANTITIES:
            value = QUANTITIES[name][1](node)
        elif (letter := node.op.letters.get(name)) is not None:
            value = getattr(node.op, letter.attribute)
        else:
            raise KeyError(name)
        self[name] = value
        return value


class Count(NamedTuple):
    """What a convention counts: stored values, and a number for each of its measures."""

    params: int
    costs: tuple[int, ...]

    @property
    def cost(self) -> int:
        """The number of the first measure, 0 for a convention that counts no cost."""
        return self.costs[0] if self.costs else 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum: kinds of facts with their weights, or a formula for each op, function or call."""

    weights: Mapping[str, int]
    rules: Mapping[str, Expr]

    def of(self, nodes: Iterable[Node], facts: Facts) -> int:
        """Return the sum over nodes, whose facts together are ``facts``.

        Raises: ExpressionError, SpecError: a formula has no whole value for a node.
        """
        if not self.rules:
            return sum(weight * getattr(facts, kind) for kind, weight in self.weights.items())
        return added(self._cost(node) for node in nodes)

    def _cost(self, node: Node) -> int:
        rule = self.rule(node)
        if rule is None:
            return 0
        try:
            value: Any = rule(NodeNames(node))
        except ExpressionError as error:
            raise error.through(f"for {node.name}, {node.call} ({node.op.word})") from None
        if not is_whole(value):
            message = f"{node.name} costs {value}, which is not a whole number"
            raise SpecError(message, rule.scalar.loc)
        return value

    def rule(self, node: Node) -> Expr | None:
        """Return the formula that holds for a node: its call's, its function's or its op's."""
        keys = (node.call, node.op.function, node.op.word)
        return next((self.rules[key] for key in keys if key in self.rules), None)


@dataclass(frozen=True, slots=True)
class Convention:
    """A way of counting: a view of facts, with the tool that counts like this.

    ``measures`` are the costs that the tool prints, ``macs``, ``flops``, both or none; the first
    has the convention's unit. ``faults`` are the tool's known errors that are reproduced.
    """

    name: str
    doc: str
    tool: str
    source: str
    params: Measure
    measures: Mapping[str, Measure]
    side: str = "all"
    folds: bool = False
    faults: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of the cost, ``MACs`` or ``FLOPs``; empty if there is no cost."""
        return UNITS[next(iter(self.measures))] if self.measures else ""

    def named(self, costs: tuple[int, ...]) -> dict[str, int]:
        """Return costs by the names of their measures, ``macs`` or ``flops``."""
        return dict(zip(self.measures, costs, strict=True))

    def view(self, graph: Graph) -> Graph:
        """Return the graph as the convention sees it: folded, if it counts folded networks."""
        return fold(graph) if self.folds else graph

    def count(self, nodes: Sequence[Node], facts: Facts | None = None) -> Count:
        """Return what nodes of a viewed graph cost; ``facts`` is their sum, if it is known.

        Raises: ExpressionError, SpecError: a formula has no whole value for a node.

        >>> from mbprof import load
        >>> from mbprof.network.conventions import load as convention
        >>> graph = load("mobilenet_v2").build().compiled
        >>> convention("kernels").count(graph.nodes).params
        3471040
        """
        costed = nodes
        if self.side != "all" and any(node.side for node in nodes):
            costed = [node for node in nodes if not node.side]
            facts = None
        stored = costed if self.side == "none" else nodes
        # Rules ask each node; only weights need the sum of all facts.
        weighs = any(measure.weights for measure in (self.params, *self.measures.values()))
        both = facts or (total(node.facts for node in stored) if weighs else Facts())
        params = self.params.of(stored, both)
        if costed is not stored and weighs:
            both = total(node.facts for node in costed)
        return Count(params, tuple(measure.of(costed, both) for measure in self.measures.values()))

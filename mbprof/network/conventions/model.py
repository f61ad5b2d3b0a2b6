"""What a convention is: which stored values it counts, and what each op costs by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mbprof.errors import ExpressionError, SpecError
from mbprof.language.expr import Expr
from mbprof.network.conventions.quantities import NodeNames
from mbprof.network.folding import fold
from mbprof.network.graph import Graph, Node
from mbprof.ops.base import Facts, total
from mbprof.symbolic.arithmetic import added, is_whole

UNITS = {"macs": "MACs", "flops": "FLOPs"}
"""What a convention can count, with the unit as it is printed."""

SIDE = {
    "all": "paths that end in an output of their own are counted as any other",
    "params": "of them only stored values are counted, because the tool runs the network without",
    "none": "they are not counted at all",
}
"""What a convention does with auxiliary outputs."""


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
        rules = self.rules
        for key in (node.call, node.op.function, node.op.word):
            if key in rules:
                return rules[key]
        return None


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
        by_weight = self.params.weights or any(
            measure.weights for measure in self.measures.values()
        )
        both = facts if facts is not None or not by_weight else total(n.facts for n in stored)
        params = self.params.of(stored, both or Facts())
        if costed is not stored and by_weight:
            both = total(node.facts for node in costed)
        costs = tuple(measure.of(costed, both or Facts()) for measure in self.measures.values())
        return Count(params, costs)

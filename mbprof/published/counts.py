"""Every count that a network has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mbprof.network import conventions
from mbprof.network.conventions import Convention, Count
from mbprof.network.folding import fold
from mbprof.network.graph import Graph
from mbprof.ops.base import total
from mbprof.symbolic.arithmetic import added


class Counted(NamedTuple):
    """One of the numbers that a network has: the convention, the scope, what, and folded or not."""

    convention: str
    scope: str
    quantity: str
    folded: bool
    unit: str


def countings(scopes: Sequence[str], quantities: Sequence[str]) -> list[Counted]:
    """Return every way to count a network, in the order of `counts`."""
    ways = []
    for name in conventions.names():
        convention = conventions.load(name)
        for scope in scopes:
            for folded in (False, True):
                if "params" in quantities:
                    ways.append(Counted(name, scope, "params", folded, "params"))
                if "cost" in quantities:
                    units = (conventions.UNITS[measure] for measure in convention.measures)
                    ways += [Counted(name, scope, "cost", folded, unit) for unit in units]
    return ways


def counts(graph: Graph, scopes: Sequence[str], quantities: Sequence[str]) -> list[Any]:
    """Return all counts of a graph, by convention, scope, folding and quantity."""
    values: list[Any] = []
    plain, folded = _Parts(graph), _Parts(fold(graph))
    for name in conventions.names():
        convention = conventions.load(name)
        # Folding what is folded changes nothing.
        views = [folded.counts(convention)] * 2 if convention.folds else None
        views = views or [parts.counts(convention) for parts in (plain, folded)]
        for scope in scopes:
            for parts in views:
                inside = [count for part, count in parts.items() if scope in ("all", part)]
                if "params" in quantities:
                    values.append(added(count.params for count in inside))
                if "cost" in quantities:
                    values += map(added, zip(*(count.costs for count in inside), strict=True))
    return values


class _Parts:
    """The body and the head of a graph: they share no node, so that scopes are sums of them."""

    def __init__(self, graph: Graph) -> None:
        scopes = dict.fromkeys(("body", *(node.scope for node in graph.nodes)))
        self.nodes = {scope: [n for n in graph.nodes if n.scope == scope] for scope in scopes}
        self.facts = {scope: total(n.facts for n in nodes) for scope, nodes in self.nodes.items()}

    def counts(self, convention: Convention) -> dict[str, Count]:
        """Return what a convention, which sees the graph as it is, counts of each part."""
        return {
            scope: convention.count(nodes, self.facts[scope]) for scope, nodes in self.nodes.items()
        }

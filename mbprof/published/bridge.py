"""From one convention to another, line by line: what the two count differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mbprof.language import fmt
from mbprof.network.conventions import Convention, Measure
from mbprof.network.graph import Graph, Node
from mbprof.network.rows import within
from mbprof.ops.base import STORED, Facts
from mbprof.output.model import line

QUANTITIES = ("cost", "params")

_NOTHING = Measure({}, {})
_NO_RULE, _NOT_RUN = "–", "not run"


class Tally(NamedTuple):
    """What one convention counts of a network; ``costs`` are its measures, none or several."""

    convention: Convention
    params: int
    costs: tuple[int, ...]

    def __repr__(self) -> str:
        cost = f", {self.value:,} {self.convention.unit}" if self.value is not None else ""
        return line(self, f"{self.convention.name}: {self.params:,} params{cost}")

    @property
    def value(self) -> int | None:
        """The cost in the convention's unit, None if it counts none."""
        return self.costs[0] if self.costs else None


class BridgeLine(NamedTuple):
    """A step of a bridge: what is counted differently, in which layers, and by how much.

    ``before`` and ``after`` are the rules of the two conventions; differences of all lines add up
    to the difference of the totals.
    """

    what: str
    call: str
    before: str
    after: str
    layers: tuple[str, ...]
    difference: int

    def __repr__(self) -> str:
        said = f"{self.before} → {self.after}, {fmt.signed(self.difference)}"
        return line(self, f"{self.what}: {said}")


class Bridge(NamedTuple):
    """From one convention's total to another's."""

    quantity: str
    first: Tally
    last: Tally
    lines: tuple[BridgeLine, ...]

    def __repr__(self) -> str:
        names = self.first.convention.name, self.last.convention.name
        first, last = (f"{n:,} ({name})" for n, name in zip(self.ends, names, strict=True))
        return line(self, f"{self.quantity}: {first} → {last}")

    @property
    def ends(self) -> tuple[int, int]:
        """The totals that the bridge leads from and to."""
        if self.quantity == "params":
            return self.first.params, self.last.params
        return self.first.value or 0, self.last.value or 0


def tally(graph: Graph, convention: Convention, scope: str, facts: Facts | None = None) -> Tally:
    """Return what a convention counts of a graph within a scope, whose facts may be known."""
    known = facts if not convention.folds else None
    count = convention.count(within(convention.view(graph), scope), known)
    return Tally(convention, count.params, count.costs)


def bridge(graph: Graph, scope: str, before: Convention, after: Convention, of: str) -> Bridge:
    """Reconcile two conventions: ``of`` is cost or params; the lines add up exactly.

    From MACs to FLOPs the first line doubles the whole, and the rest is compared with twice the
    first; from FLOPs to MACs it is the same bridge, walked backwards.
    """
    first, last = (tally(graph, convention, scope) for convention in (before, after))
    units = (before.unit, after.unit) if of == "cost" else ()
    if units == ("FLOPs", "MACs"):
        back = bridge(graph, scope, after, before, of)
        lines = [
            line._replace(before=line.after, after=line.before, difference=-line.difference)
            for line in reversed(back.lines)
        ]
    elif of == "params" and not (before.params.rules or after.params.rules):
        lines = list(_by_kind(graph, scope, before, after))
    elif units == ("MACs", "FLOPs"):
        doubled = f"2 FLOPs for a MAC; the rules of {before.name} are doubled"
        unit = BridgeLine("unit", "", "MACs", doubled, (), first.value or 0)
        lines = [unit, *_by_rule(graph, scope, before, after, of, 2)]
    else:
        lines = _by_rule(graph, scope, before, after, of, 1)
    return Bridge(of, first, last, tuple(lines))


def _by_kind(
    graph: Graph, scope: str, before: Convention, after: Convention
) -> Iterator[BridgeLine]:
    """Yield a line for each kind of stored values that the two count differently."""
    sides = (before, after)
    pairs = list(zip(*(within(side.view(graph), scope) for side in sides), strict=True))
    for kind, doc in STORED.items():
        weights = [side.params.weights.get(kind, 0) for side in sides]
        layers: dict[str, int] = {}
        for nodes in pairs:
            first, last = (
                0 if node.side and side.side == "none" else weight * getattr(node.facts, kind)
                for node, side, weight in zip(nodes, sides, weights, strict=True)
            )
            layers[nodes[0].layer] = layers.get(nodes[0].layer, 0) + last - first
        if sum(layers.values()):
            rules = [str(weight) if weight else _NO_RULE for weight in weights]
            yield _line(layers, kind.replace("_", " "), doc, *rules)


def _by_rule(
    graph: Graph, scope: str, before: Convention, after: Convention, of: str, factor: int
) -> list[BridgeLine]:
    """Return a line for each op and pair of rules that count it differently, the largest first."""
    groups: dict[tuple[str, str, str, str], dict[str, int]] = {}
    seen_before, seen_after = (
        {node.name: node for node in within(convention.view(graph), scope)}
        for convention in (before, after)
    )
    for node in within(graph, scope):
        first, said = _counted(before, seen_before[node.name], of)
        last, rule = _counted(after, seen_after[node.name], of)
        if last != factor * first:
            if factor > 1 and said not in (_NO_RULE, _NOT_RUN):
                said = f"{factor} × ({said})"
            function = getattr(node.op, "function", "")
            key = (f"{node.op.word} {function}".strip(), node.call, said, rule)
            layers = groups.setdefault(key, {})
            layers[node.layer] = layers.get(node.layer, 0) + last - factor * first
    lines = [_line(layers, *key) for key, layers in groups.items()]
    return sorted(lines, key=lambda line: -abs(line.difference))


def _line(layers: dict[str, int], what: str, call: str, before: str, after: str) -> BridgeLine:
    changed = tuple(layer for layer, difference in layers.items() if difference)
    return BridgeLine(what, call, before, after, changed, sum(layers.values()))


def _counted(convention: Convention, node: Node, of: str) -> tuple[int, str]:
    """Return what a convention counts for one node, and the rule that says so."""
    dropped = ("none",) if of == "params" else ("none", "params")
    if node.side and convention.side in dropped:
        return 0, _NOT_RUN
    costs = iter(convention.measures.values())
    measure = convention.params if of == "params" else next(costs, _NOTHING)
    count = measure.of([node], node.facts)
    if measure.rules:
        rule = measure.rule(node)
        return count, rule.scalar.text if rule is not None else _NO_RULE
    weighed = [
        kind if weight == 1 else f"{weight} * {kind}"
        for kind, weight in measure.weights.items()
        if getattr(node.facts, kind)
    ]
    return count, " + ".join(weighed) or _NO_RULE

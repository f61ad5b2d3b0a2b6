"""All conventions side by side, or two of them reconciled, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, overload

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.language.record import NamedTuple, record
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Measure
from mbprof.network.graph import Graph, Node, fold
from mbprof.network.load import SpecLike, as_network
from mbprof.network.profile import heading, incomplete, lacking
from mbprof.network.rows import stored, within
from mbprof.ops.base import STORED, Facts, total
from mbprof.output import Column, Note, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.published.printed import COLUMNS, RUN, Printed, beside
from mbprof.spec.knobs import typed
from mbprof.spec.sections import chosen_scope

if TYPE_CHECKING:
    from mbprof.published.origins import Origins

QUANTITIES = ("cost", "params")

_NOTHING = Measure({}, {})
_NO_RULE, _NOTRUN = "–", "not run"


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

    def row(self, base: int | None) -> dict[str, Any]:
        """Return the tally as a row, with its cost over that of the default convention."""
        return {
            "name": self.convention.name,
            "params": self.params,
            "value": self.value,
            "unit": self.convention.unit,
            "ratio": round(self.value / base, 6) if self.value is not None and base else None,
            "tool": self.convention.span,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the tally as plain data."""
        named = self.convention.named(self.costs)
        unit = self.convention.unit or None
        return {"params": self.params, "value": self.value, "unit": unit, **named}


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

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """A row for each line."""
        return tuple(
            {"quantity": self.quantity, **line._asdict(), "layers": len(line.layers) or None}
            for line in self.lines
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the bridge as plain data."""
        return {
            "from": self.first.convention.name,
            "to": self.last.convention.name,
            **dict(zip(("first", "last"), self.ends, strict=True)),
            "lines": [{**line._asdict(), "layers": list(line.layers)} for line in self.lines],
        }


def tally(graph: Graph, convention: Convention, scope: str, facts: Facts | None = None) -> Tally:
    """Return what a convention counts of a graph within a scope, whose facts may be known."""
    nodes = within(convention.view(graph), scope)
    count = convention.count(nodes, None if convention.folds else facts)
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
            if factor > 1 and said not in (_NO_RULE, _NOTRUN):
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
        return 0, _NOTRUN
    costs = iter(convention.measures.values())
    measure = convention.params if of == "params" else next(costs, _NOTHING)
    counted = [node.by_itself] if of == "cost" else [node] * (node.alone is None)
    count = measure.of(counted, total(node.facts for node in counted))
    if measure.rules:
        rule = measure.rule(node)
        return count, rule.scalar.text if rule is not None else _NO_RULE
    weighed = [
        kind if weight == 1 else f"{weight} * {kind}"
        for kind, weight in measure.weights.items()
        if getattr(node.facts, kind)
    ]
    return count, " + ".join(weighed) or _NO_RULE


@record
class Explanation(Result):
    """A network by every convention, and bridges between two of them if they were asked for."""

    spec: str
    knobs: Mapping[str, Value]
    scope: str
    tallies: tuple[Tally, ...]
    facts: Facts
    folded: int
    bridges: tuple[Bridge, ...] = ()
    changed: tuple[str, ...] = ()
    """The knobs that were turned away from their defaults."""
    printed: Mapping[str, Printed] = field(default_factory=dict)
    """What counters said of the live module, by the convention that reproduces each."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """How many ops there are whose cost is not known, by their kind."""

    def report(self, layout: str = "page") -> Report:
        """Lay all conventions out side by side, or the bridges between two of them.

        Where people read, each bridge is a table; data is one, which names the quantity.
        """
        title = heading(self.spec, self.knobs, self.changed)
        data = self.to_dict()
        if self.bridges and layout == "data":
            rows = tuple(row for bridge in self.bridges for row in bridge.rows)
            return Report(f"{title}, bridges", (_QUANTITY, *_BRIDGE), rows, data)
        if self.bridges:
            columns = _telling(self.bridges)
            cost, params = (_bridge_report(title, columns, bridge) for bridge in self.bridges)
            lacks = incomplete(self.missing)
            return replace(cost, data=data, more=(params,), notes=(*cost.notes, *lacks))
        costs = {tally.convention.name: tally.value for tally in self.tallies}
        counts = {kind: getattr(self.facts, kind) for kind in STORED}
        said = ", ".join(
            f"{fmt.integer(n)} {kind.replace('_', ' ')}" for kind, n in counts.items() if n
        )
        shown = [t for t in self.tallies if not self.printed or t.convention.name in self.printed]
        base = costs[conventions.DEFAULT]
        return Report(
            title=f"{title}, scope {self.scope}, by every convention",
            columns=RUN if self.printed else COLUMNS,
            rows=tuple(beside(tally.row(base), self.printed) for tally in shown),
            data=data,
            listed="conventions",
            notes=(
                *incomplete(self.missing),
                f"Params: {said}; {fmt.integer(self.facts.trainable)} are trained, "
                f"{fmt.integer(self.folded)} are left with batch norms folded.",
                Note(
                    f"{_MAC} mbprof explain SPEC --from A --to B reconciles two of them.",
                    f'{_MAC} explain(network, before="A", after="B") reconciles two of them.',
                ),
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, as ``mbprof explain --format json`` prints it."""
        data: dict[str, Any] = {
            **stamp(self.spec, self.knobs, self.scope),
            "conventions": {tally.convention.name: tally.to_dict() for tally in self.tallies},
            "params": {**stored(self.facts), "params_folded": self.folded},
            **({"incomplete": dict(self.missing)} if self.missing else {}),
        }
        for name, printed in self.printed.items():
            data["conventions"][name]["printed"] = printed._asdict()
        if self.bridges:
            data["bridges"] = {bridge.quantity: bridge.to_dict() for bridge in self.bridges}
        return data


@overload
def explain(
    spec: SpecLike,
    number: None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    **knobs: Value,
) -> Explanation: ...
@overload
def explain(
    spec: SpecLike | Sequence[SpecLike] | None,
    number: str | int,
    *,
    scope: str | None = None,
    before: None = None,
    after: None = None,
    **knobs: Value,
) -> Origins: ...
def explain(
    spec: SpecLike | Sequence[SpecLike] | None,
    number: str | int | None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    **knobs: Value,
) -> Explanation | Origins:
    """Count a network by every convention; with ``before`` and ``after``, reconcile these two.

    With a ``number``, find out which ways to count give it, for a network, for one of several, or,
    where ``spec`` is None, for one of the zoo.

    Raises: UsageError: no such spec, scope or convention; or the number cannot be read.
    MbprofError: the spec makes no network at these values.

    >>> found = explain("mobilenet_v2@torchvision", before="kernels", after="fvcore").bridges[0]
    >>> found
    <Bridge cost: 300,774,272 (kernels) → 314,193,216 (fvcore)>
    >>> [(line.what, line.difference) for line in found.lines]
    [('bn', 13356224), ('gap', 62720)]
    >>> explain("mobilenet_v1", number="569M").origins[0].value
    568741376
    """
    if number is not None:
        from mbprof.published.origins import origins

        if before is not None or after is not None:
            raise UsageError("give either --number, or --from and --to")
        return origins(spec, str(number), typed(knobs), scope)
    network = as_network(spec, **knobs)
    chosen, graph = chosen_scope(scope, network.definition.scope), network.compiled
    ends = [name for name in (before, after) if name is not None]
    facts = total(node.facts for node in within(graph, chosen))
    bridges: tuple[Bridge, ...] = ()
    if ends:
        first, last = (conventions.load(name or conventions.DEFAULT) for name in (before, after))
        bridges = tuple(bridge(graph, chosen, first, last, quantity) for quantity in QUANTITIES)
    counted = map(conventions.load, dict.fromkeys((*conventions.names(), *ends)))
    return Explanation(
        network.definition.name,
        network.knobs,
        chosen,
        tuple(tally(graph, convention, chosen, facts) for convention in counted),
        facts,
        total(node.facts for node in within(fold(graph), chosen)).params,
        bridges,
        network.changed,
        missing=lacking(graph, chosen),
    )


_MAC = "A MAC is one multiplication with its addition; a FLOP is either."
_QUANTITY = Column("quantity", "quantity", "cost or params")
_BRIDGE = (
    Column("what", "of", "the op, or the kind of stored value", shrinks=True),
    Column("call", "call", "what the library calls for it", yields=3, wraps=True),
    Column("layers", "layers", "in how many layers", fmt.integer, True),
    Column("before", "from", "the rule of the first", wraps=True, yields=1),
    Column("after", "to", "the rule of the second", wraps=True, yields=1),
    Column("difference", "difference", "how much is added", fmt.signed, True),
)


def _telling(bridges: Sequence[Bridge]) -> tuple[Column, ...]:
    """Return the columns of bridges, of which those never yield without which rows look alike."""
    keys = ["what"]
    for name in ("call", "before", "after"):
        shown = [tuple(row[key] for key in keys) for each in bridges for row in each.rows]
        keys += [name] if len(set(shown)) < len(shown) else []
    return tuple(replace(column, tells=column.name in keys[1:]) for column in _BRIDGE)


def _bridge_report(title: str, columns: tuple[Column, ...], bridge: Bridge) -> Report:
    first, last = bridge.ends
    sides = (bridge.first.convention, bridge.last.convention)
    lead = []
    for convention, end in zip(sides, bridge.ends, strict=True):
        unit = "params" if bridge.quantity == "params" else convention.unit
        said = f"{fmt.integer(end)} {unit}" if unit else "counts no cost"
        lead.append(f"{convention.name}: {said}")
    faults = (f"{side.name}: {fault}." for side in sides for fault in side.faults)
    return Report(
        title=f"{title}, {bridge.quantity} from {sides[0].name} to {sides[1].name}",
        columns=columns,
        rows=bridge.rows,
        data=None,
        total={"what": "difference", "difference": last - first} if bridge.lines else None,
        notes=tuple(faults) if bridge.quantity == "cost" else (),
        lead=tuple(lead if first != last else [*lead, "They agree."]),
    )

"""All conventions side by side, and the bridge from one to another, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.values import Value
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Measure
from mbprof.network.folding import fold
from mbprof.network.given import SpecLike, as_network
from mbprof.network.graph import Graph, Node
from mbprof.network.profile import heading
from mbprof.network.rows import stored, within
from mbprof.ops.facts import STORED, Facts, total
from mbprof.output import Column, Note, Report
from mbprof.output.result import Brief, Result
from mbprof.output.stamp import stamp
from mbprof.published.origins import Origins, origins
from mbprof.spec.claims import chosen_scope
from mbprof.spec.knobs import typed

QUANTITIES = ("cost", "params")


class View(NamedTuple):
    """What one convention says of a network; ``costs`` are its measures, none or several."""

    convention: Convention
    params: int
    costs: tuple[int, ...]

    @property
    def value(self) -> int | None:
        """The cost in the convention's unit, None if it counts none."""
        return self.costs[0] if self.costs else None

    def to_dict(self) -> dict[str, Any]:
        """Return the view as plain data."""
        return {
            "params": self.params,
            "value": self.value,
            "unit": self.convention.unit or None,
            **self.convention.named(self.costs),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Line(Brief):
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

    @property
    def brief(self) -> str:
        """What is counted differently, and by how much."""
        return f"{self.what}: {self.before} → {self.after}, {fmt.signed(self.difference)}"


@dataclass(frozen=True, slots=True, repr=False)
class Bridge(Brief):
    """From one convention's total to another's."""

    quantity: str
    first: View
    last: View
    lines: tuple[Line, ...]

    @property
    def brief(self) -> str:
        """The quantity, and both totals with their conventions."""
        names = self.first.convention.name, self.last.convention.name
        ends = (f"{fmt.integer(n)} ({name})" for n, name in zip(self.ends, names, strict=True))
        return f"{self.quantity}: {' → '.join(ends)}"

    @property
    def ends(self) -> tuple[int, int]:
        """The totals that the bridge leads from and to."""
        if self.quantity == "params":
            return self.first.params, self.last.params
        return self.first.value or 0, self.last.value or 0


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(Result):
    """A network by every convention, and bridges between two of them if they were asked for."""

    spec: str
    knobs: Mapping[str, Value]
    scope: str
    views: tuple[View, ...]
    facts: Facts
    folded: int
    bridges: tuple[Bridge, ...] = ()
    changed: tuple[str, ...] = ()
    """The knobs that were turned away from their defaults."""

    def report(self, layout: str = "page") -> Report:
        """Lay all conventions out side by side, or the bridges between two of them."""
        return explanation_report(self, layout)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, as ``mbprof explain --format json`` prints it."""
        data: dict[str, Any] = {
            **stamp(self.spec, self.knobs, self.scope),
            "conventions": {view.convention.name: view.to_dict() for view in self.views},
            "params": {**stored(self.facts), "params_folded": self.folded},
        }
        if self.bridges:
            data["bridges"] = {bridge.quantity: _bridge_data(bridge) for bridge in self.bridges}
        return data


def _bridge_data(bridge: Bridge) -> dict[str, Any]:
    first, last = bridge.ends
    return {
        "from": bridge.first.convention.name,
        "to": bridge.last.convention.name,
        "first": first,
        "last": last,
        "lines": [
            {
                "what": line.what,
                "call": line.call,
                "before": line.before,
                "after": line.after,
                "layers": list(line.layers),
                "difference": line.difference,
            }
            for line in bridge.lines
        ],
    }


@overload
def explain(
    spec: SpecLike,
    number: None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    names: Sequence[str] | None = None,
    **knobs: Value,
) -> Explanation: ...
@overload
def explain(
    spec: SpecLike,
    number: str | int,
    *,
    scope: str | None = None,
    before: None = None,
    after: None = None,
    names: None = None,
    **knobs: Value,
) -> Origins: ...
def explain(
    spec: SpecLike,
    number: str | int | None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    names: Sequence[str] | None = None,
    **knobs: Value,
) -> Explanation | Origins:
    """Count a network by every convention; with ``before`` and ``after``, reconcile these two.

    With a ``number``, find out what it counts.

    Raises: UsageError: no such spec, scope or convention; or the number cannot be read.
    MbprofError: the spec makes no network at these values.

    >>> found = explain("mobilenet_v2@torchvision", before="kernels", after="fvcore")
    >>> bridge = found.bridges[0]
    >>> bridge.ends
    (300774272, 314193216)
    >>> [(line.what, line.difference) for line in bridge.lines]
    [('bn', 13356224), ('gap', 62720)]
    >>> explain("mobilenet_v1", number="569M").origins[0].value
    568740352
    """
    if number is not None:
        if before is not None or after is not None:
            raise UsageError("give either --number, or --from and --to")
        return origins(spec, str(number), typed(knobs), scope)
    network = as_network(spec, **knobs)
    chosen = chosen_scope(scope, network.definition.scope)
    graph = network.compiled
    nodes = within(graph, chosen)
    wanted = list(names if names is not None else conventions.names())
    wanted += [each for each in (before, after) if each is not None and each not in wanted]
    facts = total(node.facts for node in nodes)
    views = tuple(view(graph, conventions.load(name), chosen, facts) for name in wanted)
    bridges: tuple[Bridge, ...] = ()
    if before is not None or after is not None:
        first, last = (conventions.load(name or conventions.DEFAULT) for name in (before, after))
        bridges = tuple(bridge(graph, chosen, first, last, each) for each in QUANTITIES)
    return Explanation(
        network.definition.name,
        network.knobs,
        chosen,
        views,
        facts,
        total(node.facts for node in within(fold(graph), chosen)).params,
        bridges,
        network.changed,
    )


def view(graph: Graph, convention: Convention, scope: str, facts: Facts | None = None) -> View:
    """Return what a convention says of a graph within a scope, whose facts may be known."""
    known = facts if not convention.folds else None
    count = convention.count(within(convention.view(graph), scope), known)
    return View(convention, count.params, count.costs)


# The bridge


def bridge(graph: Graph, scope: str, before: Convention, after: Convention, of: str) -> Bridge:
    """Reconcile two conventions: ``of`` is cost or params; the lines add up exactly.

    From MACs to FLOPs the first line doubles the whole, and the rest is compared with twice the
    first; from FLOPs to MACs it is the same bridge, walked backwards.
    """
    first, last = (view(graph, each, scope) for each in (before, after))
    if of == "cost" and (before.unit, after.unit) == ("FLOPs", "MACs"):
        back = bridge(graph, scope, after, before, of)
        lines = tuple(
            Line(line.what, line.call, line.after, line.before, line.layers, -line.difference)
            for line in reversed(back.lines)
        )
        return Bridge(of, first, last, lines)
    lines = ()
    factor = 1
    if of == "cost" and (before.unit, after.unit) == ("MACs", "FLOPs"):
        factor, value = 2, first.value or 0
        doubled = f"2 FLOPs for a MAC; the rules of {before.name} are doubled"
        lines = (Line("unit", "", "MACs", doubled, (), value),)
    sides = [_measure(each, of) for each in (before, after)]
    if of == "params" and not any(side.rules for side in sides):
        found = list(_by_kind(graph, scope, before, after))
    else:
        found = _by_rule(graph, scope, before, after, of, factor)
    return Bridge(of, first, last, (*lines, *found))


_NOTHING = Measure({}, {})
_NO_RULE, _NOT_RUN = "–", "not run"


def _measure(convention: Convention, of: str) -> Measure:
    if of == "params":
        return convention.params
    return next(iter(convention.measures.values()), _NOTHING)


def _by_kind(graph: Graph, scope: str, before: Convention, after: Convention) -> Iterator[Line]:
    """Yield a line for each kind of stored values that the two count differently."""
    sides = (before, after)
    pairs = list(zip(*(within(each.view(graph), scope) for each in sides), strict=True))
    for kind, doc in STORED.items():
        weights = [each.params.weights.get(kind, 0) for each in sides]
        parts: dict[str, int] = {}
        for nodes in pairs:
            first, last = (
                0 if node.side and each.side == "none" else weight * getattr(node.facts, kind)
                for node, each, weight in zip(nodes, sides, weights, strict=True)
            )
            if first != last:
                layer = nodes[0].layer
                parts[layer] = parts.get(layer, 0) + last - first
        if sum(parts.values()):
            said = [f"{weight}" if weight else "–" for weight in weights]
            layers = tuple(layer for layer, part in parts.items() if part)
            what = kind.replace("_", " ")
            yield Line(what, doc, said[0], said[1], layers, sum(parts.values()))


def _by_rule(
    graph: Graph, scope: str, before: Convention, after: Convention, of: str, factor: int
) -> list[Line]:
    """Return a line for each op and pair of rules that count it differently, the largest first."""
    groups: dict[tuple[str, str, str, str], dict[str, int]] = {}
    views = [
        {node.name: node for node in within(each.view(graph), scope)} for each in (before, after)
    ]
    for node in within(graph, scope):
        counts, rules = [], []
        for convention, seen in zip((before, after), views, strict=True):
            count, rule = _one(convention, seen[node.name], of)
            counts.append(count)
            rules.append(rule)
        difference = counts[1] - factor * counts[0]
        if difference:
            twice = factor > 1 and rules[0] not in (_NO_RULE, _NOT_RUN)
            first = f"{factor} × ({rules[0]})" if twice else rules[0]
            key = (_what(node), node.call, first, rules[1])
            layers = groups.setdefault(key, {})
            layers[node.layer] = layers.get(node.layer, 0) + difference
    lines = [
        Line(*key, tuple(name for name, part in layers.items() if part), sum(layers.values()))
        for key, layers in groups.items()
    ]
    return sorted(lines, key=lambda line: -abs(line.difference))


def _one(convention: Convention, node: Node, of: str) -> tuple[int, str]:
    """Return what a convention counts for one node, and the rule that says so."""
    dropped = ("none",) if of == "params" else ("none", "params")
    if node.side and convention.side in dropped:
        return 0, _NOT_RUN
    measure = _measure(convention, of)
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


def _what(node: Node) -> str:
    function = getattr(node.op, "function", "")
    return f"{node.op.word} {function}".strip()


# Reports


def _short(tool: str) -> str:
    """Return a tool with its version, without how it is called."""
    return tool.partition(", ")[0]


def _unit(value: str | None) -> str:
    return value or ""


def explanation_report(found: Explanation, layout: str = "page") -> Report:
    """Lay out all conventions side by side, or the bridges between two of them.

    Where people read, each bridge is a table; data is one, which names the quantity.
    """
    if found.bridges and layout == "data":
        rows = tuple(row for each in found.bridges for row in _bridge_rows(each))
        title = f"{_title(found)}, bridges"
        return Report(title, (_QUANTITY, *_BRIDGE), rows, found.to_dict())
    if found.bridges:
        cost, params = (_bridge_report(found, each) for each in found.bridges)
        return Report(
            cost.title, cost.columns, cost.rows, found.to_dict(), cost.total, cost.notes,
            more=(params,), lead=cost.lead,
        )  # fmt: skip
    reference = next((v for v in found.views if v.convention.name == conventions.DEFAULT), None)
    rows = tuple(_view_row(view, reference) for view in found.views)
    return Report(
        title=f"{_title(found)}, scope {found.scope}, by every convention",
        columns=_COLUMNS,
        rows=rows,
        data=found.to_dict(),
        listed="conventions",
        notes=(
            _kinds(found),
            Note(
                f"{_MAC} mbprof explain SPEC --from A --to B reconciles two of them.",
                f'{_MAC} explain(network, before="A", after="B") reconciles two of them.',
            ),
        ),
    )


_MAC = "A MAC is one multiplication with its addition; a FLOP is either."


def _kinds(found: Explanation) -> str:
    counts = ((kind, getattr(found.facts, kind)) for kind in STORED)
    said = ", ".join(f"{fmt.integer(n)} {kind.replace('_', ' ')}" for kind, n in counts if n)
    return (
        f"Params: {said}; {fmt.integer(found.facts.trainable)} are trained, "
        f"{fmt.integer(found.folded)} are left with batch norms folded."
    )


def _title(found: Explanation) -> str:
    return heading(found.spec, found.knobs, found.changed)


def _view_row(view: View, reference: View | None) -> dict[str, Any]:
    base = reference.value if reference else None
    return {
        "name": view.convention.name,
        "params": view.params,
        "value": view.value,
        "unit": view.convention.unit,
        "ratio": round(view.value / base, 6) if view.value is not None and base else None,
        "tool": view.convention.tool,
    }


def _ratio(value: float) -> str:
    return f"{value:.3f}"


_COLUMNS = (
    Column("name", "convention", "the name, for --convention", shrinks=True),
    Column("params", "params", "stored values that it counts", fmt.integer, True),
    Column("value", "cost", "the number that the tool prints", fmt.integer, True),
    Column("unit", "unit", "MACs or FLOPs", _unit),
    Column(
        "ratio", "× kernels", "cost over that of the convention kernels", _ratio, True, yields=2
    ),
    Column("tool", "tool", "the tool and its version", _short, yields=4, wraps=True),
)

_QUANTITY = Column("quantity", "quantity", "cost or params")
_BRIDGE = (
    Column("what", "of", "the op, or the kind of stored value", shrinks=True),
    Column("call", "call", "what the library calls for it", yields=3, wraps=True),
    Column("layers", "layers", "in how many layers", fmt.integer, True),
    Column("before", "from", "the rule of the first", wraps=True, yields=1),
    Column("after", "to", "the rule of the second", wraps=True, yields=1),
    Column("difference", "difference", "how much is added", fmt.signed, True),
)


def _bridge_rows(bridge: Bridge) -> Iterator[dict[str, Any]]:
    for line in bridge.lines:
        yield {
            "quantity": bridge.quantity,
            "what": line.what,
            "call": line.call,
            "layers": len(line.layers) or None,
            "before": line.before,
            "after": line.after,
            "difference": line.difference,
        }


def _bridge_report(found: Explanation, bridge: Bridge) -> Report:
    first, last = bridge.ends
    names = bridge.first.convention.name, bridge.last.convention.name
    units = [
        "params" if bridge.quantity == "params" else each.convention.unit
        for each in (bridge.first, bridge.last)
    ]
    ends = [
        f"{name}: {fmt.integer(value)} {unit}" if unit else f"{name}: counts no cost"
        for name, value, unit in zip(names, (first, last), units, strict=True)
    ]
    rows = tuple(_bridge_rows(bridge))
    faults = tuple(
        f"{each.convention.name}: {fault}."
        for each in (bridge.first, bridge.last)
        for fault in each.convention.faults
    )
    return Report(
        title=f"{_title(found)}, {bridge.quantity} from {names[0]} to {names[1]}",
        columns=_BRIDGE,
        rows=rows,
        data=None,
        total={"what": "difference", "difference": last - first} if rows else None,
        notes=faults if bridge.quantity == "cost" else (),
        lead=tuple(ends if first != last else [*ends, "They agree."]),
    )

"""All conventions side by side, or two of them reconciled, as plain data and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.network import conventions
from mbprof.network.folding import fold
from mbprof.network.load import Network
from mbprof.network.profile import heading
from mbprof.network.rows import stored, within
from mbprof.ops.base import STORED, Facts, total
from mbprof.output import Column, Note, Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.published.bridge import QUANTITIES, Bridge, Tally, bridge, tally
from mbprof.spec.sections import chosen_scope


@dataclass(frozen=True, slots=True, repr=False)
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

    def report(self, layout: str = "page") -> Report:
        """Lay all conventions out side by side, or the bridges between two of them."""
        return explanation_report(self, layout)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, as ``mbprof explain --format json`` prints it."""
        data: dict[str, Any] = {
            **stamp(self.spec, self.knobs, self.scope),
            "conventions": {tally.convention.name: _plain(tally) for tally in self.tallies},
            "params": {**stored(self.facts), "params_folded": self.folded},
        }
        if self.bridges:
            data["bridges"] = {bridge.quantity: _bridge_data(bridge) for bridge in self.bridges}
        return data


def _plain(tally: Tally) -> dict[str, Any]:
    return {
        "params": tally.params,
        "value": tally.value,
        "unit": tally.convention.unit or None,
        **tally.convention.named(tally.costs),
    }


def _bridge_data(bridge: Bridge) -> dict[str, Any]:
    first, last = bridge.ends
    return {
        "from": bridge.first.convention.name,
        "to": bridge.last.convention.name,
        "first": first,
        "last": last,
        "lines": [{**line._asdict(), "layers": list(line.layers)} for line in bridge.lines],
    }


def explain(
    network: Network,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    names: Sequence[str] | None = None,
) -> Explanation:
    """Count a network by every convention; with ``before`` and ``after``, reconcile these two.

    Raises: UsageError: no such scope or convention.

    >>> from mbprof.network.load import load
    >>> network = load("mobilenet_v2@torchvision").build()
    >>> bridge = explain(network, before="kernels", after="fvcore").bridges[0]
    >>> bridge.ends
    (300774272, 314193216)
    >>> [(line.what, line.difference) for line in bridge.lines]
    [('bn', 13356224), ('gap', 62720)]
    """
    chosen = chosen_scope(scope, network.definition.scope)
    graph = network.compiled
    ends = [name for name in (before, after) if name is not None]
    wanted = dict.fromkeys((*(conventions.names() if names is None else names), *ends))
    facts = total(node.facts for node in within(graph, chosen))
    bridges: tuple[Bridge, ...] = ()
    if ends:
        first, last = (conventions.load(name or conventions.DEFAULT) for name in (before, after))
        bridges = tuple(bridge(graph, chosen, first, last, quantity) for quantity in QUANTITIES)
    return Explanation(
        network.definition.name,
        network.knobs,
        chosen,
        tuple(tally(graph, conventions.load(name), chosen, facts) for name in wanted),
        facts,
        total(node.facts for node in within(fold(graph), chosen)).params,
        bridges,
        network.changed,
    )


def explanation_report(explanation: Explanation, layout: str = "page") -> Report:
    """Lay out all conventions side by side, or the bridges between two of them.

    Where people read, each bridge is a table; data is one, which names the quantity.
    """
    title = heading(explanation.spec, explanation.knobs, explanation.changed)
    data = explanation.to_dict()
    if explanation.bridges and layout == "data":
        rows = tuple(row for bridge in explanation.bridges for row in _bridge_rows(bridge))
        return Report(f"{title}, bridges", (_QUANTITY, *_BRIDGE), rows, data)
    if explanation.bridges:
        cost, params = (_bridge_report(title, bridge) for bridge in explanation.bridges)
        return replace(cost, data=data, more=(params,))
    default = [t.value for t in explanation.tallies if t.convention.name == conventions.DEFAULT]
    base = default[0] if default else None
    return Report(
        title=f"{title}, scope {explanation.scope}, by every convention",
        columns=_COLUMNS,
        rows=tuple(_row(tally, base) for tally in explanation.tallies),
        data=data,
        listed="conventions",
        notes=(
            _stored(explanation),
            Note(
                f"{_MAC} mbprof explain SPEC --from A --to B reconciles two of them.",
                f'{_MAC} explain(network, before="A", after="B") reconciles two of them.',
            ),
        ),
    )


_MAC = "A MAC is one multiplication with its addition; a FLOP is either."


def _stored(explanation: Explanation) -> str:
    counts = ((kind, getattr(explanation.facts, kind)) for kind in STORED)
    said = ", ".join(
        f"{fmt.integer(count)} {kind.replace('_', ' ')}" for kind, count in counts if count
    )
    return (
        f"Params: {said}; {fmt.integer(explanation.facts.trainable)} are trained, "
        f"{fmt.integer(explanation.folded)} are left with batch norms folded."
    )


def _row(tally: Tally, base: int | None) -> dict[str, Any]:
    return {
        "name": tally.convention.name,
        "params": tally.params,
        "value": tally.value,
        "unit": tally.convention.unit,
        "ratio": round(tally.value / base, 6) if tally.value is not None and base else None,
        "tool": tally.convention.tool,
    }


def _short(tool: str) -> str:
    """Return a tool with its version, without how it is called."""
    return tool.partition(", ")[0]


def _ratio(value: float) -> str:
    return f"{value:.3f}"


_COLUMNS = (
    Column("name", "convention", "the name, for --convention", shrinks=True),
    Column("params", "params", "stored values that it counts", fmt.integer, True),
    Column("value", "cost", "the number that the tool prints", fmt.integer, True),
    Column("unit", "unit", "MACs or FLOPs"),
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
        layers = len(line.layers) or None
        yield {"quantity": bridge.quantity, **line._asdict(), "layers": layers}


def _bridge_report(title: str, bridge: Bridge) -> Report:
    first, last = bridge.ends
    sides = (bridge.first.convention, bridge.last.convention)
    lead = []
    for convention, end in zip(sides, bridge.ends, strict=True):
        unit = "params" if bridge.quantity == "params" else convention.unit
        said = f"{fmt.integer(end)} {unit}" if unit else "counts no cost"
        lead.append(f"{convention.name}: {said}")
    rows = tuple(_bridge_rows(bridge))
    faults = (f"{side.name}: {fault}." for side in sides for fault in side.faults)
    return Report(
        title=f"{title}, {bridge.quantity} from {sides[0].name} to {sides[1].name}",
        columns=_BRIDGE,
        rows=rows,
        data=None,
        total={"what": "difference", "difference": last - first} if rows else None,
        notes=tuple(faults) if bridge.quantity == "cost" else (),
        lead=tuple(lead if first != last else [*lead, "They agree."]),
    )

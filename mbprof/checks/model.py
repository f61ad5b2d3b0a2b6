"""What a check is made of: rules, what they look at, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from mbprof.errors import Loc, MbprofError, span
from mbprof.language.docs import docstring
from mbprof.language.fmt import Value, plain
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.graph import Graph, Node
from mbprof.network.load import Network, Spec
from mbprof.output.model import Brief
from mbprof.spec.sections import Budget
from mbprof.spec.usual import RELEASED_ALPHAS

ERROR, WARNING, ADVICE = "error", "warning", "advice"
UNDECIDED, ACCEPTED = "undecided", "accepted"
SEVERITIES = (ERROR, UNDECIDED, WARNING, ADVICE, ACCEPTED)
"""From the gravest to the lightest; ``undecided`` is a rule that could not be answered."""

STRIDES = ("s", "stride", "strides")
"""What a knob or an argument that sets a block's stride is called."""


@record
class Finding(Brief):
    """What a rule found: where, how grave, and the numbers that say so.

    ``layers`` are all layers that it is about, ``layer`` the one at ``loc``; ``reason`` says why a
    spec accepts it.
    """

    code: str
    severity: str
    message: str
    loc: Loc | None = None
    layers: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    hint: str | None = None
    reason: str | None = None

    @property
    def brief(self) -> str:
        """The code, how grave it is, where, and what is there."""
        place = f" at {self.loc}" if self.loc else ""
        return f"{self.code} {self.severity}{place}: {self.message}"

    @property
    def layer(self) -> str | None:
        """The layer at the place of the finding."""
        return self.layers[0] if self.layers else None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.loc.source.name if self.loc else None,
            **span(self.loc),
            "layer": self.layer,
            "layers": list(self.layers),
            "numbers": dict(self.numbers),
            "hint": self.hint,
            "reason": self.reason,
        }


class Undecided(Exception):
    """A rule cannot be answered for this network; the text says why."""


class Found(NamedTuple):
    """A finding before it has a code and a place; the gravest of its nodes comes first."""

    message: str
    nodes: Sequence[Node] = ()
    numbers: Mapping[str, Any] = {}
    hint: str | None = None
    loc: Loc | None = None


class Variant(NamedTuple):
    """The network with one knob turned, or why there is none."""

    knob: str
    value: Value
    graph: Graph | None
    error: MbprofError | None

    @property
    def label(self) -> str:
        """The knob and its value."""
        return f"{self.knob} {plain(self.value)}"


@dataclass
class Subject:
    """What rules look at: a network, the same at other settings, and the spec behind it."""

    network: Network
    scope: str = "all"
    convention: str = conventions.DEFAULT
    limits: Budget = field(default_factory=Budget)
    """What was asked for besides the spec's own budget."""
    spec: Spec = field(init=False)
    graph: Graph = field(init=False)
    nodes: tuple[Node, ...] = field(init=False)
    """The nodes in execution order."""

    def __post_init__(self) -> None:
        self.spec, self.graph = self.network.spec, self.network.compiled
        self.nodes = self.graph.nodes

    @cached_property
    def consumers(self) -> list[list[int]]:
        """For each node the numbers of the nodes that take from it."""
        consumers: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for edge in node.inputs:
                if edge.node >= 0:
                    consumers[edge.node].append(number)
        return consumers

    def takers(self, number: int) -> list[Node]:
        """Return the nodes that take from a node."""
        return [self.nodes[taker] for taker in self.consumers[number]]

    @cached_property
    def above(self) -> list[int]:
        """For each node the set of those before it, as the bits of a number."""
        above: list[int] = []
        for node in self.nodes:
            bits = 0
            for edge in node.inputs:
                if edge.node >= 0:
                    bits |= above[edge.node] | 1 << edge.node
            above.append(bits)
        return above

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each node by its name."""
        return {node.name: number for number, node in enumerate(self.nodes)}

    @cached_property
    def answers(self) -> set[int]:
        """The numbers of the layers whose width is that of an answer, such as scores and boxes.

        They stand behind other layers of a spec, and neither a layer nor a norm nor an activation
        that does not saturate stands behind them. The last layer of a block alone is none.
        """
        fed, answers = set[int](), set[int]()
        for number in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[number]
            last = fed.isdisjoint(self.consumers[number])
            if node.op.multiplies and last and self.multiplying & self.above[number]:
                answers.add(number)
            bends = node.op.function not in ("", "none") and not node.op.saturates
            if not last or node.op.multiplies or node.op.normalises or bends:
                fed.add(number)
        return set() if self.spec.alone else answers

    @cached_property
    def multiplying(self) -> int:
        """The nodes that multiply, as the bits of a number."""
        return sum(1 << number for number, node in enumerate(self.nodes) if node.op.multiplies)

    @cached_property
    def layers(self) -> list[Node]:
        """The nodes that multiply: convolutions and linear layers."""
        return [node for node in self.nodes if node.op.multiplies]

    @cached_property
    def alphas(self) -> list[Variant]:
        """The network at the other widths of the usual grid, if it has a width multiplier."""
        if "alpha" not in self.network.knobs:
            return []
        own, knob = self.network.knobs["alpha"], self.spec.definition.knobs["alpha"]
        grid = [alpha for alpha in RELEASED_ALPHAS if knob.inside(alpha)]
        return [self.at("alpha", alpha) for alpha in knob.one_of or grid if alpha != own]

    @cached_property
    def strided(self) -> list[Variant]:
        """The network with a stride of 2, where a knob of a block or spec sets its stride."""
        knobs = self.spec.definition.knobs
        own = [name for name in STRIDES if self.network.knobs.get(name) == 1]
        return [self.at(n, 2) for n in own if 2 in (knobs[n].one_of or [2]) and knobs[n].inside(2)]

    @cached_property
    def widened(self) -> list[Variant]:
        """A block with twice the output channels, or a spec with a knob of its input's channels."""
        channels = self.spec.definition.inputs[0].channels
        node = channels.node if channels else None
        name = "c" if self.spec.alone else node.text if isinstance(node, Scalar) else ""
        own = self.network.knobs.get(name)
        if not isinstance(own, int) or isinstance(own, bool):
            return []
        return [self.at(name, 2 * own)]

    @cached_property
    def is_network(self) -> bool:
        """Whether the maps end in a pooling of whole maps or a linear layer: a whole network."""
        return not self.spec.alone and any(
            node.op.ends_maps and number not in self.gated for number, node in enumerate(self.nodes)
        )

    @cached_property
    def gated(self) -> set[int]:
        """The numbers of the nodes whose output ends in the product of a gate, on a single way."""
        gated = set[int]()
        for number in range(len(self.nodes) - 1, -1, -1):
            taker, *others = self.consumers[number] or [number]
            node = self.nodes[taker]
            single = taker != number and not others and bool(node.out_shapes[0])
            if single and (node.op.gates or taker in gated):
                gated.add(number)
        return gated

    def at(self, knob: str, value: Value) -> Variant:
        """Build the network with one knob turned."""
        try:
            network = self.spec.build_at({**self.network.knobs, knob: value})
        except MbprofError as error:
            return Variant(knob, value, None, error)
        return Variant(knob, value, network.compiled, None)

    def place(self, trail: Sequence[Loc]) -> Loc | None:
        """Return the innermost place of a trail in the file that is checked."""
        own = self.spec.definition.loc.source.name
        inside = [loc for loc in trail if loc.source.name == own]
        return inside[-1] if inside else trail[0] if trail else None


Check: TypeAlias = Callable[[Subject], Iterator[Found]]


class Rule(NamedTuple):
    """A rule: its stable code, how grave what it finds is, what it says of itself."""

    code: str
    severity: str
    check: Check | None
    text: str

    @property
    def title(self) -> str:
        """What it finds, in one sentence."""
        return self.text.partition("\n")[0]

    def to_dict(self) -> dict[str, str]:
        """Return what is listed of the rule as plain data."""
        return {"code": self.code, "severity": self.severity, "title": self.title}

    def apply(self, subject: Subject) -> Iterator[Finding]:
        """Yield what the rule finds; one finding that says so if it cannot be answered."""
        if self.check is None:
            return
        try:
            for found in self.check(subject):
                trail = found.nodes[0].trail if found.nodes else ()
                place = found.loc or subject.place(trail) or subject.spec.definition.loc
                layers = tuple(dict.fromkeys(node.layer for node in found.nodes))
                said = (found.message, place, layers, found.numbers, found.hint)
                yield Finding(self.code, self.severity, *said)
        except Undecided as why:
            message = f"cannot be decided: {self.title[0].lower()}{self.title[1:-1]}: {why}"
            yield Finding(self.code, UNDECIDED, message, subject.spec.definition.loc)


RULES: dict[str, Rule] = {}
"""Every rule by its code; a code keeps its meaning for good."""


def rule(code: str, severity: str) -> Callable[[Check], Check]:
    """Register a rule; its docstring is what ``mbprof check --explain CODE`` says.

    Raises: ValueError: the code is taken, or the docstring lacks a part.
    """

    def register(check: Check) -> Check:
        declare(Rule(code, severity, check, docstring(check)))
        return check

    return register


def declare(rule: Rule) -> Rule:
    """Register a rule; one without a check stands for what the compiler finds.

    Raises: ValueError: the code is taken, or the text lacks a part.
    """
    missing = [part for part in ("Why: ", "Remedy: ", "Source: ") if f"\n{part}" not in rule.text]
    if rule.code in RULES or missing:
        raise ValueError(f"rule {rule.code} is registered twice or lacks {missing}")
    RULES[rule.code] = rule
    return rule

"""What is executed and what it holds: steps, buffers, and the bytes that are live at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import starmap
from typing import Any

from mbprof.errors import unknown
from mbprof.language import dtypes
from mbprof.language.dtypes import Dtype
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple, record
from mbprof.network.graph import IMAGE, Edge, Graph, Node, fold
from mbprof.network.measures import hands_on
from mbprof.ops.base import Facts
from mbprof.symbolic.arithmetic import added, maximum, product


class Buffer(NamedTuple):
    """What a step writes, or an input of the network: its shape and its bytes."""

    name: str
    shape: Shape
    size: int


class Over(NamedTuple):
    """A buffer that a step can write over if nobody takes it later, and the bytes that saves."""

    buffer: int
    saved: int


class Step(NamedTuple):
    """Nodes that are executed as one, the buffers that they take and give, and ``over``.

    All buffers of ``over`` are written over where ``all_over`` is set, else that which saves most.
    """

    name: str
    nodes: tuple[int, ...]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    over: tuple[Over, ...] = ()
    all_over: bool = False


class Span(NamedTuple):
    """A buffer's first and last step, both included, and its bytes."""

    size: int
    first: int
    last: int


@record
class Rules:
    """The convention of a memory figure.

    ``inplace`` are the ops that write over an input that nobody takes later; ``fuse`` runs a
    convolution's norm and activation with it; ``image`` counts the network's input.
    """

    dtype: Dtype = field(default_factory=lambda: dtypes.dtype(dtypes.DEFAULT))
    inplace: tuple[str, ...] = ()
    fuse: bool = True
    image: bool = True

    def __post_init__(self) -> None:
        for name in self.inplace:
            if name not in INPLACE:
                raise unknown("in-place op", name, INPLACE)

    def to_dict(self) -> dict[str, Any]:
        """Return the convention as plain data."""
        return {
            "dtype": self.dtype.name,
            "fuse": self.fuse,
            "inplace": list(self.inplace),
            "input": self.image,
            "live": "from the step that writes a tensor to the last that reads it, both included",
            "views": "share the memory of their input",
            "constants": "what depends on weights alone is made beforehand and not counted",
            "weights": "not among the live bytes; norms folded"
            if self.fuse
            else "not among the live bytes",
            "biases": f"{self.dtype.bias_bits} bits",
            "arena": "greedy by size, 16-byte alignment, ties in reverse order, first gap",
        }

    @property
    def types(self) -> str:
        """The types of numbers, as a heading says them."""
        return self.dtype.name

    @property
    def said(self) -> str:
        """The convention in a sentence."""
        fused = "norms and activations fused" if self.fuse else "every op by itself"
        places = f"in place: {', '.join(self.inplace)}" if self.inplace else "nothing in place"
        image = "the input counted" if self.image else "the input not counted"
        return f"{self.dtype.name}; {fused}; {places}; {image}; weights apart"


@record
class Plan:
    """Steps in an order that can be executed; ``starts`` are live before it, ``ends`` behind it."""

    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def spans(self, order: Sequence[int] | None = None) -> dict[int, tuple[int, int]]:
        """Return the first and last step of every buffer, both included."""
        spans = dict.fromkeys(self.starts, (0, 0))
        for at, number in enumerate(range(len(self.steps)) if order is None else order):
            step = self.steps[number]
            spans |= dict.fromkeys(step.gives, (at, at))
            spans |= {buffer: (spans[buffer][0], at) for buffer in step.takes if buffer in spans}
        return spans | {b: (spans[b][0], len(self.steps) - 1) for b in self.ends if b in spans}

    def live(self, order: Sequence[int] | None = None) -> list[int]:
        """Return the bytes that are live at every step.

        All buffers whose span holds the step, less what it writes over.
        """
        order = range(len(self.steps)) if order is None else order
        spans, held = self.spans(order), self.held(order)
        return [
            added(self.buffers[b].size for b in alive)
            - added(saved for _, saved in self.written_over(self.steps[number], at, spans))
            for at, (number, alive) in enumerate(zip(order, held, strict=True))
        ]

    def held(self, order: Sequence[int] | None = None) -> list[list[int]]:
        """Return the buffers that are live at every step."""
        held: list[list[int]] = [[] for _ in self.steps]
        for buffer, (first, last) in sorted(self.spans(order).items()):
            for at in range(first, last + 1):
                held[at].append(buffer)
        return held

    def written_over(
        self, step: Step, at: int, spans: dict[int, tuple[int, int]]
    ) -> tuple[Over, ...]:
        """Return the buffers that a step writes over: those that end with it."""
        ends = tuple(over for over in step.over if spans.get(over.buffer, (0, -1))[1] == at)
        if step.all_over or len(ends) < 2:
            return ends
        return (max(ends, key=lambda over: over.saved),)

    def peak(self, order: Sequence[int] | None = None) -> int:
        """Return the most bytes that are live at a step; of symbols, a symbol."""
        live = self.live(order) or [0]
        while len(live) > 1:  # in pairs, so that symbols do not nest as deep as there are steps
            live = [
                *starmap(maximum, zip(live[::2], live[1::2], strict=False)),
                *live[len(live) & ~1 :],
            ]
        return live[0]

    def regions(self, order: Sequence[int] | None = None) -> list[Span]:
        """Return what a planner places: buffers, those that are written over joined to one."""
        order = range(len(self.steps)) if order is None else order
        spans = self.spans(order)
        homes = {buffer: buffer for buffer in spans}
        whole = {b: Span(self.buffers[b].size, *span) for b, span in spans.items()}
        for at, number in enumerate(order):
            step = self.steps[number]
            for buffer, saved in self.written_over(step, at, spans):
                own = step.gives[0]
                both = self.buffers[buffer].size + self.buffers[own].size - saved
                old, new = whole.pop(homes[buffer]), whole.pop(homes[own])
                size = max(old.size, new.size, both)
                joined = Span(size, min(old.first, new.first), max(old.last, new.last))
                gone, home = homes[buffer], homes[own]
                homes = {b: home if h == gone else h for b, h in homes.items()}
                whole[home] = joined
        return [whole[home] for home in sorted(whole)]


def _same_size(node: Node) -> Iterator[int]:
    """Yield the inputs whose shape is the output's."""
    for number, shape in enumerate(node.in_shapes):
        if len(shape) == len(node.out_shapes[0]) and shape == node.out_shapes[0]:
            yield number


def _each_map(node: Node) -> bool:
    return node.op.depthwise and len(node.inputs) == 1


INPLACE: dict[str, tuple[str, Callable[[Node], bool]]] = {
    "add": ("an addition, over an input of the output's shape", lambda node: node.op.adds),
    "depthwise": ("a depthwise convolution, map by map, with room for one map more", _each_map),
    "elementwise": (
        "activations, batch norms, gates and constant factors",
        lambda n: bool(n.op.function or n.op.folds or n.op.gates or n.op.factor is not None),
    ),
    "concat": (
        "a concatenation, whose inputs were written where it needs them",
        lambda node: node.op.joins and node.op.rearranges,
    ),
}
"""The ops that can write over an input, each with what it is."""


def needed(graph: Graph) -> list[bool]:
    """Return whether each node is needed for the results; auxiliary outputs are none."""
    kept = [False] * len(graph.nodes)
    for edge in graph.results:
        if edge.node != IMAGE:
            kept[edge.node] = True
    for number in range(len(graph.nodes) - 1, -1, -1):
        if kept[number]:
            for edge in graph.nodes[number].inputs:
                if edge.node != IMAGE:
                    kept[edge.node] = True
    return kept


def plan(graph: Graph, rules: Rules) -> Plan:
    """Return the steps of a graph in its own order, and the buffers that they hold.

    Source: oxmlsys/tflite-tools `tflite_model.py`, for what is live at a step.

    >>> from mbprof.network.load import load
    >>> graph = load("mobilenet_v2").build().compiled
    >>> plan(graph, Rules(dtypes.dtype("int8"))).peak()
    1505280
    """
    return _Planner(graph, rules).planned()


class _Planner:
    """A graph on its way to a plan: which nodes are one step, and where tensors lie."""

    def __init__(self, graph: Graph, rules: Rules) -> None:
        self.graph, self.rules, self.kept = graph, rules, needed(graph)
        self.homes: dict[Edge, int | None] = {}
        self.buffers: list[Buffer] = []
        self.takers = Counter(
            edge
            for node, kept in zip(graph.nodes, self.kept, strict=True)
            for edge in (node.inputs if kept else ())
        )
        self.takers.update(graph.results)

    def planned(self) -> Plan:
        starts = []
        for port, image in enumerate(self.graph.images):
            own = self.buffer(Edge(IMAGE, port), image.name, image.shape)
            starts += [own] if self.rules.image else []
        steps = [self.step(chain) for chain in self.chains()]
        ends = [self.homes[edge] for edge in self.graph.results]
        uses = [s for s in steps if s.gives]
        if not self.rules.image:
            gone = set(range(len(self.graph.images)))
            uses = [
                s._replace(
                    takes=tuple(b for b in s.takes if b not in gone),
                    over=tuple(o for o in s.over if o.buffer not in gone),
                )
                for s in uses
            ]
        return Plan(
            tuple(self.buffers),
            tuple(uses),
            tuple(starts),
            tuple(dict.fromkeys(end for end in ends if end is not None)),
        )

    def buffer(self, edge: Edge, name: str, shape: Shape) -> int:
        self.homes[edge] = number = len(self.buffers)
        self.buffers.append(Buffer(name, shape, self.rules.dtype.size(product(shape))))
        return number

    def chains(self) -> list[list[int]]:
        """Return the nodes that are one step: an op, and the norm and activation behind it."""
        chains: list[list[int]] = []
        of: dict[int, list[int]] = {}
        for number, node in enumerate(self.graph.nodes):
            if not self.kept[number]:
                continue
            host = of.get(node.inputs[0].node) if self.follows(node) else None
            if host is not None and self.fusable(node, host):
                host.append(number)
                of[number] = host
            else:
                of[number] = [number]
                chains.append(of[number])
        return chains

    def follows(self, node: Node) -> bool:
        return self.rules.fuse and node.op.follower is not None and len(node.inputs) == 1

    def fusable(self, node: Node, host: list[int]) -> bool:
        """Whether a norm or activation can be computed with the ops before it."""
        first, last = self.graph.nodes[host[0]], host[-1]
        alone = node.inputs[0].node == last and self.takers[node.inputs[0]] == 1
        if not alone or hands_on(first.op) or not first.inputs:
            return False
        return first.op.multiplies if node.op.folds else True

    def step(self, chain: list[int]) -> Step:
        """Return a step, after noting where its outputs lie."""
        node, last = self.graph.nodes[chain[0]], self.graph.nodes[chain[-1]]
        taken = [self.homes[edge] for edge in node.inputs]
        ports = [Edge(chain[-1], port) for port in range(len(last.out_shapes))]
        if all(home is None for home in taken) or hands_on(node.op):
            # Weights, and what is made of them alone, are there before; a view lies in its input.
            self.homes |= dict.fromkeys(ports, taken[0] if taken else None)
            return Step(node.name, tuple(chain), (), ())
        named = zip(ports, last.out_shapes, strict=True)
        several = len(ports) > 1
        gives = tuple(
            self.buffer(edge, f"{last.name}:{edge.port}" if several else last.name, shape)
            for edge, shape in named
        )
        takes = tuple(dict.fromkeys(home for home in taken if home is not None))
        over, all_over = self.over(node, taken, gives)
        return Step(node.name, tuple(chain), takes, gives, over, all_over)

    def over(
        self, node: Node, taken: list[int | None], gives: tuple[int, ...]
    ) -> tuple[tuple[Over, ...], bool]:
        """Return what a step can write over, and whether it does so with all of it."""
        kind = next((name for name in self.rules.inplace if INPLACE[name][1](node)), None)
        if kind is None or len(gives) != 1:
            return (), False
        made = self.buffers[gives[0]]
        if kind == "depthwise":
            home = taken[0]
            if home is None:
                return (), False
            of, plane = self.buffers[home].size, self.rules.dtype.size(product(made.shape[1:]))
            smaller = of + made.size - maximum(of, made.size)
            return (Over(home, maximum(smaller - plane, 0)),), False
        if kind == "concat":
            homes = Counter(home for home in taken if home is not None)
            whole = [
                home
                for home, shape in zip(taken, node.in_shapes, strict=True)
                if home is not None and homes[home] == 1 and shape == self.buffers[home].shape
            ]
            return tuple(Over(home, self.buffers[home].size) for home in whole), True
        places = [taken[number] for number in _same_size(node)]
        lies = [b for b in places if b is not None and self.buffers[b].shape == made.shape]
        return tuple(Over(buffer, made.size) for buffer in lies), False


def weight_bytes(graph: Graph, rules: Rules) -> int:
    """Return the bytes of all stored values that the results need, biases as sums are."""
    return _stored([node.facts for node in _storing(graph, rules)], rules)


def weights_of(graph: Graph, rules: Rules) -> dict[str, int]:
    """Return `weight_bytes` by layer."""
    facts: dict[str, list[Facts]] = {}
    for node in _storing(graph, rules):
        facts.setdefault(node.layer, []).append(node.facts)
    return {layer: _stored(own, rules) for layer, own in facts.items()}


def _storing(graph: Graph, rules: Rules) -> Iterator[Node]:
    nodes = (fold(graph) if rules.fuse else graph).nodes
    return (node for node, kept in zip(nodes, needed(graph), strict=True) if kept)


def _stored(facts: Sequence[Facts], rules: Rules) -> int:
    weights = added(fact.kernels + fact.other + fact.constants for fact in facts)
    added_to = added(fact.params - fact.kernels - fact.other - fact.constants for fact in facts)
    bits = rules.dtype.weight_bits, rules.dtype.bias_bits
    return dtypes.stored(weights, bits[0]) + dtypes.stored(added_to, bits[1])

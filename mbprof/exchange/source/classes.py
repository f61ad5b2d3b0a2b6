"""A graph as classes: calls of a block that are built alike become one class with arguments.

Every call of a block is a scope: its steps are ops and calls of other blocks. Scopes of one block
whose steps are written alike, up to values, are instances of one class. Steps that only some of
the instances have become conditional, where what they hand on can be had without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, product
from typing import Any, TypeAlias

from mbprof.exchange.source.code import (
    Arg,
    Name,
    New,
    Text,
    Written,
    camel,
    identifier,
    skeleton,
    slots,
)  # fmt: skip
from mbprof.exchange.source.order import interleaved
from mbprof.exchange.values import Arguments
from mbprof.language.record import NamedTuple
from mbprof.network.graph import IMAGE, Call, Edge, Graph, Node
from mbprof.ops.base import channels

MOST_FLAGS = 4
"""So many conditions a class may have before several classes are easier to read."""

Key: TypeAlias = tuple[str, str, int]
Ref: TypeAlias = tuple[Key | None, int]
"""An output of a step, or with None an input of the scope."""


class Step(NamedTuple):
    """One op or call within a scope; ``again`` is the step whose module it uses once more."""

    key: Key
    name: str
    layer: str
    written: Written
    inputs: tuple[Ref, ...]
    outs: int
    member: int | Scope
    weights: tuple[int, ...] = ()
    again: Key | None = None

    @property
    def alike(self) -> Any:
        """What steps have in common that one line of code can stand for."""
        return skeleton((self.written.modules, self.written.text)), self.outs, self.again


@dataclass(eq=False, slots=True)
class Scope:
    """A call of a block, or the whole network: the nodes from ``start`` to ``stop``."""

    call: Call | None
    start: int
    stop: int
    children: list[int | Scope]
    inputs: list[Edge] = field(default_factory=list)
    outputs: list[Edge] = field(default_factory=list)
    steps: dict[Key, Step] = field(default_factory=dict)
    results: tuple[Ref, ...] = ()
    made: New | None = None
    cls: Class | None = None

    @property
    def name(self) -> str:
        return self.call.name if self.call else ""

    def within(self) -> Iterator[Scope]:
        """Yield the scopes in it, and itself behind them."""
        for child in self.children:
            if isinstance(child, Scope):
                yield from child.within()
        yield self


@dataclass(eq=False, slots=True)
class Class:
    """A class and its instances; ``bypass`` says what is there without a step that may lack."""

    name: str
    block: str
    instances: list[Scope]
    order: list[Key]
    inputs: dict[Key, tuple[Ref, ...]]
    results: tuple[Ref, ...]
    bypass: dict[Key, Ref]
    arguments: Arguments = field(default_factory=Arguments)
    texts: dict[Key, list[str]] = field(default_factory=dict)
    flags: dict[Key, str] = field(default_factory=dict)
    names: dict[Key, str] = field(default_factory=dict)
    paths: dict[Key, str] = field(default_factory=dict)
    """The attribute, or the way to it, that has what the step made; filled by who writes it."""

    def step(self, key: Key) -> Step:
        """Return a step as one of the instances has it."""
        return next(scope.steps[key] for scope in self.instances if key in scope.steps)


Writer: TypeAlias = Callable[[Node, int], Written]


@dataclass(slots=True)
class Classes:
    """The classes of a graph, each behind those that it uses; the last one is the network."""

    graph: Graph
    classes: list[Class]
    root: Scope
    ends: tuple[Edge, ...]


def classes(
    graph: Graph, name: str, write: Writer, reserved: Iterable[str], same: str = "c_in"
) -> Classes:
    """Group the nodes of a graph into classes; ``write`` says how an op is written."""
    return _Grouping(graph, write, frozenset(reserved), same).all(name)


class _Grouping:
    def __init__(self, graph: Graph, write: Writer, reserved: frozenset[str], same: str) -> None:
        self.graph, self.write, self.reserved, self.same = graph, write, reserved, same
        self.passed: dict[Edge, Edge] = {}
        self.written: dict[int, Written] = {}
        self.taken: set[str] = set()
        for number, node in enumerate(graph.nodes):
            written = write(node, number)
            if not written.modules and not written.text:
                self.passed[Edge(number)] = self.source(node.inputs[0])
            else:
                self.written[number] = written
        self.users: dict[Edge, list[int]] = {}
        for number in self.written:
            for edge in graph.nodes[number].inputs:
                self.users.setdefault(self.source(edge), []).append(number)
        self.ends = tuple(map(self.source, graph.outputs))

    def source(self, edge: Edge) -> Edge:
        """Return where a tensor comes from, through what only hands it on."""
        return self.passed.get(edge, edge)

    def all(self, name: str) -> Classes:
        root = self.tree()
        by_block: dict[str, list[Scope]] = {}
        for scope in root.within():
            self.border(scope)
            by_block.setdefault(scope.call.block if scope.call else "", []).append(scope)
        root.inputs = [Edge(IMAGE, port) for port in range(len(self.graph.images))]
        root.outputs = list(dict.fromkeys(self.ends))
        known: list[Class] = []
        if camel(name) in map(camel, by_block):
            name += "_net"
        self.taken.add(camel(name))
        for block in _inner_first(by_block):
            scopes = [scope for scope in by_block[block] if self.filled(scope)]
            known += self.of_block(block, scopes, name)
        return Classes(self.graph, known, root, self.ends)

    def tree(self) -> Scope:
        root = Scope(None, 0, len(self.graph.nodes), [])
        way = [root]
        for number, node in enumerate(self.graph.nodes):
            calls = node.calls
            depth = 0
            while depth < len(calls) and depth + 1 < len(way):
                call = way[depth + 1].call
                if call is None or call.number != calls[depth].number:
                    break
                depth += 1
            del way[depth + 1 :]
            for call in calls[depth:]:
                scope = Scope(call, number, number, [])
                way[-1].children.append(scope)
                way.append(scope)
            for scope in way[1:]:
                scope.stop = number + 1
            way[-1].children.append(number)
        return root

    def border(self, scope: Scope) -> None:
        """Say what a scope takes and gives."""
        inner = [n for n in range(scope.start, scope.stop) if n in self.written]
        sources = [self.source(edge) for n in inner for edge in self.graph.nodes[n].inputs]
        scope.inputs = list(dict.fromkeys(e for e in sources if not self.holds(scope, e)))
        made = [Edge(n, p) for n in inner for p in range(len(self.graph.nodes[n].out_shapes))]
        ends = set(self.ends)
        scope.outputs = [
            edge
            for edge in made
            if edge in ends
            or any(not scope.start <= user < scope.stop for user in self.users.get(edge, ()))
        ] or made[-1:]

    def holds(self, scope: Scope, edge: Edge) -> bool:
        return edge.node != IMAGE and scope.start <= edge.node < scope.stop

    def filled(self, scope: Scope) -> Scope | None:
        """Write the steps of a scope; None if it has none, and only hands on."""
        counts: Counter[tuple[str, str]] = Counter()
        refs: dict[Edge, Ref] = {edge: (None, port) for port, edge in enumerate(scope.inputs)}
        owners: dict[tuple[int, ...], Step] = {}
        for child in scope.children:
            step, outputs = self.step(scope, child, refs, counts)
            if step is None:
                continue
            step = _again(step, owners)
            scope.steps[step.key] = step
            refs.update({edge: (step.key, port) for port, edge in enumerate(outputs)})
        scope.results = tuple(refs[edge] for edge in scope.outputs if edge in refs)
        return scope if scope.steps or scope.call is None else None

    def step(
        self, scope: Scope, child: int | Scope, refs: Mapping[Edge, Ref], counts: Counter[Any]
    ) -> tuple[Step | None, Sequence[Edge]]:
        if isinstance(child, Scope):
            if child.made is None or child.call is None:
                return None, ()
            node = self.graph.nodes[child.start]
            depth = len(node.calls) if node.calls[-1] is child.call else _depth(node, child.call)
            place, what, name = str(node.trail[depth - 1]), child.call.block, child.call.name
            written, edges, outputs = Written((child.made,)), child.inputs, child.outputs
            nodes = self.graph.nodes[child.start : child.stop]
            weights = tuple(-1 if n.weights is None else n.weights for n in nodes if _stores(n))
        elif child not in self.written:
            return None, ()
        else:
            node = self.graph.nodes[child]
            place, what, name = str(node.trail[-1]), node.op.word, node.name
            written = self.written[child]
            edges = [self.source(edge) for edge in node.inputs]
            outputs = [Edge(child, port) for port in range(len(node.out_shapes))]
            weights = () if node.weights is None else (node.weights,)
        counts[place, what] += 1
        key = (place, what, counts[place, what])
        layer = node.layer if not isinstance(child, Scope) else name
        own, around = _relative(name, scope.name), _relative(layer, scope.name)
        inputs = tuple(refs[edge] for edge in edges)
        return Step(key, own, around, written, inputs, len(outputs), child, weights), outputs

    def of_block(self, block: str, scopes: list[Scope], name: str) -> Iterator[Class]:
        groups: list[_Group] = []
        for scope in sorted(scopes, key=lambda scope: -len(scope.steps)):
            for group in groups:
                if group.takes(scope):
                    break
            else:
                groups.append(_Group(scope))
        for group in sorted(groups, key=lambda group: min(s.start for s in group.instances)):
            title = camel(name) if not block else self.title(camel(block))
            yield self.finished(group, title, block)

    def title(self, name: str) -> str:
        letters = (f"{name}{letter}" for letter in "BCDEFGHIJKLMNOPQRSTUVWXYZ")
        numbers = (f"{name}N{number}" for number in count(27))
        title = next(text for text in chain([name], letters, numbers) if text not in self.taken)
        self.taken.add(title)
        return title

    def finished(self, group: _Group, title: str, block: str) -> Class:
        """Name what differs between the instances, and say what each is made with."""
        scopes = sorted(group.instances, key=lambda scope: scope.start)
        made = Class(
            title, block, scopes, group.order, group.inputs, group.results, dict(group.bypass)
        )
        self.name(made)
        arguments = made.arguments = Arguments(reserved=self.reserved)
        if scopes[0].inputs and block:
            taken = [channels(self.graph.shape(scope.inputs[0])) for scope in scopes]
            arguments.offer(self.same, taken, stated=True)
        calls = [scope.call for scope in scopes if scope.call]
        for known in calls[0].arguments if calls else ():
            values = [call.arguments.get(known) for call in calls]
            arguments.offer(known, values, any(known in call.stated for call in calls))
        for key in made.order:
            there = [key in scope.steps for scope in scopes]
            if not all(there):
                made.flags[key] = arguments.text(made.names[key], there)
            columns = [
                list(slots(_code(scope.steps[key]))) if key in scope.steps else None
                for scope in scopes
            ]
            roles = [arg.role for arg in next(column for column in columns if column is not None)]
            made.texts[key] = [
                arguments.text(
                    role, [arguments.missing if c is None else c[i].value for c in columns]
                )
                for i, role in enumerate(roles)
            ]
        for number, scope in enumerate(scopes):
            scope.cls = made
            scope.made = New(Name(title), arguments.given(number))
        return made

    def name(self, made: Class) -> None:
        """Give the steps names: those of the spec where all instances agree on them."""
        taken = set(self.reserved)
        for key in made.order:
            names = {scope.steps[key].name for scope in made.instances if key in scope.steps}
            name = names.pop() if len(names) == 1 else key[1]
            made.names[key] = identifier(name, taken)
            taken.add(made.names[key])


def _code(step: Step) -> tuple[Any, Text]:
    return step.written.modules, step.written.text


def _stores(node: Node) -> bool:
    return any(node.by_itself.facts.stored)


def _depth(node: Node, call: Call) -> int:
    return next(i for i, other in enumerate(node.calls, 1) if other.number == call.number)


def _relative(name: str, around: str) -> str:
    """Return a name without that of the block around it."""
    inner = name[len(around) :] if around and name.startswith(around) else name
    return inner.strip("/._") or name


def _again(step: Step, owners: dict[tuple[int, ...], Step]) -> Step:
    """Return the step; where an earlier one has its weights, with that one's module."""
    if not step.weights or -1 in step.weights:
        return step
    first = owners.setdefault(step.weights, step)
    fits = first is not step and first.written == step.written and first.key[1] == step.key[1]
    return step._replace(again=first.key) if fits else step


def _inner_first(by_block: Mapping[str, list[Scope]]) -> list[str]:
    """Return the blocks, each behind those that it calls."""
    order: list[str] = []

    def visit(block: str) -> None:
        if block in order:
            return
        for scope in by_block[block]:
            for child in scope.children:
                if isinstance(child, Scope) and child.call is not None:
                    visit(child.call.block)
        order.append(block)

    for block in by_block:
        visit(block)
    return order


class _Group:
    """Scopes that one class can stand for."""

    def __init__(self, scope: Scope) -> None:
        self.instances = [scope]
        self.shapes = [self.shape(scope)]
        self.order = list(scope.steps)
        self.inputs = {key: step.inputs for key, step in scope.steps.items()}
        self.results = scope.results
        self.bypass: dict[Key, Ref] = {}

    @staticmethod
    def shape(scope: Scope) -> Any:
        steps = {key: (step.alike, step.inputs) for key, step in scope.steps.items()}
        return steps, scope.results, len(scope.inputs)

    def takes(self, scope: Scope) -> bool:
        """Let a scope be one of the instances, if it can be."""
        shape = self.shape(scope)
        if shape in self.shapes:
            self.instances.append(scope)
            return True
        if len(scope.inputs) != len(self.instances[0].inputs):
            return False
        order = interleaved(self.order, list(scope.steps))
        if order is None or len(scope.results) != len(self.results):
            return False
        place = {key: number for number, key in enumerate(order)}
        for key, step in scope.steps.items():
            if key in self.inputs and any(
                other.steps[key].alike != step.alike
                for other in self.instances
                if key in other.steps
            ):
                return False
        scopes = [*self.instances, scope]
        shapes = [*self.shapes, shape]
        optional = [key for key in order if any(key not in steps for steps, _, _ in shapes)]
        patterns = {tuple(key in steps for steps, _, _ in shapes) for key in optional}
        several = any(s.steps[key].outs > 1 for s in scopes for key in optional if key in s.steps)
        if several or len(patterns) > MOST_FLAGS or len(optional) > 12:
            return False
        inputs = {
            key: max(
                (s.steps[key].inputs for s in scopes if key in s.steps),
                key=lambda refs: [place[ref[0]] if ref[0] else -1 for ref in refs],
            )
            for key in order
        }
        results = max(
            (s.results for s in scopes),
            key=lambda refs: [place[ref[0]] if ref[0] else -1 for ref in refs],
        )
        for choice in product(*(dict.fromkeys(inputs[key]) for key in optional)):
            bypass = dict(zip(optional, choice, strict=True))
            if all(_consistent(shape, inputs, results, bypass) for shape in shapes):
                self.instances, self.shapes, self.order = scopes, shapes, order
                self.inputs, self.results, self.bypass = inputs, results, bypass
                return True
        return False


def _consistent(
    shape: Any, inputs: Mapping[Key, tuple[Ref, ...]], results: tuple[Ref, ...], bypass: Any
) -> bool:
    """Whether a scope is what is left of the class without the steps that it lacks."""
    steps, ends, _ = shape

    def left(ref: Ref) -> Ref:
        while ref[0] is not None and ref[0] not in steps:
            if ref[0] not in bypass:
                return ("", "", 0), 0
            ref = bypass[ref[0]]
        return ref

    return tuple(map(left, results)) == ends and all(
        tuple(map(left, inputs[key])) == taken for key, (_, taken) in steps.items()
    )


__all__ = ["Arg", "Class", "Classes", "Key", "Ref", "Scope", "Step", "classes"]

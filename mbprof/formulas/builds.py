"""One build of a network with symbols, and which of its conditions its cost really depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from mbprof.errors import MbprofError
from mbprof.formulas.algebra import Poly, equality, replaced
from mbprof.network.build import build
from mbprof.network.graph import Graph, Node
from mbprof.spec.model import Definition
from mbprof.symbolic.arithmetic import OPERATIONS, product
from mbprof.symbolic.symbols import Guard, Real, Whole, key
from mbprof.symbolic.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NODES = 6_000
"""How many nodes may be built to find out which conditions matter; the others are stated."""

Asked: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = dict[Asked, bool]
Costs: TypeAlias = Mapping[str, tuple[Any, ...]]
"""The cost of each layer that costs anything."""


class Fixed(Exception):
    """Internal: a value that a build has to know is denied."""


class ForcedTrace(Trace):
    """A trace whose conditions are answered as told, over the atoms that all paths share."""

    def __init__(self, shared: Trace | None = None, answers: Answers | None = None) -> None:
        super().__init__()
        self.told = answers or {}
        if shared is not None:
            self.atoms, self.numbers = shared.atoms, shared.numbers

    def decide(self, op: str, args: tuple[Any, ...], answer: bool) -> bool:
        """Answer a condition as told, else as the representative does, and note it."""
        op, args, same = _plainest(op, args)
        told = self.told.get((op, args), answer == same)
        return super().decide(op, args, told) == same

    def fix(self, args: tuple[Any, ...]) -> None:
        """Note that two numbers are equal.

        Raises: Fixed: they are told not to be.
        """
        if not self.decide("==", args, True):
            raise Fixed


def _plainest(op: str, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...], bool]:
    """Return a condition in the one form that all its forms share, and whether it is not negated.

    ``a - b != 0`` and ``b - a == 0`` are one condition, so are ``a - b >= 0`` and ``a - b < 0``.
    """
    left, right = (*args, None)[:2]
    if right == 0 and isinstance(left, tuple) and left[0] == "whole" and left[1][-1][1] < 0:
        args = (("whole", tuple((monomial, -factor) for monomial, factor in left[1])), 0)
        op = _MIRRORED.get(op, op)
    return (_NEGATED[op], args, False) if op in _NEGATED else (op, args, True)


def _pins(trace: Trace, told: Answers) -> dict[int, int]:
    """Return the symbols that are told to be a number, by that of their atom."""
    pins = {}
    for (op, args), answer in told.items():
        if op == "==" and answer and args[1] == 0:
            solved = equality(dict(args[0][1]))
            if (
                solved is not None
                and trace.atoms[solved[0]].op == "input"
                and set(solved[1]) <= {()}
            ):
                pins[solved[0]] = solved[1].get((), 0)
    return pins


class Again:
    """Computes quantities of a trace once more, with some symbols pinned to numbers."""

    def __init__(self, path: ForcedTrace, pins: Mapping[int, int]) -> None:
        self.path = path
        self.values: dict[int, Any] = dict(pins)

    def number(self, operand: Any) -> Any:
        """Return an operand of an atom, or a cost, with the pinned symbols in it."""
        if not isinstance(operand, tuple):
            return operand
        kind, what = operand
        if kind == "real":
            return self.atom(what)
        return sum(factor * product(map(self.atom, monomial)) for monomial, factor in what)

    def atom(self, number: int) -> Any:
        """Return an atom with the pinned symbols in it."""
        if number not in self.values:
            atom = self.path.atoms[number]
            if atom.op == "input":
                whole = Whole(self.path, (((number,), 1),), atom.value, atom.low, atom.high)
                real = Real(self.path, number, atom.value, atom.low, atom.high)
                self.values[number] = whole if atom.whole else real
            else:
                self.values[number] = OPERATIONS[atom.op].plain(*map(self.number, atom.args))
        return self.values[number]


def _poly(cost: Any) -> Poly:
    return dict(cost[1]) if isinstance(cost, tuple) else {(): cost}


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"!=": "==", ">=": "<", ">": "<="}


@dataclass(frozen=True, slots=True)
class Domain:
    """A symbol: its name, its value for the representative and the values that it may take."""

    name: str
    value: Any
    low: Any
    high: Any


IMPOSSIBLE = (MbprofError, Fixed, ArithmeticError, ValueError)
"""What a build raises whose answers no configuration gives, or that makes no network."""


@dataclass(slots=True)
class Builds:
    """The builds of a spec: ``knobs`` puts symbols, by name, in their places.

    ``view`` is what a convention makes of a graph, such as one with batch norms folded.
    """

    definition: Definition
    knobs: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    domains: tuple[Domain, ...]
    costs: Callable[[Sequence[Node]], tuple[Any, ...]]
    view: Callable[[Graph], Graph]
    scope: str
    spent: int = 0
    masks: dict[Asked, Any] = field(default_factory=dict)
    main: ForcedTrace = field(default_factory=ForcedTrace)

    def walk(self, answers: Answers, pins: Mapping[int, int]) -> tuple[ForcedTrace, Graph]:
        """Build the spec under some answers; symbols that are pinned are numbers.

        Raises: MbprofError: it makes no network. Fixed: see `ForcedTrace.fix`.
        """
        path = ForcedTrace(self.main, answers)
        symbols: dict[str, Any] = {
            domain.name: path.input(domain.name, domain.value, domain.low, domain.high)
            for domain in self.domains
        }
        for domain in self.domains:
            if (number := path.numbers["input", (domain.name,)]) in pins:
                symbols[domain.name] = pins[number]
        graph = build(self.definition, self.knobs(symbols))
        self.spent += len(graph.nodes)
        return path, self.view(graph)

    def needed(self, path: ForcedTrace, graph: Graph) -> list[Guard]:
        """Return the conditions of a path that its cost depends on, as far as can be found out.

        From the last to the first: a condition is dropped if all paths on which it is answered
        otherwise, and the needed ones behind it alike, cost the same layer by layer.
        """
        expected = self.by_layer(graph)
        guards = list(path.guards.items())
        kept: Answers = {}
        for i in range(len(guards) - 1, -1, -1):
            asked, guard = guards[i]
            before = {other: guard.answer for other, guard in guards[:i]}
            told = {**kept, **before, asked: not guard.answer}
            if not all(self.same(leaf, expected) for leaf in self.leaves(told)):
                kept[asked] = guard.answer
        return [guard for asked, guard in guards if asked in kept]

    def same(self, leaf: tuple[ForcedTrace, Costs] | None, expected: Costs) -> bool:
        """Whether the costs of a path are those expected, given what is equal on the path."""
        if leaf is None:
            return False
        path, costs = leaf
        if costs == expected:
            return True
        if pins := _pins(path, path.told):
            again = Again(path, pins)
            try:
                expected = {
                    name: tuple(key(again.number(number)) for number in cost)
                    for name, cost in expected.items()
                }
            except IMPOSSIBLE:
                return False
        equal = [
            solved
            for guard in path.guards.values()
            if guard.op == "==" and guard.answer and guard.args[1] == 0
            if (solved := equality(dict(guard.args[0][1]))) is not None
        ]
        return costs.keys() == expected.keys() and all(
            replaced(_poly(mine), equal) == replaced(_poly(theirs), equal)
            for name, pair in costs.items()
            for mine, theirs in zip(pair, expected[name], strict=True)
        )

    def leaves(self, told: Answers) -> Iterator[tuple[ForcedTrace, Costs] | None]:
        """Yield all paths that give some answers, with costs; None for what cannot be known."""
        if not self.possible(told):
            return
        if self.spent > MAX_NODES:
            yield None
            return
        try:
            path, graph = self.walk(told, _pins(self.main, told))
        except IMPOSSIBLE:
            yield None
            return
        yield path, self.by_layer(graph)
        open_ones = [(asked, g.answer) for asked, g in path.guards.items() if asked not in told]
        so_far = dict(told)
        for asked, answer in open_ones:
            yield from self.leaves({**so_far, asked: not answer})
            so_far[asked] = answer

    def by_layer(self, graph: Graph) -> Costs:
        """Return what the layers cost that cost anything, as keys that compare by value."""
        nodes_by_layer: dict[str, list[Node]] = {}
        for node in graph.nodes:
            if self.scope == "all" or node.scope == self.scope:
                nodes_by_layer.setdefault(node.layer, []).append(node)
        costs = {layer: self.costs(nodes) for layer, nodes in nodes_by_layer.items()}
        return {
            layer: tuple(map(key, cost))
            for layer, cost in costs.items()
            if any(isinstance(number, Whole | Real) or number for number in cost)
        }

    def possible(self, answers: Answers) -> bool:
        """Whether some value of each whole symbol gives the answers that depend on it alone."""
        together: dict[str, Any] = {}
        for (op, args), answer in answers.items():
            name, mask = self.mask(op, args)
            if name:
                mask = mask if answer else ~mask
                together[name] = mask & together[name] if name in together else mask
        return all(mask.any() for mask in together.values())

    def mask(self, op: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        """Return the one whole symbol that a condition depends on, and which values meet it."""
        asked = (op, args)
        if asked not in self.masks:
            self.masks[asked] = self._mask(op, args)
        mask: tuple[str, Any] = self.masks[asked]
        return mask

    def _mask(self, op: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        names = self.inputs(args)
        domain = next((domain for domain in self.domains if names == {domain.name}), None)
        if domain is None or not isinstance(domain.value, int):
            return "", None
        import numpy as np

        from mbprof.symbolic.program import FITS, Run

        inner = [operand for n in self.reached(args) for operand in self.main.atoms[n].args]
        for kind, terms in (operand for operand in (*args, *inner) if isinstance(operand, tuple)):
            for monomial, factor in terms if kind == "whole" else ():
                if max(map(abs, self.main.range(monomial))) * abs(factor) >= FITS >> 20:
                    return "", None
        values = np.arange(domain.low, domain.high + 1, dtype=np.int64)
        with np.errstate(all="ignore"):
            mask = Run(self.main.atoms, {domain.name: values}).answers(Guard(op, args, True))
        return domain.name, mask

    def inputs(self, operands: tuple[Any, ...]) -> set[str]:
        """Return the names of the symbols that operands depend on."""
        atoms = (self.main.atoms[number] for number in self.reached(operands))
        return {atom.args[0] for atom in atoms if atom.op == "input"}

    def reached(self, operands: tuple[Any, ...]) -> set[int]:
        """Return the numbers of the atoms that operands are made of."""
        numbers_reached: set[int] = set()
        pending = list(operands)
        while pending:
            operand = pending.pop()
            if isinstance(operand, tuple):
                kind, what = operand
                numbers = {n for m, _ in what for n in m} if kind == "whole" else {what}
                for number in numbers - numbers_reached:
                    numbers_reached.add(number)
                    pending += self.main.atoms[number].args
        return numbers_reached

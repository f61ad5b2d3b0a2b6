"""One build of a network with symbols, and which of its conditions its cost really depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mbprof.errors import MbprofError
from mbprof.formulas.naming import Poly, atoms_in, equality, replaced
from mbprof.language.record import record
from mbprof.network.build import build
from mbprof.network.conventions import Convention
from mbprof.network.graph import Graph, Node
from mbprof.spec.model import Definition
from mbprof.symbolic.arithmetic import OPERATIONS, product
from mbprof.symbolic.lanes import has_numpy
from mbprof.symbolic.symbols import Guard, Real, Terms, Whole, key
from mbprof.symbolic.trace import Trace

SIZES = ("H", "W")
MAX_NODES = 6_000
"""How many nodes may be built to find out which conditions matter; the others are stated."""

Asked: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = dict[Asked, bool]
Costs: TypeAlias = Mapping[str, tuple[Any, ...]]
"""The cost of each layer that costs anything."""

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"!=": "==", ">=": "<", ">": "<="}


MAX_SUMS = 60_000_000
"""So many terms a formula adds up at most: as much as 30,000 layers ask for."""


class Fixed(Exception):
    """Internal: a value that a build has to know is denied."""


class ForcedTrace(Trace):
    """A trace whose conditions are answered as told, over the atoms that all paths share."""

    def __init__(self, shared: Trace | None = None, answers: Answers | None = None) -> None:
        super().__init__()
        self.most, self.told = MAX_SUMS, answers or {}
        if shared is not None:
            self.atoms, self.numbers = shared.atoms, shared.numbers

    def decide(self, op: str, args: tuple[Any, ...], answer: bool) -> bool:
        """Answer a condition as told, else as the representative does, and note it."""
        if op == "inside":  # which is so of every network, and no condition of a formula
            return answer
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
    terms = compared_with_zero(args)
    if terms is not None and terms[-1][1] < 0:
        args = (("whole", tuple((monomial, -factor) for monomial, factor in terms)), 0)
        op = _MIRRORED.get(op, op)
    return (_NEGATED[op], args, False) if op in _NEGATED else (op, args, True)


def compared_with_zero(args: tuple[Any, ...]) -> Terms | None:
    """Return the terms of the whole number that a condition compares with zero, if it does."""
    left, right = (*args, None)[:2]
    whole = right == 0 and isinstance(left, tuple) and left[0] == "whole"
    return left[1] if whole else None


def _equalities(guards: Iterable[Guard]) -> Iterator[tuple[int, Poly]]:
    """Yield the atoms that guards make equal to another one or to a number, and to what."""
    for guard in guards:
        terms = compared_with_zero(guard.args) if guard.op == "==" and guard.answer else None
        if terms is not None and (solved := equality(dict(terms))) is not None:
            yield solved


def _guards(answers: Answers) -> list[Guard]:
    return [Guard(op, args, answer) for (op, args), answer in answers.items()]


def _pins(trace: Trace, told: Answers) -> dict[int, int]:
    """Return the symbols that are told to be a number, by that of their atom."""
    return {
        number: by.get((), 0)
        for number, by in _equalities(_guards(told))
        if trace.atoms[number].op == "input" and set(by) <= {()}
    }


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


@record
class Domain:
    """A symbol: its name, its value for the representative and the values that it may take."""

    name: str
    value: Any
    low: Any
    high: Any


def placed(knobs: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return knobs with numbers or symbols in their places; those of H and W are of the input."""
    own = {**knobs, **{n: v for n, v in values.items() if n not in SIZES}}
    if "res" in knobs:
        sides = zip(SIZES, knobs["res"], strict=True)
        own["res"] = tuple(values.get(name, side) for name, side in sides)
    return own


IMPOSSIBLE = (MbprofError, Fixed, ArithmeticError, ValueError)
"""What a build raises whose answers no configuration gives, or that makes no network."""


@dataclass(slots=True)
class Builds:
    """The builds of a spec at some knobs, where symbols stand for those of the domains."""

    definition: Definition
    knobs: Mapping[str, Any]
    domains: tuple[Domain, ...]
    convention: Convention
    scope: str
    spent: int = 0
    masks: dict[Asked, tuple[str, Any]] = field(default_factory=dict)
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
        graph = build(self.definition, placed(self.knobs, symbols))
        self.spent += len(graph.nodes)
        return path, self.convention.view(graph)

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
        equal = list(_equalities(path.guards.values()))
        return costs.keys() == expected.keys() and all(
            replaced(_poly(mine), equal) == replaced(_poly(theirs), equal)
            for name, pair in costs.items()
            for mine, theirs in zip(pair, expected[name], strict=True)
        )

    def leaves(self, told: Answers) -> Iterator[tuple[ForcedTrace, Costs] | None]:
        """Yield all paths that give some answers, with costs; None for what cannot be known."""
        if not all(mask.any() for mask in self.left(_guards(told)).values()):
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
        so_far = dict(told)
        for asked, guard in path.guards.items():
            if asked not in told:
                yield from self.leaves({**so_far, asked: not guard.answer})
                so_far[asked] = guard.answer

    def by_layer(self, graph: Graph) -> Costs:
        """Return what the layers cost that cost anything, as keys that compare by value."""
        nodes_by_layer: dict[str, list[Node]] = {}
        for node in graph.nodes:
            if self.scope == "all" or node.scope == self.scope:
                nodes_by_layer.setdefault(node.layer, []).append(node)
        costs = {layer: self.cost(nodes) for layer, nodes in nodes_by_layer.items()}
        return {
            layer: tuple(map(key, cost))
            for layer, cost in costs.items()
            if any(isinstance(number, Whole | Real) or number for number in cost)
        }

    def cost(self, nodes: Sequence[Node]) -> tuple[Any, ...]:
        """Return params and cost of nodes under the convention, symbols or not."""
        count = self.convention.count(nodes)
        return count.params, count.cost

    def left(self, guards: Iterable[Guard]) -> dict[str, Any]:
        """Return which values of each whole symbol meet the guards that depend on it alone."""
        masks: dict[str, Any] = {}
        for guard in guards:
            name, mask = self.mask(guard.op, guard.args)
            if name:
                mask = mask if guard.answer else ~mask
                masks[name] = mask & masks[name] if name in masks else mask
        return masks

    def mask(self, op: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        """Return the one whole symbol that a condition depends on, and which values meet it."""
        if (op, args) not in self.masks:
            self.masks[op, args] = self._mask(op, args)
        return self.masks[op, args]

    def _mask(self, op: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        atoms = [self.main.atoms[number] for number in self.reached(args)]
        names = {atom.args[0] for atom in atoms if atom.op == "input"}
        domain = next((domain for domain in self.domains if names == {domain.name}), None)
        if domain is None or not isinstance(domain.value, int) or not has_numpy():
            return "", None
        import numpy as np

        from mbprof.symbolic.program import FITS, Plans, Run

        inner = [operand for atom in atoms for operand in atom.args]
        for kind, terms in (operand for operand in (*args, *inner) if isinstance(operand, tuple)):
            for monomial, factor in terms if kind == "whole" else ():
                if max(map(abs, self.main.range(monomial))) * abs(factor) >= FITS >> 20:
                    return "", None
        values = np.arange(domain.low, domain.high + 1, dtype=np.int64)
        with np.errstate(all="ignore"):
            mask = Run(Plans(self.main.atoms), {domain.name: values}).answers(Guard(op, args, True))
        return domain.name, mask

    def reached(self, operands: tuple[Any, ...]) -> set[int]:
        """Return the numbers of the atoms that operands are made of."""
        numbers_reached: set[int] = set()
        pending = list(operands)
        while pending:
            for number in atoms_in(pending.pop()) - numbers_reached:
                numbers_reached.add(number)
                pending += self.main.atoms[number].args
        return numbers_reached

"""A trace as a straight line of operations on whole columns of configurations."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import compress, repeat
from typing import Any, NamedTuple

from mbprof.symbolic.arithmetic import OPERATIONS
from mbprof.symbolic.columns import taken
from mbprof.symbolic.lanes import Column, Lanes
from mbprof.symbolic.symbols import Atom, Condition, Guard, Monomial, Terms, Whole, atoms_of
from mbprof.symbolic.trace import Trace

BLOCK = 1 << 12
"""So many configurations are computed at a time: their columns stay in the fast caches."""
FITS = 2**62
"""Sums that stay below this cannot overflow 64 bits on the way."""
DONE, OTHER, LARGE = range(3)
"""The state of a configuration: computed, not one that answers alike, or perhaps too large."""


class Program:
    """The outputs of a trace and its guards, ready to be evaluated on columns."""

    def __init__(self, trace: Trace, outputs: Sequence[Any]) -> None:
        self.atoms: list[Atom] = trace.atoms
        self.guards = tuple(trace.guards.values())
        self.outputs = [_terms(output) for output in outputs]
        self.plans = Plans(self.atoms)
        self.conditions = [output for output in outputs if isinstance(output, Condition)]
        asked: list[Any] = [*self.atoms, *self.guards, *self.conditions]
        operands = [operand for thing in asked for operand in thing.args]
        self.inner = _wide(trace, (o[1] for o in operands if _is(o, "whole")))
        self.outer = _wide(trace, (out.terms for out in outputs if isinstance(out, Whole)))
        """Sums on the way, and outputs, that may not fit into 64 bits."""
        rounding = [atom.args[0] for atom in self.atoms if atom.whole and not _fits(atom)]
        self.rounded = [o[1] for o in rounding if _is(o, "real")]
        """Doubles that are made whole and may not fit."""
        self.huge = any(isinstance(o, int) and abs(o) >= FITS for o in operands)
        """Whether a number on the way does not fit."""
        ends = (end for atom in self.atoms if not atom.whole for end in (atom.low, atom.high))
        self.exact = not (self.inner or self.rounded or self.huge or trace.rounds)
        self.exact &= all(map(math.isfinite, ends))
        """Whether each answer is the one that Python's own numbers give."""

    def inputs(self, operands: Iterable[Any]) -> set[str]:
        """Return the inputs that some operands are made of."""
        waiting = [number for operand in operands for number in atoms_of(operand)]
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number not in seen:
                seen.add(number)
                waiting += self.plans.operands(number)
        return {self.atoms[n].args[0] for n in seen if self.atoms[n].op == "input"}

    @property
    def beyond(self) -> bool:
        """Whether a number that stands in the program does not fit, for whatever configuration."""
        factors = (abs(factor) for terms in (*self.inner, *self.outer) for _, factor in terms)
        return self.huge or max(factors, default=0) >= FITS

    @property
    def asked(self) -> set[str]:
        """The inputs that guards ask for."""
        return self.inputs(operand for guard in self.guards for operand in guard.args)

    def run(self, columns: Mapping[str, Column], count: int) -> tuple[Column, list[Column]]:
        """Return the state of each configuration, and the outputs of those that are done.

        The state is None where all are.
        """
        import numpy as np

        state = np.full(count, DONE, dtype=np.uint8)
        large = self.large(columns, count)
        if large is not None:
            state[large] = LARGE
        rows = np.flatnonzero(state == DONE)
        matching = self.matches(taken(columns, rows, count)) if len(rows) else None
        if matching is not None:
            state[rows[~matching]] = OTHER
            rows = rows[matching]
        part = taken(columns, rows, count)
        large = self.large(part, len(rows), outputs=True)
        if large is not None:
            state[rows[large]] = LARGE
            rows = rows[~large]
            part = taken(columns, rows, count)
        return None if len(rows) == count else state, self.evaluate(part, len(rows))

    def matches(self, columns: Mapping[str, Column]) -> Column:
        """Return which configurations answer all guards as the trace does."""
        return self.answers(columns)[0]

    def answers(self, columns: Mapping[str, Column]) -> list[Column]:
        """Return which configurations answer all guards alike, and what outputs ask of each."""
        import numpy as np

        # What does not match may well divide by zero on the way.
        with np.errstate(all="ignore"):
            return self._answers(Run(self.plans, columns))

    def _answers(self, run: Run) -> list[Column]:
        matching: Column = None
        for guard in self.guards:
            right = run.answers(guard)
            matching = right if matching is None else matching & right
        return [matching, *(run.answers(Guard(c.op, c.args, True)) for c in self.conditions)]

    def plain(self, columns: Mapping[str, Lanes], count: int) -> tuple[list[int], list[Lanes]]:
        """Return the configurations that answer all guards alike, and the outputs of those.

        That is `run` in Python's own numbers, none of which is too large. Guards are asked of
        those that are left, once they are fewer than half.
        """
        rows, right, run = [*range(count)], [True] * count, Run(self.plans, columns)
        for guard in self.guards:
            answers = run.answers(guard)
            lanes = answers if isinstance(answers, Lanes) else repeat(answers)
            right = [*map(operator.and_, right, lanes)]
            if 2 * sum(right) < len(rows):
                rows, columns = _compressed(rows, columns, right)
                right, run = [True] * len(rows), Run(self.plans, columns)
            if not rows:
                return [], []
        rows, columns = _compressed(rows, columns, right)
        run = Run(self.plans, columns)
        sums = (run.sum(terms) for terms in self.outputs)
        return rows, [s if isinstance(s, Lanes) else Lanes([s] * len(rows)) for s in sums]

    def evaluate(self, columns: Mapping[str, Column], count: int) -> list[Column]:
        """Return the outputs for columns of ``count`` configurations."""
        import numpy as np

        results = [np.empty(count, dtype=np.int64) for _ in self.outputs]
        for start in range(0, count, BLOCK):
            rows = slice(start, start + BLOCK)
            part = {name: column[rows] for name, column in columns.items()}
            run = Run(self.plans, part)
            # What is not there may well divide by zero; it is multiplied by 0 then.
            with np.errstate(all="ignore"):
                for result, terms in zip(results, self.outputs, strict=True):
                    result[rows] = run.sum(terms)
        return results

    def large(self, columns: Mapping[str, Column], count: int, outputs: bool = False) -> Column:
        """Return for which configurations something may not fit into 64 bits, None if for none.

        That is asked of all that leads to answers, or of the outputs.
        """
        import numpy as np

        sums, doubles = (self.outer, []) if outputs else (self.inner, self.rounded)
        factors = (abs(factor) for terms in sums for _, factor in terms)
        if (self.huge and not outputs) or max(factors, default=0) >= FITS:
            return np.ones(count, dtype=bool)
        if not sums and not doubles:
            return None
        sizes = _Sizes(self.plans, columns)
        with np.errstate(all="ignore"):
            known = [*map(sizes.sum, sums), *map(sizes.atom, doubles)]
            fits = np.logical_and.reduce([np.asarray(size) < FITS / 2 for size in known])
        return np.broadcast_to(np.logical_not(fits), (count,))


def _compressed(
    rows: Iterable[int], columns: Mapping[str, Lanes], kept: Sequence[bool]
) -> tuple[list[int], dict[str, Lanes]]:
    """Return the rows that are kept, and what the columns say of them."""
    left = {name: Lanes(compress(column, kept)) for name, column in columns.items()}
    return [*compress(rows, kept)], left


def _terms(output: Any) -> Terms:
    return output.terms if isinstance(output, Whole) else (((), output),)


def _is(operand: Any, kind: str) -> bool:
    return isinstance(operand, tuple) and operand[0] == kind


def _fits(atom: Atom) -> bool:
    return bool(atom.low > -FITS and atom.high < FITS)


def _wide(trace: Trace, sums: Iterable[Terms]) -> list[Terms]:
    """Return the sums of which a part may not fit."""
    return [terms for terms in dict.fromkeys(sums) if _magnitude(trace, terms) >= FITS]


def _magnitude(trace: Trace, terms: Terms) -> int:
    """Return what no partial sum of some terms can exceed."""
    return sum(abs(factor) * max(map(abs, trace.range(product))) for product, factor in terms)


class Plan(NamedTuple):
    """How a sum is computed: products with their factors, and what an atom is multiplied by."""

    products: Terms
    number: int = 0
    inside: Plan | None = None
    rest: Plan | None = None


def planned(terms: Terms) -> Plan:
    """Take out of a sum the atom that most of its products share, and so on in what is left.

    >>> planned((((0, 1), 2), ((0, 2), 3), ((), 5)))[:2]
    ((((), 5),), 0)
    """
    if len(terms) == 1:
        return Plan(terms)
    shared = Counter(number for monomial, _ in terms for number in set(monomial))
    number, times = max(shared.items(), key=lambda item: (item[1], item[0]))
    if times < 2:
        return Plan(terms)
    inside, outside = [], []
    for monomial, factor in terms:
        if number in monomial:
            at = monomial.index(number)
            inside.append((monomial[:at] + monomial[at + 1 :], factor))
        else:
            outside.append((monomial, factor))
    rest = planned(tuple(outside)) if outside else Plan(())
    inner = planned(tuple(inside))
    if rest.inside is None:
        return Plan(rest.products, number, inner)
    return Plan((), number, inner, rest)


class Plans(dict[Terms, Plan]):
    """How sums are computed, and what atoms are made of; found out once, however often they are."""

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self.atoms = atoms
        self.known: dict[int, tuple[int, ...]] = {}

    def __missing__(self, terms: Terms) -> Plan:
        self[terms] = plan = planned(terms)
        return plan

    def operands(self, number: int) -> tuple[int, ...]:
        """Return the atoms that an atom is made of."""
        if number not in self.known:
            of = (n for argument in self.atoms[number].args for n in atoms_of(argument))
            self.known[number] = tuple(dict.fromkeys(of))
        return self.known[number]


class Run:
    """One evaluation: every atom, product and sum is computed once."""

    def __init__(self, plans: Plans, columns: Mapping[str, Column]) -> None:
        self.plans, self.columns = plans, columns
        self.values: dict[int, Column] = {}
        self.products: dict[Monomial, Column] = {}
        self.sums: dict[Terms, Column] = {}

    def atom(self, number: int) -> Column:
        if number not in self.values:
            # What it is made of comes first: a chain of atoms can be long.
            waiting = [number]
            while waiting:
                last = waiting[-1]
                missing = [n for n in self.plans.operands(last) if n not in self.values]
                if missing:
                    waiting += missing
                else:
                    waiting.pop()
                    if last not in self.values:
                        self.values[last] = self.computed(self.plans.atoms[last])
        return self.values[number]

    def computed(self, atom: Atom) -> Column:
        if atom.op == "input":
            return self.columns[atom.args[0]]
        return OPERATIONS[atom.op].on(*map(self.operand, atom.args))

    def operand(self, argument: Any) -> Column:
        if isinstance(argument, tuple):
            kind, what = argument
            return self.sum(what) if kind == "whole" else self.atom(what)
        return argument

    def answers(self, guard: Guard) -> Column:
        """Return which configurations answer a guard as it is noted."""
        answers = OPERATIONS[guard.op].on(*map(self.operand, guard.args))
        return answers if guard.answer else OPERATIONS["=="].on(answers, False)

    def product(self, monomial: Monomial) -> Column:
        if len(monomial) == 1:
            return self.atom(monomial[0])
        if monomial not in self.products:
            rest = self.product(monomial[:-1])
            self.products[monomial] = rest * self.atom(monomial[-1])
        return self.products[monomial]

    def sum(self, terms: Terms) -> Column:
        if terms not in self.sums:
            self.sums[terms] = self.planned(self.plans[terms])
        return self.sums[terms]

    def planned(self, plan: Plan) -> Column:
        parts = [self.scaled(*term) for term in plan.products]
        if plan.inside is not None:
            parts.append(self.planned(plan.inside) * self.atom(plan.number))
        if plan.rest is not None:
            parts.append(self.planned(plan.rest))
        return reduce(operator.add, parts)

    def scaled(self, monomial: Monomial, factor: int) -> Column:
        if not monomial:
            return factor
        product = self.product(monomial)
        return product if factor == 1 else product * factor


class _Sizes(Run):
    """What no part of a sum exceeds, as doubles, over atoms that are exact as long as they fit."""

    def __init__(self, plans: Plans, columns: Mapping[str, Column]) -> None:
        super().__init__(plans, columns)
        self.exact = Run(plans, columns)

    def atom(self, number: int) -> Column:
        import numpy as np

        return np.abs(np.asarray(self.exact.atom(number), dtype=np.float64))

    def sum(self, terms: Terms) -> Column:
        return super().sum(sized(terms))


def sized(terms: Terms) -> Terms:
    """Return the sum of what no part of a sum exceeds, of atoms that are none of them negative."""
    return tuple((product, abs(factor)) for product, factor in terms)

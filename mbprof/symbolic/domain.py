"""Numbers that are the same whatever the few knobs are that they depend on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

from mbprof.symbolic.lanes import Lanes
from mbprof.symbolic.program import Plans, Run
from mbprof.symbolic.symbols import Whole
from mbprof.symbolic.trace import Trace

MOST = 128
"""So many values of the knobs together are looked at."""


def settled(number: Whole) -> int | Whole:
    """Return a number as a plain one if all values of its knobs give the same.

    Known are those of few knobs that are whole numbers, `MOST` values of all together.
    """
    trace = number.trace
    if trace.domain is None:
        trace.domain = Domain(trace)
    found: int | Whole = trace.domain.settled(number)
    return found


class Domain:
    """The whole numbers of a trace over all values that their knobs can have."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.atoms, self.plans = trace, trace.atoms, Plans(trace.atoms)
        self.knobs: list[frozenset[int] | None] = []
        """The inputs that each atom depends on; None where they have too many values."""
        self.runs: dict[frozenset[int], Run] = {}

    def settled(self, number: Whole) -> int | Whole:
        """Return a number as a plain one if all values of its knobs give the same.

        Raises: LimitError: the trace asks too much.
        """
        knobs = self.together(n for monomial, _ in number.terms for n in monomial)
        if not knobs:
            return number
        self.trace.spend(self.count(knobs))
        if knobs not in self.runs:
            names = [self.atoms[n].args[0] for n in sorted(knobs)]
            lanes = zip(*product(*map(self.values, sorted(knobs))), strict=True)
            columns = dict(zip(names, map(Lanes, lanes), strict=True))
            self.runs[knobs] = Run(self.plans, columns)
        first, *others = set(self.runs[knobs].sum(number.terms))
        return number if others or not isinstance(first, int) else first

    def values(self, number: int) -> range:
        """Return what an input can be."""
        return range(self.atoms[number].low, self.atoms[number].high + 1)

    def together(self, numbers: Iterable[int]) -> frozenset[int] | None:
        """Return the inputs that some atoms depend on; None where they have too many values."""
        for number in range(len(self.knobs), len(self.atoms)):
            atom = self.atoms[number]
            if atom.op != "input":
                self.knobs.append(self.union(self.plans.operands(number)))
            else:
                few = atom.whole and atom.high - atom.low < MOST
                self.knobs.append(frozenset([number]) if few else None)
        return self.union(numbers)

    def union(self, numbers: Iterable[int]) -> frozenset[int] | None:
        """Return the inputs of atoms that were looked at."""
        found: frozenset[int] = frozenset()
        for number in numbers:
            own = self.knobs[number]
            if own is None:
                return None
            found |= own
        return found if self.count(found) <= MOST else None

    def count(self, knobs: Iterable[int]) -> int:
        """Return how many values inputs have together."""
        return math.prod(len(self.values(number)) for number in knobs)

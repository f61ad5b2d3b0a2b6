"""The trace of one build: what its symbols are made of, and which conditions it answered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from mbprof.errors import LimitError
from mbprof.symbolic.symbols import (
    UNBOUNDED,
    Atom,
    Guard,
    Monomial,
    Real,
    Whole,
    bounds,
    double,
    key,
)

MAX_TERMS = 2_000_000
"""So many terms are added up in a trace at most; a sum counts as 20 more, a guard as 1,000."""


class Trace:
    """The atoms and guards of one build; an open one leaves open what is there."""

    def __init__(self, is_open: bool = False) -> None:
        self.open = is_open
        self.spent, self.most = 0, MAX_TERMS
        self.flags: set[int] = set()
        self.rounds = False
        """Whether a whole number that no double need be was compared with a double."""
        self.atoms: list[Atom] = []
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.guards: dict[tuple[Any, ...], Guard] = {}
        self.ranges: dict[Monomial, tuple[int, int]] = {}
        self.domain: Any = None
        """What is known of its numbers over all values of few knobs, once that was asked."""

    def input(self, name: str, value: Any, low: Any, high: Any, step: int = 1) -> Any:
        """Return the symbol of a knob that takes values from low to high in steps.

        With a step, what is divided or compared by it needs no rounding and no guard.
        """
        if isinstance(value, int):
            number = self.atom("input", (name,), value, low, high)
            if step < 2:
                return number
            steps, most = (value - low) // step, (high - low) // step
            return self.atom("//", (key(number - low), step), steps, 0, most) * step + low
        return self.real("input", (name,), value, low, high)

    def atom(
        self, op: str, args: tuple[Any, ...], value: int, low: int, high: int, multiple: int = 1
    ) -> Whole:
        """Return a whole symbol for an operation, the same one for the same operands."""
        number = self.number(Atom(op, args, value, low, high, True, multiple))
        return Whole(self, (((number,), 1),), value, low, high)

    def flag(self, op: str, args: tuple[Any, ...], answer: bool) -> Whole:
        """Return the answer to a condition as a number, 1 or 0."""
        number = self.atom("flag", (op, *args), int(answer), 0, 1)
        self.flags.add(number.terms[0][0][0])
        return number

    def product(self, left: Monomial, right: Monomial) -> Monomial:
        """Return the product of two products of atoms; a flag times itself is the flag."""
        both = sorted(left + right)
        if not self.flags or self.flags.isdisjoint(both):
            return tuple(both)
        again = {n for n, following in itertools.pairwise(both) if n == following} & self.flags
        kept = [n for n in both if n not in again]
        return tuple(sorted([*kept, *again]))

    def real(self, op: str, args: tuple[Any, ...], value: float, low: float, high: float) -> Real:
        """Return a real symbol for an operation, the same one for the same operands."""
        return Real(self, self.number(Atom(op, args, value, low, high, False, 1)), value, low, high)

    def double(
        self,
        op: str,
        plain: Callable[..., float],
        numbers: Sequence[Any],
        ends: tuple[float, float] | None = None,
    ) -> Real:
        """Return what a function makes of doubles, some of which are symbols.

        Its range is ``ends``; without them the function never turns between the ends of theirs.
        """
        doubles = [double(number) for number in numbers]
        value = plain(*(number.value if isinstance(number, Real) else number for number in doubles))
        finite = all(math.isfinite(end) for number in doubles for end in bounds(number))
        low, high = (ends or _corners(plain, doubles)) if finite else UNBOUNDED
        return self.real(op, tuple(map(key, doubles)), value, low, high)

    def number(self, atom: Atom) -> int:
        key = (atom.op, atom.args)
        if key not in self.numbers:
            self.numbers[key] = len(self.atoms)
            self.atoms.append(atom)
        return self.numbers[key]

    def polynomial(self, terms: dict[Monomial, int], value: int) -> Whole | int:
        """Return the sum of terms; a plain number if nothing varies in it."""
        kept = {monomial: factor for monomial, factor in terms.items() if factor}
        self.spend(20 + len(kept))
        if not kept:
            return 0
        if len(kept) == 1 and () in kept:
            return kept[()]
        low = high = 0
        for monomial, factor in kept.items():
            least, most = self.range(monomial)
            low += factor * (least if factor > 0 else most)
            high += factor * (most if factor > 0 else least)
        return Whole(self, tuple(sorted(kept.items())), value, low, high)

    def range(self, monomial: Monomial) -> tuple[int, int]:
        """Return the least and largest value of a product of atoms."""
        if monomial in self.ranges:
            return self.ranges[monomial]
        low = high = 1
        for number in monomial:
            atom = self.atoms[number]
            if low >= 0 and atom.low >= 0:
                low, high = low * atom.low, high * atom.high
            else:
                corners = [a * b for a in (low, high) for b in (atom.low, atom.high)]
                low, high = min(corners), max(corners)
        self.ranges[monomial] = low, high
        return low, high

    def decide(self, op: str, args: tuple[Any, ...], answer: bool) -> bool:
        """Answer a condition as the representative does, and note it."""
        if (op, args) not in self.guards:
            self.guards[op, args] = Guard(op, args, answer)
            self.spend(1_000)
        return answer

    def spend(self, terms: int) -> None:
        """Count the terms of sums and guards.

        Raises: LimitError: there are too many.
        """
        self.spent += terms
        if self.spent > self.most:
            raise LimitError(
                "the network asks too much of the knobs that vary",
                hint="let fewer of them vary, or give values one by one",
            )

    def fix(self, args: tuple[Any, ...]) -> None:
        """Note that two numbers are equal, and that what follows is computed with the value."""
        self.decide("==", args, True)


def _corners(plain: Callable[..., float], doubles: Sequence[Any]) -> tuple[float, float]:
    """Return the least and largest value at the ends of the ranges, if there is one at each."""
    try:
        corners = [plain(*ends) for ends in itertools.product(*map(bounds, doubles))]
    except (ArithmeticError, ValueError):
        return UNBOUNDED
    return min(corners), max(corners)

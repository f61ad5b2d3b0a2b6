"""Numbers that remember how they were made, so that one computation serves many configurations.

A spec is built once for one configuration, the representative, with symbols in place of the knobs
that vary. A whole symbol is a polynomial over atoms; an atom is a knob, or an operation that is no
sum or product, such as a rounding. A condition is answered as the representative answers it and is
noted as a guard: the result holds for every configuration that answers all guards alike. Each
symbol also knows its range over all configurations, so that most conditions need no guard, and
that sums which may not fit into 64 bits are found before they are computed.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from mbprof.symbolic.atoms import (
    EXACT,
    MAX_TERMS,
    Atom,
    Condition,
    Guard,
    Monomial,
    Terms,
    Varying,
    divided,
)

UNBOUNDED = (-math.inf, math.inf)
"""The range of a double of which nothing is known."""


class Trace:
    """The atoms and guards of one build."""

    def __init__(self) -> None:
        self.rounds = False
        """Whether a whole number that no double need be was compared with a double."""
        self.atoms: list[Atom] = []
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.guards: dict[tuple[Any, ...], Guard] = {}
        self.ranges: dict[Monomial, tuple[int, int]] = {}

    def input(self, name: str, value: Any, low: Any, high: Any) -> Whole | Real:
        """Return the symbol of a knob that takes values from low to high."""
        if isinstance(value, int):
            return self.atom("input", (name,), value, low, high)
        return self.real("input", (name,), value, low, high)

    def atom(
        self, op: str, args: tuple[Any, ...], value: int, low: int, high: int, multiple: int = 1
    ) -> Whole:
        """Return a whole symbol for an operation, the same one for the same operands."""
        number = self.number(Atom(op, args, value, low, high, True, multiple))
        return Whole(self, (((number,), 1),), value, low, high)

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
        self.guards.setdefault((op, args), Guard(op, args, answer))
        return answer

    def fix(self, args: tuple[Any, ...]) -> None:
        """Note that two numbers are equal, and that what follows is computed with the value."""
        self.decide("==", args, True)


def whole_value(x: Any) -> int:
    """Return the representative's value of a whole number, symbol or not."""
    return x.value if isinstance(x, Whole) else int(x)


def key(x: Any) -> Any:
    """Return what a number is to an atom that has it as an operand."""
    if isinstance(x, Whole):
        return ("whole", x.terms)
    if isinstance(x, Real):
        return ("real", x.number)
    return x


def bounds(x: Any) -> tuple[Any, Any]:
    """Return the least and the largest value of a number, symbol or not."""
    return (x.low, x.high) if isinstance(x, Whole | Real) else (x, x)


def double(x: Any) -> Any:
    """Return a number as a double, symbol or not."""
    if isinstance(x, Real):
        return x
    return x.real() if isinstance(x, Whole) else float(x)


def _corners(plain: Callable[..., float], doubles: Sequence[Any]) -> tuple[float, float]:
    """Return the least and largest value at the ends of the ranges, if there is one at each."""
    try:
        corners = [plain(*ends) for ends in itertools.product(*map(bounds, doubles))]
    except (ArithmeticError, ValueError):
        return UNBOUNDED
    return min(corners), max(corners)


def _beyond(x: Any) -> bool:
    """Whether a whole number may be one that no double is."""
    low, high = bounds(x)
    return isinstance(x, Whole | int) and bool(max(abs(low), abs(high)) > EXACT)


class Whole(Varying):
    """A whole number: a polynomial over atoms, its value for the representative, its range."""

    __slots__ = ("high", "low", "terms", "trace", "value")
    value: int

    def __init__(self, trace: Trace, terms: Terms, value: int, low: int, high: int) -> None:
        self.trace, self.terms, self.value, self.low, self.high = trace, terms, value, low, high

    @property
    def multiple(self) -> int:
        """A number that divides every value."""
        common = 0
        for monomial, factor in self.terms:
            part = abs(factor)
            for number in monomial:
                part *= self.trace.atoms[number].multiple
            common = math.gcd(common, part)
        return common

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Whole | int):
            terms = dict(self.terms)
            for monomial, factor in _terms(other):
                terms[monomial] = terms.get(monomial, 0) + factor
            return self.trace.polynomial(terms, self.value + whole_value(other))
        return self.real() + other

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, Whole | int) else self.real() - other

    def __rsub__(self, other: Any) -> Any:
        return -self + other if isinstance(other, Whole | int) else other - self.real()

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, Whole | int):
            return self.real() * other
        if isinstance(other, Whole) and len(self.terms) * len(other.terms) > MAX_TERMS:
            return self.as_atom() * other.as_atom()
        terms: dict[Monomial, int] = {}
        for left, p in self.terms:
            for right, q in _terms(other):
                both = tuple(sorted(left + right))
                terms[both] = terms.get(both, 0) + p * q
        return self.trace.polynomial(terms, self.value * whole_value(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if not isinstance(other, Whole | int):
            return self.real() // other
        return _floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _floor_divide(other, self) if isinstance(other, int) else other // self.real()

    def __mod__(self, other: Any) -> Any:
        if not isinstance(other, Whole | int):
            return self.real() % other
        if isinstance(other, int) and other and self.multiple % other == 0:
            return 0
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return other % self.real()
        return other - (other // self) * self

    def __truediv__(self, other: Any) -> Any:
        return self.real() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.real()

    def as_atom(self) -> Whole:
        """Return the number as one atom, so that products of long sums stay short."""
        if len(self.terms) == 1:
            return self
        return self.trace.atom("sum", (key(self),), self.value, self.low, self.high, self.multiple)

    def real(self) -> Real:
        """Return the number as a double."""
        value = float(self.value)
        return self.trace.real("real", (key(self),), value, float(self.low), float(self.high))

    def _compare(self, op: str, other: Any, holds: Callable[[Any, Any], Any]) -> Any:
        """Compare by the difference; where its range decides, no guard is needed."""
        if isinstance(other, float | Real):
            self.trace.rounds |= _beyond(self)
            return holds(self.real(), other)
        if not isinstance(other, Whole | int):
            return op == "!="
        difference = self - other
        if isinstance(difference, int):
            return holds(difference, 0)
        low, high = difference.low, difference.high
        equality = op in ("==", "!=")
        if (low > 0 or high < 0) if equality else holds(low, 0) == holds(high, 0):
            return holds(low, 0)
        return Condition(self.trace, op, (key(difference), 0), holds(difference.value, 0))

    def __int__(self) -> int:
        """Fix the value: the result holds for configurations that share it."""
        if self.low != self.high:
            self.trace.fix((key(self - self.value), 0))
        return self.value

    __index__ = __int__


def _terms(x: Any) -> Terms:
    return x.terms if isinstance(x, Whole) else (((), x),)


def _floor_divide(x: Whole | int, y: Whole | int) -> Any:
    """Divide and round down; what divides exactly comes out of the atom."""
    if bool(y == 0):
        raise ZeroDivisionError
    trace = x.trace if isinstance(x, Whole) else y.trace  # type: ignore[union-attr]
    value = whole_value(x) // whole_value(y)
    if isinstance(y, int):
        exact = {m: f // y for m, f in _terms(x) if f % y == 0}
        rest = {m: f for m, f in _terms(x) if f % y}
        if not rest:
            return trace.polynomial(exact, value)
        if set(rest) == {()}:
            exact[()] = rest[()] // y
            return trace.polynomial(exact, value)
        if exact:
            taken = sum(f * _product(trace, m) for m, f in exact.items())
            remainder = trace.polynomial(rest, whole_value(x) - taken * y)
            return trace.polynomial(exact, taken) + _floor_divide(remainder, y)
    elif (common := divided(_terms(x), y.terms)) is not None:
        return trace.polynomial(common, value)
    (a, b), (c, d) = bounds(x), bounds(y)
    corners = [p // q for p in (a, b) for q in (c, d) if q] or [value]
    low, high = min(corners), max(corners)
    if c <= 0 <= d:
        low, high = min(low, -abs(a), -abs(b)), max(high, abs(a), abs(b))
    return trace.atom("//", (key(x), key(y)), value, low, high)


def _product(trace: Trace, monomial: Monomial) -> int:
    result = 1
    for number in monomial:
        result *= trace.atoms[number].value
    return result


class Real(Varying):
    """A double: an atom, its value for the representative, its range.

    Nothing is rearranged: the reference implementations' order of operations is kept.
    """

    __slots__ = ("high", "low", "number", "trace", "value")

    def __init__(self, trace: Trace, number: int, value: float, low: float, high: float) -> None:
        self.trace, self.number, self.value, self.low, self.high = trace, number, value, low, high

    @property
    def whole(self) -> Whole | None:
        """The whole number that this is the double of, if it is that and nothing is lost."""
        op, args, *_ = self.trace.atoms[self.number]
        if op != "real" or max(abs(self.low), abs(self.high)) > EXACT:
            return None
        return Whole(self.trace, args[0][1], int(self.value), int(self.low), int(self.high))

    def __add__(self, other: Any) -> Real:
        return self.trace.double("+", operator.add, (self, other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Real:
        return self.trace.double("-", operator.sub, (self, other))

    def __rsub__(self, other: Any) -> Real:
        return self.trace.double("-", operator.sub, (other, self))

    def __mul__(self, other: Any) -> Real:
        if isinstance(other, int | float) and other == 1:
            return self
        if isinstance(other, int | float) and other and float(other).is_integer():
            whole = self.whole
            if whole is not None and max(abs(self.low), abs(self.high)) * abs(other) <= EXACT:
                product: Whole = whole * int(other)
                return product.real()
        return self.trace.double("*", operator.mul, (self, other))

    __rmul__ = __mul__

    def __neg__(self) -> Real:
        return self * -1.0

    def __truediv__(self, other: Any) -> Real | float:
        if isinstance(other, Real) and other.number == self.number and 0 < self.low < self.high:
            return 1.0
        return self._divided("/", operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Real:
        return self._divided("/", operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Real:
        return self._divided("//~", operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Real:
        return self._divided("//~", operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Real:
        return self._divided("%~", operator.mod, self, other)

    def __rmod__(self, other: Any) -> Real:
        return self._divided("%~", operator.mod, other, self)

    def _divided(self, op: str, plain: Callable[[Any, Any], float], x: Any, y: Any) -> Real:
        """Divide: where the divisor may be close to zero, the range is everything."""
        if bool(y == 0):
            raise ZeroDivisionError
        low, high = bounds(y)
        if low <= 0 <= high:
            return self.trace.double(op, plain, (x, y), UNBOUNDED)
        rest = (min(0.0, float(low)), max(0.0, float(high))) if op == "%~" else None
        return self.trace.double(op, plain, (x, y), rest)

    def _compare(self, op: str, other: Any, holds: Callable[[Any, Any], Any]) -> Any:
        self.trace.rounds |= _beyond(other)
        if isinstance(other, Whole):
            other = other.real()
        if not isinstance(other, int | float | Real):
            return op == "!="
        (a, b), (c, d) = (self.low, self.high), bounds(other)
        answer = holds(self.value, other.value if isinstance(other, Real) else other)
        if isinstance(other, Real) and other.number == self.number:
            return answer
        if b < c or a > d or (a == b == c == d):
            return answer
        if op in ("<", ">="):
            if a >= d:
                return answer
        elif op in (">", "<=") and b <= c:
            return answer
        return Condition(self.trace, op, (key(self), key(other)), answer)

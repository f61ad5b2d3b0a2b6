"""Numbers that remember how they were made, so that one computation serves many configurations.

A spec is built once for one configuration, the representative, with symbols in place of the knobs
that vary. A whole symbol is a polynomial over atoms; an atom is a knob, or an operation that is no
sum or product, such as a rounding. A condition is answered as the representative answers it and is
noted as a guard: the result holds for every configuration that answers all guards alike. Each
symbol also knows its range over all configurations, so that most conditions need no guard, and
that sums which may not fit into 64 bits are found before they are computed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeGuard

Monomial: TypeAlias = tuple[int, ...]
Terms: TypeAlias = tuple[tuple[Monomial, int], ...]
Operator: TypeAlias = Callable[[Any, Any], Any]
MAX_TERMS = 64
MOST = 10**30
"""The largest number there is, given or computed, whole or not, and its negative the least."""
EXACT = 2**53
"""Whole numbers up to this are doubles as they are."""
UNBOUNDED = (-math.inf, math.inf)
"""The range of a double of which nothing is known."""


class Atom(NamedTuple):
    """An operation with its operands, the representative's value and the range of all."""

    op: str
    args: tuple[Any, ...]
    value: Any
    low: Any
    high: Any
    whole: bool
    multiple: int
    """A number that divides every value of a whole atom."""


class Guard(NamedTuple):
    """A condition and the answer that the representative gives."""

    op: str
    args: tuple[Any, ...]
    answer: bool


class Condition:
    """A comparison that not every configuration answers alike; asking it makes a guard."""

    __slots__ = ("answer", "args", "op", "trace")

    def __init__(self, trace: Any, op: str, args: tuple[Any, ...], answer: bool) -> None:
        self.trace, self.op, self.args, self.answer = trace, op, args, answer

    def __bool__(self) -> bool:
        return bool(self.trace.decide(self.op, self.args, self.answer))

    @property
    def flag(self) -> Whole:
        """The answer as a number, 1 or 0, so that nobody has to ask."""
        number: Whole = self.trace.flag(self.op, self.args, self.answer)
        return number


def is_open(value: object) -> TypeGuard[Condition]:
    """Whether a value is a condition of a trace that leaves open what is there."""
    return isinstance(value, Condition) and value.trace.open


def _comparison(op: str, holds: Operator) -> Operator:
    return lambda self, other: self._compare(op, other, holds)


class Varying:
    """What is compared, asked and shown alike of whole numbers and of doubles."""

    __slots__ = ()
    trace: Any
    value: Any
    low: Any
    high: Any

    __eq__ = _comparison("==", operator.eq)
    __ne__ = _comparison("!=", operator.ne)
    __lt__ = _comparison("<", operator.lt)
    __le__ = _comparison("<=", operator.le)
    __gt__ = _comparison(">", operator.gt)
    __ge__ = _comparison(">=", operator.ge)

    def __hash__(self) -> int:
        """Tell apart what is not the same number of one trace, known to lie in the same range."""
        return hash((id(self.trace), key(self), self.low, self.high))

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    __repr__ = __str__


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


def atoms_of(argument: Any) -> Iterator[int]:
    """Yield the atoms that an operand is made of."""
    if isinstance(argument, tuple):
        kind, what = argument
        yield from (n for product, _ in what for n in product) if kind == "whole" else (what,)


def bounds(x: Any) -> tuple[Any, Any]:
    """Return the least and the largest value of a number, symbol or not."""
    return (x.low, x.high) if isinstance(x, Symbol) else (x, x)


def _endless(end: int) -> float:
    return math.inf if end > 0 else -math.inf


def inside(value: float) -> bool:
    """Whether a number is at most 10^30 and at least -10^30; what is not finite is not.

    >>> inside(10**30), inside(10**30 + 1), inside(-1e30), inside(math.nan)
    (True, False, True, False)
    """
    return abs(value) <= (float(MOST) if isinstance(value, float) else MOST)


def bounded(x: Any) -> Any:
    """Return a number that is not too large; of a symbol that is a guard, where its range is.

    Raises: OverflowError: it is, see `inside`.

    >>> bounded(3.5)
    3.5
    """
    if not isinstance(x, Symbol):
        if not inside(x):
            raise OverflowError
        return x
    if inside(x.low) and inside(x.high):
        return x
    if not x.trace.decide("inside", (key(x),), inside(x.value)):
        raise OverflowError
    most: Any = MOST if isinstance(x, Whole) else float(MOST)
    return x.within(-most, most)


def double(x: Any) -> Any:
    """Return a number as a double, symbol or not."""
    if isinstance(x, Real):
        return x
    return x.real() if isinstance(x, Whole) else float(x)


def _beyond(x: Any) -> bool:
    """Whether a whole number may be one that no double is."""
    low, high = bounds(x)
    return isinstance(x, WholeNumber) and bool(max(abs(low), abs(high)) > EXACT)


class Whole(Varying):
    """A whole number: a polynomial over atoms, its value for the representative, its range."""

    __slots__ = ("high", "low", "terms", "trace", "value")
    value: int

    def __init__(self, trace: Any, terms: Terms, value: int, low: int, high: int) -> None:
        self.trace, self.terms, self.value, self.low, self.high = trace, terms, value, low, high

    @property
    def multiple(self) -> int:
        """A number that divides every value."""
        atoms = self.trace.atoms
        return math.gcd(*(f * math.prod(atoms[n].multiple for n in m) for m, f in self.terms))

    def __add__(self, other: Any) -> Any:
        if isinstance(other, WholeNumber):
            terms = dict(self.terms)
            for monomial, factor in terms_of(other):
                terms[monomial] = terms.get(monomial, 0) + factor
            return self.trace.polynomial(terms, self.value + whole_value(other))
        return self.real() + other

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, WholeNumber) else self.real() - other

    def __rsub__(self, other: Any) -> Any:
        return -self + other if isinstance(other, WholeNumber) else other - self.real()

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, WholeNumber):
            return self.real() * other
        if isinstance(other, Whole) and len(self.terms) * len(other.terms) > MAX_TERMS:
            return self.as_atom() * other.as_atom()
        terms: dict[Monomial, int] = {}
        for left, p in self.terms:
            for right, q in terms_of(other):
                both = self.trace.product(left, right)
                terms[both] = terms.get(both, 0) + p * q
        return self.trace.polynomial(terms, self.value * whole_value(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return (
            _floor_divide(self, other) if isinstance(other, WholeNumber) else self.real() // other
        )

    def __rfloordiv__(self, other: Any) -> Any:
        return _floor_divide(other, self) if isinstance(other, int) else other // self.real()

    def __mod__(self, other: Any) -> Any:
        if not isinstance(other, WholeNumber):
            return self.real() % other
        if isinstance(other, int) and other and self.multiple % other == 0:
            return 0
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return other - (other // self) * self if isinstance(other, int) else other % self.real()

    def __truediv__(self, other: Any) -> Any:
        return self.real() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.real()

    def as_atom(self) -> Any:
        """Return the number as one atom, so that products of long sums stay short."""
        if len(self.terms) == 1:
            return self
        return self.trace.atom("sum", (key(self),), self.value, self.low, self.high, self.multiple)

    def real(self) -> Any:
        """Return the number as a double."""
        low, high = (float(end) if inside(end) else _endless(end) for end in bounds(self))
        return self.trace.real("real", (key(self),), float(self.value), low, high)

    def within(self, low: int, high: int) -> Whole:
        """Return the number as one that is known to lie between two others."""
        ends = max(low, self.low), min(high, self.high)
        return Whole(self.trace, self.terms, self.value, *ends)

    def _compare(self, op: str, other: Any, holds: Operator) -> Any:
        """Compare by the difference; where its range decides, no guard is needed."""
        if isinstance(other, float | Real):
            self.trace.rounds |= _beyond(self)
            return holds(self.real(), other)
        if not isinstance(other, WholeNumber):
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


def terms_of(x: Any) -> Terms:
    """Return a whole number as a sum of products of atoms."""
    return x.terms if isinstance(x, Whole) else (((), x),)


def _divided_terms(terms: Terms, by: Terms) -> dict[Monomial, int] | None:
    """Return terms divided by a product that stands in every one of them, None if it does not."""
    if len(by) != 1:
        return None
    divisor, factor = by[0]
    result: dict[Monomial, int] = {}
    for monomial, own in terms:
        rest = list(monomial)
        for number in divisor:
            if number not in rest:
                return None
            rest.remove(number)
        if own % factor:
            return None
        result[tuple(rest)] = own // factor
    return result


def _floor_divide(x: Whole | int, y: Whole | int) -> Any:
    """Divide and round down; what divides exactly comes out of the atom."""
    if bool(y == 0):
        raise ZeroDivisionError
    trace = x.trace if isinstance(x, Whole) else y.trace  # type: ignore[union-attr]
    value = whole_value(x) // whole_value(y)
    if isinstance(y, int):
        exact = {m: f // y for m, f in terms_of(x) if f % y == 0}
        rest = {m: f for m, f in terms_of(x) if f % y}
        if set(rest) <= {()}:
            return trace.polynomial({m: f // y for m, f in terms_of(x)}, value)
        if exact:
            values = (f * math.prod(trace.atoms[n].value for n in m) for m, f in exact.items())
            taken = sum(values)
            remainder = trace.polynomial(rest, whole_value(x) - taken * y)
            return trace.polynomial(exact, taken) + _floor_divide(remainder, y)
    elif (common := _divided_terms(terms_of(x), y.terms)) is not None:
        return trace.polynomial(common, value)
    (a, b), (c, d) = bounds(x), bounds(y)
    corners = [p // q for p in (a, b) for q in (c, d) if q] or [value]
    low, high = min(corners), max(corners)
    if c <= 0 <= d:
        low, high = min(low, -abs(a), -abs(b)), max(high, abs(a), abs(b))
    return trace.atom("//", (key(x), key(y)), value, low, high)


def _double(op: str, plain: Operator, swapped: bool = False) -> Operator:
    """Return an operator of doubles."""

    def applied(self: Any, other: Any) -> Any:
        return self.trace.double(op, plain, (other, self) if swapped else (self, other))

    return applied


def _quotient(op: str, plain: Operator, swapped: bool = False) -> Operator:
    """Return a division: where the divisor may be close to zero, the range is everything."""

    def applied(self: Any, other: Any) -> Any:
        x, y = (other, self) if swapped else (self, other)
        if bool(y == 0):
            raise ZeroDivisionError
        low, high = bounds(y)
        if low <= 0 <= high:
            return self.trace.double(op, plain, (x, y), UNBOUNDED)
        rest = (min(0.0, float(low)), max(0.0, float(high))) if op == "%~" else None
        return self.trace.double(op, plain, (x, y), rest)

    return applied


class Real(Varying):
    """A double: an atom, its value for the representative, its range.

    Nothing is rearranged: the reference implementations' order of operations is kept.
    """

    __slots__ = ("high", "low", "number", "trace", "value")

    def __init__(self, trace: Any, number: int, value: float, low: float, high: float) -> None:
        self.trace, self.number, self.value, self.low, self.high = trace, number, value, low, high

    def within(self, low: float, high: float) -> Real:
        """Return the number as one that is known to lie between two others."""
        low, high = max(low, self.low), min(high, self.high)
        return Real(self.trace, self.number, self.value, low, high)

    @property
    def whole(self) -> Whole | None:
        """The whole number that this is the double of, if it is that and nothing is lost."""
        op, args, *_ = self.trace.atoms[self.number]
        if op != "real" or max(abs(self.low), abs(self.high)) > EXACT:
            return None
        return Whole(self.trace, args[0][1], int(self.value), int(self.low), int(self.high))

    __add__ = __radd__ = _double("+", operator.add)
    __sub__ = _double("-", operator.sub)
    __rsub__ = _double("-", operator.sub, swapped=True)
    _times = _double("*", operator.mul)
    _over = _quotient("/", operator.truediv)
    __rtruediv__ = _quotient("/", operator.truediv, swapped=True)
    __floordiv__ = _quotient("//~", operator.floordiv)
    __rfloordiv__ = _quotient("//~", operator.floordiv, swapped=True)
    __mod__ = _quotient("%~", operator.mod)
    __rmod__ = _quotient("%~", operator.mod, swapped=True)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 1:
            return self
        if isinstance(other, int | float) and other and float(other).is_integer():
            whole = self.whole
            if whole is not None and max(abs(self.low), abs(self.high)) * abs(other) <= EXACT:
                return (whole * int(other)).real()
        return self._times(other)

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return self * -1.0

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Real) and other.number == self.number and 0 < self.low < self.high:
            return 1.0
        return self._over(other)

    def _compare(self, op: str, other: Any, holds: Operator) -> Any:
        self.trace.rounds |= _beyond(other)
        if isinstance(other, Whole):
            other = other.real()
        if not isinstance(other, int | float | Real):
            return op == "!="
        (a, b), (c, d) = (self.low, self.high), bounds(other)
        answer = holds(self.value, other.value if isinstance(other, Real) else other)
        same = isinstance(other, Real) and other.number == self.number
        if same or b < c or a > d or (a == b == c == d):
            return answer
        if (op in ("<", ">=") and a >= d) or (op in (">", "<=") and b <= c):
            return answer
        return Condition(self.trace, op, (key(self), key(other)), answer)


# Named once: a union that is written where it is asked for is made each time.
Symbol: TypeAlias = Whole | Real
WholeNumber: TypeAlias = int | Whole
RealNumber: TypeAlias = float | Real
Number: TypeAlias = int | float | Whole | Real

"""What formulas are computed with and written from: polynomials, and trees of names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from mbprof.symbolic.atoms import Monomial
from mbprof.symbolic.operations import OPERATIONS

Poly: TypeAlias = dict[Monomial, int]
"""Coefficients by monomial; a monomial lists its variables in order, each as often as it occurs."""
Factor = TypeVar("Factor")
Values: TypeAlias = Mapping["Symbol", Any]


def plus(left: Mapping[Monomial, int], right: Mapping[Monomial, int], factor: int = 1) -> Poly:
    """Return left + factor · right.

    >>> plus({(1,): 2, (): 3}, {(1,): 1}, -2)
    {(): 3}
    """
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = total.get(monomial, 0) + factor * coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def times(left: Mapping[Monomial, int], right: Mapping[Monomial, int]) -> Poly:
    """Return the product.

    >>> times({(1,): 1, (): 1}, {(1,): 1, (): -1})
    {(1, 1): 1, (): -1}
    """
    total: Poly = {}
    for a, p in left.items():
        for b, q in right.items():
            both = tuple(sorted(a + b))
            total[both] = total.get(both, 0) + p * q
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def quotient(poly: Mapping[Monomial, int], divisor: Mapping[Monomial, int]) -> Poly | None:
    """Return poly / divisor if it divides without a rest.

    >>> quotient({(1, 1): 2, (): -2}, {(1,): 1, (): -1})
    {(1,): 2, (): 2}
    >>> quotient({(1, 1): 1}, {(1,): 1, (): -1}) is None
    True
    """
    variables = sorted({n for monomial in (*poly, *divisor) for n in monomial})

    def rank(monomial: Monomial) -> tuple[int, ...]:
        return tuple(map(monomial.count, variables))

    lead = max(divisor, key=rank)
    rest, parts = dict(poly), {}
    while rest:
        top = max(rest, key=rank)
        factor, remainder = divmod(rest[top], divisor[lead])
        missing = Counter(lead) - Counter(top)
        if remainder or missing:
            return None
        part = tuple(sorted((Counter(top) - Counter(lead)).elements()))
        parts[part] = factor
        rest = plus(rest, times(divisor, {part: factor}), -1)
    return parts


def shared(monomials: Iterable[Monomial]) -> Monomial:
    """Return what divides all monomials.

    >>> shared([(1, 1, 2), (1, 1, 3)])
    (1, 1)
    """
    first, *others = map(Counter, monomials)
    for other in others:
        first &= other
    return tuple(sorted(first.elements()))


def without(factors: Iterable[Factor], common: Iterable[Factor]) -> tuple[Factor, ...]:
    """Return factors without some of them, each as often as it is listed.

    >>> without((1, 1, 2), (1, 2))
    (1,)
    """
    left = list(factors)
    for factor in common:
        left.remove(factor)
    return tuple(left)


def equality(poly: Mapping[Monomial, int]) -> tuple[int, Poly] | None:
    """Return the variable that can be replaced, and by what, where a polynomial is zero.

    Only a variable that equals another one or a number is; the later one of two.

    >>> equality({(1,): 1, (2,): -1}), equality({(1,): 3, (2,): -1})
    ((2, {(1,): 1}), None)
    """
    variables = [monomial for monomial in poly if monomial]
    if any(len(monomial) != 1 or abs(poly[monomial]) != 1 for monomial in variables):
        return None
    if len(variables) == 2 and () not in poly and sum(poly.values()) == 0:
        kept, other = sorted(variables)
        return other[0], {kept: 1}
    if len(variables) == 1:
        return variables[0][0], {(): -poly.get((), 0) * poly[variables[0]]}
    return None


def replaced(poly: Mapping[Monomial, int], equal: Iterable[tuple[int, Poly]]) -> Poly:
    """Return a polynomial with variables replaced, one after the other.

    >>> replaced({(1, 2): 1, (): 2}, [(2, {(1,): 1})])
    {(1, 1): 1, (): 2}
    """
    result = dict(poly)
    for number, by in equal:
        if any(number in monomial for monomial in result):
            total: Poly = {}
            for monomial, factor in result.items():
                part: Poly = {tuple(n for n in monomial if n != number): factor}
                for _ in range(monomial.count(number)):
                    part = times(part, by)
                total = plus(total, part)
            result = total
    return result


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name: that of a knob, or a letter with a number for what the where-list defines."""

    letter: str
    number: int = 0

    def value(self, values: Values) -> Any:
        return values[self]


@dataclass(frozen=True, slots=True)
class Number:
    """A plain number."""

    number: float

    def value(self, values: Values) -> Any:
        return self.number


@dataclass(frozen=True, slots=True)
class Product:
    """A whole factor times others, each as often as it is listed."""

    factor: int
    parts: tuple[Tree, ...] = ()

    def value(self, values: Values) -> Any:
        return self.factor * math.prod(part.value(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of products, in the order in which they are written."""

    parts: tuple[Product, ...]

    def value(self, values: Values) -> Any:
        return sum(part.value(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A quotient rounded down or up; ``by`` is 1 where a number is rounded by itself."""

    up: bool
    top: Tree
    by: Tree

    def value(self, values: Values) -> Any:
        top, by = self.top.value(values), self.by.value(values)
        if by == 1 and isinstance(top, float):
            return math.ceil(top) if self.up else math.floor(top)
        return -(-top // by) if self.up else top // by


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a division, of whole numbers or of doubles."""

    top: Tree
    by: Tree

    def value(self, values: Values) -> Any:
        return self.top.value(values) % self.by.value(values)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the expression language, or of symbols."""

    name: str
    arguments: tuple[Tree, ...]

    def value(self, values: Values) -> Any:
        return OPERATIONS[self.name].plain(*(argument.value(values) for argument in self.arguments))


@dataclass(frozen=True, slots=True)
class Double:
    """Arithmetic of doubles, in the order in which the reference implementation does it."""

    sign: str
    left: Tree
    right: Tree

    def value(self, values: Values) -> Any:
        left, right = float(self.left.value(values)), float(self.right.value(values))
        return OPERATIONS[self.sign].plain(left, right)


Tree: TypeAlias = Symbol | Number | Product | Sum | Rounded | Rest | Call | Double


def symbols(tree: Tree) -> Iterator[Symbol]:
    """Yield the names of a tree in the order in which they are written.

    >>> h, w = Symbol("h", 1), Symbol("w", 1)
    >>> [symbol.letter for symbol in symbols(Sum((Product(3, (h, w)), Product(1, (w,)))))]
    ['h', 'w', 'w']
    """
    return (part for part in parts(tree) if isinstance(part, Symbol))


def parts(tree: Tree) -> Iterator[Tree]:
    """Yield a tree and all that it is made of, in the order in which they are written."""
    yield tree
    inner: tuple[Tree, ...] = ()
    match tree:
        case Product(_, inner) | Sum(inner) | Call(_, inner):
            pass
        case Rounded(_, left, right) | Rest(left, right) | Double(_, left, right):
            inner = left, right
    for part in inner:
        yield from parts(part)

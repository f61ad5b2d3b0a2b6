"""Polynomials with whole coefficients: just enough to write costs as a person would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from mbprof.symbolic.symbols import Monomial

Poly: TypeAlias = dict[Monomial, int]
"""Coefficients by monomial; a monomial lists its variables in order, each as often as it occurs."""


def plus(one: Mapping[Monomial, int], two: Mapping[Monomial, int], factor: int = 1) -> Poly:
    """Return one + factor · two.

    >>> plus({(1,): 2, (): 3}, {(1,): 1}, -2)
    {(): 3}
    """
    total = dict(one)
    for monomial, coefficient in two.items():
        total[monomial] = total.get(monomial, 0) + factor * coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def times(one: Mapping[Monomial, int], two: Mapping[Monomial, int]) -> Poly:
    """Return the product.

    >>> times({(1,): 1, (): 1}, {(1,): 1, (): -1})
    {(1, 1): 1, (): -1}
    """
    total: Poly = {}
    for a, p in one.items():
        for b, q in two.items():
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
    rest, found = dict(poly), {}
    while rest:
        top = max(rest, key=rank)
        factor, remainder = divmod(rest[top], divisor[lead])
        missing = Counter(lead) - Counter(top)
        if remainder or missing:
            return None
        part = tuple(sorted((Counter(top) - Counter(lead)).elements()))
        found[part] = factor
        rest = plus(rest, times(divisor, {part: factor}), -1)
    return found


def shared(monomials: Iterable[Monomial]) -> Monomial:
    """Return what divides all monomials.

    >>> shared([(1, 1, 2), (1, 1, 3)])
    (1, 1)
    """
    first, *others = map(Counter, monomials)
    for other in others:
        first &= other
    return tuple(sorted(first.elements()))


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
        one, two = sorted(variables)
        return two[0], {one: 1}
    if len(variables) == 1:
        return variables[0][0], {(): -poly.get((), 0) * poly[variables[0]]}
    return None


def replaced(poly: Mapping[Monomial, int], equal: Iterable[tuple[int, Poly]]) -> Poly:
    """Return a polynomial with variables replaced, one after the other.

    >>> replaced({(1, 2): 1, (): 2}, [(2, {(1,): 1})])
    {(1, 1): 1, (): 2}
    """
    found = dict(poly)
    for number, by in equal:
        if any(number in monomial for monomial in found):
            total: Poly = {}
            for monomial, factor in found.items():
                part: Poly = {tuple(n for n in monomial if n != number): factor}
                for _ in range(monomial.count(number)):
                    part = times(part, by)
                total = plus(total, part)
            found = total
    return found

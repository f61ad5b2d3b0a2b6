"""Costs as products and sums that a person would write: what is common stands in front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from mbprof.formulas.algebra import Number, Poly, Product, Sum, Tree, quotient, shared, times
from mbprof.formulas.naming import Variables, variable
from mbprof.symbolic.atoms import Monomial, Terms
from mbprof.symbolic.symbols import Whole, key

Factor: TypeAlias = "int | Terms"
"""A variable, or a sum that stands as a factor."""
Items: TypeAlias = dict[tuple[Factor, ...], int]
"""A sum of products: coefficients by factors."""

FLAT = 4
"""A sum of so many products is written out, a longer one collected by sizes."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Writes polynomials over variables; ``sums`` are the sizes and widths that are sums."""

    variables: Variables
    sums: tuple[Terms, ...]

    @classmethod
    def of(cls, variables: Variables, shapes: Iterable[tuple[Any, ...]]) -> Self:
        """Make a collector for the shapes that occur in a network."""
        sizes = {key(size): size for shape in shapes for size in shape if isinstance(size, Whole)}
        polys = map(variables.poly, sizes.values())
        sums = {tuple(sorted(poly.items())) for poly in polys if len(poly) > 1}
        return cls(variables, tuple(sorted(sums, key=lambda each: (-len(each), each))))

    def items(self, poly: Poly) -> Items:
        """Return a polynomial as products, with the sums taken out that divide it."""
        if not poly:
            return {}
        taken: list[Factor] = []
        for each in self.sums:
            while len(poly) > 1 and (rest := quotient(poly, dict(each))) is not None:
                poly = rest
                taken.append(each)
        found: Items = {}
        for monomial in sorted(poly, key=lambda m: (-len(m), m)):
            found[tuple(sorted([*monomial, *taken], key=self.rank))] = poly[monomial]
        return found

    def rank(self, factor: Factor) -> tuple[int, bool, int, str]:
        """Return where a factor stands: arguments, then channels, then heights and widths."""
        numbers = _numbers(factor)
        atom = self.variables.trace.atoms[max(numbers)]
        name = atom.args[0] if atom.op == "input" else ""
        kind = 0 if name and name not in ("C", "c", "e") else 1
        for axis, found in enumerate(self.variables.axes):
            if found & numbers:
                kind = 2 + axis
        return kind, not isinstance(factor, int), -1 if name == "C" else max(numbers), str(factor)

    def is_size(self, factor: Factor) -> bool:
        """Whether a factor is a height or a width."""
        return bool(self.variables.sizes & _numbers(factor))

    def written(self, parts: Iterable[Items]) -> Tree:
        """Return the sum of parts; products of the same factors are one."""
        total: Items = {}
        for part in parts:
            for factors, coefficient in part.items():
                total[factors] = total.get(factors, 0) + coefficient
        # Many products with sums in them can be fewer products without.
        total = min({f: n for f, n in total.items() if n}, self.expanded(total), key=len)
        kept = list(total.items())
        kept.sort(key=lambda each: not each[0])
        if len(kept) <= FLAT:
            return _sum([self.product(n, factors) for factors, n in kept])
        groups: dict[tuple[Factor, ...], list[tuple[tuple[Factor, ...], int]]] = {}
        for factors, n in kept:
            sizes = tuple(each for each in factors if self.is_size(each))
            rest = tuple(each for each in factors if not self.is_size(each))
            groups.setdefault(sizes, []).append((rest, n))
        last = groups.pop((), [])
        ordered = [*groups.items(), *([((), last)] if last else [])]
        return _sum([part for sizes, inner in ordered for part in self.group(sizes, inner)])

    def expanded(self, items: Items) -> Items:
        """Return the same with all sums multiplied out that are no sizes."""
        found: Items = {}
        for factors, n in items.items():
            sums = [each for each in factors if not isinstance(each, int)]
            inner = [each for each in sums if not self.is_size(each)]
            outer = [each for each in factors if each not in inner]
            poly: Poly = {(): n}
            for each in inner:
                poly = times(poly, dict(each))
            for monomial, factor in poly.items():
                both = tuple(sorted([*outer, *monomial], key=self.rank))
                found[both] = found.get(both, 0) + factor
        return {factors: n for factors, n in found.items() if n}

    def group(
        self, sizes: tuple[Factor, ...], inner: Sequence[tuple[tuple[Factor, ...], int]]
    ) -> list[Product]:
        """Return products that share sizes as one product, with all that they share in front."""
        if len(inner) == 1 or not sizes:
            return [self.product(n, (*rest, *sizes)) for rest, n in inner]
        numbered = [tuple(each for each in rest if isinstance(each, int)) for rest, _ in inner]
        common: Monomial = shared(numbered)
        factor = math.gcd(*(n for _, n in inner))
        left = [self.product(n // factor, _without(rest, common)) for rest, n in inner]
        front = tuple(variable(each) for each in sorted(common, key=self.rank))
        behind = tuple(map(self.factor, sizes))
        return [Product(factor, (*front, _sum(left), *behind))]

    def product(self, coefficient: int, factors: tuple[Factor, ...]) -> Product:
        return Product(coefficient, tuple(map(self.factor, factors)))

    def factor(self, factor: Factor) -> Tree:
        return variable(factor) if isinstance(factor, int) else self.variables.tree(dict(factor))


def _numbers(factor: Factor) -> frozenset[int]:
    return frozenset([factor] if isinstance(factor, int) else [n for m, _ in factor for n in m])


def _without(factors: tuple[Factor, ...], common: Monomial) -> tuple[Factor, ...]:
    left = list(factors)
    for each in common:
        left.remove(each)
    return tuple(left)


def _sum(parts: list[Product]) -> Tree:
    if not parts:
        return Number(0)
    return parts[0] if len(parts) == 1 else Sum(tuple(parts))

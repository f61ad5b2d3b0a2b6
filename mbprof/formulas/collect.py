"""Costs as a person would write them: what is common stands in front, what recurs has a letter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from mbprof.formulas.naming import (
    UNNAMED,
    Poly,
    Variables,
    quotient,
    shared,
    times,
    variable,
    without,
)
from mbprof.formulas.text import (
    Call,
    Condition,
    Number,
    Product,
    Range,
    Relation,
    Rounded,
    Sum,
    Symbol,
    Tree,
    symbols,
)
from mbprof.symbolic.symbols import Terms, Whole, key

Factor: TypeAlias = "int | Terms"
"""A variable, or a sum that stands as a factor."""
Items: TypeAlias = dict[tuple[Factor, ...], int]
"""A sum of products: coefficients by factors."""

FLAT = 4
"""A sum of so many products is written out, a longer one collected by sizes."""


class Collector:
    """Writes polynomials over variables; ``sums`` are the sizes and widths that are sums."""

    def __init__(self, variables: Variables, shapes: Iterable[tuple[Any, ...]]) -> None:
        sizes = {key(size): size for shape in shapes for size in shape if isinstance(size, Whole)}
        polys = map(variables.poly, sizes.values())
        sums = {tuple(sorted(poly.items())) for poly in polys if len(poly) > 1}
        self.variables = variables
        self.sums = sorted(sums, key=lambda terms: (-len(terms), terms))

    def items(self, poly: Poly) -> Items:
        """Return a polynomial as products, with the sums taken out that divide it."""
        if not poly:
            return {}
        taken: list[Factor] = []
        for terms in self.sums:
            while len(poly) > 1 and (rest := quotient(poly, dict(terms))) is not None:
                poly = rest
                taken.append(terms)
        return {
            tuple(sorted([*monomial, *taken], key=self.rank)): poly[monomial]
            for monomial in sorted(poly, key=lambda m: (-len(m), m))
        }

    def rank(self, factor: Factor) -> tuple[int, bool, int, str]:
        """Return where a factor stands: arguments, then channels, then heights and widths."""
        numbers = _numbers(factor)
        atom = self.variables.trace.atoms[max(numbers)]
        name = atom.args[0] if atom.op == "input" else ""
        kind = 0 if name and name not in ("C", "c", "e") else 1
        for axis, along in enumerate(self.variables.axes):
            if along & numbers:
                kind = 2 + axis
        return kind, not isinstance(factor, int), -1 if name == "C" else max(numbers), str(factor)

    def is_size(self, factor: Factor) -> bool:
        return bool(self.variables.sizes & _numbers(factor))

    def written(self, parts: Iterable[Items]) -> Tree:
        """Return the sum of parts; products of the same factors are one."""
        total: Items = {}
        for part in parts:
            for factors, coefficient in part.items():
                total[factors] = total.get(factors, 0) + coefficient
        # Many products with sums in them can be fewer products without.
        total = min({f: n for f, n in total.items() if n}, self.expanded(total), key=len)
        kept = sorted(total.items(), key=lambda item: not item[0])
        if len(kept) <= FLAT:
            return _sum([self.product(n, factors) for factors, n in kept])
        groups: dict[tuple[Factor, ...], list[tuple[tuple[Factor, ...], int]]] = {}
        for factors, n in kept:
            sizes = tuple(filter(self.is_size, factors))
            rest = tuple(factor for factor in factors if not self.is_size(factor))
            groups.setdefault(sizes, []).append((rest, n))
        last = groups.pop((), [])
        ordered = [*groups.items(), *([((), last)] if last else [])]
        return _sum([part for sizes, inner in ordered for part in self.group(sizes, inner)])

    def expanded(self, items: Items) -> Items:
        """Return the same with all sums multiplied out that are no sizes."""
        total: Items = {}
        for factors, n in items.items():
            poly: Poly = {(): n}
            outer: list[int | Terms] = []
            for factor in factors:
                if isinstance(factor, int) or self.is_size(factor):
                    outer.append(factor)
                else:
                    poly = times(poly, dict(factor))
            for monomial, coefficient in poly.items():
                both = tuple(sorted([*outer, *monomial], key=self.rank))
                total[both] = total.get(both, 0) + coefficient
        return {factors: n for factors, n in total.items() if n}

    def group(
        self, sizes: tuple[Factor, ...], inner: Sequence[tuple[tuple[Factor, ...], int]]
    ) -> list[Product]:
        """Return products that share sizes as one product, with all that they share in front."""
        if len(inner) == 1 or not sizes:
            return [self.product(n, (*rest, *sizes)) for rest, n in inner]
        common = shared(tuple(x for x in rest if isinstance(x, int)) for rest, _ in inner)
        factor = math.gcd(*(n for _, n in inner))
        left = [self.product(n // factor, without(rest, common)) for rest, n in inner]
        front = map(variable, sorted(common, key=self.rank))
        return [Product(factor, (*front, _sum(left), *map(self.factor, sizes)))]

    def product(self, coefficient: int, factors: tuple[Factor, ...]) -> Product:
        return Product(coefficient, tuple(map(self.factor, factors)))

    def factor(self, factor: Factor) -> Tree:
        return variable(factor) if isinstance(factor, int) else self.variables.tree(dict(factor))


class Letters:
    """Gives variables letters: h for heights, w for widths, c for all others.

    What stands in costs or conditions is named, and so is what stands in two definitions; what
    one definition alone needs stands in it.
    """

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.names: dict[int, Tree] = {}
        self.taken: Counter[str] = Counter()

    def see(self, trees: Iterable[Tree]) -> None:
        """Name the variables of some trees."""
        seen = list(dict.fromkeys(n for tree in trees for n in _variables(tree)))
        uses: Counter[int] = Counter()
        pending, visited = list(seen), set()
        while pending:
            number = pending.pop()
            if number not in visited:
                visited.add(number)
                inner = list(_variables(self.variables.definition(number)))
                uses.update(inner)
                pending += inner
        for number in seen:
            self.name(number, uses, seen)

    def name(self, number: int, uses: Counter[int], seen: list[int]) -> None:
        """Name a variable, what it is made of first."""
        if number in self.names:
            return
        atom = self.variables.trace.atoms[number]
        if atom.op == "input":
            self.names[number] = Symbol(atom.args[0])
            return
        definition = self.variables.definition(number)
        for inner in _variables(definition):
            self.name(inner, uses, seen)
        if number not in seen and uses[number] < 2:
            self.names[number] = self.named(definition)
            return
        high, wide = (number in axis for axis in self.variables.axes)
        if high and wide:
            high, wide = (names == self.variables.inputs[number] for names in ({"H"}, {"W"}))
            other = "n"
        else:
            other = "c"
        letter = "h" if high else "w" if wide else other
        self.taken[letter] += 1
        self.names[number] = Symbol(letter, self.taken[letter])

    def named(self, tree: Tree) -> Tree:
        match tree:
            case Symbol(letter, number):
                return self.names[number] if letter == UNNAMED else tree
            case Product():
                return self.product(tree)
            case Sum(parts):
                return Sum(tuple(map(self.product, parts)))
            case Rounded(up, top, by):
                return Rounded(up, self.named(top), self.named(by))
            case Call(name, arguments):
                return Call(name, tuple(map(self.named, arguments)))
        return tree

    def product(self, tree: Product) -> Product:
        """Return a product with the names in it, those of one letter in order of their numbers."""
        parts = tuple(map(self.named, tree.parts))
        waiting: dict[str, list[Symbol]] = {}
        names = (part for part in parts if isinstance(part, Symbol))
        for symbol in sorted(names, key=lambda symbol: -symbol.number):
            waiting.setdefault(symbol.letter, []).append(symbol)
        sorted_parts = (waiting[p.letter].pop() if isinstance(p, Symbol) else p for p in parts)
        return Product(tree.factor, tuple(sorted_parts))

    def condition(self, condition: Condition) -> Condition:
        if isinstance(condition, Range):
            return condition
        return Relation(condition.sign, self.named(condition.left), self.named(condition.right))

    def where(self, trees: Iterable[Tree]) -> tuple[tuple[Symbol, Tree], ...]:
        """Return the definitions that trees need, in the order of their numbers."""
        defined = {
            symbol: self.named(self.variables.definition(number))
            for number, symbol in self.names.items()
            if isinstance(symbol, Symbol) and symbol.number
        }
        needed: set[Symbol] = set()
        pending = [symbol for tree in trees for symbol in symbols(tree)]
        while pending:
            symbol = pending.pop()
            if symbol in defined and symbol not in needed:
                needed.add(symbol)
                pending += symbols(defined[symbol])
        return tuple((symbol, tree) for symbol, tree in defined.items() if symbol in needed)


def _variables(tree: Tree) -> Iterator[int]:
    return (symbol.number for symbol in symbols(tree) if symbol.letter == UNNAMED)


def _numbers(factor: Factor) -> frozenset[int]:
    return frozenset([factor] if isinstance(factor, int) else [n for m, _ in factor for n in m])


def _sum(parts: list[Product]) -> Tree:
    if not parts:
        return Number(0)
    return parts[0] if len(parts) == 1 else Sum(tuple(parts))

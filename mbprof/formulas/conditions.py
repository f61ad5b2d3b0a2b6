"""Where a formula holds: what a trace's guards say, as a person would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mbprof.formulas.builds import Builds, Domain, compared_with_zero
from mbprof.formulas.naming import Poly, Variables, equality, plus, replaced, shared, without
from mbprof.formulas.text import (
    OPPOSITE,
    SIGN,
    Call,
    Condition,
    Number,
    Range,
    Relation,
    Symbol,
    Tree,
)
from mbprof.symbolic.arithmetic import OPERATIONS
from mbprof.symbolic.symbols import Guard, Terms

NO_VALUE = (ArithmeticError, ValueError, KeyError)
"""What is raised where a quantity has no value, or is made of one that has none."""


def _parted(guards: Iterable[Guard], variables: Variables) -> Iterator[Guard]:
    """Yield guards; of a product that is not zero, that each of its factors is not."""
    for guard in guards:
        poly: Poly = {}
        if (terms := compared_with_zero(guard.args)) is not None:
            terms = _reduced(terms, variables)
            guard = guard._replace(args=(("whole", terms), 0))
            poly = variables.terms(terms)
        if guard.op == "==" and not guard.answer and len(poly) == 1:
            for number in dict.fromkeys(next(iter(poly))):
                yield Guard("==", (("whole", variables.in_atoms(number)), 0), False)
        else:
            yield guard


def _reduced(terms: Terms, variables: Variables) -> Terms:
    """Return terms without the factors that all of them share and that are always positive."""
    common = shared(monomial for monomial, _ in terms)
    if not common or any(variables.trace.atoms[number].low < 1 for number in common):
        return terms
    return tuple(sorted((without(monomial, common), factor) for monomial, factor in terms))


def equal(guards: Iterable[Guard], variables: Variables) -> list[tuple[int, Poly]]:
    """Return which variables the guards make equal to another one, or to a number."""
    equal: list[tuple[int, Poly]] = []
    for guard in guards:
        terms = compared_with_zero(guard.args) if guard.op == "==" and guard.answer else None
        if terms is not None:
            solved = equality(replaced(variables.terms(terms), equal))
            equal += [] if solved is None else [solved]
    return equal


def pinned(guards: Iterable[Guard], builds: Builds) -> dict[str, Any]:
    """Return the symbols that the guards leave one value only, with that value."""
    masks = builds.left(guards)
    only = {name for name, mask in masks.items() if mask.sum() == 1}
    for guard in guards:
        left, right = (*guard.args, None)[:2]
        if guard.op in ("==", "!=") and guard.answer == (guard.op == "=="):
            for domain in builds.domains:
                number = builds.main.numbers.get(("input", (domain.name,)))
                if left == ("real", number) and isinstance(right, int | float):
                    only.add(domain.name)
    return {domain.name: domain.value for domain in builds.domains if domain.name in only}


def stated(guards: Iterable[Guard], builds: Builds, variables: Variables) -> list[Condition]:
    """Return the conditions: a range for each symbol, then what else has to be true."""
    guards = list(_parted(guards, variables))
    masks = builds.left(guards)
    ranges: list[Condition] = []
    more: list[Condition] = []
    described = set()
    for domain in builds.domains:
        kept = _described(domain, masks[domain.name]) if domain.name in masks else None
        if kept is not None:
            described.add(domain.name)
        ranged, *rest = kept or [_narrowed(domain, guards, builds)]
        ranges.append(ranged)
        more += rest
    replacing = equal(guards, variables)
    for guard in guards:
        name, _ = builds.mask(guard.op, guard.args)
        stood = any(_bound(guard, domain.name, builds) for domain in builds.domains)
        if name not in described and not stood and not _implied(guard, variables, replacing):
            relation = _relation(guard, variables)
            if relation not in more:
                more.append(relation)
    return ranges + more


def _implied(guard: Guard, variables: Variables, replacing: Sequence[tuple[int, Poly]]) -> bool:
    """Whether the ranges of the variables, or what is equal, leave a guard no choice."""
    terms = compared_with_zero(guard.args)
    if terms is None:
        return False
    own = variables.terms(terms)
    poly = own if guard.op == "==" and guard.answer else replaced(own, replacing)
    low, high = variables.bounds(poly)
    if guard.op == "==":
        return bool(low == high == 0 or (not guard.answer and (low > 0 or high < 0)))
    asked = OPERATIONS[guard.op].plain
    return {asked(low, 0), asked(high, 0)} == {guard.answer}


def _bound(guard: Guard, name: str, builds: Builds) -> tuple[str, Any] | None:
    """Return the sign and the number that a guard compares a symbol with, if it does only that."""
    left, right = (*guard.args, None)[:2]
    number = builds.main.numbers.get(("input", (name,)))
    sign = SIGN[guard.op] if guard.answer else OPPOSITE[SIGN[guard.op]]
    if left != ("real", number) or not isinstance(right, int | float) or sign in "=≠":
        return None
    return sign, right


def _narrowed(domain: Domain, guards: Iterable[Guard], builds: Builds) -> Range:
    """Return the range of a symbol within what guards allow it."""
    above = isinstance(domain.value, float) and 0 < domain.low < 1e-300
    left = Range(Symbol(domain.name), 0 if above else domain.low, domain.high, above)
    for guard in guards:
        sign, end = _bound(guard, domain.name, builds) or ("", 0)
        if sign in (">", "≥") and (end, sign == ">") > (left.low, left.above):
            left = replace(left, low=end, above=sign == ">")
        if sign in ("<", "≤") and (end, sign != "<") < (left.high, not left.below):
            left = replace(left, high=end, below=sign == "<")
    return left


def _described(domain: Domain, mask: Any) -> list[Condition] | None:
    """Return a range, and a rest if every so many values are left; None if that is not all."""
    import numpy as np

    kept = np.flatnonzero(mask) + domain.low
    symbol = Symbol(domain.name)
    steps = np.diff(kept)
    if len(kept) == 1 or (steps == 1).all():
        return [Range(symbol, int(kept[0]), int(kept[-1]))]
    step = int(steps[0])
    if not (steps == step).all() or kept[-1] + step <= domain.high:
        return None
    rest = Relation("=", Call("%", (symbol, Number(step))), Number(int(kept[0]) % step))
    return [Range(symbol, int(kept[0]), domain.high), rest]


def _relation(guard: Guard, variables: Variables) -> Relation:
    sign = SIGN[guard.op] if guard.answer else OPPOSITE[SIGN[guard.op]]
    if guard.op == "whole":
        return Relation(sign, Call("%", (variables.operand(guard.args[0]), Number(1))), Number(0))
    terms = compared_with_zero(guard.args)
    if terms is None:
        return Relation(sign, *map(variables.operand, guard.args))
    poly = variables.terms(terms)
    if sign in ("=", "≠") and (rest := _rest(poly, variables)) is not None:
        return Relation(sign, rest, Number(0))
    positive = {m: f for m, f in poly.items() if f > 0}
    negative = {m: -f for m, f in poly.items() if f < 0}
    if sign == "≥" and len(negative) > 1 and negative.get(()) == 1:
        # Of whole numbers, a ≥ b + 1 is a > b.
        del negative[()]
        sign = ">"
    if sign == "≤" and len(positive) > 1 and positive.get(()) == 1:
        del positive[()]
        sign = "<"
    if sign in ("=", "≠") and _is_variable(negative) and not _is_variable(positive):
        positive, negative = negative, positive
    return Relation(sign, variables.tree(positive), variables.tree(negative))


def _is_variable(poly: Poly) -> bool:
    return [(len(monomial), factor) for monomial, factor in poly.items()] == [(1, 1)]


def _rest(poly: Poly, variables: Variables) -> Tree | None:
    """Return x mod k if a polynomial is the rest that rounding x / k leaves."""
    for monomial, factor in poly.items():
        if len(monomial) == 1 and monomial[0] in variables.quotients:
            _, top, by = variables.quotients[monomial[0]]
            for sign in (1, -1):
                if factor == -sign * by and plus(poly, {monomial: sign * by}) == {
                    m: sign * f for m, f in top.items()
                }:
                    return Call("%", (variables.tree(top), Number(by)))
    return None


def broken(conditions: Iterable[Condition], values: Mapping[Symbol, Any]) -> Condition | None:
    """Return the first condition that values do not meet; else one that they give no value."""
    undecided = None
    for condition in conditions:
        try:
            if not condition.holds(values):
                return condition
        except NO_VALUE:
            undecided = undecided or condition
    return undecided

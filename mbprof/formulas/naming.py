"""From atoms of a trace to names: polynomials of variables, and what each variable stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from mbprof.formulas.text import Call, Number, Product, Rounded, Sum, Symbol, Tree
from mbprof.language.record import NamedTuple
from mbprof.symbolic.arithmetic import OPERATIONS
from mbprof.symbolic.symbols import Atom, Monomial, Terms, Whole, key
from mbprof.symbolic.trace import Trace

Poly: TypeAlias = dict[Monomial, int]
"""Coefficients by monomial; a monomial lists its variables in order, each as often as it occurs."""
Factor = TypeVar("Factor")
UNNAMED = "#"
"""The letter of a variable that has no name yet; its number is that of its atom."""


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
            result = _substituted(result.items(), {number: by})
    return result


def _substituted(terms: Iterable[tuple[Monomial, int]], by: Mapping[int, Poly]) -> Poly:
    """Return terms with polynomials in the place of some variables or atoms."""
    total: Poly = {}
    for monomial, factor in terms:
        part: Poly = {(): factor}
        for number in monomial:
            part = times(part, by.get(number, {(number,): 1}))
        total = plus(total, part)
    return total


def atoms_in(operand: Any) -> set[int]:
    """Return the numbers of the atoms that an operand is written with.

    >>> atoms_in(("whole", (((1, 2), 3),))), atoms_in(("real", 4)), atoms_in(5)
    ({1, 2}, {4}, set())
    """
    kind, what = operand if isinstance(operand, tuple) else ("whole", ())
    return {number for monomial, _ in what for number in monomial} if kind == "whole" else {what}


class Quotient(NamedTuple):
    """A polynomial over a whole number, rounded up or down."""

    up: bool
    top: Poly
    by: int


class Variables:
    """The variables that a trace is written in, one for each whole atom that needs one.

    ``written`` is each whole atom in variables. A trace knows only roundings down, and sizes such
    as ⌊(H - 1) / 2⌋ + 1 are ⌈H / 2⌉: an atom that is a size but for its sign and a shift is
    written as ``sign · (variable - shift)``, so that the variable is the size itself.
    """

    def __init__(self, trace: Trace, shapes: Iterable[tuple[Any, ...]]) -> None:
        self.trace = trace
        shapes = list(shapes)
        self.written: dict[int, Poly] = {}
        self.quotients: dict[int, Quotient] = {}
        self.inputs: list[frozenset[str]] = []
        self.moves: dict[int, tuple[int, Terms]] = {}
        for size in (size for shape in shapes for size in reversed(shape)):
            if isinstance(size, Whole):
                self._move(size.terms)
        self.ends: list[tuple[Any, Any]] = []
        for number, atom in enumerate(trace.atoms):
            self.inputs.append(self._inputs(atom))
            self.ends.append((atom.low, atom.high))
            self.written[number] = self._atom(number, atom)
        self.axes = [self._along(shapes, axis) for axis in (1, 2)]
        """The variables that heights and widths are made of."""

    def _along(self, shapes: Iterable[tuple[Any, ...]], axis: int) -> frozenset[int]:
        sizes = {key(shape[axis]): shape[axis] for shape in shapes if len(shape) == 3}
        numbers = {n for size in sizes.values() for m in self.poly(size) for n in m}
        own = {("H", "W")[axis - 1]}
        return frozenset(n for n in numbers if self.trace.atoms[n].op != "input") | {
            n for n, inputs in enumerate(self.inputs) if inputs == own and self.trace.atoms[n].whole
        }

    @property
    def sizes(self) -> frozenset[int]:
        """The variables that sizes of maps are made of."""
        return self.axes[0] | self.axes[1]

    def _move(self, terms: Terms) -> None:
        """Note a size that is an atom with a sign and a constant, or x - ⌊x / 2⌋."""
        parts = dict(terms)
        for monomial, sign in reversed(terms):
            atom = self.trace.atoms[monomial[0]] if len(monomial) == 1 else None
            if atom is None or abs(sign) != 1 or atom.op != "//":
                continue
            rest = tuple((m, f) for m, f in terms if m != monomial)
            half = sign == -1 and atom.args == (("whole", rest), 2)
            if half or set(parts) <= {monomial, ()}:
                self.moves.setdefault(monomial[0], (sign, rest))
                return

    def _moved(self, number: int) -> tuple[int, Terms]:
        return self.moves.get(number, (-1 if self.trace.atoms[number].high <= 0 else 1, ()))

    def _inputs(self, atom: Atom) -> frozenset[str]:
        if atom.op == "input":
            return frozenset(atom.args)
        return frozenset[str]().union(*(self.inputs[n] for x in atom.args for n in atoms_in(x)))

    def _atom(self, number: int, atom: Atom) -> Poly:
        """Return an atom in variables: another one if it is always that one, or its own."""
        own: Poly = {(number,): 1}
        if atom.op in ("max", "min") and atom.whole:
            left, right = map(self.poly, atom.args)
            low, high = self.bounds(plus(left, right, -1))
            if low >= 0 or high <= 0:
                return left if (low >= 0) == (atom.op == "max") else right
        if atom.op != "//":
            return own
        if isinstance(atom.args[1], tuple):
            exact = quotient(*map(self.poly, atom.args))
            if exact is not None:
                return exact
        sign, rest = self._moved(number)
        shift = self.terms(rest)
        if isinstance(atom.args[1], int) and atom.args[1] > 0:
            rounding = self._quotient(atom, sign, shift)
            self.quotients[number] = rounding
            low, high = self.bounds(rounding.top)
            up = rounding.by - 1 if rounding.up else 0
            self.ends[number] = (low + up) // rounding.by, (high + up) // rounding.by
        else:
            low, high = self.bounds(plus(shift, own, sign))
            self.ends[number] = low, high
        return {m: sign * f for m, f in plus(own, shift, -1).items()}

    def bounds(self, poly: Poly) -> tuple[Any, Any]:
        """Return the ends of a range that holds all values of a polynomial."""
        low = high = 0
        for monomial, factor in poly.items():
            ends = [factor]
            for number in monomial:
                ends = [end * other for end in ends for other in self.ends[number]]
                ends = [min(ends), max(ends)]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def poly(self, number: Any) -> Poly:
        """Write a whole number, a symbol or an operand, in variables."""
        operand = key(number)
        if isinstance(operand, tuple):
            return self.terms(operand[1])
        return {(): int(operand)} if operand else {}

    def terms(self, terms: Terms) -> Poly:
        """Write the terms of a whole symbol in variables."""
        return _substituted(terms, self.written)

    def in_atoms(self, number: int) -> Terms:
        """Return a variable as the terms of atoms that it is."""
        sign, rest = self._moved(number) if self.trace.atoms[number].op == "//" else (1, ())
        return tuple(sorted([*rest, ((number,), sign)]))

    def _quotient(self, atom: Atom, sign: int, shift: Poly) -> Quotient:
        """Return a rounded quotient as the variable has it: roundings of roundings are one."""
        by, up = atom.args[1], sign < 0
        top = plus({m: f * by for m, f in shift.items()}, self.poly(atom.args[0]), sign)
        inner = {m: f for m, f in top.items() if m}
        if len(inner) == 1 and next(iter(inner.values())) == 1:
            (monomial,) = inner
            if len(monomial) == 1 and monomial[0] in self.quotients:
                below = self.quotients[monomial[0]]
                top = _turned(top, by, up, below.up)
                up = below.up
                top = plus(below.top, {(): below.by * top.get((), 0)})
                by *= below.by
        turned = _turned(top, by, up, not up)
        if (abs(turned.get((), 0)), not up) < (abs(top.get((), 0)), up):
            top, up = turned, not up
        return Quotient(up, top, by)

    def tree(self, poly: Poly) -> Tree:
        """Return a polynomial as a sum of products."""
        parts = self.products(poly)
        return parts[0] if len(parts) == 1 else Sum(parts) if parts else Number(0)

    def products(self, poly: Poly) -> tuple[Product, ...]:
        """Return the products of a polynomial in the order in which they are written."""
        order = sorted(poly, key=lambda m: (poly[m] < 0, not m, m))
        return tuple(Product(poly[m], tuple(map(variable, m))) for m in order)

    def operand(self, operand: Any) -> Tree:
        """Return an operand of an atom or guard as a tree over variables."""
        if not isinstance(operand, tuple):
            return Number(operand)
        kind, what = operand
        return self.tree(self.terms(what)) if kind == "whole" else self.definition(what)

    def definition(self, number: int) -> Tree:
        """Return what a variable stands for, or, of a double, its arithmetic."""
        atom = self.trace.atoms[number]
        if atom.op == "input":
            return Symbol(atom.args[0])
        if number in self.quotients:
            up, top, by = self.quotients[number]
            return Rounded(up, self.tree(top), Number(by))
        if atom.op == "//":
            return self._divided(number, atom)
        return _form(OPERATIONS[atom.op].form, atom, tuple(map(self.operand, atom.args)))

    def _divided(self, number: int, atom: Atom) -> Tree:
        """Return a quotient whose divisor is a symbol."""
        sign, rest = self._moved(number)
        top = {m: sign * f for m, f in self.poly(atom.args[0]).items()}
        rounded = Rounded(sign < 0, self.tree(top), self.operand(atom.args[1]))
        if not rest:
            return rounded
        return Sum((Product(1, (rounded,)), *self.products(self.terms(rest))))


def variable(number: int) -> Symbol:
    """Return the variable of an atom."""
    return Symbol(UNNAMED, number)


def _turned(top: Poly, by: int, up: bool, wanted: bool) -> Poly:
    """Return the top of the same quotient rounded the other way, if that is wanted."""
    if up == wanted:
        return top
    return plus(top, {(): by - 1 if up else 1 - by})


def _form(form: str, atom: Atom, arguments: tuple[Tree, ...]) -> Tree:
    """Return what an atom is in a formula, by the form of its operation."""
    match form:
        case "as it is":
            return arguments[0]
        case "sign":
            left, right = arguments
            if atom.op == "*" and isinstance(right, Number):
                left, right = right, left
            arguments = left, right
        case "extreme":
            return Call(atom.op, tuple(sorted(arguments, key=lambda x: isinstance(x, Number))))
        case "up" | "down":
            return Rounded(form == "up", arguments[0], Number(1))
        case "towards zero" if atom.low >= 0:
            return Rounded(False, arguments[0], Number(1))
    return Call(atom.op.rstrip("~"), arguments)

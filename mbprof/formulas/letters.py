"""Names for what occurs in a formula, numbered in the order in which it occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mbprof.formulas.algebra import (
    Call,
    Double,
    Product,
    Rest,
    Rounded,
    Sum,
    Symbol,
    Tree,
    children,
    symbols,
)
from mbprof.formulas.conditions import Condition, Range, Relation
from mbprof.formulas.naming import UNNAMED, Variables


class Letters:
    """Gives variables letters: h for heights, w for widths, c for all others.

    What stands in costs or conditions is named, and so is what stands in two definitions; what
    one definition alone needs stands in it.
    """

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.found: dict[int, Tree] = {}
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
        if number in self.found:
            return
        atom = self.variables.trace.atoms[number]
        if atom.op == "input":
            self.found[number] = Symbol(atom.args[0])
            return
        definition = self.variables.definition(number)
        for inner in _variables(definition):
            self.name(inner, uses, seen)
        if number not in seen and uses[number] < 2:
            self.found[number] = self.named(definition)
            return
        high, wide = (number in axis for axis in self.variables.axes)
        if high and wide:
            high, wide = (names == self.variables.inputs[number] for names in ({"H"}, {"W"}))
            letter = "h" if high else "w" if wide else "n"
        else:
            letter = "h" if high else "w" if wide else "c"
        self.taken[letter] += 1
        self.found[number] = Symbol(letter, self.taken[letter])

    def named(self, tree: Tree) -> Tree:
        """Return a tree with the names in it."""
        if isinstance(tree, Symbol):
            return self.found[tree.number] if tree.letter == UNNAMED else tree
        if isinstance(tree, Product):
            return Product(tree.factor, _numbered(tuple(map(self.named, tree.parts))))
        if isinstance(tree, Sum):
            parts = (_numbered(tuple(map(self.named, p.parts))) for p in tree.parts)
            return Sum(tuple(map(Product, (p.factor for p in tree.parts), parts)))
        if isinstance(tree, Rounded):
            return Rounded(tree.up, self.named(tree.top), self.named(tree.by))
        if isinstance(tree, Rest):
            return Rest(self.named(tree.top), self.named(tree.by))
        if isinstance(tree, Call):
            return Call(tree.name, tuple(map(self.named, tree.arguments)))
        if isinstance(tree, Double):
            return Double(tree.sign, self.named(tree.left), self.named(tree.right))
        return tree

    def condition(self, condition: Condition) -> Condition:
        """Return a condition with the names in it."""
        if isinstance(condition, Range):
            return condition
        return Relation(condition.sign, self.named(condition.left), self.named(condition.right))

    def where(self, trees: Iterable[Tree]) -> tuple[tuple[Symbol, Tree], ...]:
        """Return the definitions that trees need, in the order of their numbers."""
        defined = {
            symbol: self.named(self.variables.definition(number))
            for number, symbol in self.found.items()
            if isinstance(symbol, Symbol) and symbol.number
        }
        needed: set[Symbol] = set()
        pending = [each for tree in trees for each in symbols(tree)]
        while pending:
            symbol = pending.pop()
            if symbol in defined and symbol not in needed:
                needed.add(symbol)
                pending += symbols(defined[symbol])
        return tuple((each, tree) for each, tree in defined.items() if each in needed)


def _numbered(parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Return factors with those of one letter in the order of their numbers."""
    found = list(parts)
    letters = {part.letter for part in parts if isinstance(part, Symbol) and part.number}
    for letter in letters:
        places = [i for i, p in enumerate(parts) if isinstance(p, Symbol) and p.letter == letter]
        ordered = sorted((found[i] for i in places), key=lambda each: each.number)  # type: ignore[union-attr]
        for place, part in zip(places, ordered, strict=True):
            found[place] = part
    return tuple(found)


def _variables(tree: Tree) -> Iterator[int]:
    if isinstance(tree, Symbol):
        if tree.letter == UNNAMED:
            yield tree.number
        return
    for part in children(tree):
        yield from _variables(part)

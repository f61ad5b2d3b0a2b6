"""What a formula is printed from and evaluated by: sums of products over names and roundings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mbprof.symbolic.arithmetic import OPERATIONS

Values: TypeAlias = Mapping["Symbol", Any]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name: that of a knob, or a letter with a number for what the where-list defines."""

    letter: str
    number: int = 0

    def value(self, values: Values) -> Any:
        """Return the number that it stands for."""
        return values[self]


@dataclass(frozen=True, slots=True)
class Number:
    """A plain number."""

    number: float

    def value(self, values: Values) -> Any:
        """Return the number."""
        return self.number


@dataclass(frozen=True, slots=True)
class Product:
    """A whole factor times others, each as often as it is listed."""

    factor: int
    parts: tuple[Tree, ...] = ()

    def value(self, values: Values) -> Any:
        """Multiply."""
        return self.factor * math.prod(part.value(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of products, in the order in which they are written."""

    parts: tuple[Product, ...]

    def value(self, values: Values) -> Any:
        """Add up."""
        return sum(part.value(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A quotient rounded down or up; ``by`` is 1 where a number is rounded by itself."""

    up: bool
    top: Tree
    by: Tree

    def value(self, values: Values) -> Any:
        """Divide and round; of whole numbers in integers."""
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
        """Divide and keep the rest."""
        return self.top.value(values) % self.by.value(values)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the expression language, or of symbols."""

    name: str
    arguments: tuple[Tree, ...]

    def value(self, values: Values) -> Any:
        """Call it."""
        return OPERATIONS[self.name].plain(*(argument.value(values) for argument in self.arguments))


@dataclass(frozen=True, slots=True)
class Double:
    """Arithmetic of doubles, in the order in which the reference implementation does it."""

    sign: str
    left: Tree
    right: Tree

    def value(self, values: Values) -> Any:
        """Compute as a double."""
        left, right = float(self.left.value(values)), float(self.right.value(values))
        return OPERATIONS[self.sign].plain(left, right)


Tree: TypeAlias = Symbol | Number | Product | Sum | Rounded | Rest | Call | Double


def symbols(tree: Tree) -> Iterator[Symbol]:
    """Yield the names of a tree in the order in which they are written.

    >>> h, w = Symbol("h", 1), Symbol("w", 1)
    >>> [symbol.letter for symbol in symbols(Sum((Product(3, (h, w)), Product(1, (w,)))))]
    ['h', 'w', 'w']
    """
    if isinstance(tree, Symbol):
        yield tree
    else:
        for part in children(tree):
            yield from symbols(part)


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return what a tree is made of."""
    if isinstance(tree, Product | Sum):
        return tree.parts
    if isinstance(tree, Rounded | Rest):
        return tree.top, tree.by
    if isinstance(tree, Call):
        return tree.arguments
    return (tree.left, tree.right) if isinstance(tree, Double) else ()

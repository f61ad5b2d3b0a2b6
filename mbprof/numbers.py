"""Published numbers: the counts that print like one, and every count that a network has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from mbprof import conventions
from mbprof.errors import UsageError
from mbprof.facts import total
from mbprof.folding import fold
from mbprof.graph import Graph
from mbprof.profile import within

_UNITS = {"": 0, "k": 3, "m": 6, "million": 6, "g": 9, "b": 9, "billion": 9, "t": 12}
_NUMBER = re.compile(
    r"(\d[\d,_]{0,30})(\.\d{1,12})?\s*(k|m|g|b|t|million|billion)?"
    r"\s*(flops?|macs?|params?|parameters|madds?|mult-adds)?",
    re.IGNORECASE,
)


class Range(NamedTuple):
    """The counts that print as a number, and how they are rounded to it."""

    low: int
    high: int
    rounding: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as typed, the counts that print like it, and what it can count."""

    text: str
    ranges: tuple[Range, ...]
    quantities: tuple[str, ...]

    def rounding(self, count: Fraction | int) -> str | None:
        """Return how a count is rounded to the number, None if it is not."""
        return next((r.rounding for r in self.ranges if r.low <= count <= r.high), None)

    @property
    def middle(self) -> Fraction:
        """The number itself."""
        return Fraction(self.ranges[0].low + self.ranges[0].high, 2)


def number(text: str) -> Number:
    """Read a number as it is published: 314193216, 569M, 4.24 M params, 0.58 GMACs.

    Without a unit it is exact; else it is rounded to its last digit, or cut off after it.
    Raises: UsageError: no number, or too small to be a count.

    >>> number("569M").ranges[0]
    Range(low=568500000, high=569500000, rounding='nearest')
    """
    match = _NUMBER.fullmatch(text.strip())
    hint = "write 314193216, 569M or 4.24M"
    if match is None:
        raise UsageError(f"{text!r} is no number that counts something", hint=hint)
    digits, decimals, unit, word = (part or "" for part in match.groups())
    scale = Decimal(10) ** _UNITS[unit.lower()]
    value = Decimal(digits.replace(",", "").replace("_", "") + decimals) * scale
    if value != int(value) or value < 1:
        raise UsageError(f"{text!r} is no whole number", hint=hint)
    step = int(scale / 10 ** max(0, len(decimals) - 1)) if unit else 1
    count = int(value)
    ranges = (
        (
            Range(count - step // 2, count + step // 2, "nearest"),
            Range(count, count + step - 1, "down"),
        )
        if step > 1
        else (Range(count, count, "exact"),)
    )
    word = word.lower()
    if word.startswith("param"):
        return Number(text.strip(), ranges, ("params",))
    return Number(text.strip(), ranges, ("cost",) if word else ("params", "cost"))


class Counted(NamedTuple):
    """One of the numbers that a network has: the convention, the scope, what, and folded or not."""

    convention: str
    scope: str
    quantity: str
    folded: bool
    unit: str


def countings(scopes: Sequence[str], quantities: Sequence[str]) -> list[Counted]:
    """Return every way to count a network, in the order of `counts`."""
    found = []
    for name in conventions.names():
        convention = conventions.load(name)
        for scope in scopes:
            for folded in (False, True):
                if "params" in quantities:
                    found.append(Counted(name, scope, "params", folded, "params"))
                if "cost" in quantities:
                    units = (conventions.UNITS[measure] for measure in convention.measures)
                    found += [Counted(name, scope, "cost", folded, unit) for unit in units]
    return found


def counts(graph: Graph, scopes: Sequence[str], quantities: Sequence[str]) -> list[Any]:
    """Return all counts of a graph, by convention, scope, folding and quantity."""
    found: list[Any] = []
    folded = fold(graph)
    sums = {
        (view is folded, scope): total(node.facts for node in within(view, scope))
        for view in (graph, folded)
        for scope in scopes
    }
    for name in conventions.names():
        convention = conventions.load(name)
        for scope in scopes:
            for view in (graph, folded):
                nodes = within(convention.view(view), scope)
                known = sums[view is folded, scope] if not convention.folds else None
                count = convention.count(nodes, known)
                if "params" in quantities:
                    found.append(count.params)
                if "cost" in quantities:
                    found += count.costs
    return found

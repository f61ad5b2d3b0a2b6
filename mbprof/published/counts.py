"""Published numbers: the counts that print like one, and every count that a network has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Count
from mbprof.network.folding import fold
from mbprof.network.graph import Graph
from mbprof.ops.facts import total
from mbprof.symbolic.arithmetic import added

_UNITS = {"": 0, "k": 3, "m": 6, "million": 6, "g": 9, "b": 9, "billion": 9, "t": 12}
_NUMBER = re.compile(
    r"[~≈]?\s*(\d{1,3}(?:,\d{3}){1,10}|\d[\d_]{0,30})(\.\d{1,12})?"
    r"(?:e\+?(\d{1,2})|\s*(k|m|g|b|t|million|billion))?"
    r"\s*(flops?|macs?|params?|parameters|madds?|(?:mult|multiply)-adds?)?",
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

    Without a unit it is exact; else it is rounded to its last digit, or cut off after it. Where
    the digits end in zeros, of which two digits are not, they may be rounded, too.
    Raises: UsageError: no number, or too small to be a count.

    >>> number("569M").ranges[0]
    Range(low=568500000, high=569500000, rounding='nearest')
    """
    match = _NUMBER.fullmatch(text.strip())
    hint = "write 314193216, 569M or 4.24M"
    if match is None:
        raise UsageError(f"{text!r} is no number that counts something", hint=hint)
    digits, decimals, power, unit, word = (part or "" for part in match.groups())
    digits = digits.replace(",", "").replace("_", "")
    scale = Decimal(10) ** (int(power) if power else _UNITS[unit.lower()])
    value = Decimal(digits + decimals) * scale
    if value != int(value) or value < 1:
        raise UsageError(f"{text!r} is no whole number", hint=hint)
    step = int(scale / 10 ** max(0, len(decimals) - 1)) if unit or power else 1
    count = int(value)
    if power:  # 1e9 is no number of one digit
        step = min(step, _coarsest(count))
    ranges: tuple[Range, ...] = (
        (
            Range(count - step // 2, count + step // 2, "nearest"),
            Range(count, count + step - 1, "down"),
        )
        if step > 1
        else (Range(count, count, "exact"),)
    )
    coarse = 1 if decimals else _coarsest(count)
    if coarse > step:
        said = "to " + fmt.short(coarse).replace(" ", "")
        ranges += (Range(count - coarse // 2, count + coarse // 2, said),)
    word = word.lower()
    if word.startswith("param"):
        return Number(text.strip(), ranges, ("params",))
    return Number(text.strip(), ranges, ("cost",) if word else ("params", "cost"))


def _coarsest(count: int) -> int:
    """Return what a number may be rounded to: the place of its last digit that is no zero.

    The first two digits count as they are: 300M says 300M to ten millions.
    """
    digits = str(count)
    zeros = len(digits) - max(2, len(digits.rstrip("0")))
    return int(10 ** max(0, zeros))


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
    plain, folded = _Parts(graph), _Parts(fold(graph))
    for name in conventions.names():
        convention = conventions.load(name)
        # Folding what is folded changes nothing.
        views = [folded.counts(convention)] * 2 if convention.folds else None
        views = views or [parts.counts(convention) for parts in (plain, folded)]
        for scope in scopes:
            for parts in views:
                inside = [count for part, count in parts.items() if scope in ("all", part)]
                if "params" in quantities:
                    found.append(added(count.params for count in inside))
                if "cost" in quantities:
                    costs = zip(*(count.costs for count in inside), strict=True)
                    found += [added(each) for each in costs]
    return found


class _Parts:
    """The body and the head of a graph: they share no node, so that scopes are sums of them."""

    def __init__(self, graph: Graph) -> None:
        scopes = dict.fromkeys(("body", *(node.scope for node in graph.nodes)))
        self.nodes = {each: [n for n in graph.nodes if n.scope == each] for each in scopes}
        self.facts = {each: total(n.facts for n in nodes) for each, nodes in self.nodes.items()}

    def counts(self, convention: Convention) -> dict[str, Count]:
        """Return what a convention, which sees the graph as it is, counts of each part."""
        return {
            each: convention.count(nodes, self.facts[each]) for each, nodes in self.nodes.items()
        }

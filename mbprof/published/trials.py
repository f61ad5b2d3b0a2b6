"""What is tried of a published number that does not hold, before it is called wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from mbprof.errors import MbprofError
from mbprof.language.counts import Quantity
from mbprof.language.fmt import integer
from mbprof.language.record import NamedTuple
from mbprof.network import conventions
from mbprof.published.counted import BIASED, Counted, factors

CHANCE = Fraction(1, 15)
"""A match is an answer where fewer counts than this print like the number by chance."""
NEAR = Fraction(1, 4)
"""Counts so near to the number, in parts of it, say how dense counts lie there."""

Counts: TypeAlias = Iterable[tuple[Counted, int]]
"""Numbers that a network has, and what each of them counts."""


class Network(NamedTuple):
    """A network by its address, and what returns its counts: as it is within the scope, or all."""

    address: str
    within: Callable[[], Counts]
    every: Callable[[], Counts]


_KINDS = {"params": "params", "macs": "cost"}


class Tried(NamedTuple):
    """A count of a network under some flavour and convention, perhaps doubled or halved."""

    flavour: str
    counted: Counted
    factor: Fraction
    value: int

    @property
    def printed(self) -> Fraction:
        """What would have been printed."""
        return self.value * self.factor

    def said(self, own: str, scope: str) -> str:
        """Say who counts so; what is as the claim says is left out."""
        folded = "with batch norms folded" if self.counted.folded else ""
        parts = (
            f"in scope {self.counted.scope}" if self.counted.scope != scope else "",
            f"of {self.flavour}" if self.flavour != own else "",
            {1: "", 2: "twice"}.get(int(self.factor), "half"),
        )
        return ", ".join(filter(None, (f"{self.counted.convention} counts", *parts, folded)))


@dataclass(slots=True)
class Trials:
    """What was tried of one number: rings of counts, those most like the claim first."""

    number: Quantity
    flavour: str
    scope: str
    tried: list[Tried] = field(default_factory=list)
    told: bool = True
    """Whether the number has digits enough to tell a match from chance."""

    def answer(self, quantity: str, convention: str, networks: Iterable[Network]) -> Tried | None:
        """Return the first count that prints like the number, where that is hardly chance.

        With c different counts within a fourth of the number and a rounding that is r wide, in
        parts of it, c · r / (2 · 1/4) counts print like it by chance. What a number of few digits
        cannot tell is not looked for in other flavours.
        """
        low, high = self.number.ranges[0][:2]
        width = Fraction(high - low, self.number.value) / (2 * NEAR)
        for ring in self.rings(quantity, convention, networks):
            self.tried += ring
            near = {t.printed for t in self.tried if abs(t.printed / self.number.value - 1) <= NEAR}
            self.told = len(near) * width <= CHANCE
            found = next((t for t in ring if self.number.rounding(t.printed) is not None), None)
            if found is not None and self.told:
                return found
        return None

    def rings(
        self, quantity: str, convention: str, networks: Iterable[Network]
    ) -> Iterator[list[Tried]]:
        """Yield rings: kinds of values, tools, other scopes, folded or doubled, other flavours.

        ``networks`` are those of the flavours, the claim's own first.
        """

        def own(trial: Tried) -> bool:
            return trial.counted.convention != convention

        others = iter(networks)
        network = next(others)
        like = sorted(_tried(network.address, network.within(), quantity), key=own)
        like = [t for t in like if t.factor == 1]
        yield [t for t in like if not _tool(t.counted.convention)]
        yield [t for t in like if _tool(t.counted.convention)]
        found = sorted(_tried(network.address, network.every(), quantity), key=own)
        plain = [t for t in found if t.factor == 1 and not t.counted.folded]
        yield [t for t in plain if t.counted.scope != self.scope]
        yield [t for t in found if t.factor != 1 or t.counted.folded]
        for other in others if self.told else ():
            with suppress(MbprofError):
                found = _tried(other.address, other.every(), quantity)
                yield [t for t in found if t.factor == 1 and not t.counted.folded]

    def brief(self) -> str:
        """Say how much was tried, and what came nearest."""
        if not self.tried:
            return ""
        nearest = min(self.tried, key=lambda tried: abs(tried.printed - self.number.value))
        off = float(nearest.printed / self.number.value - 1)
        said = f"{integer(nearest.value)} ({nearest.said(self.flavour, self.scope)})"
        # What prints like it and is no answer is so by chance.
        chance = self.number.rounding(nearest.printed) is not None
        behind = "prints like it, as some do by chance" if chance else f"is {off:+.1%} off"
        return f"{len({t.printed for t in self.tried})} counts tried; the nearest, {said}, {behind}"


def rounded(number: Quantity, count: int) -> str | None:
    """Return how else than to the nearest a count is rounded to a number, None if it is not.

    >>> from mbprof.language.counts import read
    >>> rounded(read("37G"), 37_745_884_192), rounded(read("138M"), 137_460_672)
    ('down', 'twice')
    >>> rounded(read("720M"), 724_406_816), rounded(read("37G"), 38_600_000_000)
    ('to 10M', None)
    """
    known = number.rounding(count)
    if known is not None or number.ranges[0].rounding == "exact":
        return known
    # 137.46 to 137.5 to 138: half a step less a twentieth is rounded up where digits go one by one.
    step = number.ranges[0].high - number.value
    return "twice" if 0 < number.value - count <= step * Fraction(11, 10) else None


def _tool(name: str) -> bool:
    return bool(conventions.load(name).tool)


def _tried(flavour: str, counts: Counts, quantity: str) -> list[Tried]:
    return [
        Tried(flavour, counted, factor.times, int(value))
        for counted, value in counts
        if counted.quantity == _KINDS[quantity] and counted.view != BIASED
        for factor in factors(counted)
    ]

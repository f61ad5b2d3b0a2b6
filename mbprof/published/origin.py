"""An origin of a number: what was counted, at which settings, and how likely that is."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from mbprof.language.counts import Quantity
from mbprof.language.fmt import Value
from mbprof.language.record import NamedTuple
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.published.counted import FOLDED, Bits, Counted, Factor

NEAR = 0.25
"""Counts so near to the number, in parts of it, say how dense counts lie there."""
CHANCE = 1 / 40
"""A match is likely where fewer counts than this print like the number by chance."""

_ROUNDING = {"nearest": 0.0, "exact": 0.0, "down": 2.5}
_COARSE = 3.0


class Origin(NamedTuple):
    """A way to count that gives the number: ``value`` · ``factor`` prints like it.

    ``knobs`` are those that change the count, and ``scope`` may be a single layer or block.
    ``bits`` say how seldom people count so, and ``chance`` how many counts that
    are no rarer print like the number by chance.
    """

    spec: str
    convention: str
    scope: str
    knobs: Mapping[str, Value]
    quantity: str
    view: str
    value: int
    unit: str
    factor: Fraction
    said: str
    rounding: str
    bits: Bits = 0.0
    chance: float = 1.0

    def __repr__(self) -> str:
        said = f"{self.spec}, {self.convention}, scope {self.scope}"
        return line(self, f"{self.value:,} {self.unit}, {said}")

    @property
    def folded(self) -> bool:
        """Whether batch norms are folded."""
        return self.view == FOLDED

    @property
    def coarse(self) -> bool:
        """Whether the number's last digits, which are zeros, are rounded as well."""
        return self.rounding.startswith("to ")

    @property
    def likely(self) -> bool:
        """Whether the match is hardly one by chance."""
        return self.chance <= CHANCE

    @property
    def printed(self) -> Fraction:
        """What would have been printed."""
        return self.value * self.factor

    def to_dict(self) -> dict[str, Any]:
        """Return the origin as plain data."""
        return {
            **self._asdict(),
            "folded": self.folded,
            "factor": float(self.factor) if self.factor.denominator > 1 else int(self.factor),
            "chance": float(f"{self.chance:.2g}"),
            "likely": self.likely,
            **stamp(knobs=self.knobs),
        }


def rarity(rounding: str) -> Bits:
    """Return how seldom a number is rounded so."""
    return _ROUNDING.get(rounding, _COARSE)


class Match(NamedTuple):
    """A count that prints like the number, before it is known what it is."""

    spec: str
    knobs: Mapping[str, Value]
    counted: Counted
    factor: Factor
    value: int
    bits: Bits
    rounding: str
    usual: tuple[str, ...] = ()
    """How those round who are known to count so there."""

    def origin(self, knobs: Mapping[str, Value], chance: float) -> Origin:
        """Return it as an origin, at the knobs that matter."""
        counted, factor = self.counted, self.factor
        return Origin(
            self.spec, counted.convention, counted.scope, knobs, counted.quantity, counted.view,
            self.value, counted.unit, factor.times, factor.said, self.rounding,
            self.bits + rarity(self.rounding), chance,
        )  # fmt: skip


class Density:
    """How dense the counts of a search lie around a number, the rarer ones apart."""

    def __init__(self, number: Quantity) -> None:
        self.number = number
        self.least: dict[float, Bits] = {}
        """Different counts near the number, each with the bits of its likeliest way."""
        self.order: list[Bits] = []

    def add(self, amounts: Sequence[float], bits: Sequence[Bits]) -> None:
        """Note counts near the number."""
        for amount, rare in zip(amounts, bits, strict=True):
            if rare < self.least.get(amount, math.inf):
                self.least[amount] = rare
        self.order = []

    def chance(self, bits: Bits, rounding: str) -> float:
        """Return how many counts of at most so many bits print like the number by chance.

        With c different counts within a fourth of the number and a rounding that is r wide, in
        parts of it, these are c · r / ln(1.25 / 0.8).
        """
        self.order = self.order or sorted(self.least.values())
        spans = [span for span in self.number.ranges if rarity(span.rounding) <= rarity(rounding)]
        wide = max(span.high for span in spans) - min(span.low for span in spans)
        width = max(wide, 1) / self.number.value
        return bisect.bisect_right(self.order, bits + 1e-9) * width / (2 * math.log1p(NEAR))

"""Counts as people write them: 3.2e6, 3.4M, 300 k, 3,185,088, 4.24 M params, 0.58 GMACs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mbprof.errors import SpecError
from mbprof.language import fmt
from mbprof.language.record import NamedTuple
from mbprof.language.source import Scalar
from mbprof.symbolic.symbols import inside

if TYPE_CHECKING:
    from fractions import Fraction

HINT = "write 300M, 300e6 or 300_000_000"
_POWERS = {"k": 3, "m": 6, "million": 6, "g": 9, "b": 9, "billion": 9, "t": 12}
UNIT = "million|billion|[kmgbt]"
"""What can stand behind a number, in capitals or not, as a pattern."""
_COUNT = re.compile(
    r"[~≈]?\s*([0-9]{1,3}(?:,[0-9]{3}){1,10}|[0-9]{1,30}(?:_[0-9]{1,9}){0,9})(\.[0-9]{1,18})?"
    rf"(?:e\+?([0-9]{{1,2}})|\s*({UNIT}))?"
    r"\s*(flops?|macs?|params?|parameters|madds?|(?:mult|multiply)-adds?)?",
    re.IGNORECASE,
)


class Range(NamedTuple):
    """The counts that print as a number, and how they are rounded to it."""

    low: int
    high: int
    rounding: str


class Quantity(NamedTuple):
    """A count as written, the counts that print like it, and what it can count: params, cost.

    ``power`` is that of ten of its unit, such as 6 of an M; ``decimals`` stand behind its point.
    """

    text: str
    value: int
    ranges: tuple[Range, ...]
    kinds: tuple[str, ...]
    power: int = 0
    decimals: int = 0

    def rounding(self, count: Fraction | int) -> str | None:
        """Return how a count is rounded to the number, None if it is not."""
        return next((r.rounding for r in self.ranges if r.low <= count <= r.high), None)

    def holds(self, count: int) -> bool:
        """Whether a count prints as the number."""
        return self.rounding(count) is not None

    def rounded(self, rounding: str) -> Quantity:
        """Return the number as one that is known to be rounded so: nearest or down."""
        ranges = tuple(span for span in self.ranges if span.rounding in ("exact", rounding))
        return self._replace(ranges=ranges)


def read(text: str) -> Quantity:
    """Read a count.

    Without a unit it is exact; else it is rounded to its last digit, or cut off after it. Where
    the digits end in zeros, of which two digits are not, they may be rounded, too.
    Raises: ValueError: no count, not a whole one, or more than 10^30; the message says so.

    >>> read("3.2e6").value, read("300 k").value, read("4.24 M params").kinds
    (3200000, 300000, ('params',))
    >>> read("569M").ranges[0]
    Range(low=568500000, high=569500000, rounding='nearest')
    """
    text = text.strip()
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a count, found {text!r}")
    digits, decimals, exponent, unit, noun = (part or "" for part in match.groups())
    power = int(exponent) if exponent else _POWERS.get(unit.lower(), 0)
    place = power - max(0, len(decimals) - 1)
    written = int(digits.replace(",", "").replace("_", "") + decimals[1:])
    value, rest = divmod(written * 10 ** max(0, place), 10 ** max(0, -place))
    if rest:
        raise ValueError(f"{text} is no whole number")
    if not inside(value):
        raise ValueError(f"{text} is more than 10^30")
    ranges = _ranges(value, place, bool(exponent), bool(decimals))
    kinds = ("params",) if noun.lower().startswith("param") else ("cost",)
    can_count = kinds if noun else ("params", "cost")
    places = len(decimals[1:])
    return Quantity(text, value, ranges, can_count, 0 if exponent else power, places)


def quantity(scalar: Scalar, kind: str | None = None) -> Quantity:
    """Read a count in its place; ``kind`` is what it has to count, params or macs.

    Raises: SpecError: no count, not a whole one, or one of the other kind.

    >>> from mbprof.errors import Loc, Source
    >>> quantity(Scalar("11M", Loc(Source("s", ""), 1, 1))).rounded("down").ranges
    (Range(low=11000000, high=11999999, rounding='down'),)
    """
    try:
        count = read(scalar.text)
    except ValueError as error:
        raise SpecError(str(error), scalar.loc, HINT) from None
    if kind is not None and {"macs": "cost"}.get(kind, kind) not in count.kinds:
        raise SpecError(f"expected a count of {kind}, found {scalar.text!r}", scalar.loc, HINT)
    return count


def _ranges(count: int, place: int, exponent: bool, decimals: bool) -> tuple[Range, ...]:
    """Return the counts that print like one whose last digit stands for 10 to the ``place``."""
    # It may be rounded at its last digit that is no zero; the first two count as they are.
    digits = str(count)
    coarse = int(10 ** max(0, len(digits) - max(2, len(digits.rstrip("0")))))
    step = int(10 ** max(0, place))
    if exponent:  # 1e9 is no number of one digit
        step = min(step, coarse)
    ranges: tuple[Range, ...] = (Range(count, count, "exact"),)
    if step > 1:
        near = Range(count - step // 2, count + step // 2, "nearest")
        ranges = (near, Range(count, count + step - 1, "down"))
    if coarse > step and not decimals:
        said = "to " + fmt.short(coarse).replace(" ", "")
        ranges += (Range(count - coarse // 2, count + coarse // 2, said),)
    return ranges

"""Budgets: the largest params and cost that a network may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from mbprof.errors import SpecError
from mbprof.language.source import Node, Scalar
from mbprof.language.tree import known_keys, mapping, word

KEYS = {
    "macs": "the most multiply-accumulates, such as 300M or 300e6",
    "params": "the most params, such as 4M",
}
"""What a budget can limit, with what each is."""

_COUNT = re.compile(
    r"((?:\d{1,3}(?:,\d{3}){1,9}|\d[\d_]{0,30})(?:\.\d{1,18})?)(?:[eE]\+?(\d{1,2}))? ?([kKMGTB]?)"
)
_UNITS = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "B": 9, "T": 12}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as typed, and as a count."""

    scalar: Scalar
    count: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a network, None where there is none."""

    params: Limit | None = None
    macs: Limit | None = None


def count(scalar: Scalar) -> int:
    """Read a count as people write it: 300M, 3.5e6, 300_000_000.

    Raises: SpecError: no count, or not a whole one.

    >>> from mbprof.errors import Loc, Source
    >>> [count(Scalar(text, Loc(Source("s", ""), 1, 1))) for text in ("300M", "3.5e6", "4_096")]
    [300000000, 3500000, 4096]
    """
    match = _COUNT.fullmatch(scalar.text.strip())
    hint = "write 300M, 300e6 or 300_000_000"
    if match is None:
        raise SpecError(f"expected a count, found {scalar.text!r}", scalar.loc, hint)
    digits, exponent, unit = match.groups()
    value = Decimal(digits.replace("_", "").replace(",", ""))
    value *= Decimal(10) ** (int(exponent or 0) + _UNITS[unit])
    if value != int(value):
        raise SpecError(f"{scalar.text} is no whole number", scalar.loc, hint)
    return int(value)


def limit(scalar: Scalar) -> Limit:
    """Read one limit.

    Raises: SpecError: no count.
    """
    return Limit(scalar, count(scalar))


def budget(node: Node | None) -> Budget:
    """Read ``budget: {macs: 300M, params: 4M}``.

    Raises: SpecError: an unknown key, a value that is no count.
    """
    if node is None:
        return Budget()
    found = mapping(node, "budget")
    known_keys(found, KEYS, "budget")
    return Budget(**{key: limit(word(each.value, key)) for key, each in found.entries.items()})

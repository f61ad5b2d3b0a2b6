"""Budgets: the largest params and cost that a network may have."""

from __future__ import annotations

from dataclasses import dataclass

from mbprof.language.counts import quantity
from mbprof.language.source import Node, Scalar
from mbprof.language.tree import known_keys, mapping, word

KEYS = {
    "macs": "the most multiply-accumulates, such as 300M or 300e6",
    "params": "the most params, such as 4M",
}
"""What a budget can limit, with what each is."""


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


def limit(scalar: Scalar, kind: str) -> Limit:
    """Read one limit, of params or macs.

    Raises: SpecError: no count.

    >>> from mbprof.errors import Loc, Source
    >>> limit(Scalar("3.5e6", Loc(Source("s", ""), 1, 1)), "macs").count
    3500000
    """
    return Limit(scalar, quantity(scalar, kind).value)


def budget(node: Node | None) -> Budget:
    """Read ``budget: {macs: 300M, params: 4M}``.

    Raises: SpecError: an unknown key, a value that is no count.
    """
    if node is None:
        return Budget()
    limits = mapping(node, "budget")
    known_keys(limits, KEYS, "budget")
    return Budget(
        **{key: limit(word(entry.value, key), key) for key, entry in limits.entries.items()}
    )

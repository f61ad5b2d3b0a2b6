"""Conventions: which kinds of facts count, and with which weight; one data file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mbprof.errors import SpecError, UsageError, nearest
from mbprof.facts import KINDS, Facts
from mbprof.source import Map, parse, read
from mbprof.spec.nodes import known_keys, mapping, required, text, word

DEFAULT = "kernels"
_FOLDER = Path(__file__).parent
_KEYS = ("name", "doc", "source", "unit", "params", "macs")


@dataclass(frozen=True, slots=True)
class Convention:
    """A view of facts: the weights of the kinds that it counts."""

    name: str
    doc: str
    source: str
    unit: str
    params_weights: Mapping[str, int]
    macs_weights: Mapping[str, int]

    def params(self, facts: Facts) -> int:
        """Return the stored values that the convention counts."""
        return _weighted(self.params_weights, facts)

    def macs(self, facts: Facts) -> int:
        """Return the cost that the convention counts, in its unit."""
        return _weighted(self.macs_weights, facts)


def _weighted(weights: Mapping[str, int], facts: Facts) -> int:
    return sum(weight * getattr(facts, kind) for kind, weight in weights.items())


def names() -> list[str]:
    """Return the names of the conventions."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@lru_cache(maxsize=64)
def load(name: str) -> Convention:
    """Return a convention by name.

    Raises: UsageError: there is none of that name.

    >>> load("kernels").params(Facts(kernels=864, biases=32))
    864
    """
    if name not in names():
        raise UsageError(f"unknown convention {name!r}", hint=nearest(name, names()))
    root = mapping(parse(read(_FOLDER / f"{name}.yaml")), "a convention")
    known_keys(root, _KEYS, "a convention")
    return Convention(
        word(required(root, "name", "a convention"), "name").text,
        text(root, "doc"),
        text(root, "source"),
        text(root, "unit"),
        _weights(mapping(required(root, "params", "a convention"), "params")),
        _weights(mapping(required(root, "macs", "a convention"), "macs")),
    )


def _weights(node: Map) -> dict[str, int]:
    weights = {}
    for kind, entry in node.entries.items():
        scalar = word(entry.value, "a weight")
        if kind not in KINDS:
            raise SpecError(f"unknown kind {kind!r}", entry.key.loc, nearest(kind, KINDS))
        if not scalar.text.isdigit():
            raise SpecError(f"a weight is a whole number, found {scalar.text!r}", scalar.loc)
        weights[kind] = int(scalar.text)
    return weights

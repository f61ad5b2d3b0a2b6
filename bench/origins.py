"""What the search for a number finds: of hidden claims, of random numbers, of tables of others.

A claim of the zoo is asked for with its own number hidden. The true origin is what the claim says:
its network, counted its way, at its settings. The network is asked for without a flavour or a
setting, as who reads a table would.

    python -m bench.origins claims [SEED]     three disjoint samples, and how many were found
    python -m bench.origins numbers [SEED]    random numbers of 3 and 4 digits called likely
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from zlib import crc32

from mbprof.language.counts import read
from mbprof.network.load import Spec, load
from mbprof.network.rows import totals
from mbprof.published.origin import Origin
from mbprof.published.origins import origins
from mbprof.spec import zoo
from mbprof.spec.sections import Claim

SAMPLES, SIZE = 3, 140
"""How many samples are drawn, and how many claims are in each."""
_UNITS = {"G": 1e9, "M": 1e6, "k": 1e3}
NUMBERS = 60
"""How many random numbers are asked for of each number of digits."""


Asked = tuple[str, Claim, str]
"""A spec's name, one of its claims, and which of its numbers is asked for."""


class Question(NamedTuple):
    """A number to ask for: the spec without the number, and the count that it rounds."""

    spec: Spec
    text: str
    claim: Claim
    value: int

    def origins(self) -> tuple[Origin, ...]:
        """Return what the search says, likeliest first."""
        return origins(self.spec, self.text).origins


def samples(seed: int, size: int = SIZE, most: int = SAMPLES) -> list[list[Asked]]:
    """Return disjoint random samples of the zoo's rounded claims; a new one displaces only one."""

    def place(asked: Asked) -> int:
        name, claim, quantity = asked
        return crc32(f"{seed} {name} {claim.source} {claim.preset} {claim.at} {quantity}".encode())

    drawn = sorted(rounded(), key=place)
    return [drawn[size * n : size * (n + 1)] for n in range(most)]


def rounded() -> Iterator[Asked]:
    """Yield every rounded claim of the zoo that is of its network, and what it is of."""
    for name in zoo.spec_names():
        for claim in load(name).definition.published:
            for quantity in ("params", "macs"):
                printed = getattr(claim, quantity)
                exact = printed is None or read(printed.text).ranges[0].rounding == "exact"
                if not exact and not claim.erratum and not claim.other:
                    yield name, claim, quantity


def questions(claims: Iterable[Asked]) -> Iterator[Question]:
    """Yield the questions of those claims that hold."""
    for name, claim, quantity in claims:
        stem, printed = claim.preset or name, getattr(claim, quantity)
        network = load(f"{stem}@{claim.flavour}" if claim.flavour else stem).build(**claim.at)
        counted = totals(network.compiled, claim.convention, claim.scope)
        value = counted.params if quantity == "params" else counted.cost
        if printed.holds(value):
            spec = load(stem)
            hidden = tuple(_hidden(each, quantity, printed) for each in spec.definition.published)
            definition = replace(spec.definition, claims=partial(tuple, hidden))
            unit = " params" if quantity == "params" else ""
            asked = replace(spec, definition=definition)
            yield Question(asked, f"{printed.text}{unit}", claim, value)


def _hidden(claim: Claim, quantity: str, printed: object) -> Claim:
    if getattr(claim, quantity) != printed:
        return claim
    return replace(claim, params=None) if quantity == "params" else replace(claim, macs=None)


def drawn(digits: int, seed: int, count: int = NUMBERS) -> Iterator[tuple[str, str]]:
    """Yield networks, each with a number that has nothing to do with it but its magnitude."""
    draw = random.Random(f"{digits} {seed}")
    names = zoo.names()
    for _ in range(count):
        name = draw.choice(names)
        total = load(name).build().profile(scope="all").total
        size = draw.choice((total.params, total.cost)) * 2 ** draw.uniform(-1, 1)
        unit, times = next((u, t) for u, t in _UNITS.items() if size >= t)
        yield name, f"{size / times:.{digits - len(str(int(size / times)))}f}{unit}"


def _of_claims(seed: int) -> None:
    slowest, sums = 0.0, [0, 0, 0]
    for number, sample in enumerate(samples(seed), start=1):
        asked = first = among = 0
        for question in questions(sample):
            start = time.process_time()
            found = question.origins()
            slowest = max(slowest, time.process_time() - start)
            answers = [origin.printed for origin in found]
            asked, among = asked + 1, among + (question.value in answers)
            first += answers[:1] == [question.value]
            if answers[:1] != [question.value]:
                claim = question.claim
                print(
                    f"{question.spec.address}: {question.text}, {claim.flavour or 'default'}, "
                    f"{dict(claim.at)}, {claim.convention}, scope {claim.scope} is "
                    f"{question.value:,}; said: {found[:1]}"
                )
        print(f"sample {number}: {_shares(asked, first, among)}", flush=True)
        sums = [total + n for total, n in zip(sums, (asked, first, among), strict=True)]
    print(f"all: {_shares(*sums)}; the slowest search: {slowest:.2f} s")


def _shares(asked: int, first: int, among: int) -> str:
    shares = f"the true origin first for {first / asked:.1%}, named for {among / asked:.1%}"
    return f"{asked} claims: {shares}"


def _of_numbers(seed: int) -> None:
    for digits in (3, 4):
        asked = 0
        for name, text in drawn(digits, seed):
            likely = [origin for origin in origins(name, text).origins if origin.likely]
            asked += bool(likely)
            if likely:
                print(f"{name}: {text}, said: {likely[:1]}")
        print(f"{digits} digits: {asked} of {NUMBERS} random numbers called likely", flush=True)


if __name__ == "__main__":
    measure = {"claims": _of_claims, "numbers": _of_numbers}[sys.argv[1]]
    measure(int(sys.argv[2]) if sys.argv[2:] else 13)

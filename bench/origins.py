"""The zoo's own rounded claims asked for their origin, each with its own number hidden.

The true origin is what the claim says: its network, counted its way, at its settings. The network
is asked for without a flavour or a setting, as who reads a table would.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from mbprof.language.counts import read
from mbprof.network.load import Spec, load
from mbprof.network.rows import totals
from mbprof.published.origin import Origin
from mbprof.published.origins import origins
from mbprof.spec import zoo
from mbprof.spec.sections import Claim

STEP = 4
"""Every so manieth claim makes about 130."""


class Question(NamedTuple):
    """A number to ask for: the spec without the number, and the count that it rounds."""

    spec: Spec
    text: str
    claim: Claim
    value: int

    def origins(self) -> tuple[Origin, ...]:
        """Return what the search says, likeliest first."""
        return origins(self.spec, self.text).origins


def questions(step: int = STEP) -> Iterator[Question]:
    """Yield every so manieth rounded claim of the zoo that holds."""
    number = 0
    for name in zoo.spec_names():
        for claim in load(name).definition.published:
            for quantity in ("params", "macs"):
                printed = getattr(claim, quantity)
                rounded = printed and read(printed.text).ranges[0].rounding != "exact"
                if rounded and not claim.erratum and not claim.other:
                    number += 1
                    if number % step == 0 and (asked := _question(name, claim, quantity)):
                        yield asked


def _question(name: str, claim: Claim, quantity: str) -> Question | None:
    stem, printed = claim.preset or name, getattr(claim, quantity)
    network = load(f"{stem}@{claim.flavour}" if claim.flavour else stem).build(**claim.at)
    counted = totals(network.compiled, claim.convention, claim.scope)
    value = counted.params if quantity == "params" else counted.cost
    if not printed.holds(value):
        return None
    spec = load(stem)
    claims = spec.definition.published
    hidden = tuple(_hidden(c, quantity) if getattr(c, quantity) == printed else c for c in claims)
    definition = replace(spec.definition, published=hidden)
    unit = " params" if quantity == "params" else ""
    return Question(replace(spec, definition=definition), f"{printed.text}{unit}", claim, value)


def _hidden(claim: Claim, quantity: str) -> Claim:
    return replace(claim, params=None) if quantity == "params" else replace(claim, macs=None)


if __name__ == "__main__":
    asked = first = among = 0
    slowest = 0.0
    for question in questions(int(sys.argv[1]) if sys.argv[1:] else STEP):
        start = time.process_time()
        answers = [origin.printed for origin in question.origins()]
        slowest = max(slowest, time.process_time() - start)
        asked += 1
        first += answers[:1] == [question.value]
        among += question.value in answers
        if answers[:1] != [question.value]:
            claim = question.claim
            print(
                f"{question.spec.address}: {question.text}, {claim.flavour or 'default'}, "
                f"{dict(claim.at)}, {claim.convention}, scope {claim.scope} is {question.value:,}; "
                f"said: {question.origins()[:1]}"
            )
    shares = f"the true origin first for {first / asked:.0%}, named for {among / asked:.0%}"
    print(f"{asked} claims: {shares}; the slowest search: {slowest:.2f} s")

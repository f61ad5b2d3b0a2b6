"""The least, the mean and the variance of costs, and which knobs explain it, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from mbprof.language.record import NamedTuple
from mbprof.sweeps.axes import Column
from mbprof.sweeps.spaces.parts import ROWS, Group, Held, Parts, TooMuch


class Moments(NamedTuple):
    """Of each cost of some knobs' configurations; costs of independent knobs add."""

    least: Column
    most: Column
    mean: Column
    variance: Column
    given: Mapping[int, Column]
    """The mean of each cost for each value of each knob."""

    def plus(self, other: Moments) -> Moments:
        """Return the moments of both groups together."""
        given = {knob: means + other.mean for knob, means in self.given.items()}
        given |= {knob: means + self.mean for knob, means in other.given.items()}
        return Moments(
            self.least + other.least,
            self.most + other.most,
            self.mean + other.mean,
            self.variance + other.variance,
            given,
        )


def moments(parts: Parts) -> Moments | None:
    """Return the moments of a whole space, None where that is too much."""
    parts.work = 0
    try:
        return _of_groups(parts, parts.whole(), {})
    except TooMuch:
        return None


def _of_groups(parts: Parts, groups: Iterable[Group], held: Held) -> Moments:
    return reduce(Moments.plus, (_of_group(parts, group, held) for group in groups))


def _of_group(parts: Parts, group: Group, held: Held) -> Moments:
    import numpy as np

    if parts.size(group) <= ROWS:
        rows, costs = parts.enumerated(group, held)
        given = {}
        for knob, numbers in rows.items():
            times = np.bincount(numbers)[:, None]
            sums = [np.bincount(numbers, column) for column in costs.T.astype(np.float64)]
            given[knob] = np.stack(sums, axis=1) / times
        spread = costs.mean(axis=0), costs.astype(np.float64).var(axis=0)
        return Moments(costs.min(axis=0), costs.max(axis=0), *spread, given)
    hub = parts.hub(group)
    rest = [knob for knob in group.knobs if knob != hub]
    found = []
    for number in range(parts.choices.sizes[hub]):
        now = {**held, hub: number}
        found.append(_of_groups(parts, parts.groups(group.terms, rest, now), now))
    least, most, means, variances = (np.stack(of) for of in list(zip(*found, strict=True))[:4])
    given = {knob: np.mean([own.given[knob] for own in found], axis=0) for knob in rest}
    # The law of total variance: within the values of the hub, and between them.
    variance = variances.mean(axis=0) + means.var(axis=0)
    mean = means.mean(axis=0)
    return Moments(least.min(axis=0), most.max(axis=0), mean, variance, {**given, hub: means})


def effects(found: Moments) -> Mapping[int, Column]:
    """Return the share of each cost's variance that each knob explains."""
    import numpy as np

    between = {knob: means.var(axis=0) for knob, means in found.given.items()}
    whole = np.where(found.variance > 0, found.variance, np.inf)
    return {knob: of / whole for knob, of in between.items()}

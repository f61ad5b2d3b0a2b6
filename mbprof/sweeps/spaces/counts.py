"""How many configurations of a space cost how much: exact where the costs of groups add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mbprof.language.record import NamedTuple
from mbprof.sweeps.axes import Column
from mbprof.sweeps.spaces.parts import ROWS, Group, Held, Parts, TooMuch

PAIRS = 1 << 22
"""So many sums of two groups are listed."""
MOST = 1 << 25
"""So many amounts are told apart."""
WORK = 1 << 32
"""So many additions are made for the sums of two groups."""
WINDOW = 1 << 20
"""So many places are counted at once."""
HALF = 2**54
"""So many configurations has a tally at most; the products of two are summed exactly."""


class Tally(NamedTuple):
    """Different amounts of one cost, from small to large, and how many configurations have each."""

    amounts: Column
    times: Column

    @property
    def total(self) -> int:
        """How many configurations there are."""
        return int(self.times.sum())


def tally(amounts: Column, times: Column) -> Tally:
    """Return amounts without repetition.

    >>> import numpy as np
    >>> tally(np.array([5, 3, 5]), np.array([1, 1, 2]))
    Tally(amounts=array([3, 5]), times=array([1, 3]))
    """
    import numpy as np

    order = np.argsort(amounts, kind="stable")
    ordered = amounts[order]
    first = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    return Tally(ordered[first], np.add.reduceat(times[order], first))


def added(one: Tally, other: Tally) -> Tally | None:
    """Return the amounts of two groups whose costs add; None where there are too many."""
    import numpy as np

    if one.total * other.total >= HALF:
        return None
    if len(one.amounts) * len(other.amounts) <= PAIRS:
        amounts = (one.amounts[:, None] + other.amounts[None]).ravel()
        return tally(amounts, np.multiply.outer(one.times, other.times).ravel())
    # Where many sums are equal, they are counted at their places between the least and the largest.
    few, many = sorted((one, other), key=lambda own: len(own.amounts))
    low = int(few.amounts[0]) + int(many.amounts[0])
    steps = np.gcd(*(np.gcd.reduce(np.diff(own.amounts)) for own in (few, many)))
    places = int((few.amounts[-1] + many.amounts[-1] - low) // steps) + 1
    if places > MOST or places * len(few.amounts) > WORK:
        return None
    found = [*zip(*_placed(few, many, steps, places), strict=True)]
    times = np.concatenate(found.pop())
    kept = np.concatenate(found.pop()).astype(np.int64)
    kept *= steps
    kept += low
    return Tally(kept, times)


def _placed(few: Tally, many: Tally, step: int, places: int) -> Iterator[tuple[Column, Column]]:
    """Yield the places of sums that there are, and how often each is there, window by window."""
    import numpy as np

    start = ((few.amounts - few.amounts[0]) // step).tolist()
    last, counts = start[-1], few.times.tolist()
    for begin in range(0, places, WINDOW):
        here = np.zeros(min(WINDOW, places - begin), np.int64)
        ends = np.array([begin - last, begin + len(here)]) * step + many.amounts[0]
        own = slice(*np.searchsorted(many.amounts, ends))
        near = np.zeros(last + len(here), np.int64)
        near[(many.amounts[own] - ends[0]) // step] = many.times[own]
        for first, number in zip(start, counts, strict=True):
            here += near[last - first : last - first + len(here)] * number
        kept = np.flatnonzero(here)
        yield (begin + kept).astype(np.int32), here[kept]


def product_sum(left: Column, right: Column) -> int:
    """Return the sum of the products of counts, exact below 2^110.

    The last 64 bits come from whole numbers that wrap around, those before from doubles.

    >>> import numpy as np
    >>> product_sum(np.array([3**38, 1]), np.array([3**22, 7])) - 3**60
    7
    """
    import numpy as np

    low = int((left.astype(np.uint64) * right.astype(np.uint64)).sum(dtype=np.uint64))
    about = int((left.astype(np.float64) * right.astype(np.float64)).sum())
    return low + round((about - low) / 2**64) * 2**64


class Amounts(NamedTuple):
    """One cost of a whole space, as the sums of two tallies, the shorter one first."""

    one: Tally
    other: Tally

    @property
    def total(self) -> int:
        return self.one.total * self.other.total

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the largest amount."""
        low, high = (int(self.one.amounts[n]) + int(self.other.amounts[n]) for n in (0, -1))
        return low, high

    def within(self, most: int) -> int:
        """Return how many configurations cost at most so much."""
        import numpy as np

        places = np.searchsorted(self.other.amounts, most - self.one.amounts, side="right")
        upto = np.zeros(len(self.other.times) + 1, np.int64)
        np.cumsum(self.other.times, out=upto[1:])
        return product_sum(self.one.times, upto[places])

    def quantile(self, share: float) -> int:
        """Return the least amount that at least a share of the configurations stay within."""
        low, high = self.ends
        wanted = share * self.total
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.within(middle) >= wanted else (middle + 1, high)
        return low


def amounts(parts: Parts, cost: int) -> Amounts | None:
    """Return how many configurations have which amount of a cost, None where that is too much."""
    import numpy as np

    parts.work = 0
    try:
        found = _of_groups(parts, _only(parts.whole(), cost), {})
    except TooMuch:
        return None
    if found is None:
        return None
    nothing = Tally(np.zeros(1, np.int64), np.ones(1, np.int64))
    return Amounts(*sorted([nothing, *found][-2:], key=lambda own: len(own.amounts)))


def _only(groups: Iterable[Group], cost: int) -> list[Group]:
    return [Group(group.knobs, (group.terms[cost],)) for group in groups]


def _of_groups(
    parts: Parts, groups: Iterable[Group], held: Held, most: int = 2
) -> list[Tally] | None:
    """Return the tallies of groups, added to one or to two that stand for as many of them."""
    totals: list[Tally | None] = [None] * most
    owns = [_of_group(parts, group, held) for group in groups]
    for own in sorted(filter(None, owns), key=lambda own: len(own.amounts)):
        number = min(range(most), key=lambda n: so_far.total if (so_far := totals[n]) else 0)
        before = totals[number]
        both = own if before is None else added(before, own)
        if both is None:
            return None
        totals[number] = both
    return None if None in owns else [total for total in totals if total is not None]


def _of_group(parts: Parts, group: Group, held: Held) -> Tally | None:
    import numpy as np

    if parts.size(group) <= ROWS:
        costs = parts.enumerated(group, held)[1][:, 0]
        return tally(costs, np.ones(len(costs), np.int64))
    hub = parts.hub(group)
    tallies: list[Tally] = []
    for value in range(parts.choices.sizes[hub]):
        now = {**held, hub: value}
        rest = parts.groups(group.terms, [knob for knob in group.knobs if knob != hub], now)
        found = _of_groups(parts, rest, now, 1)
        if found is None or sum(len(own.amounts) for own in tallies) > MOST:
            return None
        tallies += found
    return tally(*(np.concatenate(column) for column in zip(*tallies, strict=True)))


def distinct(parts: Parts) -> int | None:
    """Return how many configurations there are, those once of which every part costs the same.

    None where a group is too large to be enumerated.
    """
    import numpy as np

    parts.work, total = 0, 1
    try:
        for group in parts.whole():
            if parts.size(group) > ROWS:
                return None
            terms = dict.fromkeys(product for of in group.terms for product, _ in of)
            alone = Group(group.knobs, tuple(((product, 1),) for product in terms))
            if terms:
                total *= len(np.unique(parts.enumerated(alone, {})[1], axis=0))
    except TooMuch:
        return None
    return total

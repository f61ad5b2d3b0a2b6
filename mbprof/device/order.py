"""The execution order with the lowest peak: exact, or the best of some time with its bound."""

from __future__ import annotations

import time
from collections.abc import Iterator
from heapq import heappop, heappush, nsmallest

from mbprof.device.plan import Plan
from mbprof.language.record import NamedTuple

SECONDS = 5.0
"""How long the search goes on, unless it is told otherwise."""
_BEAM = 8
"""How many partial orders are kept where there is no time for all."""


class Best(NamedTuple):
    """An order of the steps, its peak, and a bound that no order's peak is below."""

    order: tuple[int, ...]
    peak: int
    bound: int

    @property
    def exact(self) -> bool:
        """Whether it is known that no order has a lower peak."""
        return self.peak == self.bound


def best_order(plan: Plan, seconds: float = SECONDS) -> Best:
    """Return the order of the steps whose peak is lowest; the default one where it is as good.

    A step that all others have to come before or behind cuts the plan into parts, each ordered by
    itself. A part that is outweighed by another one however that is ordered stays as it is.
    Source: oxmlsys/tflite-tools `tflite_model.py`, for the search over live sets.
    """
    default, end = plan.live(), time.monotonic() + seconds
    floor = max(_least(plan), default=0)
    orders = {part.start: list(part) for part in segments(plan)}
    parts = [(max(default[start : start + len(own)]), start) for start, own in orders.items()]
    for peak, start in sorted(parts, reverse=True):
        if peak > floor:
            search = _Search(plan, orders[start], floor)
            found, bound = search.exactly(end)
            found = found or search.roughly()
            if search.peak(found) < peak:
                orders[start] = found
            floor = max(floor, bound)
    order = tuple(number for start in sorted(orders) for number in orders[start])
    return Best(order, plan.peak(order), floor)


def segments(plan: Plan) -> Iterator[range]:
    """Yield the parts of the default order that every order executes one after the other.

    A part ends with a step that all earlier ones lead to and all later ones depend on.
    """
    before = [0] * len(plan.steps)
    for number, needs in enumerate(_needs(plan)):
        for other in needs:
            before[number] |= before[other] | 1 << other
    behind = -1  # what every later step depends on
    cuts = []
    for number in range(len(plan.steps) - 1, -1, -1):
        if before[number] == (1 << number) - 1 and behind >> number & 1:
            cuts.append(number)
        behind &= before[number] | -1 << number
    start = 0
    for cut in reversed(cuts):
        yield range(start, cut + 1)
        start = cut + 1
    if start < len(plan.steps):
        yield range(start, len(plan.steps))


def _needs(plan: Plan) -> Iterator[set[int]]:
    """Yield the steps whose buffers each step takes."""
    made = {buffer: number for number, step in enumerate(plan.steps) for buffer in step.gives}
    for step in plan.steps:
        yield {made[buffer] for buffer in step.takes if buffer in made}


def _least(plan: Plan) -> Iterator[int]:
    """Yield what each step holds at least: what it takes and gives, less what it may write over."""
    for step in plan.steps:
        held = sum(plan.buffers[b].size for b in {*step.takes, *step.gives})
        saved = [over.saved for over in step.over if over.buffer not in plan.ends]
        yield held - (sum(saved) if step.all_over else max(saved, default=0))


class _State(NamedTuple):
    """Some executed steps, as bits: the peak so far, how many are left, the bytes that are live."""

    peak: int
    left: int
    done: int
    live: int


class _Search:
    """The orders of a part of a plan, all else being executed before or behind it."""

    def __init__(self, plan: Plan, part: list[int], floor: int) -> None:
        self.plan, self.part, self.floor = plan, part, floor
        first, last = part[0], part[-1]
        needs = list(_needs(plan))
        self.needs = [sum(1 << (n - first) for n in needs[own] if n >= first) for own in part]
        self.takers: dict[int, int] = {}
        kept = {b for step in plan.steps[last + 1 :] for b in step.takes} | {*plan.ends}
        for bit, own in enumerate(part):
            for buffer in plan.steps[own].takes:
                self.takers[buffer] = self.takers.get(buffer, 0) | 1 << bit
        self.kept = kept
        made = {*plan.starts}.union(*(step.gives for step in plan.steps[:first]))
        here = {b for b in made if b in kept or b in self.takers}
        if first == 0:
            here |= {*plan.starts}
        self.start = _State(floor, len(part), 0, sum(plan.buffers[b].size for b in here))

    def size(self, buffer: int) -> int:
        return self.plan.buffers[buffer].size

    def ready(self, done: int) -> Iterator[int]:
        for bit, needs in enumerate(self.needs):
            if not done >> bit & 1 and needs & done == needs:
                yield bit

    def after(self, state: _State, bit: int) -> tuple[int, _State]:
        """Return what a step holds, and the state behind it."""
        step, done = self.plan.steps[self.part[bit]], state.done | 1 << bit
        ends = {b for b in step.takes if b not in self.kept and not self.takers[b] & ~done}
        saved = [over.saved for over in step.over if over.buffer in ends]
        given = sum(map(self.size, step.gives))
        held = state.live + given - (sum(saved) if step.all_over else max(saved, default=0))
        unused = (b for b in step.gives if b not in self.kept and b not in self.takers)
        live = state.live + given - sum(map(self.size, ends)) - sum(map(self.size, unused))
        if not state.done and self.part[0] == 0:
            idle = (b for b in self.plan.starts if b not in self.kept and b not in self.takers)
            live -= sum(map(self.size, idle))
        return held, _State(max(state.peak, held), state.left - 1, done, live)

    def exactly(self, end: float) -> tuple[list[int] | None, int]:
        """Return the best order, None where the time ends first, and a bound of all peaks.

        Sets of executed steps are visited from the lowest peak up, each once. A step that leaves
        no more bytes live than there were, and does not raise the peak, is executed at once: put
        before others it only lowers what they hold.
        """
        heap = [self.start]
        path: dict[int, tuple[int, int]] = {}
        peaks, visited = {0: self.floor}, 0
        while heap:
            state = heappop(heap)
            visited += 1
            if not state.left:
                return self.traced(path, state.done), state.peak
            if visited % 256 == 0 and time.monotonic() > end:
                return None, state.peak
            if state.peak > peaks[state.done]:
                continue
            for bit in self.choices(state):
                _, following = self.after(state, bit)
                if following.peak < peaks.get(following.done, following.peak + 1):
                    peaks[following.done] = following.peak
                    path[following.done] = state.done, bit
                    heappush(heap, following)
        raise AssertionError(self.part)  # a plan is a graph without circles

    def choices(self, state: _State) -> Iterator[int]:
        """Yield the steps to try next: one that costs nothing alone, or else all that can be."""
        ready = list(self.ready(state.done))
        for bit in ready:
            held, following = self.after(state, bit)
            if held <= state.peak and following.live <= state.live:
                yield bit
                return
        yield from ready

    def traced(self, path: dict[int, tuple[int, int]], done: int) -> list[int]:
        """Return the steps that led to a set of executed ones."""
        order: list[int] = []
        while done:
            done, bit = path[done]
            order.append(self.part[bit])
        return order[::-1]

    def roughly(self) -> list[int]:
        """Return a good order: of the partial ones of each length the best few are kept."""
        beam: dict[int, tuple[_State, list[int]]] = {0: (self.start, [])}
        for _ in self.part:
            longer: dict[int, tuple[_State, list[int]]] = {}
            for state, order in beam.values():
                for bit in self.choices(state):
                    _, following = self.after(state, bit)
                    known = longer.get(following.done)
                    if known is None or following.peak < known[0].peak:
                        longer[following.done] = following, [*order, self.part[bit]]
            best = nsmallest(_BEAM, longer.values(), key=lambda pair: (pair[0].peak, pair[0].live))
            beam = {state.done: (state, order) for state, order in best}
        ((_, order),) = nsmallest(1, beam.values(), key=lambda pair: pair[0].peak)
        return order

    def peak(self, order: list[int]) -> int:
        """Return the peak of an order of the part."""
        state, bits = self.start._replace(peak=0), {own: bit for bit, own in enumerate(self.part)}
        for own in order:
            _, state = self.after(state, bits[own])
        return state.peak

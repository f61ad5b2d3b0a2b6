"""Sets of whole numbers from 1 on: as progressions, as multiples of a number, and in words."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

from mbprof.language.record import NamedTuple

LONGEST_PERIOD = 4096
MOST_EXCEPTIONS = 8
"""Numbers that are left out of multiples; with more of them the set has another form."""
_NAMED = 3
"""So many parts of a set are written out in words."""


class Progression(NamedTuple):
    """The numbers from the first to the last, in steps."""

    first: int
    last: int
    step: int

    def __str__(self) -> str:
        first, last, step = self
        if first == last:
            return str(first)
        return f"{first} to {last}" + (f" in steps of {step}" if step > 1 else "")


class Multiples(NamedTuple):
    """All m·k + r that are at least a number, apart from some exceptions."""

    multiple_of: int
    offset: int
    min: int
    exceptions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Numbers:
    """A set of numbers from 1 to ``top``: those of which ``flags`` is true, which begins at 1.

    >>> found = Numbers.of([n for n in range(1, 501) if n % 32 == 0], 500)
    >>> str(found), found.multiples
    ('multiples of 32, at least 32', Multiples(multiple_of=32, offset=0, min=32, exceptions=()))
    >>> str(Numbers.of([5, *range(7, 501)], 500)), str(Numbers.of([224], 500))
    ('at least 5, but not 6', '224')
    """

    flags: bytes
    """A byte for each number."""

    @classmethod
    def of(cls, values: Sequence[int], top: int) -> Numbers:
        """Return the set of some numbers."""
        flags = bytearray(top)
        for value in values:
            flags[value - 1] = 1
        return cls(bytes(flags))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 0 < number <= self.top and bool(self.flags[number - 1])

    def __and__(self, other: Numbers) -> Numbers:
        return Numbers(bytes(map(operator.and_, self.flags, other.flags)))

    def __bool__(self) -> bool:
        return any(self.flags)

    @property
    def top(self) -> int:
        """The largest number that is asked about."""
        return len(self.flags)

    @cached_property
    def values(self) -> list[int]:
        """The numbers, in order."""
        return list(compress(range(1, self.top + 1), self.flags))

    @cached_property
    def tail(self) -> tuple[int, int]:
        """The least period that the set has at its end, and the number from which it has it.

        It holds from the middle on at the latest. A period of 0 says that there is none.
        """
        half = self.top // 2
        ending = self.flags[max(half - 1, 0) :]  # There it has to hold; to look there is quick.
        for period in range(1, min(LONGEST_PERIOD, half) + 1):
            if ending[:-period] == ending[period:]:
                start = half - 1
                while start and self.flags[start - 1] == self.flags[start - 1 + period]:
                    start -= 1
                return period, start + 1
        return 0, self.top + 1

    @cached_property
    def progressions(self) -> tuple[Progression, ...]:
        """The fewest progressions that are easy to find: those of the tail, and what is left."""
        period, start = self.tail
        held = set(self.values)
        found = []
        for first in range(start, min(start + period, self.top + 1)):
            if first in held:
                last = first + (self.top - first) // period * period
                while first - period in held:
                    first -= period
                found.append(Progression(first, last, period))
                held.difference_update(range(first, last + 1, period))
        return tuple(sorted([*found, *_greedy(sorted(held))]))

    @cached_property
    def multiples(self) -> Multiples | None:
        """The set as multiples of a number, plus an offset, if it is of that form."""
        period, start = self.tail
        if not self or not any(number >= start for number in self.values[-1:]):
            return None
        least, offset = self.values[0], self.values[-1] % period
        if any(number % period != offset for number in self.values):
            return None
        every = range(least, self.top + 1, period)
        if len(every) - len(self.values) > MOST_EXCEPTIONS:
            return None
        missing = tuple(number for number in every if number not in self)
        return Multiples(period, offset, least, missing)

    def near(self, number: int) -> list[int]:
        """Return the nearest number below and the nearest above."""
        below = max((value for value in self.values if value < number), default=None)
        above = min((value for value in self.values if value > number), default=None)
        return [value for value in (below, above) if value is not None]

    def nearest(self, number: int) -> int:
        """Return the nearest number, that above of two; there has to be one."""
        return min(self.values, key=lambda value: (abs(value - number), -value))

    def __str__(self) -> str:
        return _words(self)


def _greedy(values: Sequence[int]) -> Iterator[Progression]:
    """Yield numbers as runs of equal steps; two are a run only where they are neighbours."""
    at = 0
    while at < len(values):
        step = values[at + 1] - values[at] if at + 1 < len(values) else 1
        end = at
        while end + 1 < len(values) and values[end + 1] - values[end] == step:
            end += 1
        if step > 1 and end - at < 2:
            step, end = 1, at
        yield Progression(values[at], values[end], step)
        at = end + 1


def _words(numbers: Numbers) -> str:
    """Say what the numbers are: the few at the beginning, then what goes on to the end."""
    if not numbers:
        return "none"
    if (form := numbers.multiples) is not None:
        said = _least(_multiples(form.multiple_of, [form.offset]), form.min)
        left_out = ", ".join(map(str, form.exceptions))
        return said + (f", but not {left_out}" if left_out else "")
    period, start = numbers.tail
    ending = [number for number in numbers.values if number >= start] if period else []
    if not ending:
        return _joined([str(part) for part in numbers.progressions])
    residues = sorted({number % period for number in ending})
    # What is of the same form below the start belongs to it.
    fits = set(residues)
    while start > 1 and ((start - 1) % period in fits) == (start - 1 in numbers):
        start -= 1
    first = next(number for number in numbers.values if number >= start)
    before = [str(part) for part in _greedy([n for n in numbers.values if n < start])]
    return _joined([*before, _least(_multiples(period, residues), first)])


def _joined(parts: Sequence[str]) -> str:
    if len(parts) > _NAMED + 1:
        parts = [*parts[:_NAMED], f"{len(parts) - _NAMED} more ranges"]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def _least(what: str, least: int) -> str:
    if not what:
        return f"at least {least}" if least > 1 else "any"
    return f"{what}, at least {least}"


def _multiples(period: int, residues: Sequence[int]) -> str:
    """Say which numbers leave some rests; nothing if all do."""
    if len(residues) == period:
        return ""
    runs = _runs(period, residues)
    if len(residues) == period - 1 > 1:
        (other,) = set(range(period)) - set(residues)
        return f"all but {_run(period, *_runs(period, [other])[0])}"
    if len(runs) > _NAMED:
        return f"{len(residues)} of every {period} numbers"
    return " or ".join(_run(period, *run) for run in runs)


def _runs(period: int, residues: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs of neighbouring rests, that around 0 first; it may begin below 0."""
    runs: list[tuple[int, int]] = []
    for rest in residues:
        if runs and rest == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], rest
        else:
            runs.append((rest, rest))
    if len(runs) > 1 and runs[0][0] == 0 and runs[-1][1] == period - 1:
        runs[0] = runs.pop()[0] - period, runs[0][1]
    return [(-1, -1)] if period > 2 and runs == [(period - 1, period - 1)] else runs


def _run(period: int, low: int, high: int) -> str:
    of = f"multiples of {period}"
    if low == high:
        return f"{of} {'plus' if low > 0 else 'less'} {abs(low)}" if low else of
    if low == 0 or high == 0:
        return f"{of} and {f'up to {high} more' if high else f'up to {-low} less'}"
    if low > 0:
        return f"{of} plus {low} to {high}"
    return f"{of}, from {-low} less to {high} more"

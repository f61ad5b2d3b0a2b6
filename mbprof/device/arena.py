"""Where buffers lie in one arena: the greedy planner of TensorFlow Lite Micro."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from mbprof.device.plan import Span

ALIGNMENT = 16


def offsets(buffers: Sequence[Span], alignment: int = ALIGNMENT) -> list[int]:
    """Return the offset of every buffer.

    Sizes are rounded up to the alignment; buffers are placed from the largest to the smallest, of
    equal ones the last first, each in the first gap between those that live at the same time.
    Source: tensorflow/tflite-micro `tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc`.

    >>> offsets([Span(100, 0, 1), Span(50, 2, 3), Span(20, 1, 2)], 1)
    [0, 0, 100]
    """
    sizes = [aligned(buffer.size, alignment) for buffer in buffers]
    numbers = range(len(buffers))
    offsets = [0] * len(buffers)
    alive: dict[int, list[int]] = defaultdict(list)
    begun: dict[int, list[int]] = defaultdict(list)
    for number in sorted(numbers, key=lambda n: (-sizes[n], -n)):
        own, place = buffers[number], 0
        later = (begun[step] for step in range(own.first + 1, own.last + 1))
        beside = chain(alive[own.first], *later)
        for other in sorted(beside, key=lambda n: offsets[n]):
            if offsets[other] - place >= sizes[number]:
                break
            place = max(place, offsets[other] + sizes[other])
        offsets[number] = place
        begun[own.first].append(number)
        for step in range(own.first, own.last + 1):
            alive[step].append(number)
    return offsets


def arena(buffers: Sequence[Span], alignment: int = ALIGNMENT) -> int:
    """Return the bytes of the arena that the greedy planner needs, its head.

    >>> arena([Span(10, 0, 1), Span(20, 1, 2), Span(30, 2, 3), Span(40, 3, 4), Span(50, 0, 1)], 1)
    90
    """
    places = offsets(buffers, alignment)
    ends = (place + aligned(b.size, alignment) for place, b in zip(places, buffers, strict=True))
    return max(ends, default=0)


def aligned(size: int, alignment: int = ALIGNMENT) -> int:
    """Return a size rounded up to a multiple of the alignment."""
    return -(-size // alignment) * alignment

"""One order of steps for several that leave some of them out."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def interleaved(first: list[T], second: list[T]) -> list[T] | None:
    """Return an order that holds both; None if there is none.

    >>> interleaved(["a", "c"], ["a", "b", "c"]), interleaved(["a", "b"], ["b", "a"])
    (['a', 'b', 'c'], None)
    """
    in_first, in_second, order, place = set(first), set(second), [], 0
    for key in second:
        if key not in in_first:
            order.append(key)
            continue
        while place < len(first) and first[place] != key:
            if first[place] in in_second:
                return None
            order.append(first[place])
            place += 1
        if place == len(first):
            return None
        order.append(key)
        place += 1
    return [*order, *first[place:]]

"""Pareto fronts: the rows of a table that no other row beats, in any number of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_BLOCK = 64
_BLOCKS = 1024
"""So many blocks are compared at once."""


def unbeaten(columns: Sequence[Any]) -> Any:
    """Return which rows no other row beats, where less is better; rows that are equal stay.

    A row beats another if it is nowhere more and somewhere less. In O(n log^(d-1) n) for n rows of
    d columns.

    >>> import numpy as np
    >>> unbeaten([np.array([1, 2, 2, 3]), np.array([5, 5, 4, 4]), np.array([0, 0, 0, 0])]).tolist()
    [True, False, True, False]
    """
    import numpy as np

    if len(columns) > 2:
        columns = [np.unique(column, return_inverse=True)[1].ravel() for column in columns]
    order = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    distinct = [column[first] for column in ordered]
    alone = _below_all_before(distinct[1]) if len(columns) == 2 else _survivors(np.stack(distinct))
    kept = np.empty(len(order), dtype=bool)
    kept[order] = alone[np.cumsum(first) - 1]
    return kept


def _below_all_before(column: Any) -> Any:
    import numpy as np

    kept = np.ones(len(column), dtype=bool)
    kept[1:] = column[1:] < np.minimum.accumulate(column)[:-1]
    return kept


def _survivors(table: Any) -> Any:
    """Return which rows of a table of ranks, distinct and in order, no row before them beats.

    Rows are compared in blocks, then with those of the block beside, of two blocks, of four.
    """
    import numpy as np

    kept = ~_beaten_nearby(table[1:])
    for level in range(_BLOCK.bit_length() - 1, table.shape[1].bit_length()):
        rows = np.flatnonzero(kept)
        kept[rows] = ~_beaten(table[1:, rows], rows >> (level + 1), rows >> level & 1 == 0)
    return kept


def _beaten_nearby(table: Any) -> Any:
    """Return which rows one before them in the same block beats, each compared with each."""
    import numpy as np

    count = table.shape[1]
    blocks = -(-count // _BLOCK)
    padded = np.full((len(table), blocks, _BLOCK), table.max() + 1)
    padded.reshape(len(table), -1)[:, :count] = table
    before = np.triu(np.ones((_BLOCK, _BLOCK), dtype=bool), 1)
    beaten = []
    for start in range(0, blocks, _BLOCKS):
        part = padded[:, start : start + _BLOCKS]
        no_more = np.logical_and.reduce([c[:, :, None] <= c[:, None, :] for c in part])
        beaten.append((no_more & before).any(axis=1).ravel())
    return np.concatenate(beaten)[:count]


def _beaten(table: Any, group: Any, before: Any) -> Any:
    """Return which rows that are not ``before`` have one before, of their group, nowhere more."""
    import numpy as np

    width = int(table.max(initial=0)) + 2
    order = np.argsort((group * width + table[0]) * 2 + ~before)
    group, before, rest = group[order], before[order], table[1:, order]
    if len(rest) == 1:
        # What is not before is no minimum, and every group lies below those in front of it.
        floor = (group[-1:] - group) * width
        least = np.minimum.accumulate(np.where(before, rest[0], width - 1) + floor)
        hit = ~before & (least <= rest[0] + floor)
    else:
        hit = np.zeros(len(order), dtype=bool)
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        sizes = np.diff(starts, append=len(group))
        place = np.arange(len(group)) - np.repeat(starts, sizes)
        most = int(sizes.max(initial=1))
        for level in range((most - 1).bit_length()):
            behind = place >> level & 1 == 1
            rows = np.flatnonzero(np.where(behind, ~before & ~hit, before))
            halves = (most >> (level + 1)) + 1
            part = group[rows] * halves + (place[rows] >> (level + 1))
            hit[rows] = _beaten(rest[:, rows], part, before[rows])
    beaten = np.empty(len(order), dtype=bool)
    beaten[order] = hit
    return beaten

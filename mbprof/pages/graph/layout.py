"""Where the boxes of a graph stand: in layers from top to bottom, with edges between them.

A box stands below all that lead to it. What passes a layer has a place of its own there, one for
all that takes the same output, so that no edge runs through a box. Boxes of a layer stand in the
order of their neighbours' means, which crosses few edges, and as near to their neighbours as they
can. Source: K. Sugiyama, S. Tagawa, M. Toda, IEEE Trans. SMC 11(2), 1981.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from mbprof.language.record import NamedTuple

ACROSS, DOWN, PASSING = 24.0, 26.0, 14.0
"""How far boxes stand apart, and how wide what passes a layer is."""
_ROUNDS = 8
_STIFF = 1e4
"""What is firm keeps to its place so much more than what only passes."""


class Place(NamedTuple):
    """A box: its left edge, its upper edge, and its size."""

    x: float
    y: float
    width: float
    height: float


class Hop(NamedTuple):
    """A part of an edge, from a point down to another one; behind it is a box if it ``arrives``."""

    source: int
    start: tuple[float, float]
    end: tuple[float, float]
    arrives: bool


class Layout(NamedTuple):
    """Where all boxes stand, the parts of all edges, and the size of the whole."""

    places: tuple[Place, ...]
    hops: tuple[Hop, ...]
    width: float
    height: float


class _Vertex(NamedTuple):
    """A box, or what passes a layer on its way from a box.

    A box that takes from others is ``firm``: others give way, such as stored values beside it.
    """

    rank: int
    width: float
    source: int
    box: bool
    firm: bool


def laid_out(sizes: Sequence[tuple[float, float]], sources: Sequence[Sequence[int]]) -> Layout:
    """Lay out boxes of given sizes; each takes from some that stand before it in the list.

    >>> found = laid_out([(80, 20), (80, 20), (80, 20)], [(), (0,), (0, 1)])
    >>> [(round(place.x), place.y) for place in found.places]
    [(0, 0.0), (0, 46.0), (0, 92.0)]
    """
    vertices, above = _proper([width for width, _ in sizes], sources, _ranks(sources))
    below: list[list[int]] = [[] for _ in vertices]
    for number, taken in enumerate(above):
        for source in taken:
            below[source].append(number)
    rows: list[list[int]] = [[] for _ in range(max((v.rank for v in vertices), default=-1) + 1)]
    for number, vertex in enumerate(vertices):
        rows[vertex.rank].append(number)
    _order(rows, above, below)
    middles = _across(rows, vertices, above, below)
    heights = [max((sizes[n][1] for n in row if vertices[n].box), default=0.0) for row in rows]
    above_them = accumulate(heights, initial=0.0)
    tops = [top + DOWN * rank for rank, top in zip(range(len(rows)), above_them, strict=False)]
    left = min((middles[n] - v.width / 2 for n, v in enumerate(vertices)), default=0.0)
    right = max((middles[n] + v.width / 2 for n, v in enumerate(vertices)), default=0.0)
    places = tuple(
        Place(middles[n] - width / 2 - left, float(tops[vertices[n].rank]), width, height)
        for n, (width, height) in enumerate(sizes)
    )
    hops = []
    for number, taken in enumerate(above):
        vertex, x = vertices[number], middles[number] - left
        top = tops[vertex.rank]
        for source in taken:
            own, start = vertices[source], middles[source] - left
            end = tops[own.rank] + (sizes[source][1] if own.box else heights[own.rank])
            hops.append(Hop(own.source, (start, end), (x, top), vertex.box))
        if not vertex.box:
            hops.append(Hop(vertex.source, (x, top), (x, top + heights[vertex.rank]), False))
    bottom = tops[-1] + heights[-1] if rows else 0.0
    return Layout(places, tuple(hops), right - left, bottom)


def _ranks(sources: Sequence[Sequence[int]]) -> list[int]:
    """Return the layer of each box: below all its sources; without any, above its first taker."""
    ranks: list[int] = []
    for taken in sources:
        ranks.append(max((ranks[source] + 1 for source in taken), default=0))
    first: dict[int, int] = {}
    for number, taken in enumerate(sources):
        for source in taken:
            first[source] = min(ranks[number], first.get(source, ranks[number]))
    return [
        rank if taken else max(0, first.get(number, 1) - 1)
        for number, (rank, taken) in enumerate(zip(ranks, sources, strict=True))
    ]


def _proper(
    widths: Sequence[float], sources: Sequence[Sequence[int]], ranks: Sequence[int]
) -> tuple[list[_Vertex], list[list[int]]]:
    """Return boxes and what passes layers, with what is directly above each of them."""
    vertices = [
        _Vertex(ranks[n], width, n, True, bool(sources[n]) or ranks[n] == 0)
        for n, width in enumerate(widths)
    ]
    above: list[list[int]] = [[] for _ in widths]
    passing: dict[tuple[int, int], int] = {}
    for number, taken in enumerate(sources):
        for source in taken:
            at = source
            for rank in range(ranks[source] + 1, ranks[number]):
                if (source, rank) not in passing:
                    passing[source, rank] = len(vertices)
                    vertices.append(_Vertex(rank, PASSING, source, False, False))
                    above.append([at])
                at = passing[source, rank]
            above[number].append(at)
    return vertices, above


def _order(
    rows: list[list[int]], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]
) -> None:
    """Order each layer by the means of its neighbours' places, down and up in turn."""
    at = {number: float(place) for row in rows for place, number in enumerate(row)}
    for turn in range(2 * _ROUNDS):
        beside = below if turn % 2 else above
        for row in reversed(rows) if turn % 2 else rows:
            row.sort(key=lambda n: _mean([at[other] for other in beside[n]], at[n]))
            # Places of layers are compared as parts of their layers.
            at.update((number, (place + 0.5) / len(row)) for place, number in enumerate(row))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _across(
    rows: Sequence[Sequence[int]],
    vertices: Sequence[_Vertex],
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
) -> Mapping[int, float]:
    """Return the middle of each vertex: near those beside it, in the order of its layer."""
    middles: dict[int, float] = {}
    for row in rows:
        middles.update(_apart(row, vertices, [0.0] * len(row)))
    for turn in range(2 * _ROUNDS + 1):
        beside, other = (below, above) if turn % 2 else (above, below)
        for row in reversed(rows) if turn % 2 else rows:
            wanted = []
            for number in row:
                # What is firm follows what is firm, so that a line of boxes is straight.
                near = beside[number] or other[number]
                near = [n for n in near if vertices[n].firm == vertices[number].firm] or near
                wanted.append(_mean([middles[n] for n in near], middles[number]))
            middles.update(_apart(row, vertices, wanted))
    return middles


def _apart(
    row: Sequence[int], vertices: Sequence[_Vertex], wanted: Sequence[float]
) -> dict[int, float]:
    """Return the middles nearest to those wanted, in squares, at which nothing overlaps.

    Pooled adjacent violators: neighbours that come too close move as one.
    """
    offset, offsets = 0.0, []
    for place, number in enumerate(row):
        if place:
            offset += (vertices[row[place - 1]].width + vertices[number].width) / 2 + ACROSS
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []
    for number, want, offset in zip(row, wanted, offsets, strict=True):
        pool = (want - offset, _STIFF if vertices[number].firm else 1.0, 1)
        while pools and pools[-1][0] >= pool[0]:
            (mean, weight, count), (other, more, size) = pools.pop(), pool
            whole = weight + more
            pool = ((mean * weight + other * more) / whole, whole, count + size)
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return {n: mean + off for n, mean, off in zip(row, means, offsets, strict=True)}

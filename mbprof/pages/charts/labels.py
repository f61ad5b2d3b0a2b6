"""Where names stand beside points: apart, each nearest to its own point or led to it by a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from mbprof.language.record import NamedTuple

Pair: TypeAlias = tuple[float, float]

NEAR = 5
"""A name within so many points of its own needs no line."""
_DOT = 5.0
"""Half the side of what a point takes up, in pixels."""
_CLEAR = 0.8
"""A name without a line is nearer to its own point than this part of the way to any other."""
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_BETWEEN = ((1, 0.5), (-1, 0.5), (1, -0.5), (-1, -0.5), (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1))
_AROUND = [
    *((dx * reach, dy * reach) for reach in (NEAR, 9, 14) for dx, dy in _SIDES),
    *(
        (round(dx * reach), round(dy * reach))
        for reach in (20, 27, 35, 45, 60, 80, 100)
        for dx, dy in (*_SIDES, *_BETWEEN)
    ),
]


class Box(NamedTuple):
    """A rectangle, in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: Box) -> bool:
        """Whether two rectangles overlap."""
        return (
            self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1
        )

    def far(self, point: Pair) -> float:
        """Return how far a point is from it."""
        x, y = point
        across, along = max(self.x0 - x, 0, x - self.x1), max(self.y0 - y, 0, y - self.y1)
        return float((across**2 + along**2) ** 0.5)

    def crossed(self, start: Pair, end: Pair) -> bool:
        """Whether a line between two points goes through it."""
        low, high = 0.0, 1.0
        for at, to, least, most in (
            (start[0], end[0], self.x0, self.x1), (start[1], end[1], self.y0, self.y1)
        ):  # fmt: skip
            if at == to:
                if not least < at < most:
                    return False
                continue
            first, last = sorted(((least - at) / (to - at), (most - at) / (to - at)))
            low, high = max(low, first), min(high, last)
        return low < high


class Spot(NamedTuple):
    """Where a name can stand: how far from its point, what it takes up, and whether a line leads.

    The offset is in points, as matplotlib's.
    """

    dx: int
    dy: int
    box: Box

    @property
    def led(self) -> bool:
        """Whether a line leads to it."""
        return max(abs(self.dx), abs(self.dy)) > NEAR

    @property
    def middle(self) -> Pair:
        """The middle of the name."""
        return (self.box.x0 + self.box.x1) / 2, (self.box.y0 + self.box.y1) / 2


def _spots(point: Pair, size: Pair, scale: float) -> Iterator[Spot]:
    """Yield where a name of a size can stand, near ones first."""
    (x, y), (width, height) = point, size
    for dx, dy in _AROUND:
        left = x + dx * scale - width * (0.5 if dx == 0 else dx < 0)
        low = y + dy * scale - height * (0.5 if dy == 0 else dy < 0)
        yield Spot(dx, dy, Box(left - 1, low - 1, left + width + 1, low + height + 1))


def _crossing(a: Pair, b: Pair, c: Pair, d: Pair) -> bool:
    """Whether the lines from a to b and from c to d cross."""

    def side(p: Pair, q: Pair, r: Pair) -> bool:
        return (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0])

    return side(a, c, d) != side(b, c, d) and side(a, b, c) != side(a, b, d)


def arranged(
    points: Sequence[Pair], sizes: Sequence[Pair], inside: Box, scale: float
) -> list[Spot]:
    """Return a spot for the name of each point; the one with fewest spots left chooses first.

    A name for which none is left stands beside its point, whatever it overlaps. ``scale`` are the
    pixels of a point of an offset.

    >>> found = arranged([(50, 50), (70, 50)], [(30, 8), (30, 8)], Box(0, 0, 200, 100), 1.4)
    >>> [(spot.dx, spot.dy) for spot in found]
    [(-5, 0), (5, 0)]
    """
    dots = [Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in points]

    def empty(box: Box) -> bool:
        across, along = inside.x0 <= box.x0 < box.x1 <= inside.x1, inside.y0 <= box.y0
        return across and along and box.y1 <= inside.y1 and not any(map(box.meets, dots))

    def fits(i: int, spot: Spot, crowded: bool = False) -> bool:
        box, others = spot.box, [n for n in range(len(points)) if n != i]
        if not empty(box):
            return False
        if spot.led:
            # Out of a crowd a line passes those that are in it.
            passed = [n for n in others if not (crowded and dots[n].meets(dots[i]))]
            return not any(dots[n].crossed(points[i], spot.middle) for n in passed)
        nearest = min((box.far(points[n]) for n in others), default=float("inf"))
        return box.far(points[i]) < _CLEAR * nearest

    def beside(i: int, spot: Spot, j: int, chosen: Spot) -> bool:
        """Whether a spot of one point is free of the chosen one of another."""
        if spot.box.meets(chosen.box):
            return False
        if spot.led and chosen.box.crossed(points[i], spot.middle):
            return False
        if not chosen.led:
            return True
        line = points[j], chosen.middle
        return not spot.box.crossed(*line) and not (
            spot.led and _crossing(points[i], spot.middle, *line)
        )

    every = [list(_spots(*both, scale)) for both in zip(points, sizes, strict=True)]
    free = {
        i: [spot for spot in spots if fits(i, spot)]
        or [spot for spot in spots if fits(i, spot, crowded=True)]
        for i, spots in enumerate(every)
    }
    chosen: dict[int, Spot] = {}
    while free:
        i = min(free, key=lambda i: len(free[i]))
        # Where lines cannot help crossing, names at least do not overlap.
        taken = [spot.box for spot in chosen.values()]
        rest = (
            spot
            for spot in every[i]
            if spot.led and empty(spot.box) and not any(map(spot.box.meets, taken))
        )
        spots = free.pop(i)
        chosen[i] = spots[0] if spots else next(rest, every[i][0])
        for j in free:
            free[j] = [spot for spot in free[j] if beside(j, spot, i, chosen[i])]
    return [chosen[i] for i in range(len(points))]

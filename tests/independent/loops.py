"""Products counted by running them: an oracle that shares no formula with mbprof.

The loops visit every output position and every tap of every filter, count one multiply-accumulate
for each, and remember which weights they have touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Counted:
    """What the loops have seen."""

    shape: tuple[int, int, int]
    weights: int
    macs: int


def starts_symmetric(n: int, k: int, s: int, d: int, p: int) -> list[int]:
    """First taps of all windows that lie inside p zeros, the line and p zeros (PyTorch)."""
    found, start = [], -p
    while start + (k - 1) * d <= n - 1 + p:
        found.append(start)
        start += s
    return found


def starts_same(n: int, s: int) -> list[int]:
    """One window for every s-th element of the line (TensorFlow's SAME)."""
    return [0] * len(range(0, n, s))


def convolve(
    image: tuple[int, int, int],
    filters: int,
    kernel: tuple[int, int],
    rows: list[int],
    columns: list[int],
    groups: int,
) -> Counted:
    """Run a grouped convolution over windows that start at the given rows and columns."""
    channels = image[0]
    touched, macs = set(), 0
    for out in range(filters):
        group = out * groups // filters
        inputs = [c for c in range(channels) if c * groups // channels == group]
        for _ in rows:
            for _ in columns:
                for c in inputs:
                    for i in range(kernel[0]):
                        for j in range(kernel[1]):
                            touched.add((out, c, i, j))
                            macs += 1
    return Counted((filters, len(rows), len(columns)), len(touched), macs)


def pool(n: int, k: int, s: int, p: int, ceil: bool) -> int:
    """Count the windows of a pooling by sliding one along a line.

    A partial window at the end counts if the window before it left something uncovered, and if
    it starts inside the line or its leading padding (torch.nn.MaxPool2d, ceil_mode).
    """
    count, start = 0, -p
    while start + k <= n + p:
        count += 1
        start += s
    uncovered = start - s + k < n + p
    return count + 1 if ceil and uncovered and start < n else count


def spread(
    image: tuple[int, int, int],
    filters: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Counted:
    """Run a transposed convolution: every pixel adds every tap of its group to a canvas."""
    channels, height, width = image
    touched, painted, macs = set(), set(), 0
    for c in range(channels):
        group = c * groups // channels
        outputs = [o for o in range(filters) if o * groups // filters == group]
        for y in range(height):
            for x in range(width):
                for o in outputs:
                    for i in range(kernel[0]):
                        for j in range(kernel[1]):
                            touched.add((c, o, i, j))
                            row, column = y * stride[0] + i * dilation[0], x * stride[1]
                            painted.add((row, column + j * dilation[1]))
                            macs += 1
    rows, columns = (max(place[axis] for place in painted) + 1 for axis in (0, 1))
    return Counted((filters, rows, columns), len(touched), macs)


@dataclass(frozen=True)
class Attended:
    """What the loops of an attention have seen."""

    macs: int
    scores: int
    comparisons: int
    additions: int


def attend(windows: list[tuple[range, range]], heads: int, d: int, d_v: int) -> Attended:
    """Run an attention: queries and keys of each window, head by head."""
    macs = scores = comparisons = additions = 0
    for queries, keys in windows:
        for _ in range(heads):
            for _ in queries:
                row = 0
                for _ in keys:
                    macs += len(range(d))
                    row += 1
                scores += row
                comparisons += len(range(1, row))  # the largest score
                additions += len(range(row))  # less the largest
                additions += len(range(1, row))  # the sum of the exponentials
                for _ in range(d_v):
                    for _ in keys:
                        macs += 1
    return Attended(macs, scores, comparisons, additions)


def vectors(shape: tuple[int, ...], axes: set[int]) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """Group the places of a tensor by what is left of them without some axes."""
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for place in product(*map(range, shape)):
        left = tuple(at for axis, at in enumerate(place) if axis not in axes)
        found.setdefault(left, []).append(place)
    return found

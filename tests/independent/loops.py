"""Convolution counted by running it: an oracle that shares no formula with mbprof.

The loops visit every output position and every tap of every filter, count one multiply-accumulate
for each, and remember which weights they have touched.
"""

from __future__ import annotations

from dataclasses import dataclass


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

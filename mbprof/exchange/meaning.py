"""What an op computes where its cost leaves that open, said once for all formats.

Costs do not depend on the constants of a norm, on which side of an odd padding is larger, or on
which positions a lookup has. A network that runs needs them; where PyTorch has the op, they are
PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.ops.padding import PADDING_RULES, Axis, Pair

if TYPE_CHECKING:
    import numpy as np

EPSILON = 1e-5
"""What bn, ln, gn and rms add to a variance, and a convolution with gains to that of its weights.

Weights W of an output map become gain · (W - mean) / √(n·(variance + ε)), n of them.
Source: torch.nn.BatchNorm2d; arXiv:2102.06171, equation 2.
"""
SLOPE = 0.01
"""Of a leaky_relu."""
LRN = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
"""The constants of an lrn: x / (k + alpha/n · Σ x²)^beta. Source: torch.nn.LocalResponseNorm."""
ROPE_BASE = 10000.0
"""Pair i of C/2 is turned by position · base^(-2·i/C). Source: arXiv:2104.09864, section 3.2.2."""


class Pool(NamedTuple):
    """The padding of a pooling on one axis: what is averaged, and what is left out.

    ``zeros`` are averaged. ``beyond`` is left out: a rule's padding, and what a last window that
    rounding up lets in holds beyond the end. It suffices for as many stops as the op has.
    """

    zeros: Pair
    beyond: Pair


def pooled(axis: Axis, stops: int) -> Pool:
    """Return the padding of a pooling that stops so often.

    >>> pooled(Axis("height", 112, 3, 2, 1, (0, 0)), 56)
    Pool(zeros=(0, 0), beyond=(0, 1))
    """
    before, after = axis.padded
    reach = (stops - 1) * axis.s + axis.extent - axis.n - before
    if isinstance(axis.padding, str):
        return Pool((0, 0), (before, max(reach, 0)))
    return Pool((before, max(min(after, reach), 0)), (0, max(reach - after, 0)))


class Spread(NamedTuple):
    """What a transposed convolution cuts off before and after, and adds behind.

    Below 0 before, so much is added there.
    """

    before: int
    after: int
    added: int


def spread(axis: Axis, extra: int | None, size: int) -> Spread:
    """Return what a transposed convolution to ``size`` cuts off and adds.

    A rule cuts off before what its convolution of that size pads there, so that one is the
    other's transpose.
    Source: tensorflow/python/ops/nn_ops.py, conv2d_transpose; keras/src/backend/common/
    backend_utils.py, with an output padding.

    >>> spread(Axis("height", 5, 3, 2, 1, "tf-same"), None, 10)
    Spread(before=0, after=1, added=0)
    """
    rule = PADDING_RULES[axis.padding] if isinstance(axis.padding, str) else None
    if rule is None or rule.spread is None:
        before, after = axis.padded
        return _spread(before, after - (extra or 0))
    if extra is not None:
        side = 0 if axis.padding == "valid" else axis.extent // 2
        return _spread(side, side - extra)
    before, _ = rule.amounts(size, axis.k, axis.s, axis.d)
    return _spread(before, (axis.n - 1) * axis.s + axis.extent - size - before)


def _spread(before: int, after: int) -> Spread:
    return Spread(before, max(after, 0), max(-after, 0))


def factor(n: int, m: int, by: float | None, nearest: bool) -> float:
    """Return the factor by which a resize from n to m counts positions.

    That is ``by``, even where m is not n · by; but PyTorch leaves an axis alone that stays as large
    as it is, and doubles one for ``nearest``.
    Source: aten/src/ATen/native/UpSample.h, nearest_idx and compute_source_index_and_lambda.

    >>> factor(3, 4, 1.5, True), factor(3, 6, 2.1, True), factor(3, 5, None, True)
    (1.5, 2.0, 1.6666666666666667)
    """
    exact = by is None or m in (n, n * by) or (nearest and m == 2 * n)
    return m / n if exact or by is None else by


def neighbours(n: int, m: int, by: float) -> list[int]:
    """Return what a resize by ``nearest`` takes from n for each of m: ⌊i/by⌋, of m/n exactly.

    >>> neighbours(14, 16, 16 / 14)[8]
    7
    """
    exact = by == m / n
    return [min(i * n // m if exact else int(i / by), n - 1) for i in range(m)]


def middle(size: int, kept: int) -> int:
    """Return where the part that a crop keeps begins: ⌊(size - kept)/2⌋."""
    return (size - kept) // 2


def grid(n: int, m: int) -> list[Pair]:
    """Return where the m windows of an adaptive pooling of n elements begin and end.

    >>> grid(7, 3)
    [(0, 3), (2, 5), (4, 7)]
    """
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def even(windows: Sequence[Pair]) -> Pair | None:
    """Return size and stride of windows that are alike, None if they are not, or do not move.

    >>> even(grid(7, 3)), even(grid(8, 3)), even(grid(1, 2))
    ((3, 2), None, None)
    """
    begin, end = windows[0]
    stride = windows[1][0] - begin if len(windows) > 1 else end - begin
    alike = [(begin + i * stride, end + i * stride) for i in range(len(windows))]
    return (end - begin, stride) if stride and alike == list(windows) else None


def positions(to: Shape, size: int) -> np.ndarray[Any, Any]:
    """Return the positions that a lookup has: 0, 1, 2, ... and again from 0 behind the last.

    >>> positions((2, 3), 4).tolist()
    [[0, 1, 2], [3, 0, 1]]
    """
    import numpy as np

    return (np.arange(int(np.prod(to)), dtype=np.int64) % size).reshape(to)


class Bias(NamedTuple):
    """How the bias of an attention is read.

    ``heads`` is the axis that heads have of their own, None if there is none; the elements besides
    stand in ``rows`` rows. ``to`` is what they are looked up for, see `positions`; the scores
    themselves where each has one. ``windows`` says that each window has its own behind the heads.
    """

    heads: int | None
    rows: int
    to: Shape
    windows: bool = False


def biased(shape: Shape, heads: int, windows: int, queries: int, keys: int) -> Bias:
    """Return how a bias of some shape is added to the scores of h heads, of each window.

    A score of a query and a key adds value (query · keys + key) of its head's, modulo their number;
    where no axis has the size of the heads, and the values are not one for each score, all heads
    and scores are counted on.

    >>> biased((12, 27, 27), 12, 1, 196, 196)
    Bias(heads=0, rows=729, to=(196, 196), windows=False)
    """
    size = 1
    for n in shape:
        size *= n
    if size == heads * windows * queries * keys and windows > 1:
        return Bias(0, windows * queries * keys, (windows, queries, keys), True)
    if size == heads * queries * keys or shape[0] == heads:
        return Bias(0, size // heads, (queries, keys))
    if shape[-1] == heads:
        return Bias(len(shape) - 1, size // heads, (queries, keys))
    return Bias(None, size, (heads, queries, keys))


def frequencies(channels: int) -> np.ndarray[Any, Any]:
    """Return the C/2 angles by which rope turns the pairs of a token more than of the one before.

    Channels 2·i and 2·i + 1 are pair i: (a, b) becomes (a·cos - b·sin, b·cos + a·sin).

    >>> frequencies(4).tolist()
    [1.0, 0.01]
    """
    import numpy as np

    return np.float64(ROPE_BASE) ** (-np.arange(0, channels, 2) / channels)

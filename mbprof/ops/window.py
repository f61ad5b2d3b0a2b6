"""Where a sliding window stops: the arithmetic shared by convolution and pooling."""

from __future__ import annotations

from typing import TypeAlias

from mbprof.errors import ShapeError
from mbprof.ops.padding import RULES, effective
from mbprof.symbolic.arithmetic import ceil_div, maximum

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = str | tuple[int, int, int, int]


def slide(
    word: str,
    size: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    ceil: bool = False,
) -> Pair:
    """Return (H_out, W_out) of a window that slides over (H, W).

    ⌊(n + before + after - ((k - 1)·d + 1)) / s⌋ + 1 for each axis; with ``ceil`` rounded up, but a
    window starts inside the image or its leading padding.
    Raises: ShapeError: the window is larger than the padded input.
    Source: torch.nn.Conv2d and torch.nn.MaxPool2d, "Shape".

    >>> slide("conv", (224, 224), (3, 3), (2, 2), "tf-same")
    (112, 112)
    >>> slide("maxpool", (112, 112), (3, 3), (2, 2), "valid", ceil=True)
    (56, 56)
    """
    high = _axis(word, "height", size, kernel, stride, padding, dilation, ceil, 0)
    return high, _axis(word, "width", size, kernel, stride, padding, dilation, ceil, 1)


def covered(n: int, out: int, kernel: int, stride: int, before: int) -> int:
    """Return how many elements of an axis of n its windows hold together, without the padding.

    out·k, less what the first windows hold of the padding before, less what the last windows
    reach beyond the end. Windows that overhang are as many as strides fit into the overhang.

    >>> covered(7, 7, 3, 1, 1)
    19
    """
    reach = maximum((out - 1) * stride - before + kernel - n, 0)
    return out * kernel - _overhang(before, stride) - _overhang(reach, stride)


def _overhang(reach: int, stride: int) -> int:
    """Return reach + (reach - stride) + (reach - 2·stride) + ..., as long as it is positive."""
    count = ceil_div(reach, stride)
    return count * reach - stride * count * (count - 1) // 2


def dilated(kernel: Pair, dilation: Pair, rate: int) -> Pair:
    """Return the dilation of a window that is spread further; a size of 1 has no taps to spread.

    >>> dilated((3, 1), (1, 1), 2)
    (2, 1)
    """
    high, wide = (d * rate if k > 1 else d for k, d in zip(kernel, dilation, strict=True))
    return high, wide


def _axis(
    word: str,
    axis: str,
    size: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    ceil: bool,
    i: int,
) -> int:
    n, k, s, d = size[i], kernel[i], stride[i], dilation[i]
    if isinstance(padding, str):
        if (size_of := RULES[padding].size) is not None and not ceil:
            return size_of(n, s)
        before, after = RULES[padding].amounts(n, k, s, d)
    else:
        before, after = padding[2 * i], padding[2 * i + 1]
    room = n + before + after - effective(k, d)
    if room < 0:
        extent = f"{effective(k, d)}" + (f" (kernel {k}, dilation {d})" if d > 1 else "")
        padded = f", padded to {n + before + after}" if before + after else ""
        raise ShapeError(
            f"{word}: a window of {extent} is larger than the input's {axis} of {n}{padded}",
            letter="k",
            hint="use a larger resolution, a smaller kernel or p: same",
        )
    if not ceil:
        return room // s + 1
    count = ceil_div(room, s) + 1
    return count - 1 if (count - 1) * s >= n + before else count

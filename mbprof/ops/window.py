"""Where a sliding window stops: the arithmetic shared by convolution and pooling."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from mbprof.errors import ShapeError
from mbprof.ops.padding import PADDING_RULES, effective
from mbprof.symbolic.arithmetic import ceil_div, maximum

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = str | tuple[int, int, int, int]


class Axis(NamedTuple):
    """An axis under a window: its size n, kernel k, stride s and dilation d, and the padding.

    The padding is a rule's name, or the amounts before and after.
    """

    name: str
    n: int
    k: int
    s: int
    d: int
    padding: str | Pair

    @property
    def extent(self) -> int:
        """The elements from the window's first tap to its last, (k - 1)·d + 1."""
        return effective(self.k, self.d)

    @property
    def padded(self) -> Pair:
        """The padding before and after."""
        if isinstance(self.padding, str):
            return PADDING_RULES[self.padding].amounts(self.n, self.k, self.s, self.d)
        return self.padding

    def stops(self, word: str, ceil: bool = False) -> int:
        """Return how often the window stops; ``word`` is the op's, for the error.

        ⌊(n + before + after - ((k - 1)·d + 1)) / s⌋ + 1; with ``ceil`` rounded up, but a window
        starts inside the image or its leading padding.
        Raises: ShapeError: the window is larger than the padded input.
        Source: torch.nn.Conv2d and torch.nn.MaxPool2d, "Shape".

        >>> Axis("height", 224, 3, 2, 1, "tf-same").stops("conv")
        112
        >>> Axis("height", 112, 3, 2, 1, "valid").stops("maxpool", ceil=True)
        56
        """
        rule = PADDING_RULES[self.padding] if isinstance(self.padding, str) else None
        if rule is not None and rule.size is not None and not ceil:
            return rule.size(self.n, self.s)
        before, after = self.padded
        room = self.n + before + after - self.extent
        if room < 0:
            extent = f"{self.extent}"
            extent += f" (kernel {self.k}, dilation {self.d})" if self.d > 1 else ""
            padded = f", padded to {self.n + before + after}" if before + after else ""
            raise ShapeError(
                f"{word}: a window of {extent} is larger than the input's {self.name} of "
                f"{self.n}{padded}",
                letter="k",
                hint="use a larger resolution, a smaller kernel or p: same",
            )
        if not ceil:
            return room // self.s + 1
        count = ceil_div(room, self.s) + 1
        return count - 1 if (count - 1) * self.s >= self.n + before else count


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

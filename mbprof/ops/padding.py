"""Padding and the windows that slide over it: the arithmetic that convolution and pooling share.

A rule of padding takes the size n, kernel k, stride s and dilation d of one axis and returns the
padding before and after. The frameworks agree at even sizes and differ at odd ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mbprof.errors import ShapeError
from mbprof.language.record import NamedTuple
from mbprof.symbolic.arithmetic import ceil_div, maximum

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = str | tuple[int, int, int, int]


class PaddingRule(NamedTuple):
    """A padding rule: the amounts before and after, what it does, and whose code does it."""

    amounts: Callable[[int, int, int, int], Pair]
    doc: str
    source: str
    size: Callable[[int, int], int] | None = None
    """The output size from n and s, where it does not depend on the kernel."""
    spread: Callable[[int, int, int, int | None], int] | None = None
    """The output size of a transposed convolution from n, extent, s and output padding."""


def effective(k: int, d: int) -> int:
    """Return the extent of a dilated kernel, (k - 1)·d + 1.

    >>> effective(3, 2)
    5
    """
    return (k - 1) * d + 1


def _tf_same(n: int, k: int, s: int, d: int) -> Pair:
    total = maximum((ceil_div(n, s) - 1) * s + effective(k, d) - n, 0)
    return total // 2, total - total // 2


def _torch(n: int, k: int, s: int, d: int) -> Pair:
    side = (k - 1) * d // 2
    return side, side


def _fixed(n: int, k: int, s: int, d: int) -> Pair:
    total = effective(k, d) - 1
    return total // 2, total - total // 2


def _keras(n: int, k: int, s: int, d: int) -> Pair:
    return _tf_same(n, k, s, d) if s == 1 else (k // 2 - (1 - n % 2), k // 2)


def _spread_same(n: int, extent: int, s: int, extra: int | None) -> int:
    return n * s if extra is None else (n - 1) * s + extent % 2 + extra


def _spread_valid(n: int, extent: int, s: int, extra: int | None) -> int:
    return (n - 1) * s + (maximum(extent, s) if extra is None else extent + extra)


PADDING_RULES: dict[str, PaddingRule] = {
    "tf-same": PaddingRule(
        _tf_same,
        "output ⌈n/s⌉; an odd amount of padding goes one more after than before",
        "tensorflow/python/ops/nn_ops.py, padding SAME",
        size=ceil_div,
        spread=_spread_same,
    ),
    "valid": PaddingRule(
        lambda n, k, s, d: (0, 0),
        "no padding",
        "tensorflow/python/ops/nn_ops.py, padding VALID",
        spread=_spread_valid,
    ),
    "torch": PaddingRule(
        _torch, "⌊d·(k - 1)/2⌋ on both sides", "torchvision/ops/misc.py, Conv2dNormActivation"
    ),
    "fixed": PaddingRule(
        _fixed,
        "d·(k - 1) in total, whatever the size and the stride",
        "TF-slim research/slim/nets/resnet_utils.py, conv2d_same",
        spread=_spread_same,
    ),
    "keras-v1": PaddingRule(
        lambda n, k, s, d: _tf_same(n, k, s, d) if s == 1 else (0, 1),
        "as tf-same at stride 1, else nothing before and 1 after",
        "keras/src/applications/mobilenet.py, ZeroPadding2D(((0, 1), (0, 1)))",
        spread=_spread_same,
    ),
    "keras": PaddingRule(
        _keras,
        "as tf-same at stride 1, else ⌊k/2⌋ after and one less before at even sizes",
        "keras/src/applications/imagenet_utils.py, correct_pad",
        spread=_spread_same,
    ),
}

FAMILIES = tuple(name for name in PADDING_RULES if name != "valid")
"""The rules that can stand behind ``same``, that is the values of a spec's ``padding:``."""


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

    @property
    def slides(self) -> int:
        """How often a window of the kernel's extent stops on the padded input, rounded down."""
        return (self.n + sum(self.padded) - self.extent) // self.s + 1

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
            return self.slides
        count = ceil_div(room, self.s) + 1
        return count - 1 if (count - 1) * self.s >= self.n + before else count

    def spreads(self, word: str, extra: int | None = None) -> int:
        """Return the output size of a transposed convolution; ``extra`` is its output padding.

        (n - 1)·s - before - after + ((k - 1)·d + 1) + extra. Without ``extra`` a ``same`` of
        TensorFlow and Keras gives n·s, and ``valid`` at least the stride in place of the extent.
        Raises: ShapeError: nothing is left; ``extra`` is as large as stride and dilation.
        Source: torch.nn.ConvTranspose2d, "Shape"; keras/src/backend/common/backend_utils.py,
        _get_output_shape_given_tf_padding.

        >>> Axis("height", 5, 3, 2, 1, "torch").spreads("tconv")
        9
        >>> Axis("height", 5, 3, 2, 1, "tf-same").spreads("tconv")
        10
        """
        if extra is not None and extra >= self.s and extra >= self.d:
            raise ShapeError(
                f"{word}: an output padding of {extra} is not below the stride of {self.s} or "
                f"the dilation of {self.d}",
                letter="p_out",
            )
        rule = PADDING_RULES[self.padding] if isinstance(self.padding, str) else None
        if rule is not None and rule.spread is not None:
            return rule.spread(self.n, self.extent, self.s, extra)
        made = (self.n - 1) * self.s - sum(self.padded) + self.extent + (extra or 0)
        if made < 1:
            raise ShapeError(
                f"{word}: padding of {sum(self.padded)} leaves nothing of the {self.name} of "
                f"{made + sum(self.padded)}",
                letter="p",
            )
        return made


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

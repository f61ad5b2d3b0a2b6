"""Pooling, over windows and over whole maps."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mbprof.errors import ShapeError
from mbprof.language.values import Shapes
from mbprof.ops.base import Geometry, Op, Windowed, letter, maps, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import FLAG, PADDING, PAIR
from mbprof.ops.window import Padding, Pair, covered
from mbprof.symbolic.arithmetic import gcd, product


@op("maxpool", "nn.MaxPool2d", keeps_sign=True)
class MaxPool(Windowed):
    """Take the largest value of each window.

    Shape: (C, H, W) -> (C, H_out, W_out), see `slide`; the stride is the kernel size unless given.
    Params: none.
    Cost: k_h·k_w - 1 comparisons for each output.
    Raises: ShapeError: the kernel is larger than its input.
    Source: torch.nn.MaxPool2d.

    >>> MaxPool(kernel=(3, 3), stride=(2, 2), ceil=True).shapes(((64, 112, 112),))
    ((64, 56, 56),)
    """

    kernel: Pair = letter("k", PAIR, "window size")
    stride: Pair | None = letter("s", PAIR, "stride; the window size unless given", None)
    padding: Padding = letter("p", PADDING, "padding", "valid")
    dilation: Pair = letter("d", PAIR, "dilation", (1, 1))
    ceil: bool = letter("ceil", FLAG, "whether a partial window at the end counts", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Comparisons only."""
        size = product(outputs[0])
        compared = (product(self.kernel) - 1) * size
        return Facts(compare=compared, read=product(inputs[0]), write=size)


@op("avgpool", "nn.AvgPool2d", keeps_sign=True)
class AvgPool(Windowed):
    """Take the mean of each window.

    Shape: (C, H, W) -> (C, H_out, W_out), see `slide`; the stride is the kernel size unless given.
    Params: none.
    Cost: k_h·k_w - 1 additions and one division for each output.
    Raises: ShapeError: the kernel is larger than its input; output_stride asks for dilation.
    Source: torch.nn.AvgPool2d.

    >>> AvgPool(kernel=(7, 7)).shapes(((1024, 7, 7),))
    ((1024, 1, 1),)
    """

    kernel: Pair = letter("k", PAIR, "window size")
    stride: Pair | None = letter("s", PAIR, "stride; the window size unless given", None)
    padding: Padding = letter("p", PADDING, "padding", "valid")
    ceil: bool = letter("ceil", FLAG, "whether a partial window at the end counts", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Additions and divisions."""
        size = product(outputs[0])
        added = (product(self.kernel) - 1) * size
        return Facts(add=added, divide=size, read=product(inputs[0]), write=size)

    def geometry(self, inputs: Shapes) -> Geometry:
        """Return the window."""
        return Geometry(self.kernel, self.stride or self.kernel)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return the elements of all windows together, those of the padding left out."""
        total = inputs[0][0]
        for axis, count in zip(self.axes(inputs), outputs[0][1:], strict=True):
            total *= covered(axis.n, count, axis.k, axis.s, axis.padded[0])
        return total

    def at_rate(self, stride: Pair, rate: int) -> AvgPool:
        """Return the same pooling with another stride.

        Raises: ShapeError: it would have to be dilated, which no framework offers.
        """
        if rate > 1:
            raise ShapeError(
                "avgpool cannot be dilated, which this output_stride asks for",
                hint="stop before it with final_endpoint, or choose a larger output_stride",
            )
        return replace(self, stride=stride)


class WholePool(Op):
    """A pooling of maps of any size: to one value for each map, unless the op says otherwise."""

    sees_whole: ClassVar[bool] = True
    pools_whole: ClassVar[bool] = True
    ends_maps: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (C, 1, 1)."""
        c, _, _ = maps(inputs[0], self.word)
        return ((c, 1, 1),)


@op("adaptiveavgpool", "nn.AdaptiveAvgPool2d")
class AdaptiveAvgPool(WholePool):
    """Take the means of a grid of windows that covers each map, whatever its size.

    Shape: (C, H, W) -> (C, H_out, W_out); window i of an axis runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉.
    Params: none.
    Cost: for each window its elements less one in additions, and one division.
    Source: torch.nn.AdaptiveAvgPool2d.

    >>> AdaptiveAvgPool(size=(7, 7)).facts(((512, 14, 14),), ((512, 7, 7),)).add
    75264
    """

    size: Pair = letter("size", PAIR, "the number of windows of each axis")

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (C, H_out, W_out)."""
        c, _, _ = maps(inputs[0], "adaptiveavgpool")
        return ((c, *self.size),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Additions and divisions."""
        size = product(outputs[0])
        added = self.covered(inputs, outputs) - size
        return Facts(add=added, divide=size, read=product(inputs[0]), write=size)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return the elements of all windows together."""
        c, h, w = inputs[0]
        return c * _covered(h, self.size[0]) * _covered(w, self.size[1])


def _covered(n: int, m: int) -> int:
    """Return how many elements the m windows of an axis of n hold together.

    The rounded-down ends add up to n more than the starts; all ends but gcd(n, m) are rounded up.
    """
    covered: int = n + m - gcd(n, m)
    return covered


@op("gap", "nn.AdaptiveAvgPool2d")
class GlobalAvgPool(WholePool):
    """Take the mean of each map.

    Shape: (C, H, W) -> (C, 1, 1).
    Params: none.
    Cost: C·(H·W - 1) additions and C divisions.
    Source: arXiv:1312.4400, section 3.2.

    >>> GlobalAvgPool().shapes(((1024, 7, 7),))
    ((1024, 1, 1),)
    """

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Additions and divisions."""
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(add=size - c, divide=c, read=size, write=c)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return the elements of the maps."""
        return product(inputs[0])


@op("gmp", "nn.AdaptiveMaxPool2d")
class GlobalMaxPool(WholePool):
    """Take the largest value of each map.

    Shape: (C, H, W) -> (C, 1, 1).
    Params: none.
    Cost: C·(H·W - 1) comparisons.
    Source: torch.nn.AdaptiveMaxPool2d.

    >>> GlobalMaxPool().facts(((2, 3, 3),), ((2, 1, 1),)).compare
    16
    """

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Comparisons only."""
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(compare=size - c, read=size, write=c)

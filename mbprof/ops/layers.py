"""Linear layers, pooling over windows and whole maps, means and maxima over axes."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shapes, show
from mbprof.ops.base import Facts, Geometry, Op, Windowed, axis_of, channels, letter, maps, op
from mbprof.ops.conv import multiplied
from mbprof.ops.fields import AXES, FLAG, PADDING, PAIR, SIZE
from mbprof.ops.padding import Padding, Pair, covered
from mbprof.symbolic.arithmetic import gcd, product


@op(
    "linear",
    "nn.Linear",
    after=("bn", "act"),
    multiplies=True,
    sees_whole=True,
    ends_maps=True,
    aliases=("dense", "fc", "fullyconnected", "innerproduct"),
)
class Linear(Op):
    """Multiply each vector of C_in features by a matrix.

    Shape: (C_in) -> (C_out), and (N, C_in) -> (N, C_out) for N tokens, or stacks of them;
    (C_in, 1, 1) counts as a vector.
    Params: C_in·C_out weights, and C_out biases if ``bias``.
    MACs: N·C_in·C_out.
    Raises: ShapeError: the input is a stack of maps.
    Source: torch.nn.Linear.

    >>> Linear(channels=1000).facts(((1024,),), ((1000,),)).kernels
    1024000
    """

    channels: int = letter("c", SIZE, "output features")
    bias: bool = letter("bias", FLAG, "whether a bias is added", True)

    def shapes(self, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        if len(shape) == 3 and (shape[1] != 1 or shape[2] != 1):
            hint = "put gap, flatten or tokens before it; of each pixel it is {op: conv, k: 1}"
            raise ShapeError(f"linear needs a vector or tokens, got {show(shape)}", hint=hint)
        return ((self.channels,) if len(shape) == 3 else (*shape[:-1], self.channels),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return multiplied(channels(inputs[0]), self.channels, inputs, outputs, self.bias)


@op("maxpool", "nn.MaxPool2d", keeps_sign=True, aliases=("maxpooling",))
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
        size = product(outputs[0])
        compared = (product(self.kernel) - 1) * size
        return Facts(compare=compared, read=product(inputs[0]), write=size)


@op(
    "avgpool",
    "nn.AvgPool2d",
    keeps_sign=True,
    aliases=("averagepooling", "averagepool", "avgpooling"),
)
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
        size = product(outputs[0])
        added = (product(self.kernel) - 1) * size
        return Facts(add=added, divide=size, read=product(inputs[0]), write=size)

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride or self.kernel)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        total = inputs[0][0]
        for axis, count in zip(self.axes(inputs), outputs[0][1:], strict=True):
            before, after = axis.padded
            if isinstance(self.padding, str):
                total *= covered(axis.n, count, axis.k, axis.s, before)
            else:
                total *= covered(before + axis.n + after, count, axis.k, axis.s, 0)
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
        c, _, _ = maps(inputs[0], "adaptiveavgpool")
        return ((c, *self.size),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        added = self.covered(inputs, outputs) - size
        return Facts(add=added, divide=size, read=product(inputs[0]), write=size)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        c, h, w = inputs[0]
        return c * _covered(h, self.size[0]) * _covered(w, self.size[1])


def _covered(n: int, m: int) -> int:
    """Return how many elements the m windows of an axis of n hold together.

    The rounded-down ends add up to n more than the starts; all ends but gcd(n, m) are rounded up.
    """
    covered: int = n + m - gcd(n, m)
    return covered


@op("gap", "nn.AdaptiveAvgPool2d", aliases=("globalavgpool", "globalaveragepooling"))
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
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(add=size - c, divide=c, read=size, write=c)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        return product(inputs[0])


@op("gmp", "nn.AdaptiveMaxPool2d", aliases=("globalmaxpool", "globalmaxpooling"))
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
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(compare=size - c, read=size, write=c)


class Reduced(Op):
    """An op that takes each vector along some axes for one value."""

    keeps_sign: ClassVar[bool] = True
    sees_whole: ClassVar[bool] = True
    along: tuple[int, ...]
    keep: bool

    def shapes(self, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        gone = {axis_of(shape, axis, self.word, "axes") for axis in self.along}
        if not gone:
            raise ShapeError(f"{self.word} needs at least one axis", letter="axes")
        if self.keep:
            return (tuple(1 if axis in gone else n for axis, n in enumerate(shape)),)
        left = tuple(n for axis, n in enumerate(shape) if axis not in gone)
        if not left:
            raise ShapeError(
                f"{self.word} over all axes of {show(shape)} leaves a single number",
                letter="axes",
                hint="keep: true leaves sizes of 1",
            )
        return (left,)


@op("mean", "Tensor.mean", aliases=("reducemean",))
class Mean(Reduced):
    """Take the mean along some axes.

    Shape: (N, C) -> (C) for ``axes: 0``, (1, C) with ``keep``.
    Params: none.
    Cost: for each output the elements that it is made of less one in additions, and one division.
    Raises: ShapeError: there is no such axis, or none is left.
    Source: torch.mean.

    >>> Mean(along=(0,)).facts(((196, 768),), ((768,),)).add
    149760
    """

    along: tuple[int, ...] = letter("axes", AXES, "the axes that vanish")
    keep: bool = letter("keep", FLAG, "whether they stay with a size of 1", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, made = product(inputs[0]), product(outputs[0])
        return Facts(add=size - made, divide=made, read=size, write=made)


@op("sum", "Tensor.sum", aliases=("reducesum",))
class Sum(Reduced):
    """Take the sum along some axes.

    Shape: (N, C) -> (C) for ``axes: 0``, (1, C) with ``keep``.
    Params: none.
    Cost: for each output the elements that it is made of less one in additions.
    Raises: ShapeError: there is no such axis, or none is left.
    Source: torch.sum.

    >>> Sum(along=(-1,), keep=True).facts(((64, 4, 256),), ((64, 4, 1),)).add
    65280
    """

    along: tuple[int, ...] = letter("axes", AXES, "the axes that vanish")
    keep: bool = letter("keep", FLAG, "whether they stay with a size of 1", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, made = product(inputs[0]), product(outputs[0])
        return Facts(add=size - made, read=size, write=made)


@op("max", "torch.amax", aliases=("reducemax", "maximum"))
class Max(Reduced):
    """Take the largest value along some axes.

    Shape: (C, H, W) -> (1, H, W) for ``axes: 0`` with ``keep``.
    Params: none.
    Cost: for each output the elements that it is made of less one in comparisons.
    Raises: ShapeError: there is no such axis, or none is left.
    Source: torch.amax; arXiv:1807.06521, section 3, spatial attention.

    >>> Max(along=(0,), keep=True).facts(((64, 7, 7),), ((1, 7, 7),)).compare
    3087
    """

    along: tuple[int, ...] = letter("axes", AXES, "the axes that vanish")
    keep: bool = letter("keep", FLAG, "whether they stay with a size of 1", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, made = product(inputs[0]), product(outputs[0])
        return Facts(compare=size - made, read=size, write=made)

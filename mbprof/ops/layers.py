"""Layers besides convolutions: linear ones, normalisations, pooling over windows and whole maps."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shape, Shapes, show
from mbprof.ops.base import Facts, Geometry, Op, SameShape, Windowed, letter, maps, op
from mbprof.ops.conv import multiplied
from mbprof.ops.fields import FLAG, PADDING, PAIR, SIZE
from mbprof.ops.padding import Padding, Pair, covered
from mbprof.symbolic.arithmetic import gcd, product


@op("linear", "nn.Linear", after=("bn", "act"), multiplies=True, sees_whole=True, ends_maps=True)
class Linear(Op):
    """Multiply each vector of C_in features by a matrix.

    Shape: (C_in) -> (C_out), and (N, C_in) -> (N, C_out) for N tokens; (C_in, 1, 1) counts as a
    vector.
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
            hint = "put gap (global average pooling) or flatten before it"
            raise ShapeError(f"linear needs a vector or tokens, got {show(shape)}", hint=hint)
        if len(shape) == 2:
            return ((shape[0], self.channels),)
        return ((self.channels,),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        features = product(inputs[0]) if len(inputs[0]) != 2 else inputs[0][1]
        return multiplied(features, self.channels, inputs, outputs, self.bias)


@op("matmul", "@", inputs=(2, 2), sees_whole=True)
class MatMul(Op):
    """Multiply two tensors as stacks of matrices.

    Shape: (..., M, K), (..., K, N) -> (..., M, N); with ``t`` the second is (..., N, K).
    Params: none.
    MACs: M·K·N for each matrix of the stack.
    Raises: ShapeError: the inner sizes or the stacks differ.
    Source: torch.matmul; arXiv:1706.03762, equation 1.

    >>> MatMul().facts(((3, 197, 64), (3, 64, 197)), ((3, 197, 197),)).mac
    7451328
    """

    transposed: bool = letter("t", FLAG, "whether the second input is transposed", False)

    def shapes(self, inputs: Shapes) -> Shapes:
        left, right = inputs
        if len(left) < 2 or len(left) != len(right) or left[:-2] != right[:-2]:
            raise ShapeError(f"matmul: cannot multiply {show(left)} by {show(right)}")
        inner, columns = (right[-1], right[-2]) if self.transposed else (right[-2], right[-1])
        if left[-1] != inner:
            raise ShapeError(
                f"matmul: cannot multiply {show(left)} by {show(right)}; "
                f"{left[-1]} columns meet {inner} rows",
                hint="write t: true to multiply by the transposed matrix",
            )
        return ((*left[:-1], columns),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        read = product(inputs[0]) + product(inputs[1])
        return Facts(mac=size * inputs[0][-1], read=read, write=size)


def _channels(shape: Shape) -> int:
    """Return C of maps (C, H, W) and of vectors and tokens (..., C)."""
    return shape[0] if len(shape) == 3 else shape[-1]


@op("bn", "nn.BatchNorm2d", after=("act",), follower=FLAG, folds=True)
class BatchNorm(SameShape):
    """Scale and shift each channel by its running statistics.

    Shape: unchanged.
    Params: C scales and C shifts, trained; C means and C variances, not trained.
    Cost: one multiplication and one addition for each element, at inference.
    Source: arXiv:1502.03167, algorithm 2.

    >>> BatchNorm(scale=False).facts(((32, 112, 112),), ((32, 112, 112),)).params
    96
    """

    scale: bool = letter("scale", FLAG, "whether a scale (gamma) is trained", True)
    shift: bool = letter("shift", FLAG, "whether a shift (beta) is trained", True)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, c = product(inputs[0]), _channels(inputs[0])
        return Facts(
            norm_scale=c if self.scale else 0,
            norm_shift=c if self.shift else 0,
            norm_mean=c,
            norm_variance=c,
            mul=size,
            add=size,
            read=size + (2 + self.scale + self.shift) * c,
            write=size,
        )


@op("ln", "nn.LayerNorm", after=("act",))
class LayerNorm(SameShape):
    """Normalise the channels of each position, or of each token.

    Shape: unchanged.
    Params: C scales and C shifts, both trained; there are no statistics.
    Cost: for each element 4 additions (two sums, mean and shift) and 3 multiplications (square,
    deviation, scale); for each position two divisions and a square root.
    Source: arXiv:1607.06450, equation 4.

    >>> LayerNorm().facts(((197, 192),), ((197, 192),)).params
    384
    """

    scale: bool = letter("scale", FLAG, "whether a scale (gamma) is trained", True)
    shift: bool = letter("shift", FLAG, "whether a shift (beta) is trained", True)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, c = product(inputs[0]), _channels(inputs[0])
        return Facts(
            norm_scale=c if self.scale else 0,
            norm_shift=c if self.shift else 0,
            add=(3 + self.shift) * size,
            mul=(2 + self.scale) * size,
            divide=3 * (size // c),
            read=size + (self.scale + self.shift) * c,
            write=size,
        )


@op("normalize", "Normalization")
class Normalize(SameShape):
    """Shift and scale each channel of the input by constants of the data set.

    Shape: unchanged.
    Params: C means, C variances and the number of images that they come from, never trained.
    Cost: one addition and one division for each element.
    Source: keras.layers.Normalization.

    >>> Normalize().facts(((3, 224, 224),), ((3, 224, 224),)).constants
    7
    """

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, constants = product(inputs[0]), 2 * _channels(inputs[0]) + 1
        return Facts(constants=constants, add=size, divide=size, read=size + constants, write=size)


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
        size = product(outputs[0])
        added = (product(self.kernel) - 1) * size
        return Facts(add=added, divide=size, read=product(inputs[0]), write=size)

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride or self.kernel)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
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
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(add=size - c, divide=c, read=size, write=c)

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
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
        size, c = product(inputs[0]), inputs[0][0]
        return Facts(compare=size - c, read=size, write=c)

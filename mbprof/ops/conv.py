"""Convolution and depthwise convolution."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.values import Shapes
from mbprof.ops.base import Geometry, Windowed, letter, maps, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import FLAG, PADDING, PAIR, SIZE
from mbprof.ops.window import Padding, Pair
from mbprof.symbolic.arithmetic import product


@op("conv", "nn.Conv2d", after=("bn", "act"), multiplies=True)
class Conv(Windowed):
    """Convolve C_in maps into C_out maps, in g groups.

    Shape: (C_in, H, W) -> (C_out, H_out, W_out), see `slide`.
    Params: k_h·k_w·(C_in/g)·C_out weights, and C_out biases if ``bias``.
    MACs: k_h·k_w·(C_in/g)·C_out·H_out·W_out; padding taps count, the bias is an addition.
    Raises: ShapeError: C_in or C_out is no multiple of g; the kernel is larger than its input.
    Source: arXiv:1704.04861, section 3.1.

    >>> conv = Conv(channels=64, kernel=(3, 3), padding="tf-same")
    >>> conv.facts(((32, 56, 56),), conv.shapes(((32, 56, 56),))).mac
    57802752
    """

    channels: int = letter("c", SIZE, "output channels")
    kernel: Pair = letter("k", PAIR, "kernel size")
    stride: Pair = letter("s", PAIR, "stride", (1, 1))
    padding: Padding = letter("p", PADDING, "padding", "same")
    dilation: Pair = letter("d", PAIR, "dilation", (1, 1))
    groups: int = letter("g", SIZE, "groups", 1)
    bias: bool = letter("bias", FLAG, "whether a bias is added", False)

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C_in, H, W) -> (C_out, H_out, W_out)."""
        c, _, _ = maps(inputs[0], "conv")
        for channels, which in ((c, "input"), (self.channels, "output")):
            if channels % self.groups:
                raise ShapeError(
                    f"conv: {channels} {which} channels do not divide into {self.groups} groups",
                    letter="g",
                    hint=_divisors(c, self.channels),
                )
        return ((self.channels, *self.slide(inputs)),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Weights, biases and their multiply-accumulates."""
        per_output = product(self.kernel) * (inputs[0][0] // self.groups)
        return _facts(per_output, inputs, outputs, self.bias)

    def geometry(self, inputs: Shapes) -> Geometry:
        """Return the window and the groups."""
        return Geometry(self.kernel, self.stride, self.dilation, self.groups)


@op("dwconv", "nn.Conv2d", family="conv", after=("bn", "act"), multiplies=True, depthwise=True)
class DepthwiseConv(Windowed):
    """Convolve each map by itself into m maps.

    Shape: (C, H, W) -> (m·C, H_out, W_out), see `slide`.
    Params: k_h·k_w·m·C weights, and m·C biases if ``bias``.
    MACs: k_h·k_w·m·C·H_out·W_out.
    Raises: ShapeError: the kernel is larger than its input.
    Source: arXiv:1704.04861, section 3.1; m is Keras' depth_multiplier.

    >>> conv = DepthwiseConv(kernel=(3, 3), padding="tf-same")
    >>> conv.facts(((32, 112, 112),), conv.shapes(((32, 112, 112),))).mac
    3612672
    """

    kernel: Pair = letter("k", PAIR, "kernel size")
    stride: Pair = letter("s", PAIR, "stride", (1, 1))
    padding: Padding = letter("p", PADDING, "padding", "same")
    dilation: Pair = letter("d", PAIR, "dilation", (1, 1))
    multiplier: int = letter("m", SIZE, "output maps for each input map", 1)
    bias: bool = letter("bias", FLAG, "whether a bias is added", False)

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (m·C, H_out, W_out)."""
        size = self.slide(inputs)
        return ((inputs[0][0] * self.multiplier, *size),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Weights, biases and their multiply-accumulates."""
        return _facts(product(self.kernel), inputs, outputs, self.bias)

    def geometry(self, inputs: Shapes) -> Geometry:
        """Return the window; there are as many groups as input maps."""
        return Geometry(self.kernel, self.stride, self.dilation, inputs[0][0])


def _facts(per_output: int, inputs: Shapes, outputs: Shapes, bias: bool) -> Facts:
    channels, size = outputs[0][0], product(outputs[0])
    kernel = per_output * channels
    return Facts(
        kernels=kernel,
        biases=channels if bias else 0,
        mac=per_output * size,
        add=size if bias else 0,
        read=product(inputs[0]) + kernel + (channels if bias else 0),
        write=size,
    )


def _divisors(c_in: int, c_out: int) -> str:
    both = [g for g in range(1, min(c_in, c_out, 4096) + 1) if c_in % g == 0 and c_out % g == 0]
    shown = ", ".join(str(g) for g in both[:10])
    return f"groups that fit {c_in} -> {c_out}: {shown}" + (", ..." if len(both) > 10 else "")

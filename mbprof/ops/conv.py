"""Convolutions, and the functions of each element that follow them."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shape, Shapes
from mbprof.language.record import NamedTuple
from mbprof.ops.base import (
    Facts,
    Geometry,
    SameShape,
    Windowed,
    axis_of,
    channel_axis,
    letter,
    maps,
    op,
    simplified,
)
from mbprof.ops.fields import AXIS, FLAG, NUMBER, PADDING, PAIR, SIZE, choice
from mbprof.ops.padding import Padding, Pair
from mbprof.symbolic.arithmetic import product


class Function(NamedTuple):
    """Arithmetic of an activation for one element, and trained values of a channel or of all.

    ``non_negative`` says that it gives no negative values, ``saturates`` that it is flat on both
    sides, so that little of a gradient comes back through it.
    """

    call: str
    formula: str
    compare: int = 0
    add: int = 0
    mul: int = 0
    divide: int = 0
    exp: int = 0
    slopes: int = 0
    shared: int = 0
    non_negative: bool = False
    saturates: bool = False
    aliases: tuple[str, ...] = ()


FUNCTIONS: dict[str, Function] = {
    "relu": Function("nn.ReLU", "max(x, 0)", compare=1, non_negative=True),
    "relu6": Function("nn.ReLU6", "min(max(x, 0), 6)", compare=2, non_negative=True),
    "leaky_relu": Function(
        "nn.LeakyReLU", "max(x, 0.01·x)", compare=1, mul=1, aliases=("leaky", "lrelu")
    ),
    "prelu": Function(
        "nn.PReLU", "max(x, 0) + a·min(x, 0), a trained for each channel", 2, 1, 1, slopes=1
    ),
    "elu": Function("nn.ELU", "x if x > 0 else exp(x) - 1", compare=1, add=1, exp=1),
    "sigmoid": Function(
        "nn.Sigmoid", "1 / (1 + exp(-x))", 0, 1, 0, 1, 1, non_negative=True, saturates=True
    ),
    "hsigmoid": Function(
        "nn.Hardsigmoid", "min(max(x + 3, 0), 6) / 6", 2, 1, 1, non_negative=True, saturates=True
    ),
    "silu": Function(
        "nn.SiLU", "x / (1 + exp(-x)), also called swish", 0, 1, 0, 1, 1, aliases=("swish",)
    ),
    "hswish": Function("nn.Hardswish", "x · min(max(x + 3, 0), 6) / 6", compare=2, add=1, mul=2),
    "tanh": Function(
        "nn.Tanh", "1 - 2 / (1 + exp(2·x))", add=2, mul=1, divide=1, exp=1, saturates=True
    ),
    "gelu": Function("nn.GELU", "x/2 · (1 + erf(x / √2))", add=1, mul=3, exp=1),
    "star_relu": Function(
        "StarReLU", "s·max(x, 0)² + b, s and b trained", compare=1, add=1, mul=2, shared=2
    ),
    "gelu_tanh": Function(
        "F.gelu", "x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))", add=4, mul=7, divide=1, exp=1
    ),
    "quick_gelu": Function("QuickGELU", "x / (1 + exp(-1.702·x))", 0, 1, 1, 1, 1),
    "mish": Function("nn.Mish", "x · tanh(log(1 + exp(x)))", 0, add=3, mul=2, divide=1, exp=3),
    "softplus": Function("nn.Softplus", "log(1 + exp(x))", add=1, exp=2, non_negative=True),
    "abs": Function("torch.abs", "|x|", compare=1, non_negative=True),
    "neg": Function("torch.neg", "-x", add=1),
    "round": Function("torch.round", "x as a whole number, or its sign", compare=1),
    "square": Function("torch.square", "x · x", mul=1, non_negative=True),
    "sqrt": Function("torch.sqrt", "√x", divide=1, non_negative=True),
    "reciprocal": Function("torch.reciprocal", "1 / x", divide=1),
    "exp": Function("torch.exp", "exp(x), or another power", exp=1, non_negative=True),
    "log": Function("torch.log", "log(x)", exp=1),
    "erf": Function("torch.erf", "erf(x)", exp=1),
    "sin": Function("torch.sin", "sin(x)", exp=1),
    "cos": Function("torch.cos", "cos(x)", exp=1),
}
RECTIFIERS = {
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "silu", "hswish", "gelu", "gelu_tanh"),
    *("quick_gelu", "star_relu", "mish", "softplus"),
}
"""Those of the ReLU's kind, which give next to nothing on one side and have no end on the other."""


def meant(name: str) -> str | None:
    """Return the activation that goes by a name elsewhere, such as swish, or None.

    >>> meant("Swish"), meant("nn.Hardswish"), meant("conv")
    ('silu', 'hswish', None)
    """
    plain = simplified(name)
    for function, row in FUNCTIONS.items():
        if plain in (simplified(function), simplified(row.call), *row.aliases):
            return function
    return None


ACTIVATION = choice("activation", "an activation", (*FUNCTIONS, "none"), meant)


@op("act", "nn.Identity", follower=ACTIVATION, elementwise=True, aliases=("activation",))
class Activation(SameShape):
    """Apply a function to each element.

    Shape: unchanged.
    Params: none, but C slopes for ``prelu``, and a scale and a shift for ``star_relu``.
    Cost: the operations of the function's formula for each element, see `FUNCTIONS`.
    Source: torch.nn, "Non-linear Activations"; hswish and hsigmoid: arXiv:1905.02244, section 5.2;
    star_relu: arXiv:2210.13452, equation 3.

    >>> Activation("hswish").facts(((16, 112, 112),), ((16, 112, 112),)).mul
    401408
    """

    function: str = letter("f", ACTIVATION, "the function")

    @property
    def saturates(self) -> bool:
        return self.function != "none" and FUNCTIONS[self.function].saturates

    @property
    def called(self) -> str:
        return self.call if self.function == "none" else FUNCTIONS[self.function].call

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        if self.function == "none":
            return Facts()
        size, function = product(inputs[0]), FUNCTIONS[self.function]
        channels = inputs[0][channel_axis(inputs[0])]
        trained = function.slopes * channels + function.shared
        return Facts(
            other=trained,
            compare=function.compare * size,
            add=function.add * size,
            mul=function.mul * size,
            divide=function.divide * size,
            exp=function.exp * size,
            read=size + trained,
            write=size,
        )


@op("times", "*", after=("act",), aliases=("scale", "lambda"))
class Times(SameShape):
    """Multiply each element by a constant.

    Shape: unchanged.
    Params: none, the constant is part of the network's definition.
    Cost: one multiplication for each element.
    Source: arXiv:1602.07261, section 3.3, scaling of the residuals.

    >>> Times(by=0.17).facts(((320, 35, 35),), ((320, 35, 35),)).mul
    392000
    """

    by: float = letter("by", NUMBER, "the constant")

    @property
    def factor(self) -> float:
        return self.by

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(mul=size, read=size, write=size)


@op("softmax", "nn.Softmax", sees_whole=True, ends_scores=True, ranks=True, shares=True)
class Softmax(SameShape):
    """Turn each vector of n scores into n probabilities.

    Shape: unchanged; the vector runs over ``axis``, the channels unless given: of maps the first
    axis, else the last.
    Params: none.
    Cost: for each vector n - 1 comparisons, 2·n - 1 additions, n exponentials and n divisions.
    Raises: ShapeError: there is no such axis.
    Source: torch.nn.Softmax.

    >>> Softmax().facts(((1000,),), ((1000,),)).exp
    1000
    >>> Softmax(axis=-1).facts(((3, 197, 64),), ((3, 197, 64),)).compare
    37233
    """

    axis: int | None = letter(
        "axis", AXIS, "the axis that adds up to 1, the channels' unless given", None
    )

    def shapes(self, inputs: Shapes) -> Shapes:
        self._axis(inputs[0])
        return inputs

    def _axis(self, shape: Shape) -> int:
        if self.axis is None:
            return channel_axis(shape)
        return axis_of(shape, self.axis, "softmax")

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        vectors = size // inputs[0][self._axis(inputs[0])]
        return Facts(
            compare=size - vectors,
            add=2 * size - vectors,
            exp=size,
            divide=size,
            read=size,
            write=size,
        )


GAIN = "whether each output map's weights are standardised, with a trained scale"
TRAINED = "whether training changes the weights"


class Convolution(Windowed):
    """A window of weights: trained ones, fixed ones, or those that a second input brings."""

    bias: bool
    gain: bool
    trained: bool

    def per_output(self, inputs: Shapes) -> int:
        """Return how many products each output is the sum of."""
        return product(self.kernel) * (inputs[0][0] // (self.geometry(inputs).groups or 1))

    def fitting(self, inputs: Shapes, channels: int) -> None:
        """Raise a ShapeError if a second input brings another number of weights than it takes."""
        if len(inputs) > 1 and product(inputs[1]) != self.per_output(inputs) * channels:
            needed = f"{self.word}: its second input brings {product(inputs[1])} weights"
            raise ShapeError(f"{needed}, not {self.per_output(inputs) * channels}")

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        channels = outputs[0][0]
        facts = multiplied(self.per_output(inputs), channels, inputs, outputs, self.bias)
        facts = facts._replace(norm_scale=channels if self.gain else 0)
        if len(inputs) > 1:
            return facts._replace(kernels=0)
        return facts if self.trained else facts._replace(kernels=0, constants=facts.kernels)


@op(
    "conv",
    "nn.Conv2d",
    inputs=(1, 2),
    after=("bn", "act"),
    multiplies=True,
    aliases=("convolution", "pwconv", "pointwise"),
)
class Conv(Convolution):
    """Convolve C_in maps into C_out maps, in g groups.

    Shape: (C_in, H, W) -> (C_out, H_out, W_out), see `slide`.
    Params: k_h·k_w·(C_in/g)·C_out weights, C_out biases if ``bias``, and C_out gains if ``gain``;
    weights that are not ``trained`` are constants, those of a second input are none of its own.
    MACs: k_h·k_w·(C_in/g)·C_out·H_out·W_out; padding taps count, the bias is an addition. Weights
    are standardised before inference, so that a gain costs nothing there.
    Raises: ShapeError: C_in or C_out is no multiple of g; the kernel is larger than its input; a
    second input brings another number of weights.
    Source: arXiv:1704.04861, section 3.1; a second input: arXiv:1904.04971, equation 1; a gain:
    arXiv:2102.06171, equation 2.

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
    gain: bool = letter("gain", FLAG, GAIN, False)
    trained: bool = letter("trained", FLAG, TRAINED, True)

    def shapes(self, inputs: Shapes) -> Shapes:
        c, _, _ = maps(inputs[0], "conv")
        for channels, which in ((c, "input"), (self.channels, "output")):
            if channels % self.groups:
                raise ShapeError(
                    f"conv: {channels} {which} channels do not divide into {self.groups} groups",
                    letter="g",
                    hint=_divisors(c, self.channels),
                )
        self.fitting(inputs, self.channels)
        return ((self.channels, *self.slide(inputs)),)

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride, self.dilation, self.groups)


@op(
    "dwconv",
    "nn.Conv2d",
    family="conv",
    inputs=(1, 2),
    after=("bn", "act"),
    multiplies=True,
    depthwise=True,
    aliases=("depthwise", "depthwiseconv", "convdw"),
)
class DepthwiseConv(Convolution):
    """Convolve each map by itself into m maps.

    Shape: (C, H, W) -> (m·C, H_out, W_out), see `slide`.
    Params: k_h·k_w·m·C weights, m·C biases if ``bias``, and m·C gains if ``gain``; weights that
    are not ``trained``, such as those of a blur, are constants, those of a second input none.
    MACs: k_h·k_w·m·C·H_out·W_out.
    Raises: ShapeError: the kernel is larger than its input.
    Source: arXiv:1704.04861, section 3.1; m is Keras' depth_multiplier; blur: arXiv:1904.11486.

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
    gain: bool = letter("gain", FLAG, GAIN, False)
    trained: bool = letter("trained", FLAG, TRAINED, True)

    def shapes(self, inputs: Shapes) -> Shapes:
        channels = inputs[0][0] * self.multiplier
        size = self.slide(inputs)
        self.fitting(inputs, channels)
        return ((channels, *size),)

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride, self.dilation, inputs[0][0])


def multiplied(
    per_output: int, channels: int, inputs: Shapes, outputs: Shapes, bias: bool
) -> Facts:
    """Return the facts of a layer with weights, from how many each of its outputs is made of."""
    kernel, biases, size = per_output * channels, channels if bias else 0, product(outputs[0])
    return Facts(
        kernels=kernel,
        biases=biases,
        mac=per_output * size,
        add=size if bias else 0,
        read=product(inputs[0]) + kernel + biases,
        write=size,
    )


def _divisors(c_in: int, c_out: int) -> str:
    both = [g for g in range(1, min(c_in, c_out, 4096) + 1) if c_in % g == 0 and c_out % g == 0]
    shown = ", ".join(str(g) for g in both[:10])
    return f"groups that fit {c_in} -> {c_out}: {shown}" + (", ..." if len(both) > 10 else "")

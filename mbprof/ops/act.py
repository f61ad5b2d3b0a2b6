"""Activation functions, as a table of what each costs for an element."""

from __future__ import annotations

from typing import NamedTuple

from mbprof.language.values import Shapes
from mbprof.ops.base import SameShape, letter, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import NUMBER, choice
from mbprof.symbolic.arithmetic import product


class Function(NamedTuple):
    """Arithmetic of an activation for one element, and trained values for one channel.

    ``non_negative`` says that it gives no negative values.
    """

    call: str
    formula: str
    compare: int = 0
    add: int = 0
    mul: int = 0
    divide: int = 0
    exp: int = 0
    slopes: int = 0
    non_negative: bool = False


FUNCTIONS: dict[str, Function] = {
    "relu": Function("nn.ReLU", "max(x, 0)", compare=1, non_negative=True),
    "relu6": Function("nn.ReLU6", "min(max(x, 0), 6)", compare=2, non_negative=True),
    "leaky_relu": Function("nn.LeakyReLU", "max(x, 0.01·x)", compare=1, mul=1),
    "prelu": Function(
        "nn.PReLU", "max(x, 0) + a·min(x, 0), a trained for each channel", 2, 1, 1, slopes=1
    ),
    "elu": Function("nn.ELU", "x if x > 0 else exp(x) - 1", compare=1, add=1, exp=1),
    "sigmoid": Function("nn.Sigmoid", "1 / (1 + exp(-x))", 0, 1, 0, 1, 1, non_negative=True),
    "hsigmoid": Function("nn.Hardsigmoid", "min(max(x + 3, 0), 6) / 6", 2, 1, 1, non_negative=True),
    "silu": Function("nn.SiLU", "x / (1 + exp(-x)), also called swish", add=1, divide=1, exp=1),
    "hswish": Function("nn.Hardswish", "x · min(max(x + 3, 0), 6) / 6", compare=2, add=1, mul=2),
    "tanh": Function("nn.Tanh", "1 - 2 / (1 + exp(2·x))", add=2, mul=1, divide=1, exp=1),
    "gelu": Function("nn.GELU", "x/2 · (1 + erf(x / √2))", add=1, mul=3, exp=1),
    "mish": Function("nn.Mish", "x · tanh(log(1 + exp(x)))", 0, add=3, mul=2, divide=1, exp=3),
}

ACTIVATION = choice("activation", "an activation", (*FUNCTIONS, "none"))


@op("act", "nn.Identity", follower=ACTIVATION, elementwise=True)
class Activation(SameShape):
    """Apply a function to each element.

    Shape: unchanged.
    Params: none, but C slopes for ``prelu``.
    Cost: the operations of the function's formula for each element, see `FUNCTIONS`.
    Source: torch.nn, "Non-linear Activations"; hswish and hsigmoid: arXiv:1905.02244, section 5.2.

    >>> Activation("hswish").facts(((16, 112, 112),), ((16, 112, 112),)).mul
    401408
    """

    function: str = letter("f", ACTIVATION, "the function")

    @property
    def called(self) -> str:
        """What the framework calls to compute the function, by default."""
        return self.call if self.function == "none" else FUNCTIONS[self.function].call

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """The function's operations for each element; nothing for ``none``."""
        if self.function == "none":
            return Facts()
        size, function = product(inputs[0]), FUNCTIONS[self.function]
        slopes = function.slopes * inputs[0][0]
        return Facts(
            other=slopes,
            compare=function.compare * size,
            add=function.add * size,
            mul=function.mul * size,
            divide=function.divide * size,
            exp=function.exp * size,
            read=size + slopes,
            write=size,
        )


@op("times", "*", after=("act",))
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

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """One multiplication for each element."""
        size = product(inputs[0])
        return Facts(mul=size, read=size, write=size)


@op("softmax", "nn.Softmax", sees_whole=True, ends_scores=True)
class Softmax(SameShape):
    """Turn each vector of n scores into n probabilities.

    Shape: unchanged; the vector runs over the channels of maps, else over the last size.
    Params: none.
    Cost: for each vector n - 1 comparisons, 2·n - 1 additions, n exponentials and n divisions.
    Source: torch.nn.Softmax.

    >>> Softmax().facts(((1000,),), ((1000,),)).exp
    1000
    """

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Maximum, shift, exponential, sum and division."""
        shape, size = inputs[0], product(inputs[0])
        vectors = size // (shape[0] if len(shape) == 3 else shape[-1])
        return Facts(
            compare=size - vectors,
            add=2 * size - vectors,
            exp=size,
            divide=size,
            read=size,
            write=size,
        )

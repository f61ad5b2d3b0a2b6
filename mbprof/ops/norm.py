"""Normalisations."""

from __future__ import annotations

from mbprof.language.values import Shape, Shapes
from mbprof.ops.base import SameShape, letter, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import FLAG
from mbprof.symbolic.arithmetic import product


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
        """Scales, shifts and statistics; a multiplication and an addition for each element."""
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
        """Scales and shifts; sums, squares and one root for each position."""
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
        """Constants; an addition and a division for each element."""
        size, constants = product(inputs[0]), 2 * _channels(inputs[0]) + 1
        return Facts(constants=constants, add=size, divide=size, read=size + constants, write=size)

"""Normalisations: by running statistics, and by those of the input itself."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shapes, show
from mbprof.ops.base import Facts, SameShape, channels, letter, op
from mbprof.ops.fields import FLAG, SIZE
from mbprof.symbolic.arithmetic import product


@op(
    "bn",
    "nn.BatchNorm2d",
    after=("act",),
    follower=FLAG,
    normalises=True,
    folds=True,
    aliases=("batchnormalization", "frozenbatchnorm"),
)
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
        size, c = product(inputs[0]), channels(inputs[0])
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


@op("ln", "nn.LayerNorm", after=("act",), normalises=True, aliases=("layernormalization",))
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
        positions = product(inputs[0]) // channels(inputs[0])
        return _normalised(inputs, positions, self.scale, self.shift)


@op("normalize", "Normalization", aliases=("rescaling",))
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
        size, constants = product(inputs[0]), 2 * channels(inputs[0]) + 1
        return Facts(constants=constants, add=size, divide=size, read=size + constants, write=size)


@op(
    "gn",
    "nn.GroupNorm",
    after=("act",),
    normalises=True,
    aliases=("groupnormalization", "instancenorm"),
)
class GroupNorm(SameShape):
    """Normalise each of g groups of channels over all positions.

    Shape: unchanged; g = 1 takes all channels together, g = C each by itself (instance norm).
    Params: C scales and C shifts, both trained; there are no statistics.
    Cost: for each element 4 additions and 3 multiplications, for each group two divisions and a
    square root, as ``ln``.
    Raises: ShapeError: C is no multiple of g.
    Source: arXiv:1803.08494, equation 7.

    >>> GroupNorm(groups=32).facts(((64, 7, 7),), ((64, 7, 7),)).divide
    96
    """

    groups: int = letter("g", SIZE, "the number of groups")
    scale: bool = letter("scale", FLAG, "whether a scale (gamma) is trained", True)
    shift: bool = letter("shift", FLAG, "whether a shift (beta) is trained", True)

    def shapes(self, inputs: Shapes) -> Shapes:
        c = channels(inputs[0])
        if c % self.groups:
            raise ShapeError(
                f"gn: {c} channels do not divide into {self.groups} groups", letter="g"
            )
        return inputs

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return _normalised(inputs, self.groups, self.scale, self.shift)


@op("rms", "nn.RMSNorm", after=("act",), normalises=True, aliases=("rmsnormalization",))
class RMSNorm(SameShape):
    """Divide the channels of each position, or of each token, by their root mean square.

    Shape: unchanged.
    Params: C scales, trained.
    Cost: for each element one addition and 3 multiplications (square, division, scale); for each
    position a division and a square root.
    Source: arXiv:1910.07467, equation 4.

    >>> RMSNorm().facts(((197, 192),), ((197, 192),)).params
    192
    """

    scale: bool = letter("scale", FLAG, "whether a scale (gamma) is trained", True)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size, c = product(inputs[0]), channels(inputs[0])
        scales = c if self.scale else 0
        return Facts(
            norm_scale=scales,
            add=size,
            mul=(2 + self.scale) * size,
            divide=2 * (size // c),
            read=size + scales,
            write=size,
        )


@op("lrn", "nn.LocalResponseNorm", aliases=("localresponsenormalization",))
class LocalResponseNorm(SameShape):
    """Divide each element by a power of the sum of squares of n neighbouring channels.

    Shape: unchanged.
    Params: none, the constants are part of the network's definition.
    Cost: for each element 3 multiplications (square, scale, and by the inverse), n additions, and
    one power.
    Raises: ShapeError: the input has no channels beside its positions.
    Source: torch.nn.LocalResponseNorm; NIPS 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 3.3.

    >>> LocalResponseNorm().facts(((96, 55, 55),), ((96, 55, 55),)).exp
    290400
    """

    size: int = letter("size", SIZE, "how many channels are summed", 5)

    def shapes(self, inputs: Shapes) -> Shapes:
        if len(inputs[0]) < 2:
            raise ShapeError(f"lrn needs maps or tokens, got {show(inputs[0])}")
        return inputs

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(mul=3 * size, add=self.size * size, exp=size, read=size, write=size)


def _normalised(inputs: Shapes, sets: int, scale: bool, shift: bool) -> Facts:
    """Return the facts of a norm whose mean and variance are taken over each of ``sets`` sets."""
    size, c = product(inputs[0]), channels(inputs[0])
    return Facts(
        norm_scale=c if scale else 0,
        norm_shift=c if shift else 0,
        add=(3 + shift) * size,
        mul=(2 + scale) * size,
        divide=3 * sets,
        read=size + (scale + shift) * c,
        write=size,
    )

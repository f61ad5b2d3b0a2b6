"""Ops that change a tensor's form and compute little or nothing."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.values import Shapes, show
from mbprof.ops.base import Free, Op, SameShape, letter, maps, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import NUMBER, PADDING, PAIR, SIZES, choice
from mbprof.ops.window import Axis, Padding, Pair
from mbprof.symbolic.arithmetic import product, truncated


@op("pad", "F.pad")
class Pad(Op):
    """Surround each map with zeros.

    Shape: (C, H, W) -> (C, H + top + bottom, W + left + right).
    Params: none.
    Cost: no arithmetic; the padded maps are written once.
    Raises: ShapeError: the padding is not given in numbers.
    Source: torch.nn.ZeroPad2d.

    >>> Pad(padding=(0, 1, 0, 1)).shapes(((32, 112, 112),))
    ((32, 113, 113),)
    """

    padding: Padding = letter("p", PADDING, "a number, [h, w] or [top, bottom, left, right]")

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (C, H + top + bottom, W + left + right)."""
        c, h, w = maps(inputs[0], "pad")
        top, bottom, left, right = self._sides()
        return ((c, h + top + bottom, w + left + right),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Traffic only."""
        return Facts(read=product(inputs[0]), write=product(outputs[0]))

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        """Return height and width, padded around a window of one pixel."""
        _, h, w = inputs[0]
        top, bottom, left, right = self._sides()
        return (
            Axis("height", h, 1, 1, 1, (top, bottom)),
            Axis("width", w, 1, 1, 1, (left, right)),
        )

    def _sides(self) -> tuple[int, int, int, int]:
        if isinstance(self.padding, str):
            raise ShapeError("pad needs numbers, there is no window to be same with", letter="p")
        return self.padding


@op("resize", "F.interpolate", resamples=True)
class Resize(Op):
    """Interpolate each map to another size.

    Shape: (C, H, W) -> (C, H_out, W_out), H_out given, or ⌊H·by⌋.
    Params: none.
    Cost: none for ``nearest``; for ``bilinear`` 4 multiplications and 3 additions for each output.
    Raises: ShapeError: neither or both of ``size`` and ``by``, or a factor that is not positive.
    Source: torch.nn.Upsample.

    >>> Resize(by=2).shapes(((256, 7, 7),))
    ((256, 14, 14),)
    """

    size: Pair | None = letter("size", PAIR, "the new height and width", None)
    by: float | None = letter("by", NUMBER, "the factor, if no size is given", None)
    mode: str = letter(
        "mode", choice("mode", "nearest or bilinear", ("nearest", "bilinear")), "how", "nearest"
    )

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (C, H_out, W_out)."""
        c, h, w = maps(inputs[0], "resize")
        if (self.size is None) == (self.by is None):
            raise ShapeError("resize needs either size or by")
        if self.size is not None:
            return ((c, *self.size),)
        factor = self.by or 0
        high, wide = truncated(h * factor), truncated(w * factor)
        if high < 1 or wide < 1:
            raise ShapeError(f"resize: {show(inputs[0])} times {factor:g} is empty", letter="by")
        return ((c, high, wide),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Products of the interpolation, where there is one."""
        size = product(outputs[0])
        linear = size if self.mode == "bilinear" else 0
        return Facts(mul=4 * linear, add=3 * linear, read=product(inputs[0]), write=size)


@op("flatten", "torch.flatten", sees_whole=True, ends_maps=True, ends_scores=True, keeps_sign=True)
class Flatten(Free):
    """Read a tensor as one vector.

    Shape: (C, H, W) -> (C·H·W).
    Params: none.
    Cost: nothing; the result is a view.
    Source: torch.nn.Flatten.

    >>> Flatten().shapes(((512, 7, 7),))
    ((25088,),)
    """

    def shapes(self, inputs: Shapes) -> Shapes:
        """(C, H, W) -> (C·H·W)."""
        return ((product(inputs[0]),),)


@op("reshape", "Tensor.reshape", sees_whole=True, keeps_sign=True)
class Reshape(Free):
    """Read a tensor's elements in another shape.

    Shape: any -> ``to``, of as many elements.
    Params: none.
    Cost: nothing; the result is a view.
    Raises: ShapeError: the number of elements differs.
    Source: torch.reshape.

    >>> Reshape(to=(1024,)).shapes(((1024, 1, 1),))
    ((1024,),)
    """

    to: tuple[int, ...] = letter("to", SIZES, "the new sizes")

    def shapes(self, inputs: Shapes) -> Shapes:
        """Return the new sizes."""
        have, want = product(inputs[0]), product(self.to)
        if have != want:
            raise ShapeError(
                f"reshape: {show(inputs[0])} has {have:,} elements, {show(self.to)} has {want:,}",
                letter="to",
            )
        return (self.to,)


@op("dropout", "nn.Dropout", passes=True, ends_scores=True, keeps_sign=True)
class Dropout(Free):
    """Drop elements in training; hand them on at inference.

    Shape: unchanged.
    Params: none.
    Cost: nothing at inference.
    Raises: ShapeError: the rate is not a probability.
    Source: torch.nn.Dropout.

    >>> Dropout(rate=0.001).shapes(((1024, 1, 1),))
    ((1024, 1, 1),)
    """

    rate: float = letter("rate", NUMBER, "the probability of dropping an element", 0.5)

    def shapes(self, inputs: Shapes) -> Shapes:
        """Return the shape unchanged."""
        if not 0 <= self.rate < 1:
            raise ShapeError(f"dropout: {self.rate:g} is not a rate in [0, 1)", letter="rate")
        return inputs


@op("identity", "nn.Identity", passes=True, keeps_sign=True)
class Identity(SameShape, Free):
    """Hand a tensor on as it is.

    Shape: unchanged.
    Params: none.
    Cost: nothing.
    Source: torch.nn.Identity.

    >>> Identity().shapes(((24, 56, 56),))
    ((24, 56, 56),)
    """

"""Ops that give tensors another form, join them or part them."""

from __future__ import annotations

from mbprof.errors import LimitError, ShapeError
from mbprof.language.fmt import Shape, Shapes, show
from mbprof.language.source import MAX_LISTED
from mbprof.ops.base import (
    Facts,
    Free,
    Op,
    SameShape,
    axis_of,
    channel_axis,
    elements,
    letter,
    maps,
    op,
)
from mbprof.ops.fields import AXES, AXIS, COUNT, FLAG, NUMBER, SHAPE, SIZE, SIZES
from mbprof.symbolic.arithmetic import ceil_div, product

_RESIZED = "{op: resize, in: [a, b]} before the join gives a the size of b"


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
        return ((product(inputs[0]),),)


@op("reshape", "Tensor.reshape", sees_whole=True, keeps_sign=True, aliases=("view",))
class Reshape(Free):
    """Read a tensor's elements in another shape.

    Shape: any -> ``to``, of as many elements; a size of -1 is what is left for it.
    Params: none.
    Cost: nothing; the result is a view.
    Raises: ShapeError: the number of elements differs; two sizes are -1, or one is 0.
    Source: torch.reshape.

    >>> Reshape(to=(-1, 64)).shapes(((1024, 7, 7),))
    ((784, 64),)
    """

    to: tuple[int, ...] = letter("to", SHAPE, "the new sizes, one of which may be -1")

    def shapes(self, inputs: Shapes) -> Shapes:
        have, want = product(inputs[0]), product(self.to)
        if want == 0 or sum(1 for size in self.to if size == -1) > 1:
            message = f"reshape: {show(self.to)} needs sizes of at least 1, or a single -1"
            raise ShapeError(message, letter="to")
        if want < 0:
            if have % want:
                raise ShapeError(
                    f"reshape: {show(inputs[0])} has {have:,} elements, which do not divide by "
                    f"{-want:,}",
                    letter="to",
                )
            return (tuple(have // -want if size == -1 else size for size in self.to),)
        if have != want:
            raise ShapeError(
                f"reshape: {show(inputs[0])} has {have:,} elements, {show(self.to)} has {want:,}",
                letter="to",
            )
        return (self.to,)


@op(
    "dropout",
    "nn.Dropout",
    aliases=("droppath", "spatialdropout"),
    passes=True,
    drops=True,
    ends_scores=True,
    keeps_sign=True,
)
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
        if not 0 <= self.rate < 1:
            raise ShapeError(f"dropout: {self.rate:g} is not a rate in [0, 1)", letter="rate")
        return inputs


@op("identity", "nn.Identity", passes=True, keeps_sign=True, aliases=("skip", "shortcut"))
class Identity(SameShape, Free):
    """Hand a tensor on as it is.

    Shape: unchanged.
    Params: none.
    Cost: nothing.
    Source: torch.nn.Identity.

    >>> Identity().shapes(((24, 56, 56),))
    ((24, 56, 56),)
    """


def _repeated(a: int, b: int) -> int | None:
    """Return the size of two that are joined, of which 1 is repeated; None if they do not fit."""
    for size, other in ((a, b), (b, a)):
        if type(other) is int and other == 1:  # which asks nothing of a size that varies
            return size
    if a == b or b == 1:
        return a
    return b if a == 1 else None


class _Elementwise(Op):
    """An op that joins tensors element by element, repeating sizes of 1."""

    def shapes(self, inputs: Shapes) -> Shapes:
        joined = inputs[0]
        for other in inputs[1:]:
            fits = len(joined) == len(other)
            sizes = [size for size in map(_repeated, joined, other) if size is not None]
            if not fits or len(sizes) < len(joined):
                wrong = "differ" if self.adds else "cannot be broadcast"
                said = f"{self.word}: {show(joined)} and {show(other)} {wrong}"
                raise ShapeError(
                    said, hint=self._bridge(joined, other), remedy=_remedy(joined, other)
                )
            joined = tuple(sizes)
        return (joined,)

    def _bridge(self, shape: Shape, other: Shape) -> str:
        """Say how tensors are made to fit."""
        if len(shape) != len(other):
            c = min(shape, other, key=len)[-1]
            return f"both have as many axes; {{op: reshape, to: [{c}, 1, 1]}} makes maps of {c}"
        if not self.adds:
            return "two sizes are equal, or one of them is 1"
        strided = len(shape) == 3 and shape[1:] != other[1:]
        fit = "the same stride" if strided else "a 1x1 conv"
        guard = "s == 1" if strided else "in.c == c"
        return f"give the shortcut {fit}, or guard the add with  when: {guard}"


def _remedy(shape: Shape, other: Shape) -> str | None:
    """Say what makes maps of other sizes fit at every size of the image."""
    return _RESIZED if len(shape) == len(other) == 3 and shape[1:] != other[1:] else None


@op("add", "+", inputs=(2, None), after=("act",), joins=True, adds=True, elementwise=True)
class Add(_Elementwise):
    """Add tensors element by element, repeating sizes of 1.

    Shape: (C, H, W), (C, H, W), ... -> (C, H, W); a size of 1 is repeated.
    Params: none.
    Cost: one addition for each element and each input after the first.
    Raises: ShapeError: two sizes differ and neither is 1.
    Source: arXiv:1512.03385, equation 1; torch.add; for ``drop`` arXiv:1603.09382.

    >>> Add().facts(((24, 56, 56),) * 2, ((24, 56, 56),)).add
    75264
    """

    drop: bool = letter("drop", FLAG, "whether training leaves it out of images at random", False)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(add=(len(inputs) - 1) * size, read=elements(inputs), write=size)


@op(
    "mul",
    "*",
    aliases=("multiply",),
    inputs=(2, None),
    after=("act",),
    joins=True,
    gates=True,
    elementwise=True,
)
class Mul(_Elementwise):
    """Multiply tensors element by element, repeating sizes of 1.

    Shape: (C, H, W), (C, 1, 1) -> (C, H, W): the gate of squeeze-and-excitation.
    Params: none.
    Cost: one multiplication for each element and each input after the first.
    Raises: ShapeError: two sizes differ and neither is 1.
    Source: arXiv:1709.01507, equation 4.

    >>> Mul().shapes(((72, 28, 28), (72, 1, 1)))
    ((72, 28, 28),)
    """

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(mul=(len(inputs) - 1) * size, read=elements(inputs), write=size)


@op(
    "concat",
    "torch.cat",
    aliases=("concatenate", "concatenation"),
    inputs=(2, None),
    after=("bn", "act"),
    joins=True,
    rearranges=True,
)
class Concat(Op):
    """Put tensors behind each other, by channel unless ``axis`` says otherwise.

    Shape: (C_1, H, W), (C_2, H, W), ... -> (C_1 + C_2 + ..., H, W).
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: the other sizes differ.
    Source: arXiv:1409.4842, section 4.

    >>> Concat().shapes(((64, 28, 28), (128, 28, 28), (32, 28, 28), (32, 28, 28)))
    ((256, 28, 28),)
    """

    axis: int = letter("axis", AXIS, "the axis, 0 for channels of maps", 0)

    def shapes(self, inputs: Shapes) -> Shapes:
        first, axis = inputs[0], axis_of(inputs[0], self.axis, "concat")
        for other in inputs[1:]:
            if len(other) != len(first) or (
                first[:axis] + first[axis + 1 :] != other[:axis] + other[axis + 1 :]
            ):
                raise ShapeError(
                    f"concat: {show(first)} and {show(other)} differ in more than axis {axis}",
                    hint="give the branches the same stride and padding",
                    remedy=_RESIZED,
                )
        joined = sum(shape[axis] for shape in inputs)
        return (_resized(first, axis, joined),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(read=size, write=size)


@op("split", "torch.chunk", rearranges=True, aliases=("chunk",))
class Split(Free):
    """Part a tensor by channel, into g equal parts or into parts of given sizes.

    Shape: (C, H, W) -> g times (C/g, H, W); name the parts with ``out: [left, right]``. With
    ``keep`` only one part goes on.
    Params: none.
    Cost: nothing; the parts are views.
    Raises: ShapeError: C is no multiple of g, the sizes do not add up to C, there is no such part.
    Source: arXiv:1807.11164, section 3.

    >>> Split().shapes(((116, 28, 28),))
    ((58, 28, 28), (58, 28, 28))
    >>> Split(parts=3, keep=0).shapes(((197, 576),))
    ((197, 192),)
    """

    parts: int = letter("g", SIZE, "the number of equal parts", 2)
    sizes: tuple[int, ...] = letter("sizes", SIZES, "the channels of each part", ())
    axis: int | None = letter("axis", AXIS, "the axis, the channels' unless given", None)
    keep: int | None = letter(
        "keep", COUNT, "the part that goes on, from 0; all unless given", None
    )

    def shapes(self, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        given = self.axis is not None
        axis = axis_of(shape, self.axis or 0, "split") if given else channel_axis(shape)
        c, what = shape[axis], f"elements of axis {axis}" if given else "channels"
        if self.sizes and sum(self.sizes) != c:
            raise ShapeError(
                f"split: parts of {', '.join(map(str, self.sizes))} make "
                f"{sum(self.sizes)} {what}, not {c}",
                letter="sizes",
            )
        if self.parts > MAX_LISTED:
            raise LimitError(f"split: {self.parts:,} parts; there are {MAX_LISTED} at most")
        if not self.sizes and c % self.parts:
            raise ShapeError(f"split: {c} {what} do not divide into {self.parts}", letter="g")
        sizes = self.sizes or (c // self.parts,) * self.parts
        if self.keep is not None:
            if self.keep >= len(sizes):
                message = f"split: there is no part {self.keep}; the last is {len(sizes) - 1}"
                raise ShapeError(message, letter="keep")
            sizes = (sizes[self.keep],)
        return tuple(_resized(shape, axis, size) for size in sizes)


@op("slice", "Tensor.slice", rearranges=True, aliases=("narrow", "select", "stridedslice"))
class Slice(Free):
    """Keep a part of a tensor along one axis.

    Shape: (N, C) -> (⌈(to - from)/step⌉, C) for axis 0; positions below 0 count from the end.
    Params: none.
    Cost: nothing; the result is a view.
    Raises: ShapeError: there is no such axis or position, or nothing between the two.
    Source: torch.narrow.

    >>> Slice(start=1).shapes(((197, 192),))
    ((196, 192),)
    >>> Slice(axis=-1, step=2).shapes(((64, 7, 7),))
    ((64, 7, 4),)
    """

    axis: int = letter("axis", AXIS, "the axis", 0)
    start: int = letter("from", AXIS, "the first position, from 0", 0)
    stop: int | None = letter(
        "to", AXIS, "the position behind the last; the end unless given", None
    )
    step: int = letter("step", SIZE, "how far it is to the next", 1)

    def shapes(self, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        axis = axis_of(shape, self.axis, "slice")
        n = shape[axis]
        first = self.start + n if self.start < 0 else self.start
        end = n if self.stop is None else self.stop + n if self.stop < 0 else self.stop
        for position, key in ((first, "from"), (end, "to")):
            if position < 0 or position > n:
                message = f"slice: axis {axis} of {show(shape)} has no position {position}"
                raise ShapeError(message, letter=key)
        if first >= end:
            key = "from" if self.stop is None else "to"
            raise ShapeError(f"slice: nothing stands from {first} to {end}", letter=key)
        return (_resized(shape, axis, ceil_div(end - first, self.step)),)


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


@op(
    "permute",
    "Tensor.permute",
    mixes=True,
    rearranges=True,
    sees_whole=True,
    keeps_sign=True,
    aliases=("transpose",),
)
class Permute(Op):
    """Put the axes of a tensor into another order.

    Shape: axis i of the output is axis ``axes[i]`` of the input: (N, C) -> (C, N) for [1, 0].
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: an axis lacks, or stands there twice.
    Source: torch.permute.

    >>> Permute(order=(1, 2, 0)).shapes(((64, 7, 5),))
    ((7, 5, 64),)
    """

    order: tuple[int, ...] = letter("axes", AXES, "the axes of the input in their new order")

    def shapes(self, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        order = [axis_of(shape, axis, "permute", "axes") for axis in self.order]
        if sorted(order) != list(range(len(shape))):
            raise ShapeError(
                f"permute: {show(shape)} has {len(shape)} axes, and each has to be there once",
                letter="axes",
                hint=f"such as {[*range(1, len(shape)), 0]}",
            )
        return (tuple(shape[axis] for axis in order),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)


@op("shuffle", "Tensor.transpose", rearranges=True, elementwise=True, aliases=("channelshuffle",))
class ChannelShuffle(Op):
    """Interleave the channels of g groups.

    Shape: unchanged.
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: C is no multiple of g.
    Source: arXiv:1707.01083, section 3.1.

    >>> ChannelShuffle(groups=2).shapes(((116, 28, 28),))
    ((116, 28, 28),)
    """

    groups: int = letter("g", SIZE, "groups")

    def shapes(self, inputs: Shapes) -> Shapes:
        c, _, _ = maps(inputs[0], "shuffle")
        if c % self.groups:
            raise ShapeError(
                f"shuffle: {c} channels cannot be shuffled in {self.groups} groups", letter="g"
            )
        return inputs

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)

"""Ops that give tensors another form, join them or part them."""

from __future__ import annotations

from functools import reduce

from mbprof.errors import LimitError, ShapeError
from mbprof.language.fmt import Shapes, show
from mbprof.language.source import MAX_LISTED
from mbprof.ops.base import Facts, Free, Op, SameShape, elements, letter, maps, op
from mbprof.ops.fields import COUNT, NUMBER, PADDING, PAIR, SIZE, SIZES, choice
from mbprof.ops.padding import Axis, Padding, Pair
from mbprof.symbolic.arithmetic import maximum, product, truncated


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
        c, h, w = maps(inputs[0], "pad")
        top, bottom, left, right = self._sides()
        return ((c, h + top + bottom, w + left + right),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return Facts(read=product(inputs[0]), write=product(outputs[0]))

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        _, h, w = inputs[0]
        top, bottom, left, right = self._sides()
        return Axis("height", h, 1, 1, 1, (top, bottom)), Axis("width", w, 1, 1, 1, (left, right))

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


@op("add", "+", inputs=(2, None), after=("act",), joins=True, adds=True, elementwise=True)
class Add(Op):
    """Add tensors of one shape, element by element.

    Shape: (C, H, W), (C, H, W), ... -> (C, H, W).
    Params: none.
    Cost: one addition for each element and each input after the first.
    Raises: ShapeError: the shapes differ.
    Source: arXiv:1512.03385, equation 1.

    >>> Add().facts(((24, 56, 56),) * 2, ((24, 56, 56),)).add
    75264
    """

    def shapes(self, inputs: Shapes) -> Shapes:
        first = inputs[0]
        for other in inputs[1:]:
            if other != first:
                strided = any(len(first) == len(o) == 3 and first[1:] != o[1:] for o in inputs[1:])
                bridge = "the same stride, or guard the add with  when: s == 1"
                if not strided:
                    bridge = "a 1x1 conv, or guard the add with  when: in.c == c"
                hint = f"give the shortcut {bridge}"
                raise ShapeError(f"add: {show(first)} and {show(other)} differ", hint=hint)
        return (first,)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(add=(len(inputs) - 1) * size, read=elements(inputs), write=size)


@op("mul", "*", inputs=(2, None), after=("act",), joins=True, gates=True, elementwise=True)
class Mul(Op):
    """Multiply tensors element by element, repeating sizes of 1.

    Shape: (C, H, W), (C, 1, 1) -> (C, H, W): the gate of squeeze-and-excitation.
    Params: none.
    Cost: one multiplication for each element and each input after the first.
    Raises: ShapeError: two sizes differ and neither is 1.
    Source: arXiv:1709.01507, equation 4.

    >>> Mul().shapes(((72, 28, 28), (72, 1, 1)))
    ((72, 28, 28),)
    """

    def shapes(self, inputs: Shapes) -> Shapes:
        first = inputs[0]
        for other in inputs[1:]:
            fits = len(first) == len(other) and all(
                b == 1 or a == 1 or a == b for a, b in zip(first, other, strict=True)
            )
            if not fits:
                raise ShapeError(
                    f"mul: {show(first)} and {show(other)} cannot be broadcast",
                    hint="two sizes are equal, or one of them is 1",
                )
        return (tuple(reduce(maximum, sizes) for sizes in zip(*inputs, strict=True)),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(mul=(len(inputs) - 1) * size, read=elements(inputs), write=size)


@op("concat", "torch.cat", inputs=(2, None), after=("bn", "act"), joins=True, rearranges=True)
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

    axis: int = letter("axis", COUNT, "the axis, 0 for channels", 0)

    def shapes(self, inputs: Shapes) -> Shapes:
        first, axis = inputs[0], self.axis
        if axis >= len(first):
            raise ShapeError(f"concat: {show(first)} has no axis {axis}", letter="axis")
        for other in inputs[1:]:
            if len(other) != len(first) or (
                first[:axis] + first[axis + 1 :] != other[:axis] + other[axis + 1 :]
            ):
                raise ShapeError(
                    f"concat: {show(first)} and {show(other)} differ in more than axis {axis}",
                    hint="give the branches the same stride and padding",
                )
        joined = sum(shape[axis] for shape in inputs)
        return ((*first[:axis], joined, *first[axis + 1 :]),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(read=size, write=size)


@op("split", "torch.chunk", rearranges=True)
class Split(Free):
    """Part a tensor by channel, into g equal parts or into parts of given sizes.

    Shape: (C, H, W) -> g times (C/g, H, W); name the parts with ``out: [left, right]``.
    Params: none.
    Cost: nothing; the parts are views.
    Raises: ShapeError: C is no multiple of g, or the sizes do not add up to C.
    Source: arXiv:1807.11164, section 3.

    >>> Split().shapes(((116, 28, 28),))
    ((58, 28, 28), (58, 28, 28))
    """

    parts: int = letter("g", SIZE, "the number of equal parts", 2)
    sizes: tuple[int, ...] = letter("sizes", SIZES, "the channels of each part", ())

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "split")
        if self.sizes:
            if sum(self.sizes) != c:
                raise ShapeError(
                    f"split: parts of {', '.join(map(str, self.sizes))} make "
                    f"{sum(self.sizes)} channels, not {c}",
                    letter="sizes",
                )
            return tuple((size, h, w) for size in self.sizes)
        if self.parts > MAX_LISTED:
            raise LimitError(f"split: {self.parts:,} parts; there are {MAX_LISTED} at most")
        if c % self.parts:
            raise ShapeError(f"split: {c} channels do not divide into {self.parts}", letter="g")
        return ((c // self.parts, h, w),) * self.parts


@op("shuffle", "Tensor.transpose", rearranges=True, elementwise=True)
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

"""Ops that join paths or part them."""

from __future__ import annotations

from functools import reduce

from mbprof.errors import ShapeError
from mbprof.language.values import Shapes, show
from mbprof.ops.base import Free, Op, elements, letter, maps, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import COUNT, SIZE, SIZES
from mbprof.symbolic.arithmetic import maximum, product


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
        """Return the common shape."""
        first = inputs[0]
        for other in inputs[1:]:
            if other != first:
                raise ShapeError(
                    f"add: {show(first)} and {show(other)} differ", hint=_bridge(inputs)
                )
        return (first,)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Additions only."""
        size = product(outputs[0])
        return Facts(add=(len(inputs) - 1) * size, read=elements(inputs), write=size)


def _bridge(inputs: Shapes) -> str:
    first = inputs[0]
    for other in inputs[1:]:
        if len(first) == 3 and len(other) == 3 and first[1:] != other[1:]:
            return "give the shortcut the same stride, or guard the add with  when: s == 1"
    return "give the shortcut a 1x1 conv, or guard the add with  when: in.c == c"


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
        """Return the largest of each size."""
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
        """Multiplications only."""
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
        """Add up the sizes of one axis."""
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
        """Traffic only."""
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
        """(C, H, W) -> one shape for each part."""
        c, h, w = maps(inputs[0], "split")
        if self.sizes:
            if sum(self.sizes) != c:
                raise ShapeError(
                    f"split: parts of {', '.join(map(str, self.sizes))} make "
                    f"{sum(self.sizes)} channels, not {c}",
                    letter="sizes",
                )
            return tuple((size, h, w) for size in self.sizes)
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
        """Return the shape unchanged."""
        c, _, _ = maps(inputs[0], "shuffle")
        if c % self.groups:
            raise ShapeError(
                f"shuffle: {c} channels cannot be shuffled in {self.groups} groups", letter="g"
            )
        return inputs

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Traffic only."""
        size = product(inputs[0])
        return Facts(read=size, write=size)

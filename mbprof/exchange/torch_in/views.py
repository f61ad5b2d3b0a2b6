"""Tensors of a framework as views of a draft's tensors: what only reads elements anew is no op.

A framework reshapes and transposes all the time, mostly so that the next call fits. Such a view is
kept with the value and becomes an op only where the next op needs the elements in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from mbprof.exchange.draft import Draft
from mbprof.exchange.rules import new
from mbprof.language.fmt import Shape, Shapes
from mbprof.language.record import NamedTuple
from mbprof.language.source import MAX_LISTED
from mbprof.ops import Op
from mbprof.symbolic.arithmetic import product

_FEW = 8
"""Of so many equal parts at most one is said to be a part, else a slice."""


class Value(NamedTuple):
    """A tensor of a framework, read from a tensor of the draft.

    ``shape`` is that of the framework, with the batch axis. Without ``order`` the elements stand
    row by row as in the draft. With it the draft's tensor has the sizes ``seen``, none of them 1,
    and axis i of the value, sizes of 1 left out, is its axis ``order[i]``.
    """

    shape: Shape
    tensor: str
    seen: Shape = ()
    order: tuple[int, ...] = ()


def core(shape: Shape) -> Shape:
    """Return the sizes other than 1.

    >>> core((1, 64, 1, 49))
    (64, 49)
    """
    return tuple(n for n in shape if n != 1)


def plain(shape: Shape) -> Shape:
    """Return a shape without the batch axis of size 1; a single number is a vector of one.

    >>> plain((1, 3, 8, 8)), plain((64, 49, 96)), plain(())
    ((3, 8, 8), (64, 49, 96), (1,))
    """
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or (1,)


def _bare(shape: Shape) -> Shape:
    """Return a shape without the sizes of 1 at its start."""
    return shape[next((i for i, n in enumerate(shape) if n != 1), len(shape)) :]


class Tape:
    """Writes ops to a draft; values that only differ in their view share a tensor."""

    def __init__(self, draft: Draft, name: Callable[[str], str]) -> None:
        self.draft, self.name = draft, name
        self._forms: dict[tuple[str, object], str] = {}
        self._count = 0

    def fresh(self) -> str:
        """Return the name of a tensor that is not there yet."""
        self._count += 1
        return f"v{self._count}"

    def emit(
        self, op: Op, inputs: Sequence[str], *, name: str = "", call: str = "", share: str = ""
    ) -> tuple[str, ...]:
        """Add an op and return its outputs.

        Raises: ExchangeError, ShapeError: the op does not take the inputs.
        """
        made = op.shapes(tuple(map(self.draft.shape, inputs)))
        outputs = [self.fresh() for _ in made]
        name = name or self.name(op.word)
        self.draft.add(op, inputs, outputs, made, name, call=call, share=share)
        return tuple(outputs)

    def one(self, op: Op, *inputs: str, **said: str) -> str:
        """Add an op with one output and return that."""
        return self.emit(op, inputs, **said)[0]

    def unknown(self, kind: str, inputs: Sequence[str], shapes: Shapes) -> tuple[str, ...]:
        """Add something that there is no rule for, and return its outputs."""
        outputs = [self.fresh() for _ in shapes]
        self.draft.unknown(kind, inputs, outputs, shapes, self.name(kind))
        return tuple(outputs)

    def _form(self, key: object, tensor: str, make: Callable[[], str]) -> str:
        if (tensor, key) not in self._forms:
            self._forms[tensor, key] = make()
        return self._forms[tensor, key]

    def raw(self, tensor: str, shape: Shape) -> str:
        """Return a tensor of the draft in another shape."""
        if self.draft.shape(tensor) == shape:
            return tensor
        return self._form(shape, tensor, lambda: self.one(new("reshape", to=shape), tensor))

    def want(self, value: Value, shape: Shape) -> str:
        """Return a value as a tensor of the draft that has a shape."""
        return self.raw(self.moved(value, shape).tensor, shape)

    def whole(self, value: Value) -> str:
        """Return a value as a tensor of the draft, in its own shape without the batch axis."""
        return self.want(value, plain(value.shape))

    def moved(self, value: Value, shape: Shape = ()) -> Value:
        """Return a value whose elements stand in their own order; ``shape`` is what comes next."""
        if not value.order:
            return value
        key = (value.seen, value.order, core(shape) if len(value.order) == 2 else ())
        made = self._form(key, value.tensor, lambda: self._order(value, core(shape)))
        return Value(value.shape, made)

    def _order(self, value: Value, after: Shape) -> str:
        seen, order, own = value.seen, value.order, self.draft.shape(value.tensor)
        if order == (1, 0) and len(own) == 3 and own[0] == seen[0]:
            return self.one(new("tokens"), value.tensor)
        if order == (1, 2, 0):
            return self.one(new("tokens"), self.raw(value.tensor, seen))
        if order == (1, 0) and len(after) == 3 and after[0] == seen[1]:
            return self.one(new("maps", size=after[1:]), self.raw(value.tensor, seen))
        if order == (2, 0, 1):
            tokens = self.raw(value.tensor, (seen[0] * seen[1], seen[2]))
            return self.one(new("maps", size=(seen[0], seen[1])), tokens)
        return self.one(new("permute", order=order), self.raw(value.tensor, seen))

    def reshape(self, value: Value, shape: Shape) -> Value:
        """Read the elements of a value in another shape."""
        if value.order and core(shape) != core(value.shape):
            value = self.moved(value, shape)
        return value._replace(shape=shape)

    def permute(self, value: Value, dims: Sequence[int]) -> Value:
        """Put the axes of a value into another order."""
        shape = tuple(value.shape[d] for d in dims)
        large = [d for d, n in enumerate(value.shape) if n != 1]
        order = tuple(large.index(d) for d in dims if value.shape[d] != 1)
        if value.order:
            order = tuple(value.order[i] for i in order)
        if order == tuple(range(len(order))):
            return Value(shape, value.tensor)
        return Value(shape, value.tensor, value.seen or core(value.shape), order)

    def axis(self, value: Value, axis: int) -> tuple[str, int]:
        """Return the draft's tensor under a value, and the axis of it that is ``axis`` there."""
        axis %= len(value.shape)
        if value.order:
            number = sum(n != 1 for n in value.shape[:axis])
            return self.raw(value.tensor, value.seen), value.order[number]
        own = plain(value.shape)
        return self.raw(value.tensor, own), axis - len(value.shape) + len(own)

    def block(self, value: Value, axis: int) -> tuple[str, int, int]:
        """Return a tensor, an axis of it, and of how many elements a step along ``axis`` is there.

        The parts of an axis can be taken of a tensor that has it merged with those behind it.
        """
        axis %= len(value.shape)
        seen, at = value.shape, axis
        if value.order:
            seen, at = value.seen, value.order[sum(n != 1 for n in value.shape[:axis])]
        own, outer = self.draft.shape(value.tensor), product(seen[:at])
        for place, n in enumerate(own):
            if product(own[:place]) == outer and n % seen[at] == 0:
                return value.tensor, place, n // seen[at]
        return *self.axis(value, axis), 1

    def resized(self, value: Value, tensor: str, axis: int, size: int) -> Value:
        """Return a value with another size of one axis, which ``tensor`` has where it was."""
        axis %= len(value.shape)
        shape = (*value.shape[:axis], size, *value.shape[axis + 1 :])
        if not value.order:
            return Value(shape, tensor)
        number = sum(n != 1 for n in value.shape[:axis])
        at = value.order[number]
        seen = (*value.seen[:at], size, *value.seen[at + 1 :])
        if size != 1:
            return Value(shape, tensor, seen, value.order)
        order = tuple(i - (i > at) for i in value.order if i != at)
        if order == tuple(range(len(order))):
            return Value(shape, tensor)
        return Value(shape, tensor, core(seen), order)

    def part(self, value: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Keep a part of a value along one axis."""
        axis %= len(value.shape)
        n = value.shape[axis]
        size = -(-(stop - start) // step)
        if size == n:
            return value
        tensor, at, of = self.block(value, axis) if step == 1 else (*self.axis(value, axis), 1)
        if step == 1 and n % size == 0 and start % size == 0 and n // size <= _FEW:
            op = new("split", parts=n // size, keep=start // size, axis=at)
        else:
            last = None if stop == n else stop * of
            op = new("slice", axis=at, start=start * of, stop=last, step=step)
        return self.resized(value, self.one(op, tensor), axis, size)

    def parts(self, value: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
        """Part a value along one axis."""
        if len(sizes) == 1:
            return [value]
        if len(sizes) > MAX_LISTED:
            ends = list(accumulate(sizes))
            return [self.part(value, axis, e - n, e) for e, n in zip(ends, sizes, strict=True)]
        tensor, at, of = self.block(value, axis)
        if len(set(sizes)) == 1:
            op = new("split", parts=len(sizes), axis=at)
        else:
            op = new("split", sizes=tuple(size * of for size in sizes), axis=at)
        made = self.emit(op, [tensor])
        return [self.resized(value, t, axis, n) for t, n in zip(made, sizes, strict=True)]

    def same(self, op: Op, value: Value, **said: str) -> Value:
        """Apply an op to each element, whatever the view."""
        return value._replace(tensor=self.one(op, value.tensor, **said))

    def joined(self, op: Op, values: Sequence[Value], shape: Shape, **said: str) -> Value:
        """Join values element by element, repeating sizes of 1."""
        first = values[0]
        alike = {(_bare(v.shape), v.seen, v.order) for v in values}
        if len(alike) == 1:
            own = self.draft.shape(first.tensor)
            tensors = [self.raw(v.tensor, own) for v in values]
            return first._replace(shape=shape, tensor=self.one(op, *tensors, **said))
        ordered = next((v for v in values if v.order and v.shape == shape), None)
        if ordered is not None:
            forms = [self._beside(v, ordered) for v in values]
            if all(form is not None for form in forms):
                tensors = [self.raw(v.tensor, f) for v, f in zip(values, forms, strict=True) if f]
                return ordered._replace(tensor=self.one(op, *tensors, **said))
        rank = len(shape)
        padded = [(1,) * (rank - len(v.shape)) + v.shape for v in values]
        drop = int(rank > 1 and shape[0] == 1)
        forms = [p[drop:] or (1,) for p in padded]
        if len({_bare(v.shape) for v in values}) == 1:
            moved = self.moved(first)
            own = self.draft.shape(moved.tensor)
            tensors = [moved.tensor, *(self.want(v, own) for v in values[1:])]
        else:
            tensors = [self.want(v, f) for v, f in zip(values, forms, strict=True) if f]
        return Value(shape, self.one(op, *tensors, **said))

    def _beside(self, value: Value, ordered: Value) -> Shape | None:
        """Return the shape in which a value meets one whose axes have another order, or None."""
        if (value.seen, value.order) == (ordered.seen, ordered.order):
            return ordered.seen if value.shape == ordered.shape else None
        padded = (1,) * (len(ordered.shape) - len(value.shape)) + value.shape
        if value.order or len(core(padded)) > 1:
            return None
        sizes = [m for m, n in zip(padded, ordered.shape, strict=True) if n != 1]
        return tuple(sizes[ordered.order.index(i)] for i in range(len(ordered.order)))

    def concat(self, values: Sequence[Value], axis: int, shape: Shape, **said: str) -> Value:
        """Put values behind each other along one axis."""
        axis %= len(shape)
        if len(values) == 1:
            return values[0]._replace(shape=shape)
        drop = int(len(shape) > 1 and shape[0] == 1)
        tensors = [self.want(v, v.shape[drop:]) for v in values]
        return Value(shape, self.one(new("concat", axis=axis - drop), *tensors, **said))

    def gather(self, value: Value, shape: Shape, axis: int | None = None) -> Value:
        """Take elements at constant positions: along one axis, or anywhere."""
        if axis is None or len(shape) != len(value.shape) or not axis % len(shape):
            flat = self.want(value, (product(value.shape),))
            return Value(shape, self.one(new("lookup", to=plain(shape)), flat))
        at = axis % len(shape) - len(shape) + len(plain(value.shape))
        op = new("lookup", to=(shape[axis],), axis=at)
        return Value(shape, self.one(op, self.whole(value)))

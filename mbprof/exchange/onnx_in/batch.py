"""Where the batch axis of a tensor went: shapes in mbprof are those of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

from mbprof.language.fmt import Shape

Axis: TypeAlias = int | None
Rule: TypeAlias = Callable[[Shape, int, Shape, Mapping[str, Any]], Axis]
"""From a shape, the batch axis in it, the shape that is made, and what the op says."""


def without(shape: Shape, axis: Axis, batch: int) -> Shape:
    """Return the shape of one image; where other sizes are merged with the batch, they stay.

    >>> without((4, 3, 8, 8), 0, 4), without((12, 49, 96), 0, 4), without((4,), 0, 4)
    ((3, 8, 8), (3, 49, 96), (1,))
    """
    if axis is None:
        return shape or (1,)
    left = () if shape[axis] == batch else (shape[axis] // batch,)
    return (*shape[:axis], *left, *shape[axis + 1 :]) or (1,)


def follow(
    kind: str,
    taken: Sequence[tuple[Shape, Axis]],
    made: Shape,
    attributes: Mapping[str, Any],
    batch: int,
) -> Axis:
    """Return the batch axis of an op's output, None where it has none or lost it."""
    number = next((n for n, (_, axis) in enumerate(taken) if axis is not None), None)
    if number is None:
        return None
    shape, axis = taken[number]
    assert axis is not None
    if kind in _ALIGNED:
        if kind == "MatMul" and min(len(other) for other, _ in taken[:2]) == 1:
            return axis if axis < len(made) else None
        at: Axis = len(made) - len(shape) + axis
    elif kind == "Einsum":
        at = _einsum(attributes["equation"], number, axis)
    else:
        at = _RULES.get(kind, _same)(shape, axis, made, {**attributes, "batch": batch})
    fits = at is not None and 0 <= at < len(made) and made[at] % batch == 0 and made[at] > 0
    return at if fits else None


def _same(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    if len(shape) == len(made) and (shape[axis] == made[axis] or shape[axis] > said["batch"]):
        return axis
    return _reshaped(shape, axis, made, said) if prod(shape) == prod(made) else None


def _reshaped(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    """Find the axis with as many elements before it, of which the batch is the outer factor."""
    before, reached = prod(shape[:axis]), 1
    for at, size in enumerate(made):
        if reached == before and size % said["batch"] == 0:
            return at
        reached *= size
    return None


def _transposed(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    order = said.get("perm") or [*range(len(shape))][::-1]
    return list(order).index(axis)


def _unsqueezed(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    new = {at % len(made) for at in said.get("axes") or ()}
    return [at for at in range(len(made)) if at not in new][axis]


def _squeezed(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    axes = said.get("axes")
    gone = {n for n, size in enumerate(shape) if size == 1 and n != axis} if axes is None else axes
    gone = {at % len(shape) for at in gone}
    return None if axis in gone else axis - sum(at < axis for at in gone)


def _reduced(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    axes = said.get("axes")
    gone = {at % len(shape) for at in (range(len(shape)) if axes is None else axes)}
    if axis in gone and (said["batch"] > 1 or not said.get("keepdims", 1)):
        return None
    return axis if said.get("keepdims", 1) else axis - sum(at < axis for at in gone)


def _gathered(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    along = said.get("axis", 0) % len(shape)
    if along == axis:
        return axis if len(made) == len(shape) else None
    return axis if axis < along else axis + len(made) - len(shape)


def _recurrent(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    return 0 if said.get("layout", 0) else len(made) - 2


def _first_axis(shape: Shape, axis: int, made: Shape, said: Mapping[str, Any]) -> Axis:
    return axis


def _einsum(equation: str, number: int, axis: int) -> Axis:
    terms, _, made = equation.replace(" ", "").partition("->")
    letter = terms.split(",")[number][axis]
    return made.index(letter) if letter in made else None


_ALIGNED = {
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "Equal", "Less",
    "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "PRelu", "Expand", "MatMul",
    "MatMulInteger", "QLinearMatMul", "QLinearAdd", "QLinearMul", "FusedMatMul", "BiasGelu",
    "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
}  # fmt: skip
"""Ops whose shapes are aligned at their last axes."""
_REDUCING = (
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ArgMax", "ArgMin",
)  # fmt: skip
_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Flatten"), _reshaped),
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
    "Gather": _gathered,
    **dict.fromkeys(_REDUCING, _reduced),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("TopK", "GridSample", "AffineGrid", "Col2Im", "DeformConv"), _first_axis),
}

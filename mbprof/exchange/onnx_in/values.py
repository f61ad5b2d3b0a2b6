"""Values that are known before a network runs: what exporters compute of shapes.

Only small arrays are computed; a table says how, by the name of the op.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
Attributes: TypeAlias = Mapping[str, Any]

LARGEST = 1 << 14
"""Elements of an array that is computed."""


def evaluate(
    kind: str, values: Sequence[Array | None], attributes: Attributes, opset: int
) -> list[Array] | None:
    """Return what an op makes of known arrays, None where that is not said or too large."""
    function = FUNCTIONS.get(kind)
    if function is None or any(v is not None and v.size > LARGEST for v in values):
        return None
    try:
        made = function([*values, *[None] * 5], {**attributes, "opset": opset})
    except _TooLarge:
        return None
    several = made if isinstance(made, list) else [made]
    arrays = [np.asarray(array) for array in several]
    return arrays if all(array.size <= LARGEST for array in arrays) else None


def axes_of(values: Sequence[Array | None], attributes: Attributes, at: int = 1) -> Any:
    """Return the axes of an op, which are an attribute or, in newer opsets, an input."""
    axes = attributes.get("axes")
    if axes is None and values[at] is not None:
        axes = np.asarray(values[at]).reshape(-1).tolist()
    return None if axes is None else tuple(int(axis) for axis in axes)


class _TooLarge(Exception):
    """An array has too many elements to be computed."""


def _small(count: int) -> None:
    if not 0 <= count <= LARGEST:
        raise _TooLarge


def _reshape(v: Sequence[Array], a: Attributes) -> Array:
    sizes = [int(n) for n in v[1].reshape(-1)]
    if not a.get("allowzero"):
        sizes = [v[0].shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return v[0].reshape(sizes)


def _slice(v: Sequence[Array], a: Attributes) -> Array:
    starts, ends = (v[i] if v[i] is not None else a[k] for i, k in ((1, "starts"), (2, "ends")))
    axes = v[3] if v[3] is not None else a.get("axes") or range(len(starts))
    steps = v[4] if v[4] is not None else [1] * len(starts)
    cut = [slice(None)] * v[0].ndim
    for first, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = int(end)
        cut[int(axis)] = slice(int(first), stop if stop >= -(2**31) else None, int(step))
    return v[0][tuple(cut)]


def _expand(v: Sequence[Array], a: Attributes) -> Array:
    sizes = np.broadcast_shapes(v[0].shape, tuple(int(n) for n in v[1]))
    _small(int(np.prod(sizes, dtype=object)))
    return np.broadcast_to(v[0], sizes)


def _filled(v: Sequence[Array], a: Attributes) -> Array:
    sizes = [int(n) for n in v[0]]
    _small(int(np.prod(sizes, dtype=object)))
    value = a.get("value")
    return np.full(sizes, np.float32(0) if value is None else np.asarray(value).reshape(-1)[0])


def _range(v: Sequence[Array], a: Attributes) -> Array:
    first, end, step = (x.reshape(-1)[0] for x in v[:3])
    _small(max(0, int(np.ceil((float(end) - float(first)) / float(step)))))
    return np.arange(first, end, step, dtype=v[0].dtype)


def _unsqueeze(v: Sequence[Array], a: Attributes) -> Array:
    return np.expand_dims(v[0], axes_of(v, a) or ())


def _split(v: Sequence[Array], a: Attributes) -> list[Array]:
    axis = a.get("axis", 0)
    sizes = v[1] if v[1] is not None else a.get("split")
    if sizes is None:
        return list(np.array_split(v[0], a["outputs"], axis))
    return np.split(v[0], np.cumsum(sizes)[:-1], axis)


def _divided(v: Sequence[Array], a: Attributes) -> Array:
    if np.issubdtype(v[0].dtype, np.integer):
        quotient = np.abs(v[0]) // np.abs(v[1])
        return (np.sign(v[0]) * np.sign(v[1]) * quotient).astype(v[0].dtype)
    return v[0] / v[1]


def _tile(v: Sequence[Array], a: Attributes) -> Array:
    _small(v[0].size * int(np.prod([int(n) for n in v[1]], dtype=object)))
    return np.tile(v[0], [int(n) for n in v[1]])


def _concat(v: Sequence[Array], a: Attributes) -> Array:
    return np.concatenate([x for x in v if x is not None], a.get("axis", 0))


def _reduced(function: Callable[..., Array]) -> Callable[[Sequence[Array], Attributes], Array]:
    def reduce(v: Sequence[Array], a: Attributes) -> Array:
        return function(v[0], axis=axes_of(v, a), keepdims=bool(a.get("keepdims", 1)))

    return reduce


def _two(function: Callable[..., Array]) -> Callable[[Sequence[Array], Attributes], Array]:
    return lambda v, a: function(v[0], v[1])


def _one(function: Callable[..., Array]) -> Callable[[Sequence[Array], Attributes], Array]:
    return lambda v, a: function(v[0])


def _clipped(v: Sequence[Array], a: Attributes) -> Array:
    low, high = (v[i] if v[i] is not None else a.get(k) for i, k in ((1, "min"), (2, "max")))
    return v[0] if low is None and high is None else np.clip(v[0], low, high)


def _cast(v: Sequence[Array], a: Attributes) -> Array:
    from onnx.helper import tensor_dtype_to_np_dtype

    return v[0].astype(tensor_dtype_to_np_dtype(a["to"]))


FUNCTIONS: dict[str, Callable[[Sequence[Array], Attributes], Array | list[Array]]] = {
    "Identity": _one(lambda x: x),
    "Cast": _cast,
    "Gather": lambda v, a: np.take(v[0], v[1].astype(np.int64), a.get("axis", 0)),
    "Concat": _concat,
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda v, a: np.squeeze(v[0], axes_of(v, a)),
    "Reshape": _reshape,
    "Flatten": lambda v, a: v[0].reshape(int(np.prod(v[0].shape[: a.get("axis", 1)])), -1),
    "Transpose": lambda v, a: np.transpose(v[0], a.get("perm")),
    "Slice": _slice,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Where": lambda v, a: np.where(v[0], v[1], v[2]),
    "Add": _two(np.add),
    "Sub": _two(np.subtract),
    "Mul": _two(np.multiply),
    "Div": _divided,
    "Mod": lambda v, a: (np.fmod if a.get("fmod") else np.mod)(v[0], v[1]),
    "Pow": _two(lambda x, y: np.power(x.astype(float), y).astype(x.dtype)),
    "Min": lambda v, a: np.minimum.reduce([x for x in v if x is not None]),
    "Max": lambda v, a: np.maximum.reduce([x for x in v if x is not None]),
    "Clip": _clipped,
    "Relu": _one(lambda x: np.maximum(x, 0)),
    "Sign": _one(np.sign),
    "Sum": lambda v, a: sum(x for x in v if x is not None),
    "CumSum": lambda v, a: np.cumsum(v[0], int(v[1].reshape(-1)[0])),
    "NonZero": _one(lambda x: np.array(np.nonzero(x), np.int64)),
    "Xor": _two(np.logical_xor),
    "Neg": _one(np.negative),
    "Abs": _one(np.abs),
    "Floor": _one(np.floor),
    "Ceil": _one(np.ceil),
    "Round": _one(np.round),
    "Sqrt": _one(np.sqrt),
    "Reciprocal": _one(lambda x: 1 / x),
    "Equal": _two(np.equal),
    "Greater": _two(np.greater),
    "GreaterOrEqual": _two(np.greater_equal),
    "Less": _two(np.less),
    "LessOrEqual": _two(np.less_equal),
    "Not": _one(np.logical_not),
    "And": _two(np.logical_and),
    "Or": _two(np.logical_or),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
}
"""How an op is computed, from its inputs and attributes."""

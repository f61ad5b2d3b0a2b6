"""How ops that move elements are written in ONNX, and those of tokens."""

from __future__ import annotations

from typing import Any

from mbprof.exchange import meaning
from mbprof.exchange.onnx_out.writer import Writer, Written, writes
from mbprof.language.fmt import Shape
from mbprof.ops.base import axis_of, channel_axis
from mbprof.symbolic.arithmetic import product

# Axes.


@writes("concat")
def _concat(w: Writer) -> Written:
    axis, varies = axis_of(w.shape, w.op.axis, "concat"), [*map(w.depends, range(len(w.inputs)))]
    parts = [
        w.expanded(x, shape) if any(varies) and not own else x
        for x, shape, own in zip(w.inputs, w.node.in_shapes, varies, strict=True)
    ]
    return w.emit("Concat", *parts, axis=axis + 1)


@writes("split")
def _split(w: Writer) -> Written:
    given, (x,) = w.op.axis, w.inputs
    axis = channel_axis(w.shape) if given is None else axis_of(w.shape, given, "split")
    sizes = w.op.sizes or (w.shape[axis] // w.op.parts,) * w.op.parts
    if w.op.keep is not None:
        first = sum(sizes[: w.op.keep])
        return w.cut(x, [axis], [first], [first + sizes[w.op.keep]])
    return w.emit_all("Split", len(sizes), x, w.ints(sizes), axis=axis + 1)


@writes("slice")
def _slice(w: Writer) -> Written:
    axis = axis_of(w.shape, w.op.axis, "slice")
    n, stop = w.shape[axis], w.op.stop
    first = w.op.start + n if w.op.start < 0 else w.op.start
    end = n if stop is None else stop + n if stop < 0 else stop
    part = (w.ints([number]) for number in (first, end, axis + 1, w.op.step))
    return w.emit("Slice", w.inputs[0], *part)


@writes("flatten")
def _flatten(w: Writer) -> Written:
    return w.emit("Flatten", w.inputs[0])


@writes("reshape")
def _reshape(w: Writer) -> Written:
    return w.reshape(w.inputs[0], w.made)


@writes("permute")
def _permute(w: Writer) -> Written:
    order = [axis_of(w.shape, axis, "permute") for axis in w.op.order]
    return w.transpose(w.inputs[0], order)


@writes("shuffle")
def _shuffle(w: Writer) -> Written:
    (c, high, wide), g = w.shape, w.op.groups
    x = w.reshape(w.inputs[0], (g, c // g, high, wide))
    return w.reshape(w.transpose(x, (1, 0, 2, 3)), w.shape)


@writes("tokens")
def _tokens(w: Writer) -> Written:
    c, high, wide = w.shape
    return w.transpose(w.reshape(w.inputs[0], (c, high * wide)), (1, 0))


@writes("maps")
def _maps(w: Writer) -> Written:
    return w.reshape(w.transpose(w.inputs[0], (1, 0)), w.made)


# Sizes of maps.


@writes("pad")
def _pad(w: Writer) -> Written:
    sides = [axis.padded for axis in w.op.axes(w.node.in_shapes)]
    behind = w.made[0] - w.shape[0]
    return w.pad(w.inputs[0], [(0, behind), *sides] if behind else sides)


@writes("crop")
def _crop(w: Writer) -> Written:
    first = [meaning.middle(n, m) for n, m in zip(w.shape[1:], w.made[1:], strict=True)]
    if w.op.padding is not None:
        first = [w.op.padding[0], w.op.padding[2]]
    end = [at + size for at, size in zip(first, w.made[1:], strict=True)]
    return w.cut(w.inputs[0], (1, 2), first, end)


@writes("resize")
def _resize(w: Writer) -> Written:
    x, nearest = w.inputs[0], w.op.mode == "nearest"
    sizes = list(zip(w.shape[1:], w.made[1:], strict=True))
    factors = [meaning.factor(n, m, w.op.by, nearest) for n, m in sizes]
    axes = list(zip((2, 3), sizes, factors, strict=True))
    if nearest and not all(_rounds_well(*size, by) for _, size, by in axes):
        for axis, size, by in axes:
            x = w.emit("Gather", x, w.ints(meaning.neighbours(*size, by)), axis=axis)
        return x
    whole = all(by == m / n for _, (n, m), by in axes)
    to = ("", w.ints(w.made[1:])) if whole else (w.constant([_scale(by, *s) for _, s, by in axes]),)
    how: dict[str, Any] = (
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if nearest
        else {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    )
    return w.emit("Resize", x, "", *to, axes=[2, 3], **how)


def _rounds_well(n: int, m: int, by: float) -> bool:
    """Whether positions come out in single precision as they are, where 8/(16/14) is below 7."""
    import numpy as np

    made, factor = np.arange(m, dtype=np.float32), np.float32(by)
    wanted = meaning.neighbours(n, m, by)
    ways = made / factor, made * (np.float32(1) / factor)
    return all(np.minimum(way.astype(int), n - 1).tolist() == wanted for way in ways)


def _scale(by: float, n: int, m: int) -> float:
    """Return a factor that makes m of n in single precision, too, where 0.7 is less than 7/10."""
    import numpy as np

    scale = np.float32(by)
    return float(scale if int(float(scale) * n) == m else np.nextafter(scale, np.float32(by + 1)))


@writes("pixelshuffle")
def _pixel_shuffle(w: Writer) -> Written:
    return w.emit("DepthToSpace", w.inputs[0], blocksize=w.op.by, mode="CRD")


@writes("pixelunshuffle")
def _pixel_unshuffle(w: Writer) -> Written:
    (c, high, wide), r = w.shape, w.op.by
    x = w.reshape(w.inputs[0], (c, high // r, r, wide // r, r))
    return w.reshape(w.transpose(x, (0, 2, 4, 1, 3)), w.made)


# Tokens.


@writes("param")
def _param(w: Writer) -> Written:
    return w.stored("value", (1, *w.op.shape))


@writes("lookup")
def _lookup(w: Writer) -> Written:
    axis = axis_of(w.shape, w.op.axis, "lookup")
    at = w.ints(meaning.positions(w.op.to, w.shape[axis]))
    return w.emit("Gather", w.inputs[0], at, axis=axis + 1)


@writes("matmul")
def _matmul(w: Writer) -> Written:
    left, right = w.inputs
    if w.op.transposed:
        rank = len(w.node.in_shapes[1])
        right = w.transpose(right, (*range(rank - 2), rank - 1, rank - 2))
    return w.emit("MatMul", left, right)


@writes("sdpa")
def _attention(w: Writer) -> Written:
    (n, c), (m, _), (_, c_v) = w.node.in_shapes[:3]
    h, windows, s = w.op.heads, w.op.windows, w.op.shared or w.op.heads
    apart, each = [windows] * (windows > 1), [h // s] * (s < h)  # axes that only some have
    d, d_v, alone = c // h, c_v // s, [1] * (s < h)
    rank = len(apart) + len(each) + 3
    heads = range(len(apart) + 1, rank - 1)
    behind, token = range(len(apart)), len(apart)
    q, k, v = w.inputs[:3]
    q = w.transpose(
        w.reshape(q, (*apart, n // windows, s, *each, d)), (*behind, *heads, token, rank - 1)
    )
    k = w.transpose(
        w.reshape(k, (*apart, m // windows, s, *alone, d)), (*behind, *heads, rank - 1, token)
    )
    v = w.transpose(
        w.reshape(v, (*apart, m // windows, s, *alone, d_v)), (*behind, *heads, token, rank - 1)
    )
    scores = w.emit("Mul", w.emit("MatMul", q, k), w.constant(d**-0.5))
    if len(w.inputs) == 4:
        scores = w.emit("Add", scores, _bias(w, (n // windows, m // windows), [s, *each]))
    y = w.emit("MatMul", w.emit("Softmax", scores, axis=-1), v)
    return w.reshape(w.transpose(y, (*behind, rank - 2, *(a - 1 for a in heads), rank - 1)), w.made)


def _bias(w: Writer, scores: Shape, heads: list[int]) -> str:
    """Return the bias of an attention in the shape of its scores: windows, heads, rows, columns."""
    x, shape, windows = w.inputs[3], w.node.in_shapes[3], w.op.windows
    bias = meaning.biased(shape, w.op.heads, windows, *scores)
    if bias.heads:
        x = w.transpose(x, (bias.heads, *range(bias.heads)))
    at = w.ints(meaning.positions(bias.to, bias.rows)) if bias.rows != product(bias.to) else ""
    if at:
        lead = () if bias.heads is None else (w.op.heads,)
        x = w.emit("Gather", w.reshape(x, (*lead, bias.rows)), at, axis=1 + len(lead))
    if bias.windows:  # the heads' windows become the windows' heads
        x, rank = w.reshape(x, (*heads, windows, *scores)), len(heads)
        return w.transpose(x, (rank, *range(rank), rank + 1, rank + 2))
    return w.reshape(x, (*[1] * (windows > 1), *heads, *scores))


@writes("rope")
def _rope(w: Writer) -> Written:
    import numpy as np

    (n, c), first = w.shape, w.op.first
    if first == n:
        return w.inputs[0]
    x = w.cut(w.inputs[0], [0], [first], [n]) if first else w.inputs[0]
    signs = np.tile([-1.0, 1.0], c // 2)
    at = np.arange(n - first)[:, None]
    if len(w.inputs) == 1:
        angles = at * np.repeat(meaning.frequencies(c), 2)
        cosines, sines = w.constant(np.cos(angles)), w.constant(np.sin(angles) * signs)
    else:
        size = product(w.node.in_shapes[1])
        pairs = np.repeat(meaning.positions((c // 2,), size), 2)
        turns = w.emit("Gather", w.reshape(w.inputs[1], (1, size)), w.ints(pairs), axis=2)
        turned = w.emit("Mul", turns, w.constant(at))
        cosines = w.emit("Cos", turned)
        sines = w.emit("Mul", w.emit("Sin", turned), w.constant(signs))
    swapped = np.arange(c).reshape(-1, 2)[:, ::-1].ravel()
    across = w.emit("Mul", w.emit("Gather", x, w.ints(swapped), axis=2), sines)
    y = w.emit("Add", w.emit("Mul", x, cosines), across)
    start = [w.cut(w.inputs[0], [0], [0], [first])] if first else []
    return w.emit("Concat", *start, y, axis=1) if first else y

"""Rules for what joins, parts, turns, reduces and resizes tensors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from mbprof.exchange import composed
from mbprof.exchange.onnx_in.convs import maps_of
from mbprof.exchange.onnx_in.graph import Node
from mbprof.exchange.onnx_in.layers import rows
from mbprof.exchange.onnx_in.translate import Translator, emit_of, led, rule
from mbprof.exchange.rules import NoRule, new
from mbprof.language.fmt import Shape
from mbprof.ops.base import Op

COPIES = (
    "Identity", "Dropout", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "Reshape",
    "Flatten", "Squeeze", "Unsqueeze",
)  # fmt: skip
"""What hands its first input on, in another type or form."""


@rule(*COPIES)
def copied(t: Translator, node: Node) -> None:
    """Hand a tensor on; its new shape is seen where it is taken."""
    t.same(node, node.inputs[0])


@rule("Expand", "Tile")
def expanded(t: Translator, node: Node) -> None:
    """Repeat a tensor; where nothing is repeated it is handed on."""
    x, made = node.inputs[0], node.outputs[0]
    if prod(t.shape(x)) == prod(t.shape(made)):
        t.same(node, x)
        return
    own, shape = t.aligned(node, [x])[0]
    for axis, size in enumerate(t.shape(made)):
        if shape[axis] != size:
            step = new("lookup", to=(size,), axis=axis)
            shape = step.shapes((shape,))[0]
            own = t.emit(node, step, [own], shape, part=f"axis{axis}")
    t.same_as(node, own, shape)


@rule("Softmax", "LogSoftmax", "QLinearSoftmax")
def softmax(t: Translator, node: Node) -> None:
    """Turn scores into shares along an axis; in old opsets along all from that axis on."""
    x, old = node.inputs[0], t.walk.opset < 13
    full = t.tensor(x).shape
    axis = node.attributes.get("axis", 1 if old else -1) % len(full)
    shape = t.shape(x)
    if old and axis != len(full) - 1:
        last = prod(full[axis:])
        shape = (prod(shape) // last, last)
        at = 1
    else:
        at = t.axis(x, axis)
    t.emit(node, new("softmax", axis=at), [t.take(x, shape)], shape)


@rule("Concat", "QLinearConcat")
def concat(t: Translator, node: Node) -> None:
    """Put tensors behind each other; those without a batch axis lose the one of 1 in its place."""
    names = [*node.inputs[2::3]] if node.kind == "QLinearConcat" else [*node.inputs]
    names = [name for name in names if prod(t.tensor(name).shape)]
    joined = t.aligned(node, names)
    if len(joined) == 1:
        t.same(node, names[0])
        return
    taken, shapes = zip(*joined, strict=True)
    step = new("concat", axis=t.axis(node.outputs[0], node.attributes.get("axis", 1)))
    t.emit(node, step, taken, step.shapes(shapes)[0])


@rule("Transpose")
def transpose(t: Translator, node: Node) -> None:
    """Put axes into another order; moving only sizes of 1 is a view."""
    x = node.inputs[0]
    rank = len(t.tensor(x).shape)
    order = [int(i) for i in node.attributes.get("perm") or range(rank)[::-1]]
    tensor = t.tensor(x)
    kept = order
    if tensor.batch is not None and tensor.shape[tensor.batch] == t.walk.batch:
        kept = [axis - (axis > tensor.batch) for axis in order if axis != tensor.batch]
    shape = t.shape(x)
    moving = [axis for axis in kept if shape[axis] > 1] if shape != (1,) else []
    if moving == sorted(moving):
        t.same(node, x)
        return
    t.emit(
        node, new("permute", order=tuple(kept)), [t.take(x)], tuple(shape[axis] for axis in kept)
    )


@rule("Split")
def split(t: Translator, node: Node) -> None:
    """Part a tensor along an axis."""
    x, outputs = node.inputs[0], [name for name in node.outputs if name]
    axis = t.axis(x, node.attributes.get("axis", 0))
    shapes = tuple(t.shape(name) for name in outputs)
    step = new("split", sizes=tuple(shape[axis] for shape in shapes), axis=axis)
    made = [t.fresh(name) for name in outputs]
    if len(made) == 1:
        t.same(node, x)
        return
    t.draft.add(step, [t.take(x)], made, shapes, t.label(node))
    for name, own, shape in zip(outputs, made, shapes, strict=True):
        t.at[name] = own, shape


@rule("Slice")
def cut(t: Translator, node: Node) -> None:
    """Keep a part along each of some axes."""
    x = node.inputs[0]
    full = t.tensor(x).shape
    starts, ends = t.values(node, 1, "starts"), t.values(node, 2, "ends")
    if starts is None or ends is None:
        raise NoRule
    axes = t.values(node, 3, "axes") or [*range(len(starts))]
    steps = t.values(node, 4, "") or [1] * len(starts)
    own, shape, parts = t.take(x), t.shape(x), 0
    for first, end, axis, by in zip(starts, ends, axes, steps, strict=True):
        n = full[axis % len(full)]
        at = t.axis(x, axis) if by < 0 else 0
        begin, stop, stride = slice(first, end, by).indices(n)
        if by < 0:
            turned = new("lookup", to=(len(range(begin, stop, stride)),), axis=at)
            shape = turned.shapes((shape,))[0]
            own = t.emit(node, turned, [own], shape, part=f"turned{axis}")
            continue
        if (begin, stop, stride) == (0, n, 1):
            continue
        at = t.axis(x, axis)
        whole: int | None = stop if stop < shape[at] else None
        step = new("slice", axis=at, start=begin, stop=whole, step=stride)
        shape = step.shapes((shape,))[0]
        own = t.emit(node, step, [own], shape, part=f"part{parts}" if parts else "part")
        parts += 1
    t.same_as(node, own, shape)


@rule("Gather")
def gather(t: Translator, node: Node) -> None:
    """Take one position of an axis, which is a slice, or look up several."""
    x = node.inputs[0]
    indices, axis = t.tensor(node.inputs[1]), t.axis(x, node.attributes.get("axis", 0))
    shape, own = t.shape(x), t.take(x)
    if not indices.fixed:
        to = t.shape(node.inputs[1])
        step = new("lookup", to=to, axis=axis)
        made = step.shapes((shape,))[0]
        own = t.emit(node, step, [own], made, part="taken")
        t.same_as(node, led(t, node, own, made, node.inputs[1:2]), made)
        return
    if prod(indices.shape) == 1:
        at = 0 if indices.value is None else int(indices.value.reshape(-1)[0]) % shape[axis]
        if shape[axis] == 1:
            t.same(node, x)
            return
        stop = at + 1 if at + 1 < shape[axis] else None
        step = new("slice", axis=axis, start=at, stop=stop)
    else:
        step = new("lookup", to=tuple(indices.shape), axis=axis)
    t.emit(node, step, [own], step.shapes((shape,))[0])


@rule("GatherND", "GatherElements", "ReverseSequence", "MaxUnpool", "Compress")
def gathered(t: Translator, node: Node) -> None:
    """Look up elements anywhere, at fixed positions or at those that an image decides."""
    x, made = node.inputs[0], t.shape(node.outputs[0])
    shape, count = t.shape(x), t.tensor(node.inputs[1]).shape[-1] if node.kind == "GatherND" else 0
    batch = t.tensor(x).batch
    whole = batch is None or batch >= count
    if count and whole and t.tensor(node.inputs[1]).fixed and not node.attributes.get("batch_dims"):
        flat: Shape = (prod(shape[:count]), *shape[count:])  # whole rows
        to = t.tensor(node.inputs[1]).shape[:-1]
    else:
        flat, to = (prod(shape),), made
    step = new("lookup", to=to, axis=0)
    has = step.shapes((flat,))[0]
    own = t.emit(node, step, [t.take(x, flat)], has, part="taken")
    t.same_as(node, led(t, node, own, has, node.inputs[1:2]), has)


@rule("ScatterND", "ScatterElements", "Scatter", "TensorScatter")
def scattered(t: Translator, node: Node) -> None:
    """Take each element from one of two tensors; one that is added or compared is a step more."""
    x, places, updates = node.inputs[0], node.inputs[1], node.inputs[2]
    shape, size = t.shape(x), prod(t.shape(updates))
    if node.kind == "TensorScatter":
        places, updates = node.inputs[2] if len(node.inputs) > 2 else "", node.inputs[1]
        size = prod(t.shape(updates))
    values = t.take(updates, (size,))
    if node.attributes.get("reduction", "none") != "none":
        values = t.emit(node, new("act", function="neg"), [values], (size,), part="joined")
    both = (prod(shape) + size,)
    own = t.emit(node, new("concat"), [t.take(x, (prod(shape),)), values], both, part="both")
    own = t.emit(node, new("lookup", to=shape), [own], shape, part="placed")
    t.same_as(node, led(t, node, own, shape, [places]), shape)


REDUCED = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "max",
    "ReduceL1": "sum", "ReduceL2": "sum", "ReduceSumSquare": "sum", "ReduceLogSum": "sum",
    "ReduceLogSumExp": "sum",
}  # fmt: skip
"""The op that stands for a reduction; what is done to each element before and behind is besides."""


_BEFORE = {
    "ReduceL1": "abs", "ReduceL2": "square", "ReduceSumSquare": "square", "ReduceLogSumExp": "exp",
}  # fmt: skip
_BEHIND = {"ReduceL2": "sqrt", "ReduceLogSum": "log", "ReduceLogSumExp": "log"}
"""What is done to each element before a reduction, and to its result."""


@rule(*REDUCED)
def reduce(t: Translator, node: Node) -> None:
    """Take vectors along axes for one value; the mean of whole maps is a pooling."""
    x, kind = node.inputs[0], node.kind
    rank, shape = len(t.tensor(x).shape), t.shape(x)
    said = t.values(node, 1, "axes")
    if said is None and node.attributes.get("noop_with_empty_axes"):
        t.same(node, x)
        return
    axes = tuple(sorted({t.axis(x, axis) for axis in (range(rank) if said is None else said)}))
    own = t.take(x)
    if first := _BEFORE.get(kind):
        own = t.emit(node, new("act", function=first), [own], shape, part=first)
    if all(shape[axis] == 1 for axis in axes):
        t.same_as(node, own, shape)
        return
    whole = kind == "ReduceMean" and axes == (1, 2) and len(shape) == 3
    step: Op = new("gap") if whole else new(REDUCED[kind], along=axes, keep=True)
    last = _BEHIND.get(kind)
    made = step.shapes((shape,))[0]
    own = t.emit(node, step, [own], made, part="sum" if last else "")
    if last:
        t.emit(node, new("act", function=last), [own], made)


@rule("LpNormalization")
def normalised(t: Translator, node: Node) -> None:
    """Divide vectors by their length."""
    x = node.inputs[0]
    rank = len(t.tensor(x).shape)
    if node.attributes.get("axis", -1) % rank != rank - 1 or node.attributes.get("p", 2) != 2:
        raise NoRule
    shape = rows(t.shape(x))
    t.emit(node, new("rms", scale=False), [t.take(x, shape)], shape)


@rule("Pad")
def pad(t: Translator, node: Node) -> None:
    """Surround maps with zeros, or any tensor along one axis after the other."""
    x, pads = node.inputs[0], t.values(node, 1, "pads")
    full = t.tensor(x).shape
    axes = t.values(node, 3, "") or [*range(len(full))]
    if pads is None:
        raise NoRule
    own, shape = t.take(x), t.shape(x)
    count = len(pads) // 2
    sides = {a % len(full): (pads[i], pads[i + count]) for i, a in enumerate(axes)}
    wanted = {t.axis(x, axis): pair for axis, pair in sides.items() if any(pair)}
    maps = len(shape) == 3 and not wanted.keys() - {1, 2}
    top, left = wanted.get(1, (0, 0)), wanted.get(2, (0, 0))
    if wanted and maps and min(*top, *left) >= 0:
        step: Op = new("pad", padding=(*top, *left))
        t.emit(node, step, [own], step.shapes((shape,))[0])
        return
    for axis, (before, after) in wanted.items():
        flat: Shape = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        own = t.seen(own, shape, flat, node.outputs[0])
        for amounts, make in (((before, after), "pad"), ((-before, -after), "crop")):
            ends = tuple(max(amount, 0) for amount in amounts)
            if any(ends):
                step = new(make, padding=(*ends, 0, 0))
                flat = step.shapes((flat,))[0]
                own = t.emit(node, step, [own], flat, part=f"axis{axis}{make}")
        made = (*shape[:axis], flat[1], *shape[axis + 1 :])
        own, shape = t.seen(own, flat, made, node.outputs[0]), made
    t.same_as(node, own, shape)


_TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
"""How many values along an axis a mode of interpolation weighs."""


@rule("Resize", "Upsample")
def resize(t: Translator, node: Node) -> None:
    """Interpolate maps; a factor is kept as one, so that other sizes of the image work."""
    x, mode = node.inputs[0], node.attributes.get("mode", "nearest")
    full, made = t.tensor(x).shape, t.tensor(node.outputs[0]).shape
    axes = [axis for axis, sizes in enumerate(zip(full, made, strict=True)) if len({*sizes}) > 1]
    if not axes:
        t.same(node, x)
        return
    if mode not in _TAPS or min(axes) < 2:
        raise NoRule
    taps = _TAPS[mode] ** (len(full) - 2 if len(full) < 5 else len(axes))
    shape: Shape
    if len(full) != 4:
        shape = (prod(t.shape(x)) // prod(full[2:]), full[2], prod(full[3:]))
        size = (made[2], prod(made[3:]))
    else:
        shape, size = maps_of(t, x), (made[2], made[3])
    (high, wide), own = size, t.take(x, shape)
    whole = high % shape[1] == 0 == wide % shape[2] and high // shape[1] == wide // shape[2]
    if taps not in (1, 4):
        own = composed.interpolated(emit_of(t, node), own, size, taps)
        t.same_as(node, own, (shape[0], *size))
        return
    how = "nearest" if taps == 1 else "bilinear"
    step = (
        new("resize", by=high // shape[1], mode=how)
        if whole
        else new("resize", size=size, mode=how)
    )
    t.emit(node, step, [own], (shape[0], high, wide))


@rule("DepthToSpace", "SpaceToDepth")
def shuffled(t: Translator, node: Node) -> None:
    """Put channels beside each other, or pixels behind each other."""
    shape, by = maps_of(t, node.inputs[0]), int(node.attributes["blocksize"])
    step: Op = (
        new("pixelshuffle", by=by) if node.kind == "DepthToSpace" else new("pixelunshuffle", by=by)
    )
    t.emit(node, step, [t.take(node.inputs[0], shape)], step.shapes((shape,))[0])


@rule("Einsum")
def einsum(t: Translator, node: Node) -> None:
    """Multiply two tensors as stacks of matrices, their axes in order first."""
    terms, _, made = node.attributes["equation"].replace(" ", "").partition("->")
    letters = terms.split(",")
    if len(letters) != 2 or not made or any(len({*own}) != len(own) for own in letters):
        raise NoRule
    (a, b), out = letters, t.tensor(node.outputs[0])
    if out.batch is not None and out.shape[out.batch] == t.walk.batch:
        gone = made[out.batch]
        a, b, made = (own.replace(gone, "") for own in (a, b, made))
    sizes: dict[str, int] = {}
    for own, name in zip((a, b), node.inputs, strict=True):
        sizes |= zip(own, t.shape(name), strict=True)
    stack = [c for c in made if c in a and c in b]
    inner = [c for c in a if c in b and c not in made]
    left, right = ([c for c in own if c not in other] for own, other in ((a, b), (b, a)))
    if any(c not in made for c in (*left, *right)):
        raise NoRule
    count = [prod(sizes[c] for c in axes) for axes in (stack, left, inner, right)]
    s, m, k, n = count
    own_a = _ordered(t, node, node.inputs[0], a, [*stack, *left, *inner], (s, m, k))
    own_b = _ordered(t, node, node.inputs[1], b, [*stack, *inner, *right], (s, k, n))
    own = t.emit(node, new("matmul"), [own_a, own_b], (s, m, n), part="product")
    axes = [*stack, *left, *right]
    shape = tuple(sizes[c] for c in axes) or (1,)
    own = t.seen(own, (s, m, n), shape, node.outputs[0])
    order = tuple(axes.index(c) for c in made)
    if order != tuple(range(len(axes))):
        shape = tuple(shape[i] for i in order)
        own = t.emit(node, new("permute", order=order), [own], shape, part="order")
    t.same_as(node, own, shape)


def _ordered(
    t: Translator, node: Node, name: str, own: str, axes: Sequence[str], flat: Shape
) -> str:
    shape, tensor = t.shape(name), t.take(name)
    order = tuple(own.index(c) for c in axes)
    if order != tuple(range(len(own))):
        shape = tuple(shape[i] for i in order)
        tensor = t.emit(node, new("permute", order=order), [tensor], shape, part=f"axes_{own}")
    return t.seen(tensor, shape, flat, name)


@rule("DynamicQuantizeLinear")
def quantised(t: Translator, node: Node) -> None:
    """Quantise by the least and the largest value, which are looked for."""
    x = node.inputs[0]
    t.same(node, x)
    shape: Any = t.shape(x)
    flat = (prod(shape),)
    own = t.emit(node, new("max", along=(0,), keep=True), [t.take(x, flat)], (1,), part="range")
    for name in node.outputs[1:]:
        t.at[name] = own, (1,)

"""Layers of Keras that are several ops of the language, and the operations of keras.ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mbprof.exchange import composed
from mbprof.exchange.composed import Recurrent
from mbprof.exchange.keras_in.layers import LAYERS, Walk, layer
from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.views import Value, plain
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.symbolic.arithmetic import product

EACH = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Silu": "silu", "Tanh": "tanh",
    "Gelu": "gelu", "Elu": "elu", "Selu": "elu", "HardSigmoid": "hsigmoid", "HardSilu": "hswish",
    "LeakyRelu": "leaky_relu", "Mish": "mish", "Softplus": "softplus", "Exp": "exp", "Log": "log",
    "Log1p": "neg log", "Sqrt": "sqrt", "Rsqrt": "sqrt reciprocal", "Square": "square",
    "Abs": "abs", "Absolute": "abs", "Negative": "neg", "Reciprocal": "reciprocal", "Sin": "sin",
    "Cos": "cos", "Erf": "erf", "Floor": "round", "Ceil": "round", "Round": "round",
    "Sign": "round", "Clip": "relu6", "Softsign": "abs neg reciprocal square", "Cumsum": "neg",
    "LogicalNot": "round", "NotEqual": "round", "Discretization": "round",
}  # fmt: skip
"""What is computed of each element, as activations that are applied in turn."""
ALIKE = {
    "Cast": "Identity", "StopGradient": "Identity", "SpatialDropout3D": "Identity",
    "RandomFlip": "Identity", "RandomRotation": "Identity", "RandomZoom": "Identity",
    "RandomContrast": "Identity", "RandomTranslation": "Identity", "RandomBrightness": "Identity",
    "RandomErasing": "Identity", "Add": "Add", "Maximum": "Add", "Minimum": "Add",
    "Less": "Add", "Greater": "Add", "Equal": "Add", "Where": "Add",
}  # fmt: skip
"""What costs as another layer does; what only training changes hands its input on."""
_CELLS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}


def _emit(w: Walk) -> composed.Emit:
    path = w.path

    def emit(op: Op, *taken: str, part: str, share: str = "") -> str:
        return w.tape.one(op, *taken, name=f"{path}/{part}", share=share)

    return emit


@layer(*EACH)
def _each(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if len(taken) != 1:
        return w.tape.joined(new("add"), taken, out)
    value = taken[0]
    for function in EACH[type(it).__name__].split():
        value = w.tape.same(new("act", function=function), value)
    return value


for _name, _other in ALIKE.items():
    LAYERS.setdefault(_name, LAYERS[_other])


@layer("Average")
def _average(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if len(taken) < 2:
        return None
    total = w.tape.joined(new("add"), taken, out)
    return w.tape.same(new("times", by=1 / len(taken)), total)


@layer("Divide", "TrueDivide")
def _divide(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    if len(taken) > 1:
        inverse = w.tape.same(new("act", function="reciprocal"), taken[1])
        return w.tape.joined(new("mul"), [taken[0], inverse], out)
    number = next((a for a in said.args if isinstance(a, int | float)), None)
    if said.args and said.args[0] is number:
        return w.tape.same(new("act", function="reciprocal"), taken[0])
    return w.tape.same(new("times", by=1 / number if number else 1.0), taken[0])


@layer("Power")
def _power(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    exponent = next((a for a in said.args if isinstance(a, int | float)), None)
    function = {2: "square", 0.5: "sqrt", -1: "reciprocal"}.get(exponent or 0, "exp")
    return w.tape.same(new("act", function=function), taken[0])


@layer("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Argmax", "Argmin")
def _reduced(w: Walk, it: Any, taken: list[Value], out: Shape, _: Any) -> Value:
    kind = {"Mean": "mean", "Sum": "sum"}.get(type(it).__name__, "max")
    value, rank = taken[0], len(taken[0].shape)
    axes = (
        range(rank) if it.axis is None else it.axis if isinstance(it.axis, Sequence) else [it.axis]
    )
    axes = [axis % rank for axis in axes if value.shape[axis] != 1]
    if axes:
        places = [w.tape.axis(value, axis) for axis in axes]
        along = tuple(sorted(at for _, at in places))
        made = w.tape.one(new(kind, along=along, keep=True), places[0][0])
        for axis in axes:
            value = w.tape.resized(value, made, axis, 1)
    return w.tape.reshape(value, out)


@layer("LSTM", "GRU", "SimpleRNN")
def _recurrent(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    made = _run(w, it, taken, w.path)
    return w.tape.reshape(made if it.return_sequences else _last(w, made), out) if made else None


@layer("Bidirectional")
def _both(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Run a layer in both directions, and put the states behind each other or join them."""
    sides = [
        _run(w, one, taken, f"{w.path}/{name}")
        for one, name in ((it.forward_layer, "forward"), (it.backward_layer, "backward"))
    ]
    if it.merge_mode is None or any(side is None for side in sides):
        return None
    whole = it.forward_layer.return_sequences
    parts = [side if whole else _last(w, side) for side in sides if side]
    if it.merge_mode == "concat":
        return w.tape.concat(parts, len(parts[0].shape) - 1, out)
    made = w.tape.joined(new("mul" if it.merge_mode == "mul" else "add"), parts, out)
    return w.tape.same(new("times", by=0.5), made) if it.merge_mode == "ave" else made


def _run(w: Walk, it: Any, taken: Sequence[Value], path: str) -> Value | None:
    """Return the states (1, T, H) of a recurrent layer; with other inputs there is no rule."""
    kind = next((c.__name__ for c in type(it).__mro__ if c.__name__ in _CELLS), None)
    if kind is None or len(taken) != 1 or it.return_state:
        return None
    names = {"relu": "relu", "sigmoid": "sigmoid"}
    function = names.get(getattr(it.activation, "__name__", ""), "tanh")
    twice = kind == "GRU" and it.use_bias and it.cell.reset_after
    shares = (f"{path}/w", f"{path}/u", "")
    cell = Recurrent(
        _CELLS[kind], int(it.units), (it.use_bias, twice), function=function, shares=shares
    )
    _, steps, channels = taken[0].shape
    x = w.tape.want(taken[0], (steps, channels))
    outside, w.path = w.path, path
    states, _ = composed.recurrent(_emit(w), x, cell)
    w.path = outside
    return Value((1, steps, int(it.units)), states)


def _last(w: Walk, states: Value) -> Value:
    made = w.tape.part(states, 1, states.shape[1] - 1, states.shape[1])
    return w.tape.reshape(made, (1, states.shape[-1]))


@layer("TimeDistributed")
def _distributed(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Apply a layer to each step; a dense one takes them all at once."""
    inner, value = it.layer, taken[0]
    name = type(inner).__name__
    rule, path = LAYERS.get(name), w.path
    if rule is None:
        return None
    if name in ("Dense", "Activation", "Dropout", "LayerNormalization", "BatchNormalization"):
        return rule(w, inner, taken, out, said)
    parts = w.tape.parts(value, 1, [1] * value.shape[1])
    images = [w.tape.reshape(part, (1, *value.shape[2:])) for part in parts]
    w.path = f"{path}/step"
    made = [rule(w, inner, [image], (1, *out[2:]), said) for image in images]
    w.path = path
    if any(one is None for one in made):
        return None
    steps = [w.tape.reshape(one, (1, 1, *out[2:])) for one in made if one]
    return w.tape.concat(steps, 1, out)


@layer("Embedding")
def _embedding(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    rows = w.param((int(it.input_dim), int(it.output_dim)))
    return Value(out, w.tape.one(new("lookup", to=plain(out[:-1])), rows.tensor))


@layer("RepeatVector")
def _repeated(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    return w.tape.gather(w.tape.reshape(taken[0], (1, 1, *taken[0].shape[1:])), out, 1)


@layer("Dot", "Matmul")
def _product(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Multiply two tensors of the network as stacks of matrices, or vectors."""
    if len(taken) != 2:
        return None
    left, right = taken
    if type(it).__name__ == "Dot":
        axes = (it.axes, it.axes) if isinstance(it.axes, int) else tuple(it.axes)
        if getattr(it, "normalize", False) or {len(v.shape) for v in taken} - {2, 3}:
            return None
        left, right = (
            _ends(w, value, axis % len(value.shape))
            for value, axis in zip(taken, axes, strict=True)
        )
    else:
        rank = len(right.shape)
        right = w.tape.permute(right, (*range(rank - 2), rank - 1, rank - 2))
    (m, k), (n, _) = left.shape[-2:], right.shape[-2:]
    stack = tuple(size for size in left.shape[:-2] if size != 1)
    if stack != tuple(size for size in right.shape[:-2] if size != 1):
        return None
    tensors = [w.tape.want(left, (*stack, m, k)), w.tape.want(right, (*stack, n, k))]
    return Value(out, w.tape.one(new("matmul", transposed=True), *tensors))


def _ends(w: Walk, value: Value, axis: int) -> Value:
    """Return a value (1, ..., K) whose last axis is the one that is added up."""
    rank = len(value.shape)
    order = [*(d for d in range(rank) if d != axis), axis]
    value = w.tape.permute(value, order)
    return w.tape.reshape(value, (1, product(value.shape[:-1]), value.shape[-1]))


@layer("Attention")
def _dot_attention(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Attend with one head, without layers before it."""
    if it.score_mode != "dot" or it.use_scale or len(taken) > 3 or len(taken[0].shape) != 3:
        return None
    query, value = taken[0], taken[1]
    key = taken[2] if len(taken) > 2 else value
    tensors = [w.tape.want(side, plain(side.shape)) for side in (query, key, value)]
    made = w.tape.one(new("sdpa"), *tensors)
    return Value(out, made)


@layer("EinsumDense")
def _einsum_dense(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """A product with a stored tensor of the last axes, such as abc,cde->abde."""
    left, right, made = (
        part.strip(".") for part in it.equation.replace("->", ",").replace(" ", "").split(",")
    )
    inner = [x for x in left if x in right]
    kept = [x for x in right if x not in left]
    if left[-len(inner) :] != "".join(inner) or right != "".join((*inner, *kept)):
        return None
    if made[-len(kept) :] != "".join(kept):
        return None
    value, sizes = taken[0], tuple(it.kernel.shape)
    count = product(sizes[: len(inner)])
    channels = product(sizes[len(inner) :])
    before = value.shape[: len(value.shape) - len(inner)]
    flat = w.tape.reshape(value, (*before, count))
    whole = it.bias is not None and product(tuple(it.bias.shape)) == channels
    result = w.tape.reshape(w.linear(flat, channels, whole, w.path), out)
    if it.bias is not None and not whole:
        shape = (1,) * (len(out) - len(it.bias.shape)) + tuple(it.bias.shape)
        result = w.tape.joined(new("add"), [result, w.param(shape)], out)
    return w.act(it.activation, result)


@layer("Conv3D")
def _conv3d(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """At each stop along the depth, a convolution of as many maps as the kernel is deep."""
    if it.data_format == "channels_first" or it.padding not in ("same", "valid"):
        return None
    (deep, *kernel), (by, *stride), (rate, *dilation) = it.kernel_size, it.strides, it.dilation_rate
    padding = "tf-same" if it.padding == "same" else "valid"
    op = new(
        "conv", channels=out[-1], kernel=tuple(kernel), stride=tuple(stride), padding=padding,
        dilation=tuple(dilation), groups=int(it.groups), bias=bool(it.use_bias),
    )  # fmt: skip
    needed = max((out[1] - 1) * by + (deep - 1) * rate + 1 - taken[0].shape[1], 0)
    depth = composed.Depth(deep, by, rate, 0 if padding == "valid" else needed // 2)
    emit, path = _emit(w), w.path
    made = _over_depth(w, taken[0], depth, out, lambda x, part: emit(op, x, part=part, share=path))
    return w.act(it.activation, made)


@layer("MaxPooling3D", "AveragePooling3D")
def _pool3d(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Pool each map, then what the window is deep."""
    if it.data_format == "channels_first":
        return None
    largest, (deep, *kernel), (by, *stride) = "Max" in type(it).__name__, it.pool_size, it.strides
    padding = "tf-same" if it.padding == "same" else "valid"
    how = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": padding}
    op, emit = new("maxpool" if largest else "avgpool", **how), _emit(w)

    def pooled(x: str, part: str) -> str:
        maps = emit(op, x, part=part)
        if deep == 1:
            return maps
        _, high, wide = w.draft.shape(maps)
        deep_maps = new("reshape", to=(out[-1], deep, high * wide))
        flat = emit(deep_maps, maps, part=f"{part}.deep")
        along = new("max" if largest else "mean", along=(1,), keep=True)
        made = emit(along, flat, part=f"{part}.along")
        return emit(new("reshape", to=(out[-1], high, wide)), made, part=f"{part}.pooled")

    needed = max((out[1] - 1) * by + deep - taken[0].shape[1], 0)
    depth = composed.Depth(deep, by, 1, 0 if padding == "valid" else needed // 2)
    return _over_depth(w, taken[0], depth, out, pooled)


def _over_depth(w: Walk, value: Value, depth: composed.Depth, out: Shape, layer: Any) -> Value:
    moved = w.tape.permute(value, (4, 0, 1, 2, 3))
    c, _, *size = moved.shape
    x, shape = w.tape.want(moved, (c, *size)), (c, *size)
    made, (c_out, *sizes) = composed.over_depth(
        _emit(w), x, shape, depth, out[1], layer, w.draft.shape
    )
    return w.tape.permute(Value((c_out, 1, *sizes), made), (1, 2, 3, 4, 0))


@layer("GlobalAveragePooling3D", "GlobalMaxPooling3D")
def _whole3d(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if it.data_format == "channels_first":
        return None
    c = taken[0].shape[-1]
    flat = w.tape.reshape(taken[0], (1, product(taken[0].shape) // c, c))
    tensor, at = w.tape.axis(flat, 1)
    kind = "max" if "Max" in type(it).__name__ else "mean"
    made = w.tape.one(new(kind, along=(at,), keep=True), tensor)
    return w.tape.reshape(w.tape.resized(flat, made, 1, 1), out)


@layer("UnitNormalization", "Normalize")
def _unit(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    axis = it.axis[0] if isinstance(it.axis, list | tuple) else it.axis
    if axis not in (-1, len(out) - 1):
        return None
    return w.channelled(new("rms", scale=False), taken[0])


@layer("GetItem")
def _part(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    """Return a part of a value as Python indexes it."""
    index = said.args[1] if len(said.args) > 1 else said.kwargs.get("key")
    items, value, axis = [*index] if isinstance(index, tuple) else [index], taken[0], 0
    count = sum(item is not None and item is not Ellipsis for item in items)
    for item in items:
        if item is Ellipsis:
            axis += len(value.shape) - count
        elif isinstance(item, slice):
            value = w.tape.part(value, axis, *item.indices(value.shape[axis]))
            axis += 1
        elif isinstance(item, int):
            start = item % value.shape[axis]
            value = w.tape.part(value, axis, start, start + 1)
            axis += 1
        elif item is not None:
            return None
    return w.tape.reshape(value, out)

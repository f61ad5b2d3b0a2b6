"""What layers and functions of Keras are in the spec language; channels stand last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from mbprof.exchange.draft import Draft
from mbprof.exchange.rules import Rules, new
from mbprof.exchange.torch_in.views import Tape, Value, core, plain
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.ops.padding import Pair
from mbprof.symbolic.arithmetic import product

ACTIVATIONS = {
    **{word: word for word in ("relu", "relu6", "leaky_relu", "elu", "sigmoid", "silu", "tanh")},
    "mish": "mish",
    "gelu": "gelu",
    "hard_sigmoid": "hsigmoid",
    "hard_silu": "hswish",
    "hard_swish": "hswish",
    "swish": "silu",
}
Rule: TypeAlias = Callable[["Walk", Any, list[Value], Shape, Any], Value | None]
LAYERS: Rules[Rule] = Rules()
"""By the name of a class, of which subclasses are found, too."""
layer = LAYERS.add


class Walk:
    """Where a walk through a graph of layers is, and what it writes to."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.path = draft, ""
        self.tape = Tape(draft, lambda word: self.path)

    def maps(self, value: Value) -> str:
        """Return (1, H, W, C), (1, N, C) or (1, C) as maps."""
        rank = len(value.shape)
        moved = self.tape.permute(value, (rank - 1, *range(rank - 1)))
        c, _, *size = moved.shape
        high, wide = (size[0], product(tuple(size[1:]))) if size else (1, 1)
        return self.tape.want(moved, (c, high, wide))

    def of_maps(self, tensor: str, out: Shape) -> Value:
        """Return maps as a value whose channels stand last."""
        rank = len(out)
        value = Value((out[-1], *out[:-1]), tensor)
        return self.tape.permute(value, (*range(1, rank), 0))

    def windowed(self, op: Op, value: Value, out: Shape, **said: str) -> Value:
        """Apply an op of maps."""
        return self.of_maps(self.tape.one(op, self.maps(value), **said), out)

    def channelled(self, op: Op, value: Value, **said: str) -> Value:
        """Apply an op that treats each channel, or the channels of each position."""
        size = value.shape[-1]
        own = value.seen
        if value.order and value.order[-1] == 0 and len(own) == 3 and own[0] == size:
            tensor = self.tape.one(op, self.tape.raw(value.tensor, own), **said)
            return value._replace(tensor=tensor)
        positions = product(value.shape) // size
        shape = (size,) if positions == 1 else (positions, size)
        return Value(value.shape, self.tape.one(op, self.tape.want(value, shape), **said))

    def act(self, function: Any, value: Value) -> Value:
        """Apply an activation of a layer."""
        name = getattr(function, "__name__", "") or type(function).__name__.lower()
        if name in ("linear", "nonetype"):
            return value
        if name == "softmax":
            return self.softmax(value, -1)
        if name in ACTIVATIONS:
            return self.tape.same(new("act", function=ACTIVATIONS[name]), value)
        tensor = self.tape.whole(value)
        return Value(value.shape, self.tape.unknown(name, [tensor], (plain(value.shape),))[0])

    def softmax(self, value: Value, axis: int) -> Value:
        """Turn scores along an axis into shares."""
        tensor, at = self.tape.axis(value, axis)
        return value._replace(tensor=self.tape.one(new("softmax", axis=at), tensor))

    def linear(self, value: Value, channels: int, bias: bool, share: str) -> Value:
        """Multiply the last axis by a matrix."""
        size = value.shape[-1]
        positions = product(value.shape) // size
        shape = (size,) if positions == 1 else (positions, size)
        op = new("linear", channels=channels, bias=bias)
        tensor = self.tape.one(op, self.tape.want(value, shape), name=share, share=share)
        return Value((*value.shape[:-1], channels), tensor)

    def param(self, shape: Shape, trained: bool = True) -> Value:
        """Provide a stored tensor."""
        return Value(shape, self.tape.one(new("param", shape=shape or (1,), trained=trained)))

    def unknown(self, layer: Any, taken: Sequence[Value], outs: Sequence[Shape]) -> list[Value]:
        """Record a layer that there is no rule for; its weights are counted all the same."""
        inputs = [self.tape.whole(value) for value in taken]
        for weight in getattr(layer, "weights", ()):
            stored = self.param(plain(tuple(weight.shape)), bool(weight.trainable))
            inputs.append(stored.tensor)
        made = self.tape.unknown(type(layer).__name__, inputs, tuple(map(plain, outs)))
        return [Value(shape, tensor) for shape, tensor in zip(outs, made, strict=True)]


def _pair(value: Any, dims: int = 2) -> Pair:
    sizes = tuple(map(int, value)) if isinstance(value, list | tuple) else (int(value),)
    return (sizes[0], 1) if dims == 1 else (sizes[0], sizes[-1])


def _first(layer: Any) -> bool:
    """Whether channels stand first, which no rule is made for."""
    return getattr(layer, "data_format", "channels_last") == "channels_first"


def _window(it: Any, out: Shape, stride: Any = None) -> dict[str, Any]:
    dims = len(out) - 2
    size = getattr(it, "kernel_size", None) or it.pool_size
    padding = {"same": "tf-same", "valid": "valid"}[it.padding]
    return {"kernel": _pair(size, dims), "stride": _pair(it.strides, dims), "padding": padding}


@layer("Conv1D", "Conv2D")
def _conv(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it) or it.padding not in ("same", "valid"):
        return None
    dilation, groups = _pair(it.dilation_rate, it.rank), int(it.groups)
    value, own = taken[0], {**_window(it, out), "bias": bool(it.use_bias)}
    op: Op
    if groups > 1 and groups == value.shape[-1]:
        op = new("dwconv", multiplier=out[-1] // groups, dilation=dilation, **own)
    else:
        op = new("conv", channels=out[-1], groups=groups, dilation=dilation, **own)
    return w.act(it.activation, w.windowed(op, value, out, share=w.path))


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    op = new(
        "dwconv",
        multiplier=int(it.depth_multiplier),
        dilation=_pair(it.dilation_rate, it.rank),
        bias=bool(it.use_bias),
        **_window(it, out),
    )
    return w.act(it.activation, w.windowed(op, taken[0], out, share=w.path))


@layer("SeparableConv1D", "SeparableConv2D")
def _separable(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    multiplier = int(it.depth_multiplier)
    dilation = _pair(it.dilation_rate, it.rank)
    depth = new("dwconv", multiplier=multiplier, dilation=dilation, **_window(it, out))
    middle = (*out[:-1], taken[0].shape[-1] * multiplier)
    name = w.path
    value = w.windowed(depth, taken[0], middle, name=f"{name}/depthwise", share=f"{name}/d")
    own = {"kernel": (1, 1), "padding": "valid", "bias": bool(it.use_bias)}
    point = new("conv", channels=out[-1], **own)
    value = w.windowed(point, value, out, name=f"{name}/pointwise", share=f"{name}/p")
    return w.act(it.activation, value)


@layer("Conv1DTranspose", "Conv2DTranspose")
def _transposed(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    dims, extra = len(out) - 2, it.output_padding
    op = new(
        "tconv",
        channels=out[-1],
        output_padding=None if extra is None else _pair(extra, dims),
        dilation=_pair(it.dilation_rate, dims),
        bias=bool(it.use_bias),
        **_window(it, out),
    )
    return w.act(it.activation, w.windowed(op, taken[0], out, share=w.path))


@layer("Dense")
def _dense(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    return w.act(it.activation, w.linear(taken[0], out[-1], bool(it.use_bias), w.path))


@layer("BatchNormalization")
def _batch_norm(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if it.axis not in (-1, len(out) - 1):
        return None
    op = new("bn", scale=bool(it.scale), shift=bool(it.center))
    return w.channelled(op, taken[0], share=w.path)


@layer("LayerNormalization", "RMSNormalization")
def _layer_norm(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    axis = it.axis if isinstance(it.axis, int) else it.axis[0] if len(it.axis) == 1 else None
    if axis not in (-1, len(out) - 1):
        return None
    rms = "RMS" in type(it).__name__
    scale, shift = bool(getattr(it, "scale", True)), bool(getattr(it, "center", False))
    op = new("rms") if rms else new("ln", scale=scale, shift=shift)
    return w.channelled(op, taken[0], share=w.path)


@layer("GroupNormalization")
def _group_norm(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if it.axis not in (-1, len(out) - 1):
        return None
    groups = int(it.groups) if it.groups > 0 else out[-1]
    op = new("gn", groups=groups, scale=bool(it.scale), shift=bool(it.center))
    return w.windowed(op, taken[0], out, share=w.path)


@layer("Normalization")
def _normalization(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    # Means that are given are constants of the network; those that are learned are stored.
    given = getattr(it, "input_mean", None) is not None
    return w.channelled(new("times", by=1.0) if given else new("normalize"), taken[0])


@layer("LayerScale")
def _layer_scale(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if [tuple(weight.shape) for weight in it.weights] != [(out[-1],)]:
        return None
    return w.tape.joined(new("mul"), [taken[0], w.param((out[-1],))], out)


@layer("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")
def _activation(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    kind, value = type(it).__name__, taken[0]
    if kind == "Softmax":
        return w.softmax(value, it.axis if isinstance(it.axis, int) else -1)
    if kind == "PReLU":
        slopes = product(tuple(it.alpha.shape))
        usual = slopes == out[-1]
        return w.channelled(new("act", function="prelu"), value, share=w.path) if usual else None
    if kind == "ReLU":
        largest = getattr(it, "max_value", None)
        if getattr(it, "negative_slope", 0) or largest not in (None, 6):
            return None
        function = "relu" if largest is None else "relu6"
        return w.tape.same(new("act", function=function), value)
    if kind in ("LeakyReLU", "ELU"):
        return w.tape.same(new("act", function=ACTIVATIONS[
            "leaky_relu" if kind == "LeakyReLU" else "elu"]), value)  # fmt: skip
    return w.act(it.activation, value)


@layer("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D")
def _pool(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    made = new("maxpool" if "Max" in type(it).__name__ else "avgpool", **_window(it, out))
    return w.windowed(made, taken[0], out)


@layer(*(f"Global{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2)))
def _whole(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    op: Op = new("gmp") if "Max" in type(it).__name__ else new("gap")
    return Value(out, w.tape.one(op, w.maps(taken[0])))


@layer("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D")
def _pad(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it):
        return None
    given = it.padding if "Padding" in type(it).__name__ else it.cropping
    (top, bottom), (left, right) = given if len(out) == 4 else (given, (0, 0))
    sides = (int(top), int(bottom), int(left), int(right))
    op: Op = (
        new("pad", padding=sides) if "Padding" in type(it).__name__ else new("crop", padding=sides)
    )
    return w.windowed(op, taken[0], out)


@layer("UpSampling2D", "Resizing")
def _resize(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if _first(it) or it.interpolation not in ("nearest", "bilinear"):
        return None
    return w.windowed(new("resize", size=(out[1], out[2]), mode=it.interpolation), taken[0], out)


@layer("Add", "Subtract", "Multiply")
def _join(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    multiplies = type(it).__name__ == "Multiply"
    if len(taken) > 1:
        return w.tape.joined(new("mul") if multiplies else new("add"), taken, out)
    numbers = [arg for arg in (*said.args, *said.kwargs.values()) if isinstance(arg, int | float)]
    if not numbers:
        return None
    if multiplies:
        return w.tape.same(new("times", by=float(numbers[0])), taken[0])
    return w.tape.joined(new("add"), [taken[0], w.param((1,) * len(out), trained=False)], out)


@layer("Rescaling")
def _rescaling(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    if not isinstance(it.scale, int | float) or not isinstance(it.offset, int | float):
        return None
    value = w.tape.same(new("times", by=float(it.scale)), taken[0])
    if not it.offset:
        return value
    return w.tape.joined(new("add"), [value, w.param((1,) * len(out), trained=False)], out)


@layer("Concatenate")
def _concat(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    axis = int(it.axis) % len(out)
    if axis == len(out) - 1 and len(out) == 4 and len(core(out)) == 3:
        tensors = [w.maps(value) for value in taken]
        return w.of_maps(w.tape.one(new("concat"), *tensors), out)
    return w.tape.concat(taken, axis, out)


@layer("Reshape", "Flatten", "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
       "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
       "StochasticDepth", "DropPath", "InputLayer", "ExpandDims", "Squeeze", "Masking")  # fmt: skip
def _view(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value:
    return w.tape.reshape(taken[0], out)


@layer("Permute", "Transpose")
def _permute(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    order = (0, *it.dims) if hasattr(it, "dims") else it.axes
    order = tuple(reversed(range(len(out)))) if order is None else order
    return w.tape.permute(taken[0], order) if order[0] == 0 else None


@layer("MultiHeadAttention")
def _attention(w: Walk, it: Any, taken: list[Value], out: Shape, said: Any) -> Value | None:
    query, value = taken[0], taken[1] if len(taken) > 1 else taken[0]
    key = taken[2] if len(taken) > 2 else value
    if len(query.shape) != 3 or len(taken) > 3:
        return None
    heads, bias = int(it.num_heads), bool(it.use_bias)
    path, d, dv = w.path, int(it.key_dim), int(it.value_dim)
    parts = [
        w.linear(side, heads * size, bias, f"{path}/{name}")
        for name, side, size in (("query", query, d), ("key", key, d), ("value", value, dv))
    ]
    tensors = [w.tape.want(part, plain(part.shape)) for part in parts]
    made = w.tape.one(new("sdpa", heads=heads), *tensors, name=f"{path}/sdpa")
    mixed = Value((*query.shape[:-1], heads * dv), made)
    return w.linear(mixed, out[-1], bias, f"{path}/attention_output")

"""What layers of PyTorch are in the spec language: norms, poolings, functions of elements."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.products import padding
from mbprof.exchange.torch_in.record import Call, Recorder, word_of
from mbprof.exchange.torch_in.rules import channels_first, first, over_maps, pair, rule
from mbprof.exchange.torch_in.views import Value, plain
from mbprof.ops import Op
from mbprof.symbolic.arithmetic import product

ACTIVATIONS = {
    **{
        word: word
        for word in ("relu", "relu6", "leaky_relu", "elu", "sigmoid", "silu", "tanh", "mish")
    },
    "hardsigmoid": "hsigmoid",
    "hardswish": "hswish",
}


@rule("batch_norm", "native_batch_norm")
def _batch_norm(r: Recorder, c: Call) -> object:
    weight, bias = c.get(1, "weight"), c.get(2, "bias")
    mean, variance = c.get(3, "running_mean"), c.get(4, "running_var")
    if mean is None:  # each image is normalised by its own
        return _grouped(r, c, c.get(0, "input").shape[1], weight, bias)
    channels = mean.numel()
    leaves = [r.leaf(t, channels) for t in (weight, bias, mean, variance)]
    key = r.hold(*leaves)
    op = new("bn", scale=weight is not None, shift=bias is not None)
    if key is None or not all(
        leaf or t is None for leaf, t in zip(leaves, (weight, bias), strict=False)
    ):
        return NotImplemented
    _normalised(r, c, op, key)
    return None


def _normalised(r: Recorder, c: Call, op: Op, share: str) -> None:
    """Apply a norm of channels to a value (N, C, ...)."""
    value, out = r.value(c.get(0, "input")), first(c.out)
    if len(value.shape) == 2:
        shape = plain(value.shape)
        r.set(
            out,
            Value(value.shape, r.tape.one(op, r.tape.want(value, shape), share=share, call=r.call)),
        )
        return
    moved = channels_first(r, value)
    channels, n, *size = moved.shape
    maps = r.tape.want(moved, (channels, n * size[0], product(tuple(size[1:]))))
    made = Value(moved.shape, r.tape.one(op, maps, share=share, call=r.call))
    r.set(out, channels_first(r, made))


@rule("group_norm")
def _group_norm(r: Recorder, c: Call) -> object:
    return _grouped(r, c, int(c.get(1, "num_groups")), c.get(2, "weight"), c.get(3, "bias"))


@rule("instance_norm")
def _instance_norm(r: Recorder, c: Call) -> object:
    image = c.get(0, "input")
    return _grouped(r, c, image.shape[1], c.get(1, "weight"), c.get(2, "bias"))


def _grouped(
    r: Recorder, c: Call, groups: int, weight: Tensor | None, bias: Tensor | None
) -> object:
    channels = c.get(0, "input").shape[1]
    leaves = [r.leaf(t, channels) for t in (weight, bias)]
    key = r.hold(*leaves)
    if key is None:
        return NotImplemented
    op = new("gn", groups=groups, scale=bool(leaves[0]), shift=bool(leaves[1]))
    _normalised(r, c, op, key)
    return None


@rule("layer_norm", "rms_norm", "native_layer_norm")
def _layer_norm(r: Recorder, c: Call) -> object:
    image, out = c.get(0, "input"), first(c.out)
    shape, weight, bias = c.get(1, "normalized_shape"), c.get(2, "weight"), c.get(3, "bias")
    rms = "rms" in getattr(c.func, "__name__", "")
    bias = None if rms else bias
    size = product(tuple(shape))
    leaves = [r.leaf(t, size) for t in (weight, bias)]
    key = r.hold(*leaves)
    if key is None or any(
        t is not None and not leaf for t, leaf in zip((weight, bias), leaves, strict=True)
    ):
        return NotImplemented
    scale, shift = bool(leaves[0]), bool(leaves[1])
    op: Op = new("rms", scale=scale) if rms else new("ln", scale=scale, shift=shift)
    r.set(out, _per_position(r, op, r.value(image), size, share=key, call=r.call))
    return None


@rule("normalize")
def _normalize(r: Recorder, c: Call) -> object:
    """To unit length: the arithmetic is that of a root mean square without the mean."""
    value, axis = r.value(c.get(0, "input")), int(c.get(2, "dim", 1))
    if c.get(1, "p", 2.0) != 2:
        return NotImplemented
    rank = len(value.shape)
    order = [d for d in range(rank) if d != axis % rank] + [axis % rank]
    moved = r.tape.permute(value, order)
    made = _per_position(r, new("rms", scale=False), moved, moved.shape[-1], call=r.call)
    r.set(c.out, r.tape.permute(made, [order.index(d) for d in range(rank)]))
    return None


def _per_position(r: Recorder, op: Op, value: Value, size: int, **said: str) -> Value:
    """Apply an op to the last axes of a value, which are the channels of maps or of tokens."""
    own = r.draft.shape(value.tensor)
    if value.order and value.order[-1] == 0 and len(value.seen) == 3 and value.seen[0] == size:
        return value._replace(tensor=r.tape.one(op, r.tape.raw(value.tensor, value.seen), **said))
    if not value.order and len(own) != 3 and own[-1] == size:
        return r.tape.same(op, value, **said)
    positions = product(value.shape) // size
    shape = (size,) if positions == 1 else (positions, size)
    return Value(value.shape, r.tape.one(op, r.tape.want(value, shape), **said))


@rule("local_response_norm")
def _lrn(r: Recorder, c: Call) -> None:
    over_maps(r, new("lrn", size=int(c.get(1, "size"))), c, c.out.dim() - 2)


# Poolings and reductions.


@rule("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool1d_with_indices")
def _max_pool(r: Recorder, c: Call) -> None:
    dims = 1 if "1d" in c.func.__name__ else 2
    kernel, dilation = c.get(1, "kernel_size"), c.get(4, "dilation", 1)
    stride = c.get(2, "stride")
    op = new(
        "maxpool",
        kernel=pair(kernel, dims),
        stride=None if not stride and stride != 0 else pair(stride, dims),
        padding=padding(c.get(3, "padding", 0), kernel, 1, dims),
        dilation=pair(dilation, dims),
        ceil=bool(c.get(5, "ceil_mode", False)),
    )
    over_maps(r, op, c, dims)


@rule("avg_pool1d", "avg_pool2d")
def _avg_pool(r: Recorder, c: Call) -> None:
    dims = 1 if "1d" in c.func.__name__ else 2
    kernel, stride = c.get(1, "kernel_size"), c.get(2, "stride")
    op = new(
        "avgpool",
        kernel=pair(kernel, dims),
        stride=None if not stride else pair(stride, dims),
        padding=padding(c.get(3, "padding", 0), kernel, 1, dims),
        ceil=bool(c.get(4, "ceil_mode", False)),
    )
    over_maps(r, op, c, dims)


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d")
def _adaptive(r: Recorder, c: Call) -> object:
    out = first(c.out)
    dims = 1 if "1d" in c.func.__name__ else 2
    size, largest = pair(tuple(out.shape[-dims:]), dims), "max" in c.func.__name__
    taken = pair(tuple(c.args[0].shape[-dims:]), dims)
    op: Op
    if size == (1, 1):
        op = new("gmp") if largest else new("gap")
    elif not largest:
        op = new("adaptiveavgpool", size=size)
    elif any(a % b for a, b in zip(taken, size, strict=True)):
        return NotImplemented  # Windows differ from place to place.
    else:
        windows = tuple(a // b for a, b in zip(taken, size, strict=True))
        op = new("maxpool", kernel=windows, stride=windows)
    over_maps(r, op, c, dims)
    return None


_REDUCTIONS = {"mean": "mean", "sum": "sum", "amax": "max"}


@rule(*_REDUCTIONS)
def _reduce(r: Recorder, c: Call) -> object:
    return reduced(r, c, _REDUCTIONS[word_of(c.func)])


def reduced(r: Recorder, c: Call, kind: str, place: int = 1) -> object:
    """Reduce the axes that an argument says, or all of them."""
    dims = c.get(place, "dim")
    if isinstance(dims, Tensor):
        return NotImplemented
    value, out = r.value(c.get(0, "input", c.args[0] if c.args else None)), first(c.out)
    r.set(out, r.tape.reshape(reduction(r, kind, value, dims), tuple(out.shape)))
    return None


def reduction(r: Recorder, kind: str, value: Value, dims: Any = None) -> Value:
    """Reduce axes of a value to size 1, all of them if none is said."""
    rank = len(value.shape)
    said = range(rank) if dims is None or dims in ((), []) else dims
    axes = [d % rank for d in (said if isinstance(said, list | tuple | range) else (said,))]
    axes = [d for d in axes if value.shape[d] != 1]
    if not axes:
        return value
    places = [r.tape.axis(value, axis) for axis in axes]
    tensor, along = places[0][0], tuple(sorted(at for _, at in places))
    whole = along == (1, 2) and len(r.draft.shape(tensor)) == 3 and kind == "mean"
    op: Op = new("gap") if whole else new(kind, along=along, keep=True)
    made = r.tape.one(op, tensor, call=r.call)
    for axis in axes:
        value = r.tape.resized(value, made, axis, 1)
    return value


# Functions of each element.


@rule(*ACTIVATIONS)
def _activation(r: Recorder, c: Call) -> None:
    _act(r, c, ACTIVATIONS[word_of(c.func)])


def _act(r: Recorder, c: Call, function: str) -> None:
    value = r.value(c.get(0, "input", c.args[0] if c.args else None))
    r.set(c.out, r.tape.same(new("act", function=function), value, call=r.call))


@rule("gelu")
def _gelu(r: Recorder, c: Call) -> None:
    _act(r, c, "gelu_tanh" if c.named.get("approximate") == "tanh" else "gelu")


@rule("prelu")
def _prelu(r: Recorder, c: Call) -> object:
    value, weight = r.value(c.get(0, "input")), c.get(1, "weight")
    channels = value.shape[1] if len(value.shape) > 1 else 1
    key = r.hold(own) if (own := r.leaf(weight, channels)) else None
    if key is None:
        return NotImplemented
    _normalised(r, c, new("act", function="prelu"), key)
    return None


@rule("softmax", "safe_softmax")
def _softmax(r: Recorder, c: Call) -> None:
    value = r.value(c.get(0, "input", c.args[0] if c.args else None))
    axis = c.get(1, "dim", -1)
    tensor, at = r.tape.axis(value, -1 if axis is None else axis)
    made = r.tape.one(new("softmax", axis=at), tensor, call=r.call)
    r.set(c.out, value._replace(tensor=made))


def _number(r: Recorder, operand: object) -> float | None:
    return float(operand) if isinstance(operand, int | float) else None


@rule("mul", "imul", "rmul", "multiply", "div", "truediv", "itruediv", "neg", "divide", "rdiv",
      "rtruediv", "true_divide", "floor_divide", "floordiv", "remainder", "fmod", "mod",
      "reciprocal")  # fmt: skip
def _mul(r: Recorder, c: Call) -> None:
    word = word_of(c.func)
    left, right = c.args[0], c.get(1, "other", -1)
    divided = "div" in word or "mod" in word or word == "remainder"
    if word in ("rdiv", "rtruediv", "reciprocal") or (divided and not isinstance(left, Tensor)):
        value = right if isinstance(right, Tensor) else left
        number = left if value is right else right
        inverse = r.tape.same(new("act", function="reciprocal"), r.value(value), call=r.call)
        if word != "reciprocal" and isinstance(number, int | float) and number != 1:
            inverse = r.tape.same(new("times", by=float(number)), inverse, call=r.call)
        r.set(c.out, inverse)
        return
    if not isinstance(left, Tensor):
        left, right = right, left
    number = _number(r, right)
    if number is not None:
        by = 1 / number if divided and number else number
        r.set(c.out, r.tape.same(new("times", by=by), r.value(left), call=r.call))
        return
    if divided and not (r.static(right) and not r._leaves(right)):
        inverse = r.tape.same(new("act", function="reciprocal"), r.value(right))
        values = [r.value(left), inverse]
        r.set(c.out, r.tape.joined(new("mul"), values, tuple(c.out.shape), call=r.call))
        return
    _binary(r, c, new("mul"), left, right)


@rule("add", "iadd", "radd", "sub", "isub", "rsub", "subtract")
def _add(r: Recorder, c: Call) -> None:
    left, right = c.args[0], c.get(1, "other")
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        _binary(r, c, new("add"), left, right)
        return
    value = r.value(left if isinstance(left, Tensor) else right)
    number = right if isinstance(left, Tensor) else left
    if number == 0:
        r.set(c.out, value)
        return
    own = r.draft.shape(value.tensor)

    constant = r.tape.one(
        new("param", shape=(1,) * len(own), trained=False), name=r.name("constant")
    )
    r.set(c.out, value._replace(tensor=r.tape.one(new("add"), value.tensor, constant, call=r.call)))


def _binary(r: Recorder, c: Call, op: Op, left: Tensor, right: Tensor) -> None:
    values = [r.value(left), r.value(right)]
    r.set(c.out, r.tape.joined(op, values, tuple(c.out.shape), call=r.call))


@rule("square")
def _square(r: Recorder, c: Call) -> None:
    _binary(r, c, new("mul"), c.args[0], c.args[0])


_POWERS = {0.5: "sqrt", -1.0: "reciprocal"}


@rule("pow", "float_power", "ipow", "rpow")
def _pow(r: Recorder, c: Call) -> None:
    """A power, of which squares and roots are simpler."""
    exponent = c.get(1, "exponent")
    if exponent == 2 and word_of(c.func) != "rpow":
        _square(r, c)
        return
    base = c.args[0] if isinstance(c.args[0], Tensor) else exponent
    function = "exp" if isinstance(exponent, Tensor) else _POWERS.get(exponent, "exp")
    r.set(c.out, r.tape.same(new("act", function=function), r.value(base), call=r.call))

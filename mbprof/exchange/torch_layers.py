"""What layers of PyTorch are in the spec language: products, norms, poolings, activations."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mbprof.exchange.torch_record import Call, Recorder
from mbprof.exchange.torch_rules import channels_first, first, over_maps, pair, rule
from mbprof.exchange.views import Value, core, plain
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.ops.conv import Activation, Conv, DepthwiseConv, Softmax, Times
from mbprof.ops.form import Add, Mul
from mbprof.ops.layers import (
    AdaptiveAvgPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    Max,
    MaxPool,
    Mean,
    Sum,
)
from mbprof.ops.norms import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from mbprof.ops.padding import Padding
from mbprof.ops.resize import TransposedConv
from mbprof.ops.tokens import Attention, MatMul
from mbprof.symbolic.arithmetic import product

ACTIVATIONS = {
    **{word: word for word in "relu relu6 leaky_relu elu sigmoid silu tanh mish".split()},
    "hardsigmoid": "hsigmoid",
    "hardswish": "hswish",
}


def _padding(value: Any, kernel: Any, dilation: Any, dims: int) -> Padding:
    """Return padding in numbers; PyTorch's ``same`` puts what is odd behind."""
    if value == "same":
        total = [d * (k - 1) for k, d in zip(pair(kernel, dims), pair(dilation, dims), strict=True)]
        return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2
    if value == "valid":
        return 0, 0, 0, 0
    high, wide = pair(value, dims)
    wide = 0 if dims == 1 else wide
    return high, high, wide, wide


def _bias(r: Recorder, bias: Tensor | None, channels: int) -> tuple[str, bool]:
    """Return the stored tensor of a bias, and whether there is one that a layer can hold."""
    leaf = r.leaf(bias, channels)
    return (leaf, True) if leaf and not r.used.get(leaf, "").startswith("=") else ("", False)


@rule("conv3d")
def _conv3d(r: Recorder, c: Call) -> object:
    """Along an axis with a kernel of 1 the maps are images of their own."""
    image, weight, out = c.get(0, "input"), c.get(1, "weight"), c.out
    stride, padding, dilation = (
        [value] * 3 if isinstance(value, int) else list(value)
        for value in (c.get(3, "stride", 1), c.get(4, "padding", 0), c.get(5, "dilation", 1))
    )
    steps = [weight.shape[2 + i] == stride[i] == 1 and padding[i] == 0 for i in range(3)]
    if image.dim() != 5 or True not in steps:
        return NotImplemented
    alone = steps.index(True)
    rest = [i for i in range(3) if i != alone]
    order = (0, 2 + alone, 1, *(2 + i for i in rest))
    shapes = [tuple(tensor.shape[i] for i in order) for tensor in (image, out)]
    images, made = (
        t.new_empty((s[0] * s[1], *s[2:])) for t, s in zip((image, out), shapes, strict=True)
    )
    r.set(images, r.tape.reshape(r.tape.permute(r.value(image), order), tuple(images.shape)))
    flat = weight.squeeze(2 + alone)
    r.derive(flat, weight)
    said = {
        "input": images,
        "weight": flat,
        "bias": c.get(2, "bias"),
        "groups": c.get(6, "groups", 1),
    }
    said |= {"stride": [stride[i] for i in rest], "padding": [padding[i] for i in rest]}
    said |= {"dilation": [dilation[i] for i in rest]}
    if _conv(r, Call(c.func, (), said, made)) is NotImplemented:
        return NotImplemented
    value = r.tape.reshape(r.value(made), shapes[1])
    r.set(out, r.tape.permute(value, [order.index(i) for i in range(5)]))
    return None


@rule("conv1d", "conv2d", "convolution")
def _conv(r: Recorder, c: Call) -> object:
    image, weight, bias = c.get(0, "input"), c.get(1, "weight"), c.get(2, "bias")
    dims = weight.dim() - 2
    stride, dilation = c.get(3, "stride", 1), c.get(5, "dilation", 1)
    if dims > 2 or c.named.get("transposed"):
        return NotImplemented
    groups = int(c.get(8 if "transposed" in c.named else 6, "groups", 1))
    made, per_group, *kernel = weight.shape
    said: dict[str, Any] = {
        "kernel": pair(kernel, dims),
        "stride": pair(stride, dims),
        "dilation": pair(dilation, dims),
        "padding": _padding(c.get(4, "padding", 0), kernel, dilation, dims),
    }
    own = r.leaf(weight, weight.numel())
    gain = r.leaf(weight, made) if own and len(r.known(weight)) and _several(r, weight) else ""
    held, has_bias = _bias(r, bias, made)
    key = r.hold(own, gain if gain != own else "", held) if own else None
    extra = []
    if key is None:
        extra = [r.tape.raw(r.tape.whole(r.value(weight)), (weight.numel(),))]
        key = r.hold(held) if held else ""
        has_bias = has_bias and key is not None
        gain = ""
    said |= {"bias": has_bias, "gain": bool(gain and gain != own)}
    said["trained"] = bool(extra) or own in r.trained
    op: Op
    if groups > 1 and per_group == 1:
        op = DepthwiseConv(multiplier=made // groups, **said)
    else:
        op = Conv(channels=made, groups=groups, **said)
    over_maps(r, op, c, dims, extra, share=key or "")
    _add_bias(r, c.out, bias, has_bias, dims)
    return None


def _several(r: Recorder, tensor: Tensor) -> bool:
    known = r.known(tensor)
    return not isinstance(known, Value) and len(known.leaves) > 1


def _add_bias(r: Recorder, out: Tensor, bias: Tensor | None, held: bool, dims: int = 0) -> None:
    """Add a bias that the layer itself could not hold."""
    if bias is not None and not held:
        term = r.value(bias)
        term = r.tape.reshape(term, (*term.shape, *(1,) * dims))
        r.set(out, r.tape.joined(Add(), [r.value(out), term], tuple(out.shape)))


@rule("conv_transpose1d", "conv_transpose2d")
def _tconv(r: Recorder, c: Call) -> object:
    weight, bias = c.get(1, "weight"), c.get(2, "bias")
    dims, groups = weight.dim() - 2, int(c.get(6, "groups", 1))
    stride, dilation, extra = (
        c.get(3, "stride", 1),
        c.get(7, "dilation", 1),
        c.get(5, "output_padding", 0),
    )
    channels, kernel = weight.shape[1] * groups, weight.shape[2:]
    own = r.leaf(weight, weight.numel())
    held, has_bias = _bias(r, bias, channels)
    key = r.hold(own, held) if own else None
    if key is None:
        return NotImplemented
    added = pair(extra, dims) if dims == 2 else (pair(extra, 1)[0], 0)
    op = TransposedConv(
        channels=channels,
        kernel=pair(kernel, dims),
        stride=pair(stride, dims),
        padding=_padding(c.get(4, "padding", 0), kernel, dilation, dims),
        output_padding=added if any(added) else None,
        dilation=pair(dilation, dims),
        groups=groups,
        bias=has_bias,
    )
    over_maps(r, op, c, dims, share=key)
    _add_bias(r, c.out, bias, has_bias, dims)
    return None


def _linear(
    r: Recorder, image: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, own: str
) -> bool:
    """Record a product with a stored matrix; False if another layer holds that."""
    channels, value = out.shape[-1], r.value(image)
    held, has_bias = _bias(r, bias, channels)
    key = r.hold(own, held)
    if key is None or own not in r.trained:
        return False
    positions = product(tuple(image.shape[:-1]))
    shape: Shape = (image.shape[-1],) if positions == 1 else (positions, image.shape[-1])
    op = Linear(channels=channels, bias=has_bias)
    tensor = r.tape.one(op, r.tape.want(value, shape), share=key, call=r.call)
    r.set(out, Value(tuple(out.shape), tensor))
    _add_bias(r, out, bias, has_bias)
    return True


@rule("linear")
def _f_linear(r: Recorder, c: Call) -> None:
    image, weight, bias = c.get(0, "input"), c.get(1, "weight"), c.get(2, "bias")
    own = r.leaf(weight, weight.numel())
    if not own or not _linear(r, image, weight, bias, c.out, own):
        multiply(r, r.value(image), r.tape.permute(r.value(weight), (1, 0)), c.out)
        _add_bias(r, c.out, bias, False)


@rule("addmm")
def _addmm(r: Recorder, c: Call) -> None:
    bias, image, weight = c.get(0, "self"), c.get(1, "mat1"), c.get(2, "mat2")
    own = r.leaf(weight, weight.numel())
    if not own or not _linear(r, image, weight, bias, c.out, own):
        multiply(r, r.value(image), r.value(weight), c.out)
        _add_bias(r, c.out, bias, False)


@rule("matmul", "mm", "bmm")
def _matmul(r: Recorder, c: Call) -> None:
    left, right = c.get(0, "input"), c.get(1, "other")
    right = c.get(1, "mat2") if right is None else right
    own = r.leaf(right, right.numel()) if right.dim() == 2 else ""
    if not own or not _linear(r, left, right, None, c.out, own):
        multiply(r, r.value(left), r.value(right), c.out)


@rule("rmatmul")
def _rmatmul(r: Recorder, c: Call) -> None:
    multiply(r, r.value(c.args[1]), r.value(c.args[0]), c.out)


@rule("baddbmm")
def _baddbmm(r: Recorder, c: Call) -> None:
    multiply(r, r.value(c.get(1, "batch1")), r.value(c.get(2, "batch2")), c.out)
    _add_bias(r, c.out, c.get(0, "self"), False)


def multiply(r: Recorder, left: Value, right: Value, out: Tensor) -> None:
    """Record a product of two tensors, as torch.matmul broadcasts them."""
    tape, shape = r.tape, tuple(out.shape)
    if len(left.shape) == 1:
        left, shape = tape.reshape(left, (1, *left.shape)), (*shape, 1)
        shape = (*shape[:-2], 1, shape[-2]) if len(right.shape) > 1 else (1, 1)
    if len(right.shape) == 1:
        right, shape = tape.reshape(right, (*right.shape, 1)), (*tuple(out.shape), 1)
    (m, k), n, stack = left.shape[-2:], right.shape[-1], shape[:-2]
    flipped = tape.permute(
        right, (*range(len(right.shape) - 2), -1 % len(right.shape), -2 % len(right.shape))
    )
    transposed = bool(right.order) and not flipped.order
    matrix = flipped if transposed else right
    sides = matrix.shape[-2:]
    if not core(right.shape[:-2]) and core(stack):
        many = (product(stack) * m, k)
        tensors = [tape.want(left, many), tape.want(matrix, sides)]
    else:
        fitted = [
            side if product(side.shape[:-2]) == product(stack)
            else tape.gather(side, (*stack, *side.shape[-2:])) for side in (left, matrix)
        ]  # fmt: skip
        tensors = [
            tape.want(side, (*core(stack), *last))
            for side, last in zip(fitted, ((m, k), sides), strict=True)
        ]
    tensor = tape.one(MatMul(transposed=transposed), *tensors, call=r.call)
    r.set(out, Value(tuple(out.shape), tensor))


@rule("einsum")
def _einsum(r: Recorder, c: Call) -> object:
    equation, operands = c.args[0], c.args[1:]
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or len(operands) != 2 or "." in equation:
        return NotImplemented
    left, _, result = equation.replace(" ", "").partition("->")
    first, _, second = left.partition(",")
    if not result or any(len(set(side)) != len(side) for side in (first, second, result)):
        return NotImplemented
    both = [x for x in first if x in second and x in result]
    inner = [x for x in first if x in second and x not in result]
    rows = [x for x in first if x not in second]
    columns = [x for x in second if x not in first]
    if any(x not in result for x in rows + columns):
        return NotImplemented
    sizes = dict(zip(first + second, (*operands[0].shape, *operands[1].shape), strict=True))

    def ordered(which: int, names: str, *groups: list[str]) -> Value:
        value = r.tape.permute(
            r.value(operands[which]), [names.index(x) for g in groups for x in g]
        )
        ends = [product(tuple(sizes[x] for x in group)) for group in groups[-2:]]
        return r.tape.reshape(value, (*(sizes[x] for x in groups[0]), *ends))

    a, b = ordered(0, first, both, rows, inner), ordered(1, second, both, inner, columns)
    stack = tuple(sizes[x] for x in both)
    made = c.out.new_empty((*stack, a.shape[-2], b.shape[-1]))
    multiply(r, a, b, made)
    names = [*both, *rows, *columns]
    value = r.tape.reshape(r.value(made), tuple(sizes[x] for x in names))
    r.set(c.out, r.tape.permute(value, [names.index(x) for x in result]))
    return None


@rule("scaled_dot_product_attention")
def _attention(r: Recorder, c: Call) -> None:
    q, k, v = (c.get(i, name) for i, name in enumerate(("query", "key", "value")))
    mask = c.get(3, "attn_mask")
    many, n = product(tuple(q.shape[:-3])), q.shape[-2]
    heads, shared = (t.shape[-3] if t.dim() > 2 else 1 for t in (q, k))
    if q.dim() == 3:
        many, heads, shared = heads, 1, 1

    def tokens(tensor: Tensor, heads: int) -> str:
        value = r.value(tensor)
        axes = len(value.shape)
        if tensor.dim() > 3:
            value = r.tape.permute(value, (*range(axes - 3), axes - 2, axes - 3, axes - 1))
        return r.tape.want(value, (many * tensor.shape[-2], heads * tensor.shape[-1]))

    inputs = [tokens(q, heads), tokens(k, shared), tokens(v, shared)]
    if mask is not None:
        inputs.append(r.tape.whole(r.value(mask)))
    op = Attention(heads=heads, shared=None if shared == heads else shared, windows=many)
    tensor = r.tape.one(op, *inputs, call=r.call)
    *outer, _, d = c.out.shape
    if q.dim() > 3:
        value = Value((*outer[:-1], n, heads, d), tensor)
        axes = len(value.shape)
        value = r.tape.permute(value, (*range(axes - 3), axes - 2, axes - 3, axes - 1))
    else:
        value = Value(tuple(c.out.shape), tensor)
    r.set(c.out, value)


# Norms.


@rule("batch_norm", "native_batch_norm")
def _batch_norm(r: Recorder, c: Call) -> object:
    weight, bias = c.get(1, "weight"), c.get(2, "bias")
    mean, variance = c.get(3, "running_mean"), c.get(4, "running_var")
    if mean is None:
        return NotImplemented
    channels = mean.numel()
    leaves = [r.leaf(t, channels) for t in (weight, bias, mean, variance)]
    key = r.hold(*leaves)
    op = BatchNorm(scale=weight is not None, shift=bias is not None)
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
    op = GroupNorm(groups=groups, scale=bool(leaves[0]), shift=bool(leaves[1]))
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
    op: Op = RMSNorm(scale=scale) if rms else LayerNorm(scale=scale, shift=shift)
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
    made = _per_position(r, RMSNorm(scale=False), moved, moved.shape[-1], call=r.call)
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
    over_maps(r, LocalResponseNorm(size=int(c.get(1, "size"))), c, c.out.dim() - 2)


# Poolings and reductions.


@rule("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool1d_with_indices")
def _max_pool(r: Recorder, c: Call) -> None:
    dims = 1 if "1d" in c.func.__name__ else 2
    kernel, dilation = c.get(1, "kernel_size"), c.get(4, "dilation", 1)
    stride = c.get(2, "stride")
    op = MaxPool(
        kernel=pair(kernel, dims),
        stride=None if not stride and stride != 0 else pair(stride, dims),
        padding=_padding(c.get(3, "padding", 0), kernel, 1, dims),
        dilation=pair(dilation, dims),
        ceil=bool(c.get(5, "ceil_mode", False)),
    )
    over_maps(r, op, c, dims)


@rule("avg_pool1d", "avg_pool2d")
def _avg_pool(r: Recorder, c: Call) -> None:
    dims = 1 if "1d" in c.func.__name__ else 2
    kernel, stride = c.get(1, "kernel_size"), c.get(2, "stride")
    op = AvgPool(
        kernel=pair(kernel, dims),
        stride=None if not stride else pair(stride, dims),
        padding=_padding(c.get(3, "padding", 0), kernel, 1, dims),
        ceil=bool(c.get(4, "ceil_mode", False)),
    )
    over_maps(r, op, c, dims)


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d")
def _adaptive(r: Recorder, c: Call) -> object:
    out = first(c.out)
    dims = 1 if "1d" in c.func.__name__ else 2
    size, largest = pair(tuple(out.shape[-dims:]), dims), "max" in c.func.__name__
    if size != (1, 1) and largest:
        return NotImplemented
    whole: Op = GlobalMaxPool() if largest else GlobalAvgPool()
    op = whole if size == (1, 1) else AdaptiveAvgPool(size=size)
    over_maps(r, op, c, dims)
    return None


_REDUCTIONS: dict[str, type[Mean] | type[Sum] | type[Max]] = {
    "mean": Mean, "sum": Sum, "amax": Max, "max": Max,
}  # fmt: skip


@rule(*_REDUCTIONS)
def _reduce(r: Recorder, c: Call) -> object:
    kind = _REDUCTIONS[c.func.__name__.removesuffix("_")]
    given = c.get(1, "dim")
    if isinstance(given, Tensor):
        return NotImplemented
    value, out = r.value(c.get(0, "input", c.args[0] if c.args else None)), first(c.out)
    rank = len(value.shape)
    dims = (
        range(rank)
        if given is None or given == ()
        else given
        if isinstance(given, list | tuple)
        else (given,)
    )
    axes = [d % rank for d in dims if value.shape[d] != 1]
    if not axes:
        r.set(out, value._replace(shape=tuple(out.shape)))
        return None
    places = [r.tape.axis(value, axis) for axis in axes]
    tensor, along = places[0][0], tuple(sorted(at for _, at in places))
    own = r.draft.shape(tensor)
    if along == (1, 2) and len(own) == 3 and kind is Mean:
        made = r.tape.one(GlobalAvgPool(), tensor, call=r.call)
    else:
        made = r.tape.one(kind(along=along, keep=True), tensor, call=r.call)
    for axis in axes:
        value = r.tape.resized(value, made, axis, 1)
    r.set(out, r.tape.reshape(value, tuple(out.shape)))
    return None


# Functions of each element.


@rule(*ACTIVATIONS)
def _activation(r: Recorder, c: Call) -> None:
    from mbprof.exchange.torch_record import word_of

    _act(r, c, ACTIVATIONS[word_of(c.func)])


def _act(r: Recorder, c: Call, function: str) -> None:
    value = r.value(c.get(0, "input", c.args[0] if c.args else None))
    r.set(c.out, r.tape.same(Activation(function=function), value, call=r.call))


@rule("gelu")
def _gelu(r: Recorder, c: Call) -> None:
    _act(r, c, "gelu_tanh" if c.named.get("approximate") == "tanh" else "gelu")


@rule("hardtanh", "clamp")
def _clamp(r: Recorder, c: Call) -> object:
    names = ("min_val", "max_val") if "hardtanh" in c.func.__name__ else ("min", "max")
    bounds = tuple(c.get(i, name) for i, name in enumerate(names, 1))
    function = {(0, None): "relu", (0, 6): "relu6"}.get(bounds)
    return NotImplemented if function is None else _act(r, c, function)


@rule("prelu")
def _prelu(r: Recorder, c: Call) -> object:
    value, weight = r.value(c.get(0, "input")), c.get(1, "weight")
    channels = value.shape[1] if len(value.shape) > 1 else 1
    key = r.hold(own) if (own := r.leaf(weight, channels)) else None
    if key is None:
        return NotImplemented
    _normalised(r, c, Activation(function="prelu"), key)
    return None


@rule("softmax", "safe_softmax")
def _softmax(r: Recorder, c: Call) -> None:
    value = r.value(c.get(0, "input", c.args[0] if c.args else None))
    axis = c.get(1, "dim", -1)
    tensor, at = r.tape.axis(value, -1 if axis is None else axis)
    made = r.tape.one(Softmax(axis=at), tensor, call=r.call)
    r.set(c.out, value._replace(tensor=made))


def _number(r: Recorder, operand: object) -> float | None:
    return float(operand) if isinstance(operand, int | float) else None


@rule("mul", "imul", "rmul", "multiply", "div", "truediv", "itruediv", "neg")
def _mul(r: Recorder, c: Call) -> object:
    from mbprof.exchange.torch_record import word_of

    word = word_of(c.func)
    left, right = c.args[0], c.get(1, "other", -1)
    divided = "div" in word
    if not isinstance(left, Tensor):
        left, right = right, left
    number = _number(r, right)
    if number is not None:
        by = 1 / number if divided and number else number
        r.set(c.out, r.tape.same(Times(by=by), r.value(left), call=r.call))
        return None
    if divided and not (r.static(right) and not r._leaves(right)):
        return NotImplemented
    _binary(r, c, Mul(), left, right)
    return None


@rule("add", "iadd", "radd", "sub", "isub", "rsub", "subtract")
def _add(r: Recorder, c: Call) -> None:
    left, right = c.args[0], c.get(1, "other")
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        _binary(r, c, Add(), left, right)
        return
    value = r.value(left if isinstance(left, Tensor) else right)
    number = right if isinstance(left, Tensor) else left
    if number == 0:
        r.set(c.out, value)
        return
    own = r.draft.shape(value.tensor)
    from mbprof.ops.tokens import Param

    constant = r.tape.one(Param(shape=(1,) * len(own), trained=False), name=r.name("constant"))
    r.set(c.out, value._replace(tensor=r.tape.one(Add(), value.tensor, constant, call=r.call)))


def _binary(r: Recorder, c: Call, op: Op, left: Tensor, right: Tensor) -> None:
    values = [r.value(left), r.value(right)]
    r.set(c.out, r.tape.joined(op, values, tuple(c.out.shape), call=r.call))


@rule("square")
def _square(r: Recorder, c: Call) -> None:
    _binary(r, c, Mul(), c.args[0], c.args[0])


@rule("pow")
def _pow(r: Recorder, c: Call) -> object:
    return _square(r, c) if c.get(1, "exponent") == 2 else NotImplemented

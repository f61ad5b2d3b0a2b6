"""What multiplies and accumulates in PyTorch: convolutions, linear layers, products, attention."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.record import Call, Recorder
from mbprof.exchange.torch_in.rules import over_maps, pair, rule
from mbprof.exchange.torch_in.views import Value, core, plain
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.ops.padding import Padding
from mbprof.symbolic.arithmetic import product


def padding(value: Any, kernel: Any, dilation: Any, dims: int) -> Padding:
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


@rule("conv1d", "conv2d", "convolution")
def _conv(r: Recorder, c: Call) -> object:
    weight, bias = c.get(1, "weight"), c.get(2, "bias")
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
        "padding": padding(c.get(4, "padding", 0), kernel, dilation, dims),
    }
    own = r.leaf(weight, weight.numel())
    gain = r.leaf(weight, made) if own and _several(r, weight) else ""
    gain = gain if gain in r.trained else ""
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
        op = new("dwconv", multiplier=made // groups, **said)
    else:
        op = new("conv", channels=made, groups=groups, **said)
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
        r.set(out, r.tape.joined(new("add"), [r.value(out), term], tuple(out.shape)))


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
    op = new(
        "tconv",
        channels=channels,
        kernel=pair(kernel, dims),
        stride=pair(stride, dims),
        padding=padding(c.get(4, "padding", 0), kernel, dilation, dims),
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
    op = new("linear", channels=channels, bias=has_bias)
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
    (m, k), stack = left.shape[-2:], shape[:-2]
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
    tensor = tape.one(new("matmul", transposed=transposed), *tensors, call=r.call)
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


@rule("bilinear")
def _bilinear(r: Recorder, c: Call) -> object:
    """X W y for each output: first a layer of o·n channels, n those of y, then o products."""
    left, right, weight, bias = (
        c.get(i, name) for i, name in enumerate(("input1", "input2", "weight", "bias"))
    )
    o, m, n = weight.shape
    key = r.hold(own) if (own := r.leaf(weight, weight.numel())) else None
    if key is None:
        return NotImplemented
    rows = product(tuple(left.shape[:-1]))
    op = new("linear", channels=o * n, bias=False)
    tensor = r.tape.one(op, r.tape.want(r.value(left), (rows, m)), share=key, call=r.call)
    made = c.out.new_empty((rows, o, 1))
    ends = r.tape.reshape(r.value(right), (rows, n, 1))
    multiply(r, Value((rows, o, n), tensor), ends, made)
    r.set(c.out, r.tape.reshape(r.value(made), tuple(c.out.shape)))
    _add_bias(r, c.out, bias, False)
    return None


@rule("affine_grid", "affine_grid_generator")
def _affine_grid(r: Recorder, c: Call) -> None:
    """Multiply the positions of all pixels, with a 1 behind them, by a matrix for each image."""
    theta, shape = c.get(0, "theta"), tuple(c.out.shape)
    n, rank = shape[0], shape[-1]
    pixels = product(shape[1:-1])
    op = new("param", shape=plain((n, pixels, rank + 1)), trained=False)
    grid = Value((n, pixels, rank + 1), r.tape.one(op, name=r.name("positions")))
    made = c.out.new_empty((n, pixels, rank))
    multiply(r, grid, r.tape.permute(r.value(theta), (0, 2, 1)), made)
    r.set(c.out, r.tape.reshape(r.value(made), shape))


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
    op = new("sdpa", heads=heads, shared=None if shared == heads else shared, windows=many)
    tensor = r.tape.one(op, *inputs, call=r.call)
    *outer, _, d = c.out.shape
    if q.dim() > 3:
        value = Value((*outer[:-1], n, heads, d), tensor)
        axes = len(value.shape)
        value = r.tape.permute(value, (*range(axes - 3), axes - 2, axes - 3, axes - 1))
    else:
        value = Value(tuple(c.out.shape), tensor)
    r.set(c.out, value)

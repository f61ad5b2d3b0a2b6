"""Rules for linear layers and products, pooling, norms and attention."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from mbprof.exchange.onnx_in.convs import maps_of, over_depth, plane_of, slid
from mbprof.exchange.onnx_in.graph import Node
from mbprof.exchange.onnx_in.translate import FUSED, Translator, emit_of, rule, window
from mbprof.exchange.rules import NoRule, new
from mbprof.language.fmt import Shape


def rows(shape: Shape) -> Shape:
    """Return a shape in which each vector of the last axis is a token."""
    return (prod(shape[:-1]), shape[-1]) if len(shape) == 3 else shape


def linear(
    t: Translator, node: Node, x: str, weights: str, channels: int, biased: bool, tensor: str = ""
) -> None:
    """Multiply the last axis of a tensor by weights; ``tensor`` is one of the draft instead."""
    output = node.outputs[0]
    if not biased and (behind := t.bias_behind(node, (channels,))) is not None:
        output, biased = behind, True
    shape = rows(t.shape(x))
    step = new("linear", channels=channels, bias=biased)
    made = (*shape[:-1], channels)
    t.emit(node, step, [tensor or t.take(x, shape)], made, output, share=t.shared(weights))


@rule("Gemm", "QGemm")
def gemm(t: Translator, node: Node) -> None:
    """Multiply vectors by a matrix, and add a bias."""
    at, bias = (3, 6) if node.kind == "QGemm" else (1, 2)
    x, name = node.inputs[0], node.inputs[at]
    weights, said = t.tensor(name), node.attributes
    if said.get("transA") or (t.has(node, bias) and not t.tensor(node.inputs[bias]).fixed):
        raise NoRule
    channels = weights.shape[0 if said.get("transB") else 1]
    if weights.fixed:
        linear(t, node, x, name, channels, t.has(node, bias))
        return
    product_of(t, node, (x, name), bool(said.get("transB")))


@rule("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "MatMulIntegerToFloat",
      "DynamicQuantizeMatMul")  # fmt: skip
def matmul(t: Translator, node: Node) -> None:
    """Multiply by weights, which is a linear layer, or two tensors of an image."""
    at = 3 if node.kind == "QLinearMatMul" else 1
    x, name = node.inputs[0], node.inputs[at]
    left, right, said = t.tensor(x), t.tensor(name), node.attributes
    if said.get("transA"):
        raise NoRule
    if right.fixed and len(right.shape) <= 2 and not _LOOSE.fullmatch(right.root):
        transposed = bool(said.get("transB"))
        channels = 1 if len(right.shape) == 1 else right.shape[0 if transposed else 1]
        linear(t, node, x, name, channels, False)
        return
    if left.fixed and len(left.shape) == 2 and len(t.shape(name)) >= 2:
        shape = t.shape(name)
        turned = _swapped(t, node, t.take(name), shape, "turn")
        across = (*shape[:-2], shape[-1], shape[-2])
        flat, channels = rows(across), left.shape[0]
        own = t.seen(turned, across, flat, node.outputs[0])
        made = (*flat[:-1], channels)
        step = new("linear", channels=channels, bias=False)
        own = t.emit(node, step, [own], made, part="linear", share=t.shared(x))
        wide = (*across[:-1], channels)
        own = t.seen(own, made, wide, node.outputs[0])
        final = (*wide[:-2], wide[-1], wide[-2])
        order = (*range(len(wide) - 2), len(wide) - 1, len(wide) - 2)
        t.emit(node, new("permute", order=order), [own], final)
        return
    product_of(t, node, (x, name), bool(said.get("transB")))


_LOOSE = re.compile(r"[\w.]+\.(?!\w*(weight|kernel))[a-z_]+")
"""The name of a trained tensor of PyTorch that is no layer's: a module's, other than its weight."""


def _swapped(t: Translator, node: Node, own: str, shape: Shape, part: str) -> str:
    order = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    return t.emit(
        node, new("permute", order=order), [own], tuple(shape[i] for i in order), part=part
    )


def product_of(t: Translator, node: Node, names: tuple[str, str], turned: bool) -> None:
    """Multiply two tensors as stacks of matrices; a stack of one is repeated."""
    out = t.tensor(node.outputs[0])
    operands: list[tuple[str, Shape]] = []
    for name in names:
        tensor = t.tensor(name)
        sizes = [*(1,) * (len(out.shape) - len(tensor.shape)), *tensor.shape]
        if out.batch is not None and out.batch < len(sizes) - 2:
            if out.shape[out.batch] == t.walk.batch:
                del sizes[out.batch]
            elif tensor.batch is not None:
                sizes[out.batch] //= t.walk.batch
        elif tensor.batch is not None:
            raise NoRule
        operands.append((name, tuple(sizes)))
    (a, left), (b, right) = operands
    (m, k), (high, wide) = left[-2:], right[-2:]
    n = high if turned else wide
    stacks, others = left[:-2], right[:-2]
    if stacks != others and prod(others) == 1:
        m, stacks, others = m * prod(stacks), (), ()  # the rows of all are multiplied alike
    full = tuple(map(max, stacks, others))
    stack = () if prod(full) == 1 else (prod(full),)
    own = []
    for name, has, matrix in ((a, stacks, (m, k)), (b, others, (high, wide))):
        shape = (*has, *matrix)
        operand = t.take(name, shape)
        for axis, size in enumerate(full):
            if shape[axis] != size:  # a matrix for several is looked up for each
                repeat = new("lookup", to=(size,), axis=axis)
                shape = repeat.shapes((shape,))[0]
                operand = t.emit(node, repeat, [operand], shape, part=f"repeat{axis}")
        own.append(t.seen(operand, shape, (*stack, *matrix), name))
    t.emit(node, new("matmul", transposed=turned), own, (*stack, m, n))


@rule("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool")
def pool(t: Translator, node: Node) -> None:
    """Pool over windows; what counts of a partial one decides the padding at the end."""
    said, rank = node.attributes, len(t.tensor(node.inputs[0]).shape) - 2
    if rank == 3:
        _pool_volume(t, node)
        return
    shape, output = maps_of(t, node.inputs[0]), node.outputs[0]
    if len(node.outputs) > 1 and node.outputs[1] in t.takers:
        raise NoRule
    kernel = window(said["kernel_shape"], rank)
    how, made = slid(t, node, shape, kernel, output), t.tensor(output).shape[1:]
    full = made if rank == 2 else (made[0], 1, made[1])
    dilation = how.pop("dilation")
    kind = "maxpool" if node.kind == "MaxPool" else "avgpool"
    if kind == "maxpool":
        how["dilation"] = dilation
    elif dilation != (1, 1):
        raise NoRule
    step = new(kind, kernel=kernel, ceil=bool(said.get("ceil_mode", 0)), **how)
    if step.shapes((shape,)) != (full,):
        sides = (0, 0, 0, 0) if isinstance(how["padding"], str) else how["padding"]
        top, _, left, _ = sides
        ends = []
        for axis, before in ((0, top), (1, left)):
            reach = (full[1 + axis] - 1) * how["stride"][axis]
            reach += (kernel[axis] - 1) * dilation[axis] + 1
            ends.append(max(reach - before - shape[1 + axis], 0))
        step = new(kind, kernel=kernel, **{**how, "padding": (top, ends[0], left, ends[1])})
    t.emit(node, step, [t.take(node.inputs[0], shape)], full)


def _pool_volume(t: Translator, node: Node) -> None:
    """Pool each map, then what the window is deep."""
    said, x, output = node.attributes, node.inputs[0], node.outputs[0]
    shape, made = t.shape(x), t.shape(output)
    if len(shape) != 4 or (len(node.outputs) > 1 and node.outputs[1] in t.takers):
        raise NoRule
    deep, *kernel = said["kernel_shape"]
    plane = node._replace(attributes=plane_of(said, 0))
    how = slid(t, plane, (shape[0], *shape[2:]), window(kernel, 2), output, 2, made[2:])
    dilation, largest = how.pop("dilation"), node.kind == "MaxPool"
    if not largest and dilation != (1, 1):
        raise NoRule
    how |= {"dilation": dilation} if largest else {}
    ceil = bool(said.get("ceil_mode", 0))
    step = new("maxpool" if largest else "avgpool", kernel=window(kernel, 2), ceil=ceil, **how)
    emit = emit_of(t, node)

    def layer(own: str, part: str) -> str:
        own = emit(step, own, part=part)
        _, high, wide = t.draft.shape(own)
        if deep == 1:
            return own
        own = emit(new("reshape", to=(shape[0], deep, high * wide)), own, part=f"{part}.deep")
        along = new("max" if largest else "mean", along=(1,), keep=True)
        own = emit(along, own, part=f"{part}.along")
        return emit(new("reshape", to=(shape[0], high, wide)), own, part=f"{part}.pooled")

    over_depth(t, node, layer, deep, output)


@rule("GlobalAveragePool", "GlobalMaxPool", "QLinearGlobalAveragePool")
def pool_all(t: Translator, node: Node) -> None:
    """Pool whole maps."""
    if node.attributes.get("channels_last"):
        raise NoRule
    full = t.tensor(node.inputs[0]).shape
    if len(full) == 5:
        shape: Shape = (prod(t.shape(node.inputs[0])) // prod(full[2:]), full[2], prod(full[3:]))
    else:
        shape = maps_of(t, node.inputs[0])
    step = new("gmp") if node.kind == "GlobalMaxPool" else new("gap")
    t.emit(node, step, [t.take(node.inputs[0], shape)], (shape[0], 1, 1))


@rule("BatchNormalization")
def batch_norm(t: Translator, node: Node) -> None:
    """Normalise by running statistics."""
    x = node.inputs[0]
    shape = t.shape(x)
    if len(shape) > 1:
        shape = (shape[0], 1, prod(shape[1:])) if len(shape) != 3 else shape
    step = new("bn", scale=t.holds(node, 1), shift=t.holds(node, 2))
    t.emit(node, step, [t.take(x, shape)], shape)


@rule("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization")
def layer_norm(t: Translator, node: Node) -> None:
    """Normalise the last axes, which are read as one; with the first it is one vector."""
    x = node.inputs[0]
    rank, axis = len(t.tensor(x).shape), node.attributes.get("axis", -1)
    size, whole = prod(t.tensor(x).shape[axis % rank :]), prod(t.shape(x))
    if whole % size:
        raise NoRule
    shape = rows(t.shape(x))
    if axis % rank != rank - 1:
        shape = (whole // size, size) if whole > size else (size,)
    step: Any = new("ln", scale=t.holds(node, 1), shift=t.holds(node, 2))
    if node.kind != "LayerNormalization":
        step = new("rms", scale=t.holds(node, 1))
    t.emit(node, step, [t.take(x, shape)], shape)


@rule("norm")
def written_out(t: Translator, node: Node) -> None:
    """Normalise as a pattern says."""
    scale = t.tensor(node.inputs[1])
    shape = rows(t.shape(node.inputs[0]))
    if prod(scale.shape) != shape[-1]:
        raise NoRule
    step = new("rms") if node.attributes["f"] == "rms" else new("ln")
    t.emit(node, step, [t.take(node.inputs[0], shape)], shape)


@rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def skip_norm(t: Translator, node: Node) -> None:
    """Add a shortcut, then normalise."""
    simple = node.kind == "SkipSimplifiedLayerNormalization"
    shape = rows(t.shape(node.inputs[0]))
    taken = [t.take(name, shape) for name in node.inputs[:2]]
    own = t.emit(node, new("add"), taken, shape, part="add")
    step: Any = new("rms") if simple else new("ln", shift=t.has(node, 3))
    t.emit(node, step, [own], shape)
    if len(node.outputs) > 3 and node.outputs[3]:
        t.at[node.outputs[3]] = own, shape


@rule("InstanceNormalization", "GroupNormalization", "GroupNorm")
def group_norm(t: Translator, node: Node) -> None:
    """Normalise groups of channels; without a number of groups each by itself."""
    if node.attributes.get("channels_last"):
        raise NoRule
    shape = t.shape(node.inputs[0])
    groups = node.attributes.get("num_groups") or node.attributes.get("groups") or shape[0]
    flat = shape if len(shape) == 3 else (shape[0], 1, prod(shape[1:]))
    step = new("gn", groups=int(groups), scale=t.holds(node, 1), shift=t.holds(node, 2))
    t.emit(node, step, [t.take(node.inputs[0], flat)], flat)


@rule("LRN")
def lrn(t: Translator, node: Node) -> None:
    """Normalise over neighbouring channels."""
    shape = t.shape(node.inputs[0])
    step = new("lrn", size=int(node.attributes["size"]))
    t.emit(node, step, [t.take(node.inputs[0])], shape)


@rule("Attention", "MultiHeadAttention")
def attention(t: Translator, node: Node) -> None:
    """Attend: three tensors of tokens, those of heads, or one that makes all three."""
    said, shape = node.attributes, t.shape(node.inputs[0])
    if node.domain == FUSED and node.kind == "Attention":
        _packed(t, node, int(said["num_heads"]))
        return
    names = node.inputs[:3]
    if len(names) < 3 or not all(names) or any(t.has(node, at) for at in (4, 5, 6, 7)):
        raise NoRule
    if len(shape) == 2:
        heads = int(said.get("q_num_heads") or said.get("num_heads") or 1)
        shared = int(said.get("kv_num_heads") or heads)
        taken = [t.take(name) for name in names]
        if node.domain == FUSED and t.has(node, 3):
            taken = [_biased(t, node, own, t.shape(n)) for own, n in zip(taken, names, strict=True)]
        elif t.has(node, 3):
            taken.append(t.take(node.inputs[3]))
        step = new("sdpa", heads=heads, shared=shared if shared != heads else None)
        c_v = t.shape(names[2])[1] // shared * heads
        t.emit(node, step, taken, (shape[0], c_v))
        return
    q, k, v = (t.shape(name) for name in names)
    if len(q) != 3 or q[0] % k[0] or node.domain == FUSED:
        raise NoRule
    h, n, m = q[0], q[1], k[1]
    emit, others = emit_of(t, node), [t.take(names[1]), t.take(names[2])]
    if h != k[0]:  # several heads share keys and values
        others = [emit(new("lookup", to=(h,)), own, part="heads") for own in others]
    scores = t.emit(
        node,
        new("matmul", transposed=True),
        [t.take(names[0]), others[0]],
        (h, n, m),
        part="qk",
    )
    scores = t.emit(node, new("times", by=q[2] ** -0.5), [scores], (h, n, m), part="scale")
    if t.has(node, 3):
        mask = t.tensor(node.inputs[3]).shape
        sizes = ((1,) * 3 + mask)[-3:]
        bias = t.take(node.inputs[3], sizes)
        scores = t.emit(node, new("add"), [scores, bias], (h, n, m), part="mask")
    scores = t.emit(node, new("softmax", axis=-1), [scores], (h, n, m), part="softmax")
    t.emit(node, new("matmul"), [scores, others[1]], (h, n, v[2]))


def _biased(t: Translator, node: Node, own: str, shape: Shape) -> str:
    bias = t.emit(node, new("param", shape=(1, shape[1])), [], (1, shape[1]), part="bias")
    return t.emit(node, new("add"), [own, bias], shape, part="add")


def _packed(t: Translator, node: Node, heads: int) -> None:
    """Attend with weights for queries, keys and values in one matrix."""
    x, weights = node.inputs[0], t.tensor(node.inputs[1])
    if not weights.fixed or any(t.has(node, at) for at in (3, 4, 5)):
        raise NoRule
    n, _ = t.shape(x)
    channels = weights.shape[1]
    sizes = [int(s) for s in node.attributes.get("qkv_hidden_sizes") or [channels // 3] * 3]
    step = new("linear", channels=channels, bias=t.has(node, 2))
    own = t.emit(node, step, [t.take(x)], (n, channels), part="qkv")
    parts = [
        t.emit(node, new("split", sizes=tuple(sizes), keep=at), [own], (n, size), part="qkv"[at])
        for at, size in enumerate(sizes)
    ]
    t.emit(node, new("sdpa", heads=heads), parts, (n, sizes[2]))

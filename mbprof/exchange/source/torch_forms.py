"""How PyTorch writes ops that give tensors another form, and ops of tokens."""

from __future__ import annotations

from typing import Any

from mbprof.exchange.source.attention import attention
from mbprof.exchange.source.code import Arg, In, Own, Text, Written, new
from mbprof.exchange.source.torch_layers import Writer, dim, sides, writes
from mbprof.network.graph import Node
from mbprof.ops.base import channel_axis


@writes("identity")
def _identity(writer: Writer, node: Node, op: Any) -> Written:
    return Written()


@writes("flatten")
def _flatten(writer: Writer, node: Node, op: Any) -> Written:
    return Written((new("nn.Flatten"),)) if len(node.in_shapes[0]) > 1 else Written()


@writes("reshape")
def _reshape(writer: Writer, node: Node, op: Any) -> Written:
    sizes = [part for size in op.to for part in (", ", Arg("size", size))]
    return Written(text=(In(0), ".reshape(len(", In(0), ")", *sizes, ")"))


@writes("add", "mul")
def _joined(writer: Writer, node: Node, op: Any) -> Written:
    sign = " + " if op.word == "add" else " * "
    parts: list[Any] = [In(0)]
    for number in range(1, len(node.inputs)):
        parts += [sign, In(number)]
    return Written(text=tuple(parts))


@writes("concat")
def _concat(writer: Writer, node: Node, op: Any) -> Written:
    batched = [number for number, edge in enumerate(node.inputs) if writer.batched(edge)]
    parts: list[Any] = ["torch.cat(["]
    for number, edge in enumerate(node.inputs):
        parts += [", "] if number else []
        parts.append(In(number))
        if batched and not writer.batched(edge):
            rest = ", -1" * len(node.in_shapes[number])
            parts += [".expand(len(", In(batched[0]), f"){rest})"]
    return Written(text=(*parts, "], ", Arg("dim", dim(node, op.axis)), ")"))


@writes("split")
def _split(writer: Writer, node: Node, op: Any) -> Written:
    axis = channel_axis(node.in_shapes[0]) if op.axis is None else op.axis
    told: tuple[Any, ...] = (In(0), ".chunk(", Arg("parts", op.parts))
    if op.sizes:
        told = (In(0), ".split(", Arg("sizes", list(op.sizes)))
    keep: tuple[Any, ...] = () if op.keep is None else ("[", Arg("keep", op.keep), "]")
    single = len(op.sizes or range(op.parts)) == 1 and op.keep is None
    return Written(
        text=(*told, ", ", Arg("dim", dim(node, axis)), ")", *keep, *(("[0]",) if single else ()))
    )


@writes("slice")
def _slice(writer: Writer, node: Node, op: Any) -> Written:
    colons = ":, " * dim(node, op.axis)
    start: tuple[Any, ...] = (Arg("start", op.start),) if op.start else ()
    stop: tuple[Any, ...] = () if op.stop is None else (Arg("stop", op.stop),)
    step: tuple[Any, ...] = (":", Arg("step", op.step)) if op.step > 1 else ()
    return Written(text=(In(0), f"[{colons}", *start, ":", *stop, *step, "]"))


@writes("permute")
def _permute(writer: Writer, node: Node, op: Any) -> Written:
    order = ", ".join(str(dim(node, axis)) for axis in op.order)
    return Written(text=(In(0), f".permute(0, {order})"))


@writes("shuffle")
def _shuffle(writer: Writer, node: Node, op: Any) -> Written:
    g = Arg("g", op.groups)
    return Written(text=(In(0), ".unflatten(1, (", g, ", -1)).transpose(1, 2).flatten(1, 2)"))


@writes("pad")
def _pad(writer: Writer, node: Node, op: Any) -> Written:
    pads = sides(op.axes(node.in_shapes))
    more = node.out_shapes[0][0] - node.in_shapes[0][0]
    if more:
        return Written(text=("F.pad(", In(0), ", ", Arg("pads", (*pads, 0, more)), ")"))
    if len(node.inputs) == 2:
        return Written(text=("F.pad(", In(0), ", ", Arg("pads", pads), ")"))
    return Written((new("nn.ZeroPad2d", Arg("pads", pads)),))


@writes("crop")
def _crop(writer: Writer, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    top, left = (h - high) // 2, (w - wide) // 2
    if op.padding is not None:
        top, _, left, _ = op.padding
    ends: list[Any] = []
    for start, size, role in ((top, high, "top"), (left, wide, "left")):
        ends += [", ", Arg(role, start), ":", Arg(f"{role}_end", start + size)]
    return Written(text=(In(0), "[:, :", *ends, "]"))


@writes("resize")
def _resize(writer: Writer, node: Node, op: Any) -> Written:
    mode: tuple[Any, Any] = (Arg("mode", op.mode), "nearest")
    if len(node.inputs) == 2:
        start: Text = ("F.interpolate(", In(0), ", ", In(1), ".shape[2:], mode=")
        return Written(text=(*start, Arg("mode", op.mode), ")"))
    if op.size is not None:
        return Written((new("nn.Upsample", Arg("size", op.size), mode=mode),))
    by = int(op.by) if op.by == int(op.by) else op.by
    return Written((new("nn.Upsample", scale_factor=(Arg("by", by), None), mode=mode),))


@writes("pixelshuffle", "pixelunshuffle")
def _pixels(writer: Writer, node: Node, op: Any) -> Written:
    what = "nn.PixelShuffle" if op.word == "pixelshuffle" else "nn.PixelUnshuffle"
    return Written((new(what, Arg("by", op.by)),))


@writes("tokens")
def _tokens(writer: Writer, node: Node, op: Any) -> Written:
    return Written(text=(In(0), ".flatten(2).transpose(1, 2)"))


@writes("maps")
def _maps(writer: Writer, node: Node, op: Any) -> Written:
    start: Text = (In(0), ".transpose(1, 2).unflatten(2, ")
    if len(node.inputs) == 2:
        return Written(text=(*start, In(1), ".shape[2:])"))
    return Written(text=(*start, Arg("size", op.size), ")"))


@writes("param")
def _param(writer: Writer, node: Node, op: Any) -> Written:
    values = new("torch.zeros", 1, *(Arg("size", size) for size in op.shape))
    return Written((new("nn.Parameter" if op.trained else "nn.Buffer", values),), (Own(),))


@writes("lookup")
def _lookup(writer: Writer, node: Node, op: Any) -> Written:
    axis = dim(node, op.axis)
    rows = Arg("rows", node.in_shapes[0][axis - 1])
    return Written((new("LookUp", rows, Arg("to", op.to), Arg("axis", axis)),))


@writes("matmul")
def _matmul(writer: Writer, node: Node, op: Any) -> Written:
    end = (".transpose(-2, -1)",) if op.transposed else ()
    return Written(text=(In(0), " @ ", In(1), *end))


@writes("sdpa")
def _sdpa(writer: Writer, node: Node, op: Any) -> Written:
    return attention(node, op, (In(3),))


@writes("rope")
def _rope(writer: Writer, node: Node, op: Any) -> Written:
    if op.first == node.in_shapes[0][0]:
        return Written()
    more = (", ", In(1)) if len(node.inputs) == 2 else ()
    return Written(text=("rotate(", In(0), ", ", Arg("first", op.first), *more, ")"))

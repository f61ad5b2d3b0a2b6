"""How Keras writes ops that give tensors another form, and ops of tokens."""

from __future__ import annotations

from typing import Any

from mbprof.exchange import meaning
from mbprof.exchange.source.attention import attention
from mbprof.exchange.source.code import Arg, In, Name, Own, Text, Written, new
from mbprof.exchange.source.keras_layers import (
    KerasWriter,
    as_kept,
    as_said,
    axis_at,
    pads_of,
    stored,
    turned,
    writes,
)
from mbprof.exchange.source.torch_layers import pair
from mbprof.network.graph import Node
from mbprof.ops.base import channel_axis


@writes("identity")
def _identity(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written()


@writes("flatten")
def _flatten(writer: KerasWriter, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    if len(shape) == 1:
        return Written()
    turn = len(shape) == 3 and shape[0] > 1 and shape[1:] != (1, 1)
    first = (new("layers.Permute", Name("(3, 1, 2)")),) if turn else ()
    return Written((*first, new("layers.Flatten")))


@writes("reshape")
def _reshape(writer: KerasWriter, node: Node, op: Any) -> Written:
    sizes = [part for size in node.out_shapes[0] for part in (", ", Arg("size", size))]
    text: Text = ("ops.reshape(", *as_said(0, len(node.in_shapes[0])), ", (-1", *sizes, "))")
    return Written(text=as_kept(text, len(node.out_shapes[0])))


@writes("add", "mul")
def _joined(writer: KerasWriter, node: Node, op: Any) -> Written:
    sign = " + " if op.word == "add" else " * "
    parts: list[Any] = [In(0)]
    for number in range(1, len(node.inputs)):
        parts += [sign, In(number)]
    return Written(text=tuple(parts))


@writes("concat")
def _concat(writer: KerasWriter, node: Node, op: Any) -> Written:
    batched = [number for number, edge in enumerate(node.inputs) if writer.batched(edge)]
    parts: list[Any] = ["ops.concatenate(["]
    for number, edge in enumerate(node.inputs):
        parts += [", "] if number else []
        if batched and not writer.batched(edge):
            parts += ["per_image(", In(number), ", ", In(batched[0]), ")"]
        else:
            parts.append(In(number))
    axis = axis_at(node, op.axis)
    return Written(text=(*parts, "], axis=", Arg("axis", axis), ")"))


@writes("split")
def _split(writer: KerasWriter, node: Node, op: Any) -> Written:
    axis = channel_axis(node.in_shapes[0]) if op.axis is None else op.axis
    told = Arg("parts", op.parts)
    if op.sizes:
        told = Arg("sizes", [sum(op.sizes[:i]) for i in range(1, len(op.sizes))])
    keep: Text = () if op.keep is None else ("[", Arg("keep", op.keep), "]")
    single = len(op.sizes or range(op.parts)) == 1
    if single:
        return Written()
    where = Arg("axis", axis_at(node, axis))
    return Written(text=("ops.split(", In(0), ", ", told, ", axis=", where, ")", *keep))


@writes("slice")
def _slice(writer: KerasWriter, node: Node, op: Any) -> Written:
    colons = ":, " * axis_at(node, op.axis)
    start: Text = (Arg("start", op.start),) if op.start else ()
    stop: Text = () if op.stop is None else (Arg("stop", op.stop),)
    step: Text = (":", Arg("step", op.step)) if op.step > 1 else ()
    return Written(text=(In(0), f"[{colons}", *start, ":", *stop, *step, "]"))


@writes("permute")
def _permute(writer: KerasWriter, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    order = [axis % rank for axis in op.order]
    text = turned((In(0),), order, rank)
    return Written(text=text) if len(text) > 1 else Written()


@writes("shuffle")
def _shuffle(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written(text=("channel_shuffle(", In(0), ", ", Arg("g", op.groups), ")"))


@writes("pad")
def _pad(writer: KerasWriter, node: Node, op: Any) -> Written:
    pads = pads_of(op.axes(node.in_shapes))
    more = node.out_shapes[0][0] - node.in_shapes[0][0]
    if more or len(node.inputs) == 2:
        told = Arg("pads", ((0, 0), *pads, (0, more)))
        return Written(text=("ops.pad(", In(0), ", ", told, ")"))
    return Written((new("layers.ZeroPadding2D", Arg("pads", pads)),))


@writes("crop")
def _crop(writer: KerasWriter, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    top, left = meaning.middle(h, high), meaning.middle(w, wide)
    if op.padding is not None:
        top, _, left, _ = op.padding
    ends: list[Any] = []
    for start, size, role in ((top, high, "top"), (left, wide, "left")):
        ends += [", ", Arg(role, start), ":", Arg(f"{role}_end", start + size)]
    return Written(text=(In(0), "[:", *ends, "]"))


@writes("resize")
def _resize(writer: KerasWriter, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    near = op.mode == "nearest"
    factors = tuple(meaning.factor(n, m, op.by, near) for n, m in ((h, high), (w, wide)))
    exact = factors == (high / h, wide / w)
    by: tuple[Any, ...] = () if exact else (Arg("by", factors),)
    if near and exact and high % h == 0 and wide % w == 0:
        made = new("layers.UpSampling2D", Arg("by", pair((high // h, wide // w))))
    elif near:
        made = new("Nearest2D", Arg("h", high), Arg("w", wide), *by)
    elif exact:
        made = new("layers.Resizing", Arg("h", high), Arg("w", wide))
    else:
        made = new("Bilinear2D", Arg("h", high), Arg("w", wide), *by)
    if len(node.inputs) == 1:
        return Written((made,))
    return Written((made,), (Own(), "(", In(0), ")"))


@writes("pixelshuffle", "pixelunshuffle")
def _pixels(writer: KerasWriter, node: Node, op: Any) -> Written:
    what = "pixel_shuffle(" if op.word == "pixelshuffle" else "pixel_unshuffle("
    return Written(text=(what, In(0), ", ", Arg("by", op.by), ")"))


@writes("tokens")
def _tokens(writer: KerasWriter, node: Node, op: Any) -> Written:
    n, c = node.out_shapes[0]
    return Written((new("layers.Reshape", Arg("size", (n, c))),))


@writes("maps")
def _maps(writer: KerasWriter, node: Node, op: Any) -> Written:
    size = Arg("size", stored(node.out_shapes[0]))
    if len(node.inputs) == 1:
        return Written((new("layers.Reshape", size),))
    return Written((new("layers.Reshape", size),), (Own(), "(", In(0), ")"))


@writes("param")
def _param(writer: KerasWriter, node: Node, op: Any) -> Written:
    shape = Arg("shape", (1, *stored(op.shape)))
    trained = (Arg("trained", op.trained), True)
    return Written((new("self.add_weight", shape=(shape, None), trainable=trained),), (Own(),))


@writes("lookup")
def _lookup(writer: KerasWriter, node: Node, op: Any) -> Written:
    rank, axis = len(node.in_shapes[0]), op.axis % len(node.in_shapes[0]) + 1
    told: Text = (", ", Arg("to", op.to), ", ", Arg("axis", axis), ")")
    return Written(text=as_kept(("look_up(", *as_said(0, rank), *told), len(node.out_shapes[0])))


@writes("matmul")
def _matmul(writer: KerasWriter, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    right = as_said(1, rank)
    if op.transposed:
        right = ("ops.swapaxes(", *right, ", -2, -1)")
    return Written(text=as_kept(("ops.matmul(", *as_said(0, rank), ", ", *right, ")"), rank))


@writes("sdpa")
def _sdpa(writer: KerasWriter, node: Node, op: Any) -> Written:
    return attention(node, op, as_said(3, len(node.in_shapes[3])) if node.inputs[3:] else ())


@writes("rope")
def _rope(writer: KerasWriter, node: Node, op: Any) -> Written:
    if op.first == node.in_shapes[0][0]:
        return Written()
    more: Text = (", ", *as_said(1, len(node.in_shapes[1]))) if len(node.inputs) == 2 else ()
    return Written(text=("rotate(", In(0), ", ", Arg("first", op.first), *more, ")"))

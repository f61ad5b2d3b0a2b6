"""How Keras writes layers, norms and activations; and what writers of ops have in common.

Every tensor of three axes is kept with its first axis last, as Keras has maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add
from typing import Any

from mbprof.errors import UsageError
from mbprof.exchange import meaning
from mbprof.exchange.rules import Rules
from mbprof.exchange.source.code import Arg, In, Name, New, Text, Written, new
from mbprof.exchange.source.torch_layers import Writer, pair, written
from mbprof.network.graph import Graph, Node
from mbprof.ops.base import channel_axis, channels
from mbprof.ops.padding import PADDING_RULES, Axis

WRITERS: Rules[Callable[[KerasWriter, Node, Any], Written]] = Rules()
"""How an op is written, by its word."""
writes = WRITERS.add


class KerasWriter(Writer):
    """Says how ops are written, knowing the graph that they stand in."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        same: dict[Any, list[bool]] = {}
        for node in graph.nodes:
            if getattr(node.op, "padding", None) is not None and node.op.axes(node.in_shapes):
                same.setdefault(node.trail[-1:], []).append(_is_same(node))
        self.same = {place for place, alike in same.items() if all(alike)}

    def write(self, node: Node, number: int) -> Written:
        return written(WRITERS, self, node)

    def pads_same(self, node: Node) -> bool:
        """Whether what the node's row makes is padded as Keras calls ``same``."""
        return node.trail[-1:] in self.same


def _is_same(node: Node) -> bool:
    rule = PADDING_RULES["tf-same"]
    return all(
        axis.padded == rule.amounts(axis.n, axis.k, axis.s, axis.d) and -(-axis.n // axis.s) == size
        for axis, size in zip(node.op.axes(node.in_shapes), node.out_shapes[0][1:], strict=True)
    )


def stored(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return what belongs to the axes of a tensor in the order of Keras."""
    return (shape[1], shape[2], shape[0]) if len(shape) == 3 else tuple(shape)


def axis_at(node: Node, axis: int) -> int:
    """Return the number of an axis of a node's first input, with a batch axis before it."""
    rank = len(node.in_shapes[0])
    return stored(range(rank)).index(axis % rank) + 1


def _order(axes: Sequence[int], came: int) -> Text:
    """Write a transposition: ``axes`` of an input of a rank ``came``, in their new order."""
    before, wanted = stored(range(came)), stored(axes)
    order = [0, *(before.index(axis) + 1 for axis in wanted)]
    return () if order == sorted(order) else (f", ({', '.join(map(str, order))})",)


def turned(text: Text, axes: Sequence[int], came: int) -> Text:
    """Write a tensor with its axes in another order."""
    order = _order(axes, came)
    return ("ops.transpose(", *text, *order, ")") if order else text


def as_said(number: int, rank: int) -> Text:
    """Write an input with its axes in the order that the spec has."""
    return ("ops.transpose(", In(number), ", (0, 3, 1, 2))") if rank == 3 else (In(number),)


def as_kept(text: Text, rank: int) -> Text:
    """Write a result whose axes are in the order of the spec as Keras has it."""
    return ("ops.transpose(", *text, ", (0, 2, 3, 1))") if rank == 3 else text


def pads_of(axes: tuple[Axis, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding of height and of width."""
    return tuple(axis.padded for axis in axes)


def _refused(node: Node, what: str) -> UsageError:
    return UsageError(f"{node.name}: Keras has no {what}", hint="--to torch writes it")


def _padded(writer: KerasWriter, node: Node, op: Any) -> tuple[tuple[New, ...], tuple[Any, Any]]:
    """Return what pads the input of a convolution, and the argument of the layer itself."""
    if writer.pads_same(node):
        return (), (Arg("padding", "same" if op.kernel != (1, 1) else "valid"), "valid")
    pads = pads_of(op.axes(node.in_shapes))
    if any(min(side) < 0 for side in pads):
        return (new("Pad2D", Arg("pads", pads)),), (Arg("padding", "valid"), "valid")
    before = (new("layers.ZeroPadding2D", Arg("pads", pads)),) if any(map(any, pads)) else ()
    return before, (Arg("padding", "valid"), "valid")


@writes("conv", "dwconv")
def _conv(writer: KerasWriter, node: Node, op: Any) -> Written:
    c_in, c_out = node.in_shapes[0][0], node.out_shapes[0][0]
    groups = op.geometry(node.in_shapes).groups
    if len(node.inputs) == 2:
        args: dict[str, tuple[Any, Any]] = {
            "strides": (Arg("s", pair(op.stride)), 1),
            "dilation_rate": (Arg("d", pair(op.dilation)), 1),
            "groups": (Arg("g", groups), 1),
            "bias": (Arg("bias", op.bias), False),
            "gain": (Arg("gain", op.gain), False),
        }
        pads = Arg("pads", pads_of(op.axes(node.in_shapes)))
        sizes = Arg("c_in", c_in), Arg("c", c_out), Arg("k", op.kernel)
        return Written((new("DynamicConv2D", *sizes, pads, **args),))
    if max(op.stride) > 1 and max(op.dilation) > 1:
        raise _refused(node, "convolution with both stride and dilation")
    before, padding = _padded(writer, node, op)
    deep = op.word == "dwconv" and not op.gain and op.stride[0] == op.stride[1]
    args = {
        "strides": (Arg("s", pair(op.stride)), 1),
        "padding": padding,
        "dilation_rate": (Arg("d", pair(op.dilation)), 1),
    }
    kernel = Arg("k", pair(op.kernel))
    if deep:
        what, sizes_out = "layers.DepthwiseConv2D", (kernel,)
        args["depth_multiplier"] = (Arg("m", c_out // c_in), 1)
    else:
        what, sizes_out = "layers.Conv2D", (Arg("c", c_out), kernel)  # type: ignore[assignment]
        args["groups"] = (Arg("g", groups), 1)
    args["use_bias"] = (Arg("bias", op.bias), True)
    args["trainable"] = (Arg("trained", op.trained), True)
    made = new("ScaledConv2D" if op.gain else what, *sizes_out, **args)
    return Written((*before, made))


@writes("tconv")
def _tconv(writer: KerasWriter, node: Node, op: Any) -> Written:
    if op.groups > 1:
        raise _refused(node, "transposed convolution in groups")
    if max(op.stride) > 1 and max(op.dilation) > 1:
        raise _refused(node, "transposed convolution with both stride and dilation")
    axes, extra = op.axes(node.in_shapes), op.output_padding or (None, None)
    cut, added = [], []
    for axis, more, size in zip(axes, extra, node.out_shapes[0][1:], strict=True):
        way = meaning.spread(axis, more, size)
        reach = way.added - way.after - max(axis.s - axis.extent, 0)
        cut.append((max(way.before, 0), max(-reach, 0)))
        added.append((max(-way.before, 0), max(reach, 0)))
    args: dict[str, tuple[Any, Any]] = {
        "strides": (Arg("s", pair(op.stride)), 1),
        "dilation_rate": (Arg("d", pair(op.dilation)), 1),
        "use_bias": (Arg("bias", op.bias), True),
    }
    made = [new("layers.Conv2DTranspose", Arg("c", op.channels), Arg("k", pair(op.kernel)), **args)]
    if any(map(any, cut)):
        made.append(new("layers.Cropping2D", Arg("crop", tuple(cut))))
    if any(map(any, added)):
        made.append(new("layers.ZeroPadding2D", Arg("added", tuple(added))))
    return Written(tuple(made), place=0)


@writes("linear")
def _linear(writer: KerasWriter, node: Node, op: Any) -> Written:
    made = new("layers.Dense", Arg("c", op.channels), use_bias=(Arg("bias", op.bias), True))
    return Written((new("layers.Flatten"), made) if len(node.in_shapes[0]) == 3 else (made,))


@writes("maxpool", "avgpool")
def _pool(writer: KerasWriter, node: Node, op: Any) -> Written:
    largest, stride = op.word == "maxpool", op.stride or op.kernel
    if largest and op.dilation != (1, 1):
        raise _refused(node, "dilated max pooling")
    what = "layers.MaxPooling2D" if largest else "layers.AveragePooling2D"
    kernel = Arg("k", pair(op.kernel))
    args: dict[str, tuple[Any, Any]] = {"strides": (Arg("s", pair(stride)), pair(op.kernel))}
    if largest and writer.pads_same(node):
        args["padding"] = (Arg("padding", "same"), "valid")
        return Written((new(what, kernel, **args),))
    sizes = zip(op.axes(node.in_shapes), node.out_shapes[0][1:], strict=True)
    pools = [meaning.pooled(axis, size) for axis, size in sizes]
    zeros = tuple(pool.zeros for pool in pools)
    pads = tuple(tuple(map(add, pool.zeros, pool.beyond)) for pool in pools)
    if not any(map(any, pads)):
        return Written((new(what, kernel, **args),))
    if largest:
        pad = new("Pad2D", Arg("pads", pads), Name('float("-inf")'))
        return Written((pad, new(what, kernel, **args)))
    step = Arg("s", pair(stride))
    return Written((new("MeanPool2D", kernel, step, Arg("pads", pads), Arg("counted", zeros)),))


@writes("gap", "gmp")
def _whole(writer: KerasWriter, node: Node, op: Any) -> Written:
    what = "Average" if op.word == "gap" else "Max"
    return Written((new(f"layers.Global{what}Pooling2D", keepdims=(True, False)),))


@writes("adaptiveavgpool")
def _adaptive(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("AdaptiveMean2D", Arg("size", op.size)),))


@writes("mean", "sum", "max")
def _reduced(writer: KerasWriter, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    gone = sorted({axis_at(node, axis) for axis in op.along})
    told = Arg("axis", tuple(gone) if len(gone) > 1 else gone[0])
    keep = ", keepdims=True" if op.keep else ""
    text: Text = (f"ops.{op.word}(", In(0), ", axis=", told, f"{keep})")
    if op.keep or rank == len(gone) + 1:
        return Written(text=text)
    left = [axis for axis in stored(range(rank)) if axis_at(node, axis) not in gone]
    places = [left.index(axis) for axis in stored(sorted(left))]
    order = [0, *(place + 1 for place in places)]
    if order != sorted(order):
        text = ("ops.transpose(", *text, f", ({', '.join(map(str, order))}))")
    return Written(text=text)


_ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "elu": "elu", "sigmoid": "sigmoid", "silu": "silu",
    "hsigmoid": "hard_sigmoid", "hswish": "hard_silu", "tanh": "tanh", "gelu": "gelu",
    "mish": "mish", "none": "linear", "softplus": "softplus",
}  # fmt: skip
"""The names of activations."""
_NAMES = {"abs": "absolute", "neg": "negative"}
"""Functions of tensors that Keras calls otherwise."""
_CLASSES = {"star_relu": "StarReLU", "gelu_tanh": "GELUTanh", "quick_gelu": "QuickGELU"}


@writes("act")
def _act(writer: KerasWriter, node: Node, op: Any) -> Written:
    if op.function == "prelu":
        shared = list(range(1, len(node.in_shapes[0])))
        return Written((new("layers.PReLU", shared_axes=(shared or None, None)),))
    if op.function == "leaky_relu":
        return Written((new("layers.LeakyReLU", meaning.SLOPE),))
    if op.function in _CLASSES:
        return Written((new(_CLASSES[op.function]),))
    if op.function not in _ACTIVATIONS:
        return Written(text=(f"ops.{_NAMES.get(op.function, op.function)}(", In(0), ")"))
    return Written((new("layers.Activation", Arg("act", _ACTIVATIONS[op.function])),))


def _norm(op: Any) -> dict[str, tuple[Any, Any]]:
    scale, shift = (Arg("scale", op.scale), True), (Arg("shift", op.shift), True)
    return {"epsilon": (meaning.EPSILON, None), "scale": scale, "center": shift}


@writes("bn")
def _bn(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("layers.BatchNormalization", **_norm(op)),))


@writes("ln")
def _ln(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("layers.LayerNormalization", **_norm(op)),))


@writes("gn")
def _gn(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("layers.GroupNormalization", Arg("g", op.groups), **_norm(op)),))


@writes("rms")
def _rms(writer: KerasWriter, node: Node, op: Any) -> Written:
    epsilon = (meaning.EPSILON, None)
    made = new("layers.RMSNormalization", epsilon=epsilon) if op.scale else new("RMSNorm")
    return Written((made,))


@writes("normalize")
def _normalize(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("Normalize", Arg("c", channels(node.in_shapes[0]))),))


@writes("lrn")
def _lrn(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("LocalResponseNorm", Arg("size", op.size)),))


@writes("times")
def _times(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written(text=(Arg("scale", op.by), " * ", In(0)))


@writes("softmax")
def _softmax(writer: KerasWriter, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    axis = axis_at(node, channel_axis(shape) if op.axis is None else op.axis)
    last = axis == len(shape)
    return Written((new("layers.Softmax", axis=(Arg("axis", -1 if last else axis), -1)),))


@writes("dropout")
def _dropout(writer: KerasWriter, node: Node, op: Any) -> Written:
    return Written((new("layers.Dropout", Arg("rate", op.rate)),))

"""How PyTorch writes layers, norms and activations; and what writers of ops have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import add
from typing import Any

from mbprof.errors import Loc, UsageError
from mbprof.exchange import meaning
from mbprof.exchange.rules import Rules
from mbprof.exchange.source.code import Arg, In, Name, New, Written, new
from mbprof.exchange.source.torch_helpers import SUFFIX
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.base import channel_axis, channels
from mbprof.ops.padding import Axis

WRITERS: Rules[Callable[[Writer, Node, Any], Written]] = Rules()
"""How an op is written, by its word."""
writes = WRITERS.add


class Writer:
    """Says how ops are written, knowing the graph that they stand in."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.static: set[int] = set()  # what does not depend on the images, and has a batch of 1
        self.uneven: set[tuple[str, Loc | None]] = set()
        for number, node in enumerate(graph.nodes):
            if all(edge.node != IMAGE and edge.node in self.static for edge in node.inputs):
                self.static.add(number)
            padding = getattr(node.op, "padding", None)
            if isinstance(padding, str) and node.op.multiplies and not even(node):
                self.uneven.add((padding, node.trail[-1] if node.trail else None))

    def write(self, node: Node, number: int) -> Written:
        return written(WRITERS, self, node)

    @property
    def simple(self) -> bool:
        """Whether all attention is plain: one window, a head of keys for each of queries."""
        attentions: list[tuple[Node, Any]] = [
            (node, node.op) for node in self.graph.nodes if node.op.word == "sdpa"
        ]
        return all(
            len(node.inputs) == 3
            and op.windows == 1
            and op.shared in (None, op.heads)
            and all(map(self.batched, node.inputs))
            for node, op in attentions
        )

    def batched(self, edge: Edge) -> bool:
        return edge.node == IMAGE or edge.node not in self.static


def written(writers: Mapping[str, Callable[..., Written]], writer: Any, node: Node) -> Written:
    """Return how an op is written.

    Raises: UsageError: there is no rule for it.
    """
    if node.op.word not in writers:
        raise UsageError(f"{node.name}: no code can be written for {node.op.word}")
    return writers[node.op.word](writer, node, node.op)


def even(node: Node) -> bool:
    """Whether padding is the same on both sides, and windows stop as often as they fit."""
    stops = node.out_shapes[0][1:]
    return all(
        axis.padded[0] == axis.padded[1] >= 0 and axis.slides == count
        for axis, count in zip(node.op.axes(node.in_shapes), stops, strict=True)
    )


def pair(values: tuple[int, int]) -> Any:
    """Write two numbers that are equal as one."""
    return values[0] if values[0] == values[1] else values


def sides(axes: tuple[Axis, ...]) -> tuple[int, int, int, int]:
    """Return padding as PyTorch has it: left, right, top, bottom."""
    (top, bottom), (left, right) = (axis.padded for axis in axes)
    return left, right, top, bottom


def dim(node: Node, axis: int) -> int:
    """Return the number of an axis in a tensor with a batch axis before it."""
    return axis % len(node.in_shapes[0]) + 1


@writes("conv", "dwconv")
def _conv(writer: Writer, node: Node, op: Any) -> Written:
    c_in, c_out = node.in_shapes[0][0], node.out_shapes[0][0]
    axes, groups = op.axes(node.in_shapes), op.geometry(node.in_shapes).groups
    before: tuple[New, ...] = ()
    what, padding = "nn.Conv2d", pair((axes[0].padded[0], axes[1].padded[0]))
    uneven = isinstance(op.padding, str) and (op.padding, node.trail[-1]) in writer.uneven
    simple = not op.gain and len(node.inputs) == 1
    if uneven and simple and op.kernel != (1, 1):
        what, padding = f"Conv2d{SUFFIX[op.padding]}", 0
    elif not even(node):
        before, padding = (new("nn.ZeroPad2d", Arg("pads", sides(axes))),), 0
    args: dict[str, tuple[Any, Any]] = {
        "stride": (Arg("s", pair(op.stride)), 1),
        "padding": (Arg("padding", padding), 0),
        "dilation": (Arg("d", pair(op.dilation)), 1),
        "groups": (Arg("g", groups), 1),
    }
    if len(node.inputs) == 2:
        if before:
            args["padding"], before = (Arg("pads", list(sides(axes))), 0), ()
        args |= {"bias": (Arg("bias", op.bias), False), "gain": (Arg("gain", op.gain), False)}
        kernel = Arg("k", op.kernel)
        return Written((new("DynamicConv2d", Arg("c_in", c_in), Arg("c", c_out), kernel, **args),))
    what = "ScaledConv2d" if op.gain else what
    args["bias"] = (Arg("bias", op.bias), True)
    kernel = Arg("k", pair(op.kernel))
    made = new(what, Arg("c_in", c_in), Arg("c", c_out), kernel, **args)
    return Written((*before, made if op.trained else new("fixed", made)))


@writes("tconv")
def _tconv(writer: Writer, node: Node, op: Any) -> Written:
    axes, extra = op.axes(node.in_shapes), op.output_padding or (None, None)
    sizes = node.out_shapes[0][1:]
    rows, columns = (meaning.spread(*row) for row in zip(axes, extra, sizes, strict=True))
    fits = all(
        way.before == way.after and way.added < max(axis.s, axis.d)
        for way, axis in zip((rows, columns), axes, strict=True)
    )
    padding = pair((rows.before, columns.before)) if fits else 0
    added = pair((rows.added, columns.added)) if fits else 0
    args: dict[str, tuple[Any, Any]] = {
        "stride": (Arg("s", pair(op.stride)), 1),
        "padding": (Arg("padding", padding), 0),
        "output_padding": (Arg("p_out", added), 0),
        "groups": (Arg("g", op.groups), 1),
        "bias": (Arg("bias", op.bias), True),
        "dilation": (Arg("d", pair(op.dilation)), 1),
    }
    sizes_in = Arg("c_in", node.in_shapes[0][0]), Arg("c", op.channels), Arg("k", pair(op.kernel))
    if fits:
        return Written((new("nn.ConvTranspose2d", *sizes_in, **args),))
    pads = (-columns.before, columns.added - columns.after, -rows.before, rows.added - rows.after)
    del args["padding"], args["output_padding"]
    crop = {"pads": (Arg("crop", pads), None)}
    return Written((new("CroppedConvTranspose2d", *sizes_in, **crop, **args),))


@writes("linear")
def _linear(writer: Writer, node: Node, op: Any) -> Written:
    c_in = Arg("c_in", channels(node.in_shapes[0]))
    made = new("nn.Linear", c_in, Arg("c", op.channels), bias=(Arg("bias", op.bias), True))
    return Written((new("nn.Flatten"), made) if len(node.in_shapes[0]) == 3 else (made,))


@writes("maxpool", "avgpool")
def _pool(writer: Writer, node: Node, op: Any) -> Written:
    axes, stops, stride = op.axes(node.in_shapes), node.out_shapes[0][1:], op.stride or op.kernel
    largest = op.word == "maxpool"
    counted = not isinstance(op.padding, str)
    padded = [axis.padded for axis in axes]
    native = all(
        before == after and 0 <= 2 * before <= axis.k
        for (before, after), axis in zip(padded, axes, strict=True)
    )
    ceil = native and op.ceil and any(a.slides != n for a, n in zip(axes, stops, strict=True))
    native = native and (ceil or all(a.slides == n for a, n in zip(axes, stops, strict=True)))
    kernel, step = Arg("k", pair(op.kernel)), Arg("s", pair(stride))
    if native:
        args: dict[str, tuple[Any, Any]] = {
            "stride": (step, pair(op.kernel)),
            "padding": (Arg("padding", pair((padded[0][0], padded[1][0]))), 0),
        }
        if largest:
            args["dilation"] = (Arg("d", pair(op.dilation)), 1)
        args["ceil_mode"] = (Arg("ceil", ceil), False)
        if not largest:
            args["count_include_pad"] = (Arg("counted", counted or not any(map(any, padded))), True)
        return Written((new("nn.MaxPool2d" if largest else "nn.AvgPool2d", kernel, **args),))
    rows, columns = (meaning.pooled(axis, n) for axis, n in zip(axes, stops, strict=True))
    zeros = (*columns.zeros, *rows.zeros)
    pads = tuple(map(add, zeros, (*columns.beyond, *rows.beyond)))
    if largest:
        pad = new("nn.ConstantPad2d", Arg("pads", pads), Name('float("-inf")'))
        dilation = (Arg("d", pair(op.dilation)), 1)
        return Written((pad, new("nn.MaxPool2d", kernel, step, dilation=dilation)))
    return Written((new("MeanPool2d", kernel, step, Arg("pads", pads), Arg("counted", zeros)),))


@writes("gap", "gmp", "adaptiveavgpool")
def _whole(writer: Writer, node: Node, op: Any) -> Written:
    size = pair(op.size) if op.word == "adaptiveavgpool" else 1
    what = "nn.AdaptiveMaxPool2d" if op.word == "gmp" else "nn.AdaptiveAvgPool2d"
    return Written((new(what, Arg("size", size)),))


@writes("mean", "sum", "max")
def _reduced(writer: Writer, node: Node, op: Any) -> Written:
    dims = tuple(dim(node, axis) for axis in op.along)
    call = {"mean": ".mean(", "sum": ".sum(", "max": ".amax("}[op.word]
    told = Arg("dims", dims if len(dims) > 1 else dims[0])
    return Written(text=(In(0), call, told, ", keepdim=True)" if op.keep else ")"))


FUNCTIONS = {
    "relu": "nn.ReLU", "relu6": "nn.ReLU6", "leaky_relu": "nn.LeakyReLU", "elu": "nn.ELU",
    "sigmoid": "nn.Sigmoid", "hsigmoid": "nn.Hardsigmoid", "silu": "nn.SiLU", "mish": "nn.Mish",
    "hswish": "nn.Hardswish", "tanh": "nn.Tanh", "gelu": "nn.GELU", "star_relu": "StarReLU",
    "gelu_tanh": "GELUTanh", "quick_gelu": "QuickGELU", "none": "nn.Identity",
    "softplus": "nn.Softplus",
}  # fmt: skip
"""The classes of activations; the others are functions of PyTorch."""


@writes("act")
def _act(writer: Writer, node: Node, op: Any) -> Written:
    if op.function == "prelu":
        made = new("nn.PReLU", Arg("c", channels(node.in_shapes[0])))
        return _channels_first(node, made)
    if op.function not in FUNCTIONS:  # a function of a tensor, not a module
        return Written(text=(f"{op.called}(", In(0), ")"))
    return Written((New(Arg("act", Name(FUNCTIONS[op.function]))),))


def _channels_first(node: Node, made: New) -> Written:
    """Wrap a module that has the channels at axis 1, where they are the last axis."""
    if len(node.in_shapes[0]) in (1, 3):
        return Written((made,))
    return Written((new("ChannelsLast", made),), weighted="layer")


def _channels_last(node: Node, made: New) -> Written:
    """Wrap a module that has the channels at the last axis, where they are the first of maps."""
    if len(node.in_shapes[0]) != 3:
        return Written((made,))
    return Written((new("ChannelsFirst", made),), weighted="layer")


def _without(op: Any, made: New) -> New:
    """Take scale or shift from a norm that has both unless told otherwise."""
    names = [name for name, there in (("weight", op.scale), ("bias", op.shift)) if not there]
    return new("without", made, *names) if names else made


@writes("bn")
def _bn(writer: Writer, node: Node, op: Any) -> Written:
    rank = {1: "1d", 2: "1d", 3: "2d", 4: "3d"}[len(node.in_shapes[0])]
    made = new(f"nn.BatchNorm{rank}", Arg("c", channels(node.in_shapes[0])))
    return _channels_first(node, _without(op, made))


@writes("ln")
def _ln(writer: Writer, node: Node, op: Any) -> Written:
    c = Arg("c", channels(node.in_shapes[0]))
    if op.scale:
        made = new("nn.LayerNorm", c, bias=(Arg("bias", op.shift), True))
    else:
        made = _without(op, new("nn.LayerNorm", c))
    return _channels_last(node, made)


@writes("gn")
def _gn(writer: Writer, node: Node, op: Any) -> Written:
    made = new("nn.GroupNorm", Arg("g", op.groups), Arg("c", channels(node.in_shapes[0])))
    return _channels_first(node, _without(op, made))


@writes("rms")
def _rms(writer: Writer, node: Node, op: Any) -> Written:
    c = Arg("c", channels(node.in_shapes[0]))
    scale = (Arg("scale", op.scale), True)
    made = new("nn.RMSNorm", c, eps=(Arg("eps", meaning.EPSILON), None), elementwise_affine=scale)
    return _channels_last(node, made)


@writes("normalize")
def _normalize(writer: Writer, node: Node, op: Any) -> Written:
    axis = dim(node, channel_axis(node.in_shapes[0]))
    return Written((new("Normalize", Arg("c", channels(node.in_shapes[0])), Arg("axis", axis)),))


@writes("lrn")
def _lrn(writer: Writer, node: Node, op: Any) -> Written:
    return _channels_first(node, new("nn.LocalResponseNorm", Arg("size", op.size)))


@writes("times")
def _times(writer: Writer, node: Node, op: Any) -> Written:
    return Written(text=(Arg("scale", op.by), " * ", In(0)))


@writes("softmax")
def _softmax(writer: Writer, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    axis = channel_axis(shape) if op.axis is None else op.axis
    return Written((new("nn.Softmax", dim=(Arg("dim", dim(node, axis)), None)),))


@writes("dropout")
def _dropout(writer: Writer, node: Node, op: Any) -> Written:
    return Written((new("nn.Dropout", Arg("rate", op.rate)),))

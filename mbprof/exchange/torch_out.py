"""A network as a file of PyTorch: a class for each block, and one for the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mbprof.errors import Loc, UsageError
from mbprof.exchange import meaning
from mbprof.exchange.classes import classes
from mbprof.exchange.code import Arg, In, Name, New, Own, Text, Written, new
from mbprof.exchange.python_out import Dialect, file, paths
from mbprof.exchange.torch_helpers import HELPERS, SIMPLE, SUFFIX
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.base import channel_axis, channels
from mbprof.ops.padding import Axis

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network

_KEPT = (
    "self x y z forward training train eval half float double type to cpu cuda apply modules "
    "children parameters buffers state_dict register_buffer add_module get_parameter extra_repr "
    "dump_patches compile named_modules zero_grad share_memory requires_grad_ bfloat16 super nn "
    "torch math len range max min sum print call_super_init t_destination"
)
_RESERVED = frozenset(_KEPT.split())

DIALECT = Dialect(
    base="nn.Module",
    method="forward",
    sequential="nn.Sequential({})",
    identity="nn.Identity()",
    imports={
        r"\bmath\.": "import math\n",
        r"\btorch\.": "import torch",
        r"\bF\.": "import torch.nn.functional as F",
        r"\bnn\.": "from torch import nn",
    },
    helpers=HELPERS,
    main="""if __name__ == "__main__":
    net = {net}()
    print(f"{sum(p.numel() for p in net.parameters() if p.requires_grad):,} params")""",
    reserved=_RESERVED,
)


class Exported(NamedTuple):
    """A file, and by a node's number the way in its network to what has its stored values."""

    text: str
    paths: dict[int, str]


def exported(network: Network) -> Exported:
    """Write a network as a file of PyTorch."""
    graph, spec = network.compiled, network.definition
    writer = Writer(graph)
    grouped = classes(graph, spec.name.partition("@")[0], writer.write, _RESERVED)
    docs = {name: block.doc for name, block in spec.blocks.items()}
    dialect = DIALECT._replace(helpers={**HELPERS, **SIMPLE}) if writer.simple else DIALECT
    text = file(grouped, dialect, header(network), docs, spec.doc)
    return Exported(text, paths(grouped))


def header(network: Network) -> list[str]:
    """Return the docstring of a file: what it is, from where, and with which values of knobs."""
    spec = network.definition
    knobs = ", ".join(f"{name} {network.knobs[name]}" for name in network.changed)
    shapes = ", ".join(str(image.shape) for image in network.compiled.images)
    source = f" ({spec.source})" if spec.source else ""
    said = (
        f"{spec.name}{source}, for {'images' if len(network.compiled.images) > 1 else 'an image'}"
    )
    text = f"{said} of {shapes}{f', with {knobs}' if knobs else ''}."
    return [f'"""{text}"""' if len(text) < 90 else f'"""{said} of {shapes}."""']


_T = TypeVar("_T", bound=Callable[..., Written])
WRITERS: dict[str, Callable[[Writer, Node, Any], Written]] = {}


def _writes(*words: str) -> Callable[[_T], _T]:
    def register(function: _T) -> _T:
        WRITERS.update(dict.fromkeys(words, function))
        return function

    return register


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


@_writes("conv", "dwconv")
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


@_writes("tconv")
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
    made = new("nn.ConvTranspose2d", *sizes_in, **args)
    if fits:
        return Written((made,))
    pads = (-columns.before, columns.added - columns.after, -rows.before, rows.added - rows.after)
    return Written((made, new("nn.ZeroPad2d", Arg("crop", pads))), place=0)


@_writes("linear")
def _linear(writer: Writer, node: Node, op: Any) -> Written:
    c_in = Arg("c_in", channels(node.in_shapes[0]))
    made = new("nn.Linear", c_in, Arg("c", op.channels), bias=(Arg("bias", op.bias), True))
    return Written((new("nn.Flatten"), made) if len(node.in_shapes[0]) == 3 else (made,))


@_writes("maxpool", "avgpool")
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


@_writes("gap", "gmp", "adaptiveavgpool")
def _whole(writer: Writer, node: Node, op: Any) -> Written:
    size = pair(op.size) if op.word == "adaptiveavgpool" else 1
    what = "nn.AdaptiveMaxPool2d" if op.word == "gmp" else "nn.AdaptiveAvgPool2d"
    return Written((new(what, Arg("size", size)),))


@_writes("mean", "sum", "max")
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
}  # fmt: skip
"""The classes of activations."""


@_writes("act")
def _act(writer: Writer, node: Node, op: Any) -> Written:
    if op.function == "prelu":
        made = new("nn.PReLU", Arg("c", channels(node.in_shapes[0])))
        return _channels_first(node, made)
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


@_writes("bn")
def _bn(writer: Writer, node: Node, op: Any) -> Written:
    rank = {1: "1d", 2: "1d", 3: "2d", 4: "3d"}[len(node.in_shapes[0])]
    made = new(f"nn.BatchNorm{rank}", Arg("c", channels(node.in_shapes[0])))
    return _channels_first(node, _without(op, made))


@_writes("ln")
def _ln(writer: Writer, node: Node, op: Any) -> Written:
    c = Arg("c", channels(node.in_shapes[0]))
    if op.scale:
        made = new("nn.LayerNorm", c, bias=(Arg("bias", op.shift), True))
    else:
        made = _without(op, new("nn.LayerNorm", c))
    return _channels_last(node, made)


@_writes("gn")
def _gn(writer: Writer, node: Node, op: Any) -> Written:
    made = new("nn.GroupNorm", Arg("g", op.groups), Arg("c", channels(node.in_shapes[0])))
    return _channels_first(node, _without(op, made))


@_writes("rms")
def _rms(writer: Writer, node: Node, op: Any) -> Written:
    c = Arg("c", channels(node.in_shapes[0]))
    scale = (Arg("scale", op.scale), True)
    made = new("nn.RMSNorm", c, eps=(Arg("eps", meaning.EPSILON), None), elementwise_affine=scale)
    return _channels_last(node, made)


@_writes("normalize")
def _normalize(writer: Writer, node: Node, op: Any) -> Written:
    axis = dim(node, channel_axis(node.in_shapes[0]))
    return Written((new("Normalize", Arg("c", channels(node.in_shapes[0])), Arg("axis", axis)),))


@_writes("lrn")
def _lrn(writer: Writer, node: Node, op: Any) -> Written:
    return _channels_first(node, new("nn.LocalResponseNorm", Arg("size", op.size)))


@_writes("times")
def _times(writer: Writer, node: Node, op: Any) -> Written:
    return Written(text=(Arg("scale", op.by), " * ", In(0)))


@_writes("softmax")
def _softmax(writer: Writer, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    axis = channel_axis(shape) if op.axis is None else op.axis
    return Written((new("nn.Softmax", dim=(Arg("dim", dim(node, axis)), None)),))


@_writes("dropout")
def _dropout(writer: Writer, node: Node, op: Any) -> Written:
    return Written((new("nn.Dropout", Arg("rate", op.rate)),))


@_writes("identity")
def _identity(writer: Writer, node: Node, op: Any) -> Written:
    return Written()


@_writes("flatten")
def _flatten(writer: Writer, node: Node, op: Any) -> Written:
    return Written((new("nn.Flatten"),)) if len(node.in_shapes[0]) > 1 else Written()


@_writes("reshape")
def _reshape(writer: Writer, node: Node, op: Any) -> Written:
    sizes = [part for size in op.to for part in (", ", Arg("size", size))]
    return Written(text=(In(0), ".reshape(len(", In(0), ")", *sizes, ")"))


@_writes("add", "mul")
def _joined(writer: Writer, node: Node, op: Any) -> Written:
    sign = " + " if op.word == "add" else " * "
    parts: list[Any] = [In(0)]
    for number in range(1, len(node.inputs)):
        parts += [sign, In(number)]
    return Written(text=tuple(parts))


@_writes("concat")
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


@_writes("split")
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


@_writes("slice")
def _slice(writer: Writer, node: Node, op: Any) -> Written:
    colons = ":, " * dim(node, op.axis)
    start: tuple[Any, ...] = (Arg("start", op.start),) if op.start else ()
    stop: tuple[Any, ...] = () if op.stop is None else (Arg("stop", op.stop),)
    step: tuple[Any, ...] = (":", Arg("step", op.step)) if op.step > 1 else ()
    return Written(text=(In(0), f"[{colons}", *start, ":", *stop, *step, "]"))


@_writes("permute")
def _permute(writer: Writer, node: Node, op: Any) -> Written:
    order = ", ".join(str(dim(node, axis)) for axis in op.order)
    return Written(text=(In(0), f".permute(0, {order})"))


@_writes("shuffle")
def _shuffle(writer: Writer, node: Node, op: Any) -> Written:
    g = Arg("g", op.groups)
    return Written(text=(In(0), ".unflatten(1, (", g, ", -1)).transpose(1, 2).flatten(1, 2)"))


@_writes("pad")
def _pad(writer: Writer, node: Node, op: Any) -> Written:
    pads = sides(op.axes(node.in_shapes))
    more = node.out_shapes[0][0] - node.in_shapes[0][0]
    if more:
        return Written(text=("F.pad(", In(0), ", ", Arg("pads", (*pads, 0, more)), ")"))
    if len(node.inputs) == 2:
        return Written(text=("F.pad(", In(0), ", ", Arg("pads", pads), ")"))
    return Written((new("nn.ZeroPad2d", Arg("pads", pads)),))


@_writes("crop")
def _crop(writer: Writer, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    top, left = (h - high) // 2, (w - wide) // 2
    if op.padding is not None:
        top, _, left, _ = op.padding
    ends: list[Any] = []
    for start, size, role in ((top, high, "top"), (left, wide, "left")):
        ends += [", ", Arg(role, start), ":", Arg(f"{role}_end", start + size)]
    return Written(text=(In(0), "[:, :", *ends, "]"))


@_writes("resize")
def _resize(writer: Writer, node: Node, op: Any) -> Written:
    mode: tuple[Any, Any] = (Arg("mode", op.mode), "nearest")
    if len(node.inputs) == 2:
        start: Text = ("F.interpolate(", In(0), ", ", In(1), ".shape[2:], mode=")
        return Written(text=(*start, Arg("mode", op.mode), ")"))
    if op.size is not None:
        return Written((new("nn.Upsample", Arg("size", op.size), mode=mode),))
    by = int(op.by) if op.by == int(op.by) else op.by
    return Written((new("nn.Upsample", scale_factor=(Arg("by", by), None), mode=mode),))


@_writes("pixelshuffle", "pixelunshuffle")
def _pixels(writer: Writer, node: Node, op: Any) -> Written:
    what = "nn.PixelShuffle" if op.word == "pixelshuffle" else "nn.PixelUnshuffle"
    return Written((new(what, Arg("by", op.by)),))


@_writes("tokens")
def _tokens(writer: Writer, node: Node, op: Any) -> Written:
    return Written(text=(In(0), ".flatten(2).transpose(1, 2)"))


@_writes("maps")
def _maps(writer: Writer, node: Node, op: Any) -> Written:
    start: Text = (In(0), ".transpose(1, 2).unflatten(2, ")
    if len(node.inputs) == 2:
        return Written(text=(*start, In(1), ".shape[2:])"))
    return Written(text=(*start, Arg("size", op.size), ")"))


@_writes("param")
def _param(writer: Writer, node: Node, op: Any) -> Written:
    values = new("torch.zeros", 1, *(Arg("size", size) for size in op.shape))
    return Written((new("nn.Parameter" if op.trained else "nn.Buffer", values),), (Own(),))


@_writes("lookup")
def _lookup(writer: Writer, node: Node, op: Any) -> Written:
    axis = dim(node, op.axis)
    rows = Arg("rows", node.in_shapes[0][axis - 1])
    return Written((new("LookUp", rows, Arg("to", op.to), Arg("axis", axis)),))


@_writes("matmul")
def _matmul(writer: Writer, node: Node, op: Any) -> Written:
    end = (".transpose(-2, -1)",) if op.transposed else ()
    return Written(text=(In(0), " @ ", In(1), *end))


@_writes("sdpa")
def _sdpa(writer: Writer, node: Node, op: Any) -> Written:
    parts: list[Any] = ["attention(", In(0), ", ", In(1), ", ", In(2), ", ", Arg("heads", op.heads)]
    if len(node.inputs) == 4:
        parts += [", ", *_bias(node, op)]
    if op.shared not in (None, op.heads):
        parts += [", kv_heads=", Arg("kv_heads", op.shared)]
    if op.windows > 1:
        parts += [", windows=", Arg("windows", op.windows)]
    return Written(text=(*parts, ")"))


def _bias(node: Node, op: Any) -> Text:
    """Write the bias of an attention as (heads, N, M), or with windows behind the heads."""
    windows, heads, shape = op.windows, op.heads, node.in_shapes[3]
    scores = node.in_shapes[0][0] // windows, node.in_shapes[1][0] // windows
    bias = meaning.biased(shape, heads, windows, *scores)
    to = bias.to if bias.heads is None else (heads, *bias.to)
    if shape == to:
        return (In(3),)
    axis: Text = () if bias.heads == 0 else (", axis=", Arg("axis", bias.heads))
    return ("score_bias(", In(3), ", ", Arg("to", to), *axis, ")")


@_writes("rope")
def _rope(writer: Writer, node: Node, op: Any) -> Written:
    if op.first == node.in_shapes[0][0]:
        return Written()
    more = (", ", In(1)) if len(node.inputs) == 2 else ()
    return Written(text=("rotate(", In(0), ", ", Arg("first", op.first), *more, ")"))


__all__ = ["DIALECT", "Exported", "exported"]


def export(network: Network, options: Options) -> str:
    """Return a network as a file of PyTorch."""
    return exported(network).text

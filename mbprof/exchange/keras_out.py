"""A network as a file of Keras: a class for each block, and one for the network.

Maps are (H, W, C) there, and every tensor of three axes is kept with its first axis last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add
from typing import TYPE_CHECKING, Any, TypeVar

from mbprof.errors import UsageError
from mbprof.exchange import meaning
from mbprof.exchange.classes import classes
from mbprof.exchange.code import Arg, In, Name, New, Own, Text, Written, new
from mbprof.exchange.keras_helpers import HELPERS, SIMPLE
from mbprof.exchange.python_out import Dialect, file, paths
from mbprof.exchange.torch_out import Exported, Writer, header, pair, written
from mbprof.network.graph import Graph, Node
from mbprof.ops.base import channel_axis, channels
from mbprof.ops.padding import PADDING_RULES, Axis

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network

_KEPT = (
    "self x y z keras layers ops math len range max min sum print super call build input output "
    "name dtype path weights variables losses metrics trainable add_loss add_metric add_variable "
    "add_weight apply buffers children compile cpu cuda double eval evaluate export fit float "
    "forward from_config get_config get_layer get_weights half inputs modules outputs parameters "
    "predict quantize save state_dict stateless_call summary supports_masking symbolic_call "
    "test_step to train train_step type zero_grad count_params compute_mask compute_loss "
    "compute_output_shape compute_output_spec dtype_policy input_spec jit_compile run_eagerly "
    "save_weights load_weights set_weights to_json trainable_variables trainable_weights "
    "non_trainable_variables non_trainable_weights variable_dtype compute_dtype autocast "
    "metrics_names metrics_variables quantization_mode register_module torch_params ipu xpu "
    "mtia bfloat16 extra_repr"
)
_RESERVED = frozenset(_KEPT.split())

DIALECT = Dialect(
    base="keras.Model",
    method="call",
    sequential="keras.Sequential([{}])",
    identity="layers.Identity()",
    imports={r"\bmath\.": "import math\n", r"\bkeras\.": "import keras"},
    helpers=HELPERS,
    main="",
    reserved=_RESERVED,
    bare=".call",
)

_MAIN = """if __name__ == "__main__":
    inputs = {inputs}
    net = keras.Model(inputs, {net}()({call}))
    print(f"{net.count_params():,} params")"""


def exported(network: Network) -> Exported:
    """Write a network as a file of Keras.

    Raises: UsageError: Keras has no layer for an op as it stands.
    """
    graph, spec = network.compiled, network.definition
    writer = _Writer(graph)
    grouped = classes(graph, spec.name.partition("@")[0], writer.write, _RESERVED)
    docs = {name: block.doc for name, block in spec.blocks.items()}
    images = [f"keras.Input({_stored(image.shape)})" for image in graph.images]
    inputs, call = (f"[{', '.join(images)}]", "*inputs") if images[1:] else (images[0], "inputs")
    dialect = DIALECT._replace(
        helpers={**HELPERS, **SIMPLE} if writer.simple else HELPERS,
        main=_MAIN.replace("{inputs}", inputs).replace("{call}", call),
    )
    text = file(grouped, dialect, header(network), docs, spec.doc)
    used = [name for name in ("layers", "ops") if f"{name}." in text.replace("keras.layers", "")]
    if used:
        text = text.replace(
            "import keras\n", f"import keras\nfrom keras import {', '.join(used)}\n", 1
        )
    return Exported(text, paths(grouped))


def export(network: Network, options: Options) -> str:
    """Return a network as a file of Keras."""
    return exported(network).text


_T = TypeVar("_T", bound=Callable[..., Written])
WRITERS: dict[str, Callable[[_Writer, Node, Any], Written]] = {}


def _writes(*words: str) -> Callable[[_T], _T]:
    def register(function: _T) -> _T:
        WRITERS.update(dict.fromkeys(words, function))
        return function

    return register


class _Writer(Writer):
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


def _stored(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return what belongs to the axes of a tensor in the order of Keras."""
    return (shape[1], shape[2], shape[0]) if len(shape) == 3 else tuple(shape)


def _axis(node: Node, axis: int) -> int:
    """Return the number of an axis of a node's first input, with a batch axis before it."""
    rank = len(node.in_shapes[0])
    return _stored(range(rank)).index(axis % rank) + 1


def _order(axes: Sequence[int], came: int) -> Text:
    """Write a transposition: ``axes`` of an input of a rank ``came``, in their new order."""
    stored, wanted = _stored(range(came)), _stored(axes)
    order = [0, *(stored.index(axis) + 1 for axis in wanted)]
    return () if order == sorted(order) else (f", ({', '.join(map(str, order))})",)


def _turned(text: Text, axes: Sequence[int], came: int) -> Text:
    order = _order(axes, came)
    return ("ops.transpose(", *text, *order, ")") if order else text


def _plain(number: int, rank: int) -> Text:
    """Write an input with its axes in the order that the spec has."""
    return ("ops.transpose(", In(number), ", (0, 3, 1, 2))") if rank == 3 else (In(number),)


def _kept(text: Text, rank: int) -> Text:
    """Write a result whose axes are in the order of the spec as Keras has it."""
    return ("ops.transpose(", *text, ", (0, 2, 3, 1))") if rank == 3 else text


def _pads(axes: tuple[Axis, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(axis.padded for axis in axes)


def _refused(node: Node, what: str) -> UsageError:
    return UsageError(f"{node.name}: Keras has no {what}", hint="--to torch writes it")


def _padded(writer: _Writer, node: Node, op: Any) -> tuple[tuple[New, ...], tuple[Any, Any]]:
    """Return what pads the input of a convolution, and the argument of the layer itself."""
    if writer.pads_same(node):
        return (), (Arg("padding", "same" if op.kernel != (1, 1) else "valid"), "valid")
    pads = _pads(op.axes(node.in_shapes))
    if any(min(side) < 0 for side in pads):
        return (new("Pad2D", Arg("pads", pads)),), (Arg("padding", "valid"), "valid")
    before = (new("layers.ZeroPadding2D", Arg("pads", pads)),) if any(map(any, pads)) else ()
    return before, (Arg("padding", "valid"), "valid")


@_writes("conv", "dwconv")
def _conv(writer: _Writer, node: Node, op: Any) -> Written:
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
        pads = Arg("pads", _pads(op.axes(node.in_shapes)))
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


@_writes("tconv")
def _tconv(writer: _Writer, node: Node, op: Any) -> Written:
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


@_writes("linear")
def _linear(writer: _Writer, node: Node, op: Any) -> Written:
    made = new("layers.Dense", Arg("c", op.channels), use_bias=(Arg("bias", op.bias), True))
    return Written((new("layers.Flatten"), made) if len(node.in_shapes[0]) == 3 else (made,))


@_writes("maxpool", "avgpool")
def _pool(writer: _Writer, node: Node, op: Any) -> Written:
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


@_writes("gap", "gmp")
def _whole(writer: _Writer, node: Node, op: Any) -> Written:
    what = "Average" if op.word == "gap" else "Max"
    return Written((new(f"layers.Global{what}Pooling2D", keepdims=(True, False)),))


@_writes("adaptiveavgpool")
def _adaptive(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("AdaptiveMean2D", Arg("size", op.size)),))


@_writes("mean", "sum", "max")
def _reduced(writer: _Writer, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    gone = sorted({_axis(node, axis) for axis in op.along})
    told = Arg("axis", tuple(gone) if len(gone) > 1 else gone[0])
    keep = ", keepdims=True" if op.keep else ""
    text: Text = (f"ops.{op.word}(", In(0), ", axis=", told, f"{keep})")
    if op.keep or rank == len(gone) + 1:
        return Written(text=text)
    left = [axis for axis in _stored(range(rank)) if _axis(node, axis) not in gone]
    places = [left.index(axis) for axis in _stored(sorted(left))]
    order = [0, *(place + 1 for place in places)]
    if order != sorted(order):
        text = ("ops.transpose(", *text, f", ({', '.join(map(str, order))}))")
    return Written(text=text)


_ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "elu": "elu", "sigmoid": "sigmoid", "silu": "silu",
    "hsigmoid": "hard_sigmoid", "hswish": "hard_silu", "tanh": "tanh", "gelu": "gelu",
    "mish": "mish", "none": "linear",
}  # fmt: skip
"""The names of activations."""
_CLASSES = {"star_relu": "StarReLU", "gelu_tanh": "GELUTanh", "quick_gelu": "QuickGELU"}


@_writes("act")
def _act(writer: _Writer, node: Node, op: Any) -> Written:
    if op.function == "prelu":
        shared = list(range(1, len(node.in_shapes[0])))
        return Written((new("layers.PReLU", shared_axes=(shared or None, None)),))
    if op.function == "leaky_relu":
        return Written((new("layers.LeakyReLU", meaning.SLOPE),))
    if op.function in _CLASSES:
        return Written((new(_CLASSES[op.function]),))
    return Written((new("layers.Activation", Arg("act", _ACTIVATIONS[op.function])),))


def _norm(op: Any) -> dict[str, tuple[Any, Any]]:
    scale, shift = (Arg("scale", op.scale), True), (Arg("shift", op.shift), True)
    return {"epsilon": (meaning.EPSILON, None), "scale": scale, "center": shift}


@_writes("bn")
def _bn(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("layers.BatchNormalization", **_norm(op)),))


@_writes("ln")
def _ln(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("layers.LayerNormalization", **_norm(op)),))


@_writes("gn")
def _gn(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("layers.GroupNormalization", Arg("g", op.groups), **_norm(op)),))


@_writes("rms")
def _rms(writer: _Writer, node: Node, op: Any) -> Written:
    epsilon = (meaning.EPSILON, None)
    made = new("layers.RMSNormalization", epsilon=epsilon) if op.scale else new("RMSNorm")
    return Written((made,))


@_writes("normalize")
def _normalize(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("Normalize", Arg("c", channels(node.in_shapes[0]))),))


@_writes("lrn")
def _lrn(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("LocalResponseNorm", Arg("size", op.size)),))


@_writes("times")
def _times(writer: _Writer, node: Node, op: Any) -> Written:
    return Written(text=(Arg("scale", op.by), " * ", In(0)))


@_writes("softmax")
def _softmax(writer: _Writer, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    axis = _axis(node, channel_axis(shape) if op.axis is None else op.axis)
    last = axis == len(shape)
    return Written((new("layers.Softmax", axis=(Arg("axis", -1 if last else axis), -1)),))


@_writes("dropout")
def _dropout(writer: _Writer, node: Node, op: Any) -> Written:
    return Written((new("layers.Dropout", Arg("rate", op.rate)),))


@_writes("identity")
def _identity(writer: _Writer, node: Node, op: Any) -> Written:
    return Written()


@_writes("flatten")
def _flatten(writer: _Writer, node: Node, op: Any) -> Written:
    shape = node.in_shapes[0]
    if len(shape) == 1:
        return Written()
    turn = len(shape) == 3 and shape[0] > 1 and shape[1:] != (1, 1)
    first = (new("layers.Permute", Name("(3, 1, 2)")),) if turn else ()
    return Written((*first, new("layers.Flatten")))


@_writes("reshape")
def _reshape(writer: _Writer, node: Node, op: Any) -> Written:
    sizes = [part for size in node.out_shapes[0] for part in (", ", Arg("size", size))]
    text: Text = ("ops.reshape(", *_plain(0, len(node.in_shapes[0])), ", (-1", *sizes, "))")
    return Written(text=_kept(text, len(node.out_shapes[0])))


@_writes("add", "mul")
def _joined(writer: _Writer, node: Node, op: Any) -> Written:
    sign = " + " if op.word == "add" else " * "
    parts: list[Any] = [In(0)]
    for number in range(1, len(node.inputs)):
        parts += [sign, In(number)]
    return Written(text=tuple(parts))


@_writes("concat")
def _concat(writer: _Writer, node: Node, op: Any) -> Written:
    batched = [number for number, edge in enumerate(node.inputs) if writer.batched(edge)]
    parts: list[Any] = ["ops.concatenate(["]
    for number, edge in enumerate(node.inputs):
        parts += [", "] if number else []
        if batched and not writer.batched(edge):
            parts += ["per_image(", In(number), ", ", In(batched[0]), ")"]
        else:
            parts.append(In(number))
    axis = _axis(node, op.axis)
    return Written(text=(*parts, "], axis=", Arg("axis", axis), ")"))


@_writes("split")
def _split(writer: _Writer, node: Node, op: Any) -> Written:
    axis = channel_axis(node.in_shapes[0]) if op.axis is None else op.axis
    told = Arg("parts", op.parts)
    if op.sizes:
        told = Arg("sizes", [sum(op.sizes[:i]) for i in range(1, len(op.sizes))])
    keep: Text = () if op.keep is None else ("[", Arg("keep", op.keep), "]")
    single = len(op.sizes or range(op.parts)) == 1
    if single:
        return Written()
    where = Arg("axis", _axis(node, axis))
    return Written(text=("ops.split(", In(0), ", ", told, ", axis=", where, ")", *keep))


@_writes("slice")
def _slice(writer: _Writer, node: Node, op: Any) -> Written:
    colons = ":, " * _axis(node, op.axis)
    start: Text = (Arg("start", op.start),) if op.start else ()
    stop: Text = () if op.stop is None else (Arg("stop", op.stop),)
    step: Text = (":", Arg("step", op.step)) if op.step > 1 else ()
    return Written(text=(In(0), f"[{colons}", *start, ":", *stop, *step, "]"))


@_writes("permute")
def _permute(writer: _Writer, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    order = [axis % rank for axis in op.order]
    text = _turned((In(0),), order, rank)
    return Written(text=text) if len(text) > 1 else Written()


@_writes("shuffle")
def _shuffle(writer: _Writer, node: Node, op: Any) -> Written:
    return Written(text=("channel_shuffle(", In(0), ", ", Arg("g", op.groups), ")"))


@_writes("pad")
def _pad(writer: _Writer, node: Node, op: Any) -> Written:
    pads = _pads(op.axes(node.in_shapes))
    more = node.out_shapes[0][0] - node.in_shapes[0][0]
    if more or len(node.inputs) == 2:
        told = Arg("pads", ((0, 0), *pads, (0, more)))
        return Written(text=("ops.pad(", In(0), ", ", told, ")"))
    return Written((new("layers.ZeroPadding2D", Arg("pads", pads)),))


@_writes("crop")
def _crop(writer: _Writer, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    top, left = meaning.middle(h, high), meaning.middle(w, wide)
    if op.padding is not None:
        top, _, left, _ = op.padding
    ends: list[Any] = []
    for start, size, role in ((top, high, "top"), (left, wide, "left")):
        ends += [", ", Arg(role, start), ":", Arg(f"{role}_end", start + size)]
    return Written(text=(In(0), "[:", *ends, "]"))


@_writes("resize")
def _resize(writer: _Writer, node: Node, op: Any) -> Written:
    (_, h, w), (_, high, wide) = node.in_shapes[0], node.out_shapes[0]
    exact = op.by is None or (h * op.by, w * op.by) == (high, wide)
    by: tuple[Any, ...] = () if exact else (Arg("by", op.by),)
    if op.mode == "nearest" and exact and high % h == 0 and wide % w == 0:
        made = new("layers.UpSampling2D", Arg("by", pair((high // h, wide // w))))
    elif op.mode == "nearest":
        made = new("Nearest2D", Arg("h", high), Arg("w", wide), *by)
    elif exact:
        made = new("layers.Resizing", Arg("h", high), Arg("w", wide))
    else:
        made = new("Bilinear2D", Arg("h", high), Arg("w", wide), *by)
    if len(node.inputs) == 1:
        return Written((made,))
    return Written((made,), (Own(), "(", In(0), ")"))


@_writes("pixelshuffle", "pixelunshuffle")
def _pixels(writer: _Writer, node: Node, op: Any) -> Written:
    what = "pixel_shuffle(" if op.word == "pixelshuffle" else "pixel_unshuffle("
    return Written(text=(what, In(0), ", ", Arg("by", op.by), ")"))


@_writes("tokens")
def _tokens(writer: _Writer, node: Node, op: Any) -> Written:
    n, c = node.out_shapes[0]
    return Written((new("layers.Reshape", Arg("size", (n, c))),))


@_writes("maps")
def _maps(writer: _Writer, node: Node, op: Any) -> Written:
    size = Arg("size", _stored(node.out_shapes[0]))
    if len(node.inputs) == 1:
        return Written((new("layers.Reshape", size),))
    return Written((new("layers.Reshape", size),), (Own(), "(", In(0), ")"))


@_writes("param")
def _param(writer: _Writer, node: Node, op: Any) -> Written:
    shape = Arg("shape", (1, *_stored(op.shape)))
    trained = (Arg("trained", op.trained), True)
    return Written((new("self.add_weight", shape=(shape, None), trainable=trained),), (Own(),))


@_writes("lookup")
def _lookup(writer: _Writer, node: Node, op: Any) -> Written:
    rank, axis = len(node.in_shapes[0]), op.axis % len(node.in_shapes[0]) + 1
    told: Text = (", ", Arg("to", op.to), ", ", Arg("axis", axis), ")")
    return Written(text=_kept(("look_up(", *_plain(0, rank), *told), len(node.out_shapes[0])))


@_writes("matmul")
def _matmul(writer: _Writer, node: Node, op: Any) -> Written:
    rank = len(node.in_shapes[0])
    right = _plain(1, rank)
    if op.transposed:
        right = ("ops.swapaxes(", *right, ", -2, -1)")
    return Written(text=_kept(("ops.matmul(", *_plain(0, rank), ", ", *right, ")"), rank))


@_writes("sdpa")
def _sdpa(writer: _Writer, node: Node, op: Any) -> Written:
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
    plain = _plain(3, len(shape))
    if shape == to:
        return plain
    axis: Text = () if bias.heads == 0 else (", axis=", Arg("axis", bias.heads))
    return ("score_bias(", *plain, ", ", Arg("to", to), *axis, ")")


@_writes("rope")
def _rope(writer: _Writer, node: Node, op: Any) -> Written:
    if op.first == node.in_shapes[0][0]:
        return Written()
    more: Text = (", ", *_plain(1, len(node.in_shapes[1]))) if len(node.inputs) == 2 else ()
    return Written(text=("rotate(", In(0), ", ", Arg("first", op.first), *more, ")"))


__all__ = ["DIALECT", "export", "exported"]

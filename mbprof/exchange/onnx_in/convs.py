"""Rules for convolutions, and how windows slide over maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from mbprof.exchange import composed
from mbprof.exchange.onnx_in.graph import Node
from mbprof.exchange.onnx_in.translate import Translator, emit_of, rule, window
from mbprof.exchange.rules import NoRule, new
from mbprof.language.fmt import Shape
from mbprof.ops.padding import PADDING_RULES, Pair


def maps_of(t: Translator, name: str) -> Shape:
    """Return the shape (C, H, W) of a tensor of images, of one axis as (C, 1, L).

    Raises: NoRule: they have three axes, or are several for one image.
    """
    full = t.tensor(name)
    if full.batch not in (None, 0) or full.shape[0] != (t.walk.batch if full.batch == 0 else 1):
        raise NoRule
    if len(full.shape) not in (3, 4):
        raise NoRule
    return full.shape[1:] if len(full.shape) == 4 else (full.shape[1], 1, full.shape[2])


def slid(
    t: Translator,
    node: Node,
    shape: Shape,
    kernel: Pair,
    output: str,
    rank: int = 0,
    made: Shape = (),
) -> dict[str, Any]:
    """Return stride, dilation and padding of a window; what is made is looked up unless given."""
    said, rank = node.attributes, rank or len(t.tensor(output).shape) - 2
    made = made or t.tensor(output).shape[2:]
    stride, dilation = (window(said.get(key), rank) for key in ("strides", "dilations"))
    pads = [int(n) for n in said.get("pads") or [0] * 2 * rank]
    before, after = window(pads[:rank], rank, 0), window(pads[rank:], rank, 0)
    if rank == 1:
        before, after = (0, before[1]), (0, after[1])
    padding: Any = (before[0], after[0], before[1], after[1])
    auto = said.get("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        padding = "tf-same"
    elif auto == "VALID":
        padding = "valid"
    elif auto == "SAME_LOWER":
        sides = []
        for n, m, k, s, d in zip(shape[1:], (1, *made)[-2:], kernel, stride, dilation, strict=True):
            total = max((m - 1) * s + (k - 1) * d + 1 - n, 0)
            sides += [total - total // 2, total // 2]
        padding = tuple(sides)
    elif padding == (0, 0, 0, 0):
        padding = "valid"
    if not isinstance(padding, str) and min(padding) < 0:
        raise NoRule
    return {"stride": stride, "dilation": dilation, "padding": padding}


@rule("Conv", "FusedConv", "ConvInteger", "QLinearConv")
def conv(t: Translator, node: Node) -> None:
    """Convolve; a weight that an image decides is a second input."""
    at, bias = (3, 8) if node.kind == "QLinearConv" else (1, 2)
    x, weights = node.inputs[0], t.tensor(node.inputs[at])
    channels, output, rank = weights.shape[0], node.outputs[0], len(weights.shape) - 2
    biased = t.has(node, bias) and node.kind != "ConvInteger"
    if not biased and (behind := t.bias_behind(node, (channels, *(1,) * rank))) is not None:
        output, biased = behind, True
    said: dict[str, Any] = {"bias": biased}
    if not t.trained(weights):
        said["trained"] = False
    if weights.fixed and not weights.root and node.kind == "Conv":
        said["gain"] = {channels, prod(weights.shape)} <= {*t.behind(node.inputs[at])}
    more = [] if weights.fixed else [t.take(node.inputs[at])]
    share = t.shared(node.inputs[at]) if weights.fixed else ""
    if images(t, x) > 1 or rank == 3:
        if more:
            raise NoRule
        stacked(t, node, weights.shape, said, output, share)
        return
    shape = maps_of(t, x)
    kernel = window(weights.shape[2:], rank)
    said |= {"kernel": kernel, **slid(t, node, shape, kernel, node.outputs[0])}
    step = convolution(shape[0], channels, int(node.attributes.get("group", 1)), said)
    made = (channels, *step.slide((shape,)))
    t.emit(node, step, [t.take(x, shape), *more], made, output, share=share)
    if prod(t.shape(output)) != prod(made):
        raise NoRule
    if node.kind == "FusedConv" and t.has(node, 3):
        own, has = t.at[output]
        t.emit(node, new("add"), [own, t.take(node.inputs[3], has)], has, output)
    if function := ACTIVATIONS.get(node.attributes.get("activation", "")):
        own, has = t.at[output]
        t.emit(node, new("act", function=function), [own], has, output)


def convolution(c_in: int, c_out: int, groups: int, said: dict[str, Any]) -> Any:
    """Return a convolution, a depthwise one where each group is a channel."""
    if groups == c_in > 1 and c_out % groups == 0:
        return new("dwconv", multiplier=c_out // groups, **said)
    return new("conv", channels=c_out, groups=groups, **said)


def images(t: Translator, name: str) -> int:
    """Return how many images a tensor of maps holds for one image of the network."""
    full = t.tensor(name)
    if full.batch not in (None, 0):
        raise NoRule
    return full.shape[0] // (t.walk.batch if full.batch == 0 else 1)


def stacked(
    t: Translator, node: Node, weights: Shape, said: dict[str, Any], output: str, share: str
) -> None:
    """Convolve several images, which stand one below the other as one.

    Of three axes one must have a window of 1 and a stride of 1; it then counts images, too. The
    padding above and below is such that there are as many rows as of all images alone.
    """
    full, out, alone = (
        t.tensor(node.inputs[0]).shape,
        t.tensor(output).shape,
        images(t, node.inputs[0]),
    )
    solid = len(weights) == 5
    if solid:
        spots = (n for n in (2, 3, 4) if weights[n] == 1 and out[n] == full[n])
        at = next(spots, 0)
        if alone > 1:
            raise NoRule
        if not at:
            deep(t, node, weights, said, output, share)
            return
        sides = [n for n in (2, 3, 4) if n != at]
        node = node._replace(attributes=plane_of(node.attributes, at - 2))
        source, many, order = full[1:], full[at], (0, at - 1, *(n - 1 for n in sides))
    else:
        sides, source, many, order = [2, 3], (alone, *full[1:]), alone, (1, 0, 2, 3)
    (c, high, wide), (tall, broad) = (full[1], *(full[n] for n in sides)), (out[n] for n in sides)
    kernel = window([weights[n] for n in sides], 2)
    how = slid(t, node, (c, high, wide), kernel, output, 2, (tall, broad))
    stride, dilation, left = how["stride"], how["dilation"], how["padding"]
    if isinstance(left, str):
        ends = PADDING_RULES[left].amounts(wide, kernel[1], stride[1], dilation[1])
    else:
        ends = left[2:]
    more = (many * tall - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1 - many * high
    how["padding"] = (max(more, 0) // 2, (max(more, 0) + 1) // 2, *ends)
    turned = tuple(source[n] for n in order)
    own = t.take(node.inputs[0], source)
    own = t.emit(node, new("permute", order=order), [own], turned, part="images")
    shape: Shape = (c, many * high, wide)
    own = t.seen(own, turned, shape, output)
    if more < 0:
        shape = (c, many * high + more, wide)
        own = t.emit(node, new("crop", padding=(0, -more, 0, 0)), [own], shape, part="crop")
    said = {"kernel": kernel, **said, **how}
    step = convolution(c, weights[0], int(node.attributes.get("group", 1)), said)
    made: Shape = (weights[0], many * tall, broad)
    own = t.emit(node, step, [own], made, part="below", share=share)
    apart: Shape = (weights[0], many, tall, broad)
    own = t.seen(own, made, apart, output)
    back = tuple(sorted(range(4), key=lambda n: order[n]))
    t.emit(node, new("permute", order=back), [own], tuple(apart[n] for n in back), output)


def deep(
    t: Translator, node: Node, weights: Shape, said: dict[str, Any], output: str, share: str
) -> None:
    """Convolve a volume: at each stop along the depth as many maps as the kernel is deep."""
    shape, made = t.tensor(node.inputs[0]).shape[1:], t.tensor(output).shape[1:]
    plane, kernel = node._replace(attributes=plane_of(node.attributes, 0)), weights[2:]
    how = slid(t, plane, (shape[0], *shape[2:]), window(kernel[1:], 2), output, 2, made[2:])
    groups, said = int(node.attributes.get("group", 1)), {"kernel": kernel[1:], **said, **how}
    if kernel[0] == 1:
        step = convolution(shape[0], weights[0], groups, said)
    else:
        step = new("conv", channels=weights[0], groups=groups, **said)
    emit = emit_of(t, node)

    def layer(x: str, part: str) -> str:
        return emit(step, x, part=part, share=share or output)

    over_depth(t, node, layer, kernel[0], output)


def over_depth(
    t: Translator, node: Node, layer: Callable[[str, str], str], deep: int, output: str
) -> None:
    """Apply a layer of maps along the depth of a volume, as `composed.over_depth` does."""
    said, (shape, made) = node.attributes, (t.shape(name) for name in (node.inputs[0], output))
    stride, dilation = ((said.get(k) or [1])[0] for k in ("strides", "dilations"))
    before = (said.get("pads") or [0])[0]
    if str(said.get("auto_pad")).startswith("SAME"):
        whole = max((made[1] - 1) * stride + (deep - 1) * dilation + 1 - shape[1], 0)
        before = whole // 2
    depth = composed.Depth(deep, stride, dilation, before)
    x = t.take(node.inputs[0], shape)
    own, has = composed.over_depth(emit_of(t, node), x, shape, depth, made[1], layer, t.draft.shape)
    t.at[output] = own, has


def plane_of(attributes: Mapping[str, Any], axis: int) -> dict[str, Any]:
    """Return what is said of three axes without one of them."""
    kept = dict(attributes)
    for key in ("strides", "dilations", "pads"):
        if values := kept.get(key):
            kept[key] = [value for n, value in enumerate(values) if n % 3 != axis]
    return kept


ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSigmoid": "hsigmoid",
    "LeakyRelu": "leaky_relu", "Clip": "relu6",
}  # fmt: skip
"""Activations that onnxruntime fuses into a convolution."""


@rule("ConvTranspose")
def transposed(t: Translator, node: Node) -> None:
    """Spread maps; a padding that is not said follows from the size of the output."""
    x, weights = node.inputs[0], t.tensor(node.inputs[1])
    if not weights.fixed:
        raise NoRule
    shape, rank = maps_of(t, x), len(weights.shape) - 2
    kernel, groups = window(weights.shape[2:], rank), int(node.attributes.get("group", 1))
    said = node.attributes
    stride, dilation = (window(said.get(key), rank) for key in ("strides", "dilations"))
    extra = window(said.get("output_padding"), rank, 0)
    if rank == 1:
        extra = (0, extra[1])
    channels, full = weights.shape[1] * groups, t.tensor(node.outputs[0]).shape[2:]
    made = (channels, *(full if rank == 2 else (1, *full)))
    pads: list[int] = []
    for axis in (0, 1):
        whole = (shape[1 + axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1
        cut = whole + extra[axis] - made[1 + axis]
        if cut < 0:
            raise NoRule
        pads += [cut // 2, cut - cut // 2]
    biased, output = t.has(node, 2), node.outputs[0]
    if not biased and (behind := t.bias_behind(node, (channels, *(1,) * rank))) is not None:
        output, biased = behind, True
    step = new("tconv",
        channels=channels, kernel=kernel, stride=stride, padding=(*pads,),
        output_padding=extra if any(extra) else None, dilation=dilation, groups=groups, bias=biased,
    )  # fmt: skip
    t.emit(node, step, [t.take(x, shape)], made, output, share=t.shared(node.inputs[1]))

"""Rules for what is several ops of the spec language: recurrent layers, sampling, selection."""

from __future__ import annotations

from math import prod
from typing import Any

from mbprof.exchange import composed
from mbprof.exchange.composed import Recurrent
from mbprof.exchange.onnx_in.convs import maps_of
from mbprof.exchange.onnx_in.elements import ACTS
from mbprof.exchange.onnx_in.graph import Node
from mbprof.exchange.onnx_in.translate import Translator, emit_of, led, rule
from mbprof.exchange.rules import NoRule, new
from mbprof.ops.base import Op


@rule("LSTM", "GRU", "RNN")
def recurrent(t: Translator, node: Node) -> None:
    """Run a recurrent layer in one direction or both."""
    said, (x, w, r) = node.attributes, node.inputs[:3]
    if not t.tensor(w).fixed or not t.tensor(r).fixed or said.get("input_forget"):
        raise NoRule
    cell, hidden = node.kind.lower(), int(said["hidden_size"])
    both = said.get("direction") == "bidirectional"
    names = [
        name.decode() if isinstance(name, bytes) else name for name in said.get("activations") or ()
    ]
    at = 0 if cell == "rnn" else 1
    function = ACTS.get(names[at], "tanh") if len(names) > at else "tanh"
    biased = t.has(node, 3)
    shape, key = t.shape(x), t.shared(w)
    layers = []
    for direction in range(1 + both):
        own = f"{key}.{direction}" if key else ""
        shares = (own and f"{own}.w", own and f"{own}.r", "")
        layers.append(
            Recurrent(cell, hidden, (biased, biased), None, t.has(node, 7), function, shares)
        )
    tokens = (prod(shape[:-1]), shape[-1])
    taken = led(t, node, t.take(x, tokens), tokens, node.inputs[4:7])
    emit = emit_of(t, node)
    (ends,) = composed.stacked(emit, taken, [layers])
    states = [state for state, _ in ends]
    if t.has_output(node, 0):
        made = t.shape(node.outputs[0])
        own = states[0]
        if both:
            own = emit(new("concat", axis=1), *states, part="states")
        t.at[node.outputs[0]] = own, t.draft.shape(own)
        assert prod(made) == prod(t.draft.shape(own))
    for output, kind in ((1, 0), (2, 1)):
        if t.has_output(node, output):
            rows = prod(t.shape(node.outputs[output])) // hidden // (1 + both)
            first = tokens[0] - rows
            parts = [pair[kind] for pair in ends]
            if first:
                step = new("slice", axis=0, start=first)
                parts = [emit(step, own, part=f"end{output}_{n}") for n, own in enumerate(parts)]
            if both:
                parts = [emit(new("concat", axis=0), *parts, part=f"ends{output}")]
            t.at[node.outputs[output]] = parts[0], t.draft.shape(parts[0])


@rule("TopK")
def chosen(t: Translator, node: Node) -> None:
    """Each element is compared once at least; as many are taken as there are."""
    x = node.inputs[0]
    axis, shape = t.axis(x, node.attributes.get("axis", -1)), t.shape(x)
    own = t.emit(node, new("act", function="round"), [t.take(x)], shape, part="compare")
    for number, name in enumerate(node.outputs):
        if not name:
            continue
        made = t.shape(name)
        if made[axis] == shape[axis]:
            t.at[name] = own, shape
        else:
            part = new("slice", axis=axis, stop=made[axis])
            t.at[name] = t.emit(node, part, [own], made, part=f"taken{number}"), made


@rule("ArgMax", "ArgMin", "Hardmax")
def largest(t: Translator, node: Node) -> None:
    """Find the largest value along an axis; a Hardmax compares each with it."""
    x, hard = node.inputs[0], node.kind == "Hardmax"
    axis, shape = t.axis(x, node.attributes.get("axis", -1 if hard else 0)), t.shape(x)
    step: Op = new("max", along=(axis,), keep=True)
    made, own = step.shapes((shape,))[0], t.take(x)
    if shape[axis] > 1:
        own = t.emit(node, step, [own], made, part="largest" if hard else "")
    if hard:
        t.emit(node, new("add"), [t.take(x), own], shape)
    else:
        t.same_as(node, own, made)


@rule("GridSample")
def grid_sample(t: Translator, node: Node) -> None:
    """Sample maps at the positions of a grid, as an interpolation does."""
    x, output = node.inputs[0], node.outputs[0]
    full, made = t.tensor(x).shape, t.tensor(output).shape
    mode = node.attributes.get("mode", "linear").removeprefix("bi")
    taps = {"nearest": 1, "linear": 2, "cubic": 4}[mode] ** (len(full) - 2)
    c = prod(t.shape(x)) // prod(full[2:])
    own = t.take(x, (c, full[2], prod(full[3:])))
    size = (made[2], prod(made[3:]))
    own = composed.interpolated(emit_of(t, node), own, size, taps)
    t.same_as(node, led(t, node, own, (c, *size), node.inputs[1:2]), (c, *size))


@rule("AffineGrid")
def affine_grid(t: Translator, node: Node) -> None:
    """Multiply the positions of all pixels, with a 1 behind them, by a matrix."""
    made = t.shape(node.outputs[0])
    pixels, rank = prod(made[:-1]), made[-1]
    emit = emit_of(t, node)
    grid = emit(new("param", shape=(pixels, rank + 1), trained=False), part="positions")
    theta = t.take(node.inputs[0], (rank, rank + 1))
    t.emit(node, new("matmul", transposed=True), [grid, theta], (pixels, rank))


@rule("RoiAlign")
def roi_align(t: Translator, node: Node) -> None:
    """Sample s·s points bilinearly for each cell of each region, and take their mean.

    Where s follows from the size of a region there is no rule, since a value decides it.
    """
    each, rois = int(node.attributes.get("sampling_ratio", 0)), t.shape(node.outputs[0])
    if each < 1:
        raise NoRule
    c, high, wide = maps_of(t, node.inputs[0])
    count, _, tall, broad = t.tensor(node.outputs[0]).shape
    size = (tall * each, broad * each)
    emit = emit_of(t, node)
    many = emit(
        new("lookup", to=(count * c,)), t.take(node.inputs[0], (c, high, wide)), part="regions"
    )
    points = emit(new("resize", size=size, mode="bilinear"), many, part="points")
    own = points
    if each > 1:
        kind = "maxpool" if node.attributes.get("mode") == "max" else "avgpool"
        own = emit(new(kind, kernel=(each, each), padding="valid"), points, part="cells")
    shape = (count * c, tall, broad)
    own = led(t, node, own, shape, node.inputs[1:3])
    assert prod(rois) == prod(shape)
    t.same_as(node, own, shape)


@rule("DeformConv")
def deformed(t: Translator, node: Node) -> None:
    """Sample k_h·k_w values of each map bilinearly for each output, and multiply them by weights.

    That is a convolution of 1×1 over k_h·k_w times the maps.
    """
    x, weights = node.inputs[0], t.tensor(node.inputs[1])
    if not weights.fixed:
        raise NoRule
    c, high, wide = maps_of(t, x)
    c_out, _, *kernel = weights.shape
    _, _, tall, broad = t.tensor(node.outputs[0]).shape
    emit, taps = emit_of(t, node), prod(kernel)
    own = emit(new("lookup", to=(c * taps,)), t.take(x, (c, high, wide)), part="taps")
    own = emit(new("resize", size=(tall, broad), mode="bilinear"), own, part="sampled")
    shape = (c * taps, tall, broad)
    own = led(t, node, own, shape, node.inputs[2:3])
    if t.has(node, 4):
        mask = t.take(node.inputs[4])
        own = emit(
            new("mul"), own, _over(emit, mask, t.shape(node.inputs[4]), shape), part="masked"
        )
    groups = int(node.attributes.get("group", 1))
    step = new("conv", channels=c_out, kernel=(1, 1), groups=groups, bias=t.has(node, 3))
    t.emit(node, step, [own], (c_out, tall, broad), share=t.shared(node.inputs[1]))


def _over(emit: composed.Emit, mask: str, has: Any, shape: Any) -> str:
    """Repeat a mask of k_h·k_w values for the maps of its group."""
    return mask if has[0] == shape[0] else emit(new("lookup", to=shape[:1]), mask, part="mask")


@rule("Col2Im")
def folded(t: Translator, node: Node) -> None:
    """Each output adds up as many values as a window has taps; those beside the border are zero."""
    made, block = t.shape(node.outputs[0]), t.values(node, 2)
    if block is None:
        raise NoRule
    size, taps = prod(made), prod(block)
    x = t.take(node.inputs[0], (prod(t.shape(node.inputs[0])),))
    own = t.emit(node, new("lookup", to=(size, taps)), [x], (size, taps), part="columns")
    t.emit(node, new("sum", along=(1,), keep=True), [own], (size, 1))


@rule("MeanVarianceNormalization")
def normalised(t: Translator, node: Node) -> None:
    """Normalise each map by itself, or all of them together."""
    shape, axes = t.shape(node.inputs[0]), [*node.attributes.get("axes", [0, 2, 3])]
    if len(shape) != 3 or sorted(axes)[-2:] != [2, 3]:
        raise NoRule
    groups = 1 if 1 in axes else shape[0]
    step = new("gn", groups=groups, scale=False, shift=False)
    t.emit(node, step, [t.take(node.inputs[0])], shape)


@rule("GlobalLpPool")
def length(t: Translator, node: Node) -> None:
    """Square, add up, and take the root."""
    if node.attributes.get("p", 2) != 2:
        raise NoRule
    shape, emit = maps_of(t, node.inputs[0]), emit_of(t, node)
    own = emit(new("act", function="square"), t.take(node.inputs[0], shape), part="square")
    own = emit(new("sum", along=(1, 2), keep=True), own, part="sum")
    t.emit(node, new("act", function="sqrt"), [own], (shape[0], 1, 1))


@rule("CenterCropPad")
def centred(t: Translator, node: Node) -> None:
    """Cut or pad each axis to a size, alike on both sides."""
    x = node.inputs[0]
    own, shape, made = t.take(x), t.shape(x), t.shape(node.outputs[0])
    emit = emit_of(t, node)
    for axis, (n, m) in enumerate(zip(shape, made, strict=True)):
        flat = (prod(made[:axis]), n, prod(shape[axis + 1 :]))
        sides = (abs(n - m) // 2, abs(n - m) - abs(n - m) // 2, 0, 0)
        if n != m:
            own = t.seen(own, t.draft.shape(own), flat, node.outputs[0])
            own = emit(new("pad" if m > n else "crop", padding=sides), own, part=f"axis{axis}")
    t.same_as(node, own, t.draft.shape(own))


@rule("OneHot")
def one_hot(t: Translator, node: Node) -> None:
    """Compare each number with all there are."""
    x, made = node.inputs[0], t.shape(node.outputs[0])
    count = prod(t.shape(x))
    depth = prod(made) // count
    shape = (count, depth)
    own = t.emit(
        node, new("lookup", to=(depth,), axis=1), [t.take(x, (count, 1))], shape, part="all"
    )
    t.emit(node, new("act", function="round"), [own], shape)


@rule("RandomNormalLike", "RandomUniformLike", "EyeLike", "Bernoulli")
def constant(t: Translator, node: Node) -> None:
    """Numbers that only the shape of an input decides."""
    made = t.shape(node.outputs[0])
    t.emit(node, new("param", shape=made, trained=False), [], made)


@rule("RotaryEmbedding")
def turned(t: Translator, node: Node) -> None:
    """Turn pairs of channels of each token, of each head."""
    x, said = node.inputs[0], node.attributes
    shape = t.shape(x)
    heads = int(said.get("num_heads", 0)) if len(shape) < 3 else 0
    channels = shape[-1] // (heads or 1)
    if said.get("rotary_embedding_dim", 0) not in (0, channels):
        raise NoRule
    tokens = (prod(shape) // channels, channels)
    t.emit(node, new("rope"), [t.take(x, tokens)], tokens)


@rule("SwiGLU")
def gated(t: Translator, node: Node) -> None:
    """Part the last axis, and weigh one half by the SiLU of the other."""
    x = node.inputs[0]
    shape, made, emit = t.shape(x), t.shape(node.outputs[0]), emit_of(t, node)
    if shape[-1] != 2 * made[-1]:
        raise NoRule
    tokens = (prod(shape[:-1]), shape[-1])
    halves = [new("split", parts=2, keep=n, axis=1) for n in (0, 1)]
    one, two = (emit(half, t.take(x, tokens), part=f"half{n}") for n, half in enumerate(halves))
    one = emit(new("act", function="silu"), one, part="silu")
    t.emit(node, new("mul"), [one, two], (tokens[0], made[-1]))


@rule("ReduceProd")
def product(t: Translator, node: Node) -> None:
    """Multiply the values along axes, one less than there are."""
    x, shape = node.inputs[0], t.shape(node.inputs[0])
    said = t.values(node, 1, "axes")
    rank = len(t.tensor(x).shape)
    axes = [t.axis(x, axis) for axis in (range(rank) if said is None else said)]
    if len(axes) != 1 or not 1 < shape[axes[0]] <= _FACTORS:
        raise NoRule
    emit, axis = emit_of(t, node), axes[0]
    parts = [
        emit(new("slice", axis=axis, start=n, stop=n + 1 if n + 1 < shape[axis] else None),
             t.take(x), part=f"factor{n}") for n in range(shape[axis])
    ]  # fmt: skip
    own = parts[0]
    for number, factor in enumerate(parts[1:]):
        own = emit(new("mul"), own, factor, part=f"product{number}")
    t.same_as(node, own, t.draft.shape(own))


_FACTORS = 16
"""Along a longer axis a product has no rule."""

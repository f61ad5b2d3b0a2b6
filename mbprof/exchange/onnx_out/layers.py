"""How ops that compute are written in ONNX: layers, pooling, norms and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mbprof.exchange import meaning
from mbprof.exchange.onnx_out.writer import Writer, Written, writes
from mbprof.language.fmt import Shape
from mbprof.ops.base import axis_of, channel_axis
from mbprof.ops.padding import Pair
from mbprof.symbolic.arithmetic import product

# Layers with weights.


@writes("conv", "dwconv")
def _convolution(w: Writer) -> Written:
    x, (c_in, *_), (c_out, *size) = w.inputs[0], w.shape, w.made
    groups = w.op.geometry(w.node.in_shapes).groups
    weight_shape = (c_out, c_in // groups, *w.op.kernel)
    bias = [w.stored("bias")] if w.op.bias else []
    x, pads = _padded(w, x, [axis.padded for axis in w.op.axes(w.node.in_shapes)])
    window = {"strides": w.op.stride, "dilations": w.op.dilation, "kernel_shape": w.op.kernel}
    images = w.batch or 1
    if len(w.inputs) == 1:
        weight = w.stored("weight")
    elif images == 1 or not w.depends(1):
        weight, images = w.emit("Reshape", w.inputs[1], w.ints(weight_shape)), 1
    else:  # the images are groups of one image, as each has weights of its own
        weight = w.emit("Reshape", w.inputs[1], w.ints((images * c_out, *weight_shape[1:])))
        x = w.emit("Reshape", x, w.ints((1, images * c_in, -1, w.shape[2] + _more(w, pads))))
    if w.op.gain:
        weight = _standardised(w, weight, weight_shape, images if len(w.inputs) > 1 else 1)
    if len(w.inputs) == 1 or images == 1:
        return w.emit("Conv", x, weight, *bias, pads=pads, group=groups, **window)
    y = w.emit("Conv", x, weight, pads=pads, group=images * groups, **window)
    y = w.emit("Reshape", y, w.ints((images, c_out, *size)))
    return w.emit("Add", y, w.of_channels("bias", w.made)) if bias else y


def _more(w: Writer, pads: list[int]) -> int:
    """Return how many columns of a convolution's padding are in its input already."""
    return int(sum(w.op.axes(w.node.in_shapes)[1].padded) - pads[1] - pads[3])


def _padded(
    w: Writer, x: str, pads: Sequence[Pair], value: float = 0.0, below: Pair | None = None
) -> tuple[str, list[int]]:
    """Return the padding of height and width as ONNX has it; what it cannot have is written apart.

    It has none of less than 0, and none that is not ``below`` the kernel of a pooling.
    """
    if any(n < 0 for pair in pads for n in pair):
        x = w.pad(x, [(min(first, 0), min(last, 0)) for first, last in pads])
        pads = [(max(first, 0), max(last, 0)) for first, last in pads]
    tops = below or (float("inf"),) * 2
    if not all(n < top for pair, top in zip(pads, tops, strict=True) for n in pair):
        return w.pad(x, pads, value), [0, 0, 0, 0]
    return x, [pads[0][0], pads[1][0], pads[0][1], pads[1][1]]


def _standardised(w: Writer, weight: str, shape: Shape, images: int) -> str:
    """Give the weights of each output map the mean 0 and a sum of squares of gain²."""
    axes, n = w.ints((1, 2, 3)), product(shape[1:])
    centred = w.emit("Sub", weight, w.emit("ReduceMean", weight, axes))
    variance = w.emit("ReduceMean", w.emit("Mul", centred, centred), axes)
    scaled = w.emit("Mul", w.emit("Add", variance, w.constant(meaning.EPSILON)), w.constant(n))
    gain = w.stored("gain", (shape[0], 1, 1, 1))
    if images > 1:
        gain = w.emit("Tile", gain, w.ints((images, 1, 1, 1)))
    return w.emit("Mul", w.emit("Div", centred, w.emit("Sqrt", scaled)), gain)


@writes("tconv")
def _transposed_convolution(w: Writer) -> Written:
    extra = w.op.output_padding or (None, None)
    axes = zip(w.op.axes(w.node.in_shapes), extra, w.made[1:], strict=True)
    high, wide = (meaning.spread(axis, added, size) for axis, added, size in axes)
    # What onnxruntime cannot add is added apart, and then the bias behind it.
    more = [(max(-side.before, 0), 0) for side in (high, wide)]
    for at, (side, stride) in enumerate(zip((high, wide), w.op.stride, strict=True)):
        if side.added >= stride:
            more[at] = more[at][0], side.added
    apart = any(map(any, more))
    bias = [w.stored("bias")] if w.op.bias else []
    y = w.emit(
        "ConvTranspose", w.inputs[0], w.stored("weight"), *([] if apart else bias),
        kernel_shape=w.op.kernel, strides=w.op.stride, dilations=w.op.dilation, group=w.op.groups,
        pads=[max(high.before, 0), max(wide.before, 0), high.after, wide.after],
        output_padding=[s.added * (not n) for s, (_, n) in zip((high, wide), more, strict=True)],
    )  # fmt: skip
    if not apart:
        return y
    y = w.pad(y, more)
    return w.emit("Add", y, w.of_channels("bias", w.made)) if bias else y


@writes("linear")
def _linear(w: Writer) -> Written:
    x, weight = w.inputs[0], w.stored("weight", turned=True)
    bias = [w.stored("bias")] if w.op.bias else []
    if len(w.made) == 1:
        x = w.emit("Flatten", x) if len(w.shape) > 1 else x
        return w.emit("Gemm", x, weight, *bias)
    y = w.emit("MatMul", x, weight)
    return w.emit("Add", y, *bias) if bias else y


# Pooling.


def _pools(w: Writer) -> list[meaning.Pool]:
    axes = zip(w.op.axes(w.node.in_shapes), w.made[1:], strict=True)
    return [meaning.pooled(axis, stops) for axis, stops in axes]


@writes("maxpool")
def _max_pool(w: Writer) -> Written:
    pads = [(p.zeros[0] + p.beyond[0], p.zeros[1] + p.beyond[1]) for p in _pools(w)]
    x, sides = _padded(w, w.inputs[0], pads, -float("inf"), w.op.kernel)
    window = {"strides": w.op.stride or w.op.kernel, "dilations": w.op.dilation}
    return w.emit("MaxPool", x, kernel_shape=w.op.kernel, pads=sides, **window)


@writes("avgpool")
def _average_pool(w: Writer) -> Written:
    zeros, beyond = zip(*_pools(w), strict=True)
    apart = any(map(any, zeros)) and any(map(any, beyond))
    x = w.pad(w.inputs[0], zeros) if apart else w.inputs[0]
    averaged = any(map(any, zeros)) and not apart
    x, sides = _padded(w, x, zeros if averaged else beyond, 0.0, w.op.kernel)
    window = {"kernel_shape": w.op.kernel, "strides": w.op.stride or w.op.kernel}
    return w.emit("AveragePool", x, pads=sides, count_include_pad=int(averaged), **window)


@writes("adaptiveavgpool")
def _adaptive_pool(w: Writer) -> Written:
    grids = [meaning.grid(n, m) for n, m in zip(w.shape[1:], w.op.size, strict=True)]
    alike = [meaning.even(windows) for windows in grids]
    if all(alike):
        sizes, strides = zip(*alike, strict=True)
        return w.emit("AveragePool", w.inputs[0], kernel_shape=sizes, strides=strides)
    x = w.inputs[0]
    for axis, windows in enumerate(grids, 1):
        parts = [w.cut(x, [axis], [first], [end]) for first, end in windows]
        means = [w.emit("ReduceMean", part, w.ints([axis + 1])) for part in parts]
        x = w.emit("Concat", *means, axis=axis + 1)
    return x


@writes("gap")
def _global_average_pool(w: Writer) -> Written:
    return w.emit("GlobalAveragePool", w.inputs[0])


@writes("gmp")
def _global_max_pool(w: Writer) -> Written:
    return w.emit("GlobalMaxPool", w.inputs[0])


@writes("mean", "sum", "max")
def _reduced(w: Writer) -> Written:
    kind = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}[w.op.word]
    axes = sorted({axis_of(w.shape, axis, w.op.word) + 1 for axis in w.op.along})
    return w.emit(kind, w.inputs[0], w.ints(axes), keepdims=int(w.op.keep))


# Norms.


def _channels_first(w: Writer, function: Callable[[str], str]) -> str:
    """Apply a function whose channels are the first axis to a tensor that may have them last."""
    rank = len(w.shape)
    if rank == 1 or channel_axis(w.shape) == 0:
        return function(w.inputs[0])
    y = function(w.transpose(w.inputs[0], (rank - 1, *range(rank - 1))))
    return w.transpose(y, (*range(1, rank), 0))


def _of_maps(w: Writer, function: Callable[[str], str]) -> str:
    """Apply a function that takes maps alone to any tensor, whose positions are then one column."""
    if len(w.shape) == 3:
        return function(w.inputs[0])
    c = w.shape[-1]

    def columns(x: str) -> str:
        return w.reshape(function(w.reshape(x, (c, -1, 1))), (c, *w.shape[:-1]))

    return _channels_first(w, columns)


def _scale_and_shift(w: Writer, size: int) -> list[str]:
    kinds = (("scale", 1.0), ("shift", 0.0))
    return [w.stored(k) if w.has(k) else w.filled(size, usual) for k, usual in kinds]


@writes("bn")
def _batch_norm(w: Writer) -> Written:
    trained = _scale_and_shift(w, w.shape[channel_axis(w.shape)])
    running = w.stored("mean"), w.stored("variance")
    return _channels_first(
        w,
        lambda x: w.emit("BatchNormalization", x, *trained, *running, epsilon=meaning.EPSILON),
    )


@writes("gn")
def _group_norm(w: Writer) -> Written:
    c, g = w.shape[channel_axis(w.shape)], w.op.groups
    own = g == c
    trained = _scale_and_shift(w, c) if own else [w.filled(g, 1.0), w.filled(g, 0.0)]

    def normalised(x: str) -> str:
        y = x if own else w.reshape(x, (g, -1))
        y = w.emit("InstanceNormalization", y, *trained, epsilon=meaning.EPSILON)
        y = y if own else w.reshape(y, w.shape if len(w.shape) == 3 else (c, -1, 1))
        for kind, operation in (("scale", "Mul"), ("shift", "Add")):
            if w.has(kind) and not own:
                y = w.emit(operation, y, w.stored(kind, (c, 1, 1)))
        return y

    return _of_maps(w, normalised)


@writes("ln")
def _layer_norm(w: Writer) -> Written:
    x, maps = w.inputs[0], channel_axis(w.shape) < len(w.shape) - 1
    scale, shift = _scale_and_shift(w, w.shape[channel_axis(w.shape)])
    trained = [scale, shift] if w.op.shift else [scale]
    x = w.transpose(x, (1, 2, 0)) if maps else x
    x = w.emit("LayerNormalization", x, *trained, axis=-1, epsilon=meaning.EPSILON)
    return w.transpose(x, (2, 0, 1)) if maps else x


@writes("rms")
def _rms_norm(w: Writer) -> Written:
    x, axis = w.inputs[0], channel_axis(w.shape)
    mean = w.emit("ReduceMean", w.emit("Mul", x, x), w.ints([axis + 1]))
    root = w.emit("Sqrt", w.emit("Add", mean, w.constant(meaning.EPSILON)))
    y = w.emit("Div", x, root)
    return w.emit("Mul", y, w.of_channels("scale", w.shape)) if w.op.scale else y


@writes("lrn")
def _local_response_norm(w: Writer) -> Written:
    n, (alpha, beta, k) = w.op.size, (meaning.LRN[name] for name in ("alpha", "beta", "k"))

    def normalised(x: str) -> str:
        if n % 2:
            return w.emit("LRN", x, size=n, alpha=alpha, beta=beta, bias=k)
        # ONNX has the larger half of an even window behind, PyTorch before.
        c = w.shape[channel_axis(w.shape)]
        squares = w.reshape(w.emit("Mul", x, x), (1, c, product(w.shape) // c))
        squares = w.pad(squares, [(n // 2, (n - 1) // 2), (0, 0)])
        mean = w.emit("AveragePool", squares, kernel_shape=[n, 1])
        mean = w.reshape(mean, (c, *(w.shape[1:] if len(w.shape) == 3 else (-1, 1))))
        scaled = w.emit("Add", w.emit("Mul", mean, w.constant(alpha)), w.constant(k))
        return w.emit("Div", x, w.emit("Pow", scaled, w.constant(beta)))

    return _of_maps(w, normalised)


@writes("normalize")
def _normalize(w: Writer) -> Written:
    mean, variance = (w.of_channels(kind, w.shape) for kind in ("mean", "variance"))
    w.stored("count")
    return w.emit("Div", w.emit("Sub", w.inputs[0], mean), w.emit("Sqrt", variance))


# Functions of each element.

_FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": meaning.SLOPE}),
    "elu": ("Elu", {}),
    "sigmoid": ("Sigmoid", {}),
    "hsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hswish": ("HardSwish", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
    "none": ("Identity", {}),
    **{
        name: (name.capitalize(), {})
        for name in ("softplus", "abs", "neg", "round", "sqrt", "reciprocal", "exp", "log", "erf")
    },
    "sin": ("Sin", {}),
    "cos": ("Cos", {}),
}


@writes("act")
def _activation(w: Writer) -> Written:
    x, function = w.inputs[0], w.op.function
    if function in _FUNCTIONS:
        kind, said = _FUNCTIONS[function]
        return w.emit(kind, x, **said)
    return _COMPOSED[function](w, x)


_COMPOSED: dict[str, Callable[[Writer, str], str]] = {
    "relu6": lambda w, x: w.emit("Clip", x, w.constant(0.0), w.constant(6.0)),
    "prelu": lambda w, x: w.emit("PRelu", x, w.of_channels("slope", w.shape)),
    "square": lambda w, x: _squared(w, x),
    "silu": lambda w, x: w.emit("Mul", x, w.emit("Sigmoid", x)),
    "quick_gelu": lambda w, x: w.emit(
        "Mul", x, w.emit("Sigmoid", w.emit("Mul", x, w.constant(1.702)))
    ),
    "star_relu": lambda w, x: w.emit(
        "Add", w.emit("Mul", _squared(w, w.emit("Relu", x)), w.stored("scale")), w.stored("shift")
    ),
}
"""Functions that ONNX has no op for, or one with constants as inputs."""


def _squared(w: Writer, x: str) -> str:
    return w.emit("Mul", x, x)


@writes("times")
def _times(w: Writer) -> Written:
    return w.emit("Mul", w.inputs[0], w.constant(w.op.by))


@writes("softmax")
def _softmax(w: Writer) -> Written:
    axis = w.op.axis
    given = channel_axis(w.shape) if axis is None else axis_of(w.shape, axis, "softmax")
    return w.emit("Softmax", w.inputs[0], axis=given + 1)


@writes("dropout")
def _dropout(w: Writer) -> Written:
    return w.emit("Dropout", w.inputs[0], w.constant(w.op.rate))


@writes("identity")
def _identity(w: Writer) -> Written:
    return w.emit("Identity", w.inputs[0])


@writes("add", "mul")
def _joined(w: Writer) -> Written:
    x, *others = w.inputs
    for other in others:
        x = w.emit("Add" if w.op.adds else "Mul", x, other)
    return x

"""The operators of TensorFlow Lite that are several ops, or that compare, choose and move."""

from __future__ import annotations

from math import prod

from mbprof.exchange import composed
from mbprof.exchange.composed import Recurrent
from mbprof.exchange.rules import NoRule, new
from mbprof.exchange.tflite.model import Operator
from mbprof.exchange.tflite.reading import FUSED, MAPS, ROWS, Reading, rule
from mbprof.language.fmt import Shape
from mbprof.ops import Op

COMPARED = (
    "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL", "LOGICAL_AND",
    "LOGICAL_OR", "SELECT", "SELECT_V2", "BITWISE_XOR", "RIGHT_SHIFT",
)  # fmt: skip
EACH = {"LOGICAL_NOT": "round", "SIGN": "round", "BUCKETIZE": "round", "CUMSUM": "neg"}
"""What is computed of each element, as an activation."""
_LSTM = range(1, 5), range(5, 9), range(9, 12), range(12, 16)
"""Inputs of an LSTM: weights of the input and of the state, of peepholes, and biases."""
_PROJECTION, _PROJECTION_BIAS, _NORMS = 16, 17, range(20, 24)


def emit_of(reading: Reading, operator: Operator) -> composed.Emit:
    """Return what adds the ops of a layer that is several."""
    base = f"{reading.key(operator.outputs[0])}_{operator.number}"

    def emit(op: Op, *taken: str, part: str, share: str = "") -> str:
        key, number = f"{base}_{part}", 2
        while key in reading.draft:
            key, number = f"{base}_{part}_{number}", number + 1
        shapes = op.shapes(tuple(map(reading.draft.shape, taken)))
        name = f"{reading.names[operator.number]}/{part}"
        reading.draft.add(op, taken, [key], shapes, name, share=share)
        return key

    return emit


def _made(reading: Reading, operator: Operator, own: str, place: int = 0) -> None:
    """Say what holds an output of an operator."""
    number = operator.outputs[place]
    reading.forms[number] = {ROWS: reading.view(operator, own, reading.shape(number, ROWS))}


@rule("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")
def _lstm(reading: Reading, operator: Operator) -> None:
    """Four gates; without weights of the input's gate, or with norms inside, there is no rule."""
    weights, states, peepholes, _ = _LSTM
    if not all(reading.given(operator, n) for n in (*weights, *states)):
        raise NoRule
    if any(reading.given(operator, n) for n in (_PROJECTION_BIAS, *_NORMS)):
        raise NoRule
    hidden, channels = reading.tensor(operator, 2).shape
    projected = None
    if reading.given(operator, _PROJECTION):
        projected = reading.tensor(operator, _PROJECTION).shape[0]
    layer = Recurrent(
        "lstm", hidden, (True, False), projected, reading.given(operator, peepholes[0]),
        FUSED.get(operator.options.get("FusedActivationFunction", 4), "tanh"),
    )  # fmt: skip
    _recurrent(reading, operator, layer, channels)


@rule("UNIDIRECTIONAL_SEQUENCE_RNN", "RNN")
def _rnn(reading: Reading, operator: Operator) -> None:
    hidden, channels = reading.tensor(operator, 1).shape
    function = FUSED.get(operator.options.get("FusedActivationFunction", 4), "tanh")
    layer = Recurrent("rnn", hidden, (True, False), function=function)
    _recurrent(reading, operator, layer, channels)


def _recurrent(reading: Reading, operator: Operator, layer: Recurrent, channels: int) -> None:
    whole = reading.shape(operator.inputs[0], ROWS)
    tokens = (prod(whole) // channels, channels)
    x = reading.view(operator, reading.take(operator, 0, ROWS), tokens, "steps")
    own, _ = composed.recurrent(emit_of(reading, operator), x, layer)
    _made(reading, operator, own)


@rule("SVDF")
def _svdf(reading: Reading, operator: Operator) -> None:
    """Filter each channel's features over T steps, of which a state keeps all but the last.

    Of U·r filters, r are added up for each output: U·r·(C + T) products.
    Source: tensorflow/lite/kernels/internal/reference/svdf.h.
    """
    (filters, channels), (_, steps) = (reading.tensor(operator, n).shape for n in (1, 2))
    emit, units = emit_of(reading, operator), reading.tensor(operator, 0).shape[0]
    rank = max(int(operator.options.get("Rank", 1)), 1)
    if units != reading.batch or filters % rank:
        raise NoRule
    biased = reading.given(operator, 3)
    x = reading.view(operator, reading.take(operator, 0, ROWS), (channels,), "vector")
    own = emit(new("linear", channels=filters, bias=False), x, part="features")
    own = emit(new("reshape", to=(filters, 1, 1)), own, part="newest")
    if steps > 1:
        own = emit(new("pad", padding=(0, 0, steps - 1, 0)), own, part="memory")
    inside = biased and rank == 1
    op = new("dwconv", kernel=(1, steps), padding="valid", bias=inside)
    own = emit(op, own, part="time")
    if rank > 1:
        own = emit(new("reshape", to=(filters // rank, rank)), own, part="ranks")
        own = emit(new("sum", along=(1,), keep=True), own, part="sum")
    own = emit(new("flatten"), own, part="units")
    if biased and not inside:
        bias = emit(new("param", shape=(filters // rank,)), part="bias")
        own = emit(new("add"), own, bias, part="biased")
    if function := FUSED.get(operator.options.get("FusedActivationFunction", 0)):
        own = emit(new("act", function=function), own, part="act")
    _made(reading, operator, own)


@rule("L2_POOL_2D")
def _length(reading: Reading, operator: Operator) -> None:
    """The root of the mean of squares."""
    options, emit = operator.options, emit_of(reading, operator)
    own = emit(new("act", function="square"), reading.take(operator, 0, MAPS), part="square")
    window = options["FilterHeight"], options["FilterWidth"]
    op = new(
        "avgpool", kernel=window, stride=(options["StrideH"], options["StrideW"]),
        padding="valid" if options["Padding"] else "tf-same",
    )  # fmt: skip
    reading.add(operator, new("act", function="sqrt"), [emit(op, own, part="mean")], MAPS)


@rule("CONV_3D")
def _conv3d(reading: Reading, operator: Operator) -> None:
    """At each stop along the depth, a convolution of as many maps as the kernel is deep."""
    options, (deep, high, wide, c_in, c_out) = operator.options, reading.tensor(operator, 1).shape
    number, out = operator.inputs[0], operator.outputs[0]
    d, h, w, c = reading.shape(number, ROWS)
    stops, *made = reading.shape(out, ROWS)[:3]
    if not reading.batched(number) or operator.inputs[1] not in reading.constants:
        raise NoRule
    stride = tuple(options[f"Stride{axis}"] for axis in "DHW")
    dilation = tuple(options.get(f"Dilation{axis}Factor", 1) for axis in "DHW")
    padding = "valid" if options["Padding"] else "tf-same"
    needed = max((stops - 1) * stride[0] + (deep - 1) * dilation[0] + 1 - d, 0)
    depth = composed.Depth(deep, stride[0], dilation[0], 0 if options["Padding"] else needed // 2)
    op = new(
        "conv", channels=c_out, kernel=(high, wide), stride=stride[1:], dilation=dilation[1:],
        padding=padding, groups=c // c_in, bias=reading.given(operator, 2),
    )  # fmt: skip
    emit, shape = emit_of(reading, operator), (c, d, h, w)
    x = emit(new("permute", order=(3, 0, 1, 2)), reading.take(operator, 0, ROWS), part="first")
    share = reading.names[operator.number]

    def layer(x: str, part: str) -> str:
        return emit(op, x, part=part, share=share)

    own, _ = composed.over_depth(emit, x, shape, depth, stops, layer, reading.draft.shape)
    back: Shape = (stops, *made, c_out)
    reading.add(operator, new("permute", order=(1, 2, 3, 0)), [own], ROWS, back)


@rule(*COMPARED)
def _compared(reading: Reading, operator: Operator) -> None:
    """Compare or choose element by element: a step for each tensor behind the first, as a sum."""
    out = operator.outputs[0]
    shape, emit = reading.shape(out, ROWS), emit_of(reading, operator)
    taken = []
    for place, number in enumerate(operator.inputs):
        if number in reading.constants:
            continue  # a number, or what is as fixed
        own = reading.take(operator, place, ROWS)
        has = reading.draft.shape(own)
        padded = (1,) * (len(shape) - len(has)) + has
        if len(padded) != len(shape):
            raise NoRule
        taken.append(reading.view(operator, own, padded, f"operand{place}"))
    wide = [own for own in taken if reading.draft.shape(own) == shape]
    if len(taken) == 1 or not wide:
        own = emit(new("act", function="round"), taken[0], part="compare")
        for axis, size in enumerate(shape):
            if reading.draft.shape(own)[axis] != size:
                own = emit(new("lookup", to=(size,), axis=axis), own, part=f"axis{axis}")
    else:
        own = emit(new("add"), *taken, part="compare")
    _made(reading, operator, own)


@rule(*EACH)
def _each(reading: Reading, operator: Operator) -> None:
    form = reading.form_of(operator)
    op = new("act", function=EACH[operator.kind])
    reading.add(operator, op, [reading.take(operator, 0, form)], form)


@rule("TOPK_V2")
def _chosen(reading: Reading, operator: Operator) -> None:
    """Each element of a row is compared once at least; as many are taken as there are."""
    emit = emit_of(reading, operator)
    own = emit(new("act", function="round"), reading.take(operator, 0, ROWS), part="compare")
    has = reading.draft.shape(own)
    for place, number in enumerate(operator.outputs):
        count = reading.shape(number, ROWS)[-1]
        part = own
        if count != has[-1]:
            op = new("slice", axis=len(has) - 1, stop=count)
            part = emit(op, own, part=f"taken{place}")
        _made(reading, operator, part, place)


@rule("ARG_MAX", "ARG_MIN", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL")
def _largest(reading: Reading, operator: Operator) -> None:
    rank, number = len(reading.tensor(operator, 0).shape), operator.inputs[0]
    axes = {reading.axis(number, axis % rank, ROWS) for axis in reading.numbers(operator, 1)}
    op = new("max", along=tuple(sorted(axes)), keep=True)
    own = emit_of(reading, operator)(op, reading.take(operator, 0, ROWS), part="largest")
    _made(reading, operator, own)


@rule("REVERSE_V2", "REVERSE_SEQUENCE", "GATHER_ND")
def _moved(reading: Reading, operator: Operator) -> None:
    """Look up elements anywhere, at fixed positions or at those that an image decides."""
    if operator.inputs[0] in reading.constants:
        raise NoRule
    emit, size = emit_of(reading, operator), prod(reading.shape(operator.inputs[0], ROWS))
    shape = reading.shape(operator.outputs[0], ROWS)
    flat = reading.view(operator, reading.take(operator, 0, ROWS), (size,), "flat")
    own = emit(new("lookup", to=shape), flat, part="taken")
    if operator.inputs[1] not in reading.constants:
        where, count = reading.take(operator, 1, ROWS), reading.shape(operator.inputs[1], ROWS)
        own = composed.led(emit, own, shape, where, prod(count))
    _made(reading, operator, own)


@rule("ZEROS_LIKE", "FILL", "RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL")
def _constant(reading: Reading, operator: Operator) -> None:
    """Numbers that only a shape decides."""
    shape = reading.shape(operator.outputs[0], ROWS)
    own = emit_of(reading, operator)(new("param", shape=shape, trained=False), part="values")
    _made(reading, operator, own)


@rule("ONE_HOT")
def _one_hot(reading: Reading, operator: Operator) -> None:
    """Compare each number with all there are."""
    emit, count = emit_of(reading, operator), prod(reading.shape(operator.inputs[0], ROWS))
    depth = prod(reading.shape(operator.outputs[0], ROWS)) // count
    column = reading.view(operator, reading.take(operator, 0, ROWS), (count, 1), "column")
    own = emit(new("lookup", to=(depth,), axis=1), column, part="all")
    _made(reading, operator, emit(new("act", function="round"), own, part="compare"))

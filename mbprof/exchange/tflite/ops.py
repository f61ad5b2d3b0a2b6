"""What the operators of TensorFlow Lite that compute are in the spec language."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from mbprof.exchange.rules import NoRule, new
from mbprof.exchange.tflite.model import Operator
from mbprof.exchange.tflite.reading import MAPS, ROWS, Reading, formed, rule
from mbprof.ops import Op
from mbprof.ops.base import channel_axis

ACTIVATIONS = {
    "RELU": "relu",
    "RELU6": "relu6",
    "RELU_N1_TO_1": "relu6",
    "RELU_0_TO_1": "relu6",
    "LOGISTIC": "sigmoid",
    "TANH": "tanh",
    "ELU": "elu",
    "HARD_SWISH": "hswish",
    "LEAKY_RELU": "leaky_relu",
    "ABS": "abs",
    "NEG": "neg",
    "FLOOR": "round",
    "CEIL": "round",
    "ROUND": "round",
    "SQUARE": "square",
    "SQRT": "sqrt",
    "EXP": "exp",
    "LOG": "log",
    "SIN": "sin",
    "COS": "cos",
}
"""Functions of each element; those of two bounds cost what relu6 does."""
REDUCED = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max"}
ELEMENTWISE = {
    "ADD": "add",
    "SUB": "add",
    "ADD_N": "add",
    "MUL": "mul",
    "DIV": "mul",
    "SQUARED_DIFFERENCE": "add",
    "FLOOR_DIV": "mul",
    "FLOOR_MOD": "mul",
    "MAXIMUM": "add",
    "MINIMUM": "add",
}
"""A subtraction and a comparison are an addition, as far as costs go; a division multiplies by an
inverse."""
_DIVIDED = {"DIV", "FLOOR_DIV", "FLOOR_MOD"}
_LARGEST = 1e30
"""A factor of the language is below it."""


def _padding(options: Mapping[str, Any]) -> str:
    return "valid" if options["Padding"] else "tf-same"


def _pair(options: Mapping[str, Any], high: str, wide: str) -> tuple[int, int]:
    pair = options[high], options[wide]
    if min(pair) < 1:
        raise KeyError(high)
    return pair


def _bias(reading: Reading, operator: Operator, place: int = 2) -> bool:
    return reading.given(operator, place)


@rule("CONV_2D", "DEPTHWISE_CONV_2D")
def _conv(reading: Reading, operator: Operator) -> None:
    options, weights = operator.options, reading.tensor(operator, 1).shape
    taken = reading.take(operator, 0, MAPS)
    c = reading.draft.shape(taken)[0]
    out, high, wide, per_group = weights
    made: dict[str, Any] = {
        "kernel": (high, wide),
        "stride": _pair(options, "StrideH", "StrideW"),
        "padding": _padding(options),
        "dilation": _pair(options, "DilationHFactor", "DilationWFactor"),
        "bias": _bias(reading, operator),
    }
    if operator.kind == "DEPTHWISE_CONV_2D":
        op = new("dwconv", **made, multiplier=per_group // c)
    elif per_group == 1 and c > 1:
        op = new("dwconv", **made, multiplier=out // c)
    else:
        op = new("conv", **made, channels=out, groups=c // per_group)
    reading.add(operator, op, [taken, *reading.weights(operator, 1)], MAPS)


@rule("TRANSPOSE_CONV")
def _transposed(reading: Reading, operator: Operator) -> None:
    taken, weights = reading.take(operator, 2, MAPS), reading.tensor(operator, 1).shape
    if operator.inputs[1] not in reading.constants:
        raise NoRule
    _, *size = reading.draft.shape(taken)
    _, *made = reading.shape(operator.outputs[0], MAPS)
    stride = _pair(operator.options, "StrideH", "StrideW")
    common: dict[str, Any] = {
        "channels": weights[0],
        "kernel": (weights[1], weights[2]),
        "stride": stride,
        "bias": _bias(reading, operator, 3),
    }
    op = new("tconv", **common, padding=_padding(operator.options))
    if list(op.shapes((reading.draft.shape(taken),))[0][1:]) != made:
        # The file states the size, of which there are several that make the input's.
        left = [
            (n - 1) * s + k - m for n, s, k, m in zip(size, stride, weights[1:3], made, strict=True)
        ]
        (top, bottom), (before, after) = ((n // 2, n - n // 2) for n in (max(n, 0) for n in left))
        extra = (max(-left[0], 0), max(-left[1], 0))
        sides = (top, bottom, before, after)
        op = new("tconv", **common, padding=sides, output_padding=extra if any(extra) else None)
    reading.add(operator, op, [taken], MAPS)


@rule("FULLY_CONNECTED")
def _linear(reading: Reading, operator: Operator) -> None:
    number, weights = operator.inputs[0], reading.tensor(operator, 1)
    out, features = weights.shape
    whole = reading.shape(number, reading.usual(number))
    vectors = prod(whole) // features
    flat = (features,) if vectors == 1 else (vectors, features)
    taken = reading.view(operator, reading.take(operator, 0, reading.usual(number)), flat, "flat")
    made = (*flat[:-1], out)
    if brought := reading.weights(operator, 1):
        left = reading.view(operator, taken, (vectors, features), "rows")
        op = new("matmul", transposed=True)
        reading.add(operator, op, [left, *brought], ROWS, (vectors, out))
        return
    op = new("linear", channels=out, bias=_bias(reading, operator))
    form = reading.usual(operator.outputs[0])
    reading.add(operator, op, [taken], form, made)


@rule("BATCH_MATMUL")
def _matmul(reading: Reading, operator: Operator) -> None:
    options, right = operator.options, reading.tensor(operator, 1)
    left = reading.take(operator, 0, ROWS)
    if options.get("AdjX"):
        left = _swapped(reading, operator, left)
    shape = reading.draft.shape(left)
    turned = bool(options.get("AdjY"))
    if right.number in reading.constants and prod(right.shape) == prod(right.shape[-2:]):
        columns = right.shape[-2] if turned else right.shape[-1]
        reading.weights(operator, 1)
        op = new("linear", channels=columns, bias=False)
        rows = (prod(shape[:-1]), shape[-1])
        taken = reading.view(operator, left, rows, "rows")
        reading.add(operator, op, [taken], ROWS, (rows[0], columns))
        return
    other = reading.take(operator, 1, ROWS)
    made = reading.shape(operator.outputs[0], ROWS)
    ends = reading.draft.shape(other)
    if shape[:-2] != ends[:-2]:
        raise NoRule
    if len(shape) == 1:  # a single row
        left, made = reading.view(operator, left, (1, *shape), "row"), (1, *made)
    reading.add(operator, new("matmul", transposed=turned), [left, other], ROWS, made)


def _swapped(reading: Reading, operator: Operator, taken: str) -> str:
    shape = reading.draft.shape(taken)
    last = len(shape) - 1
    op = new("permute", order=(*range(last - 1), last, last - 1))
    return reading.step(operator, op, taken, (*shape[:-2], shape[-1], shape[-2]), "swapped")


@rule("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(reading: Reading, operator: Operator) -> None:
    options, taken = operator.options, reading.take(operator, 0, MAPS)
    window = _pair(options, "FilterHeight", "FilterWidth")
    stride, padding = _pair(options, "StrideH", "StrideW"), _padding(options)
    if reading.draft.shape(taken)[1:] == window and padding == "valid":
        op = new("gmp" if operator.kind.startswith("MAX") else "gap")
        reading.add(operator, op, [taken], MAPS)
        return
    word = "maxpool" if operator.kind.startswith("MAX") else "avgpool"
    op = new(word, kernel=window, stride=stride, padding=padding)
    reading.add(operator, op, [taken], MAPS)


@rule(*ELEMENTWISE)
def _elementwise(reading: Reading, operator: Operator) -> None:
    number, numbers = operator.outputs[0], list(operator.inputs)
    form = reading.usual(number)
    known = [reading.forms.get(n, {}) for n in numbers if n not in reading.constants]
    if form == MAPS and not any(MAPS in forms for forms in known):
        form = ROWS
    single = next((n for n, number in enumerate(numbers) if _single(reading, number)), None)
    by_number = operator.kind in ("MUL", "MAXIMUM", "MINIMUM") or (operator.kind, single) == (
        "DIV",
        1,
    )
    if single is not None and by_number:
        other = _operand(reading, operator, 1 - single, form)
        reading.add(operator, _with_number(reading, operator, single), [other], form)
        return
    taken = [_operand(reading, operator, place, form) for place in range(len(numbers))]
    if operator.kind in _DIVIDED:
        below, inverse = reading.draft.shape(taken[1]), new("act", function="reciprocal")
        taken[1] = reading.step(operator, inverse, taken[1], below, "inverse")
    if operator.kind == "SQUARED_DIFFERENCE":
        shape = reading.shape(number, form)
        less = f"{reading.key(number)}_less"
        name = f"{reading.names[operator.number]}/less"
        reading.draft.add(new("add"), taken, [less], (shape,), name)
        reading.add(operator, new("act", function="square"), [less], form)
        return
    reading.add(operator, new(ELEMENTWISE[operator.kind]), taken, form)


def _single(reading: Reading, number: int) -> bool:
    """Whether a tensor is a constant number."""
    return number in reading.constants and prod(reading.model.tensors[number].shape) == 1


def _with_number(reading: Reading, operator: Operator, place: int) -> Op:
    """Return what multiplies by a number or its inverse, or compares with one."""
    if operator.kind in ("MAXIMUM", "MINIMUM"):
        return new("act", function="relu")
    tensor = reading.tensor(operator, place)
    values = tensor.values()
    factor = 1.0 if values is None else (values[0] - tensor.zero) * tensor.scale
    if operator.kind == "DIV":
        factor = 1 / factor if factor else 1.0
    return new("times", by=factor if abs(factor) < _LARGEST else 1.0)


def _operand(reading: Reading, operator: Operator, place: int, form: str) -> str:
    """Return an input of an operator that repeats sizes of 1, with as many axes as its output."""
    tensor, out = reading.tensor(operator, place), operator.outputs[0]
    rank = len(reading.model.tensors[out].shape)
    constant = tensor.number in reading.constants
    fits = len(tensor.shape) == rank and reading.batched(tensor.number) == reading.batched(out)
    if fits and not constant:
        return reading.take(operator, place, form)
    full = (1,) * (rank - len(tensor.shape)) + tensor.shape
    shape = formed(full, form, reading.batched(out))
    if constant:
        return reading.trained(tensor.number, shape, form)
    taken = reading.take(operator, place, ROWS)
    return reading.view(operator, taken, shape, f"operand{place}")


@rule(*ACTIVATIONS, "GELU")
def _activation(reading: Reading, operator: Operator) -> None:
    function = ACTIVATIONS.get(operator.kind)
    if function is None:
        function = "gelu_tanh" if operator.options.get("Approximate") else "gelu"
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    reading.add(operator, new("act", function=function), [taken], form)


@rule("PRELU")
def _prelu(reading: Reading, operator: Operator) -> None:
    slopes, form = reading.tensor(operator, 1), reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    shape = reading.draft.shape(taken)
    of_channels = prod(slopes.shape) == slopes.shape[-1] == shape[channel_axis(shape)]
    if slopes.number in reading.constants and of_channels:
        reading.add(operator, new("act", function="prelu"), [taken], form)
        return
    # A slope for each element: max(x, 0) + a·min(x, 0), a comparison for either part.
    scale = _operand(reading, operator, 1, form)
    relu = new("act", function="relu")
    above, below = (reading.step(operator, relu, taken, shape, what) for what in ("max", "min"))
    name = reading.names[operator.number]
    bent = f"{below}_bent"
    reading.draft.add(new("mul"), [below, scale], [bent], (shape,), f"{name}/slopes")
    reading.add(operator, new("add"), [above, bent], form)


@rule("RSQRT")
def _inverse_root(reading: Reading, operator: Operator) -> None:
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    root = new("act", function="sqrt")
    taken = reading.step(operator, root, taken, reading.draft.shape(taken), "root")
    reading.add(operator, new("act", function="reciprocal"), [taken], form)


@rule("POW")
def _power(reading: Reading, operator: Operator) -> None:
    """A power, of which squares and roots are simpler."""
    form = reading.form_of(operator)
    values = reading.tensor(operator, 1).values() if _single(reading, operator.inputs[1]) else None
    function = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(values[0] if values else 0.0)
    taken = reading.take(operator, 0, form)
    reading.add(operator, new("act", function=function or "exp"), [taken], form)


@rule("L2_NORMALIZATION")
def _length(reading: Reading, operator: Operator) -> None:
    """Divide vectors by their length, which runs over the channels."""
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    if form == ROWS and len(reading.draft.shape(taken)) == 3:
        raise NoRule
    reading.add(operator, new("rms", scale=False), [taken], form)


@rule("SOFTMAX", "LOG_SOFTMAX")
def _softmax(reading: Reading, operator: Operator) -> None:
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    rows = form == ROWS and len(reading.draft.shape(taken)) == 3
    op = new("softmax", axis=-1) if rows else new("softmax")
    reading.add(operator, op, [taken], form)


@rule(*REDUCED)
def _reduced(reading: Reading, operator: Operator) -> None:
    rank, form = len(reading.tensor(operator, 0).shape), reading.form_of(operator)
    gone = {axis % rank for axis in reading.numbers(operator, 1)}
    taken = reading.take(operator, 0, form)
    keep = bool(operator.options.get("KeepDims"))
    axes = tuple(sorted(reading.axis(operator.inputs[0], axis, form) for axis in gone))
    shape = reading.draft.shape(taken)
    if operator.kind == "MEAN" and form == MAPS and axes == (1, 2):
        form = MAPS if keep else ROWS
        reading.add(operator, new("gap"), [taken], form, (shape[0], 1, 1))
        return
    op = new(REDUCED[operator.kind], along=axes, keep=keep or len(axes) == len(shape))
    made = op.shapes((shape,))[0]
    reading.add(operator, op, [taken], form if keep else ROWS, made)

"""What the operators of TensorFlow Lite are in the spec language.

A tensor of four axes, N×H×W×C in the file, is read as maps (C, H, W) where an op works on maps, and
as it stands, (H, W, C), where one works on matrices or rows. Both are the same bytes, so that one
is a reshape of the other, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from mbprof.errors import ExchangeError, ShapeError
from mbprof.exchange.draft import Draft
from mbprof.exchange.tflite_model import Model, Operator, Tensor
from mbprof.exchange.tflite_names import layer_names
from mbprof.language.fmt import Shape
from mbprof.ops import OPS, Op

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
}
"""Functions of each element; those of two bounds cost what relu6 does."""
FUSED = {1: "relu", 2: "relu6", 3: "relu6", 4: "tanh"}
"""The same by the numbers of the schema's ActivationFunctionType."""
HANDED_ON = {"QUANTIZE", "DEQUANTIZE", "CAST", "FAKE_QUANT", "DENSIFY", "BITCAST"}
"""What changes how values are stored: no layer of a network, and no MACs."""
VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}
REDUCED = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max"}
ELEMENTWISE = {"ADD": "add", "SUB": "add", "ADD_N": "add", "MUL": "mul"}
"""A subtraction is an addition, as far as costs go."""
MAPS, ROWS = "maps", "rows"


class NoRule(Exception):
    """An operator, with these options or inputs, that the language has no op for."""


Rule = Callable[["Reading", Operator], None]
RULES: dict[str, Rule] = {}
"""The other operators, by their names in the schema."""


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Register what reads some operators."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def translated(model: Model, name: str) -> Draft:
    """Return the network of a file.

    Raises: ExchangeError: it makes no sense, such as shapes that its operators do not make.
    """
    return Reading(model, Draft(name, model.path)).draft_of()


@dataclass(slots=True)
class Reading:
    """A file on its way to a draft, operator by operator."""

    model: Model
    draft: Draft
    forms: dict[int, dict[str, str]] = field(default_factory=dict)
    """Names of a tensor in the draft, by the form in which it is there."""
    constants: set[int] = field(default_factory=set)
    """Tensors that no input changes."""
    names: Sequence[str] = ()
    batch: int = 1

    def draft_of(self) -> Draft:
        model = self.model
        self.names = layer_names(model)
        self.constants = {t.index for t in model.tensors if t.data is not None}
        shapes = [model.tensors[number].shape for number in model.inputs]
        self.batch = shapes[0][0] if shapes and shapes[0] else 1
        for number in model.inputs:
            tensor = model.tensors[number]
            if -1 in tensor.signature[1:]:
                open_axis = f"its input {tensor.name!r} leaves an axis open"
                hint = "convert it with a fixed input shape"
                raise ExchangeError(f"{model.path}: {open_axis}", hint=hint)
            form = self.usual(number)
            self.forms[number] = {form: self.key(number)}
            self.draft.image(self.key(number), self.shape(number, form), tensor.name)
            self.draft.bits[self.key(number)] = tensor.bits
        for operator in model.operators:
            self.operator(operator)
        for number in model.outputs:
            if number in self.forms:
                tensor = next(iter(self.forms[number].values()))
                self.draft.output(tensor, model.tensors[number].name)
        return self.draft

    def operator(self, operator: Operator) -> None:
        """Add what an operator is; what only constants decide is a constant, too."""
        taken = [number for number in operator.inputs if number >= 0]
        if not operator.outputs:
            return
        if operator.kind == "SHAPE" or (taken and self.constants.issuperset(taken)):
            self.constants.update(operator.outputs)
            return
        known = RULES.get(operator.kind)
        try:
            if known is None:
                raise NoRule
            known(self, operator)
        except NoRule:
            self.unknown(operator)
        except ShapeError as error:
            what = f"operator {operator.index}, {operator.kind}: {error.message}"
            raise ExchangeError(f"{self.model.path}: {what}") from None
        except (IndexError, KeyError, ValueError, TypeError, ArithmeticError):
            what = f"operator {operator.index}, {operator.kind}, has inputs or options that do not"
            raise ExchangeError(f"{self.model.path}: {what} fit each other") from None
        for number in operator.outputs:
            bits = self.model.tensors[number].bits
            for key in self.forms.get(number, {}).values():
                self.draft.bits.setdefault(key, bits)

    def unknown(self, operator: Operator) -> None:
        taken = [next(iter(self.forms[n].values())) for n in operator.inputs if n in self.forms]
        made = []
        for number in operator.outputs:
            self.forms[number] = {self.usual(number): self.key(number)}
            made.append(self.shape(number, self.usual(number)))
        keys = [self.key(number) for number in operator.outputs]
        self.draft.unknown(operator.kind, taken, keys, tuple(made), self.names[operator.index])

    def tensor(self, operator: Operator, place: int) -> Tensor:
        """Return an input of an operator."""
        return self.model.tensors[operator.inputs[place]]

    def given(self, operator: Operator, place: int) -> bool:
        """Whether an operator has an input that can be left out."""
        return len(operator.inputs) > place and operator.inputs[place] >= 0

    def numbers(self, operator: Operator, place: int) -> tuple[int, ...]:
        """Return whole numbers that an operator takes as a constant.

        Raises: NoRule: they are computed, or there are too many.
        """
        values = self.tensor(operator, place).values()
        if values is None:
            raise NoRule
        return tuple(map(int, values))

    def key(self, number: int) -> str:
        return f"tensor_{number}"

    def batched(self, number: int) -> bool:
        """Whether the first axis of a tensor is that of the images."""
        shape = self.model.tensors[number].shape
        return len(shape) > 1 and shape[0] == self.batch

    def usual(self, number: int) -> str:
        """Return the form of a tensor that no op asks otherwise of."""
        four = len(self.model.tensors[number].shape) == 4
        return MAPS if four and self.batched(number) else ROWS

    def shape(self, number: int, form: str) -> Shape:
        """Return the shape of a tensor in a form."""
        full = self.model.tensors[number].shape
        if 0 in full:
            raise ExchangeError(f"{self.model.path}: tensor {number} is empty, or its size is open")
        return _formed(full, form, self.batched(number))

    def form_of(self, operator: Operator, place: int = 0) -> str:
        """Return a form in which an input is there already."""
        forms = self.forms.get(operator.inputs[place], {})
        return next((form for form in forms if form in (MAPS, ROWS)), ROWS)

    def axis(self, number: int, axis: int, form: str) -> int:
        """Return where an axis of the file stands in a form.

        Raises: NoRule: it is that of the images.
        """
        rank = len(self.model.tensors[number].shape)
        own = axis % rank - (1 if self.batched(number) else 0)
        if own < 0:
            raise NoRule
        return {0: 1, 1: 2, 2: 0}[own] if form == MAPS else own

    def take(self, operator: Operator, place: int, form: str) -> str:
        """Return the name of an input in a form; of a constant a trained tensor."""
        number = operator.inputs[place]
        if number in self.constants:
            return self.trained(number, self.shape(number, form), form)
        if number not in self.forms:
            message = f"operator {operator.index}, {operator.kind}, takes tensor {number}"
            raise ExchangeError(f"{self.model.path}: {message}, which nothing made before it")
        forms = self.forms[number]
        if form not in forms:
            shape = self.shape(number, form)
            before, name = next(iter(forms.values())), self.names[operator.index]
            if self.draft.shape(before) == shape:
                forms[form] = before
            else:
                forms[form] = f"{self.key(number)}_{form}"
                view = OPS["reshape"](to=shape)
                self.draft.add(view, [before], [forms[form]], (shape,), f"{name}/{form}")
        return forms[form]

    def trained(self, number: int, shape: Shape, what: str) -> str:
        """Return the name of a constant that an op takes as a tensor."""
        key = f"{self.key(number)}_{what}_{'x'.join(map(str, shape))}"
        if key not in self.forms.setdefault(number, {}):
            name = self.model.tensors[number].name.rpartition("/")[2] or "values"
            self.draft.add(OPS["param"](shape=shape), [], [key], (shape,), name)
            self.forms[number][key] = key
            self.draft.bits[key] = self.model.tensors[number].bits
        return key

    def weights(self, operator: Operator, place: int) -> list[str]:
        """Return the weights of a layer if another layer computes them."""
        tensor = self.tensor(operator, place)
        if tensor.index in self.constants:
            self.draft.bits.setdefault(f"{self.names[operator.index]}.weights", tensor.bits)
            return []
        return [self.take(operator, place, ROWS)]

    def add(
        self,
        operator: Operator,
        op: Op,
        inputs: Sequence[str],
        form: str,
        shape: Shape | None = None,
    ) -> None:
        """Add the op of the only output of an operator, and the activation that is fused with it.

        ``shape`` is what the op makes of it, if that is not yet the shape of the file.
        """
        number = operator.outputs[0]
        wanted = self.shape(number, form)
        function = FUSED.get(operator.options.get("FusedActivationFunction", 0))
        name = self.names[operator.index]
        chain: list[tuple[Op, Shape]] = [(op, shape or wanted)]
        if shape is not None and shape != wanted:
            chain.append((OPS["reshape"](to=wanted), wanted))
        if function:
            chain.append((OPS["act"](function=function), wanted))
        taken = list(inputs)
        for step, (each, made) in enumerate(chain, 1):
            key = self.key(number) if step == len(chain) else f"{self.key(number)}_{step}"
            suffix = "" if step == 1 else f"/{each.word}"
            self.draft.add(each, taken, [key], (made,), f"{name}{suffix}")
            taken = [key]
        self.forms[number] = {form: taken[0]}

    def step(self, operator: Operator, op: Op, taken: str, shape: Shape, what: str) -> str:
        """Add an op that only prepares an input of an operator, and return its output."""
        key = f"{taken}_{what}_{operator.index}"
        self.draft.add(op, [taken], [key], (shape,), f"{self.names[operator.index]}/{what}")
        return key

    def view(self, operator: Operator, taken: str, shape: Shape, what: str = "view") -> str:
        """Return a tensor in another shape, itself if it has it already."""
        if self.draft.shape(taken) == shape:
            return taken
        return self.step(operator, OPS["reshape"](to=shape), taken, shape, what)

    def hand_on(self, operator: Operator, taken: Mapping[str, str]) -> None:
        """Let the output of an operator be its input."""
        self.forms[operator.outputs[0]] = dict(taken)


def _formed(full: Shape, form: str, batched: bool) -> Shape:
    own = full[1:] if batched else full
    if form == MAPS:
        if len(full) != 4 or not batched:
            raise NoRule
        return (own[2], own[0], own[1])
    return own or (1,)


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
        op = OPS["dwconv"](**made, multiplier=per_group // c)
    elif per_group == 1 and c > 1:
        op = OPS["dwconv"](**made, multiplier=out // c)
    else:
        op = OPS["conv"](**made, channels=out, groups=c // per_group)
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
    op = OPS["tconv"](**common, padding=_padding(operator.options))
    if list(op.shapes((reading.draft.shape(taken),))[0][1:]) != made:
        # The file states the size, of which there are several that make the input's.
        left = [
            (n - 1) * s + k - m for n, s, k, m in zip(size, stride, weights[1:3], made, strict=True)
        ]
        (top, bottom), (before, after) = ((n // 2, n - n // 2) for n in (max(n, 0) for n in left))
        extra = (max(-left[0], 0), max(-left[1], 0))
        sides = (top, bottom, before, after)
        op = OPS["tconv"](**common, padding=sides, output_padding=extra if any(extra) else None)
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
        op = OPS["matmul"](transposed=True)
        reading.add(operator, op, [left, *brought], ROWS, (vectors, out))
        return
    op = OPS["linear"](channels=out, bias=_bias(reading, operator))
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
    if right.index in reading.constants and prod(right.shape) == prod(right.shape[-2:]):
        columns = right.shape[-2] if turned else right.shape[-1]
        reading.weights(operator, 1)
        op = OPS["linear"](channels=columns, bias=False)
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
    reading.add(operator, OPS["matmul"](transposed=turned), [left, other], ROWS, made)


def _swapped(reading: Reading, operator: Operator, taken: str) -> str:
    shape = reading.draft.shape(taken)
    last = len(shape) - 1
    op = OPS["permute"](order=(*range(last - 1), last, last - 1))
    return reading.step(operator, op, taken, (*shape[:-2], shape[-1], shape[-2]), "swapped")


@rule("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(reading: Reading, operator: Operator) -> None:
    options, taken = operator.options, reading.take(operator, 0, MAPS)
    window = _pair(options, "FilterHeight", "FilterWidth")
    stride, padding = _pair(options, "StrideH", "StrideW"), _padding(options)
    if reading.draft.shape(taken)[1:] == window and padding == "valid":
        op = OPS["gmp" if operator.kind.startswith("MAX") else "gap"]()
        reading.add(operator, op, [taken], MAPS)
        return
    word = "maxpool" if operator.kind.startswith("MAX") else "avgpool"
    op = OPS[word](kernel=window, stride=stride, padding=padding)
    reading.add(operator, op, [taken], MAPS)


@rule(*ELEMENTWISE)
def _elementwise(reading: Reading, operator: Operator) -> None:
    number, numbers = operator.outputs[0], list(operator.inputs)
    form = reading.usual(number)
    known = [reading.forms.get(n, {}) for n in numbers if n not in reading.constants]
    if form == MAPS and not any(MAPS in forms for forms in known):
        form = ROWS
    if operator.kind == "MUL" and len(numbers) == 2:
        constant = [n for n in numbers if n in reading.constants]
        if constant and prod(reading.model.tensors[constant[0]].shape) == 1:
            place = 1 - numbers.index(constant[0])
            factor = reading.model.tensors[constant[0]]
            value = factor.values()
            by = 1.0 if value is None else (value[0] - factor.zero) * factor.scale
            op = OPS["times"](by=by)
            reading.add(operator, op, [reading.take(operator, place, form)], form)
            return
    rank = len(reading.model.tensors[number].shape)
    taken = [_operand(reading, operator, place, rank, form) for place in range(len(numbers))]
    reading.add(operator, OPS[ELEMENTWISE[operator.kind]](), taken, form)


def _operand(reading: Reading, operator: Operator, place: int, rank: int, form: str) -> str:
    """Return an input of an operator that repeats sizes of 1, with as many axes as its output."""
    tensor, out = reading.tensor(operator, place), operator.outputs[0]
    if len(tensor.shape) == rank and tensor.index not in reading.constants:
        if reading.batched(tensor.index) == reading.batched(out):
            return reading.take(operator, place, form)
    full = (1,) * (rank - len(tensor.shape)) + tensor.shape
    shape = _formed(full, form, reading.batched(out))
    if tensor.index in reading.constants:
        return reading.trained(tensor.index, shape, form)
    taken = reading.take(operator, place, ROWS)
    return reading.view(operator, taken, shape, f"operand{place}")


@rule(*ACTIVATIONS, "GELU")
def _activation(reading: Reading, operator: Operator) -> None:
    function = ACTIVATIONS.get(operator.kind)
    if function is None:
        function = "gelu_tanh" if operator.options.get("Approximate") else "gelu"
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    reading.add(operator, OPS["act"](function=function), [taken], form)


@rule("PRELU")
def _prelu(reading: Reading, operator: Operator) -> None:
    slopes, form = reading.tensor(operator, 1), reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    shape = reading.draft.shape(taken)
    if slopes.index in reading.constants and prod(slopes.shape) == slopes.shape[-1]:
        if slopes.shape[-1] == shape[0 if len(shape) == 3 else -1]:
            reading.add(operator, OPS["act"](function="prelu"), [taken], form)
            return
    # A slope for each element: max(x, 0) + a·min(x, 0), a comparison for either part.
    rank = len(reading.tensor(operator, 0).shape)
    scale = _operand(reading, operator, 1, rank, form)
    relu = OPS["act"](function="relu")
    above, below = (reading.step(operator, relu, taken, shape, what) for what in ("max", "min"))
    name = reading.names[operator.index]
    bent = f"{below}_bent"
    reading.draft.add(OPS["mul"](), [below, scale], [bent], (shape,), f"{name}/slopes")
    reading.add(operator, OPS["add"](), [above, bent], form)


@rule("SOFTMAX")
def _softmax(reading: Reading, operator: Operator) -> None:
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    rows = form == ROWS and len(reading.draft.shape(taken)) == 3
    op = OPS["softmax"](axis=-1) if rows else OPS["softmax"]()
    reading.add(operator, op, [taken], form)


@rule(*VIEWS)
def _view(reading: Reading, operator: Operator) -> None:
    """A view makes rows, which become maps where somebody takes them as maps."""
    number, out = operator.inputs[0], operator.outputs[0]
    shapes = reading.model.tensors[number].shape, reading.model.tensors[out].shape
    if shapes[0] == shapes[1] and reading.forms.get(number):
        reading.hand_on(operator, reading.forms[number])
        return
    taken = reading.take(operator, 0, reading.form_of(operator))
    shape = reading.shape(out, ROWS)
    if reading.draft.shape(taken) == shape and reading.form_of(operator) == ROWS:
        reading.hand_on(operator, {ROWS: taken})
        return
    vector = len(shape) == 1
    op = OPS["flatten"]() if vector else OPS["reshape"](to=shape)
    reading.add(operator, op, [taken], ROWS)


@rule(*HANDED_ON)
def _handed_on(reading: Reading, operator: Operator) -> None:
    number = operator.inputs[0]
    reading.take(operator, 0, reading.form_of(operator))
    reading.hand_on(operator, reading.forms[number])


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
        reading.add(operator, OPS["gap"](), [taken], form, (shape[0], 1, 1))
        return
    op = OPS[REDUCED[operator.kind]](along=axes, keep=keep or len(axes) == len(shape))
    made = op.shapes((shape,))[0]
    reading.add(operator, op, [taken], form if keep else ROWS, made)


@rule("CONCATENATION")
def _concat(reading: Reading, operator: Operator) -> None:
    out, count = operator.outputs[0], len(operator.inputs)
    known = [reading.forms.get(number, {}) for number in operator.inputs]
    maps = reading.usual(out) == MAPS and any(MAPS in forms for forms in known)
    form = MAPS if maps else ROWS
    if any(reading.batched(n) != reading.batched(out) for n in operator.inputs):
        raise NoRule
    taken = [reading.take(operator, place, form) for place in range(count)]
    if count == 1:
        reading.hand_on(operator, {form: taken[0]})
        return
    axis = reading.axis(out, operator.options["Axis"], form)
    reading.add(operator, OPS["concat"](axis=axis), taken, form)


@rule("SPLIT", "SPLIT_V")
def _split(reading: Reading, operator: Operator) -> None:
    place, at = (1, 0) if operator.kind == "SPLIT" else (0, 2)
    (axis,) = reading.numbers(operator, at)
    form = reading.form_of(operator, place)
    taken = reading.take(operator, place, form)
    own = reading.axis(operator.inputs[place], axis, form)
    shapes = tuple(reading.shape(number, form) for number in operator.outputs)
    keys = [reading.key(number) for number in operator.outputs]
    for number, key in zip(operator.outputs, keys, strict=True):
        reading.forms[number] = {form: key}
    if len(keys) == 1:
        reading.hand_on(operator, {form: taken})
        return
    sizes = tuple(shape[own] for shape in shapes)
    op = OPS["split"](parts=len(keys), sizes=() if len({*sizes}) == 1 else sizes, axis=own)
    reading.draft.add(op, [taken], keys, shapes, reading.names[operator.index])


@rule("UNPACK")
def _unpack(reading: Reading, operator: Operator) -> None:
    form, count = reading.form_of(operator), len(operator.outputs)
    taken = reading.take(operator, 0, form)
    own = reading.axis(operator.inputs[0], operator.options.get("Axis", 0), form)
    shape = reading.draft.shape(taken)
    part = (*shape[:own], 1, *shape[own + 1 :])
    parts = [f"{reading.key(number)}_part" for number in operator.outputs]
    if count > 1:
        op = OPS["split"](parts=count, axis=own)
        reading.draft.add(op, [taken], parts, (part,) * count, reading.names[operator.index])
    else:
        parts = [taken]
    for number, each in zip(operator.outputs, parts, strict=True):
        key = reading.view(operator, each, reading.shape(number, ROWS), f"unpacked{number}")
        reading.forms[number] = {ROWS: key}


@rule("PACK")
def _pack(reading: Reading, operator: Operator) -> None:
    out = operator.outputs[0]
    own = reading.axis(out, operator.options.get("Axis", 0), ROWS)
    shape = reading.shape(out, ROWS)
    part = (*shape[:own], 1, *shape[own + 1 :])
    taken = []
    for place, number in enumerate(operator.inputs):
        if number in reading.constants:
            taken.append(reading.trained(number, part, ROWS))
        else:
            row = reading.take(operator, place, ROWS)
            taken.append(reading.view(operator, row, part, f"packed{place}"))
    if len(taken) == 1:
        reading.hand_on(operator, {ROWS: taken[0]})
        return
    reading.add(operator, OPS["concat"](axis=own), taken, ROWS)

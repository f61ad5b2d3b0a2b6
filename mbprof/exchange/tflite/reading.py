"""A TensorFlow Lite file on its way to a draft.

A tensor of four axes, N×H×W×C in the file, is read as maps (C, H, W) where an op works on maps, and
as it stands, (H, W, C), where one works on matrices or rows. Both are the same bytes, so that one
is a reshape of the other, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mbprof.errors import ExchangeError, ShapeError
from mbprof.exchange.draft import Draft
from mbprof.exchange.rules import NoRule, Rules, new
from mbprof.exchange.tflite.model import Model, Operator, Tensor
from mbprof.exchange.tflite.names import layer_names
from mbprof.language.fmt import Shape
from mbprof.ops import Op

FUSED = {1: "relu", 2: "relu6", 3: "relu6", 4: "tanh"}
"""Activations by the numbers of the schema's ActivationFunctionType; see `ACTIVATIONS`."""
MAPS, ROWS = "maps", "rows"


Rule = Callable[["Reading", Operator], None]
RULES: Rules[Rule] = Rules()
"""What reads an operator, by its name in the schema."""
rule = RULES.add


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
        self.constants = {t.number for t in model.tensors if t.data is not None}
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
                key = next(iter(self.forms[number].values()))
                self.draft.output(key, model.tensors[number].name)
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
            what = f"operator {operator.number}, {operator.kind}: {error.message}"
            raise ExchangeError(f"{self.model.path}: {what}") from None
        except (IndexError, KeyError, ValueError, TypeError, ArithmeticError):
            what = f"operator {operator.number}, {operator.kind}, has inputs or options that do not"
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
        self.draft.unknown(operator.kind, taken, keys, tuple(made), self.names[operator.number])

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
        return formed(full, form, self.batched(number))

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
            message = f"operator {operator.number}, {operator.kind}, takes tensor {number}"
            raise ExchangeError(f"{self.model.path}: {message}, which nothing made before it")
        forms = self.forms[number]
        if form not in forms:
            shape = self.shape(number, form)
            before, name = next(iter(forms.values())), self.names[operator.number]
            if self.draft.shape(before) == shape:
                forms[form] = before
            else:
                forms[form] = f"{self.key(number)}_{form}"
                view = new("reshape", to=shape)
                self.draft.add(view, [before], [forms[form]], (shape,), f"{name}/{form}")
        return forms[form]

    def trained(self, number: int, shape: Shape, what: str) -> str:
        """Return the name of a constant that an op takes as a tensor."""
        key = f"{self.key(number)}_{what}_{'x'.join(map(str, shape))}"
        if key not in self.forms.setdefault(number, {}):
            name = self.model.tensors[number].name.rpartition("/")[2] or "values"
            self.draft.add(new("param", shape=shape), [], [key], (shape,), name)
            self.forms[number][key] = key
            self.draft.bits[key] = self.model.tensors[number].bits
        return key

    def weights(self, operator: Operator, place: int) -> list[str]:
        """Return the weights of a layer if another layer computes them."""
        tensor = self.tensor(operator, place)
        if tensor.number in self.constants:
            self.draft.bits.setdefault(f"{self.names[operator.number]}.weights", tensor.bits)
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
        name = self.names[operator.number]
        chain: list[tuple[Op, Shape]] = [(op, shape or wanted)]
        if shape is not None and shape != wanted:
            chain.append((new("reshape", to=wanted), wanted))
        if function:
            chain.append((new("act", function=function), wanted))
        taken = list(inputs)
        for step, (each, made) in enumerate(chain, 1):
            key = self.key(number) if step == len(chain) else f"{self.key(number)}_{step}"
            suffix = "" if step == 1 else f"/{each.word}"
            self.draft.add(each, taken, [key], (made,), f"{name}{suffix}")
            taken = [key]
        self.forms[number] = {form: taken[0]}

    def step(self, operator: Operator, op: Op, taken: str, shape: Shape, what: str) -> str:
        """Add an op that only prepares an input of an operator, and return its output."""
        key = f"{taken}_{what}_{operator.number}"
        self.draft.add(op, [taken], [key], (shape,), f"{self.names[operator.number]}/{what}")
        return key

    def view(self, operator: Operator, taken: str, shape: Shape, what: str = "view") -> str:
        """Return a tensor in another shape, itself if it has it already."""
        if self.draft.shape(taken) == shape:
            return taken
        return self.step(operator, new("reshape", to=shape), taken, shape, what)

    def hand_on(self, operator: Operator, taken: Mapping[str, str]) -> None:
        """Let the output of an operator be its input."""
        self.forms[operator.outputs[0]] = dict(taken)


def formed(full: Shape, form: str, batched: bool) -> Shape:
    """Return a shape of the file without the axis of the images, as maps or as it stands.

    Raises: NoRule: it is no shape of maps.

    >>> formed((1, 7, 5, 64), MAPS, True), formed((1, 7, 5, 64), ROWS, True)
    ((64, 7, 5), (7, 5, 64))
    """
    own = full[1:] if batched else full
    if form == MAPS:
        if len(full) != 4 or not batched:
            raise NoRule
        return (own[2], own[0], own[1])
    return own or (1,)

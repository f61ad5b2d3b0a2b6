"""Networks of TensorFlow Lite: float, quantised and hybrid ones, as flat specs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from mbprof.errors import ExchangeError, Source
from mbprof.exchange.draft import Draft
from mbprof.exchange.tflite.model import Model, opened
from mbprof.exchange.tflite.names import distinct, layer_names
from mbprof.exchange.tflite.reading import Reading
from mbprof.language.record import NamedTuple
from mbprof.spec import foreign
from mbprof.spec.foreign import Program
from mbprof.spec.knobs import Given

for _rules in ("composites", "form", "ops"):  # which fill the table of rules
    import_module(f"mbprof.exchange.tflite.{_rules}")


class Buffer(NamedTuple):
    """Memory for one tensor that is no constant: its number in the file, and when it is needed.

    ``first`` and ``last`` are the numbers of operators, in the order of the file: of the one that
    makes it, or 0 for an input of the network, and of the last one that takes it, or of the last
    of all for an output. A variable is needed all the time.
    """

    tensor: int
    name: str
    bytes: int
    first: int
    last: int


def read(text: str, given: Given) -> Source:
    """Return the flat spec of a file.

    Raises: ExchangeError: see `draft`.
    """
    return Source(text, draft(text).text())


def draft(path: str) -> Draft:
    """Return the network of a file.

    Raises: ExchangeError: the file cannot be read, is broken, or makes no sense as a network.
    """
    model = opened(path)
    return Reading(model, Draft(Path(path).stem, model.path)).draft_of()


def buffers(path: str) -> list[Buffer]:
    """Return the memory that the tensors of a file need, in the order of the file.

    Constants lie in the file and need none; what nobody takes is needed while it is made.
    Raises: ExchangeError: the file cannot be read, or is broken.
    """
    return buffers_of(opened(path))


def program(path: str) -> Program:
    """Return what a file executes: its operators, and the tensors that need memory, in its order.

    Constants that tensors share count once.
    Raises: ExchangeError: see `buffers`.
    """
    model = opened(path)
    held = buffers_of(model)
    numbers = {buffer.tensor: number for number, buffer in enumerate(held)}

    def placed(tensors: Iterable[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(numbers[own] for own in tensors if own in numbers))

    variables = [tensor.number for tensor in model.tensors if tensor.variable]
    taken = {number for operator in model.operators for number in operator.inputs if number >= 0}
    stored = {t.buffer: t.bytes for t in map(model.tensors.__getitem__, taken) if t.stored}
    operators = zip(distinct(layer_names(model)), model.operators, strict=True)
    return Program(
        tuple(foreign.Tensor(b.name, model.tensors[b.tensor].shape, b.bytes) for b in held),
        tuple(foreign.Operator(n, placed(own.inputs), placed(own.outputs)) for n, own in operators),
        placed((*model.inputs, *variables)),
        placed((*model.outputs, *variables)),
        sum(stored.values()),
        tuple(dict.fromkeys(model.tensors[buffer.tensor].kind.lower() for buffer in held)),
    )


def buffers_of(model: Model) -> list[Buffer]:
    """Return the memory that the tensors of a network need, see `buffers`.

    Raises: ExchangeError: an operator takes what was not made yet.
    """
    end = max(len(model.operators) - 1, 0)
    first, last = dict.fromkeys(model.inputs, 0), dict.fromkeys(model.inputs, 0)
    for tensor in model.tensors:
        if tensor.variable:
            first[tensor.number], last[tensor.number] = 0, end
    for operator in model.operators:
        for number in (number for number in operator.inputs if number >= 0):
            if number in first:
                last[number] = max(last[number], operator.number)
            elif model.tensors[number].data is None:
                message = f"{model.path}: operator {operator.number}, {operator.kind}, takes tensor"
                raise ExchangeError(f"{message} {number}, which nothing made before it")
        for number in operator.outputs:
            first.setdefault(number, operator.number)
            last.setdefault(number, operator.number)
    last.update((number, end) for number in model.outputs if number in first)
    needed = [model.tensors[number] for number in sorted(first)]
    return [
        Buffer(tensor.number, tensor.name, tensor.bytes, first[tensor.number], last[tensor.number])
        for tensor in needed
        if tensor.data is None
    ]

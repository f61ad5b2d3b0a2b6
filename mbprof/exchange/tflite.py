"""Networks of TensorFlow Lite: float, quantised and hybrid ones, as flat specs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mbprof.errors import ExchangeError, Source
from mbprof.exchange import tflite_form, tflite_ops
from mbprof.exchange.draft import Draft
from mbprof.exchange.tflite_model import Model, opened
from mbprof.spec.knobs import Given


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
    return tflite_ops.translated(opened(path), Path(path).stem)


def buffers(path: str) -> list[Buffer]:
    """Return the memory that the tensors of a file need, in the order of the file.

    Constants lie in the file and need none; what nobody takes is needed while it is made.
    Raises: ExchangeError: the file cannot be read, or is broken.
    """
    return buffers_of(opened(path))


def buffers_of(model: Model) -> list[Buffer]:
    """Return the memory that the tensors of a network need, see `buffers`.

    Raises: ExchangeError: an operator takes what was not made yet.
    """
    end = max(len(model.operators) - 1, 0)
    first, last = dict.fromkeys(model.inputs, 0), dict.fromkeys(model.inputs, 0)
    for tensor in model.tensors:
        if tensor.variable:
            first[tensor.index], last[tensor.index] = 0, end
    for operator in model.operators:
        for tensor in (number for number in operator.inputs if number >= 0):
            if tensor in first:
                last[tensor] = max(last[tensor], operator.index)
            elif model.tensors[tensor].data is None:
                message = f"{model.path}: operator {operator.index}, {operator.kind}, takes tensor"
                raise ExchangeError(f"{message} {tensor}, which nothing made before it")
        for tensor in operator.outputs:
            first.setdefault(tensor, operator.index)
            last.setdefault(tensor, operator.index)
    last.update((tensor, end) for tensor in model.outputs if tensor in first)
    needed = [model.tensors[number] for number in sorted(first)]
    return [
        Buffer(tensor.index, tensor.name, tensor.bytes, first[tensor.index], last[tensor.index])
        for tensor in needed
        if tensor.data is None
    ]

"""Where networks of other formats are found: by the ending of a file, or by a prefix.

What reads a format is a module of the room ``exchange``, which is imported when it is needed.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from mbprof.errors import MissingError, Source, UsageError
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.language.source import Scalar
from mbprof.spec.knobs import Given


class Reader(NamedTuple):
    """What reads a format: a module of ``exchange``, the library that it needs, what it reads.

    The module has a function ``read(text, given)`` that returns the flat spec as a `Source`, and
    where a file ``executes`` operators on tensors of its own types, ``program(path)``.
    """

    module: str
    library: str
    what: str
    extra: str
    executes: bool = False


class Tensor(NamedTuple):
    """Memory of one tensor that a file says: its shape as it stands there, and its bytes."""

    name: str
    shape: Shape
    bytes: int


class Operator(NamedTuple):
    """What is executed as one, and the numbers of the tensors that it takes and gives."""

    name: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]


class Program(NamedTuple):
    """What a file says itself of its execution, in its own order.

    ``starts`` are live before it, ``ends`` behind it; constants are no tensors, but stand in
    ``weight_bytes``. ``types`` are those of the tensors.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    weight_bytes: int
    types: tuple[str, ...]


ENDINGS: dict[str, Reader] = {
    ".onnx": Reader("onnx_in.file", "onnx", "ONNX files", "onnx"),
    ".tflite": Reader("tflite.file", "tflite", "TensorFlow Lite files", "tflite", True),
}
"""By the ending of a file, in lower case."""
TORCH = Reader("torch_in.module", "torch", "networks of PyTorch", "torch")
PREFIXES: dict[str, Reader] = {
    "timm": TORCH,
    "torchvision": TORCH,
    "keras": Reader("keras_in.module", "keras", "networks of Keras", "keras"),
}
"""By what stands before the first colon of an address."""

_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_FILE = rf".+\.py:{_DOTTED}"


def reader_of(text: str) -> Reader | None:
    """Return what reads the network that a text names, None where it names none."""
    prefix, colon, _ = text.partition(":")
    if colon and prefix in PREFIXES:
        return PREFIXES[prefix]
    if re.fullmatch(_FILE, text):
        return TORCH
    return ENDINGS.get(Path(text).suffix.lower())


def source(text: str, given: Given, absent: UsageError | None = None) -> Source | None:
    """Return the flat spec of a network of another format, None where a text names none.

    ``given`` is what is asked of its knobs: axes that a file leaves open have no other value.
    Raises: ExchangeError: it cannot be read, or the library for it is missing; in its place
    ``absent`` if there is that, which says that the zoo does not know a library's name.
    """
    if (reader := reader_of(text)) is None:
        return None
    try:
        return _read(reader, text, given)
    except MissingError as error:
        if absent is None:
            raise
        absent.hint = f"{absent.hint}; {error.hint} reads more from {text.partition(':')[0]}"
        raise absent from None


def called(text: str, given: Given) -> Source | None:
    """Return the flat spec of ``package.module:callable``; None if there is no such module.

    Nothing of the package is imported to find that out but what holds the module.
    Raises: ExchangeError: see `source`.
    """
    where, _, name = text.partition(":")
    if not (re.fullmatch(_DOTTED, where) and re.fullmatch(_DOTTED, name)):
        return None
    here = [*sys.path, str(Path.cwd())]
    if where not in sys.modules and not PathFinder.find_spec(where.partition(".")[0], here):
        return None
    return _read(TORCH, text, given)


def live(text: str) -> bool:
    """Whether a text names a module of PyTorch.

    Raises: MissingError: PyTorch is not installed.

    >>> live("mobilenet_v1"), live("keras:MobileNet")
    (False, False)
    """
    where, _, name = text.partition(":")
    dotted = re.fullmatch(_DOTTED, where) and re.fullmatch(_DOTTED, name) and where not in PREFIXES
    if reader_of(text) is not TORCH and not dotted:
        return False
    library(TORCH)
    return True


def program(address: str) -> Program | None:
    """Return what the file of an address says of its execution, None where it says nothing.

    Raises: ExchangeError: see `source`.
    """
    reader = reader_of(address)
    if reader is None or not reader.executes:
        return None
    found: Program = module(reader).program(address)
    return found


def _read(reader: Reader, text: str, given: Given) -> Source:
    made: Source = module(reader).read(text, given)
    return made


def module(reader: Reader) -> ModuleType:
    """Import what reads a format.

    Raises: ExchangeError: the library that it needs is not installed.
    """
    library(reader)
    return import_module(f"mbprof.exchange.{reader.module}")


def library(reader: Reader) -> ModuleType:
    """Import the library that a format needs.

    Raises: ExchangeError: it is not installed.
    """
    try:
        return import_module(reader.library)
    except ImportError:
        message = f"reading {reader.what} needs the library {reader.library}"
        raise MissingError(message, hint=f"pip install 'mbprof[{reader.extra}]'") from None


def asked(given: Given, knob: str) -> str | None:
    """Return what is asked of a knob, as it is typed; of several values the first; None if none is.

    >>> asked({"res": 224}, "res"), asked({}, "res")
    ('224', None)
    """
    value: Any = given.get(knob)
    if value is None:
        return None
    if isinstance(value, Scalar):
        return re.split("[,:]", value.text)[0].strip()
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)

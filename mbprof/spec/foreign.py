"""Where networks of other formats are found: by the ending of a file, or by a prefix.

What reads a format is a module of the room ``exchange``, which is imported when it is needed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mbprof.errors import ExchangeError, Source
from mbprof.language.source import Scalar
from mbprof.spec.knobs import Given


class Reader(NamedTuple):
    """What reads a format: a module of ``exchange``, the library that it needs, what it reads.

    The module has a function ``read(text, given)`` that returns the flat spec as a `Source`.
    """

    module: str
    library: str
    what: str
    extra: str


ENDINGS: dict[str, Reader] = {
    ".onnx": Reader("onnx_file", "onnx", "ONNX files", "onnx"),
}
"""By the ending of a file, in lower case."""
PREFIXES: dict[str, Reader] = {}
"""By what stands before the first colon of an address."""


def reader_of(text: str) -> Reader | None:
    """Return what reads the network that a text names, None where it names none."""
    prefix, colon, _ = text.partition(":")
    if colon and prefix in PREFIXES:
        return PREFIXES[prefix]
    return ENDINGS.get(Path(text).suffix.lower())


def source(text: str, given: Given) -> Source | None:
    """Return the flat spec of a network of another format, None where a text names none.

    ``given`` is what is asked of its knobs: axes that a file leaves open have no other value.
    Raises: ExchangeError: it cannot be read, or the library for it is missing.
    """
    reader = reader_of(text)
    if reader is None:
        return None
    library(reader)
    module = import_module(f"mbprof.exchange.{reader.module}")
    made: Source = module.read(text, given)
    return made


def library(reader: Reader) -> ModuleType:
    """Import the library that a format needs.

    Raises: ExchangeError: it is not installed.
    """
    try:
        return import_module(reader.library)
    except ImportError:
        message = f"reading {reader.what} needs the library {reader.library}"
        raise ExchangeError(message, hint=f"pip install 'mbprof[{reader.extra}]'") from None


def asked(given: Given, knob: str) -> str | None:
    """Return what is asked of a knob, as it is typed; None if nothing is.

    >>> asked({"res": 224}, "res"), asked({}, "res")
    ('224', None)
    """
    value: Any = given.get(knob)
    if value is None:
        return None
    if isinstance(value, Scalar):
        return value.text
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)

"""A TensorFlow Lite file as tensors and operators, every one of them checked.

Source: tensorflow/lite/schema/schema.fbs, whose fields are known by their order here.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from mbprof.errors import ExchangeError
from mbprof.exchange.tflite.flatbuffer import Bytes, Malformed, Table
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple

MAX_TENSORS = 100_000
MAX_RANK = 16
_IDENTIFIER = b"TFL3"
_INLINE = 2
"""From this offset on a buffer's data stands behind the FlatBuffer; 0 and 1 say none."""

# The fields of the tables, by their numbers in the schema.
_CODES, _SUBGRAPHS, _BUFFERS = 1, 2, 4
_CODE_OLD, _CODE_CUSTOM, _CODE = 0, 1, 3
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _VARIABLE, _SPARSITY, _SIGNATURE = range(8)
_SCALE, _ZERO = 2, 3
_OPCODE, _TAKEN, _MADE, _OPTIONS_TYPE, _OPTIONS = 0, 1, 2, 3, 4
_OPTIONS2_TYPE, _OPTIONS2 = 11, 12


class Kind(NamedTuple):
    """The type of a tensor's values: the bits of each, and their `struct` format."""

    bits: int
    form: str = ""


KINDS: dict[str, Kind] = {
    "FLOAT32": Kind(32, "f"),
    "FLOAT16": Kind(16, "e"),
    "INT32": Kind(32, "i"),
    "UINT8": Kind(8, "B"),
    "INT64": Kind(64, "q"),
    "STRING": Kind(0),
    "BOOL": Kind(8, "?"),
    "INT16": Kind(16, "h"),
    "COMPLEX64": Kind(64),
    "INT8": Kind(8, "b"),
    "FLOAT64": Kind(64, "d"),
    "COMPLEX128": Kind(128),
    "UINT64": Kind(64, "Q"),
    "RESOURCE": Kind(0),
    "VARIANT": Kind(0),
    "UINT32": Kind(32, "I"),
    "UINT16": Kind(16, "H"),
    "INT4": Kind(4),
    "BFLOAT16": Kind(16),
}
"""By the names of the schema's TensorType; a type that is not here has 0 bits."""


class Tensor(NamedTuple):
    """A tensor of the file: its shape with the batch axis, the type of its values, what it holds.

    ``data`` are the bytes of a constant, which lie in the ``buffer`` of that number. ``scale`` and
    ``zero`` are those of the first channel, 1 and 0 where the values are not quantised.
    """

    number: int
    name: str
    shape: Shape
    signature: tuple[int, ...]
    kind: str
    data: memoryview | None
    variable: bool
    scale: float
    zero: int
    buffer: int = 0

    @property
    def bits(self) -> int:
        """Bits of a value, 0 where its type says none."""
        return KINDS.get(self.kind, Kind(0)).bits

    @property
    def bytes(self) -> int:
        """What its values take, in bytes."""
        return (prod(self.shape) * self.bits + 7) // 8

    @property
    def stored(self) -> bool:
        """Whether it holds weights; whole numbers of no scale say shapes and axes."""
        whole = self.kind in ("INT32", "INT64") and (self.scale, self.zero) == (1.0, 0)
        return self.data is not None and not whole

    def values(self, most: int = 4096) -> tuple[float, ...] | None:
        """Return the values of a constant, None where they are not known or more than ``most``."""
        form = KINDS.get(self.kind, Kind(0)).form
        if self.data is None or not form or prod(self.shape) > most:
            return None
        return struct.unpack_from(f"<{prod(self.shape)}{form}", self.data)


class Operator(NamedTuple):
    """An operator: its name in the schema, the numbers of its tensors, its options by name.

    A tensor of -1 is left out.
    """

    number: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


class Model(NamedTuple):
    """The main subgraph of a file."""

    path: str
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def opened(path: str) -> Model:
    """Read a file; the weights' values are not looked at.

    Raises: ExchangeError: there is no such file, it is no TensorFlow Lite file, or it is broken.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ValueError("it is no file")
        with Path(path).open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as why:  # an empty file cannot be mapped
        reason = getattr(why, "strerror", None) or str(why).replace("cannot mmap an", "it is an")
        raise ExchangeError(f"cannot read {path}: {reason}") from None
    if bytes(view[4:8]) != _IDENTIFIER:
        hint = f"such a file has {_IDENTIFIER.decode()} at byte 4"
        raise ExchangeError(f"{path} is no TensorFlow Lite file", hint=hint)
    try:
        return _model(path, Bytes(view).root())
    except Malformed as why:
        hint = "it may be truncated: compare its size with that of the original"
        raise ExchangeError(f"{path} is broken: {why}", hint=hint) from None


def _model(path: str, root: Table) -> Model:
    import tflite  # which takes a third of a second, and only this format needs

    graph = next(root.tables(_SUBGRAPHS), None)
    if graph is None:
        raise Malformed("it holds no subgraph")
    codes = [_code(table, _names(tflite.BuiltinOperator)) for table in root.tables(_CODES)]
    buffers = list(root.tables(_BUFFERS))
    kinds = _names(tflite.TensorType)
    tensors = []
    for number, table in enumerate(graph.tables(_TENSORS)):
        if number >= MAX_TENSORS:
            raise Malformed(f"it has more than {MAX_TENSORS:,} tensors")
        tensors.append(_tensor(number, table, buffers, kinds))
    operators = [
        _operator(number, table, codes, len(tensors), tflite)
        for number, table in enumerate(graph.tables(_OPERATORS))
    ]
    ends = graph.numbers(_INPUTS), graph.numbers(_OUTPUTS)
    for number in (*ends[0], *ends[1]):
        _within(number, len(tensors), "tensor")
    return Model(path, tensors, operators, *ends)


def _names(enum: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enum).items() if isinstance(number, int)}


def _within(number: int, count: int, what: str) -> int:
    if not 0 <= number < count:
        raise Malformed(f"there is no {what} {number:,}, only {count:,} of them")
    return number


def _code(table: Table, names: Mapping[int, str]) -> str:
    """Return what an operator code stands for; later files have another field for large ones."""
    number = max(table.number(_CODE), table.number(_CODE_OLD, "b"))
    name = names.get(number, f"operator_{number}")
    return (table.text(_CODE_CUSTOM) or name) if name == "CUSTOM" else name


def _tensor(
    number: int, table: Table, buffers: Sequence[Table], kinds: Mapping[int, str]
) -> Tensor:
    name, shape = table.text(_NAME), table.numbers(_SHAPE, most=MAX_RANK)
    kind = kinds.get(table.number(_TYPE, "b"), "unknown")
    if any(size < 0 for size in shape):
        raise Malformed(f"tensor {number} has a size below 0")
    place = _within(table.number(_BUFFER, "I"), len(buffers), "buffer")
    buffer = buffers[place]
    inline = buffer.bytes(0)
    outside = buffer.number(1, "Q") >= _INLINE
    scale, zero = 1.0, 0
    if (quantization := table.table(_QUANTIZATION)) is not None:
        scales = quantization.numbers(_SCALE, "f", 1_000_000)
        zeros = quantization.numbers(_ZERO, "q", 1_000_000)
        scale, zero = (scales[0] if scales else 1.0), (zeros[0] if zeros else 0)
    signature = table.numbers(_SIGNATURE, most=MAX_RANK) or shape
    data = inline if len(inline) or outside else None
    variable = bool(table.number(_VARIABLE, "b"))
    made = Tensor(number, name, shape, signature, kind, data, variable, scale, zero, place)
    dense = not outside and table.place(_SPARSITY) is None
    if data is not None and made.bits and dense and len(data) != made.bytes:
        held = f"tensor {number} holds {len(data):,} bytes"
        raise Malformed(f"{held}, and its shape needs {made.bytes:,}")
    return made if dense else made._replace(data=memoryview(b"")) if data is not None else made


def _operator(
    number: int, table: Table, codes: Sequence[str], tensors: int, schema: Any
) -> Operator:
    if number >= MAX_TENSORS:
        raise Malformed(f"it has more than {MAX_TENSORS:,} operators")
    kind = codes[_within(table.number(_OPCODE, "I"), len(codes), "operator code")]
    ends = table.numbers(_TAKEN, most=1000), table.numbers(_MADE, most=1000)
    for tensor in ends[0]:
        if tensor != -1:
            _within(tensor, tensors, "tensor")
    for tensor in ends[1]:
        _within(tensor, tensors, "tensor")
    options: dict[str, Any] = {}
    pairs = (
        (_OPTIONS_TYPE, _OPTIONS, schema.BuiltinOptions),
        (_OPTIONS2_TYPE, _OPTIONS2, getattr(schema, "BuiltinOptions2", None)),
    )
    for kind_of, where, enum in pairs:
        known = _names(enum).get(table.number(kind_of, "B"), "NONE") if enum else "NONE"
        if known != "NONE" and (place := table.table(where)) is not None:
            options |= _options(getattr(schema, known, None), place)
    return Operator(number, kind, *ends, options)


def _options(schema: Any, table: Table) -> dict[str, Any]:
    """Return the single values among an operator's options, by their names in the schema."""
    if schema is None:
        return {}
    reader, values = schema(), {}
    reader.Init(table.data.view, table.at)
    for name in dir(schema):
        own = name[0].isupper() and not name.startswith(("GetRootAs", "Init"))
        if own and not name.endswith(("Length", "AsNumpy", "IsNone", "BufferHasIdentifier")):
            try:
                values[name] = getattr(reader, name)()
            except (TypeError, struct.error):  # a list, or a value at the very end of the file
                continue
    return values

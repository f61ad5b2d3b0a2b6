"""Files of TensorFlow Lite, written with the builder of the FlatBuffers library."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import flatbuffers
import tflite

FORMS = {"FLOAT32": "f", "FLOAT16": "e", "INT32": "i", "INT8": "b", "UINT8": "B", "INT16": "h"}


@dataclass
class Net:
    """A network that is put together tensor by tensor; numbers stand for tensors."""

    tensors: list[tuple[tuple[int, ...], str, str, bytes | None]] = field(default_factory=list)
    operators: list[tuple[str, list[int], list[int], str, dict[str, Any]]] = field(
        default_factory=list
    )
    inputs: list[int] = field(default_factory=list)
    signature: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def tensor(self, *shape: int, kind: str = "FLOAT32", name: str = "") -> int:
        self.tensors.append((shape, kind, name or f"net/layer_{len(self.tensors)}/Op", None))
        return len(self.tensors) - 1

    def input(self, *shape: int, kind: str = "FLOAT32") -> int:
        self.inputs.append(self.tensor(*shape, kind=kind, name=f"input_{len(self.inputs)}"))
        return self.inputs[-1]

    def weights(self, *shape: int, kind: str = "FLOAT32") -> int:
        data = bytes(struct.calcsize(FORMS[kind]) * prod(shape))
        self.tensors.append((shape, kind, f"weights_{len(self.tensors)}", data))
        return len(self.tensors) - 1

    def numbers(self, *values: float, kind: str = "INT32", shape: Sequence[int] = (-1,)) -> int:
        data = struct.pack(f"<{len(values)}{FORMS[kind]}", *values)
        full = (len(values),) if tuple(shape) == (-1,) else tuple(shape)
        self.tensors.append((full, kind, f"numbers_{len(self.tensors)}", data))
        return len(self.tensors) - 1

    def half(self) -> int:
        return self.numbers(0.5, kind="FLOAT32", shape=())

    def op(
        self, word: str, taken: list[int], *shapes: tuple[int, ...], options: str = "", **given: Any
    ) -> Any:
        """Add an operator and return its output, or a list of them."""
        kind = self.tensors[next(n for n in taken if n >= 0)][1] if taken else "FLOAT32"
        made = [self.tensor(*shape, kind=kind) for shape in shapes]
        self.operators.append((word, taken, made, options, given))
        return made[0] if len(made) == 1 else made

    def bytes(self, *outputs: int) -> bytes:
        """Return the file."""
        b = flatbuffers.Builder(1024)
        words = sorted({word for word, *_ in self.operators})
        codes = [_code(b, word) for word in words]
        datas = [b"", *(data for *_, data in self.tensors if data is not None)]
        buffers = [_table(b, "Buffer", Data=b.CreateByteVector(data)) for data in datas]
        held, count = [], 0
        for number, (shape, kind, name, data) in enumerate(self.tensors):
            count += data is not None
            signature = self.signature.get(number)
            parts = {
                "Shape": _numbers(b, shape),
                "Name": b.CreateString(name),
                "Type": getattr(tflite.TensorType, kind),
                "Buffer": count if data is not None else 0,
            }
            if signature is not None:
                parts["ShapeSignature"] = _numbers(b, signature)
            held.append(_table(b, "Tensor", **parts))
        operators = [_operator(b, words, *operator) for operator in self.operators]
        graph = _table(
            b,
            "SubGraph",
            Tensors=_tables(b, held),
            Inputs=_numbers(b, self.inputs),
            Outputs=_numbers(b, outputs),
            Operators=_tables(b, operators),
        )
        parts = {
            "OperatorCodes": _tables(b, codes),
            "Subgraphs": _tables(b, [graph]),
            "Buffers": _tables(b, buffers),
        }
        b.Finish(_table(b, "Model", Version=3, **parts), file_identifier=b"TFL3")
        return bytes(b.Output())

    def save(self, path: Path, *outputs: int) -> str:
        """Write the file and return its path."""
        path.write_bytes(self.bytes(*outputs))
        return str(path)


def _table(builder: Any, word: str, **fields: Any) -> Any:
    getattr(tflite, f"{word}Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{word}Add{name}")(builder, value)
    return getattr(tflite, f"{word}End")(builder)


def _numbers(builder: Any, values: Sequence[int]) -> Any:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    return builder.EndVector()


def _tables(builder: Any, offsets: Sequence[Any]) -> Any:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _code(builder: Any, word: str) -> Any:
    number = getattr(tflite.BuiltinOperator, word, tflite.BuiltinOperator.CUSTOM)
    fields = {"BuiltinCode": number, "DeprecatedBuiltinCode": min(number, 127)}
    if not hasattr(tflite.BuiltinOperator, word):
        fields["CustomCode"] = builder.CreateString(word)
    return _table(builder, "OperatorCode", **fields)


def _operator(
    builder: Any,
    words: Sequence[str],
    word: str,
    taken: Sequence[int],
    made: Sequence[int],
    options: str,
    given: dict[str, Any],
) -> Any:
    fields = {
        "Inputs": _numbers(builder, taken),
        "Outputs": _numbers(builder, made),
        "OpcodeIndex": words.index(word),
    }
    if options:
        fields["BuiltinOptions"] = _table(builder, options, **given)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, options)
    return _table(builder, "Operator", **fields)

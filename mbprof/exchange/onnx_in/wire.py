"""A serialised ONNX model without the values of its large tensors, which are never read.

Only lengths and tags of protocol buffers are looked at; what is no tensor is copied as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mbprof.errors import ExchangeError, LimitError

KEPT = 4096
"""Bytes of a tensor's values that are kept: shapes, axes and scales are no longer."""
LARGEST = 1 << 26
"""Bytes that a model may have without the values of its large tensors."""
_DEPTH = 50


@dataclass(frozen=True)
class Message:
    """A kind of message: which of its fields are messages again, and which hold values."""

    inner: dict[int, str]
    values: frozenset[int] = frozenset()


# The numbers of fields are those of onnx/onnx.proto.
MESSAGES = {
    "model": Message({7: "graph", 25: "function"}),
    "graph": Message({1: "node", 5: "tensor", 15: "sparse"}),
    "function": Message({7: "node"}),
    "node": Message({5: "attribute"}),
    "attribute": Message(
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
    ),
    "sparse": Message({1: "tensor", 2: "tensor"}),
    "tensor": Message({}, frozenset({4, 5, 6, 7, 9, 10, 11})),
}


def without_values(data: memoryview, name: str) -> bytes:
    """Return a model without the values of tensors of more than `KEPT` bytes.

    Raises: ExchangeError: the bytes are no protocol buffer. LimitError: too much is left.
    """
    left = LARGEST

    def copied(start: int, end: int, kind: str, depth: int) -> Iterator[memoryview | bytes]:
        nonlocal left
        message = MESSAGES[kind]
        if depth > _DEPTH:
            raise LimitError(f"{name}: graphs are nested deeper than {_DEPTH} levels")
        for tag, first, begin, stop in _fields(data, start, end, name):
            if tag in message.values:
                continue
            if stop - begin > KEPT and tag in message.inner:
                parts = list(copied(begin, stop, message.inner[tag], depth + 1))
                yield data[first:begin][: _tag_length(data, first)]
                yield _varint(sum(map(len, parts)))
                yield from parts
                continue
            left -= stop - first
            if left < 0:
                most = f"{LARGEST >> 20} MB"
                raise LimitError(f"{name} has more than {most} besides the values of its tensors")
            yield data[first:stop]

    return b"".join(copied(0, len(data), "model", 0))


def _fields(
    data: memoryview, start: int, end: int, name: str
) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, start, start of the value and end of each field."""
    at = start
    while at < end:
        first = at
        key, at = _read(data, at, end, name)
        kind = key & 7
        if kind == 0:
            begin = at
            _, at = _read(data, at, end, name)
        elif kind == 2:
            length, begin = _read(data, at, end, name)
            at = begin + length
        elif kind in (1, 5):
            begin, at = at, at + (8 if kind == 1 else 4)
        else:
            raise ExchangeError(f"{name} is no ONNX file: byte {first} begins no field")
        if at > end or not key >> 3:
            raise ExchangeError(f"{name} is no ONNX file, or it is cut off: see byte {first}")
        yield key >> 3, first, begin, at


def _read(data: memoryview, at: int, end: int, name: str) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ExchangeError(f"{name} is no ONNX file, or it is cut off: see byte {at}")


def _tag_length(data: memoryview, at: int) -> int:
    length = 1
    while data[at + length - 1] > 127:
        length += 1
    return length


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)

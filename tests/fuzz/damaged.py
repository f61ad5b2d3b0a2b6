"""Files of other formats that are almost right: bytes of networks, changed, moved and cut off."""

import base64
import gzip
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.fuzz.case import Case

DATA = Path(__file__).parents[1] / "independent" / "data"
_NASTY = (
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x10", b"\x0a\x00",
)  # fmt: skip
"""Lengths, offsets and sizes that are none."""
_SMALL, _MOST = 9, 10
"""In how many of how many cases the network is a small one."""


@cache
def networks() -> tuple[tuple[str, bytes], ...]:
    """Return small networks with the endings of their files: one for many an operator."""
    from tests.features.test_onnx import LAYERS
    from tests.features.test_tflite import small

    onnx = [(".onnx", model.SerializeToString()) for model, *_ in LAYERS.values()]
    return *onnx, *[(".tflite", small())] * (len(onnx) // 2)


@cache
def real() -> tuple[tuple[str, bytes], ...]:
    """Return networks that people exported, without the values of large weights."""
    from mbprof.exchange.onnx_in.wire import without_values

    packed = sorted((DATA / "onnx").glob("*.gz"))
    whole = (memoryview(gzip.decompress(path.read_bytes())) for path in packed)
    onnx = [(".onnx", without_values(data, "net")) for data in whole]
    tflite = sorted((DATA / "tflite").glob("*.tflite"))
    return *onnx, *((".tflite", path.read_bytes()) for path in tflite)


def prepare() -> tuple[Case, ...]:
    """Return commands that import what reads files; the networks are made once."""
    kinds = {ending: base64.b64encode(data).decode() for ending, data in (*networks(), *real())}
    return tuple(Case(("table", f"n{end}"), {f"n{end}": text}) for end, text in kinds.items())


def _flip(rng: random.Random, data: bytearray, at: int) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, at: int) -> None:
    data[at] = rng.randrange(256)


def _nasty(rng: random.Random, data: bytearray, at: int) -> None:
    word = rng.choice(_NASTY)
    data[at : at + rng.choice((0, len(word)))] = word


def _cut(rng: random.Random, data: bytearray, at: int) -> None:
    del data[at:]


def _drop(rng: random.Random, data: bytearray, at: int) -> None:
    del data[at : at + rng.choice((1, 4, 64))]


def _twice(rng: random.Random, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + rng.choice((1, 8, 256))] * rng.choice((1, 1, 99))


def _splice(rng: random.Random, data: bytearray, at: int) -> None:
    _, other = rng.choice(networks())
    there = rng.randrange(len(other))
    data[at:at] = other[there : there + rng.choice((8, 64, 1024))]


STEPS: tuple[Callable[[random.Random, bytearray, int], None], ...] = (
    _flip, _flip, _byte, _byte, _nasty, _nasty, _cut, _drop, _twice, _splice,
)  # fmt: skip


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one to eight changes."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if made:
            rng.choice(STEPS)(rng, made, rng.randrange(len(made)))
    return bytes(made)


COMMANDS = (("table",), ("table",), ("memory",), ("table", "--res", "8"), ("check",))


def file(rng: random.Random) -> Case:
    """Return a command on a file that is damaged."""
    ending, data = rng.choice(networks() if rng.randrange(_MOST) < _SMALL else real())
    command, *more = rng.choice(COMMANDS)
    text = base64.b64encode(damaged(rng, data)).decode()
    return Case((command, f"n{ending}", *more), {f"n{ending}": text})

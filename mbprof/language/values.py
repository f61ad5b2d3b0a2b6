"""Values as people type them: numbers, words, sizes and shapes, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = "int | float | bool | str | tuple[Value, ...] | None"
Env: TypeAlias = Mapping[str, Value]
Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = tuple[Shape, ...]

_INT = re.compile(r"[-+]?\d{1,18}")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
_SIZE = re.compile(r"(-?\d{1,18})\s*[xX×]\s*(-?\d{1,18})")


def parse(text: str) -> Value:
    """Read a value as it is typed: none, true, false, a number, HxW, or a word.

    >>> parse("0.75"), parse("224"), parse("160x224"), parse("none"), parse("Conv2d_0")
    (0.75, 224, (160, 224), None, 'Conv2d_0')
    """
    text = text.strip()
    constants: dict[str, Value] = {"none": None, "true": True, "false": False}
    if text in constants:
        return constants[text]
    if _INT.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if size := _SIZE.fullmatch(text):
        return int(size[1]), int(size[2])
    return text


def plain(value: object) -> str:
    """Write a value as it is typed.

    >>> plain(0.75), plain(1.0), plain(True), plain(None), plain((160, 224)), plain((96, 96))
    ('0.75', '1.0', 'true', 'none', '160x224', '96')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, tuple):
        return plain(value[0]) if len(set(value)) == 1 else "x".join(plain(each) for each in value)
    return repr(value) if isinstance(value, float) else str(value)


def spelled(knobs: Mapping[str, object]) -> str:
    """Write knobs with their values as people read them.

    >>> spelled({"alpha": 0.5, "res": (96, 96)})
    'alpha 0.5, res 96'
    """
    return ", ".join(f"{name} {plain(value)}" for name, value in knobs.items())


def size(value: Value) -> tuple[int, int]:
    """Return height and width of the value of a knob that is a size.

    >>> size((160, 224))
    (160, 224)
    """
    match value:
        case (int(high), int(wide)):
            return high, wide
        case _:
            raise TypeError(f"{plain(value)} is no size")


def show(shape: Shape) -> str:
    """Write a shape as C×H×W.

    >>> show((32, 112, 112))
    '32×112×112'
    """
    return "×".join(str(size) for size in shape)

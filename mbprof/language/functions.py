"""The functions of the expression language, each with its arity and meaning."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

from mbprof.symbolic.arithmetic import (
    ceiled,
    divisible,
    floored,
    maximum,
    minimum,
    power,
    rounded,
    truncated,
)


class Function(NamedTuple):
    """A function of the language: its Python meaning, its arity and what it does."""

    call: Callable[..., Any]
    least: int
    most: int
    doc: str


def _smallest(*numbers: Any) -> Any:
    return reduce(minimum, numbers)


def _largest(*numbers: Any) -> Any:
    return reduce(maximum, numbers)


FUNCTIONS: dict[str, Function] = {
    "min": Function(_smallest, 2, 9, "the smallest of its arguments"),
    "max": Function(_largest, 2, 9, "the largest of its arguments"),
    "int": Function(truncated, 1, 1, "a number without its decimals, as Python's int()"),
    "ceil": Function(ceiled, 1, 1, "rounded up"),
    "floor": Function(floored, 1, 1, "rounded down"),
    "round": Function(rounded, 1, 1, "rounded to nearest, halves to even, as Python's round()"),
    "pow": Function(power, 2, 2, "pow(x, y): x to the power of y, as a decimal"),
    "div8": Function(divisible, 1, 1, "rounded to a multiple of 8, never below 90 %"),
    "divisible": Function(divisible, 1, 3, "divisible(v, divisor, floor): div8 in general"),
}

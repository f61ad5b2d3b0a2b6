"""The operations, a row each: of numbers and symbols, of columns, and how formulas write them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from mbprof.symbolic import arithmetic
from mbprof.symbolic.symbols import double

Column = Any


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation is, of numbers and of columns of them.

    ``plain`` takes numbers and symbols, ``columns`` is a function of NumPy columns or the name of
    NumPy's. ``form`` is how a formula writes it: a sign, a call, a rounding or nothing. What has a
    ``doc`` is a function of the language, of ``least`` to ``most`` arguments.
    """

    plain: Callable[..., Any]
    columns: str | Callable[..., Column]
    form: str = "sign"
    least: int = 2
    most: int = 2
    doc: str = ""

    def on(self, *columns: Column) -> Column:
        """Apply it to whole columns."""
        if not isinstance(self.columns, str):
            return self.columns(*columns)
        import numpy as np

        return getattr(np, self.columns)(*columns)


def _floor_divide(x: Column, y: Column) -> Column:
    import numpy as np

    if isinstance(y, int) and y > 0 and y & (y - 1) == 0:
        return np.right_shift(x, y.bit_length() - 1)
    return np.floor_divide(x, y)


def _divisible(v: Column, divisor: int, floor: Column) -> Column:
    import numpy as np

    near = np.asarray(v + divisor / 2).astype(np.int64)
    if divisor & (divisor - 1) == 0:
        near &= -divisor
    else:
        near = near // divisor * divisor
    near = np.maximum(near, floor)
    near += divisor * (near < 0.9 * v)
    return near


def _power(x: Column, y: Column) -> Column:
    # NumPy's own power can differ from math.pow in the last bit.
    import numpy as np

    return np.asarray(np.frompyfunc(_power_or_nan, 2, 1)(x, y)).astype(np.float64)


def _power_or_nan(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except (ArithmeticError, ValueError):
        return math.nan


def _whole(name: str) -> Callable[[Column], Column]:
    def rounded(x: Column) -> Column:
        import numpy as np

        return getattr(np, name)(x).astype(np.int64)

    return rounded


OPERATIONS: dict[str, Operation] = {
    "min": Operation(
        lambda *numbers: reduce(arithmetic.minimum, numbers),
        "minimum", "extreme", 2, 9, "the smallest of its arguments",
    ),
    "max": Operation(
        lambda *numbers: reduce(arithmetic.maximum, numbers),
        "maximum", "extreme", 2, 9, "the largest of its arguments",
    ),
    "int": Operation(
        arithmetic.truncated, _whole("trunc"), "towards zero", 1, 1,
        "a number without its decimals, as Python's int()",
    ),
    "ceil": Operation(arithmetic.ceiled, _whole("ceil"), "up", 1, 1, "rounded up"),
    "floor": Operation(arithmetic.floored, _whole("floor"), "down", 1, 1, "rounded down"),
    "round": Operation(
        arithmetic.rounded, _whole("rint"), "call", 1, 1,
        "rounded to nearest, halves to even, as Python's round()",
    ),
    "pow": Operation(
        arithmetic.power, _power, "call", 2, 2, "pow(x, y): x to the power of y, as a decimal"
    ),
    "div8": Operation(
        arithmetic.divisible, _divisible, "call", 1, 1,
        "rounded to a multiple of 8, never below 90 %",
    ),
    "divisible": Operation(
        arithmetic.divisible, _divisible, "call", 1, 3,
        "divisible(v, divisor, floor): div8 in general",
    ),
    "gcd": Operation(arithmetic.gcd, "gcd", "call"),
    "+": Operation(operator.add, "add"),
    "-": Operation(operator.sub, "subtract"),
    "*": Operation(operator.mul, "multiply"),
    "/": Operation(arithmetic.quotient, "divide"),
    "//": Operation(operator.floordiv, _floor_divide),
    "%": Operation(operator.mod, "mod", "rest"),
    "//~": Operation(operator.floordiv, "floor_divide"),
    "%~": Operation(operator.mod, "mod", "rest"),
    "==": Operation(operator.eq, "equal"),
    "!=": Operation(operator.ne, "not_equal"),
    "<": Operation(operator.lt, "less"),
    "<=": Operation(operator.le, "less_equal"),
    ">": Operation(operator.gt, "greater"),
    ">=": Operation(operator.ge, "greater_equal"),
    "whole": Operation(float.is_integer, lambda x: x % 1.0 == 0.0),
    "sum": Operation(lambda x: x, lambda x: x, "as it is"),
    "real": Operation(double, "float64", "as it is"),
}  # fmt: skip
"""Every operation by its name; ``~`` marks those of doubles that whole numbers have exactly."""

FUNCTIONS = {name: operation for name, operation in OPERATIONS.items() if operation.doc}
"""The functions of the language."""

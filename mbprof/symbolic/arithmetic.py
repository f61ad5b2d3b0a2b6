"""Arithmetic of Python's ints and of symbols alike, and the table of operations, a row each.

Shape rules and cost formulas use only these helpers and the operators ``+ - * // % ==``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from mbprof.symbolic.lanes import Column, Lanes, mapped
from mbprof.symbolic.symbols import (
    MOST,
    UNBOUNDED,
    Condition,
    Monomial,
    Number,
    Real,
    RealNumber,
    Symbol,
    Whole,
    WholeNumber,
    bounds,
    double,
    inside,
    key,
    whole_value,
)

Flag: TypeAlias = bool | Condition


class Inexact(ArithmeticError):
    """A quotient of whole numbers that is no whole number."""


def is_whole(x: object) -> TypeGuard[int]:
    """Whether a value is a whole number, plain or symbol, and no flag."""
    return isinstance(x, WholeNumber) and not isinstance(x, bool)


def is_number(x: object) -> TypeGuard[float]:
    """Whether a value is a number, plain or symbol, and no flag."""
    return isinstance(x, Number) and not isinstance(x, bool)


def is_real(x: object) -> bool:
    """Whether a value is a number with a decimal point, plain or symbol."""
    return isinstance(x, RealNumber)


def is_flag(x: object) -> bool:
    """Whether a value is true or false, or a condition that configurations answer differently."""
    return isinstance(x, Flag)


def ceil_div(a: int, b: int) -> int:
    """Return ⌈a / b⌉ in integers.

    >>> ceil_div(7, 2), ceil_div(-7, 2)
    (4, -3)
    """
    return -(-a // b)


def quotient(x: Any, y: Any) -> Any:
    """Divide: whole numbers into a whole number, others as doubles.

    Raises: Inexact: whole numbers leave a rest.

    >>> quotient(6, 2), quotient(3, 2.0)
    (3, 1.5)
    """
    if not is_whole(x) or not is_whole(y):
        return x / y
    whole = x // y
    if x % y:
        raise Inexact
    return whole


def product(values: Iterable[int]) -> int:
    """Return the product of the values, 1 for none.

    >>> product((3, 224, 224))
    150528
    """
    return math.prod(values)


def added(values: Iterable[int]) -> int:
    """Return the sum of the values, 0 for none; of symbols, gathered at once.

    >>> added((3, 4, 5))
    12
    """
    listed: tuple[Any, ...] = tuple(values)
    kinds: set[type] = set(map(type, listed))
    total: int = _gathered(listed) if Whole in kinds and Real not in kinds else sum(listed)
    return total


def weighted(values: Iterable[tuple[int, int]]) -> int:
    """Return the sum of values with plain whole weights, 0 for none; see `added`.

    >>> weighted([(2, 10), (1, 3)])
    23
    """
    listed = tuple(values)
    kinds: set[type] = {type(value) for _, value in listed}
    total: int = (
        _gathered(tuple(v for _, v in listed), tuple(w for w, _ in listed))
        if Whole in kinds and Real not in kinds
        else sum(weight * value for weight, value in listed)
    )
    return total


def _gathered(values: Sequence[Whole | int], weights: Sequence[int] = ()) -> Any:
    """Return the sum of whole numbers, some of them symbols, without the range of each step."""
    terms: dict[Monomial, int] = {}
    total = 0
    for number, weight in zip(values, weights or (1,) * len(values), strict=True):
        if isinstance(number, Whole):
            trace = number.trace
            total += weight * number.value
            for monomial, factor in number.terms:
                terms[monomial] = terms.get(monomial, 0) + weight * factor
        elif number:
            total += weight * number
            terms[()] = terms.get((), 0) + weight * number
    return trace.polynomial(terms, total)


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two numbers, a double if one of them is.

    >>> maximum(3, 5), maximum(0.5, 1)
    (5, 1.0)
    """
    return _extreme("max", a, b, max)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two numbers, a double if one of them is.

    >>> minimum(3, 5), minimum(0.5, 1)
    (3, 0.5)
    """
    return _extreme("min", a, b, min)


def _extreme(op: str, a: Any, b: Any, plain: Any) -> Any:
    reals = is_real(a) or is_real(b)
    a, b = (double(a), double(b)) if reals else (a, b)
    symbol = a if isinstance(a, Symbol) else b
    if not isinstance(symbol, Symbol):
        return plain(a, b)
    (p, q), (r, s) = bounds(a), bounds(b)
    if p >= s:
        return a if op == "max" else b
    if q <= r:
        return b if op == "max" else a
    if reals:
        return symbol.trace.double(op, plain, (a, b), (plain(p, r), plain(q, s)))
    least, most = bounds(a - b)
    if least >= 0 or most <= 0:
        return a if (least >= 0) == (op == "max") else b
    value = plain(whole_value(a), whole_value(b))
    args = tuple(sorted((key(a), key(b)), key=str))
    return symbol.trace.atom(op, args, value, plain(p, r), plain(q, s))


def gcd(a: Any, b: Any) -> Any:
    """Return the greatest common divisor.

    >>> gcd(14, 4)
    2
    """
    if not isinstance(a, Whole) and not isinstance(b, Whole):
        return math.gcd(a, b)
    symbol = a if isinstance(a, Whole) else b
    most = max(*map(abs, bounds(a)), *map(abs, bounds(b)))
    value = math.gcd(whole_value(a), whole_value(b))
    return symbol.trace.atom("gcd", (key(a), key(b)), value, 0, most)


def _settled(x: Any) -> Any:
    """Return a number: the whole one that a double is, the value of one with an endless range."""
    if not isinstance(x, Real):
        return x
    if (whole := x.whole) is not None:
        return whole
    if math.isfinite(x.low) and math.isfinite(x.high):
        return x
    x.trace.fix((key(x), x.value))
    return x.value


def _rounding(op: str, plain: Any) -> Any:
    def rounded(x: Any) -> Any:
        x = _settled(x)
        if isinstance(x, Whole):
            return x
        if not isinstance(x, Real):
            return plain(x)
        return x.trace.atom(op, (key(x),), plain(x.value), plain(x.low), plain(x.high))

    rounded.__doc__ = f"Return a number made whole by {op}, as Python does it."
    return rounded


truncated = _rounding("int", int)
ceiled = _rounding("ceil", math.ceil)
floored = _rounding("floor", math.floor)
rounded = _rounding("round", round)


def divisible(v: Any, divisor: Any = 8, floor: Any = None) -> Any:
    """Round v to the nearest multiple of a divisor, never below 90 % of v.

    max(floor, ⌊v + divisor/2⌋ // divisor * divisor), plus divisor where that is < 0.9·v.
    Source: `_make_divisible` of arXiv:1801.04381's reference implementation.

    >>> divisible(24 * 0.35), divisible(72 / 4), divisible(33.6)
    (8, 24, 32)
    """
    divisor = int(truncated(divisor))
    floor = divisor if floor is None else truncated(floor)
    v = _settled(v)
    if not isinstance(v, Symbol) and not isinstance(floor, Whole):
        return _divisible(v, divisor, floor)
    low, high = bounds(v)
    least, most = bounds(floor)
    if isinstance(v, Whole) and v.multiple % divisor == 0 and low >= most:
        return v
    symbol = v if isinstance(v, Symbol) else floor
    value = _divisible(v.value if symbol is v else v, divisor, whole_value(floor))
    # A larger floor can spare the step past 90 %, and a divisor below 0 steps back.
    slack = abs(divisor) if least != most or divisor < 0 else 0
    ends = _divisible(low, divisor, least) - slack, _divisible(high, divisor, most) + slack
    multiple = math.gcd(divisor, floor.multiple if isinstance(floor, Whole) else int(floor))
    return symbol.trace.atom("divisible", (key(v), divisor, key(floor)), value, *ends, multiple)


def _divisible(v: float, divisor: int, floor: int) -> int:
    rounded = max(floor, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def lifted(
    op: str,
    plain: Callable[..., float],
    ends: Callable[..., tuple[float, float] | None] = lambda *numbers: None,
) -> Callable[..., Any]:
    """Make a function of doubles one of symbols, too; for ``ends`` see `Trace.double`.

    >>> lifted("sqrt", math.sqrt)(9)
    3.0
    """

    def called(*numbers: Any) -> Any:
        for number in numbers:
            if isinstance(number, Symbol):
                return number.trace.double(op, plain, numbers, ends(*numbers))
        return plain(*numbers)

    return called


def _ends_of_power(x: Any, y: Any) -> tuple[float, float] | None:
    least = bounds(x)[0]
    return None if least > 0 or (least == 0 and bounds(y)[0] >= 0) else UNBOUNDED


power = lifted("pow", math.pow, _ends_of_power)


def is_integral(x: Any) -> bool:
    """Whether a number with a decimal point is whole; for a symbol, a guard."""
    if isinstance(x, Real) and x.whole is None:
        return bool(x.trace.decide("whole", (key(x),), x.value.is_integer()))
    return isinstance(x, Real) or float(x).is_integer()


class Operation(NamedTuple):
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
        """Apply it to whole columns: NumPy's, or Python's own numbers, see `lanes.Lanes`."""
        if any(isinstance(column, Lanes) for column in columns):
            return mapped(self.plain, *columns)
        if not isinstance(self.columns, str):
            return self.columns(*columns)
        import numpy as np

        return getattr(np, self.columns)(*columns)


def _floor_divide_column(x: Column, y: Column) -> Column:
    import numpy as np

    if isinstance(y, int) and y > 0 and y & (y - 1) == 0:
        return np.right_shift(x, y.bit_length() - 1)
    return np.floor_divide(x, y)


def _divisible_column(v: Column, divisor: int, floor: Column) -> Column:
    import numpy as np

    near = np.asarray(v + divisor / 2).astype(np.int64)
    near = near & -divisor if divisor & (divisor - 1) == 0 else near // divisor * divisor
    near = np.maximum(near, floor)
    near += divisor * (near < 0.9 * v)
    return near


def _power_column(x: Column, y: Column) -> Column:
    # NumPy's own power can differ from math.pow in the last bit.
    import numpy as np

    def power_or_nan(x: float, y: float) -> float:
        try:
            return math.pow(x, y)
        except (ArithmeticError, ValueError):
            return math.nan

    return np.asarray(np.frompyfunc(power_or_nan, 2, 1)(x, y)).astype(np.float64)


def _flag_column(op: str, x: Column, y: Column) -> Column:
    import numpy as np

    return np.asarray(OPERATIONS[op].on(x, y)).astype(np.int64)


def _whole(name: str) -> Callable[[Column], Column]:
    def rounded(x: Column) -> Column:
        import numpy as np

        return getattr(np, name)(x).astype(np.int64)

    return rounded


OPERATIONS: dict[str, Operation] = {
    "min": Operation(
        lambda *numbers: reduce(minimum, numbers),
        "minimum", "extreme", 2, 9, "the smallest of its arguments",
    ),
    "max": Operation(
        lambda *numbers: reduce(maximum, numbers),
        "maximum", "extreme", 2, 9, "the largest of its arguments",
    ),
    "int": Operation(
        truncated, _whole("trunc"), "towards zero", 1, 1,
        "a number without its decimals, as Python's int()",
    ),
    "ceil": Operation(ceiled, _whole("ceil"), "up", 1, 1, "rounded up"),
    "floor": Operation(floored, _whole("floor"), "down", 1, 1, "rounded down"),
    "round": Operation(
        rounded, _whole("rint"), "call", 1, 1,
        "rounded to nearest, halves to even, as Python's round()",
    ),
    "pow": Operation(
        power, _power_column, "call", 2, 2, "pow(x, y): x to the power of y, as a decimal"
    ),
    "div8": Operation(
        divisible, _divisible_column, "call", 1, 1,
        "rounded to a multiple of 8, never below 90 %",
    ),
    "divisible": Operation(
        divisible, _divisible_column, "call", 1, 3,
        "divisible(v, divisor, floor): div8 in general",
    ),
    "gcd": Operation(gcd, "gcd", "call"),
    "+": Operation(operator.add, "add"),
    "-": Operation(operator.sub, "subtract"),
    "*": Operation(operator.mul, "multiply"),
    "/": Operation(quotient, "divide"),
    "//": Operation(operator.floordiv, _floor_divide_column),
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
    "inside": Operation(inside, lambda x: abs(x) <= float(MOST)),
    "flag": Operation(
        lambda op, x, y: int(OPERATIONS[op].plain(x, y)), _flag_column, "as it is", 3, 3
    ),
    "chosen": Operation(lambda flag, yes, no: yes if flag else no, "where", "as it is", 3, 3),
    "sum": Operation(lambda x: x, lambda x: x, "as it is"),
    "real": Operation(double, "float64", "as it is"),
}  # fmt: skip
"""Every operation by its name; ``~`` marks those of doubles that whole numbers have exactly."""

FUNCTIONS = {name: operation for name, operation in OPERATIONS.items() if operation.doc}
"""The functions of the language."""

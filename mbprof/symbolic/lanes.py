"""Columns of numbers: NumPy's, and where there is no NumPy, of Python's own numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import repeat
from typing import Any, TypeAlias

Column: TypeAlias = Any
_NO_VALUE = (ArithmeticError, ValueError, TypeError)
"""What is raised where an operation has no value, or is asked of what has none."""


@cache
def has_numpy() -> bool:
    """Whether there is NumPy; in a browser there may be none."""
    return find_spec("numpy") is not None


class Lanes:
    """A column of Python's own numbers, of which none is too large.

    >>> list(2 * Lanes([1, 2, 10**30]) + Lanes([1, 1, 1]))
    [3, 5, 2000000000000000000000000000001]
    """

    __slots__ = ("values",)

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = values if isinstance(values, list) else list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __getitem__(self, lane: int) -> Any:
        return self.values[lane]

    def __add__(self, other: Column) -> Lanes:
        return mapped(operator.add, self, other)

    def __mul__(self, other: Column) -> Lanes:
        return mapped(operator.mul, self, other)

    def __and__(self, other: Column) -> Lanes:
        return mapped(operator.and_, self, other)

    __radd__, __rmul__, __rand__ = __add__, __mul__, __and__


def column(values: Sequence[float]) -> Column:
    """Return numbers as a column: NumPy's where there is NumPy; of doubles if one of them is."""
    if has_numpy():
        import numpy as np

        return np.asarray(values)
    doubles = any(isinstance(value, float) for value in values)
    return Lanes(map(float, values) if doubles else values)


def only(whole: Column, rows: Iterable[int]) -> Lanes:
    """Return some rows of a column."""
    return Lanes([whole[row] for row in rows])


def mapped(plain: Callable[..., Any], *columns: Column) -> Lanes:
    """Apply a function of numbers lane by lane; a plain number stands for a column of it.

    Where it has no value, which only happens in lanes that are not asked for, that is no number.

    >>> list(mapped(operator.floordiv, Lanes([7, 1]), Lanes([2, 0])))
    [3, nan]
    """
    lanes = [c.values if isinstance(c, Lanes) else repeat(c) for c in columns]
    try:
        return Lanes(list(map(plain, *lanes)))
    except _NO_VALUE:
        return Lanes([_or_nan(plain, numbers) for numbers in zip(*lanes, strict=False)])


def _or_nan(plain: Callable[..., Any], numbers: tuple[Any, ...]) -> Any:
    try:
        return plain(*numbers)
    except _NO_VALUE:
        return math.nan

"""Arithmetic that shape rules and cost formulas are written with, once for every width of input.

A quantity is a Python int, exact at any size. Formulas use only these helpers and the operators
``+ - * // % ==``, so that the same text serves one configuration or many side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def ceil_div(a: int, b: int) -> int:
    """Return ⌈a / b⌉ in integers.

    >>> ceil_div(7, 2), ceil_div(-7, 2)
    (4, -3)
    """
    return -(-a // b)


def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor.

    >>> gcd(14, 4)
    2
    """
    return math.gcd(a, b)


def product(values: Iterable[int]) -> int:
    """Return the product of the values, 1 for none.

    >>> product((3, 224, 224))
    150528
    """
    result = 1
    for value in values:
        result *= value
    return result

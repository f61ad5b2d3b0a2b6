"""What a symbol is made of: operations, sums of their products, and conditions."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Monomial: TypeAlias = tuple[int, ...]
Terms: TypeAlias = tuple[tuple[Monomial, int], ...]
MAX_TERMS = 64
EXACT = 2**53
"""Whole numbers up to this are doubles as they are."""


class Atom(NamedTuple):
    """An operation with its operands, the representative's value and the range of all."""

    op: str
    args: tuple[Any, ...]
    value: Any
    low: Any
    high: Any
    whole: bool
    multiple: int
    """A number that divides every value of a whole atom."""


class Guard(NamedTuple):
    """A condition and the answer that the representative gives."""

    op: str
    args: tuple[Any, ...]
    answer: bool


class Condition:
    """A comparison that not every configuration answers alike; asking it makes a guard."""

    __slots__ = ("answer", "args", "op", "trace")

    def __init__(self, trace: Any, op: str, args: tuple[Any, ...], answer: bool) -> None:
        self.trace, self.op, self.args, self.answer = trace, op, args, answer

    def __bool__(self) -> bool:
        return bool(self.trace.decide(self.op, self.args, self.answer))


class Varying:
    """What is compared, asked and shown alike of whole numbers and of doubles."""

    __slots__ = ()
    value: Any

    def _compare(self, op: str, other: Any, holds: Callable[[Any, Any], Any]) -> Any:
        raise NotImplementedError

    def __eq__(self, other: object) -> Any:
        return self._compare("==", other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return self._compare("!=", other, operator.ne)

    def __lt__(self, other: Any) -> Any:
        return self._compare("<", other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compare("<=", other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compare(">", other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compare(">=", other, operator.ge)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    __repr__ = __str__


def divided(terms: Terms, by: Terms) -> dict[Monomial, int] | None:
    """Return terms divided by a product that stands in every one of them, None if it does not."""
    if len(by) != 1:
        return None
    divisor, factor = by[0]
    result: dict[Monomial, int] = {}
    for monomial, own in terms:
        rest = list(monomial)
        for number in divisor:
            if number not in rest:
                return None
            rest.remove(number)
        if own % factor:
            return None
        result[tuple(rest)] = own // factor
    return result

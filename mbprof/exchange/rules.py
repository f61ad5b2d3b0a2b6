"""What readers and writers of all formats share: tables of functions by word, and ops by word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mbprof.ops import OPS, Op

F = TypeVar("F", bound=Callable[..., Any])
G = TypeVar("G", bound=Callable[..., Any])


class NoRule(Exception):
    """What a format says with these options or inputs, and no op of the language stands for."""


class Rules(dict[str, F]):
    """The functions of a format by the words that they read or write, each with one.

    >>> rules: Rules[Callable[[int], int]] = Rules()
    >>> @rules.add("twice", "double")
    ... def twice(x: int) -> int:
    ...     return 2 * x
    >>> sorted(rules), rules["double"](4)
    (['double', 'twice'], 8)
    """

    def add(self, *words: str) -> Callable[[G], G]:
        """Register a function for some words.

        Raises: ValueError: one of them has a function.
        """

        def register(function: G) -> G:
            for word in words:
                if self.setdefault(word, function) is not function:  # type: ignore[arg-type]
                    raise ValueError(f"{word} has two rules")
            return function

        return register


def new(word: str, **fields: Any) -> Op:
    """Return an op by its word and the attributes of its class.

    >>> new("linear", channels=10)
    Linear(channels=10, bias=True)
    """
    kind: Any = OPS[word]
    made: Op = kind(**fields)
    return made

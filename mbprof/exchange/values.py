"""What values stand for in the code of a class: a literal, an argument, or arithmetic of some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

from mbprof.exchange.source.code import Arg, identifier, literal

Vector: TypeAlias = list[Any]
"""The values of one thing in all instances of a class."""


class _Missing:
    """Stands for a value in an instance that has no use for it."""

    def __repr__(self) -> str:
        return "None"


_MISSING = _Missing()
_DEFAULTS: dict[str, Any] = {"s": 1}
"""Values that an argument of this name has unless it is given; flags are false."""


@dataclass(slots=True)
class Arguments:
    """The arguments of a class: what the spec offers, and those that are needed.

    >>> arguments = Arguments()
    >>> arguments.offer("c_in", [16, 24])
    >>> arguments.text("channels", [96, 144]), arguments.text("k", [3, 3])
    ('c_in * 6', '3')
    """

    reserved: frozenset[str] = frozenset()
    pool: dict[str, Vector] = field(default_factory=dict)
    used: dict[str, Vector] = field(default_factory=dict)
    derived: dict[str, Vector] = field(default_factory=dict)
    missing: Any = _MISSING

    def offer(self, name: str, values: Sequence[Any], stated: bool = True) -> None:
        """Offer an argument of the spec; it is one of the class if something needs it.

        One that no call states is taken only for what the others do not tell.
        """
        plain = all(isinstance(value, int | float | bool) for value in values)
        if plain and name.isidentifier() and any(value != values[0] for value in values):
            pool = self.pool if stated else self.derived
            pool[identifier(name, (*self.pool, "self", "x", "y", "z"))] = list(values)

    def text(self, role: str, values: Vector) -> str:
        """Return what stands for values that have a role."""
        there = [value for value in values if value is not _MISSING]
        if all(type(v) is type(there[0]) and v == there[0] for v in there):
            return literal(there[0])
        for text, names in self._ways(values):
            for name in names:
                self.used.setdefault(name, self.pool[name])
            return text
        for name, others in self.derived.items():
            if _same(values, others):
                self.pool[name] = self.used[name] = self.derived.pop(name)
                return name
        taken = {*self.pool, *self.derived, "self", "x", "y", "z"}
        name = identifier(role, taken)
        self.pool[name] = self.used[name] = list(values)
        return name

    def given(self, number: int) -> tuple[tuple[str, Any, Any], ...]:
        """Return the arguments that an instance is made with."""
        made = []
        for name in self.order():
            value = self.used[name][number]
            value = None if value is _MISSING else value
            default = self.default(name)
            keyword = name if default is not _MISSING else ""
            made.append((keyword, Arg(name, value), None if default is _MISSING else default))
        return tuple(made)

    def order(self) -> list[str]:
        """Return the names of the arguments, those with a default last."""
        names = sorted(self.used, key=lambda name: name != "c_in")
        return sorted(names, key=lambda name: self.default(name) is not _MISSING)

    def default(self, name: str) -> Any:
        """Return what an argument is unless it is given."""
        if all(isinstance(value, bool) for value in self.used[name]):
            return False
        if any(value is _MISSING for value in self.used[name]):
            return None
        return _DEFAULTS.get(name, _MISSING)

    @property
    def signature(self) -> str:
        """The parameters of the constructor."""
        said = []
        for name in self.order():
            default = self.default(name)
            said.append(name if default is _MISSING else f"{name}={literal(default)}")
        return ", ".join(["self", *said])

    def _ways(self, values: Vector) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield arithmetic of arguments that gives the values, the plainest first."""
        names = [*self.used, *(name for name in self.pool if name not in self.used)]
        for name in names:
            if _same(values, self.pool[name]):
                yield name, (name,)
        flags = all(value is _MISSING or isinstance(value, bool) for value in values)
        sizes = all(value is _MISSING or type(value) is int for value in values)
        numbers = [name for name in names if all(type(v) is int for v in self.pool[name])]
        if flags:
            yield from self._conditions(values, numbers)
        elif sizes:
            yield from self._sums(values, numbers)

    def _conditions(self, values: Vector, names: list[str]) -> Iterator[Any]:
        for a in names:
            for sign, test in (("== 1", _is_one), ("> 1", _above_one)):
                if _same(values, [test(v) for v in self.pool[a]]):
                    yield f"{a} {sign}", (a,)
        steps = self.pool.get("s")
        names = sorted(names, key=lambda name: name != "c_in")
        for a, b in product(names, names):
            if a == b or "s" in (a, b):
                continue
            for n in (1, 2, 4):
                pairs = zip(self.pool[a], self.pool[b], strict=True)
                equal = [v == n * w for v, w in pairs]
                scaled = b if n == 1 else f"{b} * {n}"
                if steps and all(type(step) is int for step in steps):
                    both = [s == 1 and same for s, same in zip(steps, equal, strict=True)]
                    if _same(values, both):
                        yield f"s == 1 and {a} == {scaled}", ("s", a, b)
                    if _same(values, [not value for value in both]):
                        yield f"s > 1 or {a} != {scaled}", ("s", a, b)
                if _same(values, equal):
                    yield f"{a} == {scaled}", (a, b)
                if _same(values, [not value for value in equal]):
                    yield f"{a} != {scaled}", (a, b)

    def _sums(self, values: Vector, names: list[str]) -> Iterator[Any]:
        for b in names:
            others = zip(self.pool.get("c_in", ()), self.pool[b], strict=False)
            if b in self.used and b != "c_in" and _same(values, [v * w for v, w in others]):
                yield f"c_in * {b}", ("c_in", b)
        for a in names:
            ratios = {
                v / w for v, w in zip(values, self.pool[a], strict=True) if v is not _MISSING and w
            }
            if len(ratios) == 1 and all(self.pool[a]):
                ratio = ratios.pop()
                if ratio == int(ratio) and 1 < ratio <= 64:
                    yield f"{a} * {int(ratio)}", (a,)
        for a in names:
            for n in (2, 3, 4, 6, 8, 16):
                if _same(values, [v // n for v in self.pool[a]]):
                    yield f"{a} // {n}", (a,)
        for a in names:
            for b in names:
                pairs = list(zip(self.pool[a], self.pool[b], strict=True))
                if a < b and _same(values, [v * w for v, w in pairs]):
                    yield f"{a} * {b}", (a, b)
                if (
                    a != b
                    and all(w for _, w in pairs)
                    and _same(values, [v // w for v, w in pairs])
                ):
                    yield f"{a} // {b}", (a, b)
                if a < b and _same(values, [v + w for v, w in pairs]):
                    yield f"{a} + {b}", (a, b)
                if a != b and _same(values, [v - w for v, w in pairs]):
                    yield f"{a} - {b}", (a, b)


def _is_one(value: int) -> bool:
    return value == 1


def _above_one(value: int) -> bool:
    return value > 1


def _same(values: Vector, others: Vector) -> bool:
    return len(values) == len(others) and all(
        a is _MISSING or (a == b and isinstance(a, bool) == isinstance(b, bool))
        for a, b in zip(values, others, strict=True)
    )

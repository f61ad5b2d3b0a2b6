"""What the pieces of a block differ by: arguments, expressions of them, and conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mbprof.exchange.convert.repeats import Kind, resolved
from mbprof.exchange.convert.rows import Row, Slot
from mbprof.language.fmt import Shape
from mbprof.ops.base import channel_axis
from mbprof.symbolic.arithmetic import product

Vector = tuple[Any, ...]
"""A value for each piece of a block, None where the row that has it lacks."""
LATE = "kcnsp"
"""Arguments that tables of papers have at their end, in this order."""
_PARTS = (2, 3, 4, 6, 8, 12, 16, 24)
"""What channels are divided by, as for squeeze-and-excitation."""
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)?")
_TYPES = {"int": "int", "float": "number", "tuple": "pair"}


def div8(value: Fraction) -> int:
    """Return the multiple of 8 nearest to a value, never below 90 % of it."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < Fraction(9, 10) * value else rounded


@dataclass(slots=True)
class Arguments:
    """The arguments of a block, each with its value for each piece."""

    kind: Kind
    rows: Sequence[Row]
    taken: Sequence[Shape]
    """The shape of what each piece takes."""
    made: Sequence[Shape]
    vectors: dict[str, Vector] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    known: dict[str, Vector] = field(default_factory=dict)
    """What a step can read besides arguments."""

    def __post_init__(self) -> None:
        axes = [channel_axis(shape) for shape in self.taken]
        self.known["in.c"] = tuple(s[a] for s, a in zip(self.taken, axes, strict=True))
        if all(len(shape) == 3 for shape in self.taken):
            self.known["in.h"] = tuple(shape[1] for shape in self.taken)
            self.known["in.w"] = tuple(shape[2] for shape in self.taken)
        self.known["in.n"] = tuple(
            product(shape) // shape[axis] for shape, axis in zip(self.taken, axes, strict=True)
        )
        made = tuple(shape[channel_axis(shape)] for shape in self.made)
        if len({*made}) > 1 and made != self.known["in.c"]:
            self.vectors["c"] = made

    def vector(self, place: int, slot: Slot) -> Vector:
        """Return the values of a slot of a row."""
        numbers = (instance.rows[place] for instance in self.kind.instances)
        return tuple(None if n is None else self.rows[n].values[slot] for n in numbers)

    def present(self, place: int) -> Vector:
        """Return for each piece whether it has a row."""
        return tuple(instance.rows[place] is not None for instance in self.kind.instances)

    def text(self, place: int, slot: Slot) -> str:
        """Return what a block says for a slot of a row: a constant, an expression, an argument.

        Of two sides of maps in a list the second is the width.
        """
        key, number = slot
        said = self.said(place, slot)
        second = said == "in.h" and number > 0 and self.said(place, (key, number - 1)) == said
        square = second and self.known["in.h"] == self.known["in.w"]
        return "in.w" if square else said

    def said(self, place: int, slot: Slot) -> str:
        """Return the text of a slot by itself, see `text`."""
        vector = self.vector(place, slot)
        stated = {value for value in vector if value is not None}
        lacks = slot[0] == "c" and None in vector
        known = {n: v for n, v in self.vectors.items() if _whole(n, v, self)}
        new = lacks and not any(_same(vector, values) for values in known.values())
        if new and (ratio := self.ratio(place, vector)):
            return f"{self.named('t', ratio)} * in.c"
        if len(stated) == 1:
            return written(stated.pop())
        if slot[0] == "p":
            return self.named("p", vector)
        if isinstance(next(iter(stated)), str):
            return f"${self.named(slot[0], vector)}"
        whole = all(isinstance(value, int) for value in stated)
        return (self.expressed(vector) if whole else None) or self.new(place, slot, vector)

    def expressed(self, vector: Vector) -> str | None:
        """Return an expression of what is known, the shortest."""
        known = {n: v for n, v in {**self.vectors, **self.known}.items() if _whole(n, v, self)}
        for name, values in known.items():
            if _same(vector, values):
                return name
        for name, values in known.items():
            ratios = {Fraction(v, c) for v, c in zip(vector, values, strict=True) if v is not None}
            if len(ratios) == 1:
                (ratio,) = ratios
                if ratio.denominator == 1:
                    return f"{ratio} * {name}"
                if ratio.numerator == 1:
                    return f"{name} // {ratio.denominator}"
        for name, values in known.items():
            for parts in _PARTS:
                if _same(vector, [value // parts for value in values]):
                    return f"{name} // {parts}"
                if _same(vector, [div8(Fraction(value, parts)) for value in values]):
                    exact = all(value % parts == 0 for value in values)
                    return f"div8({name} / {parts})" if exact else f"div8({name} / {parts}.0)"
        for name, values in known.items():
            for other, less in known.items():
                if _same(vector, [a - b for a, b in zip(values, less, strict=True)]):
                    return f"{name} - {other}"
        return None

    def new(self, place: int, slot: Slot, vector: Vector) -> str:
        """Add an argument and return how a step says it; a factor of the input's channels is t."""
        if slot[0] != "c":
            return self.named(slot[0], vector)
        if ratio := self.ratio(place, vector):
            return f"{self.named('t', ratio)} * in.c"
        return self.named("e", self.full(place, vector))

    def full(self, place: int, vector: Vector) -> Vector:
        """Return channels with those of the block's input where a row that takes it is lacking."""
        inner = self.known["in.c"]
        return tuple(
            v if v is not None else inner[n] if self.passed(place, n) else None
            for n, v in enumerate(vector)
        )

    def ratio(self, place: int, vector: Vector) -> Vector | None:
        """Return how many times the channels of the input these are, None if no whole number."""
        pairs = list(zip(self.full(place, vector), self.known["in.c"], strict=True))
        if any(v is None or v % c for v, c in pairs):
            return None
        return tuple(v // c for v, c in pairs)

    def passed(self, place: int, number: int) -> bool:
        """Whether a row that a piece lacks would have taken what the block takes."""
        present = tuple(row is not None for row in self.kind.instances[number].rows)
        stand, _ = resolved(self.kind.shape, present)
        return stand((place, 0)) == (-1, 0)

    def named(self, letter: str, vector: Vector) -> str:
        """Return the argument with these values, a new one if there is none."""
        word = {"f": "act", "from": "first", "to": "size", "keep": "part"}.get(letter, letter)
        for name, values in self.vectors.items():
            if name.rstrip("_0123456789") == word and _same(vector, values):
                merged = zip(values, vector, strict=True)
                self.vectors[name] = tuple(a if a is not None else b for a, b in merged)
                return name
        count = sum(name.rstrip("_0123456789") == word for name in self.vectors)
        name = f"{word}_{count + 1}" if count else word
        self.vectors[name] = vector
        return name

    def condition(self, place: int) -> str | None:
        """Return when a row is there, None if it always is."""
        present = self.present(place)
        if all(present):
            return None
        for text, holds in self.conditions():
            if present == holds:
                return text
        name = f"with_{self.rows[self.rows_at(place)].op.word}"
        while name in self.vectors and self.vectors[name] != present:
            name += "_"
        self.vectors[name] = present
        self.flags.add(name)
        return name

    def rows_at(self, place: int) -> int:
        """Return the number of the first row that stands at a place of the block."""
        numbers = (instance.rows[place] for instance in self.kind.instances)
        return next(number for number in numbers if number is not None)

    def conditions(self) -> Iterator[tuple[str, Vector]]:
        """Yield what can be asked of arguments, with its truth for each piece."""
        tests: dict[str, Callable[[Mapping[str, Any]], bool]] = {
            "t != 1": lambda at: at["t"] != 1,
            "e != in.c": lambda at: at["e"] != at["in.c"],
            "in.c != c": lambda at: at["in.c"] != at["c"],
            "in.c == c": lambda at: at["in.c"] == at["c"],
            "s != 1": lambda at: at["s"] != 1,
            "s == 1": lambda at: at["s"] == 1,
            "s != 1 or in.c != c": lambda at: at["s"] != 1 or at["in.c"] != at["c"],
            "s == 1 and in.c == c": lambda at: at["s"] == 1 and at["in.c"] == at["c"],
        }
        values = {**self.known, **self.vectors}
        count = len(self.kind.instances)
        for text, test in tests.items():
            try:
                yield (
                    text,
                    tuple(
                        test({name: vector[n] for name, vector in values.items()})
                        for n in range(count)
                    ),
                )
            except KeyError:
                continue
        for name in self.flags:
            yield name, self.vectors[name]
            yield f"not {name}", tuple(not value for value in self.vectors[name])

    def keep(self, texts: Iterable[str]) -> None:
        """Leave out the arguments that no text of the block reads."""
        read = {name for text in texts for name in _NAME.findall(text)}
        self.vectors = {name: v for name, v in self.vectors.items() if name in read}

    def takes(self) -> dict[str, str]:
        """Return the arguments as a block declares them, in the order of its columns."""
        names = sorted(self.vectors, key=lambda name: (LATE.find(name), name in self.flags))
        return {name: self.declared(name) for name in names}

    def declared(self, name: str) -> str:
        """Return the type of an argument, or what it usually is."""
        stated = [value for value in self.vectors[name] if value is not None]
        if name == "s":
            return "1"
        if any(isinstance(value, tuple) and len(value) == 4 for value in stated):
            return "same" if "same" in stated else "padding"
        if name in self.flags or isinstance(stated[0], str):
            return written(max(stated, key=stated.count))
        kinds = {type(value).__name__ for value in stated}
        return _TYPES[kinds.pop()] if len(kinds) == 1 else "any"

    def given(self, number: int) -> dict[str, str | None]:
        """Return the arguments of a piece, None for one that it has no use for."""
        takes = self.takes()
        cells = {name: self.vectors[name][number] for name in takes}
        for name, value in cells.items():
            if value is None:  # a row that is not there says nothing
                stated = [v for v in self.vectors[name] if v is not None]
                cells[name] = stated[0]
        return {name: written(value) for name, value in cells.items()}


def _whole(name: str, vector: Vector, arguments: Arguments) -> bool:
    """Whether an argument is a number of each piece that others can be computed from."""
    usable = name not in arguments.flags and name not in ("k", "s")
    return usable and all(isinstance(value, int) and value > 0 for value in vector)


def _same(vector: Sequence[Any], values: Sequence[Any]) -> bool:
    return all(v is None or b is None or v == b for v, b in zip(vector, values, strict=True))


def written(value: object) -> str:
    """Write a value as a spec does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    return value if isinstance(value, str) else repr(value)

"""Knobs, the numbers and words of a spec that a user can turn, and what else a row knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TypeAlias

from mbprof.errors import KnobError, Loc, nearest
from mbprof.language.fmt import Value, flag_meant, parse, plain
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.symbolic.symbols import inside

LARGEST = 10**18
"""The largest whole number that a knob takes."""
LARGEST_RES = 65_535
"""The largest height or width of an image, as of the JPEG format."""


WIDTH = "alpha"
"""The knob that is the width multiplier, wherever there is one."""

COUNTERS = {
    "i": "the row's number in its table, from 0, repeats counted",
    "j": "the number of the repeat, from 0",
    "stage": "the row's number in its table, from 0, repeats not counted",
    "branch": "the branch's number, from 0",
}
"""Names that every row knows besides knobs and arguments."""

INPUT_NAMES = {
    "in.c": "channels of the block's input, or of the row's where it stands in no block",
    "in.h": "height of the same",
    "in.w": "width of the same",
    "in.n": "how many tokens or pixels it has, 1 for a vector",
}


def row_names(knobs: Mapping[str, object]) -> dict[str, object]:
    """Return the names that a row of a spec's body can use."""
    return {**INPUT_NAMES, **knobs, **COUNTERS}


@record
class Knob:
    """A knob's default, type and range."""

    name: str
    default: Value
    kind: str
    doc: str
    above: float | None = None
    below: float | None = None
    least: float | None = None
    most: float | None = None
    one_of: tuple[Value, ...] = ()
    loc: Loc | None = field(default=None, compare=False)
    """Where a spec declares it."""
    turned: bool = False
    """Whether the default is that of a library's name rather than the spec's."""
    inferred: bool = field(default=False, compare=False)
    """Whether a spec leaves the type to the default."""

    @property
    def range(self) -> str:
        """The range in words, empty if there is none."""
        if self.one_of:
            return "one of " + ", ".join(plain(value) for value in self.one_of)
        bounds = {
            "above": self.above,
            "below": self.below,
            "at least": self.least,
            "at most": self.most,
        }
        return " and ".join(f"{word} {plain(at)}" for word, at in bounds.items() if at is not None)

    def inside(self, value: float) -> bool:
        """Whether a number is in the range."""
        return (
            (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )


KNOB_TYPES = {
    "int": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "name": "a word",
    "size": "a whole number, or HxW",
}
"""The types of knobs, in words."""
BOUNDS = ("above", "below", "min", "max")
ARGUMENT_KEYS = {
    "default": "what it is unless another value is given",
    "type": "what values it takes, where the default does not say so",
    "doc": "what it is, in a phrase",
}
"""The keys of an argument of a block, with what each is."""
KNOB_KEYS = {
    **ARGUMENT_KEYS,
    "above": "a number that it has to be above",
    "below": "a number that it has to be below",
    "min": "the least value",
    "max": "the largest value",
    "one_of": "a list of the only values that it takes",
}
"""The keys of a knob, with what each is."""


def checked(knob: Knob, value: Value, loc: Loc | None = None) -> Value:
    """Return the value as the knob's type, if the knob takes it.

    Raises: KnobError: of another type, not finite, or out of range.
    """
    if value is None and (knob.default is None or None in knob.one_of):
        return None
    converted = _as_kind(knob.kind, value)
    if needed := _needed(knob, converted):
        raise _refused(knob, value, f"must be {needed}", loc)
    return converted


def _refused(knob: Knob, value: Value, why: str, loc: Loc | None) -> KnobError:
    return KnobError(f"{knob.name} is {_said(value)}; it {why}", loc, _remedy(knob, value))


def _remedy(knob: Knob, value: Value) -> str | None:
    """Return how a value is meant to be written, or else what the default is."""
    if knob.kind == "flag" and (meant := flag_meant(value)):
        return meant
    if value is knob.default:
        return None
    about = f" ({knob.doc})" if knob.doc else ""
    said = f"the default of {knob.name}{about} is {plain(knob.default)}"
    fraction = isinstance(value, float) and math.isfinite(value)
    if fraction and knob.inferred and knob.kind == "int" and knob.least is None:
        said += f"; write {plain(knob.default)}.0 in the spec if the knob takes fractions"
    return said


def _said(value: Value) -> str:
    """Write a value, however large: Python refuses to write integers of thousands of digits."""
    huge = isinstance(value, int) and not inside(value)
    return "a number of more than 30 digits" if huge else plain(value)


def read(knob: Knob, text: str, loc: Loc | None = None) -> Value:
    """Return what is typed for a knob.

    Raises: KnobError: see `checked`.
    """
    try:
        value = parse(text)
    except ValueError as error:
        raise _refused(knob, text.strip(), str(error), loc) from None
    return checked(knob, value, loc)


def _needed(knob: Knob, value: Value) -> str:
    """Return what a value must be and is not, empty if the knob takes it."""
    if not _is_kind(knob.kind, value):
        return KNOB_TYPES[knob.kind]
    if isinstance(value, float) and not inside(value):
        return "at most 10^30" if math.isfinite(value) else "finite"
    if knob.one_of and value not in knob.one_of:
        return knob.range
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not knob.inside(number):
            return knob.range
        if isinstance(number, int) and abs(number) > LARGEST:
            return f"at most {LARGEST:,}"
    return ""


Given: TypeAlias = "Mapping[str, Scalar | Value]"
"""What is given for some knobs: text with the place where it was typed, or values."""


def typed(values: Mapping[str, Value]) -> dict[str, Scalar]:
    """Return values as if they had been typed on a command line.

    >>> typed({"k": (3, 5)})["k"].text
    '3x5'
    """
    texts = {
        name: "x".join(map(str, value)) if isinstance(value, list | tuple) else plain(value)
        for name, value in values.items()
    }
    return {name: Scalar.typed(f"--set {name}=", text) for name, text in texts.items()}


def configured(knobs: Mapping[str, Knob], given: Given, owner: str) -> dict[str, Value]:
    """Return a value for every knob of a spec, its default where nothing is given.

    Raises: KnobError: a knob that the spec lacks, or a value that it does not take.
    """
    values = {name: knob.default for name, knob in knobs.items()}
    for name, value in given.items():
        place = value.loc if isinstance(value, Scalar) else None
        knob = knob_of(knobs, name, place, owner)
        text = value.text if isinstance(value, Scalar) else value
        if isinstance(text, str) and (place is not None or knob.kind != "name"):
            values[name] = read(knob, text, place)
        else:
            values[name] = checked(knob, text, place)
    return values


def turned(knobs: Mapping[str, Knob], given: Mapping[str, str], owner: str) -> dict[str, Knob]:
    """Return the knobs with other defaults; what differs from the spec's is known as turned.

    Raises: KnobError: a knob that the spec lacks, or a value that it does not take.
    """
    values = configured(knobs, {name: parse(text) for name, text in given.items()}, owner)
    return {
        name: replace(knob, default=value, turned=value != knob.default)
        for (name, knob), value in zip(knobs.items(), values.values(), strict=True)
    }


def knob_of(knobs: Mapping[str, Knob], name: str, loc: Loc | None, spec: str) -> Knob:
    """Return a knob by name.

    Raises: KnobError: the spec lacks it.
    """
    if name not in knobs:
        hint = nearest(name, knobs) if name != WIDTH else _of_width(knobs)
        raise KnobError(f"{spec} has no knob {name!r}", loc, hint)
    return knobs[name]


def _of_width(knobs: Mapping[str, Knob]) -> str:
    """Say that there is no width multiplier, and what else sets a width."""
    said = f"{WIDTH} is the width multiplier of specs that have one"
    others = [knob for knob in knobs.values() if "width" in f"{knob.name} {knob.doc}"]
    listed = ", ".join(f"{knob.name} ({knob.doc})" if knob.doc else knob.name for knob in others)
    return f"{said}; this one has {listed}" if listed else said


def _as_kind(kind: str, value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "number" and isinstance(value, int):
        return float(value) if inside(value) else value
    if kind == "size" and isinstance(value, int):
        return value, value
    return value


def _is_kind(kind: str, value: Value) -> bool:
    if isinstance(value, bool):
        return kind == "flag"
    if kind == "size":
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and all(isinstance(side, int) and not isinstance(side, bool) for side in value)
        )
    types = {"int": int, "number": float, "name": str}
    return kind in types and isinstance(value, types[kind])


def sized(before: str = "") -> dict[str, Knob]:
    """Return the knobs of an image; of one that is not the first their names begin with its own."""
    of = f" of {before[:-1]}" if before else ""
    wide = f"input resolution{of}{', that of the first input if none' * bool(before)}"
    knobs = (
        Knob(f"{before}res", None, "size", wide, least=1, most=LARGEST_RES),
        Knob(f"{before}channels", None, "int", f"input channels{of}", least=1),
    )
    return {knob.name: knob for knob in knobs}


def builtin() -> dict[str, Knob]:
    """Return the knobs that every spec has besides those of its input."""
    knobs = (
        Knob(
            "output_stride",
            None,
            "int",
            "where this ratio of input to output size is reached, strides become dilation",
            least=1,
        ),
        Knob("final_endpoint", None, "name", "the layer to stop after"),
    )
    return {knob.name: knob for knob in knobs}


USUAL = (*sized(), *builtin())
"""The names of the knobs that every spec with an image has."""

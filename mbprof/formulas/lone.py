"""A block by itself as a spec: its input's C, H and W and its arguments are knobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mbprof.errors import KnobError, Loc, UsageError
from mbprof.language.fmt import Value, parse, plain
from mbprof.language.source import Entry, Scalar
from mbprof.ops.fields import Bound
from mbprof.spec.block import by_itself, input_of
from mbprof.spec.knobs import Given, Knob, checked
from mbprof.spec.model import Argument, Definition
from mbprof.spec.zoo import OpenedBlock

_FREE = ("k", "s", "t", "r", "c", "e")
"""Arguments that are symbols even if they have a default."""
USUAL = {"k": 3, "s": 1, "t": 6, "r": 4, "c": 128, "e": 256, "g": 4}
"""What stands for arguments without a default."""
CHANNELS, SIDE, WIDTH = 64, 56, 32
"""What stands for the input's channels and sides, and for other widths."""
INSTEAD: tuple[dict[str, Value], ...] = ({}, {"c": CHANNELS}, {"s": 2})
"""Arguments to try one after the other, until the block's shapes fit."""
PREFIX = "block/"
"""What the names of the block's layers begin with."""


INPUT = {"C": "the channels", "H": "the height", "W": "the width"}
"""The letters of formulas for the input."""


def unclashed(names: Mapping[str, Loc | None], letters: Iterable[str], owner: str) -> None:
    """Refuse knobs or arguments that are named as the input's sizes are in formulas.

    Raises: KnobError: there is one.
    """
    for letter in letters:
        if letter in names:
            raise KnobError(
                f"{letter} of {owner} cannot stand in a formula, where {letter} stands "
                f"for {INPUT[letter]} of the input",
                names[letter],
                hint=f"give it another name than {', '.join(letters)}",
            )


def block_spec(source: OpenedBlock, given: Given) -> tuple[Definition, tuple[str, ...]]:
    """Return a spec that is one block, and which of its knobs are symbols unless told otherwise.

    Raises: UsageError: an argument without a value. KnobError: a value that an argument does not
    take. SourceError, SpecError: the block cannot be read.

    >>> from mbprof.spec.zoo import open_block
    >>> block_spec(open_block("dw_sep"), {})[1]
    ('k', 's', 'c', 'C', 'H', 'W')
    """
    takes, outer = source.signature().takes, source.knobs
    places: dict[str, Loc | None] = {name: entry.value.loc for name, entry in outer.items()}
    places |= {name: argument.loc for name, argument in takes.items()}
    unclashed(places, INPUT, source.text)
    found = ((name, _knob(argument, given.get(name))) for name, argument in takes.items())
    knobs = {name: knob for name, knob in found if knob is not None}
    free = [
        name
        for name, knob in knobs.items()
        if knob.kind == "int" and (name in _FREE or takes[name].default is None)
    ]
    place = source.node.loc
    arguments = {
        name: Scalar(f"${name}" if knob.kind == "name" else name, place)
        for name, knob in knobs.items()
    }
    declared = {
        name: Entry(Scalar(name, place), Scalar(plain(knob.default), place))
        for name, knob in knobs.items()
    }
    image = input_of((CHANNELS, SIDE, SIDE), place)
    opened = by_itself(source, PREFIX.rstrip("/"), image, arguments, {**outer, **declared})
    channels = Knob("C", CHANNELS, "int", "input channels", least=1)
    made = replace(
        opened.definition,
        name=source.text,
        channels=Bound(Scalar("C", place), lambda env: env["C"]),
        knobs={**opened.definition.knobs, **knobs, "C": channels},
    )
    return made, (*free, "C", "H", "W")


def _knob(argument: Argument, given: Scalar | Value) -> Knob | None:
    """Return an argument as a knob; None where the block itself is to fill it in."""
    name, word = argument.name, argument.kind.word
    loc = given.loc if isinstance(given, Scalar) else None
    value = parse(given.text) if isinstance(given, Scalar) else given
    if value is None and argument.default is not None:
        node = argument.default.node
        value = parse(node.text) if isinstance(node, Scalar) else None
        if value is None or (isinstance(value, str) and word != "name"):
            return None  # an expression, which may depend on other arguments
    if value is None:
        if word not in ("int", "count", "number", "any"):
            raise UsageError(
                f"the argument {name} ({argument.doc or argument.kind.doc}) has no default",
                hint=f"give it one with --set {name}=...",
            )
        value = USUAL.get(name, WIDTH)
    kinds = {bool: "flag", int: "int", float: "number", str: "name", tuple: "size"}
    kind = kinds[type(value)]
    if word in ("int", "count") and kind != "int":
        raise KnobError(f"{name} is {value}; it must be {argument.kind.doc}", loc)
    least = {"int": 1, "count": 0}.get(word, min(value, 1) if isinstance(value, int) else None)
    knob = Knob(name, value, kind, argument.doc, least=least if kind == "int" else None)
    return replace(knob, default=checked(knob, value, loc))

"""A block by itself as a spec: its input's C, H and W and its arguments are knobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mbprof.errors import KnobError, Loc, UsageError
from mbprof.language.source import Scalar, Seq
from mbprof.language.values import Env, Value
from mbprof.language.values import parse as typed
from mbprof.network.block import around, as_map, find
from mbprof.ops.fields import Bound
from mbprof.spec import zoo
from mbprof.spec.knobs import Knob, checked
from mbprof.spec.model import Argument, Block, BlockStep, Definition, Table, Template, Wiring
from mbprof.spec.reader import SpecReader

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


def block_spec(
    text: str, given: Mapping[str, Value], places: Mapping[str, Loc] | None = None
) -> tuple[Definition, tuple[str, ...]]:
    """Return a spec that is one block, and which of its knobs are symbols unless told otherwise.

    Raises: UsageError: no such block, or an argument without a value. KnobError: a value that an
    argument does not take. SourceError, SpecError: the text is no block.

    >>> block_spec("dw_sep", {})[1]
    ('k', 's', 'c', 'C', 'H', 'W')
    """
    spec, block = _found(text)
    places_of: dict[str, Loc | None] = {name: knob.loc for name, knob in spec.knobs.items()}
    places_of |= {name: argument.loc for name, argument in block.takes.items()}
    unclashed(places_of, INPUT, text)
    knobs = {
        name: knob
        for name, argument in block.takes.items()
        if (knob := _knob(argument, given.get(name), (places or {}).get(name))) is not None
    }
    free = [
        name
        for name, knob in knobs.items()
        if knob.kind == "int" and (name in _FREE or block.takes[name].default is None)
    ]
    loc = block.loc
    arguments = {name: Bound(Scalar(name, loc), _of(name)) for name in knobs}
    own = {name: knob for name, knob in spec.knobs.items() if name not in knobs}
    own["res"] = replace(own["res"], default=(SIDE, SIDE))
    name = Template.parse(Scalar(PREFIX.rstrip("/"), loc), {})
    row = BlockStep(Wiring(loc, name=name), block.name, arguments)
    made = replace(
        spec,
        name=text,
        channels=Bound(Scalar("C", loc), _of("C")),
        scale=None,
        scope="all",
        knobs={**own, **knobs, "C": Knob("C", CHANNELS, "int", "input channels", least=1)},
        width={},
        body=Table((row,), loc),
        head=None,
        published=(),
    )
    return made, (*free, "C", "H", "W")


def _of(name: str) -> Callable[[Env], Any]:
    return lambda env: env[name]


def _found(text: str) -> tuple[Definition, Block]:
    """Return a block and a spec in which it can stand."""
    found = find(text)
    place = found.node.loc
    entries = around(found, (CHANNELS, SIDE, SIDE), place, place)
    body = Seq((as_map({"op": Scalar("gap", place)}, place),), place)
    reader = SpecReader(zoo.block_tree, zoo.block_names)
    spec = reader.spec(as_map({**entries, "body": body}, place), found.path)
    block = reader.block(found.name)
    if block is None:
        raise UsageError(f"{found.name!r} cannot be the name of a block: it is an op or no word")
    return replace(spec, blocks=reader.blocks), block


def _knob(argument: Argument, given: Value, loc: Loc | None) -> Knob | None:
    """Return an argument as a knob; None where the block itself is to fill it in."""
    name, word = argument.name, argument.kind.word
    value = given
    if value is None and argument.default is not None:
        node = argument.default.node
        value = typed(node.text) if isinstance(node, Scalar) else None
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

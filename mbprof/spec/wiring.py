"""The keys that every step accepts: what it takes, whether, how often, under which name."""

from __future__ import annotations

from collections.abc import Collection

from mbprof.language.expr import Expr
from mbprof.language.source import Map, Node, Scalar, word, words
from mbprof.ops.fields import COUNT, FLAG, SIZE, Known
from mbprof.spec.model import Template, Wiring

WIRING_KEYS = {
    "in": "the outputs that the step takes; the previous one unless given, x is the block's input",
    "out": "a name for the step's output, or a list of names",
    "when": "a condition; where it is false the step is left out",
    "n": "how often the step is repeated; s holds for the first time only",
    "name": "the layer's name; {i}, {row} and other expressions in braces are filled in",
    "width": "how c is scaled in this row, instead of the spec's width rule",
    "share": "a name; all steps of that name have the same weights, which are counted once",
    "c_in": "the channels that come in, as papers' tables state them; others are an error",
}
"""Keys that every step accepts."""


def read_wiring(row: Map, known: Known, taken: Collection[str] = ()) -> Wiring:
    """Read the keys that every step accepts, but those that a block takes as arguments."""
    own = {key: entry.value for key, entry in row.entries.items() if key not in taken}
    keys = ("in", "out", "when", "n", "name", "width", "share")
    inputs, outputs, when, times, name, width, share = map(own.get, keys)
    stated = row.get("c_in")  # which is also stated to a block that takes it
    return Wiring(
        row.loc,
        words(inputs, "in") if inputs else (),
        words(outputs, "out") if outputs else (),
        FLAG.read(when, known) if when else None,
        COUNT.read(times, known) if times else None,
        Template.parse(word(name, "name"), {**known, "row": 0}) if name else None,
        width_rules(width, known) if width else None,
        word(share, "share") if share else None,
        _scores(row.get("c"), known),
        SIZE.read(stated, known) if stated else None,
    )


def _scores(node: Node | None, known: Known) -> Expr | None:
    """Return the ``c`` of a row that makes scores of classes."""
    if not isinstance(node, Scalar) or "classes" not in node.text or "classes" not in known:
        return None
    expr = Expr.parse(node)
    return expr if any(name == "classes" for name, _ in expr.names) else None


def width_rules(node: Node, known: Known) -> dict[str, Expr]:
    """Read ``width:``, an expression for c or a mapping from letters to expressions."""
    if isinstance(node, Map):
        rules = {key: word(entry.value, "width") for key, entry in node.entries.items()}
    else:
        rules = {"c": word(node, "width")}
    parsed = {key: Expr.parse(scalar) for key, scalar in rules.items()}
    for key, expr in parsed.items():
        expr.check({**known, key: 0})
    return parsed

"""The forms of steps: what each says, how it is read, how it is walked.

A form is one class here, in `FORMS` under its key, and what the builder does with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, TypeAlias

from mbprof.errors import Loc, SpecError, unknown
from mbprof.language.source import Map, Node
from mbprof.language.tree import known_keys, required, sequence, word
from mbprof.ops import OPS, Op
from mbprof.ops.fields import COUNT, FLAG, Bound
from mbprof.spec.model import Follower, Step, Table, Wiring
from mbprof.spec.texts import written

Known: TypeAlias = Mapping[str, object]

WIRING_KEYS = {
    "in": "the outputs that the step takes; the previous one unless given, x is the block's input",
    "out": "a name for the step's output, or a list of names",
    "when": "a condition; where it is false the step is left out",
    "n": "how often the step is repeated; s holds for the first time only",
    "name": "the layer's name; {i}, {row} and other expressions in braces are filled in",
    "width": "how c is scaled in this row, instead of the spec's width rule",
}
"""Keys that every step accepts."""

FOLLOWERS = {word: op.follower for word, op in OPS.items() if op.follower is not None}
"""Keys that put another op behind the step's own, with their types."""

JOINS = tuple(sorted(word for word, op in OPS.items() if op.joins))


class Reader(Protocol):
    """What reads the parts of a step that every form has."""

    def table(self, node: Node, known: Known, what: str) -> Table:
        """Read a table."""

    def wiring(self, row: Map, known: Known) -> Wiring:
        """Read the keys that every step accepts."""

    def followers(self, op: type[Op], row: Map, known: Known) -> tuple[Follower, ...]:
        """Read the keys that put further ops behind an op."""


_TABLE = {"$ref": "#/definitions/table"}


@dataclass(frozen=True, slots=True)
class OpStep(Step):
    """A step that is an op, with the ops that follow it."""

    op: type[Op]
    fields: Mapping[str, Bound]
    after: tuple[Follower, ...]

    @property
    def label(self) -> tuple[str, str]:
        keys = {letter.attribute: key for key, letter in self.op.letters.items()}
        said = {keys[name]: bound for name, bound in self.fields.items()}
        return self.op.word, _said(said) + _followed(self.after)

    def place(self, letter: str | None) -> Loc:
        field = self.fields.get(self.op.letters[letter].attribute) if letter else None
        return field.loc if field else self.wiring.loc


@dataclass(frozen=True, slots=True)
class BlockStep(Step):
    """A step that calls a block with arguments."""

    block: str
    arguments: Mapping[str, Bound]

    @property
    def label(self) -> tuple[str, str]:
        return self.block, _said(self.arguments)


@dataclass(frozen=True, slots=True)
class ChosenStep(Step):
    """A step whose op or block is an argument: ``op: $unit``."""

    chosen: Bound
    read: Callable[[str], OpStep | BlockStep]
    row: Map

    @property
    def label(self) -> tuple[str, str]:
        return written(self.chosen.node), ""


@dataclass(frozen=True, slots=True)
class BranchStep(Step):
    """Parallel paths from one input, and the op that joins them."""

    keys: ClassVar = {
        "branches": {"type": "array", "items": _TABLE, "minItems": 2},
        "join": {"enum": list(JOINS)},
    }
    apart = True
    drawn = "behind"

    branches: tuple[Table, ...]
    join: type[Op]
    after: tuple[Follower, ...]

    @classmethod
    def read(cls, reader: Reader, row: Map, known: Known) -> Self:
        """Read ``branches: [[...], [...]]`` with ``join: add | concat | mul``."""
        what = "a step with branches"
        join = word(required(row, "join", what), "join")
        if join.text not in JOINS:
            raise unknown("join", join.text, JOINS, join.loc)
        op = OPS[join.text]
        known_keys(row, (*cls.keys, *op.after, *WIRING_KEYS), what)
        bodies = sequence(required(row, "branches", what), "branches")
        if len(bodies.items) < 2:
            raise SpecError("branches needs at least two of them", bodies.loc)
        tables = tuple(reader.table(item, known, "a branch") for item in bodies.items)
        return cls(reader.wiring(row, known), tables, op, reader.followers(op, row, known))

    @property
    def label(self) -> tuple[str, str]:
        return self.join.word, f"of {len(self.branches)} branches{_followed(self.after)}"


@dataclass(frozen=True, slots=True)
class RepeatStep(Step):
    """Steps that are repeated; ``dense`` hands each round all that came before."""

    keys: ClassVar = {"repeat": COUNT.schema, "dense": FLAG.schema, "body": _TABLE}

    count: Bound
    body: Table
    dense: Bound | None

    @classmethod
    def read(cls, reader: Reader, row: Map, known: Known) -> Self:
        """Read ``repeat: N`` with a ``body``, and ``dense: true`` for dense connectivity."""
        what = "a step with repeat"
        known_keys(row, (*cls.keys, "in", "out", "when", "name"), what)
        dense = row.get("dense")
        return cls(
            reader.wiring(row, known),
            COUNT.read(required(row, "repeat", what), known),
            reader.table(required(row, "body", what), known, "body"),
            FLAG.read(dense, known) if dense else None,
        )

    @property
    def label(self) -> tuple[str, str]:
        return "repeat", f"{written(self.count.node)} times{', dense' if self.dense else ''}"


@dataclass(frozen=True, slots=True)
class SideStep(Step):
    """A path that leaves the main line and ends in an output of its own."""

    keys: ClassVar = {"side": _TABLE}
    apart = True
    leaves = True
    drawn = ""

    body: Table

    @classmethod
    def read(cls, reader: Reader, row: Map, known: Known) -> Self:
        """Read ``side: [...]``, a path with an output of its own."""
        known_keys(row, (*cls.keys, "in", "when", "name"), "a side path")
        body = reader.table(required(row, "side", "a side path"), known, "side")
        return cls(reader.wiring(row, known), body)

    @property
    def label(self) -> tuple[str, str]:
        return "side path", ""


@dataclass(frozen=True, slots=True)
class TableStep(Step):
    """A table among the steps of another one."""

    drawn = ""

    body: Table

    @classmethod
    def read(cls, reader: Reader, row: Map, known: Known) -> Self:
        """Read a table with ``in`` and ``when`` beside its own keys."""
        outer = {key: entry for key, entry in row.entries.items() if key in ("in", "when")}
        inner = {key: entry for key, entry in row.entries.items() if key not in outer}
        wiring = reader.wiring(Map(outer, row.loc), known)
        return cls(wiring, reader.table(Map(inner, row.loc), known, "a table"))

    @property
    def label(self) -> tuple[str, str]:
        return "table", ""


FORMS: dict[str, type[BranchStep | RepeatStep | SideStep | TableStep]] = {
    "branches": BranchStep,
    "repeat": RepeatStep,
    "side": SideStep,
    "rows": TableStep,
}
"""Steps that are no op or block, by the key that makes them so."""


def _said(fields: Mapping[str, Bound]) -> str:
    return " ".join(f"{key}={written(bound.node)}" for key, bound in fields.items())


def _followed(followers: tuple[Follower, ...]) -> str:
    settings = [(follower.op.word, written(follower.setting.node)) for follower in followers]
    names = [name if setting == "true" else setting for name, setting in settings]
    return "".join(f" + {name}" for name in names if name not in ("false", "none"))

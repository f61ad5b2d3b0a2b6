"""The forms of steps: what each says, how it is read from a row, how it is walked.

A form is one class here, in `FORMS` under its key, and what the builder does with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cache
from typing import ClassVar, Self

from mbprof.errors import LimitError, Loc, SpecError, closest, nearest, unknown
from mbprof.language.record import mutable, record
from mbprof.language.source import (
    Map,
    Node,
    Scalar,
    Seq,
    known_keys,
    mapping,
    required,
    sequence,
    word,
)
from mbprof.ops import OPS, Op, meant
from mbprof.ops.base import SameShape
from mbprof.ops.fields import COUNT, FLAG, WORD, Bound, Kind, Known, argument
from mbprof.spec.model import Block, Follower, Norm, Step, Table, Template, written
from mbprof.spec.overlay import as_mapping
from mbprof.spec.sections import listed
from mbprof.spec.wiring import WIRING_KEYS, read_wiring

FOLLOWERS = {word: op.follower for word, op in OPS.items() if op.follower is not None}
"""Keys that put another op behind the step's own, with their types."""

JOINS = tuple(sorted(word for word, op in OPS.items() if op.joins))

MAX_CHAIN = 32
"""So many specs, flavours or blocks may lead to one another."""
MAX_TABLES = 64
"""So deep steps may be nested, in rows, branches and blocks together."""
TABLE_KEYS = {
    "names": "the names of the rows' layers; {i}, {row} and other expressions in braces are filled",
    "columns": "the keys of rows that are lists, such as [op, t, c, n, s]",
    "rows": "the steps in order; or {NUMBER: {key: value}} changes rows of what is laid under",
}
"""The keys of a table that is no mere list of steps, with what each is."""
_TABLE = {"$ref": "#/definitions/table"}


def _table_of(doc: str) -> dict[str, object]:
    return {"allOf": [_TABLE], "description": doc}


@record
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

    def place(self, op: object, letter: str | None) -> Loc:
        own = self.op.letters[letter] if letter and op is self.op else None
        field = self.fields.get(own.attribute) if own else None
        return field.loc if field else self.wiring.loc


@record
class BlockStep(Step):
    """A step that calls a block with arguments."""

    block: str
    arguments: Mapping[str, Bound]

    @property
    def label(self) -> tuple[str, str]:
        return self.block, _said(self.arguments)


@record
class ChosenStep(Step):
    """A step whose op or block is an argument: ``op: $unit``."""

    chosen: Bound
    read: Callable[[str], OpStep | BlockStep]
    row: Map

    @property
    def label(self) -> tuple[str, str]:
        return written(self.chosen.node), ""


@record
class BranchStep(Step):
    """Parallel paths from one input, and the op that joins them."""

    keys: ClassVar = {
        "branches": {
            "type": "array",
            "items": {"$ref": "#/definitions/branch"},
            "minItems": 1,
            "description": "paths side by side, each a list of steps",
        },
        "join": {"enum": list(JOINS), "description": "the op that joins the branches"},
    }
    apart = True
    drawn = "behind"

    branches: tuple[Table, ...]
    join: type[Op]
    after: tuple[Follower, ...]

    @classmethod
    def read(cls, reader: StepReader, row: Map, known: Known) -> Self:
        """Read ``branches: [[...], {when: ..., n: ..., rows: [...]}]`` with ``join: add``."""
        what = "a step with branches"
        join = word(required(row, "join", what), "join")
        if join.text not in JOINS:
            raise unknown("join", join.text, JOINS, join.loc)
        op = OPS[join.text]
        known_keys(row, (*cls.keys, *op.after, *WIRING_KEYS), what)
        bodies = sequence(required(row, "branches", what), "branches")
        tables = tuple(reader.branch(item, known) for item in bodies.items)
        if len(tables) < 2 and not any(table.times for table in tables):
            raise SpecError("branches needs at least two of them", bodies.loc)
        return cls(read_wiring(row, known), tables, op, reader.followers(op, row, known))

    @property
    def label(self) -> tuple[str, str]:
        said = "".join(
            f", {number} {said}" for number, table in enumerate(self.branches, 1)
            if (said := _conditional(table))
        )  # fmt: skip
        return self.join.word, f"of {len(self.branches)} branches{said}{_followed(self.after)}"


@record
class RepeatStep(Step):
    """Steps that are repeated; ``dense`` hands each round all that came before."""

    keys: ClassVar = {
        "repeat": {**COUNT.schema, "description": "how often the steps of body are repeated"},
        "dense": {**FLAG.schema, "description": "whether each round takes all that came before"},
        "body": _table_of("the steps that are repeated"),
    }

    count: Bound
    body: Table
    dense: Bound | None

    @classmethod
    def read(cls, reader: StepReader, row: Map, known: Known) -> Self:
        """Read ``repeat: N`` with a ``body``, and ``dense: true`` for dense connectivity."""
        what = "a step with repeat"
        known_keys(row, (*cls.keys, "in", "out", "when", "name", "share"), what)
        dense = row.get("dense")
        return cls(
            read_wiring(row, known),
            COUNT.read(required(row, "repeat", what), known),
            reader.table(required(row, "body", what), known, "body"),
            FLAG.read(dense, known) if dense else None,
        )

    @property
    def label(self) -> tuple[str, str]:
        return "repeat", f"{written(self.count.node)} times{', dense' if self.dense else ''}"


@record
class SideStep(Step):
    """A path that leaves the main line and ends in an output of its own."""

    keys: ClassVar = {"side": _table_of("the steps of a path that ends in an output of its own")}
    apart = True
    leaves = True
    drawn = ""
    label = "side path", ""

    body: Table

    @classmethod
    def read(cls, reader: StepReader, row: Map, known: Known) -> Self:
        """Read ``side: [...]``, a path with an output of its own."""
        known_keys(row, (*cls.keys, "in", "when", "name"), "a side path")
        body = reader.table(required(row, "side", "a side path"), known, "side")
        return cls(read_wiring(row, known), body)


@record
class TableStep(Step):
    """A table among the steps of another one."""

    drawn = ""
    label = "table", ""

    body: Table

    @classmethod
    def read(cls, reader: StepReader, row: Map, known: Known) -> Self:
        """Read a table with ``in`` and ``when`` beside its own keys."""
        outer = {key: entry for key, entry in row.entries.items() if key in ("in", "when")}
        inner = {key: entry for key, entry in row.entries.items() if key not in outer}
        wiring = read_wiring(Map(outer, row.loc), known)
        return cls(wiring, reader.table(Map(inner, row.loc), known, "a table"))


FORMS: dict[str, type[BranchStep | RepeatStep | SideStep | TableStep]] = {
    "branches": BranchStep,
    "repeat": RepeatStep,
    "side": SideStep,
    "rows": TableStep,
}
"""Steps that are no op or block, by the key that makes them so."""


def _said(fields: Mapping[str, Bound]) -> str:
    return " ".join(f"{key}={written(bound.node)}" for key, bound in fields.items())


def _conditional(branch: Table) -> str:
    """Say when and how often a branch is there."""
    times = [f"{written(branch.times.node)} times"] if branch.times else []
    when = [f"when {written(branch.when.node)}"] if branch.when else []
    return " ".join(times + when)


def _followed(followers: tuple[Follower, ...]) -> str:
    settings = [(follower.op.word, written(follower.setting.node)) for follower in followers]
    names = [name if setting == "true" else setting for name, setting in settings]
    return "".join(f" + {name}" for name in names if name not in ("false", "none"))


@mutable
class StepReader:
    """Reads steps in the context of one spec: its knobs, defaults, width rule and blocks."""

    block: Callable[[str], Block | None]
    block_names: Callable[[], list[str]]
    defaults: Map
    globals: Known
    bounds: dict[tuple[str, str, str], Bound] = field(default_factory=dict)
    depth: int = 0

    def table(self, node: Node, known: Known, what: str) -> Table:
        """Read a list of steps, or a mapping with ``rows`` and optionally ``columns``, ``names``.

        Raises: LimitError: tables stand too deep in one another, through blocks or without.
        SpecError: and whatever a row of it raises.
        """
        if self.depth >= MAX_TABLES:
            raise LimitError(f"steps are nested deeper than {MAX_TABLES} levels", node.loc)
        self.depth += 1
        try:
            return self._table(node, known, what)
        finally:
            self.depth -= 1

    def _table(self, node: Node, known: Known, what: str) -> Table:
        if isinstance(node, Seq):
            return Table(tuple(self.step(item, known, ()) for item in node.items), node.loc)
        table = mapping(node, what)
        known_keys(table, TABLE_KEYS, what)
        columns = listed(table, "columns")
        for i, column in enumerate(columns):  # which are few
            if column.text in [other.text for other in columns[:i]]:
                raise SpecError(f"column {column.text!r} is there twice", column.loc)
        rows = sequence(required(table, "rows", what), "rows")
        names = table.get("names")
        template = Template.parse(word(names, "names"), {**known, "row": 0}) if names else None
        steps = tuple(self.step(row, known, columns) for row in rows.items)
        return Table(steps, table.loc, template)

    def branch(self, node: Node, known: Known) -> Table:
        """Read a table with ``when`` and ``n`` beside its own keys."""
        if not isinstance(node, Map):
            return self.table(node, known, "a branch")
        inner = {key: entry for key, entry in node.entries.items() if key not in ("when", "n")}
        table = self.table(Map(inner, node.loc), known, "a branch")
        when, times = node.get("when"), node.get("n")
        return replace(
            table,
            when=FLAG.read(when, known) if when else None,
            times=COUNT.read(times, known) if times else None,
        )

    def step(self, node: Node, known: Known, columns: tuple[Scalar, ...]) -> Step:
        """Read one row.

        Raises: SpecError: an unknown op, block or key; a row that does not fit its columns.
        """
        row = as_mapping(node, columns)
        for key, form in FORMS.items():
            if key in row.entries:
                return form.read(self, row, known)
        name = word(required(row, "op", "a step", row.loc), "op")
        if argument(name.text) is None:
            return self.call(name, row, known)

        @cache
        def read(text: str) -> OpStep | BlockStep:
            return self.call(Scalar(text, name.loc), row, known)

        return ChosenStep(read_wiring(row, known), WORD.read(name, known), read, row)

    def call(self, name: Scalar, row: Map, known: Known) -> OpStep | BlockStep:
        """Read a step whose op or block is known by name."""
        block = self.block(name.text)
        if block is not None:
            return self.block_step(block, row, known)
        if name.text in OPS:
            return self.op_step(OPS[name.text], row, known)
        names = [*OPS, *self.block_names()]
        wrong = unknown("op or block", name.text, names, name.loc)
        wrong.hint = meant(name.text) or wrong.hint
        raise wrong

    def op_step(self, op: type[Op], row: Map, known: Known) -> OpStep:
        """Read a step that is an op; a key such as stride is answered with its letter."""
        allowed = ("op", *op.letters, *op.after, *WIRING_KEYS)
        words = {letter.attribute: key for key, letter in op.letters.items()}
        for key in (key for key in row.entries if key not in allowed):
            meant = closest(key, words)
            hint = f"{meant} is written {words[meant]}" if meant else nearest(key, allowed)
            if key in FOLLOWERS:
                hint = f"put a row with  op: {key}  behind it"
            raise SpecError(f"{op.word} has no key {key!r}", row.entries[key].key.loc, hint)
        wiring = read_wiring(row, known)
        fields = self.op_fields(op, row, known)
        for key, letter in op.letters.items():
            if letter.required and letter.attribute not in fields:
                raise SpecError(f"{op.word} lacks the key {key!r} ({letter.doc})", row.loc)
        return OpStep(wiring, op, fields, self.followers(op, row, known))

    def norm(self, row: Map, known: Known) -> Norm:
        """Read what stands in the place of batch norms: an op that keeps its input's shape.

        Raises: SpecError: it is no such op, or says where it stands.
        """
        name = word(required(row, "op", "norm"), "op")
        if name.text not in OPS or not issubclass(OPS[name.text], SameShape):
            message = f"{name.text!r} cannot stand in the place of a batch norm"
            raise SpecError(message, name.loc, "name an op that keeps the shape, such as gn")
        op = OPS[name.text]
        known_keys(row, ("op", *op.letters), "norm")
        step = self.op_step(op, row, known)
        return Norm(op, step.fields)

    def op_fields(self, op: type[Op], row: Map | None, known: Known) -> dict[str, Bound]:
        owners = (op.word, op.family)
        bounds = {
            letter.attribute: self.value(key, letter.kind, row, known, owners)
            for key, letter in op.letters.items()
        }
        return {attribute: bound for attribute, bound in bounds.items() if bound is not None}

    def followers(self, op: type[Op], row: Map, known: Known) -> tuple[Follower, ...]:
        """Read the keys that put further ops behind this one, in their order."""
        followers = []
        for key in op.after:
            bound = self.value(key, FOLLOWERS[key], row, known, (op.word, op.family))
            if bound is not None:
                fields = {} if key == "act" else self.op_fields(OPS[key], None, known)
                followers.append(Follower(OPS[key], bound, fields))
        return tuple(followers)

    def value(
        self, key: str, kind: Kind, row: Map | None, known: Known, owners: tuple[str, ...]
    ) -> Bound | None:
        """Read a key of a row, else what ``defaults:`` says of it for the first of its owners.

        A default is bound once for all the rows that take it.
        """
        node = row.get(key) if row else None
        if node is not None:
            return kind.read(node, known)
        for owner in owners:
            entry = self.defaults.get(owner)
            if isinstance(entry, Map) and (node := entry.get(key)) is not None:
                cached = (owners[0], key, str(node.loc))
                if cached not in self.bounds:
                    self.bounds[cached] = kind.read(node, self.globals)
                return self.bounds[cached]
        return None

    def block_step(self, block: Block, row: Map, known: Known) -> BlockStep:
        known_keys(row, ("op", *block.takes, *WIRING_KEYS), f"block {block.name}")
        wiring = read_wiring(row, known, block.takes)
        arguments = {}
        for name, takes in block.takes.items():
            bound = self.value(name, takes.kind, row, known, (block.name,))
            if bound is not None:
                arguments[name] = bound
            elif takes.default is None:
                meaning = f" ({takes.doc})" if takes.doc else ""
                raise SpecError(f"block {block.name} lacks its argument {name!r}{meaning}", row.loc)
        return BlockStep(wiring, block.name, arguments)

"""Rows: from a mapping, or a list under columns, to the step that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mbprof.errors import SpecError, closest, nearest, unknown
from mbprof.language.expr import Expr
from mbprof.language.source import Entry, Map, Node, Scalar, Seq
from mbprof.language.tree import known_keys, mapping, required, sequence, word, words
from mbprof.ops import OPS, Op
from mbprof.ops.fields import COUNT, FLAG, WORD, Bound, Kind, argument
from mbprof.spec.model import (
    COUNTERS,
    INPUT_NAMES,
    Block,
    Follower,
    Step,
    Table,
    Template,
    Wiring,
)
from mbprof.spec.steps import FOLLOWERS, FORMS, WIRING_KEYS, BlockStep, ChosenStep, Known, OpStep

_SYNONYMS = {
    "fc": "linear",
    "dense": "linear",
    "depthwise": "dwconv",
    "convdw": "dwconv",
    "relu": "act",
    "batchnorm": "bn",
    "layernorm": "ln",
    "globalavgpool": "gap",
    "avg_pool": "avgpool",
    "max_pool": "maxpool",
    "skip": "identity",
}


@dataclass(slots=True)
class StepReader:
    """Reads steps in the context of one spec: its knobs, defaults, width rule and blocks."""

    block: Callable[[str], Block | None]
    block_names: Callable[[], list[str]]
    defaults: Map
    globals: Known
    bounds: dict[tuple[str, str, str], Bound] = field(default_factory=dict)

    def table(self, node: Node, known: Known, what: str) -> Table:
        """Read a list of steps, or a mapping with ``rows`` and optionally ``columns``, ``names``.

        Raises: SpecError: and whatever a row of it raises.
        """
        if isinstance(node, Seq):
            return Table(tuple(self.step(item, known, ()) for item in node.items), node.loc)
        table = mapping(node, what)
        known_keys(table, ("names", "columns", "rows"), what)
        columns = self.columns(table)
        rows = sequence(required(table, "rows", what), "rows")
        names = table.get("names")
        template = Template.parse(word(names, "names"), {**known, "row": 0}) if names else None
        steps = tuple(self.step(row, known, columns) for row in rows.items)
        return Table(steps, table.loc, template)

    def columns(self, table: Map) -> tuple[Scalar, ...]:
        node = table.get("columns")
        columns = words(node, "columns") if node else ()
        for i, column in enumerate(columns):
            if column.text in [other.text for other in columns[:i]]:
                raise SpecError(f"column {column.text!r} is there twice", column.loc)
        return columns

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

        def read(text: str) -> OpStep | BlockStep:
            return self.call(Scalar(text, name.loc), row, known)

        return ChosenStep(self.wiring(row, known), WORD.read(name, known), read, row)

    def call(self, name: Scalar, row: Map, known: Known) -> OpStep | BlockStep:
        """Read a step whose op or block is known by name."""
        block = self.block(name.text)
        if block is not None:
            return self.block_step(block, row, known)
        if name.text in OPS:
            return self.op_step(OPS[name.text], row, known)
        names = [*OPS, *self.block_names()]
        synonym = _SYNONYMS.get(name.text.lower())
        wrong = unknown("op or block", name.text, names, name.loc, 30)
        wrong.hint = f"did you mean {synonym!r}?" if synonym else wrong.hint
        raise wrong

    def op_step(self, op: type[Op], row: Map, known: Known) -> OpStep:
        _check_keys(op, row)
        wiring = self.wiring(row, known)
        fields = self.op_fields(op, row, known)
        for key, letter in op.letters.items():
            if letter.required and letter.attribute not in fields:
                raise SpecError(f"{op.word} lacks the key {key!r} ({letter.doc})", row.loc)
        return OpStep(wiring, op, fields, self.followers(op, row, known))

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
        wiring = self.wiring(row, known, block.takes)
        arguments = {}
        for name, takes in block.takes.items():
            bound = self.value(name, takes.kind, row, known, (block.name,))
            if bound is not None:
                arguments[name] = bound
            elif takes.default is None:
                meaning = f" ({takes.doc})" if takes.doc else ""
                raise SpecError(f"block {block.name} lacks its argument {name!r}{meaning}", row.loc)
        return BlockStep(wiring, block.name, arguments)

    def wiring(self, row: Map, known: Known, taken: Known | None = None) -> Wiring:
        """Read the keys that every step accepts, but those that a block takes as arguments."""

        def get(key: str) -> Node | None:
            return None if taken and key in taken else row.get(key)

        inputs, outputs, when, times = get("in"), get("out"), get("when"), get("n")
        name, width = get("name"), get("width")
        return Wiring(
            row.loc,
            words(inputs, "in") if inputs else (),
            words(outputs, "out") if outputs else (),
            FLAG.read(when, known) if when else None,
            COUNT.read(times, known) if times else None,
            Template.parse(word(name, "name"), {**known, "row": 0}) if name else None,
            width_rules(width, known) if width else None,
        )


def _check_keys(op: type[Op], row: Map) -> None:
    """Refuse keys that an op lacks; a word such as stride is answered with its letter."""
    allowed = ("op", *op.letters, *op.after, *WIRING_KEYS)
    for key, entry in row.entries.items():
        if key in allowed:
            continue
        words = {letter.attribute: name for name, letter in op.letters.items()}
        meant = closest(key, words)
        hint = f"{meant} is written {words[meant]}" if meant else nearest(key, allowed, 20)
        raise SpecError(f"{op.word} has no key {key!r}", entry.key.loc, hint)


def as_mapping(node: Node, columns: tuple[Scalar, ...]) -> Map:
    """Return a row as a mapping; a list takes its keys from the columns, ``-`` leaves a cell out.

    Raises: SpecError: a list without columns, or of another length.
    """
    if isinstance(node, Map):
        return node
    if isinstance(node, Scalar):
        raise SpecError(
            f"expected a row, found {node.text!r}", node.loc, "write {op: conv, k: 3, c: 32}"
        )
    if not columns:
        raise SpecError("a row that is a list needs columns", node.loc, "columns: [op, k, s, c]")
    if len(node.items) != len(columns):
        names = ", ".join(column.text for column in columns)
        raise SpecError(
            f"the row has {len(node.items)} cells for {len(columns)} columns",
            node.loc,
            f"the columns are {names}; write - for a cell that is left out",
        )
    entries = {
        column.text: Entry(column, item)
        for column, item in zip(columns, node.items, strict=True)
        if not (isinstance(item, Scalar) and item.text == "-" and not item.quoted)
    }
    return Map(entries, node.loc)


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


def row_names(knobs: Known) -> dict[str, object]:
    """Return the names that a row of a spec's body can use."""
    return {**INPUT_NAMES, **knobs, **COUNTERS}

"""Steps: from the rows of a table, mappings or lists under columns, to what is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mbprof.errors import Loc, SpecError, closest, nearest, unknown
from mbprof.language.expr import Expr
from mbprof.language.source import Entry, Map, Node, Scalar, Seq
from mbprof.language.tree import known_keys, mapping, required, sequence, word, words
from mbprof.ops import OPS, Op
from mbprof.ops.fields import COUNT, FLAG, WORD, Bound, Kind, argument
from mbprof.spec.model import (
    COUNTERS,
    INPUT_NAMES,
    Block,
    BlockStep,
    BranchStep,
    ChosenStep,
    Follower,
    OpStep,
    RepeatStep,
    SideStep,
    Step,
    Table,
    TableStep,
    Template,
    Wiring,
)

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


@dataclass(frozen=True, slots=True)
class StepReader:
    """Reads steps in the context of one spec: its knobs, defaults, width rule and blocks."""

    block: Callable[[str], Block | None]
    block_names: Callable[[], list[str]]
    defaults: Map
    globals: Known
    _cache: dict[tuple[str, str], Bound] = field(default_factory=dict)

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
        for form, read in _FORMS.items():
            if form in row.entries:
                return read(self, row, known)
        name = word(required(row, "op", "a step", row.loc), "op")
        chosen = argument(name.text)
        if chosen is None:
            return self.call(name, row, known)
        wiring = self.wiring(row, known)
        return ChosenStep(
            wiring,
            WORD.read(name, known),
            lambda text: self.call(Scalar(text, name.loc), row, known),
            row,
        )

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

    def op_fields(self, op: type[Op], row: Map, known: Known) -> dict[str, Bound]:
        fields = {}
        for key, letter in op.letters.items():
            node = row.get(key)
            if node is not None:
                fields[letter.attribute] = letter.kind.read(node, known)
            elif (default := self.default(op, key)) is not None:
                fields[letter.attribute] = self.bound(op.word + "." + key, letter.kind, default)
        return fields

    def followers(self, op: type[Op], row: Map, known: Known) -> tuple[Follower, ...]:
        """Read the keys that put further ops behind this one, in their order."""
        followers = []
        for key in op.after:
            node, kind = row.get(key), FOLLOWERS[key]
            if node is not None:
                bound = kind.read(node, known)
            elif (default := self.default(op, key)) is not None:
                bound = self.bound(op.word + "." + key, kind, default)
            else:
                continue
            fields = {} if key == "act" else self.op_fields(OPS[key], _EMPTY, known)
            followers.append(Follower(OPS[key], bound, fields))
        return tuple(followers)

    def default(self, op: type[Op], key: str) -> Node | None:
        """Return what ``defaults:`` says of an op's key, the op before its family."""
        for name in (op.word, op.family):
            entry = self.defaults.get(name)
            if isinstance(entry, Map) and (node := entry.get(key)) is not None:
                return node
        return None

    def bound(self, cache_key: str, kind: Kind, node: Node) -> Bound:
        """Bind a default, once for all the rows that take it."""
        key = (cache_key, str(node.loc))
        if key not in self._cache:
            self._cache[key] = kind.read(node, self.globals)
        return self._cache[key]

    def block_step(self, block: Block, row: Map, known: Known) -> BlockStep:
        allowed = ("op", *block.takes, *WIRING_KEYS)
        known_keys(row, allowed, f"block {block.name}")
        wiring = self.wiring(row, known, block.takes)
        arguments = {}
        own = self.defaults.get(block.name)
        for name, takes in block.takes.items():
            node = row.get(name)
            if node is not None:
                arguments[name] = takes.kind.read(node, known)
            elif isinstance(own, Map) and (default := own.get(name)) is not None:
                arguments[name] = self.bound(f"{block.name}.{name}", takes.kind, default)
            elif takes.default is None:
                raise SpecError(
                    f"block {block.name} lacks its argument {name!r}"
                    + (f" ({takes.doc})" if takes.doc else ""),
                    row.loc,
                )
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

    def branches(self, row: Map, known: Known) -> BranchStep:
        """Read ``branches: [[...], [...]]`` with ``join: add | concat | mul``."""
        what = "a step with branches"
        join = word(required(row, "join", what), "join")
        if join.text not in JOINS:
            raise unknown("join", join.text, JOINS, join.loc)
        op = OPS[join.text]
        known_keys(row, ("branches", "join", *op.after, *WIRING_KEYS), what)
        bodies = sequence(required(row, "branches", what), "branches")
        if len(bodies.items) < 2:
            raise SpecError("branches needs at least two of them", bodies.loc)
        tables = tuple(self.table(item, known, "a branch") for item in bodies.items)
        return BranchStep(self.wiring(row, known), tables, op, self.followers(op, row, known))

    def repeat(self, row: Map, known: Known) -> RepeatStep:
        """Read ``repeat: N`` with a ``body``, and ``dense: true`` for dense connectivity."""
        what = "a step with repeat"
        known_keys(row, ("repeat", "body", "dense", "in", "out", "when", "name"), what)
        dense = row.get("dense")
        return RepeatStep(
            self.wiring(row, known),
            COUNT.read(required(row, "repeat", what), known),
            self.table(required(row, "body", what), known, "body"),
            FLAG.read(dense, known) if dense else None,
        )

    def side(self, row: Map, known: Known) -> SideStep:
        """Read ``side: [...]``, a path with an output of its own."""
        known_keys(row, ("side", "in", "when", "name"), "a side path")
        body = self.table(required(row, "side", "a side path"), known, "side")
        return SideStep(self.wiring(row, known), body)

    def nested(self, row: Map, known: Known) -> TableStep:
        """Read a table among the steps of another one."""
        body = Map({k: e for k, e in row.entries.items() if k not in ("in", "when")}, row.loc)
        wiring = Map({k: e for k, e in row.entries.items() if k in ("in", "when")}, row.loc)
        return TableStep(self.wiring(wiring, known), self.table(body, known, "a table"))


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


_EMPTY = Map({}, Loc(None, 0, 0))  # type: ignore[arg-type]  # it holds nothing to point at

_FORMS: dict[str, Callable[[StepReader, Map, Known], Step]] = {
    "branches": StepReader.branches,
    "repeat": StepReader.repeat,
    "side": StepReader.side,
    "rows": StepReader.nested,
}
"""Steps that are no op or block, by the key that makes them so."""


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

"""All texts of a spec that can read a name: fields, conditions, widths, templates, defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mbprof.language.source import Map, Node, Scalar, Seq
from mbprof.spec.model import (
    Block,
    BlockStep,
    BranchStep,
    ChosenStep,
    Definition,
    OpStep,
    RepeatStep,
    SideStep,
    Step,
    Table,
    TableStep,
    Wiring,
)


def scalars(spec: Definition, block: str | None = None, calls: bool = False) -> Iterator[str]:
    """Yield every text of a spec, or of one of its blocks; the names of called blocks if asked."""
    if block is not None:
        yield from _block(spec.blocks[block], calls)
        return
    yield from _texts(spec.channels.node)
    if spec.scale is not None:
        yield from _texts(spec.scale.node)
    for rule in spec.width.values():
        yield rule.scalar.text
    yield from _texts(spec.defaults)
    for table in (spec.body, *([spec.head] if spec.head else [])):
        yield from _table(table, calls)
    for each in spec.blocks.values():
        yield from _block(each, calls)
    for flavour in spec.flavours.values():
        if flavour.changes is not None:
            yield from _texts(flavour.changes)


def _block(block: Block, calls: bool) -> Iterator[str]:
    for argument in block.takes.values():
        if argument.default is not None:
            yield from _texts(argument.default.node)
    yield from _table(block.body, calls)


def _table(table: Table, calls: bool) -> Iterator[str]:
    if table.names is not None:
        yield table.names.scalar.text
    for step in table.steps:
        yield from _wiring(step.wiring)
        yield from _step(step, calls)


def _wiring(wiring: Wiring) -> Iterator[str]:
    for bound in (wiring.when, wiring.times):
        if bound is not None:
            yield from _texts(bound.node)
    if wiring.name is not None:
        yield wiring.name.scalar.text
    for rule in (wiring.width or {}).values():
        yield rule.scalar.text


def _step(step: Step, calls: bool) -> Iterator[str]:
    tables: Iterable[Table] = ()
    if isinstance(step, OpStep):
        for bound in step.fields.values():
            yield from _texts(bound.node)
    elif isinstance(step, BlockStep):
        if calls:
            yield step.block
        for bound in step.arguments.values():
            yield from _texts(bound.node)
    elif isinstance(step, ChosenStep):
        yield from _texts(step.chosen.node)
        yield from _texts(step.row)
    elif isinstance(step, RepeatStep):
        yield from _texts(step.count.node)
        if step.dense is not None:
            yield from _texts(step.dense.node)
        tables = (step.body,)
    elif isinstance(step, BranchStep):
        tables = step.branches
    elif isinstance(step, SideStep | TableStep):
        tables = (step.body,)
    if isinstance(step, OpStep | BranchStep):
        for follower in step.after:
            for bound in (follower.setting, *follower.fields.values()):
                yield from _texts(bound.node)
    for table in tables:
        yield from _table(table, calls)


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Seq):
        for item in node.items:
            yield from _texts(item)
    elif isinstance(node, Map):
        for entry in node.entries.values():
            yield from _texts(entry.value)

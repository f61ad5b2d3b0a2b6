"""A spec explained: where it comes from, its knobs, its blocks, its rows, what others claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import mbprof
from mbprof.language import fmt
from mbprof.language.source import Node, Scalar, Seq
from mbprof.language.values import plain
from mbprof.network.block import Alone
from mbprof.network.conventions import DEFAULT, UNITS, Convention
from mbprof.network.load import Network
from mbprof.network.profile import Profile, Total
from mbprof.network.table import headline
from mbprof.ops.fields import Bound
from mbprof.output import Report
from mbprof.pages.wiring import branches, draw, wires
from mbprof.spec.claims import Claim
from mbprof.spec.model import (
    Argument,
    Block,
    BlockStep,
    BranchStep,
    ChosenStep,
    Definition,
    Follower,
    OpStep,
    RepeatStep,
    SideStep,
    Step,
    Table,
    TableStep,
    Wiring,
)


def spec_report(network: Network, convention: str = DEFAULT) -> Report:
    """Explain the spec of a network, as text and as plain data.

    Raises: UsageError: no such convention.
    """
    definition = network.definition
    profile = network.profile(convention)
    lines = [*_head(definition), *_counted(profile, definition.scope), ""]
    lines += ["knobs", *_columns(_knobs(definition)), ""]
    if definition.width:
        rules = ((letter, "->", rule.scalar.text) for letter, rule in definition.width.items())
        lines += ["width rule, for the rows of body and head", *_columns(rules), ""]
    if definition.blocks:
        lines.append("blocks")
        for block in definition.blocks.values():
            lines += [*_block(block), ""]
    for title, table in (("body", definition.body), ("head", definition.head)):
        if table is not None:
            named = f", named {table.names.scalar.text}" if table.names else ""
            lines += [f"{title}{named}", *_columns(_table(table)), ""]
    if definition.published:
        claims = (_claim(claim) for claim in definition.published)
        lines += ["published", *_columns(claims), ""]
    text = "\n".join(line.rstrip() for line in lines[:-1]) + "\n"
    return Report(definition.name, (), (), _data(definition), text=text)


def _head(definition: Definition) -> list[str]:
    image: Any = definition.knobs["res"].default
    rows = [
        ("what", definition.doc),
        ("source", definition.source),
        ("file", definition.path),
        ("input", f"{written(definition.channels.node)}×{image[0]}×{image[1]}"),
        ("same", f"padding as {definition.padding}"),
    ]
    for flavour in definition.flavours.values():
        this = " (this one)" if flavour.name == definition.flavour else ""
        rows.append(("flavour", f"@{flavour.name}{this}: {flavour.doc}"))
    for preset in definition.presets.values():
        values = ", ".join(f"{name} {plain(value)}" for name, value in preset.knobs.items())
        rows.append(("preset", f"{preset.name}: {values}"))
    return _columns((name, value) for name, value in rows if value)


def _counted(profile: Profile, scope: str) -> list[str]:
    rows = []
    if profile.changed:
        rows.append(("at", headline(profile).partition(", ")[2]))
    for name, total in profile.totals.items():
        default = ", the default" if name == scope else ""
        counts = _costs(total, profile.convention)
        rows.append(("scope", f"{name}{default}: {total.layers} layers, {counts}"))
    if profile.convention.name != DEFAULT:
        rows.append(("count", f"{profile.convention.doc} (convention {profile.convention.name})"))
    return _columns(rows)


def _costs(total: Total, convention: Convention) -> str:
    costs = convention.named(total.costs).items()
    said = [f"{fmt.integer(cost)} {UNITS[name]}" for name, cost in costs]
    return ", ".join([f"{fmt.integer(total.params)} params", *said])


def lone_report(block: Alone, convention: str = DEFAULT) -> Report:
    """Explain a block, as text and as plain data, with its cost at an input and arguments.

    Raises: UsageError: no such convention. MbprofError: it makes no network with these.
    """
    model, profile = block.block, block.build().profile(convention)
    at = block.title.removeprefix(f"{block.name}, ")
    rows = [
        ("file", block.spec.definition.path),
        ("at", at),
        ("cost", f"{profile.total.layers} layers, {_costs(profile.total, profile.convention)}"),
        ("count", f"{profile.convention.doc} (convention {profile.convention.name})"),
    ]
    data = {
        "version": mbprof.__version__,
        **_block_data(model),
        "takes": {name: _argument(argument) for name, argument in model.takes.items()},
        "at": at,
        "convention": profile.convention.name,
        "params": profile.total.params,
        **profile.convention.named(profile.total.costs),
    }
    text = "\n".join([*_columns(rows), "", block_text(model)])
    return Report(block.name, (), (), data, text=text)


def _argument(argument: Argument) -> dict[str, Any]:
    default = written(argument.default.node) if argument.default else None
    return {"default": default, "doc": argument.doc}


def _block_data(block: Block) -> dict[str, Any]:
    return {
        "name": block.name,
        "doc": block.doc,
        "source": block.source,
        "takes": list(block.takes),
        "body": [" ".join(filter(None, line)) for line in _table(block.body)],
    }


def _knobs(definition: Definition) -> Iterable[tuple[str, ...]]:
    for knob in definition.knobs.values():
        yield knob.name, plain(knob.default), knob.range, knob.doc


def _block(block: Block) -> list[str]:
    takes = []
    for argument in block.takes.values():
        default = f" = {written(argument.default.node)}" if argument.default else ""
        takes.append(f"{argument.name}{default}")
    lines = [f"  {block.name}({', '.join(takes)})"]
    lines += [f"      {each}" for each in (block.doc, block.source) if each]
    meanings = [(each.name, each.doc) for each in block.takes.values() if each.doc]
    lines += [f"    {line}" for line in _columns(meanings)]
    lines += [f"    {line}" for line in _columns(_drawn(block.body, block.inputs))]
    return lines


def block_text(block: Block) -> str:
    """Return a block explained: arguments, meaning, and its steps with their wiring drawn."""
    return "\n".join(line.rstrip() for line in _block(block)) + "\n"


def _drawn(table: Table, inputs: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a table, each behind a drawing of where its input comes from."""
    found = wires(table, inputs)
    for lanes, wire in zip(draw(found), found, strict=True):
        yield lanes, *(_cells(wire.step) if wire.step is not None else (wire.label, "", ""))


def _table(table: Table) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a table, drawn if they are more than one behind the other."""
    if branches(table):
        yield from _drawn(table, ("x",))
        return
    for step in table.steps:
        if isinstance(step, TableStep) and not _wiring(step.wiring):
            yield from _table(step.body)
            continue
        yield _cells(step)
        if isinstance(step, RepeatStep | TableStep):
            yield from ((f"  {first}", *rest) for first, *rest in _table(step.body))


def _cells(step: Step) -> tuple[str, str, str]:
    """Return a step as cells: the op or block, its fields, what else it says."""
    said = _wiring(step.wiring)
    if isinstance(step, OpStep):
        keys = {letter.attribute: key for key, letter in step.op.letters.items()}
        fields = _fields({keys[name]: bound for name, bound in step.fields.items()})
        return step.op.word, fields + _after(step.after), said
    if isinstance(step, BlockStep):
        return step.block, _fields(step.arguments), said
    if isinstance(step, ChosenStep):
        return written(step.chosen.node), "", said
    if isinstance(step, BranchStep):
        return step.join.word, f"of {len(step.branches)} branches{_after(step.after)}", said
    if isinstance(step, RepeatStep):
        dense = ", dense" if step.dense else ""
        return "repeat", f"{written(step.count.node)} times{dense}", said
    return "side path" if isinstance(step, SideStep) else "table", "", said


def _fields(fields: Mapping[str, Bound]) -> str:
    return " ".join(f"{key}={written(bound.node)}" for key, bound in fields.items())


def _after(followers: tuple[Follower, ...]) -> str:
    words = []
    for follower in followers:
        setting = written(follower.setting.node)
        if setting in ("false", "none"):
            continue
        words.append(follower.op.word if setting == "true" else setting)
    return "".join(f" + {word}" for word in words)


def _wiring(wiring: Wiring) -> str:
    parts = []
    if wiring.times is not None:
        parts.append(f"n={written(wiring.times.node)}")
    if wiring.inputs:
        parts.append("in " + ", ".join(scalar.text for scalar in wiring.inputs))
    if wiring.outputs:
        parts.append("out " + ", ".join(scalar.text for scalar in wiring.outputs))
    if wiring.when is not None:
        parts.append(f"when {written(wiring.when.node)}")
    if wiring.width is not None:
        rules = (f"{key} -> {rule.scalar.text}" for key, rule in wiring.width.items())
        parts.append("width " + ", ".join(rules))
    if wiring.name is not None:
        parts.append(f"as {wiring.name.scalar.text}")
    return "; ".join(parts)


def written(node: Node) -> str:
    """Return a value as it stands in the spec."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return "[" + ", ".join(written(item) for item in node.items) + "]"
    entries = (f"{key}: {written(entry.value)}" for key, entry in node.entries.items())
    return "{" + ", ".join(entries) + "}"


def _claim(claim: Claim) -> tuple[str, ...]:
    at = ", ".join(f"{name} {plain(value)}" for name, value in claim.at.items()) or "as it stands"
    numbers = []
    if claim.params is not None:
        numbers.append(f"{claim.params.text} params")
    if claim.macs is not None:
        numbers.append(f"{claim.macs.text} MACs")
    flavour = f"@{claim.flavour} " if claim.flavour else ""
    wrong = f"; wrong at its source: {claim.erratum}" if claim.erratum else ""
    return f"{flavour}{at}", claim.scope, ", ".join(numbers), claim.source + wrong


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Align cells of text in columns."""
    listed = [tuple(row) for row in rows]
    if not listed:
        return []
    count = max(len(row) for row in listed)
    padded = [row + ("",) * (count - len(row)) for row in listed]
    widths = [max(len(row[i]) for row in padded) for i in range(count)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in padded
    ]


def _data(definition: Definition) -> dict[str, Any]:
    return {
        "version": mbprof.__version__,
        "name": definition.name,
        "doc": definition.doc,
        "source": definition.source,
        "family": definition.family,
        "flavour": definition.flavour,
        "flavours": {each.name: each.doc for each in definition.flavours.values()},
        "presets": {each.name: dict(each.knobs) for each in definition.presets.values()},
        "padding": definition.padding,
        "scope": definition.scope,
        "knobs": {
            knob.name: {
                "default": knob.default,
                "type": knob.kind,
                "range": knob.range,
                "doc": knob.doc,
            }
            for knob in definition.knobs.values()
        },
        "width": {letter: rule.scalar.text for letter, rule in definition.width.items()},
        "blocks": {
            block.name: {key: at for key, at in _block_data(block).items() if key != "name"}
            for block in definition.blocks.values()
        },
        "body": [" ".join(filter(None, line)) for line in _table(definition.body)],
        "head": (
            [" ".join(filter(None, line)) for line in _table(definition.head)]
            if definition.head
            else []
        ),
    }

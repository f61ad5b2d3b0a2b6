"""A spec explained: where it comes from, its knobs, its blocks, its rows, what others claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Shape, Value, plain, spelled
from mbprof.language.source import Scalar
from mbprof.network.conventions import DEFAULT, UNITS, Convention
from mbprof.network.load import Spec
from mbprof.network.profile import Profile
from mbprof.network.rows import Total
from mbprof.network.speclike import SpecLike, as_spec
from mbprof.output import Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.pages.wiring import branches, draw, wires
from mbprof.spec import zoo
from mbprof.spec.block import LoneBlock, lone
from mbprof.spec.knobs import typed
from mbprof.spec.model import Block, Definition, Step, Table, Wiring, written
from mbprof.spec.sections import Claim

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class SpecPage(Result):
    """A spec explained: source, knobs, blocks, rows, claims."""

    spec: Spec
    convention: str = DEFAULT

    @property
    def brief(self) -> str:
        """The name, and what it is."""
        return self.spec.definition.brief

    def report(self, layout: str = "page") -> Report:
        """Explain the spec, as text and as plain data.

        Raises: UsageError: no such convention.
        """
        return spec_report(self.spec, self.convention)

    def to_frame(self) -> pandas.DataFrame:
        """Return the knobs as a pandas DataFrame."""
        import pandas

        knobs = [{"name": name, **knob} for name, knob in self.to_dict()["knobs"].items()]
        return pandas.DataFrame(knobs)


@dataclass(frozen=True, slots=True, repr=False)
class BlockPage(Result):
    """A block explained: source, arguments, steps, and what it costs at an input."""

    block: LoneBlock
    convention: str = DEFAULT

    @property
    def brief(self) -> str:
        """The block, its input and its arguments."""
        return self.block.title

    def report(self, layout: str = "page") -> Report:
        """Explain the block, as text and as plain data.

        Raises: UsageError: no such convention. MbprofError: it makes no network like that.
        """
        block, model = self.block, self.block.block
        profile = Spec(block.definition, alone=True).build().profile(self.convention)
        at = block.title.removeprefix(f"{block.name}, ")
        counted = f"{profile.convention.doc} (convention {profile.convention.name})"
        rows = [
            ("file", block.definition.path),
            ("at", at),
            ("cost", _costs(profile.total, profile.convention)),
            ("count", counted),
        ]
        data = {
            "name": model.name,
            "doc": model.doc,
            "source": model.source,
            "takes": {
                name: {
                    "default": written(argument.default.node) if argument.default else None,
                    "doc": argument.doc,
                }
                for name, argument in model.takes.items()
            },
            "body": _lines(model.body),
            "at": at,
            "params": profile.total.params,
            **profile.convention.named(profile.total.costs),
            **stamp(convention=profile.convention),
        }
        text = "\n".join([*_columns(rows), "", block_text(model)])
        return Report(block.name, (), (), data, text=text)


def show(
    spec: SpecLike,
    image: str | Shape | None = None,
    *,
    convention: str = DEFAULT,
    **knobs: Value,
) -> SpecPage | BlockPage:
    """Explain a network or a block: its source, knobs, blocks, rows and the claims of others.

    ``image`` is the input of a block, HEIGHTxWIDTHxCHANNELS or the three numbers.
    Raises: UsageError: no such spec or block, an image for a spec. MbprofError: see `load`.

    >>> show("mobilenet_v1").to_dict()["knobs"]["alpha"]["default"]
    1.0
    >>> show("dw_sep").to_dict()["macs"]
    29302784
    """
    return shown(spec, image, typed(knobs), convention)


def shown(
    spec: SpecLike,
    image: str | Shape | None = None,
    given: Mapping[str, Scalar] | None = None,
    convention: str = DEFAULT,
) -> SpecPage | BlockPage:
    """Explain a network or a block, see `show`; ``given`` is what was typed for knobs."""
    opened = zoo.open(str(spec), "spec or block") if isinstance(spec, str | Path) else None
    if isinstance(opened, zoo.OpenedBlock):
        return BlockPage(lone(opened, image, given), convention)
    if image is not None:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    own = as_spec(spec) if opened is None else Spec(opened.definition, str(spec))
    return SpecPage(as_spec(own.build_at(given)) if given else own, convention)


def spec_report(spec: Spec, convention: str = DEFAULT) -> Report:
    """Explain a spec, as text and as plain data.

    Raises: UsageError: no such convention.
    """
    definition = spec.definition
    profile = spec.build().profile(convention)
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
    presets = definition.presets.values()
    rows += [("preset", f"{preset.name}: {spelled(preset.knobs)}") for preset in presets]
    return _columns((name, value) for name, value in rows if value)


def _counted(profile: Profile, scope: str) -> list[str]:
    rows = []
    for name, total in profile.totals.items():
        default = ", the default" if name == scope else ""
        counts = _costs(total, profile.convention)
        rows.append(("scope", f"{name}{default}: {counts}"))
    if profile.convention.name != DEFAULT:
        rows.append(("count", f"{profile.convention.doc} (convention {profile.convention.name})"))
    return _columns(rows)


def _costs(total: Total, convention: Convention) -> str:
    costs = convention.named(total.costs).items()
    said = [f"{fmt.integer(cost)} {UNITS[name]}" for name, cost in costs]
    params = f"{fmt.integer(total.params)} params"
    return ", ".join([fmt.several(total.layers, "layer"), params, *said])


def _knobs(definition: Definition) -> Iterable[tuple[str, ...]]:
    for knob in definition.knobs.values():
        yield knob.name, plain(knob.default), knob.range, knob.doc


def _block(block: Block) -> list[str]:
    takes = []
    for argument in block.takes.values():
        default = f" = {written(argument.default.node)}" if argument.default else ""
        takes.append(f"{argument.name}{default}")
    lines = [f"  {block.name}({', '.join(takes)})"]
    lines += [f"      {text}" for text in (block.doc, block.source) if text]
    meanings = [(taken.name, taken.doc) for taken in block.takes.values() if taken.doc]
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
        if not step.drawn and not _wiring(step.wiring):
            yield from _rows(step)
            continue
        yield _cells(step)
        yield from ((f"  {first}", *rest) for first, *rest in _rows(step))


def _rows(step: Step) -> Iterator[tuple[str, ...]]:
    """Yield the steps of the tables in a step."""
    return (row for table in step.tables for row in _table(table))


def _cells(step: Step) -> tuple[str, str, str]:
    """Return a step as cells: the op or block, its fields, what else it says."""
    return *step.label, _wiring(step.wiring)


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


def _claim(claim: Claim) -> tuple[str, ...]:
    at = spelled(claim.at) or "as it stands"
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
        **stamp(),
        "name": definition.name,
        "doc": definition.doc,
        "source": definition.source,
        "family": definition.family,
        "flavour": definition.flavour,
        "flavours": {name: flavour.doc for name, flavour in definition.flavours.items()},
        "presets": {name: dict(preset.knobs) for name, preset in definition.presets.items()},
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
            block.name: {
                "doc": block.doc,
                "source": block.source,
                "takes": list(block.takes),
                "body": _lines(block.body),
            }
            for block in definition.blocks.values()
        },
        "body": _lines(definition.body),
        "head": _lines(definition.head) if definition.head else [],
    }


def _lines(table: Table) -> list[str]:
    return [" ".join(filter(None, cells)) for cells in _table(table)]

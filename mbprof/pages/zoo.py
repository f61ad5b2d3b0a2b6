"""A spec or a block explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Images, Value, plain, spelled
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.network.conventions import DEFAULT, UNITS
from mbprof.network.load import Spec, SpecLike, alone, as_spec
from mbprof.network.profile import Profile
from mbprof.network.rows import Total
from mbprof.network.sizes import in_words
from mbprof.output import Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.pages.wiring import block_lines, block_text, columns, table_lines, table_rows
from mbprof.spec import zoo
from mbprof.spec.block import LoneBlock
from mbprof.spec.knobs import typed
from mbprof.spec.model import Definition, written
from mbprof.spec.sections import Claim

if TYPE_CHECKING:
    import pandas


@record
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


@record
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
        network = Spec(block.definition, alone=True).build()
        profile, sizes = network.profile(self.convention), in_words(block.definition, network.knobs)
        at = block.title.removeprefix(f"{block.name}, ")
        rows = (
            ("file", block.definition.path),
            ("at", at),
            ("sizes", sizes),
            ("cost", _costs(profile.total, profile)),
            ("count", f"{profile.convention.doc} (convention {profile.convention.name})"),
        )
        data = {
            "name": model.name,
            "doc": model.doc,
            "source": model.source,
            "takes": {
                name: {"default": written(a.default.node) if a.default else None, "doc": a.doc}
                for name, a in model.takes.items()
            },
            "body": table_lines(model.body),
            "at": at,
            "sizes": sizes,
            "params": profile.total.params,
            **profile.convention.named(profile.total.costs),
            **stamp(convention=profile.convention),
        }
        text = "\n".join([*columns(rows), "", block_text(model)])
        return Report(block.name, (), (), data, text=text)


def show(
    spec: SpecLike, image: Images = None, *, convention: str = DEFAULT, **knobs: Value
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
    image: Images = None,
    given: Mapping[str, Scalar] | None = None,
    convention: str = DEFAULT,
) -> SpecPage | BlockPage:
    """Explain a network or a block, see `show`; ``given`` is what was typed for knobs."""
    named = isinstance(spec, str | Path)
    opened = zoo.open(str(spec), "spec or block", given or {}) if named else None
    if isinstance(opened, zoo.OpenedBlock):
        return BlockPage(alone(opened, image, given), convention)
    if image:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    own = as_spec(spec) if opened is None else Spec(opened.definition, str(spec))
    return SpecPage(as_spec(own.build_at(given)) if given else own, convention)


def spec_report(spec: Spec, convention: str = DEFAULT) -> Report:
    """Explain a spec, as text and as plain data.

    Raises: UsageError: no such convention.
    """
    definition = spec.definition
    profile, sizes = spec.build().profile(convention), in_words(definition, spec.knobs)
    knobs = ((k.name, plain(k.default), k.range, k.doc) for k in definition.knobs.values())
    parts = {"knobs": columns(knobs), **drawings(definition)}
    parts["published"] = columns(claimed(claim) for claim in definition.published)
    lines = [*_head(definition, sizes), *_counted(profile, definition.scope)]
    for title, part in parts.items():
        lines += ["", title, *part] if part else ()
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return Report(definition.name, (), (), {**_data(definition), "sizes": sizes}, text=text)


def drawings(definition: Definition) -> dict[str, list[str]]:
    """Return the width rule, the blocks and the rows of a spec, each as lines below a title."""
    width = ((letter, "->", rule.scalar.text) for letter, rule in definition.width.items())
    blocks = [line for block in definition.blocks.values() for line in (*block_lines(block), "")]
    parts = {"width rule, for the rows of body and head": columns(width), "blocks": blocks[:-1]}
    for title, table in (("body", definition.body), ("head", definition.head)):
        if table is not None:
            named = f", named {table.names.scalar.text}" if table.names else ""
            parts[title + named] = columns(table_rows(table))
    return parts


def _head(definition: Definition, sizes: str) -> list[str]:
    this = definition.flavour
    rows = [
        ("what", definition.doc),
        ("source", definition.source),
        ("file", definition.path),
        *_ports(definition),
        ("sizes", sizes),
        ("same", f"padding as {definition.padding}"),
        *(
            ("flavour", f"@{f.name}{' (this one)' if f.name == this else ''}: {f.doc}")
            for f in definition.flavours.values()
        ),
        *(("preset", f"{p.name}: {spelled(p.knobs)}") for p in definition.presets.values()),
    ]
    return columns((name, value) for name, value in rows if value)


def _ports(definition: Definition) -> Iterator[tuple[str, str]]:
    """Yield the inputs by their names, and the results if they have names."""
    for wanted in definition.inputs:
        said = written(wanted.shape.node) if wanted.shape else ""
        if wanted.channels is not None:
            res: Any = definition.knobs[wanted.res].default or definition.knobs["res"].default
            deep = definition.knobs[wanted.knob].default if wanted.knob else None
            said = f"{deep or written(wanted.channels.node)}×{res[0]}×{res[1]}"
        yield wanted.name, said
    yield "outputs", ", ".join(name.text for name in definition.outputs)


def _counted(profile: Profile, scope: str) -> list[str]:
    rows = [
        ("scope", f"{name}{', the default' if name == scope else ''}: {_costs(total, profile)}")
        for name, total in profile.totals.items()
    ]
    if profile.convention.name != DEFAULT:
        rows.append(("count", f"{profile.convention.doc} (convention {profile.convention.name})"))
    return columns(rows)


def _costs(total: Total, profile: Profile) -> str:
    costs = profile.convention.named(total.costs)
    counts = {"params": total.params, **{UNITS[name]: cost for name, cost in costs.items()}}
    said = (f"{fmt.integer(count)} {what}" for what, count in counts.items())
    return ", ".join([fmt.several(total.layers, "layer"), *said])


def claimed(claim: Claim) -> tuple[str, ...]:
    """Return what somebody said of a network: at which knobs, of what, how much, and where."""
    at = spelled(claim.at) or "as it stands"
    pairs = (claim.params, "params"), (claim.macs, "MACs")
    numbers = [f"{number.text} {what}" for number, what in pairs if number is not None]
    flavour = f"@{claim.flavour} " if claim.flavour else ""
    wrong = f"; wrong at its source: {claim.erratum}" if claim.erratum else ""
    return f"{flavour}{at}", claim.scope, ", ".join(numbers), claim.source + wrong


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
        "outputs": [name.text for name in definition.outputs],
        "scope": definition.scope,
        "knobs": {
            name: {"default": k.default, "type": k.kind, "range": k.range, "doc": k.doc}
            for name, k in definition.knobs.items()
        },
        "width": {letter: rule.scalar.text for letter, rule in definition.width.items()},
        "blocks": {
            block.name: {
                "doc": block.doc,
                "source": block.source,
                "takes": list(block.takes),
                "body": table_lines(block.body),
            }
            for block in definition.blocks.values()
        },
        "body": table_lines(definition.body),
        "head": table_lines(definition.head) if definition.head else [],
    }

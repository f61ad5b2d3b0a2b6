"""The zoo as a list, with what each network and block costs; and a spec or a block explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mbprof.errors import UsageError, nearest, unknown
from mbprof.language import fmt
from mbprof.language.fmt import Shape, Value, plain, spelled
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.conventions import DEFAULT, UNITS, Convention
from mbprof.network.load import Spec, SpecLike, as_spec, load
from mbprof.network.profile import Profile, cost_columns
from mbprof.network.rows import Total, totals
from mbprof.network.sizes import in_words
from mbprof.output import Column, Note, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.pages.wiring import block_lines, block_text, columns, table_lines, table_rows
from mbprof.spec import names as spec_names
from mbprof.spec import zoo
from mbprof.spec.block import LoneBlock, lone
from mbprof.spec.knobs import builtin, typed
from mbprof.spec.model import Definition, written
from mbprof.spec.names import Known
from mbprof.spec.sections import Claim, chosen_scope

if TYPE_CHECKING:
    import pandas

COMMON = tuple(builtin(None))


class ZooEntry(NamedTuple):
    """A name of the zoo and what its defaults cost: params, and the measures of a convention.

    ``convention`` is the name or file that was asked for.
    """

    name: str
    family: str
    doc: str
    source: str
    flavours: tuple[str, ...]
    knobs: tuple[str, ...]
    scope: str
    convention: str
    params: int
    costs: Mapping[str, int]

    def __repr__(self) -> str:
        costs = (f", {cost:,} {UNITS[name]}" for name, cost in self.costs.items())
        return line(self, f"{self.name}: {self.params:,} params{''.join(costs)}")


class Catalogue(Result, tuple[ZooEntry, ...]):
    """Networks of the zoo, by family and name."""

    __slots__ = ()

    def report(self, layout: str = "page") -> Report:
        """Lay the catalogue out."""
        convention = conventions.load(self[0].convention)
        shown = (
            Column("family", "family", "the family", once=True),
            Column("name", "name", "the name to type"),
            Column("flavours", "flavours", "implementations, NAME@FLAVOUR", ", ".join, yields=4),
            Column("knobs", "knobs", "what can be set", ", ".join, yields=2, wraps=True),
            Column("scope", "scope", "what is counted", yields=3),
            *cost_columns(convention),
            Column("source", "source", "the paper or code", yields=1, wraps=True),
        )
        left_out = {"costs", "convention"}
        every = [entry._asdict() | {**entry.costs} for entry in self]
        rows = tuple({k: row[k] for k in row if k not in left_out} for row in every)
        return Report(
            title=fmt.several(len(rows), "network"),
            columns=shown,
            rows=rows,
            data=[{**row, **stamp(convention=convention.name)} for row in rows],
            notes=(
                f"Every network also has the knobs {', '.join(COMMON)}.",
                Note(
                    "mbprof show NAME explains one; mbprof table NAME costs it layer by layer.",
                    'load("NAME") returns one; its table costs it layer by layer.',
                ),
            ),
            known=(*shown, Column("doc", "what", "what it is", wraps=True)),
            listed="",
        )


def catalogue(text: str = "", convention: str = DEFAULT, scope: str | None = None) -> Catalogue:
    """Return the specs and presets whose name or family holds a text, by family and name.

    Raises: UsageError: there are none; no such convention or scope.

    >>> [entry.costs for entry in catalogue("V1_cifar")]
    [{'macs': 46354432}]
    """
    wanted, names = text.lower(), zoo.names()
    held = [n for n in names if wanted in n or wanted in load(n).definition.family.lower()]
    if not held:
        raise UsageError(f"no name or family holds {text!r}", hint=nearest(text, names))
    entries = [_entry(name, convention, scope) for name in held]
    return Catalogue(sorted(entries, key=lambda entry: (entry.family.lower(), entry.name)))


def _entry(name: str, convention: str, scope: str | None) -> ZooEntry:
    spec, counts = load(name), conventions.load(convention)
    definition = spec.definition
    chosen = chosen_scope(scope, definition.scope)
    count = totals(spec.build().compiled, convention, chosen)
    return ZooEntry(
        name,
        definition.family,
        definition.doc,
        definition.source,
        tuple(definition.flavours),
        tuple(name for name in definition.knobs if name not in COMMON),
        chosen,
        convention,
        count.params,
        counts.named(count.costs),
    )


@dataclass(frozen=True, slots=True, repr=False)
class Library(Result):
    """Blocks of the library, each at its example, under a convention."""

    blocks: tuple[LoneBlock, ...]
    convention: str = DEFAULT

    def report(self, layout: str = "page") -> Report:
        """Lay the library out.

        Raises: UsageError: no such convention.
        """
        convention = conventions.load(self.convention)
        rows = tuple(self._row(block, convention) for block in self.blocks)
        return Report(
            title=f"{fmt.several(len(rows), 'block')} of the library",
            columns=(
                Column("name", "block", "the name to type"),
                Column("arguments", "takes", "its arguments", ", ".join, yields=3, wraps=True),
                Column("example", "at", "its input and arguments", yields=2, wraps=True),
                *cost_columns(convention),
                Column("doc", "what", "what it is", wraps=True),
                Column("source", "source", "the paper or code", yields=4, wraps=True),
            ),
            rows=rows,
            data=[{**row, **stamp(convention=convention.name)} for row in rows],
            notes=(
                Note(
                    "mbprof show BLOCK explains one; mbprof block BLOCK sets it beside others.",
                    'show("BLOCK") explains one; block("BLOCK") sets it beside others.',
                ),
            ),
            listed="",
        )

    def _row(self, block: LoneBlock, convention: Convention) -> dict[str, Any]:
        count = totals(Spec(block.definition, alone=True).build().compiled, convention.name, "all")
        return {
            "name": block.name,
            "arguments": tuple(block.block.takes),
            "example": block.title.removeprefix(f"{block.name}, "),
            "params": count.params,
            **convention.named(count.costs),
            "doc": block.block.doc,
            "source": block.block.source,
        }


def library(text: str = "", convention: str = DEFAULT) -> Library:
    """Return the blocks of the library whose name or meaning holds a text.

    Raises: UsageError: there are none.

    >>> [row["macs"] for row in library("dw_sep").report().rows]
    [29302784]
    """
    wanted, names = text.lower(), zoo.block_names()
    blocks = tuple(lone(zoo.open_block(name)) for name in names)
    held = tuple(b for b in blocks if wanted in b.name or wanted in b.block.doc.lower())
    if not held:
        raise UsageError(f"no block's name or meaning holds {text!r}", hint=nearest(text, names))
    return Library(held, convention)


@dataclass(frozen=True, slots=True, repr=False)
class LibraryNames(Result):
    """What a library calls networks of the zoo."""

    owner: str
    known: tuple[Known, ...]

    def report(self, layout: str = "page") -> Report:
        """Lay the names out, each with the spec that it is and the knobs that the library sets."""
        return Report(
            title=f"{fmt.several(len(self.known), 'network')} of {self.owner}",
            columns=(
                Column("name", "name", f"to type, behind {self.owner}:"),
                Column("spec", "spec", "the spec of the zoo that it is"),
                Column("knobs", "with", "what the library sets", spelled, wraps=True),
            ),
            rows=tuple(known._asdict() for known in self.known),
            data=[known._asdict() for known in self.known],
            listed="",
        )


def library_names(library: str, text: str = "") -> LibraryNames:
    """Return the networks of the zoo by the names that a library has for them.

    Raises: UsageError: no such library, or no name that holds the text.

    >>> [known.spec for known in library_names("torchvision", "wide_resnet50").known]
    ['wide_resnet50_2']
    """
    folder = zoo.folder()
    if library not in (libraries := spec_names.libraries(folder)):
        raise unknown("library", library, libraries)
    names = spec_names.names(folder, library)
    held = tuple(known for name, known in names.items() if text.lower() in name.lower())
    if not held:
        raise UsageError(f"no name of {library} holds {text!r}", hint=nearest(text, names))
    return LibraryNames(library, held)


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
    spec: SpecLike, image: str | Shape | None = None, *, convention: str = DEFAULT, **knobs: Value
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
    profile, sizes = spec.build().profile(convention), in_words(definition, spec.knobs)
    knobs = ((k.name, plain(k.default), k.range, k.doc) for k in definition.knobs.values())
    width = ((letter, "->", rule.scalar.text) for letter, rule in definition.width.items())
    blocks = [line for block in definition.blocks.values() for line in (*block_lines(block), "")]
    parts = {
        "knobs": columns(knobs),
        "width rule, for the rows of body and head": columns(width),
        "blocks": blocks[:-1],
    }
    for title, table in (("body", definition.body), ("head", definition.head)):
        if table is not None:
            named = f", named {table.names.scalar.text}" if table.names else ""
            parts[title + named] = columns(table_rows(table))
    parts["published"] = columns(_claim(claim) for claim in definition.published)
    lines = [*_head(definition, sizes), *_counted(profile, definition.scope)]
    for title, part in parts.items():
        lines += ["", title, *part] if part else ()
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return Report(definition.name, (), (), {**_data(definition), "sizes": sizes}, text=text)


def _head(definition: Definition, sizes: str) -> list[str]:
    image: Any = definition.knobs["res"].default
    this = definition.flavour
    rows = [
        ("what", definition.doc),
        ("source", definition.source),
        ("file", definition.path),
        ("input", f"{written(definition.channels.node)}×{image[0]}×{image[1]}"),
        ("sizes", sizes),
        ("same", f"padding as {definition.padding}"),
        *(
            ("flavour", f"@{f.name}{' (this one)' if f.name == this else ''}: {f.doc}")
            for f in definition.flavours.values()
        ),
        *(("preset", f"{p.name}: {spelled(p.knobs)}") for p in definition.presets.values()),
    ]
    return columns((name, value) for name, value in rows if value)


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


def _claim(claim: Claim) -> tuple[str, ...]:
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

"""The zoo as a list: what each network and block costs, and what libraries call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbprof.errors import UsageError, nearest, unknown
from mbprof.language import fmt
from mbprof.language.fmt import spelled
from mbprof.language.record import NamedTuple, record
from mbprof.network import conventions
from mbprof.network.columns import cost_columns
from mbprof.network.conventions import DEFAULT, UNITS, Convention
from mbprof.network.load import Spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Note, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.spec import folders, index, zoo
from mbprof.spec import names as spec_names
from mbprof.spec.block import LoneBlock, lone
from mbprof.spec.knobs import USUAL
from mbprof.spec.names import Known
from mbprof.spec.sections import chosen_scope

COMMON = USUAL


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
    wanted, indexed = text.lower(), index.rows(folders.folder()) or {}
    names = sorted(indexed or zoo.names())

    def family(name: str) -> str:
        return indexed[name]["family"] if name in indexed else load(name).definition.family

    held = [name for name in names if wanted in name or wanted in family(name).lower()]
    if not held:
        raise UsageError(f"no name or family holds {text!r}", hint=nearest(text, names))
    usual = (convention, scope) == (DEFAULT, None)
    entries = [
        _indexed(indexed[name]) if usual and name in indexed else _entry(name, convention, scope)
        for name in held
    ]
    return Catalogue(sorted(entries, key=lambda entry: (entry.family.lower(), entry.name)))


def index_of_the_zoo() -> str:
    """Return the text of ``specs/index.csv``: each name built with its defaults."""
    folder = folders.folder()
    entries = [_entry(name, DEFAULT, None)._asdict() for name in zoo.names()]
    joined = {"flavours": " ".join, "knobs": " ".join}
    return index.written(
        folder,
        [
            {
                name: joined.get(name, str)(({**entry, **entry["costs"]})[name])
                for name in index.COLUMNS
            }
            for entry in entries
        ],
    )


def _indexed(row: dict[str, str]) -> ZooEntry:
    """Return an entry as the index has it."""
    return ZooEntry(
        row["name"],
        row["family"],
        row["doc"],
        row["source"],
        tuple(row["flavours"].split()),
        tuple(row["knobs"].split()),
        row["scope"],
        DEFAULT,
        int(row["params"]),
        {"macs": int(row["macs"])},
    )


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


@record
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


@record
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
    folder = folders.folder()
    if library not in (libraries := spec_names.libraries(folder)):
        raise unknown("library", library, libraries)
    names = spec_names.names(folder, library)
    held = tuple(known for name, known in names.items() if text.lower() in name.lower())
    if not held:
        raise UsageError(f"no name of {library} holds {text!r}", hint=nearest(text, names))
    return LibraryNames(library, held)

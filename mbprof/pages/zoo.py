"""The zoo as a list: every name with its knobs and what it costs as it stands."""

from __future__ import annotations

from dataclasses import dataclass

from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.network.conventions import DEFAULT
from mbprof.network.load import load
from mbprof.output import Column, Note, Report
from mbprof.output.result import Brief, Result
from mbprof.output.stamp import stamp
from mbprof.spec import zoo
from mbprof.spec.knobs import builtin

COMMON = tuple(builtin(None))


@dataclass(frozen=True, slots=True, repr=False)
class ZooEntry(Brief):
    """A name of the zoo and the cost of its defaults under the convention ``kernels``."""

    name: str
    family: str
    doc: str
    source: str
    flavours: tuple[str, ...]
    knobs: tuple[str, ...]
    scope: str
    params: int
    macs: int

    @property
    def brief(self) -> str:
        """The name and what it costs."""
        return f"{self.name}: {fmt.integer(self.params)} params, {fmt.integer(self.macs)} MACs"


class Catalogue(Result, tuple[ZooEntry, ...]):
    """Networks of the zoo, by family and name."""

    __slots__ = ()

    def report(self, layout: str = "page") -> Report:
        """Lay the catalogue out."""
        return _report(self)


def catalogue(text: str = "") -> Catalogue:
    """Return the specs and presets whose name or family holds a text, by family and name.

    Raises: UsageError: there are none.

    >>> [entry.macs for entry in catalogue("V1_cifar")]
    [46354432]
    """
    wanted = text.lower()
    names = [
        name
        for name in zoo.names()
        if wanted in name or wanted in load(name).definition.family.lower()
    ]
    if not names:
        raise UsageError(f"no name or family holds {text!r}", hint=nearest(text, zoo.names()))
    return Catalogue(sorted(map(_entry, names), key=lambda e: (e.family.lower(), e.name)))


def _entry(name: str) -> ZooEntry:
    spec = load(name)
    definition = spec.definition
    profile = spec.build().profile()
    return ZooEntry(
        name,
        definition.family,
        definition.doc,
        definition.source,
        tuple(definition.flavours),
        tuple(name for name in definition.knobs if name not in COMMON),
        profile.scope,
        profile.total.params,
        profile.total.cost,
    )


def _report(entries: Catalogue) -> Report:
    columns = (
        Column("family", "family", "the family", once=True),
        Column("name", "name", "the name to type"),
        Column("flavours", "flavours", "implementations, NAME@FLAVOUR", ", ".join, yields=4),
        Column("knobs", "knobs", "what can be set", ", ".join, yields=2, wraps=True),
        Column("scope", "scope", "what is counted", yields=3),
        Column("params", "params", "kernels of convolution and linear layers", fmt.integer, True),
        Column("macs", "MACs", "multiply-accumulates of the same layers", fmt.integer, True),
        Column("source", "source", "the paper or code", yields=1, wraps=True),
    )
    rows = tuple(entry.fields() for entry in entries)
    return Report(
        title=fmt.several(len(rows), "network"),
        columns=columns,
        rows=rows,
        data=[{**row, **stamp(convention=DEFAULT)} for row in rows],
        notes=(
            f"Every network also has the knobs {', '.join(COMMON)}.",
            Note(
                "mbprof show NAME explains one; mbprof table NAME costs it layer by layer.",
                'load("NAME") returns one; its table costs it layer by layer.',
            ),
        ),
    )

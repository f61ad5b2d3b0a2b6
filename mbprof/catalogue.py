"""The zoo as a list: every name with its knobs and what it costs as it stands."""

from __future__ import annotations

from dataclasses import dataclass

from mbprof import fmt, zoo
from mbprof.network import load
from mbprof.reports import Column, Report
from mbprof.spec.knobs import builtin

COMMON = tuple(builtin(None))


@dataclass(frozen=True, slots=True)
class Entry:
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


def catalogue() -> tuple[Entry, ...]:
    """Return every spec and preset of the zoo, by family and name.

    >>> [entry.macs for entry in catalogue() if entry.name == "mobilenet_v1"]
    [567716352]
    """
    entries = [_entry(name) for name in zoo.names()]
    return tuple(sorted(entries, key=lambda entry: (entry.family.lower(), entry.name)))


def _entry(name: str) -> Entry:
    spec = load(name)
    definition = spec.definition
    profile = spec.build().profile()
    return Entry(
        name,
        definition.family,
        definition.doc,
        definition.source,
        tuple(definition.flavours),
        tuple(name for name in definition.knobs if name not in COMMON),
        profile.scope,
        profile.total.params,
        profile.total.macs,
    )


def catalogue_report() -> Report:
    """Lay out the catalogue."""
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
    rows = tuple(
        {name: getattr(entry, name) for name in Entry.__dataclass_fields__} for entry in catalogue()
    )
    return Report(
        title=f"{len(rows)} networks",
        columns=columns,
        rows=rows,
        data=[dict(row) for row in rows],
        notes=(
            f"Every network also has the knobs {', '.join(COMMON)}.",
            "mbprof show NAME explains one; mbprof table NAME costs it layer by layer.",
        ),
    )

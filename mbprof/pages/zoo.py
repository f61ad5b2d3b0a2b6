"""The zoo and the block library as lists: every name with what it costs as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import mbprof
from mbprof.errors import UsageError, nearest
from mbprof.network import conventions
from mbprof.network.block import alone
from mbprof.network.conventions import DEFAULT
from mbprof.network.load import load
from mbprof.network.profile import costed, scoped
from mbprof.network.table import cost_columns
from mbprof.output import Column, Report
from mbprof.spec import zoo
from mbprof.spec.knobs import builtin

COMMON = tuple(builtin(None))


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the zoo and the cost of its defaults; ``costs`` are params and the measures."""

    name: str
    family: str
    doc: str
    source: str
    flavours: tuple[str, ...]
    knobs: tuple[str, ...]
    scope: str
    costs: dict[str, int]


def catalogue(
    text: str = "", convention: str = DEFAULT, scope: str | None = None
) -> tuple[Entry, ...]:
    """Return the specs and presets whose name or family holds a text, by family and name.

    Raises: UsageError: there are none; no such convention or scope.

    >>> [entry.costs["macs"] for entry in catalogue("V1_cifar")]
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
    entries = [_entry(name, convention, scope) for name in names]
    return tuple(sorted(entries, key=lambda entry: (entry.family.lower(), entry.name)))


def _entry(name: str, convention: str, scope: str | None) -> Entry:
    spec = load(name)
    definition = spec.definition
    chosen = scoped(scope or definition.scope)
    return Entry(
        name,
        definition.family,
        definition.doc,
        definition.source,
        tuple(definition.flavours),
        tuple(name for name in definition.knobs if name not in COMMON),
        chosen,
        costed(spec.build().compiled, convention, chosen),
    )


_SOURCE = Column("source", "source", "the paper or code", yields=1, wraps=True)


def catalogue_report(text: str = "", convention: str = DEFAULT, scope: str | None = None) -> Report:
    """Lay out the catalogue, see `catalogue`."""
    doc = Column("doc", "what", "what it is", yields=1, wraps=True)
    columns = (
        Column("family", "family", "the family", once=True),
        Column("name", "name", "the name to type"),
        Column("flavours", "flavours", "implementations, NAME@FLAVOUR", ", ".join, yields=4),
        Column("knobs", "knobs", "what can be set", ", ".join, yields=2, wraps=True),
        Column("scope", "scope", "what is counted", yields=3),
        *cost_columns(conventions.load(convention)),
        _SOURCE,
    )
    fields = [name for name in Entry.__dataclass_fields__ if name != "costs"]
    rows = tuple(
        {name: getattr(entry, name) for name in fields} | entry.costs
        for entry in catalogue(text, convention, scope)
    )
    return Report(
        title=f"{len(rows)} networks",
        columns=columns,
        rows=rows,
        data=[_stamped(row, convention) for row in rows],
        notes=(
            f"Every network also has the knobs {', '.join(COMMON)}.",
            "mbprof show NAME explains one; mbprof table NAME costs it layer by layer.",
        ),
        known=(*columns, doc),
        listed="",
    )


def _stamped(row: Mapping[str, Any], convention: str) -> dict[str, Any]:
    return {**row, "convention": convention, "version": mbprof.__version__}


def blocks_report(text: str = "", convention: str = DEFAULT) -> Report:
    """Lay out the block library: the blocks whose name or meaning holds a text, at their examples.

    Raises: UsageError: there are none; no such convention.

    >>> [row["macs"] for row in blocks_report("dw_sep").rows]
    [29302784]
    """
    wanted, names = text.lower(), zoo.block_names()
    blocks = [alone(name) for name in names]
    rows = tuple(
        {
            "name": block.name,
            "arguments": tuple(block.block.takes),
            "example": block.title.removeprefix(f"{block.name}, "),
            **costed(block.build().compiled, convention, "all"),
            "doc": block.block.doc,
            "source": block.block.source,
        }
        for block in blocks
        if wanted in block.name or wanted in block.block.doc.lower()
    )
    if not rows:
        raise UsageError(f"no block's name or meaning holds {text!r}", hint=nearest(text, names))
    return Report(
        title=f"{len(rows)} block{'' if len(rows) == 1 else 's'} of the library",
        columns=(
            Column("name", "block", "the name to type"),
            Column("arguments", "takes", "its arguments", ", ".join, yields=3, wraps=True),
            Column("example", "at", "its input and arguments", yields=2, wraps=True),
            *cost_columns(conventions.load(convention)),
            Column("doc", "what", "what it is", wraps=True),
            replace(_SOURCE, yields=4),
        ),
        rows=rows,
        data=[_stamped(row, convention) for row in rows],
        notes=("mbprof show BLOCK explains one; mbprof block BLOCK sets it beside other blocks.",),
        listed="",
    )

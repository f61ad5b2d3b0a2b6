"""Claims: numbers that others published about a network, read with their rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mbprof.errors import Loc, SpecError, unknown
from mbprof.language.counts import Quantity, quantity
from mbprof.language.source import Entry, Map, Node, Scalar
from mbprof.language.tree import known_keys, mapping, one_of, required, sequence, text, word, words
from mbprof.language.values import Value, parse

SCOPES = ("body", "all")
"""What of a network is counted: it without its head, or all of it."""
KEYS = (
    "at", "flavour", "preset", "scope", "convention", "params", "macs", "rounding", "source",
    "erratum",
)  # fmt: skip
ROUNDINGS = ("nearest", "down")


def chosen_scope(asked: str | None, usual: str = "all") -> str:
    """Return the scope that is asked for, or the usual one.

    Raises: UsageError: no such scope.
    """
    scope = asked or usual
    if scope not in SCOPES:
        raise unknown("scope", scope, SCOPES)
    return scope


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody published: at which knobs, of which flavour, counted how."""

    loc: Loc
    source: str
    at: Mapping[str, Value]
    flavour: str | None
    preset: str | None
    scope: str
    convention: str
    params: Quantity | None
    macs: Quantity | None
    erratum: str | None


def claims(node: Node | None) -> tuple[Claim, ...]:
    """Read ``published:``; an item with ``columns`` and ``rows`` stands for a claim each row.

    Whether the knobs exist is seen when a claim is recomputed, since a flavour has its own.
    Raises: SpecError: an unknown key, a number that is none.
    """
    items = sequence(node, "published").items if node else ()
    return tuple(
        _claim(entries) for item in items for entries in _expanded(mapping(item, "a claim"))
    )


def _expanded(item: Map) -> Iterator[Map]:
    columns, rows = item.get("columns"), item.get("rows")
    if columns is None and rows is None:
        yield item
        return
    names = words(required(item, "columns", "a table of claims"), "columns")
    common = {key: entry for key, entry in item.entries.items() if key not in ("columns", "rows")}
    for row in sequence(required(item, "rows", "a table of claims"), "rows").items:
        cells = sequence(row, "a row").items
        if len(cells) != len(names):
            raise SpecError(f"the row has {len(cells)} cells for {len(names)} columns", row.loc)
        yield _row(common, names, cells, row)


def _row(
    common: Mapping[str, Entry],
    names: tuple[Scalar, ...],
    cells: tuple[Node, ...],
    row: Node,
) -> Map:
    entries, at = dict(common), {}
    for name, cell in zip(names, cells, strict=True):
        if isinstance(cell, Scalar) and cell.text == "-":
            continue
        if name.text in KEYS:
            entries[name.text] = Entry(name, cell)
        else:
            at[name.text] = Entry(name, cell)
    shared = common["at"].value if "at" in common else None
    if isinstance(shared, Map):
        at = {**shared.entries, **at}
    entries["at"] = Entry(Scalar("at", row.loc), Map(at, row.loc))
    return Map(entries, row.loc)


def _claim(node: Map) -> Claim:
    known_keys(node, KEYS, "a claim")
    at = node.get("at")
    settings = mapping(at, "at").entries if at else {}
    rounding = one_of(node, "rounding", ROUNDINGS, "nearest")
    counts = {
        key: quantity(word(value, key), key).rounded(rounding)
        for key in ("params", "macs")
        if (value := node.get(key)) is not None
    }
    if not counts:
        raise SpecError("a claim needs params or macs", node.loc)
    return Claim(
        loc=node.loc,
        source=word(required(node, "source", "a claim"), "source").text,
        at={key: parse(word(entry.value, key).text) for key, entry in settings.items()},
        flavour=text(node, "flavour") or None,
        preset=text(node, "preset") or None,
        scope=one_of(node, "scope", SCOPES, "all"),
        convention=text(node, "convention", "kernels"),
        params=counts.get("params"),
        macs=counts.get("macs"),
        erratum=text(node, "erratum") or None,
    )

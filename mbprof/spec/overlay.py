"""One tree laid over another: how ``extend`` and a flavour state only what differs.

Mappings are merged key by key, lists and single values replaced; ``none`` takes away a key of the
spec, or an entry of one, such as a knob, a block, a flavour or a row. Rows are changed one by one
with ``rows: {NUMBER: {key: value}}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mbprof.errors import SpecError, nearest
from mbprof.language.fmt import several
from mbprof.language.source import Entry, Map, Node, Scalar, Seq, left_out

_NUMBER = "[0-9]{1,9}"

Merge = Callable[[Node, Node], Node]
"""Lays a new value over an old one."""


def overlay(base: Map, changes: Map, drop: tuple[str, ...], skip: tuple[str, ...] = ()) -> Map:
    """Return ``base`` with ``changes`` laid over it.

    Of the base the keys in ``skip`` are left out, of both those in ``drop``.

    Raises: SpecError: a change of a row that is not there.
    """
    kept = {key: entry for key, entry in base.entries.items() if key not in (*drop, *skip)}
    stated = {
        key: entry
        for key, entry in changes.entries.items()
        if key not in drop and (key in kept or not _removes(entry.value))
    }
    return _merged(Map(kept, base.loc), Map(stated, changes.loc), _KEYS.get, removes=True)


def _removes(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == "none" and not node.quoted


def _merged(old: Map, new: Map, how: Callable[[str], Merge | None], removes: bool) -> Map:
    """Merge two mappings; ``how`` returns what merges a key, None for one that is replaced."""
    entries = dict(old.entries)
    for key, entry in new.entries.items():
        merge = how(key)
        if removes and _removes(entry.value):
            if entries.pop(key, None) is None:
                entries[key] = entry  # What reads it says that none is no value there.
        elif key in entries and merge is not None:
            entries[key] = Entry(entry.key, merge(entries[key].value, entry.value))
        else:
            entries[key] = entry
    return Map(entries, new.loc)


def _mapping(inner: Merge | Mapping[str, Merge] | None = None, removes: bool = False) -> Merge:
    """Return what merges mappings, their values by ``inner``; where ``removes``, none is none."""
    how = inner.get if isinstance(inner, Mapping) else lambda key: inner

    def merge(old: Node, new: Node) -> Node:
        if isinstance(old, Map) and isinstance(new, Map):
            return _merged(old, new, how, removes)
        return new

    return merge


def _table(old: Node, new: Node) -> Node:
    """Lay a table over a table; a list, or new rows in full, replace the old rows."""
    if not isinstance(new, Map):
        return new
    if not isinstance(old, Map):
        old = Map({"rows": Entry(Scalar("rows", old.loc), old)}, old.loc)
    entries = dict(old.entries)
    for key, entry in new.entries.items():
        if key == "rows" and isinstance(entry.value, Map):
            entries["rows"] = Entry(entry.key, _rows(old, entry.value))
        else:
            entries[key] = entry
    if isinstance(new.get("rows"), Seq) and new.get("columns") is None:
        entries.pop("columns", None)
    return Map(entries, new.loc)


def _rows(base: Map, changes: Map) -> Seq:
    rows = base.get("rows")
    if not isinstance(rows, Seq):
        raise SpecError("there are no rows to change", changes.loc)
    columns = base.get("columns")
    names = (
        tuple(c for c in columns.items if isinstance(c, Scalar)) if isinstance(columns, Seq) else ()
    )
    items: list[Node | None] = list(rows.items)
    for key, entry in changes.entries.items():
        number = re.fullmatch(_NUMBER, key)
        if number is None or int(key) >= len(items):
            numbers = [str(i) for i in range(len(items))]
            raise SpecError(
                f"no row {key!r} to change; rows are numbered 0 to {len(items) - 1}",
                entry.key.loc,
                nearest(key, numbers) if number is None else None,
            )
        old, new = items[int(key)], entry.value
        if _removes(new):
            items[int(key)] = None
        elif isinstance(new, Map) and old is not None:
            # In a row none is a value, such as that of act.
            items[int(key)] = _ENTRIES(as_mapping(old, names), new)
        else:
            items[int(key)] = new
    return Seq(tuple(item for item in items if item is not None), rows.loc)


def as_mapping(node: Node, columns: tuple[Scalar, ...]) -> Map:
    """Return a row as a mapping; a list takes its keys from the columns, ``~`` leaves a cell out.

    Raises: SpecError: a list without columns, or of another length.
    """
    if isinstance(node, Map):
        return node
    if isinstance(node, Scalar):
        raise SpecError(
            f"expected a row, found {node.text!r}", node.loc, "write {op: conv, k: 3, c: 32}"
        )
    if not columns:
        raise SpecError("a row that is a list needs columns", node.loc, "columns: [op, k, s, c]")
    if len(node.items) != len(columns):
        names = ", ".join(column.text for column in columns)
        counted = several(len(node.items), "cell"), several(len(columns), "column")
        raise SpecError(
            f"the row has {' for '.join(counted)}",
            node.loc,
            f"the columns are {names}; write ~ for a cell that is left out",
        )
    entries = {
        column.text: Entry(column, item)
        for column, item in zip(columns, node.items, strict=True)
        if not left_out(item)
    }
    return Map(entries, node.loc)


_ENTRIES = _mapping()
_BLOCK = _mapping({"takes": _ENTRIES, "body": _table})
_SECTIONS: dict[str, Merge | None] = {
    **dict.fromkeys(("knobs", "defaults"), _ENTRIES),
    **dict.fromkeys(("input", "width", "calls", "presets", "budget", "accept"), None),
    "blocks": _BLOCK,
}
"""The keys of a spec that are mappings, with what merges an entry; None replaces it."""
_FLAVOUR = _mapping({key: _mapping(inner) for key, inner in _SECTIONS.items()})
"""In a flavour that is stated again none stays, and its rows are those of the later spec."""
_KEYS: dict[str, Merge] = {
    **{key: _mapping(inner, removes=True) for key, inner in _SECTIONS.items()},
    "flavours": _mapping(_FLAVOUR, removes=True),
    "body": _table,
    "head": _table,
}

"""Calls of one block behind each other, as a loop over the rows of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise, takewhile
from typing import Any

from mbprof.exchange.source.classes import Class, Key, Ref, Scope
from mbprof.exchange.source.code import WIDTH, Arg, literal, made, wrapped
from mbprof.language.record import NamedTuple

_PAD = " " * 8


class Run(NamedTuple):
    """Calls of one class, each of which takes what the one before gives."""

    keys: tuple[Key, ...]

    def even(self, cls: Class) -> bool:
        """Whether all calls of the run have the same arguments in every instance of the class."""
        return len({tuple(cls.texts[key]) for key in self.keys}) == 1

    def name(self, names: Sequence[str], block: str) -> str:
        """Return a name for the run: what the names of its calls have in common, in the plural."""
        common = _common(names)
        common = common.rstrip("_") if common.endswith("_") else re.sub(r"[\d_]*$", "", common)
        common = common or block
        return common if common[-1] in "s0123456789" else f"{common}s"


def _common(names: Sequence[str]) -> str:
    """Return what all names begin with."""
    return "".join(signs[0] for signs in takewhile(lambda s: len(set(s)) == 1, zip(*names)))  # noqa: B905


def runs(units: list[list[Key]], cls: Class, uses: Mapping[Ref, int]) -> dict[int, Run]:
    """Return the runs of a class by where they start."""
    found: dict[int, Run] = {}
    place = 0
    while place < len(units):
        count = 1
        while place + count < len(units) and _follows(
            units[place + count - 1], units[place + count], cls, uses
        ):
            count += 1
        if count > 1:
            found[place] = Run(tuple(unit[0] for unit in units[place : place + count]))
        place += count
    return found


def _follows(before: list[Key], after: list[Key], cls: Class, uses: Mapping[Ref, int]) -> bool:
    if len(before) > 1 or len(after) > 1:
        return False
    a, b = cls.step(before[0]), cls.step(after[0])
    if not (isinstance(a.member, Scope) and isinstance(b.member, Scope)):
        return False
    plain = not (a.again or b.again or {a.key, b.key} & set(cls.flags))
    chained = cls.inputs[b.key] == ((a.key, 0),) and a.outs == b.outs == 1
    single = len(cls.inputs[a.key]) == 1 and uses.get((a.key, 0)) == 1
    return plain and chained and single and a.member.cls is b.member.cls


class _Column(NamedTuple):
    name: str
    text: str
    """What stands for the argument in the loop."""
    cells: list[Any] | None = None
    """Its values, one for each row, if it is a column of the table."""


def constructed(run: Run, name: str, cls: Class, sequential: str) -> list[str]:
    """Return the lines that make the calls of a run."""
    keys = run.keys
    if run.even(cls):
        text = _made(cls, keys[0])
        opening, close = sequential.split("{}")
        brackets = ("", "") if opening.endswith("[") else ("*[", "]")
        inner = f"{brackets[0]}{text} for _ in range({len(keys)}){brackets[1]}"
        line = f"self.{name} = {opening}{inner}{close}"
        if len(_PAD) + len(line) <= WIDTH:
            return [_PAD + line]
        return [
            f"{_PAD}{name} = []",
            f"{_PAD}for _ in range({len(keys)}):",
            *wrapped(f"{name}.append({text})", _PAD + "    "),
            f"{_PAD}self.{name} = {_filled(name, sequential)}",
        ]
    scopes = [cls.instances[0].steps[key].member for key in keys]
    calls = [dict(_given(scope)) for scope in scopes if isinstance(scope, Scope)]
    rows = [[i for i, _ in row] for _, row in groupby(enumerate(keys), lambda pair: pair[1][0])]
    columns = _columns(calls, rows)
    if columns is None:
        rows = [[i] for i in range(len(keys))]
        columns = _columns(calls, rows)
    assert columns is not None  # every call is a row of its own
    return _loops(name, scopes[0], calls, rows, columns, sequential)


def _loops(
    name: str,
    scope: Any,
    calls: list[dict[str, Any]],
    rows: list[list[int]],
    columns: list[_Column],
    sequential: str,
) -> list[str]:
    cells = [column for column in columns if column.cells is not None]
    if not cells and not any(re.search(r"\bi\b", column.text) for column in columns):
        rows = [[i for row in rows for i in row]]  # nothing tells the rows apart
    times = [len(row) for row in rows]
    repeated = max(times) > 1
    carried = next(
        (c for c in columns if c.name == "c_in" and c.text == "c_in" and not c.cells), None
    )
    out = _out(calls, rows) if carried else None
    heads = [column.name for column in cells]
    table: list[list[Any]] = [
        [column.cells[r] for column in cells if column.cells] for r in range(len(rows))
    ]
    if repeated and (len({*times}) > 1 or (not cells and len(rows) > 1)):
        at = min(heads.index(out[0]) + 1 if out and out[0] in heads else len(heads), len(heads))
        n = "n" if "n" not in heads else "repeats"
        heads.insert(at, n)
        for row, count in zip(table, times, strict=True):
            row.insert(at, count)
    else:
        n = str(times[0])
    defaults = {key: default for key, _, default in scope.made.args if key}
    texts = iter([column.text for column in columns if not _elided(column, defaults)])
    shown = [
        (key, arg, default)
        for (key, arg, default), column in zip(scope.made.args, columns, strict=True)
        if not _elided(column, defaults)
    ]
    call = (
        f"{scope.made.what}({', '.join((f'{k}=' if k else '') + next(texts) for k, _, _ in shown)})"
    )
    lines = [f"{_PAD}{name} = []"]
    if carried:
        lines.append(f"{_PAD}c_in = {calls[0]['c_in']}")
    pad = _PAD
    if heads and len(rows) > 1:
        target = ", ".join(heads)
        listed = [literal(tuple(row)) if len(row) > 1 else literal(row[0]) for row in table]
        short = f"for {target} in [{', '.join(listed)}]:"
        if len(pad) + len(short) <= 100 and len(listed) < 4 and len(heads) < 2:
            lines.append(pad + short)
        else:
            inner = [f"{pad}    {row}," for row in listed]
            lines += [f"{pad}for {target} in [", *inner, f"{pad}]:"]
        pad += "    "
    elif heads:
        lines += [
            f"{pad}{head} = {literal(cell)}" for head, cell in zip(heads, table[0], strict=True)
        ]
    if repeated:
        counter = "i" if re.search(r"\bi\b", call) else "_"
        lines.append(f"{pad}for {counter} in range({n}):")
        pad += "    "
    lines += wrapped(f"{name}.append({call})", pad)
    if carried and out:
        text = next(column.text for column in columns if column.name == out[0])
        lines.append(f"{pad}c_in = {text}{f' * {out[1]}' if out[1] > 1 else ''}")
    return [*lines, f"{_PAD}self.{name} = {_filled(name, sequential)}"]


def _filled(name: str, sequential: str) -> str:
    """Write what has the modules of a list."""
    opening, close = sequential.split("{}")
    listed = opening.endswith("[")
    return f"{opening.rstrip('[')}{name if listed else f'*{name}'}{close.lstrip(']')}"


def _elided(column: _Column, defaults: Mapping[str, Any]) -> bool:
    name = column.name
    return column.cells is None and name in defaults and column.text == literal(defaults[name])


def _columns(calls: list[dict[str, Any]], rows: list[list[int]]) -> list[_Column] | None:
    """Say what stands for every argument; None if some vary within a row."""
    columns = []
    out = _out(calls, rows)
    for name in calls[0]:
        values = [call[name] for call in calls]
        firsts = [values[row[0]] for row in rows]
        later = [values[i] for row in rows for i in row[1:]]
        if all(_equal(value, values[0]) for value in values):
            columns.append(_Column(name, literal(values[0])))
        elif name == "c_in" and out:
            columns.append(_Column(name, name))
        elif all(_equal(values[i], values[row[0]]) for row in rows for i in row):
            columns.append(_Column(name, name, firsts))
        elif all(_equal(value, later[0]) for value in later):
            same = all(_equal(value, firsts[0]) for value in firsts)
            if same and isinstance(firsts[0], bool) and isinstance(later[0], bool):
                columns.append(_Column(name, "i == 0" if firsts[0] else "i > 0"))
            elif same:
                text = f"{literal(firsts[0])} if i == 0 else {literal(later[0])}"
                columns.append(_Column(name, text))
            else:
                text = f"{name} if i == 0 else {literal(later[0])}"
                columns.append(_Column(name, text, firsts))
        else:
            return None
    return columns


def _out(calls: list[dict[str, Any]], rows: list[list[int]]) -> tuple[str, int] | None:
    """Return the argument, and its factor, that gives the next call's number of input channels."""
    if "c_in" not in calls[0]:
        return None
    for name in calls[0]:
        pairs = list(pairwise(calls))
        steady = all(_equal(calls[i][name], calls[row[0]][name]) for row in rows for i in row)
        if (
            name == "c_in"
            or not steady
            or any(type(a[name]) is not int or not a[name] for a, _ in pairs)
        ):
            continue
        ratios = {b["c_in"] / a[name] for a, b in pairs}
        if len(ratios) == 1 and (ratio := ratios.pop()) == int(ratio):
            return name, int(ratio)
    return None


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _given(scope: Scope) -> list[tuple[str, Any]]:
    assert scope.made is not None
    return [(value.role, value.value) for _, value, _ in scope.made.args if isinstance(value, Arg)]


def _made(cls: Class, key: Key) -> str:
    texts = iter(cls.texts[key])
    return made(cls.step(key).written.modules[0], texts)

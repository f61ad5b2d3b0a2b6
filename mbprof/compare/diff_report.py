"""A difference and its report: the totals, then the changes, alike ones folded into one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mbprof.compare.side_by_side import counted, titled, totals_of
from mbprof.language import fmt
from mbprof.network.profile import Profile
from mbprof.network.rows import Row
from mbprof.output import Column, Note, Report, picked
from mbprof.output.formats import stamp
from mbprof.output.model import Brief
from mbprof.output.writers import Result

CHANGED, ADDED, REMOVED, RENAMED = "changed", "added", "removed", "renamed"


@dataclass(frozen=True, slots=True, repr=False)
class Change(Brief):
    """A layer or block that is not what it was: ``old`` or ``new`` is None where it is not there.

    ``what`` says in words what is different, one thing each.
    """

    kind: str
    old: Row | None
    new: Row | None
    what: tuple[str, ...]

    @property
    def params(self) -> int:
        """How many params more there are."""
        return (self.new.params if self.new else 0) - (self.old.params if self.old else 0)

    @property
    def cost(self) -> int:
        """How much more it costs, in the unit of the convention."""
        return (self.new.cost if self.new else 0) - (self.old.cost if self.old else 0)

    @property
    def name(self) -> str:
        """The name, or the old and the new one."""
        names = dict.fromkeys(row.name for row in (self.old, self.new) if row is not None)
        return " → ".join(names)

    @property
    def brief(self) -> str:
        """What became of which layer or block."""
        what = f" ({'; '.join(self.what)})" if self.what else ""
        return f"{self.name} {self.kind}{what}, {_said(self)}"

    @property
    def op(self) -> str:
        """The op, or the unit of a block; the new one where it has changed."""
        row = self.new or self.old
        return row.op if row is not None else ""


@dataclass(frozen=True, slots=True, repr=False)
class Difference(Result):
    """What changed between two networks; the changes add up to the difference of the totals.

    ``knobs`` holds the knobs whose default is not the same, with both; None where a spec lacks it.
    """

    old: Profile
    new: Profile
    by: str
    changes: tuple[Change, ...]
    unchanged: int
    knobs: Mapping[str, tuple[str | None, str | None]]

    @property
    def params(self) -> int:
        """How many params more there are in total."""
        return self.new.total.params - self.old.total.params

    @property
    def cost(self) -> int:
        """How much more the network costs in total."""
        return self.new.total.cost - self.old.total.cost

    @property
    def brief(self) -> str:
        """Both networks, and what changed in total."""
        return f"{self.old.headline} → {self.new.headline}, {_said(self)}"

    def report(
        self,
        layout: str = "page",
        top: int | None = None,
        asked: tuple[str, str] | None = None,
        sort: str | None = None,
    ) -> Report:
        """Lay the difference out, see `difference_report`."""
        return difference_report(self, layout, top, asked, sort)


def _said(change: Change | Difference) -> str:
    return f"{fmt.signed(change.params)} params, cost {fmt.signed(change.cost)}"


TOP = 20
"""How many rows people are shown unless they ask for more."""
_NAMES, _WHATS = 2, 4
_TOP = Note("--top N shows more rows.", "report(top=N) shows more rows.")


@dataclass(frozen=True, slots=True)
class Fold:
    """Changes that are alike, as one row of a report."""

    changes: tuple[Change, ...]

    @property
    def params(self) -> int:
        """How many params more they have together."""
        return sum(change.params for change in self.changes)

    @property
    def cost(self) -> int:
        """How much more they cost together."""
        return sum(change.cost for change in self.changes)


def folded(changes: Sequence[Change]) -> tuple[Fold, ...]:
    """Put together what changed in the same way, in order of appearance.

    Layers that only have another name are one row, whatever they are; those that were added or
    removed are a row for each op.
    """
    groups: dict[object, list[Change]] = {}
    for change in changes:
        key: tuple[object, ...] = (change.kind, change.op, change.what)
        depth = {RENAMED: 1, ADDED: 2, REMOVED: 2}.get(change.kind, 3)
        groups.setdefault(key[:depth], []).append(change)
    return tuple(Fold(tuple(group)) for group in groups.values())


def difference_report(
    difference: Difference,
    layout: str = "page",
    top: int | None = None,
    asked: tuple[str, str] | None = None,
    sort: str | None = None,
) -> Report:
    """Lay out a difference; the rows that cost most are kept, the last row holds the rest.

    Data has a row for each change and, unless asked for fewer, all of them. Where ``sort`` names a
    column, rows stand by it and the first are kept. ``asked`` says how the networks were called.

    Raises: UsageError: no such column, or ``top`` is below 1.
    """
    data = layout == "data"
    folds = (
        tuple(Fold((change,)) for change in difference.changes)
        if data
        else folded(difference.changes)
    )
    report = Report(
        title=_title(difference, asked or (difference.old.spec, difference.new.spec)),
        lead=_lead(difference),
        columns=_columns(difference, data),
        rows=tuple(
            _values(fold, difference, 1 if layout == "terminal" else _NAMES) for fold in folds
        ),
        data=None,
        total=_sums("total", difference, difference.params, difference.cost) if folds else None,
        notes=_notes(difference),
    )
    most = top if top is not None or data else TOP
    numbers = picked(report, sort, most)
    if sort is None:
        numbers = _largest(folds, most)
    rest = [fold for number, fold in enumerate(folds) if number not in set(numbers)]
    rows = [report.rows[number] for number in numbers]
    if rest:
        rows.append(_remainder(rest, difference))
    return replace(
        report,
        rows=tuple(rows),
        data=_data(difference, [folds[number] for number in numbers], rest),
        notes=(*report.notes, *([_TOP] if rest else [])),
    )


def _title(difference: Difference, asked: tuple[str, str]) -> str:
    """Name both networks, or what they have in common once."""
    if difference.old.headline == difference.new.headline and asked[0] != asked[1]:
        return f"{difference.new.headline}: {asked[0]} → {asked[1]}"
    return f"{titled(difference.old, asked[0])} → {titled(difference.new, asked[1])}"


def _largest(folds: Sequence[Fold], top: int | None) -> list[int]:
    """Return the numbers of the rows that change the cost most, in their order."""
    order = sorted(range(len(folds)), key=lambda i: (-abs(folds[i].cost), -abs(folds[i].params), i))
    return sorted(order[:top])


def _lead(difference: Difference) -> tuple[str, ...]:
    """Say what became of the totals, first of all."""
    old, new, unit = difference.old.total, difference.new.total, difference.new.convention.unit
    if difference.params == 0 and difference.cost == 0:
        cost = f", {fmt.integer(new.cost)} {unit}" if unit else ""
        return (f"No change in cost: {fmt.integer(new.params)} params{cost}.",)
    params = _became("params", old.params, new.params)
    return (params, _became(unit, old.cost, new.cost)) if unit else (params,)


def _became(word: str, old: int, new: int) -> str:
    if old == new:
        return f"{word}: {fmt.integer(new)}, no change"
    change = f"{fmt.signed(new - old)}, {fmt.change(new - old, old)} %"
    return f"{word}: {fmt.integer(old)} → {fmt.integer(new)} ({change})"


def _sums(name: str, difference: Difference, params: int, macs: int) -> dict[str, Any]:
    return {
        "name": name,
        "params": params,
        "params_share": (params, difference.old.total.params),
        "macs": macs,
        "macs_share": (macs, difference.old.total.cost),
    }


def _values(fold: Fold, difference: Difference, names: int) -> dict[str, Any]:
    first, count = fold.changes[0], len(fold.changes)
    name = ", ".join(change.name for change in fold.changes[:names])
    if count > names:
        name += f" and {count - names} more"
    values = _sums(name, difference, fold.params, fold.cost)
    for side, row in (("old", first.old), ("new", first.new)):
        fields = row.fields("name", "params", "cost") if row else {}
        values |= {f"{side}_{key}": fields.get(key) for key in ("name", "params", "macs")}
    same = all(change.what == first.what for change in fold.changes)
    more = (f"{len(first.what) - _WHATS} more",) if len(first.what) > _WHATS else ()
    what = "; ".join((*first.what[:_WHATS], *more)) if same else ""
    said = what if first.kind == CHANGED else f"{first.kind}: {what}" if what else first.kind
    op = first.op if first.kind != RENAMED or count == 1 else None
    return values | {"kind": first.kind, "op": op, "what": what, "change": said}


def _remainder(rest: Sequence[Fold], difference: Difference) -> dict[str, Any]:
    params, macs = sum(fold.params for fold in rest), sum(fold.cost for fold in rest)
    values = _sums(f"{len(rest)} more rows", difference, params, macs)
    return values | {"kind": "rest", "change": "smaller changes, summed up"}


def _share(value: tuple[int, int]) -> str:
    return fmt.change(*value)


def _part(value: tuple[int, int]) -> int:
    return value[0]


def _columns(difference: Difference, data: bool) -> tuple[Column, ...]:
    unit = difference.new.convention.unit
    if data:
        columns = tuple(Column(name, name, doc) for name, doc in _DATA.items())
    else:
        columns = _read_columns(difference.by, unit)
    return tuple(column for column in columns if unit or "macs" not in column.name)


_DATA = {
    "kind": "added, removed, renamed, changed; rest is what is not shown",
    "name": "the row",
    "op": "the op",
    "what": "what changed",
    "old_name": "its name before",
    "new_name": "its name now",
    "old_params": "params before",
    "new_params": "params now",
    "params": "difference in params",
    "old_macs": "cost before",
    "new_macs": "cost now",
    "macs": "difference in cost",
}
"""The columns of data, each with its meaning."""


def _read_columns(by: str, unit: str) -> tuple[Column, ...]:
    return (
        Column("name", by, f"the {by}", wraps=True),
        Column("op", "op", "the op", yields=2),
        Column("change", "change", "what changed", wraps=True),
        Column("params", "Δ params", "difference in params", fmt.signed, True),
        Column("params_share", "%", "of the old total", _share, True, yields=3, rank=_part),
        Column("macs", f"Δ {unit}", "difference in cost", fmt.signed, True),
        Column("macs_share", "%", "of the old total", _share, True, yields=1, rank=_part),
    )


def _notes(difference: Difference) -> tuple[str, ...]:
    same = fmt.several(difference.unchanged, difference.by)
    notes = [f"{same} {'is' if difference.unchanged == 1 else 'are'} as before."]
    for knob, (old, new) in difference.knobs.items():
        if old is None or new is None:
            word, value = ("new", new) if old is None else ("gone", old)
            notes.append(
                f"The knob {knob} is {word}; its default {'is' if new else 'was'} {value}."
            )
        else:
            notes.append(f"The default of {knob} was {old} and is {new}.")
    if difference.changes:
        notes.append("Percentages are of the old total.")
    return (*notes, counted(difference.new))


def _data(difference: Difference, kept: Sequence[Fold], rest: Sequence[Fold]) -> dict[str, Any]:
    left = Fold(tuple(change for fold in rest for change in fold.changes))
    return {
        **stamp(),
        "by": difference.by,
        "old": totals_of(difference.old),
        "new": totals_of(difference.new),
        "delta": _delta(difference),
        "knobs": {name: {"old": a, "new": b} for name, (a, b) in difference.knobs.items()},
        "unchanged": difference.unchanged,
        "changes": [_change(change) for fold in kept for change in fold.changes],
        "rest": {"changes": len(left.changes), **_delta(left)},
    }


_SHAPES = ("in_shape", "out_shape", "kernel", "stride", "groups")
_FIELDS = ("name", "block", "op", *_SHAPES, "layers", "params", "cost")


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "what": list(change.what),
        "old": change.old.plain(*_FIELDS) if change.old else None,
        "new": change.new.plain(*_FIELDS) if change.new else None,
        "delta": _delta(change),
    }


def _delta(more: Change | Fold | Difference) -> dict[str, int]:
    return {"params": more.params, "macs": more.cost}

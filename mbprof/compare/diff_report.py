"""A difference and its report: the totals, then the changes, alike ones folded into one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbprof.compare.side_by_side import titled
from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.network.profile import Profile
from mbprof.network.rows import Row
from mbprof.output import Column, Report
from mbprof.output.result import Brief, Result
from mbprof.output.stamp import stamp

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
        self, layout: str = "page", top: int | None = None, asked: tuple[str, str] | None = None
    ) -> Report:
        """Lay the difference out, see `difference_report`."""
        return difference_report(self, layout, top, asked)


def _said(change: Change | Difference) -> str:
    return f"{fmt.signed(change.params)} params, cost {fmt.signed(change.cost)}"


TOP = 20
"""How many rows people are shown unless they ask for more."""
_NAMES, _WHATS = 2, 4


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
    found: Difference,
    layout: str = "page",
    top: int | None = None,
    asked: tuple[str, str] | None = None,
) -> Report:
    """Lay out a difference; the rows that cost most are kept, the last row holds the rest.

    Data has a row for each change and, unless asked for fewer, all of them. ``asked`` says how the
    networks were called.

    Raises: UsageError: ``top`` is below 1.
    """
    if top is not None and top < 1:
        raise UsageError(f"--top is {top}; it must be at least 1")
    data = layout == "data"
    folds = tuple(Fold((each,)) for each in found.changes) if data else folded(found.changes)
    kept, rest = _largest(folds, len(folds) if data and top is None else top or TOP)
    rows = [_values(fold, found, 1 if layout == "terminal" else _NAMES) for fold in kept]
    if rest:
        rows.append(_remainder(rest, found))
    return Report(
        title=_title(found, asked or (found.old.spec, found.new.spec)),
        lead=_lead(found),
        columns=_columns(found, data),
        rows=tuple(rows),
        data=_data(found, kept, rest),
        total=_sums("total", found, found.params, found.cost) if rows else None,
        notes=_notes(found),
    )


def _title(found: Difference, asked: tuple[str, str]) -> str:
    """Name both networks, or what they have in common once."""
    if found.old.headline == found.new.headline and asked[0] != asked[1]:
        return f"{found.new.headline}: {asked[0]} → {asked[1]}"
    return f"{titled(found.old, asked[0])} → {titled(found.new, asked[1])}"


def _largest(folds: Sequence[Fold], top: int) -> tuple[list[Fold], list[Fold]]:
    """Return the rows that change the cost most, in their order, and those left over."""
    if len(folds) <= top:
        return list(folds), []
    order = sorted(range(len(folds)), key=lambda i: (-abs(folds[i].cost), -abs(folds[i].params), i))
    chosen = set(order[:top])
    return (
        [fold for i, fold in enumerate(folds) if i in chosen],
        [fold for i, fold in enumerate(folds) if i not in chosen],
    )


def _lead(found: Difference) -> tuple[str, ...]:
    """Say what became of the totals, first of all."""
    old, new, unit = found.old.total, found.new.total, found.new.convention.unit
    if found.params == 0 and found.cost == 0:
        cost = f", {fmt.integer(new.cost)} {unit}" if unit else ""
        return (f"No change in cost: {fmt.integer(new.params)} params{cost}.",)
    params = _became("params", old.params, new.params)
    return (params, _became(unit, old.cost, new.cost)) if unit else (params,)


def _became(word: str, old: int, new: int) -> str:
    if old == new:
        return f"{word}: {fmt.integer(new)}, no change"
    change = f"{fmt.signed(new - old)}, {fmt.change(new - old, old)} %"
    return f"{word}: {fmt.integer(old)} → {fmt.integer(new)} ({change})"


def _sums(name: str, found: Difference, params: int, macs: int) -> dict[str, Any]:
    return {
        "name": name,
        "params": params,
        "params_share": (params, found.old.total.params),
        "macs": macs,
        "macs_share": (macs, found.old.total.cost),
    }


def _values(fold: Fold, found: Difference, names: int) -> dict[str, Any]:
    first, count = fold.changes[0], len(fold.changes)
    name = ", ".join(change.name for change in fold.changes[:names])
    if count > names:
        name += f" and {count - names} more"
    values = _sums(name, found, fold.params, fold.cost)
    for side, row in (("old", first.old), ("new", first.new)):
        fields = row.fields("name", "params", "cost") if row else {}
        values |= {f"{side}_{key}": fields.get(key) for key in ("name", "params", "macs")}
    same = all(change.what == first.what for change in fold.changes)
    more = (f"{len(first.what) - _WHATS} more",) if len(first.what) > _WHATS else ()
    what = "; ".join((*first.what[:_WHATS], *more)) if same else ""
    said = what if first.kind == CHANGED else f"{first.kind}: {what}" if what else first.kind
    op = first.op if first.kind != RENAMED or count == 1 else None
    return values | {"kind": first.kind, "op": op, "what": what, "change": said}


def _remainder(rest: Sequence[Fold], found: Difference) -> dict[str, Any]:
    params, macs = sum(fold.params for fold in rest), sum(fold.cost for fold in rest)
    values = _sums(f"{len(rest)} more rows", found, params, macs)
    return values | {"kind": "rest", "change": "smaller changes, summed up; --top shows more"}


def _share(value: tuple[int, int]) -> str:
    return fmt.change(*value)


def _columns(found: Difference, data: bool) -> tuple[Column, ...]:
    unit = found.new.convention.unit
    if data:
        costs = ("old_params", "new_params", "params", "old_macs", "new_macs", "macs")
        names = ("kind", "name", "op", "what", "old_name", "new_name", *costs)
        columns = tuple(Column(name, name, name) for name in names)
    else:
        columns = _read_columns(found.by, unit)
    return tuple(each for each in columns if unit or "macs" not in each.name)


def _read_columns(by: str, unit: str) -> tuple[Column, ...]:
    return (
        Column("name", by, f"the {by}", wraps=True),
        Column("op", "op", "the op", yields=2),
        Column("change", "change", "what changed", wraps=True),
        Column("params", "Δ params", "difference in params", fmt.signed, True),
        Column("params_share", "%", "of the old total", _share, True, yields=3),
        Column("macs", f"Δ {unit}", "difference in cost", fmt.signed, True),
        Column("macs_share", "%", "of the old total", _share, True, yields=1),
    )


def _notes(found: Difference) -> tuple[str, ...]:
    convention = found.new.convention
    same = f"{found.unchanged} {found.by}{'' if found.unchanged == 1 else 's'}"
    notes = [f"{same} {'is' if found.unchanged == 1 else 'are'} as before."]
    for knob, (old, new) in found.knobs.items():
        if old is None or new is None:
            word, value = ("new", new) if old is None else ("gone", old)
            notes.append(
                f"The knob {knob} is {word}; its default {'is' if new else 'was'} {value}."
            )
        else:
            notes.append(f"The default of {knob} was {old} and is {new}.")
    if found.changes:
        notes.append("Percentages are of the old total.")
    notes.append(
        f"Scope {found.new.scope}. Counted: {convention.doc} (convention {convention.name})."
    )
    return tuple(notes)


def _data(found: Difference, kept: Sequence[Fold], rest: Sequence[Fold]) -> dict[str, Any]:
    old, new = (
        {k: v for k, v in p.to_dict().items() if k != "layers"} for p in (found.old, found.new)
    )
    changes = [change for fold in kept for change in fold.changes]
    return {
        **stamp(),
        "by": found.by,
        "old": old,
        "new": new,
        "delta": {"params": found.params, "macs": found.cost},
        "knobs": {name: {"old": a, "new": b} for name, (a, b) in found.knobs.items()},
        "unchanged": found.unchanged,
        "changes": [_change(change) for change in changes],
        "rest": {
            "changes": sum(len(fold.changes) for fold in rest),
            "params": sum(fold.params for fold in rest),
            "macs": sum(fold.cost for fold in rest),
        },
    }


_SHAPES = ("in_shape", "out_shape", "kernel", "stride", "groups")
_FIELDS = ("name", "block", "op", *_SHAPES, "layers", "params", "cost")


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "what": list(change.what),
        "old": change.old.plain(*_FIELDS) if change.old else None,
        "new": change.new.plain(*_FIELDS) if change.new else None,
        "delta": {"params": change.params, "macs": change.cost},
    }

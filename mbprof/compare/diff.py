"""What changed from one network to another, layer by layer, and its report: the changes add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from operator import itemgetter
from typing import Any

from mbprof.compare.align import align, likeness, parts_of
from mbprof.compare.changes import (
    ADDED,
    CHANGED,
    REMOVED,
    RENAMED,
    Change,
    amounted,
    change_of,
    coupled,
    inside,
    layers_of,
)
from mbprof.compare.needed import Needed, became
from mbprof.compare.side_by_side import counted, titled, totals_of
from mbprof.compare.wiring import moves
from mbprof.device.lanes import needs
from mbprof.device.parts import of_groups
from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.language.fmt import Ratio, Value, plain
from mbprof.language.record import record
from mbprof.network import conventions
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.network.profile import Profile, amounts, incomplete
from mbprof.output import Column, Note, Report, picked
from mbprof.output.formats import stamp
from mbprof.output.writers import Result

WAYS = ("layer", "block")
TOP = 20
"""How many rows people are shown unless they ask for more."""
_NAMES, _WHATS = 2, 4
_TOP = Note("--top N shows more rows.", "report(top=N) shows more rows.")


@record
class Difference(Result):
    """What changed between two networks; the changes add up to the difference of the totals.

    ``knobs`` holds the knobs whose default is not the same, with both; None where a spec lacks it.
    ``outputs`` holds the outputs that come from another layer, by name, with both layers.
    """

    old: Profile
    new: Profile
    by: str
    changes: tuple[Change, ...]
    unchanged: int
    knobs: Mapping[str, tuple[str | None, str | None]]
    outputs: Mapping[str, tuple[str | None, str | None]]
    needed: Needed = field(default_factory=Needed)
    """What both networks need on a device."""

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
        return f"{self.old.headline} → {self.new.headline}, {amounted(self.params, self.cost)}"

    def report(
        self,
        layout: str = "page",
        top: int | None = None,
        asked: tuple[str, str] | None = None,
        sort: str | None = None,
    ) -> Report:
        """Lay the difference out; the rows that cost most are kept, the last row holds the rest.

        Data has a row for each change and, unless asked for fewer, all of them. Where ``sort``
        names a column, rows stand by it and the first are kept. ``asked`` says how the networks
        were called.

        Raises: UsageError: no such column, or ``top`` is below 1.
        """
        data, names = layout == "data", 1 if layout == "terminal" else _NAMES
        folds = tuple((change,) for change in self.changes) if data else folded(self.changes)
        report = Report(
            title=_title(self, asked or (self.old.spec, self.new.spec)),
            lead=(*_lead(self), *self.needed.lead()),
            columns=(columns := _columns(self, data)),
            known=(*columns, _ACTIVATIONS, *self.needed.columns()),
            rows=tuple(_values(fold, self, names) | self.needed.of(_sides(fold)) for fold in folds),
            data=None,
            total=_sums("total", self, _delta(self.changes)) | self.needed.delta if folds else None,
            notes=_notes(self),
        )
        most = top if top is not None or data else TOP
        numbers = picked(report, sort, most)
        if sort is None:
            sizes = [(-abs(more["macs"]), -abs(more["params"])) for more in map(_delta, folds)]
            largest = sorted(range(len(folds)), key=lambda number: sizes[number])
            numbers = sorted(largest[:most])
        rest = [fold for number, fold in enumerate(folds) if number not in set(numbers)]
        kept = [change for number in numbers for change in folds[number]]
        left = [change for fold in rest for change in fold]
        rows = [report.rows[number] for number in numbers]
        if rest:
            summed_up = {"kind": "rest", "change": "smaller changes, summed up"}
            sums = _sums(fmt.several(len(rest), "more row"), self, _delta(left))
            rows.append(sums | summed_up | self.needed.of(_sides(left)))
        return replace(
            report,
            rows=tuple(rows),
            data=_data(self, kept, left),
            notes=(*report.notes, *([_TOP] if rest else [])),
        )


def diff(
    old: SpecLike,
    new: SpecLike,
    by: str = "layer",
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    dtype: str | None = None,
    device: str | None = None,
    **knobs: Value,
) -> Difference:
    """Say what changed from one network to another, by layer or by block.

    Layers are aligned in their order, by name and shape. The scope is ``all`` unless given: a
    change of the head is a change. Knobs are of both. With a ``dtype`` the changes of live bytes at
    the peak and of bytes of weights are said, too, with a ``device`` that of nanoseconds.

    Raises: UsageError: no such spec, grouping, scope, convention, type or device. LimitError: too
    many layers to align. MbprofError: a spec makes no network at these values.

    >>> from mbprof import load
    >>> difference = diff("mobilenet_v1", load("mobilenet_v1").build(classes=10))
    >>> [(change.name, change.params) for change in difference.changes if change.params]
    [('Conv2d_1c_1x1', -1013760)]
    """
    if by not in WAYS:
        raise UsageError(f"cannot group by {by!r}", hint=nearest(by, WAYS))
    chosen = scope or "all"
    wanted = needs(dtype, device)
    networks = as_network(old, **knobs), as_network(new, **knobs)
    profiles = [network.profile(convention, chosen) for network in networks]
    pairs = list(zip(networks, profiles, strict=True))
    before, after = (parts_of(network, profile, by) for network, profile in pairs)
    inner = [layers_of(network, profile, by) for network, profile in pairs]
    matched = align(before, after, likeness)
    couples = [
        coupled(inner[0][before[i].row.name], inner[1][after[j].row.name])
        if i is not None and j is not None
        else ()
        for i, j in matched
    ]
    numbers = ((x[0], y[0]) for couple in couples for x, y in couple if x and y)
    moved = moves(networks[0].compiled, networks[1].compiled, numbers)
    changes = [
        change_of(
            None if i is None else before[i],
            None if j is None else after[j],
            *inside(couple, moved.layers, by),
        )
        for (i, j), couple in zip(matched, couples, strict=True)
    ]
    listed = tuple(change for change in changes if change is not None)
    unchanged, defaults = len(changes) - len(listed), _defaults(*networks)
    found = Difference(profiles[0], profiles[1], by, listed, unchanged, defaults, moved.outputs)
    if wanted is None:
        return found
    totals = tuple(wanted.of(network.compiled) for network in networks)
    parts = tuple(of_groups(network, wanted, profile.groups(by)) for network, profile in pairs)
    return replace(found, needed=Needed(wanted, totals, parts))


def _defaults(old: Network, new: Network) -> dict[str, tuple[str | None, str | None]]:
    before, after = (
        {name: plain(knob.default) for name, knob in network.definition.knobs.items()}
        for network in (old, new)
    )
    both = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    return {name: defaults for name, defaults in both.items() if defaults[0] != defaults[1]}


def folded(changes: Sequence[Change]) -> tuple[tuple[Change, ...], ...]:
    """Put together what changed in the same way, in order of appearance.

    Layers that only have another name are one row, whatever they are; those that were added or
    removed are a row for each op.
    """
    groups: dict[object, list[Change]] = {}
    for change in changes:
        key: tuple[object, ...] = (change.kind, change.op, change.what)
        depth = {RENAMED: 1, ADDED: 2, REMOVED: 2}.get(change.kind, 3)
        groups.setdefault(key[:depth], []).append(change)
    return tuple(map(tuple, groups.values()))


def _title(difference: Difference, asked: tuple[str, str]) -> str:
    """Name both networks, or what they have in common once."""
    if difference.old.headline == difference.new.headline and asked[0] != asked[1]:
        return f"{difference.new.headline}: {asked[0]} → {asked[1]}"
    return f"{titled(difference.old, asked[0])} → {titled(difference.new, asked[1])}"


def _lead(difference: Difference) -> tuple[str, ...]:
    """Say what became of the totals, first of all."""
    old, new, unit = difference.old.total, difference.new.total, difference.new.convention.unit
    if difference.params == 0 and difference.cost == 0:
        return (f"No change in cost: {amounts(difference.new)}.",)
    params = became("params", old.params, new.params)
    said = (params, became(unit, old.cost, new.cost)) if unit else (params,)
    return (*said, *_first(difference))


def _first(difference: Difference) -> tuple[str, ...]:
    """Name the first layer that costs something else, where two specs name their layers apart.

    All that follows may come of it, and names do not show where it stands.
    """
    pairs = ((change.old, change.new) for change in difference.changes)
    if (
        sum(bool(old and new and old.name != new.name) for old, new in pairs)
        <= difference.unchanged
    ):
        return ()
    changes = (change for change in difference.changes if change.params or change.cost)
    return tuple(f"First difference: {change.brief}" for change in islice(changes, 1))


def _delta(changes: Sequence[Change]) -> dict[str, int]:
    return {
        "params": sum(change.params for change in changes),
        "macs": sum(change.cost for change in changes),
        "activations": sum(change.activations for change in changes),
    }


def _sums(name: str, difference: Difference, delta: Mapping[str, int]) -> dict[str, Any]:
    old = difference.old.total
    shares = {
        "params_share": Ratio(delta["params"], old.params),
        "macs_share": Ratio(delta["macs"], old.cost),
    }
    return {"name": name, **delta, **shares}


def _sides(fold: Sequence[Change]) -> tuple[list[str], list[str]]:
    """Return the names of the rows before and after."""
    old, new = (
        [row.name for row in rows if row]
        for rows in zip(*((c.old, c.new) for c in fold), strict=True)
    )
    return old, new


def _values(fold: Sequence[Change], difference: Difference, names: int) -> dict[str, Any]:
    first, count = fold[0], len(fold)
    name = ", ".join(change.name for change in fold[:names])
    if count > names:
        name += f" and {count - names} more"
    values = _sums(name, difference, _delta(fold))
    for side, row in (("old", first.old), ("new", first.new)):
        fields = row.fields("name", "params", "cost") if row else {}
        values |= {f"{side}_{key}": fields.get(key) for key in ("name", "params", "macs")}
    same = all(change.what == first.what for change in fold)
    more = (f"{len(first.what) - _WHATS} more",) if len(first.what) > _WHATS else ()
    what = "; ".join((*first.what[:_WHATS], *more)) if same else ""
    said = what if first.kind == CHANGED else f"{first.kind}: {what}" if what else first.kind
    op = first.op if first.kind != RENAMED or count == 1 else None
    return values | {"kind": first.kind, "op": op, "what": what, "change": said}


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


_ACTIVATIONS = Column(
    "activations", "Δ activations", "difference in activations", fmt.signed, True, yields=2
)
"""A column that is shown where it is asked for."""


def _columns(difference: Difference, data: bool) -> tuple[Column, ...]:
    by, unit = difference.by, difference.new.convention.unit
    share = Column(
        "", "%", "of the old total", lambda it: fmt.change(*it), True, rank=itemgetter(0)
    )
    columns = [
        Column("name", by, f"the {by}", wraps=True),
        Column("op", "op", "the op", yields=2),
        Column("change", "change", "what changed", wraps=True),
        Column("params", "Δ params", "difference in params", fmt.signed, True),
        replace(share, name="params_share", yields=3),
        Column("macs", f"Δ {unit}", "difference in cost", fmt.signed, True),
        replace(share, name="macs_share", yields=1),
    ]
    if data:
        columns = [Column(name, name, doc) for name, doc in _DATA.items()]
    return tuple(column for column in columns if unit or "macs" not in column.name)


def _notes(difference: Difference) -> tuple[str, ...]:
    same = fmt.several(difference.unchanged, difference.by)
    notes = [f"{same} {'is' if difference.unchanged == 1 else 'are'} as before."]
    if renamed := sum(change.kind == RENAMED for change in difference.changes):
        notes[0] = f"{notes[0][:-1]}, {fmt.integer(renamed)} more but for the name."
    for knob, (old, new) in difference.knobs.items():
        if old is None:
            notes.append(f"The knob {knob} is new; its default is {new}.")
        elif new is None:
            notes.append(f"The knob {knob} is gone; its default was {old}.")
        else:
            notes.append(f"The default of {knob} was {old} and is {new}.")
    for name, (old, new) in difference.outputs.items():
        the = f"The output {name}" if name else "The output"
        if old is None:
            notes.append(f"{the} is new; it comes from {new}.")
        elif new is None:
            notes.append(f"{the} is gone; it came from {old}.")
        else:
            notes.append(f"{the} came from {old} and comes from {new}.")
    if difference.changes:
        notes.append("Percentages are of the old total.")
    for age, profile in (("old", difference.old), ("new", difference.new)):
        notes += incomplete(profile.missing, f"the {age} network")
    return (*notes, counted(difference.new), *difference.needed.notes())


def _data(difference: Difference, kept: Sequence[Change], left: Sequence[Change]) -> dict[str, Any]:
    before, after = difference.needed.totals
    return {
        **stamp(),
        **difference.needed.stamp,
        "by": difference.by,
        "old": {**before, **totals_of(difference.old)},
        "new": {**after, **totals_of(difference.new)},
        "delta": {**difference.needed.delta, **_delta(difference.changes)},
        "knobs": {name: {"old": a, "new": b} for name, (a, b) in difference.knobs.items()},
        "outputs": {name: {"old": a, "new": b} for name, (a, b) in difference.outputs.items()},
        "unchanged": difference.unchanged,
        "changes": [_plain(change, difference.needed) for change in kept],
        "rest": {"changes": len(left), **_delta(left)},
    }


_SHAPES = ("in_shape", "out_shape", "kernel", "stride", "groups")
_FIELDS = ("name", "block", "op", *_SHAPES, "layers", "params", "cost", "activations")


def _plain(change: Change, needed: Needed) -> dict[str, Any]:
    old, new = (
        {**row.plain(*_FIELDS), **parts.get(row.name, {})} if row else None
        for row, parts in zip((change.old, change.new), needed.parts, strict=True)
    )
    return {
        "kind": change.kind,
        "what": list(change.what),
        "old": old,
        "new": new,
        "delta": _delta([change]),
    }

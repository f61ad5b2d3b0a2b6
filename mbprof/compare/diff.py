"""What changed from one network to another: layer by layer, so that the changes add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mbprof.compare.align import Part, likeness, paired, parts_of
from mbprof.compare.diff_report import ADDED, CHANGED, REMOVED, RENAMED, Change, Difference
from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.language.fmt import Value, plain
from mbprof.network import conventions
from mbprof.network.load import Network
from mbprof.network.profile import Profile
from mbprof.network.rows import Row
from mbprof.network.speclike import SpecLike, as_network
from mbprof.ops.base import FACTS

WAYS = ("layer", "block")


def diff(
    old: SpecLike,
    new: SpecLike,
    by: str = "layer",
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    **knobs: Value,
) -> Difference:
    """Say what changed from one network to another, by layer or by block.

    Layers are aligned in their order, by name and shape. The scope is ``all`` unless given: a
    change of the head is a change. Knobs are of both.

    Raises: UsageError: no such spec, grouping, scope or convention. LimitError: too many layers to
    align. MbprofError: a spec makes no network at these values.

    >>> from mbprof import load
    >>> difference = diff("mobilenet_v1", load("mobilenet_v1").build(classes=10))
    >>> [(change.name, change.params) for change in difference.changes if change.params]
    [('Conv2d_1c_1x1', -1013760)]
    """
    if by not in WAYS:
        raise UsageError(f"cannot group by {by!r}", hint=nearest(by, WAYS))
    chosen = scope or "all"
    networks = as_network(old, **knobs), as_network(new, **knobs)
    profiles = [network.profile(convention, chosen) for network in networks]
    pairs = list(zip(networks, profiles, strict=True))
    before, after = (parts_of(network, profile.grouped(by), chosen) for network, profile in pairs)
    inner = [_inner(network, profile) if by == "block" else {} for network, profile in pairs]
    changes = [_change(*parts, *inner) for parts in paired(before, after, likeness)]
    listed = tuple(change for change in changes if change is not None)
    return Difference(
        profiles[0], profiles[1], by, listed, len(changes) - len(listed), _defaults(*networks)
    )


Inner: TypeAlias = Mapping[str, Sequence[Part]]
"""The layers of each block."""


def _inner(network: Network, profile: Profile) -> Inner:
    blocks: dict[str, list[Part]] = {}
    for part in parts_of(network, profile.rows, profile.scope):
        blocks.setdefault(part.row.block, []).append(part)
    return blocks


def _change(old: Part | None, new: Part | None, before: Inner, after: Inner) -> Change | None:
    """Say what changed between two parts, None if nothing did."""
    if old is None or new is None:
        part, kind = (new, ADDED) if old is None else (old, REMOVED)
        what = _described(part.row) if part is not None else ()
        return Change(kind, old.row if old else None, new.row if new else None, what)
    what = _geometry(old, new)
    if old.row.facts != new.row.facts and (not what or what[0].startswith("layers ")):
        layers = before.get(old.row.name, ()), after.get(new.row.name, ())
        what += _within(*layers)
        what = what or _kinds(old.row, new.row)
    if what:
        return Change(CHANGED, old.row, new.row, what)
    return Change(RENAMED, old.row, new.row, ()) if old.row.name != new.row.name else None


def _geometry(old: Part, new: Part) -> tuple[str, ...]:
    """Say in which visible property two parts differ."""
    a, b = old.row, new.row
    # A depthwise layer has as many groups as it has channels.
    depthwise = a.groups == a.in_shape[0] and b.groups == b.in_shape[0]
    seen = (
        ("op", a.op, b.op),
        ("layers", str(a.layers), str(b.layers)),
        ("kernel", fmt.pair(a.kernel), fmt.pair(b.kernel)),
        ("stride", fmt.pair(a.stride), fmt.pair(b.stride)),
        ("dilation", fmt.pair(a.dilation), fmt.pair(b.dilation)),
        ("groups", *(("", "") if depthwise else (_word(a.groups), _word(b.groups)))),
        ("output", fmt.shape(a.out_shape), fmt.shape(b.out_shape)),
        ("then", _list(old.after), _list(new.after)),
    )
    said = tuple(f"{word} {x} → {y}" for word, x, y in seen if x != y)
    # That the input changed, too, is said by the row above.
    if a.in_shape != b.in_shape and not said:
        return (f"input {fmt.shape(a.in_shape)} → {fmt.shape(b.in_shape)}",)
    return said


def _word(value: int | None) -> str:
    return "–" if value is None else str(value)


def _list(words: Sequence[str]) -> str:
    return ", ".join(words) or "nothing"


def _within(before: Sequence[Part], after: Sequence[Part]) -> tuple[str, ...]:
    """Say what changed in the layers of a block, each thing once."""
    said: dict[str, None] = {}
    for parts in paired(before, after, likeness):
        change = _change(*parts, {}, {})
        if change is not None and change.kind != RENAMED:
            if change.kind == CHANGED:
                said |= dict.fromkeys(f"{change.op}: {what}" for what in change.what)
            else:
                said[f"{change.op} {change.kind}"] = None
    return tuple(said)


def _kinds(a: Row, b: Row) -> tuple[str, ...]:
    """Say which kinds of facts differ, where nothing else can be seen."""
    return tuple(
        f"{kind.replace('_', ' ')} {fmt.integer(x)} → {fmt.integer(y)}"
        for kind, x, y in zip(FACTS, a.facts, b.facts, strict=True)
        if x != y
    )


def _described(row: Row) -> tuple[str, ...]:
    """Say what a layer is that has no counterpart."""
    said = [f"kernel {fmt.pair(row.kernel)}"] if row.kernel not in (None, (1, 1)) else []
    said += [f"stride {fmt.pair(row.stride)}"] if row.stride not in (None, (1, 1)) else []
    return (*said, f"output {fmt.shape(row.out_shape)}")


def _defaults(old: Network, new: Network) -> dict[str, tuple[str | None, str | None]]:
    before, after = (
        {name: plain(knob.default) for name, knob in network.definition.knobs.items()}
        for network in (old, new)
    )
    return {
        name: (before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }

"""What became of a layer or block, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mbprof.compare.align import Part, align, likeness, parts_of
from mbprof.language import fmt
from mbprof.language.record import record
from mbprof.network.graph import layers
from mbprof.network.load import Network
from mbprof.network.profile import Profile
from mbprof.network.rows import GROUPINGS, Row
from mbprof.ops.base import FACTS
from mbprof.output.model import Brief

CHANGED, ADDED, REMOVED, RENAMED = "changed", "added", "removed", "renamed"


@record
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
    def activations(self) -> int:
        """How many activations more it makes."""
        old, new = (row.activations if row else 0 for row in (self.old, self.new))
        return new - old

    @property
    def name(self) -> str:
        """The name, or the old and the new one."""
        names = dict.fromkeys(row.name for row in (self.old, self.new) if row is not None)
        return " → ".join(names)

    @property
    def brief(self) -> str:
        """What became of which layer or block."""
        what = f" ({'; '.join(self.what)})" if self.what else ""
        return f"{self.name} {self.kind}{what}, {amounted(self.params, self.cost)}"

    @property
    def op(self) -> str:
        """The op, or the unit of a block; the new one where it has changed."""
        row = self.new or self.old
        return row.op if row is not None else ""


def amounted(params: int, cost: int) -> str:
    """Say how much more there is of params and cost."""
    return f"{fmt.signed(params)} params, cost {fmt.signed(cost)}"


Layer: TypeAlias = tuple[int, Part]
"""A layer with its number in the network."""
Couples: TypeAlias = Sequence[tuple[Layer | None, Layer | None]]


def layers_of(network: Network, profile: Profile, by: str) -> Mapping[str, Sequence[Layer]]:
    """Return the layers of each part."""
    scopes = [group[0].scope for group in layers(network.compiled.nodes)]
    numbers = [n for n, scope in enumerate(scopes) if profile.scope in ("all", scope)]
    groups: dict[str, list[Layer]] = {}
    for layer in zip(numbers, parts_of(network, profile, "layer"), strict=True):
        groups.setdefault(GROUPINGS[by](layer[1].row), []).append(layer)
    return groups


def coupled(before: Sequence[Layer], after: Sequence[Layer]) -> Couples:
    """Align the layers of two parts; single ones are two that stand for each other."""
    if len(before) == len(after) == 1:
        return ((before[0], after[0]),)
    matched = align([part for _, part in before], [part for _, part in after], likeness)
    return [(None if i is None else before[i], None if j is None else after[j]) for i, j in matched]


def inside(
    couples: Couples, moved: Mapping[int, tuple[str, ...]], by: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say what moved in the layers of a part, and what else changed, each thing once."""
    wired: dict[str, None] = {}
    said: dict[str, None] = {}
    for old, new in couples:
        what = moved.get(new[0], ()) if old and new else ()
        if by == "layer":
            return what, ()
        change = change_of(old[1] if old else None, new[1] if new else None, what)
        op = new[1].row.op if new else ""
        wired |= dict.fromkeys(f"{op}: {each}" for each in what)
        if change is not None and change.kind == CHANGED:
            said |= dict.fromkeys(f"{op}: {each}" for each in change.what if each not in what)
        elif change is not None and change.kind != RENAMED:
            said[f"{change.op} {change.kind}"] = None
    return tuple(wired), tuple(said)


def change_of(
    old: Part | None, new: Part | None, moved: tuple[str, ...] = (), within: tuple[str, ...] = ()
) -> Change | None:
    """Say what changed between two parts, None if nothing did."""
    if old is None or new is None:
        part, kind = (new, ADDED) if old is None else (old, REMOVED)
        what = _described(part.row) if part is not None else ()
        return Change(kind, old.row if old else None, new.row if new else None, what)
    what = _geometry(old, new)
    if not what or what[0].startswith("layers "):
        what += within
    what += moved
    if not what and old.row.facts != new.row.facts:
        what = _kinds(old.row, new.row)
    if what:
        return Change(CHANGED, old.row, new.row, what)
    return Change(RENAMED, old.row, new.row, ()) if old.row.name != new.row.name else None


def _geometry(old: Part, new: Part) -> tuple[str, ...]:
    """Say in which visible property two parts differ."""
    a, b = old.row, new.row
    # A depthwise layer has as many groups as it has channels.
    depthwise = a.in_shape[:1] == (a.groups,) and b.in_shape[:1] == (b.groups,)
    seen = (
        ("op", a.op, b.op),
        ("layers", str(a.layers), str(b.layers)),
        ("kernel", fmt.pair(a.kernel), fmt.pair(b.kernel)),
        ("stride", fmt.pair(a.stride), fmt.pair(b.stride)),
        ("dilation", fmt.pair(a.dilation), fmt.pair(b.dilation)),
        ("groups", *(("", "") if depthwise else (str(row.groups or "–") for row in (a, b)))),
        ("output", fmt.shape(a.out_shape), fmt.shape(b.out_shape)),
        ("then", *(", ".join(part.after) or "nothing" for part in (old, new))),
    )
    said = tuple(f"{word} {x} → {y}" for word, x, y in seen if x != y)
    # That the input changed, too, is said by the row above.
    if a.in_shape != b.in_shape and not said:
        return (f"input {fmt.shape(a.in_shape)} → {fmt.shape(b.in_shape)}",)
    return said


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

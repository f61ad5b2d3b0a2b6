"""Networks side by side: by block, stage, layer or op, and in total, with ratios to the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mbprof.compare.align import Part, align_all, likeness, octave, parts_of
from mbprof.device.lanes import COLUMNS as NEEDED
from mbprof.device.lanes import Needs, needs
from mbprof.device.parts import BOUND, of_groups
from mbprof.device.parts import columns as parted
from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.language.fmt import Ratio, Value
from mbprof.language.record import record
from mbprof.network import conventions
from mbprof.network.load import Network, Spec, SpecLike, as_network
from mbprof.network.profile import Profile, amounts, incomplete
from mbprof.network.rows import GROUPINGS, Row, Total, merged
from mbprof.output import Column, Note, Report
from mbprof.output.formats import stamp
from mbprof.output.model import Brief
from mbprof.output.writers import Result

WAYS = (*GROUPINGS, "stage")
"""How networks can be summed up to be compared; a stage is all that has one size of output."""

_QUANTITIES = {"params": "params", "cost": "macs"}
"""What is compared, with its key in data; a cost is in the unit of the convention."""


@record
class Aligned(Brief):
    """What stands side by side: a row of each network, None where a network has none."""

    rows: tuple[Row | None, ...]

    @property
    def name(self) -> str:
        """The name that all rows have, empty if they have several."""
        names = {row.name for row in self.rows if row is not None}
        return names.pop() if len(names) == 1 else ""

    @property
    def brief(self) -> str:
        """The names of the rows."""
        return self.name or " | ".join(row.name if row else "–" for row in self.rows)

    def ratios(self, quantity: str) -> tuple[Ratio | None, ...]:
        """Return ``params`` or ``cost`` of each network as a ratio to those of the first."""
        return _ratios(self.rows, quantity)


@record
class Comparison(Result):
    """Networks side by side; each network's rows add up to its total."""

    profiles: tuple[Profile, ...]
    by: str
    aligned: tuple[Aligned, ...]
    needs: Needs | None = None
    """What each network needs on a device was counted by."""
    needed: tuple[Mapping[str, int], ...] = ()
    """What that is, by the names of the columns."""
    parts: tuple[Mapping[str, Mapping[str, Any]], ...] = ()
    """What the rows of each network need, by their names."""

    @property
    def brief(self) -> str:
        """The networks, and what stands side by side."""
        return f"{' | '.join(profile.headline for profile in self.profiles)}, by {self.by}"

    def report(self, layout: str = "page", asked: Sequence[str] = ()) -> Report:
        """Lay the comparison out; ``asked`` says how each network was called, if otherwise."""
        profiles = self.profiles
        letters = [_letter(number) for number in range(len(profiles))]
        # Full counts are too much for a terminal: of many networks, or of many names.
        wide = len(profiles) > 2 or any(not line.name for line in self.aligned)
        data, short = layout == "data", layout == "terminal" and wide
        total = _cells("total", [profile.total for profile in profiles], letters, False)
        for letter, found in zip(letters, self.needed, strict=False):
            total |= {f"{name}_{letter}": count for name, count in found.items()}
        asked = asked or [profile.spec for profile in profiles]
        legend = [
            f"{letter}: {titled(profile, name)}{f'; {amounts(profile)}' if short else ''}"
            for letter, profile, name in zip(letters, profiles, asked, strict=True)
        ]
        for number, found in enumerate(self.needed):
            legend[number] += f"; {said(found)}"
        columns = _columns(self, letters, data, fmt.short if short else fmt.integer)
        return Report(
            title=f"{len(letters)} networks by {self.by}",
            lead=tuple(legend),
            columns=columns,
            known=(*columns, *_more(letters, self.needs)),
            rows=tuple(
                _cells(line.name, line.rows, letters, data) | _parts(self, line, letters)
                for line in self.aligned
            ),
            data=_data(self),
            total=total | {f"name_{letters[0]}": "total"},
            notes=_notes(self),
            listed="rows",
        )

    def ratios(self, quantity: str) -> tuple[Ratio | None, ...]:
        """Return the total ``params`` or ``cost`` of each network as a ratio to the first's."""
        return _ratios([profile.total for profile in self.profiles], quantity)


def _ratios(rows: Sequence[Row | Total | None], quantity: str) -> tuple[Ratio | None, ...]:
    whole = getattr(rows[0], quantity, 0)
    return tuple(
        Ratio(getattr(row, quantity), whole) if row is not None and whole else None for row in rows
    )


def common_scope(networks: Sequence[Network | Spec]) -> str:
    """Return the scope that the specs agree on; ``all`` where one is of its body and one not."""
    scopes = {network.definition.scope for network in networks}
    return scopes.pop() if len(scopes) == 1 else "all"


def compare(
    *specs: SpecLike,
    by: str = "block",
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    dtype: str | None = None,
    device: str | None = None,
    **knobs: Value,
) -> Comparison:
    """Set networks side by side, part by part in their order.

    Parts stand in one line if they have the same name, or else the same size of output and the
    same op or, of blocks, any; what has weights counts most, and what has no counterpart stands
    alone. The scope is the one that the
    specs agree on, else ``all``. Knobs are of all that are not networks yet. With a ``dtype`` live
    bytes at the peak and bytes of weights stand beside the totals, with a ``device`` nanoseconds.

    Raises: UsageError: fewer than two networks; no such spec, grouping, scope, convention, type or
    device.
    LimitError: too many layers to align. MbprofError: a spec makes no network at these values.

    >>> from mbprof import load
    >>> compare("mobilenet_v1", load("mobilenet_v1").build(alpha=0.5)).ratios("params")[1]
    Ratio(part=807648, whole=3185088)
    """
    if len(specs) < 2:
        raise UsageError("a comparison needs two networks at least")
    if by not in WAYS:
        raise UsageError(f"cannot group by {by!r}", hint=nearest(by, WAYS))
    asked = needs(dtype, device)
    networks = [as_network(spec, **knobs) for spec in specs]
    chosen = scope or common_scope(networks)
    profiles = tuple(network.profile(convention, chosen) for network in networks)
    if by == "stage":
        grouped = [stages(*pair) for pair in zip(networks, profiles, strict=True)]
    else:
        grouped = [profile.grouped(by) for profile in profiles]
    if named := by in ("op", "stage"):
        rank = _ranks(grouped)
        grouped = [tuple(sorted(rows, key=lambda row: rank[row.name])) for rows in grouped]
    parts = [
        tuple(Part(row, None) for row in rows) if named else parts_of(network, profile, by)
        for network, profile, rows in zip(networks, profiles, grouped, strict=True)
    ]
    alike = _same_name if named else likeness
    lines = tuple(
        Aligned(tuple(part.row if part is not None else None for part in line))
        for line in align_all(parts, alike)
    )
    if asked is None:
        return Comparison(profiles, by, lines)
    needed = tuple(asked.of(network.compiled) for network in networks)
    own = tuple(
        of_groups(network, asked, _layers(network, profile, by))
        for network, profile in zip(networks, profiles, strict=True)
    )
    return Comparison(profiles, by, lines, asked, needed, own)


def _layers(network: Network, profile: Profile, by: str) -> Mapping[str, Sequence[Row]]:
    """Return the layers that each row sums up."""
    if by != "stage":
        return profile.groups(by)
    blocks = profile.groups("block")
    return {
        name: [row for block in of for row in blocks[block.name]]
        for name, of in _by_stage(network, profile).items()
    }


def _same_name(part: Part, other: Part) -> int:
    return int(part.row.name == other.row.name)


def _ranks(grouped: Sequence[Sequence[Row]]) -> dict[str, tuple[int, ...]]:
    """Number stages by their size, and ops in the order in which the networks bring them up."""
    names = dict.fromkeys(row.name for rows in grouped for row in rows)
    return {
        name: (int(name[2:]) if name.startswith("1/") else 1 << 30, number)
        for number, name in enumerate(names)
    }


def stages(network: Network, profile: Profile) -> tuple[Row, ...]:
    """Sum blocks up by the size of their output: 1/8 of the image, or 1×1."""
    found = _by_stage(network, profile)
    return tuple(merged(name, rows, "block") for name, rows in found.items())


def _by_stage(network: Network, profile: Profile) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in profile.grouped("block"):
        halved = octave(network.compiled.image, row.out_shape)
        found.setdefault("1×1" if halved is None else f"1/{1 << halved}", []).append(row)
    return found


def titled(profile: Profile, asked: str) -> str:
    """Name a network as it was asked for, with its width, resolution and the knobs turned."""
    said = profile.headline
    return said if asked == profile.spec else f"{said} ({asked})"


def _letter(number: int) -> str:
    """Return A to Z, then A2 and so on."""
    return chr(ord("A") + number % 26) + (str(number // 26 + 1) if number >= 26 else "")


def _cells(
    name: str, rows: Sequence[Row | Total | None], letters: Sequence[str], data: bool
) -> dict[str, Any]:
    cells: dict[str, Any] = {"name": name}
    for letter, row in zip(letters, rows, strict=True):
        for key in _SHOWN:
            cells[f"{_QUANTITIES.get(key, key)}_{letter}"] = getattr(row, key, None)
    for quantity, key in _QUANTITIES.items():
        for letter, ratio in zip(letters, _ratios(rows, quantity), strict=True):
            cells[f"{key}_ratio_{letter}"] = float(ratio) if data and ratio else ratio
    return cells


def _columns(
    comparison: Comparison, letters: Sequence[str], data: bool, count: Callable[[int], str]
) -> tuple[Column, ...]:
    by, first = comparison.by, letters[0]
    columns = [Column("name", by, f"the {by}", shrinks=True)]
    if data or any(not line.name for line in comparison.aligned):
        columns = [
            Column(f"name_{x}", f"{by} {x}", f"the {by} of {x}", shrinks=x == first, group="name")
            for x in letters
        ]
    if by != "op":
        columns += [
            Column(f"out_shape_{x}", f"output {x}", "output shape", fmt.shape, True, 5, group="out")
            for x in letters
        ]
    # Of many networks a narrow terminal shows the MACs; the params stand in the first lines.
    unit = comparison.profiles[0].convention.unit
    measures = ("params", "params", 3 if len(letters) > 2 else 0, 4), ("macs", unit, 0, 2)
    for key, word, counts, ratios in measures if unit else measures[:1]:
        columns += [
            Column(f"{key}_{x}", f"{word} {x}", word, count, True, counts, group=key)
            for x in letters
        ]
        columns += [
            Column(
                f"{key}_ratio_{x}", f"{x}/{first}", f"{word} of {x} to those of {first}",
                lambda ratio: fmt.ratio(*ratio), True, ratios, group=f"{key}_ratio", rank=float,
            )
            for x in letters[1:]
        ]  # fmt: skip
    return tuple(replace(column, absent="–") for column in columns)


def _beside(column: Column, letter: str) -> Column:
    """Return a column of one network among several."""
    name, heading = f"{column.name}_{letter}", f"{column.heading} {letter}"
    return replace(column, name=name, heading=heading, absent="–", group=column.name)


def _more(letters: Sequence[str], needs: Needs | None) -> Iterator[Column]:
    """Yield the columns that are shown where they are asked for."""
    known = NEEDED | {BOUND.name: BOUND}
    for name in dict.fromkeys(("activations", *(parted(needs) if needs else ()))):
        yield from (_beside(known[name], x) for x in letters)


def _parts(comparison: Comparison, line: Aligned, letters: Sequence[str]) -> dict[str, Any]:
    """Return what each network's row of a line needs on a device."""
    return {
        f"{name}_{letter}": value
        for letter, row, parts in zip(letters, line.rows, comparison.parts, strict=False)
        if row is not None
        for name, value in parts[row.name].items()
    }


def said(needed: Mapping[str, int]) -> str:
    """Say what a network needs on a device, with the columns' words."""
    return ", ".join(f"{fmt.integer(n)} {NEEDED[name].heading}" for name, n in needed.items())


def _notes(comparison: Comparison) -> tuple[str | Note, ...]:
    notes: list[str | Note] = [counted(comparison.profiles[0])]
    for profile in comparison.profiles:
        notes += incomplete(profile.missing, profile.spec)
    if comparison.by == "block" and any(not line.name for line in comparison.aligned):
        line = "Blocks of other names stand in one line where the size of their output is the same;"
        notes.append(
            Note(f"{line} --by stage sums them up by size.", f'{line} by="stage" sums them up.')
        )
    if comparison.by == "stage":
        line = "A stage is all blocks whose output is 1/2, 1/4, ... of the image's height;"
        notes.append(f"{line} N tokens are √N high.")
    if comparison.needs is not None:
        names = ",".join(parted(comparison.needs))
        notes.append(f"{comparison.needs.said} Totals are of whole networks.")
        notes.append(Note(f"--columns name,{names} shows this row by row.", ""))
    return tuple(notes)


def _data(comparison: Comparison) -> dict[str, Any]:
    return {
        **stamp(),
        **(comparison.needs.stamp if comparison.needs else {}),
        "by": comparison.by,
        "networks": [
            {**(comparison.needed[number] if comparison.needed else {}), **totals_of(profile)}
            for number, profile in enumerate(comparison.profiles)
        ],
        "rows": [
            {
                "name": line.name or None,
                "networks": [_row(comparison, n, row) for n, row in enumerate(line.rows)],
                "ratios": {key: _floats(line.ratios(name)) for name, key in _QUANTITIES.items()},
            }
            for line in comparison.aligned
        ],
        "total": {key: _floats(comparison.ratios(name)) for name, key in _QUANTITIES.items()},
    }


def _row(comparison: Comparison, number: int, row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    needed = comparison.parts[number][row.name] if comparison.parts else {}
    return {**row.plain(*_SHOWN), **needed}


_SHOWN = ("name", "op", "in_shape", "out_shape", "layers", "params", "cost", "activations")


def totals_of(profile: Profile) -> dict[str, Any]:
    """Return a profile as plain data, without its layers."""
    return {name: value for name, value in profile.to_dict().items() if name != "layers"}


def counted(profile: Profile) -> str:
    """Say what a profile counts, in which scope."""
    convention = profile.convention
    return f"Scope {profile.scope}. Counted: {convention.doc} (convention {convention.name})."


def _floats(ratios: Sequence[Ratio | None]) -> list[float | None]:
    return [None if ratio is None else float(ratio) for ratio in ratios]

"""The cost of a network, layer by layer, and its table: grouped, sorted, in chosen columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.language.fmt import Value, spelled
from mbprof.network import conventions
from mbprof.network.conventions import UNITS, Convention
from mbprof.network.graph import Graph
from mbprof.network.rows import (
    FIELDS,
    GROUPINGS,
    Row,
    Total,
    costed,
    merged,
    stored,
    summed,
)
from mbprof.network.table import column, columns, known
from mbprof.ops.base import FACTS, STORED
from mbprof.output.formats import stamp
from mbprof.output.model import Note, Report, order
from mbprof.output.writers import Result
from mbprof.spec.sections import SCOPES, chosen_scope

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Profile(Result):
    """The cost of a network, layer by layer; rows add up to the total, in integers.

    ``changed`` names the knobs that do not have their default value, ``totals`` holds the totals
    of every scope, so that a report of one can name the others.
    """

    spec: str
    knobs: Mapping[str, Value]
    scope: str
    convention: Convention
    rows: tuple[Row, ...]
    totals: Mapping[str, Total]
    changed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        graph: Graph,
        spec: str,
        knobs: Mapping[str, Value],
        scope: str,
        convention: str = conventions.DEFAULT,
        changed: tuple[str, ...] = (),
    ) -> Profile:
        """Cost a graph under a convention, within a scope.

        Raises: UsageError: no such convention or scope.
        """
        chosen = conventions.load(convention)
        chosen_scope(scope)
        parts = list(costed(graph, chosen))
        rows = {name: tuple(row for part, row in parts if name in ("all", part)) for name in SCOPES}
        totals = {name: summed(part) for name, part in rows.items()}
        return cls(spec, knobs, scope, chosen, rows[scope], totals, changed)

    @property
    def total(self) -> Total:
        """The sum of the rows."""
        return self.totals[self.scope]

    @property
    def headline(self) -> str:
        """The network, its width and resolution, and every knob that was turned."""
        return heading(self.spec, self.knobs, self.changed)

    @property
    def brief(self) -> str:
        """The headline and the total."""
        unit = self.convention.unit
        cost = f", {fmt.integer(self.total.cost)} {unit}" if unit else ""
        return f"{self.headline}: {fmt.integer(self.total.params)} params{cost}"

    def grouped(self, by: str) -> tuple[Row, ...]:
        """Return the rows summed up by layer, block or op, in order of appearance.

        Raises: UsageError: no such grouping.
        """
        if by not in GROUPINGS:
            raise UsageError(f"cannot group by {by!r}", hint=nearest(by, GROUPINGS))
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(GROUPINGS[by](row), []).append(row)
        return tuple(merged(key, rows, by) for key, rows in groups.items())

    def report(self, layout: str = "page") -> Report:
        """Lay the rows out as they are; `Table` groups, sorts and chooses."""
        return Table(self).report(layout)

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, one column for each field of a row and kind."""
        return self.frame(self.rows)

    def frame(self, rows: Iterable[Row]) -> pandas.DataFrame:
        """Return some rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame.from_records(
            [
                {
                    **row.fields(*_OWN),
                    **self.convention.named(row.costs),
                    "params_folded": row.folded,
                    **row.facts._asdict(),
                }
                for row in rows
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain data, as ``mbprof table --format json`` prints it."""
        return {
            **stamp(self.spec, self.knobs, self.scope, self.convention),
            "layers": [self.plain(row) for row in self.rows],
            "total": {
                "params": self.total.params,
                **self.convention.named(self.total.costs),
                "unit": self.convention.unit or None,
                "layers": self.total.layers,
                **stored(self.total.facts),
                "params_folded": self.total.folded,
            },
        }

    def plain(self, row: Row) -> dict[str, Any]:
        """Return a layer as plain data."""
        return {
            **row.plain(*_OWN),
            **self.convention.named(row.costs),
            "params_by_kind": {kind: getattr(row.facts, kind) for kind in STORED},
        }


@dataclass(frozen=True, slots=True, repr=False)
class Table(Result):
    """A profile as a table: summed up by layer, block or op, sorted, cut to its first rows.

    Without ``columns`` a format chooses them.
    Raises: UsageError: no such grouping or column, or ``top`` below 1.
    """

    profile: Profile
    by: str = "layer"
    sort: str | None = None
    top: int | None = None
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        columns(self.columns, self.by, "data", self.profile.convention)
        _ = self.rows  # which refuses a grouping or a column to sort by

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that are shown, in their order."""
        rows = self.profile.grouped(self.by)
        by = column(self.sort, self.profile.convention) if self.sort is not None else None
        values = (
            [_values(row, self.profile) for row in rows] if by is not None else [{}] * len(rows)
        )
        return tuple(rows[number] for number in order(values, by, self.top))

    @property
    def total(self) -> Total:
        """The sum of all rows, shown or not."""
        return self.profile.total

    @property
    def brief(self) -> str:
        """The profile in a line, and what the rows are."""
        return f"{self.profile.brief}, by {self.by}"

    def report(self, layout: str = "page") -> Report:
        """Lay the table out."""
        profile = self.profile
        shown = columns(self.columns, self.by, layout, profile.convention)
        rows = tuple(_values(row, profile) for row in self.rows)
        data = profile.to_dict()
        if self.by == "layer":
            data["layers"] = [profile.plain(row) for row in self.rows]
        else:
            data["layers"] = [_data(row) for row in rows]
        return Report(
            title=profile.headline,
            columns=shown,
            rows=rows,
            data=data,
            total=_total(profile),
            notes=_notes(profile, len(rows), len(profile.grouped(self.by))),
            known=known(self.by, profile.convention),
            listed="layers",
        )

    def to_frame(self) -> pandas.DataFrame:
        """Return the table as a pandas DataFrame; of layers with all columns unless told which."""
        if self.columns is None and self.by == "layer":
            return self.profile.frame(self.rows)
        return Result.to_frame(self)


_OWN = tuple(name for name in FIELDS if name != "layers")
"""What a single layer says of itself."""


def _values(row: Row, profile: Profile) -> dict[str, Any]:
    return {**row.fields(*FIELDS), **row.facts._asdict(), **_numbers(row, profile)}


def _numbers(row: Row | Total, profile: Profile) -> dict[str, Any]:
    """Return params and costs with their shares of the total."""
    total, convention = profile.total, profile.convention
    values: dict[str, Any] = convention.named(row.costs)
    for name, whole in convention.named(total.costs).items():
        values[f"{name}_share"] = values[f"{name}_bar"] = (values[name], whole)
    values["params"], values["params_folded"] = row.params, row.folded
    values["params_share"] = values["params_bar"] = (row.params, total.params)
    return values


def _data(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if not name.endswith(("_share", "_bar")) and name not in FACTS
    }


def _total(profile: Profile) -> dict[str, Any]:
    total = profile.total
    values = _numbers(total, profile)
    bars = {name: None for name in values if name.endswith("_bar")}
    return {"name": "total", "layers": total.layers, **values, **bars, **total.facts._asdict()}


def heading(spec: str, knobs: Mapping[str, Value], changed: Iterable[str]) -> str:
    """Name a network, its width and resolution, and the knobs that were turned."""
    shown = dict.fromkeys((*(name for name in ("alpha", "res") if name in knobs), *changed))
    return ", ".join(filter(None, (spec, spelled({name: knobs[name] for name in shown}))))


def _notes(profile: Profile, shown: int, found: int) -> tuple[str | Note, ...]:
    notes: list[str | Note] = []
    if shown < found:
        notes.append(f"{shown} of {found} rows are shown; the total is of all.")
    convention = profile.convention
    notes.append(f"Counted: {convention.doc} (convention {convention.name}).")
    other = "all" if profile.scope == "body" else "body"
    total = profile.totals[other]
    if total[:2] != profile.total[:2]:
        what = {"all": "with the head", "body": "without the head"}[other]
        costs = (
            f", {fmt.integer(cost)} {UNITS[name]}"
            for name, cost in convention.named(total.costs).items()
        )
        counted = f"{fmt.integer(total.params)} params{''.join(costs)}."
        ways = (f"--scope {other}", f'scope="{other}"')
        notes.append(Note(*(f"Scope {profile.scope}; {what} ({way}): {counted}" for way in ways)))
    total = profile.total
    if total.facts.params != total.params or total.folded != total.params:
        notes.append(
            f"Stored: {fmt.integer(total.facts.params)} values, "
            f"{fmt.integer(total.facts.trainable)} of them trained; "
            f"{fmt.integer(total.folded)} with batch norms folded."
        )
    return tuple(notes)

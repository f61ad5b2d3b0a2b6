"""The cost of a network, layer by layer, and its table: grouped, sorted, in chosen columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError, nearest
from mbprof.language import dtypes, fmt
from mbprof.language.fmt import Ratio, Shape, Value, spelled
from mbprof.language.record import at_once, record
from mbprof.network import conventions, measures
from mbprof.network.columns import column, columns, known
from mbprof.network.conventions import UNITS, Convention
from mbprof.network.graph import Graph
from mbprof.network.measures import Measures, Traffic, said_of
from mbprof.network.rows import FIELDS, GROUPINGS, Row, Total, costed, merged, stored, summed
from mbprof.ops.base import FACTS, STORED
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Later, Note, Report, Rows, order
from mbprof.output.writers import Result
from mbprof.spec.sections import SCOPES, chosen_scope

if TYPE_CHECKING:
    import pandas


@record
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
    outputs: Mapping[str, Shape] = field(default_factory=dict)
    """The shapes of the results that the spec names."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """How many ops of each kind there are whose cost is not known."""
    graph: Graph | None = field(default=None, compare=False)
    """What was costed."""

    @classmethod
    @at_once
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
        missing, named = lacking(graph, scope), graph.named
        return cls(spec, knobs, scope, chosen, rows[scope], totals, changed, named, missing, graph)

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
        return f"{self.headline}: {amounts(self)}"

    def grouped(self, by: str) -> tuple[Row, ...]:
        """Return the rows summed up by layer, block or op, in order of appearance.

        Raises: UsageError: no such grouping.
        """
        return tuple(merged(key, rows, by) for key, rows in self.groups(by).items())

    def groups(self, by: str) -> dict[str, list[Row]]:
        """Return the rows that are summed up, by the name of their sum.

        Raises: UsageError: no such grouping.
        """
        if by not in GROUPINGS:
            raise UsageError(f"cannot group by {by!r}", hint=nearest(by, GROUPINGS))
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(GROUPINGS[by](row), []).append(row)
        return groups

    def measured(self, by: str, found: Measures, dtype: str | None) -> dict[str, dict[str, Any]]:
        """Return what the rows of a grouping move and see, and what all of them move.

        A block sees what its last layer sees. Raises: UsageError: no such grouping or type.
        """
        chosen, none = dtypes.dtype(dtype) if dtype else None, Traffic()
        result = {}
        for key, rows in {**self.groups(by), "": list(self.rows)}.items():
            traffic = sum((found.traffic[row.name] for row in rows), none)
            last = found.fields[rows[-1].name] if key and by != "op" else None
            result[key] = measures.values(traffic, last, chosen)
        return result

    def report(self, layout: str = "page") -> Report:
        """Lay the rows out as they are; `Table` groups, sorts and chooses."""
        return Table(self).report(layout)

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, one column for each field of a row and kind."""
        import pandas

        records = [
            {
                **row.fields(*_OWN),
                **self.convention.named(row.costs),
                "params_folded": row.folded,
                **row.facts._asdict(),
            }
            for row in self.rows
        ]
        return pandas.DataFrame.from_records(records)

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain data, as ``mbprof table --format json`` prints it."""
        named, total = self.convention.named, self.total
        return {
            **stamp(self.spec, self.knobs, self.scope, self.convention),
            "layers": [
                {
                    **row.plain(*_OWN),
                    **named(row.costs),
                    "params_by_kind": {kind: getattr(row.facts, kind) for kind in STORED},
                }
                for row in self.rows
            ],
            **({"outputs": {n: [*of] for n, of in self.outputs.items()}} if self.outputs else {}),
            **({"incomplete": dict(self.missing)} if self.missing else {}),
            "total": {
                "params": total.params,
                **named(total.costs),
                "unit": self.convention.unit or None,
                "layers": total.layers,
                **stored(total.facts),
                "params_folded": total.folded,
            },
        }


@record
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
    idle: tuple[str, ...] = ()
    """The knobs that were turned and change nothing of the profile."""
    scaled: tuple[str, ...] = ()
    """What to say of outputs that the width rule scales though their number is stated."""
    dtype: str | None = None
    """The type of numbers at which traffic is in bytes; without one it is in elements."""
    measures: bool = False
    """Whether the columns of what is measured on the graph have values where none is shown."""

    def __post_init__(self) -> None:
        columns(self.columns, self.by, "data", self.profile.convention)
        _ = self.rows  # which refuses a grouping or a column to sort by

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that are shown, in their order."""
        rows = self.profile.grouped(self.by)
        by = column(self.sort, self.profile.convention) if self.sort is not None else None
        more = self._measures([by] if by else [])[1]
        values = [{} if by is None else _values(row, self.profile, more) for row in rows]
        return tuple(rows[number] for number in order(values, by, self.top))

    @property
    def total(self) -> Total:
        """The sum of all rows, shown or not."""
        return self.profile.total

    @property
    def brief(self) -> str:
        """The profile in a line, and what the rows are."""
        return f"{self.profile.brief}, by {self.by}"

    def _measures(
        self, shown: Iterable[Column]
    ) -> tuple[Measures | None, dict[str, dict[str, Any]]]:
        """Measure the graph if some columns show that, and return what they say of each row."""
        names = {column.name for column in shown}
        graph = self.profile.graph
        if graph is None or (names.isdisjoint(measures.COLUMNS) and not self.measures):
            return None, {}
        found = measures.measured(graph)
        return found, self.profile.measured(self.by, found, self.dtype)

    def report(self, layout: str = "page") -> Report:
        """Lay the table out."""
        profile = self.profile
        shown = columns(self.columns, self.by, layout, profile.convention)
        found, more = self._measures(shown)
        rows = Rows(lambda row: _values(row, profile, more), self.rows)
        total = _values(profile.total, profile, {"total": more.get("", {})})

        def data() -> dict[str, Any]:
            data = replace(profile, rows=self.rows).to_dict()
            if self.by != "layer":
                data["layers"] = [_data(row) for row in rows]
            named = [column.name for column in shown if column.name in measures.COLUMNS]
            for place, values in zip((*data["layers"], data["total"]), (*rows, total), strict=True):
                place.update((name, values[name]) for name in named if name in values)
            return data

        return Report(
            title=profile.headline,
            columns=shown,
            rows=rows,
            data=Later(data),
            total=total,
            notes=(
                *(
                    f"{name} changes nothing that is counted: its default gives the same."
                    for name in self.idle
                ),
                *self.scaled,
                *(said_of(found, {column.name for column in shown}, self.dtype) if found else ()),
                *_notes(profile, len(rows), len(profile.grouped(self.by))),
            ),
            known=known(self.by, profile.convention),
            listed="layers",
        )

    def to_frame(self) -> pandas.DataFrame:
        """Return the table as a pandas DataFrame; of layers with all columns unless told which."""
        if self.columns is None and self.by == "layer":
            return replace(self.profile, rows=self.rows).to_frame()
        return Result.to_frame(self)


_OWN = tuple(name for name in FIELDS if name != "layers")
"""What a single layer says of itself."""


def _values(
    row: Row | Total, profile: Profile, more: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return what a row says, its facts, and params and costs with their shares of the total."""
    named, summed_up = profile.convention.named, {"name": "total", "layers": row.layers}
    values: dict[str, Any] = row.fields(*FIELDS) if isinstance(row, Row) else summed_up
    values |= {"params": row.params, **named(row.costs), "params_folded": row.folded}
    for name, whole in {"params": profile.total.params, **named(profile.total.costs)}.items():
        values[f"{name}_share"] = share = Ratio(values[name], whole)
        values[f"{name}_bar"] = share if isinstance(row, Row) else None
    return values | row.facts._asdict() | more.get(values["name"], {})


def _data(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if not name.endswith(("_share", "_bar")) and name not in FACTS
    }


def heading(spec: str, knobs: Mapping[str, Value], changed: Iterable[str]) -> str:
    """Name a network, its width and resolution, and the knobs that were turned."""
    shown = dict.fromkeys((*(name for name in ("alpha", "res") if name in knobs), *changed))
    return ", ".join(filter(None, (spec, spelled({name: knobs[name] for name in shown}))))


def amounts(profile: Profile) -> str:
    """Write the params and the cost of a network in total."""
    unit = profile.convention.unit
    cost = f", {fmt.integer(profile.total.cost)} {unit}" if unit else ""
    lacks = ", incomplete" if profile.missing else ""
    return f"{fmt.integer(profile.total.params)} params{cost}{lacks}"


def incomplete(missing: Mapping[str, int], of: str = "") -> list[str]:
    """Say what a total lacks, from how many ops of each kind have no known cost; ``of`` whom.

    >>> incomplete({"LSTM": 2})
    ['The total is incomplete; it lacks 2 ops whose cost is not known: LSTM 2.']
    """
    if not missing:
        return []
    kinds = ", ".join(f"{kind} {fmt.integer(count)}" for kind, count in missing.items())
    count = fmt.several(sum(missing.values()), "op")
    whose = f" of {of}" if of else ""
    return [f"The total{whose} is incomplete; it lacks {count} whose cost is not known: {kinds}."]


def lacking(graph: Graph, scope: str) -> Counter[str]:
    """Return how many ops of each kind there are in a scope whose cost is not known."""
    kinds = (node.op.missing for node in graph.nodes if scope in ("all", node.scope))
    return Counter(filter(None, kinds))


def _notes(profile: Profile, shown: int, found: int) -> tuple[str | Note, ...]:
    notes: list[str | Note] = []
    if shown < found:
        notes.append(f"{fmt.part(shown, found, 'row')} shown; the total is of all.")
    notes += incomplete(profile.missing)
    if profile.outputs:
        ends = (f"{name} {fmt.shape(of)}" for name, of in profile.outputs.items())
        notes.append(f"Outputs: {', '.join(ends)}.")
    convention = profile.convention
    notes.append(f"Counted: {convention.doc} (convention {convention.name}).")
    other = "all" if profile.scope == "body" else "body"
    total = profile.totals[other]
    if total[:2] != profile.total[:2]:
        what = {"all": "with the head", "body": "without the head"}[other]
        costs = {"params": total.params, **convention.named(total.costs)}
        said = (f"{fmt.integer(cost)} {UNITS.get(name, name)}" for name, cost in costs.items())
        counted = f"{', '.join(said)}."
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

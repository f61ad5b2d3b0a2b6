"""The layer table: a profile as a report, with its columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.values import Value, plain
from mbprof.network.conventions import UNITS, Convention
from mbprof.network.profile import Profile, Row, Total
from mbprof.ops.facts import FACTS
from mbprof.output import Column, Report, arranged

_DASH = "–"


def _word(value: object) -> str:
    return str(value) if value not in (None, "") else _DASH


def _share(value: tuple[int, int]) -> str:
    return fmt.percent(*value)


def _bar(value: tuple[int, int]) -> str:
    return fmt.bar(*value)


def _part(value: tuple[int, int]) -> int:
    return value[0]


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("name", "layer", "the layer's name", shrinks=True),
        Column("block", "block", "the row of the spec that it comes from", yields=9),
        Column("unit", "unit", "the block or op that the row calls", yields=9),
        Column("op", "op", "the op", _word, yields=2),
        Column("in_shape", "input", "input shape, C×H×W", fmt.shape, True, yields=6),
        Column("out_shape", "output", "output shape, C×H×W", fmt.shape, True, yields=1),
        Column("kernel", "kernel", "kernel height and width", fmt.pair, True, yields=5),
        Column("stride", "stride", "stride of both axes", fmt.pair, True, yields=5),
        Column("dilation", "dilation", "dilation of both axes", fmt.pair, True, yields=9),
        Column("groups", "groups", "groups", _word, True, yields=9),
        Column("layers", "layers", "how many layers are summed up", fmt.integer, True, yields=3),
        Column("params", "params", "stored values that the convention counts", fmt.integer, True),
        Column("params_share", "%", "share of all params", _share, True, yields=3, rank=_part),
        Column("params_bar", "", "share of all params, drawn", _bar, yields=7, rank=_part),
        Column(
            "params_folded", "folded", "all stored values, batch norms folded", fmt.integer, True, 1
        ),
        *(
            column
            for name, unit in UNITS.items()
            for column in (
                Column(name, unit, f"{unit} that the convention counts", fmt.integer, True),
                Column(f"{name}_share", "%", f"share of all {unit}", _share, True, 3, rank=_part),
                Column(
                    f"{name}_bar", "", f"share of all {unit}, drawn", _bar, yields=7, rank=_part
                ),
            )
        ),
        *(
            Column(kind, kind.replace("_", " "), doc, fmt.integer, True, yields=1)
            for kind, doc in FACTS.items()
        ),
    )
}
"""Every column that ``--columns`` can name."""

_PAGE = (
    "name",
    "op",
    "kernel",
    "stride",
    "out_shape",
    "params",
    "params_share",
    "macs",
    "macs_share",
)
_COSTS = ("params", "params_share", "params_bar", "macs", "macs_share", "macs_bar")
LAYOUTS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("terminal", False): ("name", "op", "kernel", "stride", "out_shape", *_COSTS),
    ("terminal", True): ("name", "layers", "out_shape", *_COSTS),
    ("page", False): _PAGE,
    ("page", True): ("name", "layers", "out_shape", *_PAGE[5:]),
    ("data", False): (
        "name", "block", "op", "in_shape", "out_shape",
        "kernel", "stride", "groups", "params", "macs",
    ),
    ("data", True): ("name", "layers", "params", "macs"),
}  # fmt: skip
"""The columns of each layout, of single layers and of groups."""


def profile_report(
    profile: Profile,
    by: str = "layer",
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
    layout: str = "page",
) -> Report:
    """Lay out a profile: grouped, sorted, cut to its first rows, in chosen columns.

    Raises: UsageError: no such grouping or column, or ``top`` below 1.
    """
    convention = profile.convention
    for name in (*(columns or ()), *((sort,) if sort is not None else ())):
        _measures(convention, name)
    rows = tuple(_values(row, profile) for row in profile.grouped(by))
    data = profile.to_dict()
    if by != "layer":
        data["layers"] = [_data(row) for row in rows]
    known = {**COLUMNS, "name": replace(COLUMNS["name"], heading=by, doc=f"the {by}")}
    report = Report(
        title=headline(profile),
        columns=tuple(
            known[name] for name in _measured(LAYOUTS[layout, by != "layer"], convention)
        ),
        rows=rows,
        data=data,
        total=_total(profile),
        notes=_notes(profile),
        known=tuple(column for column in known.values() if column.name not in _missing(convention)),
        listed="layers",
    )
    return arranged(report, sort, top, columns)


def _measured(layout: Sequence[str], convention: Convention) -> Iterator[str]:
    """Yield the columns of a layout, those of MACs for what the convention measures instead."""
    for name in layout:
        if not name.startswith("macs"):
            yield name
            continue
        for number, measure in enumerate(convention.measures):
            if number == 0 or name == "macs":
                yield measure + name.removeprefix("macs")


def cost_columns(convention: Convention) -> tuple[Column, ...]:
    """Return the columns of what a convention counts: params and its costs."""
    return tuple(COLUMNS[name] for name in ("params", *convention.measures))


def _missing(convention: Convention) -> dict[str, str]:
    """Return the columns of costs that a convention does not count, each with its unit."""
    return {
        name + part: unit
        for name, unit in UNITS.items()
        for part in ("", "_share", "_bar")
        if name not in convention.measures
    }


def _measures(convention: Convention, column: str) -> None:
    """Refuse a column of a cost that a convention does not count.

    Raises: UsageError.
    """
    if (unit := _missing(convention).get(column)) is not None:
        counted = " and ".join(UNITS[name] for name in convention.measures) or "params only"
        raise UsageError(f"convention {convention.name} has no {unit}", hint=f"it counts {counted}")


def _values(row: Row, profile: Profile) -> dict[str, Any]:
    left_out = ("facts", "macs", "costs", "folded")
    values = {n: getattr(row, n) for n in Row.__dataclass_fields__ if n not in left_out}
    values.update(row.facts._asdict())
    return values | _numbers(row, profile)


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


def headline(profile: Profile) -> str:
    """Name the network, its width and resolution, and every knob that was turned."""
    return heading(profile.spec, profile.knobs, profile.changed)


def heading(spec: str, knobs: Mapping[str, Value], changed: Iterable[str]) -> str:
    """Name a network, its width and resolution, and the knobs that were turned."""
    shown = dict.fromkeys((*(name for name in ("alpha", "res") if name in knobs), *changed))
    return ", ".join((spec, *(f"{name} {plain(knobs[name])}" for name in shown)))


def _notes(profile: Profile) -> tuple[str, ...]:
    convention = profile.convention
    notes = [f"Counted: {convention.doc} (convention {convention.name})."]
    other = "all" if profile.scope == "body" else "body"
    total = profile.totals[other]
    if total[:2] != profile.total[:2]:
        what = {"all": "with the head", "body": "without the head"}[other]
        costs = (
            f", {fmt.integer(cost)} {UNITS[name]}"
            for name, cost in convention.named(total.costs).items()
        )
        notes.append(
            f"Scope {profile.scope}; {what} (--scope {other}): {fmt.integer(total.params)} params"
            f"{''.join(costs)}."
        )
    total = profile.total
    if total.facts.params != total.params or total.folded != total.params:
        notes.append(
            f"Stored: {fmt.integer(total.facts.params)} values, "
            f"{fmt.integer(total.facts.trainable)} of them trained; "
            f"{fmt.integer(total.folded)} with batch norms folded."
        )
    return tuple(notes)

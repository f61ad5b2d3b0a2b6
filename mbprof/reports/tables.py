"""The layer table: a profile as a report, with its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mbprof import fmt
from mbprof.errors import UsageError, nearest
from mbprof.facts import KINDS
from mbprof.profile import Profile, Row
from mbprof.reports.model import Column, Report
from mbprof.spec.knobs import plain

_DASH = "–"


def _word(value: object) -> str:
    return str(value) if value not in (None, "") else _DASH


def _share(value: tuple[int, int]) -> str:
    return fmt.percent(*value)


def _bar(value: tuple[int, int]) -> str:
    return fmt.bar(*value)


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
        Column("params_share", "%", "share of all params", _share, True, yields=3),
        Column("params_bar", "", "share of all params, drawn", _bar, yields=7),
        Column(
            "macs", "MACs", "multiply-accumulates that the convention counts", fmt.integer, True
        ),
        Column("macs_share", "%", "share of all MACs", _share, True, yields=3),
        Column("macs_bar", "", "share of all MACs, drawn", _bar, yields=7),
        *(
            Column(kind, kind.replace("_", " "), doc, fmt.integer, True, yields=1)
            for kind, doc in KINDS.items()
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
    chosen = _columns(columns, by, layout)
    rows = [_values(row, profile) for row in profile.grouped(by)]
    found = len(rows)
    if sort is not None:
        column = _column(sort)
        rows.sort(key=_key(column), reverse=column.numeric)
    if top is not None:
        if top < 1:
            raise UsageError(f"--top is {top}; it must be at least 1")
        rows = rows[:top]
    data = profile.to_dict()
    if by != "layer" or sort is not None or top is not None:
        data["layers"] = [_data(row) for row in rows]
    return Report(
        title=headline(profile),
        columns=chosen,
        rows=tuple(rows),
        data=data,
        total=_total(profile),
        notes=_notes(profile, len(rows), found),
    )


def _columns(names: Sequence[str] | None, by: str, layout: str) -> tuple[Column, ...]:
    chosen = [_column(name) for name in names or LAYOUTS[layout, by != "layer"]]
    return tuple(replace(each, heading=by) if each.name == "name" else each for each in chosen)


def _column(name: str) -> Column:
    if name not in COLUMNS:
        raise UsageError(f"unknown column {name!r}", hint=nearest(name, COLUMNS, 20))
    return COLUMNS[name]


def _key(column: Column) -> Callable[[dict[str, Any]], Any]:
    def key(row: dict[str, Any]) -> Any:
        value = row[column.name]
        if isinstance(value, tuple) and column.name.endswith(("_share", "_bar")):
            return value[0]
        if isinstance(value, tuple):
            product = 1
            for each in value:
                product *= each
            return product
        return value if value is not None else 0 if column.numeric else ""

    return key


def _values(row: Row, profile: Profile) -> dict[str, Any]:
    total = profile.total
    values = {name: getattr(row, name) for name in Row.__dataclass_fields__ if name != "facts"}
    values.update(row.facts._asdict())
    values["params_share"] = values["params_bar"] = (row.params, total.params)
    values["macs_share"] = values["macs_bar"] = (row.macs, total.macs)
    return values


def _data(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if not name.endswith(("_share", "_bar")) and name not in KINDS
    }


def _total(profile: Profile) -> dict[str, Any]:
    total = profile.total
    values: dict[str, Any] = {"name": "total", "params": total.params, "macs": total.macs}
    values["layers"] = total.layers
    values["params_share"] = (total.params, total.params)
    values["macs_share"] = (total.macs, total.macs)
    return values | total.facts._asdict()


def headline(profile: Profile) -> str:
    """Name the network, its width and resolution, and every knob that was turned."""
    shown = dict.fromkeys(name for name in ("alpha", "res") if name in profile.knobs)
    shown |= dict.fromkeys(profile.changed)
    values = ", ".join(f"{name} {plain(profile.knobs[name])}" for name in shown)
    return f"{profile.spec}, {values}"


def _notes(profile: Profile, shown: int, found: int) -> tuple[str, ...]:
    notes = []
    if shown < found:
        notes.append(f"{shown} of {found} rows are shown; the total is of all.")
    convention = profile.convention
    notes.append(f"Counted: {convention.doc} (convention {convention.name}).")
    other = "all" if profile.scope == "body" else "body"
    total = profile.totals[other]
    if total[:2] != profile.total[:2]:
        what = {"all": "with the head", "body": "without the head"}[other]
        notes.append(
            f"Scope {profile.scope}; {what} (--scope {other}): {fmt.integer(total.params)} params, "
            f"{fmt.integer(total.macs)} {convention.unit}."
        )
    return tuple(notes)

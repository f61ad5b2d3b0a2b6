"""The columns of tables of layers: what each is, and which a layout has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from mbprof.errors import UsageError, unknown
from mbprof.language import fmt
from mbprof.network import measures
from mbprof.network.conventions import UNITS, Convention
from mbprof.ops.base import FACTS
from mbprof.output.model import Column

if TYPE_CHECKING:
    pass


def _word(value: object) -> str:
    return str(value) if value not in (None, "") else "–"


def _counts(name: str, unit: str, doc: str) -> tuple[Column, ...]:
    """Return the columns of what is counted: the number, and its share of all in two ways."""
    said, part = f"share of all {unit}", itemgetter(0)
    return (
        Column(name, unit, doc, fmt.integer, True),
        Column(f"{name}_share", "%", said, lambda share: fmt.percent(*share), True, 3, rank=part),
        Column(
            f"{name}_bar", "", f"{said}, drawn", lambda share: fmt.bar(*share), False, 7, rank=part
        ),
    )


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
        *_counts("params", "params", "stored values that the convention counts"),
        Column(
            "params_folded", "folded", "all stored values, batch norms folded", fmt.integer, True, 1
        ),
        *(
            column
            for name, unit in UNITS.items()
            for column in _counts(name, unit, f"{unit} that the convention counts")
        ),
        *(
            Column(kind, kind.replace("_", " "), doc, fmt.integer, True, yields=1)
            for kind, doc in FACTS.items()
            if kind not in ("read", "write")  # of ops that are not fused; see `measures`
        ),
    )
} | measures.COLUMNS
"""Every column that ``--columns`` can name."""

_LAYER, _GROUP = ("name", "op", "kernel", "stride", "out_shape"), ("name", "layers", "out_shape")
_COSTS = ("params", "params_share", "macs", "macs_share")
_DRAWN = ("params", "params_share", "params_bar", "macs", "macs_share", "macs_bar")
LAYOUTS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("terminal", False): (*_LAYER, *_DRAWN),
    ("terminal", True): (*_GROUP, *_DRAWN),
    ("page", False): (*_LAYER, *_COSTS),
    ("page", True): (*_GROUP, *_COSTS),
    ("data", False): (
        "name", "block", "op", "in_shape", "out_shape",
        "kernel", "stride", "groups", "params", "macs",
    ),
    ("data", True): ("name", "layers", "params", "macs"),
}  # fmt: skip
"""The columns of each layout, of single layers and of groups."""


def known(by: str, convention: Convention) -> tuple[Column, ...]:
    """Return every column that a convention has, the first one headed ``by``."""
    other = set(UNITS) - set(convention.measures)
    names = [name for name in COLUMNS if name.partition("_")[0] not in other]
    return columns(names, by, "data", convention)


def columns(
    names: Sequence[str] | None, by: str, layout: str, convention: Convention
) -> tuple[Column, ...]:
    """Return the columns that are named, or else those of a layout; the first is headed ``by``.

    Raises: UsageError: see `column`.
    """
    listed = names or _measured(LAYOUTS[layout, by != "layer"], convention)
    chosen = (column(name, convention) for name in listed)
    return tuple(replace(shown, heading=by) if shown.name == "name" else shown for shown in chosen)


def _measured(layout: Sequence[str], convention: Convention) -> Iterator[str]:
    """Yield the columns of a layout, those of MACs for what the convention measures instead."""
    for name in layout:
        if not name.startswith("macs"):
            yield name
            continue
        for number, measure in enumerate(convention.measures):
            if number == 0 or name == "macs":
                yield measure + name.removeprefix("macs")


def column(name: str, convention: Convention) -> Column:
    """Return a column by name.

    Raises: UsageError: there is none, or the convention does not measure it.
    """
    if name not in COLUMNS:
        raise unknown("column", name, COLUMNS)
    measure = name.partition("_")[0]
    if measure in UNITS and measure not in convention.measures:
        counted = " and ".join(UNITS[measure] for measure in convention.measures) or "params only"
        message = f"convention {convention.name} has no {UNITS[measure]}"
        raise UsageError(message, hint=f"it counts {counted}")
    return COLUMNS[name]


def cost_columns(convention: Convention) -> tuple[Column, ...]:
    """Return the columns of what a convention counts: params and its costs."""
    return tuple(COLUMNS[name] for name in ("params", *convention.measures))

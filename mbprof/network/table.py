"""The columns of the layer table, and which of them are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mbprof.errors import UsageError, unknown
from mbprof.language import fmt
from mbprof.network.conventions import UNITS, Convention
from mbprof.ops.base import FACTS
from mbprof.output.model import Column

_DASH = "–"


def _word(value: object) -> str:
    return str(value) if value not in (None, "") else _DASH


def _share(value: tuple[int, int]) -> str:
    return fmt.percent(*value)


def _part(value: tuple[int, int]) -> int:
    return value[0]


def _bar(value: tuple[int, int]) -> str:
    return fmt.bar(*value)


def _shared(
    name: str, heading: str, doc: str, text: Callable[[tuple[int, int]], str], yields: int
) -> Column:
    """Return a column of shares, which stand by their part."""
    return Column(name, heading, doc, text, heading != "", yields, rank=_part)


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
        _shared("params_share", "%", "share of all params", _share, 3),
        _shared("params_bar", "", "share of all params, drawn", _bar, 7),
        Column(
            "params_folded", "folded", "all stored values, batch norms folded", fmt.integer, True, 1
        ),
        *(
            column
            for name, unit in UNITS.items()
            for column in (
                Column(name, unit, f"{unit} that the convention counts", fmt.integer, True),
                _shared(f"{name}_share", "%", f"share of all {unit}", _share, 3),
                _shared(f"{name}_bar", "", f"share of all {unit}, drawn", _bar, 7),
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
        raise unknown("column", name, COLUMNS, limit=20)
    measure = name.partition("_")[0]
    if measure in UNITS and measure not in convention.measures:
        counted = " and ".join(UNITS[measure] for measure in convention.measures) or "params only"
        raise UsageError(
            f"convention {convention.name} has no {UNITS[measure]}", hint=f"it counts {counted}"
        )
    return COLUMNS[name]


def cost_columns(convention: Convention) -> tuple[Column, ...]:
    """Return the columns of what a convention counts: params and its costs."""
    return tuple(COLUMNS[name] for name in ("params", *convention.measures))

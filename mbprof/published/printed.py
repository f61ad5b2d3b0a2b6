"""What counters print of a live module, beside the conventions that reproduce them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbprof.language import fmt
from mbprof.language.record import NamedTuple
from mbprof.output.model import Column

COLUMNS = (
    Column("name", "convention", "the name, for --convention", shrinks=True),
    Column("params", "params", "stored values that it counts", fmt.integer, True),
    Column("value", "cost", "the number that the tool prints", fmt.integer, True),
    Column("unit", "unit", "MACs or FLOPs"),
    Column(
        "ratio",
        "× kernels",
        "cost over that of the convention kernels",
        "{:.3f}".format,
        True,
        yields=2,
    ),
    Column("tool", "tool", "the tool and the releases that count so", yields=4, wraps=True),
)

RUN = (
    *COLUMNS[:2],
    Column("printed_params", "printed", "params that the counter itself says", fmt.integer, True),
    COLUMNS[2],
    Column("printed", "printed", "the cost that the counter itself says", fmt.integer, True),
    COLUMNS[3],
    Column("apart", "difference", "printed less reproduced, or why nothing is", wraps=True),
)


class Printed(NamedTuple):
    """What a counter says of a live module, or why it says nothing."""

    params: int | None = None
    cost: int | None = None
    why: str = ""


def beside(row: dict[str, Any], printed: Mapping[str, Printed]) -> dict[str, Any]:
    """Return the row of a convention with what the counter said that it reproduces."""
    said = printed.get(row["name"])
    if said is None:
        return row
    apart = said.why
    if said.cost is not None and row["value"] is not None:
        apart = fmt.signed(said.cost - row["value"]) if said.cost != row["value"] else "none"
    return row | {"printed_params": said.params, "printed": said.cost, "apart": apart}

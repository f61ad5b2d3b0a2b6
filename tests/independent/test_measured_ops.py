"""Single ops and small random networks beside the real ones: shapes, params, and every counter.

`data/counters/ops.csv` holds what PyTorch makes of them and what ten counters print, `faults.csv`
ops that counters and old releases count in ways of their own,
`keras-transposed.csv` transposed convolutions of Keras, with the FLOPs of TensorFlow's profiler.
"""

import csv
from pathlib import Path

import pytest

import mbprof
from mbprof.network.conventions import names
from mbprof.network.graph import Graph
from mbprof.network.rows import totals

FOLDER = Path(__file__).parent / "data" / "counters"


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def built(image: str, padding: str, steps: str, calls: str = "gelu: F.gelu") -> Graph:
    channels, _, size = image.partition("x")
    head = f"name: net, padding: {padding}, input: {{channels: {channels}, res: {size}}}"
    more = f"defaults: {{linear: {{bias: true}}}}, calls: {{{calls}}}"
    return mbprof.loads(f"{{{head}, {more}, body: [{steps}]}}").build().compiled


def shape(graph: Graph) -> str:
    return "x".join(map(str, graph.output_shape))


@pytest.mark.parametrize("row", rows("ops.csv"), ids=lambda row: f"{row['image']}-{row['out']}")
def test_every_counter_of_an_op(row: dict[str, str]) -> None:
    graph = built(row["image"], "torch", row["steps"])
    assert (shape(graph), totals(graph, "trainable", "all").params) == (
        row["out"],
        int(row["params"]),
    )
    for name in [key.removesuffix(" cost") for key in row if key.endswith(" cost")]:
        if row[f"{name} cost"]:
            found = totals(graph, name, "all")
            costs = [int(cost) for cost in row[f"{name} cost"].split()]
            assert (name, found.params, *found.costs) == (name, int(row[f"{name} params"]), *costs)


@pytest.mark.parametrize(
    "row", rows("faults.csv"), ids=lambda row: f"{row['image']}-{row['steps'].split('{op: ')[-1]}"
)
def test_ops_that_counters_count_in_their_own_way(row: dict[str, str]) -> None:
    graph = built(row["image"], "torch", row["steps"], row["calls"])
    printed = {key.removesuffix(" cost"): row[key] for key in row if key.endswith(" cost")}
    found = {name: " ".join(map(str, totals(graph, name, "all").costs)) for name in printed}
    assert shape(graph) == row["out"]
    assert totals(graph, "trainable", "all").params == int(row["params"])
    assert found == {name: cost or found[name] for name, cost in printed.items()}


@pytest.mark.parametrize(
    "row", rows("keras-transposed.csv"), ids=lambda row: " ".join(row.values())
)
@pytest.mark.parametrize("padding", ["tf-same", "keras", "keras-v1"])
def test_transposed_convolutions_of_keras(row: dict[str, str], padding: str) -> None:
    kernel, extra = (f"[{row[key].replace('x', ', ')}]" for key in ("k", "p_out"))
    keys = ", ".join(f"{key}: {row[key]}" for key in ("c", "s", "d", "p", "bias"))
    more = f", p_out: {extra}" if row["p_out"] else ""
    image = f"{row['c_in']}x{row['height']}x{row['width']}"
    graph = built(image, padding, f"{{op: tconv, k: {kernel}, {keys}{more}}}")
    found = totals(graph, "tf-profiler", "all")
    assert (shape(graph), found.params, found.cost) == (
        row["out"],
        int(row["params"]),
        int(row["tf-profiler"]),
    )


def test_every_measured_counter_is_a_convention() -> None:
    counters = {key.removesuffix(" cost") for key in rows("ops.csv")[0] if key.endswith(" cost")}
    assert counters < set(names())

"""Conventions against the tools that count like this: measured, published and generated networks.

`data/counters/measured.csv` holds what the tools print for the real networks, `versions.csv` what
old releases of them print, `reference.csv`, `tf-profiler.csv` and `thop-readme.csv` what was
published; `openvino.csv` is of its Model Analyzer; nothing here is computed by mbprof.
"""

import csv
import itertools
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.language.fmt import parse
from mbprof.network import conventions
from mbprof.network.conventions import QUANTITIES
from mbprof.network.rows import totals
from mbprof.ops.base import FACTS, STORED
from tests.conftest import run
from tests.independent.oracle import Oracle, oracles
from tests.independent.oracle import settings as knobs_of

FOLDER = Path(__file__).parent / "data" / "counters"

PEERS = {
    "fvcore": "fvcore",
    "ptflops": "ptflops",
    "ptflops_aten": "ptflops-aten",
    "thop": "thop",
    "torchinfo": "torchinfo",
    "calflops": "calflops",
    "flop_counter": "torch",
}
"""What the oracle's files call a tool, and the convention of it."""


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def settings_of(text: str) -> dict[str, Any]:
    pairs = (part.split("=") for part in text.split())
    return {name: parse(value) for name, value in pairs}


@lru_cache(maxsize=4)
def network(spec: str, knobs: str, res: tuple[int, int] | None = None) -> mbprof.Network:
    values = settings_of(knobs) | ({"res": res} if res else {})
    return mbprof.load(spec).build(**values)


BESIDE = {("torch/timm.efficientvit_m0.r224", "torchinfo"): -1920}
"""What is known to be beside: torchinfo counts a norm once for each window of a batch of them."""


@pytest.mark.parametrize("oracle", [o for o in oracles() if "peers" in o.measured], ids=str)
def test_every_peer_of_a_measured_network(oracle: Oracle) -> None:
    spec = mbprof.load(oracle.spec)
    graph = spec.build(**knobs_of(oracle, spec)).compiled
    assert set(PEERS) <= set(oracle.measured["peers"])
    for peer, name in PEERS.items():
        printed = oracle.measured["peers"][peer]
        costs = [printed["flops"]] + ([printed["macs"]] if "macs" in printed else [])
        costs[0] += BESIDE.get((str(oracle), name), 0)
        found = totals(graph, name, "all")
        assert (name, found.params, *found.costs) == (name, printed["params"], *costs)


@pytest.mark.parametrize(
    "row", rows("openvino.csv"), ids=lambda row: f"{row['spec']}-{row['height']}x{row['width']}"
)
def test_the_analyzer_of_openvino_counts_the_same(row: dict[str, str]) -> None:
    """``pools`` is what the second output of max poolings adds, which those of opset 1 lack."""
    res = (int(row["height"]), int(row["width"]))
    found = totals(network(row["spec"], "", res).compiled, "openvino", "all")
    assert found.costs == (int(row["flops"]) - int(row["pools"]),)
    # Shapes to reshape to are constants of the file, too: a few numbers.
    assert 0 <= int(row["params"]) - found.params < 100


@pytest.mark.parametrize(
    "row",
    [*rows("measured.csv"), *rows("versions.csv")],
    ids=lambda row: f"{row['library']}-{row['model']}-{row['height']}",
)
def test_tools_run_on_the_real_networks(row: dict[str, str]) -> None:
    size = (int(row["height"]), int(row["width"]))
    graph = network(row["spec"], row["knobs"], size).compiled
    for name in [key.removesuffix(" cost") for key in row if key.endswith(" cost")]:
        if row[f"{name} cost"]:
            found = totals(graph, name, "all")
            costs = [int(cost) for cost in row[f"{name} cost"].split()]
            params = int(row[f"{name} params"])
            assert (name, found.params, *found.costs) == (name, params, *costs)


@pytest.mark.parametrize(
    "row", rows("reference.csv"), ids=lambda row: f"{row['model']}-{row['convention']}"
)
def test_reference_totals(row: dict[str, str]) -> None:
    convention = conventions.load(row["convention"])
    total = network(row["spec"], row["knobs"]).profile(row["convention"], "all").total
    found = {"params": total.params, **convention.named(total.costs)}
    assert found[row["quantity"]] == int(row["value"])


def test_the_first_readme_of_thop() -> None:
    """Its table of 2018 is explained by the form of 2018, and by no later one."""
    for row in rows("thop-readme.csv"):
        found = totals(network(row["spec"], "", (224, 224)).compiled, "thop@2018", "all")
        printed = (f"{found.params / 1e6:.2f}", f"{found.cost / 1e9:.2f}")
        assert (row["model"], *printed) == (row["model"], row["millions"], row["billions"])


@pytest.mark.parametrize(
    "group",
    [
        list(group)
        for _, group in itertools.groupby(
            rows("tf-profiler.csv"), key=lambda row: (row["model"], row["resolution"])
        )
    ],
    ids=lambda group: f"{group[0]['model']}-{group[0]['resolution']}",
)
def test_published_flops_of_the_profiler(group: list[dict[str, str]]) -> None:
    for row in group:
        spec = mbprof.load(row["spec"])
        knobs = settings_of(row["knobs"]) | {"final_endpoint": row["endpoint"]}
        graph = spec.build(res=int(row["resolution"]), **knobs).compiled
        billions = totals(graph, "tf-profiler", "all").cost / 1e9
        assert (row["endpoint"], f"{billions:.3f}") == (row["endpoint"], row["billions"])


@pytest.mark.parametrize("oracle", [o for o in oracles() if o.path.parent.name == "keras"], ids=str)
def test_keras_counts_every_stored_value(oracle: Oracle) -> None:
    spec = mbprof.load(oracle.spec)
    network = spec.build(**knobs_of(oracle, spec))
    params = oracle.measured["params"]
    assert totals(network.compiled, "keras", oracle.scope).params == params["total"]


def samples() -> Iterator[str]:
    """Yield a network of each family and way of writing it."""
    yield from (
        "mobilenet_v1", "mobilenet_v2@torchvision", "mobilenet_v3_small@timm-tf", "resnet18",
        "resnet50_v2@timm", "densenet121@timm", "googlenet", "inception_v3@slim", "vgg11@timm",
        "se_resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "efficientnet_b0@timm", "xception",
    )  # fmt: skip


@pytest.mark.parametrize("name", list(samples()))
def test_rows_sum_to_the_total_in_every_convention(name: str) -> None:
    network = mbprof.load(name).build(res=128)
    for convention in conventions.names():
        whole = totals(network.compiled, convention, "all")
        for scope in ("body", "all"):
            profile = network.profile(convention, scope)
            for grouping in ("layer", "block", "op"):
                found = profile.grouped(grouping)
                assert sum(row.params for row in found) == profile.total.params
                assert sum(row.folded for row in found) == profile.total.folded
                summed = [sum(costs) for costs in zip(*(row.costs for row in found), strict=True)]
                assert tuple(summed) == profile.total.costs
                assert all(type(cost) is int for row in found for cost in row.costs)
            if scope == "all":
                assert (profile.total.params, profile.total.costs) == tuple(whole)


@given(
    name=st.sampled_from(["mobilenet_v2@torchvision", "mobilenet_v2@timm", "mobilenet_v1@timm"]),
    convention=st.sampled_from(conventions.names()),
    alphas=st.lists(st.floats(0.1, 2.0).map(lambda x: round(x, 2)), min_size=1, max_size=3),
    sizes=st.lists(st.integers(33, 300), min_size=1, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_sweeps_equal_single_runs(
    name: str, convention: str, alphas: list[float], sizes: list[int]
) -> None:
    frame = mbprof.sweep(name, alpha=alphas, res=sizes, convention=convention, scope="all")
    spec = mbprof.load(name)
    measures = conventions.load(convention).measures
    assert list(frame.columns) == ["alpha", "res", "params", *measures]
    for row in frame.to_dict("records"):
        graph = spec.build(alpha=row["alpha"], res=row["res"]).compiled
        found = totals(graph, convention, "all")
        assert (found.params, *found.costs) == tuple(row[key] for key in ("params", *measures))


@pytest.mark.parametrize("name", ["vgg11", "vgg11@timm", "resnet50d", "inception_v4"])
def test_sweeps_of_pools_equal_single_runs(name: str) -> None:
    """Windows that overhang an edge are counted by a formula that holds for every size."""
    sizes = [97, 128, 139, 150, 224]
    for convention in ("thop", "ultralytics-thop", "onnx-tool"):
        frame = mbprof.sweep(name, res=sizes, convention=convention, scope="all")
        costs = [
            totals(mbprof.load(name).build(res=size).compiled, convention, "all").cost
            for size in sizes
        ]
        assert frame["macs"].tolist() == costs


@pytest.mark.parametrize("name", conventions.names())
def test_a_convention_says_what_it_is(name: str) -> None:
    convention = conventions.load(name)
    assert convention.name == name
    assert convention.doc
    assert convention.source
    assert convention.unit in ("MACs", "FLOPs", "")
    if name not in ("kernels", "stored", "trainable"):
        assert convention.tool
    assert ("@" not in name) or (convention.releases and convention.releases in convention.span)


def test_plain_conventions_are_weights() -> None:
    assert conventions.load("kernels").measures["macs"].weights == {"mac": 1}
    assert conventions.load("stored").measures["macs"].weights == {"mac": 1}


def test_names_of_quantities_do_not_clash() -> None:
    assert not set(QUANTITIES) & set(FACTS)


def test_folding_turns_a_norm_into_a_bias() -> None:
    text = """
    {name: one, input: {res: 8}, body: [
      {op: conv, k: 1, c: 4, bn: true, act: relu},
      {op: conv, k: 1, c: 4, bias: true, bn: true},
      {op: act, f: relu},
      {op: bn}]}
    """
    profile = mbprof.loads(text).build().profile()
    stored = [sum(getattr(row.facts, kind) for kind in STORED) for row in profile.rows]
    assert stored == [12 + 16, 16 + 4 + 16, 0, 16]
    # The last norm follows no layer with weights, so it stays.
    assert [row.folded for row in profile.rows] == [12 + 4, 16 + 4, 0, 16]
    assert profile.total.folded == 52


def test_a_norm_on_a_shared_output_is_not_folded() -> None:
    text = """
    {name: one, input: {res: 8}, body: [
      {op: conv, k: 1, c: 4, out: a},
      {op: bn, in: a, out: b},
      {op: add, in: [a, b]}]}
    """
    total = mbprof.loads(text).build().profile().total
    assert total.folded == total.facts.params == 12 + 16


CONVENTION = """
name: mine
doc: a multiply counts as much as an addition
source: the author
unit: FLOPs
params: {kernels: 1, biases: 1}
flops_of:
  conv: 2 * mac + (out if bias else 0)
  "+": out
  relu: out
faults: it forgets the rest
"""


def test_a_convention_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(CONVENTION)
    text = """
    {name: one, input: {res: 2}, body: [
      {op: conv, k: 1, c: 4, bias: true, act: relu, out: a},
      {op: conv, k: 1, c: 4, in: a, out: b},
      {op: add, in: [a, b]}]}
    """
    network = mbprof.loads(text).build()
    profile = network.profile(str(path))
    assert [row.cost for row in profile.rows] == [2 * 48 + 16 + 16, 2 * 64, 16]
    assert profile.to_dict()["total"]["flops"] == 272
    assert profile.to_dict()["unit"] == "FLOPs"
    assert "macs" not in profile.to_dict()["total"]
    # A file that changes is read again.
    path.write_text(CONVENTION.replace("relu: out", "relu: 2 * out"))
    assert network.profile(str(path)).total.cost == 272 + 16


@pytest.mark.parametrize("call", ["nn.Conv1d", "nn.SELU", "Conv2dOfMine", "nn.Softmax2d", "a.b"])
def test_calls_of_other_libraries_have_formulas(tmp_path: Path, call: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(CONVENTION.replace("relu: out", f"{call}: out"))
    assert call in conventions.load(str(path)).measures["flops"].rules


def test_a_convention_that_counts_no_cost_prints_none() -> None:
    data = mbprof.load("mobilenet_v1").build().profile("keras", "all").to_dict()
    assert data["unit"] is None
    assert data["total"]["params"] == 4253864
    assert not {"macs", "flops"} & {*data["total"], *data["layers"][0]}


@pytest.mark.parametrize("format", ["rich", "md", "csv"])
@pytest.mark.parametrize("command", ["compare", "diff"])
def test_where_no_cost_is_counted_there_is_no_column_of_it(command: str, format: str) -> None:
    pair = ("mobilenet_v2", "mobilenet_v2@torchvision")
    said = run(command, *pair, "--convention", "keras", "--format", format)
    costs = ("macs", "MACs", "0 .", "Δ  ", ": 0")
    assert "params" in said
    assert not [each for each in costs if each in said]


def test_a_sweep_names_the_convention_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(CONVENTION)
    said = run("sweep", "mobilenet_v1", "--alpha", "0.5,1.0", "--convention", str(path))
    assert "convention mine." in said
    assert str(path) not in said


def test_two_measures_stand_side_by_side() -> None:
    data = mbprof.load("mobilenet_v2@torchvision").build().profile("calflops").to_dict()
    total = data["total"]
    assert (total["flops"], total["macs"], total["unit"]) == (614967488, 300774272, "FLOPs")
    assert sum(layer["macs"] for layer in data["layers"]) == 300774272

"""Layers that share weights, inputs and results with names, against torch and against laws."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.network.conventions import names as conventions
from tests.conftest import invoke

DATA = Path(__file__).parent / "data/shared"
MEASURED = list(csv.DictReader((DATA / "measured.csv").read_text().splitlines()))


def size(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['network']}-{row['height']}")
def test_retinanet_costs_what_torchvision_computes(row: dict[str, str]) -> None:
    """One head for five levels of a pyramid, also where the levels' sizes are odd."""
    name, _, flavour = row["network"].partition("@")
    spec = mbprof.load(f"{DATA / name}.yaml" + (f"@{flavour}" if flavour else ""))
    network = spec.build(res=(int(row["height"]), int(row["width"])))
    facts = network.profile(scope="all").total.facts
    assert (facts.trainable, facts.mac) == (int(row["params"]), int(row["macs"]))
    shapes = list(network.output_shapes.values())
    assert len(shapes) == 10
    assert shapes[0] == (9 * 91, *size(row["first"]))
    assert shapes[-1] == (9 * 4, *size(row["last"]))


TWICE = """
name: twice
padding: torch
input: {channels: 3, res: 17x19}
body:
  - {op: conv, k: 3, c: 8, s: 2, bias: true}
  - {op: conv, k: 3, c: 8, bias: true, bn: true, act: relu, share: conv, n: 2}
  - {op: mean, axes: [1, 2]}
  - {op: linear, c: 8, bias: true, share: linear, n: 2}
calls: {relu: Tensor.relu}
"""


@pytest.mark.parametrize(
    ("convention", "params", "cost"),
    [
        ("torchinfo", 896, 125_456),  # torchinfo 1.8.0, total_params and total_mult_adds
        ("fvcore", 896, 126_128),  # fvcore 0.1.5.post20221221, parameter_count, FlopCountAnalysis
        ("thop", 896, 129_008),  # thop 0.1.1.post2209072238
        ("ptflops", 896, 128_304),  # ptflops 0.7.5, backend pytorch
        ("torch", 896, 246_496),  # torch 2.13.0, FlopCounterMode; it has no params
    ],
)
def test_counters_see_a_shared_layer_as_often_as_it_runs(
    convention: str, params: int, cost: int
) -> None:
    """A module with a convolution, its norm and a linear layer that are each called twice."""
    total = mbprof.loads(TWICE).build().profile(convention, "all").total
    assert (total.params, total.cost) == (params, cost)


def row(share: str, **keys: Any) -> str:
    said = ", ".join(f"{key}: {str(value).lower()}" for key, value in keys.items())
    return f"  - {{op: conv, {said}{share}}}\n"


def spec(rows: str, more: str = "") -> mbprof.Spec:
    head = "name: net\ninput: {channels: 8, res: 12}\npadding: torch\n"
    return mbprof.loads(f"{head}{more}body:\n{rows}")


keys = st.fixed_dictionaries(
    {
        "k": st.sampled_from([1, 3, 5]),
        "c": st.just(8),
        "g": st.sampled_from([1, 2, 8]),
        "bias": st.booleans(),
        "bn": st.booleans(),
        "act": st.sampled_from(["relu", "prelu", "none"]),
    }
)


@settings(deadline=None, max_examples=20)
@given(keys, st.integers(2, 4), st.sampled_from(conventions()))
def test_params_of_several_uses_are_those_of_one(
    keys: dict[str, Any], n: int, convention: str
) -> None:
    """Costs are the sum over all uses, of which one alone stores anything."""
    one, shared, apart = (
        spec(row(said, **keys)).build().profile(convention, "all")
        for said in ("", f", share: w, n: {n}", f", n: {n}")
    )
    assert shared.total.params == one.total.params
    assert shared.total.facts.stored == one.total.facts.stored
    assert shared.total.folded == one.total.folded
    assert shared.total.costs == apart.total.costs
    assert sum(r.params for r in shared.rows) == shared.total.params
    assert len(shared.rows) == n


def test_a_shared_block_shares_what_is_in_it_and_what_that_shares() -> None:
    blocks = """blocks:
  inner: {body: [{op: conv, k: 3, c: 8, share: w, n: 3}, {op: conv, k: 1, c: 8}]}
"""
    rows = "  - {op: inner, n: 2}\n", "  - {op: inner, n: 2, share: all}\n"
    apart, shared = (spec(text, blocks).build().profile(scope="all").total for text in rows)
    assert apart.params == 2 * (9 * 64 + 64)
    assert shared.params == 9 * 64 + 64
    assert shared.cost == apart.cost == 144 * (6 * 9 * 64 + 2 * 64)


def test_what_is_left_of_a_network_keeps_the_weights_that_it_needs() -> None:
    """The first use is not on the way to the endpoint; or it belongs to the head or aside."""
    rows = """  - {op: conv, k: 3, c: 8, in: x, out: a, share: w, name: one}
  - {op: conv, k: 3, c: 8, in: x, share: w, name: two}
  - {op: add, in: [a, _], name: sum}
"""
    cut = spec(rows).build(final_endpoint="two").profile(scope="all")
    assert [(r.name, r.params) for r in cut.rows] == [("two", 576)]
    aside = """  - {side: [{op: conv, k: 3, c: 8, share: w, name: aux}]}
  - {op: conv, k: 3, c: 8, share: w, name: main}
"""
    graph = spec(aside).build()
    assert [graph.profile(scope=scope).total.params for scope in ("body", "all")] == [576, 576]
    assert graph.profile("torchinfo", "all").total.params == 576


def test_a_norm_of_each_use_is_not_folded_into_the_weights_of_all() -> None:
    rows = """  - {op: conv, k: 1, c: 8, share: w}
  - {op: bn}
  - {op: conv, k: 1, c: 8, share: w}
  - {op: bn}
"""
    total = spec(rows).build().profile(scope="all").total
    assert total.params == 64
    assert total.folded == total.facts.params == 64 + 2 * 4 * 8
    shared = spec(rows.replace("{op: bn}", "{op: bn, share: norm}"))
    assert shared.build().profile(scope="all").total.folded == 64 + 8


PAIR = """
name: pair
padding: torch
inputs:
  left: {channels: 3, res: 32}
  right: {channels: 3}
knobs: {alpha: 1.0, classes: 10}
width: int(alpha * c)
body:
  - {op: conv, k: 3, c: 16, s: 2, in: left, out: a, share: stem, name: left}
  - {op: conv, k: 3, c: 16, s: 2, in: right, share: stem, name: right}
  - {op: gap}
  - {op: tokens, out: b}
  - {op: gap, in: a}
  - {op: tokens}
  - {op: concat, in: [_, b], axis: 1}
head:
  - {op: linear, c: classes, width: c, name: scores}
  - {op: softmax}
"""


def test_sweeps_of_inputs_and_classes_equal_single_runs() -> None:
    pair = mbprof.loads(PAIR)
    axes: dict[str, Any] = {"alpha": [0.5, 1.0], "res": [24, (20, 31)], "right_res": [16, (9, 13)]}
    axes |= {"channels": [3], "right_channels": [3], "classes": [0, 1, 10]}
    frame = mbprof.sweep(pair, **axes)
    assert len(frame) == 24
    for line in frame.to_dict("records"):
        knobs = {name: line[name] for name in axes}
        total = pair.build(**knobs).profile(scope="all").total
        assert (line["params"], line["macs"]) == (total.params, total.cost)


def test_an_input_without_a_size_has_that_of_the_first() -> None:
    pair = mbprof.loads(PAIR)
    assert [image.shape for image in pair.build(res=48).compiled.images] == [(3, 48, 48)] * 2
    apart = pair.build(res=48, right_res=(8, 9)).compiled
    assert [image.shape for image in apart.images] == [(3, 48, 48), (3, 8, 9)]
    graph = pair.build().graph
    assert [graph.nodes[name]["op"] for name in ("left'", "right'")] == ["input", "input"]
    whole = mbprof.compare(pair.build(), pair.build(classes=0), by="layer").to_dict()
    assert whole
    assert mbprof.diff(pair.build(), pair.build(channels=3)).report().rows == ()
    with pytest.raises(mbprof.MbprofError, match="cannot share"):
        pair.build(channels=1)


def test_channels_stand_for_what_the_input_says() -> None:
    text = "{name: net, input: {channels: 2 * bands, res: 8}, knobs: {bands: 2}, body: [{op: gap}]}"
    bands = mbprof.loads(text)
    assert [bands.build(**at).compiled.image[0] for at in ({}, {"bands": 3}, {"channels": 5})] == [
        4, 6, 5,
    ]  # fmt: skip
    declared = text.replace("2 * bands", "channels").replace("bands", "channels")
    assert mbprof.loads(declared).build(channels=7).compiled.image[0] == 7
    assert mbprof.load("mobilenet_v1").build(channels=1).profile().total.params == 3_185_088 - 576


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        # timm 1.0.31, create_model(name, num_classes=0): trained values, MACs of conv and linear.
        ("resnet50", 23_508_032, 4_087_136_256),
        ("mobilenetv3_large_100", 4_202_032, 215_309_760),
        ("deit_tiny_distilled_patch16_224", 5_524_800, 1_260_619_776),
        ("convnext_tiny", 27_820_128, 4_454_763_264),
        ("dpn68", 11_778_602, 2_325_331_456),
        ("vgg16", 134_260_544, 15_466_168_320),
        ("inception_v3", 21_785_568, 5_711_168_096),
    ],
)
def test_no_classes_is_the_network_without_its_classifier(
    name: str, params: int, macs: int
) -> None:
    facts = mbprof.load(f"timm:{name}").build(classes=0).profile(scope="all").total.facts
    assert (facts.trainable, facts.mac) == (params, macs)


def test_a_softmax_goes_with_the_classifier_in_every_flavour() -> None:
    for name in ("mobilenet_v1@slim", "mobilenet_v1@keras", "vgg16@slim", "inception_v3@slim"):
        nodes = mbprof.load(name).build(classes=0).compiled.nodes
        assert not any(node.op.ranks for node in nodes if not node.side)


EYES = """
name: eyes
inputs: {left: {channels: 3, res: 64}, right: {channels: 3}}
outputs: [p, q]
body:
  - {op: conv, k: 3, c: 16, s: 2, in: left, out: a, share: eye, bn: true, act: relu}
  - {op: conv, k: 3, c: 16, s: 2, in: right, out: b, share: eye, bn: true, act: relu}
  - {op: concat, in: [a, b]}
  - {op: conv, k: 3, c: 16, out: p, bn: true, act: relu}
  - {op: conv, k: 1, c: 4, in: p, out: q}
"""


@pytest.mark.parametrize(
    "command",
    ["table", "check", "show", "sizes", "explain", "formula", "diff other.yaml"],
)
def test_a_file_of_two_images_is_a_spec_in_every_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eyes.yaml").write_text(EYES)
    (tmp_path / "other.yaml").write_text(EYES.replace("[a, b]", "[b, a]"))
    ended = invoke(*command.split(), "eyes.yaml")
    assert (ended.status, ended.err) == (0, "")
    assert "eyes" in ended.out

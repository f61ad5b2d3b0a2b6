"""Blocks alone: the arithmetic of the seeds, the library, what stands beside a block."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mbprof
from mbprof.pages.block import alternatives, block_network
from mbprof.spec import OpenedBlock, zoo
from mbprof.spec.knobs import typed
from tests.conftest import invoke, run


def report(name: str, image: str, **arguments: int) -> dict[str, object]:
    data: dict[str, object] = block_network(name, image, typed(arguments)).to_dict()
    return data


def beside(name: str, image: str, **arguments: int) -> dict[str, tuple[int, int]]:
    found = report(name, image, **arguments)["alternatives"]
    assert isinstance(found, list)
    return {each["name"]: (each["params"], each["macs"]) for each in found}


def test_the_arithmetic_of_the_seeds_is_there() -> None:
    params = beside("dw_sep", "7x7x16", c=32)
    assert params["standard 3x3 convolution"][0] == 4608
    assert params["depthwise separable"][0] == 656
    macs = beside("dw_sep", "7x7x64", c=128)
    assert macs["standard 3x3 convolution"][1] == 3_612_672
    assert macs["depthwise separable"][1] == 429_632


@given(st.integers(1, 40), st.integers(1, 40), st.integers(3, 12), st.integers(1, 3))
def test_separable_over_standard_is_one_over_n_and_one_over_k_squared(
    c_in: int, c: int, side: int, s: int
) -> None:
    small = -(-side // s)
    found = {each.name: each for each in alternatives((c_in, side, side), (c, small, small))}
    standard, separable = found["standard 3x3 convolution"], found["depthwise separable"]
    if standard.reason or separable.reason:
        assert small == 1  # no one stride leads to a single pixel
        return
    assert Fraction(separable.costs["macs"], standard.costs["macs"]) == Fraction(1, c) + Fraction(
        1, 9
    )
    assert standard.costs["macs"] == 9 * c_in * c * small * small


@pytest.mark.parametrize("name", zoo.block_names())
def test_every_block_of_the_library_stands_alone_by_its_example(name: str) -> None:
    assert isinstance(zoo.open(name), OpenedBlock)
    network = block_network(name, None, {})
    data, block = network.to_dict(), network.block
    layers, total = data["layers"], data["total"]
    assert sum(layer["macs"] for layer in layers) == total["macs"]
    first, *_ = shapes = [layer["in_shape"] for layer in layers if layer["in_shape"]]
    assert shapes
    c, *size = block.images[0]
    assert first in ([c, *size], [c // 2, *size])
    if len(size) == 2:
        assert data["knobs"]["res"] in (size[0], tuple(size))
    names = {each["name"] for each in data["alternatives"] + data["impossible"]}
    assert len(names) == 6


def test_alternatives_equal_the_block_that_they_are() -> None:
    same = {
        "inverted residual": report("inv_res", "56x56x24", c=24),
        "depthwise separable": report("dw_sep", "56x56x24", c=24),
        "MBConv": report("mbconv", "56x56x24", c=24, t=6),
        "bottleneck": report("res_bottleneck", "56x56x24", c=6),
        "shuffle unit": report("shuffle_v2", "56x56x24", c=24),
    }
    for name, data in same.items():
        total = data["total"]
        assert isinstance(total, dict)
        assert beside("inv_res", "56x56x24", c=24)[name] == (total["params"], total["macs"])


def test_what_cannot_be_says_why() -> None:
    data = report("res_basic", "56x56x30", c=30)
    reasons = data["impossible"]
    assert reasons == [
        {"name": "bottleneck", "reason": "30 / 4 does not divide exactly"},
    ]


def test_a_block_of_a_spec_has_its_defaults_and_knobs() -> None:
    block = mbprof.block("mobilenet_v2:inv_res", "56x56x24", c=24, t=6)
    ops = [node.op.word for node in block.compiled.nodes]
    assert ops == ["conv", "bn", "act", "dwconv", "bn", "act", "conv", "bn", "add"]
    assert {node.op.function for node in block.compiled.nodes} == {"", "relu6"}
    assert "alpha" in block.knobs


def test_a_file_is_a_block_or_a_spec_with_one(tmp_path: Path) -> None:
    path = tmp_path / "my-block.yaml"
    path.write_text("takes: {c: int}\nbody: [{op: conv, k: 3, c: c}]\n")
    assert mbprof.block(str(path), "8x8x3", c=4).profile().total.params == 108
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "name: net\ninput: {res: 8}\nblocks:\n  one: {takes: {c: int}, body: "
        "[{op: conv, k: 3, c: c}]}\nbody: [{op: one, c: 4}]\n"
    )
    for name in (str(spec), f"{spec}:one"):
        assert mbprof.block(name, "8x8x3", c=4).profile().total.params == 108
    assert isinstance(zoo.open(str(path)), OpenedBlock)
    assert not isinstance(zoo.open(str(spec)), OpenedBlock)


def test_the_command_prints_the_contracted_object() -> None:
    text = run(
        "block", "inv_res", "--in", "56x56x24", "--set", "c=24", "--set", "t=6", "--set", "s=1",
        "--format", "json",
    )  # fmt: skip
    found = json.loads(text)
    assert found["total"]["macs"] == 56 * 56 * (24 * 144 + 3 * 3 * 144 + 144 * 24)
    assert {"name", "params", "macs"} <= set(found["alternatives"][0])
    assert found["arguments"] == {"c": 24, "t": 6, "s": 1}
    assert found["layers"][0]["name"] == "inv_res/expand"


PARTS = """
name: parts
input: {channels: 8, res: 24}
knobs: {alpha: 1.0}
width: int(alpha * c)
blocks:
  lateral:
    inputs: [x, above]
    outputs: [level, merged]
    body:
      - {op: conv, k: 1, c: 16, in: x, out: own}
      - {op: resize, in: [above, own]}
      - {op: add, in: [own, _], out: merged}
      - {op: conv, k: 3, c: 16, out: level}
  scale: {takes: {c: int, k: 3}, body: [{op: conv, k: k, c: c}]}
  bare: {takes: {channels: int}, body: [{op: conv, k: 1, c: channels}]}
  mix: {body: [{op: ln}, {op: linear, c: in.c}, {op: add, in: [x, _]}]}
body:
  - {op: scale, c: 32, out: fine}
  - {op: conv, k: 3, c: 16, s: 2, width: c, out: coarse}
  - {op: lateral, in: [fine, coarse], out: [level, _]}
  - {op: bare, in: level, channels: 6}
  - {op: tokens}
  - {op: mix}
"""


def test_a_block_of_a_spec_is_as_the_spec_calls_it_first(tmp_path: Path) -> None:
    """Its cost alone is the cost of its rows in the network, at other knobs of the spec, too."""
    path = tmp_path / "parts.yaml"
    path.write_text(PARTS)
    for alpha in (1.0, 0.5):
        rows = mbprof.load(path).build(alpha=alpha).profile(scope="all").grouped("block")
        costs = {row.unit: row.facts for row in rows}
        for name in ("scale", "lateral", "bare", "mix"):
            network = mbprof.block(f"{path}:{name}", alpha=alpha)
            assert network.profile().total.facts == costs[name], name
    images = [mbprof.block(f"{path}:{n}").block.images for n in ("lateral", "mix")]
    assert images == [((32, 24, 24), (16, 12, 12)), ((24 * 24, 6),)]


def test_a_block_alone_takes_inputs_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "parts.yaml"
    path.write_text(PARTS)
    lateral = mbprof.block(f"{path}:lateral", ["30x20x4", (15, 10, 16)])
    assert lateral.output_shapes == {"level": (16, 30, 20), "merged": (16, 30, 20)}
    assert lateral.profile().total.cost == 600 * (4 * 16 + 9 * 16 * 16)
    assert "several inputs or outputs" in str(lateral.report().more[1].notes)
    with pytest.raises(mbprof.MbprofError, match="2 outputs"):
        _ = lateral.output_shape
    tokens = mbprof.block(f"{path}:mix", "197x192")
    assert (tokens.output_shape, tokens.profile().total.cost) == ((197, 192), 197 * 192 * 192)
    ended = invoke("block", f"{path}:lateral", "--in", "8x8x4", "--in", "4x4x16", "--format", "csv")
    assert (ended.status, len(ended.out.splitlines())) == (0, 5)
    assert invoke("check", f"{path}:mix", "--in", "49x64").status == 0

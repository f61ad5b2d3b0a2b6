"""The code blocks of a seed article as specs: what they cost by hand, and what is wrong with them.

Every sum is written out from the article's TensorFlow code: kernels, biases, trained values of the
batch norms (a scale and a shift for each channel) and multiply-accumulates.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

import mbprof
from mbprof import MbprofError
from mbprof.language.fmt import Value
from mbprof.ops.conv import Activation

SEEDS = Path(__file__).parents[2] / "specs" / "seeds"


class Cost(NamedTuple):
    kernels: int
    biases: int
    norm: int
    macs: int


def network(name: str, knobs: dict[str, Value]) -> mbprof.Network:
    block, _, flavour = name.partition("@")
    path = SEEDS / f"{block}.yaml"
    return mbprof.load(f"{path}@{flavour}" if flavour else path).build(**knobs)


def cost(name: str, knobs: dict[str, Value], scope: str = "all") -> Cost:
    facts = network(name, knobs).profile(scope=scope).total.facts
    assert facts.norm_statistics == facts.norm_scale + facts.norm_shift
    assert facts.other == 0
    return Cost(facts.kernels, facts.biases, facts.norm_scale + facts.norm_shift, facts.mac)


BY_HAND: dict[str, tuple[str, dict[str, Value], Cost]] = {
    "inception": (
        "inception",
        {},
        Cost(
            kernels=192 * 64
            + (192 * 96 + 3 * 3 * 96 * 128)
            + (192 * 16 + 3 * 3 * 16 * 48 + 5 * 5 * 48 * 32)
            + 192 * 32,
            biases=64 + (96 + 128) + (16 + 48 + 32) + 32,
            norm=2 * (64 + (96 + 128) + (16 + 48 + 32) + (192 + 32)),
            macs=28 * 28 * 192 * 64
            + 28 * 28 * (192 * 96 + 3 * 3 * 96 * 128)
            + 28 * 28 * (192 * 16 + 3 * 3 * 16 * 48 + 5 * 5 * 48 * 32)
            + 28 * 28 * 192 * 32,
        ),
    ),
    "residual_block": (
        "residual_block",
        {},
        Cost(
            kernels=64 * 64 + 3 * 3 * 64 * 64 + 64 * 64,
            biases=64 + 64 + 64,
            norm=2 * (64 + 64 + 64),
            macs=56 * 56 * (64 * 64 + 3 * 3 * 64 * 64 + 64 * 64),
        ),
    ),
    "residual_block, wider, with the lost convolution": (
        "residual_block@variables",
        {"out_channel": 128},
        Cost(
            kernels=64 * 128 + 3 * 3 * 128 * 128 + 128 * 128 + 64 * 128,
            biases=128 + 128 + 128 + 128,
            norm=2 * (128 + 128 + 128 + 128),
            macs=56 * 56 * (64 * 128 + 3 * 3 * 128 * 128 + 128 * 128 + 64 * 128),
        ),
    ),
    "residual_block, wider and strided twice": (
        "residual_block@variables",
        {"out_channel": 128, "s": 2},
        Cost(
            kernels=64 * 128 + 3 * 3 * 128 * 128 + 128 * 128 + 64 * 128,
            biases=128 + 128 + 128 + 128,
            norm=2 * (128 + 128 + 128 + 128),
            macs=28 * 28 * 64 * 128
            + 14 * 14 * (3 * 3 * 128 * 128 + 128 * 128)
            + 56 * 56 * 64 * 128,
        ),
    ),
    "resent_v2_block": (
        "resent_v2_block",
        {},
        Cost(
            kernels=256 * 64 + 3 * 3 * 64 * 64 + 64 * 256,
            biases=64 + 64 + 256,
            norm=2 * (64 + 64),
            macs=56 * 56 * (256 * 64 + 3 * 3 * 64 * 64 + 64 * 256),
        ),
    ),
    "resent_v2_block, strided": (
        "resent_v2_block",
        {"strides": 2},
        Cost(
            kernels=256 * 64 + 3 * 3 * 64 * 64 + 64 * 256,
            biases=64 + 64 + 256,
            norm=2 * (64 + 64),
            macs=56 * 56 * 256 * 64 + 28 * 28 * (3 * 3 * 64 * 64 + 64 * 256),
        ),
    ),
    "resent_v2_block, wider and strided": (
        "resent_v2_block",
        {"input_depth": 128, "strides": 2},
        Cost(
            kernels=128 * 64 + 3 * 3 * 64 * 64 + 64 * 256 + 128 * 256,
            biases=64 + 64 + 256 + 256,
            norm=2 * (64 + 64),
            macs=56 * 56 * 128 * 64 + 28 * 28 * (3 * 3 * 64 * 64 + 64 * 256 + 128 * 256),
        ),
    ),
    "inception_resent_a_block": (
        "inception_resent_a_block",
        {},
        Cost(
            kernels=3 * 32
            + (3 * 32 + 3 * 3 * 32 * 32)
            + (3 * 32 + 3 * 3 * 32 * 48 + 3 * 3 * 48 * 64)
            + 128 * 384
            + 3 * 384,
            biases=32 + (32 + 32) + (32 + 48 + 64) + 384 + 384,
            norm=2 * (32 + (32 + 32) + (32 + 48 + 64)),
            macs=35 * 35 * 3 * 32
            + 35 * 35 * (3 * 32 + 3 * 3 * 32 * 32)
            + 35 * 35 * (3 * 32 + 3 * 3 * 32 * 48 + 3 * 3 * 48 * 64)
            + 35 * 35 * 128 * 384
            + 35 * 35 * 3 * 384,
        ),
    ),
    "inception_resent_a_block, of one width": (
        "inception_resent_a_block",
        {"input_depth": 384},
        Cost(
            kernels=3 * 384 * 32 + 3 * 3 * 32 * 32 + 3 * 3 * 32 * 48 + 3 * 3 * 48 * 64 + 128 * 384,
            biases=32 + (32 + 32) + (32 + 48 + 64) + 384,
            norm=2 * (32 + (32 + 32) + (32 + 48 + 64)),
            macs=35 * 35 * (3 * 384 * 32 + 3 * 3 * 32 * 32 + 3 * 3 * 32 * 48)
            + 35 * 35 * (3 * 3 * 48 * 64 + 128 * 384),
        ),
    ),
    "dense_stage": (
        "dense_stage",
        {},
        Cost(
            kernels=(64 + 128 + 192 + 256 + 320 + 384 + 448 + 512) * 64
            + 8 * (3 * 3 * 64 + 64 * 64),
            biases=8 * (64 + 64),
            norm=8 * 2 * (64 + 64),
            macs=56 * 56 * (64 + 128 + 192 + 256 + 320 + 384 + 448 + 512) * 64
            + 56 * 56 * 8 * (3 * 3 * 64 + 64 * 64),
        ),
    ),
    "shufflenet_v2_block, up to the shuffle that fails": (
        "shufflenet_v2_block",
        {"final_endpoint": "unit/concat"},
        Cost(
            kernels=2 * 1 + 3 * 3 * 1 + 1 * 1,
            biases=1 + 1 + 1,
            norm=2 * (1 + 1),
            macs=300 * 300 * (2 * 1 + 3 * 3 * 1 + 1 * 1),
        ),
    ),
    "shufflenet_v2_block, of one width": (
        "shufflenet_v2_block",
        {"out_channel": 4},
        Cost(
            kernels=2 * 2 + 3 * 3 * 2 + 2 * 2,
            biases=2 + 2 + 2,
            norm=2 * (2 + 2),
            macs=300 * 300 * (2 * 2 + 3 * 3 * 2 + 2 * 2),
        ),
    ),
    "shufflenet_v2_block, strided": (
        "shufflenet_v2_block",
        {"stride": 2},
        Cost(
            kernels=(4 * 1 + 3 * 3 * 1 + 1 * 1) + (3 * 3 * 4 + 4 * 1),
            biases=(1 + 1 + 1) + (4 + 1),
            norm=2 * ((1 + 1) + 1),
            macs=300 * 300 * 4 * 1
            + 150 * 150 * (3 * 3 * 1 + 1 * 1)
            + 150 * 150 * (3 * 3 * 4 + 4 * 1),
        ),
    ),
    "res_block": (
        "res_block",
        {},
        Cost(
            kernels=24 * 144 + 3 * 3 * 144 + 144 * 24,
            biases=0,
            norm=2 * (144 + 144 + 24),
            macs=56 * 56 * (24 * 144 + 3 * 3 * 144 + 144 * 24),
        ),
    ),
    "res_block, wider, with biases": (
        "res_block",
        {"output_dim": 32, "bias": True},
        Cost(
            kernels=24 * 144 + 3 * 3 * 144 + 144 * 32 + 24 * 32,
            biases=144 + 32 + 32,
            norm=2 * (144 + 144 + 32),
            macs=56 * 56 * (24 * 144 + 3 * 3 * 144 + 144 * 32 + 24 * 32),
        ),
    ),
    "res_block, wider, with a stride that nothing takes": (
        "res_block",
        {"output_dim": 32, "stride": 2},
        Cost(
            kernels=24 * 144 + 3 * 3 * 144 + 144 * 32,
            biases=0,
            norm=2 * (144 + 144 + 32),
            macs=56 * 56 * (24 * 144 + 3 * 3 * 144 + 144 * 32),
        ),
    ),
    "mbconv_block": (
        "mbconv_block",
        {},
        Cost(
            kernels=43 * 172 + 3 * 3 * 172 + 172 * 64 + 64 * 16 + 16 * 64 + 43 * 64,
            biases=0,
            norm=2 * (172 + 172 + 64),
            macs=300 * 300 * (43 * 172 + 3 * 3 * 172 + 172 * 64 + 43 * 64) + 64 * 16 + 16 * 64,
        ),
    ),
    "mbconv_block, strided": (
        "mbconv_block",
        {"stride": 2},
        Cost(
            kernels=43 * 172 + 3 * 3 * 172 + 172 * 64 + 64 * 16 + 16 * 64,
            biases=0,
            norm=2 * (172 + 172 + 64),
            macs=300 * 300 * 43 * 172 + 150 * 150 * (3 * 3 * 172 + 172 * 64) + (64 * 16 + 16 * 64),
        ),
    ),
    "mbconv_block, with biases, without gate and shortcut": (
        "mbconv_block",
        {"bias": True, "use_Squeeze_Excitation": False, "shortcut": False},
        Cost(
            kernels=43 * 172 + 3 * 3 * 172 + 172 * 64,
            biases=172 + 64,
            norm=2 * (172 + 172 + 64),
            macs=300 * 300 * (43 * 172 + 3 * 3 * 172 + 172 * 64),
        ),
    ),
    "mobile_v3_bottleneck": (
        "mobile_v3_bottleneck",
        {},
        Cost(
            kernels=80 * 480 + 3 * 3 * 480 + 480 * 112 + 80 * 112 + 112 * 28 + 28 * 112,
            biases=0,
            norm=2 * (480 + 480 + 112 + 112),
            macs=300 * 300 * (80 * 480 + 3 * 3 * 480 + 480 * 112 + 80 * 112)
            + (112 * 28 + 28 * 112),
        ),
    ),
    "mobile_v3_bottleneck, strided, 5x5": (
        "mobile_v3_bottleneck",
        {"stride": 2, "kernel_size": 5},
        Cost(
            kernels=80 * 480 + 5 * 5 * 480 + 480 * 112 + 112 * 28 + 28 * 112,
            biases=0,
            norm=2 * (480 + 480 + 112),
            macs=300 * 300 * 80 * 480
            + 150 * 150 * (5 * 5 * 480 + 480 * 112)
            + (112 * 28 + 28 * 112),
        ),
    ),
    "mobile_v3_bottleneck, of one width, without gate": (
        "mobile_v3_bottleneck",
        {"out_size": 80, "se": False},
        Cost(
            kernels=80 * 480 + 3 * 3 * 480 + 480 * 80,
            biases=0,
            norm=2 * (480 + 480 + 80),
            macs=300 * 300 * (80 * 480 + 3 * 3 * 480 + 480 * 80),
        ),
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_cost_is_the_one_computed_by_hand(case: str) -> None:
    name, knobs, expected = BY_HAND[case]
    assert cost(name, knobs) == expected


def test_every_block_of_the_article_is_computed_by_hand() -> None:
    specs = {path.stem for path in SEEDS.glob("*.yaml")}
    assert {name.partition("@")[0] for name, _, _ in BY_HAND.values()} == specs
    assert len(specs) == 9


OUTPUTS: list[tuple[str, dict[str, Value], tuple[int, int, int]]] = [
    ("inception", {}, (64 + 128 + 32 + 32, 28, 28)),
    ("residual_block", {}, (64, 56, 56)),
    ("residual_block@variables", {"out_channel": 128, "s": 2}, (128, 14, 14)),
    ("resent_v2_block", {"strides": 2, "res": (55, 57)}, (256, 28, 29)),
    ("inception_resent_a_block", {}, (384, 35, 35)),
    ("dense_stage", {}, (64 + 8 * 64, 56, 56)),
    ("shufflenet_v2_block", {"final_endpoint": "unit/concat"}, (1 + 2, 300, 300)),
    ("shufflenet_v2_block", {"stride": 2}, (2, 150, 150)),
    ("res_block", {}, (24, 56, 56)),
    ("mbconv_block", {}, (64, 300, 300)),
    ("mbconv_block", {"stride": 2}, (64, 150, 150)),
    ("mobile_v3_bottleneck", {}, (112, 300, 300)),
]


@pytest.mark.parametrize(("name", "knobs", "shape"), OUTPUTS)
def test_output_shape(name: str, knobs: dict[str, Value], shape: tuple[int, int, int]) -> None:
    assert network(name, knobs).output_shape == shape


def ops(name: str, knobs: dict[str, Value]) -> list[str]:
    return [node.op.word for node in network(name, knobs).compiled.nodes]


def functions(name: str, knobs: dict[str, Value]) -> list[str]:
    nodes = network(name, knobs).compiled.nodes
    return [node.op.function for node in nodes if isinstance(node.op, Activation)]


def test_a_dense_layer_has_its_activation_ahead_of_its_batch_norm() -> None:
    layer = ["conv", "act", "bn", "dwconv", "conv", "act", "bn", "concat"]
    assert ops("dense_stage", {}) == 8 * layer


def test_the_gates_of_the_article_put_a_relu_ahead_of_the_sigmoid() -> None:
    assert functions("mbconv_block", {}) == ["relu6", "relu6", "relu", "relu", "sigmoid"]
    assert functions("mobile_v3_bottleneck", {})[2:] == ["relu", "relu", "hsigmoid"]


def test_the_knob_relu_chooses_between_relu_and_hswish() -> None:
    assert functions("mobile_v3_bottleneck", {})[:2] == ["hswish", "hswish"]
    assert functions("mobile_v3_bottleneck", {"relu": True})[:2] == ["relu", "relu"]


def test_the_depthwise_of_shufflenet_v2_block_is_followed_by_a_relu_alone() -> None:
    conv = ["conv", "bn", "act"]
    basic = ["split", *conv, "dwconv", "act", *conv, "concat", "shuffle"]
    assert ops("shufflenet_v2_block", {"out_channel": 4}) == basic
    assert functions("shufflenet_v2_block", {"out_channel": 4}) == [
        "leaky_relu",
        "relu",
        "leaky_relu",
    ]


def test_the_stride_of_res_block_takes_the_add_away_and_nothing_else() -> None:
    plain, strided = network("res_block", {}), network("res_block", {"stride": 2})
    assert strided.output_shape == plain.output_shape
    assert ops("res_block", {"stride": 2}) == ops("res_block", {})[:-1]
    assert ops("res_block", {})[-1] == "add"
    assert ops("res_block", {"shortcut": False}) == ops("res_block", {"stride": 2})


def test_a_strided_shortcut_of_one_width_is_resized_without_weights() -> None:
    assert ops("resent_v2_block", {"strides": 2})[-2:] == ["resize", "add"]
    assert "resize" not in ops("resent_v2_block", {"strides": 2, "input_depth": 128})


def test_the_convolution_that_residual_block_loses_counts_as_a_variable_only() -> None:
    knobs: dict[str, Value] = {"out_channel": 128}
    everything = cost("residual_block@variables", knobs)
    computed = cost("residual_block@variables", knobs, "body")
    lost = Cost(64 * 128, 128, 0, 56 * 56 * 64 * 128)
    assert tuple(a - b for a, b in zip(everything, computed, strict=True)) == lost


REFUSALS: dict[str, tuple[str, dict[str, Value], str]] = {
    "residual_block strides twice, its shortcut not at all": (
        "residual_block",
        {"s": 2},
        """\
residual_block.yaml:21:7: error[shape]: add: 64×14×14 and 64×56×56 differ
   21 |     - {op: add, in: [main, x], act: relu, name: add, when: in_channel == out_channel}
      |       ^
  in row 4 of the body (residual_block.yaml:21)
  hint: give the shortcut the same stride, or guard the add with  when: s == 1""",
    ),
    "residual_block computes a shortcut and loses it": (
        "residual_block",
        {"out_channel": 128},
        """\
residual_block.yaml:24:11: error[wiring]: the output of shortcut is never used
   24 |         - {op: conv, in: x, k: 1, c: out_channel, bn: false, act: none, name: shortcut}
      |           ^
  hint: take it with in:, or leave the step out with when:""",
    ),
    "residual_block loses it at any stride": (
        "residual_block",
        {"out_channel": 128, "s": 2},
        """\
residual_block.yaml:24:11: error[wiring]: the output of shortcut is never used
   24 |         - {op: conv, in: x, k: 1, c: out_channel, bn: false, act: none, name: shortcut}
      |           ^
  hint: take it with in:, or leave the step out with when:""",
    ),
    "shufflenet_v2_block cannot shuffle what the article's call joins": (
        "shufflenet_v2_block",
        {},
        """\
shufflenet_v2_block.yaml:28:26: error[shape]: shuffle: 3 channels cannot be shuffled in 2 groups
   28 |       - {op: shuffle, g: shuffle_group, name: shuffle}
      |                          ^
  in step 6 of block basic (shufflenet_v2_block.yaml:28)
  in row 1 of the body (shufflenet_v2_block.yaml:40)""",
    ),
    "shufflenet_v2_block cannot split three channels": (
        "shufflenet_v2_block",
        {"input_depth": 3},
        """\
shufflenet_v2_block.yaml:23:24: error[shape]: split: 3 channels do not divide into 2
   23 |       - {op: split, g: 2, out: [top, bottom], name: split}
      |                        ^
  in step 1 of block basic (shufflenet_v2_block.yaml:23)
  in row 1 of the body (shufflenet_v2_block.yaml:40)""",
    ),
    "shufflenet_v2_block needs groups that divide the output": (
        "shufflenet_v2_block",
        {"out_channel": 4, "stride": 2, "shuffle_group": 3},
        """\
shufflenet_v2_block.yaml:38:26: error[shape]: shuffle: 4 channels cannot be shuffled in 3 groups
   38 |       - {op: shuffle, g: shuffle_group, name: shuffle}
      |                          ^
  in step 7 of block down (shufflenet_v2_block.yaml:38)
  in row 2 of the body (shufflenet_v2_block.yaml:41)""",
    ),
    "shufflenet_v2_block cannot halve one channel": (
        "shufflenet_v2_block",
        {"out_channel": 1},
        """\
shufflenet_v2_block.yaml:16:19: error[spec]: 0 is too small; the least is 1
   16 |   conv: {k: 1, c: out_channel // 2, p: valid, bias: true, bn: true, act: leaky_relu}
      |                   ^
  in step 2 of block basic (shufflenet_v2_block.yaml:24)
  in row 1 of the body (shufflenet_v2_block.yaml:40)""",
    ),
    "dense_stage without layers returns nothing": (
        "dense_stage",
        {"repeat": 0},
        """\
dense_stage.yaml:24:3: error[spec]: the network has no layers with these knobs
   24 |   - {op: dense_layer, n: repeat, name: "layer{i}"}
      |   ^""",
    ),
    "mbconv_block can squeeze all channels away": (
        "mbconv_block",
        {"squeeze": 65},
        """\
mbconv_block.yaml:26:25: error[spec]: 0 is too small; the least is 1
   26 |       - {op: linear, c: in.c // squeeze, bias: false, act: relu, name: dense}
      |                         ^
  in step 2 of block squeeze_excitation (mbconv_block.yaml:26)
  in step 4 of block mbconv (mbconv_block.yaml:37)
  in step 1 of block residual (mbconv_block.yaml:41)
  in row 1 of the body (mbconv_block.yaml:53)""",
    ),
    "mobile_v3_bottleneck asserts that it cannot": (
        "mobile_v3_bottleneck",
        {"squeeze": 113},
        """\
mobile_v3_bottleneck.yaml:34:25: error[spec]: 0 is too small; the least is 1
   34 |       - {op: linear, c: in.c // squeeze, bias: false, act: relu, name: dense}
      |                         ^
  in step 2 of block se_block (mobile_v3_bottleneck.yaml:34)
  in step 3 of block residual (mobile_v3_bottleneck.yaml:44)
  in row 1 of the body (mobile_v3_bottleneck.yaml:47)""",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_defect_is_refused_with_its_place(case: str) -> None:
    name, knobs, message = REFUSALS[case]
    with pytest.raises(MbprofError) as caught:
        network(name, knobs)
    assert str(caught.value).replace(f"{SEEDS}/", "") == message

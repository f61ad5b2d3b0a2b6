"""ONNX models as specs: what each op costs, how exporters write it, and what is refused."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.errors import ExchangeError, MbprofError
from mbprof.network.profile import Profile
from tests.conftest import child, invoke, run

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
helper, F = onnx.helper, 1  # FLOAT

Weights = Mapping[str, Sequence[int] | Any]


def made(
    nodes: Sequence[Any],
    x: Sequence[int | str] = (1, 4, 8, 8),
    weights: Weights | None = None,
    opset: int = 17,
    more: Mapping[str, Sequence[int | str]] | None = None,
    functions: Sequence[Any] = (),
    outputs: Sequence[str] = ("y",),
) -> Any:
    """Return a model of nodes from x to y; weights are shapes, or values."""
    tensors = [
        onnx.numpy_helper.from_array(np.zeros(w, np.float32) if isinstance(w, tuple) else w, name)
        for name, w in (weights or {}).items()
    ]
    images = {"x": x, **(more or {})}
    graph = helper.make_graph(
        [n if not isinstance(n, str) else node(n) for n in nodes],
        "net",
        [helper.make_tensor_value_info(name, F, shape) for name, shape in images.items()],
        [helper.make_tensor_value_info(name, F, None) for name in outputs],
        tensors,
    )
    domains = {n.domain for n in graph.node if n.domain}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def node(said: str, **attributes: Any) -> Any:
    """Return a node, as ``y = Conv(x, w)``, with a domain before the op where it has one."""
    out, _, rest = said.partition(" = ")
    op, _, taken = rest.rstrip(")").partition("(")
    domain, _, kind = op.rpartition(":")
    inputs = [name.strip() for name in taken.split(",")] if taken else []
    outputs = [name.strip() for name in out.split(",")]
    return helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)


def costs(model: Any, **knobs: Any) -> Profile:
    return mbprof.from_onnx(model, **knobs).profile(scope="all")


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def ops(model: Any) -> list[str]:
    return [each.op.word for each in mbprof.from_onnx(model).compiled.nodes]


# What it costs: kernels and MACs, counted by hand.
LAYERS: dict[str, tuple[Any, int, int]] = {
    "conv": (
        made([node("y = Conv(x, w, b)", strides=[2, 2], pads=[1, 1, 1, 1])],
             weights={"w": (6, 4, 3, 3), "b": (6,)}),
        6 * 4 * 9, 6 * 4 * 9 * 16,
    ),
    "grouped": (
        made([node("y = Conv(x, w)", group=2)], weights={"w": (6, 2, 3, 3)}), 108, 108 * 36
    ),
    "depthwise with a multiplier": (
        made([node("y = Conv(x, w)", group=4, auto_pad="SAME_UPPER")], weights={"w": (8, 1, 3, 3)}),
        72, 72 * 64,
    ),
    "of one axis": (
        made([node("y = Conv(x, w)", dilations=[2])], (1, 4, 20), {"w": (6, 4, 3)}), 72, 72 * 16
    ),
    "lower padding": (
        made([node("y = Conv(x, w)", auto_pad="SAME_LOWER", strides=[2, 2])],
             weights={"w": (6, 4, 2, 2)}),
        96, 96 * 16,
    ),
    "transposed": (
        made([node("y = ConvTranspose(x, w)", strides=[2, 2], pads=[1, 1, 1, 1],
                   output_padding=[1, 1])], weights={"w": (4, 6, 3, 3)}),
        216, 216 * 64,
    ),
    "transposed to a size": (
        made([node("y = ConvTranspose(x, w)", strides=[2, 2], output_shape=[16, 16])],
             weights={"w": (4, 3, 3, 3)}),
        108, 108 * 64,
    ),
    "Gemm": (
        made([node("y = Gemm(x, w, b)", transB=1)], (1, 12), {"w": (5, 12), "b": (5,)}), 60, 60
    ),
    "MatMul of tokens": (made(["y = MatMul(x, w)"], (1, 7, 12), {"w": (12, 5)}), 60, 7 * 60),
    "weights before": (made(["y = MatMul(w, x)"], (1, 7, 12), {"w": (5, 7)}), 35, 12 * 35),
    "heads": (
        made(["y = MatMul(x, z)"], (1, 2, 7, 6), more={"z": (1, 2, 6, 7)}), 0, 2 * 7 * 6 * 7
    ),
    "Einsum of weights": (
        made([node("y = Einsum(x, w)", equation="bchw,co->bohw")], weights={"w": (4, 3)}),
        0, 4 * 3 * 64,
    ),
    "Einsum of two": (
        made([node("y = Einsum(x, z)", equation="bhnd,bhmd->bhnm")], (1, 2, 7, 6),
             more={"z": (1, 2, 5, 6)}),
        0, 2 * 7 * 5 * 6,
    ),
    "weights that the image makes": (
        made(["g = GlobalAveragePool(x)", "v = Flatten(g)", "f = MatMul(v, w)",
              "k = Reshape(f, s)", "y = Conv(x, k)"],
             weights={"w": (4, 8), "s": ints(2, 4, 1, 1)}),
        32, 32 + 8 * 64,
    ),
    "images of an image": (
        made(["r = Reshape(x, s)", node("y = Conv(r, w)", pads=[1, 1, 1, 1], strides=[2, 2])],
             (1, 12, 7, 8), {"s": ints(-1, 4, 7, 8), "w": (6, 4, 3, 3)}),
        216, 3 * 216 * 4 * 4,
    ),
    "three axes, of which one has no window": (
        made([node("y = Conv(x, w)", pads=[1, 0, 1, 1, 0, 1])], (1, 4, 8, 5, 8),
             {"w": (6, 4, 3, 1, 3)}),
        216, 216 * 8 * 5 * 8,
    ),
    "a trained tensor that is no layer's": (
        made(["y = MatMul(x, net.attn.height_rel)"], (1, 7, 12), {"net.attn.height_rel": (12, 5)}),
        0, 7 * 60,
    ),
    "matrices for several": (
        made(["y = MatMul(x, z)"], (1, 2, 3, 7, 6), more={"z": (1, 2, 1, 6, 5)}),
        0, 2 * 3 * 7 * 6 * 5,
    ),
    "one matrix for several": (
        made(["y = MatMul(x, z)"], (1, 1, 7, 6), more={"z": (1, 3, 6, 5)}), 0, 3 * 7 * 6 * 5
    ),
    "a blur beside trained layers": (
        made([node("f = Constant()", value=onnx.numpy_helper.from_array(
                  np.zeros((4, 1, 3, 3), np.float32))),
              node("b = Conv(x, f)", group=4), "y = Conv(b, w)"], weights={"w": (6, 4, 1, 1)}),
        24, 36 * 36 + 24 * 36,
    ),
    "QLinearConv": (
        made([node("q = QuantizeLinear(x, s, z)"),
              node("p = QLinearConv(q, s, z, w, s, z, s, z, b)"),
              "y = DequantizeLinear(p, s, z)"],
             weights={"s": np.float32(1), "z": np.uint8(0), "w": np.zeros((6, 4, 3, 3), np.uint8),
                      "b": np.zeros(6, np.int32)}),
        216, 216 * 36,
    ),
    "QDQ": (
        made(["v = DequantizeLinear(w, s, z)", "q = QuantizeLinear(x, s, z)",
              "d = DequantizeLinear(q, s, z)", "y = Conv(d, v)"],
             weights={"s": np.float32(1), "z": np.int8(0), "w": np.zeros((6, 4, 3, 3), np.int8)}),
        216, 216 * 36,
    ),
    "ConvInteger": (
        made(["q, s, z = DynamicQuantizeLinear(x)", "c = ConvInteger(q, w, z)",
              node("f = Cast(c)", to=F), "y = Mul(f, s)"],
             weights={"w": np.zeros((6, 4, 3, 3), np.uint8)}),
        216, 216 * 36,
    ),
    "MatMulInteger": (
        made(["q, s, z = DynamicQuantizeLinear(x)", "c = MatMulInteger(q, w, z)",
              node("f = Cast(c)", to=F), "y = Mul(f, s)"], (1, 7, 12),
             {"w": np.zeros((12, 5), np.uint8)}),
        60, 7 * 60,
    ),
    "a convolution with a sum and an activation": (
        made([node("y = com.microsoft:FusedConv(x, w, b, z)", activation="Relu")],
             weights={"w": (6, 4, 3, 3), "b": (6,)}, more={"z": (1, 6, 6, 6)}),
        216, 216 * 36,
    ),
    "a product with a scale": (
        made([node("y = com.microsoft:FusedMatMul(x, z)", transB=1, alpha=0.5)], (1, 2, 7, 6),
             more={"z": (1, 2, 5, 6)}),
        0, 2 * 7 * 5 * 6,
    ),
    "quantised, and joined": (
        made(["q = QuantizeLinear(x, s, z)",
              node("c = com.microsoft:QLinearConcat(s, z, q, s, z, q, s, z)", axis=1),
              "d = DequantizeLinear(c, s, z)", "y = Conv(d, w)"],
             weights={"s": np.float32(1), "z": np.uint8(0), "w": (6, 8, 3, 3)}),
        432, 432 * 36,
    ),
    "fused attention": (
        made([node("y = com.microsoft:Attention(x, w, b)", num_heads=3)], (1, 7, 12),
             {"w": (12, 36), "b": (36,)}),
        12 * 36, 7 * 12 * 36 + 2 * 7 * 7 * 12,
    ),
    "attention of three": (
        made([node("y = com.microsoft:MultiHeadAttention(x, x, x)", num_heads=3)], (1, 7, 12)),
        0, 2 * 7 * 7 * 12,
    ),
    "Attention of opset 23, of heads": (
        made(["y = Attention(x, x, x)"], (1, 3, 7, 4), opset=23), 0, 2 * 3 * 7 * 7 * 4
    ),
    "Attention of opset 23, of tokens": (
        made([node("y = Attention(x, x, x)", q_num_heads=3, kv_num_heads=3)], (1, 7, 12),
             opset=23),
        0, 2 * 7 * 7 * 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_cost_what_they_cost_by_hand(name: str) -> None:
    model, kernels, macs = LAYERS[name]
    profile = costs(model)
    assert profile.missing == {}
    assert (profile.total.facts.kernels, profile.total.cost) == (kernels, macs)


PATTERNS: dict[str, tuple[Any, list[str], str]] = {
    "silu": (["s = Sigmoid(x)", "y = Mul(x, s)"], ["act"], "silu"),
    "hswish": (["a = Add(x, three)", "c = Clip(a, zero, six)", "m = Mul(x, c)", "y = Div(m, six)"],
               ["act"], "hswish"),
    "hsigmoid": (["a = Add(three, x)", "c = Clip(a, zero, six)", "y = Div(c, six)"],
                 ["act"], "hsigmoid"),
    "gelu": (["d = Div(x, root)", "e = Erf(d)", "a = Add(e, one)", "m = Mul(x, a)",
              "y = Mul(m, half)"], ["act"], "gelu"),
    "gelu by tanh": (["p = Pow(x, three)", "k = Mul(p, cube)", "i = Add(x, k)", "t = Mul(i, pi)",
                      "h = Tanh(t)", "a = Add(h, one)", "m = Mul(x, half)", "y = Mul(m, a)"],
                     ["act"], "gelu_tanh"),
    "mish": (["p = Softplus(x)", "t = Tanh(p)", "y = Mul(x, t)"], ["act"], "mish"),
    "layer norm": ([node("m = ReduceMean(x)", axes=[-1]), "d = Sub(x, m)", "p = Pow(d, two)",
                    node("v = ReduceMean(p)", axes=[-1]), "e = Add(v, tiny)", "s = Sqrt(e)",
                    "n = Div(d, s)", "g = Mul(n, gamma)", "y = Add(g, beta)"], ["ln"], ""),
    "taken elsewhere, too": (["s = Sigmoid(x)", "m = Mul(x, s)", "y = Add(m, s)"],
                             ["act", "mul", "add"], "sigmoid"),
}  # fmt: skip
NUMBERS = {"zero": 0, "half": 0.5, "one": 1, "two": 2, "three": 3, "six": 6, "root": 2**0.5,
           "cube": 0.044715, "pi": 0.7978845, "tiny": 1e-5}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_what_exporters_write_out_is_one_op(name: str) -> None:
    nodes, words, function = PATTERNS[name]
    weights = {n: np.float32(v) for n, v in NUMBERS.items()} | {"gamma": (6,), "beta": (6,)}
    taken = {i for each in nodes for i in (node(each) if isinstance(each, str) else each).input}
    model = made(nodes, (1, 5, 6), {n: w for n, w in weights.items() if n in taken})
    network = mbprof.from_onnx(model)
    assert [each.op.word for each in network.compiled.nodes] == words
    assert network.compiled.nodes[0].op.function == function


def test_norms_and_activations_stand_in_the_row_of_their_layer() -> None:
    weights = {"stem.conv.weight": (6, 4, 3, 3), **dict.fromkeys("gbmv", (6,))}
    nodes = [
        "c = Conv(x, stem.conv.weight)",
        "n = BatchNormalization(c, g, b, m, v)",
        "y = Relu(n)",
    ]
    profile = costs(made(nodes, weights=weights))
    (row,) = profile.rows
    assert (row.name, row.op, row.facts.norm_scale, row.facts.norm_mean) == (
        "stem.conv",
        "conv",
        6,
        6,
    )


def test_a_bias_behind_a_layer_is_the_layers() -> None:
    nodes = ["m = MatMul(x, w)", "y = Add(b, m)"]
    profile = costs(made(nodes, (1, 7, 12), {"w": (12, 5), "b": (5,)}))
    assert [(row.op, row.facts.biases) for row in profile.rows] == [("linear", 5)]
    table = costs(made(nodes, (1, 7, 12), {"w": (12, 5), "b": (7, 5)}))
    assert [row.op for row in table.rows] == ["linear", "b", "add"] or table.total.facts.other == 35


ATTENTION = [
    "h = MatMul(x, w)", "r = Reshape(h, five)", node("p = Transpose(r)", perm=[2, 0, 3, 1, 4]),
    *(node(f"{name} = Gather(p, i{n})", axis=0) for n, name in enumerate("qkv")),
    node("t = Transpose(k)", perm=[0, 1, 3, 2]), "a = MatMul(q, t)", "s = Mul(a, scale)",
    node("f = Softmax(s)", axis=-1), "o = MatMul(f, v)",
    node("b = Transpose(o)", perm=[0, 2, 1, 3]), "y = Reshape(b, three)",
]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 3])
def test_attention_of_a_batch_costs_what_it_costs_for_an_image(batch: int) -> None:
    weights = {"w": (12, 36), "five": ints(batch, 7, 3, 2, 6), "three": ints(batch, 7, 12),
               "scale": np.float32(0.4), **{f"i{n}": np.int64(n) for n in range(3)}}  # fmt: skip
    profile = costs(made(ATTENTION, (batch, 7, 12), weights))
    assert profile.missing == {}
    assert profile.total[:2] == (432, 7 * 432 + 2 * 7 * 7 * 12)


@pytest.mark.parametrize("batch", [1, 2])
def test_windows_that_are_merged_with_the_batch_are_those_of_an_image(batch: int) -> None:
    nodes = ["r = Reshape(x, parted)", node("p = Transpose(r)", perm=[0, 1, 3, 2, 4, 5]),
             "w = Reshape(p, windows)", node("t = Transpose(w)", perm=[0, 2, 1]),
             "m = MatMul(w, t)", node("y = Softmax(m)", axis=-1)]  # fmt: skip
    weights = {"parted": ints(batch, 2, 4, 2, 4, 6), "windows": ints(-1, 16, 6)}
    network = mbprof.from_onnx(made(nodes, (batch, 8, 8, 6), weights))
    assert network.output_shape == (4, 16, 16)
    assert network.profile().total.cost == 4 * 16 * 16 * 6


def test_what_is_computed_of_shapes_is_known() -> None:
    nodes = ["s = Shape(x)", "n = Gather(s, zero)", node("u = Unsqueeze(n, zeros)"),
             node("c = Concat(u, rest)", axis=0), "r = Reshape(x, c)",
             "y = MatMul(r, w)"]  # fmt: skip
    weights = {"zero": np.int64(0), "zeros": ints(0), "rest": ints(-1), "w": (256, 10)}
    profile = costs(made(nodes, ("batch", 4, 8, 8), weights))
    assert profile.total[:2] == (2560, 2560)
    assert profile.knobs["batch"] == 1
    assert costs(made(nodes, ("batch", 4, 8, 8), weights), batch=5).total[:2] == (2560, 2560)


def test_axes_that_a_file_leaves_open_are_asked_for(tmp_path: Path) -> None:
    model = made(["c = Conv(x, w)", "y = GlobalAveragePool(c)"], ("n", 4, "height", "width"),
                 {"w": (6, 4, 3, 3)})  # fmt: skip
    path = tmp_path / "open.onnx"
    onnx.save(model, path)
    ended = invoke("table", str(path))
    assert ended.status == 2
    assert "axis 2 (height) and axis 3 (width)" in " ".join(ended.err.split())
    assert "--res" in ended.err
    assert costs(model, res=12).total.cost == 216 * 100
    assert mbprof.table(path, res=(10, 12)).total.cost == 216 * 80
    said = json.loads(invoke("table", str(path), "--res", "20", "--format", "json").out)
    assert said["total"]["macs"] == 216 * 18 * 18
    swept = invoke("sweep", str(path), "--res", "12,20", "--format", "csv").out
    assert [line.split(",")[-1] for line in swept.split()[1:]] == ["21600", "69984"]
    tokens = made(["y = MatMul(x, w)"], (1, "length", 12), {"w": (12, 5)})
    with pytest.raises(ExchangeError, match="leaves axis 1") as caught:
        costs(tokens)
    assert "--set length=" in str(caught.value.hint)
    assert costs(tokens, length=9).total.cost == 9 * 60


def test_another_size_of_the_image_works_where_the_layers_allow_it() -> None:
    nodes = ["c = Conv(x, w)", "g = GlobalAveragePool(c)", "f = Flatten(g)", "y = Gemm(f, v)"]
    model = made(nodes, weights={"w": (6, 4, 3, 3), "v": (6, 10)})
    assert costs(model, res=12).total.cost == 216 * 100 + 60


def test_ops_without_a_rule_are_listed_and_the_total_is_incomplete() -> None:
    model = made(
        ["a = Det(x)", "v = my.ops:Turn(x)", "y = Conv(v, w)"], weights={"w": (6, 4, 3, 3)}
    )
    model.graph.value_info.append(helper.make_tensor_value_info("v", F, (1, 4, 8, 8)))
    profile = costs(model)
    assert profile.missing == {"my_ops_Turn": 1}
    assert profile.total.cost == 216 * 36
    strange = made([node("y = my.ops:Swirl(x)")])
    strange.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", F, (1, 4, 4, 4)))
    assert costs(strange).missing == {"my_ops_Swirl": 1}


def test_functions_of_the_model_stand_in_their_place() -> None:
    swish = helper.make_function(
        "own", "Swish", ["a"], ["b"], [node("s = Sigmoid(a)"), node("b = Mul(a, s)")],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    model = made([node("y = own:Swish(x)")], functions=[swish])
    assert ops(model) == ["act"]
    looped = helper.make_function(
        "own", "Swish", ["a"], ["b"], [node("b = own:Swish(a)")],
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
    )  # fmt: skip
    with pytest.raises(ExchangeError, match="calls itself"):
        costs(made([node("y = own:Swish(x)")], functions=[looped]))


def branch(name: str, said: str) -> Any:
    return helper.make_graph([node(said)], name, [], [helper.make_tensor_value_info(name, F, None)])


def test_a_fixed_condition_decides_and_another_is_refused() -> None:
    both = {"then_branch": branch("t", "t = Relu(x)"), "else_branch": branch("e", "e = Sigmoid(x)")}
    fixed = made([node("y = If(no)", **both)], weights={"no": np.array(False)})
    assert mbprof.from_onnx(fixed).compiled.nodes[0].op.function == "sigmoid"
    depends = ["m = ReduceMax(x)", "r = Reshape(m, one)", "c = Greater(r, r)"]
    with pytest.raises(ExchangeError, match="depends on the image"):
        costs(made([*depends, node("y = If(c)", **both)], weights={"one": ints(1)}))


def test_constants_of_channels_last_are_turned_with_the_image() -> None:
    nodes = ["n = Sub(x, mean)", node("t = Transpose(n)", perm=[0, 3, 1, 2]), "y = Conv(t, w)"]
    network = mbprof.from_onnx(
        made(nodes, (1, 8, 10, 3), {"mean": (1, 1, 1, 3), "w": (6, 3, 3, 3)})
    )
    assert network.compiled.image == (3, 8, 10)
    assert network.profile().total.cost == 162 * 48


def test_weights_that_layers_share_count_once_unless_exporters_merge_them() -> None:
    nodes = ["a = Conv(x, w)", "b = Relu(a)", "y = Conv(b, w)"]
    assert costs(made(nodes, (1, 16, 8, 8), {"w": (16, 16, 3, 3)})).total.params == 2304
    assert costs(made(nodes, (1, 4, 8, 8), {"w": (4, 4, 3, 3)})).total.params == 2 * 144


FORMS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "slices": (made([node("y = Slice(x, f, t, a)")],
                    weights={"f": ints(1, -4), "t": ints(3, 100), "a": ints(1, 3)}), (2, 8, 4)),
    "split": (made([node("a, y = Split(x)", axis=1)], opset=13), (2, 8, 8)),
    "gather of one": (made([node("y = Gather(x, i)", axis=1)], weights={"i": np.int64(1)}), (8, 8)),
    "gather of some": (made([node("y = Gather(x, i)", axis=2)], weights={"i": ints(1, 2, 1)}),
                       (4, 3, 8)),
    "pads": (made([node("y = Pad(x, p)")], weights={"p": ints(0, 0, 1, 2, 0, 0, 3, 4)}),
             (4, 12, 14)),
    "pads of channels": (made([node("y = Pad(x, p)")],
                              weights={"p": ints(0, 1, 0, -1, 0, 2, 0, 0)}), (7, 8, 7)),
    "resize": (made([node("y = Resize(x, e, f)", mode="linear")],
                    weights={"e": np.zeros(0, np.float32),
                             "f": np.array([1, 1, 2, 2], np.float32)}),
               (4, 16, 16)),
    "depth to space": (made([node("y = DepthToSpace(x)", blocksize=2)]), (1, 16, 16)),
    "mean of maps": (made([node("y = ReduceMean(x)", axes=[2, 3], keepdims=0)]), (4,)),
    "l2": (made([node("y = ReduceL2(x)", axes=[1])]), (1, 8, 8)),
    "expand": (made(["g = GlobalMaxPool(x)", "y = Expand(g, s)"], weights={"s": ints(1, 4, 8, 8)}),
               (4, 8, 8)),
    "ceil": (made([node("y = MaxPool(x)", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)]),
             (4, 4, 4)),
    "sum of three": (made(["y = Sum(x, x, x)"]), (4, 8, 8)),
    "division": (made(["g = GlobalMaxPool(x)", "y = Div(x, g)"]), (4, 8, 8)),
    "class token": (made([node("c = Concat(t, x)", axis=1), "y = Add(c, p)"], (1, 7, 12),
                         {"t": (1, 1, 12), "p": (1, 8, 12)}), (8, 12)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_have_the_shapes_of_onnx(name: str) -> None:
    model, shape = FORMS[name]
    network = mbprof.from_onnx(model)
    assert (network.output_shape, network.profile().missing) == (shape, {})


ELEMENTWISE = {
    "a = CumSum(x, axis)": (["act"], 256),
    "a = Mod(x, c)": (["param", "act", "mul"], 256 + 4),
    "a = IsNaN(x)": (["act"], 256),
    "a = Trilu(x)": (["identity"], 0),
    "a = Max(x, c)": (["param", "add"], 256),
    "a = Max(x, c, x)": (["param", "add"], 512),
    "a = Min(x, one)": (["act"], 256),
}
"""An op of elements, what stands for it, and how many elementary operations it takes."""


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_is_done_to_elements_leaves_no_total_incomplete(name: str) -> None:
    words, count = ELEMENTWISE[name]
    weights = {"c": (4, 1, 1), "axis": ints(1), "one": np.ones(1, np.float32)}
    taken = {key: value for key, value in weights.items() if key in name.partition("(")[2]}
    model = made([name, node("y = Cast(a)", to=F)], weights=taken)
    assert ops(model) == words
    assert costs(model).missing == {}
    facts = [node.facts for node in mbprof.from_onnx(model).compiled.nodes]
    assert sum(f.compare + f.add + f.mul + f.divide for f in facts) == count


def test_masks_and_choices_leave_no_total_incomplete() -> None:
    nodes = [
        "a = Less(x, c)",
        "b = Greater(x, one)",
        "d = And(a, b)",
        "e = Not(d)",
        "y = Where(e, x, c)",
    ]
    model = made(nodes, weights={"c": (4, 1, 1), "one": np.ones(1, np.float32)})
    assert ops(model) == ["param", "add", "act", "add", "act", "add"]
    assert costs(model).missing == {}


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    ended = invoke("table", str(path))
    assert ended.status == 2
    assert not ended.out
    return " ".join(ended.err.split())


def test_bad_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    model = made(["c = Conv(x, w)", "y = Relu(c)"], weights={"w": (6, 4, 3, 3)})
    whole = model.SerializeToString()
    assert "is no ONNX file" in refused(path, b"")
    assert "is no ONNX file" in refused(path, b"hello, this is text")
    assert "is no ONNX file" in refused(path, whole[:-3])
    ended = invoke("table", str(tmp_path / "none.onnx"), width=500)
    assert (ended.status, "No such file" in ended.err) == (2, True)
    for opset, said in ((99, "pip install --upgrade onnx"), (6, "the first is 7")):
        model.opset_import[0].version = opset
        assert said in refused(path, model.SerializeToString())
    late = made(["y = Relu(c)", "c = Conv(x, w)"], weights={"w": (6, 4, 3, 3)})
    assert "a later node makes it" in refused(path, late.SerializeToString())
    loose = made(["y = Add(x, nothing)"])
    assert "nothing makes it" in refused(path, loose.SerializeToString())
    twice = made(["y = Relu(x)", "y = Relu(x)"])
    assert "made twice" in refused(path, twice.SerializeToString())
    odd = made(["y = Conv(x, w)"], weights={"w": (6, 5, 3, 3)})
    assert "an input of 4 channels" in refused(path, odd.SerializeToString())
    strange = made([node("y = my.ops:Swirl(x)")])
    assert "cannot be inferred" in refused(path, strange.SerializeToString())
    for equation in ("bhnd,éé>bhnm", "ab cd-", "a.b,cd->ab"):  # ONNX itself never ends with them.
        product = made([onnx.helper.make_node("Einsum", ["x", "x"], ["y"], equation=equation)])
        assert "has no equation" in refused(path, product.SerializeToString())
    assert "has no input" in refused(path, made(["y = Relu(w)"], weights={"x": (4,), "w": (4,)})
                                     .SerializeToString())  # fmt: skip


def test_a_byte_that_begins_no_field_is_said_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    # Weights whose values are passed over, with the results behind them.
    whole = made(["y = Conv(x, w)"], weights={"w": (600, 4, 3, 3)}).SerializeToString()
    said = set()
    for at in (*range(40), *range(len(whole) - 60, len(whole))):
        path.write_bytes(whole[:at] + b"\x07" + whole[at + 1 :])
        try:
            mbprof.load(path).build()
        except mbprof.MbprofError as error:
            said.add(" ".join(str(error).partition(": ")[2].split()[1:6]))
    assert "is no ONNX file: byte" in said


def test_weights_in_other_files_are_not_needed_and_never_outside_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    model = made(["y = Conv(x, w)"], weights={"w": (6, 4, 3, 3)})
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    place = tensor.external_data.add(key="location", value="weights.bin")
    path.write_bytes(model.SerializeToString())
    assert mbprof.table(path).total.params == 216
    for outside in ("../weights.bin", "/etc/passwd", "a/../../b", "C:\\x"):
        place.value = outside
        assert "stands outside its folder" in refused(path, model.SerializeToString())


def test_values_of_large_weights_are_not_read(tmp_path: Path) -> None:
    from mbprof.exchange.onnx_in.wire import without_values

    model = made(["y = Conv(x, w)"], weights={"w": (64, 4, 7, 7)})
    data = model.SerializeToString()
    kept = without_values(memoryview(data), "net")
    assert len(kept) < 300 < len(data)
    short = onnx.ModelProto.FromString(kept)
    assert short.graph.initializer[0].dims == [64, 4, 7, 7]
    assert costs(data).total == costs(model).total


def test_a_library_that_is_missing_is_named_with_its_install_command(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(made(["y = Relu(x)"]).SerializeToString())
    code = f"""
import sys
sys.modules["onnx"] = None
from mbprof.cli import main
sys.argv = ["mbprof", "table", {str(path)!r}]
main()
"""
    ended = child(sys.executable, "-c", code)
    assert "reading ONNX files needs the library onnx" in " ".join(ended.err.split())
    assert "pip install 'mbprof[onnx]'" in ended.err
    assert ended.status == 2


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(14)
    files = [LAYERS[name][0].SerializeToString() for name in ("conv", "QDQ", "fused attention")]
    files += [made(ATTENTION, (1, 7, 12), {"w": (12, 36), "five": ints(1, 7, 3, 2, 6),
              "three": ints(1, 7, 12), "scale": np.float32(1),
              **{f"i{n}": np.int64(n) for n in range(3)}}).SerializeToString()]  # fmt: skip
    read = 0
    for number in range(400):
        data = bytearray(files[number % len(files)])
        for _ in range(chance.choice((1, 1, 2, 5))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            costs(bytes(data))
            read += 1
        except MbprofError:
            continue
    assert read


@pytest.mark.parametrize("command", ["check", "table", "memory"])
def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, command: str) -> None:
    (tmp_path / "net.onnx").write_text("no network")
    ended = invoke(command, str(tmp_path / "net.onnx"))
    assert (ended.status, ended.out) == (2, "")
    assert "is no ONNX file" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    "asked",
    [
        ["table", "{}"],
        ["sweep", "{}", "--res", "8,9"],
        ["compare", "{}", "{}"],
        ["diff", "{}", "{}"],
        ["explain", "{}"],
        ["explain", "{}", "--from", "kernels", "--to", "thop"],
    ],
)
def test_every_command_says_that_a_total_is_incomplete(tmp_path: Path, asked: list[str]) -> None:
    model = made(["v = Turn(x)", "y = Conv(v, w)"], (1, 4, 8, 8), {"w": (6, 4, 1, 1)})
    model.graph.value_info.append(helper.make_tensor_value_info("v", F, (1, 4, 8, 8)))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    text = run(*(word.format(tmp_path / "net.onnx") for word in asked))
    said = "is incomplete; it lacks 1 op whose cost is not known: Turn 1."
    assert said in " ".join(text.split())


@pytest.mark.parametrize(
    "command",
    [
        "table FILE", "sizes FILE", "show FILE", "check FILE", "compare FILE mobilenet_v1",
        "diff FILE mobilenet_v1", "explain FILE", "formula FILE --by net", "memory FILE",
        "latency FILE --device jetson_nano", "convert FILE", "export FILE --to mermaid",
        "plot FILE --kind layers -o OUT.svg", "plot FILE --kind memory -o OUT.svg",
        "report FILE --dtype int8 -o OUT.md", "graph FILE -o OUT.svg", "sweep FILE", "space FILE",
        "search FILE --maximize params",
    ],
)  # fmt: skip
def test_every_command_gives_open_axes_what_is_asked(command: str, tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    nodes = ["c = Conv(x, w)", "y = Relu(c)"]
    onnx.save(made(nodes, ("n", 3, "height", "width"), {"w": (8, 3, 3, 3)}), path)
    words = command.replace("FILE", str(path)).replace("OUT", str(tmp_path / "out"))
    ended = invoke(*words.split(), "--res", "64")
    assert (ended.status, ended.err) == (0, "")

"""Files of TensorFlow Lite are networks: operators, layouts, quantisation, and what is broken."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import ExchangeError, MbprofError
from mbprof.exchange.tflite import file as reader
from mbprof.spec import foreign
from tests.conftest import invoke, run

pytest.importorskip("tflite", reason="reading TensorFlow Lite files needs the extra tflite")
from tests.features.effort import effort
from tests.features.tflite_files import Net

POOL: dict[str, Any] = {"options": "Pool2DOptions", "Padding": 1, "StrideH": 2, "StrideW": 2}
WINDOW: dict[str, Any] = {
    "Padding": 0,
    "StrideH": 1,
    "StrideW": 1,
    "DilationHFactor": 1,
    "DilationWFactor": 1,
}


def nodes(path: str) -> list[Any]:
    return list(mbprof.load(path).build().compiled.nodes)


def words(path: str) -> list[str]:
    return [node.op.word for node in nodes(path)]


def macs(path: str) -> int:
    return sum(node.facts.mac for node in nodes(path))


def conv(net: Net, x: int, w: int, *shape: int, bias: bool = True, **options: Any) -> int:
    taken = [x, w, net.weights(net.tensors[w][0][0])] if bias else [x, w, -1]
    given = {**WINDOW, "FusedActivationFunction": 0, **options}
    made: int = net.op("CONV_2D", taken, shape, options="Conv2DOptions", **given)
    return made


def test_a_convolution_with_all_its_options(tmp_path: Path) -> None:
    net = Net()
    x, w = net.input(1, 33, 20, 8), net.weights(12, 3, 5, 4)
    y = conv(net, x, w, 1, 17, 10, 12, StrideH=2, StrideW=2, FusedActivationFunction=3)
    (node, act) = nodes(net.save(tmp_path / "net.tflite", y))
    assert (node.op.word, node.op.groups, node.op.padding) == ("conv", 2, "tf-same")
    assert node.facts.mac == 3 * 5 * 4 * 12 * 17 * 10  # each output sums over a window
    assert (node.facts.kernels, node.facts.biases) == (12 * 3 * 5 * 4, 12)
    assert (act.op.function, act.layer) == ("relu6", node.layer)
    # SAME puts what is odd behind: 33 rows at stride 2 need 2, 20 columns at stride 2 need 3.
    assert [axis.padded for axis in node.op.axes(node.in_shapes)] == [(1, 1), (1, 2)]


@pytest.mark.parametrize("m", [1, 3])
def test_a_depthwise_convolution_and_its_multiplier(tmp_path: Path, m: int) -> None:
    net = Net()
    x, w = net.input(1, 9, 9, 4), net.weights(1, 3, 3, 4 * m)
    options = {**WINDOW, "Padding": 1, "DilationHFactor": 2, "DilationWFactor": 2}
    options = {**options, "options": "DepthwiseConv2DOptions", "DepthMultiplier": m}
    y = net.op("DEPTHWISE_CONV_2D", [x, w], (1, 5, 5, 4 * m), **options)
    (node,) = nodes(net.save(tmp_path / "net.tflite", y))
    assert (node.op.word, node.op.multiplier, node.facts.biases) == ("dwconv", m, 0)
    assert node.facts.mac == 9 * 4 * m * 5 * 5


# A size of 9 is stated where SAME makes 10; VALID makes (5 - 1)·2 + 3.
@pytest.mark.parametrize(("padding", "size"), [(0, 10), (0, 9), (1, 11)])
def test_a_transposed_convolution_has_the_size_that_is_stated(
    tmp_path: Path, padding: int, size: int
) -> None:
    net = Net()
    x, w, shape = net.input(1, 5, 5, 6), net.weights(4, 3, 3, 6), net.numbers(1, size, size, 4)
    options: dict[str, Any] = {
        "options": "TransposeConvOptions",
        "StrideH": 2,
        "StrideW": 2,
        "Padding": padding,
    }
    y = net.op("TRANSPOSE_CONV", [shape, w, x], (1, size, size, 4), **options)
    (node,) = nodes(net.save(tmp_path / "net.tflite", y))
    assert node.out_shapes == ((4, size, size),)
    assert node.facts.mac == 5 * 5 * 6 * 9 * 4  # each input is spread over a window


@pytest.mark.parametrize("kept", [False, True])
def test_fully_connected_layers_take_vectors_maps_and_tokens(tmp_path: Path, kept: bool) -> None:
    net = Net()
    x, w = net.input(1, 7, 8), net.weights(5, 8)
    shape = (1, 7, 5) if kept else (7, 5)
    options: dict[str, Any] = {"options": "FullyConnectedOptions", "KeepNumDims": kept}
    y = net.op("FULLY_CONNECTED", [x, w, net.weights(5)], shape, **options)
    path = net.save(tmp_path / "net.tflite", y)
    assert macs(path) == 7 * 8 * 5
    net = Net()
    x, w = net.input(1, 3, 3, 4), net.weights(5, 36)
    y = net.op("FULLY_CONNECTED", [x, w, -1], (1, 5), options="FullyConnectedOptions")
    (_, node) = nodes(net.save(tmp_path / "net.tflite", y))
    assert (node.facts.mac, node.facts.biases, node.out_shapes) == (36 * 5, 0, ((5,),))


Make = Callable[[Net, int], int]
UNARY: dict[str, tuple[Make, str, tuple[int, ...]]] = {
    "max pooling": (
        lambda n, x: n.op("MAX_POOL_2D", [x], (1, 4, 3, 4), FilterHeight=2, FilterWidth=2, **POOL),
        "maxpool",
        (4, 4, 3),
    ),
    "whole pooling": (
        lambda n, x: n.op(
            "AVERAGE_POOL_2D", [x], (1, 1, 1, 4), FilterHeight=8, FilterWidth=6, **POOL
        ),
        "gap",
        (4, 1, 1),
    ),
    "mean": (
        lambda n, x: n.op("MEAN", [x, n.numbers(1, 2)], (1, 4), options="ReducerOptions"),
        "gap reshape",
        (4,),
    ),
    "mean of channels": (
        lambda n, x: n.op(
            "MEAN", [x, n.numbers(-1)], (1, 8, 6, 1), options="ReducerOptions", KeepDims=True
        ),
        "mean",
        (1, 8, 6),
    ),
    "pad": (
        lambda n, x: n.op("PAD", [x, n.numbers(0, 0, 1, 2, 0, 3, 0, 4)], (1, 11, 9, 8)),
        "pad",
        (8, 11, 9),
    ),
    "bilinear": (
        lambda n, x: n.op(
            "RESIZE_BILINEAR", [x, n.numbers(16, 9)], (1, 16, 9, 4), options="ResizeBilinearOptions"
        ),
        "resize",
        (4, 16, 9),
    ),
    "depth": (
        lambda n, x: n.op(
            "SPACE_TO_DEPTH", [x], (1, 4, 3, 16), options="SpaceToDepthOptions", BlockSize=2
        ),
        "pixelunshuffle",
        (16, 4, 3),
    ),
    "space": (
        lambda n, x: n.op(
            "DEPTH_TO_SPACE", [x], (1, 16, 12, 1), options="DepthToSpaceOptions", BlockSize=2
        ),
        "pixelshuffle",
        (1, 16, 12),
    ),
    "slopes of channels": (
        lambda n, x: n.op("PRELU", [x, n.weights(1, 1, 4)], (1, 8, 6, 4)),
        "act",
        (4, 8, 6),
    ),
    "slopes of elements": (
        lambda n, x: n.op("PRELU", [x, n.weights(8, 6, 4)], (1, 8, 6, 4)),
        "param act act mul add",
        (4, 8, 6),
    ),
    "slices": (
        lambda n, x: n.op(
            "STRIDED_SLICE",
            [x, n.numbers(0, 1, 0, 0), n.numbers(0, 8, -1, 0), n.numbers(1, 2, 1, 1)],
            (1, 4, 5, 4),
            options="StridedSliceOptions",
            BeginMask=1,
            EndMask=9,
        ),
        "slice slice",
        (4, 4, 5),
    ),
    "a channel": (
        lambda n, x: n.op(
            "GATHER", [x, n.numbers(2, shape=())], (1, 8, 6), options="GatherOptions", Axis=3
        ),
        "lookup reshape",
        (8, 6),
    ),
    "matrix": (
        lambda n, x: n.op("TRANSPOSE", [x, n.numbers(0, 3, 1, 2)], (1, 4, 8, 6)),
        "reshape permute",
        (4, 8, 6),
    ),
    "scale and shift": (
        lambda n, x: n.op(
            "ADD",
            [
                n.op("MUL", [x, n.half()], (1, 8, 6, 4)),
                n.weights(4),
            ],
            (1, 8, 6, 4),
        ),
        "times param add",
        (4, 8, 6),
    ),
    "a normalisation by hand": (
        lambda n, x: n.op(
            "DIV",
            [
                n.op("SQUARED_DIFFERENCE", [x, n.weights(4)], (1, 8, 6, 4)),
                n.op("RSQRT", [n.op("MAXIMUM", [x, n.half()], (1, 8, 6, 4))], (1, 8, 6, 4)),
            ],
            (1, 8, 6, 4),
        ),
        "param add act act act act act mul",
        (4, 8, 6),
    ),
    "a power": (lambda n, x: n.op("POW", [x, n.half()], (1, 8, 6, 4)), "act", (4, 8, 6)),
    "a length": (lambda n, x: n.op("L2_NORMALIZATION", [x], (1, 8, 6, 4)), "rms", (4, 8, 6)),
    "repeats": (
        lambda n, x: n.op("TILE", [x, n.numbers(1, 2, 1, 3)], (1, 16, 6, 12)),
        "lookup lookup",
        (12, 16, 6),
    ),
    "stored otherwise": (
        lambda n, x: n.op("LOGISTIC", [n.op("QUANTIZE", [x], (1, 8, 6, 4))], (1, 8, 6, 4)),
        "act",
        (4, 8, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_what_operators_are(tmp_path: Path, name: str) -> None:
    make, expected, shape = UNARY[name]
    net = Net()
    y = make(net, net.input(1, 8, 6, 4))
    made = nodes(net.save(tmp_path / "net.tflite", y))
    assert " ".join(node.op.word for node in made) == expected
    assert made[-1].out_shapes[-1] == shape
    assert sum(node.facts.mac for node in made) == 0


def test_branches_are_split_stacked_and_joined(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 8, 6, 4)
    axis = net.numbers(3, shape=())
    left, right = net.op(
        "SPLIT", [axis, x], (1, 8, 6, 2), (1, 8, 6, 2), options="SplitOptions", NumSplits=2
    )
    right = net.op("HARD_SWISH", [right], (1, 8, 6, 2))
    joined = net.op(
        "CONCATENATION", [left, right], (1, 8, 6, 4), options="ConcatenationOptions", Axis=-1
    )
    added = net.op(
        "ADD", [joined, x], (1, 8, 6, 4), options="AddOptions", FusedActivationFunction=1
    )
    parts = net.op("UNPACK", [added], *[(1, 6, 4)] * 8, options="UnpackOptions", Num=8, Axis=1)
    packed = net.op("PACK", parts[:2], (1, 2, 6, 4), options="PackOptions", ValuesCount=2, Axis=1)
    made = words(net.save(tmp_path / "net.tflite", packed))
    assert made[:5] == ["split", "act", "concat", "add", "act"]
    assert made.count("concat") == 2


def test_attention_multiplies_matrices(tmp_path: Path) -> None:
    net = Net()
    n, heads, d = 10, 3, 4
    q, k = net.input(1, heads, n, d), net.input(1, heads, n, d)
    scores = net.op(
        "BATCH_MATMUL", [q, k], (1, heads, n, n), options="BatchMatMulOptions", AdjY=True
    )
    shares = net.op("SOFTMAX", [scores], (1, heads, n, n), options="SoftmaxOptions", Beta=1.0)
    y = net.op("BATCH_MATMUL", [shares, k], (1, heads, n, d), options="BatchMatMulOptions")
    path = net.save(tmp_path / "net.tflite", y)
    assert macs(path) == 2 * heads * n * n * d
    softmax = next(node for node in nodes(path) if node.op.word == "softmax")
    assert softmax.facts.compare == heads * n * (n - 1)  # over the last axis


def test_shapes_that_are_computed_cost_nothing(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 8, 6, 4)
    shape = net.op("SHAPE", [x], (4,))
    first = net.op("STRIDED_SLICE", [shape, net.numbers(0), net.numbers(1), net.numbers(1)], (1,))
    packed = net.op("PACK", [first, net.numbers(192)], (2,), options="PackOptions")
    y = net.op("RESHAPE", [x, packed], (1, 192))
    assert words(net.save(tmp_path / "net.tflite", y)) == ["flatten"]


def test_halves_that_are_stored_smaller_are_weights(tmp_path: Path) -> None:
    """A hybrid network dequantises its weights before each layer."""
    net = Net()
    x, half = net.input(1, 4, 4, 3), net.weights(8, 1, 1, 3, kind="FLOAT16")
    w = net.op("DEQUANTIZE", [half], (8, 1, 1, 3))
    y = conv(net, x, w, 1, 4, 4, 8)
    (node,) = nodes(net.save(tmp_path / "net.tflite", y))
    assert (node.facts.kernels, node.facts.mac) == (24, 24 * 16)


def test_bits_of_weights_and_activations_are_known(tmp_path: Path) -> None:
    net = Net()
    x, w = net.input(1, 4, 4, 3, kind="INT16"), net.weights(8, 1, 1, 3, kind="INT8")
    y = conv(net, x, w, 1, 4, 4, 8)
    draft = reader.draft(net.save(tmp_path / "net.tflite", y))
    (step,) = draft.steps
    assert [draft.bits[key] for key in (*step.inputs, *step.outputs)] == [16, 16]
    assert draft.bits[f"{step.name}.weights"] == 8


def test_what_has_no_rule_is_said_to_be_missing(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 8, 6, 4)
    y = net.op("TFLite_Detection", [net.op("RFFT2D", [x, net.numbers(1)], (1, 8, 6, 4))], (1, 9))
    path = net.save(tmp_path / "net.tflite", y)
    said = run("table", path, width=200)
    assert [word in said for word in ("RFFT2D", "TFLite_Detection", "incomplete")] == [True] * 3


def test_commands_take_a_file_as_any_spec(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 8, 8, 3)
    y = conv(
        net, conv(net, x, net.weights(8, 3, 3, 3), 1, 8, 8, 8), net.weights(4, 1, 1, 8), 1, 8, 8, 4
    )
    path = net.save(tmp_path / "My Net.TFLITE", y)
    assert '"macs": 15872' in run("table", path, "--format", "json")
    run("diff", path, path)
    run("check", path, "--format", "json")


def test_buffers_live_from_what_makes_them_to_what_takes_them_last(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 8, 8, 4, kind="INT8")
    a = net.op("RELU", [x], (1, 8, 8, 4))
    b = net.op("RELU", [a], (1, 8, 8, 4))
    c = net.op("ADD", [b, x], (1, 8, 8, 4))
    d = net.op("MEAN", [c, net.numbers(1, 2)], (1, 4), options="ReducerOptions")
    found = reader.buffers(net.save(tmp_path / "net.tflite", d, b))
    assert [(b.tensor, b.bytes, b.first, b.last) for b in found] == [
        (x, 256, 0, 2), (a, 256, 0, 1), (b, 256, 1, 3), (c, 256, 2, 3), (d, 4, 3, 3),
    ]  # fmt: skip


def test_memory_follows_the_types_and_the_order_of_a_file(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 4, 4, 2, kind="INT16")
    shared = net.weights(2, kind="INT8")
    a = net.op("ADD", [x, shared], (1, 4, 4, 2))
    b = net.op("QUANTIZE", [x], (1, 4, 4, 2))
    net.tensors[b] = ((1, 4, 4, 2), "INT8", "net/b/Op", None)
    c = net.op("MUL", [b, shared], (1, 4, 4, 2))
    d = net.op("RESHAPE", [a, net.numbers(1, 32)], (1, 32))
    path = net.save(tmp_path / "net.tflite", c, d)
    found = mbprof.memory(path)
    # x and a; then x, a and b; then a, b and c; then a, c and d, of 64, 64, 32, 32 and 64 bytes.
    assert found.live == [128, 160, 128, 160]
    assert found.best.peak == found.best.bound == 160
    assert [step.takes for step in found.plan.steps] == [(0,), (0,), (2,), (1,)]
    assert (found.weight_bytes, found.rules.types) == (2, "int16 and int8")
    assert "the types, operators and order of the file" in run("memory", path)
    # The layers of the network at one type are another plan: a reshape is a view there.
    assert mbprof.memory(path, dtype="int8").peak_bytes == 96
    refused = invoke("memory", path, "--inplace", "add")
    assert refused.status == 2
    assert "--dtype" in refused.err


def small() -> bytes:
    net = Net()
    x = net.input(1, 8, 8, 3)
    y = conv(net, x, net.weights(8, 3, 3, 3), 1, 8, 8, 8, FusedActivationFunction=1)
    z = net.op("ADD", [y, net.weights(8)], (1, 8, 8, 8))
    m = net.op("MEAN", [z, net.numbers(1, 2)], (1, 8), options="ReducerOptions")
    out = net.op("FULLY_CONNECTED", [m, net.weights(4, 8)], (1, 4), options="FullyConnectedOptions")
    return net.bytes(out)


def test_a_broken_file_is_one_error(tmp_path: Path) -> None:
    """Bits, bytes, offsets and lengths are changed, and ends cut off; nothing else is raised."""
    assert effort(lambda: broken(tmp_path / "net.tflite")) < 60


def broken(path: Path) -> None:
    whole, rnd = small(), random.Random(14)
    nasty = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0")
    wrong = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rnd.choice((1, 1, 2, 8))):
            at = rnd.randrange(len(data) - 4)
            if rnd.random() < 0.5:
                data[at] ^= 1 << rnd.randrange(8)
            else:
                data[at : at + 4] = rnd.choice(nasty)
        if rnd.random() < 0.1:
            del data[rnd.randrange(len(data)) :]
        path.write_bytes(data)
        said = ""
        try:
            reader.draft(str(path)).text()
            reader.buffers(str(path))
        except MbprofError as error:
            said = str(error)
        wrong += bool(said)
        assert not said or str(path) in said
    assert wrong > 130


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is an empty file"),
        (b"name: net\n", "is no TensorFlow Lite file"),
        (small()[:400], "is broken"),
        (small()[:4] + b"TFL3" + b"\xff" * 60, "is broken"),
    ],
)
def test_errors_say_what_is_wrong(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    ended = invoke("table", str(path), width=300)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("error[exchange]")
    assert said in ended.err


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder.tflite").mkdir()
    os.mkfifo(tmp_path / "pipe.tflite")  # to read it would wait forever
    for name, said in (("folder", "no file"), ("pipe", "no file"), ("none", "No such file")):
        ended = invoke("table", str(tmp_path / f"{name}.tflite"), width=300)
        assert ended.status == 2
        assert said in ended.err


def test_a_list_of_the_same_table_over_and_over_takes_no_time(tmp_path: Path) -> None:
    """A hundred thousand tensors that share a long name and a long shape read little."""
    net = Net()
    x = net.input(1, 8, 8, 3)
    net.tensors += [((1,) * 15, "FLOAT32", "x" * 900, None)] * 3000
    data = net.bytes(net.op("RELU", [x], (1, 8, 8, 3)))
    (tmp_path / "net.tflite").write_bytes(data)
    assert effort(lambda: mbprof.load(tmp_path / "net.tflite")) < 10


def test_weights_that_their_shape_does_not_fit_are_an_error(tmp_path: Path) -> None:
    net = Net()
    x, w = net.input(1, 8, 8, 3), net.weights(8, 3, 3, 3)
    net.tensors[w] = ((9, 3, 3, 3), *net.tensors[w][1:])
    y = conv(net, x, w, 1, 8, 8, 9)
    with pytest.raises(ExchangeError, match="holds 864 bytes, and its shape needs 972"):
        mbprof.load(net.save(tmp_path / "net.tflite", y))


def test_an_operator_that_makes_another_shape_is_an_error(tmp_path: Path) -> None:
    net = Net()
    y = conv(net, net.input(1, 8, 8, 3), net.weights(8, 3, 3, 3), 1, 7, 8, 8)
    with pytest.raises(ExchangeError, match="makes 8×8×8 as conv, and 8×7×8 in the file"):
        mbprof.load(net.save(tmp_path / "net.tflite", y))


def test_an_open_axis_and_a_tensor_that_nobody_makes_are_errors(tmp_path: Path) -> None:
    net = Net()
    x = net.input(1, 1, 1, 3)
    net.signature[x] = (-1, -1, -1, 3)
    with pytest.raises(ExchangeError, match="leaves an axis open"):
        mbprof.load(net.save(tmp_path / "open.tflite", net.op("RELU", [x], (1, 1, 1, 3))))
    net = Net()
    net.input(1, 8, 8, 3)
    y = net.op("RELU", [net.tensor(1, 8, 8, 3)], (1, 8, 8, 3))
    with pytest.raises(ExchangeError, match="which nothing made before it"):
        mbprof.load(net.save(tmp_path / "late.tflite", y))


def test_without_the_library_the_error_is_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(foreign, "import_module", missing)
    (tmp_path / "net.tflite").write_bytes(small())
    ended = invoke("table", str(tmp_path / "net.tflite"), width=200)
    assert ended.status == 2
    assert "pip install 'mbprof[tflite]'" in ended.err


def test_a_batch_is_left_out_of_every_shape(tmp_path: Path) -> None:
    net = Net()
    x = net.input(5, 8, 8, 3)
    y = conv(net, x, net.weights(8, 3, 3, 3), 5, 8, 8, 8)
    (node,) = nodes(net.save(tmp_path / "net.tflite", y))
    assert node.facts.mac == 27 * prod((8, 8, 8))  # of one image

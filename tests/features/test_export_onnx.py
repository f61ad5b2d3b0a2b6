"""Every op is written in ONNX: onnx infers its shapes, and onnxruntime gives what PyTorch gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.errors import ExchangeError
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from mbprof.exchange.weights import random_weights, stored
from mbprof.ops import OPS
from mbprof.ops.base import STORED, total
from mbprof.ops.conv import FUNCTIONS
from mbprof.ops.padding import PADDING_RULES
from mbprof.symbolic.arithmetic import product
from tests.conftest import invoke, network, run

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

MAPS, TOKENS, VECTOR = "channels: 6, res: 13x10", "shape: [12, 8]", "shape: [8]"
TRAINED = "{op: param, shape: [1, 12], out: freqs}"
QKV = "{op: linear, c: 24, out: q}, {op: linear, c: 24, in: x, out: k}, {op: linear, c: 24, in: x}"
RULES = [rule for rule in PADDING_RULES if rule != "valid"]
POSITIVE = dict.fromkeys(("sqrt", "log"), "{op: act, f: abs}, ")
"""What comes before functions that are of no negative number."""
CASES = {
    MAPS: [
        *(f"{{op: conv, k: {k}, c: 4, s: 2, p: {p}, bias: true}}" for p in RULES for k in (2, 3)),
        "{op: conv, k: [3, 2], c: 9, s: [1, 2], d: [2, 1], g: 3, p: [2, 1, 0, 3]}",
        "{op: conv, k: 1, c: 4, s: 2, p: keras}",
        "{op: conv, k: 3, c: 4, gain: true, bias: true}",
        "{op: conv, k: 3, c: 4, trained: false, bn: true, act: relu}",
        "{op: dwconv, k: 3, m: 2, s: 2, bias: true}",
        "{op: dwconv, k: 5, d: 2, trained: false}",
        *(
            f"{{op: tconv, k: {k}, c: 4, s: 2, p: {p}}}"
            for p in PADDING_RULES
            for k in ((2, 3) if p == "keras-v1" else (1, 2, 5))  # which is meant for 3
        ),
        "{op: tconv, k: [3, 4], c: 4, s: [2, 3], g: 2, d: 2, p: [1, 0, 2, 1], bias: true}",
        "{op: tconv, k: 3, c: 4, s: 2, p_out: 1, p: tf-same}",
        "{op: tconv, k: 3, c: 4, s: 2, p_out: [0, 1], p: torch}",
        "{op: tconv, k: 3, c: 4, s: 2, p_out: 1, p: valid}",
        "{op: tconv, k: 3, c: 4, s: 2, p_out: 1, p: 1}",
        *(
            f"{{op: {op}, k: {k}, s: {s}, p: {p}, ceil: {ceil}}}"
            for op in ("maxpool", "avgpool")
            for k, s, p in ((3, 2, "tf-same"), (3, 2, 1), (2, 2, "valid"), (3, 3, "[1, 0, 0, 1]"))
            for ceil in ("true", "false")
        ),
        *(f"{{op: {op}, k: 1, s: 2, p: keras}}" for op in ("maxpool", "avgpool")),
        "{op: tconv, k: [3, 5], c: 4, s: [3, 1], p: fixed, d: 2, p_out: [2, 1], bias: true}",
        "{op: tconv, k: [4, 1], c: 4, s: 4, p: keras, d: 2, bias: true}",
        *(f"{{op: {op}, k: [4, 1], s: [2, 3], p: keras}}" for op in ("maxpool", "avgpool")),
        "{op: resize, by: 2.02}, {op: resize, size: [4, 16]}, {op: resize, size: [5, 14]}",
        "{op: resize, by: 1.05, mode: bilinear}",
        *(f"{{op: {op}, k: [1, 5], s: 1, p: tf-same}}" for op in ("maxpool", "avgpool")),
        "{op: maxpool, k: 3, s: 1, d: 2, p: 2}",
        "{op: maxpool, k: 2, s: 1, p: 2}",
        "{op: avgpool, k: 2, s: 1, p: 2}",
        "{op: adaptiveavgpool, size: [5, 3]}, {op: adaptiveavgpool, size: [1, 7]}",
        "{op: gap}, {op: linear, c: 5}",
        "{op: gmp}, {op: flatten}, {op: linear, c: 5, bias: false}",
        "{op: mean, axes: [1, 2]}, {op: bn}",
        "{op: sum, axes: [0, -1], keep: true}",
        "{op: max, axes: 0, keep: true}",
        *(f"{{op: {op}}}" for op in ("bn", "ln", "rms", "lrn", "gn, g: 3")),
        *(f"{{op: {op}, scale: false}}" for op in ("bn", "ln", "rms", "gn, g: 2")),
        *(f"{{op: {op}, shift: false}}" for op in ("bn", "ln", "gn, g: 6")),
        "{op: lrn, size: 4}",
        "{op: normalize}",
        *(f"{POSITIVE.get(f, '')}{{op: act, f: {f}}}" for f in (*FUNCTIONS, "none")),
        "{op: times, by: 0.3}, {op: softmax}",
        "{op: dropout}, {op: identity, out: a}, {op: add, in: [a, x, _]}, {op: mul, in: [_, x]}",
        "{op: split, g: 3, out: [a, b, c]}, {op: concat, in: [c, a, b, x]}",
        "{op: split, sizes: [1, 5], out: [a, b]}, {op: add, in: [a, b]}",
        "{op: split, g: 3, keep: 1}",
        "{op: split, g: 2, axis: -1, out: [a, b]}, {op: concat, in: [b, a], axis: 2}",
        "{op: slice, axis: -1, from: -7, to: 9, step: 2}, {op: slice, from: 2}",
        "{op: permute, axes: [2, 0, 1]}, {op: reshape, to: [5, -1]}",
        "{op: shuffle, g: 3}",
        "{op: tokens, out: t}, {op: maps, in: [t, x]}",
        "{op: tokens}, {op: maps, size: [10, 13]}",
        "{op: pad, p: [1, 0, 2, 3], c: 9}, {op: crop, p: [0, 1, 2, 0]}",
        "{op: pad, p: 2, out: a}, {op: crop, in: [a, x], out: b}, {op: pad, in: [b, a]}",
        "{op: crop, size: [4, 7]}",
        "{op: resize, by: 2}",
        "{op: resize, by: 1.55}",
        "{op: resize, by: 0.7, mode: bilinear}",
        "{op: resize, size: [29, 7], mode: bilinear}, {op: resize, in: [_, x]}",
        "{op: resize, size: [7, 23]}",
        "{op: conv, k: 1, c: 12}, {op: pixelshuffle, by: 2}, {op: act, f: relu}, "
        "{op: pixelunshuffle, by: 2}",
        "{op: gap}, {op: linear, c: 72, out: w}, {op: conv, in: [x, w], k: 2, c: 6, g: 2, "
        "bias: true}",
        "{op: gap}, {op: linear, c: 54, out: w}, {op: dwconv, in: [x, w], k: 3}",
        "{op: param, shape: [72], out: w}, {op: conv, in: [x, w], k: 2, c: 6, g: 2, gain: true}",
    ],
    TOKENS: [
        *(f"{{op: {op}}}" for op in ("bn", "ln", "rms", "lrn", "gn, g: 4")),
        "{op: lrn, size: 2}, {op: normalize}, {op: act, f: prelu}",
        "{op: linear, c: 6}, {op: linear, c: 3, bias: false}, {op: softmax}",
        "{op: softmax, axis: 0}, {op: permute, axes: [1, 0]}",
        "{op: param, shape: [1, 8], out: cls}, {op: concat, in: [cls, x]}",
        "{op: param, shape: [12, 8], trained: false, out: t}, {op: add, in: [x, t]}",
        "{op: matmul, in: [x, x], t: true}, {op: matmul, in: [_, x]}",
        "{op: lookup, to: [2, 9]}, {op: lookup, to: [3], axis: -1}",
        "{op: rope}",
        "{op: rope, from: 3}",
        "{op: rope, from: 12}",
        "{op: param, shape: [3], out: f}, {op: rope, in: [x, f], from: 1}",
        *(f"{QKV}, {{op: sdpa, in: [q, k, _], {said}}}" for said in ("heads: 3", "windows: 4")),
        "{op: linear, c: 24, out: q}, {op: linear, c: 12, in: x, out: k}, "
        "{op: linear, c: 6, in: x}, {op: sdpa, in: [q, k, _], heads: 6, kv_heads: 3}",
        "{op: linear, c: 24, out: q}, {op: linear, c: 12, in: x, out: k}, "
        "{op: linear, c: 6, in: x}, {op: sdpa, in: [q, k, _], heads: 6, kv_heads: 3, windows: 3}",
        *(
            f"{QKV}, {{op: param, shape: {shape}, out: b}}, "
            f"{{op: sdpa, in: [q, k, _, b], heads: 3, windows: {windows}}}"
            for shape, windows in (
                ("[3, 12, 12]", 1), ("[3, 7, 7]", 1), ("[23, 3]", 2), ("[3, 12, 4]", 3),
                ("[3, 5]", 4), ("[12, 4]", 3), ("[2, 5]", 3), ("[6, 6, 3]", 2),
            )
        ),
    ],
    VECTOR: [
        "{op: bn}, {op: ln}, {op: rms}, {op: gn, g: 2}, {op: linear, c: 4, act: prelu}",
        "{op: softmax}, {op: normalize}, {op: reshape, to: [2, 2, 2]}",
    ],
}  # fmt: skip
"""Small networks by what they take; together they have every op, rule, function and key."""
SINGLE = [(taken, body) for taken, bodies in CASES.items() for body in bodies]


def small(taken: str, body: str) -> mbprof.Network:
    return mbprof.loads(f"{{name: n, input: {{{taken}}}, body: [{body}]}}").build()


def runs(made: Any, built: mbprof.Network, batch: int) -> tuple[list[Any], list[Any]]:
    """Run a model on random images; return them and its outputs."""
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 3
    quiet.intra_op_num_threads = 1
    session = runtime.InferenceSession(made.SerializeToString(), quiet)
    numbers = np.random.default_rng(7)
    shapes = [(batch, *image.shape) for image in built.compiled.images]
    images = [numbers.standard_normal(shape, np.float32) for shape in shapes]
    names = [taken.name for taken in session.get_inputs()]
    return images, session.run(None, dict(zip(names, images, strict=True)))


def dims(info: Any) -> list[Any]:
    return [n.dim_param or n.dim_value for n in info.type.tensor_type.shape.dim]


def inferred(made: Any) -> dict[str, list[Any]]:
    """Return the shapes that onnx finds without those that stand in the file."""
    bare = type(made)()
    bare.CopyFrom(made)
    del bare.graph.value_info[:]
    found = onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True)
    return {info.name: dims(info) for info in found.graph.value_info}


@pytest.mark.parametrize(("taken", "body"), SINGLE, ids=[body[:60] for _, body in SINGLE])
def test_an_op_gives_what_pytorch_gives(taken: str, body: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.independent.running import outputs

    built = small(taken, body)
    for batch in (None, 2):
        made = model(built, Options(batch=batch, seed=3))
        onnx.checker.check_model(made, full_check=True)
        free = dims(made.graph.input[0])[0] == "batch"
        images, given = runs(made, built, 2 if batch or free else 1)
        wanted = outputs(built.compiled, random_weights(built.compiled, 3), images)
        for one, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("taken", CASES)
def test_onnx_infers_the_shapes_that_the_spec_has(taken: str) -> None:
    for body in CASES[taken]:
        made = model(small(taken, body))
        found = inferred(made)
        for info in made.graph.value_info:
            assert found[info.name][1:] == dims(info)[1:], body


def test_every_op_is_written() -> None:
    words = {n.op.word for case in SINGLE for n in small(*case).compiled.nodes}
    assert words == set(OPS) - {"unknown"}


def test_what_is_unknown_cannot_be_written() -> None:
    built = small(MAPS, "{op: unknown, kind: NonZero, shape: [4]}")
    with pytest.raises(ExchangeError, match="unknown has no counterpart in ONNX"):
        model(built)


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_cond", "swin", "nf_resnet"])
def test_the_stored_tensors_are_the_facts(name: str) -> None:
    graph = network(name).compiled
    tensors = stored(graph)
    sizes = {kind: sum(product(t.shape) for t in tensors if t.fact == kind) for kind in STORED}
    assert tuple(sizes.values()) == total(node.facts for node in graph.nodes).stored
    assert len({tensor.name for tensor in tensors}) == len(tensors)


def test_initialisers_of_floats_are_what_is_stored() -> None:
    built = network("mobilenet_v3_small")
    made = model(built)
    values = {i.name: list(i.dims) for i in made.graph.initializer if i.data_type == 1}
    assert values.keys() == {tensor.name for tensor in stored(built.compiled)}
    assert sum(map(np.prod, values.values())) == built.profile("stored", "all").total.params


def test_shared_weights_are_one_initialiser() -> None:
    steps = "{op: conv, k: 3, c: 6, share: a, name: one}, {op: conv, k: 3, c: 6, share: a}"
    made = model(small(MAPS, steps))
    assert [tensor.name for tensor in made.graph.initializer] == ["one.weight"]
    assert [node.input[1] for node in made.graph.node] == ["one.weight"] * 2


def test_inputs_and_outputs_have_their_names() -> None:
    text = (
        "{name: n, inputs: {left: {res: 8}, right: {channels: 1}}, outputs: [sum, low], body: ["
        "{op: conv, k: 3, c: 1, in: left, out: a}, {op: add, in: [a, right], out: sum}, "
        "{op: maxpool, k: 2, in: sum, out: low}]}"
    )
    made = model(mbprof.loads(text).build())
    assert {i.name: dims(i) for i in made.graph.input} == {
        "left": ["batch", 3, 8, 8],
        "right": ["batch", 1, 8, 8],
    }
    assert {o.name: dims(o) for o in made.graph.output} == {
        "sum": ["batch", 1, 8, 8],
        "low": ["batch", 1, 4, 4],
    }


def test_a_result_of_stored_values_alone_has_a_batch() -> None:
    text = (
        "{name: n, input: {res: 4}, outputs: [a, b], body: [{op: conv, k: 1, c: 2, out: a}, "
        "{op: param, shape: [5], out: b}]}"
    )
    built = mbprof.loads(text).build()
    for options in (Options(), Options(batch=3)):
        _, given = runs(model(built, options), built, 3)
        assert [array.shape for array in given] == [(3, 2, 4, 4), (3, 5)]


def test_a_model_says_what_it_is() -> None:
    made = model(network("mobilenet_v1", alpha=0.25), Options(seed=5))
    said = {prop.key: prop.value for prop in made.metadata_props}
    assert said["mbprof.spec"] == "mobilenet_v1"
    assert said["mbprof.weights"] == "random, seed 5"
    assert json.loads(said["mbprof.knobs"])["alpha"] == 0.25
    assert (made.producer_name, made.producer_version) == ("mbprof", mbprof.__version__)
    names = [node.name for node in made.graph.node]
    assert len(set(names)) == len(names)
    assert {node.name for node in network("mobilenet_v1", alpha=0.25).compiled.nodes} <= {*names}


def test_without_weights_they_are_inputs() -> None:
    made = model(network("mobilenet_v1", alpha=0.25), Options(weights=False))
    onnx.checker.check_model(made, full_check=True)
    shapes = {taken.name: dims(taken) for taken in made.graph.input}
    assert next(iter(shapes)) == "input"
    assert shapes["Conv2d_0.weight"] == [8, 3, 3, 3]
    assert not [tensor for tensor in made.graph.initializer if tensor.data_type == 1]
    assert made.ByteSize() < 60_000


def test_a_seed_decides_the_weights(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.onnx" for number in range(3)]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        run("export", "mobilenet_v1", "--alpha", "0.25", "--seed", str(seed), "-o", str(path))
    one, again, other = (path.read_bytes() for path in files)
    assert one == again != other
    assert mbprof.export("mobilenet_v1", "onnx", alpha=0.25, seed=1) == one


def test_a_name_that_is_no_text_is_refused() -> None:
    text = """{name: n, input: {res: 8}, body: [{op: conv, k: 1, c: 1, name: "a\\ud800"}]}"""
    with pytest.raises(ExchangeError, match="is no Unicode text"):
        mbprof.export(mbprof.loads(text).build(), "onnx")


def test_names_that_are_taken_give_way() -> None:
    steps = [f"{{op: conv, k: 1, c: 2, name: {name}}}" for name in ("a.weight", "a", "input")]
    made = model(small(MAPS, ", ".join(steps)))
    onnx.checker.check_model(made, full_check=True)
    assert [node.name for node in made.graph.node] == ["a.weight", "a", "input"]
    assert len({tensor for node in made.graph.node for tensor in node.output}) == 3


@pytest.mark.parametrize("name", ["resnet_cifar", "shufflenet_v2"])
def test_a_network_of_the_zoo_gives_what_pytorch_gives(name: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.independent.exported import computed

    assert computed(network(name)) == ""


def test_many_weights_lie_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parted = tmp_path / "whole.onnx", tmp_path / "parted.onnx"
    run("export", "mobilenet_v1", "--alpha", "0.25", "-o", str(whole))
    monkeypatch.setattr("mbprof.exchange.onnx_out.file.LARGEST", 1000)
    run("export", "mobilenet_v1", "--alpha", "0.25", "-o", str(parted))
    stored = network("mobilenet_v1", alpha=0.25).profile("stored", "all").total.params
    assert (tmp_path / "parted.onnx.data").stat().st_size == 4 * stored
    onnx.checker.check_model(str(parted), full_check=True)
    read = [onnx.load(path).graph.initializer for path in (whole, parted)]
    for one, other in zip(*read, strict=True):
        assert (one.name, one.raw_data) == (other.name, other.raw_data)
    ended = invoke("export", "mobilenet_v1", "--to", "onnx")
    assert ended.err.startswith("error[exchange]: an ONNX file holds 2 GiB, and the weights take")
    assert (ended.out, ended.status) == ("", 2)


@pytest.mark.parametrize("to", ["dot", "mermaid"])
def test_a_drawing_has_every_layer(to: str) -> None:
    text = run("export", "mobilenet_v2", "--to", to)
    for layer in {node.layer for node in network("mobilenet_v2").compiled.nodes}:
        assert layer in text
    assert text == mbprof.export("mobilenet_v2", to)


def test_a_name_is_no_command_of_a_drawing() -> None:
    text = """{name: n, input: {res: 8}, body: [{op: conv, k: 1, c: 1, name: 'a"]; end \\N'}]}"""
    built = mbprof.loads(text).build()
    assert '"a\\"]; end \\\\N\\n' in str(mbprof.export(built, "dot"))
    assert '["a#34;#93;#59; end #92;N<br>' in str(mbprof.export(built, "mermaid"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            [],
            "error[usage]: there is no format\n  hint: known are onnx, torch, keras, dot, mermaid",
        ),
        (["--to", "onx"], "error[usage]: unknown format 'onx'\n  hint: did you mean 'onnx'?\n"),
        (["-o", "a.xyz"], "error[usage]: a.xyz has no ending of a format\n"),
        (["--to", "onnx", "-o", "a.dot"], "error[usage]: --to onnx, but a.dot has the ending of"),
        (["--to", "onnx", "--batch", "0"], "error[usage]: a batch of 0 holds no image\n"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments: list[str], said: str) -> None:
    ended = invoke("export", "mobilenet_v1", *arguments)
    assert ended.err.startswith(said)
    assert (ended.out, ended.status) == ("", 2)


def test_without_the_library_the_install_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ExchangeError, match=r"needs the library onnx[\s\S]*mbprof\[onnx\]"):
        mbprof.export("mobilenet_v1", "onnx")

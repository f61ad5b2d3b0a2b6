"""mbprof convert: a network becomes a spec with blocks, repeats and tables, and costs the same."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.exchange.convert.idioms import spoken
from mbprof.exchange.convert.repeats import Shape, laid
from mbprof.exchange.convert.rows import Form
from mbprof.exchange.convert.spec import written
from mbprof.exchange.flat import draft_of
from mbprof.exchange.formats import Options
from mbprof.network.load import Network
from mbprof.ops.base import total
from mbprof.spec import zoo
from tests.conftest import ROOT, invoke, network, run

NETWORKS = (
    "mobilenet_v1",
    "mobilenet_v2@torchvision",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "resnet50",
    "densenet121",
    "shufflenet_v2",
    "squeezenet",
    "regnet_x_200mf",
    "convnext",
    "vgg16",
    "inception_v3",
    "vit",
)
MOST = {"resnet50": 26, "mobilenet_v2@torchvision": 32, "densenet121": 60, "vgg16": 25}
"""Lines that some of them take at most."""


def costs(made: Network) -> list[tuple[Any, ...]]:
    """Return what each op of a network costs, in order."""
    return [(n.op.word, n.in_shapes, n.out_shapes, n.facts, n.scope) for n in made.compiled.nodes]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_converted_network_costs_the_same_op_by_op(name: str) -> None:
    before = network(name)
    text = written(before)
    after = mbprof.loads(text).build()
    assert costs(after) == costs(before)
    for scope in ("body", "all"):
        for convention in ("kernels", "torchinfo", "thop", "fvcore"):
            rows = [made.profile(convention, scope).rows for made in (before, after)]
            counted = [[(row.params, row.cost) for row in part if row.params] for part in rows]
            assert counted[0] == counted[1]
    assert text.count("\n") <= MOST.get(name, 130)
    assert text.count("\n") < len(before.compiled.nodes)


def test_a_table_is_that_of_the_paper() -> None:
    """Table 2 of MobileNetV2 has these t, c, n and s, and 1 x 1 convolutions at its end."""
    lines = written(network("mobilenet_v2@torchvision")).splitlines()
    first = lines.index("  columns: [op, t, c, n, s, name]")
    cells = [line.strip(" -[]").split(", ") for line in lines if "[residual, " in line]
    assert first
    assert [[int(cell.replace("~", "1")) for cell in row[1:5]] for row in cells] == [
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]


def test_a_network_that_repeats_nothing_is_flat(tmp_path: Path) -> None:
    spec = tmp_path / "one.yaml"
    spec.write_text("{name: one, input: {res: 8}, body: [{op: conv, k: 3, c: 4}, {op: gap}]}")
    text = run("convert", str(spec))
    assert "blocks:" not in text
    assert costs(mbprof.loads(text).build()) == costs(mbprof.load(spec).build())


def test_paths_aside_and_several_inputs_and_results_stay(tmp_path: Path) -> None:
    """A specification with inputs, outputs, shared weights and splits, of the language's docs."""
    text = (ROOT / "docs" / "spec-language.md").read_text(encoding="utf-8")
    (tmp_path / "two.yaml").write_text(
        text.partition("<!-- file: two.yaml -->\n```yaml\n")[2].partition("```")[0]
    )
    before = mbprof.load(tmp_path / "two.yaml").build()
    after = mbprof.loads(written(before)).build()
    assert [c[:4] for c in costs(after)] == [c[:4] for c in costs(before)]
    shapes = [[*made.output_shapes.values()] for made in (before, after)]
    assert shapes[0] == shapes[1]
    assert [c[:4] for c in costs(mbprof.loads(written(network("googlenet"))).build())] == [
        c[:4] for c in costs(network("googlenet"))
    ]


@pytest.mark.parametrize("name", ["mobilenet_v2", "shufflenet_v2", "vit", "yolo_v3_tiny", "swin"])
def test_every_graph_is_a_draft(name: str) -> None:
    before = network(name)
    after = mbprof.loads(draft_of(before.compiled, name, "a test").text()).build()
    assert [c[:4] for c in costs(after)] == [c[:4] for c in costs(before)]


def test_knobs_of_the_network_are_numbers_and_its_calls_stay(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    run("convert", "mobilenet_v2@torchvision", "--alpha", "0.5", "--res", "96", "-o", str(file))
    before = mbprof.load("mobilenet_v2@torchvision").build(alpha=0.5, res=96)
    after = mbprof.load(file).build()
    assert costs(after) == costs(before)
    calls = [[node.call for node in made.compiled.nodes] for made in (before, after)]
    assert calls[0] == calls[1]
    assert mbprof.load(file).build(res=224).output_shape == (1000,)
    assert mbprof.convert(before) == file.read_text()


def test_what_is_converted_again_stays_as_it_is() -> None:
    text = written(network("resnet50"))
    assert written(mbprof.loads(text).build()) == text


def test_a_tflite_file_is_converted(tmp_path: Path) -> None:
    pytest.importorskip("tflite", reason="reading TensorFlow Lite files needs the extra tflite")
    file = ROOT / "tests" / "independent" / "data" / "tflite" / "vww_96_int8.tflite"
    out = tmp_path / "vww.yaml"
    run("convert", str(file), "-o", str(out))
    assert costs(mbprof.load(out).build()) == costs(mbprof.load(file).build())
    assert out.read_text().count("\n") < 30


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("torchvision.resnet50.r224.legacy", 26),
        ("torchvision.mobilenet_v3_large.r224.dynamo", 37),
        ("timm.densenet201.r224.legacy", 25),
    ],
)
def test_an_onnx_file_is_converted(tmp_path: Path, name: str, most: int) -> None:
    pytest.importorskip("onnx", reason="reading ONNX files needs the extra onnx")
    packed = ROOT / "tests" / "independent" / "data" / "onnx" / f"{name}.onnx.gz"
    file, out = tmp_path / "net.onnx", tmp_path / "net.yaml"
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    run("convert", str(file), "-o", str(out))
    assert costs(mbprof.load(out).build()) == costs(mbprof.load(file).build())
    assert out.read_text().count("\n") <= most


WRITTEN = {
    "mobilenet_v1": 28,
    "mobilenet_v2": 39,
    "mobilenet_v3_large": 40,
    "efficientnet": 43,
    "ghostnet": 72,
    "shufflenet_v2": 41,
    "resnet50": 26,
    "densenet": 40,
    "convnext": 42,
    "vit": 41,
}
"""Lines that a network takes at most when its ONNX file is converted."""


@pytest.mark.parametrize("name", WRITTEN)
def test_a_network_of_the_zoo_comes_back_from_its_onnx_file(name: str) -> None:
    pytest.importorskip("onnx", reason="reading ONNX files needs the extra onnx")
    from mbprof.exchange.onnx_out.file import model

    own = network(name)
    text = written(mbprof.from_onnx(model(own, Options(weights=False))))
    totals = [made.profile(scope="all").total for made in (mbprof.loads(text).build(), own)]
    assert totals[0].cost == totals[1].cost
    assert totals[0].facts.kernels == totals[1].facts.kernels
    assert text.count("\n") <= WRITTEN[name]


def test_moves_are_said_by_what_they_do() -> None:
    """Each chain costs what the op does; what only looks like one stays as it is."""
    chains = {
        "permute, axes: [1, 2, 0]}, {op: reshape, to: [12, 8]": ["tokens"],
        "reshape, to: [8, 12]}, {op: permute, axes: [1, 0]": ["tokens"],
        "reshape, to: [2, 4, 3, 4]}, {op: permute, axes: [1, 0, 2, 3]}, "
        "{op: reshape, to: [8, 3, 4]": ["shuffle"],
        "permute, axes: [2, 1, 0]}, {op: reshape, to: [12, 8]": ["permute", "reshape"],
        "reshape, to: [12, 8]}, {op: permute, axes: [1, 0]": ["reshape", "permute"],
        "tokens}, {op: reshape, to: [3, 4, 8]}, {op: permute, axes: [2, 0, 1]": ["tokens", "maps"],
        "tokens}, {op: reshape, to: [4, 3, 8]}, {op: permute, axes: [2, 1, 0]": [
            "tokens",
            "reshape",
            "permute",
        ],
    }
    for body, words in chains.items():
        text = f"{{name: n, input: {{shape: [8, 3, 4]}}, body: [{{op: {body}}}]}}"
        graph = mbprof.loads(text).build().compiled
        said = spoken(graph)
        assert [node.op.word for node in said.nodes] == words
        assert total(node.facts for node in said.nodes) == total(n.facts for n in graph.nodes)
        assert said.output_shape == graph.output_shape


def test_bad_input_is_one_error_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    ended = invoke("convert", "mobilenet_v", "-o", str(out))
    assert (ended.status, out.exists()) == (2, False)
    assert "did you mean" in ended.err


def test_rows_that_are_left_out_hand_on_what_they_would_have_taken() -> None:
    def form(word: str) -> Form:
        return Form((word,), (), 1)

    a, b, c, add = map(form, ("a", "b", "c", "add"))
    whole = Shape((a, b, c, add), (((-1, 0),), ((0, 0),), ((1, 0),), ((2, 0), (-1, 0))), (3, 0))
    chain = Shape((b, c), (((-1, 0),), ((0, 0),)), (1, 0))
    assert laid(whole, chain) == (None, 0, 1, None)
    wrong = Shape((b, c), (((-1, 0),), ((-1, 0),)), (1, 0))
    assert laid(whole, wrong) is None
    assert laid(chain, whole) is None


@pytest.mark.long
def test_most_of_the_zoo_takes_fewer_lines_than_ops() -> None:
    """Every fortieth spec costs the same, in less than a third of the lines of flat ones."""
    lines = ops = 0
    for name in zoo.spec_names()[::40]:
        before = network(name)
        text = written(before)
        assert [c[:4] for c in costs(mbprof.loads(text).build())] == [c[:4] for c in costs(before)]
        lines, ops = lines + text.count("\n"), ops + len(before.compiled.nodes)
    assert 3 * lines < ops


def test_a_trained_tensor_can_stand_between_several_outputs_and_who_takes_them() -> None:
    text = """{name: net, input: {shape: [4, 6]}, body: [
      {op: split, g: 2, out: [a, b]}, {op: param, shape: [4, 3], out: p}, {op: add, in: [a, p]},
      {op: add, in: [_, b]}]}"""
    before = mbprof.loads(text).build()
    assert [node.op.word for node in before.compiled.nodes] == ["split", "param", "add", "add"]
    assert costs(mbprof.loads(written(before)).build()) == costs(before)

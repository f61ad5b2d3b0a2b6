"""Every op is written in PyTorch: the file runs, gives what PyTorch gives, and counts the same."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.errors import UsageError
from mbprof.exchange.source import torch_file as torch_out
from mbprof.exchange.weights import random_weights
from mbprof.ops import OPS
from tests.conftest import invoke, loaded_by, network
from tests.features.test_export_onnx import SINGLE, small
from tests.independent.frameworks import (
    expected,
    module,
    network_class,
    relative,
    torch_counted,
    torch_result,
)
from tests.independent.running import outputs

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks")


def images(built: mbprof.Network, batch: int = 2) -> list[Any]:
    numbers = np.random.default_rng(0)
    shapes = [image.shape for image in built.compiled.images]
    return [numbers.standard_normal((batch, *shape), np.float32) for shape in shapes]


def counts_alike(built: mbprof.Network) -> torch_out.Exported:
    made = torch_out.exported(built)
    shapes = [image.shape for image in built.compiled.images]
    assert torch_counted(made.text, shapes) == expected(built.compiled)
    return made


def computes_alike(built: mbprof.Network) -> None:
    made, graph, taken = counts_alike(built), built.compiled, images(built)
    weights = random_weights(graph)
    wanted = outputs(graph, weights, taken)
    given = torch_result(made, graph, weights, taken)
    for x, y in zip(given, wanted, strict=True):
        assert relative(np.broadcast_to(x, y.shape), y) < 1e-4


@pytest.mark.parametrize(("taken", "body"), SINGLE)
def test_an_op_gives_what_pytorch_gives(taken: str, body: str) -> None:
    computes_alike(small(taken, body))


def test_every_op_is_written() -> None:
    assert set(torch_out.WRITERS) == set(OPS) - {"unknown"}


NETWORKS = {"mobilenet_v3_small": 64, "shufflenet_v2": 64, "efficientnet_b0": 64}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_what_pytorch_gives(name: str) -> None:
    computes_alike(network(name, res=NETWORKS[name]))


TWICE = """
name: twice
input: {channels: 4, res: 12}
blocks:
  unit:
    takes: {c: int, s: 1, wide: false}
    body:
      - {op: conv, k: 3, c: c, s: s, bn: true, act: relu, name: conv}
      - {op: conv, k: 1, c: c, bn: true, act: relu, when: wide, name: mix}
      - {op: add, in: [x, _], when: s == 1 and in.c == c, name: add}
body:
  columns: [op, c, n, s]
  rows:
    - [unit, 8, 2, 2]
    - [unit, 12, 3, 1]
    - {op: unit, c: 12, wide: true, name: last}
"""


def test_calls_of_a_block_are_one_class_and_rows_are_a_table() -> None:
    built = mbprof.loads(TWICE).build()
    computes_alike(built)
    text = torch_out.exported(built).text
    assert text.count("(nn.Module):") == 2
    assert "class Unit(nn.Module):" in text
    assert "self.shortcut = s == 1 and c_in == c" in text
    assert "nn.Identity()" in text
    assert (
        "for c, n, s, wide in [\n            (8, 2, 2, False),\n            (12, 3, 1, False),"
        in text
    )


SHARED = """
name: shared
input: {channels: 4, res: 8}
body:
  - {op: conv, k: 3, c: 4, bias: true, share: a, out: first, name: one}
  - {op: conv, k: 3, c: 4, bias: true, share: a, name: two}
  - {op: add, in: [first, _], name: add}
"""


def test_shared_weights_are_one_module() -> None:
    built = mbprof.loads(SHARED).build()
    computes_alike(built)
    text = torch_out.exported(built).text
    assert text.count("nn.Conv2d(") == 1
    assert text.count("self.one(") == 2


ACROSS = """
name: across
input: {channels: 4, res: 8}
blocks:
  unit:
    takes: {act: relu}
    body:
      - {op: conv, k: 3, c: 4, bias: true, act: $act, name: conv}
      - {op: maxpool, k: 2, when: in.h > 4, name: pool}
body:
  - {op: unit, share: a, name: one}
  - {op: unit, act: silu, share: a, name: two}
"""


def test_weights_are_shared_across_classes() -> None:
    computes_alike(mbprof.loads(ACROSS).build())


TWO = """
name: two
inputs: {left: {channels: 3, res: 8}, right: {channels: 2, res: 8}}
body:
  - {op: conv, k: 1, c: 4, in: left, out: a, name: a}
  - {op: conv, k: 1, c: 4, in: right, out: b, name: b}
  - {op: add, in: [a, b], out: sum, name: add}
outputs: [sum, a]
"""


def test_inputs_and_outputs_have_their_order() -> None:
    built = mbprof.loads(TWO).build()
    computes_alike(built)
    assert "def forward(self, left, right):" in torch_out.exported(built).text


def test_what_is_written_is_formatted_and_clean(tmp_path: Path) -> None:
    """As ruff formats it, at 100 columns, and without a finding of its default rules."""
    for name in ("mobilenet_v2", "efficientnet_b0", "shufflenet_v2", "densenet", "inception_v3"):
        (tmp_path / f"{name}.py").write_text(torch_out.exported(network(name)).text)
    for command in (
        ["check", "--isolated"],
        ["format", "--isolated", "--check", "--line-length=100"],
    ):
        run = [sys.executable, "-m", "ruff", *command, str(tmp_path)]
        ended = subprocess.run(run, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout


def test_the_file_prints_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    ended = invoke("export", "mobilenet_v1", "-o", str(path))
    assert ended.status == 0, ended.err
    ended_run = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=True
    )
    trained = network("mobilenet_v1").profile("trainable", "all").total.params
    assert ended_run.stdout == f"{trained:,} params\n"


def test_writing_needs_no_framework() -> None:
    for to in ("torch", "keras"):
        loaded = loaded_by("export", "mobilenet_v1", "--to", to)
        assert not {"torch", "keras", "onnx"} & {name.partition(".")[0] for name in loaded}


def test_names_that_python_keeps_are_changed() -> None:
    body = "{op: conv, k: 1, c: 4, name: class}, {op: bn, name: forward}, {op: bn, name: 1x1}"
    computes_alike(small("channels: 3, res: 4", body))
    assert network_class(module("class A:\n    pass\n")).__name__ == "A"


def test_what_is_unknown_cannot_be_written() -> None:
    with pytest.raises(UsageError, match="no code can be written for unknown"):
        torch_out.exported(
            small("channels: 3, res: 4", "{op: unknown, kind: Mystery, shape: [3, 4, 4]}")
        )

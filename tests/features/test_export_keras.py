"""Every op is written in Keras: the file runs, gives what PyTorch gives, and counts the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

import mbprof
from mbprof.errors import UsageError
from mbprof.exchange.source import keras_file as keras_out
from mbprof.exchange.weights import random_weights
from mbprof.ops import OPS
from tests.conftest import invoke, network
from tests.features.test_export_onnx import SINGLE, small
from tests.features.test_export_torch import SHARED, TWICE, TWO, images
from tests.independent.frameworks import expected, keras_result, relative
from tests.independent.running import outputs

pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks")
pytest.importorskip("keras", reason="Keras is not installed: make frameworks")

REFUSED = (
    "d: 2, p: 2",
    "g: 2, d: 2",
    "d: [2, 1], g: 3",
    "p: fixed, d: 2, p_out",
    "p: keras, d: 2, bias",
)
"""Parts of cases that Keras has no layer for."""


def computes_alike(built: mbprof.Network) -> None:
    made, graph, taken = keras_out.exported(built), built.compiled, images(built, 1)
    weights = random_weights(graph)
    wanted = outputs(graph, weights, taken)
    given, counted = keras_result(made, graph, weights, taken)
    assert counted == expected(graph)
    for x, y in zip(given, wanted, strict=True):
        assert relative(x, y) < 1e-4


@pytest.mark.parametrize(("taken", "body"), SINGLE)
def test_an_op_gives_what_pytorch_gives(taken: str, body: str) -> None:
    built = small(taken, body)
    if any(part in body for part in REFUSED):
        with pytest.raises(UsageError, match="Keras has no"):
            keras_out.exported(built)
    else:
        computes_alike(built)


def test_every_op_is_written() -> None:
    assert set(keras_out.WRITERS) == set(OPS) - {"unknown"}


@pytest.mark.parametrize("text", [TWICE, SHARED, TWO])
def test_a_spec_gives_what_pytorch_gives(text: str) -> None:
    computes_alike(mbprof.loads(text).build())


def test_a_network_gives_what_pytorch_gives() -> None:
    computes_alike(network("shufflenet_v2", res=64))


def test_what_is_written_is_formatted_and_clean(tmp_path: Path) -> None:
    """As ruff formats it, at 100 columns, and without a finding of its default rules."""
    for name in ("mobilenet_v2", "efficientnet_b0", "shufflenet_v2", "densenet", "swin"):
        (tmp_path / f"{name}.py").write_text(keras_out.exported(network(name)).text)
    for command in (
        ["check", "--isolated"],
        ["format", "--isolated", "--check", "--line-length=100"],
    ):
        run = [sys.executable, "-m", "ruff", *command, str(tmp_path)]
        ended = subprocess.run(run, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout


def test_the_file_prints_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    ended = invoke("export", "mobilenet_v1", "--to", "keras", "-o", str(path))
    assert ended.status == 0, ended.err
    run = [sys.executable, str(path)]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    stored = network("mobilenet_v1").profile("stored", "all").total.params
    assert f"{stored:,} params" in printed

"""Random networks counted by PyTorch, under a mode that sees every product, and by ONNX's shapes.

`make nightly` tries 10,000 of them: EXAMPLES=10000 in the environment.
"""

import contextlib
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, reject, settings

import mbprof
from mbprof.errors import UsageError
from mbprof.exchange.source import keras_file as keras_out
from mbprof.exchange.source import torch_file as torch_out
from mbprof.exchange.weights import random_weights
from tests.independent.frameworks import (
    expected,
    onnx_counted,
    relative,
    torch_counted,
    torch_result,
)
from tests.independent.random_specs import specs

EXAMPLES = int(os.environ.get("EXAMPLES", "200"))
tried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 200,
    database=None,
    phases=(Phase.generate,),  # a text that fails is short enough as it is
    suppress_health_check=list(HealthCheck),
)
few = settings(tried, max_examples=max(EXAMPLES // 10, 1))


def images(built: mbprof.Network) -> list[Any]:
    numbers = np.random.default_rng(0)
    shapes = [image.shape for image in built.compiled.images]
    return [numbers.standard_normal((1, *shape), np.float32) for shape in shapes]


@pytest.mark.long
@tried
@given(specs())
def test_frameworks_count_the_same(text: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks")
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'mbprof[onnx]'")
    built = mbprof.loads(text).build()
    wanted, shapes = expected(built.compiled), [image.shape for image in built.compiled.images]
    assert onnx_counted(built) == (wanted.stored, wanted.macs, wanted.shapes)
    made = torch_out.exported(built).text
    try:
        assert torch_counted(made, shapes) == wanted
    except ValueError as error:
        if "Expected more than 1 value" not in str(error):
            raise
        reject()  # PyTorch's group_norm refuses groups of a single value


@few
@given(specs())
def test_pytorch_and_onnxruntime_give_the_same(text: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from mbprof.exchange.formats import Options
    from mbprof.exchange.onnx_out.file import model

    built = mbprof.loads(text).build()
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 4
    session = runtime.InferenceSession(model(built, Options()).SerializeToString(), quiet)
    taken = images(built)
    names = [x.name for x in session.get_inputs()]
    there = session.run(None, dict(zip(names, taken, strict=True)))
    weights = random_weights(built.compiled)
    here = torch_result(torch_out.exported(built), built.compiled, weights, taken)
    # What a window makes of padding alone, and a root of what is below 0, is no number.
    assume(all(np.isfinite(x).all() for x in here))
    for x, y in zip(here, there, strict=True):
        assert relative(x, y) < 1e-4


@few
@given(specs())
def test_what_is_written_compiles(text: str) -> None:
    """In both dialects, or Keras has no layer and says so."""
    built = mbprof.loads(text).build()
    compile(torch_out.exported(built).text, "net.py", "exec")
    with contextlib.suppress(UsageError):
        compile(keras_out.exported(built).text, "net.py", "exec")

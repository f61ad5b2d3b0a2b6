"""Every spec of the zoo as files of PyTorch and Keras: they count as the spec does, and compute.

    python -m tests.independent.exported_code [torch|onnx|keras] [SPEC ...]

PyTorch counts each spec at its defaults on its meta device, which needs no memory: parameters,
statistics, multiply-accumulates and shapes are mbprof's to the unit. At the smallest resolution
that a spec takes, onnxruntime gives what the file of PyTorch gives with the same weights, which are
fitted so that all layers matter; and Keras gives what PyTorch's own functions give. Networks of
more than MACS multiply-accumulates there, or PARAMS values, Keras builds without weights' values
only: its weights and shapes are mbprof's.
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

import mbprof
from mbprof.errors import MbprofError, UsageError
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from mbprof.exchange.source import keras_file as keras_out
from mbprof.exchange.source import torch_file as torch_out
from mbprof.exchange.weights import random_weights
from mbprof.spec import zoo
from tests.independent.frameworks import (
    expected,
    keras_result,
    keras_shaped,
    relative,
    torch_counted,
    torch_result,
)
from tests.independent.running import outputs

MACS, PARAMS = 1_000_000_000, 40_000_000
CLOSE = 1e-4
SMALL = (32, 64, 96, 128, 160, 192, 224, 256, 288, 299, 384, 512)


def in_torch(name: str) -> str:
    """Count a spec at its defaults; return what differs."""
    built = mbprof.load(name).build()
    text = torch_out.exported(built).text
    counted = torch_counted(text, [image.shape for image in built.compiled.images])
    wanted = expected(built.compiled)
    return "" if counted == wanted else f"{counted}, not {wanted}"


def smallest(name: str) -> mbprof.Network:
    """Return a network at the smallest resolution that it takes."""
    spec = mbprof.load(name)
    for res in SMALL if "res" in spec.knobs else ():
        try:
            return spec.build(res=res)
        except MbprofError:
            continue
    return spec.build()


def in_onnx(name: str) -> str:
    """Compute a spec as files of PyTorch and ONNX with the same weights; return what differs."""
    import onnxruntime

    built = smallest(name)
    graph, images = built.compiled, random_images(built)
    weights = random_weights(graph)
    outputs(graph, weights, images, fitted=True)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/net.onnx"
        # Beside the file, since a single message ends at 2 GB.
        onnx.save(model(built, Options(), weights), path, save_as_external_data=True)
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, quiet)
        names = [taken.name for taken in session.get_inputs()]
        there = session.run(None, dict(zip(names, images, strict=True)))
        del session
    here = torch_result(torch_out.exported(built), graph, weights, images)
    assert all(np.isfinite(x).all() for x in here)
    assert [x.shape for x in here] == [x.shape for x in there]
    return far(there, here)


def far(made: Sequence[Any], wanted: Sequence[Any]) -> str:
    """Say how far results are from each other if they are."""
    difference = max(relative(x, y) for x, y in zip(made, wanted, strict=True))
    return "" if difference < CLOSE else f"results differ by {difference:.1e}"


def random_images(built: mbprof.Network) -> list[Any]:
    """Return an image of each input."""
    numbers = np.random.default_rng(0)
    shapes = [image.shape for image in built.compiled.images]
    return [numbers.standard_normal((1, *shape), np.float32) for shape in shapes]


def in_keras(name: str) -> str:
    """Compute a spec at a small resolution; return what differs."""
    built = smallest(name)
    graph, wanted = built.compiled, expected(built.compiled)
    try:
        made = keras_out.exported(built)
    except UsageError as error:
        return f"refused: {error}"
    if wanted.macs > MACS or wanted.stored > PARAMS:
        seen = keras_shaped(made.text, [image.shape for image in graph.images])
        wanted = wanted._replace(macs=0)
        return "" if seen == wanted else f"{seen}, not {wanted}"
    images, weights = random_images(built), random_weights(graph)
    given, counted = keras_result(made, graph, weights, images)
    if counted != wanted:
        return f"{counted}, not {wanted}"
    return far(given, outputs(graph, weights, images))


WAYS: dict[str, Callable[[str], str]] = {"torch": in_torch, "onnx": in_onnx, "keras": in_keras}


def main(arguments: list[str]) -> int:
    """Print a line for each spec; return how many failed."""
    ways = [word for word in arguments if word in WAYS] or [*WAYS]
    names = [word for word in arguments if word not in WAYS] or zoo.spec_names()
    failed = 0
    for way in ways:
        for name in names:
            begun = time.monotonic()
            try:
                wrong = WAYS[way](name)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
            allowed = not wrong or wrong.startswith("refused: ")
            failed += not allowed
            seconds = f"{time.monotonic() - begun:.1f} s"
            print(way, name, "ok" if allowed else "FAILS", wrong, seconds, sep="\t", flush=True)
            gc.collect()
    print(f"{failed} of {len(ways) * len(names)} fail")
    return failed


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    sys.exit(1 if main(sys.argv[1:]) else 0)

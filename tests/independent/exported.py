"""A network of the zoo as files of ONNX, PyTorch and Keras: they count as it does, and compute.

PyTorch counts a network at its defaults on its meta device, which needs no memory: parameters,
statistics, multiply-accumulates and shapes are mbprof's to the unit. With the same weights, which
are fitted so that all layers matter, onnxruntime and the file of PyTorch give what `running` gives,
and so does Keras; onnx checks its file with full and strict inference of shapes. Networks of more
than MACS multiply-accumulates are computed at the smallest resolution that they take; Keras, which
is slower, gets all of them so, and builds the large ones without weights' values only. Those of
more than VALUES stored values are counted only.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mbprof
from mbprof.errors import MbprofError, UsageError
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from mbprof.exchange.source import keras_file as keras_out
from mbprof.exchange.source import torch_file as torch_out
from mbprof.exchange.weights import random_weights
from tests.independent.frameworks import (
    Counted,
    expected,
    keras_result,
    keras_shaped,
    relative,
    torch_counted,
    torch_result,
)
from tests.independent.running import outputs

VALUES, MACS = 1_000_000_000, 2_000_000_000
KERAS_MACS, KERAS_PARAMS = 1_000_000_000, 40_000_000
CLOSE = 1e-4
SMALL = (32, 64, 96, 128, 160, 192, 224, 256, 288, 299, 384, 512)


def in_torch(name: str) -> str:
    """Count a network as a file of PyTorch; return what differs."""
    built = mbprof.load(name).build()
    text = torch_out.exported(built).text
    return unlike(torch_counted(text, _shapes(built)), expected(built.compiled))


def in_onnx(name: str) -> str:
    """Compute a network as files of ONNX and PyTorch; return what differs."""
    built = mbprof.load(name).build()
    wanted = expected(built.compiled)
    if wanted.stored > VALUES:
        return f"left out: {wanted.stored:,} values"
    return computed(built if wanted.macs <= MACS else smallest(name))


def computed(built: mbprof.Network, seed: int = 0) -> str:
    """Compute a built network as files of ONNX and PyTorch; return what differs.

    Raises: Exception: what onnx, onnxruntime or PyTorch refuses.
    """
    graph, images = built.compiled, random_images(built)
    weights = random_weights(graph, seed)
    wanted = outputs(graph, weights, images, fitted=True)
    found = (
        far("onnxruntime", onnx_result(built, weights, images), wanted),
        far("PyTorch", torch_result(torch_out.exported(built), graph, weights, images), wanted),
    )
    return "; ".join(filter(None, found))


def in_keras(name: str) -> str:
    """Compute a network as a file of Keras at a small resolution; return what differs."""
    built = smallest(name)
    graph, wanted = built.compiled, expected(built.compiled)
    try:
        made = keras_out.exported(built)
    except UsageError as error:
        return f"refused: {error}"
    if wanted.macs > KERAS_MACS or wanted.stored > KERAS_PARAMS:
        return unlike(keras_shaped(made.text, _shapes(built)), wanted._replace(macs=0))
    images, weights = random_images(built), random_weights(graph)
    results = outputs(graph, weights, images, fitted=True)
    given, counted = keras_result(made, graph, weights, images)
    return unlike(counted, wanted) or far("Keras", given, results)


def smallest(name: str) -> mbprof.Network:
    """Return a network at the smallest resolution that it takes."""
    spec = mbprof.load(name)
    for res in SMALL if "res" in spec.knobs else ():
        try:
            return spec.build(res=res)
        except MbprofError:
            continue
    return spec.build()


def onnx_result(built: mbprof.Network, weights: dict[str, Any], images: list[Any]) -> list[Any]:
    """Return what onnxruntime makes of images, once onnx has checked the file."""
    import onnx
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level, quiet.intra_op_num_threads = 3, 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        # Beside the file, since a single message ends at 2 GB.
        onnx.save(model(built, Options(), weights), path, save_as_external_data=True)
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), quiet)
        names = [taken.name for taken in session.get_inputs()]
        made: list[Any] = session.run(None, dict(zip(names, images, strict=True)))
    return made


def unlike(counted: Counted, wanted: Counted) -> str:
    """Say what was counted if that is not what is wanted."""
    return "" if counted == wanted else f"{counted}, not {wanted}"


def far(who: str, made: Sequence[Any], wanted: Sequence[Any]) -> str:
    """Say how far results are from each other if they are."""
    shapes = [[x.shape for x in results] for results in (made, wanted)]
    if shapes[0] != shapes[1]:
        return f"{who} gives {shapes[0]}, not {shapes[1]}"
    if not all(np.isfinite(x).all() for x in wanted):
        return "a result is no number"
    difference = max(relative(x, y) for x, y in zip(made, wanted, strict=True))
    return "" if difference < CLOSE else f"{who} differs by {difference:.1e}"


def random_images(built: mbprof.Network) -> list[Any]:
    """Return an image of each input."""
    numbers = np.random.default_rng(0)
    return [numbers.standard_normal((1, *shape), np.float32) for shape in _shapes(built)]


def _shapes(built: mbprof.Network) -> list[tuple[int, ...]]:
    return [image.shape for image in built.compiled.images]

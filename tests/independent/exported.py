"""Every spec of the zoo as an ONNX file: onnx accepts it, and it gives what PyTorch gives.

    python -m tests.independent.exported [SPEC ...]

At its defaults, each spec is computed by PyTorch with random weights, which are fitted so that all
layers matter, written with the same weights, checked by onnx with full and strict inference of
shapes, and run by onnxruntime. Printed are, for each, the largest difference as a share of the
largest value, that value, and seconds.
"""

import gc
import sys
import time
from typing import Any, NamedTuple

import numpy as np

import mbprof
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from mbprof.exchange.weights import random_weights
from mbprof.spec import zoo
from tests.independent.running import outputs

CLOSE = 1e-4


class Verdict(NamedTuple):
    """What was seen of a spec: the largest relative difference of its outputs."""

    difference: float
    largest: float
    seconds: float


def verdict(built: mbprof.Network, seed: int = 0) -> Verdict:
    """Return how far onnxruntime and PyTorch are from each other, given the same weights.

    Raises: Exception: what onnx or onnxruntime refuses, or an AssertionError: another shape, or a
    value that is not finite.
    """
    import onnx
    import onnxruntime

    begun, graph = time.monotonic(), built.compiled
    numbers = np.random.default_rng(seed)
    images = [numbers.standard_normal((1, *image.shape), np.float32) for image in graph.images]
    weights = random_weights(graph, seed)
    wanted = outputs(graph, weights, images, fitted=True)
    data = model(built, Options(), weights).SerializeToString()
    del weights
    onnx.checker.check_model(data, full_check=True)
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, quiet)
    del data
    names = [taken.name for taken in session.get_inputs()]
    made = session.run(None, dict(zip(names, images, strict=True)))
    assert [x.shape for x in made] == [(1, *graph.shape(edge)) for edge in graph.outputs]
    differences = [relative(x, y) for x, y in zip(made, wanted, strict=True)]
    largest = max(float(np.abs(y).max()) for y in wanted)
    return Verdict(max(differences), largest, time.monotonic() - begun)


def relative(made: Any, wanted: Any) -> float:
    """Return the largest difference as a share of the largest value."""
    assert np.isfinite(made).all()
    return float(np.abs(made - wanted).max() / max(float(np.abs(wanted).max()), 1e-30))


def main(names: list[str]) -> int:
    """Print a line for each spec; return how many failed."""
    failed = 0
    for name in names or zoo.spec_names():
        try:
            seen = verdict(mbprof.load(name).build())
            good = seen.difference < CLOSE
            line = f"{seen.difference:.1e}\t{seen.largest:.3g}\t{seen.seconds:.1f} s"
        except Exception as error:
            good, line = False, f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
        failed += not good
        print(name, "ok" if good else "FAILS", line, sep="\t", flush=True)
        gc.collect()
    print(f"{failed} of {len(names or zoo.spec_names())} specs fail")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

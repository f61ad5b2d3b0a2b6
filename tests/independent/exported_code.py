"""Every spec of the zoo as files of PyTorch and Keras: they count as the spec does, and compute.

    python -m tests.independent.exported_code [torch|keras] [SPEC ...]

PyTorch counts each spec at its defaults on its meta device, which needs no memory: parameters,
statistics, multiply-accumulates and shapes are mbprof's to the unit. Keras computes each at the
smallest resolution that it takes, and gives what PyTorch's own functions give with the same
weights; networks of more than MACS multiply-accumulates there, or PARAMS values, are written and
compiled only.
"""

import gc
import os
import sys
import time
from collections.abc import Callable

import numpy as np

import mbprof
from mbprof.errors import MbprofError, UsageError
from mbprof.exchange.source import keras_file as keras_out
from mbprof.exchange.source import torch_file as torch_out
from mbprof.exchange.weights import random_weights
from mbprof.spec import zoo
from tests.independent.frameworks import expected, keras_result, relative, torch_counted
from tests.independent.running import outputs

MACS, PARAMS = 1_000_000_000, 40_000_000
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


def in_keras(name: str) -> str:
    """Compute a spec at a small resolution; return what differs."""
    built = smallest(name)
    graph, wanted = built.compiled, expected(built.compiled)
    try:
        made = keras_out.exported(built)
    except UsageError as error:
        return f"refused: {error}"
    compile(made.text, "net.py", "exec")
    if wanted.macs > MACS or wanted.stored > PARAMS:
        return "compiled only"
    numbers = np.random.default_rng(0)
    images = [numbers.standard_normal((1, *image.shape), np.float32) for image in graph.images]
    weights = random_weights(graph)
    given, counted = keras_result(made, graph, weights, images)
    results = zip(given, outputs(graph, weights, images), strict=True)
    difference = max(relative(x, y) for x, y in results)
    if counted != wanted:
        return f"{counted}, not {wanted}"
    return "" if difference < 1e-4 else f"results differ by {difference:.1e}"


WAYS: dict[str, Callable[[str], str]] = {"torch": in_torch, "keras": in_keras}


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
            allowed = wrong in ("", "compiled only") or wrong.startswith("refused: ")
            failed += not allowed
            seconds = f"{time.monotonic() - begun:.1f} s"
            print(way, name, "ok" if allowed else "FAILS", wrong, seconds, sep="\t", flush=True)
            gc.collect()
    print(f"{failed} of {len(ways) * len(names)} fail")
    return failed


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    sys.exit(1 if main(sys.argv[1:]) else 0)

"""A million configurations: mbprof's sweep beside straight-line NumPy written for one network."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import mbprof
from mbprof.sweeps.axes import Random, read_axis
from mbprof.sweeps.sweep import Job, plan_sweeps

NAME = "mobilenet_v2@torchvision"
COUNT = 1_000_000
ROUNDS = 5
# t, c, n, s of the paper's table 2
TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
         (6, 320, 1, 1))  # fmt: skip


def div8(width: Any) -> Any:
    near = np.maximum(8, (width + 4).astype(np.int64) // 8 * 8)
    return np.where(near < 0.9 * width, near + 8, near)


def by_hand(alpha: Any, res: Any) -> tuple[Any, Any]:
    """Return params and MACs of the network, as one would write them down for it alone."""
    h, c = (res + 1) // 2, div8(32 * alpha)
    params = 27 * c
    macs = params * h * h
    for t, width, n, s in TABLE:
        out = div8(width * alpha)
        for j in range(n):
            wide = c * t
            if t != 1:
                kernels = c * wide
                params, macs = params + kernels, macs + kernels * (h * h)
            h = (h + s - 1) // s if j == 0 else h
            area = h * h
            kernels = 9 * wide
            params, macs = params + kernels, macs + kernels * area
            kernels = wide * out
            params, macs = params + kernels, macs + kernels * area
            c = out
    last = np.maximum(1280, div8(1280 * alpha))
    kernels = c * last
    params, macs = params + kernels, macs + kernels * (h * h)
    return params + 1000 * last, macs + 1000 * last


def job() -> Job:
    spec = mbprof.load(NAME)
    knobs = spec.definition.knobs
    axes = (
        read_axis(knobs["alpha"], "0.35:1.4", None, random=True),
        read_axis(knobs["res"], "96:224", None, random=True),
    )
    return plan_sweeps([spec], [Random(axes, COUNT, seed=1)], scope="all")


def speed() -> tuple[float, float]:
    """Return configurations a second of mbprof, and its time over that of the hand-written code.

    Both cost the same configurations in chunks of the same size; the results have to be equal.
    """
    asked = job()
    sweep, spans = asked.first, [(start, stop) for _, start, stop in asked.spans()]
    rows = [sweep.plan.rows(*span) for span in spans]
    sweep.chunk(*spans[0])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = [sweep.chunk(*span) for span in spans]
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = [by_hand(row["alpha"], row["res"]) for row in rows]
        drawn = [sweep.plan.rows(*span) for span in spans]
        theirs.append(time.perf_counter() - start)
        del drawn
    for chunk, (params, macs) in zip(found, expected, strict=True):
        assert np.array_equal(chunk["params"], params)
        assert np.array_equal(chunk["macs"], macs)
    best = min(ours)
    return COUNT / best, best / min(theirs)


def peak_memory(*arguments: str) -> int:
    """Return the peak resident bytes of the whole process of a command."""
    code = (
        "import resource, sys, contextlib\nfrom mbprof import cli\n"
        f"sys.argv = {['mbprof', *arguments]}\n"
        "with contextlib.suppress(SystemExit): cli.main()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]) * 1024


def memory() -> int:
    """Return the peak resident bytes of ten million configurations to Parquet."""
    asked = ("--alpha", "0.35:1.4", "--res", "96:224", "--random", "10000000")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sweep.parquet"
        taken = peak_memory("sweep", NAME, *asked, "--format", "parquet", "-o", str(target))
        assert target.stat().st_size > 10_000_000
    return taken

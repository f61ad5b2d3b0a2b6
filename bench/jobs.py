"""Ten million configurations to a Pareto front: two processes beside one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

COUNT = "10000000"
ROUNDS = 3
SWEEP = [
    sys.executable, "-m", "mbprof", "sweep", "mobilenet_v2@torchvision", "--alpha", "0.35:1.4",
    "--res", "96:224", "--random", COUNT, "--pareto", "macs,params:max", "--format", "csv",
]  # fmt: skip


def taken(jobs: int) -> tuple[float, float]:
    """Return the seconds by the clock and those of all processors together."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([*SWEEP, "--jobs", str(jobs)], stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system
    return took, used - before.children_user - before.children_system


def speed() -> tuple[float, float]:
    """Return how often as fast two processes are, and the work that they do over that of one.

    The first needs two processors with nothing else to do; both are medians of runs in turns.
    """
    pairs = [(taken(1), taken(2)) for _ in range(ROUNDS)]
    faster = statistics.median(one[0] / two[0] for one, two in pairs)
    return faster, statistics.median(two[1] / one[1] for one, two in pairs)


if __name__ == "__main__":
    print("two processes: {:.2f} times as fast, {:.2f} times the work".format(*speed()))

"""Many configurations to a Pareto front, on a quiet machine: two processes beside one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEN = 10_000_000
ROUNDS = 3


def sweep(count: int) -> list[str]:
    """Return the command that costs so many configurations."""
    return [
        sys.executable, "-m", "mbprof", "sweep", "mobilenet_v2@torchvision", "--alpha", "0.35:1.4",
        "--res", "96:224", "--random", str(count), "--pareto", "macs,params:max",
        "--format", "csv",
    ]  # fmt: skip


def taken(jobs: int, count: int, hidden: str = "") -> tuple[float, float]:
    """Return the seconds by the clock and those of all processors together.

    What lies in a folder ``hidden`` stands before what is installed.
    """
    paths = filter(None, (hidden, os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    before, start = os.times(), time.perf_counter()
    command = [*sweep(count), "--jobs", str(jobs)]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    took, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system
    return took, used - before.children_user - before.children_system


def speed(count: int = TEN, hidden: str = "") -> tuple[float, float, float]:
    """Return how often as fast two processes are, the work that they do over that of one, seconds.

    The first needs two processors with nothing else to do; all are medians of runs in turns. The
    seconds are those of one process.
    """
    pairs = [(taken(1, count, hidden), taken(2, count, hidden)) for _ in range(ROUNDS)]
    faster = statistics.median(one[0] / two[0] for one, two in pairs)
    work = statistics.median(two[1] / one[1] for one, two in pairs)
    return faster, work, statistics.median(one[0] for one, _ in pairs)


def main() -> None:
    """Print it as mbprof is installed, of ten times as many, and without the compiler."""
    said = "{}: two processes {:.2f} times as fast, {:.2f} times the work; one takes {:.1f} s"
    print(said.format("10 million", *speed()), flush=True)
    print(said.format("100 million", *speed(10 * TEN)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "llvmlite.py").write_text("raise ImportError\n")
        print(said.format("10 million by NumPy, without the extra fast", *speed(TEN, folder)))


if __name__ == "__main__":
    main()

"""Mutants are tried one after the other, in a process with little memory."""

import random
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.fuzz import damaged, mutants
from tests.fuzz.case import MEGABYTES, Case, timed


def attempt(case: Case, folder: Path) -> tuple[str, float]:
    """Return how a case ended: what went wrong stands behind "fault:"."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        return timed(case, folder)
    except Exception as error:  # what mbprof lets through is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"fault: {type(error).__name__} {where.name}: {str(error)[:160]}", 0.0


MAKERS = {"load": mutants.spec, "pipeline": mutants.pipeline, "file": damaged.file}
"""What a case is, and what makes one."""


def work(
    seed: int, until: float, most: int, shares: Mapping[str, int]
) -> tuple[Counter[str], dict[str, Case], float]:
    """Try up to ``most`` mutants until the time is over, kinds as often as their shares say.

    Returns how they ended, the faults, and the longest time of one.
    """
    rng = random.Random(seed)
    ended: Counter[str] = Counter()
    faults: dict[str, Case] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for case in (Case(("table", "mobilenet_v1"), {}), *damaged.prepare()):  # what is lazy
            attempt(case, Path(folder) / "w")
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = size + (MEGABYTES << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        while time.time() < until and ended.total() < most:
            (kind,) = rng.choices(list(shares), [*shares.values()])
            case = MAKERS[kind](rng)
            how, seconds = attempt(case, Path(folder) / "w")
            slowest = max(slowest, seconds)
            if how.startswith("fault"):
                faults.setdefault(" ".join(how.split()[:3]), case)
                ended[f"{kind}: {how}"] += 1
            else:
                ended[f"{kind}: {how.partition(':')[0]}"] += 1
    return ended, faults, slowest

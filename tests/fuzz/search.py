"""Mutants are tried one after the other, in a process with little memory."""

import random
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz import mutants
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


def work(seed: int, until: float, share: int) -> tuple[Counter[str], dict[str, Case], float]:
    """Try mutants until the time is over; return how they ended, and the faults."""
    rng = random.Random(seed)
    ended: Counter[str] = Counter()
    faults: dict[str, Case] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        attempt(Case(("table", "mobilenet_v1"), {}), Path(folder) / "w")  # loads what is lazy
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = size + (MEGABYTES << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        while time.time() < until:
            made = mutants.pipeline if rng.randrange(100) < share else mutants.spec
            case = made(rng)
            how, seconds = attempt(case, Path(folder) / "w")
            slowest = max(slowest, seconds)
            ended[("load: " if made is mutants.spec else "pipeline: ") + how.split(":")[0]] += 1
            if how.startswith("fault"):
                faults.setdefault(" ".join(how.split()[:3]), case)
                ended[how] += 1
    return ended, faults, slowest

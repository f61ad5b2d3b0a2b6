"""End commands at random moments, and look for what they leave behind.

python -m tests.fuzz.signals [--times 200] [--seed N]
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import MBPROF, started

SWEEP = "sweep mobilenet_v2 --alpha 0.35:1.4 --random 50000000 -o a"
COMMANDS = {
    "csv": (f"{SWEEP}.csv", 1.5),
    "parquet": (f"{SWEEP}.parquet", 2.5),
    "report": ("report mobilenet_v1 -o a.md", 6.0),
    "jobs": (f"{SWEEP}.csv --jobs 2", 3.0),
    "dask": (f"{SWEEP} --format parquet --scheduler local --jobs 2", 8.0),
}
"""Each with the seconds within which it is ended."""
LATE = 10
"""Seconds after which a command that has been ended still goes on; one, if nothing else runs."""
WHOLE = {"a.md", "a", "accuracy.svg", "cost.svg", "grid.svg", "layers.svg"}
STATUS = {signal.SIGINT: (130, -signal.SIGINT), signal.SIGTERM: (143, -signal.SIGTERM)}
"""How a command ends; so early that Python is not ready yet, as every program does."""


def fault(name: str, sign: signal.Signals, after: float) -> str:
    """Return what is wrong with how a command ended, empty if nothing is."""
    words, _ = COMMANDS[name]
    with tempfile.TemporaryDirectory() as folder:
        with started(*MBPROF, *words.split(), cwd=Path(folder)) as process:
            time.sleep(after)
            process.send_signal(sign)
            try:
                said = process.communicate(timeout=LATE)[0]
            except subprocess.TimeoutExpired:
                return "it goes on"
        if alive(folder):
            return "a process of it goes on"
        left = {path.name for path in Path(folder).rglob("*")}
        if left and (name != "report" or left != WHOLE):
            return f"it leaves {sorted(left)}"
        if process.returncode not in (*STATUS[sign], *((0,) if left else ())):
            # What is interrupted while Python loads mbprof says so in Python's words.
            early = process.returncode == 1 and said.rstrip().endswith("KeyboardInterrupt")
            return "" if early else f"status {process.returncode}: {said[-300:]}"
    return ""


def alive(folder: str) -> bool:
    """Tell whether a process works in a folder, where the system lists them, after a second."""
    for again in range(10):
        cwds = [path for path in Path("/proc").glob("[0-9]*/cwd") if _is(path, folder)]
        if not cwds:
            return False
        time.sleep(0.1 * (again < 9))
    return True


def _is(link: Path, folder: str) -> bool:
    try:
        return str(link.readlink()) == folder
    except OSError:
        return False


def main() -> int:
    """Print how many were ended and what was wrong; exit status 1 if something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.signals", description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="of each signal and command")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--only", choices=list(COMMANDS), help="this command alone")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    rng, faults = random.Random(given.seed), 0
    for name, (_, longest) in COMMANDS.items():
        if given.only not in (None, name):
            continue
        for sign in STATUS:
            moments = [rng.uniform(0, longest) for _ in range(given.times)]
            wrong = {after: text for after in moments if (text := fault(name, sign, after))}
            print(f"{name}, {sign.name}: {len(wrong)} of {given.times} wrong", flush=True)
            for after, text in wrong.items():
                print(f"  after {after:.3f} s: {text}")
            faults += len(wrong)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

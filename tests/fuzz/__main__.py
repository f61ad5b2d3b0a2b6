"""Search for inputs that break something, for some time, and write them into the corpus.

python -m tests.fuzz [--seconds 60] [--seed N] [--start N] [--jobs 2] [--only file] [--keep]
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import sys
import time

from tests.fuzz.case import Case
from tests.fuzz.search import ALONE, MAKERS, Tally, made, searched, warm
from tests.fuzz.seeds import CORPUS

SHARES = {"load": 88, "pipeline": 9, "file": 3}
"""How many of a hundred cases are of a kind, unless there is one kind only."""
PAUSE = 60
"""Seconds between two lines that say how far it is."""


def main() -> int:
    """Print what was tried and what broke; exit status 1 if something did."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--start", type=int, default=0, help="the number of the first case")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--only", choices=MAKERS, help="the kind of all cases")
    parser.add_argument("--keep", action="store_true", help="write faults into the corpus")
    parser.add_argument("--show", metavar="N", type=int, help="print the case of a number")
    given = parser.parse_args()
    shares = {given.only: 1} if given.only else SHARES
    if given.show is not None:
        print(made(given.seed, given.show, shares)[1].text(), end="")
        return 0
    if not ALONE.items() <= os.environ.items():  # which libraries read when they are loaded
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ALONE})
    print(f"seed {given.seed}, {given.jobs} processes, {given.seconds:g} s", flush=True)
    warm()
    until, said, all_ = time.time() + given.seconds, time.time(), Tally()
    for tally in searched(given.seed, shares, given.start, given.jobs, until):
        for kind in tally.faults.keys() - all_.faults.keys():
            _say(*tally.faults[kind], given.keep)
        all_.add(tally)
        if time.time() - said > PAUSE:
            said = time.time()
            _sum(all_)
    _sum(all_)
    for how, count in sorted(all_.ended.items()):
        print(f"{count:9,}  {how}")
    return 1 if all_.faults else 0


def _sum(tally: Tally) -> None:
    """Print how much has been tried so far."""
    kinds = {
        kind: sum(count for how, count in tally.ended.items() if how.startswith(kind))
        for kind in ("load:", "pipeline:", "file:", "fault:")
    }
    loads, pipelines, files, faults = kinds.values()
    print(
        f"up to case {tally.upto:,}: {loads:,} loads, {tally.ended['load: built']:,} built, "
        f"{pipelines:,} pipelines, {files:,} files, {faults:,} faults of {len(tally.faults)} "
        f"kinds; the slowest took {tally.slowest:.0%} of its time; "
        f"{tally.seconds:,.0f} s of processor time",
        flush=True,
    )


def _say(how: str, case: Case, keep: bool) -> None:
    """Print a fault, and write it down if asked to."""
    code = hashlib.sha256(case.text().encode()).hexdigest()[:12]
    if keep:
        (CORPUS / f"{code}.json").write_text(case.text(), encoding="utf-8")
    print(f"fault {code}: {how}: mbprof {' '.join(case.argv)[:200]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

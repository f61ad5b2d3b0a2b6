"""Search for inputs that break something, for some time, and write them into the corpus.

python -m tests.fuzz [--seconds 60] [--count N] [--seed N] [--jobs 2] [--only file]
"""

import argparse
import hashlib
import multiprocessing
import random
import sys
import time
from collections import Counter

from tests.fuzz import mutants
from tests.fuzz.search import MAKERS, work

SHARES = {"load": 80, "pipeline": 10, "file": 10}
"""How many of a hundred cases are of a kind, unless there is one kind only."""


def main() -> int:
    """Print what was tried and what broke; exit status 1 if something did."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--count", type=int, default=10**9, help="cases of a process, at most")
    parser.add_argument("--only", choices=MAKERS, help="the kind of all cases")
    parser.add_argument("--keep", action="store_true", help="write faults into the corpus")
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.jobs} processes, {given.seconds:g} s", flush=True)
    until = time.time() + given.seconds
    shares = {given.only: 1} if given.only else SHARES
    tasks = [(given.seed + n, until, given.count, shares) for n in range(given.jobs)]
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        results = pool.starmap(work, tasks)
    ended = sum((counter for counter, *_ in results), Counter[str]())
    faults = {name: case for _, found, _ in results for name, case in found.items()}
    for how, count in sorted(ended.items()):
        print(f"{count:9,}  {how}")
    print(f"slowest: {max(slowest for *_, slowest in results):.2f} s of processor time")
    for name, case in faults.items():
        code = hashlib.sha256(case.text().encode()).hexdigest()[:12]
        if given.keep:
            (mutants.CORPUS / f"{code}.json").write_text(case.text(), encoding="utf-8")
        print(f"fault {code}: {name}: mbprof {' '.join(case.argv)[:200]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

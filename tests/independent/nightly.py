"""Every network of the zoo exported, run and read again, and those of torchvision and timm read.

    python -m tests.independent.nightly [WAY ...] [NAME ...] [--log FILE] [--since COMMIT]

Files of the zoo come first, at their defaults, then their flavours, then the other names from the
smallest; torchvision's classifiers and timm's models last. Each network is checked in a process of
its own, which gives its memory back; one that is killed fails. Rows are added to FILE,
build/nightly.csv unless another is named: what was good there, at HEAD or at a commit since COMMIT,
is passed over.
"""

import argparse
import csv
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import mbprof
from mbprof.spec import folders, index, zoo
from tests.independent import exported, imported, reimported

LOG = Path("build/nightly.csv")


class Result(NamedTuple):
    """A line of the log: a network, how it was checked, when, CPU seconds, and what differs."""

    name: str
    way: str
    commit: str
    seconds: str
    verdict: str
    said: str


def read_again(name: str) -> str:
    """Read files of a network again; return what it costs otherwise."""
    return " / ".join(reimported.differences(mbprof.load(name).build()))


WAYS: dict[str, Callable[[str], str]] = {
    "onnx": exported.in_onnx,
    "torch": exported.in_torch,
    "again": read_again,
    "keras": exported.in_keras,
    "module": imported.misread,
}
"""What is done with each network, given by name: a function that says what differs.

``module`` is for networks of libraries, all others are for those of the zoo.
"""


def queue(ways: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what is checked how: files, flavours, presets from the smallest, other libraries."""
    of_zoo = [way for way in ways if way != "module"]
    yield from product(_of_zoo(), of_zoo)
    if "module" in ways:
        yield from product(imported.addresses(), ["module"])


def _of_zoo() -> Iterator[str]:
    files, sizes = zoo.spec_names(), _sizes()
    yield from sorted(files, key=sizes.__getitem__)
    for name in files:
        definition = mbprof.load(name).definition
        own = definition.flavour
        yield from (f"{name}@{flavour}" for flavour in definition.flavours if flavour != own)
    yield from sorted(set(zoo.names()).difference(files), key=sizes.__getitem__)


def _sizes() -> dict[str, int]:
    rows = index.rows(folders.folder()) or {}
    return {name: int(row["params"]) * 8 + int(row["macs"]) for name, row in rows.items()}


def checked(way: str, name: str) -> tuple[str, str, float]:
    """Check a network; return the verdict, what is said, and CPU seconds."""
    begun = time.process_time()
    try:
        said = WAYS[way](name)
        words = [word for word in ("left out", "refused") if said.startswith(f"{word}: ")]
        verdict = words[0] if words else "DIFFERS" if said else "ok"
    except Exception as error:
        verdict, said = "FAILS", f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
    return verdict, said, time.process_time() - begun


def alone(way: str, name: str) -> tuple[str, str, float]:
    """Check a network in a process that ends then."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(checked, way, name).result()
        except Exception as error:
            return "FAILS", f"{type(error).__name__}: {error}", 0.0


def commits(since: str) -> list[str]:
    """Return HEAD, and the commits from ``since`` on if there is one."""
    asked = ["git", "rev-parse", "HEAD"] if not since else ["git", "rev-list", f"{since}~..HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def main(arguments: list[str]) -> int:
    """Add a line for each network and way to the log; return how many are not good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WAY|NAME")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--since", default="")
    asked = parser.parse_args(arguments)
    ways = [word for word in asked.words if word in WAYS] or [*WAYS]
    names = [word for word in asked.words if word not in WAYS]
    known = commits(asked.since)
    asked.log.parent.mkdir(parents=True, exist_ok=True)
    asked.log.touch()
    with asked.log.open(newline="") as file:
        rows = [Result(*row) for row in csv.reader(file)]
    done = {r[:2] for r in rows if r.commit in known and r.verdict not in ("DIFFERS", "FAILS")}
    wrong = 0
    with asked.log.open("a", newline="") as file:
        for name, way in product(names, ways) if names else queue(ways):
            if (name, way) in done:
                continue
            verdict, said, seconds = alone(way, name)
            wrong += verdict in ("DIFFERS", "FAILS")
            row = Result(name, way, known[0], f"{seconds:.1f}", verdict, said)
            csv.writer(file).writerow(row)
            file.flush()
            print(*row[:2], *row[3:], sep="\t", flush=True)
    print(f"{wrong} wrong")
    return wrong


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Loaded once: what is forked has them.
    import keras
    import onnxruntime
    import torch

    torch.set_num_threads(1)
    assert keras
    assert onnxruntime
    sys.exit(1 if main(sys.argv[1:]) else 0)

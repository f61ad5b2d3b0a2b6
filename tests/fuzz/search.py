"""Mutants are tried one after the other, in processes with little memory that do not last long."""

import gc
import mmap
import multiprocessing
import os
import random
import resource
import shutil
import struct
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.fuzz import commands, damaged, mutants
from tests.fuzz.case import MEGABYTES, Case, TooSlow, timed

MAKERS: dict[str, Callable[[random.Random], Case]] = {
    "load": mutants.load, "pipeline": commands.pipeline, "file": damaged.file,
}  # fmt: skip
"""What a case is, and what makes one."""
Shares = Mapping[str, int]
"""How often a case is of a kind."""
BATCH = 1000
"""So many cases a process tries; the next one knows nothing of them."""
KEPT = 60
"""Megabytes that cases leave behind, such as caches, after which a process has tried enough."""
HANGS = 120
"""Seconds by the clock after which a case waits for something that never comes."""
ALONE = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""Threads and what is set aside for them are no memory of a case."""
USUAL = (
    "table mobilenet_v1", "sweep mobilenet_v1 --alpha 0.5,1 --format csv", "explain mobilenet_v1",
    "plot mobilenet_v1 -o p.svg", "graph mobilenet_v1", "formula mobilenet_v1",
    "check mobilenet_v1",
    "export mobilenet_v1 --to torch", "memory mobilenet_v1", "latency mobilenet_v1", "sizes swin",
    "search mobilenet_v1 --alpha 0.5,1 --maximize params", "docs conv", "list", "block se",
)  # fmt: skip
"""Commands that load what others need, too."""


@dataclass(slots=True)
class Tally:
    """What was tried: how it ended, how long the slowest took, and the faults by their kind."""

    ended: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    faults: dict[str, tuple[str, Case]] = field(default_factory=dict)
    seconds: float = 0.0
    upto: int = 0
    """The number behind the last case."""

    def add(self, more: "Tally") -> None:
        """Take in what another process has tried."""
        self.ended += more.ended
        self.slowest = max(self.slowest, more.slowest)
        self.seconds += more.seconds
        self.upto = max(self.upto, more.upto)
        for kind, found in more.faults.items():
            self.faults.setdefault(kind, found)


def made(seed: int, number: int, shares: Shares) -> tuple[str, Case]:
    """Return a case and its kind, which its number decides alone."""
    rng = random.Random(f"{seed} {number}")
    (kind,) = rng.choices(list(shares), [*shares.values()])
    return kind, MAKERS[kind](rng)


def attempt(case: Case, folder: Path) -> tuple[str, float]:
    """Return how a case ended: what went wrong stands behind "fault:".

    What is slow is tried again: others on the machine take from its time, and give none.
    """
    for last in (False, False, True):
        try:
            return timed(case, emptied(folder))
        except TooSlow as error:
            if last:
                return f"fault: TooSlow {_where(error)}: {error}", 0.0
        except Exception as error:  # what mbprof lets through is what is looked for
            return f"fault: {type(error).__name__} {_where(error)}: {str(error)[:160]}", 0.0
    raise AssertionError


def _where(error: Exception) -> str:
    """Return the last step within mbprof that led to an error."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if "/mbprof/" in frame.filename] or frames
    return f"{Path(inside[-1].filename).stem}.{inside[-1].name}"


def emptied(folder: Path) -> Path:
    if not folder.exists() or any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    return folder


def _written() -> int:
    """Return the bytes that this process may write to, which `RLIMIT_DATA` bounds."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def warm() -> None:
    """Load what commands load only when they need it, so that no case pays for it."""
    with tempfile.TemporaryDirectory() as folder:
        usual = (Case(tuple(words.split()), {}) for words in USUAL)
        for case in (*usual, *damaged.prepare()):
            how, _ = attempt(case, Path(folder))
            assert not how.startswith("fault"), how
    for make in MAKERS.values():
        make(random.Random(0))
    gc.collect()
    gc.freeze()


def _tried(
    seed: int, shares: Shares, start: int, stop: int, at: mmap.mmap, out: Connection
) -> None:
    """Try the cases of some numbers, and send where it ended and what it found."""
    tally = Tally()
    least = _written()
    resource.setrlimit(resource.RLIMIT_DATA, (least + (MEGABYTES << 20),) * 2)
    number = start
    with tempfile.TemporaryDirectory() as folder:
        while number < stop and _written() < least + (KEPT << 20):
            at[:8] = struct.pack("q", number)
            kind, case = made(seed, number, shares)
            how, seconds = attempt(case, Path(folder))
            tally.slowest = max(tally.slowest, seconds / case.seconds)
            tally.ended[f"{kind}: {how.split(':')[0]}"] += 1
            if how.startswith("fault"):
                tally.ended[how] += 1
                tally.faults.setdefault(" ".join(how.split()[:3]), (f"{seed}:{number} {how}", case))
            number += 1
    tally.seconds = time.process_time()
    out.send((number, tally))
    out.close()
    os._exit(0)


class Worker:
    """A process that tries the cases of some numbers."""

    def __init__(self, seed: int, shares: Shares, start: int, stop: int) -> None:
        self.seed, self.shares, self.stop = seed, shares, stop
        self.at = mmap.mmap(-1, 8)
        self.at[:8] = struct.pack("q", start)
        self.seen, self.since = start, time.monotonic()
        context = multiprocessing.get_context("fork")
        self.heard, out = context.Pipe(duplex=False)
        task = (seed, shares, start, stop, self.at, out)
        self.process = context.Process(target=_tried, args=task, daemon=True)
        self.process.start()
        out.close()

    @property
    def number(self) -> int:
        """The case that it is at."""
        number: int = struct.unpack("q", self.at[:8])[0]
        return number

    def watch(self) -> None:
        """Kill it where it waits for something that does not come."""
        if self.number != self.seen:
            self.seen, self.since = self.number, time.monotonic()
        elif time.monotonic() - self.since > HANGS:
            self.process.kill()

    def ended(self) -> tuple[int, Tally]:
        """Return where it ended and what it found; what it died of is a fault, too."""
        try:
            number, tally = self.heard.recv()
        except EOFError:
            self.process.join()
            number = self.number
            how = f"fault: died: exit code {self.process.exitcode}"
            found = (f"{self.seed}:{number} {how}", made(self.seed, number, self.shares)[1])
            number, tally = number + 1, Tally(Counter({how: 1}), faults={how: found})
        self.process.join()
        self.heard.close()
        return number, tally


def searched(seed: int, shares: Shares, start: int, jobs: int, until: float) -> Iterator[Tally]:
    """Try cases from a number on until a time; yield what each process found."""
    left: list[tuple[int, int]] = []
    batches = ((first, first + BATCH) for first in count(start, BATCH))
    working: list[Worker] = []
    while True:
        while len(working) < jobs and time.time() < until:
            working.append(Worker(seed, shares, *(left.pop() if left else next(batches))))
        if not working:
            return
        ready = wait([worker.heard for worker in working], timeout=10)
        for worker in tuple(working):
            worker.watch()
            if worker.heard in ready:
                working.remove(worker)
                number, tally = worker.ended()
                if number < worker.stop:
                    left.append((number, worker.stop))
                tally.upto = number
                yield tally

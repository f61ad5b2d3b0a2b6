"""How the time of commands grows with the length of a network: the exponent between two chains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import mbprof
from mbprof.output.writers import render

ROWS, SHORT, LONG = 3_000, 1, 6
"""A chain has so many rows, each so often."""


def chain(rounds: int, kernel: int = 3) -> str:
    rows = "".join(
        f"  - {{op: conv, k: {kernel}, c: {8 + i % 8}, n: {rounds}}}\n" for i in range(ROWS)
    )
    return f"name: chain\ninput: {{res: 8}}\nbody:\n{rows}"


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def works(rounds: int) -> dict[str, Callable[[], object]]:
    """Return what is done with a chain, by the command that does it."""
    spec, other = mbprof.loads(chain(rounds)), mbprof.loads(chain(rounds, 1))
    network = spec.build()
    return {
        "build": spec.build,
        "table": lambda: render(mbprof.table(spec).report("data"), "csv"),
        "table in a terminal": lambda: render(mbprof.table(spec).report("terminal"), "rich"),
        "check": lambda: mbprof.check(spec),
        "graph": lambda: network.graph,
        "diff": lambda: mbprof.diff(spec, other),
        "compare": lambda: mbprof.compare(spec, other),
    }


def exponents() -> Iterator[tuple[str, float]]:
    """Yield each command with the exponent of its growth, 1 where it is linear."""
    short, long = works(SHORT), works(LONG)
    for name, work in short.items():
        less, more = seconds(work), seconds(long[name])
        yield name, math.log(more / less) / math.log(LONG / SHORT)


if __name__ == "__main__":
    for name, exponent in exponents():
        print(f"{name:<24}{exponent:.2f}")

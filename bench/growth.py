"""How the time of commands grows with the length of a network: the exponent between two chains."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator

import lanes

import mbprof
from mbprof.output.writers import render

ROWS, SHORT, LONG = 3_000, 1, 10
"""A chain has so many rows, each so often."""
MOST = 100_000
"""So many layers are within the budget of a text."""


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
        "formula": lambda: mbprof.formula(spec, by="net"),
    }


def exponents() -> Iterator[tuple[str, float]]:
    """Yield each command with the exponent of its growth, 1 where it is linear."""
    short, long = works(SHORT), works(LONG)
    for name, work in short.items():
        less, more = seconds(work), seconds(long[name])
        yield name, math.log(more / less) / math.log(LONG / SHORT)


def largest() -> Iterator[tuple[str, float, int]]:
    """Yield networks at the edge of the budget, with the seconds and bytes that their table takes.

    Each row of the one is a layer; of the other each layer takes what all before it gave.
    """
    rows = "".join(f"  - {{op: conv, k: 3, c: {8 + i % 8}}}\n" for i in range(MOST))
    layer = "{op: conv, k: 3, c: 4, bn: true, act: relu}"
    dense = f"  - {{repeat: 1000, dense: true, body: [{layer}]}}\n"
    for name, body in ((f"{MOST:,} layers", rows), ("1,000 densely connected layers", dense)):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(f"name: large\ninput: {{res: 8}}\nbody:\n{body}")
            file.flush()
            start = time.perf_counter()
            taken = lanes.peak_memory("table", file.name, "--format", "csv")
            yield name, time.perf_counter() - start, taken


if __name__ == "__main__":
    for name, exponent in exponents():
        print(f"{name:<24}{exponent:.2f}")
    for name, took, taken in largest():
        print(f"{name:<32}{took:.1f} s {taken / 2**20:.0f} MB")

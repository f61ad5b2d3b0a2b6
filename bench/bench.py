"""Speed and memory, as ratios measured side by side in one run.

Each pair of commands runs in turns, so that a busy machine slows both; the medians are compared.
"""

from __future__ import annotations

import importlib.util
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import growth
import jobs
import lanes
import measured
import page
import spaces

import mbprof
from mbprof.published.verify import verify

ROUNDS = 21
COUNT = 1_000_000
BIN = Path(sys.executable).parent


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def side_by_side(ours: list[str], theirs: list[str]) -> tuple[float, float]:
    """Return the median seconds of two commands that run in turns, with their byte code cached."""
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def processes() -> list[tuple[str, float, float]]:
    """Return what was run, its ratio to the reference, and the limit of the ratio.

    That of a table as CSV is the reference and a twentieth, and 30 ms.
    """
    mbprof_ = str(BIN / "mbprof")
    table = [mbprof_, "table", "mobilenet_v1", "--format", "csv"]
    cases = [
        ("table --format csv", table, python("import typer, yaml"), 1.05),
        ("--help", [mbprof_, "--help"], python("import typer"), 1.15),
    ]
    large, small = "timm:swin_tiny_patch4_window7_224", "mobilenet_v1"
    asked, whole = [mbprof_, "table", large], [mbprof_, "table", small]
    cases.append((f"table {large}, reference {small}", asked, whole, 1.5))
    for command in ("check", "explain"):
        for spec in ("mobilenet_v2", "efficientnet_b7", "shufflenet_v2"):
            asked, whole = [mbprof_, command, spec], [mbprof_, "table", spec]
            cases.append((f"{command} {spec}, reference table", asked, whole, 1.5))
    rows = []
    for name, ours, theirs, limit in cases:
        mine, other = side_by_side(ours, theirs)
        limit += 0.03 / other if ours is table else 0
        shown = f"{name} ({mine * 1e3:.0f} ms, reference {other * 1e3:.0f} ms)"
        rows.append((shown, mine / other, limit))
    return rows


def layers_200() -> str:
    rows = "\n".join(f"    - [conv, 3, {1 + (i % 50 == 0)}, {32 + i}]" for i in range(200))
    return (
        "name: deep\ninput: {res: 224}\ndefaults: {conv: {bn: true, act: relu6}}\n"
        f"body:\n  columns: [op, k, s, c]\n  rows:\n{rows}\n"
    )


def best(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return statistics.median(once() for _ in range(ROUNDS))


def main() -> int:
    failed = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def line(name: str, value: str, limit: str, holds: bool) -> None:
        nonlocal failed
        failed |= not holds
        print(f"{'ok ' if holds else 'NOT'}  {name:<62} {value:>9}  limit {limit}")

    # A process starts with its parent's peak, so these come first, while this one is small.
    memory = lanes.peak_memory("table", "mobilenet_v1")
    line("peak memory of table", f"{memory / 2**20:.0f} MB", "80 MB", memory < 80 * 2**20)
    taken = lanes.memory()
    line("peak memory of 10 M to Parquet", f"{taken / 2**20:.0f} MB", "300 MB", taken < 300 * 2**20)
    for name, ratio, limit in processes():
        line(name, f"{ratio:.2f} x", f"{limit} x", ratio <= limit)
    text = layers_200()
    spec = mbprof.loads(text)
    built = best(lambda: spec.build().profile())
    read = best(lambda: mbprof.loads(text))
    line("200 layers (600 ops) compiled and costed", f"{built * 1e3:.1f} ms", "20 ms", built < 0.02)
    line("the same with its text read", f"{(built + read) * 1e3:.1f} ms", "none", True)
    start = time.perf_counter()
    claims = verify()
    took = time.perf_counter() - start
    line(f"{len(claims)} claims of the zoo verified", f"{took:.1f} s", "3 s", took < 3)
    with tempfile.TemporaryDirectory() as folder:
        dossier = ("report", "mobilenet_v2", "-o", f"{folder}/net.md")
        for words, limit in ((("list",), 0.5), (("verify",), 3), (dossier, 2)):
            took = min(seconds([str(BIN / "mbprof"), *words]) for _ in range(3))
            line(" ".join(words[:2]), f"{took:.2f} s", f"{limit} s", took < limit)
    for name, took, taken in growth.largest():
        holds = took < 15 and taken < 500 * 2**20
        line(f"table of {name}", f"{took:.1f} s", f"15 s, {taken / 2**20:.0f} of 500 MB", holds)
    for name, exponent in growth.exponents():
        line(
            f"growth of {name}, 3,000 to 30,000 layers", f"{exponent:.2f}", "1.15", exponent <= 1.15
        )
    rate, ratio = lanes.speed()
    line("configurations of MobileNetV2 a second", f"{rate / 1e6:.1f} M", "1 M", rate > 1e6)
    line("the same over NumPy written by hand", f"{ratio:.2f} x", "2.5 x", ratio < 2.5)
    rate, ratio = spaces.speed()
    line("networks of Once-for-all's space a second", f"{rate / 1e6:.1f} M", "1 M", rate > 1e6)
    line("the same over NumPy written by hand", f"{ratio:.2f} x", "3 x", ratio < 3)
    if importlib.util.find_spec("llvmlite"):
        for name, asked, least in (
            ("MobileNetV2", lanes.job(), 50e6), ("Once-for-all's space", spaces.job(COUNT), 10e6)
        ):  # fmt: skip
            took, thought = spaces.price(asked)
            line(f"{name} compiled", f"{took * 1e3:.0f} ms", f"{thought * 1e3:.0f} ms", True)
            slow, quick = spaces.alone(asked, math.inf), spaces.alone(asked, 0)
            of = f"{name} costed by machine code a second"
            line(of, f"{quick / 1e6:.0f} M", f"{least / 1e6:.0f} M", quick >= least)
            line("the same over NumPy's columns", f"{quick / slow:.0f} x", "none", True)
    rate = spaces.to_a_front(50 * COUNT)
    quick = importlib.util.find_spec("llvmlite") is None or rate >= 10e6
    said = "10 M with a compiler"
    line("networks of Once-for-all's space to a front", f"{rate / 1e6:.1f} M", said, quick)
    for of, rate in spaces.whole():
        least = 300e3 if of.startswith(("attentive_nas", "resnet50")) else 0
        said = f"{least / 1e3:.0f} k/s" if least else "none"
        line(f"a million of {of}", f"{rate / 1e3:,.0f} k/s", said, rate >= least)
    for of, found, beside, holds in spaces.searched():
        line(of, found, beside, holds)
    faster, work, _ = jobs.speed()
    line("10 M to a front by two processes over one", f"{faster:.2f} x", "1.7 x", faster >= 1.7)
    line("processor time of the two over that of the one", f"{work:.2f} x", "1.2 x", work < 1.2)
    if missing := page.lacks():
        print(f"--   the playground is left out; missing: {missing}")
    else:
        for name, figure, unit, most in page.figures():
            bound = f"{most} {unit}" if most else "none"
            line(name, f"{figure:,.1f} {unit}", bound, not most or figure <= most)
    rows = measured.measurements()
    for terms, rank, error in measured.outcomes(rows):
        fit = f"{len(rows)} networks timed, half fitted by {', '.join(terms)}"
        line(f"{fit}: rank of the others", f"{rank:.3f}", "0.8", rank >= 0.8)
        line(f"{fit}: their error", f"{error:.1%}", "50 %", error < 0.5)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

"""Once-for-all's space: mbprof's sweep beside straight-line NumPy written for it alone."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import mbprof
from mbprof.sweeps.axes import CHUNK, Random, read_axis
from mbprof.sweeps.chunks import chunks
from mbprof.sweeps.filters import Front, Where, height, reduced
from mbprof.sweeps.spaces.choices import choices
from mbprof.sweeps.sweep import Job, plan_sweeps
from mbprof.symbolic import runner
from mbprof.symbolic.compiled import compiled, lines

NAME = "ofa_mobilenet_v3"
COUNT = 1_000_000
CHUNKS, ROUNDS = 16, 5
LIMIT = 300_000_000
SPACES = {
    "attentive_nas": {},
    "resnet50": {"n2": "1:4", "n3": "1:8", "n4": "1:36", "n5": "1:4"},
    "proxyless_nas": {},
    "fbnet": {},
    "mnasnet_space": {},
}
"""Structure as knobs: all of a space, or those that are given."""
STAGES = ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True))
"""Channels, stride and whether blocks squeeze, of each of the five stages: arXiv:1908.09791, which
takes them from MobileNetV3-Large, arXiv:1905.02244, table 1."""


def div8(width: Any) -> Any:
    near = np.maximum(8, (width + 4).astype(np.int64) // 8 * 8)
    return np.where(near < 0.9 * width, near + 8, near)


def by_hand(knobs: Mapping[str, Any], res: Any = 224) -> tuple[Any, Any]:
    """Return weights and MACs of networks, for images of sides that 32 divides.

    A block is a pointwise, a depthwise and a pointwise convolution, with a gate of two layers
    between where the stage squeezes; of a stage the first two, three or four blocks are there.
    """
    side, c = res // 2, 16
    stem, first = 27 * 16, (9 + 16) * 16
    params: Any = stem + first
    macs: Any = (stem + first) * side * side
    for stage, (out, stride, squeezes) in enumerate(STAGES, 1):
        for block in range(1, 5):
            wide = c * knobs[f"e{stage}{block}"]
            smaller = side // stride if block == 1 else side
            area = smaller * smaller
            spread = c * wide
            local = (knobs[f"k{stage}{block}"] ** 2 + out) * wide
            own = spread + local
            work = spread * (side * side) + local * area
            if squeezes:
                gate = 2 * wide * div8(wide / 4)
                own, work = own + gate, work + gate
            if block > 2:
                there = knobs[f"d{stage}"] >= block
                own, work = own * there, work * there
            params, macs = params + own, macs + work
            side, c = smaller, out
    last, head = 160 * 960, 960 * 1280 + 1280 * 1000
    return params + last + head, macs + last * side * side + head


def job(count: int, seed: int = 1) -> Job:
    """Return the sweep of so many networks that are drawn."""
    spec = mbprof.load(NAME)
    return plan_sweeps([spec], [Random(choices(spec, {}).axes, count, seed)])


def compared(job: Job) -> Iterator[tuple[float, float]]:
    """Yield the seconds of mbprof and of the hand-written code for each chunk.

    Raises: AssertionError: they differ.
    """
    sweep = job.first
    for _, start, stop in job.spans():
        rows = sweep.plan.rows(start, stop)
        before = time.process_time()
        found, _ = sweep.costed(rows, stop - start)
        between = time.process_time()
        params, macs = by_hand(rows)
        after = time.process_time()
        assert np.array_equal(found["params"], params)
        assert np.array_equal(found["macs"], macs)
        yield between - before, after - between


def speed() -> tuple[float, float]:
    """Return networks a second of mbprof, and its time over that of the hand-written code."""
    with compiling(math.inf):
        ours, theirs = zip(*list(compared(job(COUNT)))[1:-1], strict=True)
    return len(ours) * CHUNK / sum(ours), statistics.median(ours) / statistics.median(theirs)


@contextmanager
def compiling(seconds: float) -> Iterator[None]:
    """Let a program be compiled once NumPy has taken so many seconds."""
    before, runner.COMPILING = runner.COMPILING, seconds
    try:
        yield
    finally:
        runner.COMPILING = before


def alone(asked: Job, seconds: float) -> float:
    """Return how many networks a second are costed, nothing drawn or kept; the best of some rounds.

    For ``seconds`` see `compiling`.
    """
    sweep, spans = asked.first, [(start, stop) for _, start, stop in asked.spans()]
    rows = [sweep.plan.rows(*span) for span in spans[:CHUNKS]]
    rounds = []
    with compiling(seconds):
        for _ in range(ROUNDS):
            start = time.process_time()
            for columns in rows:
                sweep.costed(columns, CHUNK)
            rounds.append(time.process_time() - start)
    return len(rows) * CHUNK / min(rounds)


def price(asked: Job) -> tuple[float, float]:
    """Return the seconds that it takes to compile a program, and what was expected of it."""
    asked.first.costed(asked.first.plan.rows(0, 1), 1)
    (engine,) = asked.first.engines.values()
    program = engine.paths[0].program
    start = time.process_time()
    assert compiled(program) is not None
    expected = runner.COMPILING + runner.LINE * lines(program)
    return time.process_time() - start, expected


def whole() -> Iterator[tuple[str, float]]:
    """Yield networks a second of some sweeps by NumPy, from the spec to the last of them."""
    for name, turned in SPACES.items():
        spec = mbprof.load(name)
        knobs = spec.definition.knobs
        drawn = [read_axis(knobs[knob], text, None, random=True) for knob, text in turned.items()]
        axes = tuple(drawn) or choices(spec, {}).axes
        with compiling(math.inf):
            start = time.process_time()
            rows = sum(map(height, chunks(plan_sweeps([spec], [Random(axes, COUNT, seed=1)]))))
            took = time.process_time() - start
        assert rows == COUNT
        yield f"{name}, {', '.join(turned) or f'its {len(axes)} knobs'}", COUNT / took


def to_a_front(count: int) -> float:
    """Return how many networks a second are drawn, costed, and kept where none beats them."""
    asked = job(count)
    front = Front.parse("macs,params:max", asked.names)
    where = Where.parse("macs <= 300e6", asked.names, asked.first.fixed)
    asked.first.where = where
    start = time.process_time()
    kept = list(reduced(chunks(asked), front))
    assert sum(map(height, kept)) > 10
    return count / (time.process_time() - start)


def searched() -> Iterator[tuple[str, str, str, bool]]:
    """Yield how a search does beside 10 million networks that are drawn: the result, the time."""
    start = time.process_time()
    found = mbprof.search(NAME, maximize="params", max_macs=LIMIT).best[0].costs["params"]
    between = time.process_time()
    asked = job(10 * COUNT)
    asked.first.where = Where.parse(f"macs <= {LIMIT}", asked.names, asked.first.fixed)
    best = max(int(chunk["params"].max()) for chunk in chunks(asked))
    took, other = between - start, time.process_time() - between
    name = "params of Once-for-all within 300 M macs, searched"
    yield name, f"{found:,}", f"{best:,}, best of 10 M drawn", found >= best
    yield "seconds of the search", f"{took:.1f} s", f"{other:.1f} s, drawing 10 M", took < other


if __name__ == "__main__":
    print("{:.2e} a second, {:.2f} times the hand-written code".format(*speed()))
    print(f"{alone(job(COUNT), math.inf):.2e} a second by NumPy, alone")
    print(f"{alone(job(COUNT), 0):.2e} a second where there is a compiler, alone")
    print(f"{to_a_front(COUNT):.2e} a second to a front")
    for name, rate in whole():
        print(f"{rate:.2e} a second of {name}")

"""Lanes equal single runs, to the unit, for every spec and wherever the lanes part."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.network import conventions
from mbprof.network.many import Engine, counter
from mbprof.spec import zoo
from mbprof.spec.knobs import Knob
from mbprof.symbolic import arithmetic as lanes
from mbprof.symbolic.program import Program
from mbprof.symbolic.trace import Trace

wholes = st.integers(-40, 40)


def both(
    work: Callable[[Any, Any], Any], x: list[Any], y: list[Any]
) -> tuple[list[Any], list[Any]]:
    """Return a computation on each pair by itself, and on all at once."""
    alone = [work(a, b) for a, b in zip(x, y, strict=True)]
    columns = {"x": np.array(x), "y": np.array(y)}
    together: list[Any] = [None] * len(x)
    pending = list(range(len(x)))
    while pending:
        trace = Trace()
        first = pending[0]
        a, b = (
            trace.input(name, column[first].item(), column.min().item(), column.max().item())
            for name, column in columns.items()
        )
        program = Program(trace, [work(a, b)])
        assert program.large(columns, len(x)) is None
        assert program.large(columns, len(x), outputs=True) is None
        matching = program.matches(columns)
        taken = [i for i in pending if matching is None or matching[i]]
        assert first in taken
        part = {name: column[taken] for name, column in columns.items()}
        for i, value in zip(taken, program.evaluate(part, len(taken))[0], strict=True):
            together[i] = value.item()
        pending = [i for i in pending if i not in taken]
    return alone, together


WORK: dict[str, Callable[[Any, Any], Any]] = {
    "polynomials": lambda x, y: (x + 2 * y - 3) * (x - y) + x * x * y,
    "floor division": lambda x, y: (6 * x + 4 * y + 3) // 2 + x // 5 - (3 * y + 1) // 3,
    "division by a product": lambda x, y: (x * y * 6) // (x * 2) if x != 0 else y,
    "division by a number": lambda x, y: x // y if y != 0 else 7,
    "remainders": lambda x, y: x % 3 + (8 * y) % 4 + (x * 3 + y) % 7,
    "ceil_div": lambda x, y: lanes.ceil_div(x, 4) - lanes.ceil_div(y + x, 3),
    "extremes": lambda x, y: lanes.maximum(x, y) - lanes.minimum(x, 3) * lanes.maximum(2, y - 50),
    "choices": lambda x, y: x * 2 if x > y else (y if y != 4 else x - y),
    "conditions": lambda x, y: 1 if (x <= y and x != -y) or y >= 30 else 0,
    "gcd": lambda x, y: lanes.gcd(x, y) + lanes.gcd(x, 12),
    "divisible": lambda x, y: lanes.divisible(lanes.maximum(x, 1) * 3, 8) + lanes.divisible(
        8 * lanes.maximum(y, 1), 8
    ),
    "fixed values": lambda x, y: sum(range(int(lanes.maximum(x % 4, 0)))) + y,
    "reals": lambda x, y: lanes.truncated(x * 0.37)
    + lanes.ceiled(y / 3.0)
    + lanes.rounded(x / 2.0),
    "powers": lambda x, y: lanes.floored(lanes.power(1.1, x % 5) * y),
    "comparisons of reals": lambda x, y: x if x * 0.3 < y * 0.7 else y,
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(wholes, wholes), min_size=1, max_size=30))
def test_whole_numbers_side_by_side(name: str, pairs: list[tuple[int, int]]) -> None:
    x, y = ([pair[i] for pair in pairs] for i in (0, 1))
    alone, together = both(WORK[name], x, y)
    assert together == alone


REALS: dict[str, Callable[[Any, Any], Any]] = {
    "truncated widths": lambda x, y: lanes.truncated(x * 96) + lanes.truncated(24 * y),
    "rounded widths": lambda x, y: lanes.divisible(x * 24, 8) + lanes.divisible(y * 320, 8, 16),
    "floors": lambda x, y: (
        lanes.divisible(x * 24, 8, lanes.truncated(y * 30))
        + lanes.divisible(96, 32, lanes.truncated(x * 40))
    ),
    "half to even": lambda x, y: lanes.rounded(x * 10) - lanes.floored(y) + lanes.ceiled(x - y),
    "ranges": lambda x, y: (
        lanes.truncated(lanes.maximum(x, y) * 10) + lanes.truncated(lanes.minimum(x, 0.5) * 10)
    ),
    "conditions": lambda x, y: 1 if x < 1 else (2 if y >= x else 3),
    "divisions": lambda x, y: lanes.floored(x // 0.3 + x % 0.7 + y / 1.3 - (1.5 - x) / (y + 1.0)),
    "powers": lambda x, y: lanes.truncated(lanes.power(x, y) * 100),
}


@pytest.mark.parametrize("name", REALS)
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0.01, 4), st.floats(0.01, 4)), min_size=1, max_size=30))
def test_decimal_numbers_side_by_side(name: str, pairs: list[tuple[float, float]]) -> None:
    x, y = ([pair[i] for pair in pairs] for i in (0, 1))
    alone, together = both(REALS[name], x, y)
    assert together == alone


def test_a_long_chain_of_operations_is_computed() -> None:
    def chain(x: Any, y: Any) -> Any:
        for _ in range(1000):
            x = lanes.gcd(x + y, 12)
        return x

    alone, together = both(chain, [1, 6, 7], [3, 6, 5])
    assert together == alone


def values(knob: Knob) -> st.SearchStrategy[Any] | None:
    """Return values that a network can well take, None for knobs that are left alone."""
    if knob.one_of:
        return st.sampled_from(knob.one_of)
    if knob.kind == "flag":
        return st.booleans()
    if knob.name in ("alpha", "width", "depth"):
        return st.integers(4, 40).map(lambda twentieths: twentieths / 20)
    if knob.name == "classes":
        return st.integers(1, 3000)
    if knob.name == "min_depth":
        return st.integers(1, 32)
    return None


@pytest.mark.parametrize("name", zoo.spec_names())
@settings(deadline=None, max_examples=4)
@given(data=st.data())
def test_lanes_equal_single_runs_for_random_knobs(name: str, data: st.DataObject) -> None:
    spec = mbprof.load(name)
    drawn = {
        knob.name: strategy
        for knob in spec.definition.knobs.values()
        if (strategy := values(knob)) is not None and knob.name != "output_stride"
    }
    default: Any = spec.knobs["res"]
    size = st.integers(max(min(64, default[0]), default[0] - 40), default[0] + 60)
    oblong = data.draw(st.booleans())
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({**drawn, "res": st.tuples(size, size) if oblong else size}),
            min_size=1,
            max_size=8,
        )
    )
    expected = []
    kept = []
    for row in rows:
        try:
            total = spec.build(**row).profile(scope="all").total
        except mbprof.MbprofError:
            continue  # such as a reference implementation that needs square maps
        kept.append(row)
        expected.append((total.params, total.cost))
    if kept:
        configs = {knob: [row[knob] for row in kept] for knob in kept[0]}
        frame = mbprof.sweep(spec, configs=configs, scope="all")
        assert list(zip(frame["params"], frame["macs"], strict=True)) == expected


DECODER = """
name: decoder
input: {channels: 3, res: 32}
padding: torch
knobs: {c: 8, g: 2, s: 2, k: 3, cut: 1}
body:
  - {op: conv, k: 3, s: 2, c: 4 * c, out: skip}
  - {op: gn, g: g}
  - {op: maxpool, k: 2}
  - {op: tconv, k: k, s: s, c: c * g, g: g, p_out: 1, p: 1, bias: true, out: big}
  - {op: crop, in: skip, p: 1}
  - {op: pad, in: [_, skip], c: 5 * c}
  - {op: crop, size: 5}
  - {op: resize, in: [_, big]}
  - {op: slice, from: cut, to: -cut}
  - {op: slice, axis: 1, from: 1, step: 2}
  - {op: pixelshuffle, by: 1}
  - {op: lrn, size: 3}
  - {op: softmax, axis: 1}
  - {op: permute, axes: [0, 2, 1]}
  - {op: mean, axes: 0, keep: true, out: m}
  - {op: max, axes: 0, keep: true, in: m}
  - {op: pad, p: 1, c: 4}
  - {op: reshape, to: [4, -1]}
  - {op: mean, axes: -1}
"""
TOKENS = """
name: encoder
input: {channels: 3, res: 32}
padding: tf-same
knobs: {d: 4, heads: 2, kv: 1, windows: 1, classes: 10}
defaults: {linear: {bias: true}}
body:
  - {op: conv, k: 4, s: 4, c: heads * d, p: valid, out: image}
  - {op: tokens, out: x0}
  - {op: param, shape: [in.n, in.c], out: pos}
  - {op: add, in: [x0, pos], out: x1}
  - {op: rms}
  - {op: linear, c: d * (heads + 2 * kv)}
  - {op: split, sizes: [d * heads, d * kv, d * kv], out: [q, k, v]}
  - {op: sdpa, in: [q, k, v], heads: heads, kv_heads: kv, windows: windows}
  - {op: param, shape: [1, in.c], out: gamma}
  - {op: mul, in: [_, gamma]}
  - {op: add, in: [_, x1]}
  - {op: maps, in: [_, image]}
  - {op: tconv, k: 2, s: 4, c: d, p: same}
  - {op: pixelunshuffle, by: 2}
  - {op: tokens}
  - {op: reshape, to: [-1, 2 * d]}
  - {op: linear, c: classes}
"""


@settings(deadline=None, max_examples=15)
@given(convention=st.sampled_from(conventions.names()), data=st.data())
def test_lanes_of_decoders_and_tokens_equal_single_runs(
    convention: str, data: st.DataObject
) -> None:
    few, some = st.integers(1, 3), st.integers(2, 5)
    side = st.integers(13, 40)
    decoders = {"c": some, "g": st.sampled_from([1, 2, 4]), "s": some, "k": some, "cut": few}
    encoders = {"d": some, "heads": st.sampled_from([2, 4]), "kv": st.sampled_from([1, 2])}
    encoders |= {"windows": st.sampled_from([1, 2, 4]), "classes": few}
    # Windows of 4 need rows of 2 tokens of 4x4 pixels.
    eights = st.integers(1, 5).map(lambda n: 8 * n)
    for text, drawn, size in ((DECODER, decoders, side), (TOKENS, encoders, eights)):
        spec = mbprof.loads(text)
        cell = st.fixed_dictionaries({**drawn, "res": st.tuples(size, size)})
        rows: list[dict[str, Any]] = data.draw(st.lists(cell, min_size=1, max_size=6))
        expected = []
        for row in rows:
            total = spec.build(**row).profile(convention, "all").total
            expected.append((total.params, *total.costs))
        configs = {knob: [row[knob] for row in rows] for knob in rows[0]}
        frame = mbprof.sweep(spec, configs=configs, scope="all", convention=convention)
        kept = ["params", *conventions.load(convention).measures]
        assert list(zip(*(frame[name] for name in kept), strict=True)) == expected


def test_lanes_part_where_a_shortcut_exists_for_some_widths_only() -> None:
    spec = mbprof.load("mobilenet_v2")
    alphas = [i / 100 for i in range(5, 200)]
    frame = mbprof.sweep(spec, alpha=alphas, scope="all")
    singles = [spec.build(alpha=alpha).profile(scope="all").total[:2] for alpha in alphas]
    assert list(zip(frame["params"], frame["macs"], strict=True)) == singles
    engine = Engine(
        spec.definition, {**spec.knobs}, {"alpha": (0.05, 2.0)}, counter("kernels", "all"), 2
    )
    engine.run({"alpha": np.array(alphas)}, len(alphas))
    assert len(engine.paths) > 1


@pytest.mark.parametrize("alpha", [1e6, 1e5, 3.0])
def test_costs_beyond_64_bits_are_exact(alpha: float) -> None:
    spec = mbprof.load("mobilenet_v1")
    frame = mbprof.sweep(spec, alpha=[1.0, alpha], res=[224, 65_535])
    singles = [
        spec.build(alpha=a, res=r).profile().total.cost for a in (1.0, alpha) for r in (224, 65_535)
    ]
    assert frame["macs"].tolist() == singles
    assert max(singles) > 2**63 or alpha == 3.0


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_small@torchvision", "mobilenet_v3_large@keras", "mobilenet_v2@keras"]
)
@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.tuples(st.floats(-1, 6).map(lambda x: 10**x), st.integers(64, 65_535)),
        min_size=1,
        max_size=4,
    )
)
def test_extreme_configurations_are_exact_side_by_side(
    name: str, cells: list[tuple[float, int]]
) -> None:
    spec = mbprof.load(name)
    configs = {"alpha": [alpha for alpha, _ in cells], "res": [res for _, res in cells]}
    frame = mbprof.sweep(spec, configs=configs, scope="all")
    singles = [spec.build(alpha=a, res=r).profile(scope="all").total[:2] for a, r in cells]
    assert list(zip(frame["params"], frame["macs"], strict=True)) == singles


def test_an_impossible_configuration_is_named() -> None:
    found = mbprof.sweep("alexnet", res=[224, 8, 300])
    assert found["params"].isna().tolist() == [False, True, False]
    assert found["problem"][1].endswith("than the input's height of 1 (at res 8)")


def test_integers_of_python_are_never_lost() -> None:
    assert math.gcd(12, 18) == lanes.gcd(12, 18)
    assert lanes.divisible(10**20, 8) == 10**20

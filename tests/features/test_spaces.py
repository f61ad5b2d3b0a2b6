"""Design spaces: what is counted and found by groups of knobs is what enumeration finds."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.sweeps.spaces.choices import choices
from mbprof.sweeps.spaces.counts import amounts, distinct, product_sum
from mbprof.sweeps.spaces.parts import parts
from mbprof.sweeps.spaces.resume import Keeper, State
from mbprof.sweeps.spaces.space import interval
from tests.conftest import invoke

CELLS = "nas_bench_201"
OFA = "ofa_mobilenet_v3"
# Depths, a kernel, a squeeze that is there or not, widths that tie stages, a size that ties all.
TEXT = """
name: stages
input: {channels: 3, res: 16}
knobs:
  d1: {default: 2, one_of: [1, 2, 3]}
  d2: {default: 2, one_of: [1, 2, 3]}
  k1: {default: 3, one_of: [1, 3, 5]}
  k2: {default: 3, one_of: [3, 5]}
  w: {default: 8, one_of: [8, 12, 16]}
  v: {default: 8, one_of: [8, 24]}
  idle: {default: 0, one_of: [0, 1]}
body:
  - {op: conv, k: 3, c: 8}
  - {op: conv, k: k1, c: 8, bn: true, when: d1 > 1}
  - {op: conv, k: 3, c: 8, bn: true, when: d1 > 2}
  - {op: conv, k: 1, c: w}
  - {op: dwconv, k: k2, s: 2}
  - {op: conv, k: 1, c: v}
  - {op: conv, k: k2, c: v, when: d2 > 1}
  - {op: conv, k: 3, c: v, when: d2 > 2}
  - {op: conv, k: 1, c: 4}
head:
  - {op: gap}
  - {op: linear, c: 10}
"""
SIZES: dict[str, dict[str, Any]] = {"none": {}, "res": {"res": [8, 16, 24]}}
GOALS: list[dict[str, Any]] = [
    {"maximize": "params", "max_macs": 400_000},
    {"maximize": "macs", "max_params": 3_000},
    {"minimize": "macs"},
    {"maximize": "macs", "max_macs": 500_000},
    {"front": "macs,params"},
    {"front": "macs", "maximize": "params"},
    {"front": "macs", "maximize": "params", "max_params": 4_000, "max_macs": 900_000},
]


@pytest.fixture
def groups_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be enumerated but groups of up to six rows."""
    monkeypatch.setattr("mbprof.sweeps.spaces.space.ENUMERATED", 0)
    for module in ("parts", "counts", "moments"):
        monkeypatch.setattr(f"mbprof.sweeps.spaces.{module}.ROWS", 6)


def costs_of(found: Any) -> list[dict[str, int]]:
    return [dict(best.costs) for best in found.best]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_groups_of_knobs_give_what_enumeration_gives(
    goal: dict[str, Any], sizes: str, request: pytest.FixtureRequest
) -> None:
    spec = mbprof.loads(TEXT)
    whole = mbprof.search(spec, **goal, **SIZES[sizes])
    assert (whole.how, whole.exact) == ("enumeration", True)
    request.getfixturevalue("groups_alone")
    found = mbprof.search(spec, **goal, **SIZES[sizes])
    assert "dynamic programming" in found.how
    assert found.exact
    aims = list(found.wanted)
    assert [[c[a] for a in aims] for c in costs_of(found)] == [
        [c[a] for a in aims] for c in costs_of(whole)
    ]
    for best in found.best:
        total = spec.build(**best.knobs).profile(scope="all").total
        assert (total.params, total.cost) == (best.costs["params"], best.costs["macs"])


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("limit", [250_000, 400_000, 777_777, 10**9])
def test_configurations_within_a_budget_are_counted_exactly(
    limit: int, sizes: str, request: pytest.FixtureRequest
) -> None:
    spec = mbprof.loads(TEXT)
    whole = mbprof.space(spec, max_macs=limit, **SIZES[sizes])
    axes = {k: list(v) for k, v in whole.knobs.items() if k != "res"} | SIZES[sizes]
    frame = mbprof.sweep(spec, chunks=False, scope="all", **axes)
    assert whole.count == len(frame)
    assert whole.within is not None
    assert whole.within.configurations == int((frame.macs <= limit).sum())
    request.getfixturevalue("groups_alone")
    found = mbprof.space(spec, max_macs=limit, **SIZES[sizes])
    assert found.within is not None
    assert found.within.exact
    assert found.within.configurations == whole.within.configurations


@pytest.mark.parametrize("rows", [6, 1 << 18])
def test_effects_and_ends_of_groups_are_those_of_all(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = mbprof.loads(TEXT)
    whole = mbprof.space(spec)
    monkeypatch.setattr("mbprof.sweeps.spaces.space.ENUMERATED", 0)
    for module in ("parts", "moments"):
        monkeypatch.setattr(f"mbprof.sweeps.spaces.{module}.ROWS", rows)
    found = mbprof.space(spec)
    assert (found.exact, found.drawn > 0) == (True, True)
    for name, effects in whole.effects.items():
        assert found.effects[name] == pytest.approx(effects, abs=1e-12), name
    for cost in ("params", "macs"):
        ends = [space.quantiles[cost][n] for space in (whole, found) for n in (0, -1)]
        assert ends[:2] == ends[2:]
        middle = whole.quantiles[cost][3], found.quantiles[cost][3]
        assert middle[0] == pytest.approx(middle[1], rel=0.05)
    frame = mbprof.sweep(
        spec, chunks=False, scope="all", **{k: list(v) for k, v in whole.knobs.items()}
    )
    means = frame.groupby("w").macs.mean()
    expected = ((means - frame.macs.mean()) ** 2).mean() / frame.macs.var(ddof=0)
    assert whole.effects["w"]["macs"] == pytest.approx(expected)
    assert whole.effects["idle"] == pytest.approx({"params": 0, "macs": 0}, abs=1e-20)


def cells() -> list[tuple[tuple[int, ...], int]]:
    """Return the MACs of every cell of NAS-Bench-201, counted by hand.

    Source: arXiv:2001.00326, figure 1: five cells at 32, 16 and 8 pixels with 16, 32 and 64
    channels, a residual block in front of the second and the third.
    """
    stages = ((16, 32), (32, 16), (64, 8))
    edge = {
        3: sum(5 * c * c * s * s for c, s in stages),
        4: sum(45 * (c * s) ** 2 for c, s in stages),
    }
    blocks = sum((9 * c // 2 * c + 9 * c * c + c // 2 * c) * s * s for c, s in stages[1:])
    fixed = 27 * 16 * 32 * 32 + blocks + 640
    return [
        (ops, fixed + sum(edge.get(op, 0) for op in ops))
        for ops in itertools.product(range(1, 6), repeat=6)
    ]


def test_the_cells_of_nas_bench_201_are_searched_as_by_hand() -> None:
    space = mbprof.space(CELLS, max_macs=100_000_000)
    by_hand = cells()
    assert space.count == len(by_hand) == 15_625
    assert space.within is not None
    assert space.within.configurations == sum(macs <= 100_000_000 for _, macs in by_hand)
    for limit in (20_000_000, 100_000_000, 150_000_000):
        found = mbprof.search(CELLS, maximize="macs", max_macs=limit)
        best = max(macs for _, macs in by_hand if macs <= limit)
        assert costs_of(found)[0]["macs"] == best
        ops: Any = tuple(found.best[0].knobs[f"o{edge}"] for edge in (10, 20, 21, 30, 31, 32))
        assert dict(by_hand)[ops] == best


def test_the_best_of_a_grid_is_that_of_a_sweep() -> None:
    axes: dict[str, Any] = {
        "alpha": [0.35, 0.5, 0.75, 1.0, 1.3, 1.4],
        "res": [96, 128, 160, 192, 224],
    }
    frame = mbprof.sweep("mobilenet_v2", scope="all", **axes)
    for limit in (50_000_000, 150_000_000, 300_000_000):
        found = mbprof.search("mobilenet_v2", maximize="params", max_macs=limit, **axes)
        kept = frame[frame.macs <= limit].sort_values(["params", "macs"], ascending=[False, True])
        assert costs_of(found) == [{"params": kept.params.iloc[0], "macs": kept.macs.iloc[0]}]
        assert found.best[0].knobs["alpha"] == kept.alpha.iloc[0]


def test_once_for_all_is_counted_as_its_paper_counts_and_searched_exactly() -> None:
    found = choices(mbprof.load(OFA), {})
    groups = parts(found)
    assert groups is not None
    # Section 3.1 of arXiv:1908.09791: ((3·3)^2 + (3·3)^3 + (3·3)^4)^5 different networks.
    assert found.count == 3**45
    assert distinct(groups) == (9**2 + 9**3 + 9**4) ** 5
    best = mbprof.search(OFA, maximize="params", max_macs="300M")
    assert best.exact
    total = mbprof.load(OFA).build(**best.best[0].knobs).profile(scope="all").total
    assert costs_of(best) == [{"params": total.params, "macs": total.cost}]
    assert total.cost <= 300_000_000
    costs, _ = found.costs(found.drawn(np.random.default_rng(1), 100_000))
    within = costs[costs[:, 1] <= 300_000_000]
    assert total.params > within[:, 0].max()
    tallied = amounts(groups, 0)
    assert tallied is not None
    assert tallied.total == found.count
    share = (costs[:, 0] <= 5_000_000).mean()
    low, high = interval(int(share * len(costs)), len(costs))
    assert low < tallied.within(5_000_000) / found.count < high


def test_sums_of_products_are_exact_beyond_64_bits() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 2**40, (2, 1000))
    exact = sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True))
    assert product_sum(left, right) == exact > 2**64


WORDS = TEXT.replace("idle: {default: 0, one_of: [0, 1]}", "idle: {default: a, one_of: [a, b]}")


def test_evolution_keeps_limits_and_comes_close(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = mbprof.loads(WORDS)
    goal: dict[str, Any] = {"maximize": "params", "max_macs": 400_000}
    whole = mbprof.search(spec, **goal)
    monkeypatch.setattr("mbprof.sweeps.spaces.space.ENUMERATED", 0)
    options: dict[str, Any] = {"population": 50, "generations": 30, "seed": 3}
    found = mbprof.search(spec, **goal, **options)
    assert found == mbprof.search(spec, **goal, **options)
    assert (found.exact, "evolution" in found.how) == (False, True)
    (costs,) = costs_of(found)
    assert costs["macs"] <= 400_000
    assert costs["params"] >= 0.95 * costs_of(whole)[0]["params"]
    front = mbprof.search(spec, front="macs", maximize="params", **options)
    known = costs_of(mbprof.search(mbprof.loads(TEXT), front="macs", maximize="params"))
    assert len(front.best) > len(known) / 3
    for costs in costs_of(front):
        assert any(k["macs"] <= costs["macs"] and k["params"] >= costs["params"] for k in known)


GOAL: dict[str, Any] = {"front": "macs", "maximize": "params", "max_macs": 900_000}
EVOLVED: dict[str, Any] = {**GOAL, "population": 30, "generations": 12, "seed": 5}


@pytest.mark.parametrize("generation", [0, 1, 7, 11])
def test_a_search_that_was_killed_goes_on_to_the_same_result(
    generation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbprof.sweeps.spaces.space.ENUMERATED", 0)
    monkeypatch.setattr("mbprof.sweeps.spaces.resume.EVERY", 0)
    spec, file = mbprof.loads(WORDS), tmp_path / "search.json"
    expected = mbprof.search(spec, **EVOLVED)
    note = Keeper.note

    def killed(self: Keeper, state: State, *rest: Any) -> None:
        note(self, state, *rest)
        if state.generation == generation:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            mbprof.search(spec, **EVOLVED, resume=file)
    assert json.loads(file.read_text())["generation"] == generation
    assert mbprof.search(spec, **EVOLVED, resume=file) == expected
    found = json.loads(file.read_text())
    assert found["generation"] == 11
    assert {costs["macs"] for costs in costs_of(expected)} >= {
        row["macs"] for row in found["best"][:1]
    }
    assert mbprof.search(spec, **EVOLVED, resume=file) == expected
    longer = {**EVOLVED, "generations": 15}
    assert mbprof.search(spec, **longer, resume=file) == mbprof.search(spec, **longer)


def test_what_cannot_be_resumed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbprof.sweeps.spaces.space.ENUMERATED", 0)
    monkeypatch.chdir(tmp_path)
    Path("words.yaml").write_text(WORDS)
    ask = ("search", "words.yaml", "--minimize", "macs", "--population", "9", "--resume", "s.json")
    hint = "  hint: give another --resume, or remove the file to start anew\n"
    assert invoke(*ask, "--generations", "4").status == 0
    written = Path("s.json").read_text()

    def said(*more: str) -> str:
        ended = invoke(*ask, *more)
        assert (ended.status, ended.out) == (2, "")
        return ended.err

    assert said("--generations", "3") == (
        "error[usage]: s.json is at generation 4\n  hint: give --generations 4 or more\n"
    )
    assert said("--seed", "1") == (
        "error[usage]: s.json is of another search: it differs in seed\n" + hint
    )
    assert said("--set", "k1=1,3", "--max-macs", "1M") == (
        "error[usage]: s.json is of another search: it differs in varied, limits\n" + hint
    )
    for text in ("", "[]", "{", "{}", '{"search": 1', "[" * 10**5):
        Path("s.json").write_text(text)
        assert said() == "error[usage]: s.json is no search that can be resumed\n" + hint
    data = json.loads(written)
    changes: list[dict[str, Any]] = [
        {"rows": [[99] * 7]}, {"rows": [[0]]}, {"rows": "x"}, {"random": {}}, {"best": []},
        {"generation": None}, {"best_rows": [[10**30] * 7]},
    ]  # fmt: skip
    for change in changes:
        Path("s.json").write_text(json.dumps({**data, **change}))
        assert said() == "error[usage]: s.json does not fit the spec, or was changed\n" + hint
    Path("s.json").write_text(written)
    Path("words.yaml").write_text(WORDS.replace("k: 3, c: 8}", "k: 3, c: 9}"))
    assert said() == "error[usage]: s.json does not fit the spec, or was changed\n" + hint


def test_what_is_found_is_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = invoke("search", CELLS, "--max-macs", "100M", "--maximize", "macs", "-o", "best.yaml")
    assert (ended.status, ended.err) == (0, "")
    data = json.loads(
        invoke("search", CELLS, "--max-macs", "100M", "--maximize", "macs", "--format", "json").out
    )
    total = mbprof.load("best.yaml").build().profile(scope="all").total
    assert total.cost == data["best"][0]["macs"] <= 100_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["space", "vgg16"], "says which values it takes"),
        (["space", CELLS, "--max-macs", "few"], "expected a count"),
        (["space", CELLS, "--seed", "-1"], "at least 0"),
        (["search", CELLS], "nothing is wanted"),
        (["search", CELLS, "--maximize", "width"], "unknown cost"),
        (["search", CELLS, "--maximize", "params,macs"], "several costs"),
        (["search", CELLS, "--front", "macs"], "two costs"),
        (["search", CELLS, "--minimize", "macs", "--max-macs", "1M"], "is within 1,000,000 macs"),
        (["search", CELLS, "--minimize", "macs", "--population", "1"], "at least 2"),
        (["search", CELLS, "--minimize", "macs", "--set", "o10=9"], "must be one of"),
    ],
)
def test_what_cannot_be_searched_is_said(words: list[str], said: str) -> None:
    ended = invoke(*words)
    assert ended.status == 2
    assert said in " ".join(ended.err.split())

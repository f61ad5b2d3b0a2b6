"""Sweeps: what is asked for is what is costed, filtered, reduced and written."""

import csv
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mbprof
from mbprof.errors import Loc, Source
from mbprof.language.expr import Expr
from mbprof.language.source import Scalar
from mbprof.output import Column, files
from mbprof.output.model import order
from mbprof.spec.knobs import Knob
from mbprof.sweeps.axes import CHUNK, read_axis
from mbprof.sweeps.filters import First, Front, Where, reduced
from mbprof.sweeps.write import SWEEPS
from tests.conftest import MBPROF, child, invoke, started
from tests.conftest import run as command
from tests.features.effort import effort

V1_CELLS = [(a, r) for a in (1.0, 0.75, 0.5, 0.25) for r in (224, 192, 160, 128)]
V2_CELLS = [(a, r) for a in (1.0, 0.75, 0.5, 0.35) for r in (224, 192, 160, 128, 96)]
V2_CELLS += [(1.3, 224), (1.4, 224)]
FULL = "error[usage]: cannot write {}: No space left on device"
run = partial(command, "sweep", width=100)


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv"))))


@pytest.mark.parametrize(
    ("name", "cells"), [("mobilenet_v1", V1_CELLS), ("mobilenet_v2", V2_CELLS)]
)
def test_each_published_cell_equals_a_single_run(name: str, cells: list[tuple[float, int]]) -> None:
    assert len(cells) in (16, 22)
    configs = {"alpha": [cell[0] for cell in cells], "res": [cell[1] for cell in cells]}
    frame = mbprof.sweep(name, configs=configs)
    for (alpha, res), params, macs in zip(cells, frame["params"], frame["macs"], strict=True):
        total = mbprof.load(name).build(alpha=alpha, res=res).profile().total
        assert (params, macs) == (total.params, total.cost)


def test_a_grid_on_the_command_line() -> None:
    found = rows("mobilenet_v1", "--alpha", "0.5:1.0:0.25", "--res", "128,224")
    assert [(row["alpha"], row["res"]) for row in found] == [
        (alpha, res) for alpha in ("0.5", "0.75", "1.0") for res in ("128", "224")
    ]
    assert found[2] == {"alpha": "0.75", "res": "128", "params": "1800144", "macs": "106002432"}


def test_ranges_do_not_drift() -> None:
    knob = Knob("alpha", 1.0, "number", "", above=0)
    assert read_axis(knob, "0.1:1.0:0.1", None).values == (
        0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
    )  # fmt: skip


def test_words_flags_and_numbers_can_be_swept_together() -> None:
    found = rows(
        "mobilenet_v2", "--alpha", "0.5", "--set", "finegrain=true,false", "--res", "96,160x224"
    )
    assert [(row["res"], row["finegrain"]) for row in found] == [
        ("96", "true"),
        ("96", "false"),
        ("160x224", "true"),
        ("160x224", "false"),
    ]
    for row in found:
        network = mbprof.load("mobilenet_v2").build(
            alpha=0.5, finegrain=row["finegrain"] == "true", res=row["res"]
        )
        assert int(row["macs"]) == network.profile().total.cost


def test_random_configurations_depend_on_the_seed_alone() -> None:
    ask = ("mobilenet_v2", "--alpha", "0.35:1.4", "--res", "96:224", "--random", "50")
    one, again, other = (rows(*ask, "--seed", seed) for seed in ("1", "1", "2"))
    assert one == again
    assert one != other
    assert all(0.35 <= float(row["alpha"]) <= 1.4 and 96 <= int(row["res"]) <= 224 for row in one)


def test_configurations_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "configs.csv"
    path.write_text("alpha,res\n0.75,128\n1,224\n")
    found = rows("mobilenet_v1", "--configs", str(path))
    assert [row["macs"] for row in found] == ["106002432", "567716352"]


def test_configurations_as_arrays() -> None:
    frame = mbprof.sweep(
        "mobilenet_v1", configs={"alpha": np.array([1, 0.75]), "res": np.array([224.0, 128.0])}
    )
    assert frame["macs"].tolist() == [567_716_352, 106_002_432]
    assert frame["res"].tolist() == [224, 128]


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ({"alpha": np.array([1, np.nan])}, "alpha is nan; it must be finite"),
        ({"alpha": np.array([1, -1.0])}, "alpha is -1.0; it must be above 0"),
        ({"res": np.array([1.5, 224])}, "res is 1.5; it must be a whole number, or HxW"),
        ({"classes": np.array([-1, 5])}, "classes is -1; it must be at least 0"),
        ({"alpha": ["a"]}, "alpha is a; it must be a number"),
        ({"alpha": [1.0], "res": [1, 2]}, "different lengths: alpha has 1, res has 2"),
    ],
)
def test_arrays_are_checked_as_values_are(configs: dict[str, Any], message: str) -> None:
    with pytest.raises(mbprof.MbprofError) as error:
        mbprof.sweep("mobilenet_v1", configs=configs)
    assert message in error.value.message


def test_where_keeps_what_the_condition_holds_for() -> None:
    condition = "macs <= 300e6 and (params < 2e6 or alpha == 1.0) and not res == 128"
    found = rows(
        "mobilenet_v1", "--alpha", "0.25:1.0:0.25", "--res", "128:224:32", "--where", condition
    )
    kept = [
        row
        for row in rows("mobilenet_v1", "--alpha", "0.25:1.0:0.25", "--res", "128:224:32")
        if int(row["macs"]) <= 300e6
        and (int(row["params"]) < 2e6 or row["alpha"] == "1.0")
        and row["res"] != "128"
    ]
    assert found == kept
    assert 0 < len(found) < 16


def test_where_sees_the_knobs_that_do_not_vary() -> None:
    ask = ("mobilenet_v1", "--alpha", "0.5,1.0", "--where")
    assert len(rows(*ask, "res == 224 and classes == 1000")) == 2
    assert rows(*ask, "res != 224") == []


@pytest.mark.parametrize(
    "condition",
    [
        "div8(params) > 3M and divisible(macs, 32, 8) % 32 == 0",
        "max(alpha, 0.6) * 10 < 7 or round(pow(alpha, 2) * 4) == 4",
        "(1 if res == 128 else 0) + int(alpha) > 0",
        "res % 64 == 0 and res // 2 > 70 and res == '192x192'",
        "not (macs <= 100M or params <= 1.3e6) == (res != 224)",
    ],
)
def test_where_asks_as_a_spec_does_and_columns_at_once(
    condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law of filters is in tests/independent/test_laws.py; here none is asked row by row."""
    frame = mbprof.sweep("mobilenet_v1", alpha=[0.25, 0.5, 0.75, 1.0], res=[128, 160, 192, 224])
    here = Loc(Source("condition", condition), 1, 1)
    expr = Expr.parse(Scalar(condition, here))
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    kept = [row for row in rows if expr.truth({**row, "res": (row["res"], row["res"])})]
    monkeypatch.setattr(Where, "_single", None)
    found = mbprof.sweep(
        "mobilenet_v1", alpha=[0.25, 0.5, 0.75, 1.0], res=[128, 160, 192, 224], where=condition
    )
    assert found.to_dict("records") == kept
    assert 0 < len(kept) < 16


def test_where_is_exact_beyond_64_bits() -> None:
    ask: dict[str, Any] = {"alpha": [1.0, 100.0], "res": [224, 4096]}
    assert len(mbprof.sweep("mobilenet_v1", **ask, where="macs * macs * macs > 0")) == 4
    assert len(mbprof.sweep("mobilenet_v1", **ask, where="macs * macs > 322301856336543000")) == 3
    assert len(mbprof.sweep("mobilenet_v1", **ask, where="macs * macs > 322301856336543744")) == 3
    below = mbprof.sweep("mobilenet_v1", **ask, where="macs * macs <= 322301856336543904")
    assert below["macs"].tolist() == [567_716_352]


def test_what_is_not_known_is_never_above_or_below() -> None:
    ask: dict[str, Any] = {"alpha": [0.5, 0.6], "res": [224], "accuracy": "default"}
    assert mbprof.sweep("mobilenet_v1", **ask)["top1"].isna().tolist() == [False, True]
    for condition in ("top1 > 0", "top1 < 100", "min(top1, 99) <= 99"):
        assert mbprof.sweep("mobilenet_v1", **ask, where=condition)["alpha"].tolist() == [0.5]
    assert mbprof.sweep("mobilenet_v1", **ask, where="top1 != top1")["alpha"].tolist() == [0.6]


def test_whole_numbers_have_an_end() -> None:
    with pytest.raises(mbprof.MbprofError, match="it must be at most 1,000,000"):
        mbprof.sweep("mobilenet_v1", classes=[10**20])


costs = st.integers(2, 9).flatmap(
    lambda most: st.lists(st.tuples(*[st.integers(0, most)] * 4), min_size=1, max_size=200)
)


@given(
    costs,
    st.sampled_from(
        ["a,b", "a,b:max", "a:max,b:max", "a,b,c", "a:max,b,c:max", "a,b,c,d", "a:max,b,c:max,d"]
    ),
    st.data(),
)
def test_the_front_is_what_no_other_row_beats(
    table: list[tuple[int, ...]], goals: str, data: st.DataObject
) -> None:
    front = Front.parse(goals, ["a", "b", "c", "d"])
    cut = data.draw(st.integers(0, len(table)))
    for part in (table[:cut], table[cut:]):
        if part:
            front.add({name: np.array([row[i] for row in part]) for i, name in enumerate("abcd")})
    signs = {name: -1 if most else 1 for name, most in front.goals}

    def cost(row: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sign * row["abcd".index(name)] for name, sign in signs.items())

    def beaten(row: tuple[int, ...]) -> bool:
        mine = cost(row)
        return any(
            all(x <= y for x, y in zip(cost(other), mine, strict=True)) and cost(other) != mine
            for other in table
        )

    expected = sorted(row for row in table if not beaten(row))
    found = zip(*(front.columns[name].tolist() for name in "abcd"), strict=True)
    assert sorted(found) == expected


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("shape", ["anywhere", "on a sphere"])
def test_a_front_of_many_rows_takes_no_two_seconds(width: int, shape: str) -> None:
    table = np.random.default_rng(width).random((width, 100_000))
    if shape == "on a sphere":  # no row beats another
        table /= np.sqrt((table * table).sum(axis=0))
    names = "abcd"[:width]
    front = Front.parse(",".join(names), names)

    def reduced() -> None:
        front.add(dict(zip(names, table, strict=True)))
        assert len(front.columns["a"]) > 50

    assert effort(reduced) < 2
    kept = front.columns["a"]
    assert len(kept) == 100_000 if shape == "on a sphere" else 50 < len(kept) < 1000


def test_a_front_compares_sizes_by_their_area() -> None:
    ask = ("mobilenet_v1", "--res", "96,64x128,160x100,128", "--pareto", "res:max,macs")
    assert [row["res"] for row in rows(*ask)] == ["96", "64x128", "128"]


def test_formats_hold_the_same_numbers(tmp_path: Path) -> None:
    import pandas

    ask = ("mobilenet_v1", "--alpha", "0.5,1.0", "--res", "128,224")
    expected = [(int(row["params"]), int(row["macs"])) for row in rows(*ask)]
    objects = json.loads(run(*ask, "--format", "json"))
    assert [(row["params"], row["macs"]) for row in objects] == expected
    path = tmp_path / "sweep.parquet"
    run(*ask, "--format", "parquet", "-o", str(path))
    frame = pandas.read_parquet(path)
    assert list(zip(frame["params"], frame["macs"], strict=True)) == expected
    for name in ("rich", "md", "html"):
        assert "567,716,352" in run(*ask, "--format", name)
    streamed = {name for name, written in SWEEPS.items() if written.layout == "data"}
    assert streamed == {"csv", "json", "parquet"}


def test_several_processes_give_the_same_rows(tmp_path: Path) -> None:
    ask = ["mobilenet_v2", "--alpha", "0.35:1.4", "--res", "96:224", "--random", str(3 * CHUNK)]
    paths = [tmp_path / f"{jobs}.csv" for jobs in (1, 2)]
    for jobs, path in zip((1, 2), paths, strict=True):
        run(*ask, "--format", "csv", "--jobs", str(jobs), "-o", str(path))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_interrupted_run_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    asked = ("sweep", "mobilenet_v2", "--alpha", "0.35:1.4", "--random", "50000000")
    with started(*MBPROF, *asked, "--format", "csv", "-o", str(path)) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130
    assert said == "interrupted; no file was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("old")

    class Full(io.TextIOWrapper):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "TextIOWrapper", Full)
    asked = ("sweep", "mobilenet_v1", "--alpha", "0.5", "--format", "csv", "-o", str(path))
    ended = invoke(*asked)
    assert (ended.out, " ".join(ended.err.split()), ended.status) == ("", FULL.format(path), 2)
    assert [each.name for each in tmp_path.iterdir()] == ["sweep.csv"]
    assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_small_file_system_that_fills_up(tmp_path: Path) -> None:
    if child("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)).status != 0:
        pytest.skip("mounting is not allowed here")
    try:
        asked = ("sweep", "mobilenet_v1", "--alpha", "0.1:1.0", "--random", "100000")
        path = tmp_path / "sweep.csv"
        ended = child(*MBPROF, *asked, "--format", "csv", "-o", str(path))
        assert (ended.out, " ".join(ended.err.split()), ended.status) == ("", FULL.format(path), 2)
        assert list(tmp_path.iterdir()) == []
    finally:
        assert child("umount", str(tmp_path)).status == 0


def test_an_empty_result_still_has_its_header() -> None:
    text = run("mobilenet_v1", "--alpha", "0.5", "--where", "macs < 0", "--format", "csv")
    assert text == "alpha,params,macs\n"
    assert (
        json.loads(run("mobilenet_v1", "--alpha", "0.5", "--where", "macs < 0", "--format", "json"))
        == []
    )


TWO = ("mobilenet_v2", "mobilenet_v3_large")


def test_several_specs_are_one_result_whose_rows_name_theirs() -> None:
    ask = ("--alpha", "0.75,1.0", "--res", "128,192", "--scope", "all")
    found = rows(*TWO, *ask)
    alone = [{"spec": name, **row} for name in TWO for row in rows(name, *ask)]
    assert found == alone
    assert list(found[0]) == ["spec", "alpha", "res", "params", "macs"]
    objects = json.loads(run(*TWO, *ask, "--format", "json"))
    assert [(each["spec"], each["stamp"]["spec"]) for each in objects] == [
        (name, name) for name in TWO for _ in range(4)
    ]
    assert rows(*TWO, *ask, "--jobs", "2") == found


def test_several_specs_are_counted_in_one_scope() -> None:
    """The spec of MobileNetV1 is of its body, that of V2 of all."""
    ask = ("mobilenet_v1", "mobilenet_v2", "--alpha", "1.0")
    counts = [(row["spec"], int(row["params"])) for row in rows(*ask)]
    assert counts == [("mobilenet_v1", 4_209_088), ("mobilenet_v2", 3_471_040)]


def test_a_front_of_several_specs_is_of_all_their_rows() -> None:
    ask = (*TWO, "--alpha", "0.75,1.0", "--res", "128,192")
    costs = [(int(row["params"]), int(row["macs"])) for row in rows(*ask)]
    front = [
        row
        for row in costs
        if not any(a <= row[0] and b <= row[1] and (a, b) != row for a, b in costs)
    ]
    found = rows(*ask, "--pareto", "params,macs")
    assert [(int(row["params"]), int(row["macs"])) for row in found] == front
    assert 0 < len(front) < len(costs)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            (*TWO, "--set", "min_depth=8,16"),
            "command line:1:17: error[knob]: mobilenet_v3_large has no knob 'min_depth'",
        ),
        (("vgg11", "vgg11", "--set", "classes=10,20"), "error[usage]: vgg11 is given twice"),
        ((*TWO, "--alpha", "1.0", "--sort", "size"), "error[usage]: unknown column 'size'"),
        ((*TWO, "--alpha", "1.0", "--top", "0"), "error[usage]: --top is 0; it must be at least 1"),
    ],
)
def test_what_several_specs_cannot_be_asked(ask: tuple[str, ...], message: str) -> None:
    ended = invoke("sweep", *ask)
    assert (ended.err.splitlines()[0], ended.status) == (message, 2)


def test_two_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("{name: net, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    files = [str(tmp_path / name) for name in ("a.yaml", "b.yaml")]
    assert [row["spec"] for row in rows(*files, "--res", "8")] == ["net", files[1]]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", None])), max_size=30),
    st.integers(1, 8),
    st.sampled_from(["n", "word"]),
    st.data(),
)
def test_the_first_rows_of_a_stream_are_those_of_the_whole(
    table: list[tuple[int, str | None]], top: int, by: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(table)))
    names = ("n", "word")
    chunks = [
        {"n": np.array([n for n, _ in part], dtype=np.int64), "word": words}
        for part in (table[:cut], table[cut:])
        for words in [np.array([word for _, word in part], dtype=object)]
    ]
    report = [dict(zip(names, row, strict=True)) for row in table]
    column = Column(by, by, "")
    kept = list(reduced(iter(chunks), None, column, top))
    found = [
        dict(zip(names, row, strict=True))
        for part in kept
        for row in zip(*(part[name].tolist() for name in names), strict=True)
    ]
    assert found == [report[number] for number in order(report, column, top)]


def test_a_stream_holds_no_more_than_the_rows_that_are_kept() -> None:
    held = []

    def chunks() -> Iterator[dict[str, Any]]:
        for start in range(0, 1000, 100):
            held.append(len(first.columns.get("n", ())))
            yield {"n": np.arange(start, start + 100)}

    first = First(Column("n", "n", ""), 3)
    for chunk in chunks():
        first.add(chunk)
    assert held == [0, *[3] * 9]
    assert first.columns["n"].tolist() == [999, 998, 997]


def test_the_first_rows_as_they_come_end_the_stream() -> None:
    taken = []

    def chunks() -> Iterator[dict[str, Any]]:
        for start in (0, 10, 20, 30):
            taken.append(start)
            yield {"n": np.arange(start, start + 10)}

    kept = list(reduced(chunks(), None, None, 12))
    assert [part["n"].tolist() for part in kept] == [[*range(10)], [10, 11]]
    assert taken == [0, 10]


def test_resolutions_are_sorted_by_their_area() -> None:
    ask = ("mobilenet_v1", "--res", "96,64x128,160x100,128", "--sort", "res")
    assert [row["res"] for row in rows(*ask)] == ["128", "160x100", "96", "64x128"]


def test_a_front_is_sorted_when_it_changes_and_not_for_every_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Front] = []
    rivals = Front._rivals

    def counted(rule: Front) -> list[tuple[Any, ...]]:
        asked.append(rule)
        return rivals(rule)

    monkeypatch.setattr(Front, "_rivals", counted)
    front = Front.parse("a,b", ["a", "b"])
    chunk = {"a": np.zeros(1000, dtype=int), "b": np.zeros(1000, dtype=int)}
    for _ in range(1000):  # equal rows stay, all of them
        front.add(chunk)
    assert len(front.columns["a"]) == 1_000_000
    assert len(asked) < 10


def test_a_sweep_without_an_axis_varies_what_a_space_chooses_from() -> None:
    frame = mbprof.sweep("nas_bench_201")
    assert len(frame.drop_duplicates()) == len(frame) == 5**6
    text = command("sweep", "ofa_mobilenet_v3", "--random", "1", "--format", "csv")
    ((*_, params, macs),) = rows = list(csv.reader(io.StringIO(text)))[1:]
    names = [k.name for k in mbprof.load("ofa_mobilenet_v3").definition.knobs.values() if k.one_of]
    knobs = dict(zip(names, map(int, rows[0]), strict=False))
    total = mbprof.load("ofa_mobilenet_v3").build(**knobs).profile().total
    assert (total.params, total.cost) == (int(params), int(macs))

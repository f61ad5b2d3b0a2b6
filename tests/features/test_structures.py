"""Structure as a knob: one build serves what knobs leave out, repeat or choose."""

import csv
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.errors import LimitError
from mbprof.network import many
from mbprof.network.many import Engine, counter, outputs
from mbprof.symbolic import trace
from tests.conftest import ROOT

CONVENTIONS = ("kernels", "fvcore", "ptflops", "torchinfo")


def costs(text: str, columns: dict[str, list[int]], convention: str) -> tuple[Engine, list[Any]]:
    """Return an engine that costed some configurations, and what each costs."""
    spec = mbprof.loads(text)
    count = len(next(iter(columns.values())))
    ranges = {name: (min(values), max(values)) for name, values in columns.items()}
    width = len(outputs(convention))
    count_of = counter(convention, "all")
    engine = Engine(spec.definition, spec.knobs, ranges, count_of, width, open=True)
    counted = engine.run({name: np.array(values) for name, values in columns.items()}, count)
    return engine, list(zip(*(column.tolist() for column in counted), strict=True))


def alone(text: str, columns: dict[str, list[int]], convention: str) -> list[Any]:
    """Return what each configuration costs, built by itself."""
    spec = mbprof.loads(text)
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    profiles = [spec.build(**row).profile(convention, scope="all") for row in rows]
    return [(profile.total.params, *profile.total.costs) for profile in profiles]


ROWS = {
    "left out": "{op: conv, k: 3, c: 12, bn: true, act: relu, when: a > 1}",
    "repeated": "{op: conv, k: 3, c: 12, n: b}",
    "repeated or left out": "{op: conv, k: 3, c: 12, n: b - 1}",
    "narrower if left out": "{op: conv, k: 1, c: 20, when: a == 2}",
    "smaller if there": "{op: maxpool, k: 2, when: a > 2}",
    "strides in its first": "{op: dwconv, k: 3, s: 2, n: b}",
    "a kernel": "{op: conv, k: 2 * a + 1, c: 12}",
    "alternatives": "{op: conv, k: 3 if a > 1 else 5, c: 8 if b > 1 else 16}",
    "two conditions": "{op: dwconv, k: 3, when: a > 1 and not b == 2}",
    "one of two": "{op: gn, g: 4, when: a == 1 or b == 1}",
    "a gate": "{op: gate, r: 4, on: a > 1}",
    "a shortcut": "{op: beside, c: 12, deep: b}",
    "steps again": "{repeat: b, body: [{op: conv, k: 1, c: 12}, {op: act, f: relu}]}",
    "a name": "{op: named, on: a > 1}",
}
BLOCKS = """
blocks:
  gate:
    takes: {r: 4, on: {type: flag}}
    body:
      - {op: gap, when: on}
      - {op: conv, k: 1, c: r, when: on}
      - {op: conv, k: 1, c: in.c, act: sigmoid, when: on}
      - {op: mul, in: [x, _], when: on}
  beside:
    takes: {c: {type: int}, deep: {type: int}}
    body:
      - {op: conv, k: 3, c: c, n: deep, out: y}
      - {op: conv, k: 1, c: c, in: x, when: in.c != c, out: skip}
      - {op: add, in: [y, skip]}
  named:
    takes: {on: {type: flag}}
    body:
      - {op: conv, k: 1, c: in.c, when: on, out: y}
      - {op: concat, in: [x, y]}
"""


def network(names: list[str]) -> str:
    """Return the text of a network of some rows."""
    body = "\n".join(f"  - {ROWS[name]}" for name in names)
    knobs = "knobs: {a: {default: 1, min: 1}, b: {default: 1, min: 1}}"
    start = "  - {op: conv, k: 3, c: 12, bn: true}"
    return f"name: made\ninput: {{res: 32}}\n{knobs}\n{BLOCKS}\nbody:\n{start}\n{body}\n"


GRID = {"a": [1, 1, 1, 2, 2, 2, 3, 3, 3], "b": [1, 2, 3, 1, 2, 3, 1, 2, 3]}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", ROWS)
def test_one_build_serves_every_structure(name: str, convention: str) -> None:
    engine, together = costs(network([name]), GRID, convention)
    assert together == alone(network([name]), GRID, convention)
    assert len(engine.paths) == 1


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(sorted(ROWS)), min_size=1, max_size=5), st.sampled_from(CONVENTIONS)
)
def test_rows_together_cost_what_they_cost_alone(names: list[str], convention: str) -> None:
    _, together = costs(network(names), GRID, convention)
    assert together == alone(network(names), GRID, convention)


def test_a_structure_that_makes_no_network_is_told_from_those_that_do() -> None:
    text = "name: t\ninput: {res: 8}\nknobs: {a: {default: 1, min: 1}}\nbody:\n"
    text += "  - {op: conv, k: 3, c: 4}\n  - {op: maxpool, k: 2, n: a}\n"
    assert costs(text, {"a": [3, 2]}, "kernels")[1] == alone(text, {"a": [3, 2]}, "kernels")
    with pytest.raises(mbprof.MbprofError) as single:
        mbprof.loads(text).build(a=4)
    with pytest.raises(mbprof.MbprofError) as together:
        costs(text, {"a": [3, 2, 4]}, "kernels")
    assert single.value.message == together.value.message


def test_more_networks_than_are_made_are_an_error_unless_a_part_is_asked_for() -> None:
    spec = mbprof.loads(network(["left out"])).definition
    knobs = {name: knob.default for name, knob in spec.knobs.items()}
    columns, whole = {"a": np.array([1, 2, 3])}, counter("kernels", "all")
    for partial in (False, True):
        errors = np.full(3, None, dtype=object)
        engine = Engine(spec, knobs, {"a": (1, 3)}, whole, 2, most=1, partial=partial)
        if partial:
            engine.run(columns, 3, errors)
            assert [error is None for error in errors] == [True, False, False]
            continue
        with pytest.raises(LimitError, match="more than 1 networks"):
            engine.run(columns, 3, errors)


def separate(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Return an engine that makes a network of each structure, and looks up which one that is."""
    monkeypatch.setattr(many, "FEW", 0)
    spec = mbprof.loads(network(["left out", "repeated", "a kernel"]))
    return Engine(
        spec.definition, spec.knobs, {"a": (1, 3), "b": (1, 3)}, counter("kernels", "all"), 2
    )


def test_a_configuration_goes_to_the_network_that_its_knobs_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, rows = separate(monkeypatch), 8 * 9
    columns = {name: np.array(8 * values) for name, values in GRID.items()}
    first = engine.run(columns, rows)
    runs = []
    serve = Engine.serve

    def noted(self: Engine, path: many.Path, columns: Any, *rest: Any) -> Any:
        runs.append((path, len(rest[1])))
        return serve(self, path, columns, *rest)

    monkeypatch.setattr(Engine, "serve", noted)
    again = engine.run(columns, rows)
    assert [column.tolist() for column in again] == [column.tolist() for column in first]
    expected = alone(network(["left out", "repeated", "a kernel"]), GRID, "kernels")
    assert list(zip(*(column.tolist() for column in again), strict=True)) == 8 * expected
    assert len(engine.paths) > 3
    assert sum(count for _, count in runs) == rows, "each is asked of one network"


def test_what_the_networks_of_a_sweep_may_take_is_bounded_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = separate(monkeypatch)
    engine.limit = 1
    with pytest.raises(LimitError) as error:
        engine.run({name: np.array(values) for name, values in GRID.items()}, len(GRID["a"]))
    assert error.value.message == (
        "the configurations make more than 1 different networks; to make them all takes too much "
        "time and memory"
    )
    assert error.value.hint == "let fewer knobs vary, or sweep their values part by part"


def test_a_space_of_45_knobs_is_one_build_and_equals_networks_that_were_measured() -> None:
    path = ROOT / "tests" / "independent" / "data" / "ofa_subnets.csv"
    with path.open(encoding="utf-8") as file:
        rows = [*csv.DictReader(line for line in file if not line.startswith("#"))]
    columns = {name: np.array([int(row[name]) for row in rows]) for name in rows[0]}
    measured = columns.pop("params").tolist(), columns.pop("macs").tolist()
    spec = mbprof.load("ofa_mobilenet_v3").definition
    ranges = {name: (int(column.min()), int(column.max()), 2 if name[0] == "k" else 1)
              for name, column in columns.items()}  # fmt: skip
    knobs = {name: knob.default for name, knob in spec.knobs.items()}
    engine = Engine(spec, knobs, ranges, lambda graph: _trained(graph.nodes), 2, open=True)
    counted = engine.run(columns, len(rows))
    assert tuple(column.tolist() for column in counted) == measured
    assert len(engine.paths) == 1


@pytest.mark.parametrize("space", ["attentive_nas", "fbnet", "proxyless_nas"])
def test_a_space_is_one_build_and_equals_networks_that_were_measured(space: str) -> None:
    path = ROOT / "tests" / "independent" / "data" / "space_networks.csv"
    with path.open(encoding="utf-8") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        rows = [row for row in table if row["space"] == space]
    spec = mbprof.load(space).definition
    knobs = {name: knob.default for name, knob in spec.knobs.items()}
    for row in rows:
        given = {name: int(value) for name, value in map(_pair, row["knobs"].split())}
        columns = {name: np.array([value]) for name, value in given.items()}
        ranges = {
            name: (32, 512, 32) if name == "res" else (*_ends(spec.knobs[name]), 1)
            for name in given
        }
        engine = Engine(spec, knobs, ranges, counter("kernels", "all"), 2, open=True)
        measured = [[int(row["params"])], [int(row["macs"])]]
        assert [column.tolist() for column in engine.run(columns, 1)] == measured, row


@pytest.mark.parametrize(
    "space", ["attentive_nas", "darts", "fbnet", "mnasnet_space", "proxyless_nas"]
)
def test_every_network_of_a_space_is_of_one_build(space: str) -> None:
    spec, rng = mbprof.load(space).definition, np.random.default_rng(7)
    chosen = {name: knob.one_of for name, knob in spec.knobs.items() if knob.one_of}
    columns = {name: rng.choice(np.array(values), 40) for name, values in chosen.items()}
    ranges = {name: (*_ends(spec.knobs[name]), 1) for name in chosen}
    knobs = {name: knob.default for name, knob in spec.knobs.items()}
    engine = Engine(spec, knobs, ranges, counter("kernels", "all"), 2, open=True)
    counts = engine.run(columns, 40)
    assert len(engine.paths) == 1
    for row in range(0, 40, 8):
        given = {name: column[row].item() for name, column in columns.items()}
        total = mbprof.table(mbprof.load(space), **given).total
        assert [column[row].item() for column in counts] == [total.params, total.cost]


OPERATIONS = """
name: net
input: {channels: 4, res: 16}
padding: torch
knobs:
  o: {default: 1, one_of: [1, 2, 3]}
  p: {default: 1, one_of: [1, 2]}
blocks:
  pick:
    inputs: [x, y]
    takes: {second: flag}
    body: [{op: identity, in: y, when: second}]
  edge:
    takes: {s: int}
    body:
      - {op: maxpool, k: 3, s: s, p: 1, when: o == 1}
      - {op: avgpool, k: 3, s: s, p: 1, when: o == 2}
      - {op: conv, k: 3, s: s, c: in.c, when: o == 3}
body:
  - {op: conv, k: 1, c: 8, out: a}
  - {op: conv, k: 3, s: 2, c: 8, out: b}
  - {op: pick, in: [a, b], second: p == 2, out: d}
  - {op: edge, in: d, s: 2 if p == 1 else 1}
  - {op: add, in: [_, b]}
"""


def test_one_of_several_operations_that_stride_is_taken_in_one_build() -> None:
    """All give the same shape, whichever it is, from either of two maps."""
    spec = mbprof.loads(OPERATIONS)
    columns = {"o": np.array([1, 2, 3, 1, 2, 3]), "p": np.array([1, 1, 1, 2, 2, 2])}
    engine = Engine(
        spec.definition, spec.knobs, {"o": (1, 3), "p": (1, 2)}, counter("kernels", "all"), 2,
        open=True,
    )  # fmt: skip
    counts = [column.tolist() for column in engine.run(columns, 6)]
    assert len(engine.paths) == 1
    assert list(zip(*counts, strict=True)) == [
        tuple(spec.build(o=o, p=p).profile("kernels", "all").total[:2])
        for o, p in zip(columns["o"].tolist(), columns["p"].tolist(), strict=True)
    ]


def test_where_it_is_too_much_to_leave_open_what_is_there_each_network_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "MAX_TERMS", 2_650)
    engine = separate(monkeypatch)
    engine.open = True
    counts = engine.run({name: np.array(values) for name, values in GRID.items()}, len(GRID["a"]))
    assert not engine.open
    expected = alone(network(["left out", "repeated", "a kernel"]), GRID, "kernels")
    assert list(zip(*(column.tolist() for column in counts), strict=True)) == expected


def test_cells_of_darts_are_those_of_its_code() -> None:
    path = ROOT / "tests" / "independent" / "data" / "space_networks.csv"
    with path.open(encoding="utf-8") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        rows = [row for row in table if row["space"] == "darts"]
    assert rows
    for row in rows:
        given: Any = {name: int(value) for name, value in map(_pair, row["knobs"].split())}
        total = mbprof.table(mbprof.load("darts"), scope="all", **given).total
        assert (total.params, total.cost) == (int(row["params"]), int(row["macs"]))


def test_the_space_of_mnasnet_holds_mobilenet_v2_and_what_a_gate_adds() -> None:
    default = mbprof.table(mbprof.load("mnasnet_space"), scope="all").total
    named = mbprof.table(mbprof.load("mobilenet_v2@torchvision"), scope="all").total
    assert (default.params, default.cost) == (named.params, named.cost)
    # MnasNet-A1, but for its fifth block, whose 112 channels are no choice of 96.
    a1: Any = {"o2": 4, "n2": 2, "o3": 3, "k3": 5, "r3": 4, "f3": 1.25, "n3": 3, "f4": 1.25,
          "n4": 4,
          "r5": 4, "n5": 2, "k6": 5, "r6": 4, "n6": 3}  # fmt: skip
    text = "name: a1\nextend: mnasnet\nbody: {rows: {5: {c: 96}}}\n"
    ours = mbprof.table(mbprof.load("mnasnet_space"), scope="all", **a1).total
    theirs = mbprof.table(mbprof.loads(text), scope="all").total
    assert (ours.params, ours.cost) == (theirs.params, theirs.cost)


def _ends(knob: Any) -> tuple[int, int]:
    return min(knob.one_of), max(knob.one_of)


def _pair(text: str) -> list[str]:
    return text.split("=")


def _trained(nodes: Any) -> tuple[Any, Any]:
    from mbprof.ops.base import total

    facts = total(node.facts for node in nodes)
    return facts.trainable, facts.mac

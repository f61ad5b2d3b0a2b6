"""Branches, rows and names that a condition leaves out."""

import pytest

import mbprof
from mbprof import MbprofError

HEAD = "name: net\ninput: {channels: 16, res: 8}\npadding: torch\n"
REP = """
knobs: {deployed: {default: false}, n: {default: 1, min: 0}}
defaults: {conv: {bn: true}}
blocks:
  rep:
    takes: {c: int, s: 1}
    body:
      - branches:
          - {n: n, rows: [{op: conv, k: 3, c: c, s: s, p: 1}]}
          - {when: not deployed, rows: [{op: conv, k: 1, c: c, s: s}]}
          - {when: not deployed and s == 1 and in.c == c, rows: [{op: bn}]}
        join: add
        act: relu
body:
  - {op: rep, c: 32, s: 2}
  - {op: rep, c: 32}
"""


def ops(text: str, **knobs: object) -> list[str]:
    network = mbprof.loads(HEAD + text).build(**knobs)  # type: ignore[arg-type]
    return [row.op for row in network.profile(scope="all").rows]


def costs(text: str, **knobs: object) -> tuple[int, int]:
    total = mbprof.loads(HEAD + text).build(**knobs).profile(scope="all").total  # type: ignore[arg-type]
    return total.params, total.cost


def test_a_branch_is_there_as_often_and_where_it_says() -> None:
    train = ops(REP)
    assert train == ["conv", "conv", "add", "conv", "conv", "bn", "add"]
    assert ops(REP, n=3)[:5] == ["conv", "conv", "conv", "conv", "add"]
    assert costs(REP, n=3)[0] - costs(REP)[0] == 2 * (9 * 16 * 32 + 9 * 32 * 32)


def test_a_join_of_one_is_none_and_what_follows_it_stays() -> None:
    assert ops(REP, deployed=True) == ["conv", "act", "conv", "act"]
    assert ops(REP, deployed=True, n=0) == ["act", "act"]
    plain = "body:\n  - {op: conv, k: 3, c: 32, p: 1, s: 2, act: relu}\n"
    plain += "  - {op: conv, k: 3, c: 32, p: 1, act: relu}\n"
    assert costs(REP, deployed=True) == costs(plain)


def test_a_sweep_of_branches_is_each_run() -> None:
    spec = mbprof.loads(HEAD + REP)
    frame = mbprof.sweep(spec, n=[0, 1, 2, 5], deployed=[False, True], res=[8, 9])
    for row in frame.itertuples():
        knobs = {"n": row.n, "deployed": row.deployed, "res": row.res}
        assert (row.params, row.macs) == costs(REP, **knobs)


def test_a_name_taken_inside_a_path_is_used() -> None:
    row = "  - {op: conv, k: 1, c: 8, out: early}\n"
    inside = "  - {branches: [[{op: identity, in: early}], [{op: conv, k: 1, c: 8}]], join: add}\n"
    aside = "  - {side: [{op: gap, in: early}, {op: linear, c: 2}]}\n  - {op: conv, k: 1, c: 8}\n"
    nested = "  - {branches: [[{branches: [[{op: identity, in: early}], []], join: add}], []],"
    assert len(ops(f"body:\n{row}{inside}")) == 4
    assert "linear" in ops(f"body:\n{row}{aside}")
    assert ops(f"body:\n{row}{nested} join: add}}\n")[-1] == "add"


SHORT = """
knobs: {short: {default: true}}
body:
  - {op: conv, k: 1, c: 16, out: early, when: short}
  - {op: conv, k: 1, c: 16}
  - {op: add, in: [_, early], out: sum, when: short}
  - {op: conv, k: 1, c: 4, in: sum}
"""


def test_what_is_left_out_under_one_condition_is_no_error() -> None:
    assert ops(SHORT) == ["conv", "conv", "add", "conv"]
    assert ops(SHORT, short=False) == ["conv", "conv"]


def test_a_row_left_out_hands_on_the_previous_output() -> None:
    head = "knobs: {on: true}\nbody:\n  - {op: conv, k: 1, c: 4, out: a}\n"
    rows = head + "  - {op: conv, k: 1, c: 8, out: b}\n  - {op: concat, in: [a, b], when: on}\n"
    last = "  - {op: conv, k: 1, c: 2}\n"
    assert costs(rows + last)[0] - costs(rows + last, on=False)[0] == (4 + 8) * 2 - 8 * 2
    named = (
        rows.replace("when: on", "out: both, when: on") + "  - {op: conv, k: 1, c: 2, in: both}\n"
    )
    # Under its own name it is its first input, as the previous output is none of its inputs.
    text = named.replace("in: [a, b]", "in: [b, a]")
    assert costs(text)[0] - costs(text, on=False)[0] == (4 + 8) * 2 - 8 * 2


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ("[[]]", "branches needs at least two of them"),
        ("[[], {rows: [], time: 2}]", "a branch has no key 'time'"),
        ("[[], {n: -1, rows: []}]", "-1 is too small; the least is 0"),
        ("[[], {when: 3, rows: []}]", "expected true or false, found 3"),
    ],
)
def test_what_is_no_branch_is_said(branches: str, message: str) -> None:
    with pytest.raises(MbprofError) as error:
        ops(f"body:\n  - {{op: conv, k: 1, c: 16}}\n  - {{branches: {branches}, join: add}}\n")
    assert error.value.message == message
    assert error.value.loc is not None

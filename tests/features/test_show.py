"""How `mbprof show` explains a spec and draws the wiring of its blocks."""

import mbprof
from mbprof.pages.spec import spec_report
from mbprof.pages.wiring import draw, wires

HEAD = "name: net\ninput: {channels: 16, res: 32}\n"


def drawn(block: str) -> list[str]:
    text = f"{HEAD}blocks:\n  unit:\n{block}\nbody: [{{op: unit}}]\n"
    unit = mbprof.loads(text).definition.blocks["unit"]
    return [line.rstrip() for line in draw(wires(unit.body, unit.inputs))]


def test_one_step_behind_the_other() -> None:
    assert drawn("    body: [{op: conv, k: 1, c: 8}, {op: gap}]") == ["●", "●", "●"]


def test_a_shortcut_around_two_steps() -> None:
    block = "    body: [{op: conv, k: 1, c: 8}, {op: conv, k: 1, c: 16}, {op: add, in: [x, _]}]"
    assert drawn(block) == ["●", "├─●", "│ ●", "●─╯"]


def test_a_projection_in_the_shortcut() -> None:
    block = """
    body:
      - {op: conv, k: 1, c: 8, out: main}
      - {op: conv, k: 1, c: 8, in: x, out: short}
      - {op: add, in: [main, short]}"""
    assert drawn(block) == ["●", "├─●", "● │", "●─╯"]


def test_a_split_and_a_concatenation() -> None:
    block = """
    body:
      - {op: split, out: [left, right]}
      - {op: conv, k: 1, c: 8, in: right}
      - {op: concat, in: [left, _]}"""
    assert drawn(block) == ["●", "●─╮", "│ ●", "●─╯"]


def test_branches() -> None:
    block = """
    body:
      - join: concat
        branches:
          - [{op: conv, k: 1, c: 8}]
          - [{op: conv, k: 1, c: 8}, {op: conv, k: 3, c: 8}]
          - []
      - {op: gap}"""
    assert drawn(block) == ["●", "├─●", "├─┼─●", "│ │ ●", "●─┴─╯", "●"]


def test_a_side_path_and_repeats() -> None:
    block = """
    body:
      - {side: [{op: gap}]}
      - {repeat: 2, body: [{op: conv, k: 1, c: 16}]}
      - {op: add, in: [x, _]}"""
    assert drawn(block) == ["●", "├─●", "├─●", "│ ●", "●─╯"]


def test_every_construct_is_explained() -> None:
    text = (
        HEAD
        + """
knobs: {alpha: {default: 1.0, above: 0, doc: width}, what: unit}
width: {c: int(alpha * c)}
blocks:
  unit:
    doc: a unit
    source: a figure
    takes: {c: {type: int, doc: channels}, act: relu}
    body:
      - {op: conv, k: [1, 3], c: c, act: $act, out: one}
      - {op: conv, k: 1, c: c, in: x, out: two, when: c > 4}
      - {op: add, in: [one, two]}
body:
  names: "row{i}"
  rows:
    - {op: unit, c: 16, n: 2}
    - {op: $what, c: 16}
    - {branches: [[{op: conv, k: 1, c: 16}], []], join: add, act: relu6}
    - {repeat: 2, dense: true, body: [{op: conv, k: 1, c: 4, bn: true}]}
    - {columns: [op, k, c], rows: [[conv, 3, 8]]}
    - {op: conv, k: 1, c: 8, width: c, name: last}
head:
  - {op: gap}
"""
    )
    report = spec_report(mbprof.loads(text).build())
    shown = " ".join((report.text or "").split())
    for part in (
        "knobs res 32",
        "alpha 1.0 above 0 width",
        "width rule, for the rows of body and head c -> int(alpha * c)",
        "unit(c, act = relu) a unit a figure c channels",
        "├─● conv c=c k=[1, 3] + $act out one",
        "● │ conv c=c k=1 in x; out two; when c > 4",
        "●─╯ add in one, two",
        "body, named row{i}",
        "unit c=16 n=2",
        "$what",
        "add of 2 branches + relu6",
        "repeat 2 times, dense",
        "conv c=4 k=1 + bn",
        "width c -> c; as last",
    ):
        assert part in shown, part
    assert report.data["blocks"]["unit"]["takes"] == ["c", "act"]
    assert report.data["knobs"]["alpha"]["range"] == "above 0"

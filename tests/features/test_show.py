"""How `mbprof show` explains a spec and draws the wiring of its blocks."""

import json

import mbprof
from mbprof.pages.wiring import draw, wires
from mbprof.pages.zoo import spec_report
from mbprof.spec import zoo
from tests.conftest import invoke, run

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
    report = spec_report(mbprof.loads(text))
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


def test_a_block_is_explained_with_its_cost() -> None:
    text = run("show", "inv_res")
    for line in (
        "  at     in 56x56x24, c 24",
        "  cost   4 layers, 8,208 params, 25,740,288 MACs",
        "      arXiv:1801.04381, figure 4d",
    ):
        assert line in text.splitlines()
    assert "●─╯  add" in text
    asked = json.loads(run("show", "inv_res", "--in", "28x28x32", "--set", "t=1", "--set", "c=64",
                           "--set", "s=2", "--format", "json"))  # fmt: skip
    # 14x14 positions: 9 taps for each of 32 maps, then 32 x 64 products.
    assert (asked["params"], asked["macs"]) == (9 * 32 + 32 * 64, 196 * (9 * 32 + 32 * 64))
    assert asked["takes"]["s"] == {"default": "1", "doc": "stride of the depthwise convolution"}


def test_a_block_of_a_spec_is_explained() -> None:
    text = run("show", "mobilenet_v1:dw_sep", "--in", "7x7x8", "--set", "c=16")
    assert "7x7x8, k 3, s 1, c 16" in text


def test_a_network_is_explained_at_the_knobs_given() -> None:
    text = run("show", "mobilenet_v1", "--alpha", "0.5", "--convention", "stored")
    total = mbprof.load("mobilenet_v1").build(alpha=0.5).profile("stored").totals["body"]
    assert f"27 layers, {total.params:,} params, {total.cost:,} MACs\n" in text
    refused = invoke("show", "mobilenet_v1", "--in", "7x7x8")
    assert refused.err.startswith("error[usage]: --in gives a block its input; a spec has its own")


def test_the_block_library_is_listed() -> None:
    found = json.loads(run("list", "--blocks", "--format", "json"))
    assert [block["name"] for block in found] == zoo.block_names()
    for entry in found:
        total = mbprof.block(entry["name"]).profile().total
        assert (entry["params"], entry["macs"]) == (total.params, total.cost)
        assert entry["doc"]
        assert entry["source"]
    (block,) = json.loads(run("list", "inv_res", "--blocks", "--format", "json"))
    assert block["arguments"] == ["k", "t", "divisor", "e", "c", "s", "expand", "residual"]
    refused = invoke("list", "inv_rez", "--blocks")
    assert refused.err == (
        "error[usage]: no block's name or meaning holds 'inv_rez'\n"
        "  hint: did you mean 'inv_res'?\n"
    )


def test_the_zoo_is_listed_by_other_conventions() -> None:
    ask = ("v1_cifar", "--convention", "thop", "--scope", "all", "--format", "json")
    (entry,) = json.loads(run("list", *ask))
    total = mbprof.load("mobilenet_v1_cifar").build().profile("thop", "all").total
    assert (entry["params"], entry["macs"]) == (total.params, total.cost)
    assert (entry["convention"], entry["scope"]) == ("thop", "all")
    refused = invoke("list", "--blocks", "--scope", "all")
    assert refused.err == "error[usage]: a block has no scope\n  hint: leave --scope out\n"


def test_the_cost_of_what_is_published_is_counted_by_other_conventions() -> None:
    ask = ("mobilenet_v1", "--convention", "fvcore", "--scope", "body", "--top", "1")
    (row,) = json.loads(run("accuracy", *ask, "--format", "json"))
    at = {"alpha": row["alpha"], "res": row["resolution"]}
    total = mbprof.load("mobilenet_v1").build(**at).profile("fvcore", "body").total
    assert (row["params"], row["macs"]) == (total.params, total.cost)
    assert (row["convention"], row["scope"]) == ("fvcore", "body")

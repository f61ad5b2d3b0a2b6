"""What the playground asks of mbprof, without a browser: texts and settings to plain data."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.pages import live
from mbprof.spec import zoo
from tests.conftest import child

SMALL = "name: a\ninput: {res: 8}\nbody:\n  - {op: conv, k: 3, c: 4}\n  - {op: conv, k: 1, c: 2}\n"
ABSENT = ("numpy", "pandas", "matplotlib", "networkx", "rich", "typer", "watchfiles")
MORE: dict[str, dict[str, Any]] = {
    "number": {"asked": "578.88M"},
    "changes": {"before": SMALL},
    "document": {"format": "md"},
    "grid": {"alphas": ["0.5"], "sides": ["64"]},
}


def test_a_table_is_that_of_the_command() -> None:
    text = live.text_of("mobilenet_v1")
    found = live.answer("table", text, {"alpha": "0.75", "res": "128"})
    expected = mbprof.load("mobilenet_v1").build(alpha=0.75, res=128).profile()
    assert found["total"]["params"] == "1,800,144"
    assert found["total"]["cost"] == "106,002,432"
    rows = [
        (row["name"], row["numbers"]["params"], row["numbers"]["cost"]) for row in found["rows"]
    ]
    assert rows == [(row.name, row.params, row.cost) for row in expected.rows]
    # The row of the body, and the step of the block that it calls.
    lines = text.splitlines()
    first, last = found["rows"][1]["lines"]
    assert lines[first - 1].strip() == "- [dw_sep, 3, 1, 64]"
    assert lines[last - 1].strip().startswith("- {op: dwconv")


def test_an_error_has_its_place_and_its_hint() -> None:
    error = live.answer("table", SMALL.replace("k: 3", "q: 3"), {})["error"]
    assert (error["line"], error["column"], error["code"]) == (4, 16, "spec")
    for given in ({"alpha": "1"}, {"res": "x"}):
        error = live.answer("table", SMALL, given)["error"]
        assert error["line"] is None
        assert error["code"] == "knob"


def test_a_block_stands_alone_and_a_preset_is_extended() -> None:
    assert live.answer("table", live.text_of("inv_res"), {})["total"]["params"] == "8,208"
    found = live.answer("table", live.text_of("resnet50"), {})["total"]
    assert found["params"] == f"{mbprof.load('resnet50').build().profile().total.params:,}"
    with pytest.raises(mbprof.MbprofError, match="did you mean 'resnet50'"):
        live.text_of("resnet500")


def test_no_text_names_a_file_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SMALL, encoding="utf-8")
    error = live.answer("table", f"name: b\nextend: {tmp_path}/other.yaml\n", {})["error"]
    assert error["line"] == 2
    with pytest.raises(mbprof.MbprofError):
        live.text_of("../README")


def test_a_graph_has_every_layer_and_what_it_takes() -> None:
    found = live.answer("graph", live.text_of("mobilenet_v2"), {})
    names = {node["id"]: node["name"] for node in found["nodes"]}
    takes = [
        names[edge["from"]] for edge in found["edges"] if names[edge["to"]] == "layer_4/project"
    ]
    assert takes == ["layer_4/depthwise"]
    assert len({node["block"] for node in found["nodes"]}) < len(found["nodes"])


def test_names_that_act_or_hide_are_shown_as_their_code_points() -> None:
    text = SMALL.replace("c: 4", 'c: 4, name: "<b>\\u202ex"')
    error = live.answer("table", text, {})
    assert "\u202e" not in json.dumps(error, ensure_ascii=False)
    text = SMALL.replace("c: 4", "c: 4, name: '<b>x'")
    assert live.answer("table", text, {})["rows"][0]["name"] == "<b>x"
    assert "\\<b" in live.answer("document", text, {}, format="md")["text"]


def test_a_difference_is_against_the_text_as_it_was_loaded() -> None:
    found = live.answer("changes", SMALL.replace("c: 4", "c: 8"), {}, before=SMALL)
    assert found["lead"][0].startswith("params: 116 → 232")


def test_a_published_series_stands_beside_the_network() -> None:
    found = live.answer("plane", live.text_of("mobilenet_v1"), {"alpha": "0.5"})
    assert {"alpha": 1.0, "res": "224×224"}.items() <= found["own"][0].items()
    assert found["here"]["macs"] < found["own"][0]["macs"]
    assert live.answer("plane", SMALL, {})["own"] == []


def test_too_large_a_grid_is_refused() -> None:
    sides = [str(side) for side in range(32, 160)]
    assert (
        "configurations"
        in live.answer("grid", SMALL, {}, alphas=[], sides=sides)["error"]["message"]
    )


@pytest.mark.parametrize("view", sorted(live.VIEWS))
@pytest.mark.parametrize(
    "text", ["", "- 1", "name: [", "\0", "{}", "name: x\nextend: x\n", "a: &b 1"]
)
def test_no_text_breaks_a_view(view: str, text: str) -> None:
    assert set(live.answer(view, text, {}, **MORE.get(view, {}))) == {"error"}


PROGRAM = """
import json, sys
for name in {absent}: sys.modules[name] = None
from mbprof.pages import live
found = {{}}
for name in {names}:
    for view in live.VIEWS:
        question = {{"view": view, "text": live.text_of(name), "given": {{}}}}
        question |= {more}.get(view, {{}})
        answer = json.loads(live.asked(json.dumps(question)))
        found[f"{{name}} {{view}}"] = "error" in answer
for offer in live.OFFERS:
    live.asked(json.dumps({{"view": offer, **({{"name": "vit"}} if offer == "text_of" else {{}})}}))
wrong = {small!r}.replace("k: 3", "k: 9, p: valid")
found["hint"] = live.answer("table", wrong, {{}})["error"]["message"]
print(json.dumps(found))
"""


def test_every_view_needs_no_library_but_the_yaml_reader() -> None:
    names = ("mobilenet_v1", "vit", "densenet", "inv_res")
    program = PROGRAM.format(absent=ABSENT, names=names, more=MORE, small=SMALL)
    ended = child(sys.executable, "-c", program)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert "9" in found.pop("hint")
    assert [name for name, error in found.items() if error] == []


SAME = """
import json, sys
for name in {absent}: sys.modules[name] = None
from mbprof.pages import live
ask = lambda name, view, more: live.answer(view, live.text_of(name), {{}}, **more)
print(json.dumps([ask(*each) for each in {asked}]))
"""


def test_numbers_and_sizes_are_those_of_the_command_without_numpy() -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("mobilenet_v1", "number", {"asked": "14153119"}),
        ("shufflenet_v2", "number", {"asked": "146M"}),
        ("mobilenet_v1", "findings", {}),
        ("shufflenet_v2", "findings", {}),
        ("vit", "findings", {}),
        ("unet", "findings", {}),
    ]
    ended = child(sys.executable, "-c", SAME.format(absent=ABSENT, asked=asked))
    assert ended.status == 0, ended.err
    expected = [live.answer(view, live.text_of(name), {}, **more) for name, view, more in asked]
    assert json.loads(ended.out) == json.loads(json.dumps(expected))
    assert "alpha 0.35, res 96" in expected[0]["title"] + json.dumps(expected[0]["rows"])
    assert "at least 188" in expected[-1]["sizes"]


def test_every_network_and_block_has_a_text() -> None:
    for name in (*zoo.names()[::40], *zoo.block_names()[::10]):
        assert "error" not in live.answer("table", live.text_of(name), {}), name

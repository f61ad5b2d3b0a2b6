"""Foreign networks as drafts: the flat spec that they make, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import ExchangeError
from mbprof.exchange.draft import Draft
from mbprof.ops import OPS as REGISTRY
from tests.conftest import invoke

OPS: dict[str, Any] = dict(REGISTRY)
STEM = OPS["conv"](channels=8, kernel=(3, 3), stride=(2, 2), padding=(0, 1, 0, 1))


def draft() -> Draft:
    """Return a stem with norm and activation, a shortcut, two halves and an op without a rule."""
    made = Draft("Tiny-Net", "made by hand")
    made.image("pixels", (3, 32, 32))
    made.add(STEM, ["pixels"], ["a"], ((8, 16, 16),), "stem")
    made.add(OPS["bn"](), ["a"], ["b"], ((8, 16, 16),), "stem.bn", call="FrozenBatchNorm2d")
    made.add(OPS["act"](function="relu"), ["b"], ["c"], ((8, 16, 16),), "stem.act")
    made.add(
        OPS["dwconv"](kernel=(3, 3), padding=1 * (1, 1, 1, 1)), ["c"], ["d"], (((8, 16, 16)),), "dw"
    )
    made.add(OPS["add"](), ["c", "d"], ["e"], ((8, 16, 16),), "add")
    made.add(OPS["split"](), ["e"], ["f", "g"], ((4, 16, 16), (4, 16, 16)), "halves")
    made.add(OPS["gap"](), ["f"], ["nobody"], ((4, 1, 1),), "dead")
    made.unknown("TopK", ["g"], ["h", "i"], ((4, 2), (4, 2)), "top{k}")
    made.output("h", "values")
    return made


def test_a_draft_is_a_flat_spec_whose_followers_are_keys_and_whose_dead_ends_are_gone() -> None:
    assert draft().text().splitlines() == [
        "name: tiny_net",
        'source: "made by hand"',
        "input: {channels: 3, res: 32}",
        "calls:",
        '  bn: {"*": FrozenBatchNorm2d}',
        "body:",
        "  - {op: conv, c: 8, k: 3, s: 2, p: [0, 1, 0, 1], bn: true, act: relu, "
        "out: t1, name: stem}",
        "  - {op: dwconv, k: 3, p: 1, name: dw}",
        "  - {op: add, in: [t1, _], name: add}",
        "  - {op: split, keep: 1, name: halves}",
        "  - {op: unknown, kind: TopK, shape: [[4, 2]], name: top_k_}",
    ]


def test_what_has_no_rule_makes_the_total_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(draft().text(), encoding="utf-8")
    note = "The total is incomplete; it lacks 1 op whose cost is not known: TopK 1."
    assert note in " ".join(invoke("table", str(path)).out.split())
    said = json.loads(invoke("table", str(path), "--format", "json").out)
    assert said["incomplete"] == {"TopK": 1}
    assert said["total"]["params"] == 3 * 9 * 8 + 8 * 9
    assert mbprof.table(path).profile.brief.endswith("MACs, incomplete")
    assert "incomplete" not in mbprof.table("mobilenet_v1").to_dict()


def test_a_draft_of_several_inputs_and_results_names_them() -> None:
    made = Draft("two", "made by hand")
    made.image("a:0", (3, 8, 8), "in")
    made.image("b:0", (5, 4), "b")
    made.add(OPS["flatten"](), ["a:0"], ["c"], ((192,),), "flat")
    made.add(OPS["linear"](channels=4), ["b:0"], ["d"], ((5, 4),), "fc", share="w")
    made.add(OPS["linear"](channels=4), ["d"], ["e"], ((5, 4),), "fc", share="w")
    made.output("c")
    made.output("e")
    network = mbprof.loads(made.text()).build()
    assert [*network.output_shapes.values()] == [(192,), (5, 4)]
    assert network.profile().total.params == 16
    assert network.compiled.images[0].name == "input_1"


def test_a_wrong_translation_is_never_silent() -> None:
    made = Draft("net", "net.onnx")
    made.image("x", (3, 8, 8))
    with pytest.raises(ExchangeError, match=r"stem makes 8×4×4 as conv, and 8×5×5 in the file"):
        made.add(STEM, ["x"], ["y"], ((8, 5, 5),), "stem")
    with pytest.raises(ExchangeError, match="nothing makes the tensor 'z'"):
        made.add(STEM, ["z"], ["y"], ((8, 5, 5),), "stem")
    with pytest.raises(ExchangeError, match="no op leads"):
        made.text()


def test_names_are_kept_where_the_language_lets_them_and_are_each_there_once() -> None:
    made = Draft("1", "x")
    made.image("x", (3, 8, 8))
    for tensor, name in zip("abcd", ["é: {n}\n", "same", "same", ""], strict=True):
        made.add(OPS["act"](function="relu"), ["x"], [tensor], ((3, 8, 8),), name)
        made.output(tensor)
    names = [row.name for row in mbprof.loads(made.text()).build().profile().rows]
    assert names == ["é: _n__", "same", "same_2", "act"]

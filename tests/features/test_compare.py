"""Networks side by side, and what changed between two."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.compare.diff import folded
from mbprof.errors import UsageError
from mbprof.network.measures import traffics
from mbprof.output import REPORTS, render
from tests.conftest import loaded_by, run
from tests.test_structure import HEAVY

PAIRS = [
    ("mobilenet_v1", "mobilenet_v2"),
    ("mobilenet_v1", "mobilenet_v1@keras"),
    ("mobilenet_v3_small", "mobilenet_v3_small_minimalistic"),
    ("resnet50", "resnet50_v2"),
    ("shufflenet_v2", "squeezenet"),
    ("inception_v3", "densenet121"),
    ("efficientnet_b0", "efficientnet_b1"),
]


def built(name: str, **knobs: Any) -> mbprof.Network:
    return mbprof.load(name).build(**knobs)


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("by", ["block", "stage", "layer", "op"])
def test_the_rows_of_each_network_add_up(one: str, other: str, by: str) -> None:
    found = mbprof.compare(built(one), built(other), by=by)
    for number, profile in enumerate(found.profiles):
        rows = [line.rows[number] for line in found.aligned]
        assert sum(row.cost for row in rows if row) == profile.total.cost
        assert sum(row.params for row in rows if row) == profile.total.params
        made = traffics(profile.graph) if profile.graph else {}
        expected = sum(made[row.name].activations for row in profile.rows)
        assert sum(row.activations for row in rows if row) == expected


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_blocks_of_other_names_share_a_size(one: str, other: str) -> None:
    first, second = built(one), built(other)
    found = mbprof.compare(first, second)
    for line in found.aligned:
        if None in line.rows or line.name:
            continue
        heights = [
            round(network.compiled.image[1] / row.out_shape[1], 0) if len(row.out_shape) == 3 else 0
            for network, row in zip((first, second), line.rows, strict=True)
            if row is not None
        ]
        if min(heights) > 0 and max(heights) < 100:
            assert max(heights) / min(heights) < 1.5


def test_activations_stand_side_by_side_where_they_are_asked_for() -> None:
    arguments = "compare", "mobilenet_v1", "mobilenet_v2", "--format", "csv"
    both = run(*arguments, "--columns", "name,activations").splitlines()
    assert both[0] == "name_A,name_B,activations_A,activations_B"
    assert "activations" not in run(*arguments).splitlines()[0]
    more = run("diff", "mobilenet_v1", "mobilenet_v2", "--columns", "name,activations")
    assert "| **total** | **+1,635,425** |" in more  # 6,679,113 less 5,043,688


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("by", ["layer", "block"])
def test_changes_add_up_and_mirror(one: str, other: str, by: str) -> None:
    there = mbprof.diff(built(one), built(other), by=by, convention="kernels")
    back = mbprof.diff(built(other), built(one), by=by, convention="kernels")
    assert sum(change.cost for change in there.changes) == there.cost
    assert sum(change.params for change in there.changes) == there.params
    before, after = there.old.total.activations, there.new.total.activations
    assert sum(change.activations for change in there.changes) == after - before
    pairs = {(c.old, c.new, c.params, c.cost) for c in there.changes}
    assert pairs == {(c.new, c.old, -c.params, -c.cost) for c in back.changes}
    assert there.unchanged == back.unchanged


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("top", [1, 3, 1000])
def test_the_shown_rows_add_up_with_the_rest(one: str, other: str, top: int) -> None:
    found = mbprof.diff(built(one), built(other))
    for layout in ("page", "terminal", "data"):
        report = found.report(layout, top)
        rest = report.data["rest"]
        for quantity, expected in (("params", found.params), ("macs", found.cost)):
            assert sum(row[quantity] for row in report.rows) == expected
            kept = sum(each["delta"][quantity] for each in report.data["changes"])
            assert kept + rest[quantity] == expected


WIDTHS = st.lists(st.sampled_from([8, 16, 24]), min_size=1, max_size=6)


def net(widths: list[int], kernel: int = 3) -> str:
    rows = "".join(f"  - {{op: dw_sep, k: {kernel}, c: {c}}}\n" for c in widths)
    return f"name: net\ninput: {{res: 16}}\nbody:\n{rows}"


@settings(max_examples=40, deadline=None)
@given(WIDTHS, WIDTHS, st.sampled_from([3, 5]))
def test_differences_of_random_networks(one: list[int], other: list[int], kernel: int) -> None:
    old, new = mbprof.loads(net(one)).build(), mbprof.loads(net(other, kernel)).build()
    there, back = mbprof.diff(old, new), mbprof.diff(new, old)
    assert sum(c.cost for c in there.changes) == there.cost == -back.cost
    assert sum(c.params for c in there.changes) == there.params == -back.params
    assert len(there.changes) == len(back.changes)
    assert sorted(c.cost for c in there.changes) == sorted(-c.cost for c in back.changes)
    assert sum(map(len, folded(there.changes))) == len(there.changes)
    same = mbprof.diff(old, mbprof.loads(net(one)).build())
    assert same.changes == ()
    assert same.unchanged == 2 * len(one)


def changes(old: str, new: str, **options: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    found = mbprof.diff(mbprof.loads(old).build(), mbprof.loads(new).build(), **options)
    return [(change.kind, change.name, change.what) for change in found.changes]


def layer(text: str) -> str:
    return f"name: net\ninput: {{channels: 8, res: 8}}\nbody: [{text}]\n"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{op: conv, k: 3, c: 8}", "{op: conv, k: 5, c: 8}", ("kernel 3×3 → 5×5",)),
        ("{op: conv, k: 3, c: 8}", "{op: conv, k: 3, c: 16}", ("output 8×8×8 → 16×8×8",)),
        ("{op: conv, k: 1, c: 8}", "{op: conv, k: 1, c: 8, g: 2}", ("groups 1 → 2",)),
        ("{op: conv, k: 3, c: 8}", "{op: conv, k: 3, c: 8, d: 2}", ("dilation 1×1 → 2×2",)),
        (
            "{op: conv, k: 3, c: 8}",
            "{op: conv, k: 3, c: 8, s: 2}",
            ("stride 1×1 → 2×2", "output 8×8×8 → 8×4×4"),
        ),
        ("{op: conv, k: 1, c: 8}", "{op: conv, k: 1, c: 8, bias: true}", ("biases 0 → 8",)),
        ("{op: conv, k: 1, c: 8, act: relu}", "{op: conv, k: 1, c: 8}", ("then relu → nothing",)),
        (
            "{op: conv, k: 1, c: 8, bn: true, act: relu}",
            "{op: conv, k: 1, c: 8, bn: true, act: hswish}",
            ("then bn, relu → bn, hswish",),
        ),
        (
            "{op: maxpool, k: 2, s: 2}",
            "{op: avgpool, k: 2, s: 2}",
            ("op maxpool → avgpool",),
        ),
    ],
)
def test_what_changed_is_said(old: str, new: str, what: tuple[str, ...]) -> None:
    texts = [layer(text.replace("}", ", name: a}")) for text in (old, new)]
    ((kind, name, said),) = changes(*texts)
    assert (kind, name) == ("changed", "a")
    assert said[: len(what)] == what


def test_a_new_name_is_a_renaming() -> None:
    old, new = layer("{op: conv, k: 1, c: 8, name: a}"), layer("{op: conv, k: 1, c: 8, name: b}")
    assert changes(old, new) == [("renamed", "a → b", ())]


def test_a_block_says_what_changed_inside() -> None:
    assert changes(net([8, 8]), net([8, 8], 5), by="block")[0][2] == ("dwconv: kernel 3×3 → 5×5",)
    found = mbprof.diff(built("resnet50"), built("se_resnet50"), by="block")
    assert found.changes[0].what[0] == "layers 5 → 9"
    assert "gap added" in found.changes[0].what


WIRED = """
name: net
input: {{channels: 8, res: 8}}
body:
  - {{op: conv, k: 3, c: 8, name: a, out: a{a}}}
  - {{op: conv, k: 3, c: 8, name: b, out: b{b}}}
  - {{op: conv, k: 3, c: 8, name: c, out: c{c}}}
  - {{op: {join}, in: [{sum}], name: sum, out: sum}}
  - {{op: conv, k: 1, c: 8, name: last, out: last}}
outputs: [a, b, c, sum, {end}]
"""
PLAIN = {"a": "", "b": "", "c": "", "join": "add", "sum": "b, c", "end": "last"}
SHARED = {"a": ", share: w", "b": ", share: w"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({}, {"sum": "a, c"}, {"sum": ("from b → a",)}),
        ({}, {"sum": "b, a"}, {"sum": ("from c → a",)}),
        ({}, {"sum": "a, x"}, {"sum": ("from b → a", "from c → input")}),
        ({}, {"sum": "c, b"}, {}),
        ({"join": "concat"}, {"join": "concat", "sum": "c, b"},
         {"sum": ("from b → c", "from c → b")}),
        ({}, {"sum": "a, b, c"}, {"sum": ("inputs 2 → 3",)}),
        ({}, SHARED, {"b": ("weights its own → of a",)}),
        (SHARED, {"a": ", share: w", "c": ", share: w"},
         {"b": ("weights of a → its own",), "c": ("weights its own → of a",)}),
    ],
)  # fmt: skip
def test_what_moved_is_said(
    old: dict[str, str], new: dict[str, str], said: dict[str, tuple[str, ...]]
) -> None:
    found = changes(WIRED.format(**PLAIN | old), WIRED.format(**PLAIN | new))
    assert {name: what for _, name, what in found} == said


def test_outputs_that_moved_are_named() -> None:
    old, new = layer("{op: conv, k: 1, c: 8, name: a, out: a}"), "\noutputs: [a]\n"
    more = ", {op: conv, k: 1, c: 8, name: b, out: b}]"
    texts = [old + new, old.replace("]", more).replace("out: a", "out: _") + "outputs: [b]\n"]
    found = mbprof.diff(mbprof.loads(texts[0]).build(), mbprof.loads(texts[1]).build())
    assert found.outputs == {"a": ("a", None), "b": (None, "b")}
    assert "The output b is new; it comes from b." in render(found.report(), "md")
    data = found.report().data
    assert data is not None
    assert data["outputs"]["a"] == {"old": "a", "new": None}


def test_layers_put_between_or_taken_away_move_nothing() -> None:
    row = "{op: conv, k: 3, c: 8, name: %s}"
    old = layer(", ".join(row % name for name in "ab"))
    new = old.replace(row % "b", "{op: bn, name: norm}, " + row % "b")
    assert [kind for kind, *_ in changes(old, new)] == ["added"]
    assert [kind for kind, *_ in changes(new, old)] == ["removed"]


def test_a_block_that_adds_another_tensor_has_changed() -> None:
    old = """
name: net
input: {channels: 8, res: 8}
blocks:
  res:
    body:
      - {op: conv, k: 3, c: 8, name: one}
      - {op: conv, k: 3, c: 8, name: two}
      - {op: add, in: [x, _], name: add}
body: [{op: res, n: 3, name: "r{i}"}]
"""
    new = old.replace("name: one", "name: one, out: m").replace("[x, _]", "[m, _]")
    whats = [what for *_, what in changes(old, new, by="block")]
    assert whats == [
        ("add: from input → r0/one",),
        ("add: from r0/add → r1/one",),
        ("add: from r1/add → r2/one",),
    ]


def test_layers_with_other_names_are_renamed_and_nothing_moved() -> None:
    old = WIRED.format(**PLAIN)
    new = old
    for name in "abc":
        new = new.replace(f"name: {name},", f"name: other_{name},")
    assert {kind for kind, *_ in changes(old, new)} == {"renamed"}


# The first layer with weights meets the first, the last the last, whatever they are called.
@pytest.mark.parametrize(
    ("one", "other", "stems"),
    [
        ("mobilenet_v1", "mobilenet_v2", True),
        ("mobilenet_v3_large", "mnasnet", True),
        ("shufflenet_v2", "hgnet_tiny", True),
        ("resnet50", "resnet50_v2", True),
        ("fasternet_t0", "xception", False),
        ("vit_b_16", "swin_t", True),
    ],
)
def test_stems_and_classifiers_stand_in_one_line(one: str, other: str, stems: bool) -> None:
    lines = mbprof.compare(one, other).aligned
    weigh = [line for line in lines if any(row and row.facts.kernels for row in line.rows)]
    assert None not in weigh[-1].rows
    # Patches of other sizes are no stems that stand for each other.
    assert (None not in weigh[0].rows) == stems


def test_stages_follow_tokens() -> None:
    lines = mbprof.compare("vit_b_16", "resnet50", by="stage").aligned
    assert [line.name for line in lines] == ["1/2", "1/4", "1/8", "1/16", "1/32", "1×1"]
    (stage,) = (line.rows for line in lines if line.name == "1/16")
    assert stage[0] is not None
    assert stage[0].params > 85_000_000


def test_scopes_that_differ_become_all() -> None:
    found = mbprof.compare(built("mobilenet_v1"), built("mobilenet_v2"))
    assert [profile.scope for profile in found.profiles] == ["all", "all"]
    found = mbprof.compare(built("mobilenet_v1"), built("mobilenet_v1@keras"))
    assert [profile.scope for profile in found.profiles] == ["body", "body"]


def test_ratios_are_to_the_first() -> None:
    data = json.loads(
        run("compare", "mobilenet_v1", "mobilenet_v1,alpha=0.5", "resnet50", "--format", "json")
    )
    assert [each["spec"] for each in data["networks"]] == [
        "mobilenet_v1", "mobilenet_v1", "resnet50"
    ]  # fmt: skip
    assert [each["knobs"].get("alpha") for each in data["networks"]] == [1.0, 0.5, None]
    totals = [each["total"]["macs"] for each in data["networks"]]
    assert data["total"]["macs"] == [total / totals[0] for total in totals]
    lone = next(row for row in data["rows"] if row["networks"][0] is None)
    assert lone["ratios"]["macs"] == [None, None, None]


def test_an_argument_goes_before_what_is_given_for_all() -> None:
    data = json.loads(
        run("compare", "mobilenet_v1", "mobilenet_v1,alpha=0.5,res=96", "--res", "128",
            "--set", "alpha=0.75", "--format", "json")
    )  # fmt: skip
    assert [(n["knobs"]["alpha"], n["knobs"]["res"]) for n in data["networks"]] == [
        (0.75, 128),
        (0.5, 96),
    ]


def test_a_file_whose_name_has_a_comma(tmp_path: Path) -> None:
    path = tmp_path / "a,c=1.yaml"
    path.write_text(net([8]))
    assert "No change in cost" in run("diff", str(path), str(path))
    assert "res 8" in run("diff", str(path), f"{path},res=8")


@pytest.mark.parametrize("format", sorted(set(REPORTS) - {"sarif"}))
def test_every_format_holds_the_totals_or_their_parts(format: str) -> None:
    text = run("compare", "mobilenet_v1", "mobilenet_v2", "--format", format).replace(",", "")
    assert "54992896" in text or "568740352" in text
    text = run(
        "diff", "mobilenet_v1", "mobilenet_v1,alpha=0.5", "--scope", "body", "--format", format
    )
    assert "51380224" in text.replace(",", "") or "567716352" in text.replace(",", "")


def test_csv_has_a_row_for_each_change() -> None:
    text = run(
        "diff", "mobilenet_v1", "mobilenet_v1,classes=10", "--scope", "all", "--format", "csv"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["params"]) for row in rows) == -1_013_760
    assert rows[0]["what"] == "output 1000×1×1 → 10×1×1"


@pytest.mark.parametrize("format", ["csv", "md", "json"])
@pytest.mark.parametrize("command", ["compare", "diff"])
def test_no_heavy_library_is_loaded(command: str, format: str) -> None:
    assert loaded_by(command, "resnet18", "resnet34", "--format", format) & HEAVY == {"yaml"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_tables_fit(width: int) -> None:
    for arguments in (
        ("compare", "mobilenet_v1", "mobilenet_v2"),
        ("compare", "mobilenet_v1", "mobilenet_v2", "resnet50"),
        ("diff", "mobilenet_v2", "mobilenet_v2,alpha=0.5", "--format", "rich"),
    ):
        lines = run(*arguments, width=width).splitlines()
        assert max(len(line) for line in lines) <= width


def test_a_comparison_says_how_networks_were_called() -> None:
    found = mbprof.compare(built("mobilenet_v1"), built("mobilenet_v1"))
    text = render(found.report(asked=("main:a.yaml", "a.yaml")), "md")
    assert "A: mobilenet\\_v1, alpha 1.0, res 224 (main:a.yaml)" in text


def test_one_network_is_no_comparison() -> None:
    with pytest.raises(UsageError, match="two networks"):
        mbprof.compare(built("mobilenet_v1"))


def test_knobs_whose_default_differs_are_named() -> None:
    text = run("diff", "mobilenet_v3_small", "mobilenet_v3_small_minimalistic")
    assert "The default of minimalistic was false and is true." in text
    text = run("diff", "resnet50", "se_resnet50")
    assert "The knob reduction is new; its default is 16." in text


def test_what_networks_need_on_a_device_stands_beside_what_they_cost() -> None:
    pair = ("mobilenet_v2", built("mobilenet_v2", alpha=0.5))
    asked = {"dtype": "int8", "device": "stm32f746"}
    memories = [mbprof.memory(one, dtype="int8") for one in pair]
    times = [mbprof.latency(one, "stm32f746", dtype="int8").seconds for one in pair]
    compared = mbprof.compare(*pair, **asked).to_dict()["networks"]
    differing = mbprof.diff(*pair, **asked).to_dict()
    for found in (compared, [differing["old"], differing["new"]]):
        assert [each["peak_bytes"] for each in found] == [each.peak_bytes for each in memories]
        assert [each["weight_bytes"] for each in found] == [each.weight_bytes for each in memories]
        assert [each["latency_ns"] / 1e9 for each in found] == pytest.approx(times, rel=1e-5)
    delta = differing["delta"]
    assert delta["peak_bytes"] == memories[1].peak_bytes - memories[0].peak_bytes
    shown = run("compare", "mobilenet_v2", "mobilenet_v2,alpha=0.5", "--dtype", "int8", width=100)
    assert "1,505,280 peak bytes, 3,543,268 weight bytes" in " ".join(shown.split())
    shown = run("diff", "mobilenet_v2", "mobilenet_v2,alpha=0.5", "--dtype", "int8")
    assert "- peak bytes: 1,505,280 → 752,640 (−752,640, −50.0 %)" in shown
    columns = "name,peak_bytes_A,peak_bytes_B"
    rows = run("compare", "squeezenet", "lcnet", "--dtype", "int8", "--columns", columns, width=100)
    total = next(line.split() for line in rows.splitlines() if line.startswith("total"))
    peaks = [mbprof.memory(name, dtype="int8").peak_bytes for name in ("squeezenet", "lcnet")]
    assert total[1:] == [f"{peak:,}" for peak in peaks]


@pytest.mark.parametrize("by", ["layer", "block", "stage", "op"])
def test_what_rows_need_on_a_device_makes_what_the_network_needs(by: str) -> None:
    pair = built("lcnet", res=64), built("lcnet", res=64, alpha=0.5)
    asked = {"scope": "all", "dtype": "float16", "device": "jetson_nano"}
    found = mbprof.compare(*pair, by=by, **asked).to_dict()
    for number, whole in enumerate(found["networks"]):
        rows = [row["networks"][number] for row in found["rows"] if row["networks"][number]]
        assert max(row["peak_bytes"] for row in rows) == whole["peak_bytes"]
        assert sum(row["weight_bytes"] for row in rows) == whole["weight_bytes"]
        assert sum(row["latency_ns"] for row in rows) == pytest.approx(
            whole["latency_ns"], rel=1e-3
        )
        assert {row["bound"] for row in rows} <= {"compute", "memory", "launch", None}


def test_a_layer_needs_what_memory_and_latency_say_of_it() -> None:
    asked = {"dtype": "int8", "device": "stm32f746"}
    changes = mbprof.diff("mobilenet_v2", built("mobilenet_v2", alpha=0.5), **asked).to_dict()
    steps = {s["name"]: s for s in mbprof.memory("mobilenet_v2", dtype="int8").to_dict()["steps"]}
    times = {each.name: each for each in mbprof.latency("mobilenet_v2", "stm32f746").layers}
    olds = [change["old"] for change in changes["changes"] if change["old"]["op"] == "conv"]
    assert len(olds) > 20
    for old in olds:
        assert old["peak_bytes"] == steps[old["name"]]["live_bytes"]
        assert old["latency_ns"] == round(times[old["name"]].seconds * 1e9)
        assert old["bound"] == times[old["name"]].bound


def test_columns_about_a_device_are_shown_where_they_are_asked_for() -> None:
    asked = ("--dtype", "int8", "--device", "stm32f746", "--columns")
    pair = ("mobilenet_v2", "mobilenet_v2,alpha=0.5")
    shown = run("compare", *pair, "--by", "stage", *asked, "name,peak_bytes,bound", width=100)
    words = ["1/4", "1,505,280", "752,640", "compute", "compute"]
    assert words in [line.split() for line in shown.splitlines()]
    shown = run("diff", *pair, "--by", "block", *asked, "name,peak_bytes,latency_ns,bound")
    assert "| layer\\_3, layer\\_4 | −752,640 | −78,748,445 | compute |" in shown


@pytest.mark.parametrize("asked", [{"dtype": "int7"}, {"device": "stm"}])
def test_no_type_or_device_is_an_error(asked: dict[str, str]) -> None:
    for function in (mbprof.compare, mbprof.diff):
        with pytest.raises(UsageError, match="unknown d"):
            function("lcnet", "squeezenet", **asked)

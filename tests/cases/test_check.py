"""Checks: every rule with a spec where it fires and one where it does not; all over the zoo.

A case is a file named by the code: ``--- fires`` and ``--- silent`` hold specs, ``--- says`` all
that the rule says of the first.
"""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from sarif import loader

import mbprof
from mbprof.checks import RULES, Finding, check
from mbprof.checks.model import SEVERITIES, UNDECIDED
from mbprof.checks.rules.resolution import receptive_fields
from mbprof.checks.run import rule_report
from mbprof.checks.walks import traffic
from mbprof.spec import zoo
from tests.conftest import ROOT, committed, invoke, run, sampled, sections, with_section

CASES = sorted((Path(__file__).parent / "checks").glob("*.case"))
ZOO = Path(__file__).parent / "zoo_findings.csv"
BLOCKS = sorted((Path(__file__).parent / "blocks").glob("*.yaml"))
PLANTED = yaml.safe_load((Path(__file__).parent / "planted.yaml").read_text())


def said(finding: Finding) -> str:
    place = f"{finding.loc.source.name}:{finding.loc.line}" if finding.loc else "-"
    layers = ", ".join(finding.layers) or "-"
    hint = f"\n  hint: {finding.hint}" if finding.hint else ""
    return f"{place}: {finding.severity}[{finding.code}]: {finding.message}\n  {layers}{hint}\n"


def of_code(text: str, code: str, path: Path) -> list[Finding]:
    path.write_text(text)
    return [finding for finding in check(str(path)).findings if finding.code == code]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_rule_fires_and_keeps_silent(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case, spec = sections(path), Path("spec.yaml")
    says = "".join(said(each) for each in of_code(case["fires"], path.stem, spec))
    text = with_section(path, "says", says)
    assert committed(path, text) == text
    assert says
    assert of_code(case["silent"], path.stem, spec) == []
    compiles = not any(each.severity == "error" for each in check(spec.name).findings)
    assert compiles or path.stem == "MB901"


def grave(path: Path) -> list[Finding]:
    return [f for f in check(str(path)).findings if f.severity in ("error", UNDECIDED, "warning")]


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_good_blocks_of_papers_are_left_alone(path: Path) -> None:
    """Blocks and networks as their papers draw them, each written from scratch."""
    assert [finding.brief for finding in grave(path)] == []


@pytest.mark.parametrize(
    "fault", PLANTED, ids=lambda fault: f"{fault['finds']}-{fault['in']}-{fault['at'][:24]}"
)
def test_a_fault_that_is_planted_is_found_once_and_at_its_row(
    fault: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / f"{fault['in']}.yaml"
    text = next(block for block in BLOCKS if block.name == path.name).read_text()
    for good, bad in fault["swap"].items():
        assert good in text
        text = text.replace(good, bad, 1)
    path.write_text(text)
    found = grave(path)
    rows = text.splitlines()
    (own,) = (each for each in found if each.code == fault["finds"])
    assert own.loc is not None
    assert rows[own.loc.line - 1].strip() == fault["at"]
    others = sorted({each.code for each in found} - {fault["finds"]})
    assert others == fault.get("other", [])


def test_every_rule_has_a_case() -> None:
    assert {path.stem for path in CASES} == set(RULES)
    assert len(RULES) == 59


@pytest.mark.parametrize("code", RULES)
def test_every_rule_explains_itself(code: str) -> None:
    data = rule_report(code).data
    assert data["code"] == code
    assert all(len(data[part]) > 20 for part in ("title", "why", "remedy", "source"))
    assert data["title"].endswith(".")


def over_the_zoo() -> list[tuple[str, str, str, str]]:
    flavours = [
        f"{name}@{flavour}"
        for name in zoo.spec_names()
        for flavour in mbprof.load(name).definition.flavours
        if flavour != mbprof.load(name).definition.flavour
    ]
    return [
        (name, each.code, each.severity, each.message)
        for name in [*sampled(), *flavours, *zoo.block_names()]
        for each in check(name).findings
    ]


@pytest.mark.long
def test_no_rule_cries_wolf_over_the_zoo() -> None:
    """What rules find in the zoo was read one by one; a new finding is read before it is listed."""
    found = over_the_zoo()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("name", "code", "severity", "message"), *found]
    )
    assert committed(ZOO, text.getvalue()) == text.getvalue()
    assert {severity for _, _, severity, _ in found} == {"warning", "advice", "accepted"}
    reasons = ROOT / "docs" / "checks.md"
    section = reasons.read_text().partition("## What they find in the zoo")[2]
    assert {code for _, code, _, _ in found} <= {c for c in RULES if f"| {c} |" in section}


# What the specs of the cases move and hold, summed up by hand: inputs, outputs and weights.
BY_HAND: dict[str, dict[str, float]] = {
    # 1x1, 8 -> 128 at 32x32: hw·(c1 + c2) + c1·c2, and 2·sqrt(hw·B) + B/hw with B = 1024·1024.
    "MB211": {"access": 1024 * (8 + 128) + 8 * 128, "bound": 2 * 32768 + 1024},
    # 1x1, 96 -> 96 in 8 groups; ungrouped at the same MACs it is 96 -> 12.
    "MB212": {
        "access": 1024 * (96 + 96) + 96 * 96 // 8,
        "ungrouped": 1024 * (96 + 12) + 96 * 12,
    },
    # relu, hswish and shuffle of 8x32x32 beside a depthwise convolution with its 72 weights.
    "MB214": {"access": 3 * 2 * 8192, "all": 3 * 2 * 8192 + 2 * 8192 + 72},
    # two 3x3 at stride 2 and 1 behind a change of size: 1 + 2·1, then 2·1 more.
    "MB404": {"height": 5, "width": 5},
    # 96 maps of 32x32 and the 16x16 that its depthwise convolution gives; 144 -> 8x8 behind.
    "MB601": {"elements": 96 * (1024 + 256), "others": 144 * (256 + 64)},
    # 3x3 at stride 2: 9·16·16² MACs over 16·32² + 16·16² elements and 144 weights.
    "MB602": {"least": round(9 * 16 * 256 / (16 * 1024 + 16 * 256 + 144), 4)},
}


@pytest.mark.parametrize("code", BY_HAND)
def test_numbers_of_rules_are_those_computed_by_hand(code: str, tmp_path: Path) -> None:
    case = sections(next(path for path in CASES if path.stem == code))
    numbers = of_code(case["fires"], code, tmp_path / "spec.yaml")[0].numbers
    assert {name: numbers[name] for name in BY_HAND[code]} == BY_HAND[code]


def test_the_bound_of_the_first_guideline_is_met_where_widths_are_equal(tmp_path: Path) -> None:
    """Both sides are 819,200 for 128 -> 128 at 56x56, a published value; 1:12 is far above."""
    text = "name: net\ninput: {channels: %d, res: 56}\nbody:\n  - {op: conv, k: 1, c: %d}\n"
    spec = tmp_path / "spec.yaml"
    assert of_code(text % (128, 128), "MB211", spec) == []
    numbers = of_code(text % (24, 288), "MB211", spec)[0].numbers
    assert numbers["access"] == 3136 * (24 + 288) + 24 * 288
    node = mbprof.loads(text % (128, 128)).build().compiled.nodes[0]
    assert traffic(node) == 819_200


SEEDS: dict[str, tuple[str, str, int]] = {
    "dense_stage": ("MB304", "advice", 17),
    "inception": ("MB303", "warning", 17),
    "inception_resent_a_block": ("MB303", "warning", 18),
    "mbconv_block": ("MB305", "warning", 28),
    "mobile_v3_bottleneck": ("MB305", "warning", 36),
    "res_block": ("MB103", "warning", 39),
    "resent_v2_block": ("MB104", "warning", 31),
    "residual_block": ("MB010", "warning", 24),
    "shufflenet_v2_block": ("MB005", "error", 28),
}


@pytest.mark.parametrize("name", SEEDS)
def test_the_defects_of_the_article_are_caught_at_their_place(name: str) -> None:
    path = ROOT / "specs" / "seeds" / f"{name}.yaml"
    found = [(each.code, each.severity, each.loc) for each in check(str(path)).findings]
    places = [(code, severity, loc.line) for code, severity, loc in found if loc is not None]
    assert SEEDS[name] in places
    assert len(places) == len(found)
    assert {path.stem for path in path.parent.glob("*.yaml")} == set(SEEDS)


# From google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md.
FIELDS = {
    ("mobilenet_v1", "Conv2d_13_pointwise"): 315,
    ("mobilenet_v1", "Conv2d_6_pointwise"): 59,
    ("vgg16", "pool5"): 212,
    ("inception_v3@slim", "Mixed_7c"): 1311,
    ("inception_v4@slim", "Mixed_7d"): 2071,
    ("resnet50@slim", "block4"): 483,
    ("resnet101@slim", "block4"): 1027,
}


@pytest.mark.parametrize(("name", "layer"), FIELDS)
def test_receptive_fields_are_the_published_ones(name: str, layer: str) -> None:
    graph = mbprof.load(name).build().compiled
    pairs = zip(graph.nodes, receptive_fields(graph), strict=True)
    fields = [field for node, field in pairs if layer in node.name and field is not None]
    size = Fraction(FIELDS[name, layer])
    assert max(field.size for field in fields) == (size, size)


JOINED = """\
name: net
input: {channels: 3, res: 32}
body:
  - {op: conv, k: 3, s: 2, c: 16, out: strided}
  - {op: conv, in: x, k: 17, p: valid, c: 16}
  - {op: concat, in: [strided, _]}
  - {op: gap}
"""


def test_what_cannot_be_decided_does_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(JOINED)
    found = check(str(path))
    undecided = [each for each in found.findings if each.severity == UNDECIDED]
    assert [(each.code, each.message) for each in undecided] == [
        (
            "MB404",
            "cannot be decided: the receptive field is smaller than the input where the maps end: "
            "concat_1 joins maps of different steps",
        )
    ]
    assert found.fails()
    assert not found.fails("never")
    path.write_text(JOINED + "accept: {MB404: both paths are wanted}\n")
    assert not check(str(path)).fails()


ACCEPTED = """\
name: net
input: {channels: 3, res: 32}
accept: {MB201: the width is that of the paper}
body:
  - {op: conv, k: 3, c: 12}
"""


def test_a_finding_is_accepted_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(ACCEPTED)
    found = check(str(path))
    assert [(each.code, each.severity, each.reason) for each in found.findings] == [
        ("MB201", "accepted", "the width is that of the paper")
    ]
    assert not found.fails("advice")
    assert check(str(path), ignore=["MB2"]).findings == ()


def test_what_is_accepted_in_vain_cannot_be_accepted(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(ACCEPTED.replace("c: 12", "c: 8").replace("{MB2", "{MB013: so what, MB2"))
    assert [
        (finding.code, finding.severity, finding.message) for finding in check(str(path)).findings
    ] == [
        ("MB013", "warning", "MB013 is accepted and not found"),
        ("MB013", "warning", "MB201 is accepted and not found"),
    ]


def test_an_activation_is_seen_through_any_pooling(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    head = "name: net\ninput: {channels: 3, res: 32}\nbody:\n"
    head += "  - {op: conv, k: 3, c: 8, bn: true, act: relu}\n"
    said = {}
    for pooling in ("{op: maxpool, k: 2}", "{op: gap}", "{op: adaptiveavgpool, size: 4}"):
        path.write_text(f"{head}  - {pooling}\n  - {{op: act, f: sigmoid, name: gate}}\n")
        findings = check(str(path)).findings
        said[pooling] = [finding.message for finding in findings if finding.code == "MB305"]
    assert set(map(tuple, said.values())) == {("gate: sigmoid of relu gives 1/2 to 1 only",)}


KEYS = ["code", "severity", "message", "file", "line", "layer"]


def test_json_has_the_contracted_form() -> None:
    out, err, status = invoke("check", "mobilenet_v2", "--format", "json")
    findings: list[dict[str, Any]] = json.loads(out)
    assert (status, err) == (0, "")
    assert all([key for key in each if key in KEYS] == KEYS for each in findings)
    assert findings[0]["code"] == "MB101"
    assert findings[0]["file"] == "specs/mobilenet_v2.yaml"
    order = [SEVERITIES.index(each["severity"]) for each in findings]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["mobilenet_v1"], 0),
        (["mobilenet_v1", "--fail-on", "advice"], 1),
        (["mobilenet_v1", "--fail-on", "advice", "--ignore", "MB4, MB6,"], 0),
        (["mobilenet_v2", "--fail-on", "warning"], 1),
        (["mobilenet_v2", "--fail-on", "never", "--max-macs", "1"], 0),
        (["mobilenet_v2", "--max-macs", "300_000_000"], 1),
        (["mobilenet_v2", "--max-macs", "301M", "--max-params", "3.5e6"], 0),
        (["mobilenet_v2", "--max-peak", "320KB"], 1),
        (["mobilenet_v2", "--max-peak", "1505280", "--dtype", "int8"], 0),
        (["mobilenet_v2", "--max-peak", "1505279", "--dtype", "int8"], 1),
        (["mobilenet_v2", "--max-weights", "3543268B", "--dtype", "int8"], 0),
        (["mobilenet_v2", "--max-weights", "3.5MB", "--dtype", "int8"], 1),
        (["mobilenet_v1", "mobilenet_v2", "--max-params", "3.4M"], 1),
        (["mobilenet_v1", "--scope", "all", "--max-params", "3.4M"], 1),
        ([str(ROOT / "specs/seeds/shufflenet_v2_block.yaml")], 1),
        (["inv_res", "--in", "14x14x32", "--set", "c=32"], 0),
    ],
)
def test_exit_status(arguments: list[str], status: int) -> None:
    run("check", *arguments, status=status)


def test_a_budget_names_what_weighs_most_and_what_fits() -> None:
    found = check("mobilenet_v2", max_macs="100M", max_params=2_000_000).findings
    over = {each.numbers["kind"]: each for each in found if each.code == "MB901"}
    macs, params = over["macs"].numbers, over["params"].numbers
    table = mbprof.load("mobilenet_v2").build().profile()
    assert macs["over"] == table.total.cost - 100_000_000
    heaviest = sorted(table.rows, key=lambda row: -row.cost)[:5]
    assert [each["layer"] for each in macs["heaviest"]] == [row.name for row in heaviest]
    for numbers, kind, limit in ((macs, "macs", 100_000_000), (params, "params", 2_000_000)):
        at = mbprof.sweep("mobilenet_v2", alpha=[step / 100 for step in range(1, 101)])
        fitting = at[at[kind] <= limit]["alpha"].max()
        assert numbers["fits"]["alpha"] == fitting
    sizes = mbprof.sweep("mobilenet_v2", res=list(range(32, 224, 32)))
    assert macs["fits"]["res"][0] == sizes[sizes["macs"] <= 100_000_000]["res"].max()
    assert "res" not in params["fits"]


BUDGET = """\
name: net
input: {channels: 3, res: 16}
budget: {peak: 8KiB, weights: 700B, dtype: int8}
body:
  - {op: conv, k: 3, c: 32, act: relu}
  - {op: conv, k: 1, c: 4, act: relu, name: narrow}
"""


def test_a_budget_of_bytes_stands_in_the_spec_and_is_kept_at_a_type(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(BUDGET)
    over = {f.numbers["kind"]: f for f in check(str(path)).findings if f.code == "MB901"}
    # 32 and 4 maps of 16x16, a byte each; weights a byte, biases of norms folded none are there.
    assert (over["peak"].numbers["count"], over["peak"].layers) == (36 * 256, ("narrow",))
    assert over["weights"].numbers["count"] == 3 * 9 * 32 + 32 * 4
    assert [each.loc.line for each in over.values() if each.loc] == [3, 3]
    floats = check(str(path), dtype="float32").findings
    counts = {f.numbers["kind"]: f.numbers["count"] for f in floats if f.code == "MB901"}
    assert counts == {"peak": 4 * 36 * 256, "weights": 4 * (3 * 9 * 32 + 32 * 4)}
    path.write_text(BUDGET.replace("8KiB", "9KiB").replace("700B", "1KB"))
    assert not [f for f in check(str(path)).findings if f.code == "MB901"]


def test_the_widest_and_largest_that_fit_a_budget_of_bytes_are_those_of_a_sweep() -> None:
    limits = {"peak": 800_000, "weights": 2_000_000}
    found = check(
        "mobilenet_v2", max_peak=limits["peak"], max_weights=limits["weights"], dtype="int8"
    ).findings
    fits = {f.numbers["kind"]: f.numbers["fits"] for f in found if f.code == "MB901"}
    widths = mbprof.sweep("mobilenet_v2", alpha=[n / 100 for n in range(1, 101)], dtype="int8")
    sizes = mbprof.sweep("mobilenet_v2", res=list(range(32, 224, 32)), dtype="int8")
    for kind, limit in limits.items():
        column = f"{kind.removesuffix('s')}_bytes"
        assert fits[kind]["alpha"] == widths[widths[column] <= limit]["alpha"].max()
    assert fits["peak"]["res"][0] == sizes[sizes["peak_bytes"] <= limits["peak"]]["res"].max()
    assert "res" not in fits["weights"]


def test_sarif_is_valid_and_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a net.yaml").write_text(ACCEPTED)
    Path("joined.yaml").write_text(JOINED)
    arguments = ["a net.yaml", "joined.yaml", "mobilenet_v2", "--max-params", "1"]
    out = run("check", *arguments, "--format", "sarif", status=1)
    log = json.loads(out)
    Path("log.sarif").write_text(out)
    read = loader.load_sarif_file("log.sarif").get_records()
    levels = [each["level"] for each in log["runs"][0]["results"]]
    assert sorted(each["Severity"] for each in read) == sorted(levels)
    assert {(each["Code"], each["Line"]) for each in read} >= {("MB201", 5), ("MB901", 2)}
    results = log["runs"][0]["results"]
    assert {each["level"] for each in results} == {"error", "warning", "note", "none"}
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in results)
    suppressed = [each for each in results if "suppressions" in each]
    assert suppressed[0]["suppressions"][0]["justification"] == "the width is that of the paper"
    place = suppressed[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20net.yaml"
    region = {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 28}
    assert place["region"] == region

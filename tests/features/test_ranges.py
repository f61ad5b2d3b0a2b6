"""From where to where a finding or an error stands, as editors' linters read it."""

import json
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import MbprofError, span
from tests.conftest import ROOT, run, sections

SPEC = """\
name: net
input: {channels: 3, res: 32}
width: >-
  max(c,
  8)

body:
  - {op: conv, k: 3, c: 8}
  - op: conv
    k: 3
    c: 8
"""
WRONG = {
    # what is put in the place of what, and what stands in the range of the first finding
    ("op: conv\n", "op: cnov\n"): "cnov",
    ("k: 3\n", "kernel: 3\n"): "kernel",
    ("k: 3, c: 8}", "k: 3, c: 2 * widht + 1}"): "widht",
    ("k: 3, c: 8}", "k: 3}"): "{op: conv, k: 3}",
    ("    c: 8\n", ""): "op: conv\n    k: 3",
    ("res: 32", "res: 0"): "0",
    ("res: 32", 'res: "32 x"'): '"32 x"',
    ("width: >-\n  max(c,\n  8)", "scope: >-\n  al"): ">-\n  al",
    ("c: 8\n", 'c: 8\n    name: "één"\n    strid: 2'): "strid",
    ("", ""): "{op: conv, k: 3, c: 8}",
}


def between(text: str, place: dict[str, Any]) -> str:
    """Return what stands in a range, whose ends count lines and characters from 1."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    start = starts[place["line"] - 1] + place["column"] - 1
    return text[start : starts[place["end_line"] - 1] + place["end_column"] - 1]


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_a_range_holds_what_is_wrong(old: str, new: str) -> None:
    text = SPEC.replace(old, new, 1)
    found = mbprof.diagnose(text)
    assert between(text, found[0]) == WRONG[old, new], found[0]["message"]


@pytest.mark.parametrize("text", ["", "[", "name: net\n", "a: 1\n---\nb: 2\n", "\0"])
def test_what_is_no_spec_is_a_finding_with_a_range(text: str) -> None:
    (found,) = mbprof.diagnose(text, "net.yaml")
    assert (found["severity"], found["file"]) == ("error", "net.yaml")
    assert (found["line"], found["column"]) <= (found["end_line"], found["end_column"])


def test_knobs_are_turned_and_an_unknown_one_is_an_error() -> None:
    spec = SPEC.replace("body:", "knobs: {wide: 8}\nbody:").replace("c: 8}", "c: wide}")
    assert mbprof.diagnose(spec, wide=0)[0]["message"].startswith("0 is too small")
    with pytest.raises(MbprofError, match="has no knob 'wdie'"):
        mbprof.diagnose(spec, wdie=0)


def test_json_and_sarif_have_the_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = SPEC.replace("op: conv\n", "op: cnov\n")
    Path("net.yaml").write_text(text)
    (found,) = json.loads(run("check", "net.yaml", "--format", "json", status=1))
    where = {"line": 9, "column": 9, "end_line": 9, "end_column": 13}
    assert {key: found[key] for key in where} == where
    log = json.loads(run("check", "net.yaml", "--format", "sarif", status=1))
    (place,) = log["runs"][0]["results"][0]["locations"]
    region = {"startLine": 9, "startColumn": 9, "endLine": 9, "endColumn": 13}
    assert place["physicalLocation"]["region"] == region


def test_an_error_is_plain_data_with_its_range() -> None:
    text = SPEC.replace("op: conv\n", "op: cnov\n")
    with pytest.raises(MbprofError) as raised:
        mbprof.loads(text, "net.yaml")
    assert raised.value.to_dict() == {
        "kind": "spec",
        "message": "unknown op or block 'cnov'",
        "file": "net.yaml",
        "line": 9,
        "column": 9,
        "end_line": 9,
        "end_column": 13,
        "hint": "did you mean 'conv'?",
        "trace": [],
    }
    with pytest.raises(MbprofError) as raised:
        mbprof.load("mobilnet_v1")
    assert set(span(raised.value.loc).values()) == {None}


CASES = sorted((ROOT / "tests" / "cases" / "errors").glob("*.case"))


def test_the_ranges_of_all_bad_input_lie_in_the_text() -> None:
    held = []
    for path in CASES:
        text = sections(path).get("spec", "")
        if not text.strip() or "takes:" in text:
            continue
        lines = [*text.split("\n"), ""]
        for found in mbprof.diagnose(text):
            if found["file"] == "<text>":
                held.append(between(text, found))
                end = found["end_line"], found["end_column"]
                assert (found["line"], found["column"]) <= end, path.stem
                assert end[1] <= len(lines[end[0] - 1]) + 1, path.stem
    assert len(held) > 200
    # What stands in no range at all is at the end of a line: something is missing there.
    assert sum(not part.strip() for part in held) < len(held) / 20

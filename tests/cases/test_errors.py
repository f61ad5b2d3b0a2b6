"""Bad input: every case is a file with the command, the input and the whole message.

A case is ``args:``, optionally ``make:`` with the name of a generated input, optionally a section
``--- spec`` that becomes spec.yaml and one ``--- convention`` that becomes mine.yaml, and
``--- stderr`` with all of what mbprof says.
"""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import committed, invoke, sections, with_section

CASES = Path(__file__).parent / "errors"
FILES = sorted(CASES.glob("*.case"))

BILLION_LAUGHS = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [
        f"{b}: &{b} [{', '.join('*' + a for _ in range(9))}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)

MAKERS: dict[str, Callable[[Path], object]] = {
    "brackets": lambda path: path.write_text("[" * 20_000_000),
    "deep": lambda path: path.write_text("body: " + "[" * 5_000),
    "binary": lambda path: path.write_bytes(bytes(range(128, 256)) * 8),
    "control": lambda path: path.write_bytes(b"name: one\x00two\n"),
    "empty": lambda path: path.write_text(""),
    "comment": lambda path: path.write_text("# nothing but a comment\n"),
    "directory": lambda path: path.mkdir(),
    "values": lambda path: path.write_text("body: [" + "a, " * 800_000 + "a]"),
    "fifo": os.mkfifo,
    "huge": lambda path: path.write_bytes(b"\0" * ((1 << 26) + 1)),
    "commas": lambda path: path.write_text("," * 10_000_000),
    "billion": lambda path: path.write_text(BILLION_LAUGHS),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_input(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = sections(path)
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "spec.yaml"
    if "make" in case:
        MAKERS[case["make"]](spec)
    elif "spec" in case:
        spec.write_text(case["spec"])
    if "convention" in case:
        (tmp_path / "mine.yaml").write_text(case["convention"])
    before = sorted(tmp_path.rglob("*"))
    ended = invoke(*shlex.split(case["args"]), stdin=case.get("stdin", ""))
    text = with_section(path, "stderr", ended.err)
    assert committed(path, text) == text
    assert (ended.out, ended.status) == ("", 2)
    assert sorted(tmp_path.rglob("*")) == before


def test_every_maker_has_a_case() -> None:
    assert {case["make"] for case in map(sections, FILES) if "make" in case} == set(MAKERS)
    assert len(FILES) == 478

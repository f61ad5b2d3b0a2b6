"""Bad input: every case is a file with the command, the input and the whole message.

A case is ``args:``, optionally ``make:`` with the name of a generated input, optionally a section
``--- spec`` that becomes spec.yaml and one ``--- convention`` that becomes mine.yaml, and
``--- stderr`` with all of what mbprof says. Run with OVERWRITE=1 to write down what it says now,
and read the difference.
"""

import io
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mbprof import cli

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
    "brackets": lambda path: path.write_text("[" * 10_000_000),
    "deep": lambda path: path.write_text("body: " + "[" * 5_000),
    "binary": lambda path: path.write_bytes(bytes(range(128, 256)) * 8),
    "control": lambda path: path.write_bytes(b"name: one\x00two\n"),
    "empty": lambda path: path.write_text(""),
    "comment": lambda path: path.write_text("# nothing but a comment\n"),
    "directory": lambda path: path.mkdir(),
    "billion": lambda path: path.write_text(BILLION_LAUGHS),
}


def sections(path: Path) -> dict[str, str]:
    head, *parts = path.read_text().split("\n--- ")
    found = dict(line.split(": ", 1) for line in head.splitlines())
    for part in parts:
        name, _, body = part.partition("\n")
        found[name] = body
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_input(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = sections(path)
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "spec.yaml"
    if "make" in case:
        MAKERS[case["make"]](spec)
    elif "spec" in case:
        spec.write_text(case["spec"])
    if "convention" in case:
        (tmp_path / "mine.yaml").write_text(case["convention"])
    stdin = io.TextIOWrapper(io.BytesIO(case.get("stdin", "").encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "argv", ["mbprof", *shlex.split(case["args"])])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    if os.environ.get("OVERWRITE"):
        text = path.read_text().partition("\n--- stderr\n")[0].rstrip("\n")
        path.write_text(f"{text}\n--- stderr\n{err}")
        case = sections(path)
    assert stopped.value.code == 2
    assert err == case["stderr"]
    assert out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_there_are_enough_cases() -> None:
    assert len(FILES) >= 40

"""What a text names is answered once: a file is read and parsed once, git is asked once."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import mbprof
from mbprof.spec import OpenedBlock, OpenedSpec, zoo
from tests.conftest import git, run
from tests.features.test_revisions import WIDER, repository

__all__ = ["repository"]  # a fixture

SPEC = (
    "name: net\ninput: {res: 8}\nblocks:\n"
    "  one: {takes: {c: int}, example: {in: 8x8x3, c: 4}, body: [{op: conv, k: 3, c: c}]}\n"
    "body: [{op: one, c: 4}, {op: gap}]\n"
)
BLOCK = "takes: {c: int}\nexample: {in: 8x8x3, c: 4}\nbody: [{op: conv, k: 3, c: c}]\n"


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each file is opened and each text parsed, and how often git is run."""
    counted: Counter[str] = Counter()
    opens, runs = Path.open, subprocess.run
    loader = "CSafeLoader" if hasattr(yaml, "CSafeLoader") else "SafeLoader"
    parses = getattr(yaml, loader)

    def count_open(self: Path, *arguments: Any, **options: Any) -> Any:
        counted[self.name] += 1
        return opens(self, *arguments, **options)

    def count_parse(text: str) -> Any:
        counted[text] += 1
        return parses(text)

    def count_run(command: list[str], *arguments: Any, **options: Any) -> Any:
        counted[command[0]] += 1
        return runs(command, *arguments, **options)

    monkeypatch.setattr(Path, "open", count_open)
    monkeypatch.setattr(yaml, loader, count_parse)
    monkeypatch.setattr(subprocess, "run", count_run)
    return counted


@pytest.mark.parametrize(
    "command",
    [
        "check FILE",
        "table FILE",
        "show FILE",
        "formula FILE",
        "explain FILE",
        "explain FILE --number 108",
        "sweep FILE --res 8,16",
        "compare FILE mobilenet_v1",
        "block FILE",
        "block FILE:one",
        "check FILE:one",
        "formula FILE:one",
        "compare FILE:one inv_res",
    ],
)
def test_a_file_is_read_and_parsed_once(
    command: str, tmp_path: Path, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    counts.clear()
    run(*command.replace("FILE", "net.yaml").split())
    assert (counts["net.yaml"], counts[SPEC], counts["git"]) == (1, 1, 0)


@pytest.mark.parametrize("command", ["check", "block", "formula"])
def test_a_block_file_is_read_and_parsed_once(
    command: str, tmp_path: Path, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.yaml").write_text(BLOCK)
    counts.clear()
    run(command, "one.yaml")
    assert (counts["one.yaml"], counts[BLOCK], counts["git"]) == (1, 1, 0)


def test_git_is_asked_once_for_each_text(repository: Path, counts: Counter[str]) -> None:
    run("diff", "main:specs/net.yaml", "specs/net.yaml")
    assert counts["git"] == 1
    run("compare", "main:specs/net.yaml", ":specs/net.yaml")
    assert counts["git"] == 3
    # What it extends is another text.
    run("check", "main:specs/wider.yaml")
    assert (counts["git"], counts[WIDER]) == (5, 1)


def test_a_block_of_a_spec_at_a_revision(repository: Path, counts: Counter[str]) -> None:
    (repository / "specs" / "blocks.yaml").write_text(SPEC)
    git("add", ".", cwd=repository)
    counts.clear()
    assert mbprof.block(":specs/blocks.yaml:one").profile().total.params == 108
    assert (counts["git"], counts[SPEC]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "command"), [(SPEC, "check"), (BLOCK, "check"), (BLOCK, "block"), (BLOCK, "formula")]
)
def test_standard_input_is_a_spec_or_a_block(text: str, command: str, counts: Counter[str]) -> None:
    run(command, "-", stdin=text)
    assert counts[text] == 1


def test_where_a_number_comes_from_is_found_in_standard_input() -> None:
    assert "108 is 1 count of -" in run("explain", "-", "--number", "108", stdin=SPEC)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("mobilenet_v1", OpenedSpec, "mobilenet_v1"),
        ("mobilenet_v1@keras", OpenedSpec, "mobilenet_v1@keras"),
        ("wide_resnet50_2", OpenedSpec, "wide_resnet50_2"),
        ("inv_res", OpenedBlock, "inv_res"),
        ("mobilenet_v1:dw_sep", OpenedBlock, "dw_sep"),
        ("mobilenet_v1@keras:dw_sep", OpenedBlock, "dw_sep"),
        ("mobilenet_v1:inv_res", OpenedBlock, "inv_res"),
    ],
)
def test_what_a_name_means(text: str, kind: type, name: str) -> None:
    opened = zoo.open(text)
    assert type(opened) is kind
    assert (opened.name if isinstance(opened, OpenedBlock) else opened.definition.name) == name


def test_no_block_is_named_as_a_spec() -> None:
    assert set(zoo.block_names()) & set(zoo.names()) == set()


@pytest.mark.parametrize("text", ["inv_res", "mobilenet_v1:dw_sep"])
def test_a_block_is_no_spec(text: str) -> None:
    with pytest.raises(mbprof.MbprofError) as caught:
        mbprof.load(text)
    assert str(caught.value) == (
        f"error[usage]: {text} is a block, not a spec\n  hint: mbprof block {text} costs it alone"
    )


def test_a_revision_is_no_folder_of_its_name(repository: Path) -> None:
    (repository / "main").mkdir()
    (repository / "net").write_text(SPEC)
    git("add", ".", cwd=repository)
    git("commit", "-q", "-m", "second", cwd=repository)
    assert mbprof.load("main:net").name == "net"
    assert mbprof.load(":net").name == "net"

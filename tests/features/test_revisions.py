"""Specs at a revision, read from a real repository."""

import os
from pathlib import Path

import pytest

import mbprof
from mbprof.spec.git import Revision, beside, revision
from tests.conftest import git, run

SPEC = "name: net\ninput: {res: 8}\nbody: [{op: conv, k: %d, c: 4, name: a}]\n"
WIDER = "extend: net.yaml\nname: wider\nbody: {rows: {0: {c: 8}}}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    top = tmp_path / "repository"
    specs = top / "specs"
    specs.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=top)
    (specs / "net.yaml").write_text(SPEC % 3)
    (specs / "wider.yaml").write_text(WIDER)
    (specs / "big.yaml").write_text("#" * 20_000_000)
    (specs / "wrong.yaml").write_text("name: wrong\nbody: [{op: convv}]\n")
    git("add", ".", cwd=top)
    git("commit", "-q", "-m", "first", cwd=top)
    (specs / "net.yaml").write_text(SPEC % 5)
    git("add", ".", cwd=top)
    (specs / "net.yaml").write_text(SPEC % 7)
    monkeypatch.chdir(top)
    return top


def params(spec: str) -> int:
    return mbprof.load(spec).build().profile().total.params


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("main:specs/net.yaml", 108),
        ("main:./specs/net.yaml", 108),
        ("HEAD@{0}:specs/net.yaml", 108),
        ("@:specs/net.yaml", 108),
        (":specs/net.yaml", 300),
        ("specs/net.yaml", 588),
        ("main:specs/wider.yaml", 216),
        ("main:./specs/wider.yaml", 216),
        (":specs/wider.yaml", 600),
        ("specs/wider.yaml", 1176),
    ],
)
def test_a_spec_and_what_it_extends_are_read_at_one_revision(
    repository: Path, spec: str, expected: int
) -> None:
    assert params(spec) == expected


def test_paths_from_a_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "specs")
    for path in ("main:./net.yaml", "main:../specs/net.yaml", "main:specs/net.yaml"):
        assert params(path) == 108
    assert params("main:./wider.yaml") == 216


def test_a_difference_between_revisions(repository: Path) -> None:
    text = run("diff", "main:specs/net.yaml", "specs/net.yaml")
    assert text.startswith("**net, res 8: main:specs/net.yaml → specs/net.yaml**\n")
    assert "| a | conv | kernel 3×3 → 7×7 | +480 | +444.4 | +30,720 | +444.4 |" in text
    text = run("diff", "main:specs/net.yaml", "main:specs/net.yaml")
    assert "No change in cost: 108 params, 6,912 MACs." in text


def test_a_file_of_that_name_comes_first(repository: Path) -> None:
    (repository / "main:specs").mkdir()
    (repository / "main:specs" / "net.yaml").write_text(SPEC % 1)
    assert params("main:specs/net.yaml") == 12


def message(spec: str) -> str:
    with pytest.raises(mbprof.MbprofError) as caught:
        mbprof.load(spec)
    return str(caught.value)


REPOSITORY_SAYS = {
    "mian:specs/net.yaml": (
        "error[source]: cannot read mian:specs/net.yaml: unknown revision 'mian'\n"
        "  hint: did you mean main:specs/net.yaml?"
    ),
    "zzzz:specs/net.yaml": (
        "error[source]: cannot read zzzz:specs/net.yaml: unknown revision 'zzzz'\n"
        "  hint: git log lists the revisions"
    ),
    "--output=x:specs/net.yaml": (
        "error[source]: cannot read --output=x:specs/net.yaml: unknown revision '--output=x'\n"
        "  hint: git log lists the revisions"
    ),
    "main:specs/none.yaml": (
        "error[source]: there is no specs/none.yaml at revision main\n"
        "  hint: a path is from the top of the repository; main:./PATH from this folder"
    ),
    "main:./none.yaml": (
        "error[source]: there is no ./none.yaml at revision main\n"
        "  hint: main:PATH is from the top of the repository, ./ from the current folder"
    ),
    ":specs/none.yaml": (
        "error[source]: there is no specs/none.yaml among the staged files\n"
        "  hint: a path is from the top of the repository; :./PATH from this folder"
    ),
    "main:specs": "error[source]: main:specs is a directory, not a spec file",
    "main:specs/big.yaml": (
        "error[source]: main:specs/big.yaml is larger than 16,777,216 bytes\n"
        "  hint: a spec is a short table of layers"
    ),
    r"C:\specs\net.yaml": (
        "error[source]: there is no file C:\\specs\\net.yaml\n"
        "  hint: a spec is a name of mbprof list, a path, or - for standard input"
    ),
    "C:/specs/net.yaml": (
        "error[source]: there is no file C:/specs/net.yaml\n"
        "  hint: a spec is a name of mbprof list, a path, or - for standard input"
    ),
    "main:specs/wrong.yaml": (
        "main:specs/wrong.yaml:1:1: error[spec]: the spec lacks the key 'input'\n"
        "    1 | name: wrong\n"
        "      | ^"
    ),
}


@pytest.mark.parametrize("spec", REPOSITORY_SAYS)
def test_messages(repository: Path, spec: str) -> None:
    assert message(spec) == REPOSITORY_SAYS[spec]
    assert not (repository / "x").exists()


def test_a_path_outside_is_gits_own_message(repository: Path) -> None:
    assert "git says: '../none.yaml' is outside repository" in message("main:../none.yaml")


def test_a_path_from_a_folder_that_forgets_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "specs")
    assert message("main:net.yaml") == (
        "error[source]: there is no net.yaml at revision main\n"
        "  hint: from the current folder it is main:./net.yaml"
    )


def test_extends_of_what_is_not_at_the_revision(repository: Path) -> None:
    (repository / "specs" / "late.yaml").write_text("extend: ../../net.yaml\nname: late\n")
    git("add", ".", cwd=repository)
    assert message(":specs/late.yaml").startswith(
        ":specs/late.yaml:1:9: error[spec]: cannot extend '../../net.yaml': there is no such spec\n"
    )


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert message("main:net.yaml") == (
        "error[source]: there is no file main:net.yaml, "
        "and this folder is not in a git repository\n"
        "  hint: REV:PATH is a file at a revision of the repository of the current folder"
    )


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert message("main:specs/net.yaml") == (
        "error[source]: cannot read main:specs/net.yaml: git is not installed\n"
        "  hint: REV:PATH is a file at a revision; git is needed to read it"
    )


def test_what_is_no_revision() -> None:
    for text in ("x.yaml", "C:\\x.yaml", "c:a\\x.yaml", "http://a/x.yaml", ":/text", "a:b\nc"):
        assert revision(text) is None, text
    assert beside("x.yaml", "y.yaml") is None
    assert beside("main:a/b/x.yaml", "../y.yaml") == Revision("main", "a/y.yaml")
    assert beside("main:x.yaml", "../y.yaml") == Revision("main", "/../y.yaml")
    assert beside("main:../x.yaml", "y.yaml") == Revision("main", "../y.yaml")

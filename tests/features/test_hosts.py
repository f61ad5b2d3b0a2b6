"""Code hosts and editors: the pre-commit hook, the GitHub Action, and watching a file."""

import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.conftest import MBPROF, OFFLINE, ROOT, Ended, child, git, started

GOOD = "name: net\ninput: {res: 32}\nbody:\n  - {op: conv, k: 3, c: 8, bn: true, act: relu}\n"
BAD = GOOD.replace("c: 8", "chans: 8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "specs").mkdir(parents=True)
    git("init", "--quiet", "--initial-branch", "main", cwd=folder)
    (folder / "specs" / "net.yaml").write_text(GOOD)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message", "first", cwd=folder)
    return folder


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    """A repository with what the hook is installed from, as it stands in the checkout."""
    folder = tmp_path / "mbprof"
    folder.mkdir()
    for name in (
        ".pre-commit-hooks.yaml",
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "LICENSE",
    ):
        shutil.copy(ROOT / name, folder)
    for name in ("mbprof", "specs", "docs", "tests/cases/checks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "--quiet", cwd=folder)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message", "all", cwd=folder)
    git("tag", "v0", cwd=folder)
    return folder


@pytest.mark.long
def test_the_hook_runs_in_pre_commit(repository: Path, hook: Path, tmp_path: Path) -> None:
    listed = {"repos": [{"repo": str(hook), "rev": "v0", "hooks": [{"id": "mbprof-check"}]}]}
    (repository / ".pre-commit-config.yaml").write_text(json.dumps(listed))

    def commit(text: str) -> Ended:
        (repository / "specs" / "net.yaml").write_text(text)
        git("add", ".", cwd=repository)
        home = str(tmp_path / "home")
        pre_commit = (sys.executable, "-m", "pre_commit", "run", "--files", "specs/net.yaml")
        return child(*pre_commit, cwd=repository, PRE_COMMIT_HOME=home, **OFFLINE)

    good, bad = commit(GOOD), commit(BAD)
    assert good.status == 0, good.out + good.err
    assert bad.status == 1
    assert "MB002" in bad.out
    assert "specs/net.yaml" in bad.out


def steps() -> list[dict[str, str]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    found: list[dict[str, str]] = action["runs"]["steps"]
    return found


def test_the_action_names_its_inputs_and_scripts() -> None:
    text = (ROOT / "action.yml").read_text()
    action = yaml.safe_load(text)
    for name in action["inputs"]:
        assert f"inputs.{name}" in text
    scripts = {path.name for path in (ROOT / "action").glob("*.sh")}
    steps_of = {"check.sh", "diff.sh", "install.sh"}
    assert {name for name in scripts if f"action/{name}" in text} == steps_of
    assert scripts == {*steps_of, "common.sh"}
    for step in steps():
        pinned = step.get("uses", "").partition("@")[2]
        assert "uses" not in step or re.fullmatch("[0-9a-f]{40}", pinned), step
    for step in steps():
        assert "${{" not in step.get("run", ""), "an input belongs in env:, not in a script"


def act(script: str, repository: Path, tools: Path, **environment: str) -> Ended:
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "PYTHON": sys.executable, "NAME": "costs", **environment}
    return child("bash", str(ROOT / "action" / script), cwd=repository, **settings)


@pytest.mark.parametrize(("text", "status"), [(GOOD, "0"), (BAD, "1")])
def test_the_action_checks(repository: Path, tmp_path: Path, text: str, status: str) -> None:
    (repository / "specs" / "net.yaml").write_text(text)
    out, sarif = tmp_path / "out", tmp_path / "mbprof.sarif"
    done = act(
        "check.sh", repository, tmp_path,
        FILES="specs/*.yaml", FAIL_ON="error", SARIF=str(sarif), GITHUB_OUTPUT=str(out),
    )  # fmt: skip
    assert done.status == 0, done.err
    assert out.read_text() == f"sarif={sarif}\nstatus={status}\n"
    assert '"version": "2.1.0"' in sarif.read_text()
    none = act("check.sh", repository, tmp_path, FILES="no/*.yaml", FAIL_ON="error", SARIF="x")
    assert (none.status, none.err) == (2, "mbprof: no file matches 'no/*.yaml'\n")


def test_the_action_names_no_sarif_where_there_is_none(repository: Path, tmp_path: Path) -> None:
    out, sarif = tmp_path / "out", tmp_path / "mbprof.sarif"
    done = act(
        "check.sh", repository, tmp_path,
        FILES="specs/*.yaml specs/none.yaml", FAIL_ON="error", SARIF=str(sarif),
        GITHUB_OUTPUT=str(out),
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "there is no file specs/none.yaml" in done.out
    assert (out.read_text(), sarif.exists()) == ("status=2\n", False)
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["outputs"]["sarif"]["value"] == "${{ steps.check.outputs.sarif }}"
    documented = (ROOT / "docs" / "checks.md").read_text()
    assert "if: always() && steps.mbprof.outputs.sarif != ''" in documented


# `gh api` on a list of comments in a file; FORK says that the token only reads.
GH = r"""
import json, os, sys

verb, *rest = sys.argv[1:]
options = {"--jq": "", "--method": "GET", "--field": ""}
paths, flags = [], set()
while rest:
    word = rest.pop(0)
    if word in options:
        options[word] = rest.pop(0)
    elif word.startswith("--"):
        flags.add(word)
    else:
        paths.append(word)
store = os.environ["COMMENTS"]
comments = json.load(open(store))
assert verb == "api" and flags <= {"--paginate", "--silent"}
(path,) = paths
if path == "user":
    assert options["--jq"] == ".login"
    sys.exit(print(os.environ["ME"]) if "ME" in os.environ else "gh: HTTP 403")
me = os.environ.get("ME", "github-actions[bot]")
if options["--method"] == "GET":
    assert path == "repos/o/r/issues/7/comments" and "--paginate" in flags
    asked = ".[] | select(.user.login == env.AUTHOR and (.body | startswith(env.MARK))) | .id"
    assert options["--jq"] == asked
    for number, author, body in comments:
        if author == os.environ["AUTHOR"] and body.startswith(os.environ["MARK"]):
            print(number)
    sys.exit()
if os.environ.get("FORK"):
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
assert options["--field"] == "body=@-"
body = sys.stdin.read()
assert len(body) <= 65536
if options["--method"] == "POST":
    assert path == "repos/o/r/issues/7/comments"
    comments.append([100 + len(comments), me, body])
else:
    assert options["--method"] == "PATCH"
    (mine,) = [c for c in comments if path == f"repos/o/r/issues/comments/{c[0]}"]
    mine[2] = body
json.dump(comments, open(store, "w"))
"""
MARK = "<!-- mbprof costs -->\n"
OTHERS = [[1, "ann", "Nice."], [2, "ann", "See <!-- mbprof costs -->"], [3, "eve", MARK + "mine"]]
COMMAND = re.compile("^::(?!stop-commands::|[0-9a-f]{32}::$)", re.MULTILINE)


def said(log: str) -> str:
    """Return what a step printed between the lines that stop and resume the runner's commands."""
    return re.sub("^::(stop-commands::)?[0-9a-f]{32}(::)?$", "", log, flags=re.MULTILINE).strip()


class Host:
    """A code host with one pull request, on which others comment too."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.tools = repository.parent / "tools"
        self.tools.mkdir()
        (self.tools / "gh").write_text(f"#!{sys.executable}\n{GH}")
        (self.tools / "gh").chmod(0o755)
        self.store = repository.parent / "comments.json"
        self.store.write_text(json.dumps(OTHERS))

    def push(self, text: str, **environment: str) -> tuple[str, list[str]]:
        """What the log says and what the action has posted once the spec is this."""
        (self.repository / "specs" / "net.yaml").write_text(text)
        done = act(
            "diff.sh", self.repository, self.tools,
            **{"FILES": "specs/*.yaml", **environment},
            BASE="main", COMMENT=str(self.repository.parent / "comment.md"),
            GITHUB_REPOSITORY="o/r", PULL_REQUEST="7", COMMENTS=str(self.store),
        )  # fmt: skip
        assert done.status == 0, done.err
        comments = json.loads(self.store.read_text())
        assert comments[:3] == OTHERS
        return said(done.out), [body for _, _, body in comments[3:]]


def test_the_action_keeps_one_comment(repository: Path) -> None:
    host = Host(repository)
    assert host.push(GOOD) == ("", [])
    log, (posted,) = host.push(GOOD.replace("c: 8", "c: 16"))
    assert "216 → 432 (+216, +100.0 %)" in log
    assert posted.startswith(MARK + "**net, res 32: main:./specs/net.yaml")
    assert posted.strip() == MARK + log
    _, (posted,) = host.push(GOOD.replace("c: 8", "c: 24"))
    assert "216 → 648 (+432, +200.0 %)" in posted
    log, (posted,) = host.push(GOOD)
    assert (log, posted) == ("", MARK + "The costs are those of the base.\n")


def test_two_uses_keep_two_comments(repository: Path) -> None:
    host, changed = Host(repository), GOOD.replace("c: 8", "c: 16")
    host.push(changed)
    _, posted = host.push(changed, NAME="other `job`", ME="ann")
    assert [text.partition("\n")[0] for text in posted] == [
        MARK.strip(),
        "<!-- mbprof other -job- -->",
    ]
    assert host.push(changed, NAME="other `job`", ME="ann")[1] == posted


def test_the_action_goes_on_where_it_may_not_post(repository: Path) -> None:
    log, posted = Host(repository).push(GOOD.replace("c: 8", "c: 16"), FORK="yes")
    assert "216 → 432 (+216, +100.0 %)" in log
    assert "\n::warning::mbprof: no comment was posted" in log
    assert posted == []


def test_the_action_cuts_what_is_too_long(repository: Path) -> None:
    rows = "".join(f"  - {{op: conv, k: 3, c: {8 + i % 7}}}\n" for i in range(1300))
    (repository / "specs" / "long.yaml").write_text(GOOD + rows)
    log, (posted,) = Host(repository).push(GOOD)
    assert len(log) > 65536
    assert posted.startswith(MARK + "Cut at 65,000 characters; the log of the job has")
    assert posted.endswith("|\n"), "whole lines"


# What a pull request of a stranger holds: names of files, and what is in them.
NAMES = (
    "--convention=.c.yaml", "-o.yaml", "--help.yaml", "--fail-on=never.yaml", "-.yaml",
    "::error::x.yaml", "a\n::error::x.yaml", "a\r::error::x.yaml", "##[error]x.yaml",
    "a\n::stop-commands::x\n.yaml", "`a`.yaml", "a```\n# h.yaml", "a``b|c.yaml",
    "<script>x.yaml", "<!-- x.yaml", "--><b>x.yaml", "![i](x).yaml", "[l](y).yaml", "@team.yaml",
    "# h.yaml", "> q.yaml", "a\n\n# h.yaml", "$(touch pwned).yaml", "`touch pwned`.yaml",
    "; touch pwned;.yaml", "a b'\"c.yaml", "$HOME.yaml", "*.yaml", "\x1b[31mx.yaml",
    "\u202ex.yaml", "a\tb.yaml", os.fsdecode(b"\xff.yaml"),
)  # fmt: skip
TEXTS = (
    "x\n::error::x", "\r::error::x", "##[error]x", "```\n# h", "![i](https://x.org/i.png)",
    "[l](https://x.org)", "<img src=x>", "<!--", "-->", "@team", "https://x.org", "a|b\n| c |",
    "\n\n# h", "> q", "$(touch pwned)", "\x1b[2J", "\u202e", "`touch pwned`", "~~~", "<details>",
)  # fmt: skip
INERT = {
    "paragraph", "strong", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item",
}  # fmt: skip


def stranger(number: int, **row: object) -> str:
    """Return a spec with hostile texts in every place that has one."""
    text, other = (TEXTS[(number + i) % len(TEXTS)] for i in (0, 7))
    rows = [{"op": "conv", "k": 3, "c": 8, "name": f"{text}{i}"} for i in range(2)]
    about = {"name": f"n{text}", "doc": other, "source": text, "accept": {"MB202": other}}
    return json.dumps({**about, "input": {"res": 8}, "body": [*rows, {"name": other, **row}]})


@pytest.mark.long
def test_the_action_does_nothing_that_a_stranger_says(repository: Path, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        (repository / name).write_text(stranger(number, op="relu"))
    (repository / ".c.yaml").write_text("name: c\nunit: MACs\nparams: [conv]\n")
    git("add", ".", cwd=repository)
    git("commit", "--quiet", "--message", "as it was", cwd=repository)
    changes = ({"k": 1, "c": 4}, {"chans": TEXTS[0]}, {"k": 1, "c": "[l](x)"})
    for number, name in enumerate(NAMES):
        (repository / name).write_text(stranger(number, op="conv", **changes[number % 3]))
    (repository / NAMES[0]).unlink()
    (repository / NAMES[10]).unlink()
    (repository / "new\n::error::.yaml").write_text(stranger(3, op="conv", k=1, c=4))
    files = sorted(path.name for path in repository.rglob("*") if ".git" not in path.parts)
    log, (posted,) = Host(repository).push(BAD, FILES="*.yaml specs/*.yaml")
    sarif = tmp_path / "out.sarif"
    checked = act(
        "check.sh", repository, tmp_path, FILES="*.yaml specs/*.yaml", FAIL_ON="error",
        SARIF=str(sarif), GITHUB_OUTPUT=str(tmp_path / "out"),
    )  # fmt: skip
    assert "status=1" in (tmp_path / "out").read_text()
    assert "specs/net.yaml:4" in checked.out
    assert "MB002" in checked.out
    for text in (said(checked.out), log):
        assert not re.search(r"^\s*::|##\w*\[|[\x00-\x08\x0b-\x1f\u202a-\u202e]", text, re.M)
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    assert not [r for r in results if re.search(r"(?<!\\)\]\(", r["message"]["text"])]
    assert "conv has no key 'chans'" in posted
    rendered(posted.removeprefix(MARK))
    left = sorted(path.name for path in repository.rglob("*") if ".git" not in path.parts)
    assert left == files, "nothing was executed, and nothing written"


def rendered(comment: str) -> None:
    """Hold that a comment has text and tables alone, as a code host renders it."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(comment)
    tokens += [inner for token in tokens for inner in token.children or ()]
    kinds = {token.type.removesuffix("_open") for token in tokens if token.nesting >= 0}
    assert kinds <= {*INERT, "inline", "text", "code_inline", "softbreak"}, kinds
    plain = "".join(token.content for token in tokens if token.type == "text")
    assert not re.search(r"(?<!\w)@\w", plain)


BLOCK = "doc: b\nsource: s\ntakes: {c: {type: int}}\nexample: {in: 8x8x4, c: 4}\n"
BLOCK += "body:\n  - {op: conv, k: 3, c: c}\n"


def described(repository: Path, base: str = "main") -> str:
    comment = repository.parent / "described.md"
    git("add", "--intent-to-add", ".", cwd=repository)
    done = act(
        "diff.sh", repository, repository.parent,
        FILES="specs/*.yaml", BASE=base, COMMENT=str(comment),
    )  # fmt: skip
    assert done.status == 0, done.out + done.err
    return comment.read_text()


def test_the_action_goes_on_where_a_spec_does_not_compile(repository: Path) -> None:
    specs = repository / "specs"
    (specs / "a.yaml").write_text(BAD)
    (specs / "b.yaml").write_text(GOOD)
    git("add", ".", cwd=repository)
    git("commit", "--quiet", "--message", "a does not compile", cwd=repository)
    (specs / "a.yaml").write_text(GOOD)
    (specs / "b.yaml").write_text(BAD)
    (specs / "net.yaml").write_text(GOOD.replace("c: 8", "c: 16"))
    repaired, broken = described(repository).split("`specs/b.yaml` does not compile:")
    assert repaired.startswith("`specs/a.yaml`: the base does not compile, so these are the new")
    assert "main:./specs/a.yaml:4:22: error[spec]: conv has no key 'chans'" in repaired
    assert "| **total** |" in repaired
    assert "specs/b.yaml:4 | conv has no key 'chans'" in broken
    assert "216 → 432 (+216, +100.0 %)" in broken


def test_the_action_sees_what_changes_through_another_file(repository: Path) -> None:
    (repository / "specs" / "child.yaml").write_text("name: child\nextend: net.yaml\n")
    (repository / "specs" / "other.yaml").write_text(GOOD.replace("name: net", "name: other"))
    git("add", ".", cwd=repository)
    git("commit", "--quiet", "--message", "a child", cwd=repository)
    (repository / "specs" / "net.yaml").write_text("# a note\n" + GOOD)
    assert not described(repository)
    (repository / "specs" / "net.yaml").write_text(GOOD.replace("c: 8", "c: 16"))
    text = described(repository)
    assert "**child, res 32: main:./specs/child.yaml → specs/child.yaml**" in text
    assert "other" not in text
    (repository / "specs" / "net.yaml").write_text(GOOD.replace("bn: true, ", ""))
    assert "then bn, relu → relu" in described(repository)


def test_the_action_needs_the_base(repository: Path) -> None:
    done = act(
        "diff.sh", repository, repository.parent,
        FILES="specs/*.yaml", BASE="1" * 40, COMMENT=str(repository / "comment.md"),
    )  # fmt: skip
    assert done.status == 2
    assert done.out.startswith("::error::mbprof: no base 1111")
    assert "fetch-depth: 0" in done.out


def test_the_action_names_deleted_specs(repository: Path) -> None:
    specs = repository / "specs"
    (specs / "deep").mkdir()
    (specs / "deep" / "x.yaml").write_text(GOOD)
    git("add", ".", cwd=repository)
    git("commit", "--quiet", "--message", "deep", cwd=repository)
    (specs / "deep" / "x.yaml").unlink()
    (specs / "net.yaml").rename(specs / "new.yaml")
    text = described(repository)
    assert text.startswith("`specs/new.yaml` is new:\n\n**net, res 32**")
    assert text.endswith("\n\n`specs/net.yaml` is deleted.\n\n")
    assert "deep" not in text, "specs/*.yaml does not reach into folders"


def test_the_action_costs_blocks_that_changed(repository: Path) -> None:
    block = repository / "specs" / "unit.yaml"
    block.write_text(BLOCK)
    assert described(repository).startswith("`specs/unit.yaml`, a block, is new:\n\n**unit, in")
    git("add", ".", cwd=repository)
    git("commit", "--quiet", "--message", "a block", cwd=repository)
    assert not described(repository)
    block.write_text(BLOCK.replace("k: 3", "k: 1"))
    text = described(repository)
    assert "params: 144 → 16 (−128, −88.9 %)" in text
    block.write_text(BLOCK.replace("c: c", "chans: c"))
    text = described(repository)
    assert text.startswith("`specs/unit.yaml` does not compile:")
    assert "specs/unit.yaml:6 | conv has no key 'chans'" in text


def test_a_file_is_checked_again_when_it_is_saved(tmp_path: Path) -> None:
    spec, log = tmp_path / "net.yaml", tmp_path / "log"
    spec.write_text(GOOD)
    with (
        log.open("w") as out,
        started(*MBPROF, "watch", "net.yaml", cwd=tmp_path, out=out) as watching,
    ):

        def wait_for(text: str) -> None:
            until = time.monotonic() + 60
            while text not in log.read_text():
                assert watching.poll() is None, log.read_text()
                assert time.monotonic() < until, f"no {text!r} in {log.read_text()!r}"
                time.sleep(0.05)

        wait_for("net: 1 advice")
        spec.write_text(BAD)
        wait_for("MB002")
        spec.unlink()
        replaced = tmp_path / "net.new"
        replaced.write_text(GOOD.replace("c: 8", "c: 12"))
        replaced.rename(spec)
        wait_for("MB201")
        watching.send_signal(signal.SIGINT)
        watching.wait(timeout=30)
    assert "Traceback" not in log.read_text()


def test_a_watched_file_may_go_and_come_back(tmp_path: Path) -> None:
    folder, log = tmp_path / "nets", tmp_path / "log"
    folder.mkdir()
    spec = folder / "net.yaml"
    spec.write_text(GOOD)
    with (
        log.open("w") as out,
        started(*MBPROF, "watch", "nets/net.yaml", cwd=tmp_path, out=out) as watching,
    ):

        def wait_for(text: str, times: int) -> None:
            until = time.monotonic() + 60
            while log.read_text().count(text) < times:
                assert watching.poll() is None, log.read_text()
                assert time.monotonic() < until, f"no {text!r} in {log.read_text()!r}"
                time.sleep(0.05)

        good, gone = "net: 1 advice", "there is no file nets/net.yaml"
        wait_for(good, 1)
        spec.unlink()
        wait_for(gone, 1)
        spec.write_text(GOOD)
        wait_for(good, 2)
        spec.rename(folder / "other.yml")
        wait_for(gone, 2)
        spec.write_bytes(b"\xff\xfe\x00")
        wait_for("MB001", 1)
        folder.rename(tmp_path / "moved")
        wait_for(gone, 3)
        folder.mkdir()
        spec.write_text(GOOD)
        wait_for(good, 3)
        time.sleep(0.5)
        spec.write_text(BAD)
        wait_for("MB002", 1)
    assert "Traceback" not in log.read_text()

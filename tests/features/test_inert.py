"""What leaves the house is inert: names of strangers in every medium, files, and streams."""

import csv
import io
import json
import os
import re
import signal
import stat
import sys
import time
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import mbprof
from mbprof.errors import MbprofError, visible
from mbprof.output import inert
from mbprof.output.files import emit_all
from mbprof.pages.charts import style
from tests.conftest import MBPROF, child, git, invoke, run, started
from tests.fuzz.signals import fault

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07", "\u202egnp.exe\u2066", "zero\u200bwidth\ufeff\u3164", "\ud800",
    "a\r\nb\x85\u2028c", "::error::x", "a\n::error::x", "##[error]x", "##vso[task.complete]",
    "=1+1", "@SUM(1)", "+cmd", "\t=1", "\r=1", "-2+3", "`a``b```", "```\n# x", "# head", "1. one",
    "- item", "> quote", "---", "===", "![i](http://x.org/i.png)", "[l](javascript:x)",
    "<script>alert(1)</script>", "<http://x.org>", "https://x.org www.x.org a@x.org", "@team #12",
    "a|b", "&lt;b&gt;", "$\\frac$", "\\input /etc/passwd", "50% #1 ^~", "[2cm]", "*",
    "[red]x[/]", "_x", "\u4e2d",
)  # fmt: skip
ACTS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]"
)
COMMAND = re.compile(r"^\s*::|##\w*\[", re.M)


def hostile(folder: Path) -> Path:
    """Write a spec whose texts are hostile, each of them in a name."""
    spec = {
        "name": HOSTILE[0] + HOSTILE[2], "doc": " ".join(HOSTILE), "source": HOSTILE[23],
        "family": HOSTILE[25], "input": {"res": 8},
        "accept": {"MB201": "\x1b @team [l](x)"},
        "body": [{"op": "conv", "k": 3, "c": 5, "name": text} for text in HOSTILE],
    }  # fmt: skip
    path = folder / "net.yaml"
    path.write_text(json.dumps(spec))
    return path


@pytest.mark.parametrize(
    "command",
    [
        *(f"{name} net.yaml --format {form}"
          for name in ("table", "check", "explain", "compare net.yaml", "diff net.yaml")
          for form in ("rich", "md", "csv", "json", "html")),
        "check net.yaml --format sarif", "show net.yaml", "show net.yaml --format md",
        "formula net.yaml", "formula net.yaml --format md", "formula net.yaml --format latex",
        "formula net.yaml --format json", "sweep net.yaml --set res=8,9 --format csv",
        "sweep net.yaml --set res=8,9 --format json", "table net.yaml --max-macs 1",
        "table net.yaml --set x=1", "plot net.yaml --kind layers -o a.svg",
        "report net.yaml -o r.md",
    ],
)  # fmt: skip
def test_no_text_of_a_spec_acts(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile(tmp_path)
    ended = invoke(*command.split())
    assert ended.status == (2 if "--set x" in command else 1 if "--max" in command else 0), ended
    texts = [ended.out, ended.err]
    for path in (*tmp_path.glob("*.md"), *tmp_path.rglob("*.svg")):
        texts.append(path.read_text(encoding="utf-8"))
        assert "<script" not in texts[-1].replace("\\<", "")
    for text in texts:
        assert not ACTS.search(text), ACTS.search(text)
        assert not COMMAND.search(text), COMMAND.search(text)
    if "json" in command or "sarif" in command:
        json.loads(ended.out)
    if "table" in command and "csv" in command:
        rows = list(csv.DictReader(io.StringIO(ended.out)))
        assert len(rows) == len(HOSTILE)
        assert not [row["name"] for row in rows if row["name"][:1] in "=+-@\t\r"]
        assert all(row["macs"].isdigit() for row in rows)
    if "table" in command and "json" in command:
        names = [layer["name"] for layer in json.loads(ended.out)["layers"]]
        assert [name for name in HOSTILE if name not in names] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_renders_as_the_text(text: str) -> None:
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    page = f"{inert.markdown(text)}\n\n- {inert.markdown(text)}\n\n| a |\n| --- |\n| "
    page += f"{inert.markdown(text)} | {inert.code(text, cell=True)} |\n\n{inert.fenced(text)}\n"
    tokens = renderer.parse(page)
    kinds = [token.type for token in tokens]
    inner = {token.type for block in tokens for token in block.children or ()}
    assert inner <= {"text", "code_inline", "softbreak"}
    assert kinds.count("fence") == kinds.count("bullet_list_open") == kinds.count("table_open") == 1
    assert {kind.removesuffix("_open") for kind in kinds if kind.endswith("_open")} <= {
        "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert "code_block" not in kinds
    assert not {"html_block", "heading_open", "hr"} & set(kinds)
    shown = "".join(token.content for token in tokens[1].children or ())
    assert shown == visible(text.replace("\n", " ")).lstrip(" ")
    assert not re.search(r"(?<![\w`])@\w|\w@\w+\.\w|https?://|(?<!`)#\d", inert.markdown(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_prints_the_text(text: str) -> None:
    made = inert.latex(text)
    assert re.sub(r"\\(?:[{}$&#%_]|text\w+\{\}|text\w+)|\{\}", "", made).translate(
        str.maketrans("", "", "\\{}$&#%_^~\n")
    ) == re.sub(r"\\(?:[{}$&#%_]|text\w+\{\}|text\w+)|\{\}", "", made)


def test_charts_show_names_as_they_are(tmp_path: Path) -> None:
    figure = mbprof.plot(hostile(tmp_path), kind="layers")
    with style.look():
        figure.canvas.draw()
    ticks = [text.get_text() for text in figure.axes[1].get_xticklabels()]
    assert [name for name in ("$\\frac$", "_x", "=1+1", "50% #1 ^~") if name not in ticks] == []


def test_what_shows_itself_is_inert(tmp_path: Path) -> None:
    assert not ACTS.search(repr(mbprof.load(hostile(tmp_path))))


def test_an_underscore_keeps_its_place_in_a_legend() -> None:
    assert [style.named(name) for name in ("_a", "a")] == [" _a", "a"]


# What a spec may extend


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository, with a secret in it and one beside it."""
    root = tmp_path / "repository"
    (root / "specs").mkdir(parents=True)
    git("init", "--quiet", cwd=root)
    base = "name: base\ninput: {res: 8}\nbody: [{op: conv, k: 3, c: 4}]\n"
    (root / "base.yaml").write_text(base)
    (root / "key").write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0 [\n")
    (root / "secrets.yaml").write_text("password: c2VjcmV0\n")
    (tmp_path / "outside.yaml").write_text(base)
    (tmp_path / "hidden").write_text("c2VjcmV0: [")
    (root / "specs" / "out.yaml").symlink_to(tmp_path / "outside.yaml")
    (root / "specs" / "hidden.yaml").symlink_to(tmp_path / "hidden")
    (root / "specs" / "in.yaml").symlink_to("../base.yaml")
    return root


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("../base.yaml", ""),
        ("in.yaml", ""),
        ("mobilenet_v1", ""),
        ("../../outside.yaml", "it lies outside of the repository"),
        ("out.yaml", "it lies outside of the repository"),
        ("/etc/shadow", "it lies outside of the repository"),
        ("/no/such", "it lies outside of the repository"),
        ("../key", "key is no spec"),
        ("../secrets.yaml", "secrets.yaml is no spec"),
    ],
)
def test_a_spec_extends_what_lies_in_its_repository(text: str, says: str, tree: Path) -> None:
    spec = tree / "specs" / "net.yaml"
    spec.write_text(f"name: net\nextend: {text}\n")
    for command in ("table", "check", "show"):
        ended = invoke(command, str(spec), width=300)
        words = " ".join((ended.out + ended.err).split())
        assert says in words
        assert (ended.status == 0) == (not says)
        assert "c2VjcmV0" not in words


def test_without_a_repository_a_spec_extends_what_lies_below_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    base = "name: base\ninput: {res: 8}\nbody: [{op: conv, k: 3, c: 4}]\n"
    (tmp_path / "up.yaml").write_text(base)
    (tmp_path / "a" / "base.yaml").write_text(base)
    (tmp_path / "a" / "b" / "c.yaml").write_text("name: c\nextend: ../base.yaml\n")
    spec = tmp_path / "a" / "net.yaml"
    spec.write_text("name: net\nextend: b/c.yaml\n")
    run("table", str(spec))
    spec.write_text("name: net\nextend: ../up.yaml\n")
    assert "outside of the repository" in invoke("table", str(spec)).err


def test_a_link_out_of_the_repository_is_not_quoted(tree: Path) -> None:
    run("table", str(tree / "specs" / "out.yaml"))
    for command in ("table", "check", "show"):
        ended = invoke(command, str(tree / "specs" / "hidden.yaml"))
        assert "is no spec" in " ".join((ended.out + ended.err).split())
        assert "c2VjcmV0" not in ended.out + ended.err


# Files and streams


@pytest.mark.parametrize("form", ["rich", "md", "csv", "json", "html", "sarif"])
def test_a_name_that_is_not_utf_8_is_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff\x1b.yaml")
    path.write_text("name: net\ninput: {res: 8}\nbody: [{op: conv, k: 3, chans: 4}]\n")
    for out in ((), ("-o", str(tmp_path / "out"))):
        ended = invoke("check", str(path), "--format", form, *out)
        assert ended.status == 1, ended.err
        assert not ACTS.search(ended.out)
    assert (tmp_path / "out").read_bytes().decode("utf-8")
    assert "a<U+DCFF>\\x1b.yaml:3" in invoke("table", str(path)).err


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes somebody else")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    # Nobody can read the folder, and everybody what mbprof is made of.
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    (shut / "net.yaml").write_text("name: net\n")
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    program = "import os, sys\nfrom mbprof import cli\nimport mbprof.network.load"
    program += "\nimport mbprof.cli.run, mbprof.cli.watch, mbprof.checks.run"
    program += "\nimport encodings.utf_8_sig, watchfiles, yaml"
    program += "\nos.setuid(65534)\ncli.main()"
    for words in (("table",), ("check",), ("watch",), ("show",), ("table", "x", "--convention")):
        ended = child(sys.executable, "-c", program, *words, str(shut / "net.yaml"))
        assert ended.status == 2, ended.err
        assert "Traceback" not in ended.err
        assert ended.err.count("error[") == 1


@pytest.mark.parametrize(
    "command", ["table mobilenet_v1", "--help", "sweep mobilenet_v1 --alpha 0.1:1:0.1 --format csv"]
)
def test_what_cannot_be_printed_is_said(command: str) -> None:
    line = f"{sys.executable} -m mbprof {command}"
    for where, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
        ended = child("bash", "-c", f"{line} {where}")
        message = f"error[usage]: cannot write standard output: {why}\n"
        assert (ended.status, ended.err) == (2, message)
    ended = child("bash", "-c", f"{line} >&- 2>&-")
    assert (ended.status, ended.out, ended.err) == (2, "", "")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("--help", 0),
        ("list", 0),
        ("sweep mobilenet_v1 --alpha 0.1:1:0.0001 --format csv", 0),
        ("check mobilenet_v1 --fail-on advice", 1),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(command: str, status: int) -> None:
    line = f"(sleep 0.1; exec {sys.executable} -m mbprof {command})"
    ended = child("bash", "-c", f"{line} | true; echo ${{PIPESTATUS[0]}}")
    assert (ended.out, ended.err) == (f"{status}\n", "")


def test_a_file_is_written_where_standard_output_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    line = f"{sys.executable} -m mbprof table mobilenet_v1 -o {path} >&-"
    assert child("bash", "-c", line) == ("", "", 0)
    assert path.read_text() == run("table", "mobilenet_v1", "--format", "csv")


def test_a_link_to_standard_output_is_standard_output(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    command = f"{sys.executable} -m mbprof list mobilenet_v1 --format csv -o link"
    assert child("bash", "-c", f"(echo a; {command}; echo b) > all", cwd=tmp_path).status == 0
    text = run("list", "mobilenet_v1", "--format", "csv")
    assert (tmp_path / "all").read_text() == f"a\n{text}b\n"


def test_several_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    page, chart = tmp_path / "r.md", tmp_path / "r" / "a.svg"
    page.mkdir()
    with pytest.raises(MbprofError, match="it is no file"):
        emit_all({chart: b"a", page: b"b"})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["r.md"]
    page.rmdir()
    emit_all({chart: b"a", page: b"b"})
    page.chmod(0o604)
    emit_all({chart: b"c", page: b"d"})
    assert (chart.read_bytes(), page.read_bytes()) == (b"c", b"d")
    assert stat.S_IMODE(page.stat().st_mode) == 0o604
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.svg", "r", "r.md"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_half_of_a_report(number: signal.Signals, tmp_path: Path) -> None:
    written = "for n in range(10**6): emit_all({Path('r.md'): b'%d' % n, Path('r/a'): b'%d' % n})"
    program = "import sys\nfrom pathlib import Path\nfrom mbprof import cli\n"
    program += f"from mbprof.output.files import emit_all\ndef run(**options):\n {written}\n"
    program += "from mbprof.cli import run as line\nline.app = lambda words: run\n"
    program += "sys.argv = ['mbprof']\ntry: cli.main()\nexcept KeyboardInterrupt: pass"
    for delay in (0.3, 0.33, 0.36):
        with started(sys.executable, "-c", program, cwd=tmp_path) as process:
            while not (tmp_path / "r" / "a").exists():
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(delay)
            process.send_signal(number)
            process.communicate(timeout=60)
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "r", "r.md"]
        assert (tmp_path / "r" / "a").read_text() == (tmp_path / "r.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_ended_leaves_nothing(number: signal.Signals) -> None:
    assert [fault("csv", number, after) for after in (0.05, 0.6, 1.2)] == ["", "", ""]


def test_watch_says_what_it_cannot_watch(tmp_path: Path) -> None:
    for name in ("a" * 300 + ".yaml", os.fsdecode(b"\xff.yaml"), str(tmp_path)):
        ended = child(*MBPROF, "watch", name)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith("error[usage]: there is no file")

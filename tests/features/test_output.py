"""Where output goes, in which format, and that a file is whole, old or not there at all."""

import csv
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.cli.options import REGISTRIES, formats_of
from mbprof.errors import UsageError
from mbprof.output import REPORTS, Column, Formats, Note, Report, render, writers
from mbprof.output.files import bytes_to, emit, text_to
from mbprof.output.formats import stamp, to_json
from mbprof.output.html import fragment
from tests.conftest import MBPROF, ROOT, child, invoke, run, started

BLOCK = ("block", "inv_res", "--in", "8x8x4", "--set", "c=4", "--set", "t=2")
COMMANDS = {
    "table": ("table", "mobilenet_v1"),
    "list": ("list", "mobilenet_v1"),
    "show": ("show", "mobilenet_v1"),
    "block": BLOCK,
    "check": ("check", "mobilenet_v1"),
    "compare": ("compare", "mobilenet_v1", "mobilenet_v1,alpha=0.5"),
    "diff": ("diff", "mobilenet_v1", "mobilenet_v1,alpha=0.5"),
    "sweep": ("sweep", "mobilenet_v1", "--alpha", "0.5,1"),
    "accuracy": ("accuracy", "mobilenet_v1"),
    "explain": ("explain", "mobilenet_v1"),
    "verify": ("verify", "mobilenet_v1"),
    "formula": ("formula", "mobilenet_v1", "--by", "net"),
}
"""Every command that prints a result in formats of the user's choice."""


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_ending_of_a_file_says_its_format(command: str, tmp_path: Path) -> None:
    ask = COMMANDS[command]
    for name, known in formats_of(command).items():
        # Prose has no form as CSV; Parquet is binary.
        if (command, name) == ("show", "csv") or name == "parquet":
            continue
        for ending in known.endings:
            path = tmp_path / f"x{ending}"
            if formats_of(command).of_file(str(path)) == known:
                assert run(*ask, "-o", str(path)) == ""
                assert path.read_text() == run(*ask, "--format", name), (name, ending)


def test_every_command_with_an_output_is_asked() -> None:
    for command in ("plot", "schema", "report"):
        assert "--output" in run(command, "--help")
    for command in COMMANDS:
        assert "--output" in run(command, "--help")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_file_without_an_ending_is_written_as_a_terminal_shows_it(
    command: str, tmp_path: Path
) -> None:
    for name in ("x", "x.txt", "net.0.75"):
        run(*COMMANDS[command], "-o", str(tmp_path / name))
        assert (tmp_path / name).read_text() == run(*COMMANDS[command])


def test_charts_and_the_schema_are_written_by_their_endings(tmp_path: Path) -> None:
    for name, begin in {"x.svg": b"<?xml", "x.png": b"\x89PNG", "x.pdf": b"%PDF"}.items():
        run("plot", "mobilenet_v1", "--kind", "grid", "-o", str(tmp_path / name))
        assert (tmp_path / name).read_bytes()[: len(begin)] == begin
    run("plot", "mobilenet_v1", "--kind", "grid", "--format", "png", "-o", str(tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "x.png").read_bytes()
    run("schema", "-o", str(tmp_path / "x.json"))
    assert (tmp_path / "x.json").read_text() == run("schema")


REFUSED = {
    "table x -o a.csv --format json": (
        "--format json, but a.csv has the ending of csv\n"
        "  hint: leave --format out, or write to a file that ends in .json"
    ),
    "table x -o a.html --format rich": (
        "--format rich, but a.html has the ending of html\n"
        "  hint: leave --format out, or write to a file that ends in .txt"
    ),
    "formula x -o a.tex --format md": (
        "--format md, but a.tex has the ending of latex\n"
        "  hint: leave --format out, or write to a file that ends in .md"
    ),
    "table x -o a.parquet": (
        "a.parquet: parquet is a format of mbprof sweep\n"
        "  hint: known are rich, md, csv, json, html"
    ),
    "table x -o a.svg --format csv": (
        "a.svg: svg is a format of mbprof plot\n  hint: known are rich, md, csv, json, html"
    ),
    "check x --explain all -o a.sarif": (
        "a.sarif: sarif is a format of mbprof check\n  hint: known are rich, md, csv, json, html"
    ),
    "formula x -o a.csv": (
        "a.csv: csv is a format of mbprof table\n  hint: known are rich, text, latex, md, json"
    ),
    "schema -o a.md": "a.md: md is a format of mbprof table\n  hint: known are json",
    "plot x -o a.md": "a.md: md is a format of mbprof table\n  hint: known are svg, png, pdf",
    "plot x -o a.gif": ("a.gif has no ending of a format\n  hint: end it in .svg, .png or .pdf"),
    "table x --format cvs": "unknown format 'cvs'\n  hint: did you mean 'csv'?",
    "table x --format xml": ("unknown format 'xml'\n  hint: known are rich, md, csv, json, html"),
    "table mobilenet_v1 -o none/a.csv": "cannot write none/a.csv: there is no folder none",
    "table mobilenet_v1 -o folder": "cannot write folder: it is a directory",
    "table mobilenet_v1 -o folder/": "cannot write folder/: it is a directory",
    "table mobilenet_v1 -o loop": "cannot write loop: Too many levels of symbolic links",
    "table mobilenet_v1 -o /dev/full": "cannot write /dev/full: No space left on device",
    "table mobilenet_v1 -o /dev/fd/99": "cannot write /dev/fd/99: Bad file descriptor",
    "sweep mobilenet_v1 --alpha 1 --format parquet": (
        "Parquet is binary; it needs a file\n  hint: add -o sweep.parquet"
    ),
}


@pytest.mark.parametrize("command", sorted(REFUSED))
def test_what_cannot_be_written_is_said(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    ended = invoke(*command.split())
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"error[usage]: {REFUSED[command]}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop"]


def test_a_log_in_sarif_may_end_in_json(tmp_path: Path) -> None:
    for name in ("a.sarif", "a.sarif.json", "a.json"):
        run("check", "mobilenet_v1", "--format", "sarif", "-o", str(tmp_path / name))
        assert json.loads((tmp_path / name).read_text())["version"] == "2.1.0"
    run("check", "mobilenet_v1", "-o", str(tmp_path / "b.json"))
    assert isinstance(json.loads((tmp_path / "b.json").read_text()), list)


@pytest.mark.parametrize("kind", sorted(REGISTRIES))
def test_help_lists_the_formats_that_are_registered(kind: str) -> None:
    names = list(formats_of(kind))
    if kind != "schema":
        text = " ".join(run(kind, "--help", width=200).split())
        assert f"{', '.join(names[:-1])} or {names[-1]}; else as FILE ends" in text


def test_a_format_that_is_added_is_offered_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Formats(REPORTS)
    added.add("shout", ".shout")(lambda report, screen: report.title.upper())
    monkeypatch.setitem(REPORTS, "shout", added["shout"])
    assert "html or shout" in " ".join(run("table", "--help", width=200).split())
    run("table", "mobilenet_v1", "-o", str(tmp_path / "a.shout"))
    assert (tmp_path / "a.shout").read_text() == run("table", "mobilenet_v1", "--format", "shout")


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link, far = (tmp_path / name for name in ("target.csv", "link.csv", "far.csv"))
    target.write_text("old")
    target.chmod(0o604)
    link.symlink_to("target.csv")
    far.symlink_to(link)
    run("list", "mobilenet_v1", "-o", str(far))
    assert link.is_symlink()
    assert far.is_symlink()
    assert target.read_text() == run("list", "mobilenet_v1", "--format", "csv")
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    emit("text", tmp_path / "link")
    assert (tmp_path / "target").read_text() == "text"
    assert (tmp_path / "link").is_symlink()


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        emit("text", tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_is_write_protected_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(UsageError, match="Permission denied"):
        emit("new", path)
    assert path.read_text() == "old"


def test_open_files_are_written_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "all"
    command = f"{sys.executable} -m mbprof list mobilenet_v1 --format csv"
    script = f"(echo before; {command} -o /dev/stdout; echo after) > {path}"
    assert child("bash", "-c", script).status == 0
    written = run("list", "mobilenet_v1", "--format", "csv")
    assert path.read_text() == f"before\n{written}after\n"
    assert child("bash", "-c", f"{command} -o /dev/fd/3 3> {path}").status == 0
    assert path.read_text() == written
    assert child(*MBPROF, "list", "mobilenet_v1", "-o", "/dev/null").status == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(
    ("words", "seen"), [((), b"error[usage]: what was asked for"), (("-o", "-"), b"mbprof")]
)
def test_what_is_no_text_goes_to_a_terminal_only_if_asked_to(
    words: tuple[str, ...], seen: bytes
) -> None:
    terminal, end = os.openpty()
    with open(end, "w") as out:  # noqa: PTH123 - it has no path
        command = (*MBPROF, "export", "squeezenet", "--no-weights", "--to", "onnx", *words)
        with started(*command, out=out):
            assert seen in os.read(terminal, 1000)
    os.close(terminal)


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with started("cat", str(pipe)) as reader:
        emit("text", pipe)
        assert reader.communicate(timeout=60)[0] == "text"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_full_standard_output_is_one_message() -> None:
    command = f"{sys.executable} -m mbprof table mobilenet_v1 > /dev/full"
    ended = child("bash", "-c", command)
    message = "error[usage]: cannot write standard output: No space left on device\n"
    assert (ended.status, ended.err) == (2, message)


def write_and_fail(opened: Any, path: Path, error: type[BaseException]) -> None:
    with opened(path) as file:
        file.write("new" if opened is text_to else b"new")
        raise error


@pytest.mark.parametrize("opened", [text_to, bytes_to])
def test_an_error_leaves_the_old_file_and_nothing_else(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            write_and_fail(opened, path, error)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_terminated_sweep_leaves_no_file(jobs: str, tmp_path: Path) -> None:
    command = (
        *MBPROF, "sweep", "mobilenet_v2", "--alpha", "0.35:1.4", "--random", "50000000",
        "-o", str(tmp_path / "sweep.csv"), "--jobs", jobs,
    )  # fmt: skip
    with started(*command) as process:
        deadline = time.monotonic() + 120
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert (process.communicate(timeout=120)[0], process.returncode) == ("", 143)
    assert list(tmp_path.iterdir()) == []


def test_cells_with_commas_stay_one_cell(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "name: net\ninput: {res: 8}\n"
        "knobs: {mode: {default: a, type: name, one_of: [a, 'b, \"c\"']}}\n"
        "body: [{op: conv, k: 3, c: 4}]\n"
    )
    configs = tmp_path / "configs.csv"
    with configs.open("w", newline="") as file:
        csv.writer(file).writerows([["mode"], ["a"], ['b, "c"']])
    text = run("sweep", str(spec), "--from", str(configs), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["mode"], row["params"], row["macs"]) for row in rows] == [
        ("a", "108", "6912"),
        ('b, "c"', "108", "6912"),
    ]


def test_json_has_no_numbers_that_are_none() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"x": float("nan")})


class Page(HTMLParser):
    """Reads HTML strictly: what is opened is closed, in order."""

    VOID = ("meta", "br", "hr", "img", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: list[str] = []
        self.metas: dict[str, str] = {}
        self.declared = self.title = ""
        self.feed(text)
        self.close()
        assert self.opened == []

    def handle_decl(self, decl: str) -> None:
        self.declared = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        given = dict(attrs)
        if tag == "meta":
            name = given.get("name") or ("charset" if "charset" in given else "")
            self.metas[name or ""] = given.get("content") or given.get("charset") or ""
        elif tag not in self.VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.opened[-1:] == ["title"]:
            self.title += data


@pytest.mark.parametrize("command", ["table", "show", "block", "compare", "sweep", "explain"])
def test_html_is_a_whole_page(command: str, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    run(*COMMANDS[command], "-o", str(path))
    text = path.read_text()
    page = Page(text)
    assert page.declared == "doctype html"
    assert [page.seen.count(tag) for tag in ("html", "head", "title", "style", "body")] == [1] * 5
    assert page.metas["charset"] == "utf-8"
    assert page.metas["viewport"] == "width=device-width, initial-scale=1"
    assert page.metas["generator"] == f"mbprof {mbprof.__version__}"
    assert page.title
    for part in ("prefers-color-scheme: dark", "@media print", "position: sticky"):
        assert part in text


def test_a_page_bears_the_stamp() -> None:
    text = run("table", "mobilenet_v1", "--alpha", "0.5", "--format", "html")
    said = json.loads(Page(text).metas["mbprof"])
    plain = json.loads(run("table", "mobilenet_v1", "--alpha", "0.5", "--format", "json"))
    keys = ("version", "spec", "knobs", "scope", "convention", "unit")
    assert said == {key: plain[key] for key in keys}
    assert said["knobs"]["alpha"] == 0.5


def test_a_notebook_does_not_speak_of_the_command_line() -> None:
    spec = mbprof.load("mobilenet_v1")
    half, whole = spec.build(alpha=0.5), spec.build()
    shown = (
        whole, mbprof.compare(whole, half), mbprof.diff(whole, half), mbprof.check("mobilenet_v1"),
        mbprof.explain("mobilenet_v1"), mbprof.list("mobilenet"), mbprof.table("mobilenet_v1"),
    )  # fmt: skip
    for each in shown:
        html = each._repr_html_()
        Page(html)
        assert "<html" not in html
        assert "--" not in html
        assert "mbprof check" not in html
    assert "scope=&quot;all&quot;" in whole._repr_html_()
    assert "--scope all" in run("table", "mobilenet_v1", "--format", "html")


def test_a_note_is_typed_or_called() -> None:
    notes = ("plain", Note("typed --a", "called(a)"), Note("only typed --b"))
    columns = (Column("n", "n", "a number", numeric=True),)
    report = Report("a <b>", columns, ({"n": 1},), [{"n": 1}], notes=notes)
    assert "<p>called(a)</p>" in fragment(report)
    assert "typed" not in fragment(report)
    for name in ("rich", "md", "html"):
        text = render(report, name)
        assert "typed --a" in text
        assert "only typed --b" in text
        assert "called" not in text
    assert '<td style="text-align: right">1</td>' in fragment(report)


def test_a_stamp_says_what_it_is_given() -> None:
    version = mbprof.__version__
    assert stamp() == {"version": version}
    knobs = {"res": (225, 161), "side": (8, 8)}
    assert stamp("net", knobs, "body", "kernels") == {
        "version": version,
        "spec": "net",
        "knobs": {"res": (225, 161), "side": 8},
        "scope": "body",
        "convention": "kernels",
    }


def test_colours_are_for_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[" in run("table", "mobilenet_v1")
    run("table", "mobilenet_v1", "-o", str(tmp_path / "a.txt"))
    assert "\x1b" not in (tmp_path / "a.txt").read_text()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("table", "mobilenet_v1")


def test_a_killed_parent_takes_its_workers_along(tmp_path: Path) -> None:
    command = (
        *MBPROF, "sweep", "mobilenet_v2", "--alpha", "0.35:1.4", "--random", "50000000",
        "--format", "csv", "--jobs", "2",
    )  # fmt: skip
    with started(*command, out=subprocess.DEVNULL) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 120
        while len(children.read_text().split()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = [Path(f"/proc/{pid}") for pid in children.read_text().split()]
        assert len(workers) == 2
        process.kill()
        process.wait(timeout=60)
        while any(map(_runs, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(_runs, workers))


def _runs(process: Path) -> bool:
    try:
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_docs_list_every_format_with_its_endings() -> None:
    text = (ROOT / "docs" / "options.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    said = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    for kind in REGISTRIES:
        for name, known in formats_of(kind).items():
            if kind == "plot":
                assert said[name].startswith("the same")
                assert known.endings == (f".{name}",)
            elif name != "text":
                own = tuple(re.findall(r"`(\.[\w.]+)`", said[name]))
                assert own == tuple(e for e in known.endings if (name, e) != ("sarif", ".json"))


WORDS = ["a", "bb", "x" * 30, "y" * 90, "1,234", "–", "é", "", " ", "  lead", "trail  ", "(all)."]
LINES = st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    flag, names = st.booleans(), [f"c{i}" for i in range(draw(st.integers(1, 5)))]
    columns = tuple(
        Column(
            name, draw(LINES)[:40], "a column", str, draw(flag), draw(st.integers(0, 3)),
            wraps=draw(flag), shrinks=draw(flag), tells=draw(flag),
        )
        for name in names
    )  # fmt: skip
    rows = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, LINES)), max_size=4))
    return Report(
        draw(LINES), columns, tuple(rows), [], draw(st.none() | st.just(dict.fromkeys(names, "1"))),
        tuple(draw(st.lists(LINES, max_size=3))), tuple(draw(st.lists(LINES, max_size=2))),
        draw(st.none() | LINES),
    )  # fmt: skip


# What is drawn by hand, as most is, is to the letter what the library draws.
@settings(deadline=None)
@given(reports(), st.sampled_from([20, 40, 79, 80, 120, 200]))
def test_what_is_drawn_by_hand_is_what_rich_draws(report: Report, width: int) -> None:
    drawn = render(report, "rich", width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "_SINGLE", re.compile("(?!)"))
        assert render(report, "rich", width) == drawn

"""Every command in surroundings that are not ours: locales, widths, homes, flags of Python."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import MBPROF, child

COMMANDS = (
    ("--version",),
    ("table", "mobilenet_v1", "--top", "3"),
    ("list", "mobilenet"),
    ("show", "inv_res"),
    ("block", "inv_res"),
    ("check", "mobilenet_v2"),
    ("check", "--explain", "MB101"),
    ("compare", "mobilenet_v1", "mobilenet_v2", "--by", "op"),
    ("diff", "mobilenet_v1", "mobilenet_v1,alpha=0.5", "--by", "block"),
    ("sweep", "mobilenet_v1", "--alpha", "0.5,1.0"),
    ("accuracy", "mobilenet_v1"),
    ("plot", "mobilenet_v1", "--kind", "layers", "-o", "layers.svg"),
    ("report", "net.yaml", "-o", "net.md"),
    ("verify", "mobilenet_v1"),
    ("explain", "mobilenet_v2"),
    ("formula", "dw_sep"),
    ("schema",),
    ("docs", "MB104"),
    ("docs", "conv"),
    ("docs", "sweep"),
    ("watch", "missing.yaml"),
)
SPEC = "name: nét\ninput: {res: 8}\nbody: [{op: conv, k: 3, c: 8}]\n"

# One process runs them all: each starts as anew, but for the modules that are loaded.
ALL = """
import contextlib, io, json, sys
from mbprof import cli
ended = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["mbprof", *command]
    coding = sys.__stdout__.encoding
    streams = [io.TextIOWrapper(io.BytesIO(), coding, write_through=True) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            cli.main()
        except SystemExit as stopped:
            status = stopped.code or 0
    ended[" ".join(command)] = [status, *(s.buffer.getvalue().decode(coding) for s in streams)]
json.dump(ended, sys.stdout)
"""

SURROUNDINGS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "usual": ((), {}),
    "C locale": ((), {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "latin-1": ((), {"PYTHONIOENCODING": "latin-1"}),
    "20 columns": ((), {"COLUMNS": "20"}),
    "no home": ((), {"HOME": ""}),
    "no such home": ((), {"HOME": "/nonexistent/home"}),
    "-W error": (("-W", "error"), {}),
    "-O": (("-O",), {}),
    "-OO": (("-OO",), {}),
}


def everything(folder: Path, *flags: str, **environment: str) -> dict[str, tuple[int, str, str]]:
    """Run every command, and return how each ended: its status and what it printed."""
    folder.mkdir(exist_ok=True)
    (folder / "net.yaml").write_text(SPEC, encoding="utf-8")
    command = (sys.executable, *flags, "-c", ALL, json.dumps(COMMANDS))
    ended = child(*command, cwd=folder, **{"COLUMNS": "80", **environment})
    assert ended.status == 0, ended.err
    return {name: tuple(said) for name, said in json.loads(ended.out).items()}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    return everything(tmp_path_factory.mktemp("usual"))


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in SURROUNDINGS if name != "usual"])
def test_every_command_works_in_any_surroundings(
    name: str, usual: dict[str, tuple[int, str, str]], tmp_path: Path
) -> None:
    flags, environment = SURROUNDINGS[name]
    if "HOME" in environment:  # Where matplotlib and others would keep what they cache.
        environment = {**environment, "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    ended = everything(tmp_path, *flags, **environment)
    for command, (status, out, err) in ended.items():
        assert status == usual[command][0] == (2 if command.startswith("watch") else 0), err
        assert "Traceback" not in out + err
        if name not in ("C locale", "latin-1", "20 columns"):
            assert (out, err) == usual[command][1:]
    assert (tmp_path / "layers.svg").is_file()
    assert (tmp_path / "net.md").read_text(encoding="utf-8").startswith("# nét")


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="folders are closed in another way")
def test_a_home_that_cannot_be_written_to_is_no_hindrance(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    for command in (COMMANDS[1], COMMANDS[11]):
        ended = child(*MBPROF, *command, cwd=tmp_path, HOME=str(home), XDG_CACHE_HOME="")
        assert ended.status == 0, ended.err
        assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments", [("--help",), ("check", "--help"), ("check", "--explain", "all")]
)
def test_what_python_strips_of_docstrings_is_said_all_the_same(arguments: tuple[str, ...]) -> None:
    usual, stripped = (
        child(sys.executable, *flags, "-m", "mbprof", *arguments, COLUMNS="80")
        for flags in ((), ("-OO",))
    )
    assert usual == stripped
    assert usual.status == 0

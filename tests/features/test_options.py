"""Options have one name and one meaning in every command; columns explain themselves."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from mbprof.cli.run import app
from mbprof.errors import UsageError
from mbprof.output import Column, Report, arranged, columns_report
from mbprof.output.writers import screen_for
from tests.conftest import MBPROF, ROOT, child, invoke, run

COMMANDS: dict[str, Any] = typer.main.get_command(app()).commands  # type: ignore[attr-defined]
TABLES = {
    "table": ["mobilenet_v1"],
    "list": ["vgg"],
    "sizes": ["mlperf_tiny_kws"],
    "block": ["inv_res"],
    "check": ["mobilenet_v2"],
    "compare": ["mobilenet_v1", "mobilenet_v2"],
    "diff": ["mobilenet_v3_small", "mobilenet_v3_small_minimalistic"],
    "sweep": ["mobilenet_v1", "--alpha", "0.5,0.75,1.0"],
    "accuracy": ["mobilenet_v1"],
    "explain": ["mobilenet_v2@torchvision"],
    "verify": ["squeezenet"],
    "memory": ["mobilenet_v1"],
    "latency": ["mobilenet_v1", "--device", "stm32f746"],
    "calibrate": [str(ROOT / "tests" / "independent" / "data" / "device" / "pixel1.csv")],
    "space": ["nas_bench_201"],
    "search": ["nas_bench_201", "--front", "macs", "--maximize", "params"],
}
"""The commands that write a table, each as it is asked for one of three rows at least."""
SORTED = {
    "check": "code",
    "diff": "macs",
    "compare": "macs_A",
    "accuracy": "macs",
    "verify": "computed",
    "sizes": "count",
    "memory": "live_bytes",
    "latency": "macs",
    "calibrate": "macs",
    "space": "macs_effect",
}
"""What the tests sort by, where that is not params."""
KNOBS = {
    "table", "sizes", "show", "check", "watch", "compare", "diff", "explain", "formula", "export",
    "convert", "memory", "latency", "measure", "graph", "report",
}  # fmt: skip
TAKEN = {
    "--sort": {*TABLES, "measure"},  # whose times are others in every run
    "--top": {*TABLES, "measure"},
    "--columns": {*TABLES, "measure"},
    "--convention": {
        "table", "list", "show", "block", "check", "watch", "compare", "diff", "sweep", "accuracy",
        "formula", "space", "search", "plot", "graph",
    },
    "--scope": {
        "table", "list", "check", "watch", "compare", "diff", "sweep", "accuracy", "explain",
        "formula", "plot", "graph", "space", "search",
    },
    "--theme": {"plot", "graph"},
    "--alpha": KNOBS | {"block", "sweep", "plot", "space", "search"},
    "--res": KNOBS | {"sweep", "plot", "space", "search"},
    "--set": KNOBS | {"block", "sweep", "plot", "space", "search"},
    "--in": {"sizes", "show", "block", "check", "watch"},
    "--max-macs": {"table", "block", "check", "watch", "space", "search"},
    "--max-params": {"table", "block", "check", "watch", "space", "search"},
    "--max-peak": {"table", "block", "check", "watch", "memory"},
    "--max-weights": {"table", "block", "check", "watch"},
    "--seed": {"sweep", "export", "space", "search"},
    "--dtype": {
        "table", "block", "check", "watch", "compare", "diff", "memory", "latency", "sweep", "plot",
        "report",
    },
    "--device": {"compare", "diff", "latency", "measure", "sweep", "plot", "report"},
    "--output": {*COMMANDS} - {"serve", "watch"},
}  # fmt: skip
"""The options that several commands share, and which commands have them."""
LISTS = {"--alpha", "--res", "--set"}
"""What a sweep, a chart and a space take several values of."""
SEVERAL = {"sweep", "plot", "space", "search"}


def options() -> list[tuple[str, str, Any]]:
    """Return every option by its name, the command's, and what it is; other names are left out."""
    return [
        (name, command, parameter)
        for command, given in COMMANDS.items()
        for parameter in given.params
        for name in [name for name in parameter.opts if name.startswith("--")][:1]
    ]


@pytest.mark.parametrize("option", sorted(TAKEN))
def test_an_option_is_there_wherever_it_has_a_use(option: str) -> None:
    assert {command for name, command, _ in options() if name == option} == TAKEN[option]


@pytest.mark.parametrize("option", sorted(TAKEN))
def test_an_option_is_explained_in_the_same_words_everywhere(option: str) -> None:
    own = SEVERAL if option in LISTS else {"plot", "report"} & {*TAKEN[option]}
    own = own if option in LISTS or option == "--output" else set()
    said = {
        (parameter.metavar, parameter.help)
        for name, command, parameter in options()
        if name == option and command not in own
    }
    assert len(said) == 1


def test_no_other_option_means_two_things() -> None:
    said: dict[str, set[tuple[str, str]]] = {}
    for name, _, parameter in options():
        if name not in TAKEN and name not in ("--by", "--format", "--help", "--to"):
            said.setdefault(name, set()).add((parameter.metavar, parameter.help))
    assert {name for name, meanings in said.items() if len(meanings) > 1} == set()
    for name in ("--by", "--format"):
        assert len({p.metavar for option, _, p in options() if option == name}) == 1


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv"))))


@pytest.mark.parametrize("command", sorted(TABLES))
def test_rows_are_sorted_and_cut_in_every_table(command: str) -> None:
    ask = [command, *TABLES[command]]
    whole = rows(*ask)
    column = SORTED.get(command, "params")

    def key(row: dict[str, str]) -> tuple[int, Any]:
        text = row[column]
        number = text.lstrip("-").isdigit()
        return (2, 0) if not text else (0, -int(text)) if number else (1, text)

    ordered = [row[column] for row in sorted(whole, key=key)]
    first = [row[column] for row in rows(*ask, "--sort", column, "--top", "2")]
    assert len(whole) > 2
    # What a difference leaves out stands in a last row.
    assert first[:2] == ordered[:2]
    assert len(first) == (3 if command == "diff" else 2)
    assert [row[column] for row in rows(*ask, "--sort", column)] == ordered


@pytest.mark.parametrize("command", sorted(TABLES))
def test_what_is_asked_of_a_table_is_checked(command: str) -> None:
    ask = [command, *TABLES[command]]
    ended = invoke(*ask, "--top", "0")
    assert (ended.err, ended.status) == ("error[usage]: --top is 0; it must be at least 1\n", 2)
    for option in ("--sort", "--columns"):
        ended = invoke(*ask, option, "paramz")
        assert ended.err.startswith("error[usage]: unknown column 'paramz'\n  hint: ")
        assert ended.status == 2


@pytest.mark.parametrize("command", sorted(TABLES))
def test_every_column_is_listed_with_its_meaning(command: str) -> None:
    ask = [command, *TABLES[command]]
    listed = json.loads(run(*ask, "--columns", "help", "--format", "json"))
    names = [column["name"] for column in listed]
    assert {*rows(*ask)[0]} <= {*names}
    assert len({*names}) == len(names)
    assert all(column["doc"] for column in listed)
    asked = ",".join(names[:2])
    assert [*rows(*ask, "--columns", asked)[0]] == names[:2]


def test_json_follows_the_rows() -> None:
    def found(*ask: str) -> Any:
        return json.loads(run(*ask, "--top", "1", "--format", "json"))

    (layer,) = found("table", "mobilenet_v1", "--sort", "params")["layers"]
    assert (layer["name"], "params_by_kind" in layer) == ("Conv2d_13_pointwise", True)
    (name,) = found("explain", "mobilenet_v2@torchvision", "--sort", "params")["conventions"]
    assert name == "darknet"
    (line,) = found("compare", "mobilenet_v1", "mobilenet_v2", "--sort", "macs_B")["rows"]
    assert line["networks"][1]["name"] == "layer_3"
    (entry,) = found("list", "mobilenet_v1", "--sort", "macs")
    assert entry["name"] == "mobilenet_v1"
    (finding,) = found("check", "mobilenet_v2", "--sort", "severity")
    assert finding["severity"] == "warning"


def test_a_report_is_arranged_by_size_text_and_rank() -> None:
    columns = (
        Column("shape", "shape", "a shape"),
        Column("share", "%", "a share", str, rank=lambda pair: pair[0]),
    )
    shown = ((8, 2), (3, 9)), ((5, 5), (1, 9)), (None, (2, 9)), ("a", None)
    table = tuple({"shape": shape, "share": share} for shape, share in shown)
    report = Report("three", columns, table, {"rows": [1, 2, 3, 4]}, total={}, listed="rows")
    by_shape = arranged(report, "shape")
    assert [row["shape"] for row in by_shape.rows] == [(5, 5), (8, 2), "a", None]
    assert by_shape.data == {"rows": [2, 1, 4, 3]}
    assert by_shape.notes == ()
    first = arranged(report, "share", 3, ["share"])
    assert [row["share"] for row in first.rows] == [(3, 9), (2, 9), (1, 9)]
    assert first.notes == ("3 of 4 rows are shown; the total is of all.",)
    assert first.columns == columns[1:]
    assert [row["name"] for row in columns_report(first).rows] == ["share"]
    with pytest.raises(UsageError) as caught:
        arranged(Report("prose", (), (), None, text="prose"), "shape")
    assert str(caught.value) == "error[usage]: there is no column 'shape': prose is shown as text"


def completed(words: str, shell: str = "bash") -> list[str]:
    environment = {
        "_MBPROF_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ended = child(*MBPROF, cwd=None, **environment)
    assert (ended.err, ended.status) == ("", 0)
    return ended.out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mbprof acc", ["accuracy"]),
        ("mbprof table mobilenet_v3_e", ["mobilenet_v3_edgetpu"]),
        ("mbprof compare vgg11 squeezenet1", ["squeezenet1_1"]),
        ("mbprof diff vgg11 squeezenet1", ["squeezenet1_1"]),
        ("mbprof block inv_", ["inv_res"]),
        ("mbprof show inv_", ["inv_res"]),
        ("mbprof check mobilenet_v2 nothing_", []),
        ("mbprof table vgg11 --convention kern", ["kernels"]),
        ("mbprof table vgg11 --scope ", ["body", "all"]),
        ("mbprof sweep vgg11 --pare", ["--pareto"]),
    ],
)
def test_a_shell_completes_commands_names_and_options(words: str, expected: list[str]) -> None:
    assert completed(words) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_too(shell: str) -> None:
    assert "squeezenet" in "\n".join(completed("mbprof table squ", shell))


def test_completion_can_be_installed(tmp_path: Path) -> None:
    """In a folder of its own: what a shell reads at its start is written there."""
    home = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = child(*MBPROF, "--show-completion", "bash", cwd=None, **home)
    assert "_MBPROF_COMPLETE=complete_bash" in shown.out
    assert child(*MBPROF, "--install-completion", "bash", cwd=None, **home).status == 0
    assert (tmp_path / ".bash_completions" / "mbprof.sh").is_file()
    assert "mbprof.sh" in (tmp_path / ".bashrc").read_text()


@pytest.mark.parametrize(
    ("terminal", "environment", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colours_are_those_asked_for(
    terminal: bool, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    assert screen_for(None).colours is expected


@pytest.mark.parametrize("asked", ["", "1"])
def test_forced_colours_reach_a_pipe(asked: str) -> None:
    ended = child(*MBPROF, "table", "mobilenet_v1", FORCE_COLOR=asked, NO_COLOR="", TERM="xterm")
    assert ("\x1b[" in ended.out) == bool(asked)


def metadata(folder: Path, repository: str, site: str = "") -> str:
    """Return what a package index would be told of a copy whose owner has filled in an address."""
    import shutil
    import zipfile

    for name in ("README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("mbprof", "specs", "docs", "tests"):
        (folder / name).symlink_to(ROOT / name)
    text = (ROOT / "pyproject.toml").read_text()
    assert text.count('\nrepository = ""\n') == 1
    text = text.replace('\nrepository = ""\n', f'\nrepository = "{repository}"\n')
    text = text.replace('\nsite = ""\n', f'\nsite = "{site}"\n')
    (folder / "pyproject.toml").write_text(text)
    ended = child(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=folder)
    assert ended.status == 0, ended.err
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return archive.read(name).decode()


def test_an_index_is_told_no_address_that_is_not_there(tmp_path: Path) -> None:
    text = metadata(tmp_path, "")
    assert "Project-URL: " not in text
    assert "](" not in text
    assert "Keywords: convolutional neural networks," in text
    assert "$ mbprof table mobilenet_v1 --alpha 0.75 --res 128\n" in text


def test_links_of_the_readme_lead_to_the_repository(tmp_path: Path) -> None:
    text = metadata(tmp_path, "https://example.org/me/mbprof", "https://me.example.org/mbprof/")
    assert "Project-URL: Manual, https://me.example.org/mbprof\n" in text
    assert "Project-URL: Repository, https://example.org/me/mbprof\n" in text
    assert "](https://example.org/me/mbprof/blob/HEAD/docs/zoo.md)" in text
    assert "](https://example.org/me/mbprof/raw/HEAD/reports/mobilenet_v2/accuracy.svg)" in text
    assert "](docs/" not in text
    assert "](reports/" not in text

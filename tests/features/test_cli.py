"""The command line as a user meets it."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.cli.run import app
from mbprof.output import REPORTS, files
from tests.conftest import child, invoke, run

SPEC = "name: net\ninput: {res: 8}\nbody: [{op: conv, k: 3, c: 4, name: a_b|c<d>}, {op: gap}]\n"


def test_the_first_command_that_people_type() -> None:
    text = run("table", "mobilenet_v1", "--alpha", "0.75", "--res", "128")
    assert "1,800,144" in text
    assert "106,002,432" in text
    assert "--scope all" in text


def table(*arguments: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run("table", *arguments, "--format", "json"))
    return value


def test_json_has_the_contracted_form() -> None:
    found = table("mobilenet_v1", "--alpha", "0.75", "--res", "128")
    assert found["spec"] == "mobilenet_v1"
    assert found["knobs"]["alpha"] == 0.75
    assert found["knobs"]["res"] == 128
    assert found["scope"] == "body"
    assert found["convention"] == "kernels"
    assert found["total"]["params"] == 1_800_144
    assert found["total"]["macs"] == 106_002_432
    first = found["layers"][0]
    assert {key: first[key] for key in ("name", "block", "op", "in_shape", "out_shape")} == {
        "name": "Conv2d_0",
        "block": "Conv2d_0",
        "op": "conv",
        "in_shape": [3, 128, 128],
        "out_shape": [24, 64, 64],
    }
    assert (first["kernel"], first["stride"], first["groups"]) == ([3, 3], [2, 2], 1)
    assert (first["params"], first["macs"]) == (648, 2_654_208)
    head = table("mobilenet_v1", "--scope", "all")["layers"][-1]
    assert (head["kernel"], head["stride"], head["groups"]) == (None, None, None)


def test_a_resolution_can_be_oblong() -> None:
    found = table("mobilenet_v1", "--res", "225x161")
    assert found["knobs"]["res"] == [225, 161]
    assert found["layers"][0]["in_shape"] == [3, 225, 161]


def test_csv_has_a_row_for_each_layer_and_raw_integers() -> None:
    rows = list(csv.DictReader(io.StringIO(run("table", "mobilenet_v1", "--format", "csv"))))
    assert len(rows) == 27
    assert sum(int(row["params"]) for row in rows) == 3_185_088
    assert rows[0]["out_shape"] == "32x112x112"


def test_every_format_holds_the_same_numbers() -> None:
    for name in set(REPORTS) - {"sarif"}:
        text = run("table", "mobilenet_v1", "--format", name).replace(",", "")
        assert "51380224" in text, name


def test_groups_sorting_top_and_columns() -> None:
    text = run(
        "table", "mobilenet_v1", "--by", "block", "--sort", "params", "--top", "2",
        "--columns", "name,params", "--format", "csv",
    )  # fmt: skip
    assert text == "name,params\nConv2d_13,1057792\nConv2d_12,528896\n"
    assert run("table", "mobilenet_v1", "--by", "op", "--format", "csv").splitlines() == [
        "name,layers,params,macs",
        "conv,14,3140448,550330368",
        "dwconv,13,44640,17385984",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_a_terminal_table_fits_its_width(width: int) -> None:
    lines = run("table", "mobilenet_v1", width=width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert "567,716,352" in "".join(lines)


def test_markdown_and_html_escape_names() -> None:
    assert r"a\_b\|c\<d>" in run("table", "-", "--format", "md", stdin=SPEC)
    assert "a_b|c&lt;d&gt;" in run("table", "-", "--format", "html", stdin=SPEC)


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    target.chmod(0o640)
    assert run("table", "mobilenet_v1", "--format", "csv", "-o", str(target)) == ""
    assert target.read_text() == run("table", "mobilenet_v1", "--format", "csv")
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_failing_run_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    ended = invoke("table", "mobilenet_v1", "--alpha", "0", "-o", str(target))
    assert ended == (
        "",
        "command line:1:9: error[knob]: alpha is 0; it must be above 0\n    1 | --alpha 0\n"
        "      |         ^\n  hint: the default of alpha (width multiplier) is 1.0\n",
        2,
    )
    assert target.read_text() == "old"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.TextIOWrapper):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "TextIOWrapper", Full)
    with pytest.raises(mbprof.MbprofError, match="No space left on device"):
        files.emit("text", tmp_path / "table.csv")
    assert list(tmp_path.iterdir()) == []


def test_list_has_a_row_for_each_name() -> None:
    rows = list(csv.DictReader(io.StringIO(run("list", "--format", "csv"))))
    found = {row["name"]: (row["params"], row["macs"]) for row in rows}
    assert found["mobilenet_v1"] == ("3185088", "567716352")
    assert found["mobilenet_v1_cifar"] == ("3195328", "46354432")
    assert json.loads(run("list", "--format", "json"))[0]["knobs"]


def test_show_explains_knobs_blocks_rows_and_claims() -> None:
    text = run("show", "mobilenet_v1")
    for part in ("alpha", "above 0", "dw_sep(k = 3, s = 1, c)", "@keras", "published", "317M"):
        assert part in text
    assert "wrong at its source" in " ".join(text.split())


@pytest.mark.parametrize(
    "command",
    [
        "table", "sweep", "accuracy", "plot", "report", "list", "show", "verify", "schema",
        "compare", "diff", "block", "check", "watch", "formula", "explain", "sizes", "export",
        "memory", "latency", "calibrate", "convert", "space", "search", "docs", "graph", "serve",
    ],
)  # fmt: skip
def test_help_of_every_command_ends_with_an_example(command: str) -> None:
    assert run(command, "--help").rstrip().splitlines()[-1].strip().startswith("Example: mbprof ")


def test_every_command_is_tested_for_help() -> None:
    names = {each.name for each in app().registered_commands}
    assert names == {
        "table", "sweep", "accuracy", "plot", "report", "list", "show", "verify", "schema",
        "compare", "diff", "block", "check", "watch", "formula", "explain", "sizes", "export",
        "memory", "latency", "measure", "calibrate", "convert", "space", "search", "docs", "graph",
        "serve",
    }  # fmt: skip


def test_version() -> None:
    assert run("--version") == f"mbprof {mbprof.__version__}\n"


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m mbprof table mobilenet_v1 --format csv | head -n 1"
    ended = child("bash", "-c", command)
    assert ended.out.startswith("name,")
    assert ended.err == ""


def test_notebooks_show_a_table() -> None:
    network = mbprof.load("mobilenet_v1").build()
    for shown in (network, network.profile(), mbprof.load("mobilenet_v1")):
        html = shown._repr_html_()
        assert "<table>" in html
        assert "567,716,352" in html


def test_a_frame_has_a_row_for_each_layer() -> None:
    frame = mbprof.load("mobilenet_v1").build().profile().to_frame()
    assert len(frame) == 27
    assert int(frame["params"].sum()) == 3_185_088
    assert int(frame["macs"].sum()) == 567_716_352
    assert int(frame["norm_scale"].sum()) == 10_944

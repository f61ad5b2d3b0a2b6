"""How things are said: lines as wide as the terminal, rows that are told apart, notes, plurals."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mbprof
from mbprof.errors import nearest, wrapped
from mbprof.output.model import Column, Report
from mbprof.output.writers import render
from mbprof.pages import dossier
from mbprof.spec import zoo
from tests.conftest import invoke, run

ALONE = "doc: d\nexample: {in: 8x8x8}\nbody: [%s]\n"


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("format", ["rich", "md", "csv", "json", "html"])
def test_blocks_of_any_output_are_shown_in_every_format(format: str, tmp_path: Path) -> None:
    for name, row in (("gap", "{op: gap}"), ("valid", "{op: conv, k: 3, c: 8, p: valid}")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(ALONE % row)
        text = run("block", str(path), "--format", format)
        if format in ("rich", "md"):
            assert ("Nothing stands beside it: no stride leads from" in text) == (name == "valid")
    for name in zoo.block_names():
        assert run("block", name, "--format", format)


@pytest.mark.parametrize(
    "command",
    [
        ("show", "mobilenet_v2"),
        ("show", "inv_res"),
        ("check", "mobilenet_v2", "--columns", "code,place,message"),
        ("check", "--explain", "MB101"),
    ],
    ids=" ".join,
)
def test_lines_end_between_words_and_use_the_width(command: tuple[str, ...]) -> None:
    narrow, wide = run(*command, width=80), run(*command, width=200)
    assert widest(narrow) <= 80 < widest(wide) <= 200
    words = {word for word in wide.split() if word.isascii()}
    assert words <= set(narrow.split())


def test_errors_end_lines_between_words_and_use_the_width(tmp_path: Path) -> None:
    args = ("table", "mobilenet_v1", "--convention", "none of those that are known")
    narrow, wide = (invoke(*args, width=width).err for width in (80, 200))
    assert widest(narrow) <= 80 < widest(wide) <= 200
    assert narrow.split() == wide.split()
    spec = tmp_path / "s.yaml"
    spec.write_text(f"name: net\ninput: {{res: 8}}\nbody: [{'{op: bn}, ' * 30}{{op: fc}}]\n")
    narrow, wide = (invoke("table", str(spec), width=width).err for width in (80, 200))
    for text, width in ((narrow, 80), (wide, 200)):
        excerpt, caret = text.splitlines()[-3:-1] if "hint" in text else text.splitlines()[-2:]
        assert len(excerpt) <= width
        assert excerpt[caret.index("^") :].startswith("fc")
    assert wrapped("x" * 30, 10) == ["x" * 30]


WORDS = st.lists(st.sampled_from(["a", "some", "F.adaptive_avg_pool2d"]), max_size=9).map(" ".join)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10**15), WORDS), min_size=1, max_size=7),
    st.integers(0, 20),
)
def test_no_number_is_cut(cells: list[tuple[bool, int, str]], spare: int) -> None:
    """A number is shown whole wherever the columns can be made to fit between words."""
    columns = [Column("name", "name", "a name")]
    row: dict[str, object] = {"name": "n"}
    for number, (wraps, count, words) in enumerate(cells):
        name = f"c{number}"
        columns.append(Column(name, name, "a cell", numeric=not wraps, wraps=wraps))
        row[name] = words if wraps else count
    least = sum(
        max(16, *map(len, words.split()), 0) if wraps else max(2, len(str(count)))
        for wraps, count, words in cells
    )
    width = 4 + least + 2 * len(cells) + spare
    drawn = render(Report("title", tuple(columns), (row,), [row]), "rich", width)
    assert all(len(line) <= width for line in drawn.splitlines())
    assert {str(count) for wraps, count, _ in cells if not wraps} <= set(drawn.split())


def test_explain_cuts_no_difference_at_80_columns() -> None:
    lines = run("explain", "mobilenet_v2@torchvision", "--from", "kernels", "--to", "ptflops")
    assert "+13,356,224\n" in lines


def test_a_drawing_goes_on_beside_a_line_that_is_broken() -> None:
    lines = run("show", "mobilenet_v2", width=80).splitlines()
    number = next(n for n, line in enumerate(lines) if "├─●  conv" in line)
    assert lines[number + 1].startswith("      │ │          ")


def test_no_known_name_is_hidden_behind_a_number() -> None:
    names = [f"n{number}" for number in range(40)]
    assert nearest("xyz", names) == f"known are {', '.join(names)}"
    assert nearest("xyz", [*names, "wyvern"]).startswith("of 41 names the most alike are wyvern, ")


def test_explain_keeps_what_tells_rows_apart() -> None:
    text = run("explain", "mobilenet_v1", "--number", "579.80M", width=80)
    assert "network" in text
    assert "\nalpha 1.0, res 224, classes 1000\n" in text
    text = run("explain", "googlenet@paper", "--number", "2.7k", width=40)
    assert "layer conv1, separable, multiplier 8" in " ".join(text.split())
    assert widest(text) <= 80
    assert " at " in run("verify", "mobilenet_v1", width=80).splitlines()[1]


def test_one_of_something_is_singular(tmp_path: Path) -> None:
    assert run("verify", "mobilenet_v1", "--top", "1").startswith(
        "61 claims: 55 hold, 1 rounded otherwise, 5 wrong at"
    )
    assert "\n1 of 27 rows is shown; the total" in run("table", "mobilenet_v1", "--top", "1")
    assert "1 of 1 configuration\n" in run("sweep", "mobilenet_v1", "--alpha", "0.5")
    assert repr(mbprof.loads("{name: n, input: {res: 8}, body: [{op: conv, k: 1, c: 4}]}")
                .build().profile().total).endswith("1 layer>")  # fmt: skip


def test_a_knob_that_changes_nothing_is_said() -> None:
    said = "alpha_d changes nothing that is counted"
    idle = ("efficientnet_b0", "--set", "alpha_d=0.5")
    assert said in run("table", *idle)
    assert said not in run("table", *idle, "--set", "phi=1")
    assert "changes nothing" not in run("table", "mobilenet_v1", "--alpha", "0.5")
    assert "classes changes" in run("table", "mobilenet_v1", "--set", "classes=10")
    assert said in run("sweep", "efficientnet_b0", "--set", "alpha_d=0.5,1.0", "--res", "96,128")
    axes = ("--alpha", "0.5,1.0", "--res", "96,128")
    assert "changes nothing" not in run("sweep", "mobilenet_v1", *axes)
    assert "changes nothing" not in run("sweep", *idle)


def test_a_count_with_a_unit_is_a_condition() -> None:
    text = run("sweep", "mobilenet_v1", "--alpha", "0.25,1.0", "--where", "macs < 100M")
    assert "1 of 2 configurations" in text


def test_numbers_of_csv_are_read_by_a_program() -> None:
    table = run("table", "mobilenet_v1", "--format", "csv", "--columns", "params,params_share")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert sum(float(row["params_share"]) for row in rows) == pytest.approx(1)
    for by in ("block", "op", "layer", "stage"):
        text = run("compare", "mobilenet_v1", "mobilenet_v2", "--by", by, "--format", "csv")
        for row in csv.DictReader(io.StringIO(text)):
            numbers = {name: row[name] for name in row if name.startswith(("params", "macs"))}
            assert all(float(number) >= 0 for number in numbers.values() if number)
    found = run("explain", "mobilenet_v1", "--number", "579.80M", "--format", "csv")
    assert {row["factor"] for row in csv.DictReader(io.StringIO(found))} == {"0.5"}


def test_a_report_compares_cost_where_an_accuracy_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("name: mine\ninput: {res: 32}\nbody: [{op: conv, k: 3, c: 8}]\n")
    files = dossier.build(["mobilenet_v1", "mine.yaml"], "both.md")
    assert set(files) == {"both.md", "both/accuracy.svg", "both/cost.svg"}
    assert "No accuracy is published for `mine`" in files["both.md"].decode()
    assert "(both/cost.svg)" in files["both.md"].decode()

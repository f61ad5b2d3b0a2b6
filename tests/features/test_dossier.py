"""Dossiers: the committed ones are those that the sources give, and say what was published."""

import re
from pathlib import Path

import matplotlib
import pytest

import mbprof
from mbprof import MbprofError
from mbprof.pages import dossier

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "reports"
PINNED = "matplotlib==" + matplotlib.__version__ in (ROOT / "constraints.txt").read_text()


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    dossier.regenerate(FOLDER, folder)
    return folder


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found} - {dossier.LIST}


@pytest.mark.long
def test_the_committed_dossiers_are_those_that_are_generated(again: Path) -> None:
    assert files(FOLDER) == files(again)
    for name in sorted(files(again)):
        # Charts of another version of matplotlib show the same, in other bytes.
        if name.endswith(".md") or PINNED:
            assert (FOLDER / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.md")))
def test_pages_hold_together(name: str) -> None:
    page = (FOLDER / name).read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", page)
    assert pictures
    assert all((FOLDER / picture).is_file() for picture in pictures)
    assert page.count("<details>") == page.count("</details>")
    for table in re.findall(r"(?:^\|.*\n)+", page, flags=re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1
    assert not re.search(r"(?<!\w)/(work|home|tmp|root)/", page)


def test_a_page_has_the_published_numbers_beside_the_computed_ones() -> None:
    page = dossier.build(["mobilenet_v1"], "page.md")["page.md"].decode()
    # The totals of the table in the docstring of TF-slim's mobilenet_v1.py.
    assert "| 3,185,088 | 567,716,352 |" in page
    assert "| 0.5 | 160 | 1,319,648 | 76,524,800 | 59.1 | ● |" in page
    assert "the stem convolution of 8.1 M is left out" in page
    assert page.endswith(
        "## How it was made\n\n```sh\nmbprof report mobilenet_v1 -o page.md\n```\n"
    )


def test_a_network_without_width_and_published_numbers_has_a_page(tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text("{name: tiny, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    page = tmp_path / "tiny.md"
    text = dossier.report(spec, output=page)
    assert text == page.read_text()
    assert {path.name for path in tmp_path.rglob("*.*")} == {
        "tiny.yaml", "tiny.md", "cost.svg", "layers.svg",
    }  # fmt: skip
    assert "## Resolution\n" in text
    assert "top-1 (%)" not in text
    assert "| 8 | 108 | 6,912 |" in text
    assert "Nobody's numbers are recorded for this network." in text


def test_several_networks_are_compared_by_their_macs() -> None:
    built = dossier.build(["mobilenet_v1", "mobilenet_v2"], "both.md", "Both")
    assert list(built) == ["both.md", "both/accuracy.svg"]
    page = built["both.md"].decode()
    assert page.startswith("# Both\n")
    rows = re.findall(r"^\| (mobilenet\S+) \| 1.0", page, flags=re.M)
    assert rows == ["mobilenet\\_v2", "mobilenet\\_v1"]


ERRORS = [
    (([], "a.md"), "error[usage]: a report needs at least one spec"),
    (
        (["mobilenet_v1"], "a.txt"),
        "error[usage]: a report is Markdown; a.txt does not end in .md",
    ),
]


@pytest.mark.parametrize(("asked", "message"), ERRORS)
def test_what_cannot_be_reported_is_said(asked: tuple[list[str], str], message: str) -> None:
    with pytest.raises(MbprofError) as caught:
        dossier.build(*asked)
    assert str(caught.value) == message


def test_mistakes_in_the_list_are_said_with_their_place(tmp_path: Path) -> None:
    (tmp_path / dossier.LIST).write_text("page: {spec: [mobilenet_v1]}\n")
    with pytest.raises(MbprofError, match=r"reports\.yaml:1:8: error\[spec\]: .*'spec'"):
        dossier.regenerate(tmp_path)


def test_a_missing_folder_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MbprofError, match="there is no folder"):
        dossier.report("mobilenet_v1", output=tmp_path / "none" / "page.md")
    assert list(tmp_path.iterdir()) == []


def test_a_page_says_what_a_network_needs_on_a_device() -> None:
    page = mbprof.report("mobilenet_v1", dtype="int8", device="stm32f746", alpha=0.5)
    at = mbprof.load("mobilenet_v1").build(alpha=0.5)
    memory = mbprof.memory(at, dtype="int8")
    assert f"| int8 | {memory.peak_bytes:,} | {memory.weight_bytes:,} |" in page
    assert "## Time on stm32f746" in page
    assert "| Conv2d\\_0 |" in page
    options = "--alpha 0.5 --dtype int8 --device stm32f746"
    assert f"mbprof report mobilenet_v1 {options} -o report.md" in page
    several = mbprof.report("lcnet", "squeezenet", dtype="int8", device="stm32f746")
    for name in ("lcnet", "squeezenet"):
        assert f"{mbprof.memory(name, dtype='int8').peak_bytes:,}" in several
    assert "on a device" not in mbprof.report("lcnet", "squeezenet")

"""Networks that PyTorch's two exporters and tf2onnx wrote, and what the frameworks count of them.

The files of ``data/onnx`` have no weights, only their shapes; `data/onnx/README.md` says where they
come from and what was counted there.
"""

import csv
import gzip
from pathlib import Path

import pytest

import mbprof

pytest.importorskip("onnx", reason="the extra onnx is not installed")

FOLDER = Path(__file__).parent / "data" / "onnx"
with (FOLDER / "totals.csv").open(newline="") as file:
    TOTALS = {row["file"]: row for row in csv.DictReader(file)}


def test_every_file_has_its_totals() -> None:
    assert {path.name for path in FOLDER.glob("*.gz")} == set(TOTALS)


@pytest.mark.parametrize("name", sorted(TOTALS))
def test_a_file_costs_what_the_framework_counts(name: str, tmp_path: Path) -> None:
    path = tmp_path / name.removesuffix(".gz")
    path.write_bytes(gzip.decompress((FOLDER / name).read_bytes()))
    table = mbprof.table(path)
    assert table.profile.missing == {}
    counted = int(TOTALS[name]["kernels"]), int(TOTALS[name]["macs"])
    assert (table.total.facts.kernels, table.total.cost) == counted


def test_layers_of_a_file_are_those_of_the_network_that_was_exported(tmp_path: Path) -> None:
    name = "torchvision.resnet50.r224.legacy.onnx"
    data = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
    own = mbprof.from_onnx(data).profile().rows
    zoo = mbprof.load("resnet50").build().profile().rows
    of = [[row[:2] for row in map(_costs, rows) if row[2] in _WEIGHTS] for rows in (own, zoo)]
    assert sorted(of[0]) == sorted(of[1])


_WEIGHTS = {"conv", "dwconv", "linear"}


def _costs(row: mbprof.Row) -> tuple[int, int, str]:
    return row.params, row.cost, row.op

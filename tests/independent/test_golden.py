"""Published numbers, read as data and compared to the unit."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

import mbprof

DATA = Path(__file__).parent / "data"


def published_table() -> dict[tuple[float, int], list[dict[str, str]]]:
    tables: dict[tuple[float, int], list[dict[str, str]]] = {}
    with (DATA / "slim-mobilenet_v1-layers.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = (float(row["alpha"]), int(row["resolution"]))
            tables.setdefault(key, []).append(row)
    return tables


def test_the_published_table_has_two_variants_of_27_rows() -> None:
    assert {key: len(rows) for key, rows in published_table().items()} == {
        (1.0, 224): 27,
        (0.75, 128): 27,
    }


def cells() -> Iterator[tuple[float, int, int, dict[str, str]]]:
    for (alpha, res), rows in published_table().items():
        for number, row in enumerate(rows):
            yield alpha, res, number, row


@pytest.mark.parametrize(("alpha", "res", "number", "row"), list(cells()))
def test_each_row_of_the_slim_table(
    alpha: float, res: int, number: int, row: dict[str, str]
) -> None:
    layer = mbprof.load("mobilenet_v1").build(alpha=alpha, res=res).profile().rows[number]
    _, name, _ = row["layer"].split("/")
    assert (layer.name, layer.params, layer.cost) == (name, int(row["params"]), int(row["macs"]))


@pytest.mark.parametrize(
    ("alpha", "res", "params", "macs"),
    [(1.0, 224, 3_185_088, 567_716_352), (0.75, 128, 1_800_144, 106_002_432)],
)
def test_the_totals_of_the_slim_table(alpha: float, res: int, params: int, macs: int) -> None:
    rows = published_table()[alpha, res]
    profile = mbprof.load("mobilenet_v1").build(alpha=alpha, res=res).profile()
    assert profile.total[:2] == (params, macs)
    assert sum(int(row["params"]) for row in rows) == params
    assert sum(int(row["macs"]) for row in rows) == macs
    assert len(profile.rows) == len(rows)

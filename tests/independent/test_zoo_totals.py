"""Networks that a library has by name: params and MACs, exactly, at its size and an odd one."""

import csv
import re
from pathlib import Path

import pytest

import mbprof
from tests.independent.oracle import names

TOTALS = Path(__file__).parent / "data" / "zoo_totals.csv"


def rows() -> list[dict[str, str]]:
    with TOTALS.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row", rows(), ids=lambda row: f"{row['library']}-{row['model']}-{row['height']}"
)
def test_totals_of_the_real_network(row: dict[str, str]) -> None:
    name = next(
        each
        for each in names()
        if each.origin == row["library"] and re.fullmatch(each.model, row["model"])
    )
    res = (int(row["height"]), int(row["width"]))
    total = mbprof.load(name.spec).build(res=res, **name.knobs).profile(scope="all").total
    assert total.facts.trainable == int(row["params"])
    assert total.cost == int(row["macs"])

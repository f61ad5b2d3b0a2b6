"""Params and MACs of the libraries' real networks, at their usual size and at an odd one.

``data/zoo_totals.csv`` holds what PyTorch and Keras count; ``data/oracle/names/*.csv`` says which
spec, and which knobs, stand for a library's name. The versions stand in ``data/README.md``.
"""

import csv
import re
from pathlib import Path

import pytest

import mbprof
from tests.independent.oracle import Name, names

TOTALS = Path(__file__).parent / "data" / "zoo_totals.csv"
ROWS = list(csv.DictReader(TOTALS.read_text().splitlines()))


def known(row: dict[str, str]) -> Name:
    """Return the name that stands for a row."""
    return next(
        name
        for name in names()
        if name.origin == row["library"] and re.fullmatch(name.model, row["model"])
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_totals_are_those_of_the_library(row: dict[str, str]) -> None:
    name = known(row)
    res = (int(row["height"]), int(row["width"]))
    total = mbprof.load(name.spec).build(res=res, **name.knobs).profile(scope="all").total
    assert total.facts.trainable == int(row["params"])
    assert total.cost == int(row["macs"])

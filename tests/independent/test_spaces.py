"""Once-for-all's space: networks at once as each alone, and as NumPy written for it alone.

`make nightly` draws more of them: EXAMPLES=10000 in the environment.
"""

import csv
import os
import runpy
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.network import conventions
from tests.conftest import ROOT

EXAMPLES = int(os.environ.get("EXAMPLES", "200"))
BENCH = runpy.run_path(str(ROOT / "bench" / "spaces.py"))


@pytest.mark.long
def test_every_output_of_networks_at_once_is_that_of_each_alone() -> None:
    sweep = BENCH["job"](EXAMPLES // 10).first
    configs = sweep.plan.rows(0, sweep.plan.count)
    frames = {
        name: mbprof.sweep(BENCH["NAME"], configs=configs, convention=name)
        for name in conventions.names()
    }
    for row in range(sweep.plan.count):
        network = sweep.spec.build(**{name: column[row].item() for name, column in configs.items()})
        for name, frame in frames.items():
            profile = network.profile(name)
            alone: tuple[Any, ...] = (profile.total.params, *profile.total.costs)
            assert tuple(frame.iloc[row, len(configs) :]) == alone, (name, row)


def test_networks_cost_what_numpy_written_by_hand_says() -> None:
    seconds = list(BENCH["compared"](BENCH["job"](100 * EXAMPLES, seed=3)))
    assert len(seconds) == -(-100 * EXAMPLES // 32_768)


def test_numpy_written_by_hand_says_what_was_counted_in_the_networks_themselves() -> None:
    with (ROOT / "tests" / "independent" / "data" / "ofa_subnets.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    columns = {name: np.array([int(row[name]) for row in rows]) for name in rows[0]}
    assert BENCH["by_hand"](columns, columns["res"])[1].tolist() == columns["macs"].tolist()

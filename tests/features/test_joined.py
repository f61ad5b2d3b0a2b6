"""Published accuracies beside the costs of a sweep: one source, never another network's."""

import csv
from pathlib import Path

import numpy as np
import pytest

import mbprof
from mbprof import MbprofError

PUBLISHED = Path(__file__).parents[2] / "mbprof" / "published" / "data" / "accuracy.csv"


def cells(model: str) -> dict[tuple[float, int], float]:
    """Read the published float cells of a table, straight from the data file."""
    with PUBLISHED.open(newline="") as file:
        return {
            (float(row["alpha"]), int(row["resolution"])): float(row["top1"])
            for row in csv.DictReader(file)
            if row["series"] == "slim" and row["spec"] == model
        }


def test_every_published_cell_of_the_first_network_is_joined() -> None:
    expected = cells("mobilenet_v1")
    assert len(expected) == 16
    configs = {"alpha": [a for a, _ in expected], "res": [r for _, r in expected]}
    frame = mbprof.sweep("mobilenet_v1", configs=configs, accuracy="slim")
    assert frame["top1"].tolist() == list(expected.values())
    assert set(frame["series"]) == {"slim"}


def test_all_22_cells_of_the_second_network_are_joined_as_they_were_published() -> None:
    expected = cells("mobilenet_v2")
    assert len(expected) == 22
    configs = {
        "alpha": [a for a, _ in expected],
        "res": [r for _, r in expected],
        "finegrain": [a < 1 for a, _ in expected],
    }
    frame = mbprof.sweep("mobilenet_v2", configs=configs, accuracy="slim")
    assert frame["top1"].tolist() == list(expected.values())


def test_a_network_that_was_not_published_has_no_accuracy() -> None:
    # Below a width of 1 the published networks keep their last layer, finegrain=true.
    frame = mbprof.sweep("mobilenet_v2", alpha=[0.5, 0.6, 1.0], res=[224], accuracy="slim")
    assert np.isnan(frame["top1"]).tolist() == [True, True, False]
    assert np.isnan(frame["top1_estimate"]).tolist() == [True, True, False]


def test_estimates_stand_inside_the_grid_only_and_with_their_error() -> None:
    frame = mbprof.sweep(
        "mobilenet_v1", alpha=[0.6, 1.0, 1.2], res=[176, (160, 224), 256], accuracy="default"
    )
    inside = ~np.isnan(frame["top1_estimate"])
    assert frame[inside]["alpha"].tolist() == [0.6, 1.0]
    assert frame[inside]["res"].tolist() == [176, 176]
    # Between widths the error is that of leaving a width out.
    assert frame[inside]["top1_error"].round(2).tolist() == [0.15, 0.18]
    assert (frame[inside]["top1_worst"] > frame[inside]["top1_error"]).all()


def test_a_front_over_accuracies_leaves_out_what_is_not_known() -> None:
    frame = mbprof.sweep(
        "mobilenet_v1",
        alpha=[0.25, 0.5, 0.6, 1.0],
        res=[128, 224],
        accuracy="default",
        pareto="macs,top1:max",
    )
    assert 0.6 not in frame["alpha"].tolist()
    assert frame["macs"].is_monotonic_increasing
    assert frame["top1"].is_monotonic_increasing


def test_an_unknown_series_is_refused() -> None:
    with pytest.raises(MbprofError, match="has no series 'slm'"):
        mbprof.sweep("mobilenet_v1", alpha=[1.0], accuracy="slm")
    tiny = mbprof.loads("{name: tiny, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    with pytest.raises(MbprofError, match="no accuracy of tiny is in the data set"):
        mbprof.sweep(tiny, res=[8, 16], accuracy="default")

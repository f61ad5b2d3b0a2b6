"""Every layer of the measured networks: output shape, params, MACs, exactly."""

from collections.abc import Sequence
from typing import Any

import pytest

import mbprof
from tests.oracle import Oracle, oracles

MULTIPLY = ("conv", "dwconv", "linear", "matmul")


def shape(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sizes)


@pytest.mark.parametrize("oracle", list(oracles()), ids=str)
def test_measured_network(oracle: Oracle) -> None:
    profile = mbprof.load(oracle.spec).build(**oracle.knobs).profile(scope=oracle.scope)
    measured = oracle.measured
    rows = [row for row in profile.rows if row.op in MULTIPLY]
    ours = [
        (row.out_shape, row.facts.kernels, row.facts.kernels + row.facts.biases, row.macs)
        for row in rows
    ]
    theirs = [
        (shape(layer["out"]), layer["kernel_params"], layer["params"], layer["macs"])
        for layer in measured["layers"]
    ]
    assert ours == theirs
    windows = [
        (row.kernel, row.stride, row.dilation, row.groups) for row in rows if row.op != "linear"
    ]
    assert windows == [_window(layer) for layer in measured["layers"] if layer["kind"] == "conv"]
    facts, params = profile.total.facts, measured["params"]
    assert profile.total.macs == measured["macs"]
    assert facts.kernels == params["kernels"]
    assert facts.norm_statistics == params["norm_statistics"]
    if "by_kind" in params:
        kinds = params["by_kind"]
        assert facts.norm_trainable == kinds["norm_weight"] + kinds["norm_bias"]
        assert facts.biases == sum(kinds.get(f"{kind}_bias", 0) for kind in ("conv", "linear"))
        # PyTorch keeps running statistics apart from parameters.
        assert facts.trainable == params["trainable"] == params["total"]
    else:
        assert facts.biases == params["bias"]
        assert facts.norm_trainable == params["norm_trainable"]
        assert facts.trainable == params["trainable"]
        assert facts.params == params["total"]


def _window(layer: dict[str, Any]) -> tuple[object, ...]:
    return shape(layer["k"]), shape(layer["s"]), shape(layer["d"]), layer["g"]


@pytest.mark.parametrize("oracle", [o for o in oracles() if o.path.parent.name == "slim"], ids=str)
def test_slim_layers_bear_the_published_names(oracle: Oracle) -> None:
    profile = mbprof.load(oracle.spec).build(**oracle.knobs).profile(scope=oracle.scope)
    ours = [row.name for row in profile.rows if row.op in MULTIPLY]
    theirs = [layer["name"].rpartition("/")[2] for layer in oracle.measured["layers"]]
    assert ours == theirs


def test_there_are_oracles_of_every_library() -> None:
    found = [oracle.path.parent.name for oracle in oracles()]
    assert {name: found.count(name) > 0 for name in ("slim", "keras", "torch")} == {
        "slim": True,
        "keras": True,
        "torch": True,
    }

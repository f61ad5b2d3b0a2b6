"""Every layer of the measured networks: output shape, params, MACs, exactly."""

import math
from typing import Any

import pytest

import mbprof
from mbprof.network.rows import Row
from tests.independent.oracle import Oracle, oracles, selected, settings

MULTIPLY = ("conv", "dwconv", "linear", "matmul")


def profile(oracle: Oracle) -> mbprof.Profile:
    spec = mbprof.load(oracle.spec)
    return spec.build(**settings(oracle, spec)).profile(scope=oracle.scope)


def multiplying(rows: tuple[Row, ...]) -> list[Row]:
    return [row for row in rows if row.op in (*MULTIPLY, "sdpa")]


def paired(layers: list[dict[str, Any]], rows: list[Row]) -> list[dict[str, Any]]:
    """Return the measured layers with the two products of an attention as one, where a row is one.

    The tools see no softmax between them; what is handed on is what the second makes.
    """
    left = iter(layers)
    found = []
    for row in rows:
        layer = next(left, {})
        if row.op == "sdpa":
            second = next(left, {})
            layer = {**second, "macs": layer.get("macs", 0) + second.get("macs", 0)}
        found.append(layer)
    return [*found, *left]


def shape(layer: dict[str, Any], row: Row) -> tuple[int, ...]:
    """Return the shape that was measured, or ours where it is the same thing.

    Frameworks keep the channels of a linear layer last, and heads apart or not at all; windows are
    a batch there, of which one is seen, and stand one below the other here.
    """
    measured, ours = tuple(layer["out"]), row.out_shape
    if layer["kind"] == "conv":
        c, h, w = measured
        windows = ours[0] == c and ours[2] == w and ours[1] % h == 0
        return ours if windows and h < ours[1] else measured
    return ours if math.prod(ours) % math.prod(measured) == 0 else measured


@pytest.mark.parametrize("oracle", oracles(), ids=str)
def test_measured_network(oracle: Oracle) -> None:
    found, measured = profile(oracle), oracle.measured
    rows = multiplying(found.rows)
    layers = paired(measured["layers"], rows)
    ours = [
        (row.out_shape, row.facts.kernels, row.facts.kernels + row.facts.biases, row.cost)
        for row in rows
    ]
    assert len(rows) == len(layers)
    theirs = [
        (shape(layer, row), layer["kernel_params"], layer["params"], layer["macs"])
        for layer, row in zip(layers, rows, strict=True)
    ]
    assert ours == theirs
    windows = [
        (row.kernel, row.stride, row.dilation, row.groups)
        for layer, row in zip(layers, rows, strict=True)
        if layer["kind"] == "conv"
    ]
    assert windows == [_window(layer) for layer in layers if layer["kind"] == "conv"]
    assert found.total.cost == measured["macs"]
    _check_params(found, measured["params"])


def _check_params(found: mbprof.Profile, params: dict[str, Any]) -> None:
    facts = found.total.facts
    assert facts.kernels == params["kernels"]
    assert facts.norm_statistics == params["norm_statistics"]
    if "by_kind" in params:
        kinds = params["by_kind"]
        norm = sum(kinds.get(f"norm_{part}", 0) for part in ("weight", "bias"))
        assert facts.norm_scale + facts.norm_shift == norm
        assert facts.biases == sum(kinds.get(f"{kind}_bias", 0) for kind in ("conv", "linear"))
        # PyTorch keeps running statistics apart from parameters.
        assert facts.trainable == params["trainable"] == params["total"]
    else:
        assert facts.biases == params["bias"]
        assert facts.norm_scale + facts.norm_shift == params["norm_trainable"]
        # What is in no layer, such as the constants of an input normalisation, is "other".
        assert facts.trainable == params["trainable"]
        assert facts.constants in (0, params["other"])
        assert facts.params - facts.constants + params["other"] == params["total"]


def _window(layer: dict[str, Any]) -> tuple[object, ...]:
    return tuple(layer["k"]), tuple(layer["s"]), tuple(layer["d"]), layer["g"]


@pytest.mark.parametrize("oracle", list(selected("slim/mobilenet_v1_")), ids=str)
def test_layers_of_the_first_network_bear_the_published_names(oracle: Oracle) -> None:
    ours = [row.name for row in multiplying(profile(oracle).rows)]
    assert ours == [layer["name"].rpartition("/")[2] for layer in oracle.measured["layers"]]


def test_there_are_oracles_of_every_library() -> None:
    found = [oracle.path.parent.name for oracle in oracles()]
    assert all(found.count(name) > 10 for name in ("slim", "keras", "torch"))

"""Networks of MLPerf Tiny cost what was measured on them, and what their own tensors add up to."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mbprof
from mbprof.exchange.tflite.file import buffers

tflite = pytest.importorskip(
    "tflite", reason="reading TensorFlow Lite files needs the extra tflite"
)

FILES = Path(__file__).parent / "data" / "tflite"


class Measured(NamedTuple):
    """What the README beside the files says, measured by an interpreter of TFLite-Micro."""

    macs: int
    values: int
    peak: int
    head: int


MEASURED = {
    "vww_96_int8": Measured(7_489_664, 210_850, 55_296, 73_728),
    "vww_96_float": Measured(7_489_664, 210_850, 221_184, 294_912),
    "ic_resnet8_int8": Measured(12_501_632, 77_706, 49_152, 49_152),
}


def path(name: str) -> str:
    return str(FILES / f"{name}.tflite")


@pytest.mark.parametrize("name", MEASURED)
def test_macs_and_values_are_those_measured(name: str) -> None:
    network = mbprof.load(path(name)).build()
    assert network.profile().total.cost == MEASURED[name].macs
    facts = [node.facts for node in network.compiled.nodes]
    assert sum(fact.params for fact in facts) == MEASURED[name].values
    assert {node.op.missing for node in network.compiled.nodes} == {""}


@pytest.mark.parametrize("name", MEASURED)
def test_the_most_that_lives_at_once_is_what_was_measured(name: str) -> None:
    held = buffers(path(name))
    end = max(buffer.last for buffer in held)
    alive = [sum(b.bytes for b in held if b.first <= number <= b.last) for number in range(end + 1)]
    assert max(alive) == MEASURED[name].peak


@pytest.mark.parametrize("name", MEASURED)
def test_memory_of_a_file_is_that_of_its_own_tensors(name: str) -> None:
    """The peak and the head of the arena are measured; weights are read with generated code."""
    model = tflite.Model.GetRootAsModel((FILES / f"{name}.tflite").read_bytes(), 0)
    graph = model.Subgraphs(0)
    layers = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    codes = {number: word for word, number in vars(tflite.BuiltinOperator).items()}
    stored = set()
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        if codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] in layers:
            stored |= {graph.Tensors(operator.Inputs(n)).Buffer() for n in (1, 2)}
    weights = sum(model.Buffers(number).DataLength() for number in stored)
    found = mbprof.memory(path(name))
    data = found.to_dict()
    assert (found.peak_bytes, found.arena_bytes) == MEASURED[name][2:]
    assert data["best_peak_bytes"] == MEASURED[name].peak
    assert data["weight_bytes"] == weights
    assert data["convention"]["dtype"] == ("float32" if "float" in name else "int8")
    assert len(data["order"]) == graph.OperatorsLength() == len({*data["order"]})


@pytest.mark.parametrize("name", MEASURED)
def test_each_layer_costs_what_its_tensors_in_the_file_say(name: str) -> None:
    """Read with the generated code alone: weights times places, for each layer in order."""
    model = tflite.Model.GetRootAsModel((FILES / f"{name}.tflite").read_bytes(), 0)
    graph, expected = model.Subgraphs(0), []

    def shape(number: int) -> tuple[int, ...]:
        return tuple(map(int, graph.Tensors(number).ShapeAsNumpy()))

    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind: Any = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        made = shape(operator.Outputs(0))
        if kind in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.FULLY_CONNECTED):
            weights = shape(operator.Inputs(1))
            expected.append((prod(weights), prod(weights[1:]) * prod(made)))
        elif kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D:
            weights = shape(operator.Inputs(1))
            expected.append((prod(weights), prod(weights[1:3]) * prod(made)))
    rows = [row for row in mbprof.load(path(name)).build().profile().rows if row.params]
    assert [(row.params, row.cost) for row in rows] == expected
    assert len(expected) > 9


def test_float_and_quantised_files_are_the_same_network() -> None:
    nodes = [
        mbprof.load(path(f"vww_96_{kind}")).build().compiled.nodes for kind in ("int8", "float")
    ]
    costs = [[(node.op, node.in_shapes, node.facts) for node in part] for part in nodes]
    assert costs[0] == costs[1]


def test_the_zoo_has_the_same_networks() -> None:
    for name, zoo in (("vww_96_int8", "mlperf_tiny_vww"), ("ic_resnet8_int8", "mlperf_tiny_ic")):
        total = mbprof.load(zoo).build().profile(scope="all").total
        assert total[:2] == mbprof.load(path(name)).build().profile().total[:2]

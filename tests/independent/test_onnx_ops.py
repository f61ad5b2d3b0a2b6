"""Ops of ONNX, one at a time: their products as loops and definitions count them.

Weights are initialisers; what else a node takes is an input of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import mbprof

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'mbprof[onnx]'")
Shape = tuple[int, ...]


class Case(NamedTuple):
    """A node: shapes of its inputs and weights, what it says, and what it costs."""

    kind: str
    images: list[Shape]
    weights: list[Shape]
    macs: int
    said: Mapping[str, Any] = MappingProxyType({})
    counts: Mapping[int, list[int]] = MappingProxyType({})
    params: int | None = None
    outputs: int = 1


def network(case: Case) -> mbprof.Network:
    """Build a model of a single node."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    images = [helper.make_tensor_value_info(f"x{n}", kind, s) for n, s in enumerate(case.images)]
    names = [image.name for image in images]
    stored = []
    for number, shape in enumerate(case.weights):
        stored.append(helper.make_tensor(f"w{number}", kind, shape, [0.5] * prod(shape)))
        names.append(f"w{number}")
    for place, numbers in sorted(case.counts.items()):
        names += [""] * (place - len(names))
        whole = onnx.TensorProto.INT64
        stored.append(helper.make_tensor(f"n{place}", whole, [len(numbers)], numbers))
        names.append(f"n{place}")
    node = helper.make_node(
        case.kind, names, [f"y{n}" for n in range(case.outputs)], **dict(case.said)
    )
    info = helper.make_tensor_value_info("y0", kind, None)
    graph = helper.make_graph([node], "one", images, [info], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    return mbprof.from_onnx(made)


def recurrent(t: int, c: int, h: int, gates: int, directions: int = 1) -> int:
    """Count the products of a recurrent layer step by step."""
    macs = 0
    for _ in range(t * directions):
        macs += gates * h * c  # W x
        macs += gates * h * h  # U h
    return macs


def conv3d(c: int, k: Shape, made: Shape) -> int:
    """Count a 3D convolution by a loop over outputs, its padding included."""
    return sum(c * prod(k) for _ in range(prod(made)))


X, V = (1, 4, 6, 6), (1, 4, 6, 8, 8)
CASES = {
    "lstm": Case("LSTM", [(5, 1, 4)], [(1, 12, 4), (1, 12, 3), (1, 24)], recurrent(5, 4, 3, 4),
                 {"hidden_size": 3}, params=12 * 4 + 12 * 3 + 24),
    "gru both ways": Case("GRU", [(5, 1, 4)], [(2, 9, 4), (2, 9, 3)], recurrent(5, 4, 3, 3, 2),
                          {"hidden_size": 3, "direction": "bidirectional"}),
    "rnn": Case("RNN", [(5, 1, 4)], [(1, 3, 4), (1, 3, 3)], recurrent(5, 4, 3, 1),
                {"hidden_size": 3}, outputs=2),
    "conv of volumes": Case("Conv", [V], [(6, 4, 3, 3, 3), (6,)],
                            conv3d(4, (3, 3, 3), (6, 3, 4, 4)),
                            {"pads": [1] * 6, "strides": [2] * 3}, params=6 * 4 * 27 + 6),
    "conv of volumes in groups": Case("Conv", [V], [(8, 1, 3, 2, 2)],
                                      conv3d(1, (3, 2, 2), (8, 4, 7, 7)), {"group": 4}),
    "pool of volumes": Case("MaxPool", [V], [], 0, {"kernel_shape": [2, 3, 3], "strides": [2] * 3}),
    "average of volumes": Case("AveragePool", [V], [], 0, {"kernel_shape": [2, 2, 2]}),
    "whole volumes": Case("GlobalAveragePool", [V], [], 0),
    "grid": Case("GridSample", [X, (1, 5, 5, 2)], [], 0),
    "cubic grid": Case("GridSample", [X, (1, 5, 5, 2)], [], 0, {"mode": "cubic"}),
    "affine grid": Case("AffineGrid", [(1, 2, 3)], [], 5 * 7 * 2 * 3, counts={1: [1, 3, 5, 7]}),
    "cubic resize": Case("Resize", [X], [], 0, {"mode": "cubic"}, counts={3: [1, 4, 12, 9]}),
    "linear resize": Case("Resize", [(1, 4, 6)], [], 0, {"mode": "linear"}, counts={3: [1, 4, 9]}),
    "volume resize": Case("Resize", [V], [], 0, {"mode": "linear"}, counts={3: [1, 4, 9, 9, 9]}),
    "topk": Case("TopK", [(1, 9)], [], 0, counts={1: [3]}, outputs=2),
    "argmax": Case("ArgMax", [(1, 9, 4)], [], 0, {"axis": 1}),
    "hardmax": Case("Hardmax", [(1, 9)], [], 0),
    "softsign": Case("Softsign", [X], [], 0),
    "shrink": Case("Shrink", [X], [], 0),
    "mean": Case("Mean", [X, X], [], 0),
    "log sum": Case("ReduceLogSumExp", [X], [], 0, counts={1: [1]}),
    "product": Case("ReduceProd", [X], [], 0, counts={1: [1]}),
    "norm of several axes": Case("LayerNormalization", [X], [(4, 6, 6), (4, 6, 6)], 0, {"axis": 1},
                                 params=288),
    "whole length": Case("GlobalLpPool", [X], [], 0),
    "crop and pad": Case("CenterCropPad", [X], [], 0, {"axes": [2, 3]}, counts={1: [4, 9]}),
    "turned": Case("Slice", [X], [], 0, counts={1: [-1], 2: [-100], 3: [3], 4: [-1]}),
    "columns": Case("Col2Im", [(1, 16, 9)], [], 0, {"strides": [2, 2]},
                    counts={1: [6, 6], 2: [2, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_op_costs_its_products(name: str) -> None:
    case = CASES[name]
    built = network(case)
    total = built.profile("trainable")
    assert not total.missing
    assert total.total.cost == case.macs
    params = sum(map(prod, case.weights)) if case.params is None else case.params
    assert total.total.params == params

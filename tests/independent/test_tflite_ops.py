"""Operators of TensorFlow Lite, one at a time: their products as loops count them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest

import mbprof

pytest.importorskip("tflite", reason="reading TensorFlow Lite files needs the extra tflite")
from tests.features.tflite_files import Net

T, C, H, P = 7, 5, 4, 3


def lstm(net: Net, peepholes: bool = False, projected: bool = False) -> int:
    state = P if projected else H
    taken = [net.input(1, T, C), *(net.weights(H, C) for _ in range(4))]
    taken += [net.weights(H, state) for _ in range(4)]
    taken += [net.weights(H) if peepholes else -1 for _ in range(3)]
    taken += [net.weights(H) for _ in range(4)]
    taken += [net.weights(P, H) if projected else -1, -1, net.tensor(1, state), net.tensor(1, H)]
    options = "UnidirectionalSequenceLSTMOptions"
    made: int = net.op("UNIDIRECTIONAL_SEQUENCE_LSTM", taken, (1, T, state), options=options)
    return made


def steps_of_lstm(state: int = H, projected: bool = False) -> int:
    macs = 0
    for _ in range(T):
        for _ in range(4):
            macs += H * C + H * state
        macs += P * H * projected
    return macs


def rnn(net: Net) -> int:
    taken = [net.input(1, T, C), net.weights(H, C), net.weights(H, H), net.weights(H)]
    taken += [net.tensor(1, H)]
    made: int = net.op(
        "UNIDIRECTIONAL_SEQUENCE_RNN", taken, (1, T, H), options="SequenceRNNOptions"
    )
    return made


def svdf(net: Net, rank: int) -> int:
    taken = [net.input(1, C), net.weights(H * rank, C), net.weights(H * rank, T), net.weights(H)]
    taken += [net.tensor(1, H * rank * T)]
    made: int = net.op("SVDF", taken, (1, H), options="SVDFOptions", Rank=rank)
    return made


def volume(net: Net) -> int:
    taken = [net.input(1, 6, 8, 8, 2), net.weights(3, 3, 3, 2, 5), net.weights(5)]
    given = {f"Stride{axis}": 1 for axis in "DHW"} | {f"Dilation{axis}Factor": 1 for axis in "DHW"}
    options = {"options": "Conv3DOptions", "Padding": 1, **given}
    made: int = net.op("CONV_3D", taken, (1, 4, 6, 6, 5), **options)  # type: ignore[arg-type]
    return made


def one(word: str, *shapes: tuple[int, ...], made: tuple[int, ...]) -> Callable[[Net], int]:
    return lambda net: int(net.op(word, [net.input(*shape) for shape in shapes], made))


def with_numbers(
    word: str, shape: tuple[int, ...], numbers: list[int], made: tuple[int, ...]
) -> Callable[[Net], int]:
    return lambda net: int(net.op(word, [net.input(*shape), net.numbers(*numbers)], made))


def length(net: Net) -> int:
    window = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": 1}
    options = {"options": "Pool2DOptions", **window}
    made: int = net.op("L2_POOL_2D", [net.input(1, 6, 6, 4)], (1, 3, 3, 4), **options)  # type: ignore[arg-type]
    return made


X = (1, 6, 6, 4)
CASES: dict[str, tuple[Callable[[Net], int], int, int | None]] = {
    "lstm": (lstm, steps_of_lstm(), 4 * H * (C + H + 1)),
    "lstm with peepholes": (lambda n: lstm(n, True), steps_of_lstm(), 4 * H * (C + H + 1) + 3 * H),
    "projected lstm": (lambda n: lstm(n, False, True), steps_of_lstm(P, True), None),
    "rnn": (rnn, sum(H * C + H * H for _ in range(T)), H * (C + H + 1)),
    "svdf": (lambda n: svdf(n, 1), H * C + H * T, H * C + H * T + H),
    "svdf of rank 2": (lambda n: svdf(n, 2), 2 * H * (C + T), 2 * H * (C + T) + H),
    "conv of volumes": (volume, sum(2 * 27 for _ in range(4 * 6 * 6 * 5)), 2 * 27 * 5 + 5),
    "lengths": (length, 0, 0),
    "comparison": (one("LESS", X, X, made=X), 0, 0),
    "choice": (one("SELECT_V2", X, X, (1, 1, 1, 4), made=X), 0, 0),
    "maximum of two": (one("MAXIMUM", X, X, made=X), 0, 0),
    "sign": (one("SIGN", X, made=X), 0, 0),
    "largest": (with_numbers("ARG_MAX", (1, 9), [1], (1,)), 0, 0),
    "least": (with_numbers("REDUCE_MIN", X, [1, 2], (1, 4)), 0, 0),
    "turned": (with_numbers("REVERSE_V2", X, [1], X), 0, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_costs_its_products(name: str, tmp_path: Path) -> None:
    make, macs, params = CASES[name]
    net = Net()
    path = net.save(tmp_path / "net.tflite", make(net))
    total = mbprof.load(path).build().profile("trainable")
    assert not total.missing
    assert total.total.cost == macs
    stored = [t[0] for t in net.tensors if t[3] is not None and t[2].startswith("weights")]
    assert total.total.params == (sum(map(prod, stored)) if params is None else params)

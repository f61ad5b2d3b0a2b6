"""Networks are run on this machine, and what is measured is what a calibration reads."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

import mbprof
from tests.conftest import invoke, run

pytest.importorskip("onnx", reason="writing ONNX files needs the extra onnx")
pytest.importorskip("onnxruntime", reason="running networks needs the extra measure")

from mbprof.exchange.onnx_out.run import Settings, by_layer, timed

QUICK = "--repeats", "3", "--warm-up", "1"


def event(name: str, microseconds: int, kind: str = "Node") -> dict[str, object]:
    return {"cat": kind, "name": f"{name}_kernel_time", "dur": microseconds}


def test_what_is_fused_counts_to_its_layer_and_runs_apart() -> None:
    network = mbprof.load("mobilenet_v2").build(res=96)
    events = [
        event("layer_1/act_nchwc", 900),  # the run that warms up
        event("layer_2/project/bn", 1),
        event("layer_1/act_nchwc", 30),
        event("layer_2/project/bn", 5),
        event("layer_1/act_nchwc", 10),
        event("layer_2/project/bn", 7),
        event("reorder_token_1", 2), event("reorder_token_1", 4), event("reorder_token_1", 4),
        event("layer_1/act", 10**6, kind="Session"),
    ]  # fmt: skip
    layers, other = by_layer(events, network, Settings(warmup=1, repeats=2))
    assert {name: round(s * 1e6) for name, s in layers.items() if s} == {
        "layer_1": 20, "layer_2/project": 6,
    }  # fmt: skip
    assert round(other * 1e6) == 4
    assert [*layers] == [*dict.fromkeys(node.layer for node in network.compiled.nodes)]


def test_measured_times_stand_beside_predicted_ones() -> None:
    found = json.loads(run("measure", "mobilenet_v2", "--res", "96", *QUICK, "--format", "json"))
    layers = {row["layer"]: row for row in found["rows"]}
    table = mbprof.table("mobilenet_v2", columns=["name", "activations"], scope="all", res=96)
    costs = {row.name: (row.cost, row.activations) for row in table.rows}
    assert {n: (row["macs"], row["activations"]) for n, row in layers.items()} == {
        name: costs[name] for name in layers
    }
    assert {name for name, (macs, _) in costs.items() if macs} <= {*layers}
    assert all(row["ms"] > 0 and row["predicted_ms"] > 0 for row in found["rows"])
    (whole,) = found["networks"]
    assert whole["predicted_ms"] == pytest.approx(sum(r["predicted_ms"] for r in layers.values()))
    assert "Predicted: " in run("measure", "mobilenet_v2", "--res", "64", *QUICK, "--top", "2")


def test_times_grow_with_the_work() -> None:
    small, large = (mbprof.load("mobilenet_v1").build(res=res) for res in (32, 224))
    assert timed(small, Settings(repeats=5)).seconds < timed(large, Settings(repeats=5)).seconds


@pytest.mark.parametrize("by", ["layer", "net"])
def test_a_calibration_reads_what_was_measured(by: str, tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    specs = "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "lcnet"
    run("measure", *specs, "--res", "64", "--by", by, *QUICK, "-o", str(path))
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert {row["spec"] for row in rows} == {*specs}
    found = mbprof.calibrate(path)
    assert [*found.fit.seconds] == ["mac", "activation", *(["constant"] if by == "net" else [])]
    assert [m.seconds for m in found.measurements] == pytest.approx(
        [float(row["ms"]) / 1e3 for row in rows]
    )
    assert [m.counts["mac"] for m in found.measurements] == [int(row["macs"]) for row in rows]


def test_a_device_predicts() -> None:
    found = mbprof.measure("mobilenet_v1", device="i7_12700h", repeats=2, warmup=0, res=64)
    expected = mbprof.latency("mobilenet_v1", "i7_12700h", res=64)
    assert found.totals[0] in (expected.seconds, expected.fitted)
    assert dict(found.predicted[0]) == {layer.name: layer.seconds for layer in expected.layers}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mobilenet_v1", "--by", "block"), "cannot measure by 'block'"),
        (("mobilenet_v1", "--threads", "0"), "at least 1"),
        (("mobilenet_v1", "--repeats", "0"), "at least 1"),
        (("mobilenet_v1", "--device", "abacus"), "abacus"),
    ],
)
def test_what_cannot_be_measured_is_one_error(arguments: tuple[str, ...], said: str) -> None:
    ended = invoke("measure", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ended = invoke("measure", "mobilenet_v1", "--res", "32")
    assert ended.status == 2
    assert "mbprof[measure]" in ended.err


def test_a_layer_that_is_none_and_its_constant(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("spec,layer,ms\nmobilenet_v1,Conv2d_77,2\n", encoding="utf-8")
    ended = invoke("calibrate", str(path))
    assert (ended.status, "no layer 'Conv2d_77'" in ended.err) == (2, True)
    rows = "".join(f"mobilenet_v1,Conv2d_{n}_pointwise,{n}\n" for n in range(1, 9))
    path.write_text(f"spec,layer,ms\n{rows}", encoding="utf-8")
    ended = invoke("calibrate", str(path), "--terms", "mac,constant")
    assert (ended.status, "constant" in ended.err) == (2, True)

"""What latency and calibrate say: bounds, streamed weights, arrays, fits; and bad input."""

import json
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.device.calibrate import calibrate
from mbprof.device.latency import latency
from mbprof.device.profiles import Device, device, names
from mbprof.device.systolic import gemms
from mbprof.language.dtypes import BITS
from mbprof.network.measures import traffics
from tests.conftest import invoke, network, run

ONE = """
name: one
input: {channels: 4, res: 8}
body:
  - {op: conv, k: 1, c: 16, name: first}
  - {op: conv, k: 3, c: 16, name: second}
"""
FIRST, SECOND = 64 * 64, 9 * 256 * 64
"""The MACs of its convolutions."""


def asked(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--format", "json"))


def small(**given: Any) -> Device:
    return Device("small", **({"peak": {"int8": 1e6}} | given))


def test_the_longer_of_arithmetic_and_memory_bounds_a_layer() -> None:
    found = latency(mbprof.loads(ONE), small(bandwidth=(1e4,), launch=1e-3))
    first, second = found.layers
    moved = 4 * 64 + 16 * 64 + 64
    assert (first.macs, first.moved) == (FIRST, moved)
    assert first.seconds == pytest.approx(moved / 1e4 + 1e-3)
    assert first.bound == "memory"
    assert second.seconds == pytest.approx(max(SECOND / 1e6, (2 * 1024 + 2304) / 1e4) + 1e-3)
    assert found.seconds == pytest.approx(first.seconds + second.seconds)
    assert latency(mbprof.loads(ONE), small(launch=9.0)).layers[0].bound == "launch"
    assert latency(mbprof.loads(ONE), small()).layers[0].bound == "compute"


def test_weights_beyond_the_chip_are_streamed() -> None:
    slow = {"bandwidth": (1e12, 1.0)}
    assert latency(mbprof.loads(ONE), small(onchip=3000, **slow)).streamed == 0
    found = latency(mbprof.loads(ONE), small(onchip=1064, **slow))
    assert found.streamed == 64 + 2304 - 1064
    assert found.layers[1].memory == pytest.approx(found.streamed)
    assert latency(mbprof.loads(ONE), small(onchip=1, **slow)).streamed == 64 + 2304 - 1
    assert latency(mbprof.loads(ONE), small(**slow)).layers[0].memory == pytest.approx(64)


def test_a_batch_reads_weights_once() -> None:
    alone, many = (
        latency(mbprof.loads(ONE), small(bandwidth=(1e4,)), batch=batch) for batch in (1, 8)
    )
    assert many.layers[1].macs == 8 * alone.layers[1].macs
    assert many.layers[1].moved == 8 * (alone.layers[1].moved - 2304) + 2304


@pytest.mark.parametrize("name", ["mobilenet_v1", "resnext50_32x4d", "vit_b_16", "unet", "swin"])
def test_products_of_matrices_are_all_that_is_multiplied(name: str) -> None:
    for node in network(name).compiled.nodes:
        macs = sum(gemm.macs for gemm in gemms(node))
        assert macs == node.by_itself.facts.mac, node


@pytest.mark.parametrize("name", names())
def test_every_device_has_sources_and_runs_a_network(name: str) -> None:
    known = device(name)
    assert known.name == name
    assert known.sources
    assert known.doc
    assert set(known.peak or ()) <= set(BITS)
    found = latency(network("mobilenet_v1"), name)
    assert 0 < found.seconds < 60
    assert sum(found.shares.values()) == pytest.approx(1)


def test_a_fitted_device_adds_up_its_terms() -> None:
    found = latency("mobilenet_v2@timm", "pixel_1")
    assert found.seconds == pytest.approx(0.258e-9 * 300774272 + 2.05e-3)
    gpu = latency("resnet50@torchvision", "rtx_4090", dtype="float16")
    acts = sum(layer.activations for layer in traffics(gpu.network.compiled).values())
    assert gpu.fitted == pytest.approx(13.5e-15 * 4089184256 + 13.4e-12 * acts)


def test_the_contract_of_latency(tmp_path: Path) -> None:
    found = asked("latency", "mlperf_tiny_vww", "--device", "ethos_u55_128")
    assert found["dtype"] == "int8"
    assert sum(layer["seconds"] for layer in found["layers"]) == pytest.approx(
        found["total_ms"] / 1e3
    )
    assert {layer["bound"] for layer in found["layers"]} <= {"compute", "memory", "launch"}
    too_large = run("latency", "vgg16", "--device", "stm32f746", "--top", "1")
    assert "Does not fit" in too_large


ARRAY = "name: array\narray: {rows: 32, columns: 32, dataflow: ws, clock: 1e9}\n"


def test_depthwise_convolutions_use_little_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(ARRAY)
    layers = {row["name"]: row for row in asked(
        "latency", "mobilenet_v1", "--device", str(path)
    )["layers"]}  # fmt: skip
    assert layers["Conv2d_13_depthwise"]["use"] < 0.01
    assert layers["Conv2d_2_pointwise"]["use"] > 0.9


MEASURED = "spec,res,ms\n" + "".join(
    f"mobilenet_v1,{res},{ms}\n" for res, ms in ((96, 10), (128, 17), (160, 26), (192, 37))
)


def test_a_fit_finds_what_times_were_made_of(tmp_path: Path) -> None:
    lines = ["spec,alpha,res,us"]
    for alpha in (0.25, 0.5, 1.0):
        for res in (96, 128, 224):
            graph = mbprof.load("mobilenet_v1").build(alpha=alpha, res=res).compiled
            layers = traffics(graph).values()
            macs, acts = sum(t.mac for t in layers), sum(t.activations for t in layers)
            lines.append(f"mobilenet_v1,{alpha},{res},{macs * 2e-4 + acts * 3e-3 + 500}")
    path = tmp_path / "made.csv"
    path.write_text("\n".join(lines))
    found = calibrate(path)
    assert found.fit.seconds == pytest.approx(
        {"mac": 2e-10, "activation": 3e-9, "constant": 5e-4}, rel=1e-6
    )
    assert found.error < 1e-6
    assert found.rank == pytest.approx(1)
    run("calibrate", str(path), "--save", str(tmp_path / "mine.yaml"))
    timed = latency("mobilenet_v1", str(tmp_path / "mine.yaml"), alpha=0.5, res=128)
    assert timed.seconds == pytest.approx(found.fit.of(found.measurements[4].counts))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks spec"),
        ("name,ms\nmobilenet_v1,3\n", "lacks spec"),
        ("spec,time\nmobilenet_v1,3\n", "lacks one column of times"),
        ("spec,ms,us\nmobilenet_v1,3,3\n", "lacks one column of times"),
        ("spec,ms\nmobilenet_v1,3\n", "has 1 measurement"),
        ("spec,ms\nmobilenet_v1,fast\n", "no time"),
        ("spec,ms\nmobilenet_v1,-3\n", "no time"),
        ("spec,ms\nmobilenet_v1\n", "1 values for 2 columns"),
        ("spec,ms\nno_such_net,3\n", "unknown spec"),
        ("spec,colour,ms\nmobilenet_v1,red,3\n", "colour"),
        (MEASURED, "has 4 measurements"),
    ],
)
def test_measurements_that_say_too_little(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    ended = invoke("calibrate", str(path))
    assert (ended.out, ended.status) == ("", 2)
    assert said in " ".join(ended.err.split())
    assert ended.err.count("error[") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("peak: {int8: 1e9}", "lacks the key 'name'"),
        ("name: a", "needs a peak, an array or a fit"),
        ("name: a\npeak: {int8: -1}", "must be above 0"),
        ("name: a\npeak: {int8: 0}", "must be above 0"),
        ("name: a\npeak: {int8: fast}", "is no number"),
        ("name: a\npeak: {int8: nan}", "must be above 0"),
        ("name: a\npeak: {int7: 1}", "unknown dtype 'int7'"),
        ("name: a\npeak: {}", "peak names no type"),
        ("name: a\npeak: {int8: 1e9}\nbandwidth: {activations: 3}", "lacks the key 'weights'"),
        ("name: a\npeak: {int8: 1e9}\nbandwidth: -3", "must be above 0"),
        ("name: a\npeak: {int8: 1e9}\nspeed: 3", "no key 'speed'"),
        ("name: a\narray: {rows: 8, columns: 8}", "lacks the key 'clock'"),
        ("name: a\narray: {rows: 8.5, columns: 8, clock: 1}", "not whole"),
        ("name: a\nfit: {mac: 0}", "needs the seconds of a term"),
        ("name: a\npeak: {float32: 1e9}", "has no peak for int8"),
    ],
)
def test_a_profile_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "device.yaml"
    path.write_text(text + "\n")
    ended = invoke("latency", "mobilenet_v1", "--device", str(path), "--dtype", "int8")
    assert (ended.out, ended.status) == ("", 2)
    assert said in " ".join(ended.err.split())
    assert ended.err.count("error[") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "no_such"], "unknown device 'no_such'"),
        (["--device", "h200", "--dtype", "int8"], "has no peak for int8"),
        (["--device", "pixel_1", "--dtype", "int8"], "was fitted at float32"),
        (["--device", "h200", "--batch", "0"], "must be at least 1"),
        (["--device", "missing.yaml"], "missing.yaml"),
    ],
)
def test_devices_that_cannot_be_used(arguments: list[str], said: str) -> None:
    ended = invoke("latency", "mobilenet_v1", *arguments)
    assert (ended.out, ended.status) == ("", 2)
    assert said in " ".join(ended.err.split())

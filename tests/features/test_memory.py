"""What memory says: live bytes and conventions, patches, training; and the columns of table."""

import csv
import io
import json
from typing import Any

import pytest

import mbprof
from mbprof.device.memory import memory
from mbprof.device.patches import best_patches, patched
from mbprof.device.plan import INPLACE, Rules, plan
from mbprof.device.training import training
from mbprof.language.dtypes import dtype
from mbprof.network.measures import traffics
from mbprof.network.reach import reached
from tests.conftest import invoke, network, run

TWO_PATHS = """
name: two
input: {channels: 4, res: 8}
body:
  - {op: conv, k: 1, c: 8, name: stem, out: x}
  - {op: conv, k: 3, c: 8, bn: true, act: relu, name: left, out: a}
  - {op: conv, k: 1, c: 8, in: x, name: right, out: b}
  - {op: add, in: [a, b], name: join}
"""


def asked(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--format", "json"))


def test_the_contract_of_memory() -> None:
    found = asked("memory", "mobilenet_v2", "--dtype", "int8", "--inplace", "depthwise", "--fuse")
    assert found["peak_bytes"] == found["best_peak_bytes"] == 1404928
    assert found["peak_at"] == "layer_3/expand"
    assert sum(tensor["bytes"] for tensor in found["alive"]) == 1404928
    assert found["order"] == [step["name"] for step in found["steps"]]
    assert max(step["live_bytes"] for step in found["steps"]) == 1404928
    assert found["arena_bytes"] >= 1404928
    assert found["convention"]["inplace"] == ["depthwise"]
    assert found["convention"]["dtype"] == "int8"


def test_live_bytes_are_sums_by_hand() -> None:
    tensor = 8 * 8 * 8
    found = memory(mbprof.loads(TWO_PATHS), dtype="int8")
    # The image is half a tensor; behind it x, then x and a, then x, a and b, then a, b and the sum.
    assert found.live == [tensor // 2 + tensor, 2 * tensor, 3 * tensor, 3 * tensor]
    assert memory(mbprof.loads(TWO_PATHS), dtype="int8", image=False).live[0] == tensor
    assert memory(mbprof.loads(TWO_PATHS), dtype="float32").peak_bytes == 12 * tensor
    over = memory(mbprof.loads(TWO_PATHS), dtype="int8", inplace=["add"])
    assert over.live == [tensor // 2 + tensor, 2 * tensor, 3 * tensor, 2 * tensor]
    apart = memory(mbprof.loads(TWO_PATHS), dtype="int8", fuse=False)
    assert [step.name for step in apart.plan.steps] == [
        "stem", "left", "left/bn", "left/act", "right", "join",
    ]  # fmt: skip
    # 8·4 + 8·8·9 + 8·8 weights, and 8 folded biases of 32 bits.
    assert found.weight_bytes == 32 + 576 + 64 + 4 * 8


def test_writing_over_an_input_never_needs_more() -> None:
    graph = network("mobilenet_v3_small").compiled
    plain = plan(graph, Rules(dtype("int8")))
    every = plan(graph, Rules(dtype("int8"), tuple(INPLACE)))
    assert all(a <= b for a, b in zip(every.live(), plain.live(), strict=True))
    assert sum(every.live()) < sum(plain.live())


def test_an_auxiliary_classifier_is_not_run() -> None:
    found = memory(mbprof.load("inception_v3").build(aux=True), dtype="int8")
    without = memory(mbprof.load("inception_v3").build(aux=False), dtype="int8")
    assert (found.live, found.weight_bytes) == (without.live, without.weight_bytes)


def test_patches_compute_again_what_their_windows_share() -> None:
    text = "{name: s, input: {res: 12}, body: [{op: conv, k: 3, c: 4}, {op: conv, k: 3, c: 5}]}"
    graph, rules = mbprof.loads(text).build().compiled, Rules(dtype("int8"))
    found = patched(graph, plan(graph, rules), rules, 1, 2)
    # A quarter of the second convolution's 12x12 takes 7x7 of the first's, and 8x8 of the image.
    assert found.extra_macs == 27 * 4 * (4 * 7 * 7 - 12 * 12)
    assert found.overlap == 8 - 4
    # The image, what a patch holds of the first convolution, the second's whole output.
    assert found.patch_bytes == 3 * 144 + 4 * 49 + 5 * 144
    assert found.rest_bytes == 0


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "inception_v3"])
def test_patches_lower_the_peak(name: str) -> None:
    graph, rules = network(name).compiled, Rules(dtype("int8"))
    whole = plan(graph, rules)
    found = best_patches(graph, whole, rules)
    assert found.peak < whole.peak()
    assert found.extra_macs >= 0


def test_patches_are_said() -> None:
    found = asked("memory", "mobilenet_v2", "--dtype", "int8", "--patches", "auto")["patches"]
    assert found["peak_bytes"] < 1505280 / 3
    assert 0 < found["extra_macs_share"] < 0.5
    three = asked("memory", "mobilenet_v2", "--dtype", "int8", "--patches", "3")["patches"]
    assert three["patches"] == [3, 3]
    assert three["peak_bytes"] >= found["peak_bytes"]


def test_the_contract_of_training() -> None:
    found = asked("memory", "torchvision:resnet50", "--training", "--batch", "32", "--fit", "8GiB")
    assert found["saved_bytes_per_image"] == 85913512
    assert found["saved_bytes_per_batch"] == 212484
    params = 25557032
    assert found["parameter_bytes"] == found["gradient_bytes"] == 4 * params
    assert found["optimizer_bytes"] == 0
    fixed = 8 * params + 212484
    assert found["total_bytes"] == fixed + 32 * 85913512
    assert found["largest_batch"] == (8 * 2**30 - fixed) // 85913512
    first = 64 * 3 * 49 * 112 * 112
    assert found["backward_macs"] == 2 * found["forward_macs"] - first
    assert sum(layer["saved_bytes"] for layer in found["layers"]) == 85913512


@pytest.mark.parametrize(("optimizer", "bytes"), [("sgd", 8), ("momentum", 12), ("adam", 16)])
def test_bytes_for_each_parameter(optimizer: str, bytes: int) -> None:
    found = training("mobilenet_v1@timm", optimizer=optimizer)
    held = found.parameter_bytes + found.gradient_bytes + found.optimizer_bytes
    assert held == bytes * 4231976


def test_checkpoints_save_memory_and_cost_a_forward_pass() -> None:
    plain, kept = training("resnet50"), training("resnet50", checkpoint=True)
    assert kept.saved_bytes_per_image < plain.saved_bytes_per_image / 2
    assert kept.backward_macs == plain.backward_macs + plain.forward_macs
    assert kept.segments[0].starts == 4 * 3 * 224 * 224
    inside = sum(segment.inside for segment in kept.segments)
    assert inside <= plain.saved_bytes_per_image
    half = training("resnet50", dtype="float16")
    assert half.saved_bytes_per_image < plain.saved_bytes_per_image * 0.6


@pytest.mark.parametrize("format", ["csv", "md", "html", "json"])
def test_columns_of_the_graph_are_there_in_every_format(format: str) -> None:
    names = "name,activations,read,written,intensity,bitops,rf,jump,rf_padding"
    said = run("table", "mobilenet_v1", "--columns", names, "--dtype", "int8", "--format", format)
    assert "315" in said
    if format == "json":
        layers = json.loads(said)["layers"]
        assert [layers[-1][name] for name in ("rf", "jump", "rf_padding")] == [315, 32, 126]
    if format == "csv":
        (row, *_) = csv.DictReader(io.StringIO(said))
        # 32 maps of 3·3·3 weights and a folded bias of 32 bits each.
        assert int(row["read"]) == 3 * 224 * 224 + 864 + 4 * 32
        assert int(row["written"]) == 32 * 112 * 112
        macs = 864 * 112 * 112
        assert float(row["intensity"]) == pytest.approx(
            2 * macs / (int(row["read"]) + int(row["written"])), rel=1e-5
        )
        assert int(row["bitops"]) == 64 * macs


def test_groups_add_up_and_see_what_their_last_layer_sees() -> None:
    layers = asked("table", "resnet50", "--columns", "name,activations,read,rf")
    blocks = asked("table", "resnet50", "--by", "block", "--columns", "name,activations,read,rf")
    for column in ("activations", "read"):
        assert sum(row[column] for row in layers["layers"]) == layers["total"][column]
        assert sum(row[column] for row in blocks["layers"]) == layers["total"][column]
    assert blocks["total"]["activations"] == 11114984
    asking = ["table", "resnet50", "--columns", "name,activations", "--sort", "activations"]
    assert asked(*asking, "--top", "1")["layers"][0]["activations"] == 64 * 112 * 112


def test_bytes_follow_the_type() -> None:
    def total(kind: str) -> dict[str, int]:
        columns = "name,read,written,bitops"
        return asked("table", "vgg16", "--columns", columns, "--dtype", kind)["total"]  # type: ignore[no-any-return]

    whole, half, mixed = total("float32"), total("float16"), total("int8:w4")
    assert whole["read"] == 2 * half["read"]
    assert whole["written"] == 4 * mixed["written"]
    assert whole["bitops"] == 32 * mixed["bitops"]


def test_energy_is_relative_and_says_so() -> None:
    def energies(kind: str) -> list[int]:
        found = asked("table", "vgg16", "--columns", "name,energy,read,written", "--dtype", kind)
        rows = found["layers"]
        assert [row["energy"] for row in rows] == [
            row["macs"] * {"int8": 23, "float32": 460}[kind] + 125 * (row["read"] + row["written"])
            for row in rows
        ]
        assert found["total"]["energy"] == sum(row["energy"] for row in rows)
        return [row["energy"] for row in rows]

    assert all(a <= b for a, b in zip(energies("int8"), energies("float32"), strict=True))
    said = " ".join(run("table", "vgg16", "--columns", "name,energy").split())
    assert "Energy: relative" in said
    assert "no joules" in said
    assert "nergy" not in run("table", "vgg16")
    (mixed, *_) = asked("table", "vgg16", "--columns", "name,energy", "--dtype", "int8:w4")[
        "layers"
    ]
    assert mixed["energy"] is None


UNALIGNED = """
name: skewed
input: {channels: 4, res: 16}
padding: tf-same
body:
  - {op: identity, name: start, out: x}
  - {op: conv, k: 3, c: 8, s: 2, name: left, out: a}
  - {op: conv, k: 3, c: 8, s: 2, p: 1, in: x, name: right, out: b}
  - {op: add, in: [a, b], name: join}
  - {op: conv, k: 3, c: 8, name: behind}
"""


def test_paths_that_do_not_align_are_reported() -> None:
    graph = mbprof.loads(UNALIGNED).build().compiled
    found = reached(graph)
    assert found.unaligned == ("join",)
    assert found.fields[-1] is None
    said = mbprof.table(mbprof.loads(UNALIGNED), columns=["name", "rf"]).report()
    assert any("join: joins paths that do not align" in note for note in said.typed_notes())


def test_a_gate_is_left_out_of_the_receptive_field_and_said_to_be() -> None:
    found = mbprof.table("mobilenet_v3_small", columns=["name", "rf"]).report()
    assert any("a gate that sees the whole image" in note for note in found.typed_notes())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dtype", "int7"], "unknown dtype 'int7'"),
        (["--dtype", "int8:4"], "unknown dtype 'int8:4'"),
        (["--inplace", "conv"], "unknown in-place op 'conv'"),
        (["--patches", "1"], "at least 2 a side"),
        (["--patches", "many"], "expected a number or auto"),
        (["--optimizer", "adam"], "are about --training"),
        (["--training", "--optimizer", "lion"], "unknown optimizer 'lion'"),
        (["--training", "--dtype", "int8"], "training needs floats"),
        (["--training", "--fit", "8 gigs"], "no number of bytes"),
        (["--training", "--batch", "0"], "must be at least 1"),
        (["--training", "--inplace", "add"], "are about inference"),
    ],
)
def test_bad_input_is_one_error(arguments: list[str], said: str) -> None:
    ended = invoke("memory", "mobilenet_v1", *arguments)
    assert (ended.out, ended.status) == ("", 2)
    assert said in " ".join(ended.err.split())
    assert ended.err.count("error[") == 1


def test_a_sweep_says_what_single_networks_need() -> None:
    alphas, sizes = [0.35, 0.6, 1.3], [96, 131, 224]
    frame = mbprof.sweep("mobilenet_v2", dtype="int4", alpha=alphas, res=sizes)
    for row in frame.to_dict("records"):
        built = mbprof.load("mobilenet_v2").build(alpha=row["alpha"], res=row["res"])
        found = memory(built, dtype="int4", seconds=0)
        assert (row["peak_bytes"], row["weight_bytes"]) == (found.peak_bytes, found.weight_bytes)
        acts = sum(layer.activations for layer in traffics(built.compiled).values())
        assert row["activations"] == acts


def test_the_time_of_a_sweep_is_that_of_single_networks() -> None:
    for name, rel in (("ethos_u55_64", 1e-5), ("pixel_1", 1e-5), ("rtx_3090", 1e-3)):
        frame = mbprof.sweep("mobilenet_v1", alpha=[0.25, 0.9], res=[128, 200], device=name)
        for row in frame.to_dict("records"):
            single = mbprof.latency("mobilenet_v1", name, alpha=row["alpha"], res=row["res"])
            assert row["latency_ns"] == pytest.approx(single.seconds * 1e9, rel=rel, abs=30)


def test_the_largest_network_that_fits_is_one_command() -> None:
    fits = "peak_bytes <= 320000"
    (row,) = csv.DictReader(
        io.StringIO(
            run(
                "sweep",
                "mobilenet_v2",
                "--alpha",
                "0.35:1.4:0.35",
                "--res",
                "96:224:32",
                "--dtype",
                "int8",
                "--where",
                fits,
                "--sort",
                "macs",
                "--top",
                "1",
                "--format",
                "csv",
            )
        )
    )
    assert int(row["peak_bytes"]) <= 320000
    said = run(
        "sweep", "mobilenet_v2", "--res", "96,128", "--dtype", "int8", "--device", "h100_sxm"
    )
    assert "int8; norms and activations fused" in " ".join(said.split())
    larger = mbprof.sweep("mobilenet_v2", alpha="0.35:1.4:0.35", res="96:224:32", dtype="int8")
    assert not (larger[larger.macs > int(row["macs"])].peak_bytes <= 320000).any()


def test_a_budget_of_memory() -> None:
    ended = invoke("memory", "mobilenet_v2", "--dtype", "int8", "--max-peak", "320KB")
    assert ended.status == 1
    assert "1,185,280 above 320KB" in ended.err
    run("memory", "mlperf_tiny_vww", "--dtype", "int8", "--max-peak", "54KiB")

"""Networks by the names that libraries have for them, beside what those libraries' networks cost.

``data/library_totals.csv`` was measured on timm 1.0.31 and torchvision 0.28.0 with torch 2.13.0:
parameters, and the MACs of all convolutions and products of a pass at the library's own size;
GoogLeNet and Inception v3 without their auxiliary heads.
"""

import csv
import json
from pathlib import Path

import pytest

import mbprof
from mbprof.errors import UsageError
from mbprof.language.fmt import Value
from mbprof.pages.zoo import library_names
from mbprof.spec import names, zoo
from tests.conftest import invoke, run

FOLDER = zoo.folder()
DATA = Path(__file__).parent / "data"
with (DATA / "library_totals.csv").open(newline="") as file:
    MEASURED = {(row["library"], row["name"]): row for row in csv.DictReader(file)}
ALL = [
    (library, name) for library in names.libraries(FOLDER) for name in names.names(FOLDER, library)
]
TRAINED = ("kernels", "biases", "norm_scale", "norm_shift", "other")


def costs(address: str, **knobs: Value) -> tuple[int, int]:
    """Return a network's parameters, as PyTorch has them, and MACs."""
    rows = mbprof.load(address).build(**knobs).profile(scope="all").to_dict()["layers"]
    params = sum(row["params_by_kind"][kind] for row in rows for kind in TRAINED)
    return params, sum(row["macs"] for row in rows)


@pytest.mark.parametrize("number", range(16))
def test_a_name_costs_what_the_library_s_network_costs(number: int) -> None:
    for (library, name), row in list(MEASURED.items())[number::16]:
        assert costs(f"{library}:{name}") == (int(row["params"]), int(row["macs"])), name


def test_every_name_is_measured_or_of_keras() -> None:
    assert {(library, name) for library, name in ALL if library != "keras"} == set(MEASURED)


@pytest.mark.parametrize("name", names.names(FOLDER, "keras"))
def test_a_name_of_keras_stands_for_a_network(name: str) -> None:
    assert mbprof.load(f"keras:{name}").build().output_shape == (1000,)


def test_a_name_takes_the_knobs_of_the_library() -> None:
    path = DATA / "oracle" / "keras" / "MobileNetV2_a0.50_96_top.json"
    measured = json.loads(path.read_text(encoding="utf-8"))
    assert costs("keras:MobileNetV2", alpha=0.5, res=96)[1] == measured["macs"]
    half = mbprof.load("mobilenet_v2@timm").build(alpha=0.5, res=96)
    assert mbprof.load("timm:mobilenetv2_050").build(res=96).compiled == half.compiled


def test_a_name_says_what_it_stands_for() -> None:
    assert run("table", "timm:mobilenetv2_110d", "--by", "op").startswith(
        "mobilenet_v2@timm, alpha 1.1, res 224"
    )
    tagged = run("table", "timm:resnet50.a1_in1k", "--format", "csv")
    assert tagged == run("table", "timm:resnet50", "--format", "csv")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        mbprof.load("timm:mobilenetv2_55")
    assert error.value.message == "the zoo has no network that timm calls 'mobilenetv2_55'"
    assert "did you mean 'mobilenetv2_" in str(error.value.hint)
    assert invoke("table", "keras:NoNet").status == 2


def test_the_names_of_a_library_are_listed() -> None:
    shown = run("list", "resnet5", "--names", "torchvision", "--format", "csv").splitlines()
    assert shown[:2] == ["name,spec,knobs", "resnet50,resnet50,res=224"]
    assert len(library_names("timm").known) == len(names.names(FOLDER, "timm"))
    assert "unknown library 'tim'" in invoke("list", "--names", "tim").err

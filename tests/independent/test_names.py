"""Networks by the names that libraries have for them, beside what those libraries' networks cost.

``data/zoo_totals.csv`` holds trained parameters, and the MACs of all convolutions and products of a
pass, at the library's own size and an odd one; GoogLeNet and Inception v3 without their auxiliary
heads. ``data/README.md`` says how they were measured.
"""

import csv
import json
from pathlib import Path

import pytest

import mbprof
from mbprof.language.fmt import Value
from mbprof.pages.catalogue import library_names
from mbprof.spec import folders, names
from tests.conftest import invoke, run

FOLDER = folders.folder()
DATA = Path(__file__).parent / "data"
with (DATA / "zoo_totals.csv").open(newline="") as file:
    MEASURED = list(csv.DictReader(file))
with (DATA / "zoo_deployed.csv").open(newline="") as file:
    DEPLOYED = list(csv.DictReader(file))
ALL = [
    (library, name) for library in names.libraries(FOLDER) for name in names.names(FOLDER, library)
]


def costs(address: str, **knobs: Value) -> tuple[int, int]:
    """Return a network's trained parameters, and its MACs."""
    total = mbprof.load(address).build(**knobs).profile(scope="all").total
    return total.facts.trainable, total.cost


def compare(row: dict[str, str], **knobs: Value) -> None:
    """Hold a measured row beside the network of its name."""
    res = int(row["height"]), int(row["width"])
    measured = int(row["params"]), int(row["macs"])
    assert costs(f"{row['library']}:{row['model']}", res=res, **knobs) == measured, row


@pytest.mark.parametrize("number", range(32))
def test_a_name_costs_what_the_library_s_network_costs(number: int) -> None:
    for row in MEASURED[number::32]:
        compare(row)


def test_a_deployed_network_costs_what_the_library_s_costs_once_it_is_fused() -> None:
    for row in DEPLOYED:
        compare(row, deployed=True)


def stands_for(library: str, name: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return the spec and the knobs that a library's name stands for."""
    known = names.names(FOLDER, library)[name]
    return known.spec, frozenset(known.knobs.items())


def test_what_every_name_stands_for_is_measured() -> None:
    measured = {stands_for(row["library"], row["model"]) for row in MEASURED}
    assert not [name for name in ALL if stands_for(*name) not in measured]


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
    with pytest.raises(mbprof.MbprofError) as error:
        mbprof.load("timm:mobilenetv2_55")
    # Of timm itself, where it is installed.
    zoo = "the zoo has no network that timm calls 'mobilenetv2_55'"
    assert error.value.message in (zoo, "timm has no model 'mobilenetv2_55'")
    assert "did you mean 'mobilenetv2_" in str(error.value.hint)
    assert invoke("table", "keras:NoNet").status == 2


def test_the_names_of_a_library_are_listed() -> None:
    shown = run("list", "resnet5", "--names", "torchvision", "--format", "csv").splitlines()
    assert shown[0] == "name,spec,knobs"
    assert "resnet50,resnet50,res=224" in shown
    assert len(library_names("timm").known) == len(names.names(FOLDER, "timm"))
    assert "unknown library 'tim'" in invoke("list", "--names", "tim").err

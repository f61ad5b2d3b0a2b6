"""An exported file of ONNX or PyTorch costs what the network does that it was written from."""

import pytest

import mbprof
from mbprof.errors import ExchangeError
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from tests.conftest import network
from tests.independent.reimported import differences, from_code, from_files

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")

NETWORKS = (
    "mobilenet_v2",  # linear layers and batch norms
    "efficientnet",  # an image that is normalised
    "shvit",  # group norms
    "nf_resnet",  # standardised weights
    "resnet_blur",  # constant filters
    "swin",  # tables that are looked up
    "metaformer",  # trained numbers
    "inception_v3",  # norms without a scale, a classifier aside
)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_costs_what_its_network_does(name: str) -> None:
    assert differences(network(name), [from_files]) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_module_costs_what_its_network_does(name: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks")
    assert differences(network(name), [from_code]) == []


def test_a_file_without_weights_is_still_one_for_the_checker() -> None:
    made = model(network("resnet_blur"), Options(weights=False))
    onnx.checker.check_model(made, full_check=True)
    said = {entry.key: entry.value for entry in made.metadata_props}
    assert said["mbprof.images"] == '["input"]'
    assert "mbprof.constants" in said


@pytest.mark.parametrize("value", ["", "[", "{}", '["nobody"]', "[[]]", "3", '"image"'])
@pytest.mark.parametrize("key", ["mbprof.images", "mbprof.constants"])
def test_a_property_that_lists_something_else_is_refused(key: str, value: str) -> None:
    made = model(network("tinynet"), Options(weights=False))
    onnx.helper.set_model_props(made, {key: value})
    with pytest.raises(ExchangeError, match=f"its property {key} lists what"):
        mbprof.from_onnx(made)


def test_a_weight_of_an_open_size_is_refused() -> None:
    made = model(network("tinynet"), Options(weights=False))
    made.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "n"
    with pytest.raises(ExchangeError, match="has no fixed shape"):
        mbprof.from_onnx(made)

"""Networks of timm and torchvision as they are built there, against PyTorch's own count of them."""

import pytest

pytest.importorskip("torch", reason="networks of PyTorch need the extra torch")
from mbprof.exchange.torch_in import module as torch_in
from tests.independent.imported import misread

NAMES = {
    "torchvision": [
        "alexnet", "googlenet", "mnasnet0_5", "mobilenet_v3_small", "shufflenet_v2_x0_5",
        "swin_v2_t", "vit_b_32",
    ],
    "timm": [
        "convnextv2_atto", "crossvit_9_240", "efficientformer_l1", "efficientvit_m0", "halonet26t",
        "lambda_resnet26rpt_256", "mobilenetv4_hybrid_medium", "nf_resnet26", "resnest14d",
        "test_vit", "tf_mixnet_s", "xcit_nano_12_p16_224",
    ],
}  # fmt: skip


@pytest.mark.parametrize("address", [f"{zoo}:{name}" for zoo in NAMES for name in NAMES[zoo]])
def test_a_network_costs_what_pytorch_runs(address: str) -> None:
    library = address.partition(":")[0]
    pytest.importorskip(library) if library == "timm" else torch_in.library(library)
    assert misread(address) == ""

"""Networks of timm and torchvision as they are built there, against PyTorch's own count of them."""

from typing import Any

import pytest

import mbprof

torch = pytest.importorskip("torch", reason="networks of PyTorch need the extra torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from mbprof.exchange.torch_in import module as torch_in  # noqa: E402

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


class Counted(TorchDispatchMode):  # type: ignore[misc]
    """Multiplications of PyTorch's core ops, from the shapes that they are called with."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if name == "convolution":
            image, weight, transposed = args[0], args[1], args[6]
            each = image.numel() // image.shape[1] if transposed else out.numel()
            self.macs += each * (weight if transposed else weight[0]).numel()
        elif name in ("mm", "bmm"):
            self.macs += out.numel() * args[0].shape[-1]
        elif name in ("addmm", "baddbmm"):
            self.macs += out.numel() * args[1].shape[-1]
        elif name.startswith("_scaled_dot_product"):
            query, key, value = args[:3]
            scores = query[..., 0].numel() * key.shape[-2]
            self.macs += scores * (query.shape[-1] + value.shape[-1])
        return out


@pytest.mark.parametrize("address", [f"{zoo}:{name}" for zoo in NAMES for name in NAMES[zoo]])
def test_a_network_costs_what_pytorch_runs(address: str) -> None:
    library = address.partition(":")[0]
    pytest.importorskip(library) if library == "timm" else torch_in.library(library)
    module, shape, _ = torch_in.built(address)
    trained = sum(parameter.numel() for parameter in module.parameters())
    copied = torch_in.on_meta(module)
    with torch.no_grad(), Counted() as counted:
        copied(torch.empty((1, *shape), device="meta"))
    total = mbprof.from_torch(module, shape).profile("trainable").total
    assert (total.params, total.cost) == (trained, counted.macs)

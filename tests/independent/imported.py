"""A network of torchvision or timm, read as it is built there, against PyTorch's own count."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import mbprof
from mbprof.exchange.torch_in.module import built, library, on_meta


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


def misread(address: str) -> str:
    """Read a network, ``timm:NAME``; return what it costs if PyTorch counts otherwise.

    Raises: Exception: what the library or mbprof refuses.
    """
    module, shape, _ = built(address)
    trained = sum(parameter.numel() for parameter in module.parameters())
    with torch.no_grad(), Counted() as counted:
        on_meta(module)(torch.empty((1, *shape), device="meta"))
    profile = mbprof.from_torch(module, shape).profile("trainable")
    seen, wanted = (profile.total.params, profile.total.cost), (trained, counted.macs)
    said = [f"params and MACs are {seen}, not {wanted}"] if seen != wanted else []
    return "; ".join([*said, *(f"no rule for {name}" for name in profile.missing)])


def addresses() -> Iterator[str]:
    """Yield torchvision's classifiers, then timm's models: one of each of its modules at a time."""
    models: Any = library("torchvision").models
    yield from (f"torchvision:{name}" for name in models.list_models(module=models))
    import timm

    ranked = [
        (rank, module, name)
        for module in timm.list_modules()
        for rank, name in enumerate(timm.list_models(module=module))
    ]
    yield from (f"timm:{name}" for _, _, name in sorted(ranked))

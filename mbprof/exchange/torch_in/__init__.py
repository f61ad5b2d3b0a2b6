"""Modules of PyTorch to drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mbprof.spec import foreign

if TYPE_CHECKING:
    from mbprof.network.load import Network


def from_torch(module: Any, example: Any = (3, 224, 224), name: str = "") -> Network:
    """Return a PyTorch module as a network, which every function takes.

    ``example`` is what the module is called with: a tensor, a tuple of several, a mapping of named
    ones, or a shape (C, H, W). The first axis of its tensors is the batch, of which one image is
    counted; their values do not matter. The module is copied without weights and stays as it is.

    Raises: ExchangeError: it is no module, it cannot be copied, or it does not run on the example;
    PyTorch is not installed.
    """
    from mbprof.network.load import loads

    reader = foreign.module(foreign.TORCH)
    found = reader.spec_of(module, example, name or type(module).__name__)
    return loads(found.text, found.name).build()

"""A network of the zoo as files of ONNX and PyTorch that are read again: they cost the same.

It is written as ONNX with its weights as inputs of the model, and as initialisers whose
values stand in another file, which is not there; and as a module of PyTorch, built without memory.
Compared are MACs, kernels, trained values and those that are stored besides constants, since a
file does not tell a constant that is stored, such as a blur, from one that a program computes, such
as a table of angles.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

import mbprof
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out import file as onnx_out
from mbprof.exchange.source import torch_file as torch_out
from tests.independent.frameworks import module, network_class

Way: TypeAlias = Callable[[mbprof.Network], Iterator[tuple[str, mbprof.Network]]]


def costs(network: mbprof.Network) -> dict[str, int]:
    """Return the totals of a network: MACs, and params of several kinds."""
    total = network.profile(scope="all").total
    facts = total.facts
    kept = facts.params - facts.constants
    return {"MACs": total.cost, "kernels": facts.kernels, "trained": facts.trainable, "kept": kept}


def files(network: mbprof.Network) -> dict[str, Any]:
    """Return the network as models without weights: as inputs, and as those of a missing file."""
    writer, made = onnx_out._written(network, Options())
    writer.refer(made.graph, "weights.data")
    return {"inputs": onnx_out.model(network, Options(weights=False)), "beside": made}


def from_files(network: mbprof.Network) -> Iterator[tuple[str, mbprof.Network]]:
    """Yield the networks that are read of ONNX files."""
    for kind, made in files(network).items():
        yield kind, mbprof.from_onnx(made)


def from_code(network: mbprof.Network) -> Iterator[tuple[str, mbprof.Network]]:
    """Yield the network that is read of a file of PyTorch."""
    import torch

    with torch.device("meta"):
        net = network_class(module(torch_out.exported(network).text))()
        images = [torch.zeros(1, *image.shape) for image in network.compiled.images]
    yield "torch", mbprof.from_torch(net, tuple(images))


def differences(
    network: mbprof.Network, ways: Sequence[Way] = (from_files, from_code)
) -> list[str]:
    """Return what the network costs otherwise when it is read again, a line for each way."""
    wanted, lines = costs(network), []
    for kind, read in chain.from_iterable(way(network) for way in ways):
        seen, missing = costs(read), read.profile(scope="all").missing
        if seen != wanted or missing:
            off = (f"{n} {seen[n]:,} not {wanted[n]:,}" for n in wanted if seen[n] != wanted[n])
            lines.append("; ".join([kind, *off, *(f"no rule for {m}" for m in missing)]))
    return lines

"""What a framework counts of a network that mbprof wrote for it, by running it."""

from __future__ import annotations

import math
import types
from typing import Any, NamedTuple

from mbprof.language.fmt import Shape


class Counted(NamedTuple):
    """What was counted: trained values, others, multiply-accumulates and the outputs' shapes."""

    trained: int
    stored: int
    macs: int
    shapes: tuple[Shape, ...]


def module(text: str, name: str = "net") -> types.ModuleType:
    """Run the text of a file as a module."""
    made = types.ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), made.__dict__)
    return made


def network_class(made: types.ModuleType) -> Any:
    """Return the class of the whole network: the last one of the file."""
    classes = [value for value in vars(made).values() if isinstance(value, type)]
    return [cls for cls in classes if cls.__module__ == made.__name__][-1]


def torch_counted(text: str, images: list[Shape], device: str = "meta") -> Counted:
    """Count what a file of PyTorch holds and does, for one image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device(device):
        net = network_class(module(text))().eval()
        inputs = [torch.zeros(1, *shape) for shape in images]
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            outputs = net(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    kept = [*net.parameters(), *net.buffers()]
    names = {name for name, _ in net.named_buffers()} & set(net.state_dict())
    buffers = {name: b for name, b in net.named_buffers() if name in names}
    stored = sum(p.numel() for p in net.parameters()) + sum(
        b.numel() for name, b in buffers.items() if not name.endswith("num_batches_tracked")
    )
    assert kept
    shapes = tuple(tuple(output.shape[1:]) for output in outputs)
    return Counted(trained, stored, counter.get_total_flops() // 2, shapes)


def expected(graph: Any) -> Counted:
    """Return the same of mbprof's graph."""
    from mbprof.ops.base import total

    facts = total(node.facts for node in graph.nodes)
    shapes = tuple(graph.shape(edge) for edge in dict.fromkeys(graph.outputs))
    return Counted(facts.trainable, facts.params, facts.mac, shapes)


def relative(a: Any, b: Any) -> float:
    """Return the largest difference of two arrays, relative to the largest value."""
    scale = max(float(abs(a).max()), float(abs(b).max()), 1e-12)
    return float(abs(a - b).max()) / scale if math.isfinite(scale) else math.inf

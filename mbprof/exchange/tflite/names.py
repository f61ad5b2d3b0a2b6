"""Names of layers from those of tensors, which carry the names of all that was fused into one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mbprof.exchange.tflite.model import Model, Operator

_CALL = re.compile(r"[A-Z]")
"""What TensorFlow calls an operation begins with a capital, a module hardly ever does."""


def layer_names(model: Model) -> list[str]:
    """Return a name for each operator: the module that most of its tensors' names speak of.

    A convolution's output is named ``net/relu_1/Relu;net/bn_1/Fused...;net/conv_1/BiasAdd;
    net/conv_1/Conv2D``, which makes ``conv_1``: what all of them begin with says nothing.
    """
    modules = [_module(model, operator) for operator in model.operators]
    begun = [module[:1] for module in modules if module]
    shared = begun[0] if begun and all(b == begun[0] for b in begun) else ()
    cut = len(shared) if all(len(module) > 1 for module in modules if module) else 0
    return [
        "/".join(module[cut:]) or operator.kind.lower()
        for module, operator in zip(modules, model.operators, strict=True)
    ]


def distinct(names: Sequence[str]) -> list[str]:
    """Return names with a number behind each that was there before.

    >>> distinct(["add", "conv", "add"])
    ['add', 'conv', 'add_2']
    """
    counts: Counter[str] = Counter()
    unique: dict[str, None] = {}
    for name in names:
        own = name
        while own in unique:
            counts[name] += 1
            own = f"{name}_{counts[name] + 1}"
        unique[own] = None
    return list(unique)


def _module(model: Model, operator: Operator) -> Sequence[str]:
    """Return the path of the module that an operator belongs to, empty if none is named."""
    if not operator.outputs:
        return ()
    paths = []
    for name in model.tensors[operator.outputs[0]].name.split(";"):
        parts = [part for part in name.split("/") if part]
        # Without a capital it is the last part that names the operation: add_1/add.
        usual = max(len(parts) - 1, 1)
        end = next((n for n, part in enumerate(parts[:usual]) if _CALL.match(part)), usual)
        if end:
            paths.append(tuple(parts[:end]))
    counts = Counter(paths)
    most = max(counts.values(), default=0)
    # Of as many, the last stands for what was fused with what follows it.
    return next((path for path in reversed(paths) if counts[path] == most), ())

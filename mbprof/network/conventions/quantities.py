"""What a formula of a convention can ask of a node: its facts, sizes and fields, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mbprof.language.fmt import Shape
from mbprof.network.graph import Node
from mbprof.ops import OPS, elements
from mbprof.ops.base import FACTS
from mbprof.symbolic.arithmetic import product


def _maps(shape: Shape) -> tuple[int, int, int]:
    """Return a shape as C, H, W; a vector is one pixel, tokens are rows of one column."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return shape[-1], product(shape[:-1]), 1


QUANTITIES: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "in": ("elements of the first input", lambda node: product(node.in_shapes[0])),
    "in.c": ("channels of the first input", lambda node: _maps(node.in_shapes[0])[0]),
    "in.h": ("height of the same", lambda node: _maps(node.in_shapes[0])[1]),
    "in.w": ("width of the same", lambda node: _maps(node.in_shapes[0])[2]),
    "out": ("elements of all outputs", lambda node: elements(node.out_shapes)),
    "out.c": ("channels of the first output", lambda node: _maps(node.out_shapes[0])[0]),
    "out.h": ("height of the same", lambda node: _maps(node.out_shapes[0])[1]),
    "out.w": ("width of the same", lambda node: _maps(node.out_shapes[0])[2]),
    "inputs": ("how many inputs there are", lambda node: len(node.in_shapes)),
    "window": (
        "elements of the window, 1 if there is none",
        lambda node: product(node.op.geometry(node.in_shapes).kernel or ()),
    ),
    "covered": (
        "elements that the windows of an average pooling hold together, without padding",
        lambda node: node.op.covered(node.in_shapes, node.out_shapes),
    ),
    "params": ("all stored values", lambda node: node.facts.params),
    "trainable": ("stored values that training changes", lambda node: node.facts.trainable),
}
"""The quantities besides the kinds of facts, with their meaning."""

FIELDS = {key: letter for op in OPS.values() for key, letter in op.letters.items() if len(key) > 1}
"""Keys of ops that a formula can ask for, such as ``bias`` or ``mode``."""

NAMES = {**FACTS, **{name: doc for name, (doc, _) in QUANTITIES.items()}, **FIELDS}
"""Every name that a formula knows."""


class NodeNames(dict[str, Any]):
    """The names of a formula for one node, computed when they are asked for.

    A name that the node's op has no field for is not in sight.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __iter__(self) -> Iterator[str]:
        """Yield every name in sight, for the hint of an error."""
        fields = (key for key in self.node.op.letters if key in FIELDS)
        yield from (*FACTS, *QUANTITIES, *fields)

    def __missing__(self, name: str) -> Any:
        node = self.node
        if name in FACTS:
            value = getattr(node.facts, name)
        elif name in QUANTITIES:
            value = QUANTITIES[name][1](node)
        elif (letter := node.op.letters.get(name)) is not None:
            value = getattr(node.op, letter.attribute)
        else:
            raise KeyError(name)
        self[name] = value
        return value

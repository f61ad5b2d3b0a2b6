"""What a training step keeps of the forward pass, as automatic differentiation in PyTorch does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mbprof.language.record import NamedTuple
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.base import Free
from mbprof.symbolic.arithmetic import product

INPUT, OUTPUT, INDEX, MASK = "input", "output", "index", "mask"
"""What an op keeps: its inputs, its output, a place for each output, a mask of its input.

Where an addition leaves a path out at random, the mask is one factor for an image.
"""

KEPT: Mapping[str, tuple[str, ...]] = {
    # What backward multiplies by, and what it divides by.
    **dict.fromkeys(("conv", "dwconv", "tconv", "linear", "matmul", "mul"), (INPUT,)),
    **dict.fromkeys(("bn", "ln", "gn", "rms", "lrn"), (INPUT,)),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "elu", "softmax"), (OUTPUT,)),
    **dict.fromkeys(
        (
            "relu6", "silu", "hswish", "hsigmoid", "leaky_relu", "prelu", "gelu", "gelu_tanh",
            "quick_gelu", "mish", "star_relu",
        ),
        (INPUT,),
    ),
    "maxpool": (INPUT, INDEX),
    "gmp": (INPUT, INDEX),
    "avgpool": (INPUT,),
    "adaptiveavgpool": (INPUT,),
    "max": (INPUT, INDEX),
    "dropout": (MASK,),
    "sdpa": (INPUT, OUTPUT),
}  # fmt: skip
"""What ops keep by their function or word; those that are not here keep nothing.

Source: PyTorch `tools/autograd/derivatives.yaml`, measured with `saved_tensors_hooks`.
"""

_STATISTICS = {"bn": 0, "ln": 1, "gn": 1, "rms": 1}


class Kept(NamedTuple):
    """Memory that a node keeps: what it is of, its elements, and the bytes of one, 0 for a type's.

    ``of`` is the edge whose storage it is, or what else a node keeps; a storage is kept once
    however many nodes keep it.
    """

    node: int
    of: tuple[int, object]
    elements: int
    bytes: int = 0

    def before(self, node: int) -> bool:
        """Whether the storage is there before a node runs."""
        return self.of[0] < node


def kept(graph: Graph, wanted: Sequence[bool]) -> Iterator[Kept]:
    """Yield what the nodes of a graph keep for one image, each storage once."""
    homes, seen = _storages(graph), set[tuple[int, object]]()
    for number, node in enumerate(graph.nodes):
        if not wanted[number]:
            continue
        for item in _of(graph, number, node, homes):
            if item.of not in seen:
                seen.add(item.of)
                yield item


def per_batch(graph: Graph, wanted: Sequence[bool]) -> int:
    """Return the bytes that a batch keeps whatever its size.

    Means and deviations of batch norms in single precision, and the weight of the loss.
    """
    norms = (node for node, use in zip(graph.nodes, wanted, strict=True) if use and node.op.folds)
    return 4 + sum(
        8 * node.in_shapes[0][0 if len(node.in_shapes[0]) == 3 else -1] for node in norms
    )


def _of(
    graph: Graph, number: int, node: Node, homes: Mapping[Edge, tuple[Edge, int] | None]
) -> Iterator[Kept]:
    """Yield what a node keeps."""
    word = node.op.function or node.op.word
    for what in KEPT.get(word, ()):
        if what is INPUT or what is OUTPUT:
            edges = node.inputs if what is INPUT else (Edge(number),)
            for edge in edges:
                if (home := homes[edge]) is not None:
                    yield Kept(number, home[0], home[1])
        elif what is INDEX:
            yield Kept(number, (number, what), product(node.out_shapes[0]), 8)
        elif getattr(node.op, "rate", 0):
            yield Kept(number, (number, what), product(node.in_shapes[0]))
    if getattr(node.op, "drop", False):
        yield Kept(number, (number, MASK), 1)
    if _STATISTICS.get(word):
        shape = node.in_shapes[0]
        places = getattr(node.op, "groups", None) or product(
            shape[1:] if len(shape) == 3 else shape[:-1]
        )
        yield Kept(number, (number, "statistics"), (2 if word != "rms" else 1) * places, 4)


def _storages(graph: Graph) -> dict[Edge, tuple[Edge, int] | None]:
    """Return the tensor whose storage every edge lies in, with its elements; of weights None."""
    homes: dict[Edge, tuple[Edge, int] | None] = {}
    for port, image in enumerate(graph.images):
        homes[Edge(IMAGE, port)] = Edge(IMAGE, port), product(image.shape)
    for number, node in enumerate(graph.nodes):
        dropped = node.op.drops and bool(getattr(node.op, "rate", 0.0))
        view = isinstance(node.op, Free) and not dropped
        for port, shape in enumerate(node.out_shapes):
            own = Edge(number, port)
            if not node.inputs:
                homes[own] = None
            elif view or node.op.function == "none":
                homes[own] = homes[node.inputs[0]]
            else:
                homes[own] = own, product(shape)
    return homes

"""The stored values of a network as named tensors, in one layout for all formats.

A tensor is called by its node and its kind, ``stem/conv.weight``; nodes that share weights have the
tensors of the first of them. A weight is (C_out, C_in/g, k_h, k_w), of a linear layer
(C_out, C_in), of a transposed convolution (C_in, C_out/g, k_h, k_w); everything else of a channel
is (C,).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zlib import crc32

from mbprof.errors import UsageError
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.network.graph import Graph, Node
from mbprof.ops.base import STORED, channels
from mbprof.symbolic.arithmetic import product

if TYPE_CHECKING:
    import numpy as np

KINDS = {
    "weight": "of a convolution or linear layer",
    "bias": "of the same",
    "gain": "the scales of standardised weights",
    "scale": "gamma of a normalisation, s of a star_relu",
    "shift": "beta of a normalisation, b of a star_relu",
    "mean": "running mean of a batch norm, mean of the data set",
    "variance": "the same of variances",
    "count": "the number of images of a data set",
    "slope": "a of a prelu",
    "value": "a param as it is",
}
"""The kinds of tensors, with what each is."""


class Stored(NamedTuple):
    """A tensor that is stored: its name, shape and kind, and the number of the first node.

    ``fact`` is the kind of its values among the node's facts; ``fan`` are the products that an
    output is the sum of, 0 of what is no weight.
    """

    name: str
    shape: Shape
    kind: str
    fact: str
    node: int
    fan: int = 0


def stored(graph: Graph) -> tuple[Stored, ...]:
    """Return every stored tensor of a network once.

    Raises: UsageError: see `parameters`.

    >>> from mbprof.network.load import loads
    >>> text = "{name: n, input: {res: 8}, body: [{op: conv, k: 3, c: 4, bn: true, name: stem}]}"
    >>> for tensor in stored(loads(text).build().compiled):
    ...     print(tensor.name, tensor.shape)
    stem.weight (4, 3, 3, 3)
    stem/bn.scale (4,)
    stem/bn.shift (4,)
    stem/bn.mean (4,)
    stem/bn.variance (4,)
    """
    return tuple(dict.fromkeys(t for tensors in parameters(graph) for t in tensors.values()))


def parameters(graph: Graph) -> tuple[Mapping[str, Stored], ...]:
    """Return the tensors of each node by kind; nodes that share weights have the same ones.

    Raises: UsageError: an op stores values that have no layout here.
    """
    owners: dict[int, dict[str, Stored]] = {}
    made = []
    for number, node in enumerate(graph.nodes):
        if node.weights is None:
            tensors = _named(number, node)
        else:
            tensors = owners.setdefault(node.weights, {}) or _named(number, node)
            owners[node.weights] = tensors
        made.append(tensors)
    return tuple(made)


def random_weights(graph: Graph, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Return random values of all stored tensors by name, see `random_values`.

    Raises: UsageError: see `parameters`.
    """
    return {tensor.name: random_values(tensor, seed) for tensor in stored(graph)}


def random_values(tensor: Stored, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return random float32 values of a tensor, which depend on its name and the seed only.

    Weights are uniform with a variance of 1 / fan: activations neither vanish nor, behind a hundred
    shortcuts, grow to where rounding decides. Source: LeCun et al., Efficient BackProp, 1998,
    equation 16.

    >>> random_values(Stored("fc.weight", (2, 3), "weight", "kernels", 0, 3)).shape
    (2, 3)
    """
    import numpy as np

    middle, reach = (0.0, (3 / tensor.fan) ** 0.5) if tensor.fan else _SPREAD[tensor.kind]
    generator = np.random.default_rng([seed, crc32(tensor.name.encode())])
    values = generator.random(tensor.shape, np.float32)
    values *= np.float32(2 * reach)
    values += np.float32(middle - reach)
    return values


_SPREAD = {
    **dict.fromkeys(("weight", "bias", "shift", "mean"), (0.0, 0.2)),
    **dict.fromkeys(("scale", "gain", "count"), (1.0, 0.2)),
    "variance": (1.0, 0.5),
    "slope": (0.25, 0.1),
    "value": (0.0, 0.4),
}
"""The middle of the values of each kind, and how far they reach; of weights if nothing fans in."""

_Tensors = Iterator[tuple[str, str, Shape, int]]


def _named(number: int, node: Node) -> dict[str, Stored]:
    """Return the tensors of a node by kind.

    Raises: UsageError: they are not what the facts say.
    """
    rule = _LAYOUTS.get(node.op.word)
    tensors = {
        kind: Stored(f"{node.name}.{kind}", shape, kind, fact, number, fan)
        for kind, fact, shape, fan in (rule(node) if rule else ())
    }
    sizes: Counter[str] = Counter()
    for tensor in tensors.values():
        sizes[tensor.fact] += product(tensor.shape)
    facts = node.by_itself.facts
    if any(sizes[fact] != getattr(facts, fact) for fact in STORED):
        raise UsageError(f"{node.name}: the values that {node.op.word} stores have no layout")
    return tensors


def _convolution(node: Node) -> _Tensors:
    op: Any = node.op
    c_in, c_out = node.in_shapes[0][0], node.out_shapes[0][0]
    groups = op.geometry(node.in_shapes).groups or 1
    shape = (c_out, c_in // groups, *op.kernel)
    if len(node.inputs) == 1:
        fact = "kernels" if op.trained else "constants"
        yield "weight", fact, shape, product(shape[1:])
    if op.gain:
        yield "gain", "norm_scale", (c_out,), 0
    if op.bias:
        yield "bias", "biases", (c_out,), 0


def _transposed(node: Node) -> _Tensors:
    op: Any = node.op
    c_in, c_out = node.in_shapes[0][0], node.out_shapes[0][0]
    fan = c_in // op.groups * product(op.kernel)
    yield "weight", "kernels", (c_in, c_out // op.groups, *op.kernel), fan
    if op.bias:
        yield "bias", "biases", (c_out,), 0


def _linear(node: Node) -> _Tensors:
    c_in, c_out = channels(node.in_shapes[0]), channels(node.out_shapes[0])
    yield "weight", "kernels", (c_out, c_in), c_in
    if node.op.bias:
        yield "bias", "biases", (c_out,), 0


def _norm(node: Node) -> _Tensors:
    facts = node.by_itself.facts
    for kind in ("scale", "shift", "mean", "variance"):
        if size := getattr(facts, f"norm_{kind}"):
            yield kind, f"norm_{kind}", (size,), 0


def _normalize(node: Node) -> _Tensors:
    for kind in ("mean", "variance"):
        yield kind, "constants", (channels(node.in_shapes[0]),), 0
    yield "count", "constants", (1,), 0


def _activation(node: Node) -> _Tensors:
    function = node.op.function
    if function == "prelu":
        yield "slope", "other", (channels(node.in_shapes[0]),), 0
    elif function == "star_relu":
        yield "scale", "other", (1,), 0
        yield "shift", "other", (1,), 0


def _param(node: Node) -> _Tensors:
    op: Any = node.op
    yield "value", "other" if op.trained else "constants", op.shape, 0


_LAYOUTS: dict[str, Callable[[Node], _Tensors]] = {
    "conv": _convolution,
    "dwconv": _convolution,
    "tconv": _transposed,
    "linear": _linear,
    "bn": _norm,
    "ln": _norm,
    "gn": _norm,
    "rms": _norm,
    "normalize": _normalize,
    "act": _activation,
    "param": _param,
}
"""What each op stores: kind, kind of its facts, shape and fan."""

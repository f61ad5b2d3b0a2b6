"""An ONNX graph to a draft: the nodes that lead to outputs, recognised and translated."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from mbprof.errors import ExchangeError
from mbprof.exchange.draft import Draft
from mbprof.exchange.onnx_in import composites as onnx_composites  # noqa: F401 - their rules
from mbprof.exchange.onnx_in import convs as onnx_convs  # noqa: F401 - their rules
from mbprof.exchange.onnx_in import elements as onnx_elements  # noqa: F401 - their rules
from mbprof.exchange.onnx_in import forms as onnx_forms  # noqa: F401 - their rules
from mbprof.exchange.onnx_in import layers as onnx_layers  # noqa: F401 - their rules
from mbprof.exchange.onnx_in.graph import FLOATS, Node, Walk
from mbprof.exchange.onnx_in.patterns import recognised
from mbprof.exchange.onnx_in.translate import Translator
from mbprof.exchange.rules import new


def translated(walk: Walk, draft: Draft) -> None:
    """Fill a draft with what leads to the outputs of a model.

    Raises: ExchangeError: no output depends on an input.
    """
    ends = [output.name for output in walk.model.graph.output if output.name]
    for name in ends:
        if name not in walk.tensors:
            raise ExchangeError(f"{walk.source}: nothing makes the output {name!r}")
    ends = [name for name in ends if not walk.tensors[name].fixed]
    nodes = recognised(live(walk.nodes, ends), walk.tensors, ends)
    translator = Translator(walk, draft, turned(walk, nodes, draft))
    translator.run()
    for name in ends:
        draft.output(translator.take(name), name)
    for tensor in walk.model.graph.initializer:
        if tensor.name not in walk.taken and tensor.data_type in FLOATS and prod(tensor.dims):
            trained = tensor.name not in walk.constants
            draft.unused(new("param", shape=(*tensor.dims,) or (1,), trained=trained), tensor.name)


def turned(walk: Walk, nodes: Sequence[Node], draft: Draft) -> list[Node]:
    """Add the images to a draft, channels first where the first layer takes them so.

    What is done to the elements of an image of channels last before it is transposed is done to it
    channels first: constants of its channels are turned with it.
    """
    made = list(nodes)
    for name in walk.sizes:
        chain = _until_turned(walk, made, name)
        if chain:
            _turn(walk, name)
        for number, node in chain:
            fixed = (walk.tensors[i].fixed if i else False for i in node.inputs)
            pairs = zip(node.inputs, fixed, strict=True)
            inputs = tuple(_turn(walk, i) if still else i for i, still in pairs)
            for output in node.outputs[: node.kind != "Transpose"]:
                _turn(walk, output)
            kind = "Identity" if node.kind == "Transpose" else node.kind
            made[number] = node._replace(kind=kind, inputs=inputs, attributes={**node.attributes})
        if any(name in node.inputs for node in nodes):
            draft.image(name, walk.plain(name), name)
    return made


def _until_turned(walk: Walk, nodes: Sequence[Node], name: str) -> list[tuple[int, Node]]:
    """Return the nodes from an image to where it is transposed to channels first, if it is."""
    chain: list[tuple[int, Node]] = []
    if len(walk.tensors[name].shape) != 4:
        return []
    while True:
        takers = [(number, node) for number, node in enumerate(nodes) if name in node.inputs]
        if len(takers) != 1 or name in {output.name for output in walk.model.graph.output}:
            return []
        chain += takers
        ((_, node),) = takers
        if node.kind == "Transpose":
            return chain if list(node.attributes.get("perm", ())) == [0, 3, 1, 2] else []
        others = [walk.tensors[i] for i in node.inputs if i and i != name]
        plain = all(t.fixed and len(t.shape) in (0, 1, 4) for t in others)
        if node.kind not in _ELEMENTWISE or not plain:
            return []
        name = node.outputs[0]


_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Cast", "Identity", "QuantizeLinear"}
_ELEMENTWISE |= {"DequantizeLinear"}


def _turn(walk: Walk, name: str) -> str:
    """Turn a tensor of four axes, or the constants of a last one, to channels first."""
    tensor = walk.tensors.get(name)
    if tensor is None or prod(tensor.shape) == 1:
        return name
    sizes = (*(1,) * (4 - len(tensor.shape)), *tensor.shape)
    turned_ = tensor._replace(shape=(sizes[0], sizes[3], sizes[1], sizes[2]), value=None)
    key = f"{name}#turned" if tensor.fixed else name
    if key not in walk.tensors or not tensor.fixed:
        walk.tensors[key] = turned_
    return key


def live(nodes: Sequence[Node], ends: Sequence[str]) -> list[Node]:
    """Return the nodes that lead to some tensors."""
    taken, kept = set(ends), []
    for node in reversed(nodes):
        if taken.intersection(node.outputs):
            taken.update(node.inputs)
            kept.append(node)
    return kept[::-1]

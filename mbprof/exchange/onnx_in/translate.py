"""From the nodes of an ONNX graph to ops: what all rules share, and the registry of rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

from mbprof.errors import MbprofError
from mbprof.exchange import composed
from mbprof.exchange.draft import Draft
from mbprof.exchange.onnx_in.graph import DOMAINS, MULTIPLY, Node, Tensor, Walk
from mbprof.exchange.onnx_in.patterns import OWN
from mbprof.exchange.rules import NoRule, Rules, new
from mbprof.language.fmt import Shape
from mbprof.ops.base import Op

MERGED = 1024
"""Up to so many values equal initialisers are merged.

Source: onnx_ir/passes/common/initializer_deduplication.py, size_limit.
"""
FUSED = "com.microsoft"
"""The domain of the ops that onnxruntime fuses."""
_WEIGHT = re.compile(r"(.+?)[./]_?(?:weight|kernel|gamma|w)(?:_quantized)?(?::0)?")
_BITS = {2: 8, 3: 8, 4: 16, 5: 16, 21: 4, 22: 4}
"""Bits of the types of quantised values, by the numbers of ONNX."""


LAYERS = {
    **dict(zip(MULTIPLY, MULTIPLY, strict=True)),
    "FusedConv": "Conv",
    "FusedMatMul": "MatMul",
}
"""Kinds of layers, and what the names of their nodes end in."""


WRONG = NoRule, MbprofError, IndexError, KeyError, TypeError, ValueError
"""What a rule raises where it does not fit a node."""
Rule: TypeAlias = "Callable[[Translator, Node], None]"
RULES: Rules[Rule] = Rules()
"""What translates nodes of a kind, whatever their domain."""
rule = RULES.add


class Translator:
    """Translates nodes, in execution order, into a draft."""

    def __init__(self, walk: Walk, draft: Draft, nodes: Sequence[Node]) -> None:
        self.walk, self.draft, self.nodes = walk, draft, nodes
        self.at: dict[str, tuple[str, Shape]] = {}
        """The tensor of the draft that holds a tensor of the file, and its shape there."""
        self.views: dict[tuple[str, Shape], str] = {}
        self.initialised = walk.initialised
        self.done: set[str] = set()
        """Outputs of nodes that are part of a layer before them."""
        self.takers: dict[str, list[Node]] = {}
        self.holders: Counter[str] = Counter()
        self.ends = {output.name for output in walk.model.graph.output}
        for image in draft.images:
            self.at[image.tensor] = image.tensor, image.shape
        for node in nodes:
            for name in dict.fromkeys(node.inputs):
                self.takers.setdefault(name, []).append(node)
                if name in walk.tensors and walk.tensors[name].root == name:
                    self.holders[name] += 1

    def run(self) -> None:
        """Translate all nodes."""
        for node in self.nodes:
            if node.outputs and node.outputs[0] in self.done:
                continue
            done = set(self.done)
            try:
                self.translate(node)
            except WRONG:
                self.done = done
                self.unknown(node)

    def translate(self, node: Node) -> None:
        """Translate a node.

        Raises: NoRule: there is no rule for it; what else its rule raises.
        """
        known = node.domain in (*DOMAINS, FUSED, OWN)
        if not known or node.kind not in RULES:
            raise NoRule
        RULES[node.kind](self, node)

    def unknown(self, node: Node) -> None:
        """Put what stands for an op without a rule in the place of a node."""
        taken = [self.take(i) for i in node.inputs if i and not self.tensor(i).fixed]
        outputs = [name for name in node.outputs if name]
        shapes = tuple(self.shape(name) for name in outputs)
        made = [self.fresh(name) for name in outputs]
        self.draft.unknown(node.known, taken, made, shapes, self.label(node))
        for name, own, shape in zip(outputs, made, shapes, strict=True):
            self.at[name] = own, shape

    def tensor(self, name: str) -> Tensor:
        """Return what is known of a tensor."""
        return self.walk.tensors[name]

    def shape(self, name: str) -> Shape:
        """Return the shape of a tensor for one image."""
        return self.walk.plain(name)

    def fixed(self, node: Node, at: int) -> Tensor | None:
        """Return an input that no image decides, None if it is another or there is none."""
        if at >= len(node.inputs) or not node.inputs[at]:
            return None
        tensor = self.tensor(node.inputs[at])
        return tensor if tensor.fixed else None

    def has(self, node: Node, at: int) -> bool:
        """Whether a node has an input."""
        return at < len(node.inputs) and bool(node.inputs[at])

    def has_output(self, node: Node, at: int) -> bool:
        """Whether a node has an output that is called something."""
        return at < len(node.outputs) and bool(node.outputs[at])

    def values(self, node: Node, at: int, said: str = "") -> list[int] | None:
        """Return whole numbers that an input brings, or an attribute in older opsets.

        Raises: NoRule: an image decides them.
        """
        if said in node.attributes:
            return [int(value) for value in node.attributes[said]]
        if not self.has(node, at):
            return None
        value = self.tensor(node.inputs[at]).value
        if value is None:
            raise NoRule
        return [int(number) for number in value.reshape(-1)]

    def axis(self, name: str, axis: int) -> int:
        """Return an axis of a tensor in its shape for one image.

        Raises: NoRule: it is the batch axis.
        """
        tensor = self.tensor(name)
        axis %= len(tensor.shape)
        if tensor.batch is None:
            return axis
        dropped = tensor.shape[tensor.batch] == self.walk.batch
        if axis == tensor.batch and (dropped or self.walk.batch > 1):
            raise NoRule
        return axis - (dropped and axis > tensor.batch)

    def take(self, name: str, shape: Shape | None = None) -> str:
        """Return the draft's tensor that holds one of the file's, in a shape for one image."""
        tensor = self.tensor(name)
        wanted = self.shape(name) if shape is None else shape
        if name not in self.at and not self.made(name):
            own = self.fresh(name)
            trained = bool(tensor.root) and tensor.trained and self.trained(tensor)
            step = new("param", shape=wanted, trained=trained)
            self.draft.add(step, [], [own], (wanted,), (tensor.root or name))
            self.at[name] = own, wanted
        own, have = self.at[name]
        return self.seen(own, have, wanted, name)

    def made(self, name: str) -> bool:
        """Translate the node that makes a tensor of trained values, if there is a rule for it.

        Only so do values count once that several tensors are made of.
        """
        node = self.walk.makers.get(name)
        if node is None:
            return False
        done = set(self.done)
        try:
            self.translate(node)
        except WRONG:
            self.done = done
            return False
        return name in self.at

    def seen(self, own: str, have: Shape, wanted: Shape, name: str) -> str:
        """Return a view of a tensor of the draft in another shape."""
        if have == wanted:
            return own
        if (own, wanted) not in self.views:
            step = new("flatten") if len(wanted) == 1 else new("reshape", to=wanted)
            view = self.fresh(name)
            self.draft.add(step, [own], [view], (wanted,), f"{_cleaned(name)}.{step.word}")
            self.views[own, wanted] = view
        return self.views[own, wanted]

    def fresh(self, name: str) -> str:
        """Return a name for a tensor of the draft that none has."""
        own, number = name, 2
        while own in self.draft:
            own, number = f"{name}#{number}", number + 1
        return own

    def emit(
        self,
        node: Node,
        step: Op,
        taken: Sequence[str],
        shape: Shape,
        output: str | None = None,
        part: str = "",
        share: str = "",
    ) -> str:
        """Add an op; its output holds ``output`` of the file, that of the node unless given.

        With ``part`` it is a step on the way, which holds none.
        """
        name = node.outputs[0] if output is None else output
        own = self.fresh(f"{name}#{part}" if part else name)
        label = f"{self.label(node)}.{part}" if part else self.label(node)
        self.draft.add(step, taken, [own], (shape,), label, share=share)
        if not part:
            self.at[name] = own, shape
            if bits := _BITS.get(self.tensor(name).type):
                self.draft.bits[own] = bits
        return own

    def same(self, node: Node, taken: str, output: str | None = None) -> None:
        """Let a tensor of the file be another one, in whatever shape."""
        name = node.outputs[0] if output is None else output
        self.at[name] = (
            self.at[taken] if taken in self.at else (self.take(taken), self.shape(taken))
        )

    def same_as(self, node: Node, own: str, shape: Shape) -> None:
        """Let the output of a node be a tensor of the draft."""
        self.at[node.outputs[0]] = own, shape

    def trained(self, weights: Tensor) -> bool:
        """Whether weights are trained: constants are not where other layers have initialisers."""
        return weights.root not in self.walk.constants or not self.initialised

    def holds(self, node: Node, at: int) -> bool:
        """Whether an input of a node is there and stored, and no constant that an exporter adds."""
        if not self.has(node, at):
            return False
        tensor = self.tensor(node.inputs[at])
        return not tensor.fixed or (bool(tensor.root) and self.trained(tensor))

    def behind(self, name: str) -> list[int]:
        """Return how many values each of the tensors has that a fixed one is made of."""
        left, sizes, seen = [name], list[int](), set[str]()
        while left:
            name = left.pop()
            if not name or name in seen or not (tensor := self.tensor(name)).trained:
                continue
            seen.add(name)
            node = self.walk.makers.get(name)
            left += node.inputs if node else ()
            sizes += [] if node else [prod(tensor.shape)]
        return sizes

    def shared(self, weights: str) -> str:
        """Return a name for weights that several nodes take, else an empty one.

        Small ones are no sign of sharing: exporters merge those that are equal by chance.
        """
        merged = prod(self.tensor(weights).shape) <= MERGED
        return weights if self.holders[weights] > 1 and not merged else ""

    def label(self, node: Node) -> str:
        """Return what a layer is called: as its weights are, else as the node is."""
        for name in node.inputs:
            tensor = self.walk.tensors.get(name)
            if tensor is not None and (match := _WEIGHT.fullmatch(tensor.root)):
                return match[1]
        return _cleaned(node.name, LAYERS.get(node.kind, ""))

    def bias_behind(self, node: Node, shape: Shape) -> str | None:
        """Return the output of a sum that adds a bias to what a node makes, if one follows.

        ``shape`` is that of a bias, without sizes of 1 before it.
        """
        (output, *_), takers = node.outputs, self.takers.get(node.outputs[0], [])
        if len(takers) != 1 or takers[0].kind != "Add" or takers[0].domain:
            return None
        if output in self.ends:
            return None
        other = [name for name in takers[0].inputs if name != output]
        tensor = self.tensor(other[0]) if len(other) == 1 else None
        if tensor is None or not tensor.fixed or prod(tensor.shape) == 1:
            return None
        size = len(shape)
        fits = tensor.shape[-size:] == shape and prod(tensor.shape) == prod(shape)
        made = takers[0].outputs[0]
        if not fits or self.tensor(made).shape != self.tensor(output).shape:
            return None
        self.done.add(made)
        return made

    def aligned(self, node: Node, names: Sequence[str]) -> list[tuple[str, Shape]]:
        """Return tensors that are joined, and their shapes, of as many axes as the output."""
        out = self.tensor(node.outputs[0])
        rank, batch, made = len(out.shape), self.walk.batch, []
        for name in names:
            tensor = self.tensor(name)
            sizes = [*(1,) * (rank - len(tensor.shape)), *tensor.shape]
            if out.batch is not None:
                if out.shape[out.batch] == batch:
                    del sizes[out.batch]
                elif tensor.batch is not None:
                    sizes[out.batch] //= batch
            shape = tuple(sizes) or (1,)
            made.append((self.take(name, shape), shape))
        return made


def emit_of(t: Translator, node: Node) -> composed.Emit:
    """Return what adds the ops of a layer that is several."""

    def emit(step: Op, *taken: str, part: str, share: str = "") -> str:
        shape = step.shapes(tuple(map(t.draft.shape, taken)))[0]
        return t.emit(node, step, taken, shape, part=part, share=share)

    return emit


def led(t: Translator, node: Node, own: str, shape: Shape, names: Sequence[str]) -> str:
    """Return a tensor whose positions are those that others say, where an image decides them."""
    for name in names:
        if name and not t.tensor(name).fixed:
            own = composed.led(emit_of(t, node), own, shape, t.take(name), prod(t.shape(name)))
    return own


def _cleaned(name: str, kind: str = "") -> str:
    """Return a node's name as that of its module, without the op at its end if it is a layer's.

    >>> _cleaned("/layer2/layer2.0/downsample/downsample.0/Conv", "Conv")
    'layer2.0.downsample.0'
    >>> _cleaned("/layer4/layer4.1/Add"), _cleaned("mobilenet/conv1/convolution", "Conv")
    ('layer4.1.Add', 'mobilenet/conv1/convolution')
    """
    parts = name.split("/")
    if len(parts) < 3 or parts[0]:
        return name.strip("/") or "node"
    inner = pairwise(parts[1:])
    path = [part for part, behind in inner if not behind.startswith(f"{part}.")]
    ends = bool(kind) and parts[-1].startswith(kind)
    return ".".join(path if ends and path else [*path, parts[-1]])


def window(said: Any, rank: int, usual: int = 1) -> tuple[int, int]:
    """Return a size for height and width, of what may have one axis or two.

    Raises: NoRule: it has three.
    """
    sizes = [int(n) for n in said] if said is not None else [usual] * rank
    if rank == 1:
        return (1, sizes[0])
    if rank != 2:
        raise NoRule
    return sizes[0], sizes[1]

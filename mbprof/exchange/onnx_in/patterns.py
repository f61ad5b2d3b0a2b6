"""What exporters write out in several nodes though it is one op: activations and norms.

A pattern is text: an op with its operands, a number, a tensor in small letters, or anything that no
image decides in capitals. Sums and products fit in either order. The nodes are replaced by one.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from mbprof.exchange.onnx_in.graph import Node, Tensor
from mbprof.language.record import NamedTuple

OWN = "mbprof"
"""The domain of what patterns make: ``act`` and ``norm``."""


class Pattern(NamedTuple):
    """A pattern: what it makes, with which attributes, and of which operands."""

    kind: str
    said: str
    text: str
    takes: tuple[str, ...] = ("x",)


_HALF = ("Div(x, 1.41421)", "Mul(x, 0.70711)")
_RELU6 = ("Clip(Add(x, 3))", "Clip(Add(x, 3), 0, 6)", "Min(Max(Add(x, 3), 0), 6)",
          "Min(Relu(Add(x, 3)), 6)")  # fmt: skip
_SIXTH = ("Div({}, 6)", "Mul({}, 0.16667)")
_CUBE = ("Mul(Mul(x, x), x)", "Pow(x, 3)", "Mul(Mul(x, 0.044715), Mul(x, x))",
         "Mul(x, Mul(x, Mul(x, 0.044715)))")  # fmt: skip
_DEVIATION = "Sub(x, ReduceMean(x))"
_VARIANCE = (
    f"ReduceMean(Pow({_DEVIATION}, 2))", f"ReduceMean(Mul({_DEVIATION}, {_DEVIATION}))",
)  # fmt: skip


def _patterns() -> Iterator[Pattern]:
    yield Pattern("act", "silu", "Mul(x, Sigmoid(x))")
    yield Pattern("act", "quick_gelu", "Mul(x, Sigmoid(Mul(x, 1.702)))")
    yield Pattern("act", "hswish", "Mul(x, HardSigmoid(x))")
    yield Pattern("act", "mish", "Mul(x, Tanh(Softplus(x)))")
    for relu6 in _RELU6:
        for sixth in _SIXTH:
            yield Pattern("act", "hsigmoid", sixth.format(relu6))
            yield Pattern("act", "hswish", f"Mul(x, {sixth.format(relu6)})")
            yield Pattern("act", "hswish", sixth.format(f"Mul(x, {relu6})"))
    for half in _HALF:
        phi = f"Add(Erf({half}), 1)"
        for text in (f"Mul(Mul(x, {phi}), 0.5)", f"Mul(Mul(x, 0.5), {phi})",
                     f"Mul(x, Mul({phi}, 0.5))"):  # fmt: skip
            yield Pattern("act", "gelu", text)
    for cube in _CUBE:
        inner = cube if "0.044715" in cube else f"Mul({cube}, 0.044715)"
        phi = f"Add(Tanh(Mul(Add(x, {inner}), 0.79788)), 1)"
        for text in (f"Mul(Mul(x, {phi}), 0.5)", f"Mul(Mul(x, 0.5), {phi})",
                     f"Mul(x, Mul({phi}, 0.5))"):  # fmt: skip
            yield Pattern("act", "gelu_tanh", text)
    for variance in _VARIANCE:
        deviation = f"Sqrt(Add({variance}, E))"
        normal = f"Div({_DEVIATION}, {deviation})"
        scale = f"Mul(Reciprocal({deviation}), G)"
        shift = f"Sub(B, Mul(ReduceMean(x), {scale}))"
        yield Pattern("norm", "ln", f"Add(Mul({normal}, G), B)", ("x", "G", "B"))
        yield Pattern("norm", "ln", f"Add(Mul(x, {scale}), {shift})", ("x", "G", "B"))
    for square in ("Pow(x, 2)", "Mul(x, x)"):
        root = f"Sqrt(Add(ReduceMean({square}), E))"
        for text in (f"Mul(Mul(x, Reciprocal({root})), G)", f"Mul(Div(x, {root}), G)"):
            yield Pattern("norm", "rms", text, ("x", "G"))


PATTERNS = tuple(_patterns())
"""All patterns; of those that fit, the one with the most nodes is taken."""
_COMMUTE = {"Add", "Mul", "Min", "Max"}
_NEAR = 2e-4


@cache
def _trees() -> Mapping[str, tuple[tuple[Pattern, Any], ...]]:
    """Return the patterns by their last op, the largest first."""
    trees: dict[str, list[tuple[Pattern, Any]]] = {}
    for pattern in sorted(PATTERNS, key=lambda p: -p.text.count("(")):
        tree = ast.parse(pattern.text, mode="eval").body
        assert isinstance(tree, ast.Call)
        trees.setdefault(_op(tree), []).append((pattern, tree))
    return {kind: tuple(rows) for kind, rows in trees.items()}


def _op(tree: ast.Call) -> str:
    assert isinstance(tree.func, ast.Name)
    return tree.func.id


def recognised(
    nodes: Sequence[Node], tensors: Mapping[str, Tensor], outputs: Sequence[str]
) -> list[Node]:
    """Return the nodes with those that a pattern fits replaced by one."""
    made = {name: node for node in nodes for name in node.outputs}
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(outputs)
    gone: dict[str, Node | None] = {}
    for node in reversed(nodes):
        if node.outputs[0] in gone:
            continue
        for pattern, tree in _trees().get(node.kind, ()):
            match = _Match(made, tensors)
            if match.fits(tree, node.outputs[0]) and match.closed(uses):
                gone |= dict.fromkeys(match.nodes)
                taken = tuple(match.bound[name] for name in pattern.takes)
                said = {"f": pattern.said}
                gone[node.outputs[0]] = Node(
                    pattern.kind, OWN, node.name, taken, node.outputs[:1], said
                )
                break
    kept = (gone.get(node.outputs[0], node) if node.outputs else node for node in nodes)
    return [node for node in kept if node is not None]


class _Match:
    """One attempt: what the letters of a pattern stand for, and the nodes that it covers."""

    def __init__(self, made: Mapping[str, Node], tensors: Mapping[str, Tensor]) -> None:
        self.made, self.tensors = made, tensors
        self.bound: dict[str, str] = {}
        self.nodes: dict[str, Node] = {}

    def fits(self, tree: ast.expr, name: str) -> bool:
        tensor = self.tensors.get(name)
        if isinstance(tree, ast.Constant):
            return tensor is not None and _is(tensor.value, float(tree.value))  # type: ignore[arg-type]
        if isinstance(tree, ast.Name):
            fixed = tensor is not None and tensor.fixed
            return bool(fixed == tree.id.isupper() and self.bound.setdefault(tree.id, name) == name)
        assert isinstance(tree, ast.Call)
        node = self.made.get(name)
        if node is None or node.kind != _op(tree) or node.domain or len(node.outputs) != 1:
            return False
        operands = [i for i in node.inputs if i]
        if node.kind in ("ReduceMean", "HardSigmoid"):
            if not self.usual(node):
                return False
            operands = operands[:1]
        if node.kind == "Clip" and len(tree.args) == 1:
            low, high = node.attributes.get("min"), node.attributes.get("max")
            if (low, high) != (0.0, 6.0):
                return False
        if len(operands) != len(tree.args):
            return False
        orders = [operands, operands[::-1]] if node.kind in _COMMUTE else [operands]
        before = dict(self.bound), dict(self.nodes)
        for order in orders:
            if all(self.fits(arg, operand) for arg, operand in zip(tree.args, order, strict=True)):
                self.nodes[name] = node
                return True
            self.bound, self.nodes = dict(before[0]), dict(before[1])
        return False

    def usual(self, node: Node) -> bool:
        """Whether a mean is over the last axis, and a hard sigmoid with a slope of a sixth."""
        if node.kind == "HardSigmoid":
            return bool(abs(node.attributes.get("alpha", 0.2) - 1 / 6) < _NEAR)
        rank = len(self.tensors[node.inputs[0]].shape)
        axes = node.attributes.get("axes")
        return axes is not None and [axis % rank for axis in axes] == [rank - 1]

    def closed(self, uses: Mapping[str, int]) -> bool:
        """Whether nobody else takes what the inner nodes make."""
        inner = Counter(name for node in self.nodes.values() for name in node.inputs)
        last = next(reversed(self.nodes))
        return all(uses[name] == inner[name] for name in self.nodes if name != last)


def _is(value: Any, wanted: float) -> bool:
    if value is None or value.size != 1 or value.dtype.kind not in "fiu":
        return False
    number = float(value.reshape(-1)[0])
    return abs(number - wanted) <= _NEAR * max(1.0, abs(wanted))

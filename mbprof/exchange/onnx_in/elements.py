"""Rules for functions of elements, and for what joins tensors element by element."""

from __future__ import annotations

from math import prod

from mbprof.exchange.onnx_in.graph import Node
from mbprof.exchange.onnx_in.translate import Translator, rule
from mbprof.exchange.rules import NoRule, new
from mbprof.ops.base import Op

ACTS: dict[str, str] = {
    "Relu": "relu", "LeakyRelu": "leaky_relu", "QLinearLeakyRelu": "leaky_relu", "Elu": "elu",
    "Selu": "elu", "Celu": "elu", "Sigmoid": "sigmoid", "QLinearSigmoid": "sigmoid",
    "HardSigmoid": "hsigmoid", "HardSwish": "hswish", "Tanh": "tanh", "Mish": "mish",
    "FastGelu": "gelu_tanh", "QuickGelu": "quick_gelu", "Swish": "silu", "Softplus": "softplus",
    "Abs": "abs", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal",
    "Erf": "erf", "Sin": "sin", "Cos": "cos", "Floor": "round", "Ceil": "round", "Round": "round",
    "Neg": "neg", "Sign": "round", "Not": "round", "IsNaN": "round", "IsInf": "round",
    "BitwiseNot": "round", "CumSum": "neg", "Tan": "sin", "Asin": "sin", "Acos": "cos",
    "Atan": "sin", "Sinh": "exp", "Cosh": "exp", "Asinh": "log", "Acosh": "log", "Atanh": "log",
    "ThresholdedRelu": "relu", "CumProd": "square", "Shrink": "relu neg",
    "Softsign": "abs neg reciprocal square",
}  # fmt: skip
"""The activations that stand for a function of each element: as much is computed of each."""


@rule(*ACTS)
def activation(t: Translator, node: Node) -> None:
    """Apply a function to each element."""
    act(t, node, ACTS[node.kind])


@rule("act")
def written_out(t: Translator, node: Node) -> None:
    """Apply a function that a pattern says."""
    act(t, node, node.attributes["f"])


@rule("Gelu", "BiasGelu")
def gelu(t: Translator, node: Node) -> None:
    """Apply a GELU, behind a bias where there is one."""
    function = "gelu_tanh" if node.attributes.get("approximate") == "tanh" else "gelu"
    if node.kind == "Gelu":
        act(t, node, function)
        return
    shape = t.shape(node.inputs[0])
    size = (*(1,) * (len(shape) - 1), shape[-1])
    taken = [t.take(node.inputs[0]), t.take(node.inputs[1], size)]
    own = t.emit(node, new("add"), taken, shape, part="bias")
    t.emit(node, new("act", function=function), [own], shape)


@rule("Clip")
def clip(t: Translator, node: Node) -> None:
    """Cut off below and above: a ReLU or ReLU6 where it is one."""
    low, high = (_number(t, node, at, key) for at, key in ((1, "min"), (2, "max")))
    if low == 0 and (high is None or high > 1e30):
        act(t, node, "relu")
    else:
        act(t, node, "relu6")  # as many comparisons, whatever the two ends are


def _number(t: Translator, node: Node, at: int, said: str) -> float | None:
    if said in node.attributes:
        return float(node.attributes[said])
    fixed = t.fixed(node, at)
    return None if fixed is None or fixed.value is None else float(fixed.value.reshape(-1)[0])


@rule("PRelu")
def prelu(t: Translator, node: Node) -> None:
    """Apply a PReLU with a slope for each channel."""
    slopes = t.fixed(node, 1)
    shape = t.shape(node.inputs[0])
    axis = 0 if len(shape) == 3 else len(shape) - 1
    if slopes is None or prod(slopes.shape) != shape[axis]:
        raise NoRule
    act(t, node, "prelu")


def act(t: Translator, node: Node, functions: str) -> None:
    """Apply functions in turn, in whatever shape the input is seen."""
    x = node.inputs[0]
    own = t.take(x) if x not in t.at else t.at[x][0]
    shape = t.at[x][1]
    *before, function = functions.split()
    if function == "prelu":
        own, shape = t.take(x), t.shape(x)
    for number, first in enumerate(before):
        own = t.emit(node, new("act", function=first), [own], shape, part=f"{first}{number}")
    t.emit(node, new("act", function=function), [own], shape)


@rule("Trilu")
def masked(t: Translator, node: Node) -> None:
    """Set elements above or below a diagonal to zero, which computes nothing."""
    t.emit(node, new("identity"), [t.take(node.inputs[0])], t.shape(node.inputs[0]))


@rule("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Max", "Min",
      "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift", "Where")  # fmt: skip
def compared(t: Translator, node: Node) -> None:
    """Compare or choose element by element: a step for each tensor behind the first, as a sum."""
    names = [name for name in node.inputs if not _is_number(t, name)]
    operands = t.aligned(node, names)
    taken, shapes = [own for own, _ in operands], [shape for _, shape in operands]
    # A smallest or largest number is as much as a ReLU's zero.
    function = "relu" if node.kind in ("Max", "Min") else "round"
    step: Op = new("add") if names[1:] else new("act", function=function)
    t.emit(node, step, taken, step.shapes(tuple(shapes))[0])


@rule("Add", "Sub", "Mul", "Div", "Mod", "QLinearAdd", "QLinearMul", "Sum", "Mean")
def elementwise(t: Translator, node: Node) -> None:
    """Join tensors element by element; a number is a factor or a constant summand."""
    kind = node.kind.removeprefix("QLinear").replace("Mod", "Div")
    names = [*node.inputs[:4:3]] if node.kind[:7] == "QLinear" else [*node.inputs]
    if kind in ("Mul", "Div"):
        number = next((n for n in names[:: -1 if kind == "Div" else 1] if _is_number(t, n)), None)
        if number is not None and (kind == "Mul" or number == names[1]):
            other = names[1 - names.index(number)]
            value = t.tensor(number).value
            factor = float(value.reshape(-1)[0]) if value is not None else 1.0
            factor = factor if kind == "Mul" else 1 / factor if factor else 1.0
            own, shape = t.take(other), t.shape(other)
            if prod(shape) != prod(t.shape(node.outputs[0])):
                raise NoRule
            t.emit(node, new("times", by=factor if abs(factor) < 1e30 else 1.0), [own], shape)
            return
    operands = t.aligned(node, names)
    taken = [own for own, _ in operands]
    if kind == "Div":
        shape = operands[1][1]
        by = t.emit(node, new("act", function="reciprocal"), [taken[1]], shape, part="inverse")
        if _is_number(t, names[0]):
            t.same_as(node, by, shape)
            return
        taken[1] = by
    if len(taken) == 1:
        t.same(node, names[0])
        return
    step: Op = new("add") if kind in ("Add", "Sub", "Sum", "Mean") else new("mul")
    made = step.shapes(tuple(shape for _, shape in operands))[0]
    own = t.emit(node, step, taken, made, part="sum" if kind == "Mean" else "")
    if kind == "Mean":
        t.emit(node, new("times", by=1 / len(names)), [own], made)


def _is_number(t: Translator, name: str) -> bool:
    tensor = t.tensor(name)
    return tensor.fixed and prod(tensor.shape) == 1 and not tensor.trained


@rule("Pow")
def power(t: Translator, node: Node) -> None:
    """Take a power, of which squares and roots are simpler."""
    number = _number(t, node, 1, "exponent")
    act(t, node, {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(number or 0.0, "exp"))

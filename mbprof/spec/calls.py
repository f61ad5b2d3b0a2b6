"""What a framework calls for each op: the class of a module, or a function.

Counters of live models see modules and functions, not ops: a hook on ``nn.ReLU`` fires for the
module and not for ``F.relu``, and a subclass of ``nn.BatchNorm2d`` can go unseen. Every op knows
what PyTorch calls for it; a spec's ``calls:`` says where its library wrote something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mbprof.errors import ExpressionError, unknown
from mbprof.language.expr import Expr
from mbprof.language.source import Map, Node, Scalar
from mbprof.language.tree import mapping, word
from mbprof.language.values import Shapes, Value
from mbprof.ops import OPS, Op
from mbprof.ops.act import FUNCTIONS

FIELDS = {
    "k": "the larger side of the window, 1 if there is none",
    "s": "the larger stride, 1 if there is none",
    "d": "the larger dilation, 1 if there is none",
    "g": "groups, 1 if there are none",
}
"""What an expression of ``calls`` can ask of an op."""

Choice = tuple[str, str | Expr]


@dataclass(frozen=True, slots=True)
class Calls:
    """What is called for an op or activation function; the last pattern that fits decides."""

    rules: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)

    def of(self, op: Op, inputs: Shapes, layer: str) -> str:
        """Return the class or function that stands for an op of a layer.

        Raises: ExpressionError: an expression gives no name.
        """
        rules = self.rules.get(getattr(op, "function", ""), self.rules.get(op.word, ()))
        for pattern, call in reversed(rules):
            if fnmatchcase(layer, pattern):
                return call if isinstance(call, str) else _chosen(call, op, inputs)
        return op.called


def _chosen(call: Expr, op: Op, inputs: Shapes) -> str:
    window = op.geometry(inputs)
    env: dict[str, Value] = {
        "k": max(window.kernel or (1,)),
        "s": max(window.stride or (1,)),
        "d": max(window.dilation or (1,)),
        "g": window.groups or 1,
    }
    name = call(env)
    if not isinstance(name, str):
        raise ExpressionError(f"expected the name of a call, found {name}", call.scalar.loc)
    return name


def calls(node: Node | None) -> Calls:
    """Read ``calls: {OP: NAME}`` or ``{OP: {PATTERN: NAME}}``.

    A name with quotes is an expression of k, s, d and g, such as
    ``'Conv2dSame' if s > 1 else 'nn.Conv2d'``.
    Raises: SpecError: no such op or activation. ExpressionError: an expression is wrong.
    """
    if node is None:
        return Calls()
    known = [*OPS, *FUNCTIONS]
    rules: dict[str, tuple[Choice, ...]] = {}
    for name, entry in mapping(node, "calls").entries.items():
        if name not in known:
            raise unknown("op or activation", name, known, entry.key.loc)
        if isinstance(entry.value, Map):
            pairs = [(key, each.value) for key, each in entry.value.entries.items()]
        else:
            pairs = [("*", entry.value)]
        rules[name] = tuple((key, _call(word(value, "a call"))) for key, value in pairs)
    return Calls(rules)


def _call(scalar: Scalar) -> str | Expr:
    if "'" not in scalar.text:
        return scalar.text
    expr = Expr.parse(scalar)
    expr.check(FIELDS)
    return expr

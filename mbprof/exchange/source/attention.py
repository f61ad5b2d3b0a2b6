"""An attention as a call of the helper that both dialects have."""

from __future__ import annotations

from typing import Any

from mbprof.exchange import meaning
from mbprof.exchange.source.code import Arg, In, Text, Written
from mbprof.network.graph import Node


def attention(node: Node, op: Any, bias: Text) -> Written:
    """Write the call; ``bias`` is how the dialect writes what is added to the scores, if it is."""
    parts: list[Any] = ["attention(", In(0), ", ", In(1), ", ", In(2), ", ", Arg("heads", op.heads)]
    if len(node.inputs) == 4:
        parts += [", ", *_bias(node, op, bias)]
    if op.shared not in (None, op.heads):
        parts += [", kv_heads=", Arg("kv_heads", op.shared)]
    if op.windows > 1:
        parts += [", windows=", Arg("windows", op.windows)]
    return Written(text=(*parts, ")"))


def _bias(node: Node, op: Any, bias: Text) -> Text:
    """Write the bias of an attention as (heads, N, M), or with windows behind the heads."""
    windows, heads, shape = op.windows, op.heads, node.in_shapes[3]
    scores = node.in_shapes[0][0] // windows, node.in_shapes[1][0] // windows
    said = meaning.biased(shape, heads, windows, *scores)
    to = said.to if said.heads is None else (heads, *said.to)
    if shape == to:
        return bias
    axis: Text = () if said.heads == 0 else (", axis=", Arg("axis", said.heads))
    return ("score_bias(", *bias, ", ", Arg("to", to), *axis, ")")

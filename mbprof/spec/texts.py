"""The texts of a tree: each by itself, and all of it as it stands in the spec."""

from __future__ import annotations

from collections.abc import Iterator

from mbprof.language.expr import Expr
from mbprof.language.source import Map, Node, Scalar, Seq
from mbprof.ops.fields import Bound
from mbprof.spec.model import Part, Template


def leaves(*nodes: Node) -> Iterator[str]:
    """Yield every single value of some trees, without the keys."""
    for node in nodes:
        if isinstance(node, Scalar):
            yield node.text
        elif isinstance(node, Seq):
            yield from leaves(*node.items)
        else:
            yield from leaves(*(entry.value for entry in node.entries.values()))


def written(node: Node) -> str:
    """Return a value as it stands in the spec."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return "[" + ", ".join(map(written, node.items)) + "]"
    entries = (f"{key}: {written(entry.value)}" for key, entry in node.entries.items())
    return "{" + ", ".join(entries) + "}"


def texts(part: Part) -> Iterator[str]:
    """Yield every text of a part of a spec that can read a name."""
    for bound in part.held(Bound):
        yield from leaves(bound.node)
    yield from (expr.scalar.text for expr in part.held(Expr))
    yield from (template.scalar.text for template in part.held(Template))
    yield from leaves(*part.held(Map))

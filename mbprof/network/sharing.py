"""Layers that are used more than once: they compute each time with the same stored values."""

from __future__ import annotations

from collections.abc import Sequence

from mbprof.errors import WiringError
from mbprof.language.fmt import several
from mbprof.language.source import Scalar
from mbprof.network.graph import Node
from mbprof.ops.base import STORED, channels


def holders(nodes: Sequence[Node], start: int) -> list[int]:
    """Return the numbers of the nodes from ``start`` on that have stored values."""
    return [number for number in range(start, len(nodes)) if any(nodes[number].facts.stored)]


def share(nodes: list[Node], name: Scalar, first: Sequence[int], again: Sequence[int]) -> None:
    """Let nodes compute with the weights of others, one by one.

    Raises: WiringError: they need others.
    """
    if len(first) != len(again):
        said = f"the step has {several(len(again), 'layer')} with weights"
        raise WiringError(f"{said}, the first of share: {name.text} has {len(first)}", name.loc)
    for number, other in zip(first, again, strict=True):
        shared, node = nodes[number], nodes[other]
        if wrong := _unlike(node, shared):
            message = f"{node.name} cannot share the weights of {shared.name}: {wrong}"
            raise WiringError(message, name.loc)
        key = number if shared.weights is None else shared.weights
        nodes[number], nodes[other] = shared._replace(weights=key), node._replace(weights=key)


def _unlike(node: Node, other: Node) -> str:
    """Return how the weights of two nodes differ, empty if they can be the same."""
    if node.op.word != other.op.word:
        return f"{node.op.word} and {other.op.word}"
    for kind, here, there in zip(STORED, node.facts.stored, other.facts.stored, strict=True):
        if here != there:
            return f"{here:,} {kind.replace('_', ' ')}, not {there:,}"
    mine, theirs = node.op.geometry(node.in_shapes), other.op.geometry(other.in_shapes)
    if (mine.kernel, mine.groups) != (theirs.kernel, theirs.groups):
        return "other kernels or groups"
    if channels(node.out_shapes[0]) != channels(other.out_shapes[0]):
        return "other channels"
    return ""

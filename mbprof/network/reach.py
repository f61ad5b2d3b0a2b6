"""The receptive field of every node on the graph: how many pixels it sees, and which."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.network.graph import IMAGE, Graph, Node
from mbprof.ops.base import Op

Number: TypeAlias = int | Fraction


class Reach(NamedTuple):
    """What an output sees along one axis of the image.

    ``size`` is the receptive field in pixels, padding among them, ``jump`` the pixels from one
    output to the next, and ``padding`` how many pixels the first output sees before the image;
    None where that differs from output to output.
    """

    size: Number
    jump: Number
    padding: Number | None

    @property
    def centre(self) -> Number | None:
        """The place of the first output's centre in pixels, (size - 1)/2 - padding."""
        return None if self.padding is None else Fraction(self.size - 1) / 2 - self.padding


Field: TypeAlias = tuple[Reach, Reach]
"""The receptive field along height and width."""


class Reached(NamedTuple):
    """The receptive field of every node, None where an output sees what no window describes.

    ``unaligned`` are the nodes that join paths which do not align, ``whole`` those that look at
    all places at once, and ``gates`` those whose gate sees the whole image, which is left out.
    """

    fields: tuple[Field | None, ...]
    unaligned: tuple[str, ...]
    whole: tuple[str, ...]
    gates: tuple[str, ...]


def reached(graph: Graph) -> Reached:
    """Return the receptive fields of a graph, from its image on.

    A window of k taps that are d apart: size + (k - 1)·d·jump, padding + before·jump, jump·s. Paths
    align where jump and centre are equal; the larger field is then that of all of them.
    Source: google-research/receptive_field, `receptive_field_computation.py`;
    doi:10.23915/distill.00021.

    >>> from mbprof.network.load import load
    >>> graph = load("mobilenet_v1").build(final_endpoint="Conv2d_13_pointwise").compiled
    >>> reached(graph).fields[-1][0]
    Reach(size=315, jump=32, padding=126)
    """
    fields: list[Field | None] = []
    said: dict[str, list[str]] = {"unaligned": [], "whole": [], "gates": []}
    pixel = Reach(1, 1, 0)
    for node in graph.nodes:
        taken = [(pixel, pixel) if e.node == IMAGE else fields[e.node] for e in node.inputs]
        field, word = _through(node, taken)
        fields.append(field)
        if word:
            said[word].append(node.name)
    return Reached(tuple(fields), *(tuple(names) for names in said.values()))


def _through(node: Node, taken: list[Field | None]) -> tuple[Field | None, str]:
    """Return the field behind a node, and what there is to say of it, if anything."""
    op, maps = node.op, [len(shape) == 3 for shape in node.in_shapes]
    if not taken:
        return None, ""
    word = ""
    if op.joins and len(taken) > 1:
        size = node.out_shapes[0]
        kept = [
            field
            for field, shape in zip(taken, node.in_shapes, strict=True)
            if not (op.gates and shape != size and _single(shape))
        ]
        word = "gates" if len(kept) < len(taken) else ""
        if None in kept:
            return None, word
        joined = _joined([field for field in kept if field is not None])
        return joined, word if joined else "unaligned"
    field = taken[0]
    if field is None:
        return None, ""
    if op.pools_whole and not op.axes(node.in_shapes):
        return _pooled(field, node.in_shapes[0], node.out_shapes[0])
    if op.sees_whole and not _single(node.in_shapes[0]) and not _by_place(op, node):
        return None, "whole"
    if sampled := op.sampled(node.in_shapes, node.out_shapes):
        high, wide = (
            Reach(
                reach.size + (axis.taps - 1) * reach.jump,
                _whole(Fraction(reach.jump * axis.of, axis.made)),
                reach.padding if axis.made == 1 and axis.of > 1 else None,
            )
            for reach, axis in zip(field, sampled, strict=True)
        )
        return (high, wide), ""
    if maps[0] and (axes := op.axes(node.in_shapes)):
        high, wide = (
            Reach(
                reach.size + (axis.extent - 1) * reach.jump,
                reach.jump * axis.s,
                None if reach.padding is None else reach.padding + axis.padded[0] * reach.jump,
            )
            for reach, axis in zip(field, axes, strict=True)
        )
        return (high, wide), ""
    return field, ""


def _pooled(field: Field, size: Shape, made: Shape) -> tuple[Field | None, str]:
    """Return the field behind a pooling of whole maps: a window of their size."""
    if made[1:] != (1, 1):
        return None, "whole"
    high, wide = (
        Reach(reach.size + (n - 1) * reach.jump, reach.jump * n, reach.padding)
        for reach, n in zip(field, size[1:], strict=True)
    )
    return (high, wide), ""


def _joined(fields: list[Field]) -> Field | None:
    """Return the field of paths that are joined, None if they do not align."""
    axes = []
    for reaches in zip(*fields, strict=True):
        if len({(reach.jump, reach.centre) for reach in reaches}) > 1:
            return None
        axes.append(max(reaches, key=lambda reach: reach.size))
    return axes[0], axes[1]


def _single(shape: Shape) -> bool:
    """Whether there is a single place: a vector, or maps of 1×1."""
    return len(shape) == 1 or (len(shape) == 3 and shape[1:] == (1, 1))


def _by_place(op: Op, node: Node) -> bool:
    """Whether each token or each map's pixel is worked on by itself, whatever the op can see."""
    return op.multiplies and len(node.in_shapes[0]) == 2


def _whole(number: Fraction) -> Number:
    return number.numerator if number.denominator == 1 else number

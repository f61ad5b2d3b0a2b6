"""What a file says in several ops and the language in one, at the same cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from mbprof.exchange.convert.repeats import common
from mbprof.exchange.convert.rows import uses_of
from mbprof.language.fmt import Shape
from mbprof.language.record import record
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops import Op
from mbprof.ops.base import channel_axis, total
from mbprof.ops.form import ChannelShuffle, Permute, Reshape, Split
from mbprof.ops.tokens import Maps, Tokens
from mbprof.symbolic.arithmetic import product


def spoken(graph: Graph) -> Graph:
    """Return a graph whose moves are tokens, maps and shuffles where they are; it costs the same.

    Equal parts are said by their number.

    >>> from mbprof.network.load import loads
    >>> text = "{name: n, input: {shape: [64, 7, 7]}, body: [{op: permute, axes: [1, 2, 0]}, "
    >>> text += "{op: reshape, to: [49, 64]}]}"
    >>> [node.op for node in spoken(loads(text).build().compiled).nodes]
    [Tokens()]
    """
    uses = uses_of(graph)
    stands: dict[Edge, Edge] = {}
    nodes = list[Node]()
    names = {node.name for node in graph.nodes}
    number = 0
    while number < len(graph.nodes):
        node, size = next(_merged(graph.nodes[number : number + 3], number, uses), (None, 1))
        node = node or _parted(graph.nodes[number])
        if size > 1 and node.name in names:
            node = node._replace(name=graph.nodes[number + size - 1].name)
        names.add(node.name)
        for port in range(len(node.out_shapes)):
            stands[Edge(number + size - 1, port)] = Edge(len(nodes), port)
        inputs = (e if e.node == IMAGE else stands[e] for e in node.inputs)
        nodes.append(node._replace(inputs=tuple(inputs)))
        number += size
    outputs = tuple(e if e.node == IMAGE else stands[e] for e in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def _merged(nodes: Sequence[Node], number: int, uses: Counter[Edge]) -> Iterator[tuple[Node, int]]:
    """Yield the node that the first of some nodes are in one, and how many these are."""
    for size in range(len(nodes), 1, -1):
        chain = nodes[:size]
        alone = all(uses[Edge(number + place)] == 1 for place in range(size - 1))
        chained = (b.inputs == (Edge(number + n),) for n, (_, b) in enumerate(pairwise(chain)))
        if not (alone and all(chained)):
            continue
        taken, made = chain[0].in_shapes, chain[-1].out_shapes
        for op in _meant(chain, *taken, *made) if len(taken) == len(made) == 1 else ():
            facts = op.facts(taken, made)
            if op.shapes(taken) == made and facts == total(node.facts for node in chain):
                name = common([node.name for node in chain]) or chain[-1].name
                one = chain[-1]._replace(op=op, facts=facts, call=op.called, name=name, layer=name)
                yield one._replace(inputs=chain[0].inputs, in_shapes=taken), size


def _meant(chain: Sequence[Node], taken: Shape, made: Shape) -> Iterator[Op]:
    """Yield what a permute between reshapes can be."""
    moves = [(node.in_shapes[0], node.op) for node in chain if isinstance(node.op, Permute)]
    if len(moves) != 1 or not all(isinstance(node.op, Permute | Reshape) for node in chain):
        return
    ((shape, permute),) = moves
    done = _bare(shape, permute.order)
    if len(taken) == 3 and done == _bare((taken[0], product(taken[1:])), (1, 0)):
        yield Tokens()
    tokens, channels = taken if len(taken) == 2 else (0, 0)
    grid = len(made) == 3 and made[0] == channels and product(made[1:]) == tokens
    if grid and done == _bare(taken, (1, 0)):
        yield Maps(size=(made[1], made[2]))
    if len(taken) == 3 and taken == made and len(done.order) > 1:
        g = shape[0]
        if taken[0] % g == 0 and done == _bare((g, taken[0] // g, *taken[1:]), (1, 0, 2, 3)):
            yield ChannelShuffle(groups=g)


@record
class _Move:
    """Axes as far as they move on their own: their sizes, and their new order."""

    sizes: Shape
    order: tuple[int, ...]


def _bare(shape: Shape, order: Sequence[int]) -> _Move:
    """Return a permute without axes of size 1; axes that stay side by side are one."""
    order = [axis % len(shape) for axis in order if shape[axis] != 1]
    runs = list[list[int]]()
    places = {axis: place for place, axis in enumerate(sorted(order))}
    for axis in order:
        if runs and places[axis] == places[runs[-1][-1]] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    kept = sorted(runs)
    sizes = tuple(product(shape[axis] for axis in run) for run in kept)
    return _Move(sizes, tuple(kept.index(run) for run in runs))


def _parted(node: Node) -> Node:
    """Return a node whose equal parts are said by their number, and its usual axis not at all."""
    op = node.op
    if not isinstance(op, Split) or len({*op.sizes}) != 1:
        return node
    (shape,) = node.in_shapes
    usual = op.axis is None or op.axis % len(shape) == channel_axis(shape)
    plain = replace(op, parts=len(op.sizes), sizes=(), axis=None if usual else op.axis)
    return node._replace(op=plain)

"""Batch norms folded into the convolution or linear layer before them, as deployment does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops import OPS
from mbprof.ops.base import Facts


def fold(graph: Graph) -> Graph:
    """Return the graph with every batch norm folded that alone follows a layer with weights.

    The scale goes into the weights and the shift into the bias, which the layer gets if it has
    none. A norm that follows something else, or a layer that others take from too, stays.
    Source: arXiv:1712.05877, section 3.2.
    """
    taken = Counter(edge.node for node in graph.nodes for edge in node.inputs)
    taken.update(edge.node for edge in graph.outputs)
    nodes = list(graph.nodes)
    for number, node in enumerate(graph.nodes):
        if node.op.folds and _host(nodes, node.inputs[0], taken):
            host = node.inputs[0].node
            nodes[host] = _biased(nodes[host])
            gone = OPS["identity"]()
            nodes[number] = node._replace(op=gone, facts=Facts(), call=gone.called)
    return Graph(tuple(nodes), graph.image, graph.outputs)


def _host(nodes: Sequence[Node], edge: Edge, taken: Counter[int]) -> bool:
    return edge.node != IMAGE and taken[edge.node] == 1 and nodes[edge.node].op.multiplies


def _biased(node: Node) -> Node:
    op: Any = node.op
    biased = replace(op, bias=True)
    return node._replace(op=biased, facts=biased.facts(node.in_shapes, node.out_shapes))

"""Rules about gates and attention: what weighs maps or tokens, and what it is made from."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mbprof.checks.model import WARNING, Found, Subject, rule
from mbprof.checks.walks import (
    activates,
    area,
    bends,
    channels,
    climb,
    is_dense,
    made,
    poolings,
    producer,
)
from mbprof.language import fmt
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops import Op
from mbprof.ops.conv import FUNCTIONS, RECTIFIERS
from mbprof.symbolic.arithmetic import product

SLACK = math.sqrt(2)
"""How far a scale may be from that of the scores and still be one."""


def _gates(subject: Subject) -> Iterator[tuple[Node, Edge, Edge]]:
    """Yield each product of two tensors, twice: what may be the gate, and what it weighs."""
    for node in subject.nodes:
        if node.op.gates and len(node.inputs) == 2:
            first, second = node.inputs
            yield node, first, second
            yield node, second, first


@rule("MB309", WARNING)
def open_gate(subject: Subject) -> Iterator[Found]:
    """A gate that ends in a ReLU or the like, or in nothing.

    Looked at are products of two tensors of which one, the gate, ends in a ReLU and has fewer
    elements than the other before it is repeated or resized, or is made by layers from the other.
    One with fewer elements may end in no kin of the ReLU, such as SiLU or GELU, either, nor may one
    that layers make from pooled maps end in a layer. A product of two projections, as in a gated
    linear unit, is none.

    Why: a gate says how much of a map passes; a ReLU has no upper end, and shuts half of the gates
    for good. SE-ResNet-50 is worse with it than without squeeze-and-excitation.
    Remedy: sigmoid, or hsigmoid.
    Source: arXiv:1709.01507, section 6.3 and table 12: 23.47 % of errors with ReLU, 22.28 % with
    sigmoid, 23.30 % without the gates.
    """
    bad = []
    for node, gate, scaled in _gates(subject):
        act = made(subject.graph, gate)
        if act is None:
            continue
        if not activates(act):
            if area(subject.graph.shape(scaled)) > 1 and _unbounded(subject, gate, act):
                bad.append((node, act))
            continue
        function = FUNCTIONS[act.op.function]
        cut = function.non_negative and not function.saturates
        number = subject.number[act.name]
        whole = product(subject.graph.shape(scaled)) == product(node.out_shapes[0])
        if product(act.out_shapes[0]) < product(node.out_shapes[0]):
            open_ended = cut or act.op.function in RECTIFIERS
        else:
            open_ended = cut and _made_from(subject, number, scaled)
        if whole and open_ended:
            bad.append((node, act))
    if bad:
        node, act = bad[0]
        by = act.op.function if activates(act) else "what a layer gives"
        said = (
            f"{fmt.several(len(bad), 'gate')} that cannot say how much passes: {act.layer} weighs "
            f"{node.layer} by {by}"
        )
        yield Found(said, [act for _, act in bad], {"gates": len(bad)})


def _unbounded(subject: Subject, gate: Edge, last: Node) -> bool:
    """Whether a gate is what a layer gives, perhaps through a norm, from maps that were pooled."""
    layer = producer(subject.graph, last.inputs[0]) if last.op.keeps_linear else last
    return layer is not None and is_dense(layer) and bool(poolings(subject.graph, gate))


def _made_from(subject: Subject, number: int, scaled: Edge) -> bool:
    """Whether layers make a node from what it weighs."""
    if scaled.node == IMAGE:  # Everything in a network is made from the image.
        return subject.spec.alone and bool(subject.above[number] & subject.multiplying)
    if not subject.above[number] >> scaled.node & 1:
        return False
    between = subject.above[number] & subject.multiplying & ~subject.above[scaled.node]
    return any(
        between >> other & 1 and subject.above[other] >> scaled.node & 1
        for other in range(scaled.node + 1, number)
    )


@rule("MB310", WARNING)
def squeezed_elsewhere(subject: Subject) -> Iterator[Found]:
    """A squeeze-and-excitation that is fed from another tensor than it scales.

    Looked at are gates that layers make from poolings of whole maps. What is pooled is what is
    weighed if no layer stands between the two: an activation, a norm, a sum or a part may. A pooled
    branch, one layer that changes the width, is none, as in the segmentation head of MobileNetV3.
    Of several poolings it is enough that one is of what is weighed.

    Why: the gates are to say which of these maps matter; statistics of other maps do not know them.
    Remedy: pool what is multiplied, in: of the pooling.
    Source: arXiv:1709.01507, section 3, equations 2 to 4: u is squeezed, and u is scaled;
    arXiv:1905.02244, section 6.4 and figure 10, for the pooled branch.
    """
    bad = []
    for node, gate, scaled in _gates(subject):
        wide = subject.graph.shape(scaled)
        found = poolings(subject.graph, gate) if area(wide) > 1 else []
        if found and all(
            layers
            and not (layers == 1 and channels(pool)[0] != channels(node)[1])
            and _apart(subject, pool.inputs[0], scaled)
            for pool, layers in found
        ):
            bad.append((node, found[0][0], scaled))
    if bad:
        node, pool, scaled = bad[0]
        graph = subject.graph
        said = (
            f"{fmt.several(len(bad), 'gate')} made from other maps than it weighs: {pool.layer} "
            f"pools {graph.name_of(pool.inputs[0])} ({fmt.shape(pool.in_shapes[0])}), {node.layer} "
            "weighs "
            f"{graph.name_of(scaled)} ({fmt.shape(graph.shape(scaled))})"
        )
        yield Found(said, [node for node, _, _ in bad], {"gates": len(bad)})


def _apart(subject: Subject, pooled: Edge, scaled: Edge) -> bool:
    """Whether layers stand between two tensors, one of which leads to the other or is like it."""
    graph, above = subject.graph, subject.above
    upward = _reach(graph, pooled), _reach(graph, scaled)
    if not upward[0].isdisjoint(upward[1]):
        return False
    leads = pooled.node == IMAGE or bool(above[scaled.node] >> pooled.node & 1)
    return leads or graph.shape(pooled) == graph.shape(scaled)


def _reach(graph: Graph, edge: Edge) -> set[Edge]:
    """Return an edge and all above it that no layer separates from it."""
    reached, open_edges = {edge}, [edge]
    while open_edges:
        node = graph.producer(open_edges.pop())
        if node is not None and not node.op.multiplies and not node.op.mixes:
            new = [above for above in node.inputs if above not in reached]
            reached.update(new)
            open_edges += new
    return reached


def _handles(op: Op) -> bool:
    """Whether an op leaves products what they are: it scales, drops, adds, or puts elsewhere."""
    moves = op.keeps_sign or op.rearranges
    return moves or op.adds or op.factor is not None or op.passes or op.turns


def _scores(graph: Graph, edge: Edge, through: list[Node]) -> Node | None:
    """Return the product of tensors that an edge comes from, and note what it passes."""
    while (node := graph.producer(edge)) is not None:
        if node.op.mixes and node.facts.mac and not node.op.scaled(node.in_shapes):
            return node
        through.append(node)
        if node.op.multiplies or node.op.shares or not node.inputs or activates(node):
            return None
        if not (_handles(node.op) or node.op.gates):
            return None
        own = [above for above in node.inputs if _depends(graph, above)]
        if len(own) != 1:
            return None
        edge = own[0]
    return None


def _depends(graph: Graph, edge: Edge) -> bool:
    """Whether an edge is no trained tensor, through what puts it elsewhere."""
    node = producer(graph, edge, lambda op: op.keeps_sign or op.rearranges or op.resamples)
    return node is None or bool(node.inputs)


@rule("MB311", WARNING)
def bare_attention(subject: Subject) -> Iterator[Found]:
    """Attention without a softmax.

    Looked at are products of positions with each other that weigh a third tensor with nothing but
    scales, biases and dropout between. An activation of the scores, or of both that are multiplied,
    as in linear attention, takes the softmax's place, and so does a division by the number of
    positions.

    Why: weights that do not sum up to one grow with the number of positions, and the product of
    three linear maps can be written in another order at lower cost.
    Remedy: a softmax over the keys, or sdpa, which has it.
    Source: arXiv:1706.03762, section 3.2.1, equation 1; arXiv:1711.07971, section 3.2, for the
    division by the number of positions; arXiv:2006.16236, abstract, for linear attention.
    """
    bad = []
    for node in subject.nodes:
        if not (node.op.mixes and node.facts.mac) or len(node.inputs) != 2:
            continue
        for edge, other in (node.inputs, node.inputs[::-1]):
            passed: list[Node] = []
            scores = _scores(subject.graph, edge, passed)
            if scores is not None and _is_bare(subject, scores, other, passed):
                bad.append((scores, node))
    if bad:
        scores, node = bad[0]
        said = (
            f"{fmt.several(len(bad), 'product')} of positions without a softmax: {scores.layer} "
            f"({fmt.shape(scores.out_shapes[0])}) weighs {node.layer} as it is"
        )
        yield Found(said, [scores for scores, _ in bad], {"products": len(bad)})


def _is_bare(subject: Subject, scores: Node, values: Edge, passed: list[Node]) -> bool:
    graph, number = subject.graph, subject.number[scores.name]
    keys = product(scores.out_shapes[0][-1:])
    divided = any(
        node.op.factor is not None and math.isclose(node.op.factor * keys, 1, rel_tol=1e-3)
        for node in passed
    )
    own = [_source(graph, edge) for edge in scores.inputs]
    mapped = any(node is not None and (bends(node) or not node.inputs) for node in own)
    later = values.node != IMAGE and bool(subject.above[values.node] >> number & 1)
    return not (divided or mapped or later)


def _source(graph: Graph, edge: Edge) -> Node | None:
    """Return what makes a query or a key, past scales, biases and what puts it elsewhere."""
    return graph.producer(climb(graph, edge, lambda op: _handles(op) and not op.adds)[-1])


@rule("MB312", WARNING)
def scaled_twice(subject: Subject) -> Iterator[Found]:
    """Attention whose scores are scaled twice.

    Looked at are the constants by which queries, keys and scores are multiplied before the softmax,
    where their product is near 1/d or below, and those of queries and keys before an op that scales
    by 1/√d itself. Scaling both queries and keys by the fourth root is one scaling.

    Why: the scores of d products have a standard deviation of √d; divided by d they are near zero,
    and the softmax weighs all positions alike.
    Remedy: leave one out; sdpa scales by itself.
    Source: arXiv:1706.03762, section 3.2.1, equation 1 and footnote 4;
    torch.nn.functional.scaled_dot_product_attention, which scales by 1/√d unless told otherwise.
    """
    bad = []
    graph = subject.graph
    for node in subject.nodes:
        if d := node.op.scaled(node.in_shapes):
            factors = [f for edge in node.inputs[:2] for f in _factors(graph, edge)]
            factors, scores = ([*factors, d**-0.5], node) if factors else ([], node)
        elif node.op.shares:
            passed: list[Node] = []
            if (found := _scores(graph, node.inputs[0], passed)) is None:
                continue
            scores, d = found, found.in_shapes[0][-1]
            factors = [f for f in (other.op.factor for other in passed) if f is not None]
            factors += [f for edge in scores.inputs for f in _factors(graph, edge)]
        else:
            continue
        scale = math.prod(map(abs, factors))
        if len(factors) > 1 and d > 2 and scale * d <= SLACK:
            bad.append((scores, d, scale))
    if bad:
        scores, d, scale = bad[0]
        said = (
            f"{fmt.several(len(bad), 'product')} scaled twice: the scores of {scores.layer} by "
            f"{scale:.3g} in all, 1/√{d} is {d**-0.5:.3g}"
        )
        yield Found(said, [scores for scores, _, _ in bad], {"products": len(bad)})


def _factors(graph: Graph, edge: Edge) -> list[float]:
    """Return the constants that a query or a key is multiplied by behind its layer."""
    path = climb(graph, edge, lambda op: _handles(op) and not op.adds)
    nodes = (graph.producer(above) for above in path[:-1])
    return [node.op.factor for node in nodes if node is not None and node.op.factor is not None]

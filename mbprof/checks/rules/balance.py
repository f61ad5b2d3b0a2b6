"""Rules about where params, MACs and memory are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbprof.checks.model import ADVICE, Found, Subject, rule
from mbprof.checks.walks import area, around, channels, is_pointwise, producer, traffic
from mbprof.language import fmt
from mbprof.network.graph import Node
from mbprof.ops.base import elements

FEW = 5
"""With fewer layers that multiply, it is no news that one of them has most of the cost."""
CLASSIFIER = 3
"""One part in how many of all weights makes a classifier large."""
WIDER = 2
"""How many times its input's channels an expansion gives at least."""
INTENSITY = 2
"""Multiply-accumulates for each element moved, below which a depthwise layer waits for memory."""


@rule("MB501", ADVICE)
def one_layer(subject: Subject) -> Iterator[Found]:
    """A single layer has more than half of all weights or MACs.

    Weights and multiply-accumulates of convolution and linear layers, as in convention kernels,
    of networks of five layers or more. What the classifier has of the weights is said by MB502.

    Why: whatever is saved elsewhere does not matter before this layer shrinks.
    Remedy: split it, pool before it, narrow what it takes, or factorise it.
    Source: arXiv:1704.04861, table 2, for such a count; arXiv:1312.4400, section 3.2, for
    pooling.
    """
    layers = subject.layers
    if len(layers) < FEW or not subject.is_network:
        return
    for kind, fact in (("weights", "kernels"), ("MACs", "mac")):
        counts = [getattr(node.facts, fact) for node in layers]
        part, whole = max(counts), sum(counts)
        largest = layers[counts.index(part)]
        if 2 * part > whole and largest is not _classifier(layers):
            said = (
                f"{largest.layer} has {fmt.percent(part, whole)} % of all {kind}, "
                f"{fmt.integer(part)} of {fmt.integer(whole)}"
            )
            yield Found(said, [largest], {"part": part, "whole": whole})


def _classifier(layers: Sequence[Node]) -> Node | None:
    """Return the last layer, if it stands behind the pooling."""
    return layers[-1] if area(layers[-1].in_shapes[0]) == 1 else None


@rule("MB502", ADVICE)
def large_classifier(subject: Subject) -> Iterator[Found]:
    """The classifier has more than a third of all weights.

    The classifier is the last layer, where it stands behind the pooling. The share is that of
    the weights of convolution and linear layers.

    Why: it grows with the classes and not with alpha, so it rules small networks; a count
    without the head hides it.
    Remedy: fewer classes, a narrower last layer (slim's finegrain keeps it wide on purpose), or
    count with scope body and say so.
    Source: arXiv:1704.04861, table 2: 24.33 % of MobileNet's parameters.
    """
    layers = subject.layers
    if len(layers) < FEW or not subject.is_network:
        return
    last, whole = _classifier(layers), sum(node.facts.kernels for node in layers)
    if last is not None and CLASSIFIER * (part := last.facts.kernels) > whole:
        said = (
            f"{last.layer} ({channels(last)[0]} -> {channels(last)[1]}) has "
            f"{fmt.percent(part, whole)} % of all weights, {fmt.integer(part)} of "
            f"{fmt.integer(whole)}"
        )
        yield Found(said, [last], {"part": part, "whole": whole})


def _held(node: Node) -> int:
    """Return the elements of a node's inputs and outputs, which it needs at one time."""
    return elements(node.in_shapes) + elements(node.out_shapes)


def _expands(c_in: int, c_out: int) -> bool:
    return c_out >= WIDER * c_in


@rule("MB601", ADVICE)
def expansion_in_memory(subject: Subject) -> Iterator[Found]:
    """An expansion at the highest resolution rules the activation memory.

    Compared are the elements of inputs and outputs of each layer: the largest, if it is a 1x1
    convolution that gives at least twice the channels that it takes or what works on its output,
    against all layers of other blocks and fires at 1.5 times.

    Why: one block sets the memory that a device needs; the rest of the network would run in
    less.
    Remedy: a smaller t for that block, a stride before it, or run it in patches.
    Source: arXiv:2110.15352, section 3.1 and figure 2, on MobileNetV2.
    """
    maps = [node for node in subject.layers if area(node.out_shapes[0]) > 1]
    if len(maps) < FEW or not subject.is_network:
        return
    peak = max(maps, key=_held)
    inside = [node for node in maps if node.block == peak.block]
    wide = [node for node in inside if is_pointwise(node) and _expands(*channels(node))]
    others = [_held(node) for node in maps if node.block != peak.block]
    source = producer(subject.graph, peak.inputs[0], around)
    expansion = next((node for node in wide if node is peak or node is source), None)
    if expansion is None or not others or 2 * _held(peak) < 3 * max(others):
        return
    c_in, c_out = channels(expansion)
    high, tall = expansion.out_shapes[0][1:]
    said = (
        f"{expansion.layer} widens {c_in} to {c_out} channels at {high}x{tall}: its block holds "
        f"{fmt.short(_held(peak))} elements, {_held(peak) / max(others):.1f} times what any other "
        "needs"
    )
    yield Found(said, [expansion], {"elements": _held(peak), "others": max(others)})


@rule("MB602", ADVICE)
def idle_depthwise(subject: Subject) -> Iterator[Found]:
    """Depthwise layers with very low arithmetic intensity.

    MACs over the elements read and written, below 2: with a kernel k and a stride s about k²/(s²
    + 1), which is 4.5 for 3x3 at stride 1, 1.8 at stride 2; a 1x1 convolution has c1·c2/(c1 +
    c2).

    Why: such layers run at the speed of the memory; their few MACs do not show in their time.
    Remedy: nothing for a few; a larger kernel is nearly free there, and fusing with the layer
    before spares one pass.
    Source: arXiv:1807.11164, guideline G4, which counts them among the element-wise operations;
    arXiv:2104.00298, section 3.2 and table 3, on fused blocks in early stages.
    """
    depthwise = [node for node in subject.nodes if node.op.depthwise]
    idle = [node for node in depthwise if node.facts.mac < INTENSITY * traffic(node)]
    if idle:
        idle.sort(key=lambda node: -traffic(node))
        worst = min(idle, key=lambda node: node.facts.mac / traffic(node))
        macs = fmt.percent(sum(n.facts.mac for n in idle), sum(n.facts.mac for n in subject.layers))
        moved = fmt.percent(sum(map(traffic, idle)), sum(map(traffic, subject.layers)))
        least = worst.facts.mac / traffic(worst)
        said = (
            f"{len(idle)} of {fmt.several(len(depthwise), 'depthwise layer')} with fewer than "
            f"{INTENSITY} MACs for each element moved, {worst.layer} has {least:.2f}; {macs} % of "
            f"the MACs and {moved} % of the memory access of all layers"
        )
        yield Found(said, idle, {"layers": len(idle), "least": round(least, 4)})

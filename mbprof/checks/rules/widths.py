"""Rules about widths and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mbprof.checks.model import ADVICE, WARNING, Found, Subject, rule
from mbprof.checks.walks import area, channels, groups, is_convolution, is_dense
from mbprof.language import fmt
from mbprof.network.graph import IMAGE, Graph, Node

MULTIPLE = 8
"""What widths should be a multiple of: vector lanes and tensor cores come in eights."""


@rule("MB201", ADVICE)
def odd_width(subject: Subject) -> Iterator[Found]:
    """Widths that are no multiple of 8.

    Looked at are convolutions with maps of more than one pixel; the classifier and the vectors
    of a squeeze-and-excitation are not.

    Why: vector units, tensor cores and NPUs work on 8 or more channels at once; the rest of the
    last eight is computed and thrown away.
    Remedy: round widths to a multiple of 8, div8(alpha * c) in the width rule.
    Source: NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide, section on
    channels; TF-slim research/slim/nets/mobilenet/mobilenet.py, _make_divisible.
    """
    convs = [
        node
        for node in subject.layers
        if is_convolution(node) and is_dense(node) and area(node.out_shapes[0]) > 1
    ]
    odd = [node for node in convs if channels(node)[1] % MULTIPLE]
    if odd:
        widths = Counter(channels(node)[1] for node in odd)
        shown = ", ".join(f"{width}" for width in sorted(widths)[:8])
        more = ", ..." if len(widths) > 8 else ""
        yield Found(
            f"{len(odd)} of {fmt.several(len(convs), 'convolution')} with a width that is no "
            f"multiple of {MULTIPLE}: {shown}{more}",
            nodes=odd,
            numbers={"layers": len(odd), "widths": sorted(widths)},
        )


@rule("MB202", ADVICE)
def thin_groups(subject: Subject) -> Iterator[Found]:
    """Groups of fewer than 8 channels each.

    Looked at are grouped convolutions that are not depthwise, by C_in/g and C_out/g.

    Why: every group is a matrix product of its own; with few channels it has few multiplications
    for each element that it loads, and no vector unit is filled.
    Remedy: fewer groups, wider layers, or depthwise altogether.
    Source: arXiv:1807.11164, guideline G2; the NVIDIA guide of MB201.
    """
    thin = []
    for node in subject.layers:
        g, narrow = groups(node), min(channels(node))
        if 1 < g < channels(node)[0] and narrow // g < MULTIPLE:
            thin.append((narrow // g, g, node))
    if thin:
        thin.sort(key=lambda row: row[0])
        least, g, _ = thin[0]
        yield Found(
            f"{fmt.several(len(thin), 'grouped convolution')} with fewer than {MULTIPLE} channels "
            f"a group; the least is {least}, in {g} groups",
            nodes=[node for _, _, node in thin],
            numbers={"least": least, "groups": g},
        )


@rule("MB203", ADVICE)
def thin_gate(subject: Subject) -> Iterator[Found]:
    """A squeeze-and-excitation that squeezes to fewer than 8 channels.

    Why: the gates of all maps are decided by that vector; SENet's ablation loses accuracy as the
    ratio grows, and 8 channels are computed anyway, see MB201.
    Remedy: a smaller reduction ratio, or max(8, ...) or div8 around the squeezed width.
    Source: arXiv:1709.01507, section 6.1 and table 10; arXiv:1905.02244, section 5.3.
    """
    thin = []
    for node in subject.nodes:
        if not node.op.gates or area(node.out_shapes[0]) == 1:
            continue
        for i, shape in enumerate(node.in_shapes):
            if area(shape) > 1:
                continue
            layers = _vector_layers(subject.graph, node.inputs[i].node)
            if len(layers) > 1:
                squeeze = min(layers, key=lambda layer: channels(layer)[1])
                thin.append((channels(squeeze)[1], channels(node)[0], squeeze))
    few = sorted((gate for gate in thin if gate[0] < MULTIPLE), key=lambda gate: gate[0])
    if few:
        least, maps, _ = few[0]
        yield Found(
            f"{len(few)} of {fmt.several(len(thin), 'gate')} squeezed to fewer than {MULTIPLE} "
            f"channels; the least is {least}, for {maps} maps",
            nodes=[node for _, _, node in few],
            numbers={"least": least, "gates": len(few)},
        )


def _vector_layers(graph: Graph, number: int) -> list[Node]:
    """Return the layers of a gate, upwards to the pooling."""
    layers = []
    while number >= 0:
        node = graph.nodes[number]
        if len(node.inputs) != 1 or area(node.in_shapes[0]) > 1:
            break
        if is_dense(node):
            layers.append(node)
        number = node.inputs[0].node
    return layers


@rule("MB204", WARNING)
def narrow_waist(subject: Subject) -> Iterator[Found]:
    """Maps of fewer than 4 channels inside the network.

    Looked at are convolutions that narrow maps of more than one pixel to fewer than 4 channels,
    with layers behind that multiply, and no way around them from the image to the output.

    Why: all that the layers behind can know has to pass through these maps; a width multiplier
    without a floor makes them by accident.
    Remedy: a floor in the width rule, max(int(alpha * c), min_depth).
    Source: TF-slim research/slim/nets/mobilenet_v1.py, min_depth.
    """
    thin = [
        node
        for number, node in enumerate(subject.nodes)
        if node.op.multiplies
        and channels(node)[1] < min(4, channels(node)[0])
        and area(node.out_shapes[0]) > 1
        and _is_waist(subject, number)
    ]
    if thin:
        thin.sort(key=lambda node: channels(node)[1])
        node = thin[0]
        yield Found(
            f"{node.layer} gives {channels(node)[1]} channels, {fmt.shape(node.out_shapes[0])}",
            nodes=thin,
            numbers={"channels": channels(node)[1]},
        )


def _is_waist(subject: Subject, number: int) -> bool:
    """Whether every way to the output leads through a node, and layers that multiply follow it."""
    beyond, around = {number}, set[int]()
    for other, node in enumerate(subject.nodes):
        ends = [edge.node for edge in node.inputs]
        if any(end in beyond for end in ends):
            beyond.add(other)
        if other != number and any(end == IMAGE or end in around for end in ends):
            around.add(other)
    follows = any(subject.nodes[other].op.multiplies for other in beyond - {number})
    return follows and subject.graph.outputs[0].node not in around

"""Rules about widths and groups, and about shortcuts, which come and go with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import gcd

from mbprof.checks.model import ADVICE, WARNING, Found, Subject, Variant, rule
from mbprof.checks.walks import (
    area,
    around,
    before,
    channels,
    climb,
    groups,
    is_dense,
    is_pointwise,
    producer,
)
from mbprof.language import fmt
from mbprof.language.fmt import plain, show
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.network.outputs import scaled_outputs
from mbprof.ops import Op

MULTIPLE = 8
"""What widths should be a multiple of: vector lanes and tensor cores come in eights."""


def _adds(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes if node.op.adds}


def _ends(graph: Graph, block: str) -> tuple[Node, Node] | None:
    nodes = [node for node in graph.nodes if node.block == block]
    return (nodes[0], nodes[-1]) if nodes else None


@rule("MB101", WARNING)
def shortcut_by_width(subject: Subject) -> Iterator[Found]:
    """A shortcut comes or goes with the width multiplier.

    Looked at are the alphas 0.25, 0.35, 0.5, 0.75, 1, 1.3 and 1.4: a block that ends in an add
    at one of them and not at another. It happens where input and output widths are rounded
    apart, or meet: with r = div8, r(0.25·32) = r(0.25·16) = 8.

    Why: a residual block that is none trains worse, and nobody is told.
    Remedy: make both widths the same expression, or choose widths that round alike.
    Source: arXiv:1801.04381, section 3.3 and figure 6(b).
    """
    own = _adds(subject.graph)
    gone: dict[tuple[str, bool], list[Variant]] = {}
    for variant in subject.alphas:
        if variant.graph is None:
            continue
        there = _adds(variant.graph)
        for name in own.keys() ^ there.keys():
            node = own.get(name) or there[name]
            gone.setdefault((node.block, name in own), []).append(variant)
    for (block, vanishes), variants in gone.items():
        ends = _ends(subject.graph, block)
        if ends is None:
            continue
        verb = "is gone" if vanishes else "appears"
        alphas = ", ".join(str(variant.value) for variant in variants)
        shapes = "; ".join(_widths(variant, block) for variant in variants)
        said = (
            f"the shortcut of {block} ({ends[0].in_shapes[0][0]} -> {ends[1].out_shapes[0][0]} "
            f"channels) {verb} at alpha {alphas}: {shapes}"
        )
        yield Found(said, [ends[1]], {"alphas": [variant.value for variant in variants]})


def _widths(variant: Variant, block: str) -> str:
    ends = _ends(variant.graph, block) if variant.graph else None
    if ends is None:
        return "there is no such block"
    return f"{ends[0].in_shapes[0][0]} -> {ends[1].out_shapes[0][0]}"


@rule("MB102", ADVICE)
def shortcut_by_stride(subject: Subject) -> Iterator[Found]:
    """A shortcut is gone at stride 2.

    Looked at is a block, or a spec with a knob s, stride or strides, whose output is smaller at
    stride 2 and that has fewer adds there.

    Why: whoever repeats the block expects a residual one; the strided one is plain.
    Remedy: none if that is meant, as in MobileNetV2; else fit the shortcut with a strided 1x1
    convolution or with pooling.
    Source: arXiv:1801.04381, figure 4d; arXiv:1512.03385, section 3.3, option B.
    """
    for variant in subject.strided:
        lost = _lost(subject, variant)
        if not lost or variant.graph is None:
            continue
        small, large = variant.graph.output_shape, subject.graph.output_shape
        if small[1:] != large[1:]:
            said = (
                f"at {variant.label} the add of {', '.join(node.layer for node in lost)} is left "
                f"out; the output is {fmt.shape(small)} rather than {fmt.shape(large)}"
            )
            yield Found(said, lost, {"lost": len(lost)})


@rule("MB103", WARNING)
def stride_without_effect(subject: Subject) -> Iterator[Found]:
    """A stride that no layer takes.

    Looked at is a block, or a spec with a knob s, stride or strides, all of whose layers have
    the same output at stride 2 as at stride 1.

    Why: the stride promises a smaller output; here it changes nothing, or only takes the
    shortcut away in silence.
    Remedy: give the stride to the layer that is meant, mostly the depthwise or the 3x3
    convolution.
    Source: arXiv:1801.04381, figure 4d.
    """
    for variant in subject.strided:
        if variant.graph is None or not _same(subject.graph, variant.graph):
            continue
        lost = _lost(subject, variant)
        adds = ", ".join(node.layer for node in lost)
        only = f"; it only takes away the add of {adds}" if lost else ""
        said = f"at {variant.label} the output is still {show(subject.graph.output_shape)}{only}"
        yield Found(said, lost or subject.nodes[-1:], {"lost": len(lost)})


def _same(graph: Graph, other: Graph) -> bool:
    """Whether the nodes that two graphs have in common give the same shapes."""
    shapes = {node.name: node.out_shapes for node in graph.nodes}
    return all(shapes.get(node.name, node.out_shapes) == node.out_shapes for node in other.nodes)


def _lost(subject: Subject, variant: Variant) -> list[Node]:
    there = _adds(variant.graph) if variant.graph else {}
    return [node for name, node in _adds(subject.graph).items() if name not in there]


@rule("MB104", WARNING)
def resampled_shortcut(subject: Subject) -> Iterator[Found]:
    """A shortcut that is resampled before it is added, at this stride or at stride 2.

    Of the inputs of an add a shortcut is one with fewer layers on its longest way from the image
    than any has that is not resized. A main line that is enlarged and meets a skip, as in a feature
    pyramid or a decoder, is the deeper one, and a trained tensor that is repeated comes from no
    image.

    Why: an interpolated map costs memory traffic and no weight fits it to what it is added to;
    residual networks stride a 1x1 convolution or pool instead.
    Remedy: stride the shortcut by a 1x1 convolution, or by average pooling before one.
    Source: arXiv:1512.03385, section 3.3, options A and B; arXiv:1812.01187, figure 2c.
    """
    seen: set[str] = set()
    graphs = [("", subject.graph)]
    graphs += [(f"at {v.label} ", v.graph) for v in subject.strided if v.graph is not None]
    for label, graph in graphs:
        depths = _depths(graph)
        for add in _adds(graph).values():
            ends = [(depths[edge], producer(graph, edge)) for edge in add.inputs]
            main = min((d for d, node in ends if node is None or not node.op.resamples), default=0)
            for depth, node in ends:
                if node is None or not node.op.resamples or node.name in seen:
                    continue
                if not 0 <= depth < main:
                    continue
                seen.add(node.name)
                said = (
                    f"{label}the shortcut of {add.layer} is resized from "
                    f"{fmt.shape(node.in_shapes[0])} to {fmt.shape(node.out_shapes[0])}"
                )
                yield Found(said, [node], {"elements": node.facts.read + node.facts.write})


def _depths(graph: Graph) -> dict[Edge, int]:
    """Return the layers on the longest way from the image to each output, -1 without a way."""
    depths = {Edge(IMAGE, port): 0 for port in range(len(graph.images))}
    for number, node in enumerate(graph.nodes):
        depth = max((depths[edge] for edge in node.inputs), default=-1)
        depth += node.op.multiplies and depth >= 0
        depths |= {Edge(number, port): depth for port in range(len(node.out_shapes))}
    return depths


@rule("MB105", WARNING)
def shortcut_of_itself(subject: Subject) -> Iterator[Found]:
    """An add whose inputs are one tensor: nothing is skipped.

    One input is the other one, or the other one behind a batch norm, an activation or dropout
    only.

    Why: a shortcut around a normalisation is no residual path; mostly the wrong output was
    named.
    Remedy: take the input of the block, or the output of the shortcut's convolution.
    Source: arXiv:1512.03385, equation 1.
    """
    for node in _adds(subject.graph).values():
        ends = [before(subject.graph, edge, around) for edge in node.inputs]
        for i, path in enumerate(ends):
            others = [edge for j, edge in enumerate(node.inputs) if j != i]
            if any(edge in path for edge in others):
                said = (
                    f"{node.layer} adds {subject.graph.name_of(node.inputs[i])} to what it is made "
                    f"of, {subject.graph.name_of(path[-1])} ({channels(node)[0]} channels)"
                )
                yield Found(said, [node])
                break


@rule("MB201", ADVICE)
def odd_width(subject: Subject) -> Iterator[Found]:
    """Widths that are no multiple of 8.

    Looked at are convolutions with maps of more than one pixel; the vectors of a
    squeeze-and-excitation are not, nor a single map, such as a mask, nor the last layers of a
    network, whose width is the number of classes or of the numbers of a box: those behind which
    stand neither layers nor norms nor activations other than sigmoid, tanh and softmax.

    Why: vector units, tensor cores and NPUs work on 8 or more channels at once; the rest of the
    last eight is computed and thrown away.
    Remedy: round widths to a multiple of 8, div8(alpha * c) in the width rule.
    Source: NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide, section on
    channels; TF-slim research/slim/nets/mobilenet/mobilenet.py, _make_divisible.
    """
    convs = [
        node
        for number, node in enumerate(subject.nodes)
        if node.op.windowed
        and is_dense(node)
        and area(node.out_shapes[0]) > 1
        and number not in subject.answers
    ]
    odd = [node for node in convs if channels(node)[1] % MULTIPLE and channels(node)[1] > 1]
    if odd:
        widths = Counter(channels(node)[1] for node in odd)
        shown = ", ".join(f"{width}" for width in sorted(widths)[:8])
        more = ", ..." if len(widths) > 8 else ""
        said = (
            f"{len(odd)} of {fmt.several(len(convs), 'convolution')} with a width that is no "
            f"multiple of {MULTIPLE}: {shown}{more}"
        )
        yield Found(said, odd, {"layers": len(odd), "widths": sorted(widths)})


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
        said = (
            f"{fmt.several(len(thin), 'grouped convolution')} with fewer than {MULTIPLE} channels "
            f"a group; the least is {least}, in {g} groups"
        )
        yield Found(said, [node for _, _, node in thin], {"least": least, "groups": g})


@rule("MB203", ADVICE)
def thin_gate(subject: Subject) -> Iterator[Found]:
    """A squeeze-and-excitation that squeezes to fewer than 8 channels.

    Why: the gates of all maps are decided by that vector. SENet's ablation is robust between ratios
    of 2 and 16 and loses at 32, where its narrowest stage has 256/32 = 8 channels; narrower ones
    were not tried, and 8 channels are computed anyway, see MB201.
    Remedy: a smaller reduction ratio, or max(8, ...) or div8 around the squeezed width.
    Source: arXiv:1709.01507, section 6.1 and table 10; arXiv:1905.02244, section 5.3, whose ratio
    is 4 throughout.
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
        said = (
            f"{len(few)} of {fmt.several(len(thin), 'gate')} squeezed to fewer than {MULTIPLE} "
            f"channels; the least is {least}, for {maps} maps"
        )
        yield Found(said, [node for _, _, node in few], {"least": least, "gates": len(few)})


@rule("MB206", WARNING)
def unmixed_groups(subject: Subject) -> Iterator[Found]:
    """Grouped 1x1 convolutions in sequence without a shuffle.

    Looked at are grouped 1x1 convolutions that are not depthwise and take what another one gives,
    with nothing between but norms, activations, gates, poolings and depthwise or grouped
    convolutions, and whose groups have a common divisor above 1. Vectors of a gate are left out.

    Why: what a group gives comes from the same group all the way up; the network is several narrow
    ones side by side.
    Remedy: shuffle between them, or one of them without groups.
    Source: arXiv:1707.01083, section 3.1 and figure 1.
    """

    def keeps_groups(op: Op) -> bool:
        return not op.rearranges and (around(op) or op.keeps_sign or op.gates or op.depthwise)

    bad = []
    for node in subject.layers:
        shared = _parts(node) if is_pointwise(node) and area(node.out_shapes[0]) > 1 else 1
        edge = node.inputs[0]
        while shared > 1:
            above = subject.graph.producer(climb(subject.graph, edge, keeps_groups)[-1])
            shared = gcd(shared, _parts(above)) if above is not None else 1
            if above is None or shared < 2:
                break
            if is_pointwise(above) and _parts(above):
                bad.append((above, node, shared))
                break
            edge = above.inputs[0]
    if bad:
        first, second, shared = bad[0]
        said = (
            f"{fmt.several(len(bad), 'pair')} of grouped 1x1 convolutions with no shuffle between, "
            f"{first.layer} and {second.layer} first: {shared} parts that never meet"
        )
        yield Found(said, [second for _, second, _ in bad], {"pairs": len(bad), "parts": shared})


def _parts(node: Node) -> int:
    """Return into how many parts a node keeps channels apart: 0 if into all, 1 if it mixes them."""
    own = groups(node) or 1
    return 0 if own == channels(node)[0] > 1 else own


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
        said = f"{node.layer} gives {channels(node)[1]} channels, {fmt.shape(node.out_shapes[0])}"
        yield Found(said, thin, {"channels": channels(node)[1]})


@rule("MB205", WARNING)
def scaled_classes(subject: Subject) -> Iterator[Found]:
    """A classifier whose number of classes the width multiplier changes.

    Looked at are the network as it is and at the alphas 0.25, 0.35, 0.5, 0.75, 1, 1.3 and 1.4:
    rows whose c reads the knob classes, and a last layer with nothing behind but what scores pass
    through, whose c the width rule of the spec scales; one that gives maps only where its c reads
    another knob or is the number of the image's channels, since others may be features. With div8
    it also makes 16 classes of 10.

    Why: the classes are those of the data; a network with fewer of them cannot be trained on it,
    and one with more costs more than it says.
    Remedy: width: c in that row, which leaves its channels as they are.
    Source: arXiv:1704.04861, section 3.3: the input and output channels of a layer are scaled,
    table 1 with its 1000 classes is not; TF-slim research/slim/nets/mobilenet_v1.py, num_classes.
    """
    own = [(subject.network.knobs, subject.graph)]
    turned = [
        ({**subject.network.knobs, variant.knob: variant.value}, variant.graph)
        for variant in subject.alphas
        if variant.graph is not None
    ]
    seen: set[str] = set()
    for knobs, graph in (*own, *turned):
        for scaled in scaled_outputs(subject.spec.definition, knobs, graph):
            if scaled.node.layer not in seen:
                seen.add(scaled.node.layer)
                at = f"at alpha {plain(knobs['alpha'])} " if graph is not subject.graph else ""
                numbers = {"stated": scaled.stated, "made": scaled.made}
                yield Found(at + scaled.said, [scaled.node], numbers, "write width: c in its row")


def _is_waist(subject: Subject, number: int) -> bool:
    """Whether every way to the output leads through a node, and layers that multiply follow it."""
    beyond, beside = {number}, set[int]()
    for other, node in enumerate(subject.nodes):
        ends = [edge.node for edge in node.inputs]
        if any(end in beyond for end in ends):
            beyond.add(other)
        if other != number and any(end == IMAGE or end in beside for end in ends):
            beside.add(other)
    follows = any(subject.nodes[other].op.multiplies for other in beyond - {number})
    return follows and beside.isdisjoint(edge.node for edge in subject.graph.results)

"""Rules about activations, biases and normalisations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from operator import attrgetter

from mbprof.checks.model import ADVICE, WARNING, Found, Subject, rule
from mbprof.checks.walks import (
    activates,
    area,
    around,
    bends,
    channels,
    is_pointwise,
    producer,
    widest,
)
from mbprof.language import fmt
from mbprof.network.graph import Node
from mbprof.ops import Op
from mbprof.ops.conv import FUNCTIONS


def _behind(
    subject: Subject, number: int, through: Callable[[Op], bool] = attrgetter("keeps_linear")
) -> Iterator[int]:
    """Yield the numbers of the nodes that take a node's output, through some ops."""
    for taker in subject.consumers[number]:
        if through(subject.nodes[taker].op):
            yield from _behind(subject, taker, through)
        else:
            yield taker


@rule("MB301", WARNING)
def nonlinear_bottleneck(subject: Subject) -> Iterator[Found]:
    """A non-linearity behind a linear bottleneck.

    Looked at are 1x1 convolutions that narrow what a depthwise convolution gives, whose input
    was widened by a 1x1 convolution before: the projection of an inverted residual, alone or
    added.

    Why: a ReLU on few channels throws away what the expansion was for; linear bottlenecks win 1
    to 2 points of accuracy in the paper's ablation.
    Remedy: act: none for the projection, and none behind the add.
    Source: arXiv:1801.04381, sections 3.2 and 6.4, figure 6(a).
    """
    bad = []
    for number, node in enumerate(subject.nodes):
        c_in, c_out = channels(node) if is_pointwise(node) else (0, 0)
        if c_out >= c_in or not _is_projection(subject, node):
            continue
        takers = list(_behind(subject, number))
        for taker in tuple(takers):
            takers += _behind(subject, taker) if subject.nodes[taker].op.adds else ()
        if any(activates(subject.nodes[taker]) for taker in takers):
            bad.append(node)
    if bad:
        c_in, c_out = channels(bad[0])
        said = (
            f"{fmt.several(len(bad), 'linear bottleneck')} with a non-linearity behind, "
            f"{bad[0].layer} ({c_in} -> {c_out} channels) first"
        )
        yield Found(said, bad, {"layers": len(bad)})


def _is_projection(subject: Subject, node: Node) -> bool:
    """Whether an expansion and a depthwise convolution stand before a 1x1 convolution."""
    depthwise = _main_path(subject, node)
    expansion = _main_path(subject, depthwise) if depthwise and depthwise.op.depthwise else None
    if expansion is None or not is_pointwise(expansion):
        return False
    narrow, wide = channels(expansion)
    return wide > narrow


def _main_path(subject: Subject, node: Node) -> Node | None:
    """Return the layer before a node, past activations, a gate and what joins parallel parts."""
    before = producer(subject.graph, node.inputs[0], around)
    while before is not None and (before.op.gates or before.op.rearranges):
        before = producer(subject.graph, widest(before), around)
    return before


@rule("MB302", WARNING)
def linear_twice(subject: Subject) -> Iterator[Found]:
    """Two linear layers behind each other that one layer computes at no more cost.

    Looked at are convolutions and linear layers with nothing but normalisation between. One layer
    that does the same has the kernel k1 + (k2 - 1)·s1 on each axis, no groups, and the channels of
    both ends; the rule fires where its MACs are no more than those of the two. Factorisations, by
    groups, by depth or through fewer channels, are cheaper and are left alone, and so is the
    projection behind a depthwise convolution, the linear bottleneck. A network in which no layer
    stands behind a non-linearity is one finding, whatever one layer for all would cost.

    Why: without a non-linearity between, both are one linear map; the second adds cost and no
    power.
    Remedy: an activation between them, or leave one out.
    Source: arXiv:1512.03385, section 3.2, the remark below equation 1: a single layer is a linear
    one.
    """
    if linear := _linear(subject):
        said = (
            f"no layer stands behind a non-linearity: {fmt.several(len(linear), 'layer')} are one "
            f"linear map, {linear[0].layer} first"
        )
        yield Found(said, linear, {"layers": len(linear)})
        return
    bad = []
    for number, node in enumerate(subject.nodes):
        if not node.op.multiplies:
            continue
        before = _main_path(subject, node)
        projects = before is not None and before.op.depthwise and is_pointwise(node)
        takers = [subject.nodes[taker] for taker in _behind(subject, number)]
        if projects or len(takers) != 1 or not takers[0].op.multiplies:
            continue
        if _merged(node, takers[0]) <= node.facts.mac + takers[0].facts.mac:
            bad.append((node, takers[0]))
    if bad:
        firsts, (first, second) = [before for before, _ in bad], bad[0]
        (c_in, c_out), macs = channels(first), sum(node.facts.mac for node in firsts)
        said = (
            f"{fmt.several(len(bad), 'pair')} of layers with no non-linearity between, "
            f"{first.layer} ({c_in} -> {c_out}) and {second.layer} first"
        )
        yield Found(said, firsts, {"pairs": len(bad), "macs": macs})


def _linear(subject: Subject) -> list[Node]:
    """Return the layers of a network in which none stands behind a non-linearity."""
    bent = sum(1 << number for number, node in enumerate(subject.nodes) if bends(node))
    behind = [subject.above[n] for n, node in enumerate(subject.nodes) if node.op.multiplies]
    in_line = any(above & subject.multiplying for above in behind)
    free = not subject.spec.alone and in_line and not any(above & bent for above in behind)
    return subject.layers if free else []


def _merged(first: Node, second: Node) -> int:
    """Return the MACs of the one dense layer that does what two linear ones do."""
    macs = channels(first)[0] * channels(second)[1] * area(second.out_shapes[0])
    # A linear layer is a 1x1 convolution.
    for axis, then in zip_longest(*(node.op.axes(node.in_shapes) for node in (first, second))):
        extent, stride = (axis.extent, axis.s) if axis else (1, 1)
        macs *= extent + ((then.extent if then else 1) - 1) * stride
    return macs


@rule("MB303", WARNING)
def bias_before_norm(subject: Subject) -> Iterator[Found]:
    """A bias right before a batch norm.

    Why: the batch norm subtracts the mean, and the bias with it; its shift takes the bias's
    place. The bias is stored, loaded and trained for nothing.
    Remedy: bias: false where bn: true.
    Source: arXiv:1502.03167, section 3.2.
    """
    bad = []
    for number, node in enumerate(subject.nodes):
        takers = subject.takers(number)
        if node.op.bias and takers and all(taker.op.folds for taker in takers):
            bad.append(node)
    if bad:
        biases = sum(node.facts.biases for node in bad)
        said = (
            f"{fmt.several(len(bad), 'layer')} with a bias that a batch norm takes away, "
            f"{fmt.integer(biases)} params in all"
        )
        yield Found(said, bad, {"layers": len(bad), "biases": biases})


@rule("MB304", ADVICE)
def activation_before_norm(subject: Subject) -> Iterator[Found]:
    """An activation between a convolution and its batch norm.

    Why: the batch norm can be folded into the convolution only where they touch; behind an
    activation it stays, a multiplication and an addition for every element.
    Remedy: convolution, batch norm, activation; or batch norm, activation, convolution.
    Source: arXiv:1502.03167, section 3.2; arXiv:1603.05027, figure 4.
    """
    bad = []
    for node in subject.nodes:
        act = subject.graph.producer(node.inputs[0]) if node.op.folds else None
        before = subject.graph.producer(act.inputs[0]) if act and activates(act) else None
        if before is not None and before.op.multiplies:
            bad.append((before, node))
    if bad:
        cost = sum(node.facts.mul + node.facts.add for _, node in bad)
        said = (
            f"{fmt.several(len(bad), 'batch norm')} behind an activation, which cannot be folded: "
            f"{fmt.short(cost)} multiplications and additions"
        )
        yield Found(said, [before for before, _ in bad], {"layers": len(bad), "operations": cost})


@rule("MB305", WARNING)
def activation_of_activation(subject: Subject) -> Iterator[Found]:
    """An activation of what is no longer negative.

    Looked at are two activations behind each other, the first of which gives no negative values:
    a sigmoid behind a ReLU gives 1/2 to 1, a second ReLU gives what it gets.

    Why: a gate that cannot close below one half hardly gates; a ReLU of a ReLU is a pass over
    memory for nothing.
    Remedy: leave the first one out.
    Source: arXiv:1709.01507, equation 3: the gate is the sigmoid of a linear layer.
    """
    for number, node in enumerate(subject.nodes):
        first = node.op.function
        if first not in FUNCTIONS or not FUNCTIONS[first].non_negative:
            continue
        for taker in _behind(subject, number, lambda op: op.keeps_sign):
            after = subject.nodes[taker]
            if activates(after):
                second = after.op.function
                said = f"{after.layer}: {second} of {first} {_consequence(first, second)}"
                yield Found(said, [after, node])


def _consequence(first: str, second: str) -> str:
    """Say what an activation comes to behind one that gives no negative values."""
    if second in ("relu", "leaky_relu", "prelu", "elu") or (first, second) == ("relu6", "relu6"):
        return "changes nothing"
    halves = {"sigmoid": "1/2 to 1", "hsigmoid": "1/2 to 1", "tanh": "0 to 1"}
    if second in halves and first in ("relu", "relu6"):
        return f"gives {halves[second]} only"
    return "never sees a negative value"


@rule("MB306", ADVICE)
def unshifted_activation(subject: Subject) -> Iterator[Found]:
    """A convolution before an activation has neither a bias nor a batch norm.

    Why: nothing can move the threshold of the activation; the layer's maps are cut at zero
    whatever the data is.
    Remedy: bn: true, or bias: true.
    Source: arXiv:1502.03167, section 3.2: BN is put before the non-linearity, in the place of
    the bias.
    """
    bad = []
    for node in filter(activates, subject.nodes):
        before = producer(subject.graph, node.inputs[0], lambda op: op.passes)
        if before is not None and before.op.multiplies and not before.op.bias:
            bad.append(before)
    if bad:
        said = (
            f"{fmt.several(len(bad), 'layer')} before an activation with neither bias nor batch "
            f"norm, {bad[0].layer} first"
        )
        yield Found(said, bad, {"layers": len(bad)})


@rule("MB307", ADVICE)
def norm_missing(subject: Subject) -> Iterator[Found]:
    """A convolution without the batch norm that all others have.

    Looked at are convolutions on maps of more than one pixel with a bias, no batch norm, and an
    activation behind, in a network where nine in ten of those have a batch norm, or all others
    of a block. The last layers of a network are left out; see MB201.

    Why: one layer without normalisation among many with it is mostly an oversight, and its scale
    is what the others were normalised against.
    Remedy: bn: true, bias: false.
    Source: arXiv:1502.03167, section 3.
    """
    normed, bare = 0, []
    for number, node in enumerate(subject.nodes):
        if not (node.op.multiplies and node.op.windowed) or node.out_shapes[0][1:] == (1, 1):
            continue
        takers = subject.takers(number)
        if any(taker.op.folds for taker in takers):
            normed += 1
        elif number in subject.answers:
            continue
        elif node.op.bias and any(taker.op.function for taker in takers):
            bare.append(node)
    if bare and (normed >= 9 * len(bare) or (normed > 1 and len(bare) == 1)):
        said = (
            f"{len(bare)} of {fmt.several(normed + len(bare), 'convolution')} without batch norm, "
            f"{bare[0].layer} first"
        )
        yield Found(said, bare, {"layers": len(bare), "normed": normed})


@rule("MB308", WARNING)
def activated_scores(subject: Subject) -> Iterator[Found]:
    """A ReLU on the scores of the classifier.

    Looked at is the last layer that multiplies, where it stands on vectors or maps of one pixel and
    its activation is that of the output, or of the softmax.

    Why: scores that cannot be negative cannot say no; the softmax of clipped scores is flat where
    the network is sure that it is none of the classes.
    Remedy: act: none for the last layer.
    Source: arXiv:1704.04861, table 1: the last layer feeds the softmax without a non-linearity.
    """
    last = max((i for i, node in enumerate(subject.nodes) if node.op.multiplies), default=None)
    if last is None or not subject.is_network or area(subject.nodes[last].out_shapes[0]) > 1:
        return
    node = subject.nodes[last]
    for taker in _behind(subject, last):
        function = subject.nodes[taker].op.function
        ends = all(after.op.ends_scores for after in subject.takers(taker))
        if function in ("relu", "relu6") and ends:
            yield Found(f"{node.layer} ends in {function}", nodes=[node])

"""Rules about activations, biases and normalisations."""

from __future__ import annotations

from collections.abc import Iterator

from mbprof import fmt
from mbprof.checks.model import ADVICE, WARNING, Found, Subject, rule
from mbprof.checks.paths import (
    DENSE,
    KEEPING,
    MULTIPLY,
    NON_NEGATIVE,
    area,
    behind,
    channels,
    function,
    has_bias,
    is_pointwise,
    producer,
)
from mbprof.graph import Node

_AROUND = (*KEEPING, "act")


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
        for taker in behind(subject, number):
            after = subject.nodes[taker]
            nexts = [after]
            if after.op.word == "add":
                nexts += [subject.nodes[each] for each in behind(subject, taker)]
            if any(function(each) != "none" for each in nexts):
                bad.append(node)
                break
    if bad:
        c_in, c_out = channels(bad[0])
        yield Found(
            f"{fmt.several(len(bad), 'linear bottleneck')} with a non-linearity behind, "
            f"{bad[0].layer} ({c_in} -> {c_out} channels) first",
            nodes=bad,
            numbers={"layers": len(bad)},
        )


def _is_projection(subject: Subject, node: Node) -> bool:
    """Whether an expansion and a depthwise convolution stand before a 1x1 convolution."""
    depthwise = _main_path(subject, node)
    if depthwise is None or depthwise.op.word != "dwconv":
        return False
    expansion = _main_path(subject, depthwise)
    if expansion is None or not is_pointwise(expansion):
        return False
    narrow, wide = channels(expansion)
    return wide > narrow


def _main_path(subject: Subject, node: Node) -> Node | None:
    """Return the layer before a node, past activations, a gate and what joins parallel parts."""
    before = producer(subject.graph, node.inputs[0], _AROUND)
    while before is not None and before.op.word in ("mul", "concat", "split", "shuffle"):
        sizes = [area(shape) for shape in before.in_shapes]
        edge = before.inputs[sizes.index(max(sizes))]
        before = producer(subject.graph, edge, _AROUND)
    return before


@rule("MB302", WARNING)
def linear_twice(subject: Subject) -> Iterator[Found]:
    """Two linear layers behind each other that are no more than one.

    Looked at is a convolution or linear layer that does not narrow its input, and another one
    behind it with nothing but normalisation between. A depthwise convolution before a pointwise
    one, and a projection that narrows, are factorisations on purpose.

    Why: without a non-linearity between, both are one linear map that a single layer computes at
    less cost.
    Remedy: an activation between them, or leave one out.
    Source: arXiv:1512.03385, section 3.2, the remark below equation 1: a single layer is a
    linear one.
    """
    bad = []
    for number, node in enumerate(subject.nodes):
        if node.op.word not in DENSE or node.op.geometry(node.in_shapes).groups not in (1, None):
            continue
        c_in, c_out = channels(node)
        before = _main_path(subject, node)
        projects = c_out < c_in or (before is not None and before.op.word == "dwconv")
        takers = [subject.nodes[each] for each in behind(subject, number)]
        if not projects and len(takers) == 1 and takers[0].op.word in DENSE:
            bad.append((node, takers[0]))
    if bad:
        first, second = bad[0]
        yield Found(
            f"{fmt.several(len(bad), 'pair')} of layers with no non-linearity between, "
            f"{first.layer} ({channels(first)[0]} -> {channels(first)[1]}) and {second.layer} "
            "first",
            nodes=[first for first, _ in bad],
            numbers={"pairs": len(bad), "macs": sum(first.facts.mac for first, _ in bad)},
        )


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
        takers = subject.consumers[number]
        biased = node.op.word in MULTIPLY and has_bias(node)
        if biased and takers and all(subject.nodes[each].op.word == "bn" for each in takers):
            bad.append(node)
    if bad:
        biases = sum(node.facts.biases for node in bad)
        yield Found(
            f"{fmt.several(len(bad), 'layer')} with a bias that a batch norm takes away, "
            f"{fmt.integer(biases)} params in all",
            nodes=bad,
            numbers={"layers": len(bad), "biases": biases},
        )


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
        if node.op.word != "bn":
            continue
        act = producer(subject.graph, node.inputs[0], ())
        before = (
            producer(subject.graph, act.inputs[0], ()) if act and function(act) != "none" else None
        )
        if before is not None and before.op.word in MULTIPLY:
            bad.append((before, node))
    if bad:
        cost = sum(node.facts.mul + node.facts.add for _, node in bad)
        yield Found(
            f"{fmt.several(len(bad), 'batch norm')} behind an activation, which cannot be folded: "
            f"{fmt.short(cost)} multiplications and additions",
            nodes=[before for before, _ in bad],
            numbers={"layers": len(bad), "operations": cost},
        )


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
        if function(node) not in NON_NEGATIVE:
            continue
        for taker in behind(subject, number, ("dropout", "identity", "reshape", "flatten")):
            after = subject.nodes[taker]
            if function(after) == "none":
                continue
            yield Found(
                f"{after.layer}: {function(after)} of {function(node)}{_range(function(after))}",
                nodes=[after, node],
            )


def _range(name: str) -> str:
    lows = {"sigmoid": "1/2 to 1", "hsigmoid": "1/2 to 1", "tanh": "0 to 1"}
    return f" gives {lows[name]} only" if name in lows else " is the same as one of them"


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
    for node in subject.nodes:
        if function(node) == "none":
            continue
        before = producer(subject.graph, node.inputs[0], ("dropout", "identity"))
        if before is not None and before.op.word in MULTIPLY and not has_bias(before):
            bad.append(before)
    if bad:
        yield Found(
            f"{fmt.several(len(bad), 'layer')} before an activation with neither bias nor batch "
            f"norm, {bad[0].layer} first",
            nodes=bad,
            numbers={"layers": len(bad)},
        )


@rule("MB307", ADVICE)
def norm_missing(subject: Subject) -> Iterator[Found]:
    """A convolution without the batch norm that all others have.

    Looked at are convolutions on maps of more than one pixel with a bias, no batch norm, and an
    activation behind, in a network where nine in ten of those have a batch norm, or all others
    of a block.

    Why: one layer without normalisation among many with it is mostly an oversight, and its scale
    is what the others were normalised against.
    Remedy: bn: true, bias: false.
    Source: arXiv:1502.03167, section 3.
    """
    normed, bare = 0, []
    for number, node in enumerate(subject.nodes):
        if node.op.word not in ("conv", "dwconv") or node.out_shapes[0][1:] == (1, 1):
            continue
        takers = [subject.nodes[taker].op.word for taker in subject.consumers[number]]
        if "bn" in takers:
            normed += 1
        elif "act" in takers and has_bias(node):
            bare.append(node)
    if bare and (normed >= 9 * len(bare) or (normed > 1 and len(bare) == 1)):
        yield Found(
            f"{len(bare)} of {fmt.several(normed + len(bare), 'convolution')} without batch norm, "
            f"{bare[0].layer} first",
            nodes=bare,
            numbers={"layers": len(bare), "normed": normed},
        )

"""Rules about what stands behind what, where the second takes the first one's effect away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from mbprof.checks.model import WARNING, Found, Subject, rule
from mbprof.checks.walks import Through, before
from mbprof.language import fmt
from mbprof.network.graph import Node
from mbprof.ops import Op
from mbprof.ops.conv import FUNCTIONS

DEEP = 5
"""How many saturating layers make a deep stack: the most that the paper trains."""


def _pairs(
    subject: Subject,
    first: Callable[[Op], bool],
    second: Callable[[Op], bool],
    through: Through,
    only: bool = True,
) -> list[tuple[Node, Node]]:
    """Return the nodes of one kind that feed one of another kind, or feed it only."""
    pairs = []
    for node in subject.nodes:
        if not second(node.op):
            continue
        for edge in before(subject.graph, node.inputs[0], through):
            above = subject.graph.producer(edge)
            if above is None or (only and len(subject.consumers[edge.node]) > 1):
                break
            if first(above.op):
                pairs.append((above, node))
                break
    return pairs


@rule("MB313", WARNING)
def norm_of_norm(subject: Subject) -> Iterator[Found]:
    """A norm right behind a norm.

    Looked at are norms whose only input is what another norm gives, to nobody else, with nothing
    but dropout between, or maps read as tokens. A norm whose output is a shortcut, too, is none.

    Why: the second subtracts and divides what the first has shifted and scaled; its statistics
    and trained values are stored, loaded and computed for nothing.
    Remedy: leave one of the two out.
    Source: arXiv:1502.03167, section 3.2, on a shift that the next mean takes away, and section
    3.3, on a scale; arXiv:1607.06450, section 5.1, for layer norm.
    """
    norms: Callable[[Op], bool] = attrgetter("normalises")

    def between(op: Op) -> bool:
        return op.passes or op.lays_out

    if bad := _pairs(subject, norms, norms, between):
        first, second = bad[0]
        said = (
            f"{fmt.several(len(bad), 'norm')} of what a norm has just given, {second.name} "
            f"({second.op.word}) of {first.name} ({first.op.word}) first"
        )
        yield Found(said, [second for _, second in bad], {"norms": len(bad)})


@rule("MB314", WARNING)
def softmax_of_softmax(subject: Subject) -> Iterator[Found]:
    """A softmax of what a softmax or a sigmoid gives.

    Of n numbers between 0 and 1 it gives at most e/(e + n - 1): 0.27 % where the first is sure of
    one of 1000 classes.

    Why: the answer is nearly the same for everything, and so is the gradient.
    Remedy: leave one out; a loss that takes scores has its own, as PyTorch's cross entropy.
    Source: torch.nn.Softmax, for the range; torch.nn.CrossEntropyLoss, which takes scores.
    """

    def within_one(op: Op) -> bool:
        known = FUNCTIONS.get(op.function)
        return op.shares or (known is not None and known.non_negative and known.saturates)

    if bad := _pairs(subject, within_one, attrgetter("shares"), attrgetter("keeps_sign")):
        first, second = bad[0]
        said = f"{second.layer} is a softmax of the probabilities of {first.layer}"
        yield Found(said, [second for _, second in bad], {"softmaxes": len(bad)})


@rule("MB315", WARNING)
def dropout_before_norm(subject: Subject) -> Iterator[Found]:
    """Dropout before a batch norm.

    Looked at are batch norms right behind dropout, or behind its activation or pooling. Other norms
    have no running statistics, and dropout that stands before a sum or a layer is left alone.

    Why: dropout changes the variance in training only; the batch norm keeps that of training, and
    scales by the wrong one when it is used.
    Remedy: dropout behind the last batch norm, or none.
    Source: arXiv:1801.05134, abstract and figure 1.
    """

    def between(op: Op) -> bool:
        return op.keeps_sign or bool(op.function)

    if bad := _pairs(subject, attrgetter("drops"), attrgetter("folds"), between, only=False):
        first, second = bad[0]
        said = (
            f"{fmt.several(len(bad), 'batch norm')} behind dropout, {second.name} behind "
            f"{first.name} first"
        )
        yield Found(said, [second for _, second in bad], {"norms": len(bad)})


@rule("MB316", WARNING)
def saturating_stack(subject: Subject) -> Iterator[Found]:
    """Five or more layers in a row end in sigmoid or tanh, without a norm or a shortcut.

    Counted are convolutions and linear layers on one path, each with a saturating activation, up to
    the next norm, sum, concatenation or other activation. Gates are left out.

    Why: such a function is flat on both sides; the gradient shrinks at each layer, and the last
    hidden one saturates first.
    Remedy: ReLU or another function that does not saturate, norms, or shortcuts.
    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, sections 2.3, 3.1 and 3.2: one to five hidden layers.
    """
    counts: list[int] = []
    for number, node in enumerate(subject.nodes):
        edge = node.inputs[0] if len(node.inputs) == 1 else None
        count = counts[edge.node] if edge is not None and edge.node >= 0 else 0
        other = bool(node.op.function) and not node.op.saturates and node.op.function != "none"
        if edge is None or node.op.normalises or other or number in subject.gated:
            count = 0
        elif node.op.saturates and _ends_layer(subject, edge.node):
            count += 1
        counts.append(count)
    deepest = max(counts, default=0)
    if deepest >= DEEP:
        node = subject.nodes[counts.index(deepest)]
        stack = _stack(subject, node)
        said = (
            f"{deepest} layers in a row end in {node.op.function} or the like, without norm or "
            f"shortcut; {node.layer} is the last"
        )
        yield Found(said, stack, {"layers": deepest})


def _ends_layer(subject: Subject, number: int) -> bool:
    """Whether an activation of a node's output is that of a layer; pooling may stand between."""
    while number >= 0 and not subject.nodes[number].op.multiplies:
        node = subject.nodes[number]
        if not node.op.keeps_sign or len(node.inputs) != 1:
            return False
        number = node.inputs[0].node
    return number >= 0


def _stack(subject: Subject, last: Node) -> list[Node]:
    """Return the layers of a stack from its last to its first."""
    above = before(subject.graph, last.inputs[0], lambda op: not op.normalises)
    nodes = [subject.graph.producer(edge) for edge in above]
    return [node for node in nodes if node is not None and node.op.multiplies]

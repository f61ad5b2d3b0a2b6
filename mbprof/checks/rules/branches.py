"""Rules about paths that meet: shortcuts that start too late, and branches that are one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from mbprof.checks.model import WARNING, Found, Subject, rule
from mbprof.checks.walks import activates, bends, climb
from mbprof.language import fmt
from mbprof.network.graph import IMAGE, Edge, Node
from mbprof.ops import Op

CARDINAL = 3
"""From how many equal branches on they are meant: a cardinality."""


@rule("MB106", WARNING)
def shortcut_of_the_middle(subject: Subject) -> Iterator[Found]:
    """A block adds its own middle instead of its input.

    Looked at are adds of two tensors inside a block of which one, the middle, is made by layers of
    the block, and the other by further layers from it, without a join between. The block gives the
    shape of its input, which nothing but the first layer takes. A middle that a depthwise
    convolution gives without an activation is none where several layers follow: a shortcut around
    it may have been folded into its kernel.

    Why: the first layers of the block have no way around them, and a residual of a single layer is
    a linear layer.
    Remedy: add the input of the block, in: [x, _].
    Source: arXiv:1512.03385, section 3.2, equation 1 and the remark on a single layer;
    arXiv:2303.14189, section 3.1, for folded shortcuts.
    """
    bad = []
    for node in subject.nodes:
        if not node.op.adds or len(node.inputs) != 2:
            continue
        for middle, end in (node.inputs, node.inputs[::-1]):
            skipped = _skipped(subject, middle, end)
            if skipped and (start := _start(subject, node, middle, skipped)):
                bad.append((node, middle, start))
    if bad:
        node, middle, start = bad[0]
        graph = subject.graph
        said = (
            f"{fmt.several(len(bad), 'block')} with a shortcut from the middle: {node.layer} adds "
            f"{graph.name_of(middle)}, and nothing adds {graph.name_of(start)}, the input"
        )
        yield Found(said, [node for node, _, _ in bad], {"blocks": len(bad)})


def _skipped(subject: Subject, middle: Edge, end: Edge) -> int:
    """Return how many layers stand between two tensors, without a join; 0 if none leads there."""
    path = climb(subject.graph, end, lambda op: not op.joins or op.gates)
    if middle not in path:
        return 0
    nodes = (subject.graph.producer(edge) for edge in path[: path.index(middle)])
    return sum(node is not None and node.op.multiplies for node in nodes)


def _start(subject: Subject, add: Node, middle: Edge, skipped: int) -> Edge | None:
    """Return the input of an add's block, if layers make the middle from it, and only they."""
    graph, block = subject.graph, f"{add.layer.rpartition('/')[0]}/"
    made = graph.producer(middle)
    if block == "/" or made is None or not made.layer.startswith(block):
        return None
    inside = {n for n, node in enumerate(subject.nodes) if node.layer.startswith(block)}
    takers = [
        edge
        for number in sorted(inside)
        for edge in subject.nodes[number].inputs
        if edge.node not in inside
    ]
    own = [n for n in inside if n == middle.node or subject.above[middle.node] >> n & 1]
    above = [subject.nodes[n] for n in own]
    layers = [node for node in above if node.op.multiplies]
    linear = all(node.op.depthwise for node in layers) and not any(map(activates, above))
    if len(takers) != 1 or not layers or (linear and skipped > 1):
        return None
    (start,) = takers
    alone = sum(node.inputs.count(start) for node in subject.nodes) == 1
    alike = graph.shape(start) == subject.nodes[max(inside)].out_shapes[0]
    # An add above the middle is the shortcut of the layers there.
    return start if alone and alike and not any(node.op.adds for node in above) else None


@rule("MB107", WARNING)
def equal_branches(subject: Subject) -> Iterator[Found]:
    """A branch that equals another: the same ops on the same tensor, joined again.

    Looked at are sums and concatenations. Three or more branches that are all equal are meant, as a
    cardinality; so are layers without a non-linearity that are summed up, which are folded into one
    when the network is deployed. What two equal branches without weights give is the same twice.

    Why: in a module of different branches two equal ones are mostly a slip of copying; one branch
    of twice the width computes the same in fewer kernels.
    Remedy: the other kernel, dilation or input that was meant, or one wider branch.
    Source: arXiv:1611.05431, section 3.3 and figure 3, on branches of one topology;
    arXiv:2101.03697, section 3.3, on summed layers that are folded.
    """
    kinds = _kinds(subject)
    bad = []
    for node in subject.nodes:
        if not node.op.joins or node.op.gates:
            continue
        edges = list(dict.fromkeys(node.inputs))
        kind = Counter(kinds[edge] for edge in edges)
        if len(edges) >= CARDINAL and len(kind) == 1:
            continue
        for left, right in combinations(edges, 2):
            if kinds[left] == kinds[right] and _counts(subject, node.op, left, right):
                bad.append((node, left, right))
                break
    if bad:
        node, left, right = bad[0]
        name = subject.graph.name_of
        said = (
            f"{fmt.several(len(bad), 'join')} of branches that are equal: {node.layer} takes "
            f"{name(left)} and {name(right)}, the same ops on the same tensor"
        )
        yield Found(said, [node for node, _, _ in bad], {"joins": len(bad)})


def _kinds(subject: Subject) -> dict[Edge, int]:
    """Number all tensors; those that equal ops make from equal tensors have the same number."""
    numbers: dict[object, int] = {}
    kinds = {Edge(IMAGE, port): -1 - port for port in range(len(subject.graph.images))}
    for number, node in enumerate(subject.nodes):
        # Every trained tensor is another one.
        key = (node.op, *(kinds[edge] for edge in node.inputs)) if node.inputs else (number,)
        for port in range(len(node.out_shapes)):
            kinds[Edge(number, port)] = numbers.setdefault((*key, port), len(numbers))
    return kinds


def _counts(subject: Subject, join: Op, left: Edge, right: Edge) -> bool:
    """Whether equal branches are worth a word, from where they meet above to where they join."""
    above, ops, bent = [(left, right)], list[Op](), False
    while above:
        first, second = above.pop()
        node, other = subject.graph.producer(first), subject.graph.producer(second)
        if first == second or node is None or other is None:
            continue
        if first.node == second.node:
            return False  # two parts of one tensor
        ops.append(node.op)
        bent = bent or bends(node)
        above += zip(node.inputs, other.inputs, strict=True)
    return bool(ops) and (bent or not join.adds or not any(op.multiplies for op in ops))

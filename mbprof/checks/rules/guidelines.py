"""The four guidelines of ShuffleNetV2, with their formulas; B is the MACs of a 1x1 convolution."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mbprof.checks.model import ADVICE, Found, Subject, rule
from mbprof.checks.walks import area, channels, groups, is_pointwise, traffic
from mbprof.language import fmt

EXCESS = 1.25
"""How far above its bound the memory access of a network's layers may be."""
FRAGMENTS = 4
"""How many parallel paths make a block fragmented: the most that the paper measures."""
SHARE = 0.5
"""How much of the memory access element-wise operations may have."""


def _access(c1: int, c2: int, hw: int, g: int = 1) -> int:
    """Return the memory access of a 1x1 convolution, hw·(c1 + c2) + c1·c2/g."""
    return hw * (c1 + c2) + c1 * c2 // g


@rule("MB211", ADVICE)
def unequal_widths(subject: Subject) -> Iterator[Found]:
    """G1: 1x1 convolutions move far more than equal input and output widths would.

    MAC = hw·(c1 + c2) + c1·c2 >= 2·sqrt(hw·B) + B/hw with B = hw·c1·c2, equal if and only if c1
    = c2; here MAC is memory access cost in elements, summed over the network's 1x1 convolutions
    without groups, and the rule fires where it is more than 1.25 times the bound. The last layers
    of a network are left out, whose width is what is asked for; see MB201.

    Why: at the same multiply-accumulates the layer with equal widths moves least; on a GPU a
    ratio of 1:12 runs at half the speed.
    Remedy: bring c1 and c2 nearer, with a smaller expansion or reduction.
    Source: arXiv:1807.11164, guideline G1, equation 2 and table 1.
    """
    rows = []
    for number, node in enumerate(subject.nodes):
        if is_pointwise(node) and groups(node) == 1 and number not in subject.answers:
            (c1, c2), hw = channels(node), area(node.out_shapes[0])
            if hw > 1:
                b = hw * c1 * c2
                rows.append((_access(c1, c2, hw), 2 * math.sqrt(hw * b) + b / hw, node))
    access, bound = sum(row[0] for row in rows), sum(row[1] for row in rows)
    if access > EXCESS * bound:
        rows.sort(key=lambda row: row[1] - row[0])
        worst = [row[2] for row in rows[:5]]
        c1, c2 = channels(worst[0])
        said = (
            f"{fmt.several(len(rows), '1x1 convolution')} with a memory access of "
            f"{fmt.short(access)} elements, {access / bound:.2f} times the bound of "
            f"{fmt.short(round(bound))} for equal widths; most above it is {worst[0].layer}, "
            f"{c1} -> {c2}"
        )
        ratio = round(access / bound, 4)
        yield Found(said, worst, {"access": access, "bound": round(bound), "ratio": ratio})


@rule("MB212", ADVICE)
def costly_groups(subject: Subject) -> Iterator[Found]:
    """G2: grouped 1x1 convolutions move far more than ungrouped ones of the same MACs.

    MAC = hw·(c1 + c2) + c1·c2/g = hw·c1 + B·g/c1 + B/hw with B = hw·c1·c2/g: at the same c1 and
    B it grows with g. It is compared with g = 1, whose c2 is g times smaller, summed over the
    network, and the rule fires above 1.25.

    Why: groups save multiplications, which are spent on wider maps, which have to be moved.
    Remedy: fewer groups, or a dense 1x1 convolution of fewer channels.
    Source: arXiv:1807.11164, guideline G2, equation 3 and table 2.
    """
    rows = []
    for node in subject.layers:
        if is_pointwise(node) and (g := groups(node)) > 1:
            (c1, c2), hw = channels(node), area(node.out_shapes[0])
            rows.append((_access(c1, c2, hw, g), _access(c1, c2 // g, hw), node))
    access, dense = sum(row[0] for row in rows), sum(row[1] for row in rows)
    if access > EXCESS * dense:
        rows.sort(key=lambda row: row[1] - row[0])
        worst = [row[2] for row in rows[:5]]
        c1, c2 = channels(worst[0])
        said = (
            f"{fmt.several(len(rows), 'grouped 1x1 convolution')} with a memory access of "
            f"{fmt.short(access)} elements, {fmt.ratio(access, dense)} times what ungrouped ones "
            f"of the same MACs would; the most in {worst[0].layer}, {c1} -> {c2} in "
            f"{groups(worst[0])} groups"
        )
        ratio = round(access / dense, 4)
        yield Found(said, worst, {"access": access, "ungrouped": dense, "ratio": ratio})


@rule("MB213", ADVICE)
def fragmented(subject: Subject) -> Iterator[Found]:
    """G3: blocks of four or more parallel paths.

    Counted are the inputs of a join that do not lead to one another, where each path computes.

    Why: many small operators keep a parallel device less busy than one large one, and cost a
    kernel launch and a synchronisation each; four paths ran at less than half of the speed of
    one.
    Remedy: fewer and wider paths; join 1x1 convolutions of one input into a single one.
    Source: arXiv:1807.11164, guideline G3 and table 3.
    """
    above = subject.above
    joins = []
    for node in subject.nodes:
        if not node.op.joins or node.op.gates:
            continue
        ends = [edge.node for edge in node.inputs if edge.node >= 0]
        paths = [end for end in set(ends) if not any(above[other] >> end & 1 for other in ends)]
        if len(paths) >= FRAGMENTS:
            joins.append((len(paths), node))
    if joins:
        joins.sort(key=lambda join: -join[0])
        most = joins[0][0]
        said = (
            f"{fmt.several(len(joins), 'join')} of {FRAGMENTS} or more parallel paths, {most} at "
            "most"
        )
        yield Found(said, [node for _, node in joins], {"joins": len(joins), "most": most})


@rule("MB214", ADVICE)
def elementwise(subject: Subject) -> Iterator[Found]:
    """G4: element-wise operations have more than half of the memory access.

    Counted are the elements that activations, adds, products and shuffles read and write, over
    those of all operations; batch norms are taken as folded.

    Why: they multiply next to nothing, so no count of MACs shows them, and they run at the speed
    of the memory.
    Remedy: fuse activations into the convolutions, drop them where nothing is lost, add in
    place.
    Source: arXiv:1807.11164, guideline G4 and table 4.
    """
    counted = [node for node in subject.nodes if not node.op.keeps_linear]
    light = [node for node in counted if node.op.elementwise]
    part, whole = sum(map(traffic, light)), sum(map(traffic, counted))
    if whole and part > SHARE * whole:
        light.sort(key=lambda node: -traffic(node))
        said = (
            f"{fmt.several(len(light), 'element-wise operation')} with "
            f"{fmt.percent(part, whole)} % of the memory access, {fmt.short(part)} of "
            f"{fmt.short(whole)} elements"
        )
        share = round(part / whole, 4)
        yield Found(said, light[:5], {"access": part, "all": whole, "share": share})

"""Rules about shortcuts and joins."""

from __future__ import annotations

from collections.abc import Iterator

from mbprof.checks.model import ADVICE, WARNING, Found, Subject, Variant, rule
from mbprof.checks.walks import around, before, channels, producer
from mbprof.language import fmt
from mbprof.language.fmt import show
from mbprof.network.graph import Graph, Node


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
    gone: dict[tuple[str, bool], list[tuple[Variant, str]]] = {}
    for variant in subject.alphas:
        if variant.graph is None:
            continue
        there = _adds(variant.graph)
        for name in own.keys() ^ there.keys():
            node = own.get(name) or there[name]
            gone.setdefault((node.block, name in own), []).append((variant, name))
    for (block, vanishes), variants in gone.items():
        ends = _ends(subject.graph, block)
        if ends is None:
            continue
        verb = "is gone" if vanishes else "appears"
        alphas = ", ".join(str(variant.value) for variant, _ in variants)
        shapes = "; ".join(_widths(variant, block) for variant, _ in variants)
        yield Found(
            f"the shortcut of {block} ({ends[0].in_shapes[0][0]} -> {ends[1].out_shapes[0][0]} "
            f"channels) {verb} at alpha {alphas}: {shapes}",
            nodes=[ends[1]],
            numbers={"alphas": [variant.value for variant, _ in variants]},
        )


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
            yield Found(
                f"at {variant.label} the add of {', '.join(node.layer for node in lost)} is left "
                f"out; the output is {fmt.shape(small)} rather than {fmt.shape(large)}",
                nodes=lost,
                numbers={"lost": len(lost)},
            )


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
        only = ""
        if lost:
            only = f"; it only takes away the add of {', '.join(node.layer for node in lost)}"
        yield Found(
            f"at {variant.label} the output is still {show(subject.graph.output_shape)}{only}",
            nodes=lost or subject.nodes[-1:],
            numbers={"lost": len(lost)},
        )


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

    Why: an interpolated map costs memory traffic and no weight fits it to what it is added to;
    residual networks stride a 1x1 convolution or pool instead.
    Remedy: stride the shortcut by a 1x1 convolution, or by average pooling before one.
    Source: arXiv:1512.03385, section 3.3, options A and B; arXiv:1812.01187, figure 2c.
    """
    seen: set[str] = set()
    graphs = [("", subject.graph)]
    graphs += [(f"at {v.label} ", v.graph) for v in subject.strided if v.graph is not None]
    for label, graph in graphs:
        for add in _adds(graph).values():
            for edge in add.inputs:
                node = producer(graph, edge)
                if node is None or not node.op.resamples or node.name in seen:
                    continue
                seen.add(node.name)
                yield Found(
                    f"{label}the shortcut of {add.layer} is resized from "
                    f"{fmt.shape(node.in_shapes[0])} to {fmt.shape(node.out_shapes[0])}",
                    nodes=[node],
                    numbers={"elements": node.facts.read + node.facts.write},
                )


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
                yield Found(
                    f"{node.layer} adds {subject.graph.name_of(node.inputs[i])} to what it is made "
                    f"of, {subject.graph.name_of(path[-1])} ({channels(node)[0]} channels)",
                    nodes=[node],
                )
                break

"""Rules about sizes: strides, kernels, padding, receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial

from mbprof.checks.model import ADVICE, WARNING, Found, Subject, Undecided, rule
from mbprof.checks.walks import area, widest
from mbprof.errors import LimitError
from mbprof.language import fmt
from mbprof.language.record import NamedTuple
from mbprof.network.graph import IMAGE, Graph, Node
from mbprof.network.sizes import walked
from mbprof.ops.padding import Axis


def _windows(subject: Subject, least: int = 1) -> Iterator[Node]:
    """Yield the nodes with a window that slides over maps of at least so many pixels."""
    slid = (node for node in subject.nodes if node.op.windowed)
    return (node for node in slid if area(node.in_shapes[0]) >= least)


def _along(nodes: Iterable[Node], test: Callable[[Axis], bool]) -> tuple[Axis, list[Node]] | None:
    """Return the nodes that have an axis of which a test holds, and the first such axis."""
    first = ((next(filter(test, node.op.axes(node.in_shapes)), None), node) for node in nodes)
    held = [(axis, node) for axis, node in first if axis is not None]
    return (held[0][0], [node for _, node in held]) if held else None


@rule("MB401", ADVICE)
def uneven_size(subject: Subject) -> Iterator[Found]:
    """The resolution is not divisible by the total stride.

    Looked at are layers that stride and pad their input: those whose input size is no multiple
    of the stride. Layers without padding drop what is left over on purpose.

    Why: frameworks pad odd sizes differently, so weights moved between them see shifted maps,
    sizes that are rounded up cost more than the resolution says, and up- and downsampled maps do
    not fit.
    Remedy: choose a resolution that is a multiple of the total stride, mostly of 32.
    Source: the padding rules of TensorFlow and of PyTorch, see mbprof/ops/padding.py.
    """
    odd = _along(
        _windows(subject),
        lambda axis: axis.n % axis.s > 0 and axis.n > 1 and sum(axis.padded) > 0,
    )
    if odd:
        (axis, nodes), res = odd, subject.graph.image
        more = f", like {fmt.several(len(nodes) - 1, 'more layer')}" if nodes[1:] else ""
        said = (
            f"{res[1]}x{res[2]} is not divisible by the total stride: {nodes[0].layer} strides "
            f"{axis.n} by {axis.s}{more}"
        )
        yield Found(said, nodes, {"size": axis.n, "stride": axis.s, "layers": len(nodes)})


@rule("MB402", WARNING)
def kernel_over_maps(subject: Subject) -> Iterator[Found]:
    """A kernel is larger than the maps that it slides over.

    Why: most of its taps only ever see padding, but are stored, loaded and multiplied.
    Remedy: a higher resolution, a smaller kernel or dilation, or fewer strides before it.
    Source: arXiv:1706.05587, section 3.3 and figure 4: weights of an atrous filter that see
    padding.
    """
    large = _along(_windows(subject, 2), lambda axis: axis.extent > axis.n and sum(axis.padded) > 0)
    if large:
        axis, nodes = large
        said = (
            f"{fmt.several(len(nodes), 'layer')} with kernels larger than the maps; "
            f"{nodes[0].layer} reaches over {axis.extent}, the {axis.name} of its input is {axis.n}"
        )
        yield Found(said, nodes, {"kernel": axis.extent, "size": axis.n, "layers": len(nodes)})


@rule("MB403", WARNING)
def collapsed(subject: Subject) -> Iterator[Found]:
    """The maps shrink to one pixel before the head.

    Looked at are windows of more than one tap, and global poolings, that get maps of 1x1 though no
    pooling of whole maps stands before.

    Why: from there on a 3x3 kernel multiplies one pixel and eight zeros, and the global pooling
    has nothing to pool.
    Remedy: a higher resolution, or fewer strides.
    Source: arXiv:1704.04861, section 3.3: the resolution multiplier is set by the input
    resolution.
    """
    empty, pooled = [], set[int]()
    for number, node in ((n, node) for n, node in enumerate(subject.nodes) if node.inputs):
        shape, kernel = node.in_shapes[0], node.op.geometry(node.in_shapes).kernel
        ends = area(node.out_shapes[0]) == 1
        whole = node.op.pools_whole or (ends and kernel == shape[1:])
        if all(edge.node in pooled for edge in node.inputs) or (whole and area(shape) > 1):
            pooled.add(number)
        elif shape[1:] == (1, 1) and (whole or node.op.windowed) and kernel != (1, 1):
            empty.append(node)
    if empty:
        res = subject.graph.image
        said = (
            f"at {res[1]}x{res[2]} the maps are 1x1 where {empty[0].layer} ({empty[0].op.word}) "
            f"gets them; {fmt.several(len(empty), 'layer')} left with one pixel"
        )
        yield Found(said, empty, {"layers": len(empty)})


class Field(NamedTuple):
    """A receptive field: its height and width, and the steps of the image from one to the next."""

    size: tuple[Fraction, Fraction]
    jump: tuple[Fraction, Fraction]


def receptive_fields(graph: Graph) -> list[Field | None]:
    """Return the receptive field of every node; None where it sees the whole image.

    r += (k_eff - 1)·j, j *= s on each axis; a join takes the largest of its inputs, and a gate
    leaves the field of what it weighs, or takes its own if that is larger. An op that changes the
    size divides the step.
    Raises: Undecided: paths of different steps meet.
    Source: google-research/receptive_field, python/util/receptive_field_computation.py.
    """
    pixel = (Fraction(1), Fraction(1))
    fields: list[Field | None] = []
    for node in graph.nodes:
        known = [Field(pixel, pixel) if e.node == IMAGE else fields[e.node] for e in node.inputs]
        seen = [field for field in known if field is not None]
        if node.op.sees_whole or not seen or (len(seen) < len(known) and not node.op.gates):
            fields.append(None)
            continue
        jumps = {field.jump for field in seen}
        if len(jumps) > 1 and not node.op.gates:
            raise Undecided(f"{node.name} joins maps of different steps")
        high, wide = (max(field.size[axis] for field in seen) for axis in (0, 1))
        jump = min(jumps, key=partial(_beside, graph, node))
        fields.append(_behind(node, Field((high, wide), jump)))
    return fields


def _beside(graph: Graph, node: Node, jump: tuple[Fraction, Fraction]) -> Fraction:
    """Return how far maps with a step are from covering the image.

    A gate weighs maps where they are: one that was made smaller and larger again on its way has
    steps that do not, and no say in the grid.
    """
    sizes = zip(jump, node.out_shapes[0][1:], graph.image[1:], strict=False)
    return sum((abs(step * made - image) for step, made, image in sizes), Fraction(0))


def _behind(node: Node, field: Field) -> Field:
    """Return the field behind a node; interpolation looks at the next pixel, too."""
    size, jump = list(field.size), list(field.jump)
    for i, sampled in enumerate(node.op.sampled(node.in_shapes, node.out_shapes)):
        size[i] += (sampled.taps - 1) * jump[i]
        jump[i] *= Fraction(sampled.of, sampled.made)
    for i, axis in enumerate(node.op.axes(node.in_shapes) if node.op.windowed else ()):
        size[i] += (axis.extent - 1) * jump[i]
        jump[i] *= axis.s
    return Field((size[0], size[1]), (jump[0], jump[1]))


@rule("MB404", ADVICE)
def narrow_view(subject: Subject) -> Iterator[Found]:
    """The receptive field is smaller than the input where the maps end.

    r += (k_eff - 1)·j and j *= s from layer to layer, k_eff = (k - 1)·d + 1; at a join the
    largest. The last maps are those that the global pooling or the first linear layer gets.
    Gates of a squeeze-and-excitation see the whole image and are left out. A block alone has no
    image, and in a network with attention all is seen.

    Why: no unit sees the whole object; what relates distant parts is left to an average or to a
    linear layer.
    Remedy: more or larger kernels, dilation, or an earlier stride; or a lower resolution.
    Source: google-research/receptive_field, README.md; arXiv:1705.07049.
    """
    # Attention, or another product of positions, lets all that stands behind it see the image.
    if not subject.is_network or any(node.op.mixes for node in subject.nodes):
        return
    fields = receptive_fields(subject.graph)
    last = _last_maps(subject, fields)
    if last is None:
        return
    node, image = subject.nodes[last[0]], subject.graph.image
    high, wide = last[1].size
    if high < image[1] or wide < image[2]:
        said = f"{node.layer} sees {high}x{wide} pixels of {image[1]}x{image[2]}"
        yield Found(said, [node], {"height": int(high), "width": int(wide)})


def _last_maps(subject: Subject, fields: Sequence[Field | None]) -> tuple[int, Field] | None:
    """Return the last node on the main path that does not see the whole image by its nature."""
    number = subject.graph.outputs[0].node
    while number >= 0:
        node, field = subject.nodes[number], fields[number]
        if field is not None:
            return number, field
        if area(node.out_shapes[0]) > 1 and not node.op.sees_whole:
            return None  # a path that sees the whole image has been joined
        if not node.inputs:
            return None
        number = widest(node).node
    return None


@rule("MB405", ADVICE)
def asymmetric_padding(subject: Subject) -> Iterator[Found]:
    """Padding of one side more than of the other, where PyTorch pads both alike.

    Looked at are layers whose rule (TensorFlow's SAME, or Keras') pads before and after by
    different amounts at this resolution, where the spec names that rule under padding, and
    explicit paddings that do.

    Why: a port with padding=k//2 has the same shapes and the same costs, and its maps are
    shifted by a pixel; accuracy drops with weights that were trained on the other side.
    Remedy: nothing for costs; ports of weights need an explicit pad, as timm's tf_ models have.
    Source: timm/layers/padding.py; tensorflow/python/ops/nn_ops.py, padding SAME.
    """
    ruled = subject.spec.definition.pads
    if odd := _along(
        subject.nodes,
        lambda axis: (
            axis.padded[0] != axis.padded[1] and (ruled or not isinstance(axis.padding, str))
        ),
    ):
        axis, nodes = odd
        before, after = axis.padded
        said = (
            f"{fmt.several(len(nodes), 'layer')} padded more on one side: {nodes[0].layer} by "
            f"({before}, {after}); PyTorch's padding is the same on both"
        )
        yield Found(said, nodes, {"layers": len(nodes), "before": before, "after": after})


@rule("MB406", ADVICE)
def skipped_pixels(subject: Subject) -> Iterator[Found]:
    """A stride larger than the kernel skips pixels.

    A window of k_h·k_w every s_h·s_w pixels reads (k_h·k_w)/(s_h·s_w) of them where k < s.

    Why: the rest was computed by the layers before, and is never read; ResNet's strided 1x1
    shortcuts drop three quarters of their input.
    Remedy: average pooling of that stride before an unstrided 1x1 convolution.
    Source: arXiv:1812.01187, section 4.2, ResNet-B and ResNet-D.
    """
    if bad := _along(_windows(subject, 2), lambda axis: axis.k < axis.s):
        node, *_ = nodes = bad[1]
        kernel, stride, *_ = node.op.geometry(node.in_shapes)
        high, wide = node.op.axes(node.in_shapes)
        part, whole = min(high.k, high.s) * min(wide.k, wide.s), high.s * wide.s
        said = (
            f"{fmt.several(len(nodes), 'layer')} skipping pixels; {node.layer} "
            f"({fmt.pair(kernel)}, stride {fmt.pair(stride)}) reads {part} of {whole}"
        )
        yield Found(said, nodes, {"layers": len(nodes), "read": part, "of": whole})


@rule("MB407", WARNING)
def padding_over_kernel(subject: Subject) -> Iterator[Found]:
    """Padding of more than half of a pooling's kernel, or as large as a convolution's.

    Looked at are paddings in numbers. PyTorch refuses a pooling with p > k/2, with or without
    dilation; it takes any padding of a convolution, of which the first window sees nothing but
    zeros where p >= (k - 1)·d + 1.

    Why: a spec that no framework builds describes no network; and a frame of zeros says nothing,
    while every layer behind pays for it.
    Remedy: p: same, or at most half of the kernel.
    Source: PyTorch, aten/src/ATen/native/Pool.h, pooling_output_shape and pool2d_shape_check, and
    the page of torch.nn.AvgPool3d, which states it.
    """
    windows = list(_windows(subject))
    pools = [node for node in windows if not node.op.multiplies]
    layers = [node for node in windows if node.op.multiplies]
    for nodes, over, why in (
        (pools, _over_half, "padding of more than half of the kernel, which PyTorch refuses"),
        (layers, _over_all, "windows of padding alone"),
    ):
        if bad := _along(nodes, over):
            axis, padded = bad
            amount, reach = max(axis.padded), axis.extent if over is _over_all else axis.k
            said = (
                f"{fmt.several(len(padded), 'layer')} with {why}; {padded[0].layer} pads {amount} "
                f"for a kernel of {reach}"
            )
            yield Found(said, padded, {"padding": amount, "kernel": reach, "layers": len(padded)})


def _over_half(axis: Axis) -> bool:
    return not isinstance(axis.padding, str) and 2 * max(axis.padding) > axis.k


def _over_all(axis: Axis) -> bool:
    return not isinstance(axis.padding, str) and max(axis.padding) >= axis.extent


@rule("MB408", WARNING)
def refused_size(subject: Subject) -> Iterator[Found]:
    """A size of those that a network or a block is meant for makes no network.

    Looked at is what ``sizes:`` states, of images of n by n, with the knobs as they are. Which
    sizes make a network is read off the conditions of the build, as mbprof sizes does.

    Why: branches that round an odd size differently do not join, and a map that is smaller than a
    window is refused; who finds out has trained at another size.
    Remedy: the sizes that mbprof sizes prints, or a resize before the join that fails.
    Source: the size formulas of torch.nn.Conv2d and torch.nn.MaxPool2d, section "Shape".
    """
    if (stated := subject.spec.definition.sizes) is None:
        return
    try:
        found = walked(subject.spec.definition, subject.network.knobs)
    except LimitError as error:
        raise Undecided(error.message) from None
    every = sorted({number for part in stated.ranges for number in part})
    if bad := [number for number in every if number not in found.square]:
        refused = subject.at("res", (bad[0], bad[0])).error
        why = f"; at {bad[0]}: {refused.message}" if refused else ""
        said = f"no network at {len(bad)} of {fmt.several(len(every), 'stated size')}{why}"
        said += f"; what works is {found.text}"
        yield Found(said, (), {"sizes": bad, "stated": len(every)}, loc=stated.scalar.loc)

"""Inference patch by patch: the first steps run on a part of their output at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import le
from typing import Any, TypeAlias

from mbprof.device.plan import Buffer, Plan, Rules, Step
from mbprof.errors import UsageError
from mbprof.language.record import NamedTuple
from mbprof.network.graph import Graph, Node

SIDES = (2, 3, 4)
"""How many patches a side are tried where nobody says how many."""

Interval: TypeAlias = tuple[int, int]
Intervals: TypeAlias = dict[int, Interval]


class Patches(NamedTuple):
    """The first steps up to ``last`` run in ``side`` x ``side`` patches of its output.

    ``patch_bytes`` are live while a patch runs, with the whole output of the last step, and
    ``rest_bytes`` in the steps behind it; ``overlap`` are the rows that neighbouring patches of the
    image share, and ``extra_macs`` those of what is computed several times.
    """

    side: int
    steps: tuple[str, ...]
    last: str
    patch_bytes: int
    rest_bytes: int
    overlap: int
    extra_macs: int
    macs: int

    @property
    def peak(self) -> int:
        """The peak of the whole network."""
        return max(self.patch_bytes, self.rest_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "patches": [self.side, self.side],
            "steps": list(self.steps),
            "last": self.last,
            "peak_bytes": self.peak,
            "patch_bytes": self.patch_bytes,
            "rest_bytes": self.rest_bytes,
            "overlap": self.overlap,
            "extra_macs": self.extra_macs,
            "extra_macs_share": self.extra_macs / self.macs if self.macs else 0.0,
        }


def best_patches(graph: Graph, plan: Plan, rules: Rules, side: int | None = None) -> Patches:
    """Return the stage and its patches with the lowest peak, of equals that with fewest extra MACs.

    A stage ends where a single tensor of maps is live, and none of its ops looks at whole maps.
    Every patch computes what its part of the stage's output depends on, so that neighbours compute
    what both need twice.
    Raises: UsageError: no stage can be split; there are fewer than 2 patches a side.
    Source: arXiv:2110.15352, section 3.1.
    """
    if side is not None and side < 2:
        raise UsageError(f"--patches {side}; at least 2 a side make patches")
    made = [
        patched(graph, plan, rules, last, number)
        for last in _stages(graph, plan)
        for number in ((side,) if side else SIDES)
        if number <= min(plan.buffers[plan.steps[last].gives[0]].shape[1:])
    ]
    if not made:
        raise UsageError("the first layers cannot be split into patches")
    return min(made, key=lambda found: (found.peak, found.extra_macs, found.side))


def _stages(graph: Graph, plan: Plan) -> Iterator[int]:
    """Yield the steps that a stage can end with."""
    spans = plan.spans()
    for number, step in enumerate(plan.steps):
        nodes = [graph.nodes[n] for n in step.nodes]
        if not all(map(_local, nodes)):
            return
        # Behind the step nothing else is live, the image of a network that keeps it aside.
        later = {b for b, (first, last) in spans.items() if first <= number < last}
        maps = len(step.gives) == 1 and len(plan.buffers[step.gives[0]].shape) == 3
        if maps and later == {*step.gives}:
            yield number


def _local(node: Node) -> bool:
    """Whether an output of a node depends on a window of its inputs, all of them maps."""
    maps = all(len(shape) == 3 for shape in (*node.in_shapes, *node.out_shapes))
    same = all(shape[1:] == node.out_shapes[0][1:] for shape in node.in_shapes)
    windowed = bool(node.op.axes(node.in_shapes)) and not node.op.sampled(
        node.in_shapes, node.out_shapes
    )
    return maps and not node.op.sees_whole and (windowed or same) and len(node.out_shapes) == 1


def patched(graph: Graph, plan: Plan, rules: Rules, last: int, side: int) -> Patches:
    """Return what a stage costs in patches."""
    steps = plan.steps[: last + 1]
    _, *size = plan.buffers[steps[-1].gives[0]].shape
    # What a patch takes of an axis does not depend on where it lies on the other one.
    down, across = (
        [_intervals(graph, plan, last, axis, part) for part in _parts(size[axis], side)]
        for axis in (0, 1)
    )
    inner = max(
        _held(plan, rules, steps, heights, widths)
        for heights in _longest(down)
        for widths in _longest(across)
    )
    macs = sum(
        _macs(graph, step, plan, _summed(down, step), _summed(across, step)) for step in steps
    )
    whole = sum(node.facts.mac for node in graph.nodes)
    first = sum(graph.nodes[n].facts.mac for step in steps for n in step.nodes)
    rest = plan.live()[last + 1 :]
    image = next((buffer for buffer in plan.starts if buffer in down[0]), None)
    overlap = 0 if image is None else max(0, down[0][image][1] - down[1][image][0])
    names = tuple(step.name for step in steps)
    return Patches(
        side, names, names[-1], inner, max(rest, default=0), overlap, macs - first, whole
    )


def _parts(size: int, count: int) -> list[Interval]:
    """Return an axis in parts that are as equal as can be."""
    return [(size * n // count, size * (n + 1) // count) for n in range(count)]


def _intervals(graph: Graph, plan: Plan, last: int, way: int, wanted: Interval) -> Intervals:
    """Return the part of every buffer's axis that a part of the stage's output depends on."""
    parts = {plan.steps[last].gives[0]: wanted}
    for step in reversed(plan.steps[: last + 1]):
        part = parts[step.gives[0]]
        for number in reversed(step.nodes):
            node = graph.nodes[number]
            if axes := node.op.axes(node.in_shapes):
                part = _before(axes[way], part)
        for buffer in step.takes:
            known = parts.get(buffer, part)
            parts[buffer] = min(known[0], part[0]), max(known[1], part[1])
    return parts


def _longest(parts: Sequence[Intervals]) -> list[dict[int, int]]:
    """Return the lengths of the parts of an axis, without those that others are nowhere below."""
    found: list[tuple[int, ...]] = []
    for lengths in {tuple(stop - first for first, stop in part.values()) for part in parts}:
        if not any(all(map(le, lengths, other)) for other in found):
            found = [other for other in found if not all(map(le, other, lengths))] + [lengths]
    return [dict(zip(parts[0], lengths, strict=True)) for lengths in found]


def _summed(parts: Sequence[Intervals], step: Step) -> int:
    """Return how much of an axis of a step's output is computed for all parts together."""
    return sum(stop - first for first, stop in (part[step.gives[0]] for part in parts))


def _before(axis: Any, interval: Interval) -> Interval:
    """Return what a part of a window's outputs takes of its input, without the padding."""
    first, stop = interval
    before, _ = axis.padded
    low = first * axis.s - before
    high = (stop - 1) * axis.s - before + axis.extent
    return max(0, min(low, axis.n)), max(0, min(high, axis.n))


def _held(
    plan: Plan,
    rules: Rules,
    steps: Sequence[Step],
    high: Mapping[int, int],
    wide: Mapping[int, int],
) -> int:
    """Return the bytes that are live while a patch runs, the whole output of the stage with it.

    The image lies there as a whole, if it counts; the last step writes into the whole output.
    """
    buffers = list(plan.buffers)
    for number in high.keys() - set(plan.starts):
        buffer = buffers[number]
        size = rules.dtype.size(buffer.shape[0] * high[number] * wide[number])
        buffers[number] = Buffer(buffer.name, buffer.shape, size)
    output = steps[-1].gives[0]
    buffers[output] = plan.buffers[output]._replace(size=0)
    part = Plan(tuple(buffers), tuple(_plain(steps)), plan.starts, plan.starts)
    return max(part.live()) + plan.buffers[output].size


def _plain(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps without what they write over, as the patches' sizes are others."""
    for step in steps:
        yield step._replace(over=())


def _macs(graph: Graph, step: Step, plan: Plan, height: int, width: int) -> int:
    """Return the MACs of a step on a part of its output."""
    _, high, wide = plan.buffers[step.gives[0]].shape
    macs = sum(graph.nodes[number].facts.mac for number in step.nodes)
    return macs * height * width // (high * wide)

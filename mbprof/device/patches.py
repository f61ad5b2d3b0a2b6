"""Inference patch by patch: the first steps run on a part of their output at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from mbprof.device.plan import Buffer, Plan, Rules, Step
from mbprof.errors import UsageError
from mbprof.network.graph import Graph, Node

SIDES = (2, 3, 4)
"""How many patches a side are tried where nobody says how many."""

Interval: TypeAlias = tuple[int, int]
Region: TypeAlias = tuple[Interval, Interval]


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
    _, high, wide = plan.buffers[steps[-1].gives[0]].shape
    rows, columns = _parts(high, side), _parts(wide, side)
    inner, macs = 0, 0
    images: list[Region | None] = []
    for vertical in rows:
        for horizontal in columns:
            regions = _regions(graph, plan, last, (vertical, horizontal))
            inner = max(inner, _held(plan, rules, steps, regions))
            macs += sum(_macs(graph, step, plan, regions) for step in steps)
            images.append(next((regions[b] for b in plan.starts if b in regions), None))
    whole = sum(node.facts.mac for node in graph.nodes)
    first = sum(graph.nodes[n].facts.mac for step in steps for n in step.nodes)
    rest = plan.live()[last + 1 :]
    first_row, below = images[0], images[side]
    overlap = max(0, first_row[0][1] - below[0][0]) if first_row and below else 0
    names = tuple(step.name for step in steps)
    return Patches(
        side, names, names[-1], inner, max(rest, default=0), overlap, macs - first, whole
    )


def _parts(size: int, count: int) -> list[Interval]:
    """Return an axis in parts that are as equal as can be."""
    return [(size * n // count, size * (n + 1) // count) for n in range(count)]


def _regions(graph: Graph, plan: Plan, last: int, wanted: Region) -> dict[int, Region]:
    """Return the part of every buffer that a part of the stage's output depends on."""
    regions = {plan.steps[last].gives[0]: wanted}
    for step in reversed(plan.steps[: last + 1]):
        region = regions[step.gives[0]]
        for number in reversed(step.nodes):
            node = graph.nodes[number]
            if node.op.axes(node.in_shapes):
                high, wide = (
                    _before(axis, interval)
                    for axis, interval in zip(node.op.axes(node.in_shapes), region, strict=True)
                )
                region = high, wide
        for buffer in step.takes:
            known = regions.get(buffer, region)
            high, wide = (
                (min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(known, region, strict=True)
            )
            regions[buffer] = high, wide
    return regions


def _before(axis: Any, interval: Interval) -> Interval:
    """Return what a part of a window's outputs takes of its input, without the padding."""
    first, stop = interval
    before, _ = axis.padded
    low = first * axis.s - before
    high = (stop - 1) * axis.s - before + axis.extent
    return max(0, min(low, axis.n)), max(0, min(high, axis.n))


def _held(plan: Plan, rules: Rules, steps: Sequence[Step], regions: dict[int, Region]) -> int:
    """Return the bytes that are live while a patch runs, the whole output of the stage with it.

    The image lies there as a whole, if it counts; the last step writes into the whole output.
    """
    buffers = list(plan.buffers)
    for number, region in regions.items():
        buffer = buffers[number]
        area = (region[0][1] - region[0][0]) * (region[1][1] - region[1][0])
        if number in plan.starts:
            continue
        buffers[number] = Buffer(
            buffer.name, buffer.shape, rules.dtype.size(buffer.shape[0] * area)
        )
    output = steps[-1].gives[0]
    buffers[output] = plan.buffers[output]._replace(size=0)
    part = Plan(tuple(buffers), tuple(_plain(steps)), plan.starts, plan.starts)
    return max(part.live()) + plan.buffers[output].size


def _plain(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps without what they write over, as the patches' sizes are others."""
    for step in steps:
        yield step._replace(over=())


def _macs(graph: Graph, step: Step, plan: Plan, regions: dict[int, Region]) -> int:
    """Return the MACs of a step on a patch: those of its part of the output."""
    _, high, wide = plan.buffers[step.gives[0]].shape
    (top, bottom), (left, right) = regions[step.gives[0]]
    macs = sum(graph.nodes[number].facts.mac for number in step.nodes)
    return macs * (bottom - top) * (right - left) // (high * wide)

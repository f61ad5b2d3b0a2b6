"""What training a network needs: parameters, gradients, optimiser state, saved activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from mbprof.device.plan import Plan, Rules, needed, plan
from mbprof.device.saved import Kept, kept, per_batch
from mbprof.errors import UsageError, unknown
from mbprof.language import dtypes, fmt
from mbprof.language.amounts import read_bytes, spelled_bytes
from mbprof.language.dtypes import Dtype
from mbprof.language.fmt import Value
from mbprof.language.record import record
from mbprof.network.graph import IMAGE, Graph
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.network.rows import within
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Report
from mbprof.output.writers import Result
from mbprof.symbolic.arithmetic import product

OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
"""The numbers that an optimiser keeps of every parameter, in single precision.

Source: torch.optim.SGD, torch.optim.Adam.
"""
_SINGLE, _LABEL = 4, 8


@record
class Segment:
    """A part that is run again for its gradients, of which ``starts`` bytes are kept."""

    name: str
    starts: int
    inside: int


@record
class Training(Result):
    """The memory of a training step, and its MACs.

    ``layers`` are the bytes that each layer saves of an image, the loss the last of them.
    """

    network: Network
    dtype: Dtype
    optimizer: str
    batch: int
    layers: Mapping[str, int]
    segments: tuple[Segment, ...]
    trained: int
    cast: int
    saved_bytes_per_batch: int
    forward_macs: int
    backward_macs: int
    fit: int | None = None

    @property
    def saved_bytes_per_image(self) -> int:
        """The bytes of activations that an image keeps, with checkpoints those and one segment."""
        if not self.segments:
            return sum(self.layers.values())
        inside = max(segment.inside for segment in self.segments)
        return sum(segment.starts for segment in self.segments) + inside + self.layers["loss"]

    @property
    def parameter_bytes(self) -> int:
        """The bytes of the trained parameters, in single precision, and of their casts."""
        return _SINGLE * self.trained + self.cast

    @property
    def gradient_bytes(self) -> int:
        """The bytes of the gradients."""
        return _SINGLE * self.trained

    @property
    def optimizer_bytes(self) -> int:
        """The bytes of the optimiser's state."""
        return _SINGLE * OPTIMIZERS[self.optimizer] * self.trained

    @property
    def fixed_bytes(self) -> int:
        """The bytes that do not depend on how many images there are."""
        held = self.parameter_bytes + self.gradient_bytes + self.optimizer_bytes
        return held + self.saved_bytes_per_batch

    @property
    def total_bytes(self) -> int:
        """The bytes of a step at the batch size."""
        return self.fixed_bytes + self.batch * self.saved_bytes_per_image

    @property
    def largest_batch(self) -> int | None:
        """The largest batch that fits; None where nothing was asked, 0 where no image does."""
        if self.fit is None:
            return None
        return max(0, (self.fit - self.fixed_bytes) // self.saved_bytes_per_image)

    @property
    def brief(self) -> str:
        """The network and what an image keeps."""
        return f"{self.network.brief}: {fmt.integer(self.saved_bytes_per_image)} bytes an image"

    @property
    def convention(self) -> dict[str, Any]:
        """What is counted, in words."""
        return {
            "saved": "what automatic differentiation in PyTorch saves, each storage once",
            "loss": "cross entropy: log-softmax of the output, and a label of 8 bytes",
            "activations": self.dtype.name,
            "parameters": "float32, with gradients and optimiser state"
            + (f"; weights cast to {self.dtype.name}" if self.cast else ""),
            "checkpoints": "borders of blocks, chosen for the least memory"
            if self.segments
            else "none",
            "backward": "2 MACs for each of the forward pass, 1 where the input is the image",
        }

    def report(self, layout: str = "page") -> Report:
        """Lay out what each layer saves, and the sums."""
        whole = sum(self.layers.values())
        rows = tuple(
            {"name": name, "saved": saved, "share": fmt.Ratio(saved, whole)}
            for name, saved in self.layers.items()
        )
        numbers = (
            "parameter_bytes", "gradient_bytes", "optimizer_bytes", "saved_bytes_per_image",
            "saved_bytes_per_batch", "total_bytes", "largest_batch", "forward_macs",
            "backward_macs",
        )  # fmt: skip
        data = {
            **stamp(self.network.spec.name, self.network.knobs),
            "batch": self.batch,
            "optimizer": self.optimizer,
            **{name: getattr(self, name) for name in numbers},
            "segments": [
                {"name": s.name, "kept_bytes": s.starts, "inside_bytes": s.inside}
                for s in self.segments
            ],
            "convention": self.convention,
            "layers": [{"name": row["name"], "saved_bytes": row["saved"]} for row in rows],
        }
        title = f"{self.network.brief}: training with {self.optimizer}, batch {self.batch}"
        total = {"name": "total", "saved": whole, "share": fmt.Ratio(whole, whole)}
        notes = tuple(self.notes())
        return Report(title, COLUMNS, rows, data, total, notes=notes, listed="layers")

    def notes(self) -> Iterable[str]:
        """Say the sums, the batch that fits, and what is counted."""
        number = fmt.integer
        yield (
            f"Parameters {number(self.parameter_bytes)}, gradients {number(self.gradient_bytes)}, "
            f"{self.optimizer} {number(self.optimizer_bytes)} bytes."
        )
        if self.segments:
            inside = max(self.segments, key=lambda segment: segment.inside)
            yield (
                f"Checkpoints: {fmt.several(len(self.segments), 'segment')}; the largest, from "
                f"{inside.name}, saves {number(inside.inside)} bytes while it is run again."
            )
        yield (
            f"Saved: {number(self.saved_bytes_per_image)} bytes an image and "
            f"{number(self.saved_bytes_per_batch)} a batch; in total "
            f"{number(self.total_bytes)} bytes ({spelled_bytes(self.total_bytes)})."
        )
        if self.fit is not None:
            yield f"Largest batch in {spelled_bytes(self.fit)}: {number(self.largest_batch or 0)}."
        yield (
            f"An image: {number(self.forward_macs)} MACs forward, "
            f"{number(self.backward_macs)} backward."
        )
        yield f"Counted: {'; '.join(f'{k}: {v}' for k, v in self.convention.items())}."


COLUMNS = (
    Column("name", "layer", "the layer", shrinks=True),
    Column("saved", "saved bytes", "bytes of an image that it is first to keep", fmt.integer, True),
    Column("share", "%", "share of all that is saved", lambda r: fmt.percent(*r), True, 3,
           rank=lambda ratio: ratio[0]),
)  # fmt: skip
"""The columns of what layers save."""


def training(
    spec: SpecLike,
    /,
    *,
    optimizer: str = "sgd",
    batch: int = 1,
    dtype: str = dtypes.DEFAULT,
    checkpoint: bool = False,
    fit: str | int | None = None,
    **knobs: Value,
) -> Training:
    """Return what a training step keeps: by layer, for one image, and in total for a batch.

    Parameters, gradients and the state of ``optimizer``, sgd, momentum or adam, are in single
    precision, what an image saves at ``dtype``. With ``checkpoint`` only the borders of segments
    are kept, and one segment at a time is run again. ``fit`` is the memory that the largest batch
    shall fit.
    Raises: UsageError: no such optimiser or type, a batch below 1. MbprofError: there is no network
    at these values.

    >>> found = training("torchvision:resnet50")
    >>> found.saved_bytes_per_image, found.saved_bytes_per_batch
    (85913512, 212484)
    """
    if optimizer not in OPTIMIZERS:
        raise unknown("optimizer", optimizer, OPTIMIZERS)
    if batch < 1:
        raise UsageError(f"--batch is {batch}; it must be at least 1")
    chosen = dtypes.dtype(dtype)
    if not chosen.activation.lstrip("b").startswith("float") or chosen.activation != chosen.weight:
        raise UsageError(f"--dtype {dtype}: training needs floats of one type")
    network = as_network(spec, **knobs)
    graph, size = network.compiled, chosen.bits // 8
    wanted = needed(graph)
    saved = list(kept(graph, wanted))
    layers: dict[str, int] = {}
    for item in saved:
        layer = graph.nodes[item.node].layer
        layers[layer] = layers.get(layer, 0) + _bytes(item, size)
    layers["loss"] = _loss(graph, size)
    used = [node for node, use in zip(within(graph, "all"), wanted, strict=True) if use]
    trained = sum(node.facts.trainable for node in used)
    kernels = sum(node.facts.kernels for node in used)
    forward = sum(node.facts.mac for node in used)
    first = sum(n.facts.mac for n in _on_image(graph, wanted))
    backward = 2 * forward - first
    segments = _segments(graph, saved, size) if checkpoint else ()
    return Training(
        network, chosen, optimizer, batch, layers, segments, trained,
        0 if size == _SINGLE else size * kernels, per_batch(graph, wanted),
        forward, backward + (forward if checkpoint else 0),
        read_bytes(fit) if isinstance(fit, str) else fit,
    )  # fmt: skip


def _bytes(item: Kept, size: int) -> int:
    return item.elements * (item.bytes or size)


def _loss(graph: Graph, size: int) -> int:
    """Return what the loss saves: the log of the shares of the classes, unless they are there."""
    outputs = [graph.nodes[edge.node] for edge in graph.results if edge.node != IMAGE]
    shares = sum(product(node.out_shapes[0]) for node in outputs if not node.op.shares)
    return size * shares + _LABEL * len(graph.results)


def _on_image(graph: Graph, wanted: Sequence[bool]) -> Iterable[Any]:
    """Yield the nodes whose inputs need no gradient: nothing that is trained comes before them."""
    trained: list[bool] = []
    for node, use in zip(graph.nodes, wanted, strict=True):
        before = any(edge.node != IMAGE and trained[edge.node] for edge in node.inputs)
        trained.append(before or node.facts.trainable > 0)
        if use and not before:
            yield node


def _segments(graph: Graph, saved: Sequence[Kept], size: int) -> tuple[Segment, ...]:
    """Return the segments whose borders and largest inside take the least memory together.

    A border lies before a block that a single tensor enters.
    """
    planned = plan(graph, Rules(fuse=False))
    starts = _borders(graph, planned)
    ends = [*[at for at, _ in starts[1:]], len(graph.nodes)]
    inside = [
        sum(_bytes(item, size) for item in saved if at <= item.node < end)
        for (at, _), end in zip(starts, ends, strict=True)
    ]
    # What enters a segment is kept already, unless the segment before is part of the same one.
    entered = [
        sum(_bytes(item, size) for item in saved if at <= item.node < end and item.before(at))
        for (at, _), end in zip(starts, ends, strict=True)
    ]
    sums = [0, *accumulate(inside)]

    def cost(i: int, j: int) -> int:
        return sums[j] - sums[i] - entered[i]

    kept_at = [product(shape) * size for _, shape in starts]
    chosen = _cut(kept_at, cost)
    stops = [*chosen[1:], len(starts)]
    return tuple(
        Segment(graph.nodes[starts[i][0]].layer, kept_at[i], cost(i, j))
        for i, j in zip(chosen, stops, strict=True)
    )


def _cut(kept_at: Sequence[int], cost: Callable[[int, int], int]) -> list[int]:
    """Return where to begin segments so that all borders and the largest inside are least.

    For each size that the largest can have, the borders that leave none larger are chosen for
    their sum.
    """
    count = len(kept_at)
    pairs = [(i, j) for j in range(1, count + 1) for i in range(j)]
    best: tuple[int, list[int]] = (sum(kept_at) + sum(cost(i, i + 1) for i in range(count)), [0])
    for most in sorted({cost(i, j) for i, j in pairs}):
        if most >= best[0]:
            break
        sums: dict[int, tuple[int, list[int]]] = {0: (0, [])}
        for i, j in pairs:
            if i in sums and cost(i, j) <= most:
                total = sums[i][0] + kept_at[i]
                if j not in sums or total < sums[j][0]:
                    sums[j] = total, [*sums[i][1], i]
        if count in sums and sums[count][0] + most < best[0]:
            best = sums[count][0] + most, sums[count][1]
    return best[1]


def _borders(graph: Graph, planned: Plan) -> list[tuple[int, tuple[int, ...]]]:
    """Return the nodes that begin a segment, with the shape of the tensor that enters it."""
    borders = [(0, graph.image)]
    spans = planned.spans()
    for at, step in enumerate(planned.steps[1:], 1):
        number = step.nodes[0]
        live = [b for b, (first, last) in spans.items() if first < at <= last]
        new = graph.nodes[number].block != graph.nodes[number - 1].block
        if new and len(live) == 1:
            borders.append((number, planned.buffers[live[0]].shape))
    return borders

"""How much memory a network needs on a device: live bytes, the best order, the arena, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbprof.device.arena import arena
from mbprof.device.order import SECONDS, Best, best_order
from mbprof.device.own import Own, plan_of, program_of
from mbprof.device.patches import Patches, best_patches
from mbprof.device.plan import Plan, Rules, plan, weight_bytes
from mbprof.errors import UsageError
from mbprof.language import dtypes, fmt
from mbprof.language.fmt import Value
from mbprof.language.record import record
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Report
from mbprof.output.writers import Result

_MOST = 6
"""So many tensors of the peak are named in a note."""


@record
class Memory(Result):
    """The memory that a network needs, step by step in its own order, and in the best one."""

    network: Network
    rules: Rules | Own
    plan: Plan
    best: Best
    weight_bytes: int
    patches: Patches | None = None

    @property
    def live(self) -> list[int]:
        """The live bytes of every step."""
        return self.plan.live()

    @property
    def peak_bytes(self) -> int:
        """The most bytes that are live at a step."""
        return max(self.live, default=0)

    @property
    def peak_at(self) -> str:
        """The first step that holds the most."""
        live = self.live
        return self.plan.steps[live.index(max(live))].name if live else ""

    @property
    def order(self) -> tuple[str, ...]:
        """The steps in the best order, which is the spec's own where none is better."""
        return tuple(self.plan.steps[number].name for number in self.best.order)

    @property
    def arena_bytes(self) -> int:
        """The bytes that the greedy planner needs for the network's own order."""
        return arena(self.plan.regions())

    @property
    def alive(self) -> list[dict[str, Any]]:
        """The tensors that are alive at the peak, from the largest to the smallest."""
        live = self.live
        if not live:
            return []
        held = self.plan.held()[live.index(max(live))]
        buffers = sorted((self.plan.buffers[b] for b in held), key=lambda b: -b.size)
        return [{"name": b.name, "shape": list(b.shape), "bytes": b.size} for b in buffers]

    @property
    def brief(self) -> str:
        """The network and its peak."""
        return f"{self.network.brief}: {fmt.integer(self.peak_bytes)} bytes at {self.peak_at}"

    def report(self, layout: str = "page") -> Report:
        """Lay the steps out, with what is live at each."""
        peak = self.peak_bytes
        rows = tuple(_rows(self.plan, self.live, peak))
        best = self.plan.live(self.best.order)
        data = {
            **stamp(self.network.spec.name, self.network.knobs),
            "peak_bytes": peak,
            "peak_at": self.peak_at,
            "alive": self.alive,
            "order": list(self.order),
            "best_peak_bytes": self.best.peak,
            "best_bound_bytes": self.best.bound,
            "arena_bytes": self.arena_bytes,
            "best_arena_bytes": arena(self.plan.regions(self.best.order)),
            "weight_bytes": self.weight_bytes,
            "convention": self.rules.to_dict(),
            "steps": [_data(row) for row in rows],
            "best_live_bytes": best,
            **({"patches": self.patches.to_dict()} if self.patches else {}),
        }
        title = f"{self.network.brief}, {self.rules.types}: memory"
        return Report(title, COLUMNS, rows, data, notes=tuple(self.notes()), listed="steps")

    def notes(self) -> Sequence[str]:
        """Say the peak and what is alive there, the best order, the arena and the weights."""
        number = fmt.integer
        largest = [f"{t['name']} {number(t['bytes'])}" for t in self.alive]
        shown = "; ".join(largest[:_MOST]) + ("; ..." if len(largest) > _MOST else "")
        best = self.best
        proven = "" if best.exact else f", and none is below {number(best.bound)}"
        gain = "no order has a lower one" if best.exact else "no better order was found in time"
        notes = [
            f"Peak: {number(self.peak_bytes)} bytes at {self.peak_at}: {shown}.",
            f"Best order: {number(best.peak)} bytes{proven}."
            if best.peak < self.peak_bytes
            else f"Best order: this one; {gain}{proven}.",
            f"Arena: {number(self.arena_bytes)} bytes, greedy by size, aligned to 16 bytes.",
            f"Weights: {number(self.weight_bytes)} bytes.",
        ]
        if found := self.patches:
            more = fmt.percent(found.extra_macs, found.macs)
            notes.append(
                f"Patches: {found.side}×{found.side} of the {fmt.several(len(found.steps), 'step')}"
                f" up to {found.last}: {number(found.peak)} bytes; they overlap by "
                f"{fmt.several(found.overlap, 'row')} and cost {more} % more MACs."
            )
        return [*notes, f"Counted: {self.rules.said}."]


COLUMNS = (
    Column("name", "step", "the op that runs, with what is fused to it", shrinks=True),
    Column("takes", "takes", "bytes of what it takes", fmt.integer, True, yields=3),
    Column("gives", "gives", "bytes of what it gives", fmt.integer, True, yields=2),
    Column("kept", "kept", "bytes that others need later", fmt.integer, True, yields=1),
    Column("live_bytes", "live bytes", "bytes that are live while it runs", fmt.integer, True),
    Column("share", "of peak", "share of the peak", lambda r: fmt.percent(*r), True, yields=5,
           rank=lambda ratio: ratio[0]),
    Column("bar", "", "share of the peak, drawn", lambda r: fmt.bar(*r), False, 7,
           rank=lambda ratio: ratio[0]),
)  # fmt: skip
"""The columns of steps."""


def _rows(plan: Plan, live: Sequence[int], peak: int) -> Sequence[Mapping[str, Any]]:
    held = plan.held()
    rows = []
    for number, step in enumerate(plan.steps):
        size = {b: plan.buffers[b].size for b in {*step.takes, *step.gives, *held[number]}}
        others = {*held[number]} - {*step.takes, *step.gives}
        share = fmt.Ratio(live[number], peak)
        rows.append(
            {
                "name": step.name,
                "takes": sum(size[b] for b in step.takes),
                "gives": sum(size[b] for b in step.gives),
                "kept": sum(size[b] for b in others),
                "live_bytes": live[number],
                "share": share,
                "bar": share,
            }
        )
    return rows


def _data(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("share", "bar")}


def memory(
    spec: SpecLike,
    /,
    *,
    dtype: str | None = None,
    inplace: Sequence[str] = (),
    fuse: bool = True,
    image: bool = True,
    patches: int | bool = False,
    seconds: float = SECONDS,
    **knobs: Value,
) -> Memory:
    """Return the memory that a network's tensors need at inference of one image, step by step.

    A tensor is live from the step that writes it to the last that reads it; weights lie apart.
    ``inplace`` names ops that write over an input, of add, depthwise, elementwise, concat; with
    ``fuse`` norms and activations run with the op before them; ``image`` counts the input. With
    ``patches`` the first steps also run in so many patches a side, or as many as is best. The best
    order is looked for so many ``seconds`` at most. Without a ``dtype`` a .tflite file is taken as
    it stands, with its own types, operators and order; other networks are float32.
    Raises: UsageError: no such type or in-place op, or one for a file as it stands. MbprofError:
    there is no network at these values.

    >>> found = memory("mobilenet_v2", dtype="int8", inplace=["depthwise"])
    >>> found.peak_bytes, found.peak_at, found.best.peak
    (1404928, 'layer_3/expand', 1404928)
    """
    network = as_network(spec, **knobs)
    if dtype is None and (own := program_of(network)) is not None:
        if inplace or not fuse or not image or patches is not False:
            message = "a file is executed as it stands: in place, fused and in patches is nothing"
            raise UsageError(message, hint="with --dtype its layers are planned instead")
        as_it_stands = plan_of(own)
        best = best_order(as_it_stands, seconds)
        return Memory(network, Own(own.types), as_it_stands, best, own.weight_bytes)
    rules = Rules(dtypes.dtype(dtype or dtypes.DEFAULT), tuple(inplace), fuse, image)
    graph = network.compiled
    planned = plan(graph, rules)
    side = None if patches is True else patches or None
    found = best_patches(graph, planned, rules, side) if patches is not False else None
    best = best_order(planned, seconds)
    return Memory(network, rules, planned, best, weight_bytes(graph, rules), found)

"""What each layer of a network needs on a device, and what several of them need together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from mbprof.device.lanes import TIME, Needs
from mbprof.device.latency import latency
from mbprof.device.plan import plan, weights_of
from mbprof.language.record import NamedTuple
from mbprof.network.load import Network
from mbprof.network.rows import Row
from mbprof.output.model import Column

BOUND = Column("bound", "bound", "what takes longest: compute, memory or launch", yields=1)
"""The column that says what bounds a part; of the others a sweep has the same."""


class Part(NamedTuple):
    """What a layer needs: most bytes live while it runs, bytes of weights, seconds by their bound.

    Several need the most memory of one of them, and the sums of the rest.
    """

    live: int = 0
    weights: int = 0
    seconds: Mapping[str, float] = {}

    def __add__(self, more: object) -> Part:
        """Return what both need."""
        if not isinstance(more, Part):
            return NotImplemented
        bounds = dict.fromkeys((*self.seconds, *more.seconds))
        both = {b: self.seconds.get(b, 0.0) + more.seconds.get(b, 0.0) for b in bounds}
        return Part(max(self.live, more.live), self.weights + more.weights, both)

    def values(self, needs: Needs) -> dict[str, Any]:
        """Return the numbers of what is asked for by their columns."""
        memory = {"peak_bytes": self.live, "weight_bytes": self.weights} if needs.rules else {}
        if not needs.device:
            return memory
        longest = max(self.seconds, key=lambda bound: self.seconds[bound], default="")
        return memory | {TIME: round(sum(self.seconds.values()) * 1e9), "bound": longest or None}


def columns(needs: Needs) -> tuple[str, ...]:
    """Return the columns of parts."""
    names = [name for name in needs.names if name != "activations"]
    return (*names, *(("bound",) if needs.device else ()))


def of_layers(network: Network, needs: Needs) -> dict[str, Part]:
    """Return what every layer needs, by its name; the network runs in its own order.

    >>> from mbprof.device.lanes import needs
    >>> from mbprof.network.load import load
    >>> asked = needs("int8", "stm32f746")
    >>> parts = of_layers(load("mlperf_tiny_vww").build(), asked)
    >>> parts["Conv2d_0"].values(asked)
    {'peak_bytes': 46080, 'weight_bytes': 248, 'latency_ns': 1152000, 'bound': 'compute'}
    """
    graph = network.compiled
    live: dict[str, int] = {}
    weights: Mapping[str, int] = {}
    seconds: dict[str, Mapping[str, float]] = {}
    if needs.rules is not None:
        planned = plan(graph, needs.rules)
        for step, bytes_live in zip(planned.steps, planned.live(), strict=True):
            for name in {graph.nodes[number].layer for number in step.nodes}:
                live[name] = max(live.get(name, 0), bytes_live)
        weights = weights_of(graph, needs.rules)
    if needs.device is not None and needs.dtype is not None:
        timed = latency(network, needs.device, dtype=needs.dtype.name)
        seconds = {
            layer.name: {layer.bound: layer.seconds} for layer in timed.layers if layer.bound
        }
    names = dict.fromkeys(node.layer for node in graph.nodes)
    return {n: Part(live.get(n, 0), weights.get(n, 0), seconds.get(n, {})) for n in names}


def of_groups(
    network: Network, needs: Needs, groups: Mapping[str, Sequence[Row]]
) -> dict[str, dict[str, Any]]:
    """Return the numbers of groups of layers by the groups' names."""
    parts = of_layers(network, needs)
    return {
        name: joined(parts[row.name] for row in rows).values(needs) for name, rows in groups.items()
    }


def joined(parts: Iterable[Part]) -> Part:
    """Return what several need together."""
    return reduce(add, parts, Part())

"""What configurations need on a device, as counts that a traced build computes in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mbprof.device.plan import Rules, plan, weight_bytes
from mbprof.device.profiles import Device, kind_of, peak_of
from mbprof.device.profiles import device as device_of
from mbprof.errors import UsageError
from mbprof.language import dtypes, fmt
from mbprof.language.dtypes import Dtype
from mbprof.language.record import record
from mbprof.network.graph import Graph
from mbprof.network.measures import COLUMNS as MEASURED
from mbprof.network.measures import traffics
from mbprof.output.model import Column
from mbprof.symbolic.arithmetic import added, maximum

MEMORY = ("activations", "peak_bytes", "weight_bytes")
TIME = "latency_ns"

COLUMNS = {
    column.name: column
    for column in (
        MEASURED["activations"],
        Column("peak_bytes", "peak bytes", "live bytes at the peak", fmt.integer, True),
        Column("weight_bytes", "weight bytes", "bytes of all stored values", fmt.integer, True, 2),
        Column(TIME, "latency ns", "nanoseconds on the device", fmt.integer, True),
    )
}
"""The columns of a sweep that say what a network needs."""

_PICO, _NANO = 10**12, 1000


@record
class Needs:
    """What is asked for of every configuration: memory at a type, time on a device, or both."""

    rules: Rules | None = None
    device: Device | None = None
    dtype: Dtype | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return (*(MEMORY if self.rules else ()), *((TIME,) if self.device else ()))

    @property
    def stamp(self) -> dict[str, Any]:
        """What is needed is counted by, as plain data."""
        return {
            **({"memory": self.rules.to_dict()} if self.rules else {}),
            **({"device": self.device.name} if self.device else {}),
            **({"dtype": self.dtype.name} if self.dtype else {}),
        }

    @property
    def said(self) -> str:
        """What is needed is counted by, in a sentence."""
        memory = f"Memory, in the network's own order: {self.rules.said}." if self.rules else ""
        name = self.device.name if self.device else ""
        time = f"Time on {name} at {self.dtype.name}." if self.dtype else ""
        return " ".join(filter(None, (memory, time)))

    def of(self, graph: Graph) -> dict[str, int]:
        """Return the numbers of a graph by their columns."""
        return dict(zip(self.names, self.counts(graph), strict=True))

    def counts(self, graph: Graph) -> Sequence[Any]:
        """Return the numbers of the columns for a graph, whose shapes may be symbols."""
        moved = traffics(graph)
        counts: list[Any] = []
        if self.rules is not None:
            acts = added(layer.activations for layer in moved.values())
            counts += [acts, plan(graph, self.rules).peak(), weight_bytes(graph, self.rules)]
        if self.device is not None:
            counts.append(added(self.picoseconds(moved.values())) // _NANO)
        return counts

    def picoseconds(self, layers: Any) -> Iterator[Any]:
        """Yield the time of each layer and of the constant, as `latency` has it, rounded down."""
        assert self.device is not None
        assert self.dtype is not None
        device, dtype = self.device, self.dtype
        fitted = device.fit if device.peak is None else None
        if fitted is not None:
            per = fitted.seconds
            yield round(per.get("constant", 0.0) * _PICO)
        room: Any = device.onchip
        for layer in layers:
            macs = layer.mac + layer.mixed
            if fitted is not None:
                yield _times(macs, per.get("mac", 0.0))
                yield _times(layer.activations, per.get("activation", 0.0))
                yield _times(layer.weights + layer.biases, per.get("param", 0.0))
                continue
            time = _times(macs, 1 / peak_of(device, dtype.activation))
            weights = layer.stored(dtype)
            if room is not None:
                beyond = maximum(weights - room, 0)
                room, weights = room - (weights - beyond), beyond
            activations = dtype.size(layer.taken + layer.given)
            for moved, speed in device.ways(activations, weights):
                time = maximum(time, _times(moved, 1 / speed))
            yield time + (round(device.launch * _PICO) if device.launch else 0)


def _times(count: Any, seconds: float) -> Any:
    """Return so many times some seconds in picoseconds, in whole numbers and rounded down."""
    each = seconds * _PICO
    if not each or (isinstance(count, int) and not count):
        return 0
    # Two whole numbers whose quotient is that, to a millionth.
    down = 1
    while each * down < 1_000_000 and down < 1_000_000_000:
        down *= 10
    return count * round(each * down) // down


def needs(dtype: str | None, device: str | None) -> Needs | None:
    """Return what is asked for, None for nothing.

    Raises: UsageError: there is no such type or device, or it lacks the type; its arithmetic is
    that of an array, whose cycles are no matter of a sweep.
    """
    rules = Rules(dtypes.dtype(dtype)) if dtype is not None else None
    if device is None:
        return Needs(rules) if rules else None
    chosen = device_of(device)
    if chosen.array is not None:
        raise UsageError(f"{chosen.name} is an array", hint="mbprof latency has its cycles")
    return Needs(rules, chosen, kind_of(chosen, dtype)[0])

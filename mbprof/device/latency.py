"""How long a network takes on a device, layer by layer, and what bounds each layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mbprof.device.plan import Rules, plan, weight_bytes
from mbprof.device.profiles import Device, kind_of, peak_of
from mbprof.device.profiles import device as device_of
from mbprof.device.systolic import gemms
from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.amounts import spelled_bytes
from mbprof.language.dtypes import Dtype
from mbprof.language.fmt import Value
from mbprof.language.record import NamedTuple, record
from mbprof.network.graph import Graph
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.network.measures import Traffic, traffics
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Report
from mbprof.output.writers import Result


class Layer(NamedTuple):
    """A layer on a device: seconds of arithmetic, of memory, and of its start.

    ``moved`` are the bytes to and from memory off the chip, ``use`` the share of multipliers and
    cycles of an array that multiply.
    """

    name: str
    macs: int
    moved: int
    compute: float
    memory: float
    launch: float = 0.0
    use: float | None = None

    @property
    def seconds(self) -> float:
        """The larger of arithmetic and memory, which overlap, and the start."""
        return max(self.compute, self.memory) + self.launch

    @property
    def bound(self) -> str:
        """What takes longest: compute, memory or launch."""
        times = {"compute": self.compute, "memory": self.memory, "launch": self.launch}
        return max(times, key=lambda name: times[name]) if self.seconds else ""


@record
class Latency(Result):
    """The time of a network on a device; the layers' times and the constant add up to it."""

    network: Network
    device: Device
    dtype: Dtype
    batch: int
    layers: tuple[Layer, ...]
    mode: str
    constant: float = 0.0
    streamed: int = 0
    fitted: float | None = None
    peak_bytes: int = 0
    weight_bytes: int = 0

    @property
    def seconds(self) -> float:
        """The seconds of a batch."""
        return sum(layer.seconds for layer in self.layers) + self.constant

    @property
    def brief(self) -> str:
        """The network, the device and the time."""
        return f"{self.network.brief} on {self.device.name}: {_time(self.seconds)}"

    @property
    def shares(self) -> dict[str, float]:
        """The share of the time that is bound by each of compute, memory and launch."""
        whole = sum(layer.seconds for layer in self.layers)
        shares = dict.fromkeys(("compute", "memory", "launch"), 0.0)
        for layer in self.layers:
            if layer.bound:
                shares[layer.bound] += layer.seconds / whole
        return shares

    def report(self, layout: str = "page") -> Report:
        """Lay the layers out, with what bounds each."""
        whole = self.seconds
        rows = tuple(_row(layer, whole) for layer in self.layers if layer.seconds)
        array = self.device.array is not None and self.mode == "roofline"
        shown = tuple(column for column in COLUMNS if column.name != "use" or array)
        total = {
            "name": "total",
            "macs": sum(layer.macs for layer in self.layers),
            "bytes": sum(layer.moved for layer in self.layers),
            "seconds": whole,
        }
        data = {
            **stamp(self.network.spec.name, self.network.knobs),
            "device": self.device.name,
            "sources": list(self.device.sources),
            "dtype": self.dtype.name,
            "batch": self.batch,
            "mode": self.mode,
            "total_seconds": whole,
            "total_ms": whole * 1e3,
            "fitted_ms": None if self.fitted is None else self.fitted * 1e3,
            "bound_by": self.shares,
            "streamed_weight_bytes": self.streamed,
            "layers": [{n: v for n, v in row.items() if n != "share"} for row in rows],
        }
        title = f"{self.network.brief}, {self.dtype.name}, on {self.device.name}"
        return Report(title, shown, rows, data, total, notes=tuple(self.notes()), listed="layers")

    def notes(self) -> Iterator[str]:
        """Say what the time is bound by, what does not fit, and how it was worked out."""
        bounds = [
            f"{fmt.percent(round(v * 1000), 1000)} % {k}" for k, v in self.shares.items() if v
        ]
        yield f"Time: {_time(self.seconds)} for a batch of {self.batch}; {', '.join(bounds)} bound."
        if self.fitted is not None:
            yield f"Fitted to measurements: {_time(self.fitted)}{self._error()}."
        elif self.mode == "fit":
            yield f"Each layer as fitted to measurements{self._error()}."
        else:
            yield (
                "Each layer takes the longer of arithmetic and memory at the device's peaks, which "
                "networks seldom reach; compare layers and networks, not clocks."
            )
        if self.streamed:
            yield (
                f"{fmt.integer(self.streamed)} bytes of weights do not fit on the chip and are "
                "streamed."
            )
        needs = ((self.peak_bytes, self.device.ram, "memory"),
                 (self.weight_bytes, self.device.flash, "flash"))  # fmt: skip
        for need, has, what in needs:
            if has is not None and need > has:
                there = spelled_bytes(has)
                yield f"Does not fit: {spelled_bytes(need)} of {what}, {there} are there."
        if self.mode == "roofline" and not self.device.bandwidth:
            yield f"The bandwidth of {self.device.name} is not known; memory takes no time here."

    def _error(self) -> str:
        fit = self.device.fit
        if fit is None or fit.error is None:
            return ""
        return f", {fmt.percent(round(fit.error * 1000), 1000)} % off on average ({fit.doc})"


def _row(layer: Layer, whole: float) -> Mapping[str, Any]:
    return {
        "name": layer.name,
        "macs": layer.macs,
        "bytes": layer.moved,
        "intensity": 2 * layer.macs / layer.moved if layer.moved else None,
        "compute": layer.compute,
        "memory": layer.memory,
        "seconds": layer.seconds,
        "bound": layer.bound,
        "use": layer.use,
        "share": layer.seconds / whole,
    }


def _time(seconds: float) -> str:
    """Write a time in the unit that suits it.

    >>> _time(0.00123), _time(0.0000042), _time(2.5)
    ('1.230 ms', '4.200 µs', '2.500 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3f} {unit}"
    return f"{seconds * 1e9:.3f} ns"


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.2f}"


COLUMNS = (
    Column("name", "layer", "the layer, its ops fused", shrinks=True),
    Column("macs", "MACs", "multiply-accumulates of the batch", fmt.integer, True, yields=3),
    Column("bytes", "bytes", "to and from memory off the chip", fmt.integer, True, yields=4),
    Column("intensity", "FLOPs/B", "2·MACs a byte", lambda i: f"{i:.1f}", True, 5, absent="–"),
    Column("compute", "compute µs", "seconds of arithmetic at the peak", _micro, True, 2),
    Column("memory", "memory µs", "seconds of memory", _micro, True, 2),
    Column("use", "use %", "share of an array's multipliers and cycles that multiply",
           lambda u: f"{100 * u:.1f}", True, 2, absent="–"),
    Column("seconds", "µs", "seconds that it takes", _micro, True),
    Column("bound", "bound", "what takes longest: compute, memory or launch"),
    Column("share", "%", "share of the time", lambda s: f"{100 * s:.1f}", True, 3),
)  # fmt: skip
"""The columns of layers on a device."""


def latency(
    spec: SpecLike,
    /,
    device: str | Device,
    *,
    dtype: str | None = None,
    batch: int = 1,
    **knobs: Value,
) -> Latency:
    """Return how long a network takes on a device, by layer, and what bounds each.

    max(MACs / peak, bytes / bandwidth) + launch for each layer, whose ops are fused. Weights stay
    on the chip from the first layer on, as far as they fit; those beyond are streamed. Where the
    device's file holds an array, arithmetic takes its cycles; where it holds only a fit, a layer
    takes what was fitted for its MACs and activations. Without ``dtype`` the device's first one.
    Raises: UsageError: no such device, or it lacks the type. MbprofError: there is no network at
    these values.
    Source: hahnyuan/LLM-Viewer, the roofline of a layer; Arm Vela `PERFORMANCE.md`, for the sum.

    >>> found = latency("mlperf_tiny_vww", "ethos_u55_128")
    >>> found.layers[0].bound, round(found.seconds * 1e6)
    ('memory', 514)
    """
    chosen = device_of(device) if isinstance(device, str) else device
    if batch < 1:
        raise UsageError(f"--batch is {batch}; it must be at least 1")
    kind, mode = kind_of(chosen, dtype)
    network = as_network(spec, **knobs)
    graph = network.compiled
    moved = traffics(graph)
    rules = Rules(kind)
    counts = _counts(graph, moved.values(), batch)
    made, streamed = (
        _roofline(chosen, graph, moved, kind, batch)
        if mode == "roofline"
        else (_as_fitted(chosen, moved, kind, batch), 0)
    )
    fit = chosen.fit
    beside = fit.of(counts) if fit and mode == "roofline" and fit.dtype == kind.name else None
    return Latency(
        network, chosen, kind, batch, tuple(made), mode,
        fit.seconds.get("constant", 0.0) if fit and mode == "fit" else 0.0,
        streamed, beside, plan(graph, rules).peak(), weight_bytes(graph, rules),
    )  # fmt: skip


def _counts(graph: Graph, moved: Any, batch: int) -> dict[str, int]:
    """Return the counts that fits are made of."""
    traffic = sum(moved, Traffic())
    return {
        "mac": batch * (traffic.mac + traffic.mixed),
        "activation": batch * traffic.activations,
        "param": sum(node.facts.trainable for node in graph.nodes),
    }


def _as_fitted(
    device: Device, moved: Mapping[str, Traffic], dtype: Dtype, batch: int
) -> Iterator[Layer]:
    """Yield layers that take what was fitted for their MACs, activations and parameters."""
    assert device.fit is not None
    per = device.fit.seconds
    for name, layer in moved.items():
        macs = batch * (layer.mac + layer.mixed)
        memory = batch * layer.activations * per.get("activation", 0.0)
        memory += (layer.weights + layer.biases) * per.get("param", 0.0)
        compute = macs * per.get("mac", 0.0)
        # What was fitted adds up, it does not overlap.
        bytes_moved = batch * dtype.size(layer.taken + layer.given) + layer.stored(dtype)
        yield Added(name, macs, bytes_moved, compute, memory)


class Added(Layer):
    """A layer whose arithmetic and memory follow each other, as in a fitted sum."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        """The sum of both."""
        return self.compute + self.memory + self.launch


def _roofline(
    device: Device, graph: Graph, moved: Mapping[str, Traffic], dtype: Dtype, batch: int
) -> tuple[list[Layer], int]:
    """Return the layers at the device's peaks, and the bytes of weights that are streamed."""
    room = device.onchip or 0
    stays, streamed, made = device.onchip is not None, 0, []
    cycles = _cycles(device, graph, batch) if device.array else {}
    for name, layer in moved.items():
        macs = batch * (layer.mac + layer.mixed)
        weights = layer.stored(dtype)
        if stays:
            kept = min(room, weights)
            room, weights = room - kept, weights - kept
            streamed += weights
        activations = batch * dtype.size(layer.taken + layer.given)
        ways = device.ways(activations, weights)
        memory = max((moved / speed for moved, speed in ways), default=0.0)
        use = None
        if device.array:
            taken = cycles.get(name, 0)
            compute = taken / device.array.clock
            size = device.array.rows * device.array.columns
            use = macs / (taken * size) if taken else None
        else:
            compute = macs / peak_of(device, dtype.activation)
        works = macs or activations or weights
        launch = device.launch if works else 0.0
        all_moved = sum(moved for moved, _ in ways) if ways else activations + weights
        made.append(Layer(name, macs, all_moved, compute, memory, launch, use))
    return made, streamed


def _cycles(device: Device, graph: Graph, batch: int) -> dict[str, int]:
    """Return the cycles that the products of each layer take on the device's array."""
    cycles: dict[str, int] = {}
    for node in graph.nodes:
        for gemm in gemms(node):
            whole = gemm._replace(m=gemm.m * batch) if node.op.multiplies else gemm
            again = 1 if node.op.multiplies else batch
            assert device.array is not None
            taken = again * device.array.cycles(whole)
            cycles[node.layer] = cycles.get(node.layer, 0) + taken
    return cycles

"""What networks need where they run, in a dossier: memory, weights, time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mbprof.device.lanes import COLUMNS, needs
from mbprof.device.latency import latency
from mbprof.device.plan import Rules, plan, weight_bytes
from mbprof.language import dtypes
from mbprof.language.record import NamedTuple
from mbprof.network.load import Spec
from mbprof.output import inert, render
from mbprof.pages.markdown import folded, numbered, tabled, worded


class On(NamedTuple):
    """What networks run on: a type of numbers, a device, or both."""

    dtype: str | None = None
    device: str | None = None

    @property
    def typed(self) -> list[str]:
        """The options that say so."""
        given = {"--dtype": self.dtype, "--device": self.device}
        return [word for option, value in given.items() if value for word in (option, value)]


def time(spec: Spec, on: On) -> Iterator[str]:
    """Say how long a network takes on a device, and what bounds its layers."""
    if on.device is None:
        return
    found = latency(spec.build(), on.device, dtype=on.dtype)
    yield f"## Time on {inert.markdown(found.device.name)}"
    yield "\n".join(f"- {inert.markdown(note)}" for note in found.notes())
    layers = replace(found.report(), notes=())
    yield folded("every layer's time, and what bounds it", render(layers, "md"))


def memory(spec: Spec, dtype: str | None) -> str:
    """Say what an image takes in memory, the network run in its own order."""
    graph = spec.build().compiled
    rows = [
        {
            "dtype": name,
            "peak": plan(graph, rules).peak(),
            "weights": weight_bytes(graph, rules),
        }
        for name in ([dtype] if dtype else ["float32", "int8"])
        for rules in [Rules(dtypes.dtype(name))]
    ]
    numbers = numbered(peak="live bytes at the peak", weights="bytes of weights")
    said = Rules().said.partition("; ")[2]
    table = tabled("Memory of one image", (*worded(dtype="numbers"), *numbers), rows)
    return f"{table}\nIn the network's own order; {said}."


def needed(specs: Sequence[Spec], on: On) -> Iterator[str]:
    """Say what networks need on a device."""
    asked = needs(on.dtype, on.device)
    if asked is None:
        return
    columns = (*worded(network="network"), *(COLUMNS[name] for name in asked.names))
    rows = ({"network": spec.name, **asked.of(spec.build().compiled)} for spec in specs)
    yield tabled("What they need on a device", columns, rows)
    yield inert.markdown(asked.said)

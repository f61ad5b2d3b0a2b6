"""A network on this machine: exported with random weights, and timed under onnxruntime."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbprof.errors import MissingError
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out.file import model
from mbprof.language.record import NamedTuple
from mbprof.network.load import Network

_ENDING = "_kernel_time"
"""What onnxruntime puts behind a node's name in its profile, where it says how long it took."""


class Settings(NamedTuple):
    """How many threads compute, how many runs are not counted, and how many are."""

    threads: int = 1
    warmup: int = 3
    repeats: int = 20


class Times(NamedTuple):
    """Median seconds of a run of one image, of each layer in it, and of what belongs to none.

    What is fused with a layer counts to it. Layers are timed by a profiler, in runs of their own,
    which are a little slower.
    """

    seconds: float
    layers: Mapping[str, float]
    other: float
    runtime: str


def timed(network: Network, settings: Settings, layers: bool = True) -> Times:
    """Run a network and return how long it took, and each of its ``layers`` if they are asked for.

    Raises: ExchangeError: onnx or onnxruntime is missing, or an op has no counterpart there.
    """
    try:
        import onnxruntime
    except ImportError:
        hint = "pip install 'mbprof[measure]'"
        raise MissingError("running a network needs the library onnxruntime", hint=hint) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        made = model(network, Options(batch=1))
        beside = {"save_as_external_data": True, "location": "weights", "size_threshold": 1024}
        _onnx().save(made, str(path), **beside)
        whole = _session(onnxruntime, path, settings)
        clock = _runs(whole, settings)
        version = f"onnxruntime {onnxruntime.__version__}"
        if not layers:
            return Times(statistics.median(clock), {}, 0.0, version)
        profiled = _session(onnxruntime, path, settings, Path(folder, "profile"))
        _runs(profiled, settings)
        events = json.loads(Path(profiled.end_profiling()).read_text(encoding="utf-8"))
    return Times(statistics.median(clock), *by_layer(events, network, settings), version)


def _onnx() -> Any:
    import onnx

    return onnx


def _session(runtime: Any, path: Path, settings: Settings, profile: Path | None = None) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = settings.threads, 1
    options.log_severity_level = 3
    # Random weights can make numbers so small that processors take a hundred times as long.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _runs(session: Any, settings: Settings) -> Sequence[float]:
    """Return the seconds of the runs that count."""
    import numpy as np

    rng, taken = np.random.default_rng(0), []
    images = {i.name: rng.random(i.shape, dtype=np.float32) for i in session.get_inputs()}
    for _ in range(settings.warmup + settings.repeats):
        start = time.perf_counter()
        session.run(None, images)
        taken.append(time.perf_counter() - start)
    return taken[settings.warmup :]


def by_layer(
    events: Iterable[Mapping[str, Any]], network: Network, settings: Settings
) -> tuple[dict[str, float], float]:
    """Return the median seconds of every layer in a profile, and of what belongs to none.

    A node is called as that of the network whose name its own begins with, the longest one: what
    the runtime makes of a node it calls like it, with an ending.
    """
    layer_of = {node.name: node.layer for node in network.compiled.nodes}
    nodes: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_ENDING):
            name = event["name"].removesuffix(_ENDING)
            nodes.setdefault(name, []).append(event["dur"] * 1e-6)
    runs = settings.warmup + settings.repeats
    sums = {layer: [0.0] * runs for layer in (*layer_of.values(), "")}
    for name, durations in nodes.items():
        layer = layer_of.get(_longest(name, layer_of), "")
        for number, seconds in enumerate(durations):
            sums[layer][number * runs // len(durations)] += seconds
    medians = {layer: statistics.median(s[settings.warmup :]) for layer, s in sums.items()}
    other = medians.pop("")
    return medians, other


def _longest(name: str, known: Mapping[str, str]) -> str:
    """Return the longest known name that a name is, or begins with before ``_``, ``/`` or ``:``."""
    while name and name not in known:
        name = name[: max(name.rfind(mark) for mark in "_/:")] if set("_/:") & set(name) else ""
    return name

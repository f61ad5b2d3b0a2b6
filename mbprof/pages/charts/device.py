"""Charts of a network on a device: memory over time, layers under the roofline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mbprof.device.calibrate import Calibration, spelled_fit
from mbprof.device.latency import latency
from mbprof.device.memory import memory as needed
from mbprof.errors import UsageError
from mbprof.network.load import Spec
from mbprof.pages.charts import style
from mbprof.pages.charts.options import Options, at_most, single


def memory(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw the live bytes of every step: what it takes, gives, and what others need later.

    Raises: UsageError: more than one network.
    """
    at_most(specs, 1, "memory")
    network = specs[0].build(**single(specs[0], options, "memory"))
    found = needed(network, dtype=options.dtype)
    rows = found.report("data").rows
    parts = {"takes": "taken", "gives": "given", "kept": "kept for later"}
    colours = dict(zip(parts, style.shades(len(parts)), strict=True))
    caption = f"{found.brief}. Counted: {found.rules.said}. Computed by mbprof."
    made, panels = style.panels(options.panels, 3.2, caption, 1, 1)
    panel = panels[0, 0]
    power, letter = style.unit(found.peak_bytes)
    below = [0.0] * len(rows)
    for name, colour in colours.items():
        heights = [row[name] / power for row in rows]
        panel.bar(range(len(rows)), heights, width=1.0, bottom=below, color=colour)
        below = [low + high for low, high in zip(below, heights, strict=True)]
    lines: list[tuple[int, Any]] = [(found.peak_bytes, "-"), (found.arena_bytes, ":")]
    for count, look in lines:
        panel.axhline(count / power, color=style.grey(0.2), linewidth=0.8, linestyle=look)
    panel.set_ylim(0, 1.06 * max(count for count, _ in lines) / power)
    panel.set_ylabel(style.titled("live bytes", letter))
    panel.set_xlabel("execution step")
    panel.grid(True, axis="y")
    panel.margins(x=0.01)
    handles = [
        *(Patch(facecolor=colours[name], label=label) for name, label in parts.items()),
        *(Line2D([], [], color=style.grey(0.2), linewidth=0.8, linestyle=look, label=label)
          for label, (_, look) in zip(("peak", "arena"), lines, strict=True)),
    ]  # fmt: skip
    style.legend(made, style.lines(handles, 8), options.panels)
    return made


def predicted(fits: Sequence[Calibration], options: Options) -> Figure:
    """Draw predicted against measured times, each predicted by a fit that it is left out of.

    Raises: UsageError: more than one file.
    """
    at_most(fits, 1, "predicted", "file")
    found = fits[0]
    measured = [row.seconds * 1e3 for row in found.measurements]
    guesses = [seconds * 1e3 for seconds in found.predicted]
    caption = f"{found.brief}, with {found.held} left out. Fitted: {spelled_fit(found.fit)}."
    made, panels = style.panels(options.panels, 3.6, caption, 1, 1)
    panel = panels[0, 0]
    ends = min(measured), max(measured)
    panel.plot(ends, ends, color=style.grey(0.2), linewidth=0.8)
    panel.plot(measured, guesses, "o", color=style.shades(1)[0], markersize=4)
    for which, shown in (("x", measured), ("y", [guess for guess in guesses if guess > 0])):
        style.log_axis(panel, which, max(shown, default=1.0) / min(shown, default=1.0))
    panel.set_xlabel("measured ms")
    panel.set_ylabel("predicted ms")
    panel.grid(True)
    handles = [
        style.key("o", style.shades(1)[0], "a measurement"),
        Line2D([], [], color=style.grey(0.2), linewidth=0.8, label="predicted as measured"),
    ]
    style.legend(made, style.lines(handles, 8), options.panels)
    return made


def roofline(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw the MACs a second that layers reach at most, against their FLOPs a byte.

    Raises: UsageError: more than one network; no device, or one without a peak and one bandwidth.
    """
    at_most(specs, 1, "roofline")
    if options.device is None:
        raise UsageError("--kind roofline needs a device", hint="--device NAME|FILE")
    network = specs[0].build(**single(specs[0], options, "roofline"))
    found = latency(network, options.device, dtype=options.dtype)
    peak, speeds = (found.device.peak or {}).get(found.dtype.activation), found.device.bandwidth
    if peak is None or len(speeds) != 1:  # A memory of each kind has a roof of its own.
        raise UsageError(f"{found.device.name} has no peak and one bandwidth, as a roof has")
    power, letter = style.unit(int(peak))
    layers = [layer for layer in found.layers if layer.macs and layer.moved]
    places = [
        (2 * layer.macs / layer.moved, layer.macs / layer.seconds / power) for layer in layers
    ]
    caption = f"{found.brief}, {found.dtype.name}. Computed by mbprof at the device's peaks."
    made, panels = style.panels(options.panels, 3.6, caption, 1, 1)
    panel = panels[0, 0]
    ridge = 2 * peak / speeds[0]
    ends = [min(x for x, _ in places) / 2, ridge, max(ridge, *(x for x, _ in places)) * 2]
    roof = [min(peak, x / 2 * speeds[0]) / power for x in ends]
    panel.plot(ends, roof, color=style.grey(0.2), linewidth=0.8)
    bounds = list(dict.fromkeys(layer.bound for layer in layers))
    colours = dict(zip(bounds, style.shades(len(bounds)), strict=True))
    for bound, colour in colours.items():
        own = [place for place, at in zip(places, layers, strict=True) if at.bound == bound]
        panel.plot(*zip(*own, strict=True), "o", color=colour, markersize=4)
    for which, shown in zip("xy", zip(*places, strict=True), strict=True):
        style.log_axis(panel, which, max(shown) / min(shown))
    panel.set_xlabel("FLOPs a byte")
    panel.set_ylabel(style.titled("MACs a second", letter))
    panel.grid(True)
    handles = [
        *(style.key("o", colour, f"{bound} bound") for bound, colour in colours.items()),
        Line2D([], [], color=style.grey(0.2), linewidth=0.8, label="the device's peaks"),
    ]
    style.legend(made, style.lines(handles, 8), options.panels)
    return made

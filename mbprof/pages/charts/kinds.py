"""The kinds of charts: each a function from specs to a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mbprof.device.calibrate import Calibration, calibrate
from mbprof.errors import UsageError
from mbprof.language.fmt import either, plain
from mbprof.network.load import Spec
from mbprof.output import inert
from mbprof.pages import points
from mbprof.pages.charts import style
from mbprof.pages.charts.device import memory, predicted, roofline
from mbprof.pages.charts.layers import layers
from mbprof.pages.charts.options import Options, Plot, at_most
from mbprof.spec.knobs import Given


def accuracy(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw published top-1 against computed costs; the line is the front that nothing beats.

    Up to four networks show their series, width as colour and resolution as marker; more of them
    show one labelled point each. With a type or a device what networks need there is a cost, too.
    What nothing is published of is named in the caption.
    Raises: UsageError: no accuracy is published for any of the networks.
    """
    if len(specs) > len(style.LINES):
        return _members(specs, options)
    found = {spec.name: _series(spec, options) for spec in specs}
    series = {name: shown for name, shown in found.items() if shown}
    if not series:
        raise UsageError(
            f"no accuracy is published for {either(found)} at these settings",
            hint="--kind cost draws what it costs",
        )
    everything = [point for shown in series.values() for point in shown]
    alphas = sorted({point.alpha for point in everything if point.alpha is not None})
    sides = sorted({point.res[0] for point in everything}, reverse=True)
    colours = dict(zip(alphas, style.shades(len(alphas)), strict=True))
    markers = {side: style.MARKERS[i % len(style.MARKERS)] for i, side in enumerate(sides)}
    sources = " ".join(
        f"{name}: {', '.join(dict.fromkeys(point.source for point in shown))}."
        for name, shown in series.items()
    )
    said = f"Top-1 on ImageNet-1k, as published. {sources}"
    missing = _missing(name for name in found if name not in series)
    caption = f"{said} {missing}{options.counted} {points.settings(everything)}"
    fronts = dict.fromkeys(series, False)
    made, (panels,) = style.panels(options.panels, 3.9, caption, 1, 2, sharey=True)
    for panel, cost in zip(panels, options.against, strict=True):
        power = _scaled(panel, cost, everything, options)
        for number, (name, shown) in enumerate(series.items()):
            best_of = points.front(shown, cost)
            if len(best_of) > 1:  # one point alone is no front
                fronts[name] = True
                panel.plot(
                    [getattr(point, cost) / power for point in best_of],
                    [point.top1 for point in best_of],
                    style.LINES[number], color=style.grey(0.55), zorder=1,
                )  # fmt: skip
            for point in shown:
                colour = style.grey(0.3) if point.alpha is None else colours[point.alpha]
                panel.plot(
                    getattr(point, cost) / power, point.top1, markers[point.res[0]],
                    color=colour, markerfacecolor=_face(number, colour), zorder=2,
                )  # fmt: skip
    panels[0].set_ylabel("published top-1 (%)")
    widths = [style.key("o", colours[alpha], f"α {plain(alpha)}") for alpha in alphas]
    resolutions = [
        style.key(markers[side], style.grey(0.3), f"{side} px") for side in reversed(sides)
    ]
    style.legend(made, [widths, resolutions], options.panels)
    # Much computing for little accuracy: the corner that networks stay out of.
    panels[0].legend(
        handles=[
            style.key(
                "o", style.grey(0.4), f"{name}, Pareto front" if front else name,
                linestyle=style.LINES[i] if front else "none",
                markerfacecolor=_face(i, style.grey(0.4)),
            )
            for i, (name, front) in enumerate(fronts.items())
        ],
        loc="lower right",
    )  # fmt: skip
    return made


def _series(spec: Spec, options: Options) -> tuple[points.Point, ...]:
    return tuple(
        point
        for point in points.points(spec, options.scope, options.convention, options.needs)
        if (not options.alphas or point.alpha in options.alphas)
        and (not options.sides or point.res[0] in options.sides)
    )


def _missing(names: Iterable[str]) -> str:
    """Name in a caption what no accuracy is published of."""
    listed = ", ".join(names)
    return f"No accuracy is published for {listed} at these settings. " if listed else ""


def _face(number: int, colour: Any) -> Any:
    """Return how the markers of a network are filled: full, hollow, grey, full again."""
    return (colour, style.face(), style.grey(0.8), colour)[number]


def _scaled(panel: Axes, cost: str, shown: Iterable[points.Point], options: Options) -> int:
    """Give costs a logarithmic axis in the unit that they call for, and return that unit."""
    counts = [getattr(point, cost) for point in shown]
    power, letter = style.unit(max(counts))
    style.log_axis(panel, "x", max(counts) / max(1, min(counts)))
    panel.set_xlabel(style.titled((options.drawn | options.against)[cost], letter))
    panel.grid(True)
    return power


def _members(specs: Sequence[Spec], options: Options) -> Figure:
    if options.alphas or options.sides:
        at_most(specs, len(style.LINES), "accuracy at a width or a resolution")
    chosen = options.scope, options.convention, options.needs
    every = [points.best(spec, *chosen) for spec in specs]
    shown = [point for point in every if point.top1 is not None]
    if not shown:
        raise UsageError("no accuracy is published for these networks at their default size")
    # Who published a point stands before the path of the file.
    owners = [point.source.partition(" ")[0] for point in shown]
    sources = list(dict.fromkeys(owners))
    shapes = {source: style.MARKERS[i % len(style.MARKERS)] for i, source in enumerate(sources)}
    colours = dict(zip(sources, style.shades(len(sources)), strict=True))
    caption = (
        "The best top-1 on ImageNet-1k published for each network at its default size. Sources "
        "differ in training, so no front is drawn across them. "
        f"{_missing(point.spec for point in every if point.top1 is None)}{options.counted}"
    )
    made, panels = style.panels(options.panels, 7.4, caption, 2, 1)
    handles = [style.key(shapes[source], colours[source], source) for source in sources]
    style.legend(made, style.lines(handles, 4), options.panels)
    for panel, cost in zip(panels[:, 0], options.against, strict=True):
        power = _scaled(panel, cost, shown, options)
        places = [(getattr(point, cost) / power, point.top1 or 0.0) for point in shown]
        for owner, (x, y) in zip(owners, places, strict=True):
            panel.plot(x, y, shapes[owner], color=colours[owner])
        panel.margins(x=0.08, y=0.1)
        panel.set_ylabel("published top-1 (%)")
        style.label_points(made, panel, places, [point.spec for point in shown])
    return made


_FAR = 20


def cost(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw what a network costs against its width and its resolution.

    One network shows every width and resolution; several show one of them at a time, the other
    at its default; more than four show one labelled point each.
    Raises: UsageError: too many networks for lines that can be told apart.
    """
    if len(specs) > len(style.LINES) and not options.alphas and not options.sides:
        return _sizes(specs, options)
    at_most(specs, len(style.LINES), "cost")
    swept = {spec.name: _lines(spec, options, len(specs) > 1) for spec in specs}
    knobs = [name for name in ("alpha", "res") if any(lines[name] for lines in swept.values())]
    if not knobs:
        raise UsageError("there is only one configuration to draw", hint="give more to --res")
    shown = [point for lines in swept.values() for line in lines["alpha"] for point in line]
    caption = f"{', '.join(swept)}. {options.counted} {points.settings(shown)}"
    if len(knobs) > 1:
        shared = {"sharex": "col", "sharey": "row"}
        made, panels = style.panels(options.panels, 4.6, caption, 2, 2, **shared)
    else:
        made, panels = style.panels(options.panels, 2.9, caption, 1, 2, sharex=True)
        panels = panels.reshape(2, 1)
    for row, (quantity, word) in enumerate(options.drawn.items()):
        counts = [
            getattr(point, quantity)
            for lines in swept.values()
            for line in (*lines["alpha"], *lines["res"])
            for point in line
        ]
        power, letter = style.unit(max(counts))
        for panel, over in zip(panels[row], knobs, strict=True):
            _curves(panel, swept, over, quantity, power)
            if row == 1 or len(knobs) == 1:
                panel.set_xlabel(_KNOBS[over])
        panels[row, 0].set_ylabel(style.titled(word, letter))
        if len(specs) > 1 and max(counts) > _FAR * min(counts):
            style.log_axis(panels[row, 0], "y")
        else:
            panels[row, 0].set_ylim(0, 1.06 * max(counts) / power)
    if len(specs) > 1:
        looks = zip(swept, style.LINES, style.MARKERS, style.shades(len(swept)), strict=False)
        keys = [
            style.key(marker, colour, name, linestyle=line, markersize=4)
            for name, line, marker, colour in looks
        ]
        style.legend(made, [keys], options.panels)
    return made


def _sizes(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw one point for each network, at its default width and resolution."""
    shown = [
        points.point(
            spec, points.default_alpha(spec), points.default_res(spec), options.scope, None,
            options.convention,
        )
        for spec in specs
    ]  # fmt: skip
    caption = f"Each network at its default width and resolution. {options.counted}"
    made, panels = style.panels(options.panels, 4.6, caption, 1, 1)
    panel = panels[0, 0]
    power = _scaled(panel, "macs", shown, options)
    counts = [point.params for point in shown]
    other, letter = style.unit(max(counts))
    style.log_axis(panel, "y", max(counts) / max(1, min(counts)))
    panel.set_ylabel(style.titled(options.drawn["params"], letter))
    places = [(point.macs / power, point.params / other) for point in shown]
    for x, y in places:
        panel.plot(x, y, "o", color=style.shades(2)[0])
    panel.margins(x=0.08, y=0.1)
    style.label_points(made, panel, places, [point.spec for point in shown])
    return made


_KNOBS = {"alpha": "width multiplier α", "res": "resolution (pixels)"}
_Lines: TypeAlias = dict[str, list[tuple[points.Point, ...]]]


def _lines(spec: Spec, options: Options, several: bool) -> _Lines:
    """Return the curves of a network over each knob: one for each value of the other knob."""
    alphas = options.alphas if points.has_width(spec) or not several else ()
    every = points.sweep(spec, alphas, options.sides, options.scope, options.convention)
    usual = {"alpha": points.default_alpha(spec), "res": points.default_res(spec)}
    over: _Lines = {}
    for name, other in (("alpha", "res"), ("res", "alpha")):
        values = dict.fromkeys(getattr(point, other) for point in every)
        lines = [tuple(p for p in every if getattr(p, other) == value) for value in values]
        lines = [line for line in lines if len({getattr(point, name) for point in line}) > 1]
        if several:
            at_default = [line for line in lines if getattr(line[0], other) == usual[other]]
            lines = (at_default or lines)[:1]
        over[name] = lines
    return over


def _curves(panel: Axes, swept: dict[str, _Lines], over: str, quantity: str, power: int) -> None:
    several = len(swept) > 1
    for number, lines in enumerate(swept.values()):
        shown = lines[over]
        heights = [tuple(getattr(point, quantity) for point in line) for line in shown]
        # Parameters do not depend on the resolution: one line stands for all.
        same = len(shown) > 1 and len(set(heights)) == 1
        # Light means large, of a width as of a resolution; the largest line is the first.
        colours = [style.grey(0.3)] if same else style.shades(len(shown))[::-1]
        colours = [style.shades(len(swept))[number]] * len(shown) if several else colours
        for i, line in enumerate(shown[:1] if same else shown):
            other = f"{line[0].res[0]} px" if over == "alpha" else f"α {plain(line[0].alpha)}"
            panel.plot(
                [point.alpha or 0.0 if over == "alpha" else point.res[0] for point in line],
                [height / power for height in heights[i]],
                style.LINES[number],
                color=colours[i],
                marker=style.MARKERS[number if several else i],
                markersize=4,
                label="at every resolution" if same else other,
            )
        if same or (not several and len(shown) > 1 and quantity == "macs"):
            # Costs rise to the right, so that this corner is free.
            panel.legend(loc="upper left", ncols=2 if len(shown) > 5 else 1)
    panel.grid(True)


def grid(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw the MACs of every width and resolution as a heat map.

    Raises: UsageError: a network without a width multiplier, or too many networks.
    """
    at_most(specs, len(style.LINES), "grid")
    for spec in specs:
        if not points.has_width(spec):
            raise UsageError(
                f"{spec.name} has no width multiplier", hint="--kind cost needs no second axis"
            )
    words = options.drawn
    swept = [
        points.sweep(spec, options.alphas, options.sides, options.scope, options.convention)
        for spec in specs
    ]
    everything = [point for every in swept for point in every]
    counts = [point.macs for point in everything]
    power, letter = style.unit(max(counts))
    rows = (len(specs) + 1) // 2
    caption = f"{options.counted} {points.settings(everything)}"
    height, columns = 0.7 + 2.6 * rows, min(2, len(specs))
    made, panels = style.panels(options.panels, height, caption, rows, columns)
    panels = panels.ravel()
    scale = LogNorm(min(counts) / power, max(counts) / power)
    for panel, spec, every in zip(panels, specs, swept, strict=False):
        image = _cells(panel, every, points.axes(spec, options.alphas, options.sides), power, scale)
        panel.set_title(inert.line(spec.name))
    for panel in panels[len(specs) :]:
        panel.set_visible(False)
    bar = made.colorbar(image, ax=list(panels), shrink=0.9, pad=0.015)
    style.log_axis(bar.ax, "y")
    bar.outline.set_visible(False)
    bar.set_label(style.titled(words["macs"], letter))
    return made


def _cells(
    panel: Axes,
    every: Sequence[points.Point],
    sides: tuple[tuple[float, ...], tuple[int, ...]],
    power: int,
    scale: LogNorm,
) -> Any:
    alphas, heights = sides[0], sides[1][::-1]  # resolution rises to the right
    at = {(point.alpha, point.res[0]): point.macs for point in every}
    values = [[at.get((alpha, side), 0) / power for side in heights] for alpha in alphas]
    shown = [[value or float("nan") for value in row] for row in values]
    image = panel.imshow(shown, cmap="cividis", norm=scale, aspect="auto")
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if value:
                light = scale(value) > 0.55
                panel.text(
                    column, row, f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}",
                    ha="center", va="center", color="black" if light else "white",
                )  # fmt: skip
    panel.set_xticks(range(len(heights)), [str(side) for side in heights])
    panel.set_yticks(range(len(alphas)), [plain(alpha) for alpha in alphas])
    panel.set_xlabel("resolution (pixels)")
    panel.set_ylabel("width multiplier α")
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
    return image


def _measured(what: Any, given: Given, usual: Given) -> Calibration:
    if given:
        raise UsageError("--kind predicted is of a file, which has no knobs")
    return calibrate(what)


_COUNTED = frozenset({"convention"})
PLOTS = {
    "accuracy": Plot(
        accuracy,
        "published top-1 against MACs and params, or memory and time on a device",
        takes=_COUNTED | {"dtype", "device"},
    ),
    "cost": Plot(cost, "MACs and params against width and resolution", takes=_COUNTED),
    "grid": Plot(grid, "MACs over width and resolution, the numbers in the cells", takes=_COUNTED),
    "layers": Plot(
        layers, "params and MACs of each layer or block of one network", takes=_COUNTED | {"by"}
    ),
    "memory": Plot(memory, "live bytes of each step of one network", takes=frozenset({"dtype"})),
    "roofline": Plot(
        roofline,
        "MACs a second of each layer against its intensity, on a device",
        takes=frozenset({"dtype", "device"}),
    ),
    "predicted": Plot(predicted, "predicted against measured times of a CSV file", _measured),
}
"""Every kind of chart by its name."""

"""Charts of accuracy: published top-1 against computed costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbprof.errors import UsageError
from mbprof.language.fmt import plain
from mbprof.network.load import Spec
from mbprof.pages.charts import style
from mbprof.pages.charts.kinds import DRAWN, Options, counted, kind
from mbprof.pages.points import Point, best, front, points, settings


@kind("accuracy", "published top-1 against MACs and params")
def accuracy(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw published top-1 against computed costs; the line is the front that nothing beats.

    Up to four networks show their series, width as colour and resolution as marker; more of them
    show one labelled point each.
    Raises: UsageError: no accuracy is published for a network.
    """
    if len(specs) > len(style.LINES):
        return _members(specs, options)
    series = [_series(spec, options) for spec in specs]
    everything = [point for shown in series for point in shown]
    alphas = sorted({point.alpha for point in everything if point.alpha is not None})
    sides = sorted({point.res[0] for point in everything}, reverse=True)
    colours = dict(zip(alphas, style.shades(len(alphas)), strict=True))
    markers = {side: style.MARKERS[i % len(style.MARKERS)] for i, side in enumerate(sides)}
    caption = f"{_sources(specs, series)} {counted(options)} {settings(everything)}"
    made, (panels,) = style.panels(options.panels, 3.9, caption, 1, 2, sharey=True)
    for panel, cost in zip(panels, DRAWN, strict=True):
        power = _scaled(panel, cost, everything)
        for number, shown in enumerate(series):
            best_of = front(shown, cost)
            panel.plot(
                [getattr(point, cost) / power for point in best_of],
                [point.top1 for point in best_of],
                style.LINES[number], color="0.55", zorder=1,
            )  # fmt: skip
            for point in shown:
                colour = "0.3" if point.alpha is None else colours[point.alpha]
                panel.plot(
                    getattr(point, cost) / power, point.top1, markers[point.res[0]],
                    color=colour, markerfacecolor=_face(number, colour), zorder=2,
                )  # fmt: skip
    panels[0].set_ylabel("published top-1 (%)")
    style.legend(
        made,
        [
            [style.key("o", colours[alpha], f"α {plain(alpha)}") for alpha in reversed(alphas)],
            [style.key(markers[side], "0.3", f"{side} px") for side in sides],
        ],
        options.panels,
    )
    # Much computing for little accuracy: the corner that networks stay out of.
    panels[0].legend(
        handles=[
            style.key(
                "o", "0.4", f"{spec.name}, Pareto front",
                linestyle=style.LINES[i], markerfacecolor=_face(i, "0.4"),
            )
            for i, spec in enumerate(specs)
        ],
        loc="lower right",
    )  # fmt: skip
    return made


def _series(spec: Spec, options: Options) -> tuple[Point, ...]:
    shown = tuple(
        point
        for point in points(spec, options.scope)
        if (not options.alphas or point.alpha in options.alphas)
        and (not options.sides or point.res[0] in options.sides)
    )
    if not shown:
        raise UsageError(
            f"no accuracy is published for {spec.name} at these settings",
            hint="--kind cost draws what it costs",
        )
    return shown


def _face(number: int, colour: Any) -> Any:
    """Return how the markers of a network are filled: full, hollow, grey, full again."""
    return (colour, "white", "0.8", colour)[number]


def _sources(specs: Sequence[Spec], series: Sequence[Sequence[Point]]) -> str:
    said = (
        f"{spec.name}: {', '.join(dict.fromkeys(point.source for point in shown))}."
        for spec, shown in zip(specs, series, strict=True)
    )
    return "Top-1 on ImageNet-1k, as published. " + " ".join(said)


def _scaled(panel: Axes, cost: str, shown: Iterable[Point]) -> int:
    """Give costs a logarithmic axis in the unit that they call for, and return that unit."""
    counts = [getattr(point, cost) for point in shown]
    power, letter = style.unit(max(counts))
    style.log_axis(panel, "x", max(counts) / max(1, min(counts)))
    panel.set_xlabel(style.titled(DRAWN[cost], letter))
    panel.grid(True)
    return power


def _members(specs: Sequence[Spec], options: Options) -> Figure:
    shown = [point for spec in specs if (point := best(spec, options.scope)).top1 is not None]
    if not shown:
        raise UsageError("no accuracy is published for these networks at their default size")
    # Who published a point stands before the path of the file.
    owners = [point.source.partition(" ")[0] for point in shown]
    sources = list(dict.fromkeys(owners))
    shapes = {source: style.MARKERS[i % len(style.MARKERS)] for i, source in enumerate(sources)}
    colours = dict(zip(sources, style.shades(len(sources)), strict=True))
    caption = (
        "The best top-1 on ImageNet-1k published for each network at its default size. Sources "
        f"differ in training, so no front is drawn across them. {counted(options)}"
    )
    made, panels = style.panels(options.panels, 7.4, caption, 2, 1)
    handles = [style.key(shapes[source], colours[source], source) for source in sources]
    rows = [handles[i : i + 4] for i in range(0, len(handles), 4)]
    style.legend(made, rows, options.panels)
    for panel, cost in zip(panels[:, 0], DRAWN, strict=True):
        power = _scaled(panel, cost, shown)
        places = [(getattr(point, cost) / power, point.top1 or 0.0) for point in shown]
        for owner, (x, y) in zip(owners, places, strict=True):
            panel.plot(x, y, shapes[owner], color=colours[owner])
        panel.margins(x=0.08, y=0.1)
        panel.set_ylabel("published top-1 (%)")
        style.label_points(made, panel, places, [point.spec for point in shown])
    return made

"""Charts of accuracy: published top-1 against computed costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mbprof.errors import UsageError
from mbprof.language.values import plain
from mbprof.network.load import Spec
from mbprof.pages.charts import style
from mbprof.pages.charts.kinds import QUANTITIES, Options, counted, kind
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
    everything = [each for found in series for each in found]
    alphas = sorted({each.alpha for each in everything if each.alpha is not None})
    sides = sorted({each.res[0] for each in everything}, reverse=True)
    colours = dict(zip(alphas, style.shades(len(alphas)), strict=True))
    markers = {side: style.MARKERS[i % len(style.MARKERS)] for i, side in enumerate(sides)}
    caption = f"{_sources(specs, series)} {counted(options)} {settings(everything)}"
    made, (panels,) = style.panels(options.panels, 3.9, caption, 1, 2, sharey=True)
    for panel, cost in zip(panels, QUANTITIES, strict=True):
        power = _scaled(panel, "x", cost, (getattr(each, cost) for each in everything))
        for number, found in enumerate(series):
            line = style.LINES[number]
            best_of = front(found, cost)
            panel.plot(
                [getattr(each, cost) / power for each in best_of],
                [each.top1 for each in best_of],
                line, color="0.55", zorder=1,
            )  # fmt: skip
            for each in found:
                colour = colours.get(each.alpha, "0.3") if each.alpha is not None else "0.3"
                panel.plot(
                    getattr(each, cost) / power, each.top1, markers[each.res[0]],
                    color=colour, markerfacecolor=_face(number, colour), zorder=2,
                )  # fmt: skip
        panel.grid(True)
    panels[0].set_ylabel("published top-1 (%)")
    style.legend(
        made,
        [
            [_dot("o", colours[alpha], f"α {plain(alpha)}") for alpha in reversed(alphas)],
            [_dot(markers[side], "0.3", f"{side} px") for side in sides],
        ],
        options.panels,
    )
    # Much computing for little accuracy: the corner that networks stay out of.
    panels[0].legend(
        handles=[
            Line2D(
                [], [], linestyle=style.LINES[i], color="0.4", marker="o",
                markerfacecolor=_face(i, "0.4"), label=f"{spec.name}, Pareto front",
            )
            for i, spec in enumerate(specs)
        ],
        loc="lower right",
    )  # fmt: skip
    return made


def _series(spec: Spec, options: Options) -> tuple[Point, ...]:
    found = tuple(
        each
        for each in points(spec, options.scope)
        if (not options.alphas or each.alpha in options.alphas)
        and (not options.sides or each.res[0] in options.sides)
    )
    if not found:
        raise UsageError(
            f"no accuracy is published for {spec.name} at these settings",
            hint="--kind cost draws what it costs",
        )
    return found


def _face(number: int, colour: Any) -> Any:
    """Return how the markers of a network are filled: full, hollow, grey, full again."""
    return (colour, "white", "0.8", colour)[number]


def _dot(marker: str, colour: Any, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, color=colour, label=label)


def _sources(specs: Sequence[Spec], series: Sequence[Sequence[Point]]) -> str:
    said = (
        f"{spec.name}: {', '.join(dict.fromkeys(each.source for each in found))}."
        for spec, found in zip(specs, series, strict=True)
    )
    return "Top-1 on ImageNet-1k, as published. " + " ".join(said)


def _scaled(panel: Axes, which: str, cost: str, values: Iterable[int]) -> int:
    """Make an axis logarithmic in the unit that its values call for, and return that unit."""
    counts = list(values)
    power, letter = style.unit(max(counts))
    style.log_axis(panel, which, max(counts) / max(1, min(counts)))
    set_label = panel.set_xlabel if which == "x" else panel.set_ylabel
    set_label(style.titled(QUANTITIES[cost], letter))
    return power


def _members(specs: Sequence[Spec], options: Options) -> Figure:
    found = [each for spec in specs if (each := best(spec, options.scope)).top1 is not None]
    if not found:
        raise UsageError("no accuracy is published for these networks at their default size")
    sources = list(dict.fromkeys(_repository(each) for each in found))
    shapes = {source: style.MARKERS[i % len(style.MARKERS)] for i, source in enumerate(sources)}
    colours = dict(zip(sources, style.shades(len(sources)), strict=True))
    caption = (
        "The best top-1 on ImageNet-1k published for each network at its default size. Sources "
        f"differ in training, so no front is drawn across them. {counted(options)}"
    )
    made, panels = style.panels(options.panels, 7.4, caption, 2, 1)
    handles = [_dot(shapes[each], colours[each], each) for each in sources]
    rows = [handles[i : i + 4] for i in range(0, len(handles), 4)]
    style.legend(made, rows, options.panels)
    for panel, cost in zip(panels[:, 0], QUANTITIES, strict=True):
        power = _scaled(panel, "x", cost, (getattr(each, cost) for each in found))
        places = [(getattr(each, cost) / power, each.top1 or 0.0) for each in found]
        for each, (x, y) in zip(found, places, strict=True):
            panel.plot(x, y, shapes[_repository(each)], color=colours[_repository(each)])
        panel.margins(x=0.08, y=0.1)
        panel.set_ylabel("published top-1 (%)")
        panel.grid(True)
        style.label_points(made, panel, places, [each.spec for each in found])
    return made


def _repository(found: Point) -> str:
    """Return who published a point, without the path of the file."""
    return found.source.partition(" ")[0]

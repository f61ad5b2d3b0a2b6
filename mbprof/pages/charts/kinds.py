"""The kinds of charts: each a function from specs to a figure, in one registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbprof.network.load import Spec

DRAWN = {"macs": "multiply-accumulates", "params": "parameters"}
"""What charts show of a cost, with the words for it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a chart is asked for besides its specs."""

    alphas: tuple[float, ...] = ()
    sides: tuple[int, ...] = ()
    scope: str = "all"
    panels: tuple[Axes, ...] = ()
    """Axes to draw into, one for each panel, instead of a figure of its own."""


Chart: TypeAlias = Callable[[Sequence[Spec], Options], Figure]


class Plot(NamedTuple):
    """A kind of chart: how it is drawn, and what it shows."""

    draw: Chart
    doc: str


PLOTS: dict[str, Plot] = {}
"""Every kind of chart by its name."""


def kind(name: str, doc: str) -> Callable[[Chart], Chart]:
    """Register a kind of chart under its name."""

    def register(function: Chart) -> Chart:
        PLOTS[name] = Plot(function, doc)
        return function

    return register


def counted(options: Options) -> str:
    """Say in a caption what the costs are."""
    what = {"all": "the whole network", "body": "the network without its head"}[options.scope]
    return f"Costs of {what} (scope {options.scope}, convention kernels), computed by mbprof."

"""A chart of what the layers of a network cost, one by one or summed up."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mbprof.language.fmt import plain, several
from mbprof.network.load import Spec
from mbprof.network.rows import Row
from mbprof.ops import OPS
from mbprof.output import inert
from mbprof.pages import points
from mbprof.pages.charts import style
from mbprof.pages.charts.options import Options, at_most, single

_LABELS, _LONGEST, _CUT = 48, 26, 12
_HATCHES = ("", "////", "----", "\\\\\\\\", "xxxx", "++++", "....", "oo")


def kind_of(row: Row) -> str:
    """Return what a layer is in a chart: its op, of a convolution what it mixes, too."""
    if not OPS[row.op].multiplies or row.kernel is None:
        return row.op
    if (row.groups or 1) > 1:
        return "depthwise conv" if row.groups == row.in_shape[0] else "grouped conv"
    return "pointwise conv" if set(row.kernel) == {1} else "full conv"


def layers(specs: Sequence[Spec], options: Options) -> Figure:
    """Draw what each layer costs, params above and MACs below; layers without either are left out.

    Many layers are summed up by block.
    Raises: UsageError: more than one network, or no such grouping.
    """
    at_most(specs, 1, "layers")
    knobs = single(specs[0], options, "layers")
    profile = specs[0].build(**knobs).profile(options.convention, options.scope)
    costly = [row for row in profile.rows if row.params or row.cost]
    by = options.by or ("layer" if len(costly) <= _LABELS else "block")
    groups = {
        name: kept
        for name, rows in profile.groups(by).items()
        if (kept := [row for row in rows if row.params or row.cost])
    }
    ops = list(dict.fromkeys(map(kind_of, costly)))
    colours = dict(zip(ops, style.shades(len(ops)), strict=True))
    hatches = {op: _HATCHES[i % len(_HATCHES)] for i, op in enumerate(ops)}
    alpha = f"α {plain(profile.knobs['alpha'])}, " if points.has_width(specs[0]) else ""
    shown = f"{specs[0].name}, {alpha}{plain(profile.knobs['res'])} pixels."
    left_out = len(profile.rows) - len(costly)
    without = f"without parameters and {options.unit} {'is' if left_out == 1 else 'are'} left out."
    note = f" {several(left_out, 'layer')} {without}" if left_out else ""
    caption = f"{shown}{note} {options.counted}"
    made, panels = style.panels(options.panels, 5.2, caption, 2, 1, sharex=True)
    panels = panels[:, 0]
    places, edge = range(len(groups)), 0.3 if len(groups) < _LABELS else 0
    for panel, (quantity, word) in zip(panels, reversed(options.drawn.items()), strict=True):
        name = "params" if quantity == "params" else "cost"
        counts = {
            op: [
                sum(getattr(row, name) for row in rows if kind_of(row) == op)
                for rows in groups.values()
            ]
            for op in ops
        }
        sums = [sum(column) for column in zip(*counts.values(), strict=True)]
        power, letter = style.unit(max(sums, default=0))
        below = [0.0] * len(groups)
        for op, own in counts.items():
            heights = [count / power for count in own]
            panel.bar(
                places, heights, width=0.85, bottom=below, linewidth=edge, color=colours[op],
                edgecolor=style.face(), hatch=hatches[op],
            )  # fmt: skip
            below = [low + high for low, high in zip(below, heights, strict=True)]
        panel.set_ylabel(style.titled(word, letter))
        panel.grid(True, axis="y")
        panel.margins(x=0.01)
    step = -(-len(groups) // _LABELS) or 1
    ticks = places[::step]
    names = [inert.line(name) for name in list(groups)[::step]]
    cut = [name if len(name) <= _LONGEST else f"{name[:_CUT]}…{name[-_CUT:]}" for name in names]
    panels[1].set_xticks(ticks, cut, rotation=90)
    panels[1].set_xlabel(by if step == 1 else f"{by} (one name in {step} is shown)")
    handles = [
        Patch(facecolor=colours[op], hatch=hatches[op], edgecolor=style.face(), label=op)
        for op in ops
    ]
    style.legend(made, style.lines(handles, 6), options.panels)
    return made

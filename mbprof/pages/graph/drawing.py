"""A network as a graph: for print and slides, for others to draw, and as a page that computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mbprof.errors import unknown
from mbprof.exchange import drawings
from mbprof.exchange.drawings import Box
from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.language.record import record
from mbprof.network import conventions
from mbprof.network.graph import layers
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.network.profile import Profile
from mbprof.network.rows import Row
from mbprof.output.files import emit
from mbprof.output.formats import Formats
from mbprof.output.model import Brief, Screen
from mbprof.pages.graph.page import page
from mbprof.pages.graph.svg import THEMES, Costed, svg

BY: dict[str, Callable[[list[Box]], list[Box]]] = {"block": drawings.folded, "layer": list}
"""What a box can be, with what makes it of those of the layers."""


@record
class Drawing(Brief):
    """A network as a graph, with a box for each layer or block, and what it costs.

    ``text`` is the drawing in its format, which ``str`` returns, too; a notebook shows an SVG as
    a picture and an HTML page in a frame.
    """

    network: Network
    profile: Profile
    convention: str
    by: str
    theme: str
    format: str

    @property
    def brief(self) -> str:
        """The network with its total, and what it is drawn as."""
        return f"{self.profile.brief}, {self.format} by {self.by}"

    @property
    def text(self) -> str:
        """The drawing in its format."""
        return GRAPHS[self.format].write(self, Screen(80))

    def __str__(self) -> str:
        return self.text

    def boxes(self, by: str | None = None) -> list[Costed]:
        """Return the boxes, each with what it costs of the network."""
        drawn = BY[by or self.by](drawings.boxes(self.network.compiled))
        rows = dict(zip(self.counted, self.profile.rows, strict=True))
        measured = bool(self.profile.convention.measures)
        whole = self.profile.total.cost if measured else self.profile.total.params
        made = []
        for box in drawn:
            own = [rows[layer] for layer in box.layers if layer in rows]
            part = sum(row.cost if measured else row.params for row in own)
            made.append(Costed(box._replace(more=tuple(self._said(own))), part, whole))
        return made

    @property
    def counted(self) -> list[int]:
        """The numbers of the layers within the scope: those that the profile has rows of."""
        scope, groups = self.profile.scope, layers(self.network.compiled.nodes)
        return [n for n, layer in enumerate(groups) if scope in ("all", layer[0].scope)]

    def _said(self, rows: Sequence[Row]) -> list[str]:
        unit = self.profile.convention.unit
        params, cost = sum(row.params for row in rows), sum(row.cost for row in rows)
        words = [f"{fmt.integer(params)} params"] if params else []
        words += [f"{fmt.integer(cost)} {unit}"] if cost else []
        return [" · ".join(words)] if words else []

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return what a notebook shows."""
        from html import escape

        plain = {"text/plain": repr(self)}
        if self.format == "svg":
            return {**plain, "image/svg+xml": self.text}
        if self.format == "html":
            frame = f'<iframe sandbox="allow-scripts" srcdoc="{escape(self.text)}" '
            frame += 'width="100%" height="640"></iframe>'
            return {**plain, "text/html": frame}
        return {"text/plain": self.text}


GRAPHS: Formats[Callable[[Drawing, Screen], str]] = Formats()
"""The formats of graphs by their names."""


@GRAPHS.add("svg", ".svg")
def _svg(drawing: Drawing, screen: Screen) -> str:
    return svg(drawing.profile.brief, drawing.boxes(), drawing.theme)


@GRAPHS.add("html", ".html", ".htm")
def _html(drawing: Drawing, screen: Screen) -> str:
    chosen = dict.fromkeys((drawing.by, *BY))
    return page(
        drawing.network, drawing.profile, {by: drawing.boxes(by) for by in chosen},
        drawing.counted, drawing.convention, drawing.theme,
    )  # fmt: skip


@GRAPHS.add("dot", ".dot", ".gv")
def _dot(drawing: Drawing, screen: Screen) -> str:
    boxes = [costed.box for costed in drawing.boxes()]
    return drawings.as_dot(drawing.network.spec.name, boxes)


@GRAPHS.add("mermaid", ".mmd", ".mermaid")
def _mermaid(drawing: Drawing, screen: Screen) -> str:
    return drawings.as_mermaid([costed.box for costed in drawing.boxes()])


def graph(
    spec: SpecLike,
    /,
    output: str | Path | None = None,
    format: str | None = None,
    *,
    by: str = "block",
    theme: str = "auto",
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    **knobs: Value,
) -> Drawing:
    """Return a network as a graph with its costs, and write it to ``output`` if that is given.

    The format, svg, html, dot or mermaid, is ``format``, or what the ending of ``output`` says,
    or svg. Boxes are ``by`` block or by layer; a block is what `table` sums up so. An HTML page
    has the table, both graphs, and sliders where there is a closed formula. ``theme`` is light,
    dark, transparent, or auto for what the reader's system says.
    Raises: UsageError: no such spec, format, grouping, theme, scope or convention, or the file
    cannot be written. LimitError: a page is too large. MbprofError: the spec makes no network at
    these values.

    >>> str(graph("mobilenet_v1", format="mermaid", alpha=0.5)).splitlines()[2]
    '  n1["Conv2d_0<br>conv relu6<br>16×112×112<br>432 params · 5,419,008 MACs"]'
    """
    path = None if output is None else str(output)
    chosen = GRAPHS.choose(format, path, "svg").name
    drawing = drawn(as_network(spec, **knobs), chosen, by, theme, scope, convention)
    if path is not None:
        emit(drawing.text, path)
    return drawing


def drawn(
    network: Network, format: str, by: str, theme: str, scope: str | None, convention: str
) -> Drawing:
    """Return a built network as a graph, see `graph`."""
    if by not in BY:
        raise unknown("grouping", by, BY)
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)
    profile = network.profile(convention, scope)
    return Drawing(network, profile, convention, by, theme, format)

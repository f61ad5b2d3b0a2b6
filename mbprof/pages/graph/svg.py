"""A laid out graph as SVG, whose text is text; colours are the reader's own unless a theme says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbprof.errors import unknown
from mbprof.exchange.drawings import Box
from mbprof.language.fmt import percent
from mbprof.language.record import NamedTuple
from mbprof.output import inert
from mbprof.pages.graph.layout import laid_out

_EM, _BOLD, _LINE, _PAD, _MARGIN = 6.9, 7.8, 15.0, 8.0, 12.0
"""How wide a letter is on the average, how high a line is, and what is left around text."""
_LONGEST = 44
"""Letters of a line that are shown; the whole of it stands in the title of its box."""

COLOURS = {
    "light": {
        "ground": "#ffffff", "box": "#f6f8fa", "line": "#8b949e", "text": "#1f2328",
        "quiet": "#59616b", "bar": "#2f6fb4", "mark": "#fff1c2", "rule": "#d8dce1",
        "wrong": "#b3261e",
    },
    "dark": {
        "ground": "#131518", "box": "#1f242b", "line": "#7d8590", "text": "#e6e9ec",
        "quiet": "#a2a9b2", "bar": "#6cb0f5", "mark": "#4a3c10", "rule": "#33393f",
        "wrong": "#ff8a80",
    },
}  # fmt: skip
THEMES = ("auto", *COLOURS, "transparent")
"""What a graph can be drawn for: what the reader's system says, a ground, or any ground."""


def rules(theme: str = "auto") -> str:
    """Return the style of a graph, without variables, which print programs do not know.

    Raises: UsageError: no such theme.
    """
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)
    chosen = _rules("dark" if theme == "dark" else "light", theme != "transparent")
    if theme != "auto":
        return chosen
    return f"{chosen}\n@media (prefers-color-scheme: dark) {{\n{_rules('dark', True)}\n}}"


def _rules(name: str, grounded: bool) -> str:
    colour = COLOURS[name]
    # What has no ground may stand on any: its edges are grey.
    return "\n".join(
        (
            f".ground {{ fill: {colour['ground'] if grounded else 'none'}; }}",
            f".box rect {{ fill: {colour['box']}; stroke: {colour['line']}; }}",
            f".box .share {{ fill: {colour['bar']}; stroke: none; }}",
            f".edge {{ fill: none; stroke: {colour['line']}; stroke-width: 1.2; }}",
            f".tip {{ fill: {colour['line']}; }}",
            f".graph text {{ fill: {colour['quiet']}; font: 12px system-ui, sans-serif; }}",
            f".graph text.name {{ fill: {colour['text']}; font-weight: 600; }}",
            f".box:focus rect, .box.marked rect {{ fill: {colour['mark']}; }}",
        )
    )


class Costed(NamedTuple):
    """A box with what it costs of the whole."""

    box: Box
    part: int
    whole: int

    @property
    def share(self) -> float:
        """The part of the whole."""
        return self.part / self.whole if self.whole else 0.0


def svg(
    title: str, drawn: Sequence[Costed], theme: str = "auto", name: str = "", styled: bool = True
) -> str:
    """Return boxes as an SVG; ``name`` keeps it apart from another one of its page.

    Without a style of its own it is for a page that has `rules`.
    """
    cut = [[_cut(line) for line in costed.box.lines] for costed in drawn]
    sizes = [
        (
            max(len(lines[0]) * _BOLD, *(len(line) * _EM for line in lines), 60.0) + 2 * _PAD,
            len(lines) * _LINE + _PAD + (4.0 if costed.part else 0.0),
        )
        for costed, lines in zip(drawn, cut, strict=True)
    ]
    found = laid_out(sizes, [costed.box.sources for costed in drawn])
    width, height = found.width + 2 * _MARGIN, found.height + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" width="{_at(width)}" '
        f'height="{_at(height)}" viewBox="0 0 {_at(width)} {_at(height)}" role="group" '
        f'aria-label="{_text(title)}">',
        f"<title>{_text(title)}</title>",
        *([f"<style>\n{rules(theme)}\n</style>"] if styled else []),
        f'<defs><marker id="tip{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8Z"/></marker></defs>',
        '<rect class="ground" width="100%" height="100%"/>',
        f'<g transform="translate({_at(_MARGIN)} {_at(_MARGIN)})" text-anchor="middle">',
    ]
    for hop in found.hops:
        (x, y), (to, end) = hop.start, hop.end
        half = (y + end) / 2
        bend = f"C{_at(x)} {_at(half)} {_at(to)} {_at(half)} {_at(to)} {_at(end)}"
        way = f"V{_at(end)}" if abs(x - to) < 0.1 else bend
        tip = f' marker-end="url(#tip{name})"' if hop.arrives else ""
        lines.append(f'<path class="edge" d="M{_at(x)} {_at(y)}{way}"{tip}/>')
    for costed, place, shown in zip(drawn, found.places, cut, strict=True):
        lines += _box(costed, place, shown)
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _box(costed: Costed, place: tuple[float, ...], shown: Sequence[str]) -> Iterator[str]:
    box, (x, y, width, height) = costed.box, place
    layers = " ".join(map(str, box.layers))
    said = ", ".join(box.lines)
    share = f", {percent(costed.part, costed.whole)} % of the cost" if costed.part else ""
    yield (
        f'<g class="box" data-layers="{layers}" role="img" aria-label="{_text(said)}" '
        f'transform="translate({_at(x)} {_at(y)})">'
    )
    yield f"<title>{_text(said + share)}</title>"
    yield f'<rect width="{_at(width)}" height="{_at(height)}" rx="4"/>'
    if costed.part:
        length = _at(max(1.0, costed.share * (width - 8)))
        yield f'<rect class="share" x="4" y="{_at(height - 6)}" width="{length}" height="3"/>'
    costs = len(shown) - len(box.more)
    for number, line in enumerate(shown):
        last = {costs: "cost", costs - 1: "shape"}
        kind = f' class="{"name" if number == 0 else last.get(number, "words")}"'
        at = f'x="{_at(width / 2)}" y="{_at((number + 1) * _LINE)}"'
        yield f"<text{kind} {at}>{_text(line)}</text>"
    yield "</g>"


def _cut(line: str) -> str:
    shown = inert.line(line)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 13]}…{shown[-12:]}"


def _text(text: str) -> str:
    return inert.html(inert.line(text))


def _at(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")

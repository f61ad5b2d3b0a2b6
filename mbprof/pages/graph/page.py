"""A network as one HTML file: its table, its graph, and sliders that compute by its formula.

The file asks nobody for anything, and says so to the browser: what is no part of it is refused.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from mbprof.errors import LimitError, MbprofError
from mbprof.formulas import Formula
from mbprof.formulas.builds import SIZES
from mbprof.formulas.closed import COUNTS
from mbprof.formulas.request import formula_at
from mbprof.formulas.script import Inexact, javascript
from mbprof.formulas.text import GREEK, Condition, Range, Text, symbols
from mbprof.language import fmt
from mbprof.language.record import NamedTuple
from mbprof.network.load import Network
from mbprof.network.profile import Profile, heading, incomplete
from mbprof.network.rows import Row
from mbprof.output import inert
from mbprof.output.formats import stamp, to_json
from mbprof.pages.graph.svg import COLOURS, Costed, rules, svg

MOST = 1_000_000
"""Bytes of a page at most."""
_STEP, _STEPS = 0.05, (32, 16, 8, 4, 2, 1)
"""What sliders move by: of decimals, and of sizes the first that divides the present one."""
_SIDES = {"H": "height", "W": "width"}


class Live(NamedTuple):
    """What a page computes: a formula and its program, or why there is none."""

    formula: Formula | None = None
    program: str = ""
    why: str = ""


def page(
    network: Network,
    profile: Profile,
    drawn: Mapping[str, Sequence[Costed]],
    counted: Sequence[int],
    convention: str,
    theme: str = "auto",
) -> str:
    """Return a page; of several graphs of the network the first one is shown first.

    ``counted`` are the numbers of the profile's rows among all layers. What makes the page too
    large is left out: other graphs than the first one.
    Raises: LimitError: it is too large nevertheless.
    """
    live = _live(network, convention, profile.scope)
    shown = dict(drawn)
    while True:
        without = [by for by in drawn if by not in shown]
        made = _page(network, profile, shown, without, counted, theme, live)
        size = len(made.encode())
        if size <= MOST:
            return made
        if len(shown) == 1:
            raise LimitError(
                f"the page of {network.spec.name} would have {fmt.integer(size)} bytes; at most "
                f"{fmt.integer(MOST)} are made",
                hint="--format svg draws it",
            )
        shown.popitem()


def _live(network: Network, convention: str, scope: str) -> Live:
    """Return the formula that holds at the network's knobs."""
    try:
        formula = formula_at(
            network.spec, network.knobs, "layer", (), convention, scope, around=True
        )
        if formula.symbols:
            return Live(formula, javascript(formula))
        why = "each width and each size of it makes another network"
    except Inexact as error:
        return Live(why=str(error))
    except MbprofError as error:
        why = error.message
    return Live(why=f"there is no closed formula; {why}")


def _page(
    network: Network,
    profile: Profile,
    drawn: Mapping[str, Sequence[Costed]],
    without: Sequence[str],
    counted: Sequence[int],
    theme: str,
    live: Live,
) -> str:
    title = heading(network.spec.name, network.knobs, network.changed)
    at = heading("", network.knobs, network.changed)
    about, made = network.definition.doc, f"Made at {at}." * bool(at)
    style = "\n".join([_variables(theme), rules(theme), _file("page.css")])
    program = "\n".join(filter(None, [live.program, _file("page.js")]))
    policy = (
        f"default-src 'none'; style-src 'sha256-{_hash(style)}'; "
        f"script-src 'sha256-{_hash(program)}'; base-uri 'none'; form-action 'none'"
    )
    marks = stamp(network.spec.name, network.knobs, profile.scope, profile.convention)
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{inert.html(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="mbprof {inert.html(str(marks["version"]))}">',
        f'<meta name="mbprof" content="{inert.html(to_json(marks, None))}">',
        f"<title>{_text(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<h1>{_text(network.spec.name)}</h1>",
        *(f'<p class="quiet">{_text(said)}</p>' for said in filter(None, (about, made))),
        *_knobs(live),
        _totals(profile),
        '<p id="said" role="status"></p>',
        "<main>",
        *_graphs(title, drawn, without),
        *_table(profile, counted),
        "</main>",
        *_notes(profile),
        '<script type="application/json" id="data">',
        _data(profile, counted, at, live),
        "</script>",
        f"<script>{program}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join([*lines, ""])


def _variables(theme: str) -> str:
    def root(name: str) -> str:
        said = " ".join(f"--{key}: {value};" for key, value in COLOURS[name].items())
        return f":root {{ color-scheme: {name}; {said} }}"

    if theme in COLOURS:
        return root(theme)
    return f"{root('light')}\n@media (prefers-color-scheme: dark) {{\n{root('dark')}\n}}"


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _text(text: str) -> str:
    return inert.html(inert.line(text))


def _heads(profile: Profile) -> list[str]:
    """Return the fields that a page shows: params, and a cost if the convention has one."""
    return list(COUNTS if profile.convention.measures else COUNTS[:1])


def _units(profile: Profile) -> list[str]:
    return ["params", profile.convention.unit][: len(_heads(profile))]


def _totals(profile: Profile) -> str:
    said = (
        f'<strong id="{name}">{fmt.integer(getattr(profile.total, name))}</strong> {_text(unit)}'
        for name, unit in zip(_heads(profile), _units(profile), strict=True)
    )
    return f'<p id="totals">{", ".join(said)}</p>'


def _graphs(
    title: str, drawn: Mapping[str, Sequence[Costed]], without: Sequence[str]
) -> Iterator[str]:
    yield '<section aria-label="graph">'
    if len(drawn) > 1:
        yield '<p class="choice" role="group" aria-label="a box for each">'
        for number, by in enumerate(drawn):
            yield f'<button type="button" aria-pressed="{str(not number).lower()}">{by}s</button>'
        yield "</p>"
    for by in without:
        yield f'<p class="quiet">The graph by {by} would make the page too large.</p>'
    yield '<div class="scroll" id="graphs">'
    for number, boxes in enumerate(drawn.values()):
        made = svg(title, boxes, name=str(number), styled=False)
        yield made.replace("<svg ", "<svg hidden ", 1).rstrip() if number else made.rstrip()
    yield "</div></section>"


def _table(profile: Profile, counted: Sequence[int]) -> Iterator[str]:
    heads, units = _heads(profile), _units(profile)
    words = [("layer", ""), ("block", "side"), ("op", "side"), ("output", "side")]
    counts = [(text, "count") for unit in units for text in (unit, "%")]
    yield '<section aria-label="table"><div class="scroll" id="table"><table>'
    cells = (
        f'<th class="{kind}" scope="col"><button type="button">{_text(text)}</button></th>'
        for text, kind in [*words, *counts]
    )
    yield f"<thead><tr>{''.join(cells)}</tr></thead><tbody>"
    for number, row in zip(counted, profile.rows, strict=True):
        shown = [
            f'<td class="name">{_text(row.name)}</td>',
            f'<td class="side">{_text(row.block)}</td>',
            f'<td class="side">{_text(row.op)}</td>',
            f'<td class="side shape">{_text(fmt.show(row.out_shape))}</td>',
            *_counts(row, profile, heads),
        ]
        yield f'<tr data-layer="{number}">{"".join(shown)}</tr>'
    yield "</tbody></table></div></section>"


def _counts(row: Row, profile: Profile, heads: Iterable[str]) -> Iterator[str]:
    for name in heads:
        own, whole = getattr(row, name), getattr(profile.total, name)
        yield f'<td class="count {name}">{fmt.integer(own)}</td>'
        yield f'<td class="count {name}_share">{_text(fmt.percent(own, whole))}</td>'


def _notes(profile: Profile) -> Iterator[str]:
    convention = profile.convention
    yield "<footer>"
    said = [
        *incomplete(profile.missing),
        f"Counted: {convention.doc} (convention {convention.name}), scope {profile.scope}.",
    ]
    yield from (f"<p>{_text(note)}</p>" for note in said)
    yield "</footer>"


class _Knob(NamedTuple):
    """A symbol as a slider."""

    name: str
    label: str
    value: Any
    low: Any
    high: Any
    step: Any

    @property
    def whole(self) -> bool:
        return isinstance(self.value, int)

    @property
    def side(self) -> bool:
        return self.name in SIZES


def _symbols(formula: Formula) -> list[_Knob]:
    """Return the symbols with the part of their range that a slider has: up to twice the value."""
    ranges = {c.symbol.letter: c for c in formula.conditions if isinstance(c, Range)}
    made = []
    for symbol in formula.symbols:
        value, low, high = symbol.value, symbol.low, symbol.high
        if ranged := ranges.get(symbol.name):
            low, high = ranged.low, ranged.high
        whole = isinstance(value, int)
        step = next(s for s in _STEPS if value % s == 0) if whole else _STEP
        if not whole and abs(value / step - round(value / step)) > 1e-9:
            step = _STEP / 50
        least = max(step, math.ceil(low / step) * step)
        label = _SIDES.get(symbol.name) or GREEK.get(symbol.name, symbol.name)
        made.append(_Knob(symbol.name, label, value, least, min(2 * value, high), step))
    return made


def _knobs(live: Live) -> Iterator[str]:
    if live.formula is None:
        yield f'<p class="quiet">No sliders: {_text(live.why)}.</p>'
        return
    knobs = _symbols(live.formula)
    yield '<form id="knobs" hidden>'
    for i, knob in enumerate(knobs):
        step = knob.step if knob.whole else "any"
        yield (
            f"<label><span>{_text(knob.label)}</span>"
            f'<input type="range" id="slider{i}" min="{knob.low}" max="{knob.high}" '
            f'step="{knob.step}" value="{knob.value}" aria-label="{_text(knob.label)}">'
            f'<input type="number" id="box{i}" step="{1 if knob.whole else step}" '
            f'value="{knob.value}" aria-label="{_text(knob.label)}, as a number"></label>'
        )
    sides = [knob.value for knob in knobs if knob.side]
    if len(sides) == len(SIZES):
        checked = " checked" if len(set(sides)) == 1 else ""
        yield f'<label class="whole"><input type="checkbox" id="square"{checked}> square</label>'
    yield '<p><button type="button" id="reset">as it was</button></p>'
    holds = (Text(live.formula.alone).condition(c) for c in live.formula.conditions)
    yield f'<p class="quiet wide">Exact for {_text(", ".join(_few(list(holds))))}.</p>'
    yield "</form>"


def _said(condition: Condition, formula: Formula, style: Text) -> str:
    """Write a condition with what its names stand for."""
    names = {symbol for tree in condition.trees for symbol in symbols(tree)}
    where = [f"{style.name(n)} = {style(tree)}" for n, tree in formula.where if n in names]
    return ", where ".join([style.condition(condition), *([", ".join(where)] if where else [])])


def _few(said: Sequence[str], most: int = 6) -> list[str]:
    """Return the first of what is said, and how much more there is."""
    more = len(said) - most
    return [*said[:most], *([f"and {fmt.several(more, 'condition')} more"] if more > 0 else [])]


def _data(profile: Profile, counted: Sequence[int], made_at: str, live: Live) -> str:
    """Return what the program reads; no text in it ends the script."""
    data: dict[str, Any] = {"heads": _heads(profile), "units": _units(profile), "symbols": []}
    if (formula := live.formula) is not None:
        numbers = dict(zip((row.name for row in profile.rows), counted, strict=True))
        style = Text(formula.alone)
        data |= {
            "at": inert.line(made_at),
            "symbols": [
                {"label": inert.line(k.label), "value": k.value, "whole": k.whole, "side": k.side}
                for k in _symbols(formula)
            ],
            "conditions": [inert.line(_said(c, formula, style)) for c in formula.conditions],
            "lines": [numbers[line.name] for line in formula.lines],
        }
    return to_json(data, None).replace("<", "\\u003c").replace("&", "\\u0026")

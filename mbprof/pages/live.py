"""Answers for a page on which a network is typed: text and settings to plain data, view by view.

A page asks for one view at a time; each is a function of a `Typed` network and of what the view
needs besides. Numbers come as they are and as people read them, names with everything that acts or
hides shown as its code point. No library is needed but the YAML reader. A view imports what only it
needs, so that the first table does not wait for the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from mbprof.errors import Loc, MbprofError, UsageError, span, unknown
from mbprof.language import fmt
from mbprof.language.fmt import plain
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.graph import IMAGE, Node, layers
from mbprof.network.load import Network, Spec, alone
from mbprof.network.profile import Table
from mbprof.output import inert
from mbprof.output.formats import stamp
from mbprof.output.model import Report
from mbprof.output.writers import render
from mbprof.spec import folders, index, zoo
from mbprof.spec.folders import BLOCKS, SPECS, found
from mbprof.spec.knobs import Knob
from mbprof.spec.sections import SCOPES

Data: TypeAlias = dict[str, Any]
NAME = "network.yaml"
"""What errors call the text; a page shows them in it."""
_MOST_CELLS = 64


@record
class Typed:
    """A text, what was typed for its knobs, and how it is counted."""

    text: str
    given: tuple[tuple[str, str], ...] = ()
    scope: str | None = None
    convention: str = conventions.DEFAULT

    @property
    def knobs(self) -> dict[str, Scalar]:
        """What was typed for the knobs."""
        return {name: Scalar.typed(f"{name} ", text) for name, text in self.given}

    @property
    def network(self) -> Network:
        """The network at the knobs.

        Raises: MbprofError: the text or what was typed makes none.
        """
        return _network(self.text, self.given)

    @property
    def chosen(self) -> str:
        """The scope: the one that was asked for, or the network's own."""
        spec = self.network.spec
        return self.scope or ("all" if spec.alone else spec.definition.scope)

    def at(self, **knobs: str) -> Typed:
        """Return the same with other knobs."""
        given = tuple({**dict(self.given), **knobs}.items())
        return Typed(self.text, given, self.scope, self.convention)


@lru_cache(maxsize=2)
def _opened(text: str) -> zoo.OpenedSpec | zoo.OpenedBlock:
    return zoo.told(zoo.of_text(text, NAME), NAME)


@lru_cache(maxsize=8)
def _network(text: str, given: tuple[tuple[str, str], ...]) -> Network:
    opened, knobs = _opened(text), Typed(text, given).knobs
    if isinstance(opened, zoo.OpenedBlock):
        return Spec(alone(opened, given=knobs).definition, alone=True).build()
    return Spec(opened.definition).build_at(knobs)


def start() -> Data:
    """Return what a page offers before anything is typed."""
    return {
        "version": stamp()["version"],
        "conventions": [*conventions.names()],
        "scopes": [*SCOPES],
    }


def networks() -> list[Data]:
    """Return the networks of the zoo with what they cost, as the index has it.

    Where it is not of the specs that are there, files have their names only.
    """
    rows = index.rows(folders.folder())
    if rows is None:
        return [{"name": name, "family": "", "doc": ""} for name in zoo.spec_names()]
    return [
        {
            "name": row["name"],
            "family": row["family"],
            "doc": inert.line(row["doc"]),
            **_amounts(int(row["params"]), int(row["macs"]), "MACs"),
        }
        for row in rows.values()
    ]


def blocks() -> list[Data]:
    """Return the blocks of the library, each with what it is."""
    from mbprof.pages.catalogue import library

    return [{"name": block.name, "doc": inert.line(block.block.doc)} for block in library().blocks]


def text_of(name: str) -> str:
    """Return the text that stands for a network or block of the zoo.

    That is its file, or for a preset a spec that extends it.
    Raises: UsageError: the zoo has none of that name.
    """
    if (path := found(folders.folder(), (*SPECS, *BLOCKS), name)) is not None:
        return path.read_text(encoding="utf-8")
    if name not in zoo.names():
        raise unknown("network", name, [*zoo.names(), *zoo.block_names()])
    return f"name: my_{name}\nextend: {name}\n"


def _place(loc: Loc | None) -> Data:
    """Return from where to where a place in the text reaches; nothing of one that is elsewhere."""
    return span(loc if loc and loc.source.name == NAME else None)


def problem(error: MbprofError) -> Data:
    """Return an error as plain data: where it is in the text, and what it says."""
    inside = [loc for loc in (error.loc, *error.trail) if loc and loc.source.name == NAME]
    return {
        **_place(inside[0] if inside else None),
        "severity": "error",
        "code": error.kind,
        "message": inert.line(error.message),
        "hint": error.hint and inert.line(error.hint),
        "trace": [inert.line(step) for step in error.trace[:8]],
    }


def _knob(knob: Knob, network: Network) -> Data:
    value = network.knobs[knob.name]
    return {
        "name": knob.name,
        "kind": knob.kind,
        "doc": inert.line(knob.doc),
        "default": inert.line(plain(knob.default)),
        "value": inert.line(plain(value)),
        "range": knob.range,
        "one_of": [plain(each) for each in knob.one_of],
    }


def _spot(group: Sequence[Node]) -> tuple[int | None, int | None]:
    """Return the lines of a layer in the text: of the row that it comes from, and of its step."""
    inside = [loc.line for loc in group[0].trail if loc.source.name == NAME]
    return (inside[0], inside[-1]) if inside else (None, None)


def table(typed: Typed) -> Data:
    """Return the layers with what they cost, the total, the knobs, and the notes."""
    network = typed.network
    profile = network.profile(typed.convention, typed.chosen)
    shown = Table(profile, scaled=tuple(network.scaled_outputs()))
    unit, total = profile.convention.unit, profile.total
    groups = {group[0].layer: group for group in layers(network.compiled.nodes)}
    return {
        "name": inert.line(network.spec.name),
        "title": inert.line(profile.headline),
        "block": network.spec.alone,
        "scope": profile.scope,
        "convention": profile.convention.name,
        "unit": unit,
        "total": _amounts(total.params, total.cost, unit),
        "rows": [
            {
                "name": inert.line(row.name),
                "block": inert.line(row.block),
                "unit": inert.line(row.unit),
                "op": row.op,
                "input": fmt.shape(row.in_shape),
                "output": fmt.shape(row.out_shape),
                "kernel": fmt.pair(row.kernel),
                "stride": fmt.pair(row.stride),
                **_amounts(row.params, row.cost, unit),
                "lines": _spot(groups[row.name]),
            }
            for row in profile.rows
        ],
        "knobs": [_knob(knob, network) for knob in network.definition.knobs.values()],
        "notes": [inert.line(note) for note in shown.report().typed_notes()],
    }


def _amounts(params: int, cost: int, unit: str) -> Data:
    said = {"params": fmt.integer(params), "cost": fmt.integer(cost) if unit else ""}
    # What a page sorts and draws by is a double there.
    return {**said, "numbers": {"params": float(params), "cost": float(cost)}}


def findings(typed: Typed) -> Data:
    """Return what the rules say of the network, with the places in the text."""
    from mbprof.checks.run import examine

    network = typed.network
    checked = examine(network, convention=typed.convention, scope=typed.chosen)
    return {
        "title": inert.line(checked.brief),
        "sizes": inert.line(checked.sizes),
        "findings": [
            {
                **_place(finding.loc),
                "severity": finding.severity,
                "code": finding.code,
                "message": inert.line(finding.message),
                "hint": finding.hint and inert.line(finding.hint),
                "layers": [inert.line(layer) for layer in finding.layers],
            }
            for finding in checked.findings
        ],
    }


def graph(typed: Typed) -> Data:
    """Return the layers as nodes, with their blocks, and the tensors between them as edges."""
    from mbprof.compare.wiring import Wires

    network = typed.network
    profile = network.profile(typed.convention, "all")
    compiled, unit = network.compiled, profile.convention.unit
    wires = Wires.of(compiled)
    nodes: list[Data] = [
        {
            "id": f"i{port}",
            "name": inert.line(image.name),
            "op": "input",
            "block": "",
            "unit": "",
            "output": fmt.shape(image.shape),
            "lines": (None, None),
        }
        for port, image in enumerate(compiled.images)
    ]
    edges = []
    for number, (group, row) in enumerate(zip(wires.layers, profile.rows, strict=True)):
        nodes.append(
            {
                "id": f"n{number}",
                "name": inert.line(row.name),
                "op": row.op,
                "block": inert.line(f"{group[0].scope}/{row.block}"),
                "unit": inert.line(row.unit),
                "output": fmt.shape(row.out_shape),
                "lines": _spot(group),
                **_amounts(row.params, row.cost, unit),
            }
        )
        for edge in wires.inputs(number):
            at = f"i{edge.port}" if edge.node == IMAGE else f"n{wires.layer_of[edge.node]}"
            edges.append({"from": at, "to": f"n{number}", "shape": fmt.shape(compiled.shape(edge))})
    return {"unit": unit, "nodes": nodes, "edges": edges}


def laid(report: Report) -> Data:
    """Return a report as headings and cells, as people read them."""
    total = report.total_cells()
    return {
        "title": inert.line(report.title),
        "lead": [inert.line(line) for line in report.lead],
        "columns": [
            {"heading": inert.line(column.heading), "doc": column.doc, "numeric": column.numeric}
            for column in report.columns
        ],
        "rows": [[inert.line(cell) for cell in row] for row in report.cells()],
        "total": [inert.line(cell) for cell in total] if total else None,
        "text": report.text and inert.terminal(report.text),
        "notes": [inert.line(note) for note in report.typed_notes()],
        "more": [laid(part) for part in report.more],
    }


def explain(typed: Typed) -> Data:
    """Return what every convention counts."""
    from mbprof.published import tools

    return laid(tools.explain(typed.network, scope=typed.scope).report())


def number(typed: Typed, asked: str) -> Data:
    """Return what a number may count of the network, its flavours, published and usual settings."""
    from mbprof.published.origins import origins

    network = typed.network
    known = network.spec.name in zoo.names() and text_of(network.spec.name) == typed.text
    spec = Spec(network.definition, network.spec.name if known else "", network.spec.alone)
    return laid(origins(spec, asked, typed.knobs).report())


def formula(typed: Typed, by: str = "net", format: str = "text") -> Data:
    """Return the cost in closed form, as text, LaTeX or Markdown."""
    from mbprof.formulas import formula_at
    from mbprof.formulas.sheet import render as written

    spec = typed.network.spec
    fixed = {name: text for name, text in typed.knobs.items() if name not in ("alpha", "res")}
    found = formula_at(spec, fixed, by, (), typed.convention, typed.chosen)
    return {"text": inert.terminal(written(found, format, width=100))}


def changes(typed: Typed, before: str) -> Data:
    """Return what changed since the network was loaded."""
    from mbprof.compare.diff import diff

    old, new = Typed(before), typed.network
    found = diff(old.network, new, convention=typed.convention, scope=typed.chosen)
    return laid(found.report())


def document(typed: Typed, format: str) -> Data:
    """Return the table as Markdown, CSV or JSON."""
    profile = typed.network.profile(typed.convention, typed.chosen)
    layout = "page" if format == "md" else "data"
    return {"text": render(Table(profile).report(layout), format)}


def grid(typed: Typed, alphas: Sequence[str], sides: Sequence[str]) -> Data:
    """Return the total at each width and resolution; nothing where there is no network.

    Raises: UsageError: there are too many.
    """
    if max(1, len(alphas)) * len(sides) > _MOST_CELLS:
        raise UsageError(f"more than {_MOST_CELLS} configurations")
    cells, unit = [], typed.network.profile(typed.convention).convention.unit
    for alpha in alphas or ("",):
        for side in sides:
            given = {"res": side, **({"alpha": alpha} if alpha else {})}
            try:
                at = typed.at(**given)
                total = at.network.profile(typed.convention, typed.chosen).total
            except MbprofError:
                continue
            cells.append({"alpha": alpha, "res": side, **_amounts(total.params, total.cost, unit)})
    return {"cells": cells}


def plane(typed: Typed) -> Data:
    """Return the published series with computed costs, and other networks as their papers say.

    The cost is MACs of the whole network under the convention ``kernels``.
    """
    from mbprof.pages import points
    from mbprof.published import rows

    network = typed.network
    spec = network.spec
    own = () if spec.alone else points.points(spec)
    total = network.profile(scope="all").total
    others = [
        {"name": row.spec or row.model, "macs": row.macs_millions * 1e6, "top1": row.top1}
        for row in rows.published()
        if row.usable and row.macs_millions and "macs" not in row.wrong
    ]
    return {
        "name": inert.line(spec.name),
        "here": {"macs": float(total.cost), **_amounts(total.params, total.cost, "MACs")},
        "own": [
            {"alpha": at.alpha, "res": fmt.pair(at.res), "macs": float(at.macs),
             "said": fmt.integer(at.macs), "top1": at.top1, "source": inert.line(at.source)}
            for at in own
        ],
        "others": others,
    }  # fmt: skip


VIEWS: dict[str, Callable[..., Any]] = {
    view.__name__: view
    for view in (
        table, findings, graph, explain, number, formula, changes, document, grid, plane,
    )
}  # fmt: skip
"""Every view of a typed network by its name."""


def answer(
    view: str,
    text: str,
    given: Mapping[str, str],
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    **more: Any,
) -> Data:
    r"""Return a view of a text at some settings, or the error that stands in its way.

    Raises: UsageError: there is no such view.

    >>> answer("table", "{name: a, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}", {})["total"]
    {'params': '108', 'cost': '6,912', 'numbers': {'params': 108.0, 'cost': 6912.0}}
    >>> answer("table", "name: a\ninput: {res: 8}\nbody: [{op: cnv}]\n", {})["error"]["line"]
    3
    """
    if view not in VIEWS:
        raise unknown("view", view, VIEWS)
    try:
        found: Data = VIEWS[view](Typed(text, tuple(given.items()), scope, convention), **more)
        return found
    except MbprofError as error:
        return {"error": problem(error)}


OFFERS: dict[str, Callable[..., Any]] = {
    offer.__name__: offer for offer in (start, networks, blocks, text_of)
}
"""What a page asks for before there is a text."""


def asked(question: str) -> str:
    r"""Answer a question in JSON: a view with what it needs, by its name.

    >>> asked('{"view": "text_of", "name": "resnet50"}')
    '"name: my_resnet50\\nextend: resnet50\\n"'
    """
    words = json.loads(question)
    if (offer := OFFERS.get(words["view"])) is not None:
        del words["view"]
        return json.dumps(offer(**words))
    return json.dumps(answer(**words))

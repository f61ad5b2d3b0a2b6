"""What can be counted of a network: by whom, in which scope, of which view; and how people do it.

All conventions are asked at once, each kind of node once, so that a count of everything takes
hardly longer than a count by one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields as fields_of
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from mbprof.language.record import NamedTuple
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Measure, NodeNames
from mbprof.network.graph import Graph, Node, fold
from mbprof.spec.sections import SCOPES
from mbprof.symbolic.arithmetic import added, is_whole, weighted
from mbprof.symbolic.symbols import Varying, key

PLAIN, FOLDED, BIASED = "", "folded", "with biases"
"""A network as it is; its batch norms folded; the layers before its norms with a bias, too."""
Views = Literal["every", "stored", "none"]
"""All views are counted, those of the values that a network stores, or the network as it is."""

Bits = float
"""How seldom people do something: it is rarer by half for each bit."""

_PARAMS = {"trainable": 0.0, "stored": 2.0, "kernels": 2.0, "keras": 3.0, "slim-list": 3.5}
_COSTS = {"kernels": 0.0, "fvcore": 2.0, "torch": 2.5, "thop": 2.5, "ptflops": 2.5}
_COSTS |= {
    "ptflops@0.6.9": 2.8,
    "thop@0.0.31": 2.8,
    "paddle": 3.0,
    "imgclsmob": 3.0,
    "mmcv": 3.0,
    "calflops": 3.0,
}
_COMMON = {"params": _PARAMS, "cost": _COSTS}
"""What tables print most: the zoo's claims and the tables of model libraries were counted."""
_RARE, _OLD = 4.0, 0.5
"""What any other convention has, and an old release besides that of its tool."""
_SCOPE = {"all": 0.0, "body": 3.0}
_VIEW = {PLAIN: 0.0, FOLDED: 4.0, BIASED: 4.0}


class Counted(NamedTuple):
    """One of the numbers that a network has: the convention, the scope, what, of which view."""

    convention: str
    scope: str
    quantity: str
    view: str
    unit: str

    @property
    def folded(self) -> bool:
        """Whether batch norms are folded."""
        return self.view == FOLDED

    @property
    def bits(self) -> Bits:
        """How seldom a number counts this."""
        tool, _, old = self.convention.partition("@")
        common = _COMMON[self.quantity]
        own = common.get(self.convention, common.get(tool, _RARE) + (_OLD if old else 0.0))
        return own + _SCOPE.get(self.scope, 0.0) + _VIEW[self.view]


class Factor(NamedTuple):
    """What a count may have been multiplied by, how seldom, and what that is called."""

    times: Fraction
    bits: Bits
    said: str = ""


_ONE = Factor(Fraction(1), 0.0)
_FACTORS = {
    "params": (_ONE,),
    "MACs": (_ONE, Factor(Fraction(2), 3.5, "twice")),
    "FLOPs": (_ONE, Factor(Fraction(1, 2), 3.5, "half")),
}
"""A FLOP for a MAC, and the reverse, is the usual confusion."""
_HALVED = {"imgclsmob": (Factor(Fraction(1, 2), 0.0, "half"), _ONE._replace(bits=2.0))}
"""Tools whose own tables print half of what they count."""
_SLIPS = {10: "ten times", 1000: "a thousand times"}
_PARTS = {10: "tenth", 1000: "thousandth"}
UNITS = "in units of "
"""How the name of a wrong unit begins."""


def factors(counted: Counted) -> tuple[Factor, ...]:
    """Return what a count may have been multiplied by."""
    return _HALVED.get(counted.convention, _FACTORS[counted.unit])


def slips(power: int) -> tuple[Factor, ...]:
    """Return the wrong units of a number that was written with one of 10 to the ``power``.

    >>> [factor.said for factor in slips(6)][:2]
    ['in units of 2^20', 'ten times']
    """
    binary = power // 3 * 10
    units = [Factor(Fraction(10**power, 2**binary), 4.0, f"{UNITS}2^{binary}")]
    for times, said in _SLIPS.items():
        units.append(Factor(Fraction(times), 6.0, said))
        units.append(Factor(Fraction(1, times), 6.0, f"a {_PARTS[times]} of"))
    return tuple(units if power else units[1:])


@lru_cache(maxsize=8)
def kinds(scopes: tuple[str, ...] = SCOPES, views: Views = "every") -> tuple[Counted, ...]:
    """Return every way to count a network, or the network as it is, in the order of `counts`."""
    ways = []
    for convention in _conventions():
        name = convention.name
        for scope in scopes:
            for view in _views(convention, views):
                ways.append(Counted(name, scope, "params", view, "params"))
                if _costs(view, views):
                    units = (conventions.UNITS[measure] for measure in convention.measures)
                    ways += [Counted(name, scope, "cost", view, unit) for unit in units]
    return tuple(ways)


def _costs(view: str, views: Views) -> bool:
    """Whether the cost of a view is counted."""
    return view == PLAIN or (view == FOLDED and views == "every")


def _views(convention: Convention, views: Views) -> tuple[str, ...]:
    """Return the views that a convention may count; folding what is folded changes nothing."""
    if convention.folds or views == "none" or (views == "stored" and convention.tool):
        return (PLAIN,)
    biased = not convention.tool and "biases" in convention.params.weights
    return (PLAIN, FOLDED, BIASED) if biased else (PLAIN, FOLDED)


def counts(
    graph: Graph,
    scopes: tuple[str, ...] = SCOPES,
    views: Views = "every",
    known: dict[Any, dict[str, Any]] | None = None,
) -> list[Any]:
    """Return all counts of a graph, see `kinds`; its shapes may be symbols.

    ``known`` are values of formulas that graphs without symbols share.

    >>> from mbprof import load
    >>> values = dict(zip(kinds(), counts(load("mobilenet_v2").build().compiled), strict=True))
    >>> values[Counted("kernels", "all", "params", "", "params")]
    3471040
    """
    shared, alike = ({}, _alike) if known is None else (known, _same)
    plain, folded = (_Sums(seen, shared, alike) for seen in (graph, fold(graph)))
    values: list[Any] = []
    for convention in _conventions():
        for scope in scopes:
            for view in _views(convention, views):
                sums = folded if view == FOLDED or convention.folds else plain
                params = sums.params(convention, scope)
                if view == BIASED:
                    more = (side.kind("biases", scope, True, False) for side in (folded, plain))
                    with_biases, without = more
                    values.append(params + with_biases - without)
                    continue
                values.append(params)
                if not _costs(view, views):
                    continue
                values += (sums.cost(m, scope, convention) for m in convention.measures.values())
    return values


class _Group(NamedTuple):
    """Nodes that are counted alike: one of them, and how many there are."""

    node: Node
    times: int
    formulas: dict[str, Any]
    """The values of the formulas that were asked for, by their text."""

    def value(self, formula: Callable[..., Any], text: str) -> Any:
        if text not in self.formulas:
            self.formulas[text] = formula(NodeNames(self.node.by_itself))
        return self.formulas[text]


class _Sums:
    """Sums over a graph, part by part: scopes, and paths aside, share no node."""

    def __init__(
        self, graph: Graph, known: dict[Any, dict[str, Any]], alike_of: Callable[[Node], Any]
    ) -> None:
        grouped: dict[Any, list[Node]] = {}
        for number, node in enumerate(graph.nodes):
            alike = alike_of(node)
            own = number if alike is None else alike
            grouped.setdefault((node.scope, node.side, own), []).append(node)
        self.groups = [
            _Group(nodes[0], len(nodes), {} if is_whole(own) else known.setdefault(own, {}))
            for (*_, own), nodes in grouped.items()
        ]
        self.scopes = tuple(dict.fromkeys(group.node.scope for group in self.groups))
        self.known: dict[Any, Any] = {}

    def params(self, convention: Convention, scope: str) -> Any:
        """Return the stored values that a convention counts within a scope."""
        return self.sum(convention.params, scope, convention.side != "none", False)

    def cost(self, measure: Measure, scope: str, convention: Convention) -> Any:
        """Return what a convention's measure counts: each use of shared weights is a layer."""
        return self.sum(measure, scope, convention.side == "all", True)

    def sum(self, measure: Measure, scope: str, aside: bool, alone: bool) -> Any:
        """Return a measure's sum, with paths aside or without.

        ``alone`` counts each node with all that it computes with.
        """
        if not measure.rules:
            weighed = measure.weights.items()
            return weighted((w, self.kind(kind, scope, aside, alone)) for kind, w in weighed)
        return self.remembered((id(measure), scope, aside, alone), self._costs, measure)

    def kind(self, kind: str, scope: str, aside: bool, alone: bool) -> Any:
        """Return the sum of a kind of facts."""
        return self.remembered((kind, scope, aside, alone), self._facts, kind)

    def remembered(self, place: Any, values: Callable[..., Any], what: Any) -> Any:
        """Return a sum over a scope, which is computed once; the whole is that of its parts."""
        if place not in self.known:
            first, scope, aside, alone = place
            if scope == "all":
                parts = [
                    self.remembered((first, s, aside, alone), values, what) for s in self.scopes
                ]
                self.known[place] = added(parts)
            else:
                within = [
                    group
                    for group in self.groups
                    if group.node.scope == scope and (aside or not group.node.side)
                ]
                self.known[place] = weighted(values(what, within, alone))
        return self.known[place]

    @staticmethod
    def _costs(measure: Measure, groups: Iterable[_Group], alone: bool) -> Iterator[Any]:
        for group in groups:
            if alone or group.node.alone is None:
                rule = _rule(measure, group.node)
                if rule is not None:
                    yield group.times, group.value(rule, rule.scalar.text)

    @staticmethod
    def _facts(kind: str, groups: Iterable[_Group], alone: bool) -> Iterator[Any]:
        for group in groups:
            node = group.node
            yield group.times, getattr((alone and node.alone) or node.facts, kind)


def _rule(measure: Measure, node: Node) -> Any:
    """Return a measure's formula for a node; nodes of one call and op have the same."""
    place = (id(measure), node.call, node.op.function, node.op.word)
    if place not in _RULES:
        _RULES[place] = measure.rule(node)
    return _RULES[place]


_RULES: dict[tuple[int, str, str, str], Any] = {}


@lru_cache(maxsize=1)
def _conventions() -> tuple[Convention, ...]:
    """Return all conventions; they live as long as what is remembered of their measures."""
    return tuple(map(conventions.load, conventions.names()))


def _alike(node: Node) -> Any:
    """Return what nodes that are counted alike have in common, None if a node is like no other."""
    if node.weights is not None or node.alone is not None:
        return None
    op: Any = node.op
    fields = tuple(_plain(getattr(op, field.name)) for field in fields_of(op))
    alike = (type(op), fields, _plain(node.in_shapes), _plain(node.out_shapes), node.call)
    try:
        hash(alike)
    except TypeError:
        return None
    return alike


def _same(node: Node) -> Any:
    """Return what nodes without symbols that are counted alike have in common, see `_alike`."""
    if node.weights is not None or node.alone is not None:
        return None
    alike = (node.op, node.in_shapes, node.out_shapes, node.call)
    try:
        hash(alike)
    except TypeError:
        return None
    return alike


def _plain(value: Any) -> Any:
    """Return what two symbols that are the same have in common; asking them would make a guard."""
    if isinstance(value, Varying):
        return key(value)
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value

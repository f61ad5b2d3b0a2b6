"""The cost of a network in closed form: exact, wherever its conditions hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mbprof.errors import KnobError, UsageError, nearest, unknown
from mbprof.formulas.algebra import Symbol, Tree, replaced
from mbprof.formulas.builds import Builds, Domain
from mbprof.formulas.collect import Collector, Items
from mbprof.formulas.conditions import Condition, Range, broken, equal, pinned, stated
from mbprof.formulas.letters import Letters
from mbprof.formulas.naming import Variables
from mbprof.formulas.text import Latex, Text
from mbprof.language.values import Value, plain, spelled
from mbprof.network import conventions
from mbprof.network.graph import Graph, Node, layers
from mbprof.output import Column, Report
from mbprof.output.result import Result
from mbprof.output.stamp import stamp
from mbprof.spec.claims import chosen_scope
from mbprof.spec.knobs import Knob
from mbprof.spec.model import Definition

GROUPINGS = ("layer", "block", "net")
MOST_WHOLE = 32_768
"""The largest value of a whole symbol; formulas are checked for all values up to it."""
MOST = 100.0
"""The largest value of a symbol with decimals, unless the knob has its own."""
SIZES = ("H", "W")


class Line(NamedTuple):
    """What a layer, a block or the network costs."""

    name: str
    params: Tree
    macs: Tree


class Cost(NamedTuple):
    """What a formula says for one configuration; ``lines`` are name, params and MACs."""

    params: int
    macs: int
    lines: tuple[tuple[str, int, int], ...]


COUNTS = ("params", "macs")
"""The fields of lines and costs; macs is the cost in the convention's unit."""


@dataclass(frozen=True, slots=True, repr=False)
class Formula(Result):
    """Params and MACs in closed form, where ``conditions`` hold.

    ``symbols`` are what it depends on, ``fixed`` the knobs that are numbers, ``where`` defines in
    order the names that stand in the lines, the total and the conditions.
    """

    spec: str
    symbols: tuple[Domain, ...]
    fixed: Mapping[str, Value]
    scope: str
    convention: conventions.Convention
    by: str
    lines: tuple[Line, ...]
    total: Line
    where: tuple[tuple[Symbol, Tree], ...]
    conditions: tuple[Condition, ...]
    defaults: Mapping[str, Value]

    @property
    def brief(self) -> str:
        """What costs what, in total."""
        style = Text(self.alone)
        said = (f"{self.heading(c)} = {style(getattr(self.total, c))}" for c in self.counts)
        return f"{self.spec}: {', '.join(said)}"

    @property
    def counts(self) -> tuple[str, ...]:
        """The fields that there are: the params, and a cost if the convention has one."""
        return COUNTS if self.convention.measures else COUNTS[:1]

    @property
    def alone(self) -> frozenset[str]:
        """The letters that stand for one thing only, and need no number."""
        letters = [symbol.letter for symbol, _ in self.where]
        names = {each.name for each in self.symbols}
        return frozenset(x for x in letters if letters.count(x) == 1 and x not in names)

    def heading(self, count: str) -> str:
        """Return what is written above a field: params, MACs or FLOPs."""
        return "params" if count == "params" else self.convention.unit

    def report(self, layout: str = "page") -> Report:
        """Lay the lines out as text, with the definitions and conditions under them."""
        style = Text(self.alone)
        rows = tuple(
            {"name": line.name, **{count: style(getattr(line, count)) for count in self.counts}}
            for line in (*self.lines, self.total)
        )
        where = [f"{style.name(name)} = {style(tree)}" for name, tree in self.where]
        holds = [style.condition(condition) for condition in self.conditions]
        return Report(
            f"{self.spec} by {self.by}",
            (
                Column("name", self.by, f"the {self.by}"),
                *(Column(c, self.heading(c), "in closed form", wraps=True) for c in self.counts),
            ),
            rows[:-1],
            self.to_dict(),
            rows[-1],
            notes=tuple(
                f"{word} {', '.join(said)}."
                for word, said in (("Where", where), ("Holds for", holds))
                if said
            ),
        )

    def to_dict(self, counts: Sequence[str] | None = None) -> dict[str, Any]:
        """Return every formula as text and as LaTeX, with its value at the defaults.

        ``counts`` are the fields of lines that are there, params or macs.
        """
        counts = self.counts if counts is None else counts
        plainly, tex = Text(self.alone), Latex(self.alone)
        values = self.evaluate()
        keys = {count: self.heading(count).lower() for count in counts}
        fixed = {name: value for name, value in self.fixed.items() if value is not None}

        def said(tree: Tree, value: Any = None) -> dict[str, Any]:
            both: dict[str, Any] = {"text": plainly(tree), "latex": tex(tree)}
            return both if value is None else {**both, "value": value}

        lines = [
            {
                "name": line.name,
                **{keys[c]: said(getattr(line, c), row[COUNTS.index(c) + 1]) for c in counts},
            }
            for line, row in zip(self.lines, values.lines, strict=True)
        ]
        return {
            **stamp(self.spec, fixed, self.scope, self.convention),
            "symbols": {each.name: each.value for each in self.symbols},
            "by": self.by,
            "lines": lines,
            "total": {keys[c]: said(getattr(self.total, c), getattr(values, c)) for c in counts},
            "where": [{"name": plainly.name(name), **said(tree)} for name, tree in self.where],
            "conditions": [
                {"text": plainly.condition(each), "latex": tex.condition(each)}
                for each in self.conditions
            ],
        }

    def evaluate(self, **values: float) -> Cost:
        """Return the cost at some values of the symbols, the defaults of those not given.

        Raises: KnobError: no such symbol, or a value that is no number. UsageError: a condition
        does not hold there.

        >>> from mbprof.formulas import formula
        >>> formula("mobilenet_v1").evaluate(alpha=0.75, H=128, W=128)[:2]
        (1800144, 106002432)
        """
        given = self._checked(values)
        known: dict[Symbol, Any] = {Symbol(name): value for name, value in given.items()}
        ranges = [each for each in self.conditions if isinstance(each, Range)]
        condition = broken(ranges, known)
        if condition is None:
            for symbol, tree in self.where:
                known[symbol] = tree.value(known)
            condition = broken(self.conditions, known)
        if condition is not None:
            raise UsageError(
                f"the formula of {self.spec} does not hold at {spelled(given)}: "
                f"it needs {Text().condition(condition)}",
                hint="give these values when the formula is made; another one holds there",
            )
        lines = tuple(
            (each.name, each.params.value(known), each.macs.value(known)) for each in self.lines
        )
        return Cost(self.total.params.value(known), self.total.macs.value(known), lines)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        given = {each.name: each.value for each in self.symbols}
        for name, value in values.items():
            if name not in given:
                raise KnobError(
                    f"the formula of {self.spec} has no symbol {name!r}", hint=nearest(name, given)
                )
            whole = isinstance(given[name], int)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise KnobError(f"{name} is {value!r}; it must be a number")
            if not math.isfinite(value):
                raise KnobError(f"{name} is {value}; it must be finite")
            if whole and value != int(value):
                raise KnobError(f"{name} is {value}; it must be a whole number")
            given[name] = int(value) if whole else float(value)
        return given


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: a spec, its knobs' values, and which of them are to be symbols."""

    definition: Definition
    knobs: Mapping[str, Value]
    symbols: tuple[str, ...]
    scope: str
    convention: str
    by: str = "layer"
    prefix: str = ""
    """What the names of all layers begin with and nobody needs to read."""
    asked: frozenset[str] = frozenset()
    """The symbols that were asked for by name."""

    def answer(self) -> Formula:
        """Build the spec with symbols and write down what it costs.

        Raises: UsageError: no such scope, grouping or convention. KnobError: a symbol that is no
        number. MbprofError: the spec makes no network at the values given.
        """
        chosen_scope(self.scope)
        if self.by not in GROUPINGS:
            raise unknown("grouping", self.by, GROUPINGS)
        conventions.load(self.convention)
        domains = self.domains()
        fixed: dict[str, Any] = {}
        while True:
            left = tuple(each for each in domains if each.name not in fixed)
            view = conventions.load(self.convention).view
            builds = Builds(self.definition, self.placed(fixed), left, self.cost, view, self.scope)
            path, graph = builds.walk({}, {})
            guards = builds.needed(path, graph)
            found = pinned(guards, builds)
            if not found:
                return self.formula(builds, graph, guards, fixed)
            for name in sorted(self.asked & found.keys()):
                raise KnobError(
                    f"{name} of {self.definition.name} cannot be a symbol: each value of it makes "
                    f"another network, and the formula would hold at {plain(found[name])} alone",
                    hint=f"give values one by one, such as --set {name}={plain(found[name])}",
                )
            fixed |= found

    def domains(self) -> tuple[Domain, ...]:
        """Return the symbols, each with its range and the value that stands for it."""
        found = []
        for name in self.symbols:
            if name in SIZES:
                size: Any = self.knobs["res"]
                found.append(Domain(name, size[SIZES.index(name)], 1, MOST_WHOLE))
            else:
                found.append(_domain(self.definition, name, self.knobs))
        return tuple(found)

    def placed(self, fixed: Mapping[str, Any]) -> Any:
        """Return how symbols, or numbers that they are fixed at, become knobs."""

        def knobs(symbols: Mapping[str, Any]) -> Mapping[str, Any]:
            values = {**fixed, **symbols}
            own = {n: v for n, v in values.items() if n in self.definition.knobs}
            size: Any = self.knobs["res"]
            res = tuple(values.get(name, size[i]) for i, name in enumerate(SIZES))
            return {**self.knobs, **own, "res": res}

        return knobs

    def cost(self, nodes: Sequence[Node]) -> tuple[Any, ...]:
        """Return params and cost of nodes under the convention, symbols or not."""
        count = conventions.load(self.convention).count(nodes)
        return count.params, count.cost

    def formula(
        self, builds: Builds, graph: Graph, guards: Sequence[Any], fixed: Mapping[str, Any]
    ) -> Formula:
        """Write the costs of a graph's layers, their sums and the conditions."""
        shapes = [s for node in graph.nodes for s in (*node.out_shapes, *node.in_shapes)]
        variables = Variables(builds.main, shapes)
        collector = Collector.of(variables, shapes)
        replacing = equal(guards, variables)
        costs: dict[str, list[tuple[str, Items, Items]]] = {}
        for group in layers(graph.nodes):
            if self.scope == "all" or group[0].scope == self.scope:
                both = (replaced(variables.poly(n), replacing) for n in self.cost(group))
                params, macs = map(collector.items, both)
                if not params and not macs:
                    continue
                name = group[0].block if self.by == "block" else group[0].layer
                costs.setdefault(name.removeprefix(self.prefix), []).append((name, params, macs))
        every = [cost for group in costs.values() for cost in group]
        conditions = stated(guards, builds, variables)
        letters = Letters(variables)
        letters.see(collector.written([each]) for cost in every for each in cost[1:])
        letters.see(tree for condition in conditions for tree in condition.trees)

        def line(name: str, group: Sequence[tuple[str, Items, Items]]) -> Line:
            params = collector.written(each[1] for each in group)
            macs = collector.written(each[2] for each in group)
            return Line(name, letters.named(params), letters.named(macs))

        lines = [line(name, group) for name, group in costs.items()] if self.by != "net" else []
        whole = line("total", every)
        said = [letters.condition(each) for each in conditions]
        shown = [tree for each in (*lines, whole) for tree in each[1:]]
        shown += [tree for each in said for tree in each.trees]
        names = {each.name for each in builds.domains}
        size: Any = self.knobs["res"]
        given = dict(zip(SIZES, size, strict=True)) if names & {*SIZES} else {"res": size}
        own = {n: v for n, v in self.knobs.items() if n != "res"} | given
        return Formula(
            self.definition.name,
            builds.domains,
            {n: v for n, v in {**own, **fixed}.items() if n not in names},
            self.scope,
            conventions.load(self.convention),
            self.by,
            tuple(lines),
            whole,
            letters.where(shown),
            tuple(said),
            {n: k.default for n, k in self.definition.knobs.items()},
        )


def _domain(definition: Definition, name: str, knobs: Mapping[str, Value]) -> Domain:
    """Return the range of a knob as a symbol.

    Raises: KnobError: the spec lacks it, or it is no number that can take any value.
    """
    knob = definition.knobs.get(name)
    if knob is None:
        known = [*definition.knobs, *SIZES]
        raise KnobError(f"{definition.name} has no knob {name!r}", hint=nearest(name, known, 12))
    value = knobs[name]
    if knob.kind not in ("int", "number") or knob.one_of or value is None:
        why = f"it is {knob.range}" if knob.one_of else f"its value is {plain(value)}"
        if knob.kind == "size":
            why = "write H and W"
        raise KnobError(f"{name} of {definition.name} cannot be a symbol: {why}")
    return Domain(name, value, *_ends(knob, value))


def _ends(knob: Knob, value: Any) -> tuple[Any, Any]:
    """Return the least and the largest value of a symbol."""
    low, high = knob.least, knob.most
    if knob.kind == "int":
        if low is None:
            low = min(value, 1) if knob.above is None else math.floor(knob.above) + 1
        return math.ceil(low), max(MOST_WHOLE if high is None else math.floor(high), value)
    if low is None:
        low = math.nextafter(knob.above or 0.0, math.inf)
    if high is None:
        high = MOST if knob.below is None else math.nextafter(knob.below, -math.inf)
    return min(float(low), value), max(float(high), value)

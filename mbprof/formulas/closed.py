"""The cost of a network in closed form: exact, wherever its conditions hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mbprof.errors import KnobError, UsageError, nearest
from mbprof.formulas.builds import Domain
from mbprof.formulas.conditions import NO_VALUE, broken
from mbprof.formulas.text import Condition, Latex, Range, Symbol, Text, Tree
from mbprof.language.fmt import Value, spelled
from mbprof.language.record import NamedTuple, record
from mbprof.network.conventions import Convention
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.symbolic.symbols import inside


class Line(NamedTuple):
    """What a layer, a block or the network costs."""

    name: str
    params: Tree
    cost: Tree


class Cost(NamedTuple):
    """What a formula says for one configuration; ``lines`` are name, params and cost."""

    params: int
    cost: int
    lines: tuple[tuple[str, int, int], ...]


COUNTS = ("params", "cost")
"""The fields of lines and costs; the cost is in the convention's unit."""


@record
class Formula(Result):
    """Params and MACs in closed form, where ``conditions`` hold.

    ``symbols`` are what it depends on, ``fixed`` the knobs that are numbers, ``where`` defines in
    order the names that stand in the lines, the total and the conditions.
    """

    spec: str
    symbols: tuple[Domain, ...]
    fixed: Mapping[str, Value]
    scope: str
    convention: Convention
    by: str
    lines: tuple[Line, ...]
    total: Line
    where: tuple[tuple[Symbol, Tree], ...]
    conditions: tuple[Condition, ...]

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
        names = {symbol.name for symbol in self.symbols}
        return frozenset(x for x in letters if letters.count(x) == 1 and x not in names)

    def heading(self, count: str) -> str:
        """Return what is written above a field: params, MACs or FLOPs."""
        return "params" if count == "params" else self.convention.unit

    def report(self, layout: str = "page") -> Report:
        """Lay the lines out as text, with the definitions and conditions under them."""
        style = Text(self.alone)
        keys = {"params": "params", "cost": "macs"}
        rows = tuple(
            {"name": line.name, **{keys[c]: style(getattr(line, c)) for c in self.counts}}
            for line in (*self.lines, self.total)
        )
        where = [f"{style.name(name)} = {style(tree)}" for name, tree in self.where]
        holds = [style.condition(condition) for condition in self.conditions]
        return Report(
            f"{self.spec} by {self.by}",
            (
                Column("name", self.by, f"the {self.by}"),
                *(
                    Column(keys[c], self.heading(c), "in closed form", wraps=True)
                    for c in self.counts
                ),
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

        ``counts`` are the fields of lines that are there, params or cost.
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
            "symbols": {symbol.name: symbol.value for symbol in self.symbols},
            "by": self.by,
            "lines": lines,
            "total": {keys[c]: said(getattr(self.total, c), getattr(values, c)) for c in counts},
            "where": [{"name": plainly.name(name), **said(tree)} for name, tree in self.where],
            "conditions": [
                {"text": plainly.condition(condition), "latex": tex.condition(condition)}
                for condition in self.conditions
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
        ranges = [condition for condition in self.conditions if isinstance(condition, Range)]
        condition = broken(ranges, known)
        if condition is None:
            for symbol, tree in self.where:
                with suppress(*NO_VALUE):  # what needs it has none, either
                    known[symbol] = tree.value(known)
            condition = broken(self.conditions, known)
        why = "a number in it has no value there"
        if condition is None:
            with suppress(*NO_VALUE):
                lines = tuple(
                    (line.name, line.params.value(known), line.cost.value(known))
                    for line in self.lines
                )
                return Cost(self.total.params.value(known), self.total.cost.value(known), lines)
        else:
            why = f"it needs {Text().condition(condition)}"
        raise UsageError(
            f"the formula of {self.spec} does not hold at {spelled(given)}: {why}",
            hint="give these values when the formula is made; another one holds there",
        )

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        given = {symbol.name: symbol.value for symbol in self.symbols}
        for name, value in values.items():
            if name not in given:
                raise KnobError(
                    f"the formula of {self.spec} has no symbol {name!r}", hint=nearest(name, given)
                )
            whole = isinstance(given[name], int)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise KnobError(f"{name} is {value!r}; it must be a number")
            if not inside(value):
                must = "at most 10^30" if math.isfinite(value) else "finite"
                said = value if isinstance(value, float) else "a number of more than 30 digits"
                raise KnobError(f"{name} is {said}; it must be {must}")
            if whole and value != int(value):
                raise KnobError(f"{name} is {value}; it must be a whole number")
            given[name] = int(value) if whole else float(value)
        return given

"""Costs that add over groups of knobs, found from the traced formula.

A cost is a sum of products of atoms, and an atom depends on some knobs. Knobs that stand in no
product together do not see each other: the costs of their groups add. A group that is too large to
be enumerated falls apart where one of its knobs is held, and so on in what is left.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TypeAlias

from mbprof.language.record import NamedTuple
from mbprof.sweeps.axes import Column
from mbprof.sweeps.spaces.choices import Choices
from mbprof.symbolic.program import Program, Run
from mbprof.symbolic.symbols import Monomial, Terms

ROWS = 1 << 18
"""So many rows of a group are enumerated."""
WORK = 1 << 23
"""So many rows are enumerated in all where groups fall apart."""
MOST = 1 << 17
"""So many rows that nothing beats has a table."""
PAIRS = 8
"""So many sums are as much work as a row that is enumerated."""
Held: TypeAlias = "Mapping[int, int]"
"""The number of the value of each knob, by its number, that is held."""


class TooMuch(Exception):
    """The groups of a space are too large, and fall apart into too many."""


class Group(NamedTuple):
    """Knobs, by their numbers, that no product of any cost ties to others; and their products."""

    knobs: tuple[int, ...]
    terms: tuple[Terms, ...]


@dataclass
class Parts:
    """The formula of a space's costs: what is constant, and groups whose costs add."""

    choices: Choices
    program: Program
    knobs_of: Sequence[frozenset[int]]
    """The knobs that each atom depends on."""
    work: int = 0
    """How many rows were enumerated for one question."""

    def groups(self, terms: Sequence[Terms], knobs: Sequence[int], held: Held) -> list[Group]:
        """Return the groups of some knobs, where others are held; knobs that cost nothing alone.

        The last group has no knobs: it is what is constant.
        """
        home = {knob: knob for knob in knobs}

        def top(knob: int) -> int:
            while home[knob] != knob:
                home[knob] = knob = home[home[knob]]
            return knob

        # To take a formula apart is as much work as some rows.
        self.spend(sum(map(len, terms)))
        run, kept = self.run(held, {}), []
        for cost, products in enumerate(terms):
            for product, factor in products:
                if held and self.zero(run, product, held):
                    continue
                first, *others = sorted(self.scope(product, held)) or [-1]
                for other in others:
                    home[top(other)] = top(first)
                kept.append((first, cost, (product, factor)))
        of: dict[int, list[list[tuple[Monomial, int]]]] = {
            root: [[] for _ in terms] for root in [*map(top, knobs), -1]
        }
        for first, cost, term in kept:
            of[-1 if first < 0 else top(first)][cost].append(term)
        members: dict[int, list[int]] = {root: [] for root in of}
        for knob in knobs:
            members[top(knob)].append(knob)
        return [Group(tuple(members[root]), tuple(map(tuple, of[root]))) for root in of]

    def scope(self, product: Monomial, held: Held) -> frozenset[int]:
        """Return the knobs that a product depends on, without those that are held."""
        return frozenset().union(*(self.knobs_of[atom] for atom in product)) - held.keys()

    def zero(self, run: Run, product: Monomial, held: Held) -> bool:
        """Whether what is held makes a product nothing."""
        known = (atom for atom in product if self.knobs_of[atom] <= held.keys())
        return any(not run.atom(atom).any() for atom in known)

    def run(self, held: Held, rows: Mapping[int, Column]) -> Run:
        """Return an evaluation at values that are held, and at columns of numbers of values."""
        axes = self.choices.axes
        of = {knob: [number] for knob, number in held.items()} | dict(rows)
        columns = {axes[knob].knob.name: axes[knob].cells[number] for knob, number in of.items()}
        return Run(self.program.plans, self.choices.sweep.lanes(columns))

    def enumerated(self, group: Group, held: Held) -> tuple[dict[int, Column], Column]:
        """Return the rows of a group, the number of each knob's value, and what each costs."""
        import numpy as np

        sizes = [self.choices.sizes[knob] for knob in group.knobs]
        count = math.prod(sizes)
        self.spend(count)
        numbers = np.unravel_index(np.arange(count), sizes) if sizes else ()
        rows = dict(zip(group.knobs, numbers, strict=True))
        run = self.run(held, rows)
        costs = np.zeros((count, len(group.terms)), dtype=np.int64)
        for cost, terms in enumerate(group.terms):
            if terms:
                costs[:, cost] = run.sum(terms)
        return rows, costs

    def spend(self, rows: int) -> None:
        """Count what is enumerated.

        Raises: TooMuch: that is more than an answer is worth.
        """
        self.work += rows
        if self.work > WORK:
            raise TooMuch

    def size(self, group: Group) -> int:
        return math.prod(self.choices.sizes[knob] for knob in group.knobs)

    def hub(self, group: Group) -> int:
        """Return the knob of a group that stands in most of its products."""
        terms = (term for terms in group.terms for term in terms)
        times = Counter(knob for product, _ in terms for knob in self.scope(product, {}))
        return max(group.knobs, key=lambda knob: (times[knob], -knob))

    def whole(self) -> list[Group]:
        """Return the groups where nothing is held."""
        return self.groups(self.program.outputs, range(len(self.choices.axes)), {})


def parts(choices: Choices) -> Parts | None:
    """Return the groups of a space, None where one formula does not hold for all of it."""
    import numpy as np

    if not all(axis.symbolic for axis in choices.axes) or choices.sweep.refuses:
        return None
    choices.costs(np.zeros((1, len(choices.axes)), dtype=np.int64))
    (engine,) = choices.sweep.engines.values()
    program = engine.paths[0].program
    fits = program.exact and not program.outer
    if program.guards or not fits or engine.paths[0].error is not None:
        return None
    numbers = {axis.knob.name: number for number, axis in enumerate(choices.axes)}
    knobs_of: list[frozenset[int]] = []
    for number, atom in enumerate(program.atoms):
        if atom.op == "input":
            knobs_of.append(
                frozenset({numbers[atom.args[0].removesuffix(".h").removesuffix(".w")]})
            )
            continue
        knobs_of.append(frozenset().union(*(knobs_of[n] for n in program.plans.operands(number))))
    return Parts(choices, program, knobs_of)


class Table(NamedTuple):
    """Costs of some configurations of a group, and a way back from a row to its knobs."""

    costs: Column
    knobs: Callable[[int], dict[int, int]]

    def taken(self, rows: Column) -> Table:
        """Return some of the rows."""
        return Table(self.costs[rows], lambda row: self.knobs(int(rows[row])))


Pruned: TypeAlias = Callable[[Column], Column]
"""Which rows of a column of costs are kept."""


class Solver:
    """The configurations of a space that no other one beats, group by group."""

    def __init__(self, parts: Parts, pruned: Pruned) -> None:
        self.parts, self.pruned = parts, pruned
        parts.work = 0

    def solve(self, group: Group, held: Held) -> Table:
        """Return the table of a group.

        Raises: TooMuch: it is too large and does not fall apart.
        """
        if self.parts.size(group) <= ROWS:
            rows, costs = self.parts.enumerated(group, held)
            return self.kept(Table(costs, partial(_row, rows, held)))
        hub = self.parts.hub(group)
        tables: list[Table] = []
        for number in range(self.parts.choices.sizes[hub]):
            now = {**held, hub: number}
            rest = [knob for knob in group.knobs if knob != hub]
            several = (self.solve(g, now) for g in self.parts.groups(group.terms, rest, now))
            tables.append(reduce(self.sum, several))
        return self.kept(_either(tables))

    def sum(self, one: Table, other: Table) -> Table:
        """Return every row of one table with every row of the other, without those beaten.

        Raises: TooMuch: there are too many.
        """
        import numpy as np

        self.parts.spend(len(one.costs) * len(other.costs) // PAIRS)
        if max(len(one.costs), len(other.costs)) > MOST:
            raise TooMuch
        costs = np.empty((0, one.costs.shape[1]), dtype=np.int64)
        pairs = np.empty((0, 2), dtype=np.int64)
        step = max(1, (1 << 21) // len(other.costs))
        for start in range(0, len(one.costs), step):
            part = one.costs[start : start + step]
            sums = (part[:, None] + other.costs[None]).reshape(-1, costs.shape[1])
            chosen = self.pruned(sums)
            left, right = np.divmod(chosen, len(other.costs))
            at = np.stack([start + left, right], axis=1)
            costs, pairs = np.concatenate([costs, sums[chosen]]), np.concatenate([pairs, at])
            if start:
                chosen = self.pruned(costs)
                costs, pairs = costs[chosen], pairs[chosen]
        return Table(costs, partial(_pair, one, other, pairs))

    def kept(self, table: Table) -> Table:
        return table.taken(self.pruned(table.costs))


def _row(rows: Mapping[int, Column], held: Held, row: int) -> dict[int, int]:
    return {**held, **{knob: int(column[row]) for knob, column in rows.items()}}


def _pair(one: Table, other: Table, pairs: Column, row: int) -> dict[int, int]:
    left, right = pairs[row]
    return {**one.knobs(left), **other.knobs(right)}


def _either(tables: Sequence[Table]) -> Table:
    import numpy as np

    lengths = [len(table.costs) for table in tables]
    of = np.repeat(np.arange(len(tables)), lengths)
    at = np.concatenate([np.arange(length) for length in lengths])
    costs = np.concatenate([table.costs for table in tables])
    return Table(costs, lambda row: tables[of[row]].knobs(at[row]))

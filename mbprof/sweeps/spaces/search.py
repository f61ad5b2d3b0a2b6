"""The best network of a design space under limits, or the front over several costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbprof import __version__
from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Value, plain, spelled
from mbprof.language.record import NamedTuple, record
from mbprof.network.load import Spec, SpecLike, as_spec
from mbprof.output import REPORTS, Column, Formats, Report, Screen
from mbprof.output.writers import Result
from mbprof.sweeps.spaces.choices import Choices, choices
from mbprof.sweeps.spaces.goals import Goals, goals
from mbprof.sweeps.spaces.parts import Parts, Solver, Table, TooMuch, parts
from mbprof.sweeps.spaces.resume import Keeper, State
from mbprof.sweeps.spaces.space import enumerates, limited


class Best(NamedTuple):
    """A network: its costs and its knobs."""

    costs: Mapping[str, int]
    knobs: Mapping[str, Value]


class Outcome(NamedTuple):
    """Rows of a space with their costs, and how they were found."""

    rows: Any
    costs: Any
    how: str
    exact: bool


@record
class FoundReport(Report):
    """A report of what a search found, which also can be written as a spec."""

    spec: str = ""


@record
class Found(Result):
    """The best networks of a space, and whether it is known that no other one is better."""

    stamp: Mapping[str, Any]
    best: tuple[Best, ...]
    count: int
    wanted: Mapping[str, str]
    limits: Mapping[str, int]
    how: str
    exact: bool

    @property
    def brief(self) -> str:
        """What was looked for, and where."""
        aims = ", ".join(f"{goal} {cost}" for cost, goal in self.wanted.items())
        kept = " and ".join(f"{fmt.short(n)} {cost}" for cost, n in self.limits.items())
        return f"{self.stamp['spec']}: {aims}{f' within {kept}' if kept else ''}"

    def spec(self) -> str:
        """Return the first network as a spec that extends the one that was searched."""
        name = self.stamp["spec"]
        knobs = [f"  {knob}: {{default: {plain(v)}}}" for knob, v in self.best[0].knobs.items()]
        costs = ", ".join(f"{fmt.integer(n)} {cost}" for cost, n in self.best[0].costs.items())
        return "\n".join([
            f"name: {name.rpartition('/')[2].partition('.')[0].partition('@')[0]}_found",
            f"doc: found by mbprof search, {costs}", f"extend: {name}", "knobs:", *knobs, "",
        ])  # fmt: skip

    def report(self, layout: str = "page") -> FoundReport:
        """Lay the networks out, a row each."""
        costs = tuple(self.best[0].costs)
        columns = (
            *(Column(cost, cost, "the cost", fmt.integer, True) for cost in costs),
            Column("knobs", "knobs", "how they are set", spelled, wraps=True),
        )
        rows = tuple({**best.costs, "knobs": dict(best.knobs)} for best in self.best)
        data = {
            **self.stamp, "wanted": dict(self.wanted), "limits": dict(self.limits),
            "configurations": self.count, "how": self.how, "exact": self.exact,
            "best": [dict(row) for row in rows],
        }  # fmt: skip
        what = "on the front" if len(self.wanted) > 1 else "better"
        said = f"no other network is {what}" if self.exact else f"another one may be {what}"
        of = fmt.several(self.count, "configuration")
        notes = (f"Found among {of} by {self.how}: {said}.",)
        return FoundReport(
            self.brief, columns, rows, data, notes=notes, listed="best", spec=self.spec()
        )


FORMATS: Formats[Callable[[Any, Screen], str]] = Formats(REPORTS)
"""The formats of what is found: those of every report, and a spec."""


@FORMATS.add("spec", ".yaml", ".yml")
def as_text(report: FoundReport, screen: Screen) -> str:
    """Write the first network as a spec."""
    return report.spec


def search(
    spec: SpecLike,
    *,
    maximize: str | None = None,
    minimize: str | None = None,
    front: str | Sequence[str] = (),
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    convention: str = "kernels",
    scope: str | None = None,
    population: int = 200,
    generations: int = 200,
    seed: int = 0,
    resume: str | Path | None = None,
    **axes: Any,
) -> Found:
    """Find the network with the most or the least of a cost within limits, or the front.

    The knobs that have ``one_of`` vary, and those that values are given of, as in a sweep. A
    space of up to 1,048,576 configurations is enumerated; where costs add over groups of knobs the
    best is found group by group; both are exact. Else a population evolves. Less is better in the
    costs of ``front``, but for those of ``maximize``. Where a population evolves, the file
    ``resume`` has where it stands; if it is there, the search goes on from it, to the same result.
    Raises: KnobError, UsageError: a knob, a cost or a limit is wrong, or nothing is within the
    limits.

    >>> found = search("mobilenet_v2", maximize="params", max_macs="150M",
    ...                alpha=[0.5, 1.0], res=[128, 224])
    >>> found.best[0].knobs["alpha"], found.best[0].costs["macs"], found.exact
    (1.0, 99075328, True)
    """
    return search_at(
        as_spec(spec), axes, maximize, minimize, front, max_macs, max_params, convention, scope,
        population, generations, seed, resume,
    )  # fmt: skip


def search_at(
    spec: Spec,
    axes: Mapping[str, Any],
    maximize: str | None,
    minimize: str | None,
    front: str | Sequence[str],
    max_macs: int | str | None,
    max_params: int | str | None,
    convention: str,
    scope: str | None,
    population: int,
    generations: int,
    seed: int,
    resume: str | Path | None = None,
) -> Found:
    """Search a space, see `search`; ``axes`` are values, or what was typed for them."""
    parted = front.split(",") if isinstance(front, str) else front
    given = [part.strip() for part in parted if part.strip()]
    if population < 2 or generations < 1 or seed < 0:
        raise UsageError("--population is at least 2, --generations at least 1, --seed at least 0")
    found = choices(spec, axes, convention, scope)
    limits = limited(found, {"macs": max_macs, "params": max_params})
    wanted = goals(found, maximize, minimize, given, limits)
    goal = {found.names[cost]: "most" if sign < 0 else "least" for cost, sign in wanted.aims}
    outcome = enumerated(found, wanted) if enumerates(found) else grouped(found, wanted)
    if outcome is None:
        asked = {
            **found.sweep.stamp(), "varied": {a.knob.name: list(a.values) for a in found.axes},
            "wanted": goal, "limits": limits, "population": population, "seed": seed,
            "version": __version__,
        }  # fmt: skip
        keeper = Keeper(resume, asked)
        outcome = evolved(found, wanted, population, generations, seed, keeper)
    if not len(outcome.rows):
        kept = " and ".join(f"{fmt.integer(n)} {name}" for name, n in limits.items())
        said = "is" if outcome.exact else "was found"
        raise UsageError(
            f"no network of {found.sweep.spec.name} {said} within {kept}",
            hint="mbprof space says what they cost",
        )
    best = tuple(
        Best(dict(zip(found.names, map(int, costs), strict=True)), found.values(row))
        for row, costs in zip(outcome.rows, outcome.costs, strict=True)
    )
    return Found(found.sweep.stamp(), best, found.count, goal, limits, outcome.how, outcome.exact)


def enumerated(found: Choices, wanted: Goals) -> Outcome:
    """Cost every configuration."""
    rows = found.enumerated()
    costs, made = found.costs(rows)
    made &= wanted.meets(costs)
    rows, costs = rows[made], costs[made]
    best = wanted.best(costs)
    return Outcome(rows[best], costs[best], "enumeration", True)


def grouped(found: Choices, wanted: Goals) -> Outcome | None:
    """Find the best group by group, None where costs do not add or that is too much."""
    import numpy as np

    groups = parts(found)
    if groups is None:
        return None
    try:
        total = summed(groups, wanted)
    except TooMuch:
        return None
    best = wanted.best(total.costs)
    knobs = [total.knobs(int(row)) for row in best]
    rows = np.array([[of[n] for n in range(len(found.axes))] for of in knobs])
    return Outcome(rows, total.costs[best], "dynamic programming over groups of knobs", True)


def summed(groups: Parts, wanted: Goals) -> Table:
    """Return the table of a whole space, within limits.

    Raises: TooMuch: it is too large.
    """
    import numpy as np

    solver = Solver(groups, wanted.unbeaten)
    tables = [solver.solve(group, {}) for group in groups.whole()]
    first, *others = sorted(tables, key=lambda table: len(table.costs))
    # What is left of the groups costs at least this.
    least = sum(table.costs.min(axis=0) for table in others)
    total = first.taken(np.flatnonzero(wanted.meets(first.costs, least)))
    for table in others:
        least = least - table.costs.min(axis=0)
        total = solver.sum(total, table)
        total = total.taken(np.flatnonzero(wanted.meets(total.costs, least)))
    return total


def evolved(
    found: Choices, wanted: Goals, population: int, generations: int, seed: int, keeper: Keeper
) -> Outcome:
    """Let a population evolve: two parents of two drawn each, their knobs mixed, some redrawn.

    It goes on where the keeper has it, and ends as if it had never been interrupted.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    width = len(found.axes)
    state = keeper.begun(found, rng)
    if state is None:
        rows = found.drawn(rng, 10 * population)
        costs, made = found.costs(rows)
        rows, costs = rows[made], costs[made]
        state = State(0, rows, costs, rows[:0], costs[:0], rng)
    if state.generation >= generations:
        raise UsageError(
            f"{keeper.path} is at generation {state.generation + 1}",
            hint=f"give --generations {state.generation + 1} or more",
        )
    while True:
        last = state.generation == generations - 1
        keeper.note(state, found, last)
        rows, first = np.unique(state.rows, axis=0, return_index=True)
        costs = state.costs[first]
        good = wanted.meets(costs)
        kept_rows = np.concatenate([state.kept_rows, rows[good]])
        kept_costs = np.concatenate([state.kept_costs, costs[good]])
        best = wanted.best(kept_costs)
        kept_rows, kept_costs = kept_rows[best], kept_costs[best]
        order = standing(costs, wanted, rng)[:population]
        rows, costs = rows[order], costs[order]
        if last or not len(rows):
            break
        pairs = rng.integers(0, len(rows), (2, 2, population)).min(axis=1)
        mixed = rng.random((population, width)) < 0.5
        children = np.where(mixed, rows[pairs[0]], rows[pairs[1]])
        redrawn = rng.random((population, width)) < 1 / width
        children = np.where(redrawn, found.drawn(rng, population), children)
        own, made = found.costs(children)
        rows = np.concatenate([rows, children[made], kept_rows])
        costs = np.concatenate([costs, own[made], kept_costs])
        state = State(state.generation + 1, rows, costs, kept_rows, kept_costs, rng)
    said = f"evolution of {population} in {generations} generations, seed {seed}"
    return Outcome(kept_rows, kept_costs, said, False)


def standing(costs: Any, wanted: Goals, rng: Any) -> Any:
    """Return rows from best to worst: within limits first; of several aims a mix that is drawn."""
    import numpy as np

    excess = np.zeros(len(costs))
    for cost, limit in wanted.limits.items():
        excess += np.maximum(0, costs[:, cost] / max(1, limit) - 1)
    merit = np.zeros(len(costs))
    for (cost, sign), weight in zip(
        wanted.aims, rng.dirichlet(np.ones(len(wanted.aims))), strict=True
    ):
        spread = max(1, int(np.ptp(costs[:, cost])))
        merit += weight * sign * costs[:, cost] / spread
    return np.lexsort([merit, excess])

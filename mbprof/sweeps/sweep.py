"""Many configurations of one spec or of several: planned, costed, filtered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, TypeAlias

from mbprof.compare.side_by_side import common_scope
from mbprof.device.lanes import Needs
from mbprof.errors import MbprofError, UsageError
from mbprof.language.fmt import Value, plain
from mbprof.language.record import NamedTuple, record
from mbprof.network import conventions
from mbprof.network.graph import Graph
from mbprof.network.load import Spec
from mbprof.network.many import Engine, counter, outputs
from mbprof.output.formats import stamp
from mbprof.published.estimate import NAMES as ACCURACY
from mbprof.published.estimate import Joined
from mbprof.spec.sections import chosen_scope
from mbprof.sweeps.axes import CHUNK, Column, Grid, Plan, sides
from mbprof.sweeps.filters import Where
from mbprof.symbolic.columns import Picked, wide

Chunk: TypeAlias = Mapping[str, Column]
SPEC = "spec"
"""The column that names the spec of a row."""
PROBLEM = "problem"
"""The column that says why a row's size makes no network, where some of them make none."""


class Span(NamedTuple):
    """The rows of a chunk: of which spec, from which on, up to which."""

    spec: str
    start: int
    stop: int


@dataclass(slots=True, repr=False)
class Sweep:
    """A plan and how to cost it; chunks of configurations come out as columns."""

    spec: Spec
    plan: Plan
    convention: str = "kernels"
    scope: str = "all"
    where: Where | None = None
    accuracies: Joined | None = None
    needs: Needs | None = None
    refuses: bool = False
    """Whether some of its sizes make no network."""
    engines: dict[tuple[str, ...], Engine] = field(default_factory=dict)
    of_size: set[MbprofError] = field(default_factory=set)
    """The errors that another size does not have."""

    def __reduce__(self) -> tuple[Any, ...]:
        # What the engines know of the spec holds functions; each process finds it out itself.
        return Sweep, (
            self.spec, self.plan, self.convention, self.scope, self.where, self.accuracies,
            self.needs, self.refuses,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the knobs that vary, params and costs, accuracies if they are asked for.

        Where sizes make no network, the last one says why.
        """
        more = ACCURACY if self.accuracies is not None else ()
        why = (PROBLEM,) if self.refuses and self.where is None else ()
        return (*(axis.knob.name for axis in self.plan.axes), *self.outputs, *more, *why)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns that are computed: params, and MACs or FLOPs as the convention counts.

        Behind them is what is asked for of memory and time.
        """
        return (*outputs(self.convention), *(self.needs.names if self.needs else ()))

    @property
    def fixed(self) -> dict[str, Value]:
        """The knobs that do not vary."""
        varied = [axis.knob.name for axis in self.plan.axes]
        return {name: value for name, value in self.spec.knobs.items() if name not in varied}

    def stamp(self) -> dict[str, Any]:
        """Return what the costs are of, as plain data: network, knobs, scope, convention."""
        of = stamp(self.spec.name, self.fixed, self.scope, conventions.load(self.convention))
        return of if self.needs is None else {**of, **self.needs.stamp}

    def chunk(self, start: int, stop: int) -> Mapping[str, Column]:
        """Cost some rows of the plan.

        Raises: MbprofError: a configuration makes no network, of whatever size; the message
        names it.
        """
        import numpy as np

        rows = self.plan.drawn(start, stop)
        count = stop - start
        results, errors = self.costed(rows, count)
        refused = np.zeros(count, bool) if errors is None else errors != None  # noqa: E711
        if errors is not None and refused.any() and not self.refuses:
            raise errors[refused.argmax()]
        columns = {**rows, **results}
        if self.accuracies is not None:
            columns.update(self.accuracies.columns(wide(rows), count))
        if self.where is not None:
            # What makes no network meets no condition.
            made = np.flatnonzero(~refused)
            part = columns if len(made) == count else Picked(columns, made)
            return Picked(columns, made[self.where.holds(part, len(made))])
        columns = wide(columns)
        if self.refuses:
            for name in results:
                columns[name] = np.where(refused, np.nan, columns[name].astype(object))
            why = [None] * count if errors is None else errors
            columns[PROBLEM] = np.fromiter(map(_why, why), object, count)
        return columns

    def costed(
        self, rows: Mapping[str, Column], count: int
    ) -> tuple[dict[str, Column], Column | None]:
        """Return the counts of some rows, and why some of their sizes make no network, if any.

        Raises: MbprofError: a configuration makes no network, and no other size of it does.
        """
        import numpy as np

        results_of = {name: np.zeros(count, dtype=np.int64) for name in self.outputs}
        errors = None
        for fixed, chosen in self.groups(rows, count):
            part = rows if len(chosen) == count else {n: c[chosen] for n, c in rows.items()}
            engine, lanes = self.engine(fixed), self.lanes(part)
            own = np.full(len(chosen), None, dtype=object) if self.sized else None
            results = engine.run(lanes, len(chosen), own)
            if own is not None and engine.refused:
                self.check(engine, lanes, own)
                errors = np.full(count, None, dtype=object) if errors is None else errors
                errors[chosen] = own
            for name, result in zip(self.outputs, results, strict=True):
                if result.dtype == object and results_of[name].dtype != object:
                    results_of[name] = results_of[name].astype(object)
                results_of[name][chosen] = result
        return results_of, errors

    @property
    def sized(self) -> bool:
        """Whether the size of the image varies."""
        return any(axis.symbolic and axis.knob.kind == "size" for axis in self.plan.axes)

    def check(self, engine: Engine, lanes: Mapping[str, Column], errors: Column) -> None:
        """Raise the first error that is no matter of size: no other size makes a network."""
        for row in (errors != None).nonzero()[0]:  # noqa: E711 - asked of each
            error = errors[row]
            if error in self.of_size:
                continue
            from mbprof.network.sizes import possible  # which few sweeps need

            knobs = engine.knobs({name: lane[row].item() for name, lane in lanes.items()})
            if not possible(engine.definition, knobs):
                raise error
            self.of_size.add(error)

    def probe(self) -> bool:
        """Whether some of the sizes make no network: of the first rows, and of each size once.

        Raises: MbprofError: see `chunk`.
        """
        plan = self.plan
        count = min(plan.count, CHUNK)
        if isinstance(plan, Grid) and plan.count > CHUNK:
            usual = (replace(axis, values=axis.values[:1]) for axis in plan.axes)
            pairs = zip(plan.axes, usual, strict=True)
            plan = Grid(tuple(own if own.knob.kind == "size" else one for own, one in pairs))
            if self.refused(plan.rows(0, plan.count), plan.count):
                return True
        return self.refused(self.plan.rows(0, count), count)

    def refused(self, rows: Mapping[str, Column], count: int) -> bool:
        """Whether the size of some rows makes no network."""
        errors = self.costed(rows, count)[1]
        return errors is not None and bool((errors != None).any())  # noqa: E711 - asked of each

    def groups(
        self, rows: Mapping[str, Column], count: int
    ) -> Iterator[tuple[dict[str, Any], Column]]:
        """Yield the rows that share what formulas cannot carry: words, flags, choices."""
        import numpy as np

        apart = [axis.knob.name for axis in self.plan.axes if not axis.symbolic]
        if not apart:
            yield {}, np.arange(count)
            return
        keys: dict[tuple[Any, ...], list[int]] = {}
        for row, values in enumerate(zip(*(rows[name].tolist() for name in apart), strict=True)):
            keys.setdefault(values, []).append(row)
        for values, numbers in keys.items():
            yield dict(zip(apart, values, strict=True)), np.array(numbers)

    def engine(self, fixed: Mapping[str, Any]) -> Engine:
        key = tuple(f"{name}={plain(value)}" for name, value in fixed.items())
        if key not in self.engines:
            self.engines[key] = Engine(
                self.spec.definition,
                {**self.spec.knobs, **fixed},
                self.ranges(),
                self.counter(),
                len(self.outputs),
                # What is folded, and what lives at a time, depends on what is there.
                open=self.needs is None and not conventions.load(self.convention).folds,
            )
        return self.engines[key]

    def counter(self) -> Callable[[Graph], Sequence[Any]]:
        """Return what counts a graph, for all columns that are computed."""
        costs, needs = counter(self.convention, self.scope), self.needs
        return costs if needs is None else lambda graph: (*costs(graph), *needs.counts(graph))

    def ranges(self) -> dict[str, tuple[Any, ...]]:
        """Return the least and largest value of each knob that varies as a number, and its step."""
        ends: dict[str, tuple[Any, ...]] = {}
        for swept in (axis for axis in self.plan.axes if axis.symbolic):
            values: dict[str, Sequence[Any]] = {swept.knob.name: swept.values}
            if swept.knob.kind == "size":
                high, wide = zip(*swept.values, strict=True)
                name = swept.knob.name
                values = {name: (*high, *wide), f"{name}.h": high, f"{name}.w": wide}
            step = 1 if swept.continuous else 0
            ends |= {
                name: (*_ends(numbers), step or _step(numbers)) for name, numbers in values.items()
            }
        return ends

    def lanes(self, rows: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that vary as numbers; oblong sizes as a height and a width."""
        lanes = {}
        for swept in (a for a in self.plan.axes if a.symbolic and a.knob.name in rows):
            name = swept.knob.name
            if swept.knob.kind == "size" and rows[name].dtype == object:
                lanes[f"{name}.h"], lanes[f"{name}.w"] = sides(rows[name])
            else:
                lanes[name] = rows[name]
        return lanes


def _ends(numbers: Sequence[Any]) -> tuple[Any, Any]:
    return min(numbers), max(numbers)


def _step(numbers: Sequence[Any]) -> int:
    """Return what all differences between whole numbers are multiples of, 1 for decimals."""
    if not all(isinstance(number, int) for number in numbers):
        return 1
    return math.gcd(*(number - numbers[0] for number in numbers)) or 1


def _why(error: MbprofError | None) -> Any:
    """Return the reason of an error with its place; its numbers are those of the size it names."""
    if error is None:
        return math.nan
    place = f"{error.loc.source.name}:{error.loc.line}: " if error.loc else ""
    return f"{place}{error.message} ({error.trace[-1]})"


def plan_sweep(
    spec: Spec,
    plan: Plan,
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    accuracy: str | None = None,
    needs: Needs | None = None,
) -> Sweep:
    """Check and assemble a sweep; ``accuracy`` is a series, or ``default``.

    Raises: UsageError: no such scope or series. ExpressionError: a filter that is wrong or
    mentions an unknown column.
    """
    scope = chosen_scope(scope, spec.definition.scope)
    job = Sweep(spec, plan, convention, scope, needs=needs)
    if accuracy is not None:
        series = None if accuracy == "default" else accuracy
        job.accuracies = Joined.of(spec.definition, job.fixed, series)
    if where is not None:
        sizes = [axis.knob.name for axis in plan.axes if axis.symbolic and axis.knob.kind == "size"]
        job.where = Where.parse(where, job.names, job.fixed, sizes)
    job.refuses = job.sized and job.probe()
    return job


@record
class Job:
    """The sweeps of one spec, or of several that vary the same knobs, one after the other.

    Of several, a column in front names the spec of a row.
    """

    jobs: Mapping[str, Sweep]

    @property
    def first(self) -> Sweep:
        return next(iter(self.jobs.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the spec if there are several, then those of every sweep."""
        return (SPEC, *self.first.names) if len(self.jobs) > 1 else self.first.names

    @property
    def count(self) -> int:
        return sum(job.plan.count for job in self.jobs.values())

    def stamp(self) -> dict[str, Any]:
        """Return what the costs are of, as plain data: what all have, and each spec's knobs."""
        shared = self.first.stamp()
        if len(self.jobs) == 1:
            return shared
        knobs = {name: job.stamp()["knobs"] for name, job in self.jobs.items()}
        return {**shared, "spec": list(self.jobs), "knobs": knobs}

    def stamps(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """Yield the stamp of each row of a chunk."""
        if len(self.jobs) == 1:
            yield from repeat(self.stamp(), len(chunk[self.names[0]]))
            return
        stamps = {name: job.stamp() for name, job in self.jobs.items()}
        yield from (stamps[name] for name in chunk[SPEC])

    def spans(self) -> Iterator[Span]:
        """Yield the spec and the first and last row of each chunk."""
        for name, job in self.jobs.items():
            for start in range(0, job.plan.count, CHUNK):
                yield Span(name, start, min(start + CHUNK, job.plan.count))

    def chunk(self, name: str, start: int, stop: int) -> Chunk:
        """Cost some rows of the plan of one spec.

        Raises: MbprofError: a configuration makes no network; the message names it.
        """
        import numpy as np

        columns = self.jobs[name].chunk(start, stop)
        if len(self.jobs) == 1:
            return columns
        label = np.empty(len(next(iter(columns.values()))), dtype=object)
        label[:] = name
        return {SPEC: label, **columns}


def plan_sweeps(
    specs: Sequence[Spec],
    plans: Sequence[Plan],
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    accuracy: str | None = None,
    needs: Needs | None = None,
) -> Job:
    """Check and assemble the sweep of one spec or of several: see `plan_sweep`.

    The scope of several is the one that the specs agree on, else ``all``.
    Raises: UsageError: a spec is given twice, or they vary other knobs; see `plan_sweep`.
    """
    if len(specs) > 1:
        scope = scope or common_scope(specs)
    jobs: dict[str, Sweep] = {}
    for spec, plan in zip(specs, plans, strict=True):
        path, before = spec.definition.path, jobs.get(spec.name)
        if path in jobs or (before is not None and before.spec.definition.path == path):
            raise UsageError(f"{spec.name} is given twice")
        # Two files can bear one name.
        label = spec.name if before is None else path
        jobs[label] = plan_sweep(spec, plan, convention, scope, where, accuracy, needs)
    varied = {label: [axis.knob.name for axis in job.plan.axes] for label, job in jobs.items()}
    (first, names), *others = varied.items()
    for label, own in others:
        if own != names:
            message = f"{first} and {label} vary other knobs"
            raise UsageError(message, hint="sweep one by itself, or give an axis that both have")
    refuses = any(job.refuses for job in jobs.values())
    for job in jobs.values():
        job.refuses = refuses
    return Job(jobs)

"""Many configurations of one spec or of several: planned, costed in chunks, filtered."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any, NamedTuple, TypeAlias

from mbprof.compare.side_by_side import common_scope
from mbprof.errors import UsageError
from mbprof.language.fmt import Value, plain
from mbprof.network import conventions
from mbprof.network.load import Spec
from mbprof.network.many import Engine, counter, outputs
from mbprof.output.formats import stamp
from mbprof.published.estimate import NAMES as ACCURACY
from mbprof.published.estimate import Joined
from mbprof.spec.sections import chosen_scope
from mbprof.sweeps.axes import CHUNK, Column, Plan, sides
from mbprof.sweeps.filters import Reducer, Where

Chunk: TypeAlias = Mapping[str, Column]
MAX_JOBS = 256
LOCAL = "local"
"""The scheduler that is started for a sweep alone."""
SPEC = "spec"
"""The column that names the spec of a row."""


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
    engines: dict[tuple[str, ...], Engine] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        # What the engines know of the spec holds functions; each process finds it out itself.
        return Sweep, (
            self.spec, self.plan, self.convention, self.scope, self.where, self.accuracies,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the knobs that vary, params and costs, accuracies if they are asked for."""
        more = ACCURACY if self.accuracies is not None else ()
        return (*(axis.knob.name for axis in self.plan.axes), *self.outputs, *more)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns that are computed: params, and MACs or FLOPs as the convention counts."""
        return outputs(self.convention)

    @property
    def fixed(self) -> dict[str, Value]:
        """The knobs that do not vary."""
        varied = [axis.knob.name for axis in self.plan.axes]
        return {name: value for name, value in self.spec.knobs.items() if name not in varied}

    def stamp(self) -> dict[str, Any]:
        """Return what the costs are of, as plain data: network, knobs, scope, convention."""
        return stamp(self.spec.name, self.fixed, self.scope, conventions.load(self.convention))

    def chunk(self, start: int, stop: int) -> dict[str, Column]:
        """Cost some rows of the plan.

        Raises: MbprofError: a configuration makes no network; the message names it.
        """
        import numpy as np

        rows = self.plan.rows(start, stop)
        count = stop - start
        results_of = {name: np.empty(count, dtype=np.int64) for name in self.outputs}
        for fixed, chosen in self.groups(rows, count):
            part = rows if len(chosen) == count else {n: c[chosen] for n, c in rows.items()}
            engine = self.engine(fixed)
            results = engine.run(self.lanes(part), len(chosen))
            for name, result in zip(self.outputs, results, strict=True):
                if result.dtype == object and results_of[name].dtype != object:
                    results_of[name] = results_of[name].astype(object)
                results_of[name][chosen] = result
        columns = {**rows, **results_of}
        if self.accuracies is not None:
            columns.update(self.accuracies.columns(rows, count))
        if self.where is None:
            return columns
        kept = self.where.holds(columns, count)
        return {name: column[kept] for name, column in columns.items()}

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
                counter(self.convention, self.scope),
                len(self.outputs),
            )
        return self.engines[key]

    def ranges(self) -> dict[str, tuple[Any, Any]]:
        """Return the least and largest value of every knob that varies as a number."""
        ends: dict[str, tuple[Any, Any]] = {}
        for swept in (axis for axis in self.plan.axes if axis.symbolic):
            values: dict[str, Sequence[Any]] = {swept.knob.name: swept.values}
            if swept.knob.kind == "size":
                high, wide = zip(*swept.values, strict=True)
                name = swept.knob.name
                values = {name: (*high, *wide), f"{name}.h": high, f"{name}.w": wide}
            ends |= {name: (min(numbers), max(numbers)) for name, numbers in values.items()}
        return ends

    def lanes(self, rows: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that vary as numbers; oblong sizes as a height and a width."""
        lanes = {}
        for swept in (axis for axis in self.plan.axes if axis.symbolic):
            name = swept.knob.name
            if swept.knob.kind == "size" and rows[name].dtype == object:
                lanes[f"{name}.h"], lanes[f"{name}.w"] = sides(rows[name])
            else:
                lanes[name] = rows[name]
        return lanes


def plan_sweep(
    spec: Spec,
    plan: Plan,
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    accuracy: str | None = None,
) -> Sweep:
    """Check and assemble a sweep; ``accuracy`` is a series, or ``default``.

    Raises: UsageError: no such scope or series. ExpressionError: a filter that is wrong or
    mentions an unknown column.
    """
    job = Sweep(spec, plan, convention, chosen_scope(scope, spec.definition.scope))
    if accuracy is not None:
        series = None if accuracy == "default" else accuracy
        job.accuracies = Joined.of(spec.definition, job.fixed, series)
    if where is not None:
        sizes = [axis.knob.name for axis in plan.axes if axis.symbolic and axis.knob.kind == "size"]
        job.where = Where.parse(where, job.names, job.fixed, sizes)
    return job


@dataclass(frozen=True, slots=True)
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

    def chunk(self, name: str, start: int, stop: int) -> dict[str, Column]:
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
) -> Job:
    """Check and assemble the sweep of one spec or of several: see `plan_sweep`.

    The scope of several is the one that the specs agree on, else ``all``.
    Raises: UsageError: a spec is given twice; see `plan_sweep`.
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
        jobs[label] = plan_sweep(spec, plan, convention, scope, where, accuracy)
    return Job(jobs)


@dataclass(frozen=True, slots=True)
class Work:
    """What each chunk of a sweep is put through: costed, filtered, reduced."""

    job: Job
    rule: Reducer | None

    def __call__(self, span: Span) -> Chunk:
        chunk = self.job.chunk(*span)
        return chunk if self.rule is None else self.rule.kept(chunk)


def chunks(
    job: Job,
    jobs: int | None = None,
    rule: Reducer | None = None,
    scheduler: str | None = None,
    advance: Callable[[int], object] = lambda done: None,
) -> Iterator[Chunk]:
    """Return the chunks of a sweep; ``advance`` is told how many rows each of them is of.

    Where several processes or the workers of a scheduler cost them, they keep what ``rule`` keeps
    of each.
    Raises: MbprofError: a configuration makes no network. LimitError: a process has been killed.
    UsageError: fewer than one process or too many; no such scheduler.
    """
    if jobs is None:
        jobs = (os.cpu_count() or 1) if scheduler == LOCAL else 1
    elif scheduler is not None and scheduler != LOCAL:
        raise UsageError("--jobs are processes of this machine; leave them or --scheduler out")
    if not 1 <= jobs <= MAX_JOBS:
        bound = "at least 1" if jobs < 1 else f"at most {MAX_JOBS}"
        raise UsageError(f"--jobs is {jobs}; it must be {bound}")
    jobs = min(jobs, sum(1 for _ in islice(job.spans(), jobs)))
    return _chunks(job, jobs, rule, scheduler, advance)


def _chunks(
    job: Job,
    jobs: int,
    rule: Reducer | None,
    scheduler: str | None,
    advance: Callable[[int], object],
) -> Iterator[Chunk]:
    results: Iterator[Chunk]
    if scheduler is not None:
        from mbprof.sweeps import cluster

        results = cluster.results(
            Work(job, rule), job.spans(), scheduler, jobs if scheduler == LOCAL else 0
        )
    elif jobs > 1:
        from mbprof.sweeps import pool

        results = pool.results(Work(job, rule), job.spans(), jobs)
    else:
        results = map(Work(job, None), job.spans())
    with closing(results) if isinstance(results, Generator) else nullcontext():
        for span, chunk in zip(job.spans(), results, strict=True):
            yield chunk
            advance(span.stop - span.start)

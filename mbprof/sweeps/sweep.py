"""Many configurations of one spec or of several: planned, costed in chunks, filtered."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

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
from mbprof.sweeps.filters import Where

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Chunk: TypeAlias = Mapping[str, Column]
STOPS = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a sweep."""
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
                values = {"res": (*high, *wide), "res.h": high, "res.w": wide}
            ends |= {name: (min(numbers), max(numbers)) for name, numbers in values.items()}
        return ends

    def lanes(self, rows: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that vary as numbers; oblong sizes as a height and a width."""
        lanes = {}
        for swept in (axis for axis in self.plan.axes if axis.symbolic):
            name = swept.knob.name
            if swept.knob.kind == "size" and rows[name].dtype == object:
                lanes["res.h"], lanes["res.w"] = sides(rows[name])
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


def chunks(
    job: Job, jobs: int, advance: Callable[[int], object] = lambda done: None
) -> Iterator[Chunk]:
    """Yield the chunks of a sweep; ``advance`` is told how many rows each of them is of.

    Raises: MbprofError: a configuration makes no network.
    """
    spans = list(job.spans())
    jobs = min(jobs, len(spans))
    results = _forked(job, spans, jobs) if jobs > 1 else (job.chunk(*span) for span in spans)
    for span, chunk in zip(spans, results, strict=True):
        yield chunk
        advance(span.stop - span.start)


def _forked(job: Job, spans: Sequence[Span], jobs: int) -> Iterator[Chunk]:
    """Yield chunks from processes that take turns; each waits until its last chunk is taken."""
    import multiprocessing

    # Formulas hold functions, which cannot be sent; a forked process has them already.
    context = multiprocessing.get_context("fork")
    readers, workers = [], []
    try:
        for first in range(jobs):
            reader, writer = context.Pipe(duplex=False)
            readers.append(reader)
            arguments = (job, spans[first::jobs], writer, tuple(readers))
            # A signal between fork and its book-keeping would leave a process that nobody knows.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            workers.append(context.Process(target=_work, args=arguments, daemon=True))
            workers[-1].start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            writer.close()
        for number in range(len(spans)):
            result = readers[number % jobs].recv()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        for reader, worker in zip(readers, workers, strict=False):
            reader.close()
            worker.terminate()
            worker.join()


def _work(
    job: Job, spans: Sequence[Span], writer: Connection, readers: Sequence[Connection]
) -> None:
    """Send the chunks of some spans, or what went wrong; the parent alone is interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    # Whoever holds a reader keeps the pipe of a parent that is gone open.
    for reader in readers:
        reader.close()
    with suppress(BrokenPipeError):
        try:
            for span in spans:
                writer.send(job.chunk(*span))
        except Exception as error:
            writer.send(error)

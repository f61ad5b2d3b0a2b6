"""The chunks of a sweep, costed here, by several processes or by the workers of a scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext
from itertools import islice

from mbprof.errors import UsageError
from mbprof.language.record import record
from mbprof.sweeps.filters import InOrder, Reducer
from mbprof.sweeps.sweep import Chunk, Job, Span

MAX_JOBS = 256
LOCAL = "local"
"""The scheduler that is started for a sweep alone."""


@record
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

        most = pool.AHEAD if rule is None else pool.FAR
        results = pool.results(Work(job, rule and InOrder(rule)), job.spans(), jobs, most)
    else:
        results = map(Work(job, None), job.spans())
    with closing(results) if isinstance(results, Generator) else nullcontext():
        for span, chunk in zip(job.spans(), results, strict=True):
            yield chunk
            advance(span.stop - span.start)

"""The chunks of a sweep in their order, costed by one process or by several."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from mbprof.sweeps.axes import Column
from mbprof.sweeps.several import Several
from mbprof.sweeps.sweep import Sweep

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Chunk: TypeAlias = Mapping[str, Column]
Span: TypeAlias = tuple[Any, ...]
Job: TypeAlias = Sweep | Several
STOPS = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a sweep."""


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
        advance(span[-1] - span[-2])


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

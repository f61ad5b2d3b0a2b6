"""Work shared between processes of this machine, which do not outlive it."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from mbprof.errors import LimitError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

S = TypeVar("S")
R = TypeVar("R")
AHEAD = 32
"""So many results wait at most for the one that is next, besides two for each process."""

_held: list[Callable[[Any], Any]] = []


def results(work: Callable[[S], R], items: Iterable[S], jobs: int) -> Generator[R]:
    """Yield the result of every item in order; this process is one of those that work.

    The others are spawned, as on every platform, and killed when the results are no longer wanted;
    however this one ends, they hear of it through a pipe.
    Raises: LimitError: one of them was killed; and whatever the work raises.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    life, line = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs - 1, context, _begin, (work, life))
    left, waiting = iter(items), deque[Future[R]]()

    def ahead(count: int) -> None:
        """Hand out items until so many are not finished."""
        unfinished = sum(not future.done() for future in waiting)
        for item in (item for _, item in zip(range(count - unfinished), left, strict=False)):
            with apart(signal.SIGTERM):
                waiting.append(pool.submit(_done, item))

    try:
        with alone():
            while True:
                ahead(2 * jobs)
                if not waiting:
                    return
                while not waiting[0].done() and len(waiting) < AHEAD + 2 * jobs:
                    item = next(left, None)
                    if item is None:
                        break
                    waiting.append(_own(work, item))
                    ahead(2 * jobs)
                yield waiting.popleft().result()
    except BrokenProcessPool:
        message = "a process of --jobs was killed, perhaps since the memory was used up"
        raise LimitError(message, hint="take fewer --jobs; nothing was written") from None
    finally:
        # Who is killed may have written half of a result; that ends where nobody can write on.
        results_of: Any = pool
        results_of._result_queue._writer.close()
        pool.shutdown(cancel_futures=True)
        line.close()
        life.close()


def _own(work: Callable[[S], R], item: S) -> Future[R]:
    """Do the work here; an error waits for its turn."""
    future = Future[R]()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future


@contextmanager
def alone() -> Iterator[None]:
    """Kill the processes that have been started, at the end."""
    import multiprocessing

    others = set(multiprocessing.active_children())
    try:
        yield
    finally:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()


@contextmanager
def apart(*later: signal.Signals) -> Iterator[None]:
    """Start processes that an interrupt of the terminal leaves alone, and that run no script.

    Signals for this process that come ``later`` leave none half started, to complain of it.
    A spawned process runs the main module anew, which would sweep once more.
    """
    main, masked = sys.modules["__main__"], hasattr(signal, "pthread_sigmask")
    if masked:
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # which lets signals through when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *later})
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(work: Callable[[Any], Any], life: Connection) -> None:
    """Keep the work in a process, and end it with the one that started it."""
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # see `apart`

    def follow() -> None:
        life.poll(None)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _held.append(work)


def _done(item: Any) -> Any:
    return _held[0](item)


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM end this process as an exception does, so that all is put away."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

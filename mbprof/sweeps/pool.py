"""Work shared between processes of this machine, which do not outlive it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from itertools import count, islice
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from mbprof.errors import LimitError
from mbprof.output.files import answered, undisturbed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from queue import SimpleQueue

S = TypeVar("S")
R = TypeVar("R")
PAUSE = 0.2
"""Seconds between two looks at whether the processes are alive."""
PATIENCE = 0.8
"""Seconds that what a signal ends has to put all away."""
LOSING = "<frozen importlib"
"""The code of imports, which swallows an exception here and there."""
AHEAD = 32
"""So many results wait at most for the one that is next, besides two for each process."""
FAR = 2048
"""The same of results that are small: so many are done here while other processes start."""


def results(
    work: Callable[[S], R], items: Iterable[S], jobs: int, most: int = AHEAD
) -> Generator[R]:
    """Yield the result of every item in order; this process is one of those that work.

    At most so many results wait for the one that is next, besides two for each process.

    The others are spawned, as on every platform, and killed when the results are no longer wanted;
    however this one ends, they hear of it through a pipe.
    Raises: LimitError: one of them was killed; and whatever the work raises.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from queue import Empty, SimpleQueue

    _tracked()
    context = multiprocessing.get_context("spawn")
    life, line = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs - 1, context, _begin, (life,))
    # To send the work to a process that starts would never end if that one is killed meanwhile.
    sent = pickle.dumps(work)
    internals: Any = pool
    """Who is killed may have written half of a result, which ends where nobody can write on."""
    left, numbers = iter(items), count()
    waiting, ended = deque[int](), dict[int, Future[R]]()
    ends = SimpleQueue[tuple[int, Future[R]]]()
    """Heard of here alone: a signal that comes while a future is asked would leave it locked."""

    def ahead() -> None:
        """Hand out items until each process has two, done ones not counted."""
        while not ends.empty():
            ended.update([ends.get()])
        if any(process.exitcode is not None for process in internals._processes.values()):
            internals._result_queue._writer.close()
        for item in islice(left, 2 * jobs - len(waiting) + len(ended)):
            number = next(numbers)
            with undisturbed(), apart(signal.SIGTERM):
                future = pool.submit(_done, sent, item)
                future.add_done_callback(partial(_put, ends, number))
                waiting.append(number)

    try:
        with alone():
            while True:
                ahead()
                if not waiting:
                    return
                while waiting[0] not in ended and len(waiting) < most + 2 * jobs:
                    item = next(left, None)
                    if item is None:
                        break
                    number = next(numbers)
                    ended[number] = _own(work, item)
                    waiting.append(number)
                    ahead()
                while waiting[0] not in ended:
                    with suppress(Empty):
                        ended.update([ends.get(timeout=PAUSE)])
                    ahead()
                with undisturbed():
                    result = ended.pop(waiting.popleft()).result()
                yield result
    except BrokenProcessPool:
        message = "a process of --jobs was killed, perhaps since the memory was used up"
        raise LimitError(message, hint="take fewer --jobs; nothing was written") from None
    finally:
        with undisturbed():
            internals._result_queue._writer.close()
            pool.shutdown(cancel_futures=True)
            line.close()
            life.close()


def _put(ends: SimpleQueue[tuple[int, Future[R]]], number: int, future: Future[R]) -> None:
    ends.put((number, future))


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
        _tracked()  # which lets signals through when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *later})
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _tracked() -> None:
    """Start what puts semaphores away after a process that was ended at once, and warns of none."""
    if not hasattr(signal, "pthread_sigmask"):
        return  # nothing does, nor has to, on Windows
    from multiprocessing import resource_tracker

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        resource_tracker.ensure_running()
    finally:
        os.environ.pop("PYTHONWARNINGS")
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _begin(life: Connection) -> None:
    """End a process with the one that started it."""
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # see `apart`

    def follow() -> None:
        life.poll(None)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@lru_cache(maxsize=1)
def _made(sent: bytes) -> Any:
    return pickle.loads(sent)


def _done(sent: bytes, item: Any) -> Any:
    return _made(sent)(item)


@contextmanager
def unwinding() -> Iterator[Callable[[], None]]:
    """Let a signal end this process as an exception does, so that all is put away.

    An exception that is raised between any two steps can be lost, as while a module is imported,
    or leave a lock that somebody waits for. So what is yielded ends the process too, once a signal
    has come; and after `PATIENCE` it ends as it would have before.
    """
    import threading
    from queue import Empty, SimpleQueue

    heard, over = SimpleQueue[int](), SimpleQueue[None]()
    numbers: list[int] = []
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        numbers.append(number)
        heard.put(number)
        if frame is None or not frame.f_code.co_filename.startswith(LOSING):
            heed()

    def heed() -> None:
        if numbers:
            raise KeyboardInterrupt if numbers[0] == signal.SIGINT else SystemExit(128 + numbers[0])

    def watch() -> None:
        number = heard.get()
        try:
            over.get(timeout=PATIENCE if number else 0)
        except Empty:
            if number and callable(before):
                before(number, None)

    threading.Thread(target=watch, daemon=True).start()
    try:
        with answered(end):
            yield heed
    finally:
        over.put(None)
        heard.put(0)

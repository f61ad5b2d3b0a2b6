"""Work shared between the workers of a Dask cluster, on this machine or on many."""

from __future__ import annotations

import logging
import pickle
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, TypeVar

from mbprof import __version__
from mbprof.errors import LimitError, UsageError
from mbprof.output.files import undisturbed
from mbprof.sweeps.pool import alone, apart

S = TypeVar("S")
R = TypeVar("R")
PATIENCE = 10
"""Seconds that a scheduler has to answer."""
AHEAD = 32
"""So many items are handed out, besides four for each thread of the cluster."""

_made = threading.local()


def results(work: Callable[[S], R], items: Iterable[S], address: str, jobs: int) -> Generator[R]:
    """Yield the result of every item in order, worked out on a Dask cluster.

    ``address`` is that of its scheduler; ``jobs`` above 0 starts one, with so many processes of
    this machine. What a lost worker was given is done again by another.
    Raises: UsageError: no such scheduler, one that is lost, workers without this version of
    mbprof, or the package distributed is missing. LimitError: an item kills worker after worker.
    """
    with _client(address, jobs) as client, _said(address):
        sent = pickle.dumps(work)
        # A task that depends on another one gets what that one returns, wherever it is done.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a long list of configurations is large
            kept = client.submit(_same, sent, pure=False)
        left, waiting = iter(items), deque[Any]()
        while True:
            room = AHEAD + 4 * sum(client.nthreads().values()) - len(waiting)
            waiting += (
                client.submit(_done, __version__, kept, item, pure=False)
                for item in islice(left, max(room, 0))
            )
            if not waiting:
                return
            yield waiting.popleft().result()


@contextmanager
def _client(address: str, jobs: int) -> Iterator[Any]:
    """Connect to a scheduler; what is started for it ends with it."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        message = "--scheduler needs the package distributed"
        raise UsageError(message, hint="pip install mbprof[dask]") from None
    with ExitStack() as stack:
        # Workers that are dead, and not started anew, need not be asked to end: that takes seconds.
        workers = stack.enter_context(ExitStack())
        workers.enter_context(alone())
        if jobs:
            # What is ended closes one line after another, and says so of each even when it is over.
            logging.getLogger("distributed").setLevel(logging.CRITICAL)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mbprof-"))
            # No dashboard, and its port is any: the usual one may be another cluster's.
            # One that a signal finds half started takes ten seconds to end, and complains of it.
            with undisturbed(), apart():
                address = stack.enter_context(
                    LocalCluster(
                        n_workers=jobs, threads_per_worker=1, local_directory=folder,
                        silence_logs=logging.CRITICAL, dashboard_address="127.0.0.1:0",
                        scheduler_kwargs={"dashboard": False},
                    )
                )  # fmt: skip
            workers.callback(_forsake, address)
        try:
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"there is no Dask scheduler at {address}: {error}") from None
        stack.enter_context(client)
        with workers:
            yield client


def _forsake(cluster: Any) -> None:
    for nanny in cluster.workers.values():
        nanny.auto_restart = False


@contextmanager
def _said(address: str) -> Iterator[None]:
    """Say what a cluster can do wrong."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker:
        message = "worker after worker was lost at the same rows, perhaps for want of memory"
        raise LimitError(message) from None
    except (CancelledError, CommClosedError, TimeoutError):
        raise UsageError(f"the scheduler {address} was lost") from None
    except ModuleNotFoundError as error:
        message = f"the workers of {address} lack {error.name}"
        raise UsageError(message, hint=f"install mbprof {__version__} there") from None


def _same(sent: bytes) -> bytes:
    return sent


def _done(version: str, sent: bytes, item: Any) -> Any:
    """Do the work in a worker; each of its threads makes it once."""
    if version != __version__:
        raise UsageError(f"a worker has mbprof {__version__}, not {version}")
    if getattr(_made, "sent", None) != sent:
        _made.sent, _made.work = sent, pickle.loads(sent)
    return _made.work(item)

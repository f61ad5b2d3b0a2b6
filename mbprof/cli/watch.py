"""A file that is looked at again whenever it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mbprof.errors import UsageError
from mbprof.language.source import is_file

SUFFIXES = (".yaml", ".yml")
_TICK_MS = 200


def saves(path: str) -> Iterator[None]:
    """Yield once, and again whenever a spec in the file's folder is saved, until interrupted.

    The whole folder counts, as a spec can extend its neighbour, and as editors replace files.
    Raises: UsageError: there is no such file.
    """
    file = Path(path)
    if not is_file(file):
        raise UsageError(f"there is no file {path} to watch", hint="mbprof watch takes a file")
    # A compiled library, which no other command needs.
    from watchfiles import Change, watch

    seen = watch(
        file.absolute().parent,
        watch_filter=lambda change, name: change is not Change.deleted and name.endswith(SUFFIXES),
        recursive=False,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    # The first tick comes once the watcher stands, so that no save is missed.
    try:
        for number, changes in enumerate(seen):
            if changes or not number:
                yield
    except OSError as error:
        raise UsageError(f"cannot watch {path}: {error.strerror or error}") from None

"""A file that is looked at again whenever it is saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mbprof.errors import UsageError, near_file
from mbprof.language.source import is_file

SUFFIXES = (".yaml", ".yml")
_TICK_MS = 200


def saves(path: str) -> Iterator[None]:
    """Yield once, and again whenever a spec in the file's folder is saved, until interrupted.

    The whole folder counts, as a spec can extend its neighbour, and as editors replace files. That
    the file goes away or comes back counts, too, and so does its folder.
    Raises: UsageError: there is no such file, or its folder cannot be watched.
    """
    file = Path(path)
    if not is_file(file):
        hint = near_file(file) or "mbprof watch takes a file"
        raise UsageError(f"there is no file {path} to watch", hint=hint)
    stood = False
    for saved in _ticks(file.absolute().parent):
        stands = is_file(file)
        if stands != stood or (saved and stands):
            yield
        stood = stands


def _ticks(folder: Path) -> Iterator[bool]:
    """Yield a few times a second whether a spec in a folder was saved, until interrupted."""
    # A compiled library, which no other command needs.
    from watchfiles import Change, watch

    while True:
        before = _identity(folder)
        with suppress(FileNotFoundError):
            for changes in watch(
                folder,
                watch_filter=lambda change, name: (
                    change is not Change.deleted and name.endswith(SUFFIXES)
                ),
                recursive=False,
                rust_timeout=_TICK_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                # The first tick comes once the watcher stands, so that no save is missed.
                yield bool(changes)
                if _identity(folder) != before:
                    break  # What is watched is no longer what the path names.
            else:
                return
        yield False
        time.sleep(_TICK_MS / 1000)


def _identity(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = folder.stat()
        return found.st_dev, found.st_ino
    return None

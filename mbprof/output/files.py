"""Where output goes: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from mbprof.errors import UsageError

_UNFINISHED: set[Path] = set()
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}


def emit(content: str | bytes, path: str | Path | None) -> None:
    """Write text or bytes to standard output (None or ``-``), or to a file.

    Raises: UsageError: it cannot be written; what was there before is untouched.
    """
    output: Any = bytes_to(path) if isinstance(content, bytes) else text_to(path)
    with output as file:
        file.write(content)


@contextmanager
def text_to(path: str | Path | None) -> Iterator[IO[str]]:
    """Open an output for text, see `bytes_to`."""
    if _is_standard(path):
        with _standard():
            yield sys.stdout
        return
    with bytes_to(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
            text.flush()
        finally:
            with suppress(OSError):
                text.detach()


@contextmanager
def bytes_to(path: str | Path | None) -> Iterator[IO[bytes]]:
    """Open an output; a regular file takes the place of the old one once it is whole.

    A symbolic link stays, and what it points to is replaced; devices, pipes and open files
    (``/dev/stdout``, ``/dev/fd/N``) are written to as they are.
    Raises: UsageError: it cannot be written; a file that was there before is untouched.
    """
    if _is_standard(path):
        with _standard():
            yield sys.stdout.buffer
        return
    assert path is not None
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory")
    with _said(str(path)):
        descriptor = _descriptor(str(path))
        if descriptor is not None:
            sys.stdout.flush()
            with os.fdopen(os.dup(descriptor), "wb") as file:
                yield file
        elif target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            with _aside(Path(os.path.realpath(target)), path) as file:
                yield file


def _is_standard(path: str | Path | None) -> bool:
    return path is None or str(path) == "-"


def _descriptor(path: str) -> int | None:
    """Return the number of an open file that a path names; to open it anew would truncate it."""
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", path)
    return int(found[1]) if found else _STREAMS.get(path)


@contextmanager
def _aside(target: Path, path: str | Path) -> Iterator[IO[bytes]]:
    """Give a file in the same folder, which is renamed to ``target`` at the end."""
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {Path(path).parent}")
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    before = target.stat() if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    aside = target.with_name(f".mbprof-{os.urandom(4).hex()}.part")
    file = aside.open("xb")
    _UNFINISHED.add(aside)
    try:
        yield file
        file.close()
        if before is not None:
            aside.chmod(stat.S_IMODE(before.st_mode))
        aside.replace(target)
    except BaseException:
        with suppress(OSError):
            file.close()
        aside.unlink(missing_ok=True)
        raise
    finally:
        _UNFINISHED.discard(aside)


def abandon() -> None:
    """Throw away what is being written, where a process has to end at once."""
    for path in tuple(_UNFINISHED):
        with suppress(OSError):
            path.unlink()


@contextmanager
def _standard() -> Iterator[None]:
    with _said("standard output"):
        try:
            yield
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError:
            # What is left in the buffer would be refused once more when Python ends.
            with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            raise


@contextmanager
def _said(path: str) -> Iterator[None]:
    """Say what the operating system refuses; that a reader has seen enough is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None

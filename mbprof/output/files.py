"""Where output goes: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from mbprof.errors import UsageError

_UNFINISHED: set[Path] = set()
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_MAX_LINKS = 40


def emit(content: str | bytes, path: str | Path | None) -> None:
    """Write text or bytes to standard output (None or ``-``), or to a file.

    A reader that has seen enough, such as head, changes nothing: the command goes on.
    Raises: UsageError: it cannot be written; what was there before is untouched.
    """
    output: Any = bytes_to(path) if isinstance(content, bytes) else text_to(path)
    with suppress(BrokenPipeError), output as file:
        file.write(content)


@contextmanager
def text_to(path: str | Path | None) -> Iterator[IO[str]]:
    """Open an output for text, see `bytes_to`."""
    if _is_standard(path):
        with _standard():
            yield sys.stdout
        return
    with bytes_to(path) as file:
        text = TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
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
    Raises: UsageError: it cannot be written, or nobody said that it should go to a terminal; a file
    that was there before is untouched.
    """
    if _is_standard(path):
        if path is None and sys.stdout.isatty():
            hint = "-o FILE writes a file, -o - writes it here all the same"
            raise UsageError("what was asked for is no text, and this is a terminal", hint=hint)
        with _standard():
            yield sys.stdout.buffer
        return
    assert path is not None
    target = Path(path)
    with _said(str(path)):
        if target.is_dir():
            raise UsageError(f"cannot write {path}: it is a directory")
        descriptor = _descriptor(str(path))
        if descriptor is not None:
            sys.stdout.flush()
            with os.fdopen(os.dup(descriptor), "wb") as file:
                yield file
        elif target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            aside = _Aside(Path(os.path.realpath(target)), path)
            try:
                yield aside.file
                aside.close()
                aside.path.replace(aside.target)
            finally:
                aside.drop()


def _is_standard(path: str | Path | None) -> bool:
    return path is None or str(path) == "-"


def _descriptor(path: str) -> int | None:
    """Return the number of an open file that a path names; to open it anew would truncate it."""
    for _ in range(_MAX_LINKS):
        path = os.path.abspath(path)  # noqa: PTH100
        found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", path)
        if found or path in _STREAMS:
            return int(found[1]) if found else _STREAMS[path]
        if not Path(path).is_symlink():
            break
        path = str(Path(path).parent / Path(path).readlink())
    return None


class _Aside:
    """A new file beside the one whose place it takes once it is whole."""

    def __init__(self, target: Path, path: str | Path) -> None:
        if not target.parent.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {Path(path).parent}")
        if target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self.before = target.stat() if target.exists() else None
        if self.before is not None and not os.access(target, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self.target = target
        self.path = target.with_name(f".mbprof-{os.urandom(4).hex()}.part")
        _UNFINISHED.add(self.path)  # a signal can come at any time
        self.file = self.path.open("xb")

    def close(self) -> None:
        """Say that all is written."""
        self.file.close()
        if self.before is not None:
            self.path.chmod(stat.S_IMODE(self.before.st_mode))

    def drop(self) -> None:
        """Throw it away, unless it has taken its place."""
        with suppress(OSError):
            self.file.close()
        self.path.unlink(missing_ok=True)
        _UNFINISHED.discard(self.path)


def emit_all(files: Mapping[Path, bytes]) -> None:
    """Write several files, all of them or none; a folder beside one of them is made.

    Raises: UsageError: one of them cannot be written; what was there before is untouched.
    """
    asides, folders = [], {Path(os.path.realpath(path)).parent for path in files}
    with ExitStack() as stack:
        for path, content in files.items():
            with _said(str(path)):
                target = Path(os.path.realpath(path))
                if target.exists() and not target.is_file():
                    raise UsageError(f"cannot write {path}: it is no file")
                if target.parent.parent in folders and not target.parent.is_dir():
                    _UNFINISHED.add(target.parent)
                    stack.callback(_left, target.parent)
                    target.parent.mkdir()
                aside = _Aside(target, path)
                stack.callback(aside.drop)
                aside.file.write(content)
                aside.close()
                asides.append(aside)
        with undisturbed():
            for aside in asides:
                with _said(str(aside.target)):
                    aside.path.replace(aside.target)


def _left(folder: Path) -> None:
    """Leave a folder that was made, unless there is nothing in it."""
    with suppress(OSError):
        folder.rmdir()
    _UNFINISHED.discard(folder)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals wait, so that what belongs together is done together."""
    waiting: list[int] = []
    try:
        with answered(lambda number, frame: waiting.append(number)):
            yield
    finally:
        for number in waiting:
            signal.raise_signal(number)


@contextmanager
def answered(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Answer an interrupt and SIGTERM so for a while; only the main thread hears of them."""
    before: dict[int, Any] = {}
    with suppress(ValueError):
        for sign in (signal.SIGINT, signal.SIGTERM):
            before[sign] = signal.signal(sign, handler)
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known or signal.SIG_DFL)


def abandon() -> None:
    """Throw away what is being written, where a process has to end at once."""
    for path in sorted(_UNFINISHED, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            (path.rmdir if path.is_dir() else path.unlink)()


@contextmanager
def _standard() -> Iterator[None]:
    with _said("standard output"):
        try:
            yield
            sys.stdout.flush()
        except OSError:
            silence()
            raise


def silence() -> None:
    """Let standard output lead nowhere: what is left in its buffer would be refused at the end."""
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def _said(path: str) -> Iterator[None]:
    """Say what the operating system refuses; that a reader has seen enough is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None

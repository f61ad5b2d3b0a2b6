"""Where text goes: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mbprof.errors import UsageError


def emit(text: str, path: str | None) -> None:
    """Write text to standard output, or to a file by way of a temporary one beside it.

    Raises: UsageError: the file cannot be written; what was there before is untouched.
    """
    if path is None or path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with aside(path) as target:
        target.write_text(text, encoding="utf-8", newline="")


@contextmanager
def aside(path: str) -> Iterator[Path]:
    """Give a file to write to, which takes the place of ``path`` once it is whole.

    Raises: UsageError: it cannot be written; what was there before is untouched.
    """
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        # A device or a pipe cannot be replaced, only written to.
        yield target
        return
    written: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(descriptor)
        written = Path(name)
        yield written
        written.chmod(_mode(target))
        written.replace(target)
        written = None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if written is not None:
            written.unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask

"""One run of the command line: what it begins with, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import typer

from mbprof.cli.manual import app
from mbprof.cli.options import INTERRUPTED, complain
from mbprof.errors import MbprofError

__all__ = ["app", "run"]

_MISTYPED: Any = typer.BadParameter.__mro__[2]
"""What typer raises where it cannot read a command line; it has no name of its own for it."""
SAYING = 0.1
"""Seconds that the last word of a process may take."""


def run() -> None:
    """Run the command that was typed; see `mbprof.cli.main`."""
    _open_streams()
    out = sys.stdout
    for stream in (out, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _terminated)
    completing = "_MBPROF_COMPLETE" in os.environ
    status = 2
    try:
        asked = app(None if completing else sys.argv[1:])
        status = asked(prog_name="mbprof", standalone_mode=False) or 0
    except MbprofError as error:
        complain(error)
    except _MISTYPED as error:
        from mbprof.output.inert import terminal

        error.message = terminal(error.message)
        error.show()
    except (typer.Abort, KeyboardInterrupt):
        status = 130  # typer answers an interrupt so, but for one that it does not see
    except OSError as error:
        from mbprof.output.files import silence

        silence()
        what = f"use {error.filename}" if error.filename else "write standard output"
        complain(f"error[usage]: cannot {what}: {error.strerror or error}")
    except RuntimeError as error:
        # A class that was being made puts an error of its own around what interrupted it.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        status = 130
    except SystemExit:
        # Typer has put something in its place: the reader, such as head, has seen enough.
        if sys.stdout is out:
            raise
        status = 0
    finally:
        _abandon()
    sys.exit(status)


def _open_streams() -> None:
    """Open what is closed: output is refused there; a file could take its number otherwise."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            way = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            setattr(sys, name, os.fdopen(os.open(os.devnull, way), mode))


def _abandon() -> None:
    # A module that is being imported has not all of its names yet.
    getattr(sys.modules.get("mbprof.output.files"), "abandon", tuple)()


def _terminated(number: int, frame: object) -> None:
    """End at once: what was begun is thrown away, and no process is left behind.

    An interrupt comes here where a sweep takes too long to put all away, and is said all the same.
    """
    _abandon()
    if number == signal.SIGINT:
        from threading import Thread

        saying = Thread(target=complain, args=(INTERRUPTED,), daemon=True)
        saying.start()
        saying.join(SAYING)  # nobody may be reading
    for child in getattr(sys.modules.get("multiprocessing"), "active_children", tuple)():
        child.kill()
    os._exit(128 + number)

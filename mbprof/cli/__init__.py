"""The command line: each command is one call of the library and one renderer."""

from __future__ import annotations

import os
import signal
import sys

from mbprof.cli import blocks, networks
from mbprof.cli.options import app, complain
from mbprof.errors import MbprofError

__all__ = ["app", "blocks", "main", "networks"]


def main() -> None:
    """Run the command line; bad input is one message on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _terminated)
    completing = "_MBPROF_COMPLETE" in os.environ
    try:
        app(None if completing else sys.argv[1:])(prog_name="mbprof")
    except MbprofError as error:
        complain(error)
        sys.exit(2)
    except BrokenPipeError:
        # The reader, such as head, has seen enough; that is no error of ours.
        sys.stderr.close()
        sys.exit(0)


def _terminated(number: int, frame: object) -> None:
    """End at once: what was begun is thrown away, and no process is left behind."""
    # A module that is being imported has not all of its names yet.
    getattr(sys.modules.get("mbprof.output.files"), "abandon", tuple)()
    for child in getattr(sys.modules.get("multiprocessing"), "active_children", tuple)():
        child.kill()
    os._exit(128 + number)

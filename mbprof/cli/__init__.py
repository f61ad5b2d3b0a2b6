"""The command line: each command is one call of the library and one renderer."""

from __future__ import annotations

import atexit
import gc
import signal


def main() -> None:
    """Run the command line; bad input is one message on stderr and exit status 2.

    What a command makes lasts until it ends: to search it for cycles at every 700 objects, and once
    more at the end, is a tenth of a short run and a fifth of a long one.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    # To be interrupted while modules are loaded is no news, and their code may lose an exception.
    interrupted = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mbprof.cli.run import run

    if interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()

"""Configurations that are listed in a file."""

from __future__ import annotations

import csv
import os
import stat
import time
from io import BytesIO, TextIOWrapper
from pathlib import Path

from mbprof.errors import LimitError, UsageError, near_file
from mbprof.language.fmt import Value, parse, several
from mbprof.sweeps.axes import brief

MAX_BYTES = 1 << 26
"""So large is a file at most."""
MAX_LINE = 100_000
PATIENCE = 1.0
"""Seconds that a pipe may have nobody who writes to it."""
_AT_ONCE = 1 << 16


def read_configs(path: Path) -> dict[str, list[Value]]:
    """Read configurations from a CSV file whose header names the knobs.

    Raises: UsageError: the file cannot be read, or a row does not fit its header. LimitError: it
    is larger than 64 MiB.
    """
    columns: dict[str, list[Value]] = {}
    known = _Parsed()
    try:
        file = TextIOWrapper(BytesIO(_bytes(path)), encoding="utf-8-sig", newline="")
        rows = (_row(line) for line in file)
        header = [name.strip() for name in next(rows, ())]
        columns = {name: [] for name in header}
        if len(columns) < len(header):
            raise UsageError(f"{path} names a knob twice: {brief(', '.join(header))}")
        for number, row in enumerate(rows, 2):
            if row and len(row) != len(header):
                said = f"{several(len(row), 'value')} for {several(len(header), 'knob')}"
                raise UsageError(f"{path}:{number} has {said}")
            for name, cell in zip(header, row, strict=False):
                try:
                    columns[name].append(known[cell])
                except ValueError as error:
                    said = f"{path}:{number}: {name} is {brief(cell)}; it {error}"
                    raise UsageError(said) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {why}", hint=near_file(path)) from None
    if not header:
        raise UsageError(f"{path} is empty", hint="the first line names the knobs: alpha,res")
    return columns


def _row(line: str) -> list[str]:
    """Return the cells of a line; no cell goes on in the next one.

    Raises: csv.Error: it is too long.
    """
    if len(line) > MAX_LINE:
        raise csv.Error(f"a line of more than {MAX_LINE:,} characters")
    return next(csv.reader((line,)), [])


class _Parsed(dict[str, Value]):
    """The values of cells; equal texts are read once."""

    def __missing__(self, cell: str) -> Value:
        self[cell] = value = parse(cell)
        return value


def _bytes(path: Path) -> bytes:
    """Read a file or a pipe.

    Raises: LimitError: it is too large. UsageError: a pipe that nobody writes to.
    """
    piped = stat.S_ISFIFO(path.stat().st_mode)
    # To open a pipe for good waits until somebody writes to it, which may be never.
    mode = os.O_RDONLY | (os.O_NONBLOCK if piped else getattr(os, "O_BINARY", 0))
    with os.fdopen(os.open(path, mode), "rb") as file:
        start = _first(file.fileno(), path) if piped else b""
        data = start + file.read(MAX_BYTES + 1 - len(start))
    if len(data) > MAX_BYTES:
        message = f"{path} is larger than {MAX_BYTES:,} bytes"
        raise LimitError(message, hint="sweep parts of it, or a grid")
    return data


def _first(descriptor: int, path: Path) -> bytes:
    """Return what is first in a pipe, once somebody writes to it, and wait from then on."""
    until = time.monotonic() + PATIENCE
    data = b""
    while not data:
        try:
            data = os.read(descriptor, _AT_ONCE)
        except BlockingIOError:
            break
        if not data and time.monotonic() > until:
            raise UsageError(f"{path} is a pipe that nobody writes to")
        time.sleep(0 if data else PATIENCE / 50)
    os.set_blocking(descriptor, True)
    return data

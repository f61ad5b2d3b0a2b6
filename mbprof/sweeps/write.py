"""A sweep as a stream: chunk by chunk to a file or standard output, on one core or several."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mbprof.errors import UsageError, nearest
from mbprof.language import fmt
from mbprof.language.values import plain
from mbprof.network.conventions import UNITS
from mbprof.output import REPORTS, Report, render
from mbprof.output import Column as ReportColumn
from mbprof.output.files import aside
from mbprof.sweeps.axes import Column
from mbprof.sweeps.pareto import Front
from mbprof.sweeps.sweep import Sweep

Chunk = Mapping[str, Column]
MAX_SHOWN = 10_000
PATIENCE = 1.0
"""Seconds before a progress bar appears."""


class CsvSink:
    """Writes chunks as CSV with raw values."""

    def __init__(self, job: Sweep, path: Path | None) -> None:
        self.names, self.file = job.names, _text(path)
        self.file.write(",".join(self.names) + "\n")

    def write(self, chunk: Chunk) -> None:
        """Write the rows of a chunk."""
        columns = [_texts(chunk[name]) for name in self.names]
        self.file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))

    def close(self) -> None:
        """Finish."""
        _close(self.file)


class JsonSink:
    """Writes chunks as one JSON list of objects, each with the sweep's stamp."""

    def __init__(self, job: Sweep, path: Path | None) -> None:
        self.names, self.file, self.first = job.names, _text(path), True
        self.stamp = job.stamp()
        self.file.write("[")

    def write(self, chunk: Chunk) -> None:
        """Write the rows of a chunk."""
        columns = [[_plain(value) for value in chunk[name].tolist()] for name in self.names]
        for row in zip(*columns, strict=True):
            values = {**dict(zip(self.names, row, strict=True)), "stamp": self.stamp}
            self.file.write(("\n" if self.first else ",\n") + json.dumps(values))
            self.first = False

    def close(self) -> None:
        """Finish."""
        self.file.write("\n]\n")
        _close(self.file)


class ParquetSink:
    """Writes chunks as row groups of a Parquet file, with the sweep's stamp as metadata."""

    def __init__(self, job: Sweep, path: Path | None) -> None:
        if path is None:
            raise UsageError("Parquet is binary; it needs a file", hint="add -o sweep.parquet")
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UsageError(
                "Parquet needs the package pyarrow", hint="pip install mbprof[parquet]"
            ) from None
        self.arrow, self.names, self.path = pyarrow, job.names, path
        self.stamp = json.dumps(job.stamp())
        self.writer: Any = None

    def write(self, chunk: Chunk) -> None:
        """Write the rows of a chunk."""
        columns = {name: self.column(chunk[name]) for name in self.names}
        table = self.arrow.table(columns).replace_schema_metadata({"mbprof": self.stamp})
        if self.writer is None:
            self.writer = self.arrow.parquet.ParquetWriter(str(self.path), table.schema)
        self.writer.write_table(table)

    def column(self, values: Column) -> Any:
        """Return values as an Arrow array; what is neither number nor flag becomes text."""
        if values.dtype != object:
            return self.arrow.array(values)
        return self.arrow.array([plain(value) for value in values.tolist()])

    def close(self) -> None:
        """Finish; without a row there is still a file with its columns."""
        if self.writer is None:
            import numpy as np

            self.write({name: np.zeros(0, dtype=np.int64) for name in self.names})
        self.writer.close()


SINKS: dict[str, Callable[[Sweep, Path | None], Any]] = {
    "csv": CsvSink,
    "json": JsonSink,
    "parquet": ParquetSink,
}
"""The formats that are written as a stream; those of `REPORTS` are written whole."""


def _text(path: Path | None) -> IO[str]:
    return sys.stdout if path is None else path.open("w", encoding="utf-8", newline="")


def _close(file: IO[str]) -> None:
    file.flush()
    if file is not sys.stdout:
        file.close()


def _plain(value: Any) -> Any:
    """Return a value for data; what is not known is None."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _texts(values: Column) -> list[str]:
    if values.dtype == object:
        return [plain(value) for value in values]
    if values.dtype.kind == "f":
        return ["" if math.isnan(value) else repr(value) for value in values.tolist()]
    return [repr(value) for value in values.tolist()]


def write(
    job: Sweep, format: str, output: str | None, pareto: str | None, jobs: int, width: int
) -> None:
    """Run a sweep and write it in a format, to standard output or to a file.

    Raises: UsageError: no such format or column, a file that cannot be written, jobs below 1.
    MbprofError: a configuration makes no network. Nothing is left half-written.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be at least 1")
    formats = [*REPORTS, *(name for name in SINKS if name not in REPORTS)]
    if format not in formats:
        raise UsageError(f"unknown format {format!r}", hint=nearest(format, formats))
    front = Front.parse(pareto, job.names) if pareto else None
    with _progress(job.plan.count) as advance:
        chunks = _chunks(job, jobs, advance)
        if front is not None:
            for chunk in chunks:
                front.add(chunk)
            chunks = iter([front.columns])
        if output is None or output == "-":
            _into(job, format, None, chunks, width)
        else:
            with aside(output) as path:
                _into(job, format, path, chunks, width)


def _into(job: Sweep, format: str, path: Path | None, chunks: Iterator[Chunk], width: int) -> None:
    if format in SINKS:
        sink = SINKS[format](job, path)
        try:
            for chunk in chunks:
                sink.write(chunk)
        except BaseException:
            # What is written so far is thrown away; a full disk refuses the rest of it, too.
            with suppress(OSError):
                sink.close()
            raise
        sink.close()
        return
    file = _text(path)
    file.write(render(table(job, chunks), format, width))
    _close(file)


_TEXTS: dict[str, Callable[[Any], str]] = {
    "params": fmt.integer,
    **dict.fromkeys(UNITS, fmt.integer),
    "top1": "{:.1f}".format,
    "top1_estimate": "{:.1f}".format,
    "top1_error": "±{:.1f}".format,
}


def table(job: Sweep, chunks: Iterator[Chunk]) -> Report:
    """Lay out a sweep as a table.

    Raises: UsageError: it has too many rows for one.
    """
    rows: list[dict[str, Any]] = []
    for chunk in chunks:
        columns = [[_plain(value) for value in chunk[name].tolist()] for name in job.names]
        rows += [dict(zip(job.names, row, strict=True)) for row in zip(*columns, strict=True)]
        if len(rows) > MAX_SHOWN:
            raise UsageError(
                f"more than {MAX_SHOWN:,} rows are too many for a table",
                hint="choose --format csv, json or parquet, or keep fewer with --where or --pareto",
            )
    headings = {**UNITS, "top1": "top-1", "top1_estimate": "estimate", "top1_error": "error"}
    shown = tuple(
        ReportColumn(
            name,
            headings.get(name, name),
            "",
            _TEXTS.get(name, plain),
            numeric=name != "series",
        )
        for name in job.names
    )
    return Report(
        title=f"{job.spec.name}, {len(rows):,} of {job.plan.count:,} configurations",
        columns=shown,
        rows=tuple(rows),
        data=rows,
        notes=(f"Scope {job.scope}, convention {job.stamp()['convention']}.",),
    )


def _chunks(job: Sweep, jobs: int, advance: Callable[[int], None]) -> Iterator[Chunk]:
    """Yield the chunks of a sweep in their order."""
    spans = list(job.spans())
    if jobs == 1 or len(spans) == 1:
        for start, stop in spans:
            yield job.chunk(start, stop)
            advance(stop - start)
        return
    import multiprocessing

    # Formulas hold functions, which cannot be sent; a forked process has them already.
    global _job
    _job = job
    with multiprocessing.get_context("fork").Pool(min(jobs, len(spans))) as pool:
        for (start, stop), chunk in zip(spans, pool.imap(_one, spans), strict=True):
            yield chunk
            advance(stop - start)


_job: Sweep | None = None


def _one(span: tuple[int, int]) -> Chunk:
    assert _job is not None
    return _job.chunk(*span)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, if it is a terminal and the work takes a while."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    begun = time.monotonic()
    bar = Progress(console=Console(file=sys.stderr), transient=True)
    task = bar.add_task("configurations", total=total)

    def advance(done: int) -> None:
        bar.advance(task, done)
        if not bar.live.is_started and time.monotonic() - begun > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()

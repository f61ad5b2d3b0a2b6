"""A sweep as a stream: chunk by chunk to a file or standard output, on one core or several."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from mbprof.errors import UsageError, nearest
from mbprof.language.values import plain
from mbprof.network.conventions import UNITS
from mbprof.network.table import COLUMNS as COUNTED
from mbprof.output import REPORTS, Report, arranged, render
from mbprof.output import Column as ReportColumn
from mbprof.output.arrange import column_of
from mbprof.output.files import aside
from mbprof.sweeps.axes import Column
from mbprof.sweeps.filters import Front, reduced
from mbprof.sweeps.several import SPEC, Several
from mbprof.sweeps.sweep import Sweep

Chunk = Mapping[str, Column]
Job: TypeAlias = Sweep | Several
MAX_SHOWN = 10_000
PATIENCE = 1.0
"""Seconds before a progress bar appears."""


class CsvSink:
    """Writes chunks as CSV with raw values."""

    def __init__(self, job: Job, path: Path | None, names: Sequence[str]) -> None:
        self.names, self.file = names, _text(path)
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

    def __init__(self, job: Job, path: Path | None, names: Sequence[str]) -> None:
        self.job, self.names, self.file, self.first = job, names, _text(path), True
        self.file.write("[")

    def write(self, chunk: Chunk) -> None:
        """Write the rows of a chunk."""
        columns = [[_plain(value) for value in chunk[name].tolist()] for name in self.names]
        for row, stamp in zip(zip(*columns, strict=True), self.job.stamps(chunk), strict=True):
            values = {**dict(zip(self.names, row, strict=True)), "stamp": stamp}
            self.file.write(("\n" if self.first else ",\n") + json.dumps(values))
            self.first = False

    def close(self) -> None:
        """Finish."""
        self.file.write("\n]\n")
        _close(self.file)


class ParquetSink:
    """Writes chunks as row groups of a Parquet file, with the sweep's stamp as metadata."""

    def __init__(self, job: Job, path: Path | None, names: Sequence[str]) -> None:
        if path is None:
            raise UsageError("Parquet is binary; it needs a file", hint="add -o sweep.parquet")
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UsageError(
                "Parquet needs the package pyarrow", hint="pip install mbprof[parquet]"
            ) from None
        self.arrow, self.names, self.path = pyarrow, names, path
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


SINKS: dict[str, Callable[[Job, Path | None, Sequence[str]], Any]] = {
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a sweep: a front, the first rows by a column, some of the columns."""

    pareto: str | None = None
    sort: str | None = None
    top: int | None = None
    columns: Sequence[str] | None = None


def write(job: Job, format: str, output: str | None, kept: Kept, jobs: int, width: int) -> None:
    """Run a sweep and write it in a format, to standard output or to a file.

    Raises: UsageError: no such format or column, a file that cannot be written, jobs below 1.
    MbprofError: a configuration makes no network. Nothing is left half-written.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be at least 1")
    formats = [*REPORTS, *(name for name in SINKS if name not in REPORTS)]
    if format not in formats:
        raise UsageError(f"unknown format {format!r}", hint=nearest(format, formats))
    whole = columns_of(job)
    shown = arranged(whole, top=kept.top, columns=kept.columns).columns
    by = column_of(whole, kept.sort) if kept.sort is not None else None
    front = Front.parse(kept.pareto, job.names) if kept.pareto else None
    with _progress(job.count) as advance:
        chunks = reduced(_chunks(job, jobs, advance), front, by, kept.top)
        if output is None or output == "-":
            _into(job, format, None, chunks, shown, width)
        else:
            with aside(output) as path:
                _into(job, format, path, chunks, shown, width)


def _into(
    job: Job,
    format: str,
    path: Path | None,
    chunks: Iterator[Chunk],
    shown: Sequence[ReportColumn],
    width: int,
) -> None:
    if format in SINKS:
        sink = SINKS[format](job, path, [column.name for column in shown])
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
    file.write(render(table(job, chunks, shown), format, width))
    _close(file)


def _area(side: Any) -> int:
    """Return what a resolution is sorted by."""
    return math.prod(side) if isinstance(side, tuple) else int(side) ** 2


_KNOWN = {
    column.name: column
    for column in (
        ReportColumn(SPEC, "spec", "the network"),
        *(COUNTED[name] for name in ("params", *UNITS)),
        ReportColumn("top1", "top-1", "published accuracy in percent", "{:.1f}".format, True),
        ReportColumn(
            "top1_estimate", "estimate", "between what is published", "{:.1f}".format, True
        ),
        ReportColumn("top1_error", "error", "its mean, on held-out cells", "±{:.1f}".format, True),
        ReportColumn("series", "series", "where the accuracies are from"),
    )
}
"""The columns that are no knobs."""


def columns_of(job: Job) -> Report:
    """Return a report without rows that has every column of a sweep."""
    knobs = {
        axis.knob.name: ReportColumn(
            axis.knob.name, axis.knob.name, axis.knob.doc or "a knob", plain, True,
            rank=_area if axis.knob.kind == "size" else None,
        )
        for axis in job.axes
    }  # fmt: skip
    columns = tuple(knobs.get(name) or _KNOWN[name] for name in job.names)
    return Report(job.title, columns, (), [])


def table(job: Job, chunks: Iterator[Chunk], shown: Sequence[ReportColumn]) -> Report:
    """Lay out a sweep as a table.

    Raises: UsageError: it has too many rows for one.
    """
    rows: list[dict[str, Any]] = []
    names = [column.name for column in shown]
    for chunk in chunks:
        columns = [[_plain(value) for value in chunk[name].tolist()] for name in names]
        rows += [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if len(rows) > MAX_SHOWN:
            raise UsageError(
                f"more than {MAX_SHOWN:,} rows are too many for a table",
                hint="choose --format csv, json or parquet, or keep fewer with --where or --pareto",
            )
    stamp = job.stamp()
    return Report(
        title=f"{job.title}, {len(rows):,} of {job.count:,} configurations",
        columns=tuple(shown),
        rows=tuple(rows),
        data=rows,
        notes=(f"Scope {stamp['scope']}, convention {stamp['convention']}.",),
    )


def _chunks(job: Job, jobs: int, advance: Callable[[int], None]) -> Iterator[Chunk]:
    """Yield the chunks of a sweep in their order."""
    spans = list(job.spans())
    if jobs == 1 or len(spans) == 1:
        for span in spans:
            yield job.chunk(*span)
            advance(span[-1] - span[-2])
        return
    import multiprocessing

    # Formulas hold functions, which cannot be sent; a forked process has them already.
    global _job
    _job = job
    with multiprocessing.get_context("fork").Pool(min(jobs, len(spans))) as pool:
        for span, chunk in zip(spans, pool.imap(_one, spans), strict=True):
            yield chunk
            advance(span[-1] - span[-2])


_job: Job | None = None


def _one(span: tuple[Any, ...]) -> Chunk:
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

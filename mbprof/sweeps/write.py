"""A sweep as a stream: chunk by chunk to a file or standard output."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, TypeAlias

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.values import plain
from mbprof.network.conventions import UNITS
from mbprof.output import REPORTS, Format, Formats, Report, Screen
from mbprof.output import Column as ReportColumn
from mbprof.output.files import bytes_to, emit, text_to
from mbprof.output.plain import rows_of, to_json
from mbprof.output.writers import Writer
from mbprof.sweeps.axes import Column
from mbprof.sweeps.pareto import Front
from mbprof.sweeps.sweep import Sweep
from mbprof.sweeps.workers import Chunk, chunks

Stream: TypeAlias = Callable[[Sweep, Iterator[Chunk], str | None, Screen], None]
"""Writes the chunks of a sweep to an output."""
MAX_SHOWN = 10_000
SCREEN = Screen()
PATIENCE = 1.0
"""Seconds before a progress bar appears."""


def _whole(write: Writer) -> Stream:
    """Return how a format of reports, which needs all rows at once, writes a sweep."""

    def stream(job: Sweep, chunks: Iterator[Chunk], output: str | None, screen: Screen) -> None:
        emit(write(table(job, chunks), screen), output)

    return stream


SWEEPS: Formats[Stream] = Formats(
    {
        known.name: Format(known.name, _whole(known.write), known.endings, known.layout)
        for known in REPORTS.values()
    }
)
"""The formats of a sweep: those of reports, but data is written as a stream."""


@SWEEPS.add("csv", ".csv")
def comma_separated(
    job: Sweep, chunks: Iterator[Chunk], output: str | None, screen: Screen
) -> None:
    """Write CSV with raw values; there is no stamp, which would be a row that is none."""
    with text_to(output) as file:
        rows = rows_of(file)
        rows.writerow(job.names)
        for chunk in chunks:
            rows.writerows(zip(*(_cells(chunk[name]) for name in job.names), strict=True))


@SWEEPS.add("json", ".json")
def plain_data(job: Sweep, chunks: Iterator[Chunk], output: str | None, screen: Screen) -> None:
    """Write one JSON list of objects, each with the sweep's stamp."""
    stamp = to_json(job.stamp(), None)
    with text_to(output) as file:
        before = "["
        for chunk in chunks:
            for row in _rows(job, chunk):
                file.write(f'{before}\n{to_json(row, None)[:-1]}, "stamp": {stamp}}}')
                before = ","
        file.write("\n]\n" if before == "," else "[\n]\n")


@SWEEPS.add("parquet", ".parquet")
def parquet(job: Sweep, chunks: Iterator[Chunk], output: str | None, screen: Screen) -> None:
    """Write row groups of a Parquet file, with the sweep's stamp as metadata.

    Raises: UsageError: there is no file, or the package pyarrow is missing.
    """
    if output is None or output == "-":
        raise UsageError("Parquet is binary; it needs a file", hint="add -o sweep.parquet")
    try:
        import pyarrow
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise UsageError(
            "Parquet needs the package pyarrow", hint="pip install mbprof[parquet]"
        ) from None
    stamp = {"mbprof": to_json(job.stamp(), None)}

    def table(chunk: Chunk) -> Any:
        # What is neither number nor flag becomes text.
        columns = (chunk[name] for name in job.names)
        values = [c if c.dtype != object else [plain(value) for value in c] for c in columns]
        named = dict(zip(job.names, map(pyarrow.array, values), strict=True))
        return pyarrow.table(named).replace_schema_metadata(stamp)

    with bytes_to(output) as file:
        first = table(next(chunks))
        writer = ParquetWriter(file, first.schema)
        try:
            for part in chain([first], map(table, chunks)):
                writer.write_table(part)
        except BaseException:
            # What is written so far is thrown away; a full disk refuses the rest of it, too.
            with suppress(OSError):
                writer.close()
            raise
        writer.close()


def _cells(values: Column) -> list[Any]:
    """Return a column as cells of CSV, empty where a value is not known."""
    if values.dtype == object:
        return [plain(value) for value in values]
    return (
        [_known(value, "") for value in values.tolist()]
        if values.dtype.kind == "f"
        else (values.tolist())
    )


def _known(value: Any, other: Any = None) -> Any:
    """Return a value, or another one for what is not a number."""
    return value if value == value else other


def _rows(job: Sweep, chunk: Chunk) -> Iterator[dict[str, Any]]:
    columns = [[_known(value) for value in chunk[name].tolist()] for name in job.names]
    return (dict(zip(job.names, row, strict=True)) for row in zip(*columns, strict=True))


def write(
    job: Sweep,
    format: Format[Stream],
    output: str | None = None,
    pareto: str | None = None,
    jobs: int = 1,
    screen: Screen = SCREEN,
) -> None:
    """Run a sweep and write it in a format, to standard output or to a file.

    Raises: UsageError: no such column, a file that cannot be written, jobs below 1. MbprofError:
    a configuration makes no network. Nothing is left half-written.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be at least 1")
    front = Front.parse(pareto, job.names) if pareto else None
    with _progress(job.plan.count) as advance:
        costed = chunks(job, jobs, advance)
        kept = costed if front is None else front.over(costed)
        format.write(job, kept, output, screen)


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
        rows += _rows(job, chunk)
        if len(rows) > MAX_SHOWN:
            streamed = fmt.either(
                name for name, written in SWEEPS.items() if written.layout == "data"
            )
            raise UsageError(
                f"more than {MAX_SHOWN:,} rows are too many for a table",
                hint=f"choose --format {streamed}, or keep fewer with --where or --pareto",
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

"""A sweep as a stream: chunk by chunk to a file or standard output."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

from mbprof.device.lanes import COLUMNS as NEEDED
from mbprof.errors import MbprofError, UsageError
from mbprof.language import fmt
from mbprof.language.fmt import plain
from mbprof.language.record import record
from mbprof.network.columns import COLUMNS as COUNTED
from mbprof.network.conventions import UNITS
from mbprof.network.profile import incomplete, lacking
from mbprof.output import REPORTS, Format, Formats, Report, Screen, arranged
from mbprof.output import Column as ReportColumn
from mbprof.output.files import bytes_to, emit, text_to
from mbprof.output.formats import cell, rows_of, to_json
from mbprof.output.model import column_of
from mbprof.output.writers import Writer
from mbprof.sweeps.axes import Column
from mbprof.sweeps.chunks import chunks
from mbprof.sweeps.filters import Front, area, reduced, reducers
from mbprof.sweeps.pool import unwinding
from mbprof.sweeps.sweep import PROBLEM, SPEC, Chunk, Job

Shown: TypeAlias = Sequence[ReportColumn]
Stream: TypeAlias = Callable[[Job, Iterator[Chunk], Shown, str | None, Screen], None]
"""Writes some columns of the chunks of a sweep to an output."""
MAX_SHOWN = 10_000
SCREEN = Screen()
PATIENCE = 1.0
"""Seconds before a progress bar appears."""
PAUSE = 10.0
"""Seconds between two lines that say how far the work is."""


def _whole(
    write: Writer,
    job: Job,
    chunks: Iterator[Chunk],
    shown: Shown,
    output: str | None,
    screen: Screen,
) -> None:
    """Write a sweep in a format of reports, which needs all rows at once."""
    emit(write(table(job, chunks, shown), screen), output)


SWEEPS: Formats[Stream] = Formats(
    {
        name: Format(name, partial(_whole, known.write), known.endings, known.layout)
        for name, known in REPORTS.items()
    }
)
"""The formats of a sweep: those of reports, but data is written as a stream."""


@SWEEPS.add("csv", ".csv")
def comma_separated(
    job: Job, chunks: Iterator[Chunk], shown: Shown, output: str | None, screen: Screen
) -> None:
    """Write CSV with raw values; there is no stamp, which would be a row that is none."""
    with text_to(output) as file:
        rows = rows_of(file)
        rows.writerow(column.name for column in shown)
        for chunk in chunks:
            rows.writerows(zip(*(_cells(chunk[column.name]) for column in shown), strict=True))


@SWEEPS.add("json", ".json")
def plain_data(
    job: Job, chunks: Iterator[Chunk], shown: Shown, output: str | None, screen: Screen
) -> None:
    """Write one JSON list of objects, each with the sweep's stamp."""
    with text_to(output) as file:
        before = "["
        for chunk in chunks:
            for row, stamp in zip(_rows(shown, chunk), job.stamps(chunk), strict=False):
                file.write(f"{before}\n{to_json({**row, 'stamp': stamp}, None)}")
                before = ","
        file.write("\n]\n" if before == "," else "[\n]\n")


@SWEEPS.add("parquet", ".parquet")
def parquet(
    job: Job, chunks: Iterator[Chunk], shown: Shown, output: str | None, screen: Screen
) -> None:
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
        columns = {column.name: chunk[column.name] for column in shown}
        values = {name: _stored(column) for name, column in columns.items()}
        kinds = {PROBLEM: pyarrow.string()}
        named = {n: pyarrow.array(v, kinds.get(n)) for n, v in values.items()}
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
    if values.dtype != object:
        return _known(values, "")
    return [cell(plain(v)) if v == v else "" for v in values]


def _stored(values: Column) -> Any:
    """Return a column for a file: what is neither number nor flag becomes text."""
    if values.dtype != object:
        return values
    known = _known(values)
    if all(value is None or (type(value) is int and abs(value) < 2**63) for value in known):
        return known
    return [None if value != value else _encodable(value) for value in values]


def _encodable(value: Any) -> str:
    return plain(value).encode(errors="backslashreplace").decode()


def _known(values: Column, other: Any = None) -> list[Any]:
    """Return a column as a list, with another value for what is not a number."""
    listed: list[Any] = values.tolist()
    exact = values.dtype.kind in "iub"
    return listed if exact else [value if value == value else other for value in listed]


def _rows(shown: Shown, chunk: Chunk) -> Iterator[dict[str, Any]]:
    names = [column.name for column in shown]
    columns = (_known(chunk[name]) for name in names)
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


@record
class Kept:
    """What is kept of a sweep: a front, the first rows by a column, some of the columns."""

    pareto: str | None = None
    sort: str | None = None
    top: int | None = None
    columns: Sequence[str] | None = None


ALL = Kept()


def write(
    job: Job,
    format: Format[Stream],
    output: str | None = None,
    kept: Kept = ALL,
    jobs: int | None = None,
    screen: Screen = SCREEN,
    scheduler: str | None = None,
) -> None:
    """Run a sweep and write it in a format, to standard output or to a file.

    Raises: UsageError: no such column, a file that cannot be written; see `chunks`. MbprofError:
    a configuration makes no network. Nothing is left half-written.
    """
    whole = columns_of(job)
    shown = arranged(whole, top=kept.top, columns=kept.columns).columns
    by = column_of(whole, kept.sort) if kept.sort is not None else None
    front = Front.parse(kept.pareto, job.names) if kept.pareto else None
    rules = [rule for rule in reducers(front, by, kept.top) if rule is front or kept.top]
    rule = rules[0] if rules else None
    with unwinding() as heed, _progress(job.count, scheduler is not None) as advance:
        costed = _heeding(heed, chunks(job, jobs, rule, scheduler, advance))
        format.write(job, reduced(costed, front, by, kept.top), shown, output, screen)


def _heeding(heed: Callable[[], None], chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        heed()
        yield chunk


_KNOWN = {
    column.name: column
    for column in (
        ReportColumn(SPEC, "spec", "the network"),
        ReportColumn(PROBLEM, "problem", "why the size makes no network", wraps=True),
        *(COUNTED[name] for name in ("params", *UNITS)),
        *NEEDED.values(),
        ReportColumn("top1", "top-1", "published accuracy in percent", "{:.1f}".format, True),
        ReportColumn(
            "top1_estimate", "estimate", "between what is published", "{:.1f}".format, True
        ),
        ReportColumn("top1_error", "error", "its mean, on held-out cells", "±{:.1f}".format, True),
        ReportColumn("top1_worst", "worst", "its worst there", "±{:.1f}".format, True),
        ReportColumn("series", "series", "where the accuracies are from"),
    )
}
"""The columns that are no knobs."""


def columns_of(job: Job) -> Report:
    """Return a report without rows that has every column of a sweep."""
    knobs = {
        axis.knob.name: ReportColumn(
            axis.knob.name, axis.knob.name, axis.knob.doc or "a knob", plain, True,
            rank=area if axis.knob.kind == "size" else None,
        )
        for axis in job.first.plan.axes
    }  # fmt: skip
    columns = tuple(knobs.get(name) or _KNOWN[name] for name in job.names)
    return Report(", ".join(job.jobs), columns, (), [])


def table(job: Job, chunks: Iterator[Chunk], shown: Shown) -> Report:
    """Lay out a sweep as a table.

    Raises: UsageError: it has too many rows for one.
    """
    rows: list[dict[str, Any]] = []
    for chunk in chunks:
        rows += _rows(shown, chunk)
        if len(rows) > MAX_SHOWN:
            streamed = fmt.either(
                name for name, written in SWEEPS.items() if written.layout == "data"
            )
            raise UsageError(
                f"more than {MAX_SHOWN:,} rows are too many for a table",
                hint=f"choose --format {streamed}, or keep fewer with --where or --pareto",
            )
    stamp = job.stamp()
    return Report(
        title=f"{', '.join(job.jobs)}, {len(rows):,} of {fmt.several(job.count, 'configuration')}",
        columns=tuple(shown),
        rows=tuple(rows),
        data=rows,
        notes=(
            *(f"{name} changes nothing that is counted here." for name in _idle(job, rows)),
            *(f"Some sizes make no network: {asked}." for asked in _refusing(job)),
            f"Scope {stamp['scope']}, convention {stamp['convention']}.",
            *([job.first.needs.said] if job.first.needs else ()),
            *_lacks(job, rows),
        ),
    )


def _lacks(job: Job, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what the totals of each spec lack, as its first configuration that is shown does."""
    for name, sweep in job.jobs.items():
        row = next((row for row in rows if row.get(SPEC, name) == name), {})
        knobs = [axis.knob.name for axis in sweep.plan.axes]
        if set(knobs) <= row.keys():
            with suppress(MbprofError):
                graph = sweep.spec.build(**{knob: row[knob] for knob in knobs}).compiled
                yield from incomplete(lacking(graph, sweep.scope), name)


def _refusing(job: Job) -> Iterator[str]:
    """Yield what says which sizes make a network, where some of them make none."""
    if job.first.refuses:
        yield f"mbprof sizes {next(iter(job.jobs))} says which do"


def _idle(job: Job, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the axes of which all values give the same counts beside the same other values."""
    axes = [axis.knob.name for axis in job.first.plan.axes]
    for name in (name for name in axes if rows and {"params", *axes} <= rows[0].keys()):
        counts: dict[Any, dict[Any, Any]] = {}
        for row in rows:
            others = tuple(row[axis] for axis in ("spec", *axes) if axis != name and axis in row)
            costs = (*UNITS, *NEEDED)
            found = (row["params"], *(row[cost] for cost in costs if cost in row))
            counts.setdefault(others, {})[row[name]] = found
        beside = [list(found.values()) for found in counts.values()]
        if max(map(len, beside)) > 1 and all(len(set(found)) == 1 for found in beside):
            yield name


@contextmanager
def _progress(total: int, logged: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, if it is a terminal and the work takes a while.

    Elsewhere a line now and then is ``logged`` if that is asked for.
    """
    if not sys.stderr.isatty():
        yield _lines(total) if logged else lambda done: None
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


def _lines(total: int) -> Callable[[int], None]:
    """Say on standard error how far the work is: at first, every ten seconds, and at the end."""
    count, said = 0, -math.inf

    def advance(done: int) -> None:
        nonlocal count, said
        count += done
        if count == total or time.monotonic() - said >= PAUSE:
            print(f"{count:,} of {total:,} configurations", file=sys.stderr, flush=True)
            said = time.monotonic()

    return advance

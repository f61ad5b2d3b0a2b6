"""Tables of counts that ``make index`` generates: a network a row, and nothing built to read it.

A file bears the digest of the specs and conventions that it was made from. Where those are others
now, it is as if there were none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from mbprof.language.fmt import Value, plain
from mbprof.network import conventions
from mbprof.spec import folders, index


def setting(knobs: Mapping[str, Value]) -> str:
    """Return knobs as a cell.

    >>> setting({"alpha": 0.5, "res": (96, 96)})
    'alpha=0.5 res=96'
    """
    return " ".join(f"{knob}={plain(value)}" for knob, value in knobs.items())


def written(head: Sequence[str], rows: Iterable[tuple[Sequence[str], Sequence[int]]]) -> str:
    """Return the text of a file: of each row what it is of, and its counts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([*of, *_shortened(values)] for of, values in rows)
    return f"# {_digest(folders.folder())}\n{text.getvalue()}"


def _shortened(values: Sequence[int]) -> Iterator[str]:
    """Yield values; one that stands in the row already is the number of its column, with a #."""
    first: dict[int, int] = {}
    for column, value in enumerate(values):
        known = first.setdefault(value, column)
        yield str(value) if known == column else f"#{known}"


def full(cells: Sequence[str]) -> tuple[int, ...]:
    """Return the counts of a row, see `written`."""
    values: list[int] = []
    for cell in cells:
        values.append(values[int(cell[1:])] if cell[:1] == "#" else int(cell))
    return tuple(values)


@lru_cache(maxsize=4)
def read(folder: Path, file: str) -> dict[str, list[list[str]]] | None:
    """Return a file's rows by their first cell, without a flavour; None where it is out of date."""
    try:
        first, _, table = (folder / file).read_text(encoding="utf-8").partition("\n")
    except OSError:
        return None
    if first != f"# {_digest(folder)}":
        return None
    found: dict[str, list[list[str]]] = {}
    for row in list(csv.reader(io.StringIO(table)))[1:]:
        found.setdefault(row[0].partition("@")[0], []).append(row)
    return found


@lru_cache(maxsize=2)
def _digest(folder: Path) -> str:
    """Return a digest of the specs and of the conventions."""
    files = Path(conventions.__file__).with_suffix("")
    text = "".join(
        (files / f"{name}.yaml").read_text(encoding="utf-8") for name in conventions.names()
    )
    return f"{index.digest(folder)}-{crc32(text.encode()):08x}"

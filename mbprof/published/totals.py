"""What every network of the zoo costs as it is, counted by all: nothing is built to look it up.

``specs/totals.csv`` is generated (``make index``) and bears the digest of the specs and conventions
that it was made from. Where those are others now, networks are built instead.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from mbprof.errors import MbprofError
from mbprof.language.fmt import Value, parse, plain
from mbprof.network import conventions
from mbprof.network.conventions import Count
from mbprof.network.load import load
from mbprof.published.counted import PLAIN, Counted, counts, kinds
from mbprof.spec import folders, index, names, zoo

_FILE = "totals.csv"
_KEYS = ("name", "knobs", "res")


class Total(NamedTuple):
    """All counts of a network at its defaults, or at what a library sets, as `ways` lists them."""

    name: str
    knobs: Mapping[str, Value]
    res: Value
    values: tuple[int, ...]


@lru_cache(maxsize=1)
def ways() -> tuple[Counted, ...]:
    """Return what is counted: by every convention, of the whole network as it is."""
    return tuple(k for k in kinds() if k.scope == "all" and k.view == PLAIN)


def totals(wanted: Iterable[str] | None = None) -> list[Total]:
    """Return the counts of some names of the zoo in all their flavours, or of all.

    >>> [total.values[0] for total in totals(["mobilenet_v1_cifar"])]
    [3195328]
    """
    known = _read(folders.folder())
    every = zoo.names() if wanted is None else list(wanted)
    if known is None:
        return [total for name in every if name for total in _made(name)]
    return [_total(*row) for name in every for row in known.get(name, ())]


def listed(name: str, turned: Mapping[str, Value], convention: str) -> Count | None:
    """Return what a convention counts of a network of the zoo, None where the file has none.

    ``turned`` are the knobs that are at other values than their defaults.

    >>> listed("mobilenet_v1", {}, "trainable")
    Count(params=4231976, costs=(568740352,))
    """
    rows = _read(folders.folder()) or {}
    columns = [at for at, way in enumerate(ways()) if way.convention == convention]
    for row in rows.get(name.partition("@")[0], ()) if columns else ():
        if row[0] == name and len(row[1].split()) == len(turned):
            total = _total(*row)
            if total.knobs == turned:
                params, *costs = (total.values[at] for at in columns)
                return Count(params, tuple(costs))
    return None


def _total(name: str, at: str, res: str, *cells: str) -> Total:
    """Return a row of the file as it was counted."""
    knobs, side = dict(setting.split("=") for setting in at.split()), parse(res)
    size = (side, side) if isinstance(side, int) else side
    return Total(name, {n: parse(v) for n, v in knobs.items()}, size, _full(cells))


def written() -> str:
    """Return the text of the file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_KEYS, *(f"{w.convention} {w.unit}" for w in ways())])
    for name in zoo.names():
        for total in _made(name):
            at = " ".join(f"{knob}={plain(value)}" for knob, value in total.knobs.items())
            writer.writerow([total.name, at, plain(total.res), *_shortened(total.values)])
    return f"# {_digest(folders.folder())}\n{text.getvalue()}"


def _shortened(values: Sequence[int]) -> Iterator[str]:
    """Yield values; one that stands in the row already is the number of its column, with a #."""
    first: dict[int, int] = {}
    for column, value in enumerate(values):
        known = first.setdefault(value, column)
        yield str(value) if known == column else f"#{known}"


def _full(cells: Sequence[str]) -> tuple[int, ...]:
    values: list[int] = []
    for cell in cells:
        values.append(values[int(cell[1:])] if cell[:1] == "#" else int(cell))
    return tuple(values)


def _digest(folder: Path) -> str:
    """Return a digest of the specs and of the conventions."""
    files = Path(conventions.__file__).with_suffix("")
    text = "".join(
        (files / f"{name}.yaml").read_text(encoding="utf-8") for name in conventions.names()
    )
    return f"{index.digest(folder)}-{crc32(text.encode()):08x}"


@lru_cache(maxsize=2)
def _read(folder: Path) -> dict[str, list[list[str]]] | None:
    """Return the file's rows by name; None where it is not of what is there."""
    try:
        first, _, table = (folder / _FILE).read_text(encoding="utf-8").partition("\n")
    except OSError:
        return None
    if first != f"# {_digest(folder)}":
        return None
    found: dict[str, list[list[str]]] = {}
    for row in list(csv.reader(io.StringIO(table)))[1:]:
        found.setdefault(row[0].partition("@")[0], []).append(row)
    return found


def _made(name: str) -> Iterator[Total]:
    """Build a name of the zoo in all flavours, and at what libraries set of it."""
    own = zoo.load(name)
    others = [flavour for flavour in own.flavours if flavour != own.flavour]
    at = [number for number, way in enumerate(kinds()) if way in set(ways())]
    for address in (name, *(f"{name}@{flavour}" for flavour in others)):
        with suppress(MbprofError):
            spec, seen = load(address), []
            for given in ({}, *_libraries(address)):
                network = spec.build_at(given)
                turned = {n: v for n, v in network.knobs.items() if v != spec.knobs[n]}
                if turned not in seen:
                    seen.append(turned)
                    values = counts(network.compiled)
                    res = network.knobs.get("res")
                    yield Total(address, turned, res, tuple(int(values[n]) for n in at))


def _libraries(address: str) -> Iterator[dict[str, Value]]:
    for library in names.libraries(folders.folder()):
        for known in names.names(folders.folder(), library).values():
            if known.spec == address:
                yield {knob: parse(value) for knob, value in known.knobs.items()}

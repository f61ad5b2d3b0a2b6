"""What every network of the zoo costs as it is, counted by all: nothing is built to look it up.

``specs/totals.csv`` is generated, see `tabled`; where it is out of date, networks are built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from mbprof.errors import MbprofError
from mbprof.language.fmt import Value, parse, plain
from mbprof.language.record import NamedTuple
from mbprof.network.load import load
from mbprof.published import tabled
from mbprof.published.counted import PLAIN, Counted, counts, kinds
from mbprof.published.tabled import setting
from mbprof.spec import folders, names, zoo

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
    known = tabled.read(folders.folder(), _FILE)
    every = zoo.names() if wanted is None else list(wanted)
    if known is None:
        return [total for name in every if name for total in _made(name)]
    return [_total(*row) for name in every for row in known.get(name, ())]


def _total(name: str, at: str, res: str, *cells: str) -> Total:
    """Return a row of the file as it was counted."""
    knobs, side = dict(setting.split("=") for setting in at.split()), parse(res)
    size = (side, side) if isinstance(side, int) else side
    return Total(name, {n: parse(v) for n, v in knobs.items()}, size, tabled.full(cells))


def written() -> str:
    """Return the text of the file."""
    totals = (total for name in zoo.names() for total in _made(name))
    rows = (((t.name, setting(t.knobs), plain(t.res)), t.values) for t in totals)
    heads = (f"{way.convention} {way.unit}" for way in ways())
    return tabled.written((*_KEYS, *heads), rows)


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

"""What the networks of published numbers cost: nothing is built to look it up.

``specs/claimed.csv`` is generated, see `tabled`; where it is out of date, networks are built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from mbprof.errors import MbprofError
from mbprof.network.conventions import Count
from mbprof.network.load import load
from mbprof.published import tabled
from mbprof.published.counted import PLAIN, Counted, counts, kinds
from mbprof.published.tabled import setting
from mbprof.spec import folders, zoo
from mbprof.spec.sections import Claim

_FILE = "claimed.csv"
_KEYS = ("name", "at", "scope")


@lru_cache(maxsize=2)
def ways(scope: str) -> tuple[Counted, ...]:
    """Return what is counted: by every convention, of the network as it is within a scope."""
    return tuple(kind for kind in kinds() if kind.scope == scope and kind.view == PLAIN)


def called(stem: str, claim: Claim) -> str:
    """Return the address of what a claim of a spec is about."""
    name = claim.preset or stem
    return f"{name}@{claim.flavour}" if claim.flavour else name


def known(asked: str, claim: Claim) -> list[tuple[Counted, int]] | None:
    """Return all counts of a network at a claim's settings; None where the file has none.

    >>> known("mobilenet_v1", zoo.load("mobilenet_v1").published[0])[0][1]
    3185088
    """
    wanted = [asked, setting(claim.at), claim.scope]
    rows = (tabled.read(folders.folder(), _FILE) or {}).get(asked.partition("@")[0], ())
    found = next((tabled.full(row[3:]) for row in rows if row[:3] == wanted), None)
    return None if found is None else list(zip(ways(claim.scope), found, strict=True))


def count(asked: str, claim: Claim) -> Count | None:
    """Return what a claim's own convention counts, see `known`."""
    values = [n for way, n in known(asked, claim) or () if way.convention == claim.convention]
    return Count(values[0], tuple(values[1:])) if values else None


def written() -> str:
    """Return the text of the file."""
    heads = (f"{way.convention} {way.unit}" for way in ways("all"))
    return tabled.written((*_KEYS, *heads), _rows())


def _rows() -> Iterator[tuple[tuple[str, str, str], tuple[int, ...]]]:
    for stem in zoo.spec_names():
        seen = set()
        for claim in zoo.load(stem).published:
            row = (called(stem, claim), setting(claim.at), claim.scope)
            if row in seen:
                continue
            seen.add(row)
            with suppress(MbprofError):  # who verifies it will say it
                values = counts(load(row[0]).build(**claim.at).compiled)
                within, pairs = set(ways(claim.scope)), zip(kinds(), values, strict=True)
                yield row, tuple(int(value) for kind, value in pairs if kind in within)

"""Conventions: what counts, and how much; one data file for each way of counting."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mbprof.errors import unknown
from mbprof.language.source import parse, read
from mbprof.network.conventions.model import UNITS, Convention, Count, Measure
from mbprof.network.conventions.reader import KEYS, convention

__all__ = ["DEFAULT", "KEYS", "UNITS", "Convention", "Count", "Measure", "load", "names"]

DEFAULT = "kernels"
_FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Return the names of the conventions, the default first, the others in alphabetical order."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: name != DEFAULT)


def load(name: str) -> Convention:
    """Return a convention by name, or from a file by its path.

    Raises: UsageError: there is none of that name. SourceError, SpecError, ExpressionError: a
    file does not hold a convention.

    >>> load("torchinfo").unit
    'MACs'
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    path = _FOLDER / f"{name}.yaml"
    if not name or not path.is_file():
        raise unknown("convention", name, names(), limit=24)
    return _read(path, 0)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Convention:
    """Read a file; one that has changed since is another file."""
    built_in = path.resolve().parent == _FOLDER
    others = () if built_in else tuple(load(name) for name in names())
    return convention(parse(read(path, "convention")), others)

"""Conventions: what counts, and how much; one data file for each way of counting."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mbprof.conventions.model import Convention, Count, Measure
from mbprof.conventions.reader import KEYS, convention
from mbprof.errors import UsageError, nearest
from mbprof.source import parse, read

__all__ = ["DEFAULT", "KEYS", "Convention", "Count", "Measure", "load", "names"]

DEFAULT = "kernels"
_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the conventions."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@lru_cache(maxsize=64)
def load(name: str) -> Convention:
    """Return a convention by name, or from a file by its path.

    Raises: UsageError: there is none of that name. SourceError, SpecError, ExpressionError: a
    file does not hold a convention.

    >>> load("torchinfo").unit
    'MACs'
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return convention(parse(read(Path(name))))
    if name not in names():
        raise UsageError(f"unknown convention {name!r}", hint=nearest(name, names(), 24))
    return convention(parse(read(_FOLDER / f"{name}.yaml")))

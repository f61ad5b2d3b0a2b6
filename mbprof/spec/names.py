"""What libraries call the networks of the zoo: ``timm:resnet50``, ``keras:MobileNetV2``.

A file of ``specs/names`` is a library. A row is a name, the spec with its flavour, and the knobs
that the library sets, its default resolution among them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mbprof.errors import UsageError, nearest
from mbprof.language.record import NamedTuple


class Known(NamedTuple):
    """A library's name for a network: the spec that it is, and the knobs that the library sets."""

    name: str
    spec: str
    knobs: dict[str, str]


def libraries(folder: Path) -> list[str]:
    """Return the libraries whose names are known, in alphabetical order."""
    return sorted(path.stem for path in (folder / "names").glob("*.csv"))


@lru_cache(maxsize=8)
def names(folder: Path, library: str) -> dict[str, Known]:
    """Return what a library calls the networks of the zoo, in the order of the names."""
    lines = (folder / "names" / f"{library}.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split(",") for line in lines)
    return {
        name: Known(name, spec, dict(setting.split("=") for setting in knobs.split()))
        for name, spec, knobs in rows
    }


def named(folder: Path, text: str) -> Known | None:
    """Return the network that a text such as ``timm:resnet50`` names; None if it names none.

    What stands behind a point, as in timm's ``resnet50.a1_in1k``, says which weights.
    """
    library, name = _parted(folder, text)
    return names(folder, library).get(name) if library else None


def missing(folder: Path, text: str) -> UsageError | None:
    """Return what to say of a library's name that the zoo does not know; None if it is none."""
    library, name = _parted(folder, text)
    if not library:
        return None
    hint = f"{nearest(name, names(folder, library))}; mbprof list --names {library} lists them"
    return UsageError(f"the zoo has no network that {library} calls {name!r}", hint=hint)


def _parted(folder: Path, text: str) -> tuple[str, str]:
    library, colon, rest = text.partition(":")
    name = rest.partition(".")[0]
    known = colon and name.isidentifier() and library in libraries(folder)
    return (library, name) if known else ("", "")

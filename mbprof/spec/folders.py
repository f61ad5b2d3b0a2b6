"""The folders of the zoo: where its specs and the blocks of its library lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mbprof.language.source import is_file

_PACKAGE = Path(__file__).parent.parent
SPECS = ("", "spaces")
"""The folders of specs; a name stands in one of them."""
BLOCKS = ("blocks",)


def folder() -> Path:
    """Return the folder of the zoo: in the wheel inside the package, in a checkout beside it."""
    packed = _PACKAGE / "specs"
    return packed if packed.is_dir() else _PACKAGE.parent / "specs"


def listed(root: Path, folders: Sequence[str]) -> list[Path]:
    """Return the files of some folders below ``root``, those of each in alphabetical order."""
    return [path for name in folders for path in sorted((root / name).glob("*.yaml"))]


def found(root: Path, folders: Sequence[str], name: str) -> Path | None:
    """Return the file of a spec or block in one of the folders below ``root``, None if none."""
    if not name.isidentifier():
        return None
    paths = (root / inside / f"{name}.yaml" for inside in folders)
    return next((path for path in paths if is_file(path)), None)

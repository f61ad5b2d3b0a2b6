"""The index of the zoo: what its names are and cost, so that a list of them builds no network.

``specs/index.csv`` is generated (``make index``) and bears the digest of the files that it was made
from. Where those files are others now, there is no index, and everything is found by reading them.
"""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from pathlib import Path
from zlib import adler32, crc32

from mbprof.spec.folders import BLOCKS, SPECS, listed

COLUMNS = ("name", "family", "flavours", "knobs", "scope", "params", "macs", "source", "doc")


def digest(folder: Path) -> str:
    """Return a digest of the zoo's specs and blocks, the same for either end of a line.

    It tells a change from none, and keeps nobody from making one.
    """
    text = b""
    for path in listed(folder, (*SPECS, *BLOCKS)):
        own = path.read_bytes().replace(b"\r\n", b"\n")
        text += f"{path.name} {len(own)}\n".encode() + own
    return f"{len(text)}-{crc32(text):08x}{adler32(text):08x}"


@lru_cache(maxsize=2)
def rows(folder: Path) -> dict[str, dict[str, str]] | None:
    """Return the index, a row for each name; None where it is not of the files that are there."""
    try:
        first, _, table = (folder / "index.csv").read_text(encoding="utf-8").partition("\n")
    except OSError:
        return None
    if first != f"# {digest(folder)}":
        return None
    return {row["name"]: row for row in csv.DictReader(io.StringIO(table))}


def written(folder: Path, table: list[dict[str, str]]) -> str:
    """Return the text of an index."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return f"# {digest(folder)}\n{text.getvalue()}"

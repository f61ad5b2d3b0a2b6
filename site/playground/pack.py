"""Pack mbprof, as its wheel has it, and the pure part of the YAML reader for the playground.

Usage: pack.py WHEEL OUT.zip
"""

import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import yaml

EPOCH = (1980, 1, 1, 0, 0, 0)
UNUSED = ("mbprof/cli/", "mbprof/exchange/", "mbprof/pages/charts/", "mbprof/pages/graph/")
"""What only commands need: the page has no files and no libraries to read other formats with."""
MANUAL = ("mbprof/pages/docs/", "mbprof/pages/cases/", "mbprof/specs/spec.schema.json")


def main(wheel: str, out: str) -> None:
    """Write one archive; the same input gives the same bytes."""
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if not name.endswith("/")]
        files = {n: packed.read(n) for n in names if not n.startswith((*UNUSED, *MANUAL))}
    for path in Path(yaml.__file__).parent.glob("*.py"):
        files[f"yaml/{path.name}"] = path.read_bytes()
    for path in distribution("PyYAML").files or ():
        if path.name == "LICENSE":
            files["yaml/LICENSE"] = path.read_binary()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


main(*sys.argv[1:])

"""How long the playground takes in a headless browser, and how large it is.

``make playground`` has built it. Figures are those of one machine: compare them within one run.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

PLAYGROUND = Path(__file__).parents[1] / "site" / "playground"
BUILT = PLAYGROUND.parent / "build" / "playground"
TIMES = 3
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def lacks() -> str:
    """Say what is missing, nothing if the page can be measured."""
    there = {
        "a browser": os.environ.get("BROWSER_PATH") or any(map(shutil.which, BROWSERS)),
        "node": shutil.which("node"),
        "the page that make playground builds": (BUILT / "python.zip").is_file(),
    }
    return ", ".join(what for what, found in there.items() if not found)


def measured() -> list[dict[str, Any]]:
    """Open the page some times, type into it, and return what was seen."""
    browser = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)))
    command = ["node", "drive.mjs", browser, str(BUILT), *["times"] * TIMES]
    done = subprocess.run(command, cwd=PLAYGROUND, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def figures() -> list[tuple[str, float, str, float]]:
    """Return what was measured: a name, the figure, its unit, and the limit if there is one."""
    found = measured()
    first, again = (min(run[key] for run in found) for key in ("first", "again"))
    keys = [key for run in found for key in run["keys"]]
    return [
        ("page: navigation to the first table", first / 1e3, "s", 0),
        ("page: the same with files kept by the browser", again / 1e3, "s", 0),
        ("page: a key to the table of MobileNetV2", statistics.median(keys), "ms", 200),
        ("page: loaded until the first table", found[0]["bytes"] / 1e6, "MB", 0),
        ("page: the same as gzip sends it", found[0]["packed"] / 1e6, "MB", 0),
    ]


if __name__ == "__main__":
    for name, figure, unit, _ in figures():
        print(f"{name:<50} {figure:8,.1f} {unit}")

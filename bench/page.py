"""How long the playground takes in a headless browser, and how large it is.

``make playground`` has built it. Figures are those of one machine: compare them within one run.
"""

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

PLAYGROUND = Path(__file__).parents[1] / "site" / "playground"
BUILT = PLAYGROUND.parent / "build" / "playground"
TIMES = 3


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not (BUILT / "python.zip").is_file():
        sys.exit("bench/page.py needs a browser, and the page that make playground builds")
    command = ["node", "drive.mjs", browser, str(BUILT), *["times"] * TIMES]
    done = subprocess.run(command, cwd=PLAYGROUND, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    first = min(run["first"] for run in found)
    keys = [key for run in found for key in run["keys"]]
    print(f"navigation to the first table, mobilenet_v1  {first:8,.0f} ms (least of {TIMES})")
    print(f"a key to the table, mobilenet_v2             {min(keys):8,.0f} ms least")
    print(f"                                             {statistics.median(keys):8,.0f} ms median")
    print(f"bytes loaded until then, uncompressed        {found[0]['bytes']:8,}")


main()

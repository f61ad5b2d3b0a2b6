"""What `mbprof.sizes` says of every spec of the zoo, compared with building it at every size.

    python -m tests.independent.sizes_everywhere [--every STEP] [--variants] [--log FILE] [SPEC ...]

Each spec is built, without its costs, as an image of n by n for n from 1 to 400, then as every 20th
height beside the width that `sizes` names, and so with widths; the answer is that of the JSON.
``--every`` looks at every STEP-th size only, and at some usual ones; ``--variants`` at presets and
flavours rather than at the specs' own defaults. A line is a spec, the pairs of sizes, how many of
these make a network, seconds, and the sizes that differ. A spec with a line in the log is passed
over, so that a long run can be ended and taken up again.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mbprof
from mbprof.errors import MbprofError
from mbprof.network.build import build
from mbprof.network.sizes import Sizes
from mbprof.spec import zoo

TOP, APART = 400, 20
USUAL = (*range(28, 36), *range(222, 228), 256, 288, 299, 300, 320, 331, 336, 380, 384)


class Compared(NamedTuple):
    """How many sizes were compared, how many make a network, and where `sizes` says otherwise."""

    pairs: int
    built: int
    differ: tuple[str, ...]


def makes(spec: mbprof.Spec, high: int, wide: int) -> bool:
    """Build a spec at a size, and say whether that makes a network."""
    try:
        build(spec.definition, {**spec.knobs, "res": (high, wide)}, costed=False)
    except MbprofError:
        return False
    return True


def listed(parts: list[list[int]]) -> set[int]:
    """Return the sizes up to TOP of ranges with their steps, ends included."""
    ranges = (range(first, last + 1, step) for first, last, step in parts)
    return {number for part in ranges for number in part if number <= TOP}


def side(data: Mapping[str, Any], exceptions: list[int]) -> set[int]:
    """Return the sizes up to TOP that a side of the JSON stands for."""
    if "holds" in data:
        return listed(data["holds"])
    every = range(data["min"], TOP + 1)
    return {n for n in every if n % data["multiple_of"] == data["offset"]} - {*exceptions}


def square(data: Mapping[str, Any]) -> set[int]:
    """Return the sizes up to TOP of square images that the JSON says make a network."""
    if "holds" in data:
        return listed(data["holds"])
    return side(data["height"], data["exceptions"]) & side(data["width"], data["exceptions"])


def answers(found: Sizes | None, every: int) -> Iterator[tuple[int, int, bool]]:
    """Yield heights and widths, and what `sizes` says of each."""
    some = sorted({*range(1, TOP + 1, every), *(USUAL if every > 1 else ())})
    good = square(found.to_dict()) if found is not None else set()
    yield from ((n, n, n in good) for n in some)
    if found is not None:
        high, wide = found.beside
        for n in range(1, TOP + 1, APART * every):
            yield n, wide, n in found.height
            yield high, n, n in found.width


def compared(name: str, every: int = 1) -> Compared | None:
    """Compare what is said of a spec with what can be built; None if its input is no image."""
    spec = mbprof.load(name)
    if "res" not in spec.knobs:
        return None
    try:
        found = mbprof.sizes(spec)
    except MbprofError:
        found = None
    pairs, count, differ = 0, 0, []
    gc.collect()
    for high, wide, said in answers(found, every):
        made = makes(spec, high, wide)
        pairs, count = pairs + 1, count + made
        if made != said:
            differ.append(f"{high}x{wide} {'is built' if made else 'is not built'}")
    return Compared(pairs, count, tuple(differ))


def variants() -> Iterator[str]:
    """Yield the presets of the zoo, and the flavours of its specs."""
    yield from sorted({*zoo.names()} - {*zoo.spec_names()})
    for name in zoo.spec_names():
        for flavour in mbprof.load(name).definition.flavours:
            yield f"{name}@{flavour}"


def main() -> int:
    """Print a line for each spec, and the sums; return how many differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("specs", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    log = options.log.open("a+", encoding="utf-8") if options.log else None
    before = options.log.read_text(encoding="utf-8").splitlines() if options.log else []
    lines = [line for line in before if line.count("\t") == 4]
    done = {line.split("\t")[0] for line in lines}
    gc.disable()  # A graph has no circles; what an error leaves goes with the next spec.
    for name in options.specs or (variants() if options.variants else zoo.spec_names()):
        if name in done:
            continue
        begun = time.process_time()
        seen = compared(name, options.every)
        if seen is None:
            continue
        seconds = f"{time.process_time() - begun:.1f}"
        said = "; ".join(seen.differ) or "ok"
        lines.append("\t".join([name, str(seen.pairs), str(seen.built), seconds, said]))
        print(lines[-1], file=log or sys.stdout, flush=True)
    fields = [line.split("\t") for line in lines]
    wrong = [line[4] for line in fields if line[4] != "ok"]
    sizes = sum(said.count(";") + 1 for said in wrong)
    pairs = sum(int(line[1]) for line in fields)
    print(f"{sizes} of {pairs:,} sizes differ, in {len(wrong)} of {len(fields)} specs")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)

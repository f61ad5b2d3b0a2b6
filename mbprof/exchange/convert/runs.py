"""Lines of a spec that repeat the one before, as one line with ``n``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mbprof.exchange.convert.flow import Keys
from mbprof.language.record import NamedTuple
from mbprof.network.graph import Edge
from mbprof.ops import OPS

CONVS = ("conv", "dwconv")
"""Ops whose stride is 1 unless it is said, and which share their defaults."""


class Call(NamedTuple):
    """A line of the body: a row, or a piece that a block stands for."""

    taken: tuple[Edge, ...]
    made: tuple[Edge, ...]
    keys: Keys
    names: tuple[str, ...]
    scope: str
    block: bool = False


def merged(items: Sequence[Call]) -> Iterator[Call]:
    """Put lines that repeat the one before into one, with ``n``; the stride holds for the first."""
    run: list[Call] = []
    for item in items:
        if run and _repeats(run, item):
            run.append(item)
            continue
        yield from _run(run)
        run = [item]
    yield from _run(run)


def _repeats(run: Sequence[Call], item: Call) -> bool:
    first, last = run[0], run[-1]
    if (
        not item.keys.get("op")
        or "share" in item.keys
        or len(item.taken) != 1
        or item.taken != last.made
    ):
        return False
    if item.scope != first.scope or item.block != first.block:
        return False
    rest = {k: v for k, v in first.keys.items() if k != "s"}
    own = {k: v for k, v in item.keys.items() if k != "s"}
    windowed = first.block or not OPS[item.keys["op"]].windowed
    usual = item.keys.get("s", "1" if first.block or item.keys["op"] in CONVS else "")
    return rest == own and (usual == "1" or ("s" not in item.keys and not windowed))


def _run(run: Sequence[Call]) -> Iterator[Call]:
    if len(run) < 2:
        yield from run
        return
    name = _numbered([call.names[0] for call in run])
    keys = {**run[0].keys, "n": str(len(run))}
    yield run[0]._replace(made=run[-1].made, keys=keys, names=(name,))


def _numbered(names: Sequence[str]) -> str:
    """Return a name for a line that is repeated: with the number of the repeat where they count."""
    parts = [re.split(r"(\d+)", name) for name in names]
    if names[0] and len({len(part) for part in parts}) == 1:
        for place, first in enumerate(parts[0]):
            if not first.isdigit():
                continue
            start = int(first)
            counted = all(
                part == [*parts[0][:place], str(start + n), *parts[0][place + 1 :]]
                for n, part in enumerate(parts)
            )
            if counted:
                number = f"{{j + {start}}}" if start else "{j}"
                return "".join([*parts[0][:place], number, *parts[0][place + 1 :]])
    return names[0]

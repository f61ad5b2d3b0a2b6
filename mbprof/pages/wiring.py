"""The wiring of a table drawn as text: a line for each step, a lane for each tensor in sight.

●    x
├─●  conv k=1
│ ●  dwconv k=3
●─╯  add
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mbprof.spec.model import Step, Table


class Wire(NamedTuple):
    """A step that is drawn: the tensors that it takes, and those that it makes."""

    step: Step | None
    label: str
    takes: tuple[int, ...]
    makes: tuple[int, ...]


class _Wires:
    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.tensors = 0

    def add(self, step: Step | None, label: str, takes: Sequence[int], count: int = 1) -> int:
        makes = tuple(range(self.tensors, self.tensors + count))
        self.tensors += count
        self.wires.append(Wire(step, label, tuple(takes), makes))
        return makes[0]

    def table(self, table: Table, previous: int, named: dict[str, int]) -> int:
        for step in table.steps:
            wiring = step.wiring
            takes = [
                previous if scalar.text == "_" else named.get(scalar.text, previous)
                for scalar in wiring.inputs
            ] or [previous]
            made = self.step(step, takes, named)
            if step.leaves:
                continue
            previous = made
            for number, scalar in enumerate(wiring.outputs):
                named[scalar.text] = previous + number
        return previous

    def step(self, step: Step, takes: list[int], named: dict[str, int]) -> int:
        if not step.tables:
            return self.add(step, "", takes, max(1, len(step.wiring.outputs)))
        if step.drawn == "before":
            takes = [self.add(step, "", takes)]
        seen = [dict(named) if step.apart else named for _ in step.tables]
        paths = zip(step.tables, seen, strict=True)
        ends = [self.table(table, takes[0], names) for table, names in paths]
        return self.add(step, "", ends) if step.drawn == "behind" else ends[-1]


def wires(table: Table, inputs: Sequence[str]) -> list[Wire]:
    """Return the steps of a table with the tensors that they take and make."""
    found = _Wires()
    named = {name: found.add(None, name, ()) for name in inputs}
    found.table(table, named[inputs[0]], dict(named))
    return found.wires


def branches(table: Table) -> bool:
    """Whether a table is more than one step behind the other."""
    return any(
        step.apart or step.wiring.inputs or any(branches(inner) for inner in step.tables)
        for step in table.steps
    )


def draw(found: Sequence[Wire]) -> Iterator[str]:
    """Yield the lanes beside each step, all of one width."""
    last = {tensor: row for row, wire in enumerate(found) for tensor in wire.takes}
    lanes: list[int | None] = []
    lines = []
    for row, wire in enumerate(found):
        lines.append(_line(wire, row, lanes, last))
    width = max(len(line) for line in lines)
    return (line.ljust(width) for line in lines)


def _line(wire: Wire, row: int, lanes: list[int | None], last: dict[int, int]) -> str:
    while lanes and lanes[-1] is None:
        lanes.pop()
    taken = sorted({lanes.index(tensor) for tensor in wire.takes if tensor in lanes})
    ending = [at for at in taken if last[lanes[at] or 0] == row]
    before = list(lanes)
    for at in ending:
        lanes[at] = None
    at_home = ending[0] if ending else _free(lanes, len(before))
    made = [at_home]
    _put(lanes, at_home, wire.makes[0])
    for tensor in wire.makes[1:]:
        made.append(_free(lanes, made[-1] + 1))
        _put(lanes, made[-1], tensor)
    line = _row(before, lanes, taken, made)
    for tensor, at in zip(wire.makes, made, strict=True):
        if tensor not in last:
            lanes[at] = None
    return line


def _free(lanes: Sequence[int | None], least: int) -> int:
    return next(
        (at for at in range(least, len(lanes)) if lanes[at] is None), max(len(lanes), least)
    )


def _put(lanes: list[int | None], at: int, tensor: int) -> None:
    lanes.extend([None] * (at + 1 - len(lanes)))
    lanes[at] = tensor


def _row(
    before: Sequence[int | None], after: Sequence[int | None], taken: list[int], made: list[int]
) -> str:
    touched = [*taken, *made]
    first, end = min(touched), max(touched)
    home = made[0]
    cells = []
    for at in range(max(len(before), len(after))):
        was = before[at] if at < len(before) else None
        is_ = after[at] if at < len(after) else None
        inside = first <= at <= end
        if at == home:
            sign = "●"
        elif at in made:
            sign = "╮" if at == end else "┬"
        elif at in taken:
            goes_on = was is not None and was == is_
            sign = ("├" if goes_on else "╰") if at < home else ("┤" if goes_on else "╯")
            if first < at < end:
                sign = "┼" if goes_on else "┴"
        elif inside:
            sign = "┼" if was is not None else "─"
        else:
            sign = "│" if was is not None else " "
        cells.append(sign + ("─" if inside and at < end else " "))
    return "".join(cells).rstrip()

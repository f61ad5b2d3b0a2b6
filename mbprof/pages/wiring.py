"""Tables and blocks as text: a line for each step, behind a drawing with a lane for each tensor.

●    x
├─●  conv k=1
│ ●  dwconv k=3
●─╯  add
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from mbprof.language.record import NamedTuple
from mbprof.spec.model import Block, Step, Table, Wiring, written
from mbprof.spec.steps import OpStep

_WIDEST = 40


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
            alone = isinstance(step, OpStep) and step.op.inputs == (0, 0)
            inputs = [scalar.text for scalar in step.wiring.inputs] or ["_"] * (not alone)
            takes = [previous if n == "_" else named.get(n, previous) for n in inputs]
            made = self.step(step, takes, named)
            for number, scalar in enumerate(step.wiring.outputs):
                named[scalar.text] = made + number
            previous = previous if step.leaves or alone else made
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


def _branches(table: Table) -> bool:
    """Whether a table is more than one step behind the other."""
    return any(
        step.apart or step.wiring.inputs or any(_branches(inner) for inner in step.tables)
        for step in table.steps
    )


def draw(found: Sequence[Wire]) -> Iterator[str]:
    """Yield the lanes beside each step, all of one width."""
    last = {tensor: row for row, wire in enumerate(found) for tensor in wire.takes}
    lanes: list[int | None] = []
    lines = [_line(wire, row, lanes, last) for row, wire in enumerate(found)]
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
    made: list[int] = []
    for tensor in wire.makes:
        least = made[-1] + 1 if made else len(before)
        made.append(ending[0] if ending and not made else _free(lanes, least))
        lanes.extend([None] * (made[-1] + 1 - len(lanes)))
        lanes[made[-1]] = tensor
    line = _row(before, lanes, taken, made)
    for tensor, at in zip(wire.makes, made, strict=True):
        if tensor not in last:
            lanes[at] = None
    return line


def _free(lanes: Sequence[int | None], least: int) -> int:
    return next(
        (at for at in range(least, len(lanes)) if lanes[at] is None), max(len(lanes), least)
    )


def _row(
    before: Sequence[int | None], after: Sequence[int | None], taken: list[int], made: list[int]
) -> str:
    first, end = min(taken + made), max(taken + made)
    home = made[0]
    cells = []
    for at, (was, is_) in enumerate(zip_longest(before, after)):
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


def block_text(block: Block) -> str:
    """Return a block explained: arguments, meaning, and its steps with their wiring drawn."""
    return "\n".join(line.rstrip() for line in block_lines(block)) + "\n"


def block_lines(block: Block) -> list[str]:
    """Return the lines of `block_text`."""
    taken = block.takes.values()
    takes = [f"{a.name} = {written(a.default.node)}" if a.default else a.name for a in taken]
    gives = f" -> {', '.join(name.text for name in block.outputs)}" if block.outputs else ""
    meanings = [(argument.name, argument.doc) for argument in taken if argument.doc]
    return [
        f"  {block.name}({', '.join(takes)}){gives}",
        *(f"      {text}" for text in (block.doc, block.source) if text),
        *(f"    {line}" for line in columns(meanings)),
        *(f"    {line}" for line in columns(_drawn(block.body, block.inputs))),
    ]


def table_lines(table: Table) -> list[str]:
    """Return the steps of a table, not aligned."""
    return [" ".join(filter(None, cells)) for cells in table_rows(table)]


def columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Align cells of text in columns; a very wide cell moves only what follows it."""
    listed = list(rows)
    widths = [
        max((len(cell) for cell in column if len(cell) <= _WIDEST), default=0)
        for column in zip_longest(*listed, fillvalue="")
    ]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in listed
    ]


def table_rows(table: Table) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a table as cells, drawn if they are more than one behind the other."""
    if _branches(table):
        yield from _drawn(table, ("x",))
        return
    for step in table.steps:
        inner = (row for table in step.tables for row in table_rows(table))
        if not step.drawn and not _wiring(step.wiring):
            yield from inner
            continue
        yield _cells(step)
        yield from ((f"  {first}", *rest) for first, *rest in inner)


def _drawn(table: Table, inputs: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a table, each behind a drawing of where its input comes from."""
    found = wires(table, inputs)
    for lanes, wire in zip(draw(found), found, strict=True):
        yield lanes, *(_cells(wire.step) if wire.step is not None else (wire.label, "", ""))


def _cells(step: Step) -> tuple[str, str, str]:
    """Return a step as cells: the op or block, its fields, what else it says."""
    return *step.label, _wiring(step.wiring)


def _wiring(wiring: Wiring) -> str:
    inputs, outputs = (", ".join(s.text for s in side) for side in (wiring.inputs, wiring.outputs))
    width = wiring.width.items() if wiring.width is not None else ()
    rules = ", ".join(f"{key} -> {rule.scalar.text}" for key, rule in width)
    parts = (
        f"n={written(wiring.times.node)}" if wiring.times is not None else "",
        f"in {inputs}" if wiring.inputs else "",
        f"out {outputs}" if wiring.outputs else "",
        f"when {written(wiring.when.node)}" if wiring.when is not None else "",
        f"width {rules}" if wiring.width is not None else "",
        f"share {wiring.share.text}" if wiring.share is not None else "",
        f"as {wiring.name.scalar.text}" if wiring.name is not None else "",
    )
    return "; ".join(filter(None, parts))

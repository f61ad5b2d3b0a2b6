"""Where a network repeats itself: pieces with one input and one output that are built alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from mbprof.exchange.convert.rows import Form, Row
from mbprof.language.record import NamedTuple, record
from mbprof.network.graph import Edge

LONGEST = 40
"""Rows of the longest piece that is looked for."""
MAX_ROWS = 6000
_TRIED = 12
"""Kinds of pieces of which each is tried as the next block."""
_LEAST = 2
"""Lines that a block has to save."""
_PRICE = 2
"""Lines that an argument counts as."""
_CHOICES = 32
"""Ways to lay a piece over a block that are tried."""

Ref = tuple[int, int]
"""A tensor inside a piece: the row that makes it and the output, or -1 for the piece's input."""


class Shape(NamedTuple):
    """How the rows of a piece are built and wired, and which tensor it gives."""

    forms: tuple[Form, ...]
    wiring: tuple[tuple[Ref, ...], ...]
    output: Ref


class Piece(NamedTuple):
    """A piece of a network: rows from ``start`` to ``end``."""

    start: int
    end: int
    taken: Edge
    made: Edge
    shape: Shape

    @property
    def size(self) -> int:
        """How many rows it has."""
        return self.end - self.start


class Instance(NamedTuple):
    """A piece as one of a block: the number of the row for each row of the block, or None."""

    piece: Piece
    rows: tuple[int | None, ...]


@record
class Kind:
    """A kind of block: the shape of its fullest piece, and all pieces of the kind in order."""

    shape: Shape
    instances: tuple[Instance, ...]

    @property
    def masks(self) -> set[tuple[bool, ...]]:
        """Which rows are there, in each of the variants."""
        return {tuple(row is not None for row in i.rows) for i in self.instances}


def pieces(rows: Sequence[Row], ends: Sequence[Edge]) -> Iterator[Piece]:
    """Yield the pieces that nothing enters or leaves but by one tensor each."""
    made_by = {edge: number for number, row in enumerate(rows) for edge in row.outputs}
    uses: dict[Edge, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for edge in row.inputs:
            uses[edge].append(number)
    for edge in ends:
        uses[edge].append(len(rows))
    for start in range(len(rows)):
        taken: Edge | None = None
        alive: set[Edge] = set()
        wiring: list[tuple[Ref, ...]] = []
        for number in range(start, min(start + LONGEST, len(rows))):
            row = rows[number]
            outer = {edge for edge in row.inputs if made_by.get(edge, -1) < start}
            if row.shared or len(outer | ({taken} if taken else set())) > 1:
                break
            taken = taken or next(iter(outer), None)
            if taken and uses[taken][0] < start:
                break
            wiring.append(tuple(_ref(edge, made_by, rows, start) for edge in row.inputs))
            alive.update(row.outputs)
            alive = {edge for edge in alive if uses[edge] and uses[edge][-1] > number}
            if taken is None or len(alive) != 1 or uses[taken][-1] > number:
                continue
            (made,) = alive
            forms = tuple(row.form for row in rows[start : number + 1])
            shape = Shape(forms, tuple(wiring), _ref(made, made_by, rows, start))
            yield Piece(start, number + 1, taken, made, shape)


def _ref(edge: Edge, made_by: Mapping[Edge, int], rows: Sequence[Row], start: int) -> Ref:
    number = made_by.get(edge, -1)
    if number < start:
        return -1, 0
    return number - start, rows[number].outputs.index(edge)


def blocks(
    rows: Sequence[Row], ends: Sequence[Edge], barred: Collection[int] = (), widened: bool = True
) -> list[Kind]:
    """Return the blocks that save most lines, one after the other, without some rows.

    They are ``widened`` by pieces that have more rows or lack some.
    """
    if len(rows) > MAX_ROWS:
        return []
    found, chosen = list(pieces(rows, ends)), list[Kind]()
    taken = {*barred}
    while True:
        free = [p for p in found if taken.isdisjoint(range(p.start, p.end))]
        groups: dict[Shape, list[Piece]] = defaultdict(list)
        for piece in free:
            if piece.size > 1:
                groups[piece.shape].append(piece)
        kinds = [_kind(shape, group) for shape, group in groups.items() if len(group) > 1]
        kinds.sort(key=lambda kind: (-worth(kind, rows), kind.instances[0].piece.start))
        tried = kinds[:_TRIED]
        if widened:
            tried = [_widened(kind, free, groups, rows) for kind in tried]
        best = max(tried, key=lambda kind: worth(kind, rows), default=None)
        if best is None or saved(best, rows) < _LEAST:
            return chosen
        chosen.append(best)
        for instance in best.instances:
            taken.update(range(instance.piece.start, instance.piece.end))


def _kind(shape: Shape, group: Sequence[Piece]) -> Kind:
    apart, end = [], 0
    for piece in group:
        if piece.start >= end:
            apart.append(Instance(piece, tuple(range(piece.start, piece.end))))
            end = piece.end
    return Kind(shape, tuple(apart))


def saved(kind: Kind, rows: Sequence[Row]) -> int:
    """Return how many lines a block saves: its rows once, with a line for each change of values."""
    calls, before = 0, None
    for instance in kind.instances:
        own = _values(instance, rows)
        if before is None or before[0] != instance.piece.start or not _goes_on(before[1], own):
            calls += 1
        before = instance.piece.end, own
    lines = sum(_lines(instance, rows) for instance in kind.instances)
    return lines - len(kind.shape.forms) - 3 - calls


def _lines(instance: Instance, rows: Sequence[Row]) -> int:
    """Return how many lines a piece takes by itself: a row that repeats the last takes none."""
    lines, before = 0, None
    for number in range(instance.piece.start, instance.piece.end):
        row = rows[number]
        same = before is not None and before.form == row.form and row.inputs == before.outputs
        lines += not (same and before is not None and _goes_on(before.values, row.values))
        before = row
    return lines


def worth(kind: Kind, rows: Sequence[Row]) -> int:
    """Return how good a block is: the lines that it saves, fewer for each argument.

    Pieces that are modules of their own, as their names say, are worth more.
    """
    varied: set[tuple[object, ...]] = set()
    for numbers in zip(*(i.rows for i in kind.instances), strict=True):
        there = [None if n is None else rows[n] for n in numbers]
        slots = next(row for row in there if row is not None).values
        for slot in slots:
            vector = tuple(None if row is None else row.values[slot] for row in there)
            if len({*vector} - {None}) > 1:
                varied.add(vector)
    prefixes = [common([rows[n].name for n in i.rows if n is not None]) for i in kind.instances]
    apart = all(prefixes) and len({*prefixes}) == len(prefixes)
    return saved(kind, rows) - _PRICE * len(varied) + (len(prefixes) if apart else 0)


def prefix_of(instance: Instance, rows: Sequence[Row]) -> str:
    """Return what the names of a piece begin with: those of its layers, which are modules."""
    own = [rows[number] for number in instance.rows if number is not None]
    layers = [row for row in own if row.op.multiplies]
    return common([row.name for row in layers or own])


def common(names: Sequence[str]) -> str:
    """Return what names have in common, whole parts of them.

    >>> common(["layer1.0.conv1", "layer1.0.conv2"]), common(["a/b", "a/b"])
    ('layer1.0', 'a')
    """
    split = [re.findall(r"[^/.]+[/.]?", name) for name in names]
    shared = []
    for parts in zip(*(part[:-1] for part in split), strict=False):
        if len({*parts}) > 1:
            break
        shared.append(parts[0])
    return "".join(shared).rstrip("/.")


def _values(instance: Instance, rows: Sequence[Row]) -> dict[object, object]:
    return {
        (*slot, place): value
        for place, number in enumerate(instance.rows)
        if number is not None
        for slot, value in rows[number].values.items()
    }


def _goes_on(before: Mapping[Any, object], own: Mapping[Any, object]) -> bool:
    """Whether values can be those of a repeat: only a stride may be back at 1."""
    return all(
        before.get(slot, value) == value or (slot[:2] == ("s", -1) and value == 1)
        for slot, value in own.items()
    )


def _widened(
    kind: Kind,
    free: Sequence[Piece],
    groups: Mapping[Shape, list[Piece]],
    rows: Sequence[Row],
) -> Kind:
    """Return the block with its variants: pieces that have more rows, or lack some."""
    covered = {n for i in kind.instances for n in range(i.piece.start, i.piece.end)}
    size = len(kind.shape.forms)
    larger = [
        (len(group), shape)
        for shape, group in groups.items()
        if size < len(shape.forms) <= 2 * size + 1
        and len(group) > 1
        and covered.isdisjoint(range(group[0].start, group[0].end))
        and laid(shape, kind.shape) is not None
    ]
    larger += [
        (1, piece.shape)
        for piece in free
        if size < piece.size <= 2 * size + 1
        and len(groups.get(piece.shape, ())) < 2
        and covered.isdisjoint(range(piece.start, piece.end))
        and laid(piece.shape, kind.shape) is not None
    ]
    tried = [kind]
    for _, shape in sorted(larger, key=lambda pair: (-pair[0], len(pair[1].forms)))[:_TRIED]:
        whole = [p for p in groups[shape] if covered.isdisjoint(range(p.start, p.end))]
        over = laid(shape, kind.shape)
        if over is not None:
            rest = [_instance(instance.piece, over) for instance in kind.instances]
            tried.append(_sorted(shape, [*_kind(shape, whole).instances, *rest]))
    best = max(tried, key=lambda kind: worth(kind, rows))
    return _with_smaller(best, free, rows)


def _sorted(shape: Shape, instances: Sequence[Instance]) -> Kind:
    return Kind(shape, tuple(sorted(instances, key=lambda i: i.piece.start)))


def _instance(piece: Piece, over: Sequence[int | None]) -> Instance:
    return Instance(piece, tuple(None if n is None else piece.start + n for n in over))


def _with_smaller(kind: Kind, free: Sequence[Piece], rows: Sequence[Row]) -> Kind:
    """Return the block with the pieces that lack some of its rows, as far as that is worth it."""
    covered = {n for i in kind.instances for n in range(i.piece.start, i.piece.end)}
    size, value = len(kind.shape.forms), worth(kind, rows)
    fits: dict[Shape, tuple[int | None, ...] | None] = {}
    for piece in sorted(free, key=lambda piece: (-piece.size, piece.start)):
        if not (size > piece.size >= 2 and 4 * piece.size > size):
            continue
        if not covered.isdisjoint(range(piece.start, piece.end)):
            continue
        if piece.shape not in fits:
            fits[piece.shape] = laid(kind.shape, piece.shape)
        over = fits[piece.shape]
        if over is None:
            continue
        trial = _sorted(kind.shape, [*kind.instances, _instance(piece, over)])
        if (better := worth(trial, rows)) >= value:
            kind, value = trial, better
            covered.update(range(piece.start, piece.end))
    return kind


def laid(whole: Shape, part: Shape) -> tuple[int | None, ...] | None:
    """Lay a piece over a block some of whose rows it lacks: its row for each one of the block.

    A row that is left out hands on the previous output, or else the first that it takes.
    """
    refs = {whole.output, *(ref for refs in whole.wiring for ref in refs)}
    # What gives several outputs, or takes nothing, has nothing to hand on.
    fixed = {place for place, port in refs if port}
    fixed |= {place for place, taken in enumerate(whole.wiring) if not taken}
    for tried, over in enumerate(_overlays(whole.forms, part.forms)):
        if tried >= _CHOICES:
            return None
        if any(over[place] is None for place in fixed):
            continue
        stand, lines = resolved(whole, tuple(n is not None for n in over))
        places = {number: place for place, number in enumerate(over) if number is not None}

        def named(ref: Ref, places: Mapping[int, int] = places) -> Ref:
            return ref if ref[0] < 0 else (places[ref[0]], ref[1])

        wired = all(
            lines[place].taken == tuple(map(named, part.wiring[number]))
            for number, place in places.items()
        )
        if wired and stand(whole.output) == named(part.output):
            return over
    return None


def _overlays(whole: Sequence[Form], part: Sequence[Form]) -> Iterator[tuple[int | None, ...]]:
    """Yield each way to find the forms of a part in their order, the early ones first."""
    if not _within(whole, part):
        return  # so that every branch below ends in a way
    if not part:
        yield (None,) * len(whole)
        return
    if whole[0] == part[0]:
        for rest in _overlays(whole[1:], part[1:]):
            yield (0, *(None if n is None else n + 1 for n in rest))
    for rest in _overlays(whole[1:], part):
        yield (None, *rest)


def _within(whole: Sequence[Form], part: Sequence[Form]) -> bool:
    left = iter(whole)
    return all(form in left for form in part)


class Line(NamedTuple):
    """What a row of a block takes in one variant, and what the output before it is there."""

    taken: tuple[Ref, ...]
    previous: Ref


def resolved(shape: Shape, present: Sequence[bool]) -> tuple[Callable[[Ref], Ref], list[Line]]:
    """Return what the tensors of a block stand for in a variant, and its rows."""
    stands: dict[Ref, Ref] = {}
    previous: Ref = (-1, 0)
    last: Ref = (-1, 0)
    lines = []

    def stand(ref: Ref) -> Ref:
        return stands.get(ref, ref)

    for number, refs in enumerate(shape.wiring):
        lines.append(Line(tuple(map(stand, refs)), previous))
        if not present[number] and refs:
            stands[number, 0] = previous if last in refs else stand(refs[0])
        elif refs:
            previous = (number, 0)
        if refs:
            last = (number, 0)
    return stand, lines

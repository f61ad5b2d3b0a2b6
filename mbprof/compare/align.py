"""Which part of one network stands for which part of another: an alignment that keeps the order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from mbprof.errors import LimitError
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.network.graph import layers
from mbprof.network.load import Network
from mbprof.network.profile import Profile
from mbprof.network.rows import GROUPINGS, Row
from mbprof.ops.layers import Linear

MAX_CELLS = 16_000_000
"""So many pairs may be looked at to align two sequences."""
EXACT_CELLS = 250_000
"""The largest product of two lengths of which all pairs are looked at."""
NEAR = 32
"""So far from the diagonal are the pairs of longer sequences that are looked at first."""

T = TypeVar("T")
Pairs: TypeAlias = tuple[tuple[int | None, int | None], ...]
Score: TypeAlias = Callable[[T, T], int]
NO_WINDOW = (None, None, None, None)
INNER = (False, False)


class Part(NamedTuple):
    """A layer or a group of layers, as far as an alignment looks at it.

    ``octave`` is how often the image was halved up to its output, None once it is 1×1 or a vector.
    ``role`` is the op, of a group of several layers the block that it calls, and ``ends`` says
    whether it is the first and the last of all that has weights. Of a single layer are the
    ``window``, its kernel, stride, dilation and groups, and ``after``, which names what follows
    the op within it, such as bn and relu.
    """

    row: Row
    octave: int | None
    role: str = ""
    ends: tuple[bool, bool] = INNER
    window: tuple[object, ...] = NO_WINDOW
    after: tuple[str, ...] = ()


def octave(image: Shape, shape: Shape) -> int | None:
    """Return how often an image is halved to the height of a shape, rounded.

    N tokens are √N high, where the input is an image.

    >>> octave((3, 224, 224), (64, 56, 56)), octave((3, 299, 299), (768, 17, 17))
    (2, 4)
    >>> octave((3, 224, 224), (197, 768))
    4
    """
    if len(shape) == 2 and len(image) == 3:
        area, whole = shape[0], image[1] * image[2]
    elif len(shape) == 3:
        area, whole = shape[1] ** 2, image[1] ** 2
        area = 1 if shape[1:] == (1, 1) else area
    else:
        return None
    if area == 1:
        return None
    halved = 0
    # The shape is nearer to the next size while h · 2^(halved + 1/2) does not exceed the image.
    while 2 * area << 2 * halved <= whole:
        halved += 1
    return halved


def _extent(shape: Shape) -> Shape:
    """Return a shape; maps of 1×1 are a vector."""
    return shape[:1] if shape[1:] == (1, 1) else shape


def likeness(part: Part, other: Part) -> int:
    """Say how well two parts stand for each other; 0 if they do not.

    The same name, or the same size of the output and the same role or kind of cost; a block may
    stand for any other. What has weights counts most, and the first and the last of it are stem
    and classifier. A layer whose name alone has moved (a row was added above it) counts more than
    one that has kept its name and is another layer.
    """
    a, b = part.row, other.row
    same_name, same_role = a.name == b.name, part.role == other.role
    same_size, weighs = part.octave == other.octave, bool(a.facts.kernels)
    if not same_name:
        # A classifier is a linear layer here and a convolution of 1×1 there.
        alike = same_role or a.layers + b.layers > 2 or (weighs and part.octave is None)
        if not (alike and same_size and weighs == bool(b.facts.kernels)):
            return 0
    points = 1 + 4 * same_name + 4 * same_role + 2 * (part.window == other.window)
    points += 8 if _extent(a.out_shape) == _extent(b.out_shape) else 4 * same_size
    points += 4 * (_extent(a.in_shape) == _extent(b.in_shape))
    points += 3 * (a.params == b.params) + 3 * (a.cost == b.cost)
    points += 8 * (weighs and bool(b.facts.kernels)) + 16 * (part.ends == other.ends != INNER)
    return points + (part == other)


def align(first: Sequence[T], second: Sequence[T], score: Score[T]) -> Pairs:
    """Pair the items of two sequences in their order, so that the sum of the scores is largest.

    Of long sequences that is the largest sum of pairs near the diagonal. Every item stands in one
    pair, alone where it has no partner; those of ``first`` come before those of ``second``. Pairs
    of score 0 are not made. To swap the sequences swaps the pairs.

    Raises: LimitError: the sequences are too long.

    >>> align("abcd", "acxd", lambda a, b: a == b)
    ((0, 0), (1, None), (2, 1), (None, 2), (3, 3))
    """
    start, shorter = 0, min(len(first), len(second))
    while start < shorter and first[start] == second[start]:
        start += 1
    end = 0
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    a, b = first[start : len(first) - end], second[start : len(second) - end]
    # Of equally good alignments one is chosen by direction; so the direction must not depend on
    # which sequence comes first.
    forwards = repr(list(a)) <= repr(list(b))
    matched = _matched(a, b, score) if forwards else [(i, j) for j, i in _matched(b, a, score)]
    ends = [(len(first) - k, len(second) - k) for k in range(end, 0, -1)]
    inner = [(start + i, start + j) for i, j in matched]
    return _filled([(k, k) for k in range(start)] + inner + ends, len(first), len(second))


def _matched(a: Sequence[T], b: Sequence[T], score: Score[T]) -> list[tuple[int, int]]:
    """Return the pairs of the best alignment; of long sequences, of the best near the diagonal.

    What is near is doubled until that makes no better pairs.
    """
    longest = max(len(a), len(b))
    width = longest if len(a) * len(b) <= EXACT_CELLS else NEAR
    if width < longest:
        _affordable(a, b, 2 * width)  # to say whether the first width was enough
    best, matched = _near(a, b, score, width)
    while width < longest:
        width *= 2
        _affordable(a, b, width)
        points, pairs = _near(a, b, score, width)
        if points <= best:
            break
        best, matched = points, pairs
    return matched


def _affordable(a: Sequence[T], b: Sequence[T], width: int) -> None:
    """Refuse a width of too many pairs, with a LimitError."""
    if (2 * width + abs(len(a) - len(b))) * len(a) > MAX_CELLS:
        message = f"{len(a):,} and {len(b):,} layers that differ are too many to align"
        raise LimitError(message, hint="sum them up by block")


def _near(
    a: Sequence[T], b: Sequence[T], score: Score[T], width: int
) -> tuple[int, list[tuple[int, int]]]:
    """Return the points and pairs of the best alignment that stays near the diagonal.

    Dynamic programming from the end, read forwards: ``cells`` are what the rest of both is worth.
    """
    longer = len(b) - len(a)
    first = [max(0, i - width + min(0, longer)) for i in range(len(a))]
    cells, steps = [0] * (len(b) + 1), [bytearray()] * len(a)
    for i in range(len(a) - 1, -1, -1):
        start, stop = first[i], min(len(b), i + width + max(0, longer))
        row, beside, right = bytearray(stop - start), cells[stop], cells[stop]
        for j in range(stop - 1, start - 1, -1):
            below, points = cells[j], score(a[i], b[j])
            best, step = (below, 1) if below >= right else (right, 2)
            if points and points + beside >= best:
                best, step = points + beside, 0
            row[j - start], beside, right = step, below, best
            cells[j] = best
        steps[i] = row
    matched, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        place = j - first[i]
        step = 2 if place < 0 else 1 if place >= len(steps[i]) else steps[i][place]
        if step == 0:
            matched.append((i, j))
        i, j = i + (step != 2), j + (step != 1)
    return cells[0], matched


def _filled(matched: list[tuple[int, int]], first: int, second: int) -> Pairs:
    """Put the items that have no partner between those that have one."""
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    for ahead, beside in [*matched, (first, second)]:
        pairs += [(k, None) for k in range(i, ahead)]
        pairs += [(None, k) for k in range(j, beside)]
        pairs.append((ahead, beside))
        i, j = ahead + 1, beside + 1
    return tuple(pairs[:-1])


def paired(
    first: Sequence[T], second: Sequence[T], score: Score[T]
) -> list[tuple[T | None, T | None]]:
    """Return the items themselves as `align` pairs them, None for a partner that is not there.

    Raises: LimitError: the sequences are too long.

    >>> paired("ab", "b", lambda a, b: a == b)
    [('a', None), ('b', 'b')]
    """
    return [
        (None if i is None else first[i], None if j is None else second[j])
        for i, j in align(first, second, score)
    ]


def align_all(
    sequences: Sequence[Sequence[T]], score: Score[T]
) -> tuple[tuple[T | None, ...], ...]:
    """Align several sequences, one after the other with what is aligned already.

    Raises: LimitError: the sequences are too long.

    >>> align_all(["ac", "abc", "bd"], lambda a, b: a == b)
    (('a', 'a', None), (None, 'b', 'b'), ('c', 'c', None), (None, None, 'd'))
    """

    def best(row: tuple[T | None, ...], item: tuple[T | None, ...]) -> int:
        return max(score(x, y) for x in row if x is not None for y in item if y is not None)

    rows: list[tuple[T | None, ...]] = [(item,) for item in sequences[0]] if sequences else []
    for count, sequence in enumerate(sequences[1:], 1):
        items: list[tuple[T | None, ...]] = [(item,) for item in sequence]
        alone: tuple[T | None, ...] = (None,) * count
        rows = [(row or alone) + (item or (None,)) for row, item in paired(rows, items, best)]
    return tuple(rows)


def parts_of(network: Network, profile: Profile, by: str) -> tuple[Part, ...]:
    """Return the rows of a profile by layer or block as parts; layers with what follows their op.

    A block of a single layer is seen as that layer.
    """
    image = network.compiled.image
    after = {
        group[0].layer: tuple(str(n.op.function or n.op.word) for n in group[1:])
        for group in layers(network.compiled.nodes)
        if profile.scope in ("all", group[0].scope)
    }
    lone = {GROUPINGS[by](row): row for row in profile.rows}
    rows = profile.grouped(by)
    weigh = [number for number, row in enumerate(rows) if row.facts.kernels]
    parts = []
    for number, row in enumerate(rows):
        ends = number in weigh[:1], number in weigh[-1:]
        part, layer = Part(row, octave(image, row.out_shape), row.op, ends), lone[row.name]
        if row.layers == 1:
            window = layer.kernel, layer.stride, layer.dilation, layer.groups
            part = part._replace(role=layer.op, window=window, after=after.get(layer.name, ()))
            # A convolution of all that is left of a map is a linear layer.
            if part.octave is None and layer.kernel == layer.in_shape[1:] and layer.groups == 1:
                part = part._replace(role=Linear.word, window=NO_WINDOW)
        parts.append(part)
    return tuple(parts)

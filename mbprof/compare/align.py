"""Which part of one network stands for which part of another: an alignment that keeps the order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeAlias, TypeVar

from mbprof.errors import LimitError
from mbprof.language.fmt import Shape
from mbprof.network.graph import layers
from mbprof.network.load import Network
from mbprof.network.rows import Row

MAX_CELLS = 16_000_000
"""The largest product of two lengths that is aligned."""

T = TypeVar("T")
Pairs: TypeAlias = tuple[tuple[int | None, int | None], ...]
Score: TypeAlias = Callable[[T, T], int]


class Part(NamedTuple):
    """A layer or a group of layers, as far as an alignment looks at it.

    ``octave`` is how often the image was halved up to its output, None once it is 1×1 or a vector;
    ``after`` names what follows the op within the layer, such as bn and relu.
    """

    row: Row
    octave: int | None
    after: tuple[str, ...] = ()


def octave(image: Shape, shape: Shape) -> int | None:
    """Return how often an image is halved to the height of a shape, rounded.

    >>> octave((3, 224, 224), (64, 56, 56)), octave((3, 299, 299), (768, 17, 17))
    (2, 4)
    """
    if len(shape) != 3 or shape[1:] == (1, 1):
        return None
    halved = 0
    # The shape is nearer to the next size while h · 2^(halved + 1/2) does not exceed the image.
    while 2 * (shape[1] << halved) ** 2 <= image[1] ** 2:
        halved += 1
    return halved


_window = attrgetter("kernel", "stride", "dilation", "groups")


def likeness(part: Part, other: Part) -> int:
    """Say how well two parts stand for each other; 0 if they do not.

    The same name, or the same size of the output and the same op, block or kind of cost. A layer
    whose name alone has moved (a row was added above it) counts more than one that has kept its
    name and is another layer.
    """
    a, b = part.row, other.row
    same_name, same_op = a.name == b.name, a.op == b.op
    same_size = part.octave == other.octave
    if not same_name:
        groups = a.kernel is None and b.kernel is None and a.layers + b.layers > 2
        # A classifier is a linear layer here and a convolution of 1×1 there.
        alike = same_op or groups or part.octave is None
        if not (alike and same_size and bool(a.facts.kernels) == bool(b.facts.kernels)):
            return 0
    points = 1 + 4 * same_name + 4 * same_op + 2 * (_window(a) == _window(b))
    points += 8 if a.out_shape == b.out_shape else 4 * same_size
    points += 4 * (a.in_shape == b.in_shape) + 3 * (a.params == b.params) + 3 * (a.cost == b.cost)
    return points + (part == other)


def align(first: Sequence[T], second: Sequence[T], score: Score[T]) -> Pairs:
    """Pair the items of two sequences in their order, so that the sum of the scores is largest.

    Every item stands in one pair, alone where it has no partner; those of ``first`` come before
    those of ``second``. Pairs of score 0 are not made. To swap the sequences swaps the pairs.

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
    if len(a) * len(b) > MAX_CELLS:
        message = f"{len(a):,} and {len(b):,} layers that differ are too many to align"
        raise LimitError(message, hint="sum them up by block")
    # Of equally good alignments one is chosen by direction; so the direction must not depend on
    # which sequence comes first.
    forwards = repr(list(a)) <= repr(list(b))
    matched = _matched(a, b, score) if forwards else [(i, j) for j, i in _matched(b, a, score)]
    ends = [(len(first) - k, len(second) - k) for k in range(end, 0, -1)]
    inner = [(start + i, start + j) for i, j in matched]
    return _filled([(k, k) for k in range(start)] + inner + ends, len(first), len(second))


def _matched(a: Sequence[T], b: Sequence[T], score: Score[T]) -> list[tuple[int, int]]:
    """Return the pairs of the best alignment: dynamic programming from the end, read forwards."""
    below = [0] * (len(b) + 1)
    pairs: list[bytearray] = []
    for i in range(len(a) - 1, -1, -1):
        row, steps, right = [0] * (len(b) + 1), bytearray(len(b)), 0
        for j in range(len(b) - 1, -1, -1):
            points = score(a[i], b[j])
            best, step = (below[j], 1) if below[j] >= right else (right, 2)
            if points and points + below[j + 1] >= best:
                best, step = points + below[j + 1], 0
            row[j], steps[j], right = best, step, best
        below = row
        pairs.append(steps)
    matched, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        step = pairs[len(a) - 1 - i][j]
        if step == 0:
            matched.append((i, j))
        i, j = i + (step != 2), j + (step != 1)
    return matched


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


def parts_of(network: Network, rows: Sequence[Row], scope: str) -> tuple[Part, ...]:
    """Return the rows of a profile as parts; single layers with what follows their op."""
    image = network.compiled.image
    after = {
        group[0].layer: tuple(str(n.op.function or n.op.word) for n in group[1:])
        for group in layers(network.compiled.nodes)
        if scope == "all" or group[0].scope == scope
    }
    return tuple(
        Part(row, octave(image, row.out_shape), after.get(row.name, ()) if row.layers == 1 else ())
        for row in rows
    )

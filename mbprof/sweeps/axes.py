"""Axes of a sweep: from what a user types to checked values, and from values to columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from mbprof.errors import KnobError, LimitError, Loc, UsageError
from mbprof.language.fmt import Value, parse
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import Scalar
from mbprof.spec.knobs import USUAL, Knob, checked, knob_of, read
from mbprof.symbolic.columns import wide

if TYPE_CHECKING:
    from mbprof.network.load import Spec

MAX_VALUES = 1_000_000
"""So many values has an axis at most."""
MAX_ROWS = 10**10
"""So many configurations has a sweep at most."""
MAX_DIGITS = 300
MAX_QUOTED = 60
EXACT = Context(prec=4 * MAX_DIGITS)
CHUNK = 1 << 15
PACKED = 1 << 8
"""So many combinations of values are drawn as one number at most."""
Column: TypeAlias = Any


@dataclass(frozen=True)
class Axis:
    """The values of one knob; ``continuous`` if any value between the two is meant."""

    knob: Knob
    values: tuple[Value, ...]
    continuous: bool = False

    @property
    def symbolic(self) -> bool:
        """Whether the values are numbers that formulas can carry side by side."""
        kinds = ("int", "number", "size")
        return self.knob.kind in kinds and None not in self.values

    @cached_property
    def cells(self) -> Column:
        """The values as a column."""
        return column(self.values)

    @cached_property
    def narrow(self) -> Column:
        """The values as a column; whole numbers have as few bits as they need."""
        import numpy as np

        if self.cells.dtype != np.int64:
            return self.cells
        kinds = (np.int8, np.int16, np.int32, np.int64)
        tried = (self.cells.astype(kind) for kind in kinds)
        return next(cells for cells in tried if np.array_equal(cells, self.cells))


def axis(knob: Knob, values: Iterable[Value], loc: Loc | None = None) -> Axis:
    """Check the values of an axis.

    Raises: KnobError: there are none, or one that the knob does not take.
    """
    checked_values = tuple(checked(knob, value, loc) for value in values)
    if not checked_values:
        raise KnobError(f"{knob.name} has no values", loc, "write 0.5,1.0 or 0.25:1.0:0.25")
    return Axis(knob, checked_values)


def read_axis(knob: Knob, text: str, loc: Loc | None, random: bool = False) -> Axis:
    """Read ``0.5,0.75,1.0``, ``0.25:1.0:0.25``, or both; with ``random`` also ``0.25:1.0``.

    Raises: KnobError: no values, a range that runs backwards or never arrives, a wrong value.
    LimitError: more values than an axis has.
    """
    values: list[Value] = []
    parts = text.split(",")
    for part in parts:
        if not part.strip():
            raise KnobError(f"{knob.name} has an empty value in {brief(text)!r}", loc)
        bounds = part.split(":")
        if random and len(bounds) == 2 and len(parts) == 1:
            return Axis(knob, _ends(knob, bounds, part, loc), continuous=True)
        if len(bounds) > 1:
            values += _range(knob, bounds, part, loc)
        else:
            values.append(read(knob, part, loc))
        if len(values) > MAX_VALUES:
            raise _too_many(knob, text, loc)
    return Axis(knob, tuple(values))


def _ends(knob: Knob, bounds: Sequence[str], text: str, loc: Loc | None) -> tuple[Value, ...]:
    try:
        numbers = tuple(map(parse, bounds))
    except ValueError as error:
        raise KnobError(f"{knob.name}: each end of the range {text} {error}", loc) from None
    for bound, value in zip(bounds, numbers, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise KnobError(
                f"{knob.name}: {bound!r} is no number in the range {brief(text)!r}", loc
            )
    ends = axis(knob, numbers, loc).values
    low, high = map(_side, ends)
    if not low <= high:
        raise KnobError(f"{knob.name}: the range {brief(text)} runs backwards", loc)
    if not math.isfinite(high - low):
        raise KnobError(f"{knob.name}: the range {brief(text)} is wider than a double", loc)
    return ends


def _side(end: Any) -> Any:
    return end[0] if isinstance(end, tuple) else end


def brief(text: str) -> str:
    """Return what an error quotes of a text that may be long."""
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 1]}…"


def _too_many(knob: Knob, text: str, loc: Loc | None) -> LimitError:
    return LimitError(f"{knob.name}: {brief(text)} is more than {MAX_VALUES:,} values", loc)


def _range(knob: Knob, bounds: Sequence[str], text: str, loc: Loc | None) -> list[Value]:
    """Return the values of START:STOP:STEP, STOP included, without the drift of doubles."""
    numbers = _numbers(knob, bounds, brief(text), loc)
    # In whole numbers of the last decimal nothing is rounded before a value is a double.
    places = max(0, *(-int(number.as_tuple().exponent) for number in numbers))
    start, stop, step = (int(number.scaleb(places, EXACT)) for number in numbers)
    what = f"{knob.name}: the range {brief(text)}"
    if start > stop:
        raise KnobError(f"{what} runs backwards", loc)
    if step <= 0:
        raise KnobError(f"{what} never arrives; its step is {numbers[2]}", loc)
    count, rest = divmod(stop - start, step)
    if rest:
        last = Decimal(start + count * step).scaleb(-places, EXACT)
        raise KnobError(
            f"{what} never arrives at {numbers[1]}; it passes {last}",
            loc,
            f"write {bounds[0]}:{last}:{bounds[2]}, or another step",
        )
    if count >= MAX_VALUES:
        raise _too_many(knob, text, loc)
    whole = 10**places
    values = (start + step * i for i in range(count + 1))
    return _all_checked(knob, [value / whole for value in values] if places else [*values], loc)


def _all_checked(knob: Knob, values: Sequence[Any], loc: Loc | None) -> list[Value]:
    """Check the values of a range: numbers between two that a knob takes are taken."""
    if knob.one_of or knob.kind not in ("number", "int", "size"):
        return [checked(knob, value, loc) for value in values]
    for value in (*values[:2], values[-1]):
        checked(knob, value, loc)
    if knob.kind == "size":
        return [(side, side) for side in values]
    return list(map(float if knob.kind == "number" else int, values))


def _numbers(knob: Knob, bounds: Sequence[str], text: str, loc: Loc | None) -> list[Decimal]:
    """Read the three numbers of a range."""
    if len(bounds) != 3:
        raise KnobError(
            f"{knob.name}: {text!r} is no range", loc, "a range is START:STOP:STEP, STOP included"
        )
    try:
        numbers = [Decimal(bound.strip()) for bound in bounds]
    except InvalidOperation:
        raise KnobError(f"{knob.name}: {text!r} is no range of numbers", loc) from None
    if not all(number.is_finite() for number in numbers):
        raise KnobError(f"{knob.name}: the range {text} is not finite", loc)
    for number in numbers:
        if max(abs(number.adjusted()), len(number.as_tuple().digits)) > MAX_DIGITS:
            message = f"{knob.name}: a number of the range {text} has more than {MAX_DIGITS} digits"
            raise LimitError(message, loc)
    return numbers


def limited(count: int, what: str, hint: str | None = None) -> None:
    """Refuse more configurations than a sweep may have.

    Raises: LimitError: there are more.
    """
    if count > MAX_ROWS:
        message = f"{what} of {count:,} configurations; a sweep has at most {MAX_ROWS:,}"
        raise LimitError(message, hint=hint)


@record
class Grid:
    """Every combination of the axes' values; the last axis changes fastest."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        hint = "take fewer values, or draw some with --random"
        limited(self.count, "a grid", hint)

    @property
    def count(self) -> int:
        return _combinations(self.axes)

    def drawn(self, start: int, stop: int) -> dict[str, Column]:
        """Return some combinations."""
        return self.rows(start, stop)

    def rows(self, start: int, stop: int) -> dict[str, Column]:
        """Return some combinations, whole numbers in 64 bits."""
        import numpy as np

        sizes = tuple(len(axis.values) for axis in self.axes)
        numbers = np.unravel_index(np.arange(start, stop), sizes)
        return {
            axis.knob.name: axis.cells[chosen]
            for axis, chosen in zip(self.axes, numbers, strict=True)
        }


class Pack(NamedTuple):
    """Axes whose values one number stands for: how many such there are, and the values of each."""

    size: int
    tables: Mapping[str, Column]


@dataclass(frozen=True)
class Random:
    """Combinations drawn at random, each axis by itself; the seed decides on all of them."""

    axes: tuple[Axis, ...]
    count: int
    seed: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise UsageError("--random must be at least 1 and --seed at least 0")
        limited(self.count, "--random")

    @cached_property
    def packs(self) -> list[Pack]:
        """The axes of single values, as many together as one number can stand for."""
        import numpy as np

        together: list[list[Axis]] = []
        for axis in (axis for axis in self.axes if not axis.continuous):
            last = together[-1] if together else []
            if last and _combinations([*last, axis]) <= PACKED:
                last.append(axis)
            else:
                together.append([axis])
        packs = []
        for axes in together:
            sizes = tuple(len(axis.values) for axis in axes)
            places = np.unravel_index(np.arange(math.prod(sizes)), sizes)
            named = zip(axes, places, strict=True)
            tables = {axis.knob.name: axis.narrow[place] for axis, place in named}
            packs.append(Pack(math.prod(sizes), tables))
        return packs

    def drawn(self, start: int, stop: int) -> dict[str, Column]:
        """Return some of the combinations; chunks are drawn independently of each other.

        Whole numbers have as few bits as they need, see `wide`.
        """
        import numpy as np

        rng = np.random.default_rng((self.seed, start // CHUNK))
        columns, count = {}, stop - start
        for pack in self.packs:
            kind = np.uint8 if pack.size <= PACKED else np.int64
            number = rng.integers(0, pack.size, count, dtype=kind).astype(np.intp)
            columns.update({name: table.take(number) for name, table in pack.tables.items()})
        for axis in (axis for axis in self.axes if axis.continuous):
            low, high = map(_side, (axis.values[0], axis.values[-1]))
            columns[axis.knob.name] = (
                rng.uniform(low, high, count)
                if axis.knob.kind == "number"
                else rng.integers(low, high, count, endpoint=True)
            )
        return {axis.knob.name: columns[axis.knob.name] for axis in self.axes}

    def rows(self, start: int, stop: int) -> dict[str, Column]:
        """Return some of the combinations, whole numbers in 64 bits."""
        return wide(self.drawn(start, stop))


def _combinations(axes: Sequence[Axis]) -> int:
    return math.prod(len(axis.values) for axis in axes)


@record
class Listed:
    """Configurations that are listed one by one, a column for each knob."""

    axes: tuple[Axis, ...]
    columns: Mapping[str, Column]
    count: int

    def drawn(self, start: int, stop: int) -> dict[str, Column]:
        return {name: column[start:stop] for name, column in self.columns.items()}

    rows = drawn


Plan: TypeAlias = Grid | Random | Listed


def column(values: Sequence[Any]) -> Column:
    """Return values as a column: int64 or float64 where they are numbers, else objects.

    A size that is square is one number.

    >>> column([(96, 96), (128, 128)]).tolist()
    [96, 128]
    """
    import numpy as np

    flat = [v[0] if isinstance(v, tuple) and len(set(v)) == 1 else v for v in values]
    if all(isinstance(v, int) and not isinstance(v, bool) for v in flat):
        with suppress(OverflowError):
            return np.array(flat, dtype=np.int64)
    if all(isinstance(v, float) for v in flat):
        return np.array(flat, dtype=np.float64)
    cells = np.empty(len(flat), dtype=object)
    cells[:] = flat
    return cells


def sides(column: Column) -> tuple[Column, Column]:
    """Return the heights and widths of a column of sizes."""
    import numpy as np

    if column.dtype != object:
        return column, column
    pairs = [size if isinstance(size, tuple) else (size, size) for size in column.tolist()]
    sizes = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return sizes[:, 0], sizes[:, 1]


def chosen(spec: Spec, nothing: str) -> dict[str, list[Any]]:
    """Return the values of all knobs that say which they take: a sweep where no other is asked for.

    Those that every spec has are left as they are.
    Raises: UsageError: no knob does; ``nothing`` is the hint.

    >>> from mbprof.network.load import load
    >>> chosen(load("resnet50"), "")
    {'unit': ['res_basic', 'res_bottleneck']}
    """
    knobs = spec.definition.knobs.values()
    own = {k.name: list(k.one_of) for k in knobs if k.one_of and k.name not in USUAL}
    if own:
        return own
    raise UsageError("there is nothing to sweep", hint=nothing)


def planned(
    spec: Spec,
    axes: Mapping[str, Any],
    configs: Mapping[str, Any] | None = None,
    random: int | None = None,
    seed: int = 0,
) -> Plan:
    """Return the plan of axes, each text, a value or several; or of configurations in columns.

    Raises: KnobError: a knob that the spec lacks, or values that it does not take. UsageError:
    see `listed` and `Random`.
    """
    if configs is not None:
        return listed(spec.definition.knobs, configs, spec.name)
    read = []
    for name, values in axes.items():
        text, loc = (values.text, values.loc) if isinstance(values, Scalar) else (values, None)
        knob = knob_of(spec.definition.knobs, name, loc, spec.name)
        if isinstance(text, str):
            read.append(read_axis(knob, text, loc, random is not None))
            continue
        several = hasattr(values, "__iter__") and not isinstance(values, tuple)
        items = values if several else [values]
        read.append(axis(knob, [item.item() if hasattr(item, "item") else item for item in items]))
    return Grid(tuple(read)) if random is None else Random(tuple(read), random, seed)


def listed(knobs: Mapping[str, Knob], columns: Mapping[str, Any], spec: str) -> Listed:
    """Make a plan of columns of equal length, each value checked.

    Raises: KnobError: a knob that the spec lacks or a value that it does not take. UsageError: no
    columns, or columns of different lengths.
    """
    import numpy as np

    lengths = {name: len(values) for name, values in columns.items()}
    if not lengths or not max(lengths.values()):
        raise UsageError("there are no configurations")
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UsageError(f"the columns have different lengths: {said}")
    axes, kept_columns = [], {}
    for name, values in columns.items():
        knob = knob_of(knobs, name, None, spec)
        array = values if isinstance(values, np.ndarray) else column(list(values))
        if array.dtype.kind in "iuf" and not knob.one_of:
            own, kept_columns[name] = _numeric(knob, array)
        else:
            distinct = list(dict.fromkeys(array.tolist()))
            own = axis(knob, distinct)
            kept = dict(zip(distinct, own.values, strict=True))
            kept_columns[name] = column([kept[value] for value in array.tolist()])
        axes.append(own)
    return Listed(tuple(axes), kept_columns, next(iter(lengths.values())))


def _numeric(knob: Knob, array: Column) -> tuple[Axis, Column]:
    """Check a column of numbers by its extremes, which bound all the others."""
    import numpy as np

    odd = np.flatnonzero(~np.isfinite(array))
    if not len(odd) and knob.kind != "number":
        odd = np.flatnonzero(array != np.trunc(array))
    suspects = array[odd[:1]] if len(odd) else np.array([array.min(), array.max()])
    whole = not len(odd) and knob.kind != "number"
    ends = axis(knob, (suspects.astype(np.int64) if whole else suspects).tolist())
    typed = np.float64 if knob.kind == "number" else np.int64
    return Axis(knob, ends.values, continuous=True), array.astype(typed)

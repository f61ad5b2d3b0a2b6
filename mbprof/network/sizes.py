"""Which heights and widths of the image make a network, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mbprof.errors import LimitError, Loc, MbprofError, UsageError
from mbprof.language.fmt import Value, either, integer, size
from mbprof.language.progressions import Numbers
from mbprof.language.record import NamedTuple
from mbprof.network.build import build
from mbprof.network.many import MAX_WORK, Engine
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.spec.knobs import LARGEST_RES
from mbprof.symbolic.lanes import column, has_numpy

if TYPE_CHECKING:
    from mbprof.spec.model import Definition

FEWER = 1024
"""So many sizes are looked at without NumPy, or four times that of the image."""
MAX_PATHS = 256
"""Into so many classes the sizes may fall, each of which is built once."""
HINTED = 1_000_000
"""So many terms are added up for a hint: about a second."""
USUAL = (*range(1, 257), *range(256 + 16, 2048 + 1, 16))
"""Sizes of which one makes a network, if any does."""
HIGH, WIDE = "res.h", "res.w"


@dataclass(slots=True)
class Walk:
    """The builds that decide which sizes make a network, everything else as it is.

    Height and width are symbols, so that a build serves all sizes that answer its conditions
    alike; sizes that answer differently are built next, until all are known.
    """

    definition: Definition
    knobs: Mapping[str, Value]
    limit: int = MAX_WORK
    """So many terms are added up at most."""
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        ranges = dict.fromkeys((HIGH, WIDE), (1, LARGEST_RES))
        self.engine = Engine(
            self.definition, self.knobs, ranges, lambda graph: (), 0, MAX_PATHS, limit=self.limit
        )

    def errors(self, high: Sequence[int], wide: Sequence[int]) -> list[MbprofError | None]:
        """Return why images of some heights and widths make no network, None where they do.

        Raises: LimitError: the sizes fall into too many classes.
        """
        errors: list[MbprofError | None] = [None] * len(high)
        try:
            self.engine.run({HIGH: column(high), WIDE: column(wide)}, len(high), errors)
        except LimitError as error:
            message = f"it cannot be said which sizes make a network: {error.message}"
            raise LimitError(message, hint="say which with mbprof sweep --res") from None
        return errors

    def along(self, high: Sequence[int], wide: Sequence[int]) -> Along:
        """Return what is found along a line of sizes."""
        errors = self.errors(high, wide)
        return Along(Numbers(bytes([error is None for error in errors])), errors)


class Refusal(NamedTuple):
    """Why some sizes make no network: the sides that they are of, what is said of the smallest."""

    side: str
    sizes: Numbers
    message: str
    loc: Loc | None


class Along(NamedTuple):
    """The sizes along a line, of a side beside a given one or of both alike."""

    works: Numbers
    errors: list[MbprofError | None]

    def refusals(self, side: str) -> Iterator[Refusal]:
        """Yield why sizes make no network, those of one place in the spec together."""
        sizes: dict[int, list[int]] = {}
        for number, error in enumerate(self.errors, 1):
            sizes.setdefault(id(error), []).append(number)
        merged: dict[tuple[Any, ...], tuple[MbprofError, list[int]]] = {}
        for own in sizes.values():
            if (error := self.errors[own[0] - 1]) is not None:
                merged.setdefault((error.loc, tuple(error.trail)), (error, []))[1].extend(own)
        for error, own in merged.values():
            numbers = Numbers.of(own, len(self.errors))
            yield Refusal(side, numbers, error.message, error.loc)


@dataclass(frozen=True, repr=False)
class Sizes(Result):
    """Which heights and widths make a network, and why the others do not.

    ``square`` holds for images of n by n, ``height`` beside the width of ``beside`` and ``width``
    beside its height: the size of the image, or one near it that makes a network. Where a
    condition speaks of both sides, such as of their product, these three do not follow from each
    other, and ``tied`` says so.
    """

    name: str
    knobs: Mapping[str, Value]
    image: tuple[int, int]
    beside: tuple[int, int]
    height: Numbers
    width: Numbers
    square: Numbers
    refusals: tuple[Refusal, ...] = ()

    @property
    def tied(self) -> bool:
        """Whether a height works with one width and not with another that works."""
        return self.square != (self.height & self.width)

    @property
    def alike(self) -> bool:
        """Whether the same numbers are heights and widths."""
        return not self.tied and self.height == self.width

    @property
    def lines(self) -> tuple[tuple[str, Numbers], ...]:
        """The sides, each with its sizes; one where the same holds of both."""
        if self.alike:
            return (("height and width", self.square),)
        high, wide = self.beside
        if not self.tied:
            return ("height", self.height), ("width", self.width)
        beside = f"height beside width {wide}", f"width beside height {high}"
        sides = zip(beside, (self.height, self.width), strict=True)
        return (("height = width", self.square), *sides)

    @property
    def text(self) -> str:
        """Which sizes make a network, in a line."""
        return "; ".join(f"{side}: {numbers}" for side, numbers in self.lines)

    @property
    def brief(self) -> str:
        """The network, and which sizes it takes."""
        return f"{self.name}, {self.text}"

    @property
    def near(self) -> str:
        """The sizes nearest to that of the image that make a network, in words."""
        high, wide = self.image
        sides = [("height", high, self.height), ("width", wide, self.width)]
        if high == wide and self.square:
            sides = [("size", high, self.square)]
        near = [
            f"the nearest {side} that makes a network is {either(map(str, numbers.near(own)))}"
            for side, own, numbers in sides
            if numbers and own not in numbers
        ]
        return "; ".join([*near, self.text])

    def report(self, layout: str = "page") -> Report:
        """Lay out the sizes, and why the others make no network."""
        works = [
            {"side": side, "sizes": str(numbers), "count": len(numbers.values), "why": "a network"}
            for side, numbers in self.lines
        ]
        refused = [
            {
                "side": refusal.side,
                "sizes": str(refusal.sizes),
                "count": len(refusal.sizes.values),
                "why": refusal.message,
                "place": f"{refusal.loc.source.name}:{refusal.loc.line}" if refusal.loc else "",
            }
            for refusal in self.refusals
        ]
        return Report(
            title=f"{self.name}: {self.text}",
            columns=COLUMNS,
            rows=(*works, *refused),
            data=self.data(),
            notes=(
                f"Sizes from 1 to {integer(self.square.top)} are looked at; a reason is that of "
                "the smallest size.",
            ),
        )

    def data(self) -> dict[str, Any]:
        """Return the sizes as plain data; see docs/sizes.md."""
        sides = (self.square, self.square) if self.tied and self.square else None
        height, width = sides or (self.height, self.width)
        forms = height.multiples, width.multiples
        left_out = {form.exceptions if form else None for form in forms}
        simple = len(left_out) == 1 and None not in left_out
        said = {
            "height": _side(height, simple),
            "width": _side(width, simple),
            "exceptions": list(left_out.pop() or ()) if simple else [],
        }
        if not simple:
            said["holds"] = _listed(self.square)
        if self.tied:
            pair = zip(("height", "width"), (self.height, self.width), strict=True)
            said["oblong"] = {"beside": list(self.beside), **{n: _side(s, False) for n, s in pair}}
        refused = [
            {
                "side": refusal.side,
                "sizes": _listed(refusal.sizes),
                "message": refusal.message,
                "file": refusal.loc.source.name if refusal.loc else None,
                "line": refusal.loc.line if refusal.loc else None,
            }
            for refusal in self.refusals
        ]
        return {**stamp(self.name, self.knobs), **said, "text": self.text, "refused": refused}


COLUMNS = (
    Column("side", "side", "height, width or both", once=True, wraps=True),
    Column("sizes", "sizes", "the sizes", wraps=True),
    Column("count", "of them", f"how many there are up to {integer(LARGEST_RES)}", integer, True),
    Column("why", "make", "a network, or why they make none", wraps=True),
    Column("place", "place", "file and line", yields=1, wraps=True),
)


def _listed(numbers: Numbers) -> list[list[int]]:
    return [list(part) for part in numbers.progressions]


def _side(numbers: Numbers, simple: bool) -> dict[str, Any]:
    """Return the sizes of a side: as multiples, or as ranges with their steps."""
    form = numbers.multiples
    if form is None or (form.exceptions and not simple):
        return {"holds": _listed(numbers)}
    return {"multiple_of": form.multiple_of, "offset": form.offset, "min": form.min}


def walked(definition: Definition, knobs: Mapping[str, Value], walk: Walk | None = None) -> Sizes:
    """Return which sizes make a network, with the other knobs as they are.

    ``walk`` may know some of it already.

    Raises: UsageError: its input is no image. MbprofError: no size does; the error is that of the
    size that is given. LimitError: there are too many cases.
    """
    if "res" not in knobs:
        raise UsageError(f"the input of {definition.name} is no image, so that it has no sizes")
    high, wide = image = size(knobs["res"])
    top = LARGEST_RES if has_numpy() else min(LARGEST_RES, max(FEWER, 4 * max(image)))
    walk, every = walk or Walk(definition, knobs), range(1, top + 1)
    squares = walk.along(every, every)
    refused = walk.errors([high], [wide])[0]
    if refused is not None and squares.works:
        high = wide = squares.works.nearest(high)
    lines = [squares, walk.along(every, [wide] * top), walk.along([high] * top, every)]
    if not any(line.works for line in lines):
        build(definition, knobs, costed=False)
    square, height, width = (line.works for line in lines)
    found = Sizes(definition.name, knobs, image, (high, wide), height, width, square)
    told = lines if found.tied else lines[:1] if found.alike else lines[1:]
    sides = (side for side, _ in found.lines)
    refusals = (r for side, line in zip(sides, told, strict=True) for r in line.refusals(side))
    return replace(found, refusals=tuple(refusals))


def in_words(definition: Definition, knobs: Mapping[str, Value]) -> str:
    """Return which sizes make a network in a line, or why that cannot be said; "" without image."""
    if "res" not in knobs:
        return ""
    try:
        return walked(definition, knobs).text
    except MbprofError as error:
        return error.message


def possible(definition: Definition, knobs: Mapping[str, Value]) -> bool:
    """Whether an image of some size makes a network, with the other knobs as they are."""
    try:
        walked(definition, knobs)
    except MbprofError:
        return False
    return True


def nearby(definition: Definition, knobs: Mapping[str, Value], error: MbprofError) -> str | None:
    """Return the hint of a size that makes no network: which near it do, and what helps at all.

    Where none that is usual does, or a few small ones that have no room to differ, or where that
    is much work, the hint is the error's own.
    """
    try:
        walk = Walk(definition, knobs, HINTED)
        if not any(size is None for size in walk.errors(USUAL, USUAL)):
            return error.hint
        found = walked(definition, knobs, walk)
    except MbprofError:
        return error.hint
    if not any(side.values[-1:] > [side.top // 2] for _, side in found.lines):
        return error.hint
    remedy = getattr(error, "remedy", None)
    said = [found.near, f"for all sizes: {remedy}" if remedy else error.hint]
    return "; ".join(part for part in said if part)

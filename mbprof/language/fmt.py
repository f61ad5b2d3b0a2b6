"""How values, numbers and shapes are read and written; nothing before this rounds anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from mbprof.language.record import NamedTuple
from mbprof.symbolic.symbols import inside

Value: TypeAlias = "int | float | bool | str | tuple[Value, ...] | None"
Env: TypeAlias = Mapping[str, Value]
Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = tuple[Shape, ...]
Images: TypeAlias = str | Shape | Sequence[str | Shape] | None
"""The inputs of a block as a user writes them: one, several, or none where it has an example."""


class Ratio(NamedTuple):
    """An exact ratio of two counts; as a number it is not there where ``whole`` is 0.

    >>> float(Ratio(1, 4))
    0.25
    """

    part: int
    whole: int

    def __float__(self) -> float:
        return self.part / self.whole


LONGEST = 40
"""So many characters a number has at most."""
_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|(?P<no>[-+]?(nan|inf(inity)?))", re.I)
_SIZE = re.compile(r"(-?[0-9]{1,18})\s*[xX×]\s*(-?[0-9]{1,18})")
_DIGITS = r"[-+.\deE]+"


def parse(text: str) -> Value:
    """Read a value as it is typed: none, true, false, a number, HxW, or a word.

    Raises: ValueError: a number that is not finite, too large, too long, or in other digits than
    0 to 9; the message says what it has to be.

    >>> parse("0.75"), parse("224"), parse("160x224"), parse("none"), parse("Conv2d_0")
    (0.75, 224, (160, 224), None, 'Conv2d_0')
    """
    text = text.strip()
    constants: dict[str, Value] = {"none": None, "true": True, "false": False}
    if text in constants:
        return constants[text]
    if len(text) > LONGEST:
        if re.fullmatch(_DIGITS, text):
            raise ValueError(f"must have at most {LONGEST} characters")
        return text
    if size := _SIZE.fullmatch(text):
        return int(size[1]), int(size[2])
    number = _NUMBER.fullmatch(text if text.isascii() else _usual(text))
    if number is None:
        return text
    if number["no"]:
        raise ValueError("must be finite")
    if not text.isascii():
        raise ValueError("must be written with the digits 0 to 9")
    value = int(text) if _WHOLE.fullmatch(text) else float(text)
    if not inside(value):
        raise ValueError("must be at most 10^30")
    return value


def _usual(text: str) -> str:
    """Return a text with plain digits for those that are raised, lowered, wide or in a circle."""
    import unicodedata  # which few texts need

    return unicodedata.normalize("NFKC", text)


_FLAGS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def flag_meant(word: object) -> str | None:
    """Return the hint how yes and no are written, if a word is one of them.

    >>> flag_meant("yes"), flag_meant("False"), flag_meant("maybe")
    ('write true', 'write false', None)
    """
    lowered = str(word).lower()
    meant = _FLAGS.get(lowered, lowered)
    return f"write {meant}" if meant in ("true", "false") else None


def plain(value: object) -> str:
    """Write a value as it is typed.

    >>> plain(0.75), plain(1.0), plain(True), plain(None), plain((160, 224)), plain((96, 96))
    ('0.75', '1.0', 'true', 'none', '160x224', '96')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, tuple):
        return plain(value[0]) if len(set(value)) == 1 else "x".join(plain(each) for each in value)
    return repr(value) if isinstance(value, float) else str(value)


def spelled(knobs: Mapping[str, object]) -> str:
    """Write knobs with their values as people read them.

    >>> spelled({"alpha": 0.5, "res": (96, 96)})
    'alpha 0.5, res 96'
    """
    return ", ".join(f"{name} {plain(value)}" for name, value in knobs.items())


def size(value: Value) -> tuple[int, int]:
    """Return height and width of the value of a knob that is a size.

    >>> size((160, 224))
    (160, 224)
    """
    match value:
        case (int(high), int(wide)):
            return high, wide
        case _:
            raise TypeError(f"{plain(value)} is no size")


def show(shape: Shape) -> str:
    """Write a shape as C×H×W.

    >>> show((32, 112, 112))
    '32×112×112'
    """
    return "×".join(str(size) for size in shape)


def integer(value: int) -> str:
    """Group the digits of a count.

    >>> integer(567716352)
    '567,716,352'
    """
    return f"{value:,}"


def short(value: int) -> str:
    """Write a count with three or four digits and k, M, G or T.

    >>> short(567716352), short(3185088), short(150)
    ('567.7 M', '3.185 M', '150')
    """
    for unit, power in (("T", 12), ("G", 9), ("M", 6), ("k", 3)):
        if abs(value) >= 10**power:
            return f"{value / 10**power:.4g} {unit}"
    return str(value)


def several(count: int, noun: str) -> str:
    """Write how many there are of something.

    >>> several(1, "layer"), several(3, "layer")
    ('1 layer', '3 layers')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def part(count: int, whole: int, noun: str) -> str:
    """Write how many of several things are something.

    >>> part(1, 8, "row"), part(2, 8, "row")
    ('1 of 8 rows is', '2 of 8 rows are')
    """
    return f"{count:,} of {several(whole, noun)} {'is' if count == 1 else 'are'}"


def either(names: Iterable[str]) -> str:
    """List alternatives.

    >>> either(["svg", "png", "pdf"]), either(["json"])
    ('svg, png or pdf', 'json')
    """
    *more, last = names
    return f"{', '.join(more)} or {last}" if more else last


def percent(part: int, whole: int) -> str:
    """Write a share in percent, with one decimal; a dash where there is nothing to share.

    >>> percent(1, 3), percent(0, 3), percent(1, 100000), percent(0, 0)
    ('33.3', '0.0', '<0.1', '–')
    """
    if whole == 0:
        return "–"
    if 0 < part * 2000 < whole:
        return "<0.1"
    return f"{100 * part / whole:.1f}"


def signed(value: int) -> str:
    """Write a difference with its sign.

    >>> signed(1200), signed(-1200), signed(0)
    ('+1,200', '−1,200', '0')
    """
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):,}"


def change(part: int, whole: int) -> str:
    """Write a difference in percent of what was there before.

    >>> change(-1, 8), change(1, 3), change(0, 3), change(1, 10**6), change(5, 0)
    ('−12.5', '+33.3', '0.0', '+<0.1', '–')
    """
    said = percent(abs(part), whole)
    return said if part == 0 or whole == 0 else f"{'+' if part > 0 else '−'}{said}"


def ratio(part: int, whole: int) -> str:
    """Write a ratio with two decimals, fewer where it is large; a dash where there is none.

    >>> ratio(1, 3), ratio(25, 2), ratio(1, 999), ratio(0, 5), ratio(5, 0)
    ('0.33', '12.5', '<0.01', '0.00', '–')
    """
    if whole == 0:
        return "–"
    if 0 < part * 200 < whole:
        return "<0.01"
    value = part / whole
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def shape(value: Shape | None) -> str:
    """Write a shape, a kernel or a stride, a dash where there is none.

    >>> shape((32, 112, 112)), shape((3, 3)), shape(()), shape(None)
    ('32×112×112', '3×3', '–', '–')
    """
    return show(value) if value else "–"


pair = shape


def bar(part: int, whole: int, width: int = 8) -> str:
    """Draw a share as a bar of eighths of a character.

    >>> bar(1, 2, 4), bar(0, 2, 4)
    ('██', '')
    """
    if whole == 0:
        return ""
    eighths = round(8 * width * part / whole)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()

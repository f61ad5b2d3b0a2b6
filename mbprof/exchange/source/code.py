"""Pieces of source code with slots for values, and lines of it that fit a page."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from mbprof.language.record import NamedTuple

WIDTH = 100
"""Columns of a line, as the formatters of Python are told."""


class Name(str):
    """A value that is written as it stands: the name of a class or function."""

    __slots__ = ()


class Arg(NamedTuple):
    """A value in its place; ``role`` names an argument that stands for it."""

    role: str
    value: Any


class New(NamedTuple):
    """An object that is made: a class, and keyword, value and default of its arguments.

    A keyword that is empty makes an argument positional; one that has its default is left out.
    """

    what: Name | Arg
    args: tuple[tuple[str, Any, Any], ...] = ()


class In(NamedTuple):
    """An input of a step, by its number."""

    number: int


class Own(NamedTuple):
    """The module that a step keeps."""


Text: TypeAlias = tuple[str | Arg | In | Own, ...]


class Written(NamedTuple):
    """How an op is written: modules, one behind the other, or a text where it is no plain call.

    ``place`` is the module that has the op's stored values, and ``weighted`` the way from there to
    what has them if it only wraps that.
    """

    modules: tuple[New, ...] = ()
    text: Text = ()
    weighted: str = ""
    place: int = -1


def new(what: str, *args: Any, **keywords: tuple[Any, Any]) -> New:
    """Return an object to make; a keyword's value is its argument and its default."""
    named = [(name, value, default) for name, (value, default) in keywords.items()]
    return New(Name(what), (*(("", value, None) for value in args), *named))


def slots(code: Any) -> Iterator[Arg]:
    """Yield the values of code, in order."""
    if isinstance(code, Arg):
        yield code
    elif isinstance(code, New):
        yield from slots(code.what)
        for _, value, _ in code.args:
            yield from slots(value)
    elif type(code) is tuple:
        for part in code:
            yield from slots(part)


def skeleton(code: Any) -> Any:
    """Return code without its values: two pieces that are equal so differ in values alone.

    >>> skeleton(new("f", Arg("k", 3))) == skeleton(new("f", Arg("k", 5)))
    True
    """
    if isinstance(code, Arg):
        return Arg(code.role, None)
    if isinstance(code, New):
        args = tuple((name, skeleton(value), default) for name, value, default in code.args)
        return ("new", skeleton(code.what), args)
    return tuple(map(skeleton, code)) if type(code) is tuple else code


def literal(value: Any) -> str:
    """Write a value as Python does, text in double quotes."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        inner = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def made(code: Any, texts: Iterator[str]) -> str:
    """Write what makes an object; ``texts`` are what stands for the values of its slots."""
    if isinstance(code, Arg):
        return next(texts)
    if not isinstance(code, New):
        return literal(code)
    what, args = made(code.what, texts), []
    for name, value, default in code.args:
        text = made(value, texts)
        if name and text == literal(default):
            continue
        args.append(f"{name}={text}" if name else text)
    return f"{what}({', '.join(args)})"


def identifier(text: str, taken: Iterable[str] = ()) -> str:
    """Return a text as a name that Python takes and that is not taken.

    >>> identifier("blocks.0/attn.qkv"), identifier("1x1"), identifier("x", ["x"])
    ('blocks_0_attn_qkv', 'layer_1x1', 'x_2')
    """
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower() or "layer"
    if name[0].isdigit():
        name = f"layer_{name}"
    if keyword.iskeyword(name):
        name += "_"
    base, number = name, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def camel(text: str) -> str:
    """Return a text as the name of a class.

    >>> camel("inv_res"), camel("shufflenet_v2")
    ('InvRes', 'ShufflenetV2')
    """
    words = [word for word in re.split(r"[\W_]+", text, flags=re.ASCII) if word]
    name = "".join(word[0].upper() + word[1:] for word in words) or "Net"
    return name if not name[0].isdigit() and name not in ("None", "True", "False") else f"Net{name}"


def wrapped(line: str, indent: str, after: str = "") -> list[str]:
    """Break a line that is too long in the brackets that it ends with, as formatters do.

    >>> wrapped("x = f(" + ", ".join(["a" * 30] * 4) + ")", "")[1].startswith("    aaa")
    True
    """
    if len(indent) + len(line) + len(after) <= WIDTH or line.startswith("#"):
        return [indent + line + after]
    opening = _opening(line)
    if opening is None:
        return [indent + line + after]
    head, inner, close = line[: opening + 1], line[opening + 1 : -1], line[-1]
    deeper = indent + "    "
    items = parted(inner)
    if len(deeper) + len(inner) <= WIDTH and not inner.endswith(","):
        body = [deeper + inner]
    else:
        body = [row for item in items for row in wrapped(item, deeper, ",")]
    return [indent + head, *body, indent + close + after]


def _depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield each character that stands in no quotes: its place, itself, and the brackets around."""
    depth, quoted = 0, ""
    for place, sign in enumerate(text):
        if quoted:
            quoted = "" if sign == quoted else quoted
            continue
        if sign in "\"'":
            quoted = sign
        depth -= sign in ")]}"
        yield place, sign, depth
        depth += sign in "([{"


def _opening(line: str) -> int | None:
    """Return where the bracket opens that the line's last character closes."""
    places = list(_depths(line))
    if not places or places[-1][0] != len(line) - 1 or line[-1] not in ")]}":
        return None
    start = max(place for place, _, depth in places[:-1] if depth == places[-1][2])
    return start if len(line) - 1 - start > 1 else None


def parted(text: str) -> list[str]:
    """Split a text at the commas that stand in no bracket.

    >>> parted("a, f(b, c), [d, e]")
    ['a', 'f(b, c)', '[d, e]']
    """
    ends = [place for place, sign, depth in _depths(text) if sign == "," and depth == 0]
    parts = [text[i + 1 : j].strip() for i, j in pairwise([-1, *ends, len(text)])]
    return [part for part in parts if part]


def listed(items: Sequence[str]) -> str:
    """Write a tuple of names for an assignment or a return."""
    return ", ".join(items)

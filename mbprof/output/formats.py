"""What formats have in common: their registry, plain data as text, and the stamp of an output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

from mbprof import __version__
from mbprof.errors import UsageError, unknown
from mbprof.language import fmt
from mbprof.language.fmt import Ratio, Value
from mbprof.language.record import NamedTuple
from mbprof.output import inert

if TYPE_CHECKING:
    from json import JSONEncoder

KEYS = ("version", "spec", "knobs", "scope", "convention", "unit")
"""What a stamp can say, in its order."""

W = TypeVar("W")
W_co = TypeVar("W_co", covariant=True)


class Format(NamedTuple, Generic[W_co]):
    """A format: its name, how it is written, and which files and columns it has."""

    name: str
    write: W_co
    endings: tuple[str, ...] = ()
    """The endings of its files; the first is its own, others may belong to another format."""
    layout: str = "data"
    """Which columns it shows unless told otherwise: ``terminal``, ``page`` or ``data``."""

    def takes(self, path: str) -> int:
        """Return how long the ending of a file is that is one of the format's; 0 if none is."""
        name = PurePath(path).name.lower()
        return max((len(e) for e in self.endings if name.endswith(e) and name != e), default=0)


class Formats(dict[str, Format[W]]):
    """The formats of a kind of result by their names; the first one is the usual one."""

    def __missing__(self, name: str) -> Format[W]:
        raise unknown("format", name, self)

    def add(self, name: str, *endings: str, layout: str = "data") -> Callable[[W], W]:
        """Register a writer as a format."""

        def register(write: W) -> W:
            self[name] = Format(name, write, endings, layout)
            return write

        return register

    def of_file(self, path: str | None) -> Format[W] | None:
        """Return the format that the ending of a file says, if it says one."""
        if path is None:
            return None
        best = max(self.values(), key=lambda known: known.takes(path))
        return best if best.takes(path) else None

    def choose(
        self,
        name: str | None = None,
        path: str | None = None,
        usual: str | None = None,
        option: str = "--format",
    ) -> Format[W]:
        """Return the format with a name, else that of a file, else the usual one.

        The first format is the usual one, if it is for a terminal. ``option`` gives the name.
        Raises: UsageError: no such format, or the file's ending says another one, or none.
        """
        said = self.of_file(path)
        if name is None:
            first = next(iter(self.values()))
            if said is None and usual is None and first.layout != "terminal":
                endings = fmt.either(dict.fromkeys(known.endings[0] for known in self.values()))
                raise UsageError(f"{path} has no ending of a format", hint=f"end it in {endings}")
            return said or self[usual or first.name]
        chosen = self[name]
        if said is not None and path is not None and not chosen.takes(path):
            ending = chosen.endings[0] if chosen.endings else ".txt"
            raise UsageError(
                f"{option} {name}, but {path} has the ending of {said.name}",
                hint=f"leave {option} out, or write to a file that ends in {ending}",
            )
        return chosen


def to_json(value: Any, indent: int | None = 1) -> str:
    r"""Write a value as JSON, on one line if ``indent`` is None.

    What acts or hides in a text stands as its number: a reader gets the text as it is.
    Raises: ValueError: a number is not finite; JSON has no word for it.

    >>> to_json({"res": (8, 8), "α": None, "b\u202e": 1}, None)
    '{"res": [8, 8], "α": null, "b\\u202e": 1}'
    """
    text = _encoder(indent).encode(value)
    return text if text.isascii() and "\x7f" not in text and "##" not in text else inert.json(text)


@cache
def _encoder(indent: int | None) -> JSONEncoder:
    from json import JSONEncoder

    def plain(value: Any) -> Any:
        return dict(value) if hasattr(value, "items") else list(value)

    return JSONEncoder(indent=indent, ensure_ascii=False, allow_nan=False, default=plain)


def rows_of(file: IO[str]) -> Any:
    """Return a writer of rows as CSV, which quotes what needs it."""
    import csv

    return csv.writer(file, lineterminator="\n")


def cell(value: Any) -> Any:
    """Return a value as a cell of CSV; a text is no formula of a spreadsheet.

    >>> cell((3, 3)), cell({"alpha": 0.5}), cell(True), cell(None), cell(("a", "b")), cell("=a")
    ('3x3', 'alpha=0.5', 'true', '', 'a b', "'=a")
    >>> cell(Ratio(1, 4)), cell(Ratio(0, 0))
    (0.25, '')
    """
    if isinstance(value, Ratio):
        return float(value) if value.whole else ""
    if getattr(value, "denominator", 1) != 1:
        return float(value)
    if isinstance(value, Mapping):
        return inert.cell(" ".join(f"{name}={cell(inner)}" for name, inner in value.items()))
    if isinstance(value, tuple | list):
        between = " " if any(isinstance(part, str) for part in value) else "x"
        return inert.cell(between.join(map(str, value)))
    if isinstance(value, str):
        return inert.cell(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def stamp(
    spec: str | None = None,
    knobs: Mapping[str, Value] | None = None,
    scope: str | None = None,
    convention: Any = None,
) -> dict[str, Any]:
    """Return what stands in machine-readable outputs; what is not given is left out.

    A convention also says its unit; its name alone does not.

    >>> {**stamp("net", {"res": (8, 8)}, "all"), "version": "1"}
    {'version': '1', 'spec': 'net', 'knobs': {'res': 8}, 'scope': 'all'}
    """
    values = None if knobs is None else {name: _plain(value) for name, value in knobs.items()}
    name = getattr(convention, "name", convention)
    said = stamped(dict(zip(KEYS, (__version__, spec, values, scope, name), strict=False)))
    return {**said, "unit": convention.unit or None} if name is not convention else said


def stamped(data: Any) -> dict[str, Any]:
    """Return the stamp that data bears; only the version of what has none.

    >>> sorted(stamped({"scope": "all", "version": "1", "layers": []}))
    ['scope', 'version']
    """
    said = data if isinstance(data, Mapping) and "version" in data else {"version": __version__}
    return {key: said[key] for key in KEYS if said.get(key) is not None}


def _plain(value: Value) -> Value:
    """Return a knob's value; a square size is one number."""
    square = isinstance(value, tuple) and len(set(value)) == 1
    return value[0] if square and isinstance(value, tuple) else value


@cache
def _site() -> str:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        links = metadata("mbprof").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from its folder
        return ""
    manual = (link.partition(", ") for link in links)
    return next((address for label, _, address in manual if label == "Manual"), "")


def page_address(folder: str, name: str) -> str:
    """Return the address of a page of the manual; empty where pyproject.toml names no site."""
    return f"{_site()}/{folder}/{name}/" if _site() else ""

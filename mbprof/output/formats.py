"""The formats of one kind of result: a registry of writers with their names and file endings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Generic, TypeVar

from mbprof.errors import UsageError, unknown
from mbprof.language import fmt

W = TypeVar("W")
W_co = TypeVar("W_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Format(Generic[W_co]):
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
        self, name: str | None = None, path: str | None = None, usual: str | None = None
    ) -> Format[W]:
        """Return the format with a name, else that of a file, else the usual one.

        The first format is the usual one, if it is for a terminal.
        Raises: UsageError: no such format, or the file's ending says another one, or none.
        """
        said = self.of_file(path)
        if name is None:
            first = next(iter(self.values()))
            if said is None and usual is None and first.layout != "terminal":
                endings = fmt.either(known.endings[0] for known in self.values())
                raise UsageError(f"{path} has no ending of a format", hint=f"end it in {endings}")
            return said or self[usual or first.name]
        chosen = self[name]
        if said is not None and path is not None and not chosen.takes(path):
            ending = chosen.endings[0] if chosen.endings else ".txt"
            raise UsageError(
                f"--format {name}, but {path} has the ending of {said.name}",
                hint=f"leave --format out, or write to a file that ends in {ending}",
            )
        return chosen

"""Reading a FlatBuffer that nobody vouches for: every offset and length is checked before use.

Source: the FlatBuffers internals document, "Format of a FlatBuffer": a table stands behind a
signed offset to its vtable, and the vtable says where in the table each field stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_READ = 20_000_000
"""Numbers, characters and tables that are read of one file; they can share places in it."""


class Malformed(Exception):
    """An offset or a length leads out of the file; the argument says which."""


@dataclass(slots=True)
class Bytes:
    """The bytes of a file, and how much of them may still be read."""

    view: memoryview
    left: int = field(default=MAX_READ)

    def unpack(self, form: str, at: int) -> tuple[int, ...]:
        """Return the numbers of a `struct` format, little-endian.

        Raises: Malformed: they do not lie in the file, or too much was read already.
        """
        size = struct.calcsize(f"<{form}")
        if at < 0 or at + size > len(self.view):
            raise Malformed(f"byte {at:,} of {len(self.view):,} is asked for")
        self.spend(size)
        return struct.unpack_from(f"<{form}", self.view, at)

    def spend(self, size: int) -> None:
        """Count what is read.

        Raises: Malformed: it is too much.
        """
        self.left -= size
        if self.left < 0:
            raise Malformed("its parts refer to the same places over and over")

    def root(self) -> Table:
        """Return the table at the root.

        Raises: Malformed: there is none.
        """
        return Table(self, self.unpack("I", 0)[0])


class Table:
    """One table; a field is known by its number in the schema, from 0."""

    __slots__ = ("at", "data", "inline", "places")

    def __init__(self, data: Bytes, at: int) -> None:
        (back,) = data.unpack("i", at)
        vtable = at - back
        size, self.inline = data.unpack("HH", vtable)
        if size < 4 or size % 2 or at + self.inline > len(data.view):
            raise Malformed(f"the table at byte {at:,} has no valid list of its fields")
        self.data, self.at = data, at
        self.places = data.unpack(f"{size // 2 - 2}H", vtable + 4)
        # Generated readers look at any of them, and none is smaller than a byte.
        if any(place >= self.inline for place in self.places):
            raise Malformed(f"a field of the table at byte {at:,} lies outside of it")

    def place(self, number: int) -> int | None:
        """Return where a field stands, None where it is left out."""
        place = self.places[number] if number < len(self.places) else 0
        return self.at + place if place else None

    def number(self, number: int, form: str = "i", default: int = 0) -> int:
        """Return the value of a field."""
        at = self.place(number)
        return default if at is None else self.data.unpack(form, at)[0]

    def table(self, number: int) -> Table | None:
        """Return the table that a field refers to."""
        at = self.place(number)
        return None if at is None else Table(self.data, self._target(at))

    def tables(self, number: int) -> Iterator[Table]:
        """Yield the tables of a list."""
        at, count = self._list(number, 4)
        for place in range(at, at + 4 * count, 4):
            yield Table(self.data, self._target(place))

    def numbers(self, number: int, form: str = "i", most: int = 100_000) -> tuple[int, ...]:
        """Return the numbers of a list.

        Raises: Malformed: there are more than ``most``.
        """
        at, count = self._list(number, struct.calcsize(form))
        if count > most:
            raise Malformed(f"a list of {count:,} numbers, where {most:,} are the most")
        return self.data.unpack(f"{count}{form}", at)

    def bytes(self, number: int) -> memoryview:
        """Return the bytes of a list, without reading them."""
        at, count = self._list(number, 1)
        return self.data.view[at : at + count]

    def text(self, number: int, most: int = 1000) -> str:
        """Return a text, of a longer one the beginning."""
        raw = self.bytes(number)[:most]
        self.data.spend(len(raw))
        return bytes(raw).decode("utf-8", errors="replace")

    def _target(self, at: int) -> int:
        return at + self.data.unpack("I", at)[0]

    def _list(self, number: int, size: int) -> tuple[int, int]:
        """Return where the items of a list stand, and how many there are."""
        at = self.place(number)
        if at is None:
            return 0, 0
        at = self._target(at)
        (count,) = self.data.unpack("I", at)
        if at + 4 + count * size > len(self.data.view):
            raise Malformed(f"a list of {count:,} items at byte {at:,} reaches beyond the end")
        return at + 4, count

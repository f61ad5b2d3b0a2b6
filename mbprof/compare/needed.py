"""What two networks need on a device, and what became of it: in total, and row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mbprof.device.lanes import COLUMNS, Needs
from mbprof.device.parts import BOUND
from mbprof.device.parts import columns as parted
from mbprof.language import fmt
from mbprof.language.record import record
from mbprof.output import Column

Numbers = Mapping[str, Any]
"""What a network or a row needs, by the names of the columns."""


@record
class Needed:
    """What an old and a new network need: in total, and the rows of each by their names."""

    needs: Needs | None = None
    totals: tuple[Numbers, ...] = ({}, {})
    parts: tuple[Mapping[str, Numbers], ...] = ({}, {})

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of rows."""
        return parted(self.needs) if self.needs else ()

    @property
    def stamp(self) -> dict[str, Any]:
        """What is counted, as plain data."""
        return self.needs.stamp if self.needs else {}

    @property
    def delta(self) -> dict[str, int]:
        """How much more the new network needs in total."""
        before, after = self.totals
        return {name: after[name] - before[name] for name in after}

    def lead(self) -> Iterator[str]:
        """Say what became of the totals."""
        for name, new in self.totals[1].items():
            yield became(COLUMNS[name].heading, self.totals[0][name], new)

    def notes(self) -> Iterator[str]:
        """Say what is counted."""
        if self.needs is not None:
            yield self.needs.said

    def columns(self) -> Iterator[Column]:
        """Yield the columns of rows."""
        for name in self.names:
            if name == BOUND.name:
                yield BOUND
                continue
            column = COLUMNS[name]
            doc = f"difference in {column.doc}, the sum of rows that are put together"
            if name == "peak_bytes":
                doc = "difference in the most live bytes while it runs"
            heading = f"Δ {column.heading}"
            yield replace(column, heading=heading, doc=doc, text=fmt.signed)

    def of(self, rows: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return how much more some new rows need than some old ones, and what bounds them."""
        found: dict[str, Any] = {}
        for name in self.names:
            old, new = (
                [parts[row][name] for row in side]
                for parts, side in zip(self.parts, rows, strict=True)
            )
            if name == BOUND.name:
                sides = ("/".join(dict.fromkeys(filter(None, bounds))) for bounds in (old, new))
                found[name] = " → ".join(dict.fromkeys(filter(None, sides))) or None
            elif name == "peak_bytes":
                found[name] = max(new, default=0) - max(old, default=0)
            else:
                found[name] = sum(new) - sum(old)
        return found


def became(word: str, old: int, new: int) -> str:
    """Say what became of a number."""
    if old == new:
        return f"{word}: {fmt.integer(new)}, no change"
    change = f"{fmt.signed(new - old)}, {fmt.change(new - old, old)} %"
    return f"{word}: {fmt.integer(old)} → {fmt.integer(new)} ({change})"

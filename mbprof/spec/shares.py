"""What ``share:`` says: a name is said by two steps at least, or by one that is repeated."""

from __future__ import annotations

from collections.abc import Iterator

from mbprof.errors import SpecError, nearest
from mbprof.language.source import Scalar
from mbprof.spec.model import Table
from mbprof.spec.steps import RepeatStep


def check_shares(*tables: Table) -> None:
    """Refuse a name of ``share:`` that a single step says, which is done once.

    Raises: SpecError: with the nearest of the other names.
    """
    said = [found for table in tables for found in _shares(table, False)]
    names = [name.text for name, _ in said]
    for name, often in said:
        if not often and names.count(name.text) == 1:
            others = [other for other in names if other != name.text]
            message = f"nothing else says share: {name.text}"
            usual = "a layer shares its weights with another step of that name, or has n:"
            hint = nearest(name.text, others) if others else usual
            raise SpecError(message, name.loc, hint)


def _shares(table: Table, often: bool) -> Iterator[tuple[Scalar, bool]]:
    """Yield the names of ``share:`` in a table, and whether their steps may be done often."""
    for step in table.steps:
        many = often or step.wiring.times is not None
        if step.wiring.share is not None:
            yield step.wiring.share, many
        for inner in step.tables:
            repeated = many or inner.times is not None or isinstance(step, RepeatStep)
            yield from _shares(inner, repeated)

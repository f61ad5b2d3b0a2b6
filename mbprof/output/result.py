"""What a public function answers: an object that says in a line, a table or data what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from mbprof.output.html import fragment
from mbprof.output.model import Report

if TYPE_CHECKING:
    import pandas

_LONGEST = 160


def line(what: object, said: str) -> str:
    """Return the line by which an object shows itself: its class, and what is said of it."""
    said = " ".join(said.split())
    short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    return f"<{type(what).__name__} {short}>"


class Brief(ABC):
    """What shows itself in one line, whatever it holds: its class and its ``brief``.

    A dataclass of this kind is made with ``repr=False``.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def brief(self) -> str:
        """What it is, in a few words."""

    def __repr__(self) -> str:
        return line(self, self.brief)


class Result(Brief):
    """An answer, which a notebook shows as a table; every format writes the same `report`."""

    __slots__ = ()

    @abstractmethod
    def report(self, layout: str = "page") -> Report:
        """Lay the answer out for a layout: terminal, page or data."""

    @property
    def brief(self) -> str:
        """The title of the report."""
        return self.report().title

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, as ``--format json`` prints it; a list is ``rows``."""
        data = self.report("data").data
        return data if isinstance(data, dict) else {"rows": data}

    def to_frame(self) -> pandas.DataFrame:
        """Return the answer as a pandas DataFrame, whose columns are those of ``--format csv``."""
        import pandas

        report = self.report("data")
        names = [column.name for column in report.columns]
        rows = [[row.get(name) for name in names] for row in report.rows]
        return pandas.DataFrame(rows, columns=names)

    def _repr_html_(self) -> str:
        return fragment(self.report())

"""What a search is after: costs to be small or large, and limits that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mbprof.errors import UsageError, unknown
from mbprof.language.record import NamedTuple
from mbprof.sweeps.axes import Column
from mbprof.sweeps.front import unbeaten
from mbprof.sweeps.spaces.choices import Choices


class Goals(NamedTuple):
    """The number of each cost that counts, with -1 where more is better; and limits of costs."""

    aims: tuple[tuple[int, int], ...]
    limits: Mapping[int, int]

    @property
    def signed(self) -> list[tuple[int, int]]:
        """What a network is judged by: the aims, and costs that have a limit."""
        limited = ((cost, 1) for cost in self.limits)
        return list(dict.fromkeys([*self.aims, *limited]))

    def meets(self, costs: Column, more: Column | None = None) -> Column:
        """Return which rows are within the limits, perhaps with what is added to each."""
        import numpy as np

        kept = np.ones(len(costs), dtype=bool)
        for cost, limit in self.limits.items():
            kept &= costs[:, cost] <= limit - (0 if more is None else more[cost])
        return kept

    def unbeaten(self, costs: Column) -> Column:
        """Return the numbers of the rows that no other one beats, of equal ones the first."""
        import numpy as np

        columns = [costs[:, cost] * sign for cost, sign in self.signed]
        if len(columns) == 1:
            return columns[0].argmin()[None]
        kept = np.flatnonzero(unbeaten(columns))
        table = np.stack([column[kept] for column in columns], axis=1)
        return kept[np.sort(np.unique(table, axis=0, return_index=True)[1])]

    def best(self, costs: Column) -> Column:
        """Return the numbers of the best rows of those within limits, in order of the aims.

        With one aim that is one row; of several as good that which costs less otherwise.
        """
        import numpy as np

        others = [costs[:, n] for n in range(costs.shape[1])]
        aims = [costs[:, cost] * sign for cost, sign in self.aims]
        rows = np.arange(len(costs))
        if len(aims) > 1:
            rows = np.flatnonzero(unbeaten(aims))
            table = np.stack([aim[rows] for aim in aims], axis=1)
            rows = rows[np.unique(table, axis=0, return_index=True)[1]]
        ordered = rows[np.lexsort([column[rows] for column in [*others[::-1], *aims[::-1]]])]
        return ordered if len(aims) > 1 else ordered[:1]


def goals(
    found: Choices,
    maximize: str | None,
    minimize: str | None,
    front: Sequence[str],
    limits: Mapping[str, int],
) -> Goals:
    """Read what is wanted: one cost, or a front over several.

    Raises: UsageError: an unknown cost, or nothing is wanted.
    """
    signs = dict.fromkeys(_listed(maximize), -1) | dict.fromkeys(_listed(minimize), 1)
    for name in front:
        signs.setdefault(name, 1)
    if not signs:
        raise UsageError("nothing is wanted", hint="give --maximize params, or --front params,macs")
    for name in signs:
        if name not in found.names:
            raise unknown("cost", name, found.names)
    if len(signs) > 1 and not front:
        raise UsageError("several costs are wanted", hint="--front params,macs looks for a front")
    if front and len(signs) < 2:
        raise UsageError("a front needs two costs or more", hint="--front params,macs")
    number = found.names.index
    return Goals(
        tuple((number(name), sign) for name, sign in signs.items()),
        {number(name): limit for name, limit in limits.items()},
    )


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]

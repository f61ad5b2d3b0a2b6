"""Published accuracies, and estimates between them, as columns of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbprof.errors import UsageError, nearest
from mbprof.language.values import Value
from mbprof.published.accuracy import Published, default_series, join, rows_of, series
from mbprof.published.estimate import estimate
from mbprof.spec.model import Definition

MAX_ROWS = 100_000
NAMES = ("top1", "top1_estimate", "top1_error", "series")


@dataclass(frozen=True, slots=True)
class Joined:
    """Adds what one series published of a spec to the rows of a sweep.

    ``top1`` stands where exactly this configuration was published; ``top1_estimate`` where it lies
    inside a dense grid of such cells, with ``top1_error``, the mean error on held-out cells.
    """

    definition: Definition
    fixed: Mapping[str, Value]
    series: str

    @classmethod
    def of(cls, definition: Definition, fixed: Mapping[str, Value], name: str | None) -> Joined:
        """Choose a series, the default one if none is named.

        Raises: UsageError: nothing is published of the network, or no such series.
        """
        known = series(definition)
        if not known:
            raise UsageError(f"no accuracy of {definition.name} is in the data set")
        chosen = name or default_series(definition) or next(iter(known))
        if chosen not in known:
            raise UsageError(
                f"{definition.name} has no series {chosen!r}", hint=nearest(chosen, known, 12)
            )
        return cls(definition, fixed, chosen)

    def columns(self, rows: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Return the columns that are added to some rows.

        Raises: UsageError: there are too many rows to look up one by one.
        """
        import numpy as np

        if count > MAX_ROWS:
            raise UsageError(f"accuracies are looked up for at most {MAX_ROWS:,} configurations")
        found = {name: np.full(count, np.nan) for name in NAMES[:3]}
        names = list(rows)
        for i, values in enumerate(zip(*(rows[name].tolist() for name in names), strict=True)):
            top1, guess, error = self.cell(dict(zip(names, values, strict=True)))
            found["top1"][i], found["top1_estimate"][i], found["top1_error"][i] = top1, guess, error
        label = np.empty(count, dtype=object)
        label[:] = self.series
        return {**found, "series": label}

    def cell(self, values: Mapping[str, Any]) -> tuple[float, float, float]:
        """Return the published accuracy of a configuration, the estimate and its error."""
        knobs = {**self.fixed, **values}
        res: Any = knobs["res"]
        side = res if isinstance(res, int) else res[0] if res[0] == res[1] else None
        alpha: Any = knobs.get("alpha")
        if side is None:
            return math.nan, math.nan, math.nan
        row = join(self.definition, alpha, side, self.series, knobs)
        top1 = row.top1 if row is not None and row.top1 is not None else math.nan
        if alpha is None or not self.alike(alpha, knobs):
            return top1, math.nan, math.nan
        try:
            guess = estimate(self.definition, alpha, side, self.series)
        except UsageError:
            return top1, math.nan, math.nan
        return top1, guess.top1, guess.error_mean

    def alike(self, alpha: float, knobs: Mapping[str, Any]) -> bool:
        """Whether the published networks of the widths around are the same but for the width."""
        rows = [row for row in rows_of(self.definition) if row.series == self.series]
        widths = sorted({row.alpha for row in rows if row.alpha is not None})
        below = max((width for width in widths if width <= alpha), default=None)
        above = min((width for width in widths if width >= alpha), default=None)
        around: Sequence[Published] = [row for row in rows if row.alpha in (below, above)]
        return all(
            knobs.get(name) == value
            for row in around
            for name, value in row.knobs.items()
            if name != "alpha"
        )

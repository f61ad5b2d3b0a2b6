"""Published accuracies, and estimates between them, as columns of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mbprof.errors import UsageError
from mbprof.language.fmt import Value
from mbprof.published.accuracy import has_knobs, join
from mbprof.published.estimate import estimate
from mbprof.published.rows import default_series, in_series, series
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
        in_series(definition, chosen)
        return cls(definition, fixed, chosen)

    def columns(self, rows: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Return the columns that are added to some rows.

        Raises: UsageError: there are too many rows to look up one by one.
        """
        import numpy as np

        if count > MAX_ROWS:
            raise UsageError(f"accuracies are looked up for at most {MAX_ROWS:,} configurations")
        names = list(rows)
        cells = [
            self.cell(dict(zip(names, values, strict=True)))
            for values in zip(*(rows[name].tolist() for name in names), strict=True)
        ]
        accuracies = np.array(cells, dtype=np.float64).reshape(count, len(NAMES) - 1)
        label = np.full(count, self.series, dtype=object)
        return dict(zip(NAMES, (*accuracies.T, label), strict=True))

    def cell(self, values: Mapping[str, Any]) -> tuple[float, float, float]:
        """Return the published accuracy of a configuration, the estimate and its error."""
        knobs = {**self.fixed, **values}
        res: Any = knobs["res"]
        side = res if isinstance(res, int) else res[0] if res[0] == res[1] else None
        alpha: Any = knobs.get("alpha")
        if side is None:
            return math.nan, math.nan, math.nan
        row = join(self.definition, alpha, side, self.series, knobs)
        top1 = math.nan if row is None else row.top1
        if alpha is None or not self.alike(alpha, knobs):
            return top1, math.nan, math.nan
        try:
            guess = estimate(self.definition, alpha, side, self.series)
        except UsageError:
            return top1, math.nan, math.nan
        return top1, guess.top1, guess.error_mean

    def alike(self, alpha: float, knobs: Mapping[str, Any]) -> bool:
        """Whether the published networks of the widths around are the same but for the width."""
        rows = in_series(self.definition, self.series)
        widths = {row.alpha for row in rows if row.alpha is not None}
        below = max((width for width in widths if width <= alpha), default=None)
        above = min((width for width in widths if width >= alpha), default=None)
        return all(has_knobs(row, knobs) for row in rows if row.alpha in (below, above))

"""What varies in a design space: knobs with their values, and the costs of rows of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mbprof.errors import UsageError
from mbprof.network.load import Spec
from mbprof.sweeps.axes import CHUNK, Axis, Column, Random, planned
from mbprof.sweeps.sweep import Sweep, plan_sweep

ENUMERATED = 1 << 20
"""So many configurations are costed one and all."""


@dataclass(frozen=True)
class Choices:
    """A spec with the values of the knobs that vary; a row has the number of a value of each."""

    sweep: Sweep

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.sweep.plan.axes

    @property
    def names(self) -> tuple[str, ...]:
        """The costs that are counted: params, and MACs or FLOPs as the convention counts."""
        return self.sweep.outputs

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def count(self) -> int:
        """How many configurations there are."""
        return math.prod(self.sizes)

    def drawn(self, rng: Any, count: int) -> Column:
        """Draw rows, each configuration as likely as any other."""
        import numpy as np

        return np.stack([rng.integers(0, size, count) for size in self.sizes], axis=1)

    def enumerated(self) -> Column:
        """Return every row; the last knob changes fastest."""
        import numpy as np

        return np.stack(np.unravel_index(np.arange(self.count), self.sizes), axis=1)

    def costs(self, rows: Column) -> tuple[Column, Column]:
        """Return the costs of rows, a column each, and which of the rows make a network.

        Raises: MbprofError: one makes none, of whatever size.
        """
        import numpy as np

        parts, made = [], []
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            columns = {
                axis.knob.name: axis.cells[chosen]
                for axis, chosen in zip(self.axes, part.T, strict=True)
            }
            found, errors = self.sweep.costed(columns, len(part))
            parts.append(np.stack([found[name] for name in self.names], axis=1))
            made.append(np.ones(len(part), bool) if errors is None else errors == None)  # noqa: E711
        return np.concatenate(parts), np.concatenate(made)

    def values(self, row: Sequence[int]) -> dict[str, Any]:
        """Return the knobs of a row."""
        pairs = zip(self.axes, row, strict=True)
        return {axis.knob.name: axis.values[number] for axis, number in pairs}


def choices(
    spec: Spec,
    given: Mapping[str, Any],
    convention: str = "kernels",
    scope: str | None = None,
) -> Choices:
    """Return the space of the knobs that have ``one_of``, and of those that values are given of.

    Raises: KnobError: a knob that the spec lacks, or values that it does not take. UsageError:
    nothing varies.
    """
    own = {knob.name: knob.one_of for knob in spec.definition.knobs.values() if knob.one_of}
    axes = planned(spec, {**{n: list(v) for n, v in own.items()}, **given}, None, 1).axes
    if not axes:
        raise UsageError(
            f"no knob of {spec.name} says which values it takes",
            hint="give values, such as --alpha 0.5,1.0, or write one_of in the spec",
        )
    if any(axis.continuous for axis in axes):
        raise UsageError("a space has single values", hint="write a range as START:STOP:STEP")
    return Choices(plan_sweep(spec, Random(axes, 1, 0), convention, scope))

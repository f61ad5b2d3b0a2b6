"""Many configurations of a spec: planned, costed in chunks, filtered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from mbprof.language.fmt import plain
from mbprof.network import conventions
from mbprof.network.load import Spec
from mbprof.network.many import Engine, counter, outputs
from mbprof.output.formats import stamp
from mbprof.output.model import Brief
from mbprof.published.estimate import NAMES as ACCURACY
from mbprof.published.estimate import Joined
from mbprof.spec.sections import chosen_scope
from mbprof.sweeps.axes import CHUNK, Axis, Column, Plan, sides
from mbprof.sweeps.filters import Where


@dataclass(slots=True, repr=False)
class Sweep(Brief):
    """A plan and how to cost it; chunks of configurations come out as columns."""

    spec: Spec
    plan: Plan
    convention: str = "kernels"
    scope: str = "all"
    where: Where | None = None
    accuracies: Joined | None = None
    engines: dict[tuple[str, ...], Engine] = field(default_factory=dict)

    @property
    def brief(self) -> str:
        """The spec, the axes and how many configurations they make."""
        axes = ", ".join(axis.knob.name for axis in self.plan.axes)
        return f"{self.spec.name} over {axes}, {self.plan.count:,} configurations"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the knobs that vary, params and costs, accuracies if they are asked for."""
        more = ACCURACY if self.accuracies is not None else ()
        return (*(axis.knob.name for axis in self.plan.axes), *self.outputs, *more)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns that are computed: params, and MACs or FLOPs as the convention counts."""
        return outputs(self.convention)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The knobs that vary."""
        return self.plan.axes

    @property
    def title(self) -> str:
        """What is swept."""
        return self.spec.name

    @property
    def count(self) -> int:
        """How many configurations there are."""
        return self.plan.count

    def stamps(self, chunk: Mapping[str, Column]) -> Iterator[dict[str, Any]]:
        """Yield the stamp of each row of a chunk."""
        yield from repeat(self.stamp(), len(chunk[self.names[0]]))

    def stamp(self) -> dict[str, Any]:
        """Return what the costs are of, as plain data: network, knobs, scope, convention."""
        varied = [axis.knob.name for axis in self.plan.axes]
        fixed = {name: value for name, value in self.spec.knobs.items() if name not in varied}
        return stamp(self.spec.name, fixed, self.scope, conventions.load(self.convention))

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first and last row of each chunk."""
        for start in range(0, self.plan.count, CHUNK):
            yield start, min(start + CHUNK, self.plan.count)

    def chunk(self, start: int, stop: int) -> dict[str, Column]:
        """Cost some rows of the plan.

        Raises: MbprofError: a configuration makes no network; the message names it.
        """
        import numpy as np

        rows = self.plan.rows(start, stop)
        count = stop - start
        results_of = {name: np.empty(count, dtype=np.int64) for name in self.outputs}
        for fixed, chosen in self.groups(rows, count):
            part = rows if len(chosen) == count else {n: c[chosen] for n, c in rows.items()}
            engine = self.engine(fixed)
            results = engine.run(self.lanes(part), len(chosen))
            for name, result in zip(self.outputs, results, strict=True):
                if result.dtype == object and results_of[name].dtype != object:
                    results_of[name] = results_of[name].astype(object)
                results_of[name][chosen] = result
        columns = {**rows, **results_of}
        if self.accuracies is not None:
            columns.update(self.accuracies.columns(rows, count))
        if self.where is None:
            return columns
        kept = self.where.holds(columns, count)
        return {name: column[kept] for name, column in columns.items()}

    def groups(
        self, rows: Mapping[str, Column], count: int
    ) -> Iterator[tuple[dict[str, Any], Column]]:
        """Yield the rows that share what formulas cannot carry: words, flags, choices."""
        import numpy as np

        apart = [axis.knob.name for axis in self.plan.axes if not axis.symbolic]
        if not apart:
            yield {}, np.arange(count)
            return
        keys: dict[tuple[Any, ...], list[int]] = {}
        for row, values in enumerate(zip(*(rows[name].tolist() for name in apart), strict=True)):
            keys.setdefault(values, []).append(row)
        for values, numbers in keys.items():
            yield dict(zip(apart, values, strict=True)), np.array(numbers)

    def engine(self, fixed: Mapping[str, Any]) -> Engine:
        key = tuple(f"{name}={plain(value)}" for name, value in fixed.items())
        if key not in self.engines:
            self.engines[key] = Engine(
                self.spec.definition,
                {**self.spec.knobs, **fixed},
                self.ranges(),
                counter(self.convention, self.scope),
                len(self.outputs),
            )
        return self.engines[key]

    def ranges(self) -> dict[str, tuple[Any, Any]]:
        """Return the least and largest value of every knob that varies as a number."""
        ends: dict[str, tuple[Any, Any]] = {}
        for swept in self.plan.axes:
            if not swept.symbolic:
                continue
            values: Sequence[Any] = swept.values
            if swept.knob.kind == "size":
                high, wide = zip(*values, strict=True)
                both = (*high, *wide)
                ends["res"] = (min(both), max(both))
                ends["res.h"], ends["res.w"] = (min(high), max(high)), (min(wide), max(wide))
            else:
                ends[swept.knob.name] = (min(values), max(values))
        return ends

    def lanes(self, rows: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that vary as numbers; oblong sizes as a height and a width."""
        lanes = {}
        for swept in self.plan.axes:
            name = swept.knob.name
            if not swept.symbolic:
                continue
            if swept.knob.kind == "size" and rows[name].dtype == object:
                lanes["res.h"], lanes["res.w"] = sides(rows[name])
            else:
                lanes[name] = rows[name]
        return lanes


def plan_sweep(
    spec: Spec,
    plan: Plan,
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    accuracy: str | None = None,
) -> Sweep:
    """Check and assemble a sweep; ``accuracy`` is a series, or ``default``.

    Raises: UsageError: no such scope or series. ExpressionError: a filter that is wrong or
    mentions an unknown column.
    """
    chosen = chosen_scope(scope, spec.definition.scope)
    names = [axis.knob.name for axis in plan.axes]
    fixed = {name: value for name, value in spec.knobs.items() if name not in names}
    joined = None
    if accuracy is not None:
        series = None if accuracy == "default" else accuracy
        joined = Joined.of(spec.definition, fixed, series)
    job = Sweep(spec, plan, convention, chosen, accuracies=joined)
    if where is not None:
        sizes = [axis.knob.name for axis in plan.axes if axis.symbolic and axis.knob.kind == "size"]
        job.where = Where.parse(where, job.names, fixed, sizes)
    return job

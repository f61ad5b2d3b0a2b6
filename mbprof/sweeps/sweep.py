"""Many configurations of a spec: planned, costed in chunks, filtered, reduced to a Pareto front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any

import mbprof
from mbprof.errors import UsageError
from mbprof.language.values import plain
from mbprof.network import conventions
from mbprof.network.load import Spec, load
from mbprof.network.many import Engine, counter, outputs
from mbprof.network.profile import scoped, setting
from mbprof.published.columns import NAMES as ACCURACY
from mbprof.published.columns import Accuracies
from mbprof.sweeps.axes import CHUNK, Axis, Column, Grid, Plan, axis, knob_of, listed
from mbprof.sweeps.filters import Front, Where

if TYPE_CHECKING:
    import pandas


@dataclass(slots=True)
class Sweep:
    """A plan and how to cost it; chunks of configurations come out as columns."""

    spec: Spec
    plan: Plan
    convention: str = "kernels"
    scope: str = "all"
    where: Where | None = None
    accuracies: Accuracies | None = None
    engines: dict[tuple[str, ...], Engine] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the knobs that vary, params and costs, accuracies if they are asked for."""
        more = ACCURACY if self.accuracies is not None else ()
        return (*(each.knob.name for each in self.plan.axes), *self.outputs, *more)

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
        varied = [each.knob.name for each in self.plan.axes]
        fixed = {n: setting(v) for n, v in self.spec.knobs.items() if n not in varied}
        chosen = conventions.load(self.convention)
        return {
            "version": mbprof.__version__,
            "spec": self.spec.name,
            "knobs": fixed,
            "scope": self.scope,
            "convention": chosen.name,
            "unit": chosen.unit or None,
        }

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
        found = {name: np.empty(count, dtype=np.int64) for name in self.outputs}
        for fixed, chosen in self.groups(rows, count):
            part = rows if len(chosen) == count else {n: c[chosen] for n, c in rows.items()}
            engine = self.engine(fixed)
            results = engine.run(self.lanes(part), len(chosen))
            for name, result in zip(self.outputs, results, strict=True):
                if result.dtype == object and found[name].dtype != object:
                    found[name] = found[name].astype(object)
                found[name][chosen] = result
        columns = {**rows, **found}
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

        apart = [each.knob.name for each in self.plan.axes if not each.symbolic]
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
        found: dict[str, tuple[Any, Any]] = {}
        for each in self.plan.axes:
            if not each.symbolic:
                continue
            values: Sequence[Any] = each.values
            if each.knob.kind == "size":
                high, wide = zip(*values, strict=True)
                both = (*high, *wide)
                found["res"] = (min(both), max(both))
                found["res.h"], found["res.w"] = (min(high), max(high)), (min(wide), max(wide))
            else:
                found[each.knob.name] = (min(values), max(values))
        return found

    def lanes(self, rows: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that vary as numbers; oblong sizes as a height and a width."""
        import numpy as np

        found = {}
        for each in self.plan.axes:
            name = each.knob.name
            if not each.symbolic:
                continue
            if each.knob.kind == "size" and rows[name].dtype == object:
                pairs = [v if isinstance(v, tuple) else (v, v) for v in rows[name].tolist()]
                sizes = np.array(pairs, dtype=np.int64)
                found["res.h"], found["res.w"] = sizes[:, 0], sizes[:, 1]
            else:
                found[name] = rows[name]
        return found


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
    chosen = scoped(scope or spec.definition.scope)
    names = [each.knob.name for each in plan.axes]
    fixed = {name: value for name, value in spec.knobs.items() if name not in names}
    joined = None
    if accuracy is not None:
        series = None if accuracy == "default" else accuracy
        joined = Accuracies.of(spec.definition, fixed, series)
    job = Sweep(spec, plan, convention, chosen, accuracies=joined)
    if where is not None:
        job.where = Where.parse(where, job.names, fixed)
    return job


def sweep(
    spec: str | Spec,
    *,
    configs: Mapping[str, Any] | None = None,
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    pareto: str | None = None,
    accuracy: str | None = None,
    **axes: Any,
) -> pandas.DataFrame:
    """Cost a grid of knob values, or listed configurations, as a pandas DataFrame.

    An axis is a list of values or a single one; ``configs`` has a column for each knob. With
    ``accuracy``, a series of published accuracies or ``default``, their columns stand beside.
    Raises: KnobError, UsageError, ExpressionError: an axis, option or filter is wrong.

    >>> frame = sweep("mobilenet_v1", alpha=[0.5, 1.0], res=[128, 224])
    >>> frame["macs"].tolist()
    [48648192, 148985088, 185376768, 567716352]
    """
    import pandas

    loaded = load(spec) if isinstance(spec, str) else spec
    knobs = loaded.definition.knobs
    plan: Plan
    if configs is not None:
        if axes:
            raise UsageError("give either axes or configs")
        plan = listed(knobs, configs, loaded.name)
    else:
        if not axes:
            raise UsageError("there is nothing to sweep", hint="give an axis, such as alpha=[0.5]")
        plan = Grid(tuple(_axis(loaded, name, values) for name, values in axes.items()))
    job = plan_sweep(loaded, plan, convention, scope, where, accuracy)
    columns = collect(job, Front.parse(pareto, job.names) if pareto else None)
    return pandas.DataFrame(columns)


def _axis(spec: Spec, name: str, values: Any) -> Axis:
    several = hasattr(values, "__iter__") and not isinstance(values, str | tuple)
    items = values if several else [values]
    plain_values = [value.item() if hasattr(value, "item") else value for value in items]
    return axis(knob_of(spec.definition.knobs, name, None, spec.name), plain_values)


def collect(job: Sweep, front: Front | None = None) -> dict[str, Column]:
    """Run a sweep and return all its rows, or those on the front."""
    import numpy as np

    parts = []
    for start, stop in job.spans():
        part = job.chunk(start, stop)
        if front is not None:
            front.add(part)
        else:
            parts.append(part)
    if front is not None:
        return front.columns
    return {name: np.concatenate([part[name] for part in parts]) for name in job.names}

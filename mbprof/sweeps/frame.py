"""A sweep as pandas DataFrames: all of it in one, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from mbprof.errors import UsageError
from mbprof.network.load import Spec, SpecLike, as_spec
from mbprof.spec.knobs import knob_of
from mbprof.sweeps.axes import Axis, Column, Grid, Plan, Random, axis, listed, read_axis
from mbprof.sweeps.pareto import Front, reduced
from mbprof.sweeps.sweep import Sweep, plan_sweep
from mbprof.sweeps.workers import chunks as costed

if TYPE_CHECKING:
    import pandas


@overload
def sweep(
    spec: SpecLike, *, chunks: Literal[False] = False, **options: Any
) -> pandas.DataFrame: ...
@overload
def sweep(
    spec: SpecLike, *, chunks: Literal[True], **options: Any
) -> Iterator[pandas.DataFrame]: ...
def sweep(
    spec: SpecLike,
    *,
    configs: Mapping[str, Any] | None = None,
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    pareto: str | None = None,
    accuracy: str | None = None,
    random: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    chunks: bool = False,
    **axes: Any,
) -> pandas.DataFrame | Iterator[pandas.DataFrame]:
    """Cost a grid of knob values, random or listed configurations, as a pandas DataFrame.

    An axis is a list of values, a single one, or text as the command line has it, such as
    ``0.25:1.0:0.25``; with ``random``, which draws so many configurations, a range is
    ``0.25:1.0``. ``configs`` has a column for each knob instead. With ``accuracy``, a series of
    published accuracies or ``default``, their columns stand beside. ``jobs`` are processes.
    With ``chunks`` a DataFrame comes for each part of the sweep, so that millions of rows need
    not be held at once. ``frame.attrs["mbprof"]`` says of what the costs are.
    Raises: KnobError, UsageError, ExpressionError: an axis, option or filter is wrong.
    MbprofError: a configuration makes no network.

    >>> frame = sweep("mobilenet_v1", alpha=[0.5, 1.0], res=[128, 224])
    >>> frame["macs"].tolist()
    [48648192, 148985088, 185376768, 567716352]
    >>> frame.attrs["mbprof"]["scope"]
    'body'
    """
    loaded = as_spec(spec)
    plan = _plan(loaded, axes, configs, random, seed)
    job = plan_sweep(loaded, plan, convention, scope, where, accuracy)
    front = Front.parse(pareto, job.names) if pareto else None
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be at least 1")
    parts = reduced(costed(job, jobs), front)
    if chunks:
        return (_frame(job, part) for part in parts)
    import numpy as np

    every = list(parts)
    return _frame(job, {name: np.concatenate([p[name] for p in every]) for name in job.names})


def _plan(
    spec: Spec,
    axes: Mapping[str, Any],
    configs: Mapping[str, Any] | None,
    random: int | None,
    seed: int,
) -> Plan:
    """Return which configurations are asked for."""
    if configs is not None:
        if axes or random is not None:
            raise UsageError("give either axes or configs")
        return listed(spec.definition.knobs, configs, spec.name)
    if not axes:
        raise UsageError("there is nothing to sweep", hint="give an axis, such as alpha=[0.5]")
    read = tuple(_axis(spec, name, values, random is not None) for name, values in axes.items())
    return Grid(read) if random is None else Random(read, random, seed)


def _frame(job: Sweep, part: Mapping[str, Column]) -> pandas.DataFrame:
    import pandas

    frame = pandas.DataFrame({name: part[name] for name in job.names})
    frame.attrs["mbprof"] = job.stamp()
    return frame


def _axis(spec: Spec, name: str, values: Any, random: bool) -> Axis:
    knob = knob_of(spec.definition.knobs, name, None, spec.name)
    if isinstance(values, str):
        return read_axis(knob, values, None, random)
    items = values if hasattr(values, "__iter__") and not isinstance(values, tuple) else [values]
    return axis(knob, [item.item() if hasattr(item, "item") else item for item in items])

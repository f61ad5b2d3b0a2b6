"""A sweep as pandas DataFrames: all of it in one, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, overload

from mbprof.device.lanes import needs
from mbprof.errors import UsageError
from mbprof.network.load import SpecLike, as_spec
from mbprof.sweeps.axes import Column, chosen, planned
from mbprof.sweeps.chunks import chunks as costed
from mbprof.sweeps.filters import Front, reduced
from mbprof.sweeps.sweep import PROBLEM, Job, plan_sweeps

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
    dtype: str | None = None,
    device: str | None = None,
    random: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    chunks: bool = False,
    **axes: Any,
) -> pandas.DataFrame | Iterator[pandas.DataFrame]:
    """Cost a grid of knob values, random or listed configurations, as a pandas DataFrame.

    An axis is a list of values, a single one, or text as the command line has it, such as
    ``0.25:1.0:0.25``; with ``random``, which draws so many configurations, a range is
    ``0.25:1.0``. Without an axis all knobs with ``one_of`` vary. ``configs`` has a column for each
    knob instead. With ``accuracy``, a series of
    published accuracies or ``default``, their columns stand beside; with a ``dtype`` activations,
    live bytes at the peak and bytes of weights, with a ``device`` nanoseconds. ``jobs`` are
    processes.
    With ``chunks`` a DataFrame comes for each part of the sweep, so that millions of rows need
    not be held at once. ``frame.attrs["mbprof"]`` says of what the costs are. Where some sizes
    make no network, a column ``problem`` says why, and their counts are missing.
    Raises: KnobError, UsageError, ExpressionError: an axis, option or filter is wrong.
    MbprofError: a configuration makes no network, of whatever size.

    >>> frame = sweep("mobilenet_v1", alpha=[0.5, 1.0], res=[128, 224])
    >>> frame["macs"].tolist()
    [48648192, 148985088, 185376768, 567716352]
    >>> frame.attrs["mbprof"]["scope"]
    'body'
    """
    loaded = as_spec(spec)
    if configs is not None and (axes or random is not None):
        raise UsageError("give either axes or configs")
    if configs is None:
        axes = axes or chosen(loaded, "give an axis, such as alpha=[0.5]")
    plan = planned(loaded, axes, configs, random, seed)
    job = plan_sweeps([loaded], [plan], convention, scope, where, accuracy, needs(dtype, device))
    front = Front.parse(pareto, job.names) if pareto else None
    parts = reduced(costed(job, jobs, front), front)
    if chunks:
        return (_frame(job, part) for part in parts)
    import numpy as np

    every = list(parts)
    return _frame(job, {name: np.concatenate([p[name] for p in every]) for name in job.names})


def _frame(job: Job, part: Mapping[str, Column]) -> pandas.DataFrame:
    import pandas

    frame = pandas.DataFrame({name: part[name] for name in job.names})
    if PROBLEM in job.names:
        # Counts stay whole numbers beside rows that have none; larger ones are Python's own.
        for name in job.first.outputs:
            with suppress(OverflowError):
                frame[name] = pandas.array(frame[name].tolist(), dtype="Int64")
    frame.attrs["mbprof"] = job.stamp()
    return frame

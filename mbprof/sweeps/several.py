"""Sweeps of several specs as one: the same columns behind one that names the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbprof.compare.side_by_side import common_scope
from mbprof.errors import UsageError
from mbprof.network.load import Spec
from mbprof.sweeps.axes import Axis, Column, Plan
from mbprof.sweeps.sweep import Sweep, plan_sweep

SPEC = "spec"
"""The column that names the spec of a row."""


@dataclass(frozen=True, slots=True)
class Several:
    """The sweeps of several specs, which vary the same knobs, one after the other."""

    jobs: Mapping[str, Sweep]

    @property
    def first(self) -> Sweep:
        """The sweep that comes first."""
        return next(iter(self.jobs.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: the spec, then those of every sweep."""
        return (SPEC, *self.first.names)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The knobs that vary."""
        return self.first.axes

    @property
    def title(self) -> str:
        """What is swept."""
        return ", ".join(self.jobs)

    @property
    def count(self) -> int:
        """How many configurations there are."""
        return sum(job.count for job in self.jobs.values())

    def stamp(self) -> dict[str, Any]:
        """Return what the costs are of, as plain data: what all have, and each spec's knobs."""
        shared = self.first.stamp()
        knobs = {name: job.stamp()["knobs"] for name, job in self.jobs.items()}
        return {**shared, "spec": list(self.jobs), "knobs": knobs}

    def stamps(self, chunk: Mapping[str, Column]) -> Iterator[dict[str, Any]]:
        """Yield the stamp of each row of a chunk."""
        stamps = {name: job.stamp() for name, job in self.jobs.items()}
        yield from (stamps[name] for name in chunk[SPEC])

    def spans(self) -> Iterator[tuple[Any, ...]]:
        """Yield the spec and the first and last row of each chunk."""
        for name, job in self.jobs.items():
            for span in job.spans():
                yield name, *span

    def chunk(self, name: str, start: int, stop: int) -> dict[str, Column]:
        """Cost some rows of the plan of one spec.

        Raises: MbprofError: a configuration makes no network; the message names it.
        """
        import numpy as np

        columns = self.jobs[name].chunk(start, stop)
        label = np.empty(len(next(iter(columns.values()))), dtype=object)
        label[:] = name
        return {SPEC: label, **columns}


def plan_sweeps(
    specs: Sequence[Spec],
    plans: Sequence[Plan],
    convention: str = "kernels",
    scope: str | None = None,
    where: str | None = None,
    accuracy: str | None = None,
) -> Sweep | Several:
    """Check and assemble the sweep of one spec or of several: see `plan_sweep`.

    The scope of several is the one that the specs agree on, else ``all``.
    Raises: UsageError: a spec is given twice; see `plan_sweep`.
    """
    if len(specs) > 1:
        scope = scope or common_scope(specs)
    jobs: dict[str, Sweep] = {}
    for spec, plan in zip(specs, plans, strict=True):
        path, before = spec.definition.path, jobs.get(spec.name)
        if path in jobs or (before is not None and before.spec.definition.path == path):
            raise UsageError(f"{spec.name} is given twice")
        # Two files can bear one name.
        label = spec.name if before is None else path
        jobs[label] = plan_sweep(spec, plan, convention, scope, where, accuracy)
    return Several(jobs) if len(jobs) > 1 else next(iter(jobs.values()))

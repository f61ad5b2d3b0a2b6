"""Many configurations through the one builder: a build is traced, and its trace run on columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mbprof.errors import LimitError, MbprofError
from mbprof.language.fmt import Value, spelled
from mbprof.network import conventions
from mbprof.network.build import build
from mbprof.network.graph import Graph
from mbprof.network.rows import totals
from mbprof.spec.model import Definition
from mbprof.symbolic.trace import Trace

if TYPE_CHECKING:
    from mbprof.symbolic.program import Program

MAX_PATHS = 4096
MAX_EXACT = 20_000


@dataclass(slots=True)
class Engine:
    """Costs a spec for columns of knob values; what it learns of the spec is kept.

    ``fixed`` are the knobs that do not vary, ``ranges`` the least and largest value of those that
    do; the resolution varies as ``res.h`` and ``res.w``, or as ``res`` where images are square.
    ``count`` returns ``width`` numbers for a graph, whose shapes may be symbols.
    """

    definition: Definition
    fixed: Mapping[str, Value]
    ranges: Mapping[str, tuple[Any, Any]]
    count: Callable[[Graph], Sequence[Any]]
    width: int
    programs: list[Program] = field(default_factory=list)

    def run(self, columns: Mapping[str, Any], count: int) -> list[Any]:
        """Return the counts of each configuration, as int64 where they fit, else as ints.

        Raises: MbprofError: a configuration makes no network; the message names it. LimitError:
        too many costs of more than 2^62, or too many different networks.
        """
        import numpy as np

        results = [np.empty(count, dtype=np.int64) for _ in range(self.width)]
        pending = np.arange(count)
        tried = 0
        while len(pending):
            if tried == len(self.programs):
                if tried >= MAX_PATHS:
                    raise LimitError(f"the configurations make more than {MAX_PATHS} networks")
                self.programs.append(self.trace(columns, int(pending[0])))
            program = self.programs[tried]
            tried += 1
            matching = program.matches(_taken(columns, pending, count))
            chosen = pending if matching is None else pending[matching]
            pending = pending[:0] if matching is None else pending[~matching]
            if len(chosen):
                results = self.fill(program, columns, chosen, results)
        return results

    def fill(
        self, program: Program, columns: Mapping[str, Any], chosen: Any, results: list[Any]
    ) -> list[Any]:
        """Evaluate a program for the configurations that it holds for.

        What does not fit into 64 bits is computed one by one, in Python's own integers.
        """
        import numpy as np

        large = chosen[:0] if program.safe else chosen
        if program.safe and not program.fits:
            part = _taken(columns, chosen, len(results[0]))
            bound = np.max([np.abs(e) for e in program.estimates(part, len(chosen))], axis=0)
            large = chosen[bound >= 2.0**61]
        if len(large) > MAX_EXACT:
            message = f"{len(large):,} configurations cost more than 2^61"
            raise LimitError(message, hint="narrow the range of the widths or resolutions")
        if len(large):
            results = [result.astype(object) for result in results]
            chosen = np.setdiff1d(chosen, large)
        if len(chosen):
            part = _taken(columns, chosen, len(results[0]))
            for result, column in zip(results, program.evaluate(part, len(chosen)), strict=True):
                result[chosen] = column
        for lane in large:
            knobs = self.knobs({name: column[lane].item() for name, column in columns.items()})
            graph = build(self.definition, knobs)
            for result, counted in zip(results, self.count(graph), strict=True):
                result[lane] = counted
        return results

    def knobs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all knobs with the values, or symbols, of those that vary."""
        knobs: dict[str, Any] = {**self.fixed, **values}
        if "res.h" in knobs:
            knobs["res"] = (knobs.pop("res.h"), knobs.pop("res.w"))
        elif "res" in values:
            knobs["res"] = (values["res"], values["res"])
        return knobs

    def trace(self, columns: Mapping[str, Any], lane: int) -> Program:
        """Build the spec for one configuration, remembering what depends on the knobs.

        Raises: MbprofError: the configuration makes no network.
        """
        from mbprof.symbolic.program import Program

        trace = Trace()
        values = {name: column[lane].item() for name, column in columns.items()}
        symbols = {name: trace.input(name, at, *self.ranges[name]) for name, at in values.items()}
        try:
            graph = build(self.definition, self.knobs(symbols))
        except MbprofError as error:
            raise error.through(f"at {spelled(values)}") from None
        return Program(trace, list(self.count(graph)))


def outputs(convention: str) -> tuple[str, ...]:
    """Return the columns that a convention computes: params and its measures.

    Raises: UsageError: no such convention.

    >>> outputs("calflops")
    ('params', 'flops', 'macs')
    """
    return ("params", *conventions.load(convention).measures)


def counter(convention: str, scope: str) -> Callable[[Graph], Sequence[Any]]:
    """Return what counts a graph as a convention does, within a scope: see `outputs`."""

    def count(graph: Graph) -> Sequence[Any]:
        counted = totals(graph, convention, scope)
        return counted.params, *counted.costs

    return count


def _taken(columns: Mapping[str, Any], rows: Any, count: int) -> Mapping[str, Any]:
    """Return some rows of the columns; all of them as they are."""
    if len(rows) == count:
        return columns
    return {name: column[rows] for name, column in columns.items()}

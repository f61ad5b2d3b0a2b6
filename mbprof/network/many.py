"""Many configurations through the one builder: a build is traced, and its trace run on columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mbprof.errors import LimitError, MbprofError
from mbprof.language.fmt import Value, spelled
from mbprof.language.record import NamedTuple
from mbprof.network import conventions
from mbprof.network.build import build
from mbprof.network.graph import Graph
from mbprof.network.optional import Unsettled
from mbprof.network.places import Places
from mbprof.network.rows import totals
from mbprof.spec.model import Definition
from mbprof.symbolic.columns import taken
from mbprof.symbolic.lanes import has_numpy, only
from mbprof.symbolic.trace import Trace

if TYPE_CHECKING:
    from mbprof.symbolic.program import Program
    from mbprof.symbolic.runner import Runner

MAX_WORK = 2_000_000_000
"""So many terms are added up for the networks of a sweep at most: some ten minutes and 2 GB."""
FEW = 8
"""Of so many networks each is tried; of more, a configuration goes to the one that is known."""
MAX_EXACT = 20_000


class Path(NamedTuple):
    """A build that serves all configurations that answer its guards alike.

    Its outputs are counts, unless an error says why there is no network.
    """

    runner: Runner
    asked: set[str]
    """The knobs that decide whether it does."""
    error: MbprofError | None = None

    @property
    def program(self) -> Program:
        return self.runner.program


@dataclass(slots=True)
class Engine:
    """Costs a spec for columns of knob values; what it learns of the spec is kept.

    ``fixed`` are the knobs that do not vary, ``ranges`` the least and largest value of those that
    do, and the step between values if there is one; a size such as ``res`` varies as ``res.h`` and
    ``res.w``, or as ``res`` where it is square.
    ``count`` returns ``width`` numbers for a graph, whose shapes may be symbols; without any only
    its shapes are worked out.
    """

    definition: Definition
    fixed: Mapping[str, Value]
    ranges: Mapping[str, tuple[Any, ...]]
    count: Callable[[Graph], Sequence[Any]]
    width: int
    most: int | None = None
    """So many networks are made at most, if that is said."""
    paths: list[Path] = field(default_factory=list)
    refused: bool = False
    """Whether some configuration made no network so far."""
    open: bool = False
    """Whether a trace leaves open what is there, so that it serves many structures."""
    limit: int = MAX_WORK
    """So many terms are added up at most."""
    partial: bool = False
    """Whether what is beyond the most networks is refused, rather than all."""
    work: int = 0
    """How many terms were added up so far."""
    places: Places = field(default_factory=Places)
    asked: set[int | None] = field(default_factory=set)
    """The steps that are asked for nevertheless."""

    def run(self, columns: Mapping[str, Any], count: int, errors: Any = None) -> list[Any]:
        """Return the counts of each configuration, as int64 where they fit, else as ints.

        Where a configuration makes no network, ``errors``, a column of objects, says why.
        Where there is no NumPy, columns are of Python's own numbers, as ints are anyway.
        Raises: MbprofError: one makes no network and there is no such column; the message names
        it. LimitError: too many costs of more than 2^62, or too many different networks.
        """
        if not has_numpy():
            return self.run_plain(columns, count, errors)
        import numpy as np

        results = [np.empty(count, dtype=np.int64) for _ in range(self.width)]
        pending = np.arange(count)
        if len(self.paths) > FEW:
            places = self.places.of(columns, count)
            left = [np.flatnonzero(places < 0)]
            for number in np.unique(places[places >= 0]).tolist():
                rows = np.flatnonzero(places == number)
                left.append(
                    self.serve(self.paths[number], columns, count, rows, results, errors)[1]
                )
            pending = np.sort(np.concatenate(left))
        tried = 0
        while len(pending):
            if tried == len(self.paths):
                if (reason := self.exhausted) is not None:
                    self.refuse(reason, pending, errors if self.partial else None)
                    break
                self.paths.append(self.trace(columns, int(pending[0])))
            path = self.paths[tried]
            served, pending = self.serve(path, columns, count, pending, results, errors)
            if len(served) and len(self.paths) > FEW:
                self.places.tell_apart(set().union(*(path.asked for path in self.paths)))
                self.places.learn(taken(columns, served, count), len(served), tried)
            tried += 1
        return results

    def run_plain(
        self, columns: Mapping[str, Any], count: int, errors: list[Any] | None = None
    ) -> list[Any]:
        """Do what `run` does without NumPy, in Python's own integers."""
        results: list[list[Any]] = [[None] * count for _ in range(self.width)]
        pending, tried = [*range(count)], 0
        while pending:
            if tried == len(self.paths):
                if (reason := self.exhausted) is not None:
                    self.refuse(reason, pending, errors if self.partial else None)
                    break
                self.paths.append(self.trace(columns, pending[0]))
            path = self.paths[tried]
            part = {name: only(column, pending) for name, column in columns.items()}
            rows, counted = path.program.plain(part, len(pending))
            served, taken_here = [pending[row] for row in rows], set(rows)
            if served and path.error is not None:
                self.refuse(path.error, served, errors)
            for result, lanes in zip(results, counted, strict=False):  # An error counts nothing.
                for row, value in zip(served, lanes, strict=True):
                    result[row] = value
            pending = [lane for row, lane in enumerate(pending) if row not in taken_here]
            tried += 1
        return results

    def serve(
        self,
        path: Path,
        columns: Mapping[str, Any],
        count: int,
        rows: Any,
        results: list[Any],
        errors: Any,
    ) -> tuple[Any, Any]:
        """Cost rows by a build where it holds for them; return those, and those that are left."""
        from mbprof.symbolic.program import DONE, LARGE, OTHER

        state, counted = path.runner.run(taken(columns, rows, count), len(rows))
        done, large, left = (
            (rows, rows[:0], rows[:0])
            if state is None
            else (rows[state == kind] for kind in (DONE, LARGE, OTHER))
        )
        if len(large):
            results[:] = self.single(columns, large, results, errors)
        if len(done) and path.error is not None:
            self.refuse(path.error, done, errors)
        elif len(done):
            for result, column in zip(results, counted, strict=True):
                result[done] = column
        return rows if state is None else rows[state != OTHER], left

    def widen(self, ranges: Mapping[str, tuple[Any, ...]]) -> None:
        """Let knobs have other ranges; what was made for the ones before is forgotten."""
        self.ranges, self.paths, self.places, self.work = ranges, [], Places(), 0

    @property
    def exhausted(self) -> LimitError | None:
        """Why no further network is made, if so."""
        if self.most is not None and len(self.paths) >= self.most:
            return LimitError(f"the configurations make more than {self.most} networks")
        if self.work < self.limit:
            return None
        return LimitError(
            f"the configurations make more than {len(self.paths):,} different networks; to make "
            "them all takes too much time and memory",
            hint="let fewer knobs vary, or sweep their values part by part",
        )

    def single(
        self, columns: Mapping[str, Any], lanes: Any, results: list[Any], errors: Any = None
    ) -> list[Any]:
        """Compute configurations one by one, in Python's own integers."""
        if len(lanes) > MAX_EXACT:
            message = f"{len(lanes):,} configurations have numbers of more than 2^61"
            raise LimitError(message, hint="narrow the range of the widths or resolutions")
        results = [result.astype(object) for result in results]
        for lane in lanes:
            try:
                graph = self.build(_values(columns, lane))
            except MbprofError as error:
                self.refuse(error, [lane], errors)
                continue
            for result, counted in zip(results, self.count(graph), strict=True):
                result[lane] = counted
        return results

    def build(self, values: Mapping[str, Any], symbols: Mapping[str, Any] | None = None) -> Graph:
        """Build the spec for one configuration, perhaps with symbols in place of its values.

        Raises: MbprofError: it makes no network; the message names it.
        """
        try:
            knobs = self.knobs(symbols or values)
            return build(self.definition, knobs, self.width > 0, self.asked)
        except MbprofError as error:
            raise error.through(f"at {spelled(values)}") from None

    def knobs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all knobs with the values, or symbols, of those that vary."""
        knobs: dict[str, Any] = {**self.fixed, **values}
        for name, knob in self.definition.knobs.items():
            if f"{name}.h" in knobs:
                knobs[name] = (knobs.pop(f"{name}.h"), knobs.pop(f"{name}.w"))
            elif name in values and knob.kind == "size":
                knobs[name] = (values[name], values[name])
        return knobs

    def refuse(self, error: MbprofError, lanes: Any, errors: Any) -> None:
        """Say why some configurations make no network, or raise it if nobody is told."""
        if errors is None:
            raise error
        if isinstance(errors, list):
            for lane in lanes:
                errors[lane] = error
        else:
            errors[lanes] = error
        self.refused = True

    def trace(self, columns: Mapping[str, Any], lane: int) -> Path:
        """Build the spec for one configuration, remembering what depends on the knobs.

        Raises: LimitError: that is too much.
        """
        from mbprof.symbolic.program import Program
        from mbprof.symbolic.runner import Runner

        trace = Trace(self.open)
        error: MbprofError | None = None
        outputs: list[Any] = []
        values = _values(columns, lane)
        symbols = {name: trace.input(name, at, *self.ranges[name]) for name, at in values.items()}
        try:
            graph = self.build(values, symbols)
        except Unsettled as step:
            self.work += trace.spent
            self.asked.add(step.args[0])
            return self.trace(columns, lane)
        except MbprofError as why:
            if trace.spent > trace.most:
                return self.closed(trace, columns, lane, why)
            error = why
        else:
            try:
                outputs = list(self.count(graph))
            except LimitError as why:
                return self.closed(trace, columns, lane, why)
        program = Program(trace, outputs)
        self.work += trace.spent
        return Path(Runner(program), program.asked, error)

    def closed(self, trace: Trace, columns: Mapping[str, Any], lane: int, why: MbprofError) -> Path:
        """Ask each network what is there, where to leave that open is too much.

        Raises: MbprofError: that was asked already.
        """
        if not self.open:
            raise why
        self.open, self.work = False, self.work + trace.spent
        return self.trace(columns, lane)


def _values(columns: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """Return the values of a configuration as Python's own numbers."""
    found = {name: column[lane] for name, column in columns.items()}
    return {name: v.item() if hasattr(v, "item") else v for name, v in found.items()}


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

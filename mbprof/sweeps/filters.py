"""What is kept of a sweep: the rows for which a condition of the spec language holds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbprof.errors import ExpressionError, Loc, MbprofError, Source
from mbprof.language.expr import Expr
from mbprof.language.fmt import Value, spelled
from mbprof.language.source import Scalar
from mbprof.sweeps.axes import Column, column, sides

MAX_PATHS = 256
"""So often rows may differ in how a condition is answered; the rest are asked one by one."""


@dataclass(frozen=True, slots=True)
class Where:
    """A condition, asked of many rows at once as a spec asks it of one.

    It is traced for the first row; the rows that answer every question of the trace alike share
    its answer, and the first of the others is next. So the first row that has no answer is the
    first to be asked without one, and says why.
    """

    expr: Expr
    fixed: Mapping[str, Value]
    sizes: Collection[str] = ()

    @classmethod
    def parse(
        cls,
        text: str,
        names: Sequence[str],
        fixed: Mapping[str, Value],
        sizes: Collection[str] = (),
    ) -> Where:
        """Read a condition over the columns, of which some are sizes, and the knobs that are fixed.

        Raises: ExpressionError: it does not parse, or mentions an unknown column.
        """
        expr = Expr.parse(Scalar(text, Loc(Source("--where", text), 1, 1)))
        expr.check({**dict.fromkeys(names), **fixed})
        return cls(expr, fixed, sizes)

    def holds(self, columns: Mapping[str, Column], count: int) -> Column:
        """Return for which rows the condition holds.

        Raises: ExpressionError: it is neither true nor false for a row, or has no value.
        """
        import numpy as np

        lanes = self._lanes(columns)
        answers = np.zeros(count, dtype=bool)
        pending = np.arange(count)
        for _ in range(MAX_PATHS):
            if not len(pending):
                break
            part = {n: c if len(pending) == count else c[pending] for n, c in lanes.items()}
            path = self._path(part)
            if path is None:
                break
            truths, alike = path
            if alike.all():
                answers[pending] = truths
                return answers
            answers[pending[alike]] = truths[alike] if isinstance(truths, np.ndarray) else truths
            pending = pending[~alike]
        for row in pending:
            answers[row] = self._single({name: _plain(lane[row]) for name, lane in lanes.items()})
        return answers

    def _lanes(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns that are mentioned, in numbers where they are; sizes as two."""
        lanes = {}
        for name in {name for name, _ in self.expr.names if name in columns}:
            if name in self.sizes:
                lanes[f"{name}.h"], lanes[f"{name}.w"] = sides(columns[name])
            elif columns[name].dtype == object:
                lanes[name] = column(columns[name].tolist())
            else:
                lanes[name] = columns[name]
        return lanes

    def _env(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the condition is asked with: the values of lanes and the fixed knobs."""
        env = {**self.fixed, **values}
        for name in self.sizes:
            if f"{name}.h" in env:
                env[name] = (env[f"{name}.h"], env[f"{name}.w"])
        return env

    def _single(self, values: Mapping[str, Any]) -> bool:
        """Ask of a single row."""
        env = self._env(values)
        try:
            return self.expr.truth(env)
        except ExpressionError as error:
            names = sorted({name for name, _ in self.expr.names})
            at = spelled({name: env[name] for name in names})
            raise error.through(f"at {at}") if at else error from None

    def _path(self, lanes: Mapping[str, Column]) -> tuple[Any, Column] | None:
        """Return the answer of each row, or of all, and which are asked like the first one.

        None is returned where columns of numbers may not answer as Python's own do.
        """
        import numpy as np

        from mbprof.symbolic.program import Program
        from mbprof.symbolic.trace import Trace

        trace, values, alike = Trace(), dict[str, Any](), list[Column]()
        for name, lane in lanes.items():
            first = values[name] = _plain(lane[0])
            if lane.dtype == object and type(first) is int:
                return None
            if lane.dtype.kind not in "iuf" or not math.isfinite(first):
                alike.append(_same(lane, first))
                continue
            if lane.dtype.kind == "f" and not (usual := np.isfinite(lane)).all():
                alike.append(usual)
                lane = lane[usual]
            values[name] = trace.input(name, first, lane.min().item(), lane.max().item())
        try:
            answer = self.expr.flag(self._env(values))
        except (MbprofError, ArithmeticError, ValueError):
            return None
        program = Program(trace, [answer])
        if not program.exact:
            return None
        matching, *answers = program.answers(lanes)
        chosen = np.logical_and.reduce(alike if matching is None else [*alike, matching])
        return ((answers or [answer])[0], chosen) if chosen.all() or chosen[0] else None


def _plain(cell: Any) -> Any:
    return cell.item() if hasattr(cell, "item") else cell


def _same(lane: Column, first: Any) -> Column:
    """Return which cells hold the value and type of the first one; no number equals itself here."""
    import numpy as np

    if lane.dtype != object:
        return np.isnan(lane) if first != first else lane == first
    cells = lane.tolist()
    return np.array([type(cell) is type(first) and cell == first for cell in cells], dtype=bool)

"""Programs as machine code give what NumPy gives, to the bit, and say the same of what they do not.

Without llvmlite these tests are skipped, and sweeps are NumPy's alone.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mbprof
from mbprof.network.many import Engine, counter
from mbprof.spec import zoo
from mbprof.spec.knobs import Knob
from mbprof.symbolic import runner
from mbprof.symbolic.compiled import compiled
from mbprof.symbolic.program import DONE, LARGE, OTHER, Program
from mbprof.symbolic.trace import Trace
from tests.features.test_lanes import REALS, WORK

pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install 'mbprof[fast]'")
COUNT = 300


def drawn(rng: Any, knob: Knob, times: int) -> Any:
    """Return values of a knob that is a number, up to so many times its default."""
    if knob.one_of:
        return np.array(knob.one_of)[rng.integers(0, len(knob.one_of), COUNT)]
    default: Any = knob.default
    if knob.kind == "size":
        side = default[0]
        return rng.integers(max(1, side // 2), times * side, COUNT)
    if knob.kind == "number":
        return rng.uniform(default / 2, times * default, COUNT)
    return rng.integers(max(1, default // 2), times * max(1, default) + 1, COUNT)


def programs(name: str, times: int) -> Iterator[tuple[Program, dict[str, Any]]]:
    """Yield programs of a spec, and columns to run them on."""
    spec = mbprof.load(name)
    rng = np.random.default_rng(times)
    numbers = [
        knob
        for knob in spec.definition.knobs.values()
        if knob.kind in ("int", "number", "size") and knob.default is not None
        and None not in (knob.one_of or ())
    ]  # fmt: skip
    columns = {knob.name: drawn(rng, knob, times) for knob in numbers}
    ranges = {n: (column.min().item(), column.max().item()) for n, column in columns.items()}
    engine = Engine(
        spec.definition,
        spec.knobs,
        ranges,
        counter("kernels", "all"),
        2,
        3,
        partial=True,
        open=True,
    )
    engine.run(columns, COUNT, np.full(COUNT, None, dtype=object))
    for path in engine.paths:
        yield path.program, columns


def agree(program: Program, columns: dict[str, Any], count: int) -> set[int]:
    """Return the states of rows, having seen that both ways give the same."""
    kernel = compiled(program)
    if kernel is None:
        assert program.huge
        return set()
    (state, outputs), (expected, others) = (
        kernel(program, columns, count), program.run(columns, count)
    )  # fmt: skip
    if expected is None:
        assert state is None
    else:
        assert state.tolist() == expected.tolist()
    for output, other in zip(outputs, others, strict=True):
        assert output.tolist() == other.tolist()
    return {DONE} if state is None else set(state.tolist())


@pytest.mark.parametrize("name", zoo.spec_names())
def test_each_spec_of_the_zoo(name: str) -> None:
    for program, columns in programs(name, 2):
        agree(program, columns, COUNT)


@pytest.mark.parametrize(
    "name", ["mobilenet_v1", "mobilenet_v2", "ofa_mobilenet_v3", "shufflenet_v2"]
)
def test_what_does_not_fit_is_noted(name: str) -> None:
    seen = [agree(*found, COUNT) for found in programs(name, 100_000)]
    assert LARGE in set().union(*seen)


@pytest.mark.parametrize("name", [*WORK, *REALS])
def test_each_operation(name: str) -> None:
    rng = np.random.default_rng(0)
    work: Any = WORK.get(name) or REALS[name]
    whole = name in WORK
    columns = {
        key: rng.integers(-40, 41, COUNT) if whole else rng.uniform(0.01, 4, COUNT) for key in "xy"
    }
    seen = set()
    for first in range(10):
        trace = Trace()
        symbols = (
            trace.input(key, column[first].item(), column.min().item(), column.max().item())
            for key, column in columns.items()
        )
        seen |= agree(Program(trace, [work(*symbols)]), columns, COUNT)
    assert DONE in seen
    assert OTHER in seen or name not in ("conditions", "choices", "comparisons of reals")


def test_a_sweep_is_compiled_once_that_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = {"alpha": np.linspace(0.3, 1.4, 70_000), "res": np.arange(70_000) % 100 + 100}
    usual = mbprof.sweep("mobilenet_v2", configs=knobs)
    monkeypatch.setattr(runner, "COMPILING", 0.0)
    monkeypatch.setattr(runner, "LINE", 0.0)
    taken = list[Program]()

    def noted(program: Program) -> Any:
        taken.append(program)
        return compiled(program)

    monkeypatch.setattr("mbprof.symbolic.compiled.compiled", noted)
    assert mbprof.sweep("mobilenet_v2", configs=knobs).equals(usual)
    assert len(taken) == 1


def test_no_rows_are_no_work() -> None:
    program, columns = next(programs("mobilenet_v2", 2))
    kernel = compiled(program)
    assert kernel is not None
    none = {name: column[:0] for name, column in columns.items()}
    assert [output.tolist() for output in kernel(program, none, 0)[1]] == [[], []]

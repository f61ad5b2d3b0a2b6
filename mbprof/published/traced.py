"""Flavours of a spec at many settings: one trace serves all widths, resolutions and classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbprof.language.fmt import Value
from mbprof.language.record import NamedTuple
from mbprof.network.load import Network, Spec
from mbprof.network.many import Engine
from mbprof.published.counted import counts, kinds
from mbprof.published.settings import Setting
from mbprof.spec.knobs import WIDTH
from mbprof.spec.usual import ALPHAS, CLASSES, MORE_CLASSES, MORE_SIDES, SIDES
from mbprof.symbolic.lanes import column

if TYPE_CHECKING:
    from mbprof.symbolic.program import Program

VARIED = (WIDTH, "res", "classes")
"""The knobs that symbols stand for."""
_USUAL = {WIDTH: ALPHAS, "res": SIDES + MORE_SIDES, "classes": CLASSES + MORE_CLASSES}
_NODES = 1000
"""How many nodes are traced for settings of one flavour at most, in all different networks."""


class Traced(NamedTuple):
    """A flavour at some values of the knobs that no symbol stands for."""

    spec: Spec
    base: Mapping[str, Value]
    engine: Engine


def fixed(knobs: Mapping[str, Value]) -> dict[str, Value]:
    """Return the knobs that no symbol stands for, an oblong resolution among them."""
    return {
        name: value
        for name, value in knobs.items()
        if name not in VARIED or (isinstance(value, tuple) and value[0] != value[-1])
    }


def place_of(spec: str, knobs: Mapping[str, Value]) -> Any:
    """Return what settings have in common that one trace serves."""
    return spec, tuple(sorted(fixed(knobs).items(), key=str))


def traced(
    spec: Spec, network: Network, given: Mapping[str, Value], scopes: tuple[str, ...]
) -> Traced:
    """Return what counts a network for columns of its width, resolution and classes."""
    nodes = max(1, len(network.compiled.nodes))

    def count(graph: Any) -> Sequence[Any]:
        return counts(graph, scopes, views="stored")

    own = dict(network.knobs)
    # What all searches may ask is known from the start: a width that only decides between tables is
    # seen where it could be another one, and no trace is made twice.
    values = {name: _side(own.get(name)) for name in VARIED}
    ranges = {
        name: (min(*_USUAL[name], value), max(*_USUAL[name], value))
        for name, value in values.items()
        if _numeric(value)
    }
    most = max(1, min(4, _NODES // nodes))
    engine = Engine(
        spec.definition, own, ranges, count, len(kinds(scopes, views="stored")), most, partial=True
    )
    return Traced(spec, own, engine)


def _side(value: Any) -> Any:
    """Return the side of a square, None for an oblong, and any other value as it is."""
    if isinstance(value, tuple):
        return value[0] if value[0] == value[-1] else None
    return value


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def run(traced: Traced, settings: Sequence[Setting]) -> Iterator[tuple[list[Setting], list[Any]]]:
    """Yield the settings that make a network, with columns of their counts."""
    lanes = [{**traced.base, **setting.knobs} for setting in settings]
    columns: dict[str, Any] = {}
    spans: dict[str, list[Any]] = {}
    for name in VARIED:
        values = [_side(lane.get(name)) for lane in lanes]
        if all(map(_numeric, values)):
            spans[name] = values
            columns[name] = column(values)
    engine = traced.engine
    ends = {name: (*values, *engine.ranges.get(name, ())) for name, values in spans.items()}
    wide = {**engine.ranges, **{name: (min(own), max(own)) for name, own in ends.items()}}
    if wide != engine.ranges:
        engine.widen(wide)
    errors: list[Any] = [None] * len(lanes)
    results = engine.run(columns, len(lanes), errors)
    made = [n for n, error in enumerate(errors) if error is None]
    if made:
        yield [settings[n] for n in made], [[counts[n] for n in made] for counts in results]


def inputs(program: Program, output: Any) -> set[str]:
    """Return the knobs that an output of a program depends on."""
    return program.inputs([] if isinstance(output, int) else [("whole", output)])

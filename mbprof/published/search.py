"""The search for a number: every count at tiers of settings, and how likely each match is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mbprof.errors import MbprofError
from mbprof.language.counts import Quantity
from mbprof.language.fmt import Value
from mbprof.network.conventions import DEFAULT
from mbprof.network.graph import Graph
from mbprof.network.load import Network, Spec
from mbprof.network.many import Engine
from mbprof.ops.base import Facts, total
from mbprof.published.counted import Bits, Counted, Factor, counts, factors, kinds, slips
from mbprof.published.origin import NEAR, Density, Match, rarity
from mbprof.published.settings import Setting, loaded
from mbprof.published.totals import Total, ways
from mbprof.spec.knobs import WIDTH

MARGIN = 2.4
"""What is rarer than the likeliest match by so many bits is no answer."""
CLAIMED = 0.2
"""A count that a claim is of, at its setting, is likelier than the setting by so many bits."""
_SLIPPING = 2.0
"""Only counts that are no rarer are tried with units that are wrong."""
_PART = 4.5
"""How seldom a number is that of a single layer or block."""
_FLAVOUR = 1.0
"""How seldom a network that was not asked for is one of a flavour, or turned by a library."""
_VARIED = (WIDTH, "res", "classes")
_NODES = 1500
"""How many nodes are traced for settings of one flavour at most, in all different networks."""


class Traced(NamedTuple):
    """A flavour at some values of the knobs that no symbol stands for."""

    spec: Spec
    base: Mapping[str, Value]
    engine: Engine


@dataclass(slots=True)
class Search:
    """One search: what was typed, how far it has looked, and what it has found."""

    number: Quantity
    density: Density
    scopes: tuple[str, ...]
    asked: Spec | None = None
    """The spec that is searched, None for the zoo."""
    given: Mapping[str, Value] = field(default_factory=dict)
    kinds: tuple[Counted, ...] = field(init=False)
    matches: list[Match] = field(default_factory=list)
    traced: dict[Any, Traced] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)
    listed: set[Any] = field(default_factory=set)
    """The settings that were looked up rather than built."""
    looked: int = 0
    nearest: float = float("inf")
    closest: Match | None = None

    def __post_init__(self) -> None:
        self.kinds = kinds(self.scopes)

    def best(self) -> Bits:
        """Return the bits of the likeliest match so far, rounding included."""
        return min((m.bits + rarity(m.rounding) for m in self.matches), default=float("inf"))

    def look(self, settings: Sequence[Setting]) -> None:
        """Look at a tier of settings."""
        groups: dict[Any, list[Setting]] = {}
        for setting in settings:
            groups.setdefault(_place(setting.spec, setting.knobs), []).append(setting)
        for place, members in groups.items():
            spec = loaded(members[0].spec, self.asked)
            if spec is not None:
                with suppress(MbprofError):
                    self.at(spec, place, members)

    def look_up(self, rows: Sequence[Total], bits: Bits) -> None:
        """Look at networks of the zoo whose counts are known."""
        rare = [bits + _FLAVOUR * ("@" in row.name) + _FLAVOUR * bool(row.knobs) for row in rows]
        settings = [Setting(row.name, row.knobs, n) for row, n in zip(rows, rare, strict=True)]
        self.listed |= {(row.name, repr(row.knobs), row.res) for row in rows}
        if settings:
            columns = [list(column) for column in zip(*(row.values for row in rows), strict=True)]
            self.compare(settings, ways(), columns)

    def look_inside(self, network: Network) -> None:
        """Look at the layers and blocks of a network, one by one."""
        for by, layers in parts(network.compiled).items():
            for name, facts in layers.items():
                setting = Setting(network.spec.address or network.spec.name, {}, _PART)
                ways = [
                    Counted(DEFAULT, f"{by} {name}", "params", "", "params"),
                    Counted("trainable", f"{by} {name}", "params", "", "params"),
                    Counted(DEFAULT, f"{by} {name}", "cost", "", "MACs"),
                ]
                self.compare([setting], ways, [[facts.kernels], [facts.trainable], [facts.mac]])

    def at(self, spec: Spec, place: Any, settings: list[Setting]) -> None:
        """Look at settings of one flavour; those that make no network are passed by."""
        traced = self.trace(spec, place, settings)
        if traced is None:
            for setting in settings:
                with suppress(MbprofError):
                    graph = spec.build_at({**self.given, **setting.knobs}).compiled
                    columns = [[count] for count in counts(graph, self.scopes)]
                    self.compare([setting], self.kinds, columns)
            return
        for part, columns in run(traced, settings):
            self.compare(part, self.kinds, columns)

    def trace(self, spec: Spec, place: Any, settings: list[Setting]) -> Traced | None:
        """Return the spec with symbols for knobs, None where few settings need none."""
        if place not in self.traced:
            if len(settings) < 4:
                return None
            network = spec.build_at({**self.given, **_fixed(settings[0].knobs)})
            self.traced[place] = traced(spec, network, self.given, self.scopes)
        return self.traced[place]

    def compare(
        self, settings: Sequence[Setting], ways: Sequence[Counted], columns: Sequence[Any]
    ) -> None:
        """Compare counts with the number: a column holds one way to count at all the settings."""
        import numpy as np

        middle = float(self.number.value)
        ends = [end for printed in self.number.ranges for end in printed[:2]]
        low, high = min(ends) / middle - 1e-12, max(ends) / middle + 1e-12
        rare = np.array([setting.bits for setting in settings])
        kept = [n for n, way in enumerate(ways) if way.quantity in self.number.kinds]
        values = np.array([columns[n] for n in kept], dtype=np.float64) / middle
        known: dict[Counted, Any] = {}
        for row, n in zip(values, kept, strict=True):
            way = ways[n]
            # A view is news only where it changes what is counted.
            plain = way._replace(view="")
            same = bool(way.view) & (known.setdefault(plain, row) == row)
            self.looked += len(row) - int(np.count_nonzero(same))
            row = np.where(same, np.nan, row)
            own = self.rarity(way, settings, rare)
            for factor in self.factors(way, settings):
                amounts = row * float(factor.times)
                near = np.flatnonzero(np.abs(amounts - 1) <= NEAR)
                if not len(near):
                    continue
                bits = own[near] + factor.bits
                self.density.add(amounts[near].tolist(), bits.tolist())
                off = np.abs(amounts[near] - 1)
                hits = (amounts[near] >= low) & (amounts[near] <= high)
                for at in np.flatnonzero(hits):
                    self.keep(
                        _match(settings[near[at]], way, factor, columns[n][near[at]], bits[at])
                    )
                off[hits] = np.inf
                at = int(np.argmin(off))
                if off[at] < self.nearest and not factor.said:
                    place = settings[near[at]]
                    self.nearest = float(off[at])
                    self.closest = _match(place, way, factor, columns[n][near[at]], bits[at])

    def keep(self, match: Match) -> None:
        """Keep a match if it prints like the number indeed."""
        rounding = self.number.rounding(match.value * match.factor.times)
        if rounding is not None:
            self.matches.append(match._replace(rounding=rounding))

    def factors(self, way: Counted, settings: Sequence[Setting]) -> Iterator[Factor]:
        """Yield what a count may have been multiplied by."""
        yield from factors(way)
        if way.bits <= _SLIPPING and min(setting.bits for setting in settings) < MARGIN:
            yield from slips(self.number.power)

    def rarity(self, way: Counted, settings: Sequence[Setting], rare: Any) -> Any:
        """Return the bits of a count at settings, fewer where a claim is known to count so."""
        import numpy as np

        said = (way.convention, way.scope)
        known = [said in setting.counted and not way.view for setting in settings]
        return np.where(known, rare - CLAIMED, rare + way.bits)

    def matter(self, match: Match) -> dict[str, Value]:
        """Return the knobs of a match that its count depends on: width, size, classes, turned.

        What was typed is always among them.
        """
        if res := self.looked_up(match):
            return {**({"res": res[0]} if match.counted.quantity == "cost" else {}), **match.knobs}
        spec = loaded(match.spec, self.asked)
        place = _place(match.spec, match.knobs)
        if spec is None:
            return dict(match.knobs)
        setting = Setting(match.spec, match.knobs, 0.0)
        if place not in self.traced:
            network = spec.build_at({**self.given, **_fixed(match.knobs)})
            self.traced[place] = traced(spec, network, self.given, self.scopes)
            for _ in run(self.traced[place], [setting]):
                pass
        found = self.traced[place]
        at = {**found.base, **match.knobs}
        depends = self.depends(found, setting, match)
        names = dict.fromkeys((*_VARIED, *match.knobs, *self.given))
        return {
            name: at[name]
            for name in names
            if at.get(name) is not None
            and (name in self.given or name in depends or self.turns(spec, name, match))
        }

    def looked_up(self, match: Match) -> list[Value]:
        """Return the resolution of a network whose counts are known; no other has one."""
        own = (match.spec, repr(match.knobs))
        return [res for *place, res in self.listed if tuple(place) == own]

    def depends(self, traced: Traced, setting: Setting, match: Match) -> set[str]:
        """Return the knobs with a symbol that a match depends on."""
        key = (*_place(match.spec, match.knobs), match.counted)
        if key not in self.known:
            whole = match.counted._replace(scope="all")
            at = self.kinds.index(match.counted if match.counted in self.kinds else whole)
            programs = [program for program, error in traced.engine.paths if error is None]
            self.known[key] = set().union(*(inputs(p, p.outputs[at]) for p in programs))
        return self.known[key]

    def turns(self, spec: Spec, name: str, match: Match) -> bool:
        """Whether a knob without a symbol changes what is counted."""
        if name in _VARIED or name not in match.knobs:
            return False
        place = (match.spec, name, repr(match.knobs))
        if place not in self.known:
            rest = {n: value for n, value in match.knobs.items() if n != name}
            self.known[place] = None
            with suppress(MbprofError):
                graph = spec.build_at({**self.given, **rest}).compiled
                self.known[place] = dict(zip(self.kinds, counts(graph, self.scopes), strict=True))
        without = self.known[place]
        return without is None or without.get(match.counted) != match.value


def _match(setting: Setting, way: Counted, factor: Factor, value: Any, bits: Any) -> Match:
    return Match(setting.spec, setting.knobs, way, factor, int(value), float(bits), "")


def _fixed(knobs: Mapping[str, Value]) -> dict[str, Value]:
    """Return the knobs that no symbol stands for, an oblong resolution among them."""
    return {
        name: value
        for name, value in knobs.items()
        if name not in _VARIED or (isinstance(value, tuple) and value[0] != value[-1])
    }


def _place(spec: str, knobs: Mapping[str, Value]) -> Any:
    """Return what settings have in common that one trace serves."""
    return spec, tuple(sorted(_fixed(knobs).items(), key=str))


def parts(graph: Graph) -> dict[str, dict[str, Facts]]:
    """Return the facts of each layer and block that is not the whole, and is not listed before."""
    found: dict[str, dict[str, list[Facts]]] = {"layer": {}, "block": {}}
    for node in graph.nodes:
        found["layer"].setdefault(node.layer, []).append(node.facts)
        found["block"].setdefault(node.block, []).append(node.facts)
    summed = {by: {n: total(facts) for n, facts in of.items()} for by, of in found.items()}
    layers = set(summed["layer"].values())
    blocks = {name: facts for name, facts in summed["block"].items() if facts not in layers}
    return {"layer": summed["layer"], "block": blocks}


def traced(
    spec: Spec, network: Network, given: Mapping[str, Value], scopes: tuple[str, ...]
) -> Traced:
    """Return what counts a network for columns of its width, resolution and classes."""
    nodes = max(1, len(network.compiled.nodes))

    def count(graph: Any) -> Sequence[Any]:
        return counts(graph, scopes)

    own = dict(network.knobs)
    engine = Engine(
        spec.definition, own, {}, count, len(kinds(scopes)), most=max(1, min(6, _NODES // nodes))
    )
    return Traced(spec, own, engine)


def run(traced: Traced, settings: Sequence[Setting]) -> Iterator[tuple[list[Setting], list[Any]]]:
    """Yield the settings that make a network, with columns of their counts."""
    import numpy as np

    lanes = [{**traced.base, **setting.knobs} for setting in settings]
    columns: dict[str, Any] = {}
    for name in _VARIED:
        values = [lane.get(name) for lane in lanes]
        if name == "res":
            values = [v[0] if isinstance(v, tuple) and v[0] == v[1] else None for v in values]
        if all(isinstance(value, int | float) for value in values):
            columns[name] = np.array(values)
    engine = traced.engine
    known = {name: engine.ranges.get(name, (np.inf, -np.inf)) for name in columns}
    wide = {
        name: (min(known[name][0], *column.tolist()), max(known[name][1], *column.tolist()))
        for name, column in columns.items()
    }
    if wide != dict(engine.ranges):
        engine.ranges, engine.paths = wide, []
    errors = np.full(len(lanes), None, dtype=object)
    results = engine.run(columns, len(lanes), errors)
    made = [n for n, error in enumerate(errors) if error is None]
    if made:
        yield [settings[n] for n in made], [np.asarray(column)[made] for column in results]


def inputs(program: Any, output: Any) -> set[str]:
    """Return the knobs that an output of a program depends on, ``res`` for both its sides."""
    found: set[str] = set()
    seen: set[int] = set()
    pending = [] if isinstance(output, int) else [n for monomial, _ in output for n in monomial]
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        atom = program.atoms[number]
        if atom.op == "input":
            found.add(atom.args[0])
            continue
        for kind, what in (arg for arg in atom.args if isinstance(arg, tuple)):
            pending += [what] if kind == "real" else [n for monomial, _ in what for n in monomial]
    return found

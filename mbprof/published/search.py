"""The search for a number: every count at tiers of settings, and how likely each match is."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mbprof.errors import MbprofError
from mbprof.language.counts import Quantity, read
from mbprof.language.fmt import Value
from mbprof.network.conventions import DEFAULT
from mbprof.network.graph import Graph
from mbprof.network.load import Network, Spec
from mbprof.ops.base import Facts, total
from mbprof.published.counted import (
    PLAIN,
    Bits,
    Counted,
    Factor,
    Views,
    counts,
    factors,
    kinds,
    slips,
)
from mbprof.published.origin import NEAR, Density, Match, rarity
from mbprof.published.settings import Setting, loaded
from mbprof.published.totals import Total, ways
from mbprof.published.traced import (
    VARIED,
    Traced,
    fixed,
    inputs,
    place_of,
    run,
    traced,
)
from mbprof.spec.knobs import WIDTH

MARGIN = 2.4
"""What is rarer than the likeliest match by so many bits is no answer."""
_SLIPPING = 2.0
"""Only counts that are no rarer are tried with units that are wrong."""
_SPARE = 0.1
_WORTH, _AGAIN = 12, 4
"""For fewer settings no trace is made, which takes the time of some four builds; fewer are enough
where the trace serves the usual settings, too."""
_VIEWED = 2.0
"""Rarer settings that nobody published are looked at without folded batch norms and other views."""
_PART = 4.5
"""How seldom a number is that of a single layer or block."""
_OTHERWISE = 2.0
"""How seldom a layer is counted as another one in its place."""
_MULTIPLIERS = (1, 8)
"""Maps that a separable convolution makes of each map; 8 as in GoogLeNet's first, caffe#3067."""
_ORDER = 0.1
"""By how many of its bits a usual way to count is likelier than another one of the same source."""
_FLAVOUR = 1.0
"""How seldom a network that was not asked for is one of a flavour, or turned by a library."""


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
    formulas: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """The values of formulas for nodes that many networks have."""
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

    def look(self, settings: Sequence[Setting], published: bool = False) -> None:
        """Look at a tier of settings, with more views of those that somebody published."""
        groups: dict[Any, list[Setting]] = {}
        for setting in settings:
            groups.setdefault(place_of(setting.spec, setting.knobs), []).append(setting)
        built: dict[Any, list[tuple[Setting, list[Any]]]] = {}
        for place, members in groups.items():
            spec = loaded(members[0].spec, self.asked)
            if spec is not None:
                with suppress(MbprofError):
                    self.at(spec, place, members, built, published)
        for (views, _), counted in built.items():
            alike, rows = zip(*counted, strict=True)
            self.compare(alike, kinds(self.scopes, views), list(zip(*rows, strict=True)))

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
        for said, kernels in separable(network.compiled):
            setting = Setting(network.spec.address or network.spec.name, {}, _PART + _OTHERWISE)
            self.compare([setting], [Counted(DEFAULT, said, "params", "", "params")], [[kernels]])

    def at(
        self,
        spec: Spec,
        place: Any,
        settings: list[Setting],
        built: dict[Any, list[tuple[Setting, list[Any]]]],
        published: bool,
    ) -> None:
        """Look at settings of one flavour; those that make no network are passed by.

        Where no trace is worth it their counts go to ``built``, to be compared all at once.
        """
        if (traced := self.trace(spec, place, settings)) is not None:
            for part, columns in run(traced, settings):
                ways = kinds(self.scopes, "stored")
                kept = [
                    (w, c) for w, c in zip(ways, columns, strict=True) if published or not w.view
                ]
                self.compare(part, *zip(*kept, strict=True))
            return
        for setting in settings:
            with suppress(MbprofError):
                graph = spec.build_at({**self.given, **setting.knobs}).compiled
                views: Views = "every" if published or setting.bits < _VIEWED else "none"
                values = counts(graph, self.scopes, views, self.formulas)
                built.setdefault((views, setting.bits < MARGIN), []).append((setting, values))

    def trace(self, spec: Spec, place: Any, settings: list[Setting]) -> Traced | None:
        """Return the spec with symbols for knobs, None where few settings need none."""
        if place not in self.traced:
            again = self.asked and place == place_of(self.asked.address or self.asked.name, {})
            if len(settings) < (_AGAIN if again else _WORTH):
                return None
            network = spec.build_at({**self.given, **fixed(settings[0].knobs)})
            self.traced[place] = traced(spec, network, self.given, self.scopes)
        return self.traced[place]

    def compare(
        self, settings: Sequence[Setting], ways: Sequence[Counted], columns: Sequence[Any]
    ) -> None:
        """Compare counts with the number: a column holds one way to count at all the settings."""
        rare, middle = [setting.bits for setting in settings], float(self.number.value)
        known: dict[Counted, list[float]] = {}
        for way, column in zip(ways, columns, strict=True):
            if way.quantity not in self.number.kinds:
                continue
            row = [int(count) / middle for count in column]
            first = known.setdefault(way._replace(view=""), row)
            # A view is news only where it changes what is counted.
            news = [at for at, part in enumerate(row) if not way.view or part != first[at]]
            self.looked += len(news)
            bits = self.rarity(way, settings, rare)
            places = sorted((row[at], at) for at in news)
            for factor in self.factors(way, settings):
                times = float(factor.times)
                ends = ((1 - NEAR) / times, -1), ((1 + NEAR) / times, len(row))
                low, high = (bisect(places, end) for end in ends)
                near = sorted(at for _, at in places[low:high])
                if near:
                    matches = [
                        _match(settings[at], way, factor, column[at], bits[at] + factor.bits)
                        for at in near
                    ]
                    self.note([row[at] * times for at in near], matches)

    def note(self, amounts: Sequence[float], matches: list[Match]) -> None:
        """Note what lies near the number: what prints like it, and what comes nearest."""
        self.density.add(amounts, [match.bits for match in matches])
        middle = float(self.number.value)
        ends = [end / middle for printed in self.number.ranges for end in printed[:2]]
        for amount, match in zip(amounts, matches, strict=True):
            # What is ten times too large may have been rounded before it was written.
            spare = _SPARE if match.factor.said else 1e-12
            if min(ends) - spare <= amount <= max(ends) + spare and self.keep(match):
                continue
            if abs(amount - 1) < self.nearest and not match.factor.said:
                self.nearest, self.closest = abs(amount - 1), match

    def keep(self, match: Match) -> bool:
        """Keep a match if it prints like the number indeed."""
        rounding = self.number.rounding(match.value * match.factor.times)
        if rounding is None and match.factor.said:
            rounding = unslipped(self.number, match.factor).rounding(match.value)
        if rounding is not None:
            spared = rarity(rounding) if rounding in match.usual else 0.0
            self.matches.append(match._replace(rounding=rounding, bits=match.bits - spared))
        return rounding is not None

    def factors(self, way: Counted, settings: Sequence[Setting]) -> Iterator[Factor]:
        """Yield what a count may have been multiplied by."""
        yield from factors(way)
        if (
            self.asked
            and way.bits <= _SLIPPING
            and min(setting.bits for setting in settings) < MARGIN
        ):
            yield from slips(self.number.power)

    def rarity(self, way: Counted, settings: Sequence[Setting], rare: Sequence[Bits]) -> list[Bits]:
        """Return the bits of a count at settings, fewer where a claim is known to count so."""
        own = [bits + way.bits for bits in rare]
        if way.view != PLAIN:
            return own
        for at, setting in enumerate(settings):
            for known in setting.known(way.quantity, way.convention, way.scope):
                most = known.most + _ORDER * way.bits
                own[at] = min(own[at], setting.bits - known.likelier, most)
        return own

    def matter(self, match: Match) -> dict[str, Value]:
        """Return the knobs of a match that its count depends on: width, size, classes, turned.

        What was typed is always among them.
        """
        if res := self.looked_up(match):
            return {**({"res": res[0]} if match.counted.quantity == "cost" else {}), **match.knobs}
        spec = loaded(match.spec, self.asked)
        place = place_of(match.spec, match.knobs)
        if spec is None:
            return dict(match.knobs)
        setting = Setting(match.spec, match.knobs, 0.0)
        if place not in self.traced:
            network = spec.build_at({**self.given, **fixed(match.knobs)})
            self.traced[place] = traced(spec, network, self.given, self.scopes)
            for _ in run(self.traced[place], [setting]):
                pass
        found = self.traced[place]
        at = {**found.base, **match.knobs}
        if match.counted not in self.kinds:  # A layer knows no classes.
            depends = {WIDTH, "res"} if match.counted.quantity == "cost" else {WIDTH}
        else:
            depends = self.depends(found, match)
        names = dict.fromkeys((*VARIED, *match.knobs, *self.given))
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

    def depends(self, traced: Traced, match: Match) -> set[str]:
        """Return the knobs with a symbol that a match depends on."""
        key = (*place_of(match.spec, match.knobs), match.counted)
        if key not in self.known:
            ways = kinds(self.scopes, "stored")
            at = ways.index(
                match.counted if match.counted in ways else match.counted._replace(view=PLAIN)
            )
            programs = [path.program for path in traced.engine.paths if path.error is None]
            # A width that only decides between tables is in no sum.
            self.known[key] = set().union(
                *(inputs(p, p.outputs[at]) for p in programs),
                *(p.asked & {WIDTH} for p in programs),
            )
        found: set[str] = self.known[key]
        return found

    def turns(self, spec: Spec, name: str, match: Match) -> bool:
        """Whether a knob without a symbol changes what is counted."""
        if name in VARIED or name not in match.knobs:
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
    known = setting.known(way.quantity, way.convention, way.scope)
    usual = tuple(each.rounding for each in known) if way.view == PLAIN else ()
    return Match(setting.spec, setting.knobs, way, factor, int(value), float(bits), "", usual)


def unslipped(number: Quantity, factor: Factor) -> Quantity:
    """Return what a number would have been without a slip, itself if that has no fewer digits.

    >>> from mbprof.language.counts import read
    >>> unslipped(read("37000G"), slips(9)[3]).ranges[1]
    Range(low=37000000000, high=37999999999, rounding='down')
    """
    meant, rest = divmod(number.value, factor.times)
    if factor.times < 1 or rest or meant % 10**number.power:
        return number._replace(ranges=())
    return read(f"{int(meant) // 10**number.power}e{number.power}")


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


def separable(graph: Graph) -> Iterator[tuple[str, int]]:
    """Yield the weights of full convolutions as separable ones: k² · C · m and C · m · C_out."""
    for node in graph.nodes:
        geometry = node.op.geometry(node.in_shapes)
        if node.op.multiplies and geometry.kernel and geometry.groups == 1:
            (high, wide), c = geometry.kernel, node.in_shapes[0][0]
            for m in _MULTIPLIERS if high * wide > 1 else ():
                kernels = (high * wide + node.out_shapes[0][0]) * c * m
                yield f"layer {node.layer}, separable, multiplier {m}", kernels

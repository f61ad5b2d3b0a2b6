"""Where a number comes from: what was counted, of which network, at which settings.

A number from a paper or a leaderboard is compared with every convention, scope, folding and factor
of two; first of the network as it is asked for, then with the usual numbers of classes, then over
the usual widths and resolutions, then of its other flavours. The first ring with a match answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Self

import mbprof
from mbprof import fmt, zoo
from mbprof.engine import Engine
from mbprof.errors import Loc, MbprofError, UsageError, nearest
from mbprof.expr import Value
from mbprof.graph import Graph
from mbprof.network import Spec, load
from mbprof.numbers import Counted, Number, countings, counts, number
from mbprof.profile import SCOPES, setting
from mbprof.reports import Column, Report
from mbprof.spec.knobs import checked, parse, plain

ALPHAS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4, 1.5, 2.0)
"""The usual width multipliers."""
SIDES = (96, 128, 160, 192, 224, 240, 256, 260, 280, 288, 299, 300, 320)
"""The usual resolutions."""
CLASSES = (1000, 1001)
"""The usual numbers of classes: of ImageNet, and with one for the background."""
MOST = 50
"""More different counts than these are no answer."""


class Origin(NamedTuple):
    """A way to count that gives the number: ``value`` · ``factor`` prints like it."""

    spec: str
    convention: str
    scope: str
    knobs: Mapping[str, Value]
    quantity: str
    folded: bool
    value: int
    unit: str
    factor: Fraction
    rounding: str

    def to_dict(self) -> dict[str, Any]:
        """Return the origin as plain data."""
        return {
            **self._asdict(),
            "knobs": {name: setting(value) for name, value in self.knobs.items()},
            "factor": float(self.factor) if self.factor.denominator > 1 else int(self.factor),
            "version": mbprof.__version__,
        }


@dataclass(frozen=True, slots=True)
class Origins:
    """What was found for a number, and the count that comes nearest if nothing was."""

    spec: str
    number: Number
    origins: tuple[Origin, ...]
    looked: int
    closest: Origin | None
    printed: tuple[str, ...] = ()
    """Who printed the number for the network, as the spec's claims say."""

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        if self.origins:
            values = {origin.value for origin in self.origins}
            return f"{self.number.text} is {fmt.several(len(values), 'count')} of {self.spec}"
        said = f"{self.number.text}: not found among {self.looked:,} counts of {self.spec}"
        if self.closest is None:
            return said
        off = float(self.closest.value * self.closest.factor / self.number.middle - 1)
        return f"{said}; nearest is {_described(self.closest)}, {100 * off:+.2g} % off"


# The rings


@dataclass(slots=True)
class _Search:
    """One search: what was typed, and how far it has looked."""

    number: Number
    given: Mapping[str, Value]
    places: Mapping[str, Loc]
    scopes: tuple[str, ...]
    wanted: list[Counted]
    middle: float
    reach: float
    """How far from the middle, in parts of it, a count can be and print like the number."""
    looked: int = 0
    nearest: float = float("inf")
    closest: Origin | None = None

    @classmethod
    def of(
        cls,
        number: Number,
        given: Mapping[str, Value],
        places: Mapping[str, Loc],
        scopes: tuple[str, ...],
    ) -> Self:
        """Prepare a search."""
        middle = float(number.middle)
        ends = [end for each in number.ranges for end in each[:2]]
        reach = max(abs(end / middle - 1) for end in ends) + 1e-9
        wanted = countings(scopes, number.quantities)
        return cls(number, given, places, scopes, wanted, middle, reach)

    def rings(self, spec: Spec) -> Iterator[list[Origin]]:
        """Yield what is found in a spec at its own settings, by classes, widths and resolutions."""
        own = {**spec.knobs, **self.given}
        yield self.at(spec, [own])
        options = [own]
        if "classes" in own and "classes" not in self.given:
            options = [
                {**own, "classes": each} for each in dict.fromkeys((own["classes"], *CLASSES))
            ]
            yield self.at(spec, options[1:])
        found = []
        for option in options:
            found += self.grid(spec, option)
        yield found

    def at(self, spec: Spec, options: Iterable[Mapping[str, Value]]) -> list[Origin]:
        """Look at single settings."""
        found = []
        for knobs in options:
            graph = spec.build_at(knobs, self.places).layers
            values = counts(graph, self.scopes, self.number.quantities)
            found += self.matches(spec, knobs, values)
        return found

    def grid(self, spec: Spec, knobs: Mapping[str, Value]) -> list[Origin]:
        """Look at the usual widths and resolutions, all at once."""
        alphas = ALPHAS if "alpha" in knobs and "alpha" not in self.given else ()
        lanes = _lanes(spec, knobs, alphas, () if "res" in self.given else SIDES)
        found = []
        for lane, values in self.run(spec, knobs, lanes):
            res = (lane["res"], lane["res"]) if "res" in lane else knobs["res"]
            found += self.matches(spec, {**knobs, **lane, "res": res}, values)
        return found

    def run(
        self, spec: Spec, knobs: Mapping[str, Value], lanes: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], list[Any]]]:
        """Yield each lane with its counts; lanes that make no network are passed by."""
        import numpy as np

        if not lanes or not lanes[0]:
            return
        names = list(lanes[0])
        columns = {name: np.array([lane[name] for lane in lanes]) for name in names}
        ranges = {name: (min(c.tolist()), max(c.tolist())) for name, c in columns.items()}

        def count(graph: Graph) -> list[Any]:
            return counts(graph, self.scopes, self.number.quantities)

        engine = Engine(spec.definition, knobs, ranges, count, len(self.wanted))
        try:
            results = engine.run(columns, len(lanes))
        except MbprofError:
            half = len(lanes) // 2
            if half:
                yield from self.run(spec, knobs, lanes[:half])
                yield from self.run(spec, knobs, lanes[half:])
            return
        for row, lane in enumerate(lanes):
            yield lane, [int(column[row]) for column in results]

    def matches(
        self, spec: Spec, knobs: Mapping[str, Value], values: Sequence[int]
    ) -> list[Origin]:
        """Return the counts that print like the number; remember the one that comes nearest."""
        found: list[Origin] = []
        unfolded: dict[tuple[str, ...], int] = {}
        for counted, value in zip(self.wanted, values, strict=True):
            key = (counted.convention, counted.scope, counted.quantity, counted.unit)
            # Folding is news only where it changes what is counted.
            if counted.folded and unfolded[key] == value:
                continue
            unfolded.setdefault(key, value)
            self.looked += 1
            for factor, times in _FACTORS[counted.unit]:
                distance = abs(value * times / self.middle - 1)
                near = distance < self.nearest
                if distance <= self.reach or near:
                    origin = _origin(spec, counted, knobs, value, factor)
                    rounding = self.number.rounding(value * factor)
                    if rounding is not None:
                        found.append(origin._replace(rounding=rounding))
                    elif near:
                        self.nearest, self.closest = distance, origin
        return found


def _origin(
    spec: Spec, counted: Counted, knobs: Mapping[str, Value], value: int, factor: Fraction
) -> Origin:
    """Return an origin, at its width, resolution and classes and at what was turned besides."""
    turned = [name for name, each in knobs.items() if each != spec.knobs.get(name)]
    names = dict.fromkeys((*(name for name in _SHOWN if name in knobs), *turned))
    return Origin(
        spec.name,
        counted.convention,
        counted.scope,
        {name: knobs[name] for name in names},
        counted.quantity,
        counted.folded,
        value,
        counted.unit,
        factor,
        "",
    )


_SHOWN = ("alpha", "res", "classes")
_FACTORS = {
    "params": ((Fraction(1), 1.0),),
    "MACs": ((Fraction(1), 1.0), (Fraction(2), 2.0)),
    "FLOPs": ((Fraction(1), 1.0), (Fraction(1, 2), 0.5)),
}
"""What a count may have been multiplied by: a FLOP for a MAC is the usual confusion."""


def _lanes(
    spec: Spec, knobs: Mapping[str, Value], alphas: Sequence[float], sides: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the widths and resolutions that the knobs take, without those of ``knobs``."""
    definition = spec.definition.knobs
    widths: list[dict[str, Any]] = [{}]
    if alphas and not definition["alpha"].one_of:
        widths = [{"alpha": each} for each in alphas if definition["alpha"].inside(each)]
    sizes: list[dict[str, Any]] = [{"res": each} for each in sides] or [{}]
    own = {"alpha": knobs.get("alpha"), "res": knobs["res"]}
    lanes = [{**width, **size} for width in widths for size in sizes]
    return [
        lane for lane in lanes if lane and any(own[n] not in (v, (v, v)) for n, v in lane.items())
    ]


def origins(
    spec: str,
    text: str,
    given: Mapping[str, tuple[str, Loc]] | None = None,
    scope: str | None = None,
) -> Origins:
    """Find out which ways to count a network give a number.

    Raises: UsageError: the number cannot be read, or too many different counts print like it; no
    such scope. MbprofError: the spec makes no network with what is given.

    >>> found = origins("mobilenet_v2@torchvision", "314193216").origins
    >>> sorted({(each.convention, each.scope) for each in found})
    [('fvcore', 'all')]
    """
    wanted = number(text)
    if scope is not None and scope not in SCOPES:
        raise UsageError(f"unknown scope {scope!r}", hint=nearest(scope, SCOPES))
    loaded = load(spec)
    knobs = loaded.definition.knobs
    values = {name: parse(typed) for name, (typed, _) in (given or {}).items()}
    places = {name: loc for name, (_, loc) in (given or {}).items()}
    loaded.build_at(values, places)
    fixed = {name: checked(knobs[name], value, places[name]) for name, value in values.items()}
    search = _Search.of(wanted, fixed, places, (scope,) if scope else SCOPES)
    for name in (spec, *_flavours(spec)):
        for found in _rings(search, name):
            if found:
                few = _few(spec, wanted, found)
                return Origins(spec, wanted, few, search.looked, None, _printed(loaded, wanted))
    return Origins(spec, wanted, (), search.looked, search.closest, _printed(loaded, wanted))


def _printed(spec: Spec, wanted: Number) -> tuple[str, ...]:
    """Return the claims of a spec that print the number, with what is wrong with them."""
    said = []
    for claim in spec.definition.published:
        for quantity in (claim.params, claim.macs):
            if quantity is not None and number(quantity.text).ranges == wanted.ranges:
                wrong = f"; wrong at its source: {claim.erratum}" if claim.erratum else ""
                at = _knobs(claim.at)
                where = f" for {at}" if at else ""
                said.append(f"Printed by {claim.source}{where}{wrong}.")
    return tuple(dict.fromkeys(said))


def _rings(search: _Search, name: str) -> Iterator[list[Origin]]:
    """Yield the rings of one flavour; one that lacks a knob or makes no network is passed by."""
    try:
        yield from search.rings(load(name))
    except MbprofError:
        return


def _flavours(spec: str) -> list[str]:
    """Return the other flavours of a spec of the zoo."""
    stem, _, own = spec.partition("@")
    if "/" in spec or stem not in zoo.names():
        return []
    definition = load(stem).definition
    return [
        f"{stem}@{name}" for name in definition.flavours if name not in (own, definition.flavour)
    ]


def _few(spec: str, wanted: Number, found: list[Origin]) -> tuple[Origin, ...]:
    values = {(origin.value, origin.factor) for origin in found}
    if len(values) > MOST:
        raise UsageError(
            f"{wanted.text} prints like {len(values)} different counts of {spec}",
            hint="give more digits, or what you know: --alpha, --res, --set classes=N, --scope",
        )
    found.sort(key=lambda origin: (origin.factor != 1, origin.rounding == "down", origin.folded))
    return tuple(found)


def _described(origin: Origin) -> str:
    knobs = ", ".join(f"{name} {plain(value)}" for name, value in origin.knobs.items())
    folded = ", batch norms folded" if origin.folded else ""
    times = "" if origin.factor == 1 else f" × {origin.factor}"
    return (
        f"{fmt.integer(origin.value)} {origin.unit}{times} ({origin.convention}, scope "
        f"{origin.scope}{folded}, {knobs})"
    )


def _knobs(value: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} {plain(each)}" for name, each in value.items())


COLUMNS = (
    Column("value", "count", "the exact count", fmt.integer, True),
    Column("unit", "of", "params, MACs or FLOPs"),
    Column("factor", "×", "what it was multiplied by", str, True, yields=1),
    Column("rounding", "rounded", "how it prints as the number", yields=3),
    Column("scope", "scope", "body or all"),
    Column("folded", "folded", "whether batch norms are folded", yields=2),
    Column("knobs", "at", "the settings", _knobs, wraps=True),
    Column("spec", "network", "the name and flavour", yields=3),
    Column("conventions", "conventions", "those that count so", ", ".join, wraps=True),
)


def origins_report(found: Origins) -> Report:
    """Lay out where a number comes from: a row for each count, with who counts so."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for each in found.origins:
        key = (each.value, each.unit, each.factor, each.rounding, each.scope, each.folded)
        shown = (tuple(each.knobs.items()), each.spec)
        groups.setdefault((*key, *shown), []).append(each.convention)
    rows = tuple(
        {
            "value": value,
            "unit": unit,
            "factor": factor,
            "rounding": rounding,
            "scope": scope,
            "folded": "folded" if folded else "",
            "knobs": dict(knobs),
            "spec": spec,
            "conventions": names,
        }
        for (value, unit, factor, rounding, scope, folded, knobs, spec), names in groups.items()
    )
    notes = ("mbprof show SPEC and docs/conventions.md say what each of them counts.",)
    return Report(
        title=found.verdict,
        columns=COLUMNS,
        rows=rows,
        data=[origin.to_dict() for origin in found.origins],
        notes=(*found.printed, *(notes if rows else ())),
    )

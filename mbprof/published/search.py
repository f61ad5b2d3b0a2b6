"""The search for a number: every count over rings of settings, and how likely each match is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from mbprof.errors import MbprofError, UsageError
from mbprof.language.counts import Quantity
from mbprof.language.fmt import Value
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Count
from mbprof.network.graph import Graph, fold
from mbprof.network.load import Network, Spec
from mbprof.network.many import Engine
from mbprof.ops.base import total
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.spec.usual import ALPHAS, CLASSES, SIDES
from mbprof.symbolic.arithmetic import added

MOST = 50
"""More different counts than these are no answer."""


class Counted(NamedTuple):
    """One of the numbers that a network has: the convention, the scope, what, and folded or not."""

    convention: str
    scope: str
    quantity: str
    folded: bool
    unit: str


def countings(scopes: Sequence[str], quantities: Sequence[str]) -> list[Counted]:
    """Return every way to count a network, in the order of `counts`."""
    ways = []
    for name in conventions.names():
        convention = conventions.load(name)
        for scope in scopes:
            for folded in (False, True):
                if "params" in quantities:
                    ways.append(Counted(name, scope, "params", folded, "params"))
                if "cost" in quantities:
                    units = (conventions.UNITS[measure] for measure in convention.measures)
                    ways += [Counted(name, scope, "cost", folded, unit) for unit in units]
    return ways


def counts(graph: Graph, scopes: Sequence[str], quantities: Sequence[str]) -> list[Any]:
    """Return all counts of a graph, by convention, scope, folding and quantity."""
    values: list[Any] = []
    plain, folded = _Parts(graph), _Parts(fold(graph))
    for name in conventions.names():
        convention = conventions.load(name)
        # Folding what is folded changes nothing.
        views = [folded.counts(convention)] * 2 if convention.folds else None
        views = views or [parts.counts(convention) for parts in (plain, folded)]
        for scope in scopes:
            for parts in views:
                inside = [count for part, count in parts.items() if scope in ("all", part)]
                if "params" in quantities:
                    values.append(added(count.params for count in inside))
                if "cost" in quantities:
                    values += map(added, zip(*(count.costs for count in inside), strict=True))
    return values


class _Parts:
    """The body and the head of a graph: they share no node, so that scopes are sums of them."""

    def __init__(self, graph: Graph) -> None:
        scopes = dict.fromkeys(("body", *(node.scope for node in graph.nodes)))
        self.nodes = {scope: [n for n in graph.nodes if n.scope == scope] for scope in scopes}
        self.facts = {scope: total(n.facts for n in nodes) for scope, nodes in self.nodes.items()}

    def counts(self, convention: Convention) -> dict[str, Count]:
        """Return what a convention, which sees the graph as it is, counts of each part."""
        return {
            scope: convention.count(nodes, self.facts[scope]) for scope, nodes in self.nodes.items()
        }


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

    def __repr__(self) -> str:
        said = f"{self.spec}, {self.convention}, scope {self.scope}"
        return line(self, f"{self.value:,} {self.unit}, {said}")

    @property
    def coarse(self) -> bool:
        """Whether the number's last digits, which are zeros, are rounded as well."""
        return self.rounding.startswith("to ")

    def to_dict(self) -> dict[str, Any]:
        """Return the origin as plain data."""
        return {
            **self._asdict(),
            "factor": float(self.factor) if self.factor.denominator > 1 else int(self.factor),
            **stamp(knobs=self.knobs),
        }


@dataclass(slots=True)
class Search:
    """One search: what was typed, and how far it has looked."""

    spec: str
    number: Quantity
    given: Mapping[str, Value]
    scopes: tuple[str, ...]
    wanted: list[Counted] = field(init=False)
    middle: float = field(init=False)
    reach: float = field(init=False)
    """How far from the middle, in parts of it, a count can be and print like the number."""
    own: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    """The settings that each spec has by itself, with what was typed."""
    looked: int = 0
    nearest: float = float("inf")
    closest: Origin | None = None

    def __post_init__(self) -> None:
        self.wanted = countings(self.scopes, self.number.kinds)
        self.middle = float(self.number.value)
        ends = [end for printed in self.number.ranges for end in printed[:2]]
        self.reach = max(abs(end / self.middle - 1) for end in ends) + 1e-9

    def first(self, rings: Iterable[list[Origin]]) -> tuple[list[Origin], int]:
        """Return what the first ring with a match has, ranked, and how many counts are left out.

        Where that is weak, no count as it is, the next ring answers, too. Of too many counts
        those that are rounded to zeros are left out, and then all weak ones.
        Raises: UsageError: too many counts print like the number.
        """
        origins: list[Origin] = []
        for ring in rings:
            weak, origins = bool(origins), origins + ring
            if weak or any(_strong(origin) for origin in origins):
                break
        ranked = self.ranked(origins)
        for keeps in (lambda origin: not origin.coarse, _strong):
            if _values(ranked) > MOST:
                ranked = [origin for origin in ranked if keeps(origin)] or ranked
        if _values(ranked) > MOST:
            raise UsageError(
                f"{self.number.text} prints like {_values(origins)} different counts of "
                f"{self.spec}",
                hint="give more digits, or what you know: --alpha, --res, --set classes=N, --scope",
            )
        return ranked, _values(origins) - _values(ranked)

    def rings(self, network: Network) -> Iterator[list[Origin]]:
        """Yield what is found in a network as it is, then by classes, widths and resolutions."""
        spec = network.spec
        own = self.own[spec.name] = network.knobs
        yield self.at(network)
        classes: list[Any] = []
        if "classes" in own and "classes" not in self.given:
            classes = list(dict.fromkeys((own["classes"], *CLASSES)))
            origins = []
            for count in classes[1:]:
                with suppress(MbprofError):
                    origins += self.at(spec.build(**{**own, "classes": count}))
            yield origins
        yield self.grid(spec, own, classes)

    def at(self, network: Network) -> list[Origin]:
        """Look at a single network."""
        values = counts(network.compiled, self.scopes, self.number.kinds)
        return self.matches(network.spec, [network.knobs], [[value] for value in values])

    def grid(self, spec: Spec, own: Mapping[str, Value], classes: Sequence[int]) -> list[Origin]:
        """Look at the usual widths and resolutions, for all numbers of classes at once."""
        knobs = spec.definition.knobs
        widths: list[dict[str, Any]] = [{}]
        sizes: list[dict[str, Any]] = [{}]
        if "alpha" in own and "alpha" not in self.given and not knobs["alpha"].one_of:
            widths = [{"alpha": alpha} for alpha in ALPHAS if knobs["alpha"].inside(alpha)]
        # Stored values do not depend on the resolution.
        if "res" not in self.given and "cost" in self.number.kinds:
            sizes = [{"res": side} for side in SIDES]
        lanes = [
            lane
            for lane in ({**width, **side} for width in widths for side in sizes)
            if any(own[name] not in (value, (value, value)) for name, value in lane.items())
        ]
        if classes and lanes and knobs["classes"].kind == "int":
            lanes = [{**lane, "classes": count} for lane in lanes for count in classes]
        origins = []
        for part, values in self.run(spec, own, lanes):
            origins += self.matches(spec, [_at(own, lane) for lane in part], values)
        return origins

    def run(
        self, spec: Spec, knobs: Mapping[str, Value], lanes: list[dict[str, Any]]
    ) -> Iterator[tuple[list[dict[str, Any]], list[Any]]]:
        """Yield lanes with columns of their counts; those that make no network are passed by."""
        import numpy as np

        if not lanes or not lanes[0]:
            return
        names = list(lanes[0])
        columns = {name: np.array([lane[name] for lane in lanes]) for name in names}
        ranges = {name: (min(c.tolist()), max(c.tolist())) for name, c in columns.items()}
        count = partial(counts, scopes=self.scopes, quantities=self.number.kinds)
        engine = Engine(spec.definition, knobs, ranges, count, len(self.wanted))
        try:
            results = engine.run(columns, len(lanes))
        except MbprofError:
            half = len(lanes) // 2
            if half:
                yield from self.run(spec, knobs, lanes[:half])
                yield from self.run(spec, knobs, lanes[half:])
            return
        yield lanes, results

    def matches(
        self, spec: Spec, knobs: Sequence[Mapping[str, Value]], columns: Sequence[Any]
    ) -> list[Origin]:
        """Return the counts that print like the number; remember the one that comes nearest.

        A column holds one way to count at all the settings.
        """
        import numpy as np

        origins: list[Origin] = []
        unfolded: dict[tuple[str, ...], Any] = {}
        for counted, column in zip(self.wanted, columns, strict=True):
            values = np.asarray(column, dtype=np.float64)
            key = (counted.convention, counted.scope, counted.quantity, counted.unit)
            # Folding is news only where it changes what is counted.
            same = counted.folded & (unfolded.setdefault(key, values) == values)
            self.looked += len(values) - int(np.count_nonzero(same))
            for factor, times in _FACTORS[counted.unit]:
                distances = np.where(same, np.inf, np.abs(values * times / self.middle - 1))
                rows = np.flatnonzero(distances <= self.reach).tolist()
                nearest = int(np.argmin(distances))
                if distances[nearest] < self.nearest and nearest not in rows:
                    rows.append(nearest)
                for row in rows:
                    value = int(column[row])
                    origin = _origin(spec, counted, knobs[row], value, factor)
                    rounding = self.number.rounding(value * factor)
                    if rounding is not None:
                        origins.append(origin._replace(rounding=rounding))
                    elif distances[row] < self.nearest:
                        self.nearest, self.closest = float(distances[row]), origin
        return origins

    def ranked(self, origins: Iterable[Origin]) -> list[Origin]:
        """Return origins, the likeliest first; settings that change nothing are named once.

        What is rounded most comes last. Then a number is a count rather than twice or half of
        one, of a network as it is rather than folded, at its own settings, by the default
        convention, rounded rather than cut off, and close.
        """
        kept: dict[tuple[Any, ...], Origin] = {}
        for origin in origins:
            key = tuple(origin._replace(knobs={}, rounding=""))
            at = (*key[:3], *key[4:])
            if at not in kept or self.turned(origin) < self.turned(kept[at]):
                kept[at] = origin
        return sorted(kept.values(), key=self.rank)

    def turned(self, origin: Origin) -> tuple[int, int, float, float]:
        """Return how far an origin's settings are from the network's own."""
        own = self.own[origin.spec]
        apart = [name for name, value in origin.knobs.items() if own.get(name) != value]
        far = {name: abs(_number(origin.knobs[name]) - _number(own.get(name))) for name in apart}
        return len(apart), int("res" in apart), far.get("res", 0.0), sum(far.values())

    def rank(self, origin: Origin) -> tuple[Any, ...]:
        """Return what origins are sorted by."""
        return (
            origin.coarse,
            origin.factor != 1,
            origin.folded,
            self.turned(origin)[:2],
            origin.convention != conventions.DEFAULT,
            origin.rounding == "down",
            abs(float(origin.value * origin.factor) - self.middle),
        )


def _strong(origin: Origin) -> bool:
    return origin.factor == 1 and not origin.folded and not origin.coarse


def _values(origins: Iterable[Origin]) -> int:
    return len({(origin.value, origin.factor) for origin in origins})


def _at(own: Mapping[str, Value], lane: Mapping[str, Any]) -> dict[str, Value]:
    """Return all knobs with those of a lane."""
    res = (lane["res"], lane["res"]) if "res" in lane else own.get("res")
    return {**own, **lane, **({"res": res} if res else {})}


def _number(value: Any) -> float:
    value = value[0] if isinstance(value, tuple) else value
    return float(value) if isinstance(value, int | float) else 0.0


def _origin(
    spec: Spec, counted: Counted, knobs: Mapping[str, Value], value: int, factor: Fraction
) -> Origin:
    """Return an origin, at its width, resolution and classes and at what was turned besides."""
    turned = [name for name, at in knobs.items() if at != spec.knobs.get(name)]
    names = dict.fromkeys((*(name for name in _SHOWN if name in knobs), *turned))
    shown = {name: knobs[name] for name in names}
    return Origin(
        spec=spec.name, knobs=shown, value=value, factor=factor, rounding="", **counted._asdict()
    )


_SHOWN = ("alpha", "res", "classes")
_FACTORS = {
    "params": ((Fraction(1), 1.0),),
    "MACs": ((Fraction(1), 1.0), (Fraction(2), 2.0)),
    "FLOPs": ((Fraction(1), 1.0), (Fraction(1, 2), 0.5)),
}
"""What a count may have been multiplied by: a FLOP for a MAC is the usual confusion."""

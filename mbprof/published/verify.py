"""Claims recomputed: what others published about a network, beside what mbprof counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.counts import read
from mbprof.language.fmt import Value, spelled
from mbprof.language.record import NamedTuple
from mbprof.network.conventions import Count
from mbprof.network.graph import Graph
from mbprof.network.load import Spec, SpecLike, as_spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.published import claimed
from mbprof.published.counted import counts, kinds
from mbprof.published.trials import Counts, Network, Trials, rounded
from mbprof.spec import zoo
from mbprof.spec.sections import Claim, claims

HOLDS, ROUNDED, OTHER = "holds", "rounded otherwise", "of another network or a budget"
ERRATUM, UNEXPLAINED = "wrong at its source", "unexplained"
STALE = "erratum is out of date"
AS = "holds as {} counts"
"""The verdict on a number that another convention counts."""


class Verdict(NamedTuple):
    """One published number, and whether the computed one prints like it."""

    spec: str
    at: Mapping[str, Value]
    scope: str
    convention: str
    quantity: str
    published: str
    computed: int
    verdict: str
    source: str
    erratum: str | None
    how: str = ""
    """Who counts so, how it is rounded, what the number is of, or what was tried in vain."""

    def __repr__(self) -> str:
        return line(self, self.brief)

    @property
    def brief(self) -> str:
        """The number, whose it is, and whether it holds."""
        said = f"{self.spec}: {self.published} {self.quantity} ({self.source}) {self.verdict}"
        return said if self.passed or not self.how else f"{said}; {self.how}"

    @property
    def passed(self) -> bool:
        """Whether the number is right in some way, or known to be wrong at its source."""
        return self.verdict not in (UNEXPLAINED, STALE)


class Verdicts(Result, tuple[Verdict, ...]):
    """Verdicts, one for each published number."""

    __slots__ = ()

    @property
    def passed(self) -> bool:
        """Whether no claim is unexplained, and no erratum out of date."""
        return all(verdict.passed for verdict in self)

    def report(self, layout: str = "page") -> Report:
        """Lay the verdicts out."""
        return verdict_report(self)


def verify(*specs: SpecLike) -> Verdicts:
    """Recompute every claim of the specs, of the whole zoo if none is named.

    Raises: UsageError: no such spec. MbprofError: a spec cannot be read, or a claim cannot be
    computed.

    >>> sorted({verdict.verdict for verdict in verify("mobilenet_v1")})
    ['holds', 'rounded otherwise', 'wrong at its source']
    """
    if not specs:
        return Verdicts(verdict for name in zoo.spec_names() for verdict in _of_zoo(name))
    return Verdicts(verdict for s in specs for verdict in _spec(as_spec(s)))


def _of_zoo(name: str) -> Iterator[Verdict]:
    opened = zoo.open(name)
    assert isinstance(opened, zoo.OpenedSpec), "the zoo's specs are no blocks"
    # Nothing else of the spec has to be read.
    return _Networks(name, {}, True).verdicts(claims(opened.root.get("published")))


def _spec(spec: Spec) -> Iterator[Verdict]:
    name = spec.address or spec.name
    of_zoo = name.partition("@")[0] in zoo.names() and zoo.load(name) is spec.definition
    return _Networks(name, {name: spec}, of_zoo).verdicts(spec.definition.published)


@dataclass(slots=True)
class _Networks:
    """What is claimed of: each spec is loaded once at most, each network built once at most."""

    name: str
    specs: dict[str, Spec]
    of_zoo: bool
    """Whether the claims are the zoo's own, of which it is known what they are of."""
    graphs: dict[Any, Graph] = field(default_factory=dict)
    tried: dict[Any, list[Any]] = field(default_factory=dict)
    formulas: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def verdicts(self, published: Iterable[Claim]) -> Iterator[Verdict]:
        """Yield what comes of each number that was published."""
        for claim in published:
            asked = claimed.called(self.name.partition("@")[0], claim)
            try:
                counted = claimed.count(asked, claim) if self.of_zoo else None
                if counted is None:
                    counted = totals(self.graph(asked, claim), claim.convention, claim.scope)
                yield from _claim(asked, claim, counted, partial(self.candidates, asked, claim))
            except MbprofError as error:
                raise error.at(claim.loc) from None

    def spec(self, asked: str) -> Spec:
        """Return a spec."""
        if asked not in self.specs:
            self.specs[asked] = load(asked)
        return self.specs[asked]

    def graph(self, asked: str, claim: Claim) -> Graph:
        """Return the network at a claim's settings."""
        key = _place(asked, claim)
        if key not in self.graphs:
            self.graphs[key] = self.spec(asked).build(**claim.at).compiled
        return self.graphs[key]

    def candidates(self, asked: str, claim: Claim) -> Iterator[Network]:
        """Yield what a number may be of: the network that is named, and its other flavours."""
        yield self.network(asked, claim)
        stem = asked.partition("@")[0]
        if stem in zoo.names():
            flavours = (f"{stem}@{flavour}" for flavour in self.spec(self.name).definition.flavours)
            for other in dict.fromkeys((stem, *flavours)):
                if other != asked:
                    yield self.network(other, claim)

    def network(self, asked: str, claim: Claim) -> Network:
        """Return a network at a claim's settings, by its counts."""

        def within() -> Counts:
            known = claimed.known(asked, claim) if self.of_zoo else None
            own = (pair for pair in every() if pair[0] in set(claimed.ways(claim.scope)))
            return own if known is None else known

        def every() -> Counts:
            key = _place(asked, claim)
            if key not in self.tried:
                self.tried[key] = counts(self.graph(asked, claim), known=self.formulas)
            return zip(kinds(), self.tried[key], strict=True)

        return Network(asked, within, every)


def _place(asked: str, claim: Claim) -> tuple[str, str]:
    return asked, repr(sorted(claim.at.items()))


def _claim(
    asked: str, claim: Claim, counted: Count, candidates: Callable[[], Iterator[Network]]
) -> Iterator[Verdict]:
    about = (asked, claim.at, claim.scope, claim.convention)
    numbers = (("params", claim.params, counted.params), ("macs", claim.macs, counted.cost))
    given = [(name, said, computed) for name, said, computed in numbers if said is not None]
    right = {name: said.holds(computed) for name, said, computed in given}
    wrong = claim.erratum or claim.other
    for name, said, computed in given:
        how = ""
        if wrong is not None and all(right.values()):
            verdict = STALE
        elif right[name]:
            verdict = HOLDS
        elif claim.other is not None:
            verdict, how = OTHER, claim.other
        elif (rounding := rounded(read(said.text), computed)) is not None:
            verdict, how = ROUNDED, rounding
        else:
            trials = Trials(said, asked, claim.scope)
            found = trials.answer(name, claim.convention, candidates())
            if found is not None:
                how = found.said(asked, claim.scope)
                verdict = AS.format(found.counted.convention)
            else:
                verdict = UNEXPLAINED if claim.erratum is None else ERRATUM
                how = trials.brief()
        yield Verdict(*about, name, said.text, computed, verdict, claim.source, wrong, how)


_SEVERAL = {HOLDS: "hold", STALE: "errata are out of date"}

COLUMNS = (
    Column("spec", "network", "the name and flavour"),
    Column("at", "at", "the knobs that were turned", spelled, yields=1, wraps=True, tells=True),
    Column("scope", "scope", "what is counted", yields=3),
    Column("convention", "convention", "which kinds count", yields=4),
    Column("quantity", "of", "params or macs"),
    Column("published", "published", "as printed at the source", numeric=True),
    Column("computed", "computed", "as counted here", fmt.integer, numeric=True),
    Column("verdict", "verdict", "whether it holds", wraps=True),
    Column("how", "how", "who counts so, or what was tried", yields=5, wraps=True),
    Column("source", "source", "who published it", yields=2, wraps=True),
)


AS_ANOTHER = "as others count"


def _sort(verdict: str) -> str:
    return AS_ANOTHER if verdict.startswith(f"{HOLDS} as ") else verdict


def verdict_report(verdicts: Sequence[Verdict]) -> Report:
    """Lay out verdicts."""
    rows = tuple(verdict._asdict() for verdict in verdicts)
    counts = Counter(_sort(verdict.verdict) for verdict in verdicts)
    said = ", ".join(
        f"{counts[kind]:,} {kind if counts[kind] == 1 else _SEVERAL.get(kind, kind)}"
        for kind in (HOLDS, AS_ANOTHER, ROUNDED, OTHER, ERRATUM, UNEXPLAINED, STALE)
        if counts[kind]
    )
    failing = tuple(verdict.brief for verdict in verdicts if not verdict.passed)
    return Report(
        title=f"{fmt.several(len(rows), 'claim')}: {said}" if rows else "no claims",
        columns=COLUMNS,
        rows=rows,
        data=[{**row, "at": dict(row["at"]), **stamp()} for row in rows],
        notes=failing[:20],
        listed="",
    )

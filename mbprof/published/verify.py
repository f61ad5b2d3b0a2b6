"""Claims recomputed: what others published about a network, beside what mbprof counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.counts import read
from mbprof.language.fmt import Value, spelled
from mbprof.network.conventions import Count
from mbprof.network.graph import Graph
from mbprof.network.load import Spec, SpecLike, as_spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.published.counted import counts
from mbprof.published.totals import listed
from mbprof.published.trials import Network, Trials, rounded
from mbprof.spec import zoo
from mbprof.spec.sections import Claim

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
    chosen = specs or zoo.spec_names()
    return Verdicts(verdict for s in chosen for verdict in _spec(as_spec(s)))


def _spec(spec: Spec) -> Iterator[Verdict]:
    name = spec.address or spec.name
    of_zoo = name.partition("@")[0] in zoo.names() and zoo.load(name) is spec.definition
    networks = _Networks({name: spec}, of_zoo)
    for claim in spec.definition.published:
        stem = claim.preset or name.partition("@")[0]
        asked = f"{stem}@{claim.flavour}" if claim.flavour else stem
        flavours = [f"{stem}@{f}" for f in spec.definition.flavours if stem in zoo.names()]
        names = dict.fromkeys((asked, stem, *flavours))
        try:
            others = [(n, partial(networks.counts, n, claim)) for n in names]
            yield from _claim(claim, networks.count(asked, claim), others)
        except MbprofError as error:
            raise error.at(claim.loc) from None


@dataclass(slots=True)
class _Networks:
    """What is claimed of: each spec is loaded once, and each network built once at most."""

    specs: dict[str, Spec]
    of_zoo: bool
    """Whether the claims are the zoo's own, whose totals are known."""
    graphs: dict[Any, Graph] = field(default_factory=dict)
    tried: dict[Any, list[Any]] = field(default_factory=dict)
    formulas: dict[Any, dict[str, Any]] = field(default_factory=dict)

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

    def counts(self, asked: str, claim: Claim) -> list[Any]:
        """Return all counts of the network at a claim's settings."""
        key = _place(asked, claim)
        if key not in self.tried:
            self.tried[key] = counts(self.graph(asked, claim), known=self.formulas)
        return self.tried[key]

    def count(self, asked: str, claim: Claim) -> Count:
        """Return what a claim is of; what the zoo's totals have is not built again."""
        stem, _, flavour = asked.partition("@")
        if self.of_zoo and claim.scope == "all" and stem in zoo.names():
            usual = flavour and flavour == zoo.load(stem).flavour
            turned = _turned(self.spec(asked), claim.at) if claim.at else {}
            counted = listed(stem if usual else asked, turned, claim.convention)
            if counted is not None:
                return counted
        return totals(self.graph(asked, claim), claim.convention, claim.scope)


def _place(asked: str, claim: Claim) -> tuple[str, str]:
    return asked, repr(sorted(claim.at.items()))


def _turned(spec: Spec, at: Mapping[str, Value]) -> dict[str, Value]:
    """Return the settings that are no defaults."""
    knobs = spec.definition.knobs
    squares = {
        n: (v, v)
        for n, v in at.items()
        if isinstance(v, int) and n in knobs and knobs[n].kind == "size"
    }
    return {n: v for n, v in {**at, **squares}.items() if n not in knobs or knobs[n].default != v}


def _claim(
    claim: Claim,
    counted: Count,
    networks: Sequence[Network],
) -> Iterator[Verdict]:
    asked, _ = networks[0]
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
            found = trials.answer(name, claim.convention, networks)
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

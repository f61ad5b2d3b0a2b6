"""Claims recomputed: what others published about a network, beside what mbprof counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.fmt import Value, spelled
from mbprof.network.load import Network, Spec, SpecLike, as_spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.model import line
from mbprof.output.writers import Result
from mbprof.spec import zoo
from mbprof.spec.sections import Claim

HOLDS, FAILS, ERRATUM, STALE = "holds", "fails", "wrong at its source", "erratum is out of date"


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

    def __repr__(self) -> str:
        return line(self, self.brief)

    @property
    def brief(self) -> str:
        """The number, whose it is, and whether it holds."""
        return f"{self.spec}: {self.published} {self.quantity} ({self.source}) {self.verdict}"

    @property
    def passed(self) -> bool:
        """Whether the number is right, or known to be wrong at its source."""
        return self.verdict in (HOLDS, ERRATUM)


class Verdicts(Result, tuple[Verdict, ...]):
    """Verdicts, one for each published number."""

    __slots__ = ()

    @property
    def passed(self) -> bool:
        """Whether no claim fails."""
        return all(verdict.passed for verdict in self)

    def report(self, layout: str = "page") -> Report:
        """Lay the verdicts out."""
        return verdict_report(self)


def verify(*specs: SpecLike) -> Verdicts:
    """Recompute every claim of the specs, of the whole zoo if none is named.

    Raises: UsageError: no such spec. MbprofError: a spec cannot be read, or a claim cannot be
    computed.

    >>> {verdict.verdict for verdict in verify("mobilenet_v1")} == {HOLDS, ERRATUM}
    True
    """
    chosen = map(as_spec, specs or zoo.spec_names())
    return Verdicts(verdict for spec in chosen for verdict in _spec(spec))


def _spec(spec: Spec) -> Iterator[Verdict]:
    name = spec.address or spec.name
    specs = {name: spec}
    networks: dict[tuple[str, str], Network] = {}
    for claim in spec.definition.published:
        asked = claim.preset or name.partition("@")[0]
        asked = f"{asked}@{claim.flavour}" if claim.flavour else asked
        try:
            if asked not in specs:
                specs[asked] = load(asked)
            key = (asked, repr(sorted(claim.at.items())))
            if key not in networks:
                networks[key] = specs[asked].build(**claim.at)
            yield from _claim(asked, claim, networks[key])
        except MbprofError as error:
            raise error.at(claim.loc) from None


def _claim(asked: str, claim: Claim, network: Network) -> Iterator[Verdict]:
    about = (asked, claim.at, claim.scope, claim.convention)
    counted = totals(network.compiled, claim.convention, claim.scope)
    numbers = (("params", claim.params, counted.params), ("macs", claim.macs, counted.cost))
    given = [(name, said, computed) for name, said, computed in numbers if said is not None]
    right = {name: said.holds(computed) for name, said, computed in given}
    for name, said, computed in given:
        if claim.erratum is not None and all(right.values()):
            verdict = STALE
        elif right[name]:
            verdict = HOLDS
        else:
            verdict = FAILS if claim.erratum is None else ERRATUM
        found = (name, said.text, computed, verdict)
        yield Verdict(*about, *found, claim.source, claim.erratum)


_SEVERAL = {HOLDS: "hold", FAILS: "fail", STALE: "errata are out of date"}

COLUMNS = (
    Column("spec", "network", "the name and flavour"),
    Column("at", "at", "the knobs that were turned", spelled, yields=1, wraps=True, tells=True),
    Column("scope", "scope", "what is counted", yields=3),
    Column("convention", "convention", "which kinds count", yields=4),
    Column("quantity", "of", "params or macs"),
    Column("published", "published", "as printed at the source", numeric=True),
    Column("computed", "computed", "as counted here", fmt.integer, numeric=True),
    Column("verdict", "verdict", "whether it holds", wraps=True),
    Column("source", "source", "who published it", yields=2, wraps=True),
)


def verdict_report(verdicts: Sequence[Verdict]) -> Report:
    """Lay out verdicts."""
    rows = tuple(verdict._asdict() for verdict in verdicts)
    counts = Counter(verdict.verdict for verdict in verdicts)
    said = ", ".join(
        f"{counts[kind]:,} {kind if counts[kind] == 1 else _SEVERAL.get(kind, kind)}"
        for kind in (HOLDS, ERRATUM, FAILS, STALE)
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

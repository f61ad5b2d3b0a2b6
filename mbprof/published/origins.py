"""Where a number comes from: what was counted, of which network, at which settings.

Rings of settings are searched from the network as asked for outwards; the first match answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mbprof.errors import MbprofError, UsageError
from mbprof.language import fmt
from mbprof.language.counts import HINT, Quantity, quantity, read
from mbprof.language.fmt import spelled
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.load import Network, SpecLike, as_spec, load
from mbprof.output import Column, Note, Report
from mbprof.output.writers import Result
from mbprof.published.search import Origin, Search
from mbprof.spec import zoo
from mbprof.spec.model import Definition
from mbprof.spec.sections import SCOPES, chosen_scope

FAR = 0.1
"""A count that is further off than this, in parts of the number, is not worth a mention."""

COLUMNS = (
    Column("value", "count", "the exact count", fmt.integer, True),
    Column("unit", "of", "params, MACs or FLOPs"),
    Column("factor", "×", "what it was multiplied by", str, True, yields=1, tells=True),
    Column("rounding", "rounded", "how it prints as the number", yields=3, tells=True),
    Column("scope", "scope", "body or all"),
    Column("folded", "folded", "whether batch norms are folded", yields=2, tells=True),
    Column("knobs", "at", "the settings", spelled, wraps=True),
    Column("spec", "network", "the name and flavour", yields=3, tells=True),
    Column("conventions", "conventions", "those that count so", ", ".join, wraps=True),
)


@dataclass(frozen=True, slots=True, repr=False)
class Origins(Result):
    """What was found for a number, and the count that comes nearest if nothing was."""

    spec: str
    number: Quantity
    origins: tuple[Origin, ...]
    looked: int
    closest: Origin | None
    printed: tuple[str, ...] = ()
    """Who printed the number for the network, as the spec's claims say."""
    left_out: int = 0
    """How many counts print like the number, too, less likely than enough others."""

    def report(self, layout: str = "page") -> Report:
        """Lay out a row for each count, with who counts so."""
        rows: dict[str, dict[str, Any]] = {}
        for origin in self.origins:
            row = {**origin._asdict(), "folded": "folded" if origin.folded else ""}
            convention = row.pop("convention")
            rows.setdefault(repr(row), {**row, "conventions": []})["conventions"].append(convention)
        places = list(dict.fromkeys(spelled(row["knobs"]) for row in rows.values()))
        # What all rows have in common takes a terminal's width.
        once = layout == "terminal" and len(places) == 1 and places[0] != ""
        return Report(
            title=self.verdict,
            columns=tuple(c for c in COLUMNS if not (once and c.name == "knobs")),
            rows=tuple(rows.values()),
            lead=(f"at {places[0]}",) if once else (),
            known=COLUMNS,
            data=[origin.to_dict() for origin in self.origins],
            notes=(*self.printed, *self._notes()),
        )

    def _notes(self) -> Iterator[str | Note]:
        """Say what is left out, and how to find out what the conventions that were found count."""
        if self.left_out:
            more = fmt.several(self.left_out, "less likely count")
            yield f"{more} left out: rounded further, doubled, halved or folded."
        said = "docs/conventions.md says what each of them counts"
        names = [origin.convention for origin in self.origins]
        other = next((name for name in names if name != conventions.DEFAULT), None)
        if other is not None:
            asked = (self.spec, conventions.DEFAULT, other)
            ways = ("mbprof explain {} --from {} --to {}", 'explain("{}", before="{}", after="{}")')
            shows = f"shows the difference, line by line; {said}."
            yield Note(*(f"{way.format(*asked)} {shows}" for way in ways))
        elif names:
            yield f"{said}."

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        if self.origins:
            values = {origin.value for origin in self.origins}
            return f"{self.number.text} is {fmt.several(len(values), 'count')} of {self.spec}"
        said = f"{self.number.text}: not found among {self.looked:,} counts of {self.spec}"
        if self.closest is None:
            return said
        off = float(self.closest.value * self.closest.factor / self.number.value - 1)
        if abs(off) > FAR:
            return said
        sign = "−" if off < 0 else "+"
        return f"{said}; nearest is {_described(self.closest)}, {sign}{100 * abs(off):.2g} % off"


def origins(
    spec: SpecLike, text: str, given: Mapping[str, Scalar] | None = None, scope: str | None = None
) -> Origins:
    """Find out which ways to count a network give a number.

    Raises: SpecError: the number cannot be read. UsageError: it is 0, or too many different counts
    print like it; no such scope. MbprofError: the spec makes no network with what is given.

    >>> found = origins("mobilenet_v2@torchvision", "314193216").origins
    >>> sorted({(origin.convention, origin.scope) for origin in found})
    [('fvcore', 'all')]
    """
    wanted = quantity(Scalar.typed("--number ", text))
    if not wanted.value:
        raise UsageError(f"{text} counts nothing", hint=HINT)
    loaded = as_spec(spec)
    address, network = loaded.address or loaded.name, loaded.build_at(given or {})
    fixed = {name: network.knobs[name] for name in given or {}}
    search = Search(address, wanted, fixed, (chosen_scope(scope),) if scope else SCOPES)
    likely, left_out = search.first(_rings(search, network, address))
    closest = None if likely else search.closest
    printed = _printed(network.definition, wanted)
    return Origins(address, wanted, tuple(likely), search.looked, closest, printed, left_out)


def _printed(definition: Definition, wanted: Quantity) -> tuple[str, ...]:
    """Return the claims of a spec that print the number, with what is wrong with them."""
    said: dict[tuple[str, str], list[str]] = {}
    for claim in definition.published:
        for printed in (claim.params, claim.macs):
            if printed is not None and read(printed.text).ranges == wanted.ranges:
                wrong = f"; wrong at its source: {claim.erratum}" if claim.erratum else ""
                said.setdefault((claim.source, wrong), []).append(spelled(claim.at))
    lines = []
    for (source, wrong), places in said.items():
        where = "; ".join(dict.fromkeys(place for place in places if place))
        lines.append(f"Printed by {source}{f' for {where}' if where else ''}{wrong}.")
    return tuple(lines)


def _rings(search: Search, network: Network, spec: str) -> Iterator[list[Origin]]:
    """Yield the rings of a network, then of the other flavours of a spec that can be built."""
    yield from search.rings(network)
    stem, _, own = spec.partition("@")
    if "/" in spec or stem not in zoo.names():
        return
    definition = zoo.load(stem)
    for flavour in definition.flavours:
        if flavour not in (own, definition.flavour):
            with suppress(MbprofError):
                yield from search.rings(load(f"{stem}@{flavour}").build(**search.given))


def _described(origin: Origin) -> str:
    folded = ", batch norms folded" if origin.folded else ""
    times = "" if origin.factor == 1 else f" × {origin.factor}"
    return (
        f"{fmt.integer(origin.value)} {origin.unit}{times} ({origin.convention}, scope "
        f"{origin.scope}{folded}, {spelled(origin.knobs)})"
    )

"""Where a number comes from: what was counted, of which network, at which settings.

Tiers of settings are searched, what people do most first, until nothing likelier can follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.counts import HINT, Quantity, quantity, read
from mbprof.language.fmt import spelled
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.load import Spec, SpecLike, as_spec
from mbprof.output import Column, Note, Report
from mbprof.output.writers import Result
from mbprof.published.counted import UNITS
from mbprof.published.origin import Density, Match, Origin, rarity
from mbprof.published.search import MARGIN, Search
from mbprof.published.settings import FAMILY, called, family, tiers
from mbprof.published.totals import totals
from mbprof.spec import zoo
from mbprof.spec.model import Definition
from mbprof.spec.sections import SCOPES, chosen_scope

FAR = 0.02
"""A count that is further off than this, in parts of the number, is not worth a mention."""
MOST, ZOO_MOST = 20, 50
"""So many different counts are named at most."""
ZOO_MARGIN = 5.0
"""Of all networks of the zoo a rarer way to count may be the answer, too."""


def _odds(chance: float) -> str:
    """Write how many counts of a search print like a number by chance."""
    if chance < 0.01:
        return "<0.01"
    return f"{chance:.2f}" if chance < 1 else f"{chance:.0f}"


def _times(factor: Fraction) -> str:
    """Write what a count was multiplied by; of a binary unit that is the unit.

    >>> _times(Fraction(1, 2)), _times(Fraction(10**6, 2**20))
    ('1/2', '2^20')
    """
    binary = {Fraction(10 ** (3 * n), 2 ** (10 * n)): f"2^{10 * n}" for n in range(1, 5)}
    return binary.get(factor, str(factor))


COLUMNS = (
    Column("value", "count", "the exact count", fmt.integer, True),
    Column("unit", "of", "params, MACs or FLOPs"),
    Column("factor", "×", "what it was multiplied by", _times, True, yields=1, tells=True),
    Column("scope", "scope", "body or all, or a single layer or block", yields=4, tells=True),
    Column("view", "view", "folded batch norms, or layers with biases", yields=4, tells=True),
    Column("chance", "by chance", "counts that print like the number by chance", _odds, True),
    Column("rounding", "rounded", "how it prints as the number", yields=5),
    Column("spec", "network", "the name and flavour", yields=3, tells=True, wraps=True),
    Column("knobs", "at", "the settings that matter", spelled, yields=3, wraps=True, tells=True),
    Column("conventions", "conventions", "those that count so", ", ".join, wraps=True),
)
_SAID = ("spec", "view", "knobs")
"""What is said above the table where all rows have it in common."""


@record
class Origins(Result):
    """What was found for a number, likeliest first, and what comes nearest if nothing was."""

    spec: str
    number: Quantity
    origins: tuple[Origin, ...]
    looked: int
    closest: Origin | None
    printed: tuple[str, ...] = ()
    """Who printed the number for the network, as the spec's claims say."""
    left_out: int = 0
    """How many counts print like the number, too, less likely than enough others."""

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """A row for each count, with all who count so."""
        rows: dict[str, dict[str, Any]] = {}
        for origin in self.origins:
            row = origin._asdict()
            convention, _ = row.pop("convention"), row.pop("bits")
            rows.setdefault(repr(row), {**row, "conventions": []})["conventions"].append(convention)
        return tuple(rows.values())

    def report(self, layout: str = "page") -> Report:
        """Lay out a row for each count, with who counts so."""
        rows = self.rows
        # What all rows have in common takes a terminal's width.
        common = [
            column
            for column in COLUMNS
            if column.tells
            and len({repr(row[column.name]) for row in rows}) == 1
            and (column.name, rows[0]["factor"] == 1) != ("factor", False)
        ]
        once = common if layout == "terminal" else []
        said = [column.written(rows[0]) for column in once if column.name in _SAID]
        if any(c.name == "scope" for c in once) and rows[0]["scope"] != "all":
            said.insert(0, f"scope {rows[0]['scope']}")
        return Report(
            title=self.verdict,
            columns=tuple(column for column in COLUMNS if column not in once),
            rows=rows,
            lead=(", ".join(filter(None, said)),) if any(said) else (),
            known=COLUMNS,
            data=[origin.to_dict() for origin in self.origins],
            notes=(*self.printed, *self._notes()),
        )

    def _notes(self) -> Iterator[str | Note]:
        """Say how likely that is, and how to find out what the conventions count."""
        if self.origins and not self.origins[0].likely:
            said = fmt.several(len(str(self.number.value).rstrip("0")), "digit")
            chance = self.origins[0].chance
            expected = f"{chance:.2g} counts of the search print like it by chance"
            yield f"With {said} a match is no proof: {expected}."
        for said, factor in dict.fromkeys((o.said, o.factor) for o in self.origins):
            if said:
                yield f"× {_named(said, factor)}"
        if self.left_out:
            yield f"{fmt.several(self.left_out, 'rarer count')} left out that print like it, too."
        said = "mbprof docs conventions says what each of them counts"
        names = [origin.convention for origin in self.origins]
        other = next((name for name in names if name != conventions.DEFAULT), None)
        if other is not None:
            asked = (self.origins[0].spec, conventions.DEFAULT, other)
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
            likely = len({origin.value for origin in self.origins if origin.likely})
            said = f"{self.number.text} is {fmt.several(len(values), 'count')} of {self.spec}"
            return f"{said}, {likely or 'none'} of them likely"
        said = f"{self.number.text}: not found among {self.looked:,} counts of {self.spec}"
        if self.closest is None:
            return said
        off = float(self.closest.printed / self.number.value - 1)
        if abs(off) > FAR:
            return said
        sign = "−" if off < 0 else "+"
        return f"{said}; nearest is {_described(self.closest)}, {sign}{100 * abs(off):.2g} % off"


def origins(
    specs: SpecLike | Sequence[SpecLike] | None,
    text: str,
    given: Mapping[str, Scalar] | None = None,
    scope: str | None = None,
) -> Origins:
    """Find out which ways to count a network, one of several, or one of the zoo give a number.

    Raises: SpecError: the number cannot be read. UsageError: it is 0; no such scope; or something
    is set of the whole zoo. MbprofError: a spec makes no network with what is given.

    >>> found = origins("mobilenet_v2@torchvision", "314193216").origins
    >>> sorted({(origin.convention, origin.scope) for origin in found})
    [('fvcore', 'all')]
    >>> "resnet50" in {origin.spec for origin in origins(None, "4111514624").origins}
    True
    """
    wanted = quantity(Scalar.typed("--number ", text))
    if not wanted.value:
        raise UsageError(f"{text} counts nothing", hint=HINT)
    density, scopes = Density(wanted), (chosen_scope(scope),) if scope else SCOPES
    asked = [as_spec(spec) for spec in _several(specs)]
    if specs is None:
        if given or scope:
            raise UsageError("the whole zoo is looked at as it is", hint="name a spec to set more")
        searches = [Search(wanted, density, scopes)]
        searches[0].look_up(totals(), 0.0)
        searches[0].matches = list(named_once(searches[0].matches))
    else:
        searches = [_search(spec, wanted, density, given or {}, scopes) for spec in asked]
    named = " and ".join(spec.address or spec.name for spec in asked) or "the zoo"
    owners = {id(match): search for search in searches for match in search.matches}
    found, left_out = told_apart((match for s in searches for match in s.matches), specs is None)
    nearest = min(searches, key=lambda search: search.nearest)
    likely = tuple(
        match.origin(owners[id(match)].matter(match), density.chance(bits, match.rounding))
        for match, bits in found
    )
    closest = None
    # A slip explains nearly anything, so only a likely one is named.
    likely = tuple(o for o in likely if o.likely or o.said in ("", "twice", "half"))
    if not likely and nearest.closest is not None and nearest.nearest <= FAR:
        closest = nearest.closest.origin(nearest.matter(nearest.closest), 1.0)
    looked = sum(search.looked for search in searches)
    printed = tuple(line for spec in asked for line in _printed(spec.definition, wanted))
    return Origins(named, wanted, likely, looked, closest, printed, left_out)


def _several(specs: Any) -> list[Any]:
    if specs is None:
        return []
    return list(specs) if isinstance(specs, list | tuple) else [specs]


def _search(
    asked: Spec,
    wanted: Quantity,
    density: Density,
    given: Mapping[str, Scalar],
    scopes: tuple[str, ...],
) -> Search:
    """Search one spec, tier by tier, until nothing likelier can follow."""
    network = asked.build_at(given)
    fixed = {name: network.knobs[name] for name in given}
    search = Search(wanted, density, scopes, asked, fixed)
    *before, usual = tiers(asked, fixed, wanted)
    for number, tier in enumerate(before):
        if near := [setting for setting in tier if setting.least <= search.best() + MARGIN]:
            search.look(near, published=number == len(before) - 1)
    if not fixed and "all" in scopes and search.best() + MARGIN >= FAMILY:
        own = [row for row in totals([called(asked)[0]]) if row.knobs and "@" in row.name]
        search.look_up([*totals(family(asked)), *own], FAMILY)
    if search.best() + MARGIN >= FAMILY:
        search.look_inside(network)
        search.look(usual)
    return search


def named_once(matches: Sequence[Match]) -> Iterator[Match]:
    """Yield matches without those of a file's name that a preset of the file has as well.

    ``resnet`` is ``resnet50``, which is what people type.
    """
    files = set(zoo.spec_names())
    places = [(m.counted, m.factor, m.value, repr(m.knobs)) for m in matches]
    known = {(match.spec, place) for match, place in zip(matches, places, strict=True)}
    for match, place in zip(matches, places, strict=True):
        stem, at, flavour = match.spec.partition("@")
        presets = zoo.load(stem).presets if stem in files else ()
        if not any((f"{preset}{at}{flavour}", place) in known for preset in presets):
            yield match


def told_apart(
    matches: Iterable[Match], of_zoo: bool = False
) -> tuple[list[tuple[Match, float]], int]:
    """Return matches with the bits of the likeliest that counts so, and how many are left out.

    A setting that changes nothing is named once, and an amount once that is twice a count and
    another one by itself; what is counted of another view stands apart.
    """
    margin, most = (ZOO_MARGIN, ZOO_MOST) if of_zoo else (MARGIN, MOST)
    ranked = sorted(matches, key=_total)
    groups: dict[Any, list[Match]] = {}
    settled: dict[Any, Any] = {}
    for match in ranked:
        counted, setting = match.counted, (match.spec, repr(sorted(match.knobs.items())))
        what = (match.value * match.factor.times, counted.scope, counted.view)
        # All who count so are named at the setting of the likeliest.
        place = (what, setting if of_zoo else settled.setdefault(what, setting))
        group = groups.setdefault(place, [])
        same = not group or (match.value == group[0].value and place[1] == setting)
        if same and match.counted not in {other.counted for other in group}:
            group.append(match)
    least = _total(ranked[0]) if ranked else 0.0
    answers = [group for group in groups.values() if _total(group[0]) <= least + margin]
    shown = answers[:most]
    return [(m, group[0].bits) for group in shown for m in group], len(answers) - len(shown)


def _total(match: Match) -> float:
    return match.bits + rarity(match.rounding)


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


def _named(said: str, factor: Fraction) -> str:
    """Say what a factor means."""
    if said.startswith(UNITS):
        unit = said.removeprefix(UNITS)
        return f"{unit}: the number is {said}, not of 10^{int(unit[2:]) * 3 // 10}."
    slip = f"the number is {said} what it should be, a slip"
    known = {"twice": "two FLOPs for a MAC", "half": "half of the FLOPs"}
    return f"{factor}: {known.get(said, slip)}."


def _described(origin: Origin) -> str:
    view = {"": "", "folded": ", batch norms folded"}.get(origin.view, f", {origin.view}")
    times = "" if origin.factor == 1 else f" × {_times(origin.factor)}"
    at = f", {spelled(origin.knobs)}" if origin.knobs else ""
    return (
        f"{fmt.integer(origin.value)} {origin.unit}{times} ({origin.convention}, scope "
        f"{origin.scope}{view}{at})"
    )

"""The settings that a number is looked for at, in tiers: those that people use most come first.

A network as it is, its flavours, settings that somebody published, the variants of its family, and
then widths, resolutions and numbers of classes that are usual somewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any

from mbprof.errors import MbprofError
from mbprof.language.counts import Quantity, read
from mbprof.language.fmt import Value, parse
from mbprof.language.record import NamedTuple
from mbprof.network.load import Spec, load
from mbprof.published.counted import Bits
from mbprof.published.rows import for_name
from mbprof.spec import folders, names, zoo
from mbprof.spec.knobs import WIDTH
from mbprof.spec.sections import Claim
from mbprof.spec.usual import ALPHAS, CLASSES, MORE_CLASSES, MORE_SIDES, SIDES

FLAVOUR, NAMED, PUBLISHED, FAMILY = 1.5, 4.0, 2.5, 4.0
"""How seldom a number is of another flavour, of another one than was named, and so on."""
_CLASSES, _MORE_CLASSES = 3.0, 5.5
_SIDE, _MORE_SIDE = 5.0, 6.0
_ALPHA = 5.0
_RAREST = 10.0
"""What is turned together is no rarer than this."""
CLAIMED, PRINTED = 0.2, 4.0
"""By how many bits a count is likelier at a setting where a claim counts so, or is the number."""
_ALIKE, _ALIKE_TURNED = -0.5, 1.0
"""How seldom it is what a source counts that writes its numbers like the one that is searched."""
_BACKGROUND = 1.5
_SERIES = 3.0
"""What an accuracy was published at, or a library's name sets."""


class Known(NamedTuple):
    """How a source counts at a setting: by how many bits that is likelier, and how it rounds.

    ``most`` are the bits that it has at most.
    """

    quantity: str
    convention: str
    scope: str
    rounding: str
    likelier: Bits
    most: Bits = math.inf


class Setting(NamedTuple):
    """What is looked at: a spec, the knobs that are turned, and how seldom people do that.

    ``counted`` says how sources count that published something at the setting.
    """

    spec: str
    knobs: Mapping[str, Value]
    bits: Bits
    counted: tuple[Known, ...] = ()

    @property
    def least(self) -> Bits:
        """How seldom the likeliest of its counts is."""
        return min(
            (min(self.bits - known.likelier, known.most) for known in self.counted),
            default=self.bits,
        )

    def known(self, quantity: str, convention: str, scope: str) -> Iterator[Known]:
        """Yield who counts so."""
        place = (quantity, convention, scope)
        return (known for known in self.counted if known[:3] == place)


def called(spec: Spec) -> tuple[str, str]:
    """Return the zoo's name of a spec and its flavour; no name if the zoo does not have it."""
    address = spec.address or spec.name
    if address.partition("@")[0] not in zoo.names():
        if names.named(folders.folder(), address) is None:
            return "", ""
        address = spec.name
    stem, _, flavour = address.partition("@")
    return stem, flavour or zoo.load(stem).flavour or ""


def flavours(spec: Spec) -> dict[str, str]:
    """Return the addresses of a spec's flavours by flavour, the one that was asked for first."""
    stem, own = called(spec)
    found = {own: spec.address or spec.name}
    if stem:
        definition = zoo.load(stem)
        found.setdefault(definition.flavour or "", stem)
        for flavour in definition.flavours:
            found.setdefault(flavour, f"{stem}@{flavour}")
    return found


def tiers(spec: Spec, given: Mapping[str, Value], number: Quantity) -> Iterator[list[Setting]]:
    """Yield tiers of settings, likelier ones first; what was typed stays as it is."""
    addresses = flavours(spec)
    own, *others = addresses.values()
    far = NAMED if "@" in own else FLAVOUR
    first, *usual = (
        Setting(address, {}, bits + _background(spec, address, given))
        for address, bits in ((own, 0.0), *((other, far) for other in others))
    )
    published = _published(spec, addresses, given, number)
    plain = (setting for setting in published if not setting.knobs)
    first, *rest = _merged([first, *usual, *plain])
    yield [first]
    yield rest
    yield list(_merged(setting for setting in published if setting.knobs))
    yield list(_usual(spec, own, given))


def _background(spec: Spec, address: str, given: Mapping[str, Value]) -> Bits:
    """Return how seldom a class for the background is counted where nobody asked for a flavour."""
    if "@" in (spec.address or spec.name) or "classes" in given:
        return 0.0
    flavoured = loaded(address, spec)
    knob = flavoured.definition.knobs.get("classes") if flavoured else None
    return _BACKGROUND if knob is not None and knob.default == CLASSES[-1] else 0.0


def family(spec: Spec) -> list[str]:
    """Return the other names of the file that a spec of the zoo is from."""
    name, _ = called(spec)
    if not name:
        return []
    definition = zoo.load(name)
    stem = definition.path.rpartition("/")[2].partition(".")[0]
    return [other for other in (stem, *definition.presets) if other != name]


def _merged(settings: Iterable[Setting]) -> Iterator[Setting]:
    """Put together what is the same setting, published by several."""
    kept: dict[Any, Setting] = {}
    for setting in settings:
        place = (setting.spec, tuple(sorted(setting.knobs.items(), key=str)))
        known = kept.get(place, setting)
        counted = tuple(dict.fromkeys((*known.counted, *setting.counted)))
        kept[place] = known._replace(bits=min(known.bits, setting.bits), counted=counted)
    yield from kept.values()


def _published(
    spec: Spec, addresses: Mapping[str, str], given: Mapping[str, Value], number: Quantity
) -> list[Setting]:
    """Return the settings of claims, of published accuracies and of libraries' names."""
    definition, (stem, _) = spec.definition, called(spec)
    own = next(iter(addresses.values()))
    usual = zoo.load(stem).flavour if stem else definition.flavour
    settings: list[Setting] = []
    tables = _tables(definition.published)

    def add(asked: str, at: Mapping[str, Value], bits: Bits, claim: Claim | None = None) -> None:
        knobs = _beside(given, at, loaded(asked, spec))
        if knobs is not None:
            counted = _counted(claim, tables, number, knobs) if claim else ()
            settings.append(Setting(asked, knobs, bits + (asked != own), tuple(counted)))

    for claim in definition.published:
        asked = addresses.get(claim.flavour or usual or "")
        if asked and claim.preset in (None, stem):
            add(asked, claim.at, PUBLISHED, claim)
    for row in for_name(stem or definition.name):
        numbers = {WIDTH: row.alpha, "res": row.resolution}
        turned = {name: number for name, number in numbers.items() if number is not None}
        add(own, {**row.knobs, **turned}, _SERIES)
    for library in names.libraries(folders.folder()) if stem else ():
        for known in names.names(folders.folder(), library).values():
            if known.spec == own:  # of other flavours the zoo's totals know
                add(known.spec, {n: parse(text) for n, text in known.knobs.items()}, _SERIES)
    return settings


_Way = tuple[str, str, str, str]
_Tables = Mapping[tuple[str, str | None], Mapping[_Way, set[tuple[int, int]]]]
"""How each source counts a flavour and rounds, and how many decimals of which unit it writes."""


def _tables(published: Iterable[Claim]) -> _Tables:
    tables: dict[tuple[str, str | None], dict[_Way, set[tuple[int, int]]]] = {}
    for claim in published:
        table = tables.setdefault((claim.source, claim.flavour), {})
        for quantity, printed in _numbers(claim):
            down = not any(span.rounding == "nearest" for span in printed.ranges)
            rounding = "down" if down else "nearest"
            way = (quantity, claim.convention, claim.scope, rounding)
            table.setdefault(way, set()).add((printed.power, printed.decimals))
    return tables


def _numbers(claim: Claim) -> Iterator[tuple[str, Quantity]]:
    """Yield what a claim is of, and the number."""
    numbers = {"params": claim.params, "cost": claim.macs}
    yield from ((name, number) for name, number in numbers.items() if number is not None)


def _counted(
    claim: Claim, tables: _Tables, number: Quantity, knobs: Mapping[str, Value]
) -> Iterator[Known]:
    """Yield how a claim's source counts, if it prints the number, or numbers like it.

    A number that was counted to the unit says nothing about how rounded ones were.
    """
    for quantity, printed in _numbers(claim):
        if read(printed.text).ranges == number.ranges:
            yield Known(quantity, claim.convention, claim.scope, "", PRINTED)
    plain = knobs.get("classes", CLASSES[0]) == CLASSES[0] and not {WIDTH, "res"} & set(knobs)
    for way, forms in tables[claim.source, claim.flavour].items():
        if (number.power, number.decimals) in forms:
            yield Known(*way, CLAIMED, _ALIKE if plain else _ALIKE_TURNED)
        elif not number.power or any(power for power, _ in forms):
            yield Known(*way, CLAIMED)


def _beside(
    given: Mapping[str, Value], at: Mapping[str, Value], spec: Spec | None
) -> dict[str, Value] | None:
    """Return the knobs of a published setting that turn a spec further than what was typed.

    None if it is at others than these, or the spec has no such knob.
    """
    at = {name: (v, v) if name == "res" and isinstance(v, int) else v for name, v in at.items()}
    knobs = spec.definition.knobs if spec else {}
    if any(given.get(name, value) != value or name not in knobs for name, value in at.items()):
        return None
    return {n: v for n, v in at.items() if n not in given and knobs[n].default != v}


def _usual(spec: Spec, address: str, given: Mapping[str, Value]) -> Iterator[Setting]:
    """Yield the usual widths, resolutions and numbers of classes, and what they make together."""
    axes = [_axis(spec, given, name, steps) for name, steps in _STEPS.items()]
    for places in product(*axes):
        turned = [(knobs, bits) for knobs, bits in places if knobs]
        bits = sum(rare for _, rare in turned)
        if turned and bits <= _RAREST:
            knobs = {name: value for knobs, _ in turned for name, value in knobs.items()}
            yield Setting(address, knobs, bits)


_STEPS: dict[str, tuple[tuple[tuple[Any, ...], Bits], ...]] = {
    WIDTH: ((ALPHAS, _ALPHA),),
    "res": ((SIDES, _SIDE), (MORE_SIDES, _MORE_SIDE)),
    "classes": ((CLASSES, _CLASSES), (MORE_CLASSES, _MORE_CLASSES)),
}


def _axis(
    spec: Spec, given: Mapping[str, Value], name: str, steps: Iterable[tuple[tuple[Any, ...], Bits]]
) -> list[tuple[dict[str, Any], Bits]]:
    """Return what a knob can be turned to, with nothing first."""
    places: list[tuple[dict[str, Any], Bits]] = [({}, 0.0)]
    knob = spec.definition.knobs.get(name)
    if knob is None or name in given:
        return places
    own = knob.default
    for values, bits in steps:
        for value in values:
            at = (value, value) if knob.kind == "size" else value
            fits = knob.inside(value) and (not knob.one_of or value in knob.one_of)
            if fits and at != own:
                places.append(({name: at}, bits))
    return places


def loaded(address: str, asked: Spec | None) -> Spec | None:
    """Return the spec of a setting, None where the zoo has none by that name."""
    if asked is not None and address == (asked.address or asked.name):
        return asked
    with suppress(MbprofError):
        return load(address)
    return None

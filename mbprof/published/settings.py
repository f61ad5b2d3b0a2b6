"""The settings that a number is looked for at, in tiers: those that people use most come first.

A network as it is, its flavours, settings that somebody published, the variants of its family, and
then widths, resolutions and numbers of classes that are usual somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple

from mbprof.errors import MbprofError
from mbprof.language.counts import Quantity, read
from mbprof.language.fmt import Value, parse
from mbprof.network.load import Spec, load
from mbprof.published.counted import Bits
from mbprof.published.rows import for_name
from mbprof.spec import names, zoo
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
_SERIES = 3.0
"""What an accuracy was published at, or a library's name sets."""


class Setting(NamedTuple):
    """What is looked at: a spec, the knobs that are turned, and how seldom people do that.

    ``counted`` are claims that were published at the setting: the convention, the scope, and by how
    many bits that is likelier than the setting.
    """

    spec: str
    knobs: Mapping[str, Value]
    bits: Bits
    counted: tuple[tuple[str, str, Bits], ...] = ()


def called(spec: Spec) -> tuple[str, str]:
    """Return the zoo's name of a spec and its flavour; no name if the zoo does not have it."""
    address = spec.address or spec.name
    if address.partition("@")[0] not in zoo.names():
        if names.named(zoo.folder(), address) is None:
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
    usual = [Setting(own, {}, 0.0), *(Setting(address, {}, far) for address in others)]
    published = _published(spec, addresses, given, number)
    first, *rest = _merged([*usual, *(setting for setting in published if not setting.knobs)])
    yield [first]
    yield rest
    yield list(_merged(setting for setting in published if setting.knobs))
    yield list(_usual(spec, own, given))


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

    def add(
        asked: str, at: Mapping[str, Value], bits: Bits, *counted: tuple[str, str, Bits]
    ) -> None:
        knobs = _beside(given, at, loaded(asked, spec))
        if knobs is not None:
            settings.append(Setting(asked, knobs, bits + (asked != own), counted))

    for claim in definition.published:
        asked = addresses.get(claim.flavour or usual or "")
        if asked and claim.preset in (None, stem):
            likelier = PRINTED if _prints(claim, number) else CLAIMED
            add(asked, claim.at, PUBLISHED, (claim.convention, claim.scope, likelier))
    for row in for_name(stem or definition.name):
        numbers = {WIDTH: row.alpha, "res": row.resolution}
        turned = {name: number for name, number in numbers.items() if number is not None}
        add(own, {**row.knobs, **turned}, _SERIES)
    for library in names.libraries(zoo.folder()) if stem else ():
        for known in names.names(zoo.folder(), library).values():
            if known.spec == own:  # of other flavours the zoo's totals know
                add(known.spec, {n: parse(text) for n, text in known.knobs.items()}, _SERIES)
    return settings


def _prints(claim: Claim, number: Quantity) -> bool:
    """Whether a claim is of the very number; one that is wrong matches nothing."""
    texts = (printed.text for printed in (claim.params, claim.macs) if printed is not None)
    return any(read(text).ranges == number.ranges for text in texts)


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

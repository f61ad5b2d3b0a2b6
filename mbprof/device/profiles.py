"""Devices: what they compute and move in a second; one data file in ``data/`` for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbprof.device.systolic import DATAFLOWS, Array
from mbprof.errors import SpecError, UsageError, nearest, unknown
from mbprof.language import dtypes
from mbprof.language.dtypes import BITS, Dtype
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import (
    Map,
    is_file,
    known_keys,
    mapping,
    one_of,
    parse,
    read,
    required,
    text,
    word,
    words,
)

_FOLDER = Path(__file__).resolve().parent / "data"

KEYS = {
    "name": "the device's name",
    "doc": "what it is, in a sentence",
    "sources": "where each number comes from",
    "peak": "MACs a second by the type of numbers, such as {int8: 64e9}; dense",
    "bandwidth": "bytes a second to and from memory off the chip; or {activations: B, weights: B} "
    "of two memories that work at the same time; {weights: B} where activations stay on the chip",
    "onchip": "bytes of weights that stay on the chip; those beyond are streamed every time",
    "launch": "seconds that each op takes at least besides, 0 unless given",
    "ram": "bytes of memory for activations",
    "flash": "bytes of memory for weights",
    "array": "a systolic array: {rows: R, columns: C, dataflow: ws, clock: HERTZ}",
    "fit": "fitted to measurements: seconds {mac: S, activation: S, param: S, constant: S}, "
    "dtype, doc, and error, the mean held-out one",
}
"""The keys of a device's file, with what each is."""

TERMS = ("mac", "activation", "param", "constant")
"""What a fitted time is a sum of: seconds for each MAC, activation and parameter, and once."""
_FIT = (*TERMS, "dtype", "doc", "error")


class Fit(NamedTuple):
    """A time that was fitted to measurements, in seconds for each of the terms."""

    seconds: Mapping[str, float]
    dtype: str = ""
    doc: str = ""
    error: float | None = None

    def of(self, counts: Mapping[str, int]) -> float:
        """Return the seconds of a network from its counts; the constant counts once."""
        return sum(
            per * (1 if term == "constant" else counts[term]) for term, per in self.seconds.items()
        )


@record
class Device:
    """A device: MACs a second by type, bytes a second, and what else its file says of it.

    ``bandwidth`` holds one number for a single memory, or one for activations, which is None where
    they stay on the chip, and one for weights.
    """

    name: str
    doc: str = ""
    sources: tuple[str, ...] = ()
    peak: Mapping[str, float] | None = None
    bandwidth: tuple[float] | tuple[float | None, float] | tuple[()] = ()
    onchip: int | None = None
    launch: float = 0.0
    ram: int | None = None
    flash: int | None = None
    array: Array | None = None
    fit: Fit | None = None

    def ways(self, activations: Any, weights: Any) -> list[tuple[Any, float]]:
        """Return bytes and bytes a second over each memory off the chip."""
        if len(self.bandwidth) == 1:
            return [(activations + weights, self.bandwidth[0])]
        pairs = zip((activations, weights), self.bandwidth, strict=False)
        return [(moved, speed) for moved, speed in pairs if speed is not None]


def names() -> list[str]:
    """Return the names of the devices that are known, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def device(name: str) -> Device:
    """Return a device by name, or from a file by its path.

    Raises: UsageError: there is none of that name. SourceError, SpecError: the file does not hold
    one.

    >>> device("stm32f746").peak
    {'int8': 432000000.0}
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return _read(Path(name))
    path = _FOLDER / f"{name}.yaml"
    if name not in names() or not is_file(path):
        raise unknown("device", name, names())
    return _read(path)


def peak_of(device: Device, dtype: str) -> float:
    """Return the MACs a second of a device at a type of numbers.

    Raises: UsageError: its file does not say.
    """
    if not device.peak:
        has = "a fit" if device.fit else "no peak"
        raise UsageError(f"{device.name} has {has}, and no peak for a roofline")
    if dtype not in device.peak:
        raise UsageError(f"{device.name} has no peak for {dtype}", hint=nearest(dtype, device.peak))
    return device.peak[dtype]


def kind_of(device: Device, dtype: str | None) -> tuple[Dtype, str]:
    """Return the type that is computed with, and whether by a roofline or a fit.

    Raises: UsageError: the device has neither for the type.
    """
    fitted = device.fit.dtype if device.fit else ""
    usual = next(iter(device.peak or ()), fitted or ("int8" if device.array else dtypes.DEFAULT))
    kind = dtypes.dtype(dtype or usual)
    if device.array is not None or kind.activation in (device.peak or {}):
        return kind, "roofline"
    if device.fit is not None and fitted in ("", kind.name):
        return kind, "fit"
    if device.fit is not None and not device.peak:
        raise UsageError(f"{device.name} was fitted at {fitted}, not at {kind.name}",
                         hint=nearest(kind.name, [fitted]))  # fmt: skip
    peak_of(device, kind.activation)
    raise AssertionError(device.name)


def _read(path: Path) -> Device:
    what = "a device"
    tree = mapping(parse(read(path, "device")), what)
    known_keys(tree, KEYS, what)
    peak, fit, array = tree.get("peak"), tree.get("fit"), tree.get("array")
    if peak is None and fit is None and array is None:
        raise SpecError("a device needs a peak, an array or a fit", tree.loc)
    sources = tree.get("sources")
    bandwidth = tree.get("bandwidth")
    return Device(
        name=word(required(tree, "name", what), "name").text,
        doc=text(tree, "doc"),
        sources=tuple(line.text for line in words(sources, "a source")) if sources else (),
        peak=_peaks(mapping(peak, "peak")) if peak else None,
        bandwidth=()
        if bandwidth is None
        else (
            _pair(bandwidth)
            if isinstance(bandwidth, Map)
            else (_positive(tree, "bandwidth", what),)
        ),
        onchip=_size(tree, "onchip"),
        launch=_number(tree, "launch", what, 0.0),
        ram=_size(tree, "ram"),
        flash=_size(tree, "flash"),
        array=_array(mapping(array, "array")) if array else None,
        fit=_fit(mapping(fit, "fit")) if fit else None,
    )


def _peaks(tree: Map) -> dict[str, float]:
    for name, entry in tree.entries.items():
        if name not in BITS:
            raise unknown("dtype", name, BITS, entry.key.loc)
    if not tree.entries:
        raise SpecError("peak names no type of numbers", tree.loc, "such as {int8: 64e9}")
    return {name: _positive(tree, name, "peak") for name in tree.entries}


def _pair(tree: Map) -> tuple[float | None, float]:
    known_keys(tree, ("activations", "weights"), "bandwidth")
    stay = tree.get("activations") is None
    activations = None if stay else _positive(tree, "activations", "bandwidth")
    return activations, _positive(tree, "weights", "bandwidth")


def _array(tree: Map) -> Array:
    known_keys(tree, ("rows", "columns", "dataflow", "clock"), "array")
    sizes = [_positive(tree, key, "array") for key in ("rows", "columns")]
    for key, size in zip(("rows", "columns"), sizes, strict=True):
        if size != int(size):
            raise SpecError(f"{key} is {size:g}, which is not whole", required(tree, key, key).loc)
    flow = one_of(tree, "dataflow", tuple(DATAFLOWS), "ws")
    return Array(int(sizes[0]), int(sizes[1]), flow, _positive(tree, "clock", "array"))


def _fit(tree: Map) -> Fit:
    known_keys(tree, _FIT, "fit")
    seconds = {key: _number(tree, key, "fit") for key in TERMS if tree.get(key) is not None}
    if not any(seconds.values()):
        raise SpecError("a fit needs the seconds of a term", tree.loc, f"one of {', '.join(TERMS)}")
    error = _number(tree, "error", "fit") if tree.get("error") is not None else None
    return Fit(seconds, text(tree, "dtype"), text(tree, "doc"), error)


def _size(tree: Map, key: str) -> int | None:
    return None if tree.get(key) is None else int(_positive(tree, key, "a device"))


def _positive(tree: Map, key: str, what: str) -> float:
    number = _number(tree, key, what)
    if not number:
        raise SpecError(
            f"{key} of {what} is 0, which must be above 0", required(tree, key, what).loc
        )
    return number


def _number(tree: Map, key: str, what: str, default: float | None = None) -> float:
    """Return a number that is not negative.

    Raises: SpecError: it is not there, no number, negative, or without end.
    """
    if default is not None and tree.get(key) is None:
        return default
    scalar = word(required(tree, key, what), f"{key} of {what}")
    try:
        number = float(scalar.text)
    except ValueError:
        raise SpecError(f"{key} of {what} is no number: {scalar.text!r}", scalar.loc) from None
    if not math.isfinite(number) or number < 0:
        raise SpecError(f"{key} of {what} is {scalar.text}, which must be above 0", scalar.loc)
    return number

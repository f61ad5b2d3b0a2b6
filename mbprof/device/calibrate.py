"""A device's time fitted to measurements: t = a·MACs + b·activations + c."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from mbprof.device.profiles import TERMS, Fit
from mbprof.errors import UsageError, nearest, unknown
from mbprof.language import fmt
from mbprof.language.record import record
from mbprof.language.source import Scalar, read
from mbprof.network.load import load
from mbprof.network.measures import Traffic, traffics
from mbprof.output.files import emit
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Report
from mbprof.output.writers import Result

UNITS = {"s": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""The columns that a measured time can stand in, with the seconds of one."""
USUAL = ("mac", "activation", "constant")
OF_LAYERS = ("mac", "activation")
"""The terms where layers were measured: what starts a network is in none of them."""
BESIDE = ("name", "macs", "activations", "predicted_ms", "error")
"""Columns that say nothing of which network was measured, and are not looked at."""
_MORE = 2
"""So many rows more than terms there have to be, so that something is left to test with."""


@record
class Measurement:
    """A measured time: of which network, its counts, and the seconds."""

    name: str
    group: str
    counts: Mapping[str, int]
    seconds: float


@record
class Calibration(Result):
    """A fit to measurements, and what each of them is predicted to be by a fit without it.

    ``held`` says what was left out together: all rows of a spec, or one row.
    """

    source: str
    fit: Fit
    measurements: tuple[Measurement, ...]
    predicted: tuple[float, ...]
    held: str

    @property
    def error(self) -> float:
        """The mean of the held-out errors, as shares of what was measured."""
        errors = self.errors
        return sum(map(abs, errors)) / len(errors)

    @property
    def errors(self) -> list[float]:
        """The held-out error of each measurement, as a share of it."""
        pairs = zip(self.predicted, self.measurements, strict=True)
        return [guess / row.seconds - 1 for guess, row in pairs]

    @property
    def fitted_error(self) -> float:
        """The mean error of the measurements that all were fitted to."""
        errors = [abs(self.fit.of(m.counts) / m.seconds - 1) for m in self.measurements]
        return sum(errors) / len(errors)

    @property
    def rank(self) -> float:
        """The rank correlation of held-out predictions with what was measured."""
        measured = [row.seconds for row in self.measurements]
        return correlation(ranks(measured), ranks(self.predicted))

    @property
    def brief(self) -> str:
        """The file and the held-out error."""
        return f"{self.source}: {100 * self.error:.1f} % held-out error"

    def report(self, layout: str = "page") -> Report:
        """Lay predicted beside measured out."""
        rows = tuple(
            {
                "name": m.name,
                "macs": m.counts["mac"],
                "activations": m.counts["activation"],
                "measured": m.seconds,
                "predicted": guess,
                "error": error,
            }
            for m, guess, error in zip(self.measurements, self.predicted, self.errors, strict=True)
        )
        data = {
            **stamp(),
            "fit": dict(self.fit.seconds),
            "held_out": self.held,
            "held_out_error": self.error,
            "fitted_error": self.fitted_error,
            "rank_correlation": self.rank,
            "rows": [dict(row) for row in rows],
        }
        return Report(
            f"{self.source}: {fmt.several(len(rows), 'measurement')}",
            COLUMNS,
            rows,
            data,
            notes=tuple(self.notes()),
            listed="rows",
        )

    def notes(self) -> Iterator[str]:
        """Say the fit and its errors."""
        yield f"Fitted: {spelled_fit(self.fit)}."
        yield (
            f"Mean error {100 * self.error:.1f} % with {self.held} left out, "
            f"{100 * self.fitted_error:.1f} % of all that were fitted; rank correlation "
            f"{self.rank:.3f}."
        )

    def save(self, path: str, name: str) -> None:
        """Write a device's file that carries the fit.

        Raises: UsageError: the file cannot be written.
        """
        lines = [f"name: {name}", f"doc: fitted to {len(self.measurements)} measurements", "fit:"]
        lines += [f"  {term}: {seconds!r}" for term, seconds in self.fit.seconds.items()]
        lines += [f"  doc: with {self.held} left out", f"  error: {round(self.error, 4)}"]
        emit("\n".join(lines) + "\n", path)


def spelled_fit(fit: Fit) -> str:
    """Write the terms of a fit as a sum."""
    return " + ".join(_said(term, seconds) for term, seconds in fit.seconds.items())


def _said(term: str, seconds: float) -> str:
    if term == "constant":
        return f"{seconds * 1e3:.4g} ms"
    unit = {"mac": ("ms/GMAC", 1e12), "activation": ("ms/M activations", 1e9),
            "param": ("ms/M params", 1e9)}[term]  # fmt: skip
    return f"{seconds * unit[1]:.4g} {unit[0]}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g}"


COLUMNS = (
    Column("name", "network", "the network that was measured", shrinks=True),
    Column("macs", "MACs", "multiply-accumulates", fmt.integer, True, yields=2),
    Column("activations", "activations", "outputs of layers with weights", fmt.integer, True, 2),
    Column("measured", "measured ms", "seconds that were measured", _ms, True),
    Column("predicted", "predicted ms", "seconds by a fit without this one", _ms, True),
    Column("error", "error %", "of the prediction", lambda e: f"{100 * e:+.1f}", True),
)
"""The columns of measured and predicted times."""


def calibrate(path: str | Path, terms: Sequence[str] = ()) -> Calibration:
    """Fit the time of networks on a device to a CSV file of measurements.

    Columns: ``spec``; ``ms``, ``us`` or ``seconds``; any knobs; and ``layer`` where layers were
    measured by themselves, as `mbprof.measure` writes them. The terms are mac, activation and, of
    whole networks, constant unless others are given. The least squares of relative
    errors under coefficients that are not negative; each measurement is predicted by a fit without
    its spec, or without itself where fewer than three specs were measured.
    Raises: UsageError: the file has other columns, a value that is none, or too few rows; no such
    term. MbprofError: a row makes no network.
    """
    for term in terms:
        if term not in TERMS:
            raise unknown("term", term, TERMS)
    rows, layers = measurements(Path(path))
    if layers and "constant" in terms:
        raise UsageError(f"{path} measures layers, which do not say the constant of a network")
    terms = terms or (OF_LAYERS if layers else USUAL)
    if len(rows) < len(terms) + _MORE:
        message = f"{path} has {fmt.several(len(rows), 'measurement')}"
        needed = f"{len(terms)} terms need at least {len(terms) + _MORE}"
        raise UsageError(message, hint=needed)
    groups = {row.group for row in rows}
    apart = len(groups) >= 3 and all(
        sum(row.group != group for row in rows) >= len(terms) + 1 for group in groups
    )
    predicted = []
    for number, row in enumerate(rows):
        others = [o for o in rows if o.group != row.group] if apart else None
        rest = others if others is not None else [*rows[:number], *rows[number + 1 :]]
        predicted.append(Fit(fitted(rest, terms)).of(row.counts))
    held = "all of a spec" if apart else "one measurement"
    fit = Fit(fitted(rows, terms))
    return Calibration(str(path), fit, tuple(rows), tuple(predicted), held)


def measurements(path: Path) -> tuple[list[Measurement], bool]:
    """Read measurements from a CSV file, count what was measured, and say whether it is layers.

    Raises: UsageError, MbprofError: see `calibrate`.
    """
    lines = csv.reader(io.StringIO(read(path, "table").text))
    header = [name.strip() for name in next(lines, [])]
    times = [name for name in header if name in UNITS]
    if "spec" not in header or len(times) != 1:
        lacks = "spec" if "spec" not in header else "one column of times"
        message = f"{path} lacks {lacks}: its columns are {', '.join(header) or 'none'}"
        raise UsageError(message, hint=f"spec, one of {', '.join(UNITS)}, and knobs")
    if len(set(header)) < len(header):
        raise UsageError(f"{path} names a column twice")
    found = []
    for number, cells in enumerate(lines, 2):
        if not cells:
            continue
        if len(cells) != len(header):
            raise UsageError(f"{path}:{number} has {len(cells)} values for {len(header)} columns")
        row = dict(zip(header, map(str.strip, cells), strict=True))
        row = {name: text for name, text in row.items() if name not in BESIDE}
        seconds = _seconds(row.pop(times[0]), f"{path}:{number}") * UNITS[times[0]]
        found.append(_measured(row, seconds, f"{path}:{number}: "))
    return found, "layer" in header


def _seconds(text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise UsageError(f"{place}: {text!r} is no time; it must be a number above 0")
    return number


def _measured(row: Mapping[str, str], seconds: float, place: str) -> Measurement:
    """Return a row with the counts of its network."""
    name = row["spec"]
    given: dict[str, Any] = {
        knob: Scalar.typed(f"{place}{knob} ", text)
        for knob, text in row.items()
        if knob not in ("spec", "layer") and text
    }
    network = load(name, given).build_at(given)
    group = network.definition.family or name
    if layer := row.get("layer"):
        moved = traffics(network.compiled)
        if layer not in moved:
            raise UsageError(f"{place}{name} has no layer {layer!r}", hint=nearest(layer, moved))
        return Measurement(layer, group, counts_of([moved[layer]]), seconds)
    counts = counts_of(traffics(network.compiled).values())
    counts["param"] = sum(node.facts.trainable for node in network.compiled.nodes)
    return Measurement(network.brief, group, counts, seconds)


def counts_of(layers: Iterable[Traffic]) -> dict[str, int]:
    """Return the counts that fits are made of, those of layers added up."""
    traffic = sum(layers, Traffic())
    return {
        "mac": traffic.mac + traffic.mixed,
        "activation": traffic.activations,
        "param": traffic.weights + traffic.biases,
    }


def fitted(
    rows: Sequence[Measurement], terms: Sequence[str], relative: bool = True
) -> dict[str, float]:
    """Return the seconds of each term with the least sum of squared errors, none negative.

    The errors are ``relative``, or in seconds.

    Of the terms that are not 0 in the best fit, the plain least squares are positive: all choices
    of them are tried.
    """
    import numpy as np

    seconds = np.array([row.seconds for row in rows])
    unit, wanted = (seconds, np.ones(len(rows))) if relative else (1.0, seconds)
    counts = [[1 if t == "constant" else row.counts[t] for t in terms] for row in rows]
    matrix = (np.array(counts, dtype=float).T / unit).T
    scale = np.abs(matrix).max(axis=0)
    scale[scale == 0] = 1.0
    best: tuple[float, dict[str, float]] = (math.inf, dict.fromkeys(terms, 0.0))
    for count in range(len(terms), 0, -1):
        for chosen in combinations(range(len(terms)), count):
            part = matrix[:, chosen] / scale[list(chosen)]
            solved, *_ = np.linalg.lstsq(part, wanted, rcond=None)
            left = float(((part @ solved - wanted) ** 2).sum())
            if (solved >= 0).all() and left < best[0]:
                values = dict.fromkeys(terms, 0.0)
                values |= {
                    terms[c]: float(s / scale[c]) for c, s in zip(chosen, solved, strict=True)
                }
                best = left, values
    return best[1]


def ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks of values, equal ones their mean."""
    order = sorted(values)
    first = {value: order.index(value) for value in set(values)}
    return [first[value] + (order.count(value) - 1) / 2 for value in values]


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the correlation of two series, 0 where one does not vary."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    both = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    own = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return both / own if own else 0.0

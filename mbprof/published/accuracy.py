"""Accuracies that others published, row by row with their sources, beside what mbprof counts.

Every row is of ImageNet-1k, from ``data/accuracy.csv``; ``data/README.md`` explains its columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mbprof.errors import MbprofError, UsageError, nearest
from mbprof.language import fmt
from mbprof.language.values import Value, parse, plain
from mbprof.network.conventions import DEFAULT
from mbprof.network.given import SpecLike, as_spec
from mbprof.network.load import Spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.output.result import Brief, Result
from mbprof.output.stamp import stamp
from mbprof.spec import zoo
from mbprof.spec.model import Definition

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, repr=False)
class Published(Brief):
    """One published accuracy, in percent, with what its source says beside it.

    ``spec`` is the zoo's name of the network, empty where the zoo does not have it, and ``knobs``
    what has to be set besides width and resolution. ``resolution`` is that of the evaluation;
    ``train_resolution`` is there where it is stated.
    """

    family: str
    spec: str
    model: str
    alpha: float | None
    resolution: int | None
    train_resolution: int | None
    top1: float
    top5: float | None
    params_millions: float | None
    macs_millions: float | None
    precision: str
    quantisation: str
    variant: str
    knobs: Mapping[str, Value]
    distilled: bool
    extra_data: bool
    series: str
    weights: str
    source: str
    licence: str
    erratum: str
    notes: str

    @property
    def brief(self) -> str:
        """The model, its accuracy and where that is from."""
        return f"{self.model}, top-1 {self.top1} %, series {self.series}, {self.source}"

    @property
    def wrong(self) -> tuple[str, ...]:
        """Which of the numbers are known to be wrong at the source: top1, params, macs."""
        named = self.erratum.partition(":")[0]
        return tuple(name.strip() for name in named.split(",") if name)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _count(text: str) -> int | None:
    return int(text) if text else None


def _yes(text: str) -> bool:
    return text == "yes"


def _settings(text: str) -> dict[str, Value]:
    return {name: parse(value) for name, _, value in (s.partition("=") for s in text.split())}


_READ: dict[str, Any] = {
    "alpha": _number,
    "resolution": _count,
    "train_resolution": _count,
    "top1": float,
    "top5": _number,
    "params_millions": _number,
    "macs_millions": _number,
    "knobs": _settings,
    "distilled": _yes,
    "extra_data": _yes,
}
"""How a column is read; all others are words."""


@lru_cache(maxsize=1)
def _rows() -> tuple[Published, ...]:
    with (DATA / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Published(**{name: _READ.get(name, str)(text) for name, text in row.items()})
            for row in csv.DictReader(file)
        )


@lru_cache(maxsize=1)
def _families() -> dict[str, frozenset[str]]:
    """Return the families of the rows that each name of a family stands for."""
    found = {row.family: {row.family} for row in _rows()}
    with (DATA / "families.csv").open(encoding="utf-8", newline="") as file:
        for link in csv.DictReader(file):
            found.setdefault(link["of_spec"], set()).add(link["of_row"])
    return {name: frozenset(rows) for name, rows in found.items()}


def is_family(name: str) -> bool:
    """Return whether rows are published of a family."""
    return name in _families()


def published(
    family: str | None = None, series: str | None = None, precision: str | None = None
) -> tuple[Published, ...]:
    """Return the published rows, of a family, a series and a precision (fp32, int8) if asked for.

    Raises: UsageError: no such family, or the family has no such series.

    >>> row = published("MobileNetV1")[0]
    >>> row.alpha, row.resolution, row.top1, row.series
    (1.0, 224, 70.9, 'slim')
    """
    rows = _rows()
    if family is not None:
        families = _families()
        if family not in families:
            hint = nearest(family, families, 12)
            raise UsageError(f"no accuracy is published of a family {family!r}", hint=hint)
        rows = tuple(row for row in rows if row.family in families[family])
    if series is not None:
        rows = _of_series(rows, series)
    return tuple(row for row in rows if precision in (None, row.precision))


def for_spec(definition: Definition) -> tuple[Published, ...]:
    """Return the rows of a spec's own network, of its presets if there are none.

    A preset without rows has those of the spec that it belongs to.

    >>> from mbprof.spec import zoo
    >>> {row.spec for row in for_spec(zoo.load("mobilenet_v2@keras"))}
    {'mobilenet_v2'}
    """
    stem = _stem(definition)
    if own := _named(frozenset({stem})):
        return own
    if stem not in definition.presets:
        return _named(frozenset(definition.presets))
    return _named(_with_preset(stem))


@lru_cache(maxsize=256)
def _named(names: frozenset[str]) -> tuple[Published, ...]:
    return tuple(row for row in _rows() if row.spec in names)


@lru_cache(maxsize=64)
def _with_preset(preset: str) -> frozenset[str]:
    return frozenset(name for name in zoo.spec_names() if preset in zoo.load(name).presets)


def _stem(definition: Definition) -> str:
    return definition.name.partition("@")[0]


def rows_of(of: Definition | str) -> tuple[Published, ...]:
    """Return the rows of a spec's network, or of a family.

    Raises: UsageError: no such family.
    """
    return published(of) if isinstance(of, str) else for_spec(of)


def series(of: Definition | str) -> dict[str, tuple[Published, ...]]:
    """Return the rows of a spec or a family by series, in the order of the data.

    A series is one source, precision, variant and training recipe; rows of two series differ by
    more than what the network costs.

    Raises: UsageError: no such family.

    >>> [len(rows) for name, rows in series("MobileNetV2").items() if name == "slim"]
    [22]
    """
    return _by_series(rows_of(of))


def _by_series(rows: Iterable[Published]) -> dict[str, tuple[Published, ...]]:
    found: dict[str, list[Published]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(row)
    return {name: tuple(listed) for name, listed in found.items()}


def _of_series(rows: tuple[Published, ...], name: str) -> tuple[Published, ...]:
    found = _by_series(rows)
    if name not in found:
        raise UsageError(f"there is no series {name!r} here", hint=nearest(name, found, 12))
    return found[name]


def default_series(of: Definition | str) -> str | None:
    """Return the float series with most cells (alpha, resolution), the first of equal ones.

    Raises: UsageError: no such family.

    >>> default_series("MobileNetV2")
    'slim'
    """
    cells = {
        name: len({(row.alpha, row.resolution) for row in rows})
        for name, rows in series(of).items()
        if rows[0].precision == "fp32"
    }
    return max(cells, key=lambda name: cells[name], default=None)


def join(
    of: Definition | str,
    alpha: float | None,
    res: int,
    series: str | None = None,
    knobs: Mapping[str, Value] | None = None,
) -> Published | None:
    """Return the row of exactly this width and resolution in one series, the default one if None.

    ``knobs``, where given, have to be those of the row, too. None where there is no row, or where
    several networks share the cell.

    Raises: UsageError: no such family or series.

    >>> row = join("MobileNetV1", 0.5, 160)
    >>> row and row.top1
    59.1
    """
    name = series or default_series(of)
    if name is None:
        return None
    alpha = alpha if isinstance(of, str) or "alpha" in of.knobs else None
    found = [
        row
        for row in _of_series(rows_of(of), name)
        if row.resolution == res
        and _width(of, row) == alpha
        and (knobs is None or all(knobs.get(key) == at for key, at in row.knobs.items()))
    ]
    if len(found) > 1 and isinstance(of, Definition):
        usual = {key: knob.default for key, knob in of.knobs.items()}
        found = [row for row in found if all(usual.get(k) == at for k, at in row.knobs.items())]
    return found[0] if len(found) == 1 else None


def _decimal(value: float) -> str:
    return f"{value:.10g}"


def _width(of: Definition | str, row: Published) -> Value:
    """Return the width of a row as the spec's knob: its default where the source states none.

    None for a spec without the knob, whose sources mean something else by a width.
    """
    if isinstance(of, str):
        return row.alpha
    knob = of.knobs.get("alpha")
    return None if knob is None else row.alpha if row.alpha is not None else knob.default


COLUMNS = (
    Column("series", "series", "one source, precision and recipe", once=True),
    Column("spec", "network", "the zoo's name of it", yields=8),
    Column("model", "model", "what the source calls it", yields=5),
    Column("alpha", "alpha", "width multiplier", plain, True),
    Column("resolution", "res", "side of the images that it was evaluated with", plain, True),
    Column("top1", "top-1", "ImageNet-1k accuracy in percent", plain, True),
    Column("top5", "top-5", "the same, of five guesses", plain, True, yields=3),
    Column("params_millions", "params/M", "as published", _decimal, True, yields=1),
    Column("macs_millions", "MACs/M", "as published", _decimal, True, yields=1),
    Column("params", "params", "as counted, convention kernels", fmt.integer, True, yields=2),
    Column("macs", "MACs", "as counted, convention kernels", fmt.integer, True, yields=2),
    Column("source", "source", "where it was read", yields=6, wraps=True),
    Column("licence", "licence", "of the source", yields=7),
    Column("erratum", "erratum", "what is wrong at the source", yields=7, wraps=True),
)


@dataclass(frozen=True, slots=True, repr=False)
class Accuracies(Result):
    """The accuracies published of a network, with published and computed cost, see `accuracy`."""

    spec: Spec
    series: str | None
    table: Report

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """A mapping for each published row, with the computed cost as ``params`` and ``macs``."""
        return self.table.rows

    def report(self, layout: str = "page") -> Report:
        """Return the table; it is the same for every layout."""
        return self.table


def accuracy(spec: SpecLike, series: str | None = None) -> Accuracies:
    """Return the accuracies published of a network, or else of its family, with their sources.

    Raises: UsageError: no such spec, nothing is published, no such series.

    >>> accuracy("mobilenet_v1", series="slim").rows[0]["top1"]
    41.5
    """
    loaded = as_spec(spec)
    return Accuracies(loaded, series, accuracy_report(loaded, series))


def accuracy_report(spec: Spec, series: str | None = None) -> Report:
    """Lay out the accuracies published of a network, with published and computed cost.

    Where there are none of the network itself, those of its family, without computed cost.

    Raises: UsageError: nothing is published, no such series.
    """
    definition = spec.definition
    rows = for_spec(definition)
    own = bool(rows)
    if not rows and definition.family in _families():
        rows = published(definition.family)
    if not rows:
        hint = "published are " + ", ".join(sorted(_families(), key=str.lower))
        raise UsageError(f"no accuracy is published of {spec.name} or its family", hint=hint)
    found = sorted(_of_series(rows, series) if series else rows, key=_place)
    shown = tuple(_laid(found, spec if own else None))
    notes = [] if own else [f"None is of {spec.name} itself; these are of its family."]
    if len({row["series"] for row in shown}) > 1:
        notes.append("Compare within a series: training recipes differ by more than networks do.")
    errata = [f"{_cell(row)}: {row['erratum']}." for row in shown if row["erratum"]]
    notes += ["Wrong at its source, " + each for each in dict.fromkeys(errata[:12])]
    name = spec.name if own else definition.family
    title = f"{name}, {fmt.several(len(found), 'published row')}"
    data = [{**row, **stamp(scope="all", convention=DEFAULT)} for row in shown]
    # Of one network the name is in the title; of several it is what tells the rows apart.
    several = len({row["spec"] for row in shown}) > 1
    columns = tuple(replace(c, yields=0) if c.name == "spec" else c for c in COLUMNS)
    columns = columns if several else COLUMNS
    return Report(
        title=title, columns=columns, rows=shown, data=data, notes=tuple(notes), listed=""
    )


def _place(row: Published) -> tuple[str, float, int]:
    return row.series, row.alpha or 0.0, row.resolution or 0


def _cell(row: Mapping[str, Any]) -> str:
    at = [plain(row[name]) for name in ("alpha", "resolution") if row[name] is not None]
    return " ".join([row["series"], "/".join(at) or row["model"]])


def _laid(rows: Iterable[Published], spec: Spec | None) -> Iterator[dict[str, Any]]:
    costs: dict[object, tuple[int, int] | None] = {}
    for row in rows:
        key = (row.spec, row.alpha, row.resolution, repr(row.knobs))
        if spec is not None and key not in costs:
            costs[key] = _cost(spec, row)
        params, macs = costs.get(key) or (None, None)
        values = {each.name: getattr(row, each.name) for each in fields(row)}
        yield {**values, "params": params, "macs": macs}


def _cost(spec: Spec, row: Published) -> tuple[int, int] | None:
    """Count the network of a row; None where the row or the spec does not allow it."""
    definition = spec.definition
    if row.spec != _stem(definition) and row.spec in definition.presets:
        flavour = spec.name.partition("@")[2]
        spec = load(f"{row.spec}@{flavour}" if flavour else row.spec)
    known = spec.knobs
    if row.resolution is None:
        return None
    wanted = {"res": row.resolution, "alpha": _width(definition, row), **row.knobs}
    try:
        network = spec.build(**{name: at for name, at in wanted.items() if name in known})
    except MbprofError:
        # A flavour need not take every knob that the published network was built with.
        return None
    counted = totals(network.compiled, "kernels", "all")
    return counted.params, counted.cost

"""Accuracies that others published, row by row with their sources.

Every row is of ImageNet-1k, from ``data/accuracy.csv``; ``data/README.md`` explains its columns.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mbprof.errors import UsageError, nearest
from mbprof.language.fmt import Value, parse
from mbprof.language.record import NamedTuple
from mbprof.output.model import line
from mbprof.spec import zoo
from mbprof.spec.model import Definition

DATA = Path(__file__).parent / "data"


class Published(NamedTuple):
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

    def __repr__(self) -> str:
        return line(self, f"{self.model}, top-1 {self.top1} %, {self.series}, {self.source}")

    @property
    def wrong(self) -> tuple[str, ...]:
        """Which of the numbers are known to be wrong at the source: top1, params, macs."""
        named = self.erratum.partition(":")[0]
        return tuple(name.strip() for name in named.split(",") if name)

    @property
    def usable(self) -> bool:
        """Whether the top-1 says something about the network, and not about its training.

        It is a float accuracy, not known to be wrong, of a known resolution, at which the network
        was trained, too; without a teacher and without more data.
        """
        return (
            self.precision == "fp32"
            and not (self.distilled or self.extra_data)
            and self.resolution is not None
            and self.train_resolution in (None, self.resolution)
            and "top1" not in self.wrong
        )

    @property
    def network(self) -> tuple[object, ...]:
        """What tells the network of a row from that of another one."""
        return self.spec, self.alpha, self.resolution, repr(self.knobs)


def _maybe(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: read(text) if text else None


def _settings(text: str) -> dict[str, Value]:
    pairs = (setting.partition("=") for setting in text.split())
    return {name: parse(value) for name, _, value in pairs}


_READ: dict[str, Any] = {
    **dict.fromkeys(("resolution", "train_resolution"), _maybe(int)),
    **dict.fromkeys(("alpha", "top5", "params_millions", "macs_millions"), _maybe(float)),
    **dict.fromkeys(("distilled", "extra_data"), "yes".__eq__),
    "top1": float,
    "knobs": _settings,
}
"""How a column is read; all others are words."""


def _records(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@lru_cache(maxsize=1)
def _rows() -> tuple[Published, ...]:
    return tuple(
        Published(**{name: _READ.get(name, str)(text) for name, text in record.items()})
        for record in _records("accuracy.csv")
    )


@lru_cache(maxsize=1)
def families() -> dict[str, frozenset[str]]:
    """Return the families of the rows that each name of a family stands for."""
    names = {row.family: {row.family} for row in _rows()}
    for link in _records("families.csv"):
        names.setdefault(link["of_spec"], set()).add(link["of_row"])
    return {name: frozenset(of_rows) for name, of_rows in names.items()}


def published(family: str | None = None) -> tuple[Published, ...]:
    """Return the published rows, of a family if asked for.

    Raises: UsageError: no such family.

    >>> row = published("MobileNetV1")[0]
    >>> row.alpha, row.resolution, row.top1, row.series
    (1.0, 224, 70.9, 'slim')
    """
    if family is None:
        return _rows()
    known = families()
    if family not in known:
        hint = nearest(family, known)
        raise UsageError(f"no accuracy is published of a family {family!r}", hint=hint)
    return tuple(row for row in _rows() if row.family in known[family])


def for_spec(definition: Definition) -> tuple[Published, ...]:
    """Return the rows of a spec's own network, of its presets if there are none.

    A preset without rows has those of the spec that it belongs to.

    >>> from mbprof.spec import zoo
    >>> {row.spec for row in for_spec(zoo.load("mobilenet_v2@keras"))}
    {'mobilenet_v2'}
    """
    name = definition.name.partition("@")[0]
    if own := _named(frozenset({name})):
        return own
    presets = definition.presets
    return _named(frozenset(presets) if name not in presets else _with_preset(name))


def for_name(name: str) -> tuple[Published, ...]:
    """Return the rows of one name of the zoo.

    >>> {row.family for row in for_name("mobilenet_v2")}
    {'MobileNetV2'}
    """
    return _named(frozenset({name}))


@lru_cache(maxsize=256)
def _named(names: frozenset[str]) -> tuple[Published, ...]:
    return tuple(row for row in _rows() if row.spec in names)


@lru_cache(maxsize=64)
def _with_preset(preset: str) -> frozenset[str]:
    return frozenset(name for name in zoo.spec_names() if preset in zoo.load(name).presets)


def rows_of(of: Definition | str) -> tuple[Published, ...]:
    """Return the rows of a spec's network, or of a family.

    Raises: UsageError: no such family.
    """
    return published(of) if isinstance(of, str) else for_spec(of)


def called(of: Definition | str) -> str:
    """Return the name of a spec or a family."""
    return of if isinstance(of, str) else of.name


def series(of: Definition | str) -> dict[str, tuple[Published, ...]]:
    """Return the rows of a spec or a family by series, in the order of the data.

    A series is one source, precision, variant and training recipe; rows of two series differ by
    more than what the network costs.

    Raises: UsageError: no such family.

    >>> [len(rows) for name, rows in series("MobileNetV2").items() if name == "slim"]
    [22]
    """
    groups: dict[str, list[Published]] = {}
    for row in rows_of(of):
        groups.setdefault(row.series, []).append(row)
    return {name: tuple(rows) for name, rows in groups.items()}


def in_series(of: Definition | str, name: str) -> tuple[Published, ...]:
    """Return the rows of one series of a spec or a family.

    Raises: UsageError: no such family or series.
    """
    known = series(of)
    if name not in known:
        raise UsageError(f"{called(of)} has no series {name!r}", hint=nearest(name, known))
    return known[name]


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

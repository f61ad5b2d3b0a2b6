"""Which network a published accuracy is of, what that network costs, and both as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from mbprof.errors import MbprofError, UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Value, plain
from mbprof.language.record import record
from mbprof.network import conventions
from mbprof.network.columns import cost_columns
from mbprof.network.conventions import DEFAULT, Count
from mbprof.network.load import Spec, SpecLike, as_spec, load
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.output.formats import stamp
from mbprof.output.writers import Result
from mbprof.published.rows import (
    Published,
    called,
    default_series,
    families,
    for_spec,
    in_series,
    rows_of,
)
from mbprof.spec import zoo
from mbprof.spec.knobs import Knob
from mbprof.spec.model import Definition
from mbprof.spec.sections import chosen_scope


@lru_cache(maxsize=256)
def _width_knob(name: str) -> Knob | None:
    return zoo.load(name).knobs.get("alpha")


def width(row: Published) -> Value:
    """Return the width of a row's network as its knob: the default where the source states none.

    None for a network without the knob, whose sources mean something else by a width.

    >>> row = for_spec(zoo.load("efficientnet_b0"))[0]
    >>> width(row), width(join("MobileNetV1", 0.5, 160))
    (None, 0.5)
    """
    knob = _width_knob(row.spec)
    return None if knob is None else knob.default if row.alpha is None else row.alpha


def spec_of(spec: Spec, row: Published) -> Spec:
    """Return the spec of a row's network, in the flavour of the one that is looked at.

    It is that of the zoo, as it stands there, unless the spec is a text of one's own with its name.
    Raises: UsageError: it does not have this flavour.
    """
    name, _, flavour = spec.name.partition("@")
    own = row.spec == name and spec.address.partition("@")[0] != name
    return spec if own else load(f"{row.spec}@{flavour}" if flavour else row.spec)


def settings(spec: Spec, row: Published) -> dict[str, Value]:
    """Return all knobs of a row's network, which need not be the spec that is looked at.

    Raises: UsageError: it does not have this flavour.
    """
    side, alpha = row.resolution, width(row)
    scaled = {} if alpha is None else {"alpha": alpha}
    return {**spec_of(spec, row).knobs, "res": (side, side), **scaled, **row.knobs}


def cost(spec: Spec, row: Published, scope: str = "all", convention: str = DEFAULT) -> Count | None:
    """Count a row's network under a convention, within a scope.

    None where its resolution is not stated, or the flavour does not take what it was built with.

    >>> from mbprof.network.load import load
    >>> spec = load("mobilenet_v1")
    >>> cost(spec, for_spec(spec.definition)[0])
    Count(params=4209088, costs=(568740352,))
    """
    if row.resolution is None:
        return None
    try:
        return counted(spec_of(spec, row), settings(spec, row), scope, convention)
    except MbprofError:
        return None


def counted(spec: Spec, knobs: Mapping[str, Value], scope: str, convention: str) -> Count:
    """Count a network under a convention, within a scope: once, however many charts show it.

    Raises: MbprofError: the spec makes no network of these knobs.
    """
    return _counted(spec, tuple(knobs.items()), scope, convention)


@lru_cache(maxsize=4096)
def _counted(
    spec: Spec, knobs: tuple[tuple[str, Value], ...], scope: str, convention: str
) -> Count:
    return totals(spec.build(**dict(knobs)).compiled, convention, scope)


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
    if isinstance(of, Definition) and "alpha" not in of.knobs:
        alpha = None
    cell = [
        row
        for row in in_series(of, name)
        if row.resolution == res
        and (row.alpha if isinstance(of, str) else width(row)) == alpha
        and (knobs is None or has_knobs(row, knobs))
    ]
    return single(of, cell)


def has_knobs(row: Published, knobs: Mapping[str, Value]) -> bool:
    """Whether the network of a row is set as these knobs are, width and resolution aside."""
    return all(knobs.get(name) == value for name, value in row.knobs.items())


def single(of: Definition | str, cell: Sequence[Published]) -> Published | None:
    """Return the row of a cell; of several networks that of the default knobs, if it is one."""
    if len(cell) > 1 and isinstance(of, Definition):
        usual = {name: knob.default for name, knob in of.knobs.items()}
        cell = [row for row in cell if has_knobs(row, usual)]
    return cell[0] if len(cell) == 1 else None


_COLUMNS = (
    Column("series", "series", "one source, precision and recipe", once=True),
    Column("spec", "network", "the zoo's name of it", yields=8),
    Column("model", "model", "what the source calls it", yields=5),
    Column("alpha", "alpha", "width multiplier", plain, True),
    Column("resolution", "res", "side of the images that it was evaluated with", plain, True),
    Column("top1", "top-1", "ImageNet-1k accuracy in percent", plain, True),
    Column("top5", "top-5", "the same, of five guesses", plain, True, yields=3),
    Column("params_millions", "params/M", "as published", "{:.10g}".format, True, yields=1),
    Column("macs_millions", "MACs/M", "as published", "{:.10g}".format, True, yields=1),
    Column("source", "source", "where it was read", yields=6, wraps=True),
    Column("licence", "licence", "of the source", yields=7),
    Column("erratum", "erratum", "what is wrong at the source", yields=7, wraps=True),
)


@record
class Accuracies(Result):
    """The accuracies published of a network, with published and computed cost, see `accuracy`."""

    spec: Spec
    series: str | None
    table: Report

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """A mapping for each published row, with ``params`` and the computed costs by name."""
        return self.table.rows

    def report(self, layout: str = "page") -> Report:
        """Return the table; it is the same for every layout."""
        return self.table


def accuracy(
    spec: SpecLike, series: str | None = None, *, scope: str = "all", convention: str = DEFAULT
) -> Accuracies:
    """Return the accuracies published of a network, or else of its family, with their sources.

    Raises: UsageError: no such spec, series, scope or convention; nothing is published.

    >>> accuracy("mobilenet_v1", series="slim").rows[0]["top1"]
    41.5
    """
    loaded = as_spec(spec)
    return Accuracies(loaded, series, accuracy_report(loaded, series, scope, convention))


def accuracy_report(
    spec: Spec, series: str | None = None, scope: str = "all", convention: str = DEFAULT
) -> Report:
    """Lay out the accuracies published of a network, with published and computed cost.

    Where there are none of the network itself, those of its family, without computed cost.

    Raises: UsageError: nothing is published; no such series, scope or convention.
    """
    scope, counts = chosen_scope(scope), conventions.load(convention)
    own = bool(for_spec(spec.definition))
    of = spec.definition if own else spec.definition.family
    if not own and of not in families():
        hint = "published are " + ", ".join(sorted(families(), key=str.lower))
        raise UsageError(f"no accuracy is published of {spec.name} or its family", hint=hint)
    chosen = in_series(of, series) if series else rows_of(of)
    rows = sorted(chosen, key=lambda row: (row.series, row.alpha or 0.0, row.resolution or 0))
    shown = tuple(_laid(rows, spec if own else None, scope, convention))
    notes = [] if own else [f"None is of {spec.name} itself; these are of its family."]
    if len({row["series"] for row in shown}) > 1:
        notes.append("Compare within a series: training recipes differ by more than networks do.")
    errata = [f"{_cell(row)}: {row['erratum']}." for row in shown if row["erratum"]]
    notes += ["Wrong at its source, " + erratum for erratum in dict.fromkeys(errata[:12])]
    # Of one network the name is in the title; of several it is what tells the rows apart.
    costs = (replace(column, yields=2) for column in cost_columns(counts))
    yields = {"spec": 0} if len({row["spec"] for row in shown}) > 1 else {}
    return Report(
        title=f"{called(of)}, {fmt.several(len(rows), 'published row')}",
        columns=tuple(
            replace(column, yields=yields.get(column.name, column.yields))
            for column in (*_COLUMNS[:-3], *costs, *_COLUMNS[-3:])
        ),
        rows=shown,
        data=[{**row, **stamp(scope=scope, convention=counts.name)} for row in shown],
        notes=tuple(notes),
        listed="",
    )


def _cell(row: Mapping[str, Any]) -> str:
    at = [plain(row[name]) for name in ("alpha", "resolution") if row[name] is not None]
    return " ".join([row["series"], "/".join(at) or row["model"]])


def _laid(
    rows: Iterable[Published], spec: Spec | None, scope: str, convention: str
) -> Iterator[dict[str, Any]]:
    """Yield rows with the costs of their networks, each of which is counted once."""
    counts: dict[object, Count | None] = {}
    counted = conventions.load(convention)
    for row in rows:
        if spec is not None and row.network not in counts:
            counts[row.network] = cost(spec, row, scope, convention)
        count = counts.get(row.network)
        costs: dict[str, Any] = dict.fromkeys(("params", *counted.measures))
        if count is not None:
            costs = {"params": count.params, **counted.named(count.costs)}
        yield {**row._asdict(), **costs}

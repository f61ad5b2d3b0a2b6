"""What charts and dossiers show: published accuracies beside the costs computed for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import cast

from mbprof.device.lanes import TIME, Needs
from mbprof.errors import LimitError, MbprofError, UsageError
from mbprof.language.fmt import Value, plain, several, spelled
from mbprof.language.record import NamedTuple
from mbprof.network.conventions import DEFAULT
from mbprof.network.load import Spec, load
from mbprof.published import accuracy
from mbprof.published.rows import Published, for_spec, series
from mbprof.spec import zoo
from mbprof.spec.usual import FEW_ALPHAS, FEW_SIDES
from mbprof.sweeps.filters import Front

MAX_POINTS = 1_000
"""So many configurations of a network are in a chart at most."""


class Point(NamedTuple):
    """One configuration: its knobs, what it costs, and the top-1 published for it, in percent."""

    spec: str
    alpha: float | None
    res: tuple[int, int]
    params: int
    macs: int
    top1: float | None = None
    source: str = ""
    knobs: tuple[tuple[str, Value], ...] = ()
    """What is set besides width and resolution."""
    peak_bytes: int = 0
    latency_ns: int = 0
    """What it needs at a type and on a device, 0 where that is not asked for."""


def has_width(spec: Spec) -> bool:
    """Whether the knob ``alpha`` scales the channels; in some papers it means something else.

    >>> from mbprof.network.load import load
    >>> has_width(load("mobilenet_v1")), has_width(load("efficientnet_b0"))
    (True, False)
    """
    rule = spec.definition.width.get("c")
    return rule is not None and any(name == "alpha" for name, _ in rule.names)


def default_alpha(spec: Spec) -> float | None:
    """Return the width multiplier that the spec has by default, None if it has none."""
    return cast(float, spec.knobs["alpha"]) if has_width(spec) else None


def default_res(spec: Spec) -> tuple[int, int]:
    """Return the resolution that the spec has by default."""
    return cast(tuple[int, int], spec.knobs["res"])


def point(
    spec: Spec,
    alpha: float | None,
    res: tuple[int, int],
    scope: str = "all",
    more: Mapping[str, Value] | None = None,
    convention: str = DEFAULT,
    needs: Needs | None = None,
) -> Point:
    """Cost one configuration under a convention; ``more`` are further knobs.

    Raises: MbprofError: the spec makes no network of it.
    """
    scaled = {} if alpha is None else {"alpha": alpha}
    more = more or {}
    knobs = {**spec.knobs, "res": res, **more, **scaled}
    count = accuracy.counted(spec, knobs, scope, convention)
    found = Point(spec.name, alpha, res, count.params, count.cost, knobs=tuple(more.items()))
    return _needing(found, spec, knobs, needs)


def _needing(found: Point, spec: Spec, knobs: Mapping[str, Value], needs: Needs | None) -> Point:
    """Return a point with what the network of these knobs needs."""
    if needs is None:
        return found
    numbers = needs.of(spec.build(**knobs).compiled)
    return found._replace(peak_bytes=numbers.get("peak_bytes", 0), latency_ns=numbers.get(TIME, 0))


def points(
    spec: Spec, scope: str = "all", convention: str = DEFAULT, needs: Needs | None = None
) -> tuple[Point, ...]:
    """Return the published series of a spec with computed costs: one source, never mixed.

    It is the float series with most configurations, in its order. Left out are accuracies that
    are not usable, see `mbprof.published.rows.Published.usable`, and networks that the flavour
    does not make.
    """
    rows = _largest(spec)
    costed = (_costed(spec, row, scope, convention, needs) for row in rows)
    return tuple(found for found in costed if found is not None)


def _largest(spec: Spec) -> tuple[Published, ...]:
    """Return the series with most usable networks, each of them once."""
    candidates, asked = [], _turned(spec)
    for rows in series(spec.definition).values():
        networks: dict[object, Published] = {}
        for row in rows:
            if row.usable and _agrees(spec, row, asked):
                networks.setdefault(row.network, row)
        candidates.append(tuple(networks.values()))
    return max(candidates, key=len, default=())


def _turned(spec: Spec) -> dict[str, Value]:
    """Return the knobs of a network of the zoo, besides width and size, that were set anew."""
    address = spec.address or spec.name
    if address.partition("@")[0] not in zoo.names():
        return {}
    usual = load(address).knobs
    turned = {name: value for name, value in spec.knobs.items() if usual.get(name) != value}
    return {name: value for name, value in turned.items() if name not in ("alpha", "res")}


def _agrees(spec: Spec, row: Published, asked: Mapping[str, Value]) -> bool:
    """Whether the network of a row is set as is asked for; an accuracy is of no other one."""
    if not asked:
        return True
    try:
        own = accuracy.settings(spec, row)
    except MbprofError:
        return False
    return all(own.get(name) == value for name, value in asked.items())


def _costed(
    spec: Spec, row: Published, scope: str, convention: str, needs: Needs | None = None
) -> Point | None:
    """Set the computed cost of a row's network beside its accuracy."""
    count, side = accuracy.cost(spec, row, scope, convention), row.resolution or 0
    if count is None:
        return None
    name, alpha, knobs = _name(spec, row), _alpha(spec, row), tuple(row.knobs.items())
    res, costs = (side, side), (count.params, count.cost)
    found = Point(name, alpha, res, *costs, row.top1, row.source, knobs)
    return _needing(found, accuracy.spec_of(spec, row), accuracy.settings(spec, row), needs)


def _name(spec: Spec, row: Published) -> str:
    """Return the name of a row's network: of one of the spec's presets, or the spec itself."""
    of_preset = row.spec in spec.definition.presets
    return accuracy.spec_of(spec, row).name if of_preset else spec.name


def _alpha(spec: Spec, row: Published) -> float | None:
    """Return the width multiplier of a row's network, None if it has none."""
    return cast(float, accuracy.width(row)) if has_width(spec) else None


def best(
    spec: Spec, scope: str = "all", convention: str = DEFAULT, needs: Needs | None = None
) -> Point:
    """Return the default configuration with the best usable top-1 of any source, if there is one.

    What is left out is said at `points`.
    """
    own = default_alpha(spec), default_res(spec)
    default = point(spec, *own, scope, None, convention, needs)
    usable = (row for row in for_spec(spec.definition) if row.usable)
    rows = [row for row in usable if accuracy.settings(spec, row) == spec.knobs]
    if not rows:
        return default
    row = max(rows, key=lambda row: row.top1)
    return default._replace(spec=_name(spec, row), top1=row.top1, source=row.source)


def axes(
    spec: Spec, alphas: Sequence[float] = (), sides: Sequence[int] = ()
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the widths and resolutions to sweep, from large to small, no widths if it has none.

    What is not asked for is that of the published series, or else a usual choice.
    Raises: UsageError: widths are asked for, but the network has none. LimitError: more points
    than a chart shows.
    """
    if alphas and not has_width(spec):
        raise UsageError(f"{spec.name} has no width multiplier", hint="leave out --alpha")
    cells = _cells(spec)
    widths = set(alphas) or {alpha for alpha, _ in cells if alpha is not None}
    if has_width(spec) and len(widths) < 2 and not alphas:
        allowed = spec.definition.knobs["alpha"].one_of or FEW_ALPHAS
        widths |= {float(alpha) for alpha in allowed if isinstance(alpha, int | float)}
    heights = set(sides) or {side for _, side in cells}
    if len(heights) < 2 and not sides:
        heights |= {default_res(spec)[0], *FEW_SIDES}
    count = max(len(widths), 1) * len(heights)
    if count > MAX_POINTS:
        message = f"{several(count, 'configuration')}; a chart shows at most {MAX_POINTS:,}"
        raise LimitError(message, hint="mbprof sweep costs any number of them")
    return tuple(sorted(widths, reverse=True)), tuple(sorted(heights, reverse=True))


def _cells(spec: Spec) -> dict[tuple[float | None, int], Published]:
    """Return a row for each width and resolution of this very network, of its own knobs if any."""
    presets = set(spec.definition.presets) - {spec.name.partition("@")[0]}
    cells: dict[tuple[float | None, int], list[Published]] = {}
    for row in _largest(spec):
        if row.spec not in presets:
            cells.setdefault((_alpha(spec, row), row.resolution or 0), []).append(row)
    singles = {cell: accuracy.single(spec.definition, rows) for cell, rows in cells.items()}
    return {cell: row for cell, row in singles.items() if row is not None}


def sweep(
    spec: Spec,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
    convention: str = DEFAULT,
) -> tuple[Point, ...]:
    """Cost every width at every resolution, with the top-1 that the series has for it.

    What the series sets besides a width is set at all resolutions of that width. Configurations
    that the network does not take are left out, unless they are asked for.
    Raises: MbprofError: the network does not take a configuration that was asked for.
    """
    cells = _cells(spec)
    knobs = {alpha: row.knobs for (alpha, _), row in cells.items()}
    widths, heights = axes(spec, alphas, sides)
    swept = []
    for alpha, side in product(widths or (None,), heights):
        row = cells.get((alpha, side))
        known = row and _costed(spec, row, scope, convention)
        more = knobs.get(alpha)
        try:
            found = known or point(spec, alpha, (side, side), scope, more, convention)
            swept.append(found)
        except MbprofError:
            if alphas or sides:
                raise
    return tuple(swept)


def front(swept: Iterable[Point], cost: str = "macs") -> tuple[Point, ...]:
    """Return the points that no other one beats, by their cost: less of it, or a better top-1.

    >>> a, b = (Point("x", 1.0, (8, 8), 1, macs, top1) for macs, top1 in ((5, 60.0), (9, 50.0)))
    >>> front([a, b]) == (a,)
    True
    """
    import numpy as np

    scored = [point for point in swept if point.top1 is not None]
    scored.sort(key=lambda point: getattr(point, cost))
    columns = {name: np.array([getattr(p, name) for p in scored]) for name in (cost, "top1")}
    return tuple(scored[i] for i in Front(((cost, False), ("top1", True))).best(columns))


def settings(shown: Iterable[Point]) -> str:
    """Say which points were published, and are counted, with other knobs than the default ones."""
    where: dict[str, dict[str, dict[str, None]]] = {}
    for point in shown:
        if point.knobs:
            knobs = spelled(dict(point.knobs))
            widths = where.setdefault(knobs, {}).setdefault(point.spec, {})
            if point.alpha is not None:
                widths[plain(point.alpha)] = None
    said = []
    for knobs, specs in where.items():
        # A width keeps to its letter where the caption is wrapped.
        alpha = "α\N{NO-BREAK SPACE}"
        places = [f"{s} {alpha}{', '.join(widths)}" if widths else s for s, widths in specs.items()]
        said.append(f"With {knobs}, as published: {'; '.join(places)}.")
    return " ".join(said)

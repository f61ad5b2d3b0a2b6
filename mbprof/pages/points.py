"""What charts and dossiers show: published accuracies beside the costs computed for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mbprof.errors import MbprofError, UsageError
from mbprof.language.values import Value, plain
from mbprof.network.load import Spec, load
from mbprof.published import accuracy
from mbprof.published.accuracy import Published

_ALPHAS = (1.0, 0.75, 0.5)
_SIDES = (224, 192, 160, 128)


@dataclass(frozen=True, slots=True)
class Point:
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
    alpha = spec.knobs["alpha"] if has_width(spec) else None
    return float(alpha) if isinstance(alpha, int | float) else None


def default_res(spec: Spec) -> tuple[int, int]:
    """Return the resolution that the spec has by default."""
    height, width = cast(tuple[int, int], spec.knobs["res"])
    return height, width


def point(
    spec: Spec,
    alpha: float | None,
    res: tuple[int, int],
    scope: str = "all",
    more: Iterable[tuple[str, Value]] = (),
) -> Point:
    """Cost one configuration under the convention ``kernels``; ``more`` are further knobs.

    Raises: MbprofError: the spec makes no network of it. UsageError: no such scope.
    """
    more = tuple(more)
    knobs: dict[str, Value] = {"res": res, **dict(more)}
    if alpha is not None:
        knobs["alpha"] = alpha
    total = spec.build(**knobs).profile(scope=scope).total
    return Point(spec.name, alpha, res, total.params, total.cost, knobs=more)


def points(spec: Spec, scope: str = "all") -> tuple[Point, ...]:
    """Return the published series of a spec with computed costs: one source, never mixed.

    It is the float series with most configurations, in its order. Left out are networks that
    were distilled or saw more data, accuracies that are wrong at their source, of unknown
    resolution, or at another one than was trained with.
    """
    found: list[dict[object, Published]] = [{}]
    for rows in accuracy.series(spec.definition).values():
        cells: dict[object, Published] = {}
        for row in filter(_usable, rows):
            cells.setdefault((row.spec, row.alpha, row.resolution, repr(row.knobs)), row)
        found.append(cells)
    return tuple(_costed(spec, row, scope) for row in max(found, key=len).values())


def _usable(row: Published) -> bool:
    return (
        row.precision == "fp32"
        and not (row.distilled or row.extra_data)
        and row.resolution is not None
        and row.train_resolution in (None, row.resolution)
        and "top1" not in row.wrong
    )


def _costed(spec: Spec, row: Published, scope: str) -> Point:
    """Set the computed cost of a row's network beside its accuracy."""
    stem, _, flavour = spec.name.partition("@")
    if row.spec != stem and row.spec in spec.definition.presets:
        spec = load(f"{row.spec}@{flavour}" if flavour else row.spec)
    alpha = default_alpha(spec)
    if alpha is not None and row.alpha is not None:
        alpha = row.alpha
    side = row.resolution or 0
    found = point(spec, alpha, (side, side), scope, row.knobs.items())
    return replace(found, top1=row.top1, source=row.source)


def best(spec: Spec, scope: str = "all") -> Point:
    """Return the default configuration with the best top-1 of any source, if there is one.

    What is left out is said at `points`.
    """
    rows = [
        row
        for row in accuracy.for_spec(spec.definition)
        if _usable(row) and _settings(row, spec) == spec.knobs
    ]
    if not rows:
        return point(spec, default_alpha(spec), default_res(spec), scope)
    return _costed(spec, max(rows, key=lambda row: row.top1), scope)


def _settings(row: Published, spec: Spec) -> dict[str, Value]:
    """Return the knobs that a row's network has, which need not be the spec itself."""
    stem = spec.name.partition("@")[0]
    knobs = dict(spec.knobs if row.spec == stem else load(row.spec).knobs)
    if row.alpha is not None and has_width(spec):
        knobs["alpha"] = row.alpha
    side = row.resolution or 0
    return {**knobs, "res": (side, side), **row.knobs}


def axes(
    spec: Spec, alphas: Sequence[float] = (), sides: Sequence[int] = ()
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the widths and resolutions to sweep, from large to small, no widths if it has none.

    What is not asked for is that of the published series, or else a usual choice.
    Raises: UsageError: widths are asked for, but the network has none.
    """
    if alphas and not has_width(spec):
        raise UsageError(f"{spec.name} has no width multiplier", hint="leave out --alpha")
    series = _own(spec, "all")
    widths = set(alphas) or {each.alpha for each in series if each.alpha is not None}
    if has_width(spec) and len(widths) < 2 and not alphas:
        allowed = spec.definition.knobs["alpha"].one_of or _ALPHAS
        widths |= {float(each) for each in allowed if isinstance(each, int | float)}
    usual = {each.res[0] for each in series}
    if len(usual) < 2:
        usual |= {default_res(spec)[0], *_SIDES}
    return tuple(sorted(widths, reverse=True)), tuple(sorted(sides or usual, reverse=True))


def _own(spec: Spec, scope: str) -> tuple[Point, ...]:
    """Return the points of this very network, one each width and resolution.

    Where several share a cell, it is that of the spec's own knobs.
    """
    usual = spec.knobs
    found: dict[object, list[Point]] = {}
    for each in points(spec, scope):
        if each.spec == spec.name:
            found.setdefault((each.alpha, each.res), []).append(each)
    kept = []
    for cell in found.values():
        same = [each for each in cell if all(usual.get(name) == at for name, at in each.knobs)]
        kept += same[:1] or (cell if len(cell) == 1 else [])
    return tuple(kept)


def sweep(
    spec: Spec, alphas: Sequence[float] = (), sides: Sequence[int] = (), scope: str = "all"
) -> tuple[Point, ...]:
    """Cost every width at every resolution, with the top-1 that the series has for it.

    What the series sets besides a width is set at all resolutions of that width. Configurations
    that the network does not take are left out, unless they are asked for.
    Raises: MbprofError: the network does not take a configuration that was asked for.
    """
    known = {(each.alpha, each.res): each for each in _own(spec, scope)}
    settings = {alpha: each.knobs for (alpha, _), each in known.items()}
    widths, heights = axes(spec, alphas, sides)
    found = []
    for alpha in widths or (None,):
        for side in heights:
            ready = known.get((alpha, (side, side)))
            more = settings.get(alpha, ())
            try:
                found.append(ready or point(spec, alpha, (side, side), scope, more))
            except MbprofError:
                if alphas or sides:
                    raise
    return tuple(found)


def front(found: Iterable[Point], cost: str = "macs") -> tuple[Point, ...]:
    """Return the points that no other one beats: none costs as little and scores as high.

    >>> a, b = (Point("x", 1.0, (8, 8), 1, macs, top1) for macs, top1 in ((5, 60.0), (9, 50.0)))
    >>> front([a, b]) == (a,)
    True
    """
    kept: list[Point] = []
    scored = [each for each in found if each.top1 is not None]
    for each in sorted(scored, key=lambda one: (getattr(one, cost), -(one.top1 or 0.0))):
        if not kept or (each.top1 or 0.0) > (kept[-1].top1 or 0.0):
            kept.append(each)
    return tuple(kept)


def settings(found: Iterable[Point]) -> str:
    """Say which points were published, and are counted, with other knobs than the default ones."""
    where: dict[str, dict[str, dict[str, None]]] = {}
    for each in found:
        if each.knobs:
            knobs = ", ".join(f"{name} {plain(value)}" for name, value in each.knobs)
            widths = where.setdefault(knobs, {}).setdefault(each.spec, {})
            if each.alpha is not None:
                widths[plain(each.alpha)] = None
    said = []
    for knobs, specs in where.items():
        # A width keeps to its letter where the caption is wrapped.
        places = [
            f"{spec} α\N{NO-BREAK SPACE}{', '.join(widths)}" if widths else spec
            for spec, widths in specs.items()
        ]
        said.append(f"With {knobs}, as published: {'; '.join(places)}.")
    return " ".join(said)

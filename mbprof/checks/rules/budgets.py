"""The rule about budgets: params and MACs, and the bytes that a network needs at inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from mbprof.checks.model import ERROR, Found, Subject, rule
from mbprof.device.memory import Memory, memory
from mbprof.device.order import best_order
from mbprof.device.plan import Rules, plan, weight_bytes
from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.fmt import Value, plain, size
from mbprof.language.source import COMMAND_LINE
from mbprof.network.conventions import Convention
from mbprof.network.graph import Graph
from mbprof.network.measures import traffics
from mbprof.network.profile import Profile
from mbprof.network.rows import totals
from mbprof.spec.sections import Budget, Limit

HEAVIEST = 5
_SECONDS = 0.5
"""How long the best order of a network that could fit is looked for."""
_PARTS, _MULTIPLE = 100, 32
"""Widths are tried in hundredths, sizes in multiples of the usual total stride."""


@rule("MB901", ERROR)
def over_budget(subject: Subject) -> Iterator[Found]:
    """The network exceeds its budget.

    The budget stands in the spec, budget: {macs: 300M, params: 4M, peak: 320KB, dtype: int8}, or
    on the command line. Params and MACs are compared with the totals of the scope and convention
    that are counted, peak with the bytes that are live at once in the best order of execution, and
    weights with the bytes of all stored values. A --dtype takes the place of the budget's own.

    Why: somebody wrote down what the device or the team can afford.
    Remedy: the message names the five heaviest layers, and the largest alpha and resolution that
    fit.
    Source: arXiv:1704.04861, section 3.3, on choosing both multipliers by a budget.
    """
    yield from exceeded(subject, subject.spec.definition.budget, subject.limits)


def exceeded(subject: Subject, *budgets: Budget) -> Iterator[Found]:
    """Yield what to say of each limit that is exceeded.

    Raises: UsageError: no such convention, or one that counts no MACs where they are limited.
    """
    profile = subject.network.profile(subject.convention, subject.scope)
    for budget in budgets:
        if budget.peak or budget.weights:
            yield from _beyond_memory(subject, budget)
    for kind in ("params", "macs"):
        for budget in budgets:
            limit: Limit | None = getattr(budget, kind)
            if limit is not None:
                of = _of(profile.convention, kind, limit)
                if of(profile.total) > limit.count:
                    yield _excess(subject, profile, kind, limit, of)


def _of(convention: Convention, kind: str, limit: Limit) -> Callable[[Any], int]:
    """Return how a count is taken from a total or a row, if the convention counts it."""
    if kind == "params":
        return attrgetter("params")
    measures = list(convention.measures)
    if "macs" not in measures:
        raise UsageError(
            f"convention {convention.name} counts no MACs, so that nothing can be said about the "
            f"budget of {limit.scalar.text}",
            hint="choose a convention in MACs, such as kernels",
        )
    index = measures.index("macs")
    return lambda counted: int(counted.costs[index])


def _excess(
    subject: Subject, profile: Profile, kind: str, limit: Limit, of: Callable[[Any], int]
) -> Found:
    total, name = of(profile.total), {"params": "params", "macs": "MACs"}[kind]
    rows = [row for row in sorted(profile.rows, key=of, reverse=True)[:HEAVIEST] if of(row)]
    heavy = ", ".join(f"{row.name} {fmt.percent(of(row), total)} %" for row in rows)
    over = total - limit.count
    convention, scope = profile.convention.name, subject.scope
    fits = _fits(
        subject, kind == "macs", lambda it: of(totals(it, convention, scope)) <= limit.count
    )
    nodes = {node.layer: node for node in reversed(subject.nodes)}
    typed = limit.scalar.loc.source.name == COMMAND_LINE
    return Found(
        f"{fmt.integer(total)} {name} exceed the budget of {limit.scalar.text} by "
        f"{fmt.integer(over)} ({fmt.percent(over, limit.count)} %); heaviest: {heavy}; "
        f"{_said(fits)}",
        nodes=[nodes[row.name] for row in rows],
        numbers={
            "kind": kind,
            "limit": limit.count,
            "count": total,
            "over": over,
            "heaviest": [{"layer": row.name, kind: of(row)} for row in rows],
            "fits": fits,
        },
        loc=subject.spec.definition.loc if typed else limit.scalar.loc,
    )


def _beyond_memory(subject: Subject, budget: Budget) -> Iterator[Found]:
    """Yield what to say of the bytes at inference that exceed a budget."""
    found = memory(subject.network, dtype=subject.limits.dtype or budget.dtype)
    rules, best = found.rules, found.best

    def peak(graph: Graph) -> bool:
        assert isinstance(rules, Rules)
        planned = plan(graph, rules)
        most = budget.peak.count if budget.peak else 0
        return planned.peak() <= most or best_order(planned, _SECONDS).peak <= most

    def weights(graph: Graph) -> bool:
        assert isinstance(rules, Rules)
        return weight_bytes(graph, rules) <= (budget.weights.count if budget.weights else 0)

    live = found.plan.live(best.order)
    at = live.index(max(live)) if live else 0
    steps = [found.plan.steps[best.order[at]].name] if live else []
    held = sorted((found.plan.buffers[b] for b in found.plan.held(best.order)[at]),
                  key=lambda buffer: -buffer.size) if live else []  # fmt: skip
    if budget.peak and best.peak > budget.peak.count:
        said = ", ".join(f"{buffer.name} {fmt.integer(buffer.size)}" for buffer in held[:HEAVIEST])
        where = f"at {steps[0]}: {said}"
        yield _bytes(subject, found, budget.peak, "peak", best.peak, where, steps, peak)
    if budget.weights and found.weight_bytes > budget.weights.count:
        moved = traffics(subject.graph)
        dtype = rules.dtype if isinstance(rules, Rules) else None
        stored = {name: layer.stored(dtype) for name, layer in moved.items()} if dtype else {}
        heavy = sorted(stored, key=lambda name: -stored[name])[:HEAVIEST]
        said = ", ".join(f"{name} {fmt.integer(stored[name])}" for name in heavy)
        total = found.weight_bytes
        yield _bytes(subject, found, budget.weights, "weights", total, said, heavy, weights)


def _bytes(
    subject: Subject, found: Memory, limit: Limit, kind: str, count: int, where: str,
    layers: Sequence[str], holds: Callable[[Graph], bool],
) -> Found:  # fmt: skip
    """Say that bytes exceed a limit, where most of them are, and what would fit."""
    over = count - limit.count
    own = isinstance(found.rules, Rules)
    fits = _fits(subject, kind == "peak", holds) if own else {}
    nodes = {node.layer: node for node in reversed(subject.nodes)}
    typed = limit.scalar.loc.source.name == COMMAND_LINE
    what = {
        "peak": "bytes are live at the peak of the best order and",
        "weights": "bytes of weights",
    }
    return Found(
        f"{fmt.integer(count)} {what[kind]} exceed the budget of {limit.scalar.text} by "
        f"{fmt.integer(over)} ({fmt.percent(over, limit.count)} %){'; ' if where else ''}{where}; "
        f"{_said(fits)}; counted: {found.rules.said}",
        nodes=[nodes[name] for name in layers if name in nodes],
        numbers={
            "kind": kind,
            "limit": limit.count,
            "count": count,
            "over": over,
            "dtype": found.rules.types,
            "fits": fits,
        },
        loc=subject.spec.definition.loc if typed else limit.scalar.loc,
    )


def _said(fits: Mapping[str, Value]) -> str:
    said = []
    for knob, value in fits.items():
        if value is None:
            said.append(f"no {knob} fits with the rest as it is")
        else:
            steps = " multiple of 32" if knob == "res" else ""
            said.append(f"{knob} {plain(value)} is the largest{steps} that fits by itself")
    return "; ".join(said) or "nothing scales it"


def _fits(subject: Subject, sized: bool, holds: Callable[[Graph], bool]) -> dict[str, Value]:
    """Return the largest usual alpha and resolution that fit, each with the rest as it is.

    ``sized`` says that what is limited grows with the resolution.
    """
    knobs, largest = subject.spec.definition.knobs, dict[str, Value]()
    alpha = subject.network.knobs.get("alpha")

    def fits(knob: str, value: Value) -> bool | None:
        graph = subject.at(knob, value).graph
        return None if graph is None else holds(graph)

    if isinstance(alpha, int | float):
        listed = [width for width in knobs["alpha"].one_of if isinstance(width, int | float)]
        hundredths = [step / _PARTS for step in range(1, int(alpha * _PARTS) + 1)]
        usual = [width for width in listed or hundredths if knobs["alpha"].inside(width)]
        widths = sorted(width for width in usual if width < alpha)
        largest["alpha"] = _largest(widths, partial(fits, "alpha"))
    if sized and "res" in knobs and not subject.spec.alone:
        high, wide = size(subject.network.knobs["res"])
        long = max(high, wide)
        sizes: list[Value] = [
            (max(1, round(high * side / long)), max(1, round(wide * side / long)))
            for side in range(_MULTIPLE, long, _MULTIPLE)
        ]
        largest["res"] = _largest(sizes, partial(fits, "res"))
    return largest


def _largest(values: Sequence[Value], fits: Callable[[Value], bool | None]) -> Value:
    """Return the largest value that fits, None if none does."""
    # Params and cost grow with either; only where settings make no network all below are tried.
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        fit = fits(values[middle])
        if fit is None:
            return next((value for value in reversed(values[:high]) if fits(value)), None)
        if fit:
            low = middle + 1
        else:
            high = middle
    return values[low - 1] if low else None

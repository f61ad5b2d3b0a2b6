"""Budgets: what exceeds them, by how much, what weighs most, and what would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from mbprof.checks.model import ERROR, Found, Subject, rule
from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.source import COMMAND_LINE
from mbprof.language.values import Value, plain, size
from mbprof.network.conventions import Convention
from mbprof.network.profile import Profile
from mbprof.network.rows import totals
from mbprof.spec.budget import Budget, Limit

HEAVIEST = 5
_PARTS, _MULTIPLE = 100, 32
"""Widths are tried in hundredths, sizes in multiples of the usual total stride."""


@rule("MB901", ERROR)
def over_budget(subject: Subject) -> Iterator[Found]:
    """The network exceeds its budget.

    The budget stands in the spec, budget: {macs: 300M, params: 4M}, or on the command line. It
    is compared with the totals of the scope and convention that are counted.

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
    fits = _fits(subject, profile.convention.name, kind, limit.count, of)
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


def _said(fits: Mapping[str, Value]) -> str:
    said = []
    for knob, value in fits.items():
        if value is None:
            said.append(f"no {knob} fits with the rest as it is")
        else:
            steps = " multiple of 32" if knob == "res" else ""
            said.append(f"{knob} {plain(value)} is the largest{steps} that fits by itself")
    return "; ".join(said) or "nothing scales it"


def _fits(
    subject: Subject, convention: str, kind: str, limit: int, of: Callable[[Any], int]
) -> dict[str, Value]:
    """Return the largest usual alpha and resolution that fit, each with the rest as it is."""
    knobs, largest = subject.spec.definition.knobs, dict[str, Value]()
    alpha = subject.network.knobs.get("alpha")

    def fits(knob: str, value: Value) -> bool | None:
        graph = subject.at(knob, value).graph
        return None if graph is None else of(totals(graph, convention, subject.scope)) <= limit

    if isinstance(alpha, int | float):
        listed = [width for width in knobs["alpha"].one_of if isinstance(width, int | float)]
        hundredths = [step / _PARTS for step in range(1, int(alpha * _PARTS) + 1)]
        usual = [width for width in listed or hundredths if knobs["alpha"].inside(width)]
        widths = sorted(width for width in usual if width < alpha)
        largest["alpha"] = _largest(widths, partial(fits, "alpha"))
    if kind == "macs" and not subject.spec.alone:
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

"""Budgets: what exceeds them, by how much, what weighs most, and what would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from mbprof import conventions, fmt
from mbprof.checks.model import ERROR, Finding, Subject, declare
from mbprof.expr import Value
from mbprof.profile import Profile, totals
from mbprof.spec.budget import Budget, Limit
from mbprof.spec.knobs import plain, size

HEAVIEST = 5
_PARTS, _MULTIPLE = 100, 32
"""Widths are tried in hundredths, sizes in multiples of the usual total stride."""

declare(
    "MB901",
    ERROR,
    """The network exceeds its budget.

    The budget stands in the spec, budget: {macs: 300M, params: 4M}, or on the command line. It
    is compared with the totals of the scope and convention that are counted.

    Why: somebody wrote down what the device or the team can afford.
    Remedy: the message names the five heaviest layers, and the largest alpha and resolution that
    fit.
    Source: arXiv:1704.04861, section 3.3, on choosing both multipliers by a budget.
    """,
)


def exceeded(
    subject: Subject, limits: Budget, convention: str = conventions.DEFAULT
) -> Iterator[Finding]:
    """Yield a finding for each limit that is exceeded, of the spec's budget and of another one.

    Raises: UsageError: no such convention.
    """
    profile = subject.network.profile(convention, subject.scope)
    for kind in ("params", "macs"):
        own: Limit | None = getattr(subject.budget, kind)
        asked: Limit | None = getattr(limits, kind)
        for limit in (own, asked):
            if limit is not None and getattr(profile.total, kind) > limit.count:
                yield _finding(subject, profile, kind, limit)


def _finding(subject: Subject, profile: Profile, kind: str, limit: Limit) -> Finding:
    total: int = getattr(profile.total, kind)
    name = {"params": "params", "macs": profile.convention.unit}[kind]
    rows = sorted(profile.rows, key=lambda row: -int(getattr(row, kind)))[:HEAVIEST]
    rows = [row for row in rows if getattr(row, kind)]
    heavy = ", ".join(f"{row.name} {fmt.percent(getattr(row, kind), total)} %" for row in rows)
    over = total - limit.count
    fits = _fits(subject, profile.convention.name, kind, limit.count)
    loc = limit.scalar.loc
    if loc.source.name == "command line":
        loc = subject.spec.definition.loc
    return Finding(
        "MB901",
        ERROR,
        f"{fmt.integer(total)} {name} exceed the budget of {limit.scalar.text} by "
        f"{fmt.integer(over)} ({fmt.percent(over, limit.count)} %); heaviest: {heavy}; "
        f"{_said(fits)}",
        loc,
        tuple(row.name for row in rows),
        {
            "kind": kind,
            "limit": limit.count,
            "count": total,
            "over": over,
            "heaviest": [{"layer": r.name, kind: getattr(r, kind)} for r in rows],
            "fits": fits,
        },
    )


def _said(fits: dict[str, Value]) -> str:
    said = []
    for knob, value in fits.items():
        if value is None:
            said.append(f"no {knob} fits with the rest as it is")
        else:
            said.append(f"{knob} {plain(value)} is the largest that fits with the rest as it is")
    return "; ".join(said) or "nothing scales it"


def _fits(subject: Subject, convention: str, kind: str, limit: int) -> dict[str, Value]:
    """Return the largest alpha, in hundredths, and the largest resolution that fit, each alone.

    Resolutions are multiples of 32 where one fits. Both are found by bisection, as params and cost
    grow with either.
    """
    found: dict[str, Value] = {}
    alpha = subject.network.knobs.get("alpha")

    def fits(knob: str, value: Value) -> bool | None:
        graph = subject.at(knob, value).graph
        if graph is None:
            return None
        count = totals(graph, convention, subject.scope)
        return {"params": count.params, "macs": count.cost}[kind] <= limit

    if isinstance(alpha, int | float):
        steps: list[Value] = [step / _PARTS for step in range(1, int(alpha * _PARTS) + 1)]
        found["alpha"] = _largest(steps, partial(fits, "alpha"))
    if kind == "macs" and not subject.alone:
        of_step = (_largest(_sizes(subject, step), partial(fits, "res")) for step in (_MULTIPLE, 1))
        found["res"] = next((value for value in of_step if value is not None), None)
    return found


def _sizes(subject: Subject, step: int) -> list[Value]:
    """Return the sizes below the network's own, of its aspect ratio, in steps."""
    high, wide = size(subject.network.knobs["res"])
    long = max(high, wide)
    return [
        (max(1, round(high * side / long)), max(1, round(wide * side / long)))
        for side in range(step, long, step)
    ]


def _largest(values: list[Value], fits: Callable[[Value], bool | None]) -> Value:
    """Return the last value that fits, None if none does; those too small to build are passed."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if fits(values[middle]) is False:
            high = middle
        else:
            low = middle + 1
    return values[low - 1] if low and fits(values[low - 1]) else None

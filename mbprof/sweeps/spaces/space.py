"""What a design space holds: how many networks, what they cost, which knobs that depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mbprof.errors import UsageError
from mbprof.language import fmt
from mbprof.language.counts import read
from mbprof.language.record import NamedTuple, record
from mbprof.network.load import Spec, SpecLike, as_spec
from mbprof.output import Column, Report
from mbprof.output.writers import Result
from mbprof.sweeps.spaces.choices import ENUMERATED, Choices, choices
from mbprof.sweeps.spaces.counts import Amounts, amounts, distinct
from mbprof.sweeps.spaces.moments import Moments, effects, moments
from mbprof.sweeps.spaces.parts import Parts, parts

SAMPLE = 1 << 17
"""So many configurations are drawn where there are too many to cost them all."""
BUILDS = 64
"""So many different words and flags a large sample may have: each is a build of its own."""
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Z = 1.959964
"""The quantile of the normal distribution that leaves 2.5 % above it."""


class Within(NamedTuple):
    """How many configurations are within limits; an estimate has an interval of 95 %."""

    limits: Mapping[str, int]
    configurations: int
    low: int
    high: int
    how: str

    @property
    def exact(self) -> bool:
        return self.low == self.high


@record
class Space(Result):
    """The configurations of a spec's knobs, each as likely as any other, and their costs.

    ``quantiles`` has the amount of each cost that a share of the configurations stays within,
    ``effects`` for each knob the share of a cost's variance that its value alone explains.
    """

    stamp: Mapping[str, Any]
    knobs: Mapping[str, tuple[Any, ...]]
    count: int
    distinct: int | None
    """The same, counted once where no part of a network costs anything else; None if not known."""
    quantiles: Mapping[str, tuple[int, ...]]
    effects: Mapping[str, Mapping[str, float]]
    drawn: int
    """How many configurations the quantiles are of, 0 for all of them."""
    exact: bool
    """Whether the effects are exact, and the least and the largest cost."""
    within: Within | None = None
    refused: int = 0
    """How many of the configurations that were costed make no network."""

    @property
    def brief(self) -> str:
        """The network and how many configurations there are."""
        return f"{self.stamp['spec']}: {fmt.several(self.count, 'configuration')}"

    def report(self, layout: str = "page") -> Report:
        """Lay the space out: a row for each knob, the quantiles behind it."""
        costs = tuple(self.quantiles)
        rows = tuple(
            {"knob": name, "values": len(of), "of": " ".join(map(fmt.plain, of))}
            | {f"{cost}_effect": self.effects[name][cost] for cost in costs}
            for name, of in self.knobs.items()
        )
        columns = (
            Column("knob", "knob", "what varies"),
            Column("values", "values", "how many values it has", fmt.integer, True),
            Column("of", "which", "the values", wraps=True, yields=2),
            *(
                Column(
                    f"{cost}_effect", f"{cost}/%",
                    f"how much of the variance of {cost} the knob alone explains",
                    lambda share: f"{100 * share:.1f}", True,
                )
                for cost in costs
            ),
        )  # fmt: skip
        spread = Column("share", "share", "of the configurations", lambda s: f"{100 * s:g} %", True)
        more = Report(
            "Costs that a share of the configurations stays within",
            (spread, *(Column(c, c, "the cost", fmt.integer, True) for c in costs)),
            tuple(
                {"share": share, **{cost: self.quantiles[cost][n] for cost in costs}}
                for n, share in enumerate(SHARES)
            ),
            None,
        )
        data = {
            **self.stamp,
            "configurations": self.count,
            "distinct": self.distinct,
            "knobs_varied": [
                {**row, "of": list(of)} for row, of in zip(rows, self.knobs.values(), strict=True)
            ],
            "quantiles": [dict(row) for row in more.rows],
            "drawn": self.drawn,
            "exact": self.exact,
            "within": self.within and {**self.within._asdict(), "limits": {**self.within.limits}},
        }
        return Report(
            self.brief, columns, rows, data, more=(more,), lead=tuple(self.lead()),
            notes=tuple(self.notes()), listed="knobs_varied",
        )  # fmt: skip

    def lead(self) -> list[str]:
        """Return how many networks there are."""
        lines = []
        if self.distinct is not None and self.distinct != self.count:
            said = fmt.integer(self.distinct)
            lines.append(f"{said} differ in what some part of the network costs.")
        if self.within is not None:
            limits = " and ".join(f"{fmt.integer(n)} {c}" for c, n in self.within.limits.items())
            said = fmt.integer(self.within.configurations)
            if not self.within.exact:
                ends = f"{fmt.integer(self.within.low)} to {fmt.integer(self.within.high)}"
                said = f"about {said} (95 %: {ends})"
            share = f"{100 * self.within.configurations / max(1, self.count):.4g} %"
            lines.append(f"Within {limits}: {said}, {share} ({self.within.how}).")
        return lines

    def notes(self) -> list[str]:
        """Return what is exact, and what is estimated."""
        if not self.drawn:
            lines = ["Every configuration was costed: all numbers are exact."]
        else:
            sample = f"{fmt.integer(self.drawn)} configurations that were drawn"
            lines = [f"Quantiles are of {sample}."]
            lines.append(
                "Exact, from the formula: the effects, the least and the largest cost."
                if self.exact
                else "Effects, the least and the largest cost are of the same sample."
            )
        if self.refused:
            lines.append(f"{fmt.integer(self.refused)} of them make no network and are left out.")
        return lines


def space(
    spec: SpecLike,
    *,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    convention: str = "kernels",
    scope: str | None = None,
    seed: int = 0,
    **axes: Any,
) -> Space:
    """Say how many networks a spec's knobs make, what they cost, and which knobs that depends on.

    The knobs that have ``one_of`` vary, and those that values are given of, as in a sweep.
    Up to 1,048,576 configurations are costed one and all. Of more, counts, ends and effects are
    exact where costs add over groups of knobs; quantiles are of a sample. ``max_macs`` and
    ``max_params`` ask how many configurations stay within them.
    Effects: Var(E[cost | knob]) / Var(cost), each configuration as likely as any other.
    Raises: KnobError, UsageError: a knob, a value or a limit is wrong, or nothing varies.

    >>> found = space("mobilenet_v2", alpha=[0.5, 1.0], res=[128, 224], max_macs="150M")
    >>> found.count, found.within.configurations, found.quantiles["macs"][0]
    (4, 3, 30300800)
    """
    return space_at(as_spec(spec), axes, max_macs, max_params, convention, scope, seed)


def space_at(
    spec: Spec,
    axes: Mapping[str, Any],
    max_macs: int | str | None,
    max_params: int | str | None,
    convention: str,
    scope: str | None,
    seed: int,
) -> Space:
    """Say what a space holds, see `space`; ``axes`` are values, or what was typed for them."""
    import numpy as np

    found = choices(spec, axes, convention, scope)
    limits = limited(found, {"macs": max_macs, "params": max_params})
    if seed < 0:
        raise UsageError("--seed must be at least 0")
    groups = parts(found)
    enumerable = enumerates(found)
    size = SAMPLE if builds(found) <= BUILDS else SAMPLE >> 6
    rows = found.enumerated() if enumerable else found.drawn(np.random.default_rng(seed), size)
    costs, made = found.costs(rows)
    if not made.any():
        raise UsageError("no configuration makes a network")
    rows, costs, refused = rows[made], costs[made], int((~made).sum())
    quantiles = np.sort(costs, axis=0)[[max(0, math.ceil(s * len(costs)) - 1) for s in SHARES]]
    exact = None if enumerable or groups is None else moments(groups)
    shares = explained(rows, costs, found.sizes)
    if exact is not None:
        quantiles[0], quantiles[-1] = exact.least, exact.most
        of = effects(exact)
        shares = [of[knob] for knob in range(len(found.axes))]
    names = [axis.knob.name for axis in found.axes]
    return Space(
        found.sweep.stamp(),
        {axis.knob.name: axis.values for axis in found.axes},
        found.count,
        distinct(groups) if groups is not None else None,
        {name: tuple(map(int, of)) for name, of in zip(found.names, quantiles.T, strict=True)},
        {
            name: dict(zip(found.names, map(float, of), strict=True))
            for name, of in zip(names, shares, strict=True)
        },
        0 if enumerable else len(made),
        enumerable or exact is not None,
        counted(found, groups, limits, costs, len(made), exact) if limits else None,
        refused,
    )


def limited(found: Choices, asked: Mapping[str, int | str | None]) -> dict[str, int]:
    """Return the limits that are asked for, as counts.

    Raises: UsageError: no count, or of what the convention does not count.
    """
    limits = {}
    for name, text in asked.items():
        if text is None:
            continue
        if name not in found.names:
            known = " and ".join(found.names)
            raise UsageError(f"the convention does not count {name}", hint=f"it counts {known}")
        try:
            limits[name] = text if isinstance(text, int) else read(text).value
        except ValueError as error:
            raise UsageError(
                f"--max-{name}: {error}", hint="write 300M, 3.5M or 4,200,000"
            ) from None
    return limits


def builds(found: Choices) -> int:
    """Return how many builds the values need that formulas cannot carry, such as words."""
    return math.prod(len(axis.values) for axis in found.axes if not axis.symbolic)


def enumerates(found: Choices) -> bool:
    """Whether every configuration can be costed."""
    return found.count <= ENUMERATED and builds(found) <= SAMPLE >> 3


def explained(rows: Any, costs: Any, sizes: Sequence[int]) -> Any:
    """Return the share of each cost's variance that each knob explains, a row for each knob."""
    import numpy as np

    values = costs.astype(np.float64) - costs.mean(axis=0)
    variance = (values**2).mean(axis=0)
    shares = np.zeros((len(sizes), costs.shape[1]))
    for knob, size in enumerate(sizes):
        times = np.bincount(rows[:, knob], minlength=size)
        for cost in range(costs.shape[1]):
            sums = np.bincount(rows[:, knob], values[:, cost], size)
            between = (sums**2 / np.maximum(times, 1)).sum() / len(rows)
            shares[knob, cost] = between / variance[cost] if variance[cost] else 0
    return shares


def counted(
    found: Choices,
    groups: Parts | None,
    limits: Mapping[str, int],
    costs: Any,
    drawn: int,
    exact: Moments | None,
) -> Within:
    """Count the configurations within limits: all, by the formula, or by those that are drawn."""
    import numpy as np

    numbers = {name: found.names.index(name) for name in limits}
    held = [costs[:, numbers[name]] <= limit for name, limit in limits.items()]
    hits = int(np.logical_and.reduce(held).sum())
    if enumerates(found):
        return Within(limits, hits, hits, hits, "every configuration was costed")
    if groups is not None:
        asked = {numbers[name]: limit for name, limit in limits.items()}
        number = summed(groups, asked, exact)
        if number is not None:
            return Within(limits, number, number, number, "exact: the costs of groups of knobs add")
    low, high = interval(hits, drawn)
    ends = (int(low * found.count), math.ceil(high * found.count))
    how = f"estimated from {fmt.integer(drawn)} that were drawn"
    return Within(limits, found.count * hits // drawn, *ends, how)


def summed(groups: Parts, limits: Mapping[int, int], exact: Moments | None) -> int | None:
    """Return how many configurations are within limits, None if more than one of them binds."""
    binding: Amounts | None = None
    for cost, limit in limits.items():
        if exact is not None and limit >= exact.most[cost]:
            continue
        if exact is not None and limit < exact.least[cost]:
            return 0
        own = amounts(groups, cost) if binding is None else None
        if own is None:
            return None
        binding, most = own, limit
    return groups.choices.count if binding is None else binding.within(most)


def interval(hits: int, drawn: int) -> tuple[float, float]:
    """Return what a share lies between with a confidence of 95 %.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    1927.

    >>> [round(end, 3) for end in interval(0, 100)], [round(end, 3) for end in interval(50, 100)]
    ([0.0, 0.037], [0.404, 0.596])
    """
    share, square = hits / drawn, Z * Z / drawn
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / drawn + square / drawn / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)

"""What counters say of a network, or where a number comes from."""

from __future__ import annotations

from typing import overload

from mbprof.errors import UsageError
from mbprof.language.fmt import Value
from mbprof.network.speclike import SpecLike, as_network
from mbprof.published import tools
from mbprof.published.origins import Origins, origins
from mbprof.published.tools import Explanation
from mbprof.spec.knobs import typed


@overload
def explain(
    spec: SpecLike,
    number: None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    **knobs: Value,
) -> Explanation: ...
@overload
def explain(
    spec: SpecLike,
    number: str | int,
    *,
    scope: str | None = None,
    before: None = None,
    after: None = None,
    **knobs: Value,
) -> Origins: ...
def explain(
    spec: SpecLike,
    number: str | int | None = None,
    *,
    scope: str | None = None,
    before: str | None = None,
    after: str | None = None,
    **knobs: Value,
) -> Explanation | Origins:
    """Count a network by every convention; with ``before`` and ``after``, reconcile these two.

    With a ``number``, find out which ways to count give it.

    Raises: UsageError: no such spec, scope or convention; or the number cannot be read.
    MbprofError: the spec makes no network at these values.

    >>> explain("mobilenet_v2@torchvision", before="kernels", after="fvcore").bridges[0]
    <Bridge cost: 300,774,272 (kernels) → 314,193,216 (fvcore)>
    >>> explain("mobilenet_v1", number="569M").origins[0].value
    568740352
    """
    if number is None:
        return tools.explain(as_network(spec, **knobs), scope, before, after)
    if before is not None or after is not None:
        raise UsageError("give either --number, or --from and --to")
    return origins(spec, str(number), typed(knobs), scope)

"""What a network or block costs in closed form: exact, with the conditions under which it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from mbprof.errors import ShapeError
from mbprof.formulas.closed import SIZES, Cost, Formula, Request
from mbprof.formulas.lone import INSTEAD, PREFIX, block_spec, unclashed
from mbprof.language.fmt import Value
from mbprof.network.conventions import DEFAULT
from mbprof.network.load import SpecLike, as_spec
from mbprof.spec.knobs import Given, configured
from mbprof.spec.model import Definition
from mbprof.spec.zoo import OpenedBlock
from mbprof.spec.zoo import open as open_either

__all__ = ["Cost", "Formula", "formula", "formula_at"]


def formula(
    spec: SpecLike,
    by: str = "layer",
    symbols: Iterable[str] = (),
    convention: str = DEFAULT,
    scope: str | None = None,
    **knobs: Value,
) -> Formula:
    """Return what a spec or block costs in closed form.

    Symbols are alpha, where the spec has it, H and W, and of a block its input and arguments;
    ``symbols`` names more of them. A knob that is given a value is a number, unless it is named
    there: then the formula is the one that holds at the value.
    Raises: UsageError: no such spec, block, scope or convention. KnobError: no such knob, or one
    that cannot be a symbol. MbprofError: there is no network at the values given.

    >>> formula("mobilenet_v1", by="net").evaluate(alpha=0.75, H=128, W=128)[:2]
    (1800144, 106002432)
    """
    return formula_at(spec, knobs, by, symbols, convention, scope)


def formula_at(
    spec: SpecLike,
    given: Given,
    by: str = "layer",
    symbols: Iterable[str] = (),
    convention: str = DEFAULT,
    scope: str | None = None,
) -> Formula:
    """Return a formula; ``given`` are values of knobs, or what was typed for them."""
    named = isinstance(spec, str | Path)
    opened = open_either(str(spec), "spec or block") if named else as_spec(spec)
    if isinstance(opened, OpenedBlock):
        for tried in INSTEAD[:-1]:
            with suppress(ShapeError):
                return _of_block(opened, tried, given, symbols)(scope, convention, by)
        return _of_block(opened, INSTEAD[-1], given, symbols)(scope, convention, by)
    definition = opened.definition
    unclashed({n: k.loc for n, k in definition.knobs.items()}, SIZES, definition.name)
    alpha = definition.knobs.get("alpha")
    free = alpha is not None and alpha.kind == "number" and not alpha.one_of
    usual: tuple[str, ...] = ("alpha", *SIZES) if free else SIZES
    request = _request(definition, usual, given, symbols)
    return request(scope or definition.scope, convention, by).answer()


def _of_block(
    block: OpenedBlock, tried: Given, given: Given, symbols: Iterable[str]
) -> Callable[[str | None, str, str], Formula]:
    """Return what makes the formula of a block, where nothing else is given for some arguments."""
    definition, usual = block_spec(block, {**tried, **given})
    request = _request(definition, usual, given, symbols)
    return lambda scope, *rest: request(scope or definition.scope, *rest, PREFIX).answer()


def _request(
    definition: Definition, usual: Iterable[str], given: Given, symbols: Iterable[str]
) -> Callable[..., Request]:
    """Return a request that lacks only what is counted."""
    values = configured(definition.knobs, given, definition.name)
    fixed = {*given, *(SIZES if "res" in given else ())}
    asked = dict.fromkeys(symbols)
    wanted = dict.fromkeys(name for name in usual if name not in fixed or name in asked)
    return partial(Request, definition, values, tuple(wanted | asked), asked=frozenset(asked))

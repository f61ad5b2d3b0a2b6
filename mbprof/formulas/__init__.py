"""What a network or block costs in closed form: exact, with the conditions under which it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from mbprof.errors import KnobError, Loc, ShapeError, UsageError, nearest, unknown
from mbprof.formulas.closed import SIZES, Cost, Formula, Request
from mbprof.formulas.lone import INSTEAD, PREFIX, block_spec, unclashed
from mbprof.language.values import Value
from mbprof.network.block import is_block
from mbprof.network.conventions import DEFAULT
from mbprof.network.given import Given, as_spec
from mbprof.spec import zoo
from mbprof.spec.knobs import checked
from mbprof.spec.model import Definition

__all__ = ["Cost", "Formula", "formula", "formula_at"]


def formula(
    spec: Given,
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
    return formula_at(spec, knobs, {}, by, symbols, convention, scope)


def formula_at(
    spec: Given,
    knobs: Mapping[str, Value],
    places: Mapping[str, Loc],
    by: str = "layer",
    symbols: Iterable[str] = (),
    convention: str = DEFAULT,
    scope: str | None = None,
) -> Formula:
    """Return a formula; ``places`` says where each value was typed, for errors."""
    if not isinstance(spec, str | Path) or not is_block(str(spec)):
        definition = _definition(spec)
        unclashed({n: k.loc for n, k in definition.knobs.items()}, SIZES, definition.name)
        alpha = definition.knobs.get("alpha")
        free = alpha is not None and alpha.kind == "number" and not alpha.one_of
        usual: tuple[str, ...] = ("alpha", *SIZES) if free else SIZES
        request = _request(definition, usual, knobs, places, symbols)
        return request(scope or definition.scope, convention, by).answer()
    for i, more in enumerate(INSTEAD, 1):
        definition, usual = block_spec(str(spec), {**more, **knobs}, places)
        request = _request(definition, usual, knobs, places, symbols)
        try:
            return request(scope or definition.scope, convention, by, PREFIX).answer()
        except ShapeError:
            if i == len(INSTEAD):
                raise
    raise AssertionError


def _definition(spec: Given) -> Definition:
    try:
        return as_spec(spec).definition
    except UsageError:
        name = spec if isinstance(spec, str) else ""
        if name.isidentifier() and name not in zoo.names():
            known = [*zoo.names(), *zoo.block_names()]
            raise unknown("spec or block", name, known) from None
        raise


def _request(
    definition: Definition,
    usual: Iterable[str],
    knobs: Mapping[str, Value],
    places: Mapping[str, Loc],
    symbols: Iterable[str],
) -> Callable[..., Request]:
    """Return a request that lacks only what is counted."""
    values = {name: knob.default for name, knob in definition.knobs.items()}
    for name, value in knobs.items():
        if name not in values:
            hint = nearest(name, definition.knobs, 12)
            raise KnobError(f"{definition.name} has no knob {name!r}", places.get(name), hint)
        values[name] = checked(definition.knobs[name], value, places.get(name))
    fixed = {*knobs, *(SIZES if "res" in knobs else ())}
    asked = dict.fromkeys(symbols)
    wanted = dict.fromkeys(name for name in usual if name not in fixed or name in asked)
    return partial(Request, definition, values, tuple(wanted | asked), asked=frozenset(asked))

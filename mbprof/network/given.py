"""What a function is given: a name, a path, a spec or a network, all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from mbprof.errors import UsageError
from mbprof.language.values import Value
from mbprof.network import conventions
from mbprof.network.load import Network, Spec, load
from mbprof.network.profile import Table
from mbprof.spec.block import lone
from mbprof.spec.knobs import typed
from mbprof.spec.zoo import OpenedBlock
from mbprof.spec.zoo import open as opened

SpecLike: TypeAlias = str | Path | Spec | Network
"""What stands for a network."""


def as_spec(given: object) -> Spec:
    """Return the spec that something stands for; a network's has its knobs as defaults.

    Raises: UsageError: it is none of what is taken, or there is no such spec. MbprofError: the
    text is not a spec.

    >>> as_spec("mobilenet_v1").build(alpha=0.5) == as_network("mobilenet_v1", alpha=0.5)
    True
    """
    if isinstance(given, Spec):
        return given
    if isinstance(given, Network):
        return given.spec.settled(given.knobs)
    return load(as_text(given))


def as_network(given: object, /, **knobs: Value) -> Network:
    """Return the network that something stands for, at some values of its knobs.

    A block's name, file or SPEC:BLOCK stands for the block alone. A network is built already.

    Raises: UsageError: see `as_spec`; or knobs are given for a network. MbprofError: there is no
    network at these values.

    >>> as_network("mobilenet_v1", alpha=0.75)
    <Network mobilenet_v1, alpha 0.75, res 224>
    """
    if isinstance(given, Network):
        if knobs:
            name = given.spec.name
            raise UsageError(
                f"this network of {name} is built already, so that {' and '.join(knobs)} cannot "
                "be turned",
                hint="give the spec instead of the network",
            )
        return given
    if isinstance(given, Spec):
        return given.build(**knobs)
    text = as_text(given)
    found = opened(text)
    if isinstance(found, OpenedBlock):
        return Spec(lone(found, None, typed(knobs)).definition, alone=True).build()
    return Spec(found.definition, text).build(**knobs)


def as_text(given: object) -> str:
    """Return a name or path as text.

    Raises: UsageError: it is neither.

    >>> as_text(42)
    Traceback (most recent call last):
    mbprof.errors.UsageError: error[usage]: expected a name, a path, a Spec or a Network, not int
    """
    if isinstance(given, str | Path):
        return str(given)
    raise UsageError(f"expected a name, a path, a Spec or a Network, not {type(given).__name__}")


def table(
    spec: SpecLike,
    /,
    *,
    by: str = "layer",
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    **knobs: Value,
) -> Table:
    """Return what each layer of a network costs, and the total, as ``mbprof table`` prints it.

    Rows are summed up ``by`` layer, block or op, and sorted by a column from large to small;
    ``top`` keeps the first of them.

    Raises: UsageError: no such spec, column, grouping, scope or convention. MbprofError: the spec
    makes no network at these values.

    >>> found = table("mobilenet_v1", by="op", sort="macs", top=1, alpha=0.75, res=128)
    >>> found.rows
    (<Row conv, 1,766,664 params, cost 101,744,640>,)
    >>> found.total[:2]
    (1800144, 106002432)
    """
    profile = as_network(spec, **knobs).profile(convention, scope)
    return Table(profile, by, sort, top, columns)

"""What stands for a network: a name, a path, a spec or a network, all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from mbprof.errors import UsageError
from mbprof.language.fmt import Shape, Value
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.load import Network, Spec, load
from mbprof.network.profile import Table
from mbprof.spec.knobs import Given, typed
from mbprof.spec.zoo import OpenedBlock, open  # noqa: A004

SpecLike: TypeAlias = str | Path | Spec | Network
"""What stands for a network."""


def as_spec(what: object) -> Spec:
    """Return the spec that something stands for; a network's has its knobs as defaults.

    Raises: UsageError: it is none of what is taken, or there is no such spec. MbprofError: the
    text is not a spec.

    >>> as_spec("mobilenet_v1").build(alpha=0.5) == as_network("mobilenet_v1", alpha=0.5)
    True
    """
    if isinstance(what, Spec):
        return what
    if isinstance(what, Network):
        return what.spec.settled(what.knobs)
    return load(as_text(what))


def as_network(what: object, /, **knobs: Value) -> Network:
    """Return the network that something stands for, see `network_at`.

    >>> as_network("mobilenet_v1", alpha=0.75)
    <Network mobilenet_v1, alpha 0.75, res 224>
    """
    return network_at(what, knobs)


def network_at(what: object, given: Given, image: str | Shape | None = None) -> Network:
    """Return the network that something stands for; ``given`` are values of knobs or arguments.

    A block's name, file or SPEC:BLOCK stands for the block alone, on an input of its own. A
    network is built already.

    Raises: UsageError: see `as_spec`; knobs are given for a network, or an input for a spec.
    MbprofError: there is no network at these values.
    """
    opened = open(str(what)) if isinstance(what, str | Path) else None
    if isinstance(opened, OpenedBlock):
        from mbprof.spec.block import lone  # which no table of a spec needs

        values = {name: at for name, at in given.items() if not isinstance(at, Scalar)}
        said = {name: at for name, at in given.items() if isinstance(at, Scalar)}
        definition = lone(opened, image, said | typed(values)).definition
        return Spec(definition, alone=True).build()
    if image is not None:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    if isinstance(what, Network):
        if given:
            raise UsageError(
                f"this network of {what.spec.name} is built already, so that "
                f"{' and '.join(given)} cannot be turned",
                hint="give the spec instead of the network",
            )
        return what
    spec = as_spec(what) if opened is None else Spec(opened.definition, str(what))
    return spec.build_at(given)


def as_text(what: object) -> str:
    """Return a name or path as text.

    Raises: UsageError: it is neither.

    >>> as_text(42)
    Traceback (most recent call last):
    mbprof.errors.UsageError: error[usage]: expected a name, a path, a Spec or a Network, not int
    """
    if isinstance(what, str | Path):
        return str(what)
    raise UsageError(f"expected a name, a path, a Spec or a Network, not {type(what).__name__}")


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

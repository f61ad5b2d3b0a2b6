"""Rows and totals of a network under a convention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import mbprof
from mbprof.errors import UsageError, nearest
from mbprof.language.values import Shape, Value
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Count
from mbprof.network.folding import fold
from mbprof.network.graph import Graph, Node, layers
from mbprof.ops.facts import STORED, Facts, total

if TYPE_CHECKING:
    import pandas

SCOPES = ("body", "all")


@dataclass(frozen=True, slots=True)
class Row:
    """A layer, or a group of layers: what it is, its shapes (C, H, W) and what it costs.

    ``macs`` is the cost in the convention's unit, 0 if it counts none; ``costs`` has a number for
    each of its measures, and ``folded`` are the stored values with batch norms folded.
    """

    name: str
    block: str
    unit: str
    op: str
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    dilation: tuple[int, int] | None
    groups: int | None
    layers: int
    params: int
    macs: int
    facts: Facts
    costs: tuple[int, ...]
    folded: int


class Total(NamedTuple):
    """The sum of all rows: params and costs of the convention, and all facts by kind.

    ``macs`` is the cost in the convention's unit, 0 if it counts none; ``costs`` has a number for
    each of its measures, and ``folded`` are all stored values with batch norms folded into the
    layers before them.
    """

    params: int
    macs: int
    layers: int
    facts: Facts
    costs: tuple[int, ...]
    folded: int


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of a network, layer by layer; rows add up to the total, in integers.

    ``changed`` names the knobs that do not have their default value, ``totals`` holds the totals
    of every scope, so that a report of one can name the others.
    """

    spec: str
    knobs: Mapping[str, Value]
    scope: str
    convention: Convention
    rows: tuple[Row, ...]
    totals: Mapping[str, Total]
    changed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        graph: Graph,
        spec: str,
        knobs: Mapping[str, Value],
        scope: str,
        convention: str = conventions.DEFAULT,
        changed: tuple[str, ...] = (),
    ) -> Self:
        """Cost a graph under a convention, within a scope.

        Raises: UsageError: no such convention or scope.
        """
        chosen = conventions.load(convention)
        scoped(scope)
        seen, folded = chosen.view(graph), fold(graph)
        groups = zip(*map(layers, (graph.nodes, seen.nodes, folded.nodes)), strict=True)
        grouped = [(own[0].scope, _row(own, view, bare, chosen)) for own, view, bare in groups]
        body = tuple(row for part, row in grouped if part == "body")
        everything = tuple(row for _, row in grouped)
        totals = {"body": _total(body), "all": _total(everything)}
        rows = body if scope == "body" else everything
        return cls(spec, knobs, scope, chosen, rows, totals, changed)

    @property
    def total(self) -> Total:
        """The sum of the rows."""
        return self.totals[self.scope]

    def grouped(self, by: str) -> tuple[Row, ...]:
        """Return the rows summed up by layer, block or op, in order of appearance.

        Raises: UsageError: no such grouping.
        """
        if by not in GROUPINGS:
            raise UsageError(f"cannot group by {by!r}", hint=nearest(by, GROUPINGS))
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(GROUPINGS[by](row), []).append(row)
        return tuple(merged(key, rows, by) for key, rows in groups.items())

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, one column for each field of a row and kind."""
        import pandas

        return pandas.DataFrame.from_records(
            [
                {
                    **{name: getattr(row, name) for name in _FIELDS},
                    **self.convention.named(row.costs),
                    "params_folded": row.folded,
                    **row.facts._asdict(),
                }
                for row in self.rows
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain data, as ``mbprof table --format json`` prints it."""
        return {
            "version": mbprof.__version__,
            "spec": self.spec,
            "knobs": {name: setting(value) for name, value in self.knobs.items()},
            "scope": self.scope,
            "convention": self.convention.name,
            "unit": self.convention.unit or None,
            "layers": [self._plain(row) for row in self.rows],
            "total": {
                "params": self.total.params,
                **self.convention.named(self.total.costs),
                "unit": self.convention.unit or None,
                "layers": self.total.layers,
                **stored(self.total.facts),
                "params_folded": self.total.folded,
            },
        }

    def _plain(self, row: Row) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
        for name, value in values.items():
            if isinstance(value, tuple):
                values[name] = list(value)
        values.update(self.convention.named(row.costs))
        values["params_by_kind"] = {kind: getattr(row.facts, kind) for kind in STORED}
        return values


_NUMBERS = ("facts", "layers", "macs", "costs", "folded")
_FIELDS = tuple(name for name in Row.__dataclass_fields__ if name not in _NUMBERS)


def stored(facts: Facts) -> dict[str, Any]:
    """Return the stored values by kind, with what is trained and what is not."""
    return {
        "params_by_kind": {kind: getattr(facts, kind) for kind in STORED},
        "params_all": facts.params,
        "params_trainable": facts.trainable,
    }


def setting(value: Value) -> Value:
    """Return a knob's value for data; a square size is one number."""
    square = isinstance(value, tuple) and len(set(value)) == 1
    return value[0] if square and isinstance(value, tuple) else value


def _block(row: Row) -> str:
    return row.block


def _op(row: Row) -> str:
    return row.op


def _layer(row: Row) -> str:
    return row.name


GROUPINGS: dict[str, Callable[[Row], str]] = {"layer": _layer, "block": _block, "op": _op}
"""How rows can be summed up, each with the key that rows are put together by."""


def merged(name: str, rows: Sequence[Row], by: str) -> Row:
    """Sum rows up under a name; a block has the shapes of its first input and last output."""
    if len(rows) == 1 and by == "layer":
        return rows[0]
    first, last = rows[0], rows[-1]
    facts = total(row.facts for row in rows)
    return Row(
        name=name,
        block=first.block if by == "block" else "",
        unit=first.unit if by == "block" else "",
        op=first.op if by == "op" else first.unit,
        in_shape=first.in_shape if by == "block" else (),
        out_shape=last.out_shape if by == "block" else (),
        kernel=None,
        stride=None,
        dilation=None,
        groups=None,
        layers=sum(row.layers for row in rows),
        params=sum(row.params for row in rows),
        macs=sum(row.macs for row in rows),
        facts=facts,
        costs=_sums(rows),
        folded=sum(row.folded for row in rows),
    )


def _sums(rows: Sequence[Row]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(row.costs for row in rows), strict=True)))


def totals(graph: Graph, convention: str, scope: str) -> Count:
    """Return params and costs of a graph without its rows.

    Raises: UsageError: no such convention.

    >>> from mbprof.network.load import load
    >>> totals(load("mobilenet_v2@torchvision").build().compiled, "fvcore", "all").cost
    314193216
    """
    chosen = conventions.load(convention)
    return chosen.count(within(chosen.view(graph), scope))


def costed(graph: Graph, convention: str, scope: str) -> dict[str, int]:
    """Return params and costs of a graph by their names: see `totals`."""
    count = totals(graph, convention, scope)
    return {"params": count.params, **conventions.load(convention).named(count.costs)}


def scoped(scope: str) -> str:
    """Return a scope, which has to be one.

    Raises: UsageError: it is none.
    """
    if scope not in SCOPES:
        raise UsageError(f"unknown scope {scope!r}", hint=nearest(scope, SCOPES))
    return scope


def within(graph: Graph, scope: str) -> list[Node]:
    """Return the nodes of a scope."""
    return [node for node in graph.nodes if scope in ("all", node.scope)]


def _total(rows: Iterable[Row]) -> Total:
    listed = list(rows)
    return Total(
        sum(row.params for row in listed),
        sum(row.macs for row in listed),
        len(listed),
        total(row.facts for row in listed),
        _sums(listed),
        sum(row.folded for row in listed),
    )


def _row(
    group: tuple[Node, ...],
    seen: tuple[Node, ...],
    folded: tuple[Node, ...],
    convention: Convention,
) -> Row:
    first, last = group[0], group[-1]
    facts = total(node.facts for node in group) if len(group) > 1 else first.facts
    counted = convention.count(seen, None if convention.folds else facts)
    window = first.op.geometry(first.in_shapes)
    return Row(
        name=first.layer,
        block=first.block,
        unit=first.unit,
        op=first.op.word,
        in_shape=first.in_shapes[0],
        out_shape=last.out_shapes[0],
        kernel=window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        groups=window.groups,
        layers=1,
        params=counted.params,
        macs=counted.cost,
        facts=facts,
        costs=counted.costs,
        folded=sum(node.facts.params for node in folded),
    )

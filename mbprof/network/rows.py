"""Rows and totals of a network under a convention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from mbprof.language.fmt import Shape, several, show
from mbprof.language.record import NamedTuple, record
from mbprof.network import conventions
from mbprof.network.conventions import Convention, Count
from mbprof.network.graph import Graph, Node, fold, layers
from mbprof.ops.base import STORED, Facts, Geometry, total
from mbprof.output.model import Brief


@record
class Row(Brief):
    """A layer, or a group of layers: what it is, its shapes (C, H, W) and what it costs.

    ``costs`` has a number for each measure of the convention, and ``folded`` are the stored values
    with batch norms folded; ``activations`` are outputs of convolutions, linear layers and matrix
    products.
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
    facts: Facts
    costs: tuple[int, ...]
    folded: int
    activations: int

    @property
    def cost(self) -> int:
        """The cost in the convention's unit, 0 if it counts none."""
        return self.costs[0] if self.costs else 0

    @property
    def brief(self) -> str:
        """The name, the op, the output and what it costs."""
        words = dict.fromkeys((self.name, self.op, show(self.out_shape)))
        return f"{' '.join(filter(None, words))}, {self.params:,} params, cost {self.cost:,}"

    def fields(self, *names: str) -> dict[str, Any]:
        """Return fields by their names; the cost has the key ``macs``, whatever its unit."""
        return {"macs" if name == "cost" else name: getattr(self, name) for name in names}

    def plain(self, *names: str) -> dict[str, Any]:
        """Return `fields` as plain data."""
        fields = self.fields(*names)
        return {key: list(it) if isinstance(it, tuple) else it for key, it in fields.items()}


class Total(NamedTuple):
    """The sum of all rows: params and costs of the convention, and all facts by kind.

    ``cost`` is in the convention's unit, 0 if it counts none; ``costs`` has a number for each of
    its measures, and ``folded`` are all stored values with batch norms folded into the layers
    before them.
    """

    params: int
    cost: int
    layers: int
    facts: Facts
    costs: tuple[int, ...]
    folded: int
    activations: int

    def __repr__(self) -> str:
        layers = several(self.layers, "layer")
        return f"<Total {self.params:,} params, cost {self.cost:,}, {layers}>"


_NUMBERS = ("facts", "costs", "folded", "activations")
FIELDS = tuple(name for name in Row.__dataclass_fields__ if name not in _NUMBERS)
"""What a row says of itself, besides numbers that a convention names."""


def stored(facts: Facts) -> dict[str, Any]:
    """Return the stored values by kind, with what is trained and what is not."""
    return {
        "params_by_kind": {kind: getattr(facts, kind) for kind in STORED},
        "params_all": facts.params,
        "params_trainable": facts.trainable,
    }


_KEYS = {"layer": "name", "block": "block", "op": "op"}
GROUPINGS: dict[str, Callable[[Row], str]] = {by: attrgetter(key) for by, key in _KEYS.items()}
"""How rows can be summed up, each with the key that rows are put together by."""


def merged(name: str, rows: Sequence[Row], by: str) -> Row:
    """Sum rows up under a name; a block has the shapes of its first input and last output."""
    if len(rows) == 1 and by == "layer":
        return rows[0]
    first, whole, block = rows[0], summed(rows), by == "block"
    return Row(
        name=name,
        block=first.block if block else "",
        unit=first.unit if block else "",
        op=first.op if by == "op" else first.unit,
        in_shape=first.in_shape if block else (),
        out_shape=rows[-1].out_shape if block else (),
        **Geometry()._asdict(),
        layers=whole.layers,
        params=whole.params,
        facts=whole.facts,
        costs=whole.costs,
        folded=whole.folded,
        activations=whole.activations,
    )


def totals(graph: Graph, convention: str, scope: str) -> Count:
    """Return params and costs of a graph without its rows.

    Raises: UsageError: no such convention.

    >>> from mbprof.network.load import load
    >>> totals(load("mobilenet_v2@torchvision").build().compiled, "fvcore", "all").cost
    314193216
    """
    chosen = conventions.load(convention)
    return chosen.count(within(chosen.view(graph), scope))


def within(graph: Graph, scope: str) -> list[Node]:
    """Return the nodes of a scope."""
    return [node for node in graph.nodes if scope in ("all", node.scope)]


def summed(rows: Sequence[Row]) -> Total:
    """Return the sum of rows."""
    return Total(
        sum(row.params for row in rows),
        sum(row.cost for row in rows),
        sum(row.layers for row in rows),
        total(row.facts for row in rows),
        tuple(map(sum, zip(*(row.costs for row in rows), strict=True))),
        sum(row.folded for row in rows),
        sum(row.activations for row in rows),
    )


def costed(graph: Graph, convention: Convention) -> Iterator[tuple[str, Row]]:
    """Yield the layers of a graph as rows, each with its scope."""
    views = graph, convention.view(graph), fold(graph)
    for group, seen, folded in zip(*(layers(view.nodes) for view in views), strict=True):
        first = group[0]
        facts = total(node.facts for node in group) if len(group) > 1 else first.facts
        count = convention.count(seen, None if convention.folds else facts)
        row = Row(
            name=first.layer,
            block=first.block,
            unit=first.unit,
            op=first.op.word,
            in_shape=first.in_shapes[0] if first.in_shapes else (),
            out_shape=group[-1].out_shapes[0],
            **first.op.geometry(first.in_shapes)._asdict(),
            layers=1,
            params=count.params,
            facts=facts,
            costs=count.costs,
            folded=sum(node.facts.params for node in folded),
            activations=sum(n.op.activations(n.in_shapes, n.out_shapes) for n in group),
        )
        yield first.scope, row

"""What a layer moves and sees: activations, traffic at a type of numbers, receptive field."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mbprof.language import dtypes, fmt
from mbprof.language.dtypes import Dtype
from mbprof.language.record import NamedTuple, record
from mbprof.network.graph import IMAGE, Edge, Graph, Node, fold, layers
from mbprof.ops.base import Free, Op
from mbprof.output.model import Column
from mbprof.symbolic.arithmetic import added, product

if TYPE_CHECKING:
    from mbprof.network.reach import Field, Number, Reached

_MAC, _BYTE = {"float32": 460, "float16": 150, "int8": 23}, 125
"""Hundredths of a picojoule: a product with its addition, by type, and a byte of 32 KB of SRAM."""


class Traffic(NamedTuple):
    """What one pass over a layer moves, in elements; its ops are fused and batch norms folded.

    ``taken`` are inputs and ``given`` outputs, each tensor once; ``weights`` and ``biases`` are
    stored values, and ``activations`` outputs of convolutions, linear layers and matrix products.
    ``mac`` are products with weights, ``mixed`` those of activations with each other.
    """

    activations: int = 0
    taken: int = 0
    given: int = 0
    weights: int = 0
    biases: int = 0
    mac: int = 0
    mixed: int = 0

    def __add__(self, more: object) -> Traffic:
        """Return the sum, kind by kind."""
        if not isinstance(more, Traffic):
            return NotImplemented
        return Traffic(*map(sum, zip(self, more, strict=True)))

    def read(self, dtype: Dtype | None = None) -> int:
        """Return the bytes read, or the elements without a type."""
        if dtype is None:
            return self.taken + self.weights + self.biases
        return dtype.size(self.taken) + self.stored(dtype)

    def stored(self, dtype: Dtype) -> int:
        """Return the bytes of the stored values."""
        return dtypes.stored(self.weights, dtype.weight_bits) + dtypes.stored(
            self.biases, dtype.bias_bits
        )

    def written(self, dtype: Dtype | None = None) -> int:
        """Return the bytes written, or the elements without a type."""
        return self.given if dtype is None else dtype.size(self.given)

    def moved(self, dtype: Dtype) -> int:
        """Return the bytes read and written."""
        return self.read(dtype) + self.written(dtype)

    def energy(self, dtype: Dtype) -> int | None:
        """Return MACs and bytes weighed by their energy at 45 nm; None at a type not known there.

        MACs · e_mac + bytes · e_sram / 4, in hundredths of a picojoule, each byte moved once from
        a memory of 32 KB. Relative only: no device takes so little.
        Source: stillwater-sc/esim `energysim/database/energy.py`, for the weights.
        """
        mac = _MAC.get(dtype.activation) if dtype.activation == dtype.weight else None
        if mac is None:
            return None
        return (self.mac + self.mixed) * mac + self.moved(dtype) * _BYTE

    def bitops(self, dtype: Dtype) -> int:
        """Return the products of single bits: MACs · bits of one factor · bits of the other."""
        return self.mac * dtype.bits * dtype.weight_bits + self.mixed * dtype.bits * dtype.bits


@record
class Measures:
    """The traffic and the receptive field of every layer by its name, in execution order."""

    traffic: dict[str, Traffic]
    fields: dict[str, Field | None]
    reach: Reached


def measured(graph: Graph) -> Measures:
    """Return what the layers of a graph move and see.

    Source: arXiv:1807.11164, section 2, for the traffic of a layer that is read and written once.

    >>> from mbprof.network.load import load
    >>> graph = load("mobilenet_v1").build().compiled
    >>> sum(layer.activations for layer in measured(graph).traffic.values())
    5043688
    """
    # Most tables show no receptive field, and its fractions take long to import.
    from mbprof.network.reach import reached

    reach = reached(graph)
    fields = {node.layer: field for node, field in zip(graph.nodes, reach.fields, strict=True)}
    return Measures(traffics(graph), fields, reach)


def traffics(graph: Graph) -> dict[str, Traffic]:
    """Return the traffic of every layer by its name."""
    folded, made, number = fold(graph), {}, 0
    takers: dict[Edge, int] = {edge: len(graph.nodes) for edge in graph.outputs}
    for taker, node in enumerate(graph.nodes):
        for edge in node.inputs:
            takers[edge] = max(takers.get(edge, 0), taker)
    for group in layers(folded.nodes):
        own = range(number, number + len(group))
        number += len(group)
        edges = dict.fromkeys(e for node in group for e in node.inputs if e.node not in own)
        views = all(hands_on(node.op) for node in group)
        kept = [
            Edge(at, port)
            for at, node in zip(own, group, strict=True)
            for port in range(len(node.out_shapes))
            if takers.get(Edge(at, port), -1) >= own.stop or at == own.stop - 1
        ]
        params = [edge for edge in edges if _is_param(graph, edge)]
        work = _work(group)
        made[group[0].layer] = work._replace(
            taken=0 if views else _elements(graph, edges.keys() - params),
            given=0 if views or not edges else _elements(graph, kept),
            weights=work.weights + (0 if views else _elements(graph, params)),
        )
    return made


def _work(group: Sequence[Node]) -> Traffic:
    """Return what nodes compute and store; a layer that shares weights reads them again."""
    nodes = [node.by_itself for node in group]
    facts = [node.facts if node.inputs else node.facts.again() for node in nodes]
    return Traffic(
        added(node.op.activations(node.in_shapes, node.out_shapes) for node in nodes),
        weights=added(fact.params - fact.biases for fact in facts),
        biases=added(fact.biases for fact in facts),
        mac=added(fact.mac for node, fact in zip(nodes, facts, strict=True) if node.op.multiplies),
        mixed=added(f.mac for node, f in zip(nodes, facts, strict=True) if not node.op.multiplies),
    )


def hands_on(op: Op) -> bool:
    """Whether an op moves nothing: it hands its input on, or names it or a part of it otherwise."""
    return isinstance(op, Free) or op.passes or op.function == "none"


def _is_param(graph: Graph, edge: Edge) -> bool:
    """Whether an edge carries stored values."""
    return edge.node != IMAGE and not graph.nodes[edge.node].inputs


def _elements(graph: Graph, edges: Iterable[Edge]) -> int:
    return added(product(graph.shape(edge)) for edge in edges)


def spelled(value: object) -> str:
    """Write a receptive field: one number, or two for height and width; what is unknown as –."""
    if isinstance(value, tuple | list):
        return "×".join(map(str, value))
    return "–" if value is None else str(value)


def _intensity(value: float) -> str:
    return f"{value:.2f}"


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column(
            "activations",
            "activations",
            "outputs of convolutions, linear layers and matrix products, as fvcore counts",
            fmt.integer,
            True,
            yields=1,
        ),
        Column(
            "read",
            "read",
            "elements that a layer reads, with --dtype bytes: inputs and stored values, its ops "
            "fused and norms folded",
            fmt.integer,
            True,
            yields=1,
        ),
        Column(
            "written",
            "written",
            "elements that a layer writes, with --dtype bytes",
            fmt.integer,
            True,
            yields=1,
        ),
        Column(
            "intensity",
            "FLOPs/B",
            "2·MACs for each byte read or written, float32 unless --dtype says otherwise",
            _intensity,
            True,
            yields=1,
            absent="–",
        ),
        Column(
            "bitops",
            "bit ops",
            "MACs times the bits of both factors, float32 unless --dtype says otherwise",
            fmt.integer,
            True,
            yields=1,
        ),
        Column(
            "energy",
            "energy, relative",
            "MACs and bytes read and written, weighed as at 45 nm, float32 unless --dtype says "
            "otherwise; for comparing layers and networks, no joules",
            fmt.integer,
            True,
            yields=1,
            absent="–",
        ),
        Column(
            "rf",
            "rf",
            "receptive field in pixels, height and width where they differ; – where paths do not "
            "align or all places are seen",
            spelled,
            True,
            yields=1,
            absent="–",
        ),
        Column("jump", "jump", "pixels from one output to the next", spelled, True, 1, absent="–"),
        Column(
            "rf_padding",
            "rf padding",
            "pixels that the first output sees before the image",
            spelled,
            True,
            yields=1,
            absent="–",
        ),
    )
}
"""The columns of what is measured on the graph."""


def values(traffic: Traffic, field: Field | None, dtype: Dtype | None) -> dict[str, Any]:
    """Return the columns of a layer, or of several whose traffic was added up."""
    chosen = dtype or dtypes.dtype(dtypes.DEFAULT)
    moved = traffic.moved(chosen)
    flops = 2 * (traffic.mac + traffic.mixed)
    return {
        "activations": traffic.activations,
        "read": traffic.read(dtype),
        "written": traffic.written(dtype),
        "intensity": round(flops / moved, 6) if moved else None,
        "bitops": traffic.bitops(chosen),
        "energy": traffic.energy(chosen),
        **dict(zip(("rf", "jump", "rf_padding"), _seen(field), strict=True)),
    }


def _seen(field: Field | None) -> tuple[Any, ...]:
    if field is None:
        return None, None, None
    return tuple(_pair(high, wide) for high, wide in zip(*field, strict=True))


def _pair(high: Number | None, wide: Number | None) -> Any:
    """Return one number where both are equal, else both; fractions as numbers with a point."""
    if high is None or wide is None:
        return None
    plain = [n if isinstance(n, int) else n.numerator / n.denominator for n in (high, wide)]
    plain = [int(n) if n == int(n) else n for n in plain]
    return plain[0] if high == wide else tuple(plain)


def said_of(found: Measures, shown: Container[str], dtype: str | None) -> Iterator[str]:
    """Say what some columns hold, and which paths a receptive field is not known behind."""
    if any(name in shown for name in ("read", "written", "intensity", "bitops")):
        what = f"bytes at {dtype}" if dtype else "elements; intensity and bit operations at float32"
        yield f"Traffic: {what}; each layer is one pass, its ops fused, norms folded."
    if "energy" in shown:
        yield (
            f"Energy: relative, at {dtype or dtypes.DEFAULT}: MACs and bytes weighed as at 45 nm. "
            "Microcontrollers take about a thousand times as much for a MAC; compare, no joules."
        )
    if "rf" not in shown and "rf_padding" not in shown and "jump" not in shown:
        return
    reach = found.reach
    for names, what in (
        (reach.unaligned, "joins paths that do not align; no receptive field is told behind it"),
        (reach.whole, "sees all places; no receptive field is told behind it"),
        (reach.gates, "takes a gate that sees the whole image, which is left out of rf"),
    ):
        if names:
            others = f" and {fmt.several(len(names) - 1, 'other')}" if len(names) > 1 else ""
            yield f"{names[0]}{others}: {what}."

"""Dense connectivity: rounds of the same rows, each on everything that came before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mbprof.exchange.convert.rows import Row, uses_of
from mbprof.language.record import NamedTuple
from mbprof.network.graph import Edge, Graph

_LEAST = 3
"""Rounds that are worth a line of their own."""


class Dense(NamedTuple):
    """Rows from ``start`` to ``end`` that are ``rounds`` times the first ``size`` of them."""

    start: int
    end: int
    size: int
    rounds: int
    taken: Edge
    made: Edge


def growing(graph: Graph) -> list[list[int]]:
    """Return the nodes that concatenate what the one before does with one tensor more."""
    concats = {
        node.inputs: number
        for number, node in enumerate(graph.nodes)
        if node.op.word == "concat" and getattr(node.op, "axis", None) == 0
    }
    chains = []
    for inputs, number in concats.items():
        if len(inputs) != 2:
            continue
        chain, longer = [number], True
        while longer:
            last = graph.nodes[chain[-1]].inputs
            further = [n for taken, n in concats.items() if taken[:-1] == last]
            longer = len(further) == 1
            chain += further[:1] if longer else []
        if len(chain) >= _LEAST:
            chains.append(chain)
    return chains


def dense_rows(rows: Sequence[Row], graph: Graph) -> Iterator[Dense]:
    """Yield where the rows of a graph are dense; growing concatenations are rows of their own."""
    uses = uses_of(graph)
    made_by = {edge: number for number, row in enumerate(rows) for edge in row.outputs}
    for chain in growing(graph):
        places = [made_by[Edge(number)] for number in chain]
        size = places[1] - places[0] - 1
        start = places[0] - size
        found = Dense(
            start,
            places[-1] + 1,
            size,
            len(chain),
            graph.nodes[chain[0]].inputs[0],
            Edge(chain[-1]),
        )
        if size > 0 and start >= 0 and _rounds(rows, found, places, uses):
            yield found


def _rounds(rows: Sequence[Row], dense: Dense, places: Sequence[int], uses: Counter[Edge]) -> bool:
    """Whether the rows before each concatenation are those of the first round, in a single line."""
    own = rows[dense.start : dense.start + dense.size]
    before = dense.taken
    for turn, place in enumerate(places):
        part = rows[place - dense.size : place]
        if place != dense.start + (turn + 1) * (dense.size + 1) - 1:
            return False
        if any((a.form, a.values) != (b.form, b.values) for a, b in zip(own, part, strict=True)):
            return False
        for row in part:
            if row.shared or row.inputs != (before,) or len(row.outputs) != 1:
                return False
            (before,) = row.outputs
        # What a round makes is taken by the concatenations behind it, and by nothing else.
        if rows[place].inputs[-1] != before or uses[before] != len(places) - turn:
            return False
        (before,) = rows[place].outputs
        if turn + 1 < len(places) and uses[before] != 1:
            return False
    return True

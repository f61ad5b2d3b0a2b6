"""Systolic arrays: the cycles of a matrix product on R x C multipliers."""

from __future__ import annotations

from collections.abc import Callable

from mbprof.language.record import NamedTuple
from mbprof.network.graph import Node
from mbprof.symbolic.arithmetic import ceil_div, product


class Gemm(NamedTuple):
    """``times`` products of M x K by K x N matrices."""

    m: int
    k: int
    n: int
    times: int = 1

    @property
    def macs(self) -> int:
        """M·K·N of all of them."""
        return self.m * self.k * self.n * self.times


class Dataflow(NamedTuple):
    """What stays in the array: which sizes lie along rows and columns, and the rest flows by."""

    doc: str
    sizes: Callable[[Gemm], tuple[int, int, int]]
    fills: int


DATAFLOWS = {
    "ws": Dataflow("weights stay", lambda g: (g.k, g.n, g.m), 2),
    "is": Dataflow("inputs stay", lambda g: (g.k, g.m, g.n), 2),
    "os": Dataflow("outputs stay", lambda g: (g.m, g.n, g.k), 1),
}
"""The ways through an array; ``fills`` is how often the rows are filled for each of its parts."""


class Array(NamedTuple):
    """An array of rows x columns multipliers, its dataflow and its clock in hertz."""

    rows: int
    columns: int
    dataflow: str = "ws"
    clock: float = 1.0

    def folds(self, gemm: Gemm) -> int:
        """Return in how many parts a product's two sizes that stay are worked on."""
        down, across, _ = DATAFLOWS[self.dataflow].sizes(gemm)
        return ceil_div(down, self.rows) * ceil_div(across, self.columns)

    def cycles(self, gemm: Gemm) -> int:
        """Return the number of the last cycle, without stalls.

        With S the size that flows: parts · (S + fills·R + C - 2), less one as cycles count from 0.
        Source: scalesim-project/SCALE-Sim `scalesim/compute/systolic_compute_*.py`.

        >>> Array(32, 32).cycles(Gemm(3025, 363, 96))
        112283
        """
        flow = DATAFLOWS[self.dataflow]
        through = flow.sizes(gemm)[2] + flow.fills * self.rows + self.columns - 2
        return gemm.times * self.folds(gemm) * through - 1

    def mapping(self, gemm: Gemm) -> float:
        """Return the share of multipliers that hold something, on average over the parts."""
        down, across, _ = DATAFLOWS[self.dataflow].sizes(gemm)
        return down * across / (self.folds(gemm) * self.rows * self.columns)

    def utilisation(self, gemm: Gemm) -> float:
        """Return the share of multipliers and cycles that multiply."""
        return gemm.macs / (self.cycles(gemm) * self.rows * self.columns)

    def reads(self, gemm: Gemm) -> tuple[int, int]:
        """Return how many inputs and weights are read from the memory beside the array.

        What stays is read once, what flows once for each part of the others' sizes.
        """
        m, k, n = gemm.m, gemm.k, gemm.n
        again = {
            "ws": (ceil_div(n, self.columns), 1),
            "is": (1, ceil_div(m, self.columns)),
            "os": (ceil_div(n, self.columns), ceil_div(m, self.rows)),
        }[self.dataflow]
        return gemm.times * m * k * again[0], gemm.times * k * n * again[1]


def gemms(node: Node) -> list[Gemm]:
    """Return a node as matrix products: of a convolution one for each group.

    M = H_out·W_out, K = k_h·k_w·C_in/g, N = C_out/g; a depthwise one has as many as maps come in.
    """
    facts = node.by_itself.facts
    if not facts.mac:
        return []
    size = node.out_shapes[0]
    if node.op.multiplies and len(size) == 3 and node.op.geometry(node.in_shapes).kernel:
        groups = node.op.geometry(node.in_shapes).groups or 1
        places, n = product(size[1:]), size[0] // groups
        if facts.mac % (places * n * groups):  # a transposed convolution spreads its inputs
            places = product(node.in_shapes[0][1:])
        return [Gemm(places, facts.mac // (places * n * groups), n, groups)]
    if node.op.multiplies:
        n = size[-1] if len(size) != 3 else size[0]
        m = product(size) // n
        return [Gemm(m, facts.mac // (m * n), n)]
    return _mixed(node)


def _mixed(node: Node) -> list[Gemm]:
    """Return products of activations: of attention scores and their sums, head by head."""
    mac, size = node.facts.mac, node.out_shapes[0]
    if len(node.in_shapes) == 2:
        *stack, m, n = size
        count = product(stack)
        return [Gemm(m, mac // (m * n * count), n, count)]
    (tokens, c), heads = node.in_shapes[0], getattr(node.op, "heads", 1)
    windows, of = getattr(node.op, "windows", 1), node.in_shapes[1][0]
    m, n, d = tokens // windows, of // windows, c // heads
    return [Gemm(m, d, n, heads * windows), Gemm(m, n, size[1] // heads, heads * windows)]

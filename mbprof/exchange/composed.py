"""Layers of other formats that are several ops of the spec language, written once for all formats.

Each adds its ops by an `Emit` and returns the tensor that it makes. What they cost is what the
layer costs by its definition; that a step of a recurrent layer waits for the one before costs
nothing, and is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mbprof.exchange.rules import new
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple
from mbprof.ops import Op
from mbprof.symbolic.arithmetic import product


class Emit(Protocol):
    """Adds an op to a draft, which is a ``part`` of the layer; returns its output."""

    def __call__(self, op: Op, /, *taken: str, part: str, share: str = "") -> str: ...


def _act(emit: Emit, function: str, x: str, part: str) -> str:
    return emit(new("act", function=function), x, part=part)


class Cell(NamedTuple):
    """A recurrent cell: its gates in the order of their weights, and what it does with them.

    ``step`` takes what the input and the state give the gates, both (T, gates·H), the layer, and
    what it keeps from the step before; it returns the new state and what is kept, both (T, H).
    """

    gates: str
    step: Callable[[Emit, str, str, Recurrent, str], tuple[str, str]]


class Recurrent(NamedTuple):
    """A recurrent layer in one direction: T tokens of C channels -> T states.

    Params: W (gates·H, C), U (gates·H, S) with S = ``projected`` or H, a bias of either if
    ``biased`` says so, 3 vectors of H if it has ``peepholes``, and S·H of the projection.
    MACs: T·gates·H·(C + S), and T·H·S of the projection.
    Source: torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN; arXiv:1402.1128, for both of the last.
    """

    cell: str
    hidden: int
    biased: tuple[bool, bool] = (True, True)
    projected: int | None = None
    peepholes: bool = False
    function: str = "tanh"
    shares: tuple[str, str, str] = ("", "", "")
    """Names under which input weights, recurrent weights and projection share what they hold."""


def recurrent(
    emit: Emit, x: str, layer: Recurrent, state: str = "", cells: str = ""
) -> tuple[str, str]:
    """Add a recurrent layer; return the states, and of an LSTM its cells, of all steps.

    Where ``state`` and ``cells`` before each of them are tensors of their own, they are taken.
    """
    cell, size = CELLS[layer.cell], layer.projected or layer.hidden
    channels = len(cell.gates) * layer.hidden
    gates = new("linear", channels=channels, bias=layer.biased[0])
    given = emit(gates, x, part="input", share=layer.shares[0])
    if not state:  # the states of the steps before are as many tokens, of this size
        part = new("slice", axis=1, stop=size)
        state = given if channels == size else emit(part, given, part="state")
    gates = new("linear", channels=channels, bias=layer.biased[1])
    again = emit(gates, state, part="recurrent", share=layer.shares[1])
    made, kept = cell.step(emit, given, again, layer, cells or state)
    if layer.projected:
        op = new("linear", channels=size, bias=False)
        made = emit(op, made, part="projection", share=layer.shares[2])
    return made, kept


def _gate(emit: Emit, gates: str, x: str, which: str, part: str = "") -> str:
    op = new("split", parts=len(gates), keep=gates.index(which), axis=1)
    return emit(op, x, part=f"{part}{which}")


def _lstm(emit: Emit, given: str, again: str, layer: Recurrent, before: str) -> tuple[str, str]:
    """Take c = f·c + i·g and h = o·tanh(c); with peepholes the gates see c, too."""
    both = emit(new("add"), given, again, part="sum")
    i, f, g, o = (_gate(emit, "ifgo", both, which) for which in "ifgo")
    g = _act(emit, layer.function, g, "cell")

    def opened(gate: str, cells: str, which: str) -> str:
        if layer.peepholes:
            weights = emit(new("param", shape=(1, layer.hidden)), part=f"peephole_{which}")
            seen = emit(new("mul"), cells, weights, part=f"seen_{which}")
            gate = emit(new("add"), gate, seen, part=f"more_{which}")
        return _act(emit, "sigmoid", gate, f"open_{which}")

    before = g if layer.projected else before
    kept = emit(new("mul"), opened(f, before, "f"), before, part="keep")
    added = emit(new("mul"), opened(i, before, "i"), g, part="new")
    cells = emit(new("add"), kept, added, part="cells")
    shown = _act(emit, layer.function, cells, "show")
    return emit(new("mul"), opened(o, cells, "o"), shown, part="output"), cells


def _gru(emit: Emit, given: str, again: str, layer: Recurrent, before: str) -> tuple[str, str]:
    """Take n = tanh(Wx + r·Uh) and h = (1 - z)·n + z·h; costs are the same for U(r·h)."""
    sides = []
    for side, part in ((given, "w_"), (again, "u_")):
        sides.append([_gate(emit, "rzn", side, which, part) for which in "rzn"])
    (r, z, n), (r_u, z_u, n_u) = sides
    r = _act(emit, "sigmoid", emit(new("add"), r, r_u, part="sum_r"), "reset")
    z = _act(emit, "sigmoid", emit(new("add"), z, z_u, part="sum_z"), "update")
    left = emit(new("mul"), r, n_u, part="left")
    n = _act(emit, layer.function, emit(new("add"), n, left, part="sum_n"), "new")
    rest = emit(new("mul"), _act(emit, "neg", z, "rest"), n, part="rested")
    kept = emit(new("mul"), z, before, part="keep")
    made = emit(new("add"), rest, kept, part="output")
    return made, made


def _rnn(emit: Emit, given: str, again: str, layer: Recurrent, before: str) -> tuple[str, str]:
    """Take h = tanh(Wx + Uh)."""
    both = emit(new("add"), given, again, part="sum")
    made = _act(emit, layer.function, both, "output")
    return made, made


CELLS = {"lstm": Cell("ifgo", _lstm), "gru": Cell("rzn", _gru), "rnn": Cell("n", _rnn)}


def stacked(
    emit: Emit, x: str, layers: Sequence[Sequence[Recurrent]]
) -> list[tuple[tuple[str, str], ...]]:
    """Add layers above each other, each in one direction or two; return what each of them makes."""
    made = []
    for number, directions in enumerate(layers):
        ends = []
        for layer, suffix in zip(directions, ("", "_reverse"), strict=False):
            said = f"l{number}{suffix}"

            def part_of(op: Op, *taken: str, part: str, share: str = "", said: str = said) -> str:
                return emit(op, *taken, part=f"{said}.{part}", share=share)

            ends.append(recurrent(part_of, x, layer))
        made.append(tuple(ends))
        states = [state for state, _ in ends]
        x = states[0]
        if len(states) > 1:
            x = emit(new("concat", axis=1), *states, part=f"l{number}.both")
    return made


def interpolated(emit: Emit, x: str, size: tuple[int, int], taps: int) -> str:
    """Add what takes each value of (C, H, W) from ``taps`` values that it weighs.

    Cost: ``taps`` multiplications and taps - 1 additions for each output: 4 of ``bilinear``, of
    which 8 of a volume are two and 16 of ``bicubic`` four.
    Source: torch.nn.functional.interpolate.
    """
    if taps == 1:
        return emit(new("resize", size=size), x, part="near")
    if taps < 4:
        near = [emit(new("resize", size=size), x, part=f"near{n}") for n in range(taps)]
        parts = [emit(new("times", by=0.5), one, part=f"weighed{n}") for n, one in enumerate(near)]
    else:
        bilinear = new("resize", size=size, mode="bilinear")
        parts = [emit(bilinear, x, part=f"part{n}") for n in range(taps // 4)]
    return parts[0] if len(parts) == 1 else emit(new("add"), *parts, part="all")


class Depth(NamedTuple):
    """The window of a 3D layer along the depth: kernel, stride, dilation and padding."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    def stops(self, n: int, ceil: bool = False) -> int:
        """Return how often the window stops on n maps."""
        room = n + self.before + self.after - (self.kernel - 1) * self.dilation - 1
        return -(-room // self.stride) + 1 if ceil else room // self.stride + 1


def over_depth(
    emit: Emit,
    x: str,
    shape: Shape,
    depth: Depth,
    stops: int,
    layer: Callable[[str, str], str],
    sizes: Callable[[str], Shape],
) -> tuple[str, Shape]:
    """Apply a layer of maps to what the window along the depth of (C, D, H, W) holds at each stop.

    Of ``kernel`` maps of C channels a 3D convolution is a convolution of kernel·C channels, whose
    weights all stops share. Returned is the result and its shape.
    """
    c, n, high, wide = shape
    n += depth.before + depth.after
    missing = max((stops - 1) * depth.stride + (depth.kernel - 1) * depth.dilation + 1 - n, 0)
    before, after = depth.before, depth.after + missing
    if before or after:
        flat = emit(new("reshape", to=(c, shape[1], high * wide)), x, part="flat")
        op = new("pad", padding=(before, after, 0, 0))
        x, n = emit(op, flat, part="padded"), n + missing
        x = emit(new("reshape", to=(c, n, high, wide)), x, part="volume")
    made = []
    for stop in range(stops):
        start = stop * depth.stride
        end = start + (depth.kernel - 1) * depth.dilation + 1
        part, taken = f"at{stop}", x
        if (start, end) != (0, n) or depth.dilation > 1:
            op = new("slice", axis=1, start=start, stop=end, step=depth.dilation)
            taken = emit(op, x, part=f"{part}.window")
        op = new("reshape", to=(c * depth.kernel, high, wide))
        made.append(layer(emit(op, taken, part=f"{part}.maps"), part))
    c_out, high, wide = sizes(made[0])
    tensor = made[0]
    if stops > 1:
        tensor = emit(new("concat", axis=1), *made, part="depth")
    whole = (c_out, stops, high, wide)
    return emit(new("reshape", to=whole), tensor, part="volumes"), whole


def led(emit: Emit, x: str, shape: Shape, by: str, size: int) -> str:
    """Say that where values of x come from is in ``by``, of ``size`` elements; this costs nothing.

    Without it what computes the positions would lead to nothing.
    """
    flat = emit(new("reshape", to=(product(shape), 1, 1)), x, part="values")
    where = emit(new("reshape", to=(size, 1, 1)), by, part="where")
    found = emit(new("crop"), flat, where, part="found")
    return emit(new("reshape", to=shape), found, part="placed")

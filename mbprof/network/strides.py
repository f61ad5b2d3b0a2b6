"""How far a tensor is from the image: its stride, and the dilation that takes a stride's place."""

from __future__ import annotations

from typing import Any

from mbprof.errors import KnobError
from mbprof.language.fmt import Shape
from mbprof.ops import Op


def reached(op: Op, stride: int, rate: int, shape: Shape, wanted: Any) -> tuple[Op, int, int]:
    """Return an op that takes a tensor of some stride and rate, and those of its output.

    Once the stride ``wanted`` is reached, strides turn into dilation: the op that would have
    strided keeps the rate so far, those behind it multiply it; with None no stride does.
    Source: TF-slim research/slim/nets/mobilenet_v1.py, output_stride.
    Raises: KnobError: an op strides beyond it.
    """
    own = op.geometry((shape,)).stride or (1, 1)
    factor = max(own)
    if wanted is None:
        return op, stride * factor, rate
    if factor > 1 and stride >= wanted:
        return op.at_rate((1, 1), rate), stride, rate * factor
    if factor > 1 and stride * factor > wanted:
        message = f"output_stride {wanted} cannot be reached: the strides go from {stride} to"
        raise KnobError(f"{message} {stride * factor}")
    return (op.at_rate(own, rate) if rate > 1 else op), stride * factor, rate

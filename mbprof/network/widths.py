"""How a width rule scales the channels of a row, and what a row states of those that come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mbprof.errors import ShapeError
from mbprof.language.expr import Expr
from mbprof.network.frame import Frame, Tensors
from mbprof.network.graph import IMAGE
from mbprof.ops.base import channel_axis
from mbprof.ops.fields import Bound, whole
from mbprof.spec.model import Wiring


def scaling(
    width: Mapping[str, Expr], wiring: Wiring, frame: Frame
) -> dict[str, Callable[[Any], int]]:
    """Return what scales a row's widths, by letter; what blocks hand on is scaled already."""
    rules = wiring.width or ({} if frame.inside else width)

    def scaled(letter: str, value: Any) -> int:
        rule = rules[letter]
        return whole(rule({**frame.env, letter: value}), 1, rule.scalar.loc)

    return {letter: partial(scaled, letter) for letter in rules}


def compare(width: Mapping[str, Expr], stated: Bound, inputs: Tensors, frame: Frame) -> None:
    """Refuse a first input of other channels than the row states, scaled as c is, or as they are.

    Raises: ShapeError: they are others, or nothing comes in.
    """
    if not inputs:
        message = "the row states input channels, and nothing comes in"
        raise ShapeError(message, stated.loc, "leave c_in out")
    taken = inputs[0]
    rules = {} if frame.inside or taken.edge.node == IMAGE else width
    rule = rules.get("c_in", rules.get("c"))
    channels: int = stated.evaluate(frame.env)
    scaled = channels
    if rule is not None:
        scaled = whole(rule({**frame.env, "c": channels, "c_in": channels}), 1, stated.loc)
    have = taken.shape[channel_axis(taken.shape)]
    if scaled == have or channels == have:
        return
    there = f" ({scaled} at this width)" if scaled != channels else ""
    message = f"the row states {channels} input channels{there}, and {have} come in"
    raise ShapeError(message, stated.loc, f"c_in: {have}, or take another input with in:")

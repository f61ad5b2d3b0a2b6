"""What may be there or not: one build for many structures, where shapes allow it.

A row that a condition of symbols leaves out, or repeats, is built as if it were there. What it
costs is multiplied by the answer, 1 or 0, and what it hands on is chosen by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mbprof.network.frame import Frame, Tensor, Tensors
from mbprof.network.graph import IMAGE, Edge, Node
from mbprof.ops.base import Facts
from mbprof.spec.model import Step
from mbprof.symbolic.symbols import Whole, chosen, is_open


class Unsettled(Exception):
    """A step cannot be left open; the argument is its identity, None where no step can."""


class Choice(NamedTuple):
    """What is handed on where a step is there, and where it is not."""

    there: Edge
    without: Edge


def settled(value: Any) -> Any:
    """Return a value; of a condition that is left open the answer, which is asked."""
    return bool(value) if is_open(value) else value


def weighed(facts: Facts, present: Any) -> Facts:
    """Return what a node costs that may not be there."""
    return Facts(*(kind * present for kind in facts)) if isinstance(present, Whole) else facts


def handed_on(step: Step, frame: Frame, turn: int) -> dict[str, Tensor]:
    """Return what a step's name stands for where the step is not there.

    That is the previous output, the step's first input where it takes others, and of a repeat
    what the one before handed on.
    """
    wiring = step.wiring
    if not wiring.outputs:
        return {}
    if len(wiring.outputs) != 1:
        raise Unsettled(id(step))
    name = wiring.outputs[0].text
    if turn:
        return {name: frame.outputs[name]}
    if wiring.inputs and wiring.inputs[0].text not in ("_", *frame.outputs):
        raise Unsettled(id(step))
    if not wiring.inputs or any(scalar.text == "_" for scalar in wiring.inputs):
        return {name: frame.single(wiring)}
    return {name: frame.outputs[wiring.inputs[0].text]}


def either(step: Step, flag: Whole, there: Tensors, without: Tensors) -> Tensors:
    """Return what is handed on: one tensor or the other, of as many dimensions.

    Raises: Unsettled: the dimensions, or the number of tensors, differ.
    """
    ranks = [[len(tensor.shape) for tensor in tensors] for tensors in (there, without)]
    if ranks[0] != ranks[1]:
        raise Unsettled(id(step))
    return tuple(
        Tensor(
            yes.edge,
            tuple(chosen(flag, *sizes) for sizes in zip(yes.shape, no.shape, strict=True)),
            chosen(flag, yes.stride, no.stride),
            chosen(flag, yes.rate, no.rate),
        )
        for yes, no in zip(there, without, strict=True)
    )


def check_taken(nodes: Sequence[Node], results: Iterable[Edge], choices: Sequence[Choice]) -> None:
    """See that whatever is there, something takes the output of each node that is.

    Raises: Unsettled: that is not seen at once.
    """
    takers: Mapping[Edge, set[frozenset[int]]] = defaultdict(set)
    for edge in results:
        takers[edge].add(frozenset())
    for node in nodes:
        for edge in node.inputs:
            takers[edge].add(_flags(node.present))
    ends = set(results)
    for choice in reversed(choices):
        takers[choice.without].update(takers[choice.there])
        if choice.there in ends:
            ends.add(choice.without)
    if any(edge.node == IMAGE for edge in ends):
        raise Unsettled(None)
    for number, node in enumerate(nodes):
        own = _flags(node.present)
        for port in range(len(node.out_shapes)):
            if not any(flags <= own for flags in takers[Edge(number, port)]):
                raise Unsettled(None)


def _flags(present: Any) -> frozenset[int]:
    """Return the flags that say that a node is there, which are multiplied."""
    return frozenset(present.terms[0][0]) if isinstance(present, Whole) else frozenset()

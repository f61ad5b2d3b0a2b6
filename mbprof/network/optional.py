"""What may be there or not: one build for many structures, where shapes allow it.

A row that a condition of symbols leaves out, or repeats, is built as if it were there. What it
costs is multiplied by the answer, 1 or 0, and what it hands on is chosen by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from mbprof.language.record import NamedTuple
from mbprof.network.frame import Frame, Tensor, Tensors
from mbprof.network.graph import IMAGE, Edge, Node
from mbprof.ops.base import Facts
from mbprof.spec.model import Step
from mbprof.symbolic.choice import chosen
from mbprof.symbolic.symbols import Whole, is_open


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


class Unless(NamedTuple):
    """A condition, what is there under it, and what is there without; and the step that it is of.

    Where the dimensions differ, nothing stands for both.
    """

    flag: int
    there: Tensor
    without: Tensor
    step: int
    both: bool


def either(step: Step, flag: Whole, there: Tensors, without: Tensors) -> Tensors:
    """Return what is handed on: one tensor or the other.

    Raises: Unsettled: the numbers of tensors differ, or dimensions under several conditions.
    """
    if len(there) != len(without):
        raise Unsettled(id(step))
    return tuple(_one(step, flag, yes, no) for yes, no in zip(there, without, strict=True))


def _one(step: Step, flag: Whole, yes: Tensor, no: Tensor) -> Tensor:
    number = min(_flags(flag)) if len(_flags(flag)) == 1 else None
    if no.unless and no.unless.flag == number:
        no = no.unless.without
    alike = _both(yes) and _both(no)
    both = alike and len(yes.shape) == len(no.shape)
    if not both and (number is None or not alike):
        raise Unsettled(id(step))
    shape = tuple(map(partial(chosen, flag), yes.shape, no.shape)) if both else yes.shape
    return Tensor(
        yes.edge,
        shape,
        chosen(flag, yes.stride, no.stride),
        chosen(flag, yes.rate, no.rate),
        None if number is None else Unless(number, yes, no, id(step), both),
    )


def _both(tensor: Tensor) -> bool:
    return tensor.unless is None or bool(tensor.unless.both)


def taken_under(tensors: Tensors, present: Any) -> Tensors:
    """Return what a step takes that is there under conditions.

    Raises: Unsettled: it takes what is there only under another one.
    """
    flags = _flags(present)
    taken = []
    for tensor in tensors:
        while tensor.unless and tensor.unless.flag in flags:
            tensor = tensor.unless.there
        if not _both(tensor):
            raise Unsettled(tensor.unless.step)
        taken.append(tensor)
    return tuple(taken)


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

"""Where a network begins and ends: the shapes of its inputs, its results, and what is no part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mbprof.errors import SpecError, UnusedError, WiringError
from mbprof.language.fmt import Shape, Value
from mbprof.network.frame import Tensors
from mbprof.network.graph import IMAGE, Edge, Graph, Image, Node, once
from mbprof.ops.fields import whole
from mbprof.spec.model import Definition, Input
from mbprof.symbolic.arithmetic import rounded


def images(spec: Definition, knobs: Mapping[str, Value]) -> tuple[Image, ...]:
    """Return the inputs of a network.

    Raises: SpecError: a size or a number of channels that is none.
    """
    return tuple(Image(wanted.name, _shape(wanted, knobs)) for wanted in spec.inputs)


def _shape(wanted: Input, knobs: Mapping[str, Value]) -> Shape:
    """Return the shape of an input; a resolution is times the spec's scale if it has one."""
    if wanted.channels is None:
        shape: Shape = wanted.shape.evaluate(knobs) if wanted.shape else ()
        return shape
    c: Any = knobs.get(wanted.knob)
    if c is None:
        c = wanted.channels.evaluate(knobs)
    res: Any = knobs[wanted.res] or knobs["res"]
    if wanted.scale is None:
        return c, res[0], res[1]
    factor, loc = wanted.scale.evaluate(knobs), wanted.scale.loc
    high, wide = (whole(rounded(size * factor), 1, loc) for size in res)
    return c, high, wide


def assembled(
    spec: Definition,
    nodes: Sequence[Node],
    starts: tuple[Image, ...],
    results: Tensors,
    sides: Sequence[Edge],
    idle: Sequence[str],
    handed_on: Collection[Edge] = (),
) -> Graph:
    """Return the graph of nodes that lead from inputs to results; ``idle`` are inputs not named.

    ``handed_on`` is what stands for the output of a step that may not be there.

    Raises: SpecError: there are no nodes. WiringError: a result is an input. UnusedError: nobody
    takes an input, or an output that is no result.
    """
    edges, names = [result.edge for result in results], spec.outputs
    if not nodes or (not names and edges[0].node == IMAGE):
        raise SpecError("the network has no layers with these knobs", spec.body.loc)
    for name, edge in zip(names, edges, strict=False):
        if edge.node == IMAGE:
            raise WiringError(f"the output {name.text!r} is an input", name.loc)
    named = tuple(name.text for name in names)
    graph = Graph(once(nodes), starts, (*edges, *sides), named)
    for edge in graph.unused():
        if edge in handed_on:
            continue
        if edge.node != IMAGE or starts[edge.port].name in idle:
            raise _unused(spec, graph, edge)
    return graph


def _unused(spec: Definition, graph: Graph, edge: Edge) -> UnusedError:
    """Return what is said of an output, or of an input, that nobody takes."""
    if edge.node == IMAGE:
        wanted = spec.inputs[edge.port]
        hint = f"take it with  in: {wanted.name}"
        return UnusedError(f"the input {wanted.name!r} is never used", wanted.loc, hint)
    hint = "take it with in:, or leave the step out with when:"
    if spec.outputs:
        hint = "take it with in:, or give it a name with out: that outputs: mentions"
    message = f"the output of {graph.name_of(edge)} is never used"
    return UnusedError(message, graph.nodes[edge.node].trail[-1], hint)

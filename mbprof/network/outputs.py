"""Outputs whose number the width rule scales: classes of a classifier, mostly by accident."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.language.record import NamedTuple
from mbprof.language.source import Node as Tree
from mbprof.network.frame import Frame, Tensor
from mbprof.network.graph import Edge, Graph, Node
from mbprof.ops.base import channels
from mbprof.ops.fields import Bound, whole
from mbprof.spec.knobs import COUNTERS
from mbprof.spec.model import Definition, Step, leaves
from mbprof.spec.steps import BlockStep, OpStep
from mbprof.symbolic.arithmetic import product

LETTER, CLASSES = "c", "classes"
"""The key that a width rule scales, and the knob that says how many outputs a classifier has."""


class Scaled(NamedTuple):
    """The last layer before an output: how many outputs its row states, and how many it has."""

    node: Node
    stated: int
    made: int

    @property
    def said(self) -> str:
        """What is there, in a sentence."""
        stated, made = fmt.integer(self.stated), fmt.integer(self.made)
        return (
            f"{self.node.layer} has {made} outputs, not the {stated} of its row: the width rule "
            f"scales them"
        )


def scaled_outputs(
    definition: Definition, knobs: Mapping[str, Value], graph: Graph
) -> Iterator[Scaled]:
    """Yield the outputs whose number is stated, and scaled by the spec's width rule.

    Looked at are rows whose c reads the knob ``classes``, and those of the last layer of all where
    neither a norm nor an activation is behind: of a vector, and of maps whose number is a knob's or
    that of the image's channels. A row with a width of its own is meant as it is.

    >>> from mbprof.network.load import loads
    >>> text = "{name: n, knobs: {alpha: 0.5}, width: int(alpha * c), input: {res: 8}, body: "
    >>> network = loads(text + "[{op: gap}, {op: linear, c: 10, name: fc}]}").build()
    >>> next(scaled_outputs(network.definition, network.knobs, network.compiled)).said
    'fc has 5 outputs, not the 10 of its row: the width rule scales them'
    """
    rule = definition.width.get(LETTER)
    if rule is None:
        return
    own = definition.knobs.keys() - {name for name, _ in rule.names}
    rows = {step.wiring.loc: step for step in definition.held(Step)}
    for edge in graph.outputs:
        node, ends = _last(graph, edge)
        step = rows.get(node.trail[0]) if node else None
        bound = _stated(step)
        if node is None or step is None or bound is None or step.wiring.width is not None:
            continue
        words = _words(bound.node)
        alone = ends and len(node.trail) == 1
        # Maps of another width than that may be features.
        sure = CLASSES in words or (alone and (_is_vector(node) or bool(words & own)))
        if not (sure or alone):
            continue
        first = next(other for other in graph.nodes if other.trail[0] == node.trail[0])
        frame = Frame({**knobs, **dict.fromkeys(COUNTERS, 0)}, (), {}, {})
        frame.look_at(Tensor(Edge(0), first.in_shapes[0]))
        try:
            stated: int = bound.evaluate(frame.env)
            made = whole(rule({**frame.env, LETTER: stated}), 1, bound.loc)
        except MbprofError:
            continue  # It counts the rows before it, which nobody does with classes.
        if made != stated and (sure or stated == graph.image[0]):
            yield Scaled(node, stated, made)


def _words(node: Tree) -> set[str]:
    """Return the names in an expression, or in several."""
    return {word for text in leaves(node) for word in re.findall(r"\w+", text)}


def _is_vector(node: Node) -> bool:
    shape = node.out_shapes[0]
    return product(shape) == channels(shape)


def _last(graph: Graph, edge: Edge) -> tuple[Node | None, bool]:
    """Return the last layer before an output, and whether what it gives is handed on as it is."""
    ends = True
    while (node := graph.producer(edge)) is not None and len(node.inputs) == 1:
        if node.op.multiplies:
            return node, ends
        ends = ends and node.op.ends_scores
        edge = node.inputs[0]
    return None, False


def _stated(step: Step | None) -> Bound | None:
    """Return what a row states as its channels."""
    if isinstance(step, BlockStep):
        return step.arguments.get(LETTER)
    if isinstance(step, OpStep) and LETTER in step.op.letters:
        return step.fields.get(step.op.letters[LETTER].attribute)
    return None

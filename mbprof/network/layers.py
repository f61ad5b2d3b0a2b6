"""Ops to nodes: a layer is an op and what follows it, named, with its shapes and its costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mbprof.errors import MbprofError, ShapeError, WiringError
from mbprof.language.fmt import Shapes, Value
from mbprof.language.record import NamedTuple
from mbprof.network.frame import Frame, Tensor, Tensors, Work, sized
from mbprof.network.graph import Edge, Node
from mbprof.network.naming import Names
from mbprof.network.optional import Choice, settled, weighed
from mbprof.network.strides import reached
from mbprof.ops import Op
from mbprof.ops.base import Facts
from mbprof.spec import steps
from mbprof.spec.knobs import COUNTERS
from mbprof.spec.model import Definition, Step, texts

FREE = Facts()
_FOLLOWED = steps.OpStep | steps.BranchStep


class Kind(NamedTuple):
    """What nodes have in common: the op at its place, its shapes, and what it costs."""

    op: Op
    inputs: Shapes
    outputs: Shapes
    stride: int
    rate: int
    facts: Facts
    patterns: int
    """The characters of the patterns that the name of its layer is compared with."""


class Stop(Exception):
    """The final endpoint is reached; the argument is its tensor."""


class Layers:
    """The nodes of a graph that is being built, and what is known of all of them."""

    def __init__(
        self,
        spec: Definition,
        knobs: Mapping[str, Value],
        costed: bool = True,
        sought: str = "",
        asked: Collection[int | None] = (),
    ) -> None:
        self.spec, self.knobs, self.costed, self.sought = spec, knobs, costed, sought
        self.asked = asked
        self.choices: list[Choice] = []
        self.present: Any = 1
        self.opened = False
        self.nodes: list[Node] = []
        self.kinds: dict[tuple[Any, ...], Kind] = {}
        self.scope, self.aside = "body", False
        self.work = Work()
        self.depth, self.called = 0, 0
        self.names = Names()
        self.endpoints: list[str] = []
        self.sides: list[Edge] = []
        self.bare: set[Edge] = set()  # what stands for the scores of classifiers that are left out
        self.stop_at = knobs.get("final_endpoint")

    def norm(self, op: Op, taken: Tensor) -> Op:
        """Return what stands in the place of an op: of a batch norm what ``norm:`` says."""
        norm = self.spec.norm
        if norm is None or not op.folds:
            return op
        self.work.read(sum(map(len, texts(norm))))
        env: dict[str, Any] = {**self.knobs, **dict.fromkeys(COUNTERS, 0)}
        Frame(env, (taken,), {}, {}).look_at(taken)
        stated = {key: settled(bound.evaluate(env)) for key, bound in norm.fields.items()}
        names = {letter.attribute for letter in norm.op.letters.values()}
        common = {name: getattr(op, name) for name in names if hasattr(op, name)}
        return norm.op(**{**common, **stated})

    def enter(self, word: str, frame: Frame) -> str:
        name = self.names.begun(word, frame)
        self.work.read(len(name))
        return name

    def layer(self, op: Op | None, name: str, taken: Tensors, step: Step, frame: Frame) -> Tensors:
        """Add an op and the ops that follow it as keys of its step; together they are a layer."""
        outputs = self.emit(op, name, name, taken, step, frame) if op else taken
        for follower in step.after if isinstance(step, _FOLLOWED) else ():
            setting = settled(follower.setting.evaluate(frame.env))
            if setting in (False, "none"):
                continue
            values = {key: settled(b.evaluate(frame.env)) for key, b in follower.fields.items()}
            if isinstance(setting, str):
                values["function"] = setting
            after = self.norm(follower.op(**values), outputs[0])
            outputs = self.emit(after, f"{name}/{after.word}", name, outputs, step, frame)
        given = frame.given if isinstance(step, steps.OpStep) else None
        # Where it is open what is there, two can bear one name, such as alternatives.
        self.names.take(name, None if self.opened else given)
        return self.leave(name, outputs)

    def emit(
        self, op: Op, name: str, layer: str, taken: Tensors, step: Step, frame: Frame
    ) -> Tensors:
        """Add a node, infer its shapes and state its facts."""
        least, most = op.inputs
        if len(taken) < least or (most is not None and len(taken) > most):
            count = f"at least {least}" if most is None else f"{least} or {most}"
            count = f"{least}" if most == least else count
            message = f"{op.word} takes {count} input{'s' * (most != 1)}, not {len(taken)}"
            hint = "name outputs with out: and list them, in: [x, _]" if least > 1 else None
            raise WiringError(message, step.wiring.loc, hint)
        self.work.spend(2 + len(taken), step.wiring.loc)
        edges = tuple(tensor.edge for tensor in taken)
        shapes = tuple(tensor.shape for tensor in taken)
        try:
            stride = max((tensor.stride for tensor in taken), default=1)
            rate = max((tensor.rate for tensor in taken), default=1)
            like = (op, shapes, stride, rate, self.scope)
            if (kind := self.kinds.get(like)) is None:
                kind = self.kinds[like] = self.kind(*like)
            self.work.spend(len(kind.outputs) - 1)
            self.work.read(kind.patterns)
            call = self.spec.calls.of(kind.op, shapes, layer)
        except MbprofError as error:
            # Point at the field that is at fault, where the op says which one it is.
            letter = error.letter if isinstance(error, ShapeError) else None
            raise error.at(step.place(type(op), letter)) from None
        if op.ends_scores and not self.bare.isdisjoint(edges):
            self.bare.add(Edge(len(self.nodes)))
        number, place = len(self.nodes), (frame.block, frame.unit, self.scope)
        trail = (*frame.trail, step.wiring.loc)
        facts = weighed(kind.facts, self.present)
        made = (kind.op, edges, kind.inputs, kind.outputs, layer, *place, facts, call)
        also = {"present": self.present, "calls": frame.calls}
        self.nodes.append(Node(name, *made, self.aside, trail, **also))
        return tuple(
            Tensor(Edge(number, port), shape, kind.stride, kind.rate)
            for port, shape in enumerate(kind.outputs)
        )

    def kind(self, op: Op, shapes: Shapes, stride: int, rate: int, scope: str) -> Kind:
        """Infer what all nodes of an op have in common that take tensors of some shapes."""
        if op.windowed:
            wanted = self.knobs.get("output_stride") if scope == "body" else None
            op, stride, rate = reached(op, stride, rate, shapes[0], wanted)
        outputs = sized(op.shapes(shapes))
        sized(((stride, rate),))
        facts = op.facts(shapes, outputs) if self.costed else FREE
        return Kind(op, shapes, outputs, stride, rate, facts, self.spec.calls.length(op))

    def leave(self, name: str, outputs: Tensors, layer: bool = True) -> Tensors:
        """Hand on what a layer or block gives, unless it is the final endpoint, which stops all."""
        counts = layer or self.spec.endpoints == "all"
        if counts and self.scope == "body" and len(outputs) == 1:
            self.endpoints.append(name)
            if name == self.stop_at:
                raise Stop(outputs[0])
        return outputs

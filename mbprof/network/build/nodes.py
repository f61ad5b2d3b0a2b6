"""Nodes: an op meets its inputs, gets its shapes and states its facts."""

from __future__ import annotations

from typing import Any

from mbprof.errors import KnobError, LimitError, MbprofError, ShapeError, WiringError
from mbprof.language.fmt import Shape
from mbprof.network.build.frame import Frame, Tensor, Tensors
from mbprof.network.graph import Edge, Node
from mbprof.ops import Op
from mbprof.spec.model import Follower, Step, Wiring
from mbprof.spec.sections import Calls

MAX_STEPS = 100_000


class Nodes:
    """The nodes of a network so far."""

    def __init__(self, output_stride: Any, calls: Calls) -> None:
        self.nodes: list[Node] = []
        self.calls = calls
        self.scope = "body"
        self.side = False
        self.output_stride = output_stride
        self.budget = MAX_STEPS

    def spend(self, amount: int, wiring: Wiring) -> None:
        """Count steps and edges, so that no spec expands without end.

        Raises: LimitError: there are too many.
        """
        self.budget -= amount
        if self.budget < 0:
            raise LimitError(
                f"the network expands to more than {MAX_STEPS:,} steps",
                wiring.loc,
                "lower the repeats (n, repeat)",
            )

    def layer(
        self,
        op: Op,
        name: str,
        taken: Tensors,
        followers: tuple[Follower, ...],
        step: Step,
        frame: Frame,
    ) -> Tensors:
        """Add an op and the ops that follow it as keys of its step; together they are a layer.

        Raises: ShapeError, WiringError, LimitError, KnobError: the op cannot stand here.
        """
        outputs = self.emit(op, name, name, taken, step, frame)
        for follower in followers:
            setting = follower.setting.evaluate(frame.env)
            if setting in (False, "none"):
                continue
            values = {key: bound.evaluate(frame.env) for key, bound in follower.fields.items()}
            if isinstance(setting, str):
                values["function"] = setting
            after = follower.op(**values)
            outputs = self.emit(after, f"{name}/{after.word}", name, outputs, step, frame)
        return outputs

    def emit(
        self,
        op: Op,
        name: str,
        layer: str,
        taken: Tensors,
        step: Step,
        frame: Frame,
    ) -> Tensors:
        """Add a node, infer its shapes and state its facts."""
        _check_count(op, taken, step)
        self.spend(len(taken), step.wiring)
        edges, shapes, strides, rates = zip(*taken, strict=True)
        try:
            stride, rate = max(strides), max(rates)
            if op.windowed:
                op, stride, rate = self.atrous(op, stride, rate, shapes[0])
            outputs = op.shapes(shapes)
            facts = op.facts(shapes, outputs)
            call = self.calls.of(op, shapes, layer)
        except MbprofError as error:
            raise _placed(error, step) from None
        number = len(self.nodes)
        place = (frame.block, frame.unit, self.scope)
        trail = (*frame.trail, step.wiring.loc)
        self.nodes.append(
            Node(name, op, edges, shapes, outputs, layer, *place, facts, call, self.side, trail)
        )
        if len(outputs) == 1:
            return (Tensor(Edge(number, 0), outputs[0], stride, rate),)
        return tuple(
            Tensor(Edge(number, port), shape, stride, rate) for port, shape in enumerate(outputs)
        )

    def atrous(self, op: Op, stride: int, rate: int, shape: Shape) -> tuple[Op, int, int]:
        """Turn a stride into dilation once the output stride is reached, in the body.

        The op that would have strided keeps the rate so far, those behind it multiply it.
        Source: TF-slim research/slim/nets/mobilenet_v1.py, output_stride.
        """
        own = op.geometry((shape,)).stride or (1, 1)
        factor = max(own)
        wanted = self.output_stride
        if wanted is None or self.scope != "body":
            return op, stride * factor, rate
        if factor > 1 and stride >= wanted:
            return op.at_rate((1, 1), rate), stride, rate * factor
        if factor > 1 and stride * factor > wanted:
            raise KnobError(
                f"output_stride {wanted} cannot be reached: the strides go from {stride} to "
                f"{stride * factor}"
            )
        return (op.at_rate(own, rate) if rate > 1 else op), stride * factor, rate


def _check_count(op: Op, taken: Tensors, step: Step) -> None:
    least, most = op.inputs
    if len(taken) < least or (most is not None and len(taken) > most):
        count = f"{least}" if most == least else f"at least {least}"
        raise WiringError(
            f"{op.word} takes {count} input{'s' * (least > 1)}, not {len(taken)}",
            step.wiring.loc,
            "name outputs with out: and list them, in: [x, _]" if least > 1 else None,
        )


def _placed(error: MbprofError, step: Step) -> MbprofError:
    """Point at the field that is at fault, where the op says which one it is."""
    return error.at(step.place(error.letter if isinstance(error, ShapeError) else None))

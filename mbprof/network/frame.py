"""Where the builder stands: the tensors in sight of a step, and the nodes made so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from mbprof.errors import (
    KnobError,
    LimitError,
    Loc,
    MbprofError,
    ShapeError,
    UnusedError,
    WiringError,
    unknown,
)
from mbprof.language.source import Scalar
from mbprof.language.values import Shape
from mbprof.network.graph import Edge, Node
from mbprof.ops import Op
from mbprof.spec.calls import Calls
from mbprof.spec.model import Follower, Step, Table, Template, Wiring

MAX_STEPS = 100_000


class Tensor(NamedTuple):
    """An edge while the graph is built: its shape, and how it relates to the image.

    ``stride`` is the ratio of the image's size to the tensor's, ``rate`` the dilation that layers
    need because strides before them became dilation.
    """

    edge: Edge
    shape: Shape
    stride: int = 1
    rate: int = 1


Tensors: TypeAlias = tuple[Tensor, ...]


@dataclass(slots=True)
class Frame:
    """One level of the expansion: the body or head, a block, or a path beside others.

    ``place`` names a step of the level in errors, ``inside`` are the blocks that led here and
    ``trail`` the places of the steps that called them. ``template`` names the step at hand, and
    ``turn`` is the number of its repeat.
    """

    env: dict[str, Any]
    previous: Tensors
    outputs: dict[str, Tensor]
    declared: dict[str, Scalar]
    path: str = ""
    block: str = ""
    unit: str = ""
    inside: tuple[str, ...] = ()
    place: str = "row {} of the body"
    trail: tuple[Loc, ...] = ()
    template: Template | None = None
    turn: int = 0

    @property
    def given(self) -> Scalar | None:
        """The text of the name that the spec gives the step at hand, if it gives one."""
        return self.template.scalar if self.template else None

    def path_from(self, taken: Tensor, place: str, path: str, branch: int = 0) -> Frame:
        """Return a frame for a path that starts from ``taken`` and sees the same names."""
        return replace(
            self,
            env={**self.env, "branch": branch},
            previous=(taken,),
            outputs=dict(self.outputs),
            declared={},
            path=path,
            place=place,
        )

    def look_at(self, tensor: Tensor) -> None:
        """Let ``in.c``, ``in.h`` and ``in.w`` speak of a tensor."""
        shape = tensor.shape
        self.env["in.c"] = shape[0] if len(shape) == 3 else shape[-1]
        self.env["in.h"], self.env["in.w"] = shape[1:] if len(shape) == 3 else (1, 1)

    def take(self, wiring: Wiring) -> Tensors:
        """Return the tensors that a step takes.

        Raises: WiringError: an output of that name is not in sight.
        """
        if not wiring.inputs:
            return (self.single(wiring),)
        taken = []
        for scalar in wiring.inputs:
            if scalar.text == "_":
                taken.append(self.single(wiring))
                continue
            if scalar.text not in self.outputs:
                known = ["_", *self.outputs]
                raise unknown("output", scalar.text, known, scalar.loc, error=WiringError)
            self.declared.pop(scalar.text, None)
            taken.append(self.outputs[scalar.text])
        return tuple(taken)

    def single(self, at: Wiring | Table) -> Tensor:
        """Return the previous output.

        Raises: WiringError: the previous step has several.
        """
        if len(self.previous) != 1:
            raise WiringError(
                f"the previous step has {len(self.previous)} outputs; say which one to take",
                at.loc,
                "name them with out: [left, right] and take one with in: left",
            )
        return self.previous[0]

    def declare(self, wiring: Wiring, outputs: Tensors) -> None:
        """Give a step's outputs the names that it says.

        Raises: WiringError: there are more or fewer names than outputs.
        """
        if len(wiring.outputs) != len(outputs):
            raise WiringError(
                f"out names {len(wiring.outputs)} outputs, the step has {len(outputs)}",
                wiring.outputs[0].loc,
            )
        for scalar, tensor in zip(wiring.outputs, outputs, strict=True):
            self.outputs[scalar.text] = tensor
            self.declared[scalar.text] = scalar

    def pass_by(self, wiring: Wiring) -> None:
        """Let a step that is left out hand on what it would have taken.

        Raises: WiringError: it would have taken or given several tensors.
        """
        if not wiring.outputs:
            return
        taken = self.take(wiring)
        if len(wiring.outputs) != 1 or len(taken) != 1:
            raise WiringError(
                "a step with several inputs or outputs cannot be left out", wiring.loc
            )
        self.declare(wiring, taken)

    def close(self) -> None:
        """Refuse names that were given to outputs and never taken.

        Raises: UnusedError: there is one.
        """
        for name, scalar in self.declared.items():
            raise UnusedError(
                f"the output {name!r} is never used",
                scalar.loc,
                f"take it with  in: {name}  or drop the name",
            )


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
        self, op: Op, name: str, layer: str, taken: Tensors, step: Step, frame: Frame
    ) -> Tensors:
        """Add a node, infer its shapes and state its facts."""
        least, most = op.inputs
        if len(taken) < least or (most is not None and len(taken) > most):
            count = f"{least}" if most == least else f"at least {least}"
            raise WiringError(
                f"{op.word} takes {count} input{'s' * (least > 1)}, not {len(taken)}",
                step.wiring.loc,
                "name outputs with out: and list them, in: [x, _]" if least > 1 else None,
            )
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
            # Point at the field that is at fault, where the op says which one it is.
            raise error.at(
                step.place(error.letter if isinstance(error, ShapeError) else None)
            ) from None
        number = len(self.nodes)
        place = (frame.block, frame.unit, self.scope)
        trail = (*frame.trail, step.wiring.loc)
        self.nodes.append(
            Node(name, op, edges, shapes, outputs, layer, *place, facts, call, self.side, trail)
        )
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

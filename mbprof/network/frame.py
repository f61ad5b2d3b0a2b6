"""Where the builder stands: the tensors and names in sight of a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from mbprof.errors import Loc, UnusedError, WiringError, unknown
from mbprof.language.fmt import Shape
from mbprof.language.source import Scalar
from mbprof.network.graph import Edge
from mbprof.ops.base import channel_axis
from mbprof.spec.model import Table, Template, Wiring
from mbprof.symbolic.arithmetic import product


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
        """Let ``in.c``, ``in.h``, ``in.w`` and ``in.n`` speak of a tensor."""
        shape = tensor.shape
        axis = channel_axis(shape)
        self.env["in.c"] = shape[axis]
        self.env["in.n"] = product(shape[:axis] + shape[axis + 1 :])
        self.env["in.h"], self.env["in.w"] = shape[1:] if len(shape) == 3 else (1, 1)

    def take(self, wiring: Wiring) -> Tensors:
        """Return the tensors that a step takes; a WiringError if one is not in sight."""
        if not wiring.inputs:
            return (self.single(wiring),)
        taken = []
        for scalar in wiring.inputs:
            name = scalar.text
            if name != "_" and name not in self.outputs:
                raise unknown("output", name, ["_", *self.outputs], scalar.loc, error=WiringError)
            self.declared.pop(name, None)
            taken.append(self.single(wiring) if name == "_" else self.outputs[name])
        return tuple(taken)

    def single(self, at: Wiring | Table) -> Tensor:
        """Return the previous output; a WiringError if there are several."""
        if len(self.previous) != 1:
            message = f"the previous step has {len(self.previous)} outputs; say which one to take"
            hint = "name them with out: [left, right] and take one with in: left"
            raise WiringError(message, at.loc, hint)
        return self.previous[0]

    def declare(self, wiring: Wiring, outputs: Tensors) -> None:
        """Give a step's outputs the names that it says; a WiringError if it says more or fewer."""
        if len(wiring.outputs) != len(outputs):
            message = f"out names {len(wiring.outputs)} outputs, the step has {len(outputs)}"
            raise WiringError(message, wiring.outputs[0].loc)
        for scalar, tensor in zip(wiring.outputs, outputs, strict=True):
            self.outputs[scalar.text] = tensor
            self.declared[scalar.text] = scalar

    def pass_by(self, wiring: Wiring) -> None:
        """Let a step that is left out hand on what it would have taken, which is one tensor."""
        if not wiring.outputs:
            return
        taken = self.take(wiring)
        if len(wiring.outputs) != 1 or len(taken) != 1:
            message = "a step with several inputs or outputs cannot be left out"
            raise WiringError(message, wiring.loc)
        self.declare(wiring, taken)

    def close(self) -> None:
        """Refuse names that were given to outputs and never taken, with an UnusedError."""
        for name, scalar in self.declared.items():
            hint = f"take it with  in: {name}  or drop the name"
            raise UnusedError(f"the output {name!r} is never used", scalar.loc, hint)

"""Where the builder stands: what is in sight of a step, and what is left of its budget."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any, TypeAlias

from mbprof.errors import LimitError, Loc, UnusedError, WiringError, unknown
from mbprof.language.fmt import Shape, Shapes, several
from mbprof.language.record import NamedTuple, mutable
from mbprof.language.source import Scalar
from mbprof.network.graph import Call, Edge
from mbprof.ops.base import channel_axis
from mbprof.spec.model import Part, Step, Table, Template, Wiring, texts
from mbprof.symbolic.arithmetic import product
from mbprof.symbolic.symbols import bounded

MAX_STEPS = 500_000
"""Steps, each round of a repeat and each edge of the graph counted."""
MAX_READ = 4_000_000
"""Characters of names, arguments and expressions, as often as they are read."""


class Tensor(NamedTuple):
    """An edge while the graph is built: its shape, and how it relates to the image.

    ``stride`` is the ratio of the image's size to the tensor's, ``rate`` the dilation that layers
    need because strides before them became dilation.
    """

    edge: Edge
    shape: Shape
    stride: int = 1
    rate: int = 1
    unless: Any = None
    """Of what is handed on whether a step is there or not: `mbprof.network.optional.Unless`."""


Tensors: TypeAlias = tuple[Tensor, ...]


@mutable
class Frame:
    """One level of the expansion: the body or head, a block, or a path beside others.

    ``place`` names a step of the level in errors, ``inside`` are the blocks that led here and
    ``trail`` the places of the steps that called them, ``calls`` these calls. ``template`` names
    the step at hand, and ``turn`` is the number of its repeat.
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
    calls: tuple[Call, ...] = ()
    template: Template | None = None
    turn: int = 0
    outer: tuple[dict[str, Scalar], ...] = ()
    """What is declared around a path, whose names it sees."""
    shares: dict[str, list[int]] = field(default_factory=dict)
    """The nodes with weights of the first step that shares them by a name."""

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
            outer=(*self.outer, self.declared),
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
            self.use(name)
            taken.append(self.single(wiring) if name == "_" else self.outputs[name])
        return tuple(taken)

    def results(self, names: tuple[Scalar, ...]) -> Tensors:
        """Return the tensors of some names; a WiringError if one is not in sight."""
        return self.take(Wiring(names[0].loc, names)) if names else ()

    def use(self, name: str) -> None:
        """Note that a name is taken, here or in a path that sees it."""
        for declared in (self.declared, *reversed(self.outer)):
            if declared.pop(name, None) is not None:
                return

    def single(self, at: Wiring | Table) -> Tensor:
        """Return the previous output; a WiringError if there are several."""
        if len(self.previous) != 1:
            message = f"the previous step has {len(self.previous)} outputs; say which one to take"
            hint = "name them with out: [left, right] and take one with in: left"
            raise WiringError(message, at.loc, hint)
        return self.previous[0]

    def declare(self, wiring: Wiring, outputs: Tensors) -> None:
        """Give a step's outputs the names that it says, ``_`` for none.

        A WiringError if it says more or fewer.
        """
        if len(wiring.outputs) != len(outputs):
            message = f"out names {several(len(wiring.outputs), 'output')}, not {len(outputs)}"
            raise WiringError(message, wiring.outputs[0].loc)
        for scalar, tensor in zip(wiring.outputs, outputs, strict=True):
            if scalar.text == "_":
                continue
            self.outputs[scalar.text] = tensor
            self.declared[scalar.text] = scalar

    def leave_out(self, part: Part) -> None:
        """Note that a part that is not there would have taken what its steps name."""
        # With nothing open there is nothing to note, and a table may be left out many times.
        if self.declared or any(self.outer):
            for wiring in part.held(Wiring):
                for scalar in wiring.inputs:
                    self.use(scalar.text)

    def pass_by(self, step: Step) -> None:
        """Let a step that is left out hand on the previous output.

        Its name stands for that too, or for its first input where it takes others. A WiringError
        if it names several outputs.
        """
        wiring = step.wiring
        taken = self.take(wiring) if wiring.outputs else ()
        self.leave_out(step)
        if not wiring.outputs:
            return
        if len(wiring.outputs) != 1:
            raise WiringError("a step with several outputs cannot be left out", wiring.loc)
        passed = any(scalar.text == "_" for scalar in wiring.inputs) or not wiring.inputs
        self.declare(wiring, (self.single(wiring),) if passed else taken[:1])

    def close(self) -> None:
        """Refuse names that were given to outputs and never taken, with an UnusedError.

        What the level ends in is taken by what called it.
        """
        for name, scalar in self.declared.items():
            if self.outputs[name] in self.previous:
                continue
            hint = f"take it with  in: {name}  or drop the name"
            raise UnusedError(f"the output {name!r} is never used", scalar.loc, hint)


@mutable
class Work:
    """What is left of the work that building one network may take."""

    steps: int = MAX_STEPS
    characters: int = MAX_READ
    sizes: dict[int, int] = field(default_factory=dict)

    def spend(self, steps: int, loc: Loc | None = None) -> None:
        """Count steps, rounds and edges.

        Raises: LimitError: there are too many.
        """
        self.afford(steps, loc)
        self.steps -= steps

    def afford(self, steps: int, loc: Loc | None = None) -> None:
        """Refuse what is known to come, before it is begun.

        Raises: LimitError: it is too much.
        """
        if self.steps < steps:
            message = f"the network expands to more than {MAX_STEPS:,} steps"
            raise LimitError(message, loc, "lower the repeats (n, repeat)")

    def read(self, characters: int, loc: Loc | None = None) -> None:
        """Count characters.

        Raises: LimitError: there are too many.
        """
        self.characters -= characters
        if self.characters < 0:
            message = f"the network reads more than {MAX_READ:,} characters of names and arguments"
            raise LimitError(message, loc, "shorten what is repeated (n, repeat)")

    def take(self, step: Step) -> None:
        """Count what is read each time that a step is run.

        Raises: LimitError: that is too much.
        """
        if id(step) not in self.sizes:
            names = len(step.wiring.inputs) + len(step.wiring.outputs)
            self.sizes[id(step)] = 8 * names + sum(map(len, texts(step)))
        self.read(self.sizes[id(step)], step.wiring.loc)


def sized(shapes: Shapes) -> Shapes:
    """Return shapes whose sizes are numbers that are not too large.

    Raises: LimitError: one is.
    """
    try:
        return tuple(tuple(map(bounded, shape)) for shape in shapes)
    except OverflowError:
        raise LimitError("a size of the output is larger than 10^30") from None

"""Spec and knob values to a graph: rows are expanded, names filled in, shapes inferred."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mbprof.errors import (
    KnobError,
    LimitError,
    Loc,
    MbprofError,
    ShapeError,
    SpecError,
    WiringError,
    nearest,
)
from mbprof.expr import Expr, Value
from mbprof.fields import whole
from mbprof.graph import IMAGE, Edge, Graph, Node
from mbprof.ops import OPS, Op, Shape
from mbprof.source import Scalar
from mbprof.spec.model import (
    BlockStep,
    BranchStep,
    ChosenStep,
    Definition,
    Follower,
    OpStep,
    RepeatStep,
    SideStep,
    Step,
    Table,
    TableStep,
    Wiring,
)

MAX_STEPS = 100_000
MAX_DEPTH = 32


class Tensor(NamedTuple):
    """An edge while the graph is built: its shape, and how it relates to the image.

    ``stride`` is the ratio of the image's size to the tensor's, ``rate`` the dilation that layers
    need because strides before them became dilation.
    """

    edge: Edge
    shape: Shape
    stride: int = 1
    rate: int = 1


class _Stop(Exception):
    """Internal: the final endpoint is reached."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.tensor = tensor


@dataclass(slots=True)
class Frame:
    """Where the builder stands: names in sight, the previous output, the way that led here."""

    env: dict[str, Any]
    previous: tuple[Tensor, ...]
    outputs: dict[str, Tensor]
    declared: dict[str, Scalar]
    path: str = ""
    block: str = ""
    unit: str = ""
    inside: tuple[str, ...] = ()
    place: str = "row {} of the body"

    def path_from(self, taken: Tensor, place: str, path: str, branch: int = 0) -> Frame:
        """Return a frame for a path that starts from ``taken`` and sees the same names."""
        return Frame(
            {**self.env, "branch": branch},
            (taken,),
            dict(self.outputs),
            {},
            path,
            self.block,
            self.unit,
            self.inside,
            place,
        )


def build(spec: Definition, knobs: Mapping[str, Value]) -> Graph:
    """Compile a spec for one set of knob values, which are checked already.

    Raises: ShapeError, WiringError, SpecError, ExpressionError, LimitError, KnobError: with the
    place in the spec and the way through its blocks.
    """
    return _Builder(spec, knobs).graph()


class _Builder:
    def __init__(self, spec: Definition, knobs: Mapping[str, Value]) -> None:
        self.spec = spec
        self.knobs = knobs
        self.nodes: list[Node] = []
        self.locs: list[Loc] = []
        self.layer_names: dict[str, Loc | None] = {}
        self.endpoints: list[str] = []
        self.sides: list[Edge] = []
        self.scope = "body"
        self.budget = MAX_STEPS
        self.output_stride: Any = knobs.get("output_stride")
        self.stop_at = knobs.get("final_endpoint")

    def graph(self) -> Graph:
        spec = self.spec
        channels = spec.channels.evaluate(self.knobs)
        res: Any = self.knobs["res"]
        image = Tensor(Edge(IMAGE), (channels, res[0], res[1]))
        env = {**self.knobs, "i": 0, "j": 0, "stage": 0, "branch": 0, "row": ""}
        frame = Frame(env, (image,), {"x": image}, {})
        try:
            self.table(spec.body, frame)
            if self.stop_at is not None:
                raise self.no_endpoint()
            if spec.head is not None:
                self.scope = "head"
                frame.place = "row {} of the head"
                self.table(spec.head, frame)
            self.check_declared(frame)
        except _Stop as stop:
            return Graph(tuple(self.nodes), image.shape, ()).cut(stop.tensor.edge)
        last = self.single(frame, spec.body)
        if last.edge.node == IMAGE:
            raise SpecError("the network has no layers with these knobs", spec.body.loc)
        graph = Graph(tuple(self.nodes), image.shape, (last.edge, *self.sides))
        for edge in graph.unused():
            raise WiringError(
                f"the output of {graph.name_of(edge)} is never used",
                self.locs[edge.node],
                "take it with in:, or leave the step out with when:",
            )
        return graph

    def no_endpoint(self) -> KnobError:
        name = str(self.stop_at)
        hint = nearest(name, self.endpoints)
        return KnobError(f"{self.spec.name} has no endpoint {name!r}", None, hint)

    # Tables and steps

    def table(self, table: Table, frame: Frame) -> None:
        """Run the steps of a table; rows are counted at the top and where a table names them."""
        counted = table.names is not None or not frame.inside
        i = 0
        for stage, step in enumerate(table.steps):
            if counted:
                frame.env.update(i=i, j=0, stage=stage)
            try:
                i += self.row(step, frame, table)
            except MbprofError as error:
                loc = step.wiring.loc
                place = frame.place.format(stage + 1)
                raise error.at(loc).through(f"in {place} ({loc.source.name}:{loc.line})") from None

    def row(self, step: Step, frame: Frame, table: Table) -> int:
        """Run one row as often as it is repeated, and return how often that was."""
        wiring = step.wiring
        if not frame.inside:
            self.set_input(frame, self.peek(wiring, frame))
        if wiring.when is not None and not wiring.when.evaluate(frame.env):
            self.pass_by(wiring, frame)
            return 0
        if wiring.times is None:
            self.step(step, frame, table, 0)
            return 1
        times: int = wiring.times.evaluate(frame.env)
        first = frame.env["i"]
        for j in range(times):
            frame.env.update(i=first + j, j=j)
            if j and not frame.inside:
                self.set_input(frame, frame.previous)
            self.step(step, frame, table, j)
        frame.env.update(i=first, j=0)
        return times

    def set_input(self, frame: Frame, tensors: tuple[Tensor, ...]) -> None:
        shape = tensors[0].shape
        frame.env["in.c"] = shape[0] if len(shape) == 3 else shape[-1]
        frame.env["in.h"], frame.env["in.w"] = shape[1:] if len(shape) == 3 else (1, 1)

    def peek(self, wiring: Wiring, frame: Frame) -> tuple[Tensor, ...]:
        return self.take(wiring, frame) if wiring.inputs else frame.previous

    def pass_by(self, wiring: Wiring, frame: Frame) -> None:
        """A step that is left out hands on what it would have taken."""
        if not wiring.outputs:
            return
        taken = self.take(wiring, frame)
        if len(wiring.outputs) != 1 or len(taken) != 1:
            raise WiringError(
                "a step with several inputs or outputs cannot be left out", wiring.loc
            )
        self.declare(wiring, taken, frame)

    def step(self, step: Step, frame: Frame, table: Table, j: int) -> None:
        """Run one step once and make its output the previous one."""
        wiring = step.wiring
        self.spend(1, wiring)
        if isinstance(step, ChosenStep):
            word = step.chosen.evaluate(frame.env)
            if not isinstance(word, str):
                raise SpecError(
                    f"expected the name of an op or block, found {word}", step.chosen.loc
                )
            step = step.read(word)
        if isinstance(step, SideStep):
            self.side(step, frame)
            return
        if isinstance(step, TableStep):
            if wiring.inputs:
                frame.previous = self.take(wiring, frame)
            self.table(step.body, frame)
            return
        taken = self.take(wiring, frame) if j == 0 else frame.previous
        outputs = _STEPS[type(step)](self, step, taken, frame, table, j)
        frame.previous = outputs
        if wiring.outputs:
            self.declare(wiring, outputs, frame)

    def declare(self, wiring: Wiring, outputs: tuple[Tensor, ...], frame: Frame) -> None:
        if len(wiring.outputs) != len(outputs):
            raise WiringError(
                f"out names {len(wiring.outputs)} outputs, the step has {len(outputs)}",
                wiring.outputs[0].loc,
            )
        for scalar, tensor in zip(wiring.outputs, outputs, strict=True):
            frame.outputs[scalar.text] = tensor
            frame.declared[scalar.text] = scalar

    def check_declared(self, frame: Frame) -> None:
        """Refuse names that were given to outputs and never taken."""
        for name, scalar in frame.declared.items():
            raise WiringError(
                f"the output {name!r} is never used",
                scalar.loc,
                f"take it with  in: {name}  or drop the name",
            )

    def take(self, wiring: Wiring, frame: Frame) -> tuple[Tensor, ...]:
        """Return the tensors that a step takes."""
        if not wiring.inputs:
            return (self.single(frame, wiring),)
        taken = []
        for scalar in wiring.inputs:
            if scalar.text == "_":
                taken.append(self.single(frame, wiring))
                continue
            if scalar.text not in frame.outputs:
                known = ["_", *frame.outputs]
                raise WiringError(
                    f"unknown output {scalar.text!r}", scalar.loc, nearest(scalar.text, known)
                )
            frame.declared.pop(scalar.text, None)
            taken.append(frame.outputs[scalar.text])
        return tuple(taken)

    def single(self, frame: Frame, at: Wiring | Table) -> Tensor:
        if len(frame.previous) != 1:
            raise WiringError(
                f"the previous step has {len(frame.previous)} outputs; say which one to take",
                at.loc,
                "name them with out: [left, right] and take one with in: left",
            )
        return frame.previous[0]

    # The kinds of steps

    def op_step(
        self, step: OpStep, taken: tuple[Tensor, ...], frame: Frame, table: Table, j: int
    ) -> tuple[Tensor, ...]:
        name, listed = self.name(step.wiring, step.op.word, frame, table, j)
        self.enter(name, step.op.word, frame)
        values = {key: bound.evaluate(frame.env) for key, bound in step.fields.items()}
        if not frame.inside:
            values.update(self.scaled(step.wiring, step.op, values, frame))
        if j and "stride" in values:
            values["stride"] = (1, 1)
        if (padding := step.op.letters.get("p")) and (
            values.get("padding", padding.default) == "same"
        ):
            values["padding"] = self.spec.padding
        outputs = self.emit(step.op(**values), name, name, taken, step, frame)
        outputs = self.follow(step.after, name, outputs, step, frame)
        self.leave(name, listed, outputs, layer=True)
        return outputs

    def block_step(
        self, step: BlockStep, taken: tuple[Tensor, ...], frame: Frame, table: Table, j: int
    ) -> tuple[Tensor, ...]:
        block = self.spec.blocks[step.block]
        if step.block in frame.inside or len(frame.inside) >= MAX_DEPTH:
            chain = " -> ".join((*frame.inside, step.block))
            raise WiringError(f"block {step.block} contains itself: {chain}", step.wiring.loc)
        if len(taken) != len(block.inputs):
            raise WiringError(
                f"block {block.name} takes {len(block.inputs)} inputs, not {len(taken)}",
                step.wiring.loc,
            )
        name, listed = self.name(step.wiring, step.block, frame, table, j)
        self.enter(name, step.block, frame)
        values = {key: bound.evaluate(frame.env) for key, bound in step.arguments.items()}
        if not frame.inside:
            for key, rule, env in self.rules(step.wiring, frame):
                if key in values:
                    values[key] = self.by_rule(rule, {**env, key: values[key]})
        if j and "s" in values:
            values["s"] = 1
        env = {**self.knobs, **_counters(frame.env), "row": name}
        inner = Frame(
            env,
            taken[:1],
            dict(zip(block.inputs, taken, strict=True)),
            {},
            name,
            frame.block,
            frame.unit,
            (*frame.inside, step.block),
            f"step {{}} of block {step.block}",
        )
        self.set_input(inner, taken)
        for key, argument in block.takes.items():
            if key in values:
                env[key] = values[key]
            elif argument.default is not None:
                env[key] = argument.default.evaluate(env)
        self.table(block.body, inner)
        self.check_declared(inner)
        self.leave(name, listed, inner.previous, layer=False)
        return inner.previous

    def branch_step(
        self, step: BranchStep, taken: tuple[Tensor, ...], frame: Frame, table: Table, j: int
    ) -> tuple[Tensor, ...]:
        word = step.join.word
        contained = not frame.inside or step.wiring.name is not None or table.names is not None
        name, listed = self.name(step.wiring, word, frame, table, j)
        self.enter(name, word, frame)
        path = name if contained else frame.path
        ends: list[Tensor] = []
        for number, branch in enumerate(step.branches):
            inner = frame.path_from(taken[0], f"step {{}} of branch {number + 1}", path, number)
            self.table(branch, inner)
            ends.append(self.single(inner, branch))
            self.check_declared(inner)
        layer = self.fresh(self.join_path(path, word))
        outputs = self.emit(step.join(), layer, layer, tuple(ends), step, frame)
        outputs = self.follow(step.after, layer, outputs, step, frame)
        self.leave(layer, None, outputs, layer=True)
        if contained:
            self.leave(name, listed, outputs, layer=False)
        return outputs

    def repeat_step(
        self, step: RepeatStep, taken: tuple[Tensor, ...], frame: Frame, table: Table, j: int
    ) -> tuple[Tensor, ...]:
        dense = step.dense is not None and step.dense.evaluate(frame.env)
        before = list(taken)
        frame.previous = taken
        for number in range(step.count.evaluate(frame.env)):
            frame.env["j"] = number
            if dense and len(before) > 1:
                frame.previous = self.joined(before, step, frame)
            if not frame.inside:
                self.set_input(frame, frame.previous)
            self.table(step.body, frame)
            before.append(self.single(frame, step.body))
        frame.env["j"] = 0
        if dense and len(before) > 1:
            return self.joined(before, step, frame)
        return frame.previous

    def joined(self, before: list[Tensor], step: Step, frame: Frame) -> tuple[Tensor, ...]:
        name = self.fresh(self.join_path(frame.path, "concat"))
        outputs = self.emit(OPS["concat"](), name, name, tuple(before), step, frame)
        self.leave(name, None, outputs, layer=True)
        return outputs

    def side(self, step: SideStep, frame: Frame) -> None:
        """Run a path that ends in an output of its own; it belongs to the head's scope."""
        taken = self.take(step.wiring, frame)
        inner = frame.path_from(taken[0], "step {} of the side path", frame.path)
        scope, self.scope = self.scope, "head"
        self.table(step.body, inner)
        self.scope = scope
        self.sides.append(self.single(inner, step.body).edge)
        self.check_declared(inner)

    # Nodes

    def follow(
        self,
        followers: tuple[Follower, ...],
        layer: str,
        outputs: tuple[Tensor, ...],
        step: Step,
        frame: Frame,
    ) -> tuple[Tensor, ...]:
        """Put the ops behind a step that its keys ask for."""
        for follower in followers:
            setting = follower.setting.evaluate(frame.env)
            if setting in (False, "none"):
                continue
            values = {key: bound.evaluate(frame.env) for key, bound in follower.fields.items()}
            if isinstance(setting, str):
                values["function"] = setting
            op = follower.op(**values)
            outputs = self.emit(op, f"{layer}/{op.word}", layer, outputs, step, frame)
        return outputs

    def emit(
        self,
        op: Op,
        name: str,
        layer: str,
        taken: tuple[Tensor, ...],
        step: Step,
        frame: Frame,
    ) -> tuple[Tensor, ...]:
        """Add a node, infer its shapes and state its facts."""
        least, most = op.inputs
        if len(taken) < least or (most is not None and len(taken) > most):
            count = f"{least}" if most == least else f"at least {least}"
            hint = "name outputs with out: and list them, in: [x, _]" if least > 1 else None
            raise WiringError(
                f"{op.word} takes {count} input{'s' * (least > 1)}, not {len(taken)}",
                step.wiring.loc,
                hint,
            )
        self.spend(len(taken), step.wiring)
        try:
            stride, rate = max(each.stride for each in taken), max(each.rate for each in taken)
            if self.output_stride is not None and op.windowed:
                op, stride, rate = self.atrous(op, stride, rate, taken[0].shape)
            elif op.windowed:
                window = op.geometry((taken[0].shape,)).stride
                stride *= max(window) if window else 1
            shapes = tuple(each.shape for each in taken)
            outputs = op.shapes(shapes)
            facts = op.facts(shapes, outputs)
        except MbprofError as error:
            raise self.placed(error, step) from None
        number = len(self.nodes)
        self.nodes.append(
            Node(
                name,
                op,
                tuple(each.edge for each in taken),
                shapes,
                outputs,
                layer,
                frame.block,
                frame.unit,
                self.scope,
                facts,
            )
        )
        self.locs.append(step.wiring.loc)
        return tuple(
            Tensor(Edge(number, port), shape, stride, rate) for port, shape in enumerate(outputs)
        )

    def spend(self, amount: int, wiring: Wiring) -> None:
        """Count steps and edges, so that no spec expands without end."""
        self.budget -= amount
        if self.budget < 0:
            raise LimitError(
                f"the network expands to more than {MAX_STEPS:,} steps",
                wiring.loc,
                "lower the repeats (n, repeat)",
            )

    def atrous(self, op: Any, stride: int, rate: int, shape: Shape) -> tuple[Op, int, int]:
        """Turn a stride into dilation once the output stride is reached.

        The op that would have strided keeps the rate so far, those behind it multiply it.
        """
        own = op.geometry((shape,)).stride
        factor = max(own)
        if factor > 1 and stride >= self.output_stride:
            op, rate_after = op.at_rate((1, 1), rate), rate * factor
            return op, stride, rate_after
        if factor > 1 and stride * factor > self.output_stride:
            raise KnobError(
                f"output_stride {self.output_stride} cannot be reached: the strides go from "
                f"{stride} to {stride * factor}"
            )
        return (op.at_rate(own, rate) if rate > 1 else op), stride * factor, rate

    def placed(self, error: MbprofError, step: Step) -> MbprofError:
        """Point at the field that is at fault, where the op says which one it is."""
        if isinstance(error, ShapeError) and error.letter and isinstance(step, OpStep):
            attribute = step.op.letters[error.letter].attribute
            if attribute in step.fields:
                return error.at(step.fields[attribute].loc)
        return error.at(step.wiring.loc)

    # Names, blocks and widths

    def join_path(self, path: str, name: str) -> str:
        return f"{path}/{name}" if path else name

    def name(
        self, wiring: Wiring, word: str, frame: Frame, table: Table, j: int
    ) -> tuple[str, Scalar | None]:
        """Return the layer's name, and the scalar that gave it if it was given."""
        template = wiring.name or table.names
        if template is None:
            default = word if frame.path or frame.inside else f"{word}_{frame.env['i']}"
            return self.fresh(self.join_path(frame.path, default)), None
        text = template.fill(frame.env)
        if not text:
            raise SpecError("the layer's name is empty", template.scalar.loc)
        if j and not template.mentions("i", "j"):
            text += f"_{j + 1}"
        if not template.mentions("row"):
            text = self.join_path(frame.path, text)
        return text, template.scalar

    def fresh(self, name: str) -> str:
        """Return the name, with a number behind it if it is taken."""
        if name not in self.layer_names:
            return name
        number = 2
        while f"{name}_{number}" in self.layer_names:
            number += 1
        return f"{name}_{number}"

    def enter(self, name: str, word: str, frame: Frame) -> None:
        if not frame.inside:
            frame.block, frame.unit = name, word

    def leave(
        self,
        name: str,
        given: Scalar | None,
        outputs: tuple[Tensor, ...],
        layer: bool,
    ) -> None:
        """Book the name of a finished layer or block; stop if it is the final endpoint."""
        if layer:
            if name in self.layer_names and given is not None:
                raise SpecError(
                    f"two layers are named {name!r}",
                    given.loc,
                    "put {i}, {j} or {row} into the name",
                )
            self.layer_names[name] = given.loc if given else None
        if self.scope == "body" and (layer or self.spec.endpoints == "all"):
            self.endpoints.append(name)
            if name == self.stop_at and len(outputs) == 1:
                raise _Stop(outputs[0])

    def rules(self, wiring: Wiring, frame: Frame) -> Iterator[tuple[str, Expr, dict[str, Any]]]:
        for key, rule in (wiring.width or self.spec.width).items():
            yield key, rule, frame.env

    def scaled(
        self, wiring: Wiring, op: type[Op], values: Mapping[str, Any], frame: Frame
    ) -> Iterator[tuple[str, int]]:
        """Yield the fields of an op that a width rule scales."""
        for key, rule, env in self.rules(wiring, frame):
            letter = op.letters.get(key)
            if letter is not None and letter.attribute in values:
                yield letter.attribute, self.by_rule(rule, {**env, key: values[letter.attribute]})

    def by_rule(self, rule: Expr, env: Mapping[str, Any]) -> int:
        return whole(rule(env), 1, rule.scalar.loc)


def _counters(env: Mapping[str, Any]) -> dict[str, Any]:
    return {key: env[key] for key in ("i", "j", "stage", "branch")}


_STEPS: dict[type, Callable[..., tuple[Tensor, ...]]] = {
    OpStep: _Builder.op_step,
    BlockStep: _Builder.block_step,
    BranchStep: _Builder.branch_step,
    RepeatStep: _Builder.repeat_step,
}

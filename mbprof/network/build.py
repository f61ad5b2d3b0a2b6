"""A spec at some values to a graph: rows, blocks and branches are expanded until nodes are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mbprof.errors import KnobError, MbprofError, SpecError, UnusedError, WiringError, nearest
from mbprof.language.source import Scalar
from mbprof.language.values import Value
from mbprof.network.frame import Frame, Nodes, Tensor, Tensors
from mbprof.network.graph import IMAGE, Edge, Graph
from mbprof.ops import OPS
from mbprof.ops.fields import whole
from mbprof.spec.model import COUNTERS, Definition, Step, Table, Wiring
from mbprof.spec.steps import (
    BlockStep,
    BranchStep,
    ChosenStep,
    OpStep,
    RepeatStep,
    SideStep,
    TableStep,
)
from mbprof.symbolic.arithmetic import rounded

MAX_DEPTH = 32


class _Stop(Exception):
    """The final endpoint is reached; the argument is its tensor."""


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
        self.nodes = Nodes(knobs.get("output_stride"), spec.calls)
        self.made: Counter[str] = Counter()
        self.layers: set[str] = set()
        self.endpoints: list[str] = []
        self.sides: list[Edge] = []
        self.stop_at = knobs.get("final_endpoint")

    def graph(self) -> Graph:
        spec, nodes = self.spec, self.nodes
        image = Tensor(Edge(IMAGE), (spec.channels.evaluate(self.knobs), *self.resolution()))
        env = {**self.knobs, **dict.fromkeys(COUNTERS, 0), "row": ""}
        frame = Frame(env, (image,), {"x": image}, {})
        try:
            self.table(spec.body, frame)
            if self.stop_at is not None:
                name = str(self.stop_at)
                hint = nearest(name, self.endpoints)
                raise KnobError(f"{spec.name} has no endpoint {name!r}", None, hint)
            if spec.head is not None:
                nodes.scope, frame.place = "head", "row {} of the head"
                self.table(spec.head, frame)
            frame.close()
        except _Stop as stop:
            return Graph(tuple(nodes.nodes), image.shape, ()).cut(stop.args[0].edge)
        last = frame.single(spec.body)
        if last.edge.node == IMAGE:
            raise SpecError("the network has no layers with these knobs", spec.body.loc)
        graph = Graph(tuple(nodes.nodes), image.shape, (last.edge, *self.sides))
        for edge in graph.unused():
            raise UnusedError(
                f"the output of {graph.name_of(edge)} is never used",
                graph.nodes[edge.node].trail[-1],
                "take it with in:, or leave the step out with when:",
            )
        return graph

    def resolution(self) -> tuple[int, int]:
        """Return the size of the image: the knob, times the spec's scale if it has one."""
        res: Any = self.knobs["res"]
        if self.spec.scale is None:
            return res[0], res[1]
        factor, loc = self.spec.scale.evaluate(self.knobs), self.spec.scale.loc
        high, wide = (whole(rounded(size * factor), 1, loc) for size in res)
        return high, wide

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
                step_in = f"in {place} ({loc.source.name}:{loc.line})"
                raise error.at(loc).through(step_in, loc) from None

    def row(self, step: Step, frame: Frame, table: Table) -> int:
        """Run one row as often as it is repeated, and return how often that was."""
        wiring = step.wiring
        if not frame.inside:
            frame.look_at(frame.take(wiring)[0] if wiring.inputs else frame.previous[0])
        if wiring.when is not None and not wiring.when.evaluate(frame.env):
            frame.pass_by(wiring)
            return 0
        if wiring.times is None:
            self.step(step, frame, table, 0)
            return 1
        times: int = wiring.times.evaluate(frame.env)
        if times and (rule := self.width_rules(wiring, frame).get("n")) is not None:
            times = rule(times)
        first = frame.env["i"]
        for j in range(int(times)):
            frame.env.update(i=first + j, j=j)
            if j and not frame.inside:
                frame.look_at(frame.previous[0])
            self.step(step, frame, table, j)
        frame.env.update(i=first, j=0)
        return times

    def step(self, step: Step, frame: Frame, table: Table, j: int) -> None:
        """Run one step once and make its output the previous one."""
        wiring = step.wiring
        self.nodes.spend(1, wiring)
        frame.template, frame.turn = wiring.name or table.names, j
        taken = frame.take(wiring) if j == 0 else frame.previous
        frame.previous = _STEPS[type(step)](self, step, taken, frame)
        if wiring.outputs:
            frame.declare(wiring, frame.previous)

    def chosen(self, step: ChosenStep, taken: Tensors, frame: Frame) -> Tensors:
        word = step.chosen.evaluate(frame.env)
        if not isinstance(word, str):
            raise SpecError(f"expected the name of an op or block, found {word}", step.wiring.loc)
        chosen = step.read(word)
        return _STEPS[type(chosen)](self, chosen, taken, frame)

    def op(self, step: OpStep, taken: Tensors, frame: Frame) -> Tensors:
        name = self.enter(step.op.word, frame)
        letters = step.op.letters
        values = {key: bound.evaluate(frame.env) for key, bound in step.fields.items()}
        for letter, rule in self.width_rules(step.wiring, frame).items():
            if letter in letters and (key := letters[letter].attribute) in values:
                values[key] = rule(values[key])
        if frame.turn and "stride" in values:
            values["stride"] = (1, 1)
        if (padding := letters.get("p")) and values.get("padding", padding.default) == "same":
            values["padding"] = self.spec.padding
        outputs = self.nodes.layer(step.op(**values), name, taken, step.after, step, frame)
        self.leave(name, frame.given, outputs, layer=True)
        return outputs

    def block(self, step: BlockStep, taken: Tensors, frame: Frame) -> Tensors:
        block = self.spec.blocks[step.block]
        if step.block in frame.inside or len(frame.inside) >= MAX_DEPTH:
            chain = " -> ".join((*frame.inside, step.block))
            raise WiringError(f"block {step.block} contains itself: {chain}", step.wiring.loc)
        if len(taken) != len(block.inputs):
            raise WiringError(
                f"block {block.name} takes {len(block.inputs)} inputs, not {len(taken)}",
                step.wiring.loc,
            )
        name = self.enter(step.block, frame)
        values = {key: bound.evaluate(frame.env) for key, bound in step.arguments.items()}
        for letter, rule in self.width_rules(step.wiring, frame).items():
            if letter in values:
                values[letter] = rule(values[letter])
        if frame.turn and "s" in values:
            values["s"] = 1
        inner = replace(
            frame,
            env={**self.knobs, **{key: frame.env[key] for key in COUNTERS}, "row": name},
            previous=taken[:1],
            outputs=dict(zip(block.inputs, taken, strict=True)),
            declared={},
            path=name,
            inside=(*frame.inside, step.block),
            place=f"step {{}} of block {step.block}",
            trail=(*frame.trail, step.wiring.loc),
        )
        inner.look_at(taken[0])
        for key, argument in block.takes.items():
            if key in values:
                inner.env[key] = values[key]
            elif argument.default is not None:
                inner.env[key] = argument.default.evaluate(inner.env)
        self.table(block.body, inner)
        inner.close()
        self.leave(name, None, inner.previous, layer=False)
        return inner.previous

    def branch(self, step: BranchStep, taken: Tensors, frame: Frame) -> Tensors:
        """A step with a name, or at the top, holds what is in its branches under that name."""
        word = step.join.word
        holds = not frame.inside or frame.given is not None
        name = self.enter(word, frame) if holds else frame.path
        ends: list[Tensor] = []
        for number, branch in enumerate(step.branches):
            inner = frame.path_from(taken[0], f"step {{}} of branch {number + 1}", name, number)
            self.table(branch, inner)
            ends.append(inner.single(branch))
            inner.close()
        layer = self.default(name, word)
        outputs = self.nodes.layer(step.join(), layer, tuple(ends), step.after, step, frame)
        self.leave(layer, None, outputs, layer=True)
        if holds:
            self.leave(name, None, outputs, layer=False)
        return outputs

    def repeat(self, step: RepeatStep, taken: Tensors, frame: Frame) -> Tensors:
        dense = step.dense is not None and step.dense.evaluate(frame.env)
        before = list(taken)
        frame.previous = taken
        for number in range(int(step.count.evaluate(frame.env))):
            self.nodes.spend(1, step.wiring)
            frame.env["j"] = number
            if dense and len(before) > 1:
                frame.previous = self.joined(before, step, frame)
            if not frame.inside:
                frame.look_at(frame.previous[0])
            self.table(step.body, frame)
            before.append(frame.single(step.body))
        frame.env["j"] = 0
        return self.joined(before, step, frame) if dense and len(before) > 1 else frame.previous

    def joined(self, before: list[Tensor], step: Step, frame: Frame) -> Tensors:
        name = self.default(frame.path, "concat")
        outputs = self.nodes.layer(OPS["concat"](), name, tuple(before), (), step, frame)
        self.leave(name, None, outputs, layer=True)
        return outputs

    def side(self, step: SideStep, taken: Tensors, frame: Frame) -> Tensors:
        """Run a path that ends in an output of its own; it belongs to the head's scope."""
        before = frame.previous
        inner = frame.path_from(taken[0], "step {} of the side path", frame.path)
        scope, side = self.nodes.scope, self.nodes.side
        self.nodes.scope, self.nodes.side = "head", True
        self.table(step.body, inner)
        self.nodes.scope, self.nodes.side = scope, side
        self.sides.append(inner.single(step.body).edge)
        inner.close()
        return before

    def nested(self, step: TableStep, taken: Tensors, frame: Frame) -> Tensors:
        frame.previous = taken
        self.table(step.body, frame)
        return frame.previous

    def default(self, path: str, word: str) -> str:
        """Return a name for a step that has none: numbered at the top, else where it must be."""
        name = f"{path}/{word}" if path else word
        self.made[name] += 1
        number = self.made[name]
        return name if path and number == 1 else f"{name}_{number}"

    def enter(self, word: str, frame: Frame) -> str:
        """Return the name of the layer or block that begins; at the top it begins a block."""
        template = frame.template
        if template is None:
            name = self.default(frame.path, word)
        else:
            name = template.fill(frame.env)
            if not name:
                raise SpecError("the layer's name is empty", template.scalar.loc)
            if frame.turn and not template.mentions("i", "j"):
                name += f"_{frame.turn + 1}"
            if frame.path and not template.mentions("row"):
                name = f"{frame.path}/{name}"
        if not frame.inside:
            frame.block, frame.unit = name, word
        return name

    def leave(self, name: str, given: Scalar | None, outputs: Tensors, layer: bool) -> None:
        """Book the name of a finished layer or block; stop if it is the final endpoint."""
        if layer:
            if name in self.layers and given is not None:
                hint = "put {i}, {j} or {row} into the name"
                raise SpecError(f"two layers are named {name!r}", given.loc, hint)
            self.layers.add(name)
        counts = layer or self.spec.endpoints == "all"
        if counts and self.nodes.scope == "body" and len(outputs) == 1:
            self.endpoints.append(name)
            if name == self.stop_at:
                raise _Stop(outputs[0])

    def width_rules(self, wiring: Wiring, frame: Frame) -> dict[str, Callable[[Any], int]]:
        """Return the rules that scale a row's widths; what blocks hand on is scaled already."""
        rules = wiring.width or ({} if frame.inside else self.spec.width)

        def scaled(letter: str, value: Any) -> int:
            rule = rules[letter]
            return whole(rule({**frame.env, letter: value}), 1, rule.scalar.loc)

        return {letter: partial(scaled, letter) for letter in rules}


_STEPS: dict[type, Callable[[_Builder, Any, Tensors, Frame], Tensors]] = {
    OpStep: _Builder.op,
    BlockStep: _Builder.block,
    ChosenStep: _Builder.chosen,
    BranchStep: _Builder.branch,
    RepeatStep: _Builder.repeat,
    SideStep: _Builder.side,
    TableStep: _Builder.nested,
}
"""What is built for each form of a step."""

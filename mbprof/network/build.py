"""A spec at some values to a graph: rows, blocks and branches are expanded until nodes are left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from mbprof.errors import (
    KnobError,
    LimitError,
    MbprofError,
    SpecError,
    WiringError,
    nearest,
)
from mbprof.language.fmt import Shapes, Value, several
from mbprof.language.record import at_once
from mbprof.language.source import Scalar
from mbprof.network.frame import Frame, Tensor, Tensors
from mbprof.network.graph import IMAGE, Call, Edge, Graph, once
from mbprof.network.layers import Layers, Stop
from mbprof.network.optional import (
    Choice,
    Unsettled,
    check_taken,
    either,
    handed_on,
    settled,
    taken_under,
)
from mbprof.network.ports import assembled, images
from mbprof.network.sharing import holders, share
from mbprof.network.widths import compare, scaling
from mbprof.ops import OPS
from mbprof.ops.fields import Bound
from mbprof.spec import steps
from mbprof.spec.knobs import COUNTERS
from mbprof.spec.model import Block, Definition, Step, Table
from mbprof.symbolic.symbols import Whole, is_open


class _Met(Exception):
    """The block that is looked for is called; the arguments are its inputs and what it is given."""


@at_once
def build(
    spec: Definition,
    knobs: Mapping[str, Value],
    costed: bool = True,
    asked: Collection[int | None] = (),
) -> Graph:
    """Compile a spec for one set of knob values, which are checked already.

    Without ``costed`` the graph has shapes only; whether there is one does not depend on costs.
    Where the trace of symbols among the values leaves open what is there, ``asked`` are the steps
    that it is asked of nevertheless.
    Raises: Unsettled: one more has to be asked. ShapeError, WiringError, SpecError,
    ExpressionError, LimitError, KnobError: with the place in the spec and the way through its
    blocks.
    """
    builder = _Builder(spec, knobs, costed, asked=asked)
    try:
        return builder.graph()
    except MbprofError:
        # What is wrong may be so only for some of those whose structure is left open.
        if builder.opened:
            raise Unsettled(None) from None
        raise


def first_call(
    spec: Definition, knobs: Mapping[str, Value], block: str
) -> tuple[Shapes, dict[str, Value]] | None:
    """Return what the first call of a block takes, and its arguments; None if there is none.

    Raises: MbprofError: see `build`.
    """
    try:
        _Builder(spec, knobs, sought=block).graph()
    except _Met as call:
        return call.args[0], call.args[1]
    return None


class _Builder(Layers):
    def graph(self) -> Graph:
        spec = self.spec
        starts = images(spec, self.knobs)
        tensors = [Tensor(Edge(IMAGE, port), image.shape) for port, image in enumerate(starts)]
        names = [image.name for image in starts] if starts[1:] else ["x"]
        env = {**self.knobs, **dict.fromkeys(COUNTERS, 0), "row": ""}
        ports = {} if len(starts) == 1 else {i.name: Scalar(i.name, i.loc) for i in spec.inputs}
        frame = Frame(env, tuple(tensors[:1]), dict(zip(names, tensors, strict=True)), ports)
        try:
            self.table(spec.body, frame)
            if self.stop_at is not None:
                name = str(self.stop_at)
                knob = spec.knobs["final_endpoint"]
                place = knob.loc if name == knob.default else None
                wrong = f"{spec.name} has no endpoint {name!r}"
                raise KnobError(wrong, place, nearest(name, self.endpoints))
            if spec.head is not None:
                self.scope, frame.place = "head", "row {} of the head"
                self.table(spec.head, frame)
            results = frame.results(spec.outputs) or (frame.single(spec.body),)
            idle = [name for name in names if ports.pop(name, None)]
            frame.close()
        except Stop as stop:
            graph = Graph(tuple(self.nodes), starts, ()).cut(stop.args[0].edge)
            return replace(graph, nodes=once(graph.nodes))
        if self.opened:
            results = taken_under(results, 1)
            ends = (*(result.edge for result in results), *self.sides)
            check_taken(self.nodes, ends, self.choices)
        handed_on = {choice.without for choice in self.choices}
        return assembled(spec, self.nodes, starts, results, self.sides, idle, handed_on)

    def table(self, table: Table, frame: Frame) -> None:
        """Run the steps of a table; rows are counted at the top and where a table names them."""
        if self.depth >= steps.MAX_TABLES:
            message = f"steps are nested deeper than {steps.MAX_TABLES} levels"
            raise LimitError(message, table.loc)
        self.depth += 1
        self.rows(table, frame)
        self.depth -= 1

    def rows(self, table: Table, frame: Frame) -> None:
        counted = table.names is not None or not frame.inside
        i = 0
        for stage, step in enumerate(table.steps):
            if counted:
                frame.env.update(i=i, j=0, stage=stage)
            try:
                i += self.row(step, frame, table)
            except MbprofError as error:
                loc = step.wiring.loc
                step_in = f"in {frame.place.format(stage + 1)} ({loc.source.name}:{loc.line})"
                raise error.at(loc).through(step_in, loc) from None

    def row(self, step: Step, frame: Frame, table: Table) -> Any:
        """Run one row as often as it is repeated, and return how often that was."""
        wiring = step.wiring
        if not frame.inside:
            frame.look_at(frame.take(wiring)[0] if wiring.inputs else frame.previous[0])
        self.work.take(step)
        there = self.there(wiring.when, step, frame)
        if there is False or self.no_scores(step, frame):
            self.work.spend(1, wiring.loc)
            frame.pass_by(step)
            return 0
        if wiring.times is None:
            self.work.spend(1, wiring.loc)
            self.perhaps(there, step, frame, table, 0)
            return int(there) if isinstance(there, bool) else there
        times: Any = wiring.times.evaluate(frame.env)
        rule = scaling(self.spec.width, wiring, frame).get("n")
        if rule is not None and times:
            times = rule(times)
        least, rounds = self.rounds(times, step)
        self.begin(step, rounds)
        if not rounds:
            frame.leave_out(step)
        first = frame.env["i"]
        for j in range(rounds):
            frame.env.update(i=first + j, j=j)
            if j:
                self.work.take(step)
            if j and not frame.inside:
                frame.look_at(frame.previous[0])
            present = there if j < least else (times > j).flag * there
            # What the first round hands on may have another shape than what it takes.
            known = (times > 0).flag if j and not least else 1
            self.perhaps(present * known, step, frame, table, j)
        frame.env.update(i=first, j=0)
        return times * there

    def begin(self, step: Step, rounds: int) -> None:
        """Count rounds, and refuse those whose steps are too many before the first of them."""
        self.work.spend(rounds, step.wiring.loc)
        self.work.afford(rounds * _least(step, self.spec.blocks), step.wiring.loc)

    def there(self, condition: Bound | None, step: Step, frame: Frame) -> Any:
        """Return whether a condition lets a step be there, as a symbol where that is left open."""
        if condition is None:
            return True
        answer = condition.evaluate(frame.env)
        if not is_open(answer) or not self.may(step):
            return bool(answer)
        self.opened = True
        return answer.flag

    def rounds(self, times: Any, step: Step) -> tuple[int, int]:
        """Return how often a step is repeated at least and at most."""
        if isinstance(times, Whole) and times.trace.open and self.may(step):
            self.opened = True
            return max(0, times.low), times.high
        return int(times), int(times)

    def may(self, step: Step) -> bool:
        """Whether it may be left open that a step is there."""
        return id(step) not in self.asked and None not in self.asked and self.stop_at is None

    def perhaps(self, present: Any, step: Step, frame: Frame, table: Table, j: int) -> None:
        """Run a step that may not be there, and hand on what holds in either case."""
        if not isinstance(present, Whole):
            self.step(step, frame, table, j)
            return
        before, names = frame.previous, handed_on(step, frame, j)
        outer, self.present = self.present, self.present * present
        try:
            self.step(step, frame, table, j)
        except MbprofError:
            raise Unsettled(id(step)) from None
        self.present = outer
        frame.previous = self.either(step, present, frame.previous, before)
        for name, tensor in names.items():
            there = (frame.outputs[name],)
            (frame.outputs[name],) = self.either(step, present, there, (tensor,))

    def either(self, step: Step, flag: Whole, there: Tensors, without: Tensors) -> Tensors:
        tensors = either(step, flag, there, without)
        edges = ((yes.edge, no.edge) for yes, no in zip(there, without, strict=True))
        self.choices += (Choice(*pair) for pair in edges if pair[0] != pair[1])
        return tensors

    def no_scores(self, step: Step, frame: Frame) -> bool:
        """Whether a step is left out since there are no classes to score."""
        wiring = step.wiring
        if wiring.scores is not None and wiring.scores(frame.env) == 0:
            self.bare.update(tensor.edge for tensor in (*frame.take(wiring), *frame.previous))
            return True
        ranks = isinstance(step, steps.OpStep) and step.op.ranks and bool(self.bare)
        return ranks and not self.bare.isdisjoint(tensor.edge for tensor in frame.take(wiring))

    def step(self, step: Step, frame: Frame, table: Table, j: int) -> None:
        """Run one step once and make its output the previous one."""
        wiring = step.wiring
        frame.template, frame.turn = wiring.name or table.names, j
        idle = isinstance(step, steps.OpStep) and step.op.inputs == (0, 0) and not wiring.inputs
        taken = () if idle else frame.take(wiring) if j == 0 else frame.previous
        if self.opened:
            taken = taken_under(taken, self.present)
        if wiring.stated is not None and j == 0:
            compare(self.spec.width, wiring.stated, taken, frame)
        start = len(self.nodes)
        made = _STEPS[type(step)](self, step, taken, frame)
        if wiring.share is not None:
            if self.opened:
                raise Unsettled(None)
            own = holders(self.nodes, start)
            if (first := frame.shares.setdefault(wiring.share.text, own)) is not own:
                share(self.nodes, wiring.share, first, own)
        if wiring.outputs:
            frame.declare(wiring, made)
        # An op that takes nothing, such as a trained tensor, leaves the previous output as it is.
        if made[0].edge.node < start or self.nodes[made[0].edge.node].inputs:
            frame.previous = made

    def chosen(self, step: steps.ChosenStep, taken: Tensors, frame: Frame) -> Tensors:
        word = step.chosen.evaluate(frame.env)
        if not isinstance(word, str):
            raise SpecError(f"expected the name of an op or block, found {word}", step.wiring.loc)
        chosen = step.read(word)
        return _STEPS[type(chosen)](self, chosen, taken, frame)

    def op(self, step: steps.OpStep, taken: Tensors, frame: Frame) -> Tensors:
        name = self.enter(step.op.word, frame)
        letters = step.op.letters
        values = {key: settled(bound.evaluate(frame.env)) for key, bound in step.fields.items()}
        for letter, rule in scaling(self.spec.width, step.wiring, frame).items():
            if letter in letters and (key := letters[letter].attribute) in values:
                values[key] = rule(values[key])
        if frame.turn and "stride" in values:
            values["stride"] = (1, 1)
        if (padding := letters.get("p")) and values.get("padding", padding.default) == "same":
            values["padding"] = self.spec.padding
        op = step.op(**values)
        return self.layer(self.norm(op, taken[0]) if taken else op, name, taken, step, frame)

    def block(self, step: steps.BlockStep, taken: Tensors, frame: Frame) -> Tensors:
        block = self.spec.blocks[step.block]
        if step.block in frame.inside:
            chain = " -> ".join((*frame.inside, step.block))
            raise WiringError(f"block {step.block} contains itself: {chain}", step.wiring.loc)
        if len(frame.inside) >= steps.MAX_CHAIN:
            message = f"blocks call one another deeper than {steps.MAX_CHAIN} levels"
            raise LimitError(message, step.wiring.loc)
        if len(taken) != len(block.inputs):
            takes = several(len(block.inputs), "input")
            message = f"block {block.name} takes {takes}, not {len(taken)}"
            raise WiringError(message, step.wiring.loc)
        name = self.enter(step.block, frame)
        values = {key: bound.evaluate(frame.env) for key, bound in step.arguments.items()}
        for letter, rule in scaling(self.spec.width, step.wiring, frame).items():
            if letter in values:
                values[letter] = rule(values[letter])
        if step.block == self.sought:
            raise _Met(tuple(tensor.shape for tensor in taken), values)
        if frame.turn and "s" in values:
            values["s"] = 1
        inner = replace(
            frame,
            env={**self.knobs, **{key: frame.env[key] for key in COUNTERS}, "row": name},
            previous=taken[:1],
            outputs=dict(zip(block.inputs, taken, strict=True)),
            declared={},
            shares={},
            path=name,
            outer=(),
            inside=(*frame.inside, step.block),
            place=f"step {{}} of block {step.block}",
            trail=(*frame.trail, step.wiring.loc),
        )
        inner.look_at(taken[0])
        self.work.read(8 * len(block.takes) + len(self.knobs), step.wiring.loc)
        for key, argument in block.takes.items():
            if key in values:
                inner.env[key] = values[key]
            elif argument.default is not None:
                inner.env[key] = argument.default.evaluate(inner.env)
        self.called += 1
        arguments = {key: inner.env[key] for key in block.takes}
        call = Call(self.called, step.block, name, arguments, frozenset(values))
        inner.calls = (*frame.calls, call)
        self.table(block.body, inner)
        outputs = inner.results(block.outputs) or inner.previous
        inner.close()
        return self.leave(name, outputs, layer=False)

    def branch(self, step: steps.BranchStep, taken: Tensors, frame: Frame) -> Tensors:
        """A step with a name, or at the top, holds what is in its branches under that name."""
        word = step.join.word
        holds = not frame.inside or frame.given is not None
        name = self.enter(word, frame) if holds else frame.path
        ends: list[Tensor] = []
        for number, branch in enumerate(step.branches):
            place = f"step {{}} of branch {number + 1}"
            copies = self.copies(branch, frame)
            if not copies:
                frame.leave_out(branch)
            for _ in range(copies):
                self.work.spend(1, branch.loc)
                self.work.read(len(frame.outputs) + len(frame.env), branch.loc)
                inner = frame.path_from(taken[0], place, name, len(ends))
                self.table(branch, inner)
                ends.append(inner.single(branch))
                inner.close()
        # A join of one is none; what follows it stays.
        join = step.join() if len(ends) > 1 else None
        ends = ends or [taken[0]]
        outputs = self.layer(join, self.names.default(name, word), tuple(ends), step, frame)
        return self.leave(name, outputs, layer=False) if holds else outputs

    def copies(self, branch: Table, frame: Frame) -> int:
        """Return how often a branch is there: not at all where its condition is false."""
        if branch.when is not None and not branch.when.evaluate(frame.env):
            return 0
        return 1 if branch.times is None else int(branch.times.evaluate(frame.env))

    def repeat(self, step: steps.RepeatStep, taken: Tensors, frame: Frame) -> Tensors:
        dense = step.dense is not None and step.dense.evaluate(frame.env)
        before = list(taken)
        frame.previous = taken
        times = step.count.evaluate(frame.env)
        least, count = (int(times),) * 2 if dense else self.rounds(times, step)
        self.begin(step, count)
        if not count:
            frame.leave_out(step)
        for number in range(count):
            frame.env["j"] = number
            if dense and len(before) > 1:
                frame.previous = self.joined(before, step, frame)
            if not frame.inside:
                frame.look_at(frame.previous[0])
            if number < least:
                self.table(step.body, frame)
            else:
                self.perhaps_again((times > number).flag, step, frame)
            before.append(frame.single(step.body))
        frame.env["j"] = 0
        return self.joined(before, step, frame) if dense and len(before) > 1 else frame.previous

    def perhaps_again(self, present: Any, step: steps.RepeatStep, frame: Frame) -> None:
        """Run the steps of a repeat that may not be there once more."""
        before, names = frame.previous, dict(frame.outputs)
        outer, self.present = self.present, self.present * present
        try:
            self.table(step.body, frame)
        except MbprofError:
            raise Unsettled(id(step)) from None
        self.present = outer
        if names.keys() != frame.outputs.keys():
            raise Unsettled(id(step))
        frame.previous = self.either(step, present, frame.previous, before)
        for name, tensor in names.items():
            there = (frame.outputs[name],)
            (frame.outputs[name],) = self.either(step, present, there, (tensor,))

    def joined(self, before: list[Tensor], step: Step, frame: Frame) -> Tensors:
        name = self.names.default(frame.path, "concat")
        return self.layer(OPS["concat"](), name, tuple(before), step, frame)

    def side(self, step: steps.SideStep, taken: Tensors, frame: Frame) -> Tensors:
        """Run a path that ends in an output of its own; it belongs to the head's scope."""
        before = frame.previous
        inner = frame.path_from(taken[0], "step {} of the side path", frame.path)
        self.work.read(len(frame.outputs) + len(frame.env), step.wiring.loc)
        scope, aside = self.scope, self.aside
        self.scope, self.aside = "head", True
        self.table(step.body, inner)
        self.scope, self.aside = scope, aside
        self.sides.append(inner.single(step.body).edge)
        inner.close()
        return before

    def nested(self, step: steps.TableStep, taken: Tensors, frame: Frame) -> Tensors:
        frame.previous = taken
        self.table(step.body, frame)
        return frame.previous


def _least(step: Step, blocks: Mapping[str, Block], depth: int = 4) -> int:
    """Return how many steps a round of a row takes at least: of the ops that are surely there."""
    if isinstance(step, steps.OpStep):
        return 2 + step.op.inputs[0]
    tables = (blocks[step.block].body,) if isinstance(step, steps.BlockStep) else step.tables
    inner = [row for table in tables if table.when is table.times is None for row in table.steps]
    sure = [
        row
        for row in inner
        if not any((row.wiring.when, row.wiring.times, row.wiring.scores))
        and not isinstance(row, steps.RepeatStep | steps.SideStep | steps.ChosenStep)
        and not (isinstance(row, steps.OpStep) and row.op.ranks)
    ]
    return sum(1 + _least(row, blocks, depth - 1) for row in sure) if depth else 0


_STEPS: dict[type, Callable[[_Builder, Any, Tensors, Frame], Tensors]] = {
    steps.OpStep: _Builder.op,
    steps.BlockStep: _Builder.block,
    steps.ChosenStep: _Builder.chosen,
    steps.BranchStep: _Builder.branch,
    steps.RepeatStep: _Builder.repeat,
    steps.SideStep: _Builder.side,
    steps.TableStep: _Builder.nested,
}
"""What is built for each form of a step."""

"""A foreign network on its way in: ops on named tensors, and the flat spec that they make."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mbprof.errors import ExchangeError, MbprofError
from mbprof.language.fmt import Shape, Shapes, show
from mbprof.language.record import NamedTuple
from mbprof.ops import Op
from mbprof.ops.base import Letter
from mbprof.ops.form import Split
from mbprof.ops.unknown import Unknown
from mbprof.spec.knobs import LARGEST_RES
from mbprof.spec.reader import RESERVED

_LONGEST = 200
"""Characters of a layer's name that are kept."""
_CALLS = 255
"""So many layers of an op can have a call of their own."""
_READ = 500_000
"""So many characters of such calls may be read in all."""
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"}
"""What YAML does not read as a word."""


class Step(NamedTuple):
    """An op of a foreign network: the tensors that it takes and makes, their shapes, its name."""

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Shapes
    name: str
    call: str = ""
    block: str = ""
    share: str = ""


class Image(NamedTuple):
    """An input of a foreign network."""

    tensor: str
    shape: Shape
    name: str


class Draft:
    """A foreign network as ops on named tensors, in execution order; shapes have no batch axis.

    What does not lead to an output is left out of the text.

    >>> from mbprof.ops import OPS
    >>> draft = Draft("tiny", "an example")
    >>> draft.image("x", (3, 8, 8))
    >>> conv = OPS["conv"](channels=4, kernel=(3, 3), padding="valid")
    >>> draft.add(conv, ["x"], ["y"], ((4, 6, 6),), "stem")
    >>> draft.add(OPS["act"](function="relu"), ["y"], ["z"], ((4, 6, 6),), "relu")
    >>> draft.output("z")
    >>> print(draft.text(), end="")
    name: tiny
    source: "an example"
    input: {channels: 3, res: 8}
    body:
      - {op: conv, c: 4, k: 3, p: valid, act: relu, name: stem}
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_") or "network"
        self.source = source
        self.bits: dict[str, int] = {}
        """Bits of a value, by tensor, where a file says them."""
        self.knobs: dict[str, int] = {}
        """What else can be turned, such as an axis that a file leaves open, and its value."""
        self._images: list[Image] = []
        self._steps: list[Step] = []
        self._outputs: dict[str, str] = {}
        self._shapes: dict[str, Shape] = {}
        self._names: Counter[str] = Counter()
        self._unused: list[Step] = []

    @property
    def images(self) -> tuple[Image, ...]:
        """The inputs, in the order of the file."""
        return tuple(self._images)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The ops, in execution order."""
        return tuple(self._steps)

    @property
    def outputs(self) -> dict[str, str]:
        """The tensors that the network gives, with their names."""
        return dict(self._outputs)

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a tensor, without the batch axis.

        Raises: ExchangeError: there is no such tensor yet.
        """
        if tensor not in self._shapes:
            raise ExchangeError(f"{self.source}: nothing makes the tensor {tensor!r} before it")
        return self._shapes[tensor]

    def __contains__(self, tensor: str) -> bool:
        return tensor in self._shapes

    def image(self, tensor: str, shape: Shape, name: str = "") -> None:
        """Add an input: maps (C, H, W), tokens (N, C), or any other shape."""
        self._images.append(Image(tensor, shape, name or tensor))
        self._shapes[tensor] = shape

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        outputs: Sequence[str],
        shapes: Shapes,
        name: str,
        *,
        call: str = "",
        block: str = "",
        share: str = "",
    ) -> None:
        """Add an op; ``shapes`` are what the file says of its outputs.

        Steps of one ``share`` have the same weights.
        Raises: ExchangeError: the op makes other shapes of its inputs, or does not take them.
        """
        taken = tuple(map(self.shape, inputs))
        try:
            made = op.shapes(taken)
        except MbprofError as error:
            raise ExchangeError(f"{self.source}: {name}: {error.message}") from None
        if made != tuple(map(tuple, shapes)):
            own, said = (", ".join(map(show, each)) for each in (made, shapes))
            message = f"{self.source}: {name} makes {own} as {op.word}, and {said} in the file"
            raise ExchangeError(message)
        self._step(op, inputs, outputs, made, name, call, block, share)

    def unknown(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        shapes: Shapes,
        name: str,
    ) -> None:
        """Add something that there is no rule for; the total of the network is incomplete then."""
        op = Unknown(kind=re.sub(r"\W+", "_", kind) or "op", made=tuple(map(tuple, shapes)))
        for tensor in inputs:
            self.shape(tensor)
        self._step(op, inputs, outputs, tuple(map(tuple, shapes)), name, "", "", "")

    def output(self, tensor: str, name: str = "") -> None:
        """Say that a tensor is a result of the network."""
        self.shape(tensor)
        self._outputs.setdefault(tensor, name or tensor)

    def unused(self, op: Op, name: str) -> None:
        """Add stored values that nothing reads, such as a head that only training runs."""
        self._unused.append(Step(op, (), (), op.shapes(()), self._unique(name, op.word)))

    def text(self) -> str:
        """Return the flat spec.

        Raises: ExchangeError: no op leads to an output.
        """
        steps = self._reached()
        if not steps or not self._images:
            raise ExchangeError(f"{self.source}: no op leads from an input to an output")
        lines = [f"name: {quoted(self.name)}", f"source: {quoted(self.source)}"]
        rows, inputs, outputs = _Rows(self, steps).written()
        lines += inputs
        if self.knobs:
            knobs = (f"{name}: {{default: {at}, min: 1}}" for name, at in self.knobs.items())
            lines.append(f"knobs: {{{', '.join(knobs)}}}")
            lines.append("accept: {MB011: said when the file was read; costs are for one image}")
        lines += self._calls(steps)
        if outputs:
            lines.append(f"outputs: [{', '.join(outputs)}]")
        rows += [aside(step.op, step.name) for step in self._unused]
        return "\n".join([*lines, "body:", *rows, ""])

    def _step(
        self,
        op: Op,
        inputs: Sequence[str],
        outputs: Sequence[str],
        shapes: Shapes,
        name: str,
        call: str,
        block: str,
        share: str,
    ) -> None:
        unique = self._unique(name, op.word)
        step = Step(op, tuple(inputs), tuple(outputs), shapes, unique, call, block, share)
        self._steps.append(step)
        self._shapes.update(zip(outputs, shapes, strict=True))

    def _unique(self, name: str, word: str) -> str:
        shown = "".join(c if c.isprintable() and c not in "{}" else "_" for c in name)
        base = shown[-_LONGEST:].strip(" /") or word
        self._names[base] += 1
        while (number := self._names[base]) > 1:
            base = f"{base}_{number}"
            self._names[base] += 1
        return base

    def _reached(self) -> list[Step]:
        """Return the steps that lead to an output; outputs that nobody takes are told apart."""
        taken, kept = set(self._outputs), list[Step]()
        for step in reversed(self._steps):
            if taken.intersection(step.outputs):
                kept.append(step)
                taken.update(step.inputs)
        parts = [part for step in reversed(kept) for part in _parts(step, taken)]
        shared = Counter(step.share for step in parts)
        return [s if shared[s.share] > 1 else s._replace(share="") for s in parts]

    def _calls(self, steps: Sequence[Step]) -> list[str]:
        """Write what a library calls for an op, where it is not what PyTorch itself offers."""
        calls: dict[str, dict[str, str]] = {}
        for step in steps:
            if step.call and step.call != step.op.called:
                calls.setdefault(step.op.function or step.op.word, {})[step.name] = step.call
        lines = []
        for word, names in calls.items():
            usual = Counter(names.values()).most_common(1)[0][0]
            of_word = sum((s.op.function or s.op.word) == word for s in steps)
            own = {"*": usual} if of_word == len(names) else {}
            own |= {_literal(n): c for n, c in names.items() if c != usual or not own}
            said = [f"{quoted(n)}: {quoted(c)}" for n, c in own.items()][:_CALLS]
            # Every layer of the op asks all of them, so that what is read grows with the square.
            while len(said) > 1 and of_word * sum(map(len, said)) > _READ:
                said.pop()
            lines.append(f"  {word}: {{{', '.join(said)}}}")
        return ["calls:", *lines] if lines else []


def _literal(name: str) -> str:
    """Return the pattern that only a name fits."""
    return re.sub(r"([\[*?])", r"[\1]", name)


def _parts(step: Step, taken: set[str]) -> Iterator[Step]:
    """Yield a step without the outputs that nobody takes, for each part a step if it must be."""
    used = [number for number, tensor in enumerate(step.outputs) if tensor in taken]
    if len(used) == len(step.outputs):
        yield step
    elif isinstance(step.op, Unknown):
        shapes = tuple(step.shapes[number] for number in used)
        outputs = tuple(step.outputs[number] for number in used)
        yield step._replace(op=replace(step.op, made=shapes), outputs=outputs, shapes=shapes)
    elif isinstance(step.op, Split):
        for number in used:
            op = replace(step.op, keep=number)
            name = step.name if number == used[0] else f"{step.name}.part{number}"
            outputs, shapes = (step.outputs[number],), (step.shapes[number],)
            yield step._replace(op=op, outputs=outputs, shapes=shapes, name=name)
    else:
        raise ExchangeError(f"{step.name}: an output of {step.op.word} is never used")


def _letters(op: Op) -> list[Letter]:
    return list(op.letters.values())


class _Rows:
    """Writes the rows of steps; what can be a key of the row before it becomes one."""

    def __init__(self, draft: Draft, steps: Sequence[Step]) -> None:
        self.draft, self.steps = draft, steps
        self.uses = Counter(tensor for step in steps for tensor in step.inputs)
        self.uses.update(list(draft.outputs))
        images = [image for image in draft.images if self.uses[image.tensor]]
        self.images = images or list(draft.images[:1])
        self.called: dict[str, str] = {}

    def written(self) -> tuple[list[str], list[str], list[str]]:
        """Return the rows, what is said of inputs, and the names of outputs."""
        inputs = self.inputs()
        ends = self.draft.outputs
        groups, number = [], 0
        while number < len(self.steps):
            group = self.group(number)
            groups.append(group)
            number += len(group)
        last = next((g[-1] for g in reversed(groups) if g[0].inputs), groups[-1][-1])
        plain = [*ends] == [*last.outputs] and len(ends) == 1
        need = set() if plain else set(ends)
        previous: tuple[str, ...] = (self.images[0].tensor,)
        for group in groups:
            taken = group[0].inputs
            need.update(t for t in taken if (t,) != previous)
            if taken:
                previous = group[-1].outputs
        rows = []
        previous = (self.images[0].tensor,)
        for group in groups:
            rows.append(self.row(group, previous, need))
            if group[0].inputs:
                previous = group[-1].outputs
        return rows, inputs, [] if plain else [self.called[tensor] for tensor in ends]

    def inputs(self) -> list[str]:
        several = len(self.images) > 1
        for number, image in enumerate(self.images, 1):
            name = re.sub(r"\W+", "_", image.name, flags=re.ASCII).strip("_")
            taken = name in RESERVED or name in self.called.values() or not name.isidentifier()
            taken = taken or re.fullmatch(r"t\d+", name) is not None
            self.called[image.tensor] = (f"input_{number}" if taken else name) if several else "x"
        if not several:
            return [f"input: {image_of(self.images[0].shape)}"]
        named = (f"  {self.called[i.tensor]}: {image_of(i.shape)}" for i in self.images)
        return ["inputs:", *named]

    def group(self, number: int) -> list[Step]:
        """Return a step with the steps behind it that are keys of its row."""
        group = [self.steps[number]]
        left = list(group[0].op.after)
        for step in self.steps[number + 1 :]:
            before = group[-1].outputs
            word = step.op.word
            if word not in left or step.inputs != before or self.uses[before[0]] != 1:
                break
            if _key(step) is None or step.share or (group[0].share and word != "act"):
                break
            left = left[left.index(word) + 1 :]
            group.append(step)
        return group

    def row(self, group: list[Step], previous: tuple[str, ...], need: set[str]) -> str:
        step = group[0]
        keys = _own_keys(step.op)
        keys += [f"{follower.op.word}: {_key(follower)}" for follower in group[1:]]
        if step.inputs and (len(step.inputs) != 1 or step.inputs != previous):
            last = previous[0] if len(previous) == 1 else ""
            names = [self.called.get(t, "_" if t == last else t) for t in step.inputs]
            keys.append(f"in: {names[0] if len(names) == 1 else _listed(names)}")
        outputs = group[-1].outputs
        if need.intersection(outputs):
            for tensor in outputs:
                if tensor in need:
                    self.called[tensor] = f"t{len(self.called)}"
            names = [self.called.get(tensor, "_") for tensor in outputs]
            keys.append(f"out: {names[0] if len(names) == 1 else _listed(names)}")
        if step.share:
            keys.append(f"share: {quoted(step.share)}")
        return f"  - {{{', '.join(keys)}, name: {quoted(step.name)}}}"


def _own_keys(op: Op) -> list[str]:
    """Return what a row says of its op."""
    keys = [f"op: {op.word}"]
    for key, letter in op.letters.items():
        value = getattr(op, letter.attribute)
        if letter.required or value != letter.default:
            keys.append(f"{key}: {_value(value, letter.kind.word)}")
    return keys


def aside(op: Op, name: str) -> str:
    """Return the row of a stored tensor that no other row takes."""
    stored = f"{{{', '.join(_own_keys(op))}, out: stored, name: {quoted(name)}}}"
    end = f"{{op: identity, in: stored, name: {quoted(f'{name}.unused')}}}"
    return f"  - {{side: [{stored}, {end}]}}"


def _key(step: Step) -> str | None:
    """Return what an op says as a key of the row before it, None if it cannot be one."""
    if step.op.word == "act":
        return step.op.function
    usual = all(getattr(step.op, each.attribute) == each.default for each in _letters(step.op))
    return "true" if usual else None


def image_of(shape: Shape) -> str:
    """Write what an input is: an image if it can be one."""
    if len(shape) == 3 and all(side <= LARGEST_RES for side in shape[1:]):
        c, h, w = shape
        return f"{{channels: {c}, res: {h if h == w else f'{h}x{w}'}}}"
    return f"{{shape: {_listed(shape)}}}"


def _listed(values: Sequence[object]) -> str:
    return f"[{', '.join(map(str, values))}]"


def _value(value: object, kind: str) -> str:
    """Write the value of a key as short as the language reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if not isinstance(value, tuple):
        return repr(value)
    if kind == "shapes":
        return _listed([_listed(shape) for shape in value])
    if kind == "padding" and value[0] == value[1] and value[2] == value[3]:
        value = value[::2]
    if kind in ("pair", "counts", "padding") and len(value) == 2 and value[0] == value[1]:
        return str(value[0])
    return _listed(value)


def quoted(text: str) -> str:
    """Write a text as a value of YAML, with quotes where it needs them.

    >>> quoted("stem.conv"), quoted("no"), quoted("a: b")
    ('stem.conv', '"no"', '"a: b"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)

"""What a spec is once it is read: frozen data with parsed expressions, and the texts in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields, replace
from functools import cache
from typing import Any, ClassVar, TypeVar

from mbprof.errors import LimitError, Loc, SpecError
from mbprof.language.expr import MAX_LENGTH, Expr
from mbprof.language.fmt import Env, Value, plain
from mbprof.language.record import record
from mbprof.language.source import Map, Node, Scalar, Seq
from mbprof.ops import OPS, Op
from mbprof.ops.fields import Bound, Kind, Known, expression
from mbprof.output.model import Brief
from mbprof.spec.knobs import Knob
from mbprof.spec.sections import Budget, Calls, Claim, Stated

T = TypeVar("T")


@record
class Template:
    """A layer name with expressions in braces, such as ``Conv2d_{i}_depthwise``."""

    scalar: Scalar
    parts: tuple[str | Expr, ...]

    @classmethod
    def parse(cls, scalar: Scalar, known: Known) -> Template:
        """Parse the braces.

        Raises: SpecError: a brace without its partner. ExpressionError: see `Expr.parse`.
        """
        parts: list[str | Expr] = []
        text, position = scalar.text, 0
        if len(text) > MAX_LENGTH:
            raise LimitError(f"a name of more than {MAX_LENGTH} characters", scalar.loc)
        while (start := text.find("{", position)) >= 0:
            end = text.find("}", start)
            if end < 0:
                raise SpecError("a '{' without its '}'", scalar.place(start))
            inner = Scalar(text[start + 1 : end], scalar.place(start + 1))
            parts += [text[position:start], expression(inner, known, "an expression")]
            position = end + 1
        parts.append(text[position:])
        return cls(scalar, tuple(part for part in parts if part != ""))

    def mentions(self, *names: str) -> bool:
        """Whether one of the names stands in the braces."""
        return any(
            name in names for part in self.parts if isinstance(part, Expr) for name, _ in part.names
        )

    def fill(self, env: Env) -> str:
        """Return the name.

        Raises: ExpressionError: an expression has no value here.
        """
        return "".join(part if isinstance(part, str) else plain(part(env)) for part in self.parts)


class Part:
    """A part of a spec: a frozen dataclass that holds values, trees and further parts."""

    __slots__ = ()

    def held(self, *kinds: type[T]) -> Iterator[T]:
        """Yield what of some kinds is in it, at any depth."""
        pending = self._values()
        while pending:
            value = pending.pop()
            if isinstance(value, kinds):
                yield value
            elif isinstance(value, Part):
                pending += value._values()
            elif isinstance(value, dict):
                pending += reversed(value.values())
            elif isinstance(value, tuple):
                pending += reversed(value)

    def _values(self) -> list[object]:
        kind: Any = type(self)
        return [getattr(self, name) for name in _backwards(kind)]


@cache
def _backwards(part: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in reversed(fields(part)) if field.name != "loc")


@record
class Wiring(Part):
    """What every step can say: where it stands, what it takes, what its output is called."""

    loc: Loc
    inputs: tuple[Scalar, ...] = ()
    outputs: tuple[Scalar, ...] = ()
    when: Bound | None = None
    times: Bound | None = None
    name: Template | None = None
    width: Mapping[str, Expr] | None = None
    share: Scalar | None = None
    scores: Expr | None = None
    """The ``c`` of a classifier, which is left out where that is 0."""
    stated: Bound | None = None
    """The channels that its first input should have."""


@record
class Follower(Part):
    """An op that a step's key puts behind it: ``bn: true``, ``act: relu6``."""

    op: type[Op]
    setting: Bound
    fields: Mapping[str, Bound]


@record
class Norm(Part):
    """What stands in the place of every batch norm: an op, and its keys."""

    op: type[Op]
    fields: Mapping[str, Bound]


@record
class Step(Part):
    """A row of a table; its forms stand in `mbprof.spec.steps`, one class each.

    ``keys`` are a form's own keys, each with the JSON Schema of its value. ``apart`` are tables
    that start from what the step takes and keep their names to themselves, ``leaves`` says that
    the main line goes on from before the step, and ``drawn`` where a drawing shows the step itself:
    before or behind its tables, or not at all.
    """

    keys: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    apart: ClassVar[bool] = False
    leaves: ClassVar[bool] = False
    drawn: ClassVar[str] = "before"

    wiring: Wiring

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in it."""
        return tuple(self.held(Table))

    @property
    def label(self) -> tuple[str, str]:
        """What it is in a word, and what it says."""
        raise NotImplementedError

    def place(self, op: object, letter: str | None) -> Loc:
        """Return where a key of the step's op stands; the step itself for ops that stand in it."""
        return self.wiring.loc


@record
class Table(Part):
    """Steps in their order, the template of their names; of a branch, if and how often it is."""

    steps: tuple[Step, ...]
    loc: Loc
    names: Template | None = None
    when: Bound | None = None
    times: Bound | None = None


@record
class Argument(Part):
    """An argument of a block: its type, its default and its meaning."""

    name: str
    kind: Kind
    default: Bound | None
    doc: str
    loc: Loc


@record
class Block(Part):
    """A named piece of a network that takes arguments."""

    name: str
    doc: str
    source: str
    takes: Mapping[str, Argument]
    inputs: tuple[str, ...]
    outputs: tuple[Scalar, ...]
    body: Table
    loc: Loc
    shared: bool
    """Whether it comes from the block library rather than from the spec itself."""


@record
class Input(Part):
    """An image, or a tensor of a given shape.

    ``knob`` and ``res`` are the knobs of an image's channels and resolution. Where the first is
    none, or there is none, ``channels`` says it; where the second is none, the network's ``res``.
    ``scale`` is a factor of the resolution, such as that of compound scaling.
    """

    name: str
    knob: str
    res: str
    channels: Bound | None
    scale: Bound | None
    shape: Bound | None
    loc: Loc


@record
class Preset:
    """Knob values that go by a name of their own."""

    name: str
    doc: str
    knobs: Mapping[str, Value]


@record
class Flavour(Part):
    """How one library implements the architecture: what it changes in the spec."""

    name: str
    doc: str
    changes: Map | None


@record
class Definition(Brief, Part):
    """A network as data, read from its text; `mbprof.load` wraps it as a Spec."""

    name: str
    doc: str
    source: str
    family: str
    path: str
    flavour: str | None
    inputs: tuple[Input, ...]
    outputs: tuple[Scalar, ...]
    """The names of the results; without any it is the output of the last row."""
    sizes: Stated | None
    """The sizes that it is meant for, where it says so."""
    padding: str
    pads: bool
    """Whether the spec says whose padding its ``same`` is."""
    scope: str
    endpoints: str
    knobs: Mapping[str, Knob]
    width: Mapping[str, Expr]
    defaults: Map
    norm: Norm | None
    calls: Calls
    blocks: Mapping[str, Block]
    body: Table
    head: Table | None
    flavours: Mapping[str, Flavour]
    presets: Mapping[str, Preset]
    claims: Callable[[], tuple[Claim, ...]] = field(compare=False)
    """Reads what others published of it; see `published`."""
    budget: Budget
    accept: Mapping[str, Scalar]
    """Findings that are meant to be, by code, with their reasons."""
    loc: Loc
    again: Callable[[], Definition] = field(compare=False)
    """Reads it from its tree once more: what is read holds functions, which cannot be sent."""

    def __reduce__(self) -> tuple[Any, ...]:
        turned = {"name": self.name, "doc": self.doc, "knobs": self.knobs}
        return _turned, (self.again, turned)

    @property
    def brief(self) -> str:
        """The name, and what it is."""
        return f"{self.name}: {self.doc}"

    @property
    def published(self) -> tuple[Claim, ...]:
        """The numbers that others published."""
        return self.claims()


def _turned(again: Callable[[], Definition], turned: Mapping[str, Any]) -> Definition:
    return replace(again(), **turned)


def leaves(*nodes: Node) -> Iterator[str]:
    """Yield every single value of some trees, without the keys."""
    for node in nodes:
        if isinstance(node, Scalar):
            yield node.text
        elif isinstance(node, Seq):
            yield from leaves(*node.items)
        else:
            yield from leaves(*(entry.value for entry in node.entries.values()))


def written(node: Node) -> str:
    """Return a value as it stands in the spec."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return "[" + ", ".join(map(written, node.items)) + "]"
    entries = (f"{key}: {written(entry.value)}" for key, entry in node.entries.items())
    return "{" + ", ".join(entries) + "}"


def texts(part: Part) -> Iterator[str]:
    """Yield every text of a part of a spec that can read a name."""
    held: Any
    for held in part.held(Bound, Expr, Template, Map):
        if isinstance(held, Expr | Template):
            yield held.scalar.text
        else:
            yield from leaves(held.node if isinstance(held, Bound) else held)


def named_after(stem: str) -> str:
    """Return what a block is called whose file says no name; the name of an op is taken."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name.isidentifier() and name not in OPS else f"block_{name}"

"""What an op is, and the registry of them: the one list that parser, schema and tests read."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

from mbprof.errors import ShapeError
from mbprof.language.values import Shape, Shapes, show
from mbprof.ops.facts import Facts
from mbprof.ops.fields import Kind
from mbprof.symbolic.arithmetic import product


class Geometry(NamedTuple):
    """The window of an op, where it has one."""

    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    dilation: tuple[int, int] | None = None
    groups: int | None = None


class Letter(NamedTuple):
    """A key that an op accepts in a spec: its Python name, type and meaning."""

    attribute: str
    kind: Kind
    doc: str
    required: bool
    default: Any


class Op(ABC):
    """One operation on tensors; the fields of its dataclass are its keys in a spec.

    ``shapes`` and ``facts`` have no default: an op that costs nothing says so itself.
    """

    word: ClassVar[str]
    family: ClassVar[str]
    """Ops of one family share what a spec's ``defaults:`` says of the family."""
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and largest number of inputs; None for any number."""
    after: ClassVar[tuple[str, ...]] = ()
    """The ops that may be written as keys of this one and follow it: ``bn: true, act: relu``."""
    windowed: ClassVar[bool] = False
    """Whether stride and dilation take part in a spec's ``output_stride``."""
    call: ClassVar[str]
    """The class or function of PyTorch that stands for the op unless a spec's ``calls`` says so."""
    letters: ClassVar[dict[str, Letter]]

    @abstractmethod
    def shapes(self, inputs: Shapes) -> Shapes:
        """Return the output shapes.

        Raises: ShapeError: the inputs do not fit.
        """

    @abstractmethod
    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Return what the op costs for one image, by kind."""

    @property
    def called(self) -> str:
        """What the framework calls to compute the op, by default."""
        return self.call

    def at_rate(self, stride: tuple[int, int], rate: int) -> Op:
        """Return the op with another stride, dilated further by ``rate``; windowed ops only."""
        return self

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return how many elements of the input the windows of a pooling hold together."""
        return 0

    def geometry(self, inputs: Shapes) -> Geometry:
        """Return kernel, stride, dilation and groups, None where the op has none."""
        return Geometry()


OPS: dict[str, type[Op]] = {}

_T = TypeVar("_T", bound=type[Op])


def letter(key: str, kind: Kind, doc: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field of an op together with its key in specs."""
    metadata = {"letter": key, "kind": kind, "doc": doc}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(letter,))
def op(word: str, call: str, family: str | None = None) -> Callable[[_T], _T]:
    """Register an op class under its word and what PyTorch calls for it; a word is registered once.

    Raises: ValueError: the word is taken.
    """

    def register(cls: _T) -> _T:
        if word in OPS:
            raise ValueError(f"op {word!r} is registered twice")
        made: Any = dataclass(frozen=True, slots=True)(cls)
        made.word = word
        made.call = call
        made.family = family or word
        made.letters = {
            each.metadata["letter"]: Letter(
                each.name,
                each.metadata["kind"],
                each.metadata["doc"],
                each.default is dataclasses.MISSING,
                None if each.default is dataclasses.MISSING else each.default,
            )
            for each in dataclasses.fields(made)
        }
        OPS[word] = made
        return made  # type: ignore[no-any-return]  # dataclass() of a type variable is Any

    return register


def maps(shape: Shape, word: str) -> tuple[int, int, int]:
    """Return the shape as (C, H, W).

    Raises: ShapeError: it is not a stack of maps.
    """
    if len(shape) != 3:
        raise ShapeError(f"{word} needs an input of C×H×W, got {show(shape)}")
    return shape[0], shape[1], shape[2]


def elements(shapes: Shapes) -> int:
    """Return the number of elements of all shapes together."""
    return sum(product(shape) for shape in shapes)

"""What an op is and what it costs, and the registry that parser, schema and tests read."""

from __future__ import annotations

import dataclasses
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, ClassVar, TypeVar, dataclass_transform

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shape, Shapes, show
from mbprof.language.record import Later, NamedTuple, record
from mbprof.ops.fields import Kind
from mbprof.ops.padding import Axis, Padding, Pair
from mbprof.symbolic.arithmetic import added, product


class Facts(NamedTuple):
    """What a node costs for one image, by kind: stored values, arithmetic, traffic in elements.

    Facts are stated once, by the op; a convention only selects and weighs kinds. Multiplications
    and additions of a batch norm are those of inference, with the statistics folded into one scale
    and one shift.

    >>> (Facts(kernels=864, mac=10838016) + Facts(biases=32)).params
    896
    """

    kernels: int = 0
    biases: int = 0
    norm_scale: int = 0
    norm_shift: int = 0
    norm_mean: int = 0
    norm_variance: int = 0
    other: int = 0
    constants: int = 0
    mac: int = 0
    add: int = 0
    mul: int = 0
    compare: int = 0
    divide: int = 0
    exp: int = 0
    read: int = 0
    write: int = 0

    def __add__(self, more: object) -> Facts:
        """Return the sum, kind by kind."""
        if not isinstance(more, Facts):
            return NotImplemented
        return Facts(*map(operator.add, self, more))

    @property
    def params(self) -> int:
        """All stored values, trainable or not."""
        return sum(self.stored)

    @property
    def trainable(self) -> int:
        """Stored values that training changes: all but running statistics and constants."""
        return self.params - self.norm_statistics - self.constants

    @property
    def norm_statistics(self) -> int:
        """Running means and variances."""
        return self.norm_mean + self.norm_variance

    @property
    def stored(self) -> tuple[int, ...]:
        """The stored values by kind."""
        return self[: len(STORED)]

    def again(self) -> Facts:
        """Return what it costs to compute once more with the same stored values.

        >>> Facts(kernels=864, mac=10838016).again() == Facts(mac=10838016)
        True
        """
        return Facts(*(0,) * len(STORED), *self[len(STORED) :])


STORED = {
    "kernels": "weights of convolution and linear layers",
    "biases": "biases of convolution and linear layers",
    "norm_scale": "scales (gamma) of normalisations",
    "norm_shift": "shifts (beta) of normalisations",
    "norm_mean": "running means of batch normalisations, not trained",
    "norm_variance": "running variances of batch normalisations, not trained",
    "other": "other trained values, such as the slopes of a PReLU",
    "constants": "values that are never trained, such as the means that an input is shifted by",
}
"""The kinds of stored values, with what each is."""

FACTS = {
    **STORED,
    # Arithmetic.
    "mac": "multiply-accumulates of convolution, linear and matrix products",
    "add": "additions and subtractions outside of multiply-accumulates",
    "mul": "multiplications outside of multiply-accumulates",
    "compare": "comparisons, maxima and minima",
    "divide": "divisions and square roots",
    "exp": "exponentials and other transcendental functions",
    # Traffic, in elements.
    "read": "elements read: inputs and stored values",
    "write": "elements written",
}
"""All kinds of facts, with what each is."""


def total(facts: Iterable[Facts]) -> Facts:
    """Add up facts, kind by kind.

    >>> total([Facts(mac=2), Facts(mac=3, biases=1)]).mac
    5
    """
    rows = list(facts)
    # Either way is right; sum is faster for plain numbers.
    adding = sum if {int} == set(map(type, chain.from_iterable(rows))) else added
    return Facts(*map(adding, zip(*rows, strict=True))) if rows else Facts()


class Geometry(NamedTuple):
    """The window of an op, where it has one."""

    kernel: Pair | None = None
    stride: Pair | None = None
    dilation: Pair | None = None
    groups: int | None = None


class Sampled(NamedTuple):
    """An axis that is sampled anew: ``taps`` neighbours for a value, ``made`` values for ``of``."""

    taps: int
    made: int
    of: int


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
    aliases: ClassVar[tuple[str, ...]] = ()
    """What others call it, as `simplified` writes it; errors answer those with the op's word."""
    letters: ClassVar[dict[str, Letter]]

    # Traits: what others ask of an op, rather than for its name.
    follower: ClassVar[Kind | None] = None  # the type of its key in rows of ops that it follows
    joins: ClassVar[bool] = False  # branches can be joined by it
    adds: ClassVar[bool] = False  # it adds a shortcut
    gates: ClassVar[bool] = False  # one of its inputs weighs the other
    rearranges: ClassVar[bool] = False  # it only puts channels elsewhere
    multiplies: ClassVar[bool] = False  # it has weights: a convolution or a linear layer
    depthwise: ClassVar[bool] = False  # it multiplies each map by itself
    normalises: ClassVar[bool] = False  # it takes mean or variance, or both, out of its input
    folds: ClassVar[bool] = False  # it can be folded into a layer that multiplies: a batch norm
    turns: ClassVar[bool] = False  # it turns channels by angles: what scales its input scales it
    lays_out: ClassVar[bool] = False  # it puts positions elsewhere, each with its channels
    passes: ClassVar[bool] = False  # it hands its input on as it is, at inference
    drops: ClassVar[bool] = False  # it drops elements in training
    resamples: ClassVar[bool] = False  # it interpolates maps
    mixes: ClassVar[bool] = False  # an output weighs all positions, and there are many outputs
    sees_whole: ClassVar[bool] = False  # an output can depend on all pixels, whatever its kernel
    pools_whole: ClassVar[bool] = False  # it pools maps of any size
    shares: ClassVar[bool] = False  # it turns scores into shares that sum up to one: a softmax
    ends_maps: ClassVar[bool] = False  # maps end in it, as at the end of a whole network
    ends_scores: ClassVar[bool] = False  # it can follow the scores of a classifier
    ranks: ClassVar[bool] = False  # it makes probabilities of scores
    keeps_sign: ClassVar[bool] = False  # it pools or hands on: what is not negative stays so
    elementwise: ClassVar[bool] = False  # guideline G4 of ShuffleNetV2 counts it as element-wise

    @abstractmethod
    def shapes(self, inputs: Shapes) -> Shapes:
        """Return the output shapes.

        Raises: ShapeError: the inputs do not fit.
        """

    @abstractmethod
    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Return what the op costs for one image, by kind."""

    @property
    def function(self) -> str:
        """The activation function that the op applies, empty if it is another op."""
        return ""

    @property
    def missing(self) -> str:
        """What the op is called whose cost is not known, empty if it is known."""
        return ""

    @property
    def bias(self) -> bool:
        """Whether the op adds a bias."""
        return False

    @property
    def saturates(self) -> bool:
        """Whether the op is an activation that is flat on both sides."""
        return False

    @property
    def factor(self) -> float | None:
        """The constant that the op multiplies by, None if it is another op."""
        return None

    @property
    def keeps_linear(self) -> bool:
        """Whether the layer before stays linear behind it."""
        return self.folds or self.passes

    @property
    def called(self) -> str:
        """What the framework calls to compute the op, by default."""
        return self.call

    def at_rate(self, stride: Pair, rate: int) -> Op:
        """Return the op with another stride, dilated further by ``rate``; windowed ops only."""
        return self

    def covered(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return how many elements the windows of an average pooling hold together.

        Padding by a number is averaged, too; that of a rule, such as ``same``, is left out.
        """
        return 0

    def activations(self, inputs: Shapes, outputs: Shapes) -> int:
        """Return how many elements its convolution, linear layer or matrix products give.

        Source: facebookresearch/fvcore `fvcore/nn/activation_count.py`; arXiv:2003.13678.
        """
        return product(outputs[0]) if self.multiplies else 0

    def geometry(self, inputs: Shapes) -> Geometry:
        """Return kernel, stride, dilation and groups, None where the op has none."""
        return Geometry()

    def scaled(self, inputs: Shapes) -> int:
        """Return the d of the 1/√d by which the op scales scores of its own, 0 if it has none."""
        return 0

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        """Return height and width with the window and the padding on them, if the op has any."""
        return ()

    def sampled(self, inputs: Shapes, outputs: Shapes) -> tuple[Sampled, ...]:
        """Return how height and width are sampled anew, if the op does that."""
        return ()


class SameShape(Op):
    """An op whose output has the shape of its input."""

    def shapes(self, inputs: Shapes) -> Shapes:
        return inputs


class Free(Op):
    """An op that neither computes nor moves anything, such as a view of its input."""

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return Facts()


class Windowed(Op):
    """An op whose window slides over maps; the stride is the kernel size unless given.

    Each map is worked on by itself unless the op says otherwise.
    """

    windowed: ClassVar[bool] = True
    kernel: Pair
    stride: Pair | None
    padding: Padding
    dilation: Pair = (1, 1)
    ceil: bool = False

    def shapes(self, inputs: Shapes) -> Shapes:
        return ((inputs[0][0], *self.slide(inputs)),)

    def slide(self, inputs: Shapes) -> Pair:
        """Return (H_out, W_out) of the window that slides over (H, W).

        ⌊(n + before + after - ((k - 1)·d + 1)) / s⌋ + 1 for each axis, see `Axis.stops`.
        Raises: ShapeError: the input is no stack of maps; the window is larger than it is.
        """
        maps(inputs[0], self.word)
        high, wide = (axis.stops(self.word, self.ceil) for axis in self.axes(inputs))
        return high, wide

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        _, *size = inputs[0]
        stride, padding = self.stride or self.kernel, self.padding
        sides: tuple[str | Pair, str | Pair]
        sides = (padding, padding) if isinstance(padding, str) else (padding[:2], padding[2:])
        return tuple(
            Axis(name, size[i], self.kernel[i], stride[i], self.dilation[i], sides[i])
            for i, name in enumerate(("height", "width"))
        )

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride or self.kernel, self.dilation)

    def at_rate(self, stride: Pair, rate: int) -> Op:
        # A size of 1 has no taps to spread.
        sizes = zip(self.kernel, self.dilation, strict=True)
        dilation = tuple(d * rate if k > 1 else d for k, d in sizes)
        own: Any = self
        made: Op = dataclasses.replace(own, stride=stride, dilation=dilation)
        return made


OPS: dict[str, type[Op]] = {}

_T = TypeVar("_T", bound=type[Op])


def letter(key: str, kind: Kind, doc: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field of an op together with its key in specs."""
    return dataclasses.field(default=default, metadata={"letter": key, "kind": kind, "doc": doc})


@dataclass_transform(frozen_default=True, field_specifiers=(letter,))
def op(word: str, call: str, family: str | None = None, **traits: Any) -> Callable[[_T], _T]:
    """Register an op class under its word and what PyTorch calls for it; a word is registered once.

    ``traits`` are the class variables of `Op` that the op has another value of.
    Raises: ValueError: the word is taken, or a trait is none that ops have.
    """
    if unknown := traits.keys() - Op.__annotations__.keys():
        raise ValueError(f"op {word!r} has traits that no op has: {sorted(unknown)}")

    def register(cls: _T) -> _T:
        if word in OPS:
            raise ValueError(f"op {word!r} is registered twice")
        made: Any = record(cls)
        for name, value in {**traits, "word": word, "call": call, "family": family or word}.items():
            setattr(made, name, value)
        made.letters = Later(made, "letters", _letters)
        OPS[word] = made
        return made  # type: ignore[no-any-return]  # dataclass() of a type variable is Any

    return register


def _letters(made: Any) -> dict[str, Letter]:
    return {
        field.metadata["letter"]: Letter(
            field.name,
            field.metadata["kind"],
            field.metadata["doc"],
            field.default is dataclasses.MISSING,
            None if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(made)
    }


def simplified(name: str) -> str:
    """Write the name of a class or function without its module, its dimensions and its case.

    >>> simplified("nn.ConvTranspose2d"), simplified("conv2d_transpose"), simplified("UpSampling2D")
    ('convtranspose', 'convtranspose', 'upsampling')
    """
    return re.sub("[123]d|[_-]", "", name.rpartition(".")[2].lower())


def channels(shape: Shape) -> int:
    """Return C of maps (C, H, W) and of vectors and tokens (..., C)."""
    return shape[channel_axis(shape)]


def channel_axis(shape: Shape) -> int:
    """Return the axis of the channels: the first of maps, the last of everything else."""
    return 0 if len(shape) == 3 else len(shape) - 1


def axis_of(shape: Shape, axis: int, word: str, letter: str = "axis") -> int:
    """Return an axis counted from 0, which may be given from the end, -1 for the last.

    Raises: ShapeError: the tensor has no such axis.

    >>> axis_of((197, 192), -1, "slice")
    1
    """
    if not -len(shape) <= axis < len(shape):
        last = len(shape) - 1
        hint = f"its axes are 0 to {last}, or -{len(shape)} to -1 from the end"
        raise ShapeError(f"{word}: {show(shape)} has no axis {axis}", letter=letter, hint=hint)
    return axis % len(shape)


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

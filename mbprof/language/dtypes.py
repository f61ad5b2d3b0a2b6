"""Types of numbers and their sizes: float32, int8, ``int8:w4`` for weights of 4 bits."""

from __future__ import annotations

from mbprof.errors import unknown
from mbprof.language.record import NamedTuple
from mbprof.symbolic.arithmetic import ceil_div

BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int16": 16, "int8": 8, "int4": 4}
"""The types of numbers, each with its bits."""

DEFAULT = "float32"


class Dtype(NamedTuple):
    """A type of activations and one of weights; what is added to sums of integers has 32 bits."""

    name: str
    activation: str
    weight: str

    @property
    def bits(self) -> int:
        """The bits of an activation."""
        return BITS[self.activation]

    @property
    def weight_bits(self) -> int:
        """The bits of a weight."""
        return BITS[self.weight]

    @property
    def bias_bits(self) -> int:
        """The bits of a bias: those of the sums that it is added to.

        Source: arXiv:1712.05877, section 2.4.
        """
        return 32 if self.weight.startswith("int") else self.weight_bits

    def size(self, elements: int) -> int:
        """Return the bytes of a tensor of activations.

        >>> dtype("int4").size(5)
        3
        """
        return stored(elements, self.bits)


def stored(elements: int, bits: int) -> int:
    """Return the bytes that elements of so many bits take together, rounded up."""
    return elements * (bits // 8) if bits % 8 == 0 else ceil_div(elements * bits, 8)


def dtype(text: str) -> Dtype:
    """Read a type: one for all, or with ``:wN`` weights of N bits, integers unless N has a float.

    Raises: UsageError: there is no such type.

    >>> dtype("int8:w4")
    Dtype(name='int8:w4', activation='int8', weight='int4')
    """
    name, colon, width = text.strip().partition(":")
    kind = name.rstrip("0123456789").removeprefix("b")
    widths = [f"{kind}{width.removeprefix('w')}", f"int{width.removeprefix('w')}"]
    weight = next((w for w in widths if w in BITS), "") if colon else name
    if name not in BITS or weight not in BITS or (colon and not width.startswith("w")):
        raise unknown("dtype", text, [*BITS, "int8:w4"])
    return Dtype(text.strip(), name, weight)

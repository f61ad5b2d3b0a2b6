"""What a node costs, by kind: the facts that every convention chooses from.

Facts are stated once, by the op, for one image; a convention only selects and weighs kinds.
Multiplications and additions of a batch norm are those of inference, with the statistics folded
into one scale and one shift.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import NamedTuple

from mbprof.symbolic.arithmetic import added


class Facts(NamedTuple):
    """Counts by kind; stored values first, then arithmetic, then traffic in elements.

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
        return sum(self[: len(STORED)])

    @property
    def trainable(self) -> int:
        """Stored values that training changes: all but running statistics and constants."""
        return self.params - self.norm_statistics - self.constants

    @property
    def norm_statistics(self) -> int:
        """Running means and variances."""
        return self.norm_mean + self.norm_variance


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

ARITHMETIC = {
    "mac": "multiply-accumulates of convolution, linear and matrix products",
    "add": "additions and subtractions outside of multiply-accumulates",
    "mul": "multiplications outside of multiply-accumulates",
    "compare": "comparisons, maxima and minima",
    "divide": "divisions and square roots",
    "exp": "exponentials and other transcendental functions",
}
"""The kinds of arithmetic, with what each is."""

TRAFFIC = {
    "read": "elements read: inputs and stored values",
    "write": "elements written",
}
"""The kinds of traffic, in elements, with what each is."""

FACTS = {**STORED, **ARITHMETIC, **TRAFFIC}


def total(facts: Iterable[Facts]) -> Facts:
    """Add up facts, kind by kind.

    >>> total([Facts(mac=2), Facts(mac=3, biases=1)]).mac
    5
    """
    rows = list(facts)
    # Either way is right; sum is faster for plain numbers, which the ends of a network show.
    plain = not rows or {int} == set(map(type, (*rows[0], *rows[-1])))
    adding = sum if plain else added
    return Facts(*map(adding, zip(*rows, strict=True))) if rows else Facts()

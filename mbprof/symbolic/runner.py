"""A program run by NumPy, and once that takes longer than to compile it, by machine code."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbprof.symbolic.columns import wide
from mbprof.symbolic.program import Program

if TYPE_CHECKING:
    from mbprof.symbolic.compiled import Kernel

COMPILING, LINE = 0.1, 0.0003
"""Seconds that it takes to load the compiler, and to compile a line of a program.

Measured on programs of 80 to 5,000 lines: `make bench` shows it. A program is compiled once NumPy
has taken as long: so no sweep takes twice as long as with the better of the two.
"""


@dataclass(slots=True)
class Runner:
    """A program and what runs it."""

    program: Program
    seconds: float = 0.0
    price: float | None = None
    """Seconds that it takes to compile the program, once that is looked at."""
    kernel: Kernel | None = None

    def run(self, columns: Mapping[str, Any], count: int) -> tuple[Any, list[Any]]:
        """Do what `Program.run` does, in whatever way is quicker."""
        if self.kernel is not None:
            return self.kernel(self.program, columns, count)
        start = time.thread_time()
        found = self.program.run(wide(columns), count)
        self.seconds += time.thread_time() - start
        if self.seconds > COMPILING:
            self.consider()
        return found

    def consider(self) -> None:
        """Compile the program if NumPy has taken as long as that takes."""
        from mbprof.symbolic.compiled import compiled, lines

        if self.price is None:
            self.price = COMPILING + LINE * lines(self.program)
        if self.seconds > self.price:
            self.kernel, self.price = compiled(self.program), math.inf

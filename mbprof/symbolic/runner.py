"""A program run by NumPy, and once that takes longer than to compile it, by machine code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbprof.symbolic.program import Program

if TYPE_CHECKING:
    from mbprof.symbolic.compiled import Kernel

COMPILING = 0.2
"""Seconds that NumPy may take before a program is compiled: what that takes, with the compiler's
own import. So no sweep takes twice as long as with the better of the two."""


@dataclass(slots=True)
class Runner:
    """A program and what runs it."""

    program: Program
    seconds: float = 0.0
    tried: bool = False
    kernel: Kernel | None = None

    def run(self, columns: Mapping[str, Any], count: int) -> tuple[Any, list[Any]]:
        """Do what `Program.run` does, in whatever way is quicker."""
        if self.kernel is not None:
            return self.kernel(self.program, columns, count)
        start = time.thread_time()
        found = self.program.run(columns, count)
        self.seconds += time.thread_time() - start
        if self.seconds > COMPILING and not self.tried:
            from mbprof.symbolic.compiled import compiled

            self.tried, self.kernel = True, compiled(self.program)
        return found

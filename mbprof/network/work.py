"""The work that a text may ask for: one budget of steps and of characters that are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from mbprof.errors import LimitError, Loc
from mbprof.spec.model import Step, texts

MAX_STEPS = 100_000
"""Steps, each round of a repeat and each edge of the graph counted."""
MAX_READ = 4_000_000
"""Characters of names, arguments and expressions, as often as they are read."""


@dataclass(slots=True)
class Work:
    """What is left of the work that building one network may take."""

    steps: int = MAX_STEPS
    characters: int = MAX_READ
    sizes: dict[int, int] = field(default_factory=dict)

    def spend(self, steps: int, loc: Loc | None = None) -> None:
        """Count steps, rounds and edges.

        Raises: LimitError: there are too many.
        """
        self.steps -= steps
        if self.steps < 0:
            message = f"the network expands to more than {MAX_STEPS:,} steps"
            raise LimitError(message, loc, "lower the repeats (n, repeat)")

    def read(self, characters: int, loc: Loc | None = None) -> None:
        """Count characters.

        Raises: LimitError: there are too many.
        """
        self.characters -= characters
        if self.characters < 0:
            message = f"the network reads more than {MAX_READ:,} characters of names and arguments"
            raise LimitError(message, loc, "shorten what is repeated (n, repeat)")

    def take(self, step: Step) -> None:
        """Count what is read each time that a step is run.

        Raises: LimitError: that is too much.
        """
        if id(step) not in self.sizes:
            names = len(step.wiring.inputs) + len(step.wiring.outputs)
            self.sizes[id(step)] = 8 * names + sum(map(len, texts(step)))
        self.read(self.sizes[id(step)], step.wiring.loc)

"""The names of layers: filled in from templates, or made up and kept apart by numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mbprof.errors import SpecError
from mbprof.language.source import Scalar
from mbprof.spec.model import Template


def under(path: str, name: str) -> str:
    """Return a name below a path."""
    return f"{path}/{name}" if path else name


class Names:
    """The names that a network has given so far."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.layers: set[str] = set()

    def default(self, path: str, word: str) -> str:
        """Return a name for a step that has none: numbered at the top, else where it must be."""
        name = under(path, word)
        self.made[name] += 1
        number = self.made[name]
        return name if path and number == 1 else f"{name}_{number}"

    def filled(self, template: Template, env: Mapping[str, Any], path: str, repeat: int) -> str:
        """Return a name from its template; repeats that it does not tell apart get a number.

        Raises: SpecError: the name is empty. ExpressionError: an expression has no value.
        """
        text = template.fill(env)
        if not text:
            raise SpecError("the layer's name is empty", template.scalar.loc)
        if repeat and not template.mentions("i", "j"):
            text += f"_{repeat + 1}"
        return text if template.mentions("row") else under(path, text)

    def book(self, name: str, given: Scalar | None) -> None:
        """Take a layer's name.

        Raises: SpecError: another layer has it.
        """
        if name in self.layers and given is not None:
            raise SpecError(
                f"two layers are named {name!r}", given.loc, "put {i}, {j} or {row} into the name"
            )
        self.layers.add(name)

"""How layers and blocks are named while a graph is built."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from mbprof.errors import LimitError, SpecError
from mbprof.language.expr import MAX_LENGTH
from mbprof.language.record import mutable
from mbprof.language.source import Scalar
from mbprof.network.frame import Frame


@mutable
class Names:
    """The names that are taken: how often each was made up, and those of all layers."""

    made: Counter[str] = field(default_factory=Counter)
    layers: set[str] = field(default_factory=set)

    def default(self, path: str, word: str) -> str:
        """Return a name for a step that has none: numbered at the top, else where it must be."""
        name = f"{path}/{word}" if path else word
        self.made[name] += 1
        number = self.made[name]
        return name if path and number == 1 else f"{name}_{number}"

    def begun(self, word: str, frame: Frame) -> str:
        """Return the name of the layer or block that begins; at the top it begins a block.

        Raises: SpecError: the name is empty. LimitError: it is too long.
        """
        template = frame.template
        if template is None:
            name = self.default(frame.path, word)
        else:
            name = template.fill(frame.env)
            if not name:
                raise SpecError("the layer's name is empty", template.scalar.loc)
            if frame.turn and not template.mentions("i", "j"):
                name += f"_{frame.turn + 1}"
            if frame.path and not template.mentions("row"):
                name = f"{frame.path}/{name}"
        if len(name) > MAX_LENGTH:
            raise LimitError(f"a layer's name of more than {MAX_LENGTH} characters")
        if not frame.inside:
            frame.block, frame.unit = name, word
        return name

    def take(self, name: str, given: Scalar | None) -> None:
        """Note that a layer has a name.

        Raises: SpecError: a name that the spec gives is another layer's.
        """
        if name in self.layers and given is not None:
            hint = "put {i}, {j} or {row} into the name"
            raise SpecError(f"two layers are named {name!r}", given.loc, hint)
        self.layers.add(name)

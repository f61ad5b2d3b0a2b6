"""The objects that a user of the library holds: a spec, and a network built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mbprof.errors import KnobError
from mbprof.language.fmt import Shape, Value
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.build import build
from mbprof.network.graph import Graph
from mbprof.network.profile import Profile, heading
from mbprof.output.model import Report
from mbprof.output.writers import Result
from mbprof.spec import zoo
from mbprof.spec.knobs import Given, configured
from mbprof.spec.model import Definition
from mbprof.spec.sections import chosen_scope

if TYPE_CHECKING:
    import networkx
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Spec(Result):
    """A network with knobs; `load` returns one. A notebook shows what it costs as it stands.

    ``address`` is what `load` found it by, empty for a spec that no text names; ``alone`` says that
    it is a block by itself.
    """

    definition: Definition
    address: str = ""
    alone: bool = False

    @property
    def name(self) -> str:
        """The name, with the flavour if one was asked for."""
        return self.definition.name

    @property
    def knobs(self) -> dict[str, Value]:
        """The knobs with their defaults."""
        return {name: knob.default for name, knob in self.definition.knobs.items()}

    @property
    def brief(self) -> str:
        """The name, and the knobs with their defaults."""
        return heading(self.name, self.knobs, self.knobs)

    def build(self, **knobs: Value) -> Network:
        """Compile the spec for one configuration.

        Raises: KnobError: an unknown knob, or a value that it does not take. ShapeError,
        WiringError, ExpressionError, LimitError: the spec makes no network with these values.

        >>> load("mobilenet_v1").build(alpha=0.75, res=128).profile().total.cost
        106002432
        """
        return self.build_at(knobs)

    def build_at(self, given: Given) -> Network:
        """Compile the spec; ``given`` are values of knobs, or what was typed for them."""
        values = configured(self.definition.knobs, given, self.name)
        try:
            graph = build(self.definition, values)
        except KnobError as error:
            endpoint = given.get("final_endpoint")
            raise error.at(endpoint.loc) if isinstance(endpoint, Scalar) else error from None
        return Network(self, values, graph)

    def settled(self, values: Mapping[str, Value]) -> Spec:
        """Return the spec with other values of its knobs as defaults."""
        own = self.definition.knobs
        knobs = {name: replace(knob, default=values[name]) for name, knob in own.items()}
        if knobs == own:
            return self
        return replace(self, definition=replace(self.definition, knobs=knobs))

    def report(self, layout: str = "page") -> Report:
        """Lay out what the spec costs as it stands."""
        return self.build().report(layout)


@dataclass(frozen=True, slots=True, repr=False)
class Network(Result):
    """A spec compiled for one configuration."""

    spec: Spec
    knobs: Mapping[str, Value]
    compiled: Graph

    @property
    def definition(self) -> Definition:
        """The spec's definition."""
        return self.spec.definition

    @property
    def graph(self) -> networkx.DiGraph[str]:
        """The network as a networkx DiGraph, see `mbprof.network.graph.Graph.to_networkx`."""
        return self.compiled.to_networkx()

    @property
    def output_shape(self) -> Shape:
        """The shape (C, H, W) of the output."""
        return self.compiled.output_shape

    @property
    def changed(self) -> tuple[str, ...]:
        """The knobs that were turned away from their defaults."""
        declared = self.definition.knobs
        return tuple(name for name, value in self.knobs.items() if value != declared[name].default)

    @property
    def brief(self) -> str:
        """The name, the width and resolution, and the knobs that were turned."""
        return heading(self.spec.name, self.knobs, self.changed)

    def profile(self, convention: str = conventions.DEFAULT, scope: str | None = None) -> Profile:
        """Cost the network under a convention, within a scope (the spec's own by default).

        Raises: UsageError: no such convention or scope.

        >>> load("mobilenet_v1").build().profile(scope="all").total.params
        4209088
        """
        definition = self.definition
        scope = chosen_scope(scope, definition.scope)
        return Profile.of(
            self.compiled, definition.name, self.knobs, scope, convention, self.changed
        )

    def report(self, layout: str = "page") -> Report:
        """Lay out what the network costs."""
        return self.profile().report(layout)

    def to_frame(self) -> pandas.DataFrame:
        """Return the profile's rows as a pandas DataFrame."""
        return self.profile().to_frame()


def load(spec: str | Path) -> Spec:
    """Return a spec: a name of the zoo, ``NAME@FLAVOUR``, a path, or ``-`` for standard input.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1").knobs["alpha"]
    1.0
    """
    return Spec(zoo.load(spec), str(spec))


def loads(text: str, name: str = "<text>") -> Spec:
    """Return a spec from its text; errors call it by ``name``.

    Raises: SourceError, SpecError, ExpressionError: the text is not a spec.

    >>> spec = loads("{name: tiny, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    >>> spec.build().profile().total[:2]
    (108, 6912)
    """
    return Spec(zoo.loads(text, name))

"""The objects that a user of the library holds: a spec, and a network built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mbprof.errors import KnobError
from mbprof.language.source import Scalar
from mbprof.language.values import Shape, Value
from mbprof.network import conventions
from mbprof.network import profile as profiles
from mbprof.network.build import build
from mbprof.network.graph import Graph
from mbprof.network.table import profile_report
from mbprof.output import fragment
from mbprof.spec import zoo
from mbprof.spec.claims import chosen_scope
from mbprof.spec.knobs import Given, configured
from mbprof.spec.model import Definition

if TYPE_CHECKING:
    import networkx


class Profile(profiles.Profile):
    """The cost of a network, layer by layer; a notebook shows it as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return fragment(profile_report(self))


@dataclass(frozen=True, slots=True)
class Spec:
    """A network with knobs; `load` returns one."""

    definition: Definition

    @property
    def name(self) -> str:
        """The name, with the flavour if one was asked for."""
        return self.definition.name

    @property
    def knobs(self) -> dict[str, Value]:
        """The knobs with their defaults."""
        return {name: knob.default for name, knob in self.definition.knobs.items()}

    def build(self, **knobs: Value) -> Network:
        """Compile the spec for one configuration.

        Raises: KnobError: an unknown knob, or a value that it does not take. ShapeError,
        WiringError, ExpressionError, LimitError: the spec makes no network with these values.

        >>> load("mobilenet_v1").build(alpha=0.75, res=128).profile().total.macs
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
        return Network(self.definition, values, graph)

    def _repr_html_(self) -> str:
        return self.build().profile()._repr_html_()


@dataclass(frozen=True, slots=True)
class Network:
    """A spec compiled for one configuration."""

    definition: Definition
    knobs: Mapping[str, Value]
    compiled: Graph

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

    def _repr_html_(self) -> str:
        return self.profile()._repr_html_()


def load(spec: str | Path) -> Spec:
    """Return a spec: a name of the zoo, ``NAME@FLAVOUR``, a path, or ``-`` for standard input.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1").knobs["alpha"]
    1.0
    """
    return Spec(zoo.load(spec))


def loads(text: str, name: str = "<text>") -> Spec:
    """Return a spec from its text; errors call it by ``name``.

    Raises: SourceError, SpecError, ExpressionError: the text is not a spec.

    >>> spec = loads("{name: tiny, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    >>> spec.build().profile().total[:2]
    (108, 6912)
    """
    return Spec(zoo.loads(text, name))

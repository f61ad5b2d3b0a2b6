"""What a user of the library holds, a spec or a network built from it, and what stands for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mbprof.errors import KnobError, MbprofError, ShapeError, UsageError
from mbprof.language.fmt import Images, Shape, Value
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.network import conventions, outputs
from mbprof.network.build import build, first_call
from mbprof.network.graph import Graph
from mbprof.network.profile import Profile, Table, heading
from mbprof.output.model import Report
from mbprof.output.writers import Result
from mbprof.spec import zoo
from mbprof.spec.knobs import Given, configured, typed
from mbprof.spec.model import Definition
from mbprof.spec.sections import chosen_scope

if TYPE_CHECKING:
    import networkx
    import pandas

    from mbprof.network.sizes import Sizes
    from mbprof.spec.block import LoneBlock


@record
class Spec(Result):
    """A network with knobs; `load` returns one. A notebook shows what it costs as it stands.

    ``address`` is what `load` found it by, empty for a spec that no text names; ``alone`` says that
    it is a block by itself.
    """

    definition: Definition
    address: str = ""
    alone: bool = False

    def __hash__(self) -> int:
        return hash((self.name, self.address))

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
        except ShapeError as error:
            from mbprof.network.sizes import nearby  # which only errors need

            raise error.advised(partial(nearby, self.definition, values)) from None
        return Network(self, values, graph)

    def settled(self, values: Mapping[str, Value]) -> Spec:
        """Return the spec with other values of its knobs as defaults."""
        knobs = self.definition.knobs.items()
        turned = {name: replace(knob, default=values[name]) for name, knob in knobs}
        return replace(self, definition=replace(self.definition, knobs=turned))

    def report(self, layout: str = "page") -> Report:
        """Lay out what the spec costs as it stands."""
        return self.build().report(layout)


@record
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
        """The shape (C, H, W) of the output.

        Raises: UsageError: the spec names several, see `output_shapes`.
        """
        if len(self.compiled.results) > 1:
            message = f"{self.spec.name} has {len(self.compiled.results)} outputs"
            raise UsageError(message, hint="output_shapes has the shape of each")
        return self.compiled.output_shape

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """The shape of each result by its name; the only one is called by its layer.

        >>> load("mobilenet_v1").build().output_shapes
        {'Predictions': (1000,)}
        """
        graph = self.compiled
        return graph.named or {graph.name_of(graph.outputs[0]): graph.output_shape}

    @property
    def changed(self) -> tuple[str, ...]:
        """The knobs that were turned away from their defaults, by a library's name among them."""
        declared = self.definition.knobs.items()
        return tuple(n for n, knob in declared if knob.turned or self.knobs[n] != knob.default)

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
        scope = chosen_scope(scope, self.definition.scope)
        name = self.definition.name
        return Profile.of(self.compiled, name, self.knobs, scope, convention, self.changed)

    def idle(
        self, convention: str = conventions.DEFAULT, scope: str | None = None
    ) -> tuple[str, ...]:
        """Return the knobs that were turned away from their defaults and change no row's counts.

        Raises: UsageError: no such convention or scope.

        >>> load("efficientnet_b0").build(alpha_d=0.5).idle()
        ('alpha_d',)
        """
        knobs = self.definition.knobs.items()
        usual_values = {n: k.default for n, k in knobs if self.knobs[n] != k.default}
        rows, same = self.profile(convention, scope).rows if usual_values else (), []
        for name, value in usual_values.items():
            usual = {**self.knobs, name: value}
            with suppress(MbprofError):
                if self.spec.build_at(usual).profile(convention, scope).rows == rows:
                    same.append(name)
        return tuple(same)

    def scaled_outputs(self) -> Iterator[str]:
        """Say which outputs the width rule scales though their number is stated."""
        for scaled in outputs.scaled_outputs(self.definition, self.knobs, self.compiled):
            yield f"{scaled.said}; width: c in its row leaves them as they are."

    def report(self, layout: str = "page") -> Report:
        """Lay out what the network costs."""
        return self.profile().report(layout)

    def to_frame(self) -> pandas.DataFrame:
        """Return the profile's rows as a pandas DataFrame."""
        return self.profile().to_frame()


def load(spec: str | Path, given: Given = zoo.NOTHING) -> Spec:
    """Return a spec: a name of the zoo, ``NAME@FLAVOUR``, a path, or ``-`` for standard input.

    ``given`` is what will be asked of its knobs: a file of another format may leave axes open.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1").knobs["alpha"]
    1.0
    """
    return Spec(zoo.load(spec, given), str(spec))


def loads(text: str, name: str = "<text>") -> Spec:
    """Return a spec from its text; errors call it by ``name``.

    Raises: SourceError, SpecError, ExpressionError: the text is not a spec.

    >>> spec = loads("{name: tiny, input: {res: 8}, body: [{op: conv, k: 3, c: 4}]}")
    >>> spec.build().profile().total[:2]
    (108, 6912)
    """
    return Spec(zoo.of_text(text, name).definition)


SpecLike: TypeAlias = str | Path | Spec | Network
"""What stands for a network."""


def as_spec(what: object) -> Spec:
    """Return the spec that something stands for; a network's has its knobs as defaults.

    Raises: UsageError: it is none of what is taken, or there is no such spec. MbprofError: the
    text is not a spec.

    >>> as_spec("mobilenet_v1").build(alpha=0.5) == as_network("mobilenet_v1", alpha=0.5)
    True
    """
    if isinstance(what, Spec):
        return what
    if isinstance(what, Network):
        return what.spec.settled(what.knobs)
    return load(as_text(what))


def spec_at(what: object, given: Given, usual: Given = zoo.NOTHING) -> Spec:
    """Return the spec that something stands for, with what is given as its defaults.

    ``usual`` is what a file leaves open, and no default. Raises: see `as_spec`; KnobError.

    >>> spec_at("mobilenet_v1", {"alpha": 0.5}).knobs["alpha"]
    0.5
    """
    spec = load(what, {**usual, **given}) if isinstance(what, str | Path) else as_spec(what)
    if not given:
        return spec
    return spec.settled(configured(spec.definition.knobs, given, spec.name))


def as_network(what: object, /, **knobs: Value) -> Network:
    """Return the network that something stands for, see `network_at`.

    >>> as_network("mobilenet_v1", alpha=0.75)
    <Network mobilenet_v1, alpha 0.75, res 224>
    """
    return network_at(what, knobs)


def alone(
    source: zoo.OpenedBlock, image: Images = None, given: Mapping[str, Scalar] | None = None
) -> LoneBlock:
    """Return a block on inputs of its own, of a spec on those of its first call there.

    Raises: see `mbprof.spec.block.lone`.

    >>> alone(zoo.open("mobilenet_v2:inv_res")).title
    'inv_res, in 112x112x32, t 1, c 16, s 1'
    """
    from mbprof.spec.block import Called, lone, tree_of  # which no table of a spec needs

    called, given = None, given or {}
    if source.around is not None:
        try:
            spec = source.around.definition
            outer = source.knobs.keys() - source.signature().takes
            own = {name: at for name, at in given.items() if name in outer}
            found = first_call(spec, configured(spec.knobs, own, spec.name), source.name)
        except MbprofError:
            if not image:
                raise
        else:
            place = source.node.loc
            nodes = {n: tree_of(at, place) for n, at in (found[1] if found else {}).items()}
            called = Called(found[0], nodes) if found else None
    return lone(source, image, given, called)


def network_at(what: object, given: Given, image: Images = None) -> Network:
    """Return the network that something stands for; ``given`` are values of knobs or arguments.

    A block's name, file or SPEC:BLOCK stands for the block alone, on an input of its own. A
    network is built already.

    Raises: UsageError: see `as_spec`; knobs are given for a network, or an input for a spec.
    MbprofError: there is no network at these values.
    """
    spec, values = opened_at(what, given, image)
    if isinstance(what, Network) and not values:
        return what
    return spec.build_at(values)


def opened_at(what: object, given: Given, image: Images = None) -> tuple[Spec, Given]:
    """Return the spec that something stands for and what is given of its knobs, see `network_at`.

    What is given to a block alone is in its spec already.
    """
    opened = zoo.open(str(what), given=given) if isinstance(what, str | Path) else None
    if isinstance(opened, zoo.OpenedBlock):
        values = {name: at for name, at in given.items() if not isinstance(at, Scalar)}
        said = {name: at for name, at in given.items() if isinstance(at, Scalar)}
        definition = alone(opened, image, said | typed(values)).definition
        return Spec(definition, alone=True), {}
    if image:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    if isinstance(what, Network) and given:
        message = f"this network of {what.spec.name} is built already, so that "
        message += f"{' and '.join(given)} cannot be turned"
        raise UsageError(message, hint="give the spec instead of the network")
    return as_spec(what) if opened is None else Spec(opened.definition, str(what)), given


def as_text(what: object) -> str:
    """Return a name or path as text.

    Raises: UsageError: it is neither.

    >>> as_text(42)
    Traceback (most recent call last):
    mbprof.errors.UsageError: error[usage]: expected a name, a path, a Spec or a Network, not int
    """
    if isinstance(what, str | Path):
        return str(what)
    raise UsageError(f"expected a name, a path, a Spec or a Network, not {type(what).__name__}")


def table(
    spec: SpecLike,
    /,
    *,
    by: str = "layer",
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
    scope: str | None = None,
    convention: str = conventions.DEFAULT,
    dtype: str | None = None,
    **knobs: Value,
) -> Table:
    """Return what each layer of a network costs, and the total, as ``mbprof table`` prints it.

    Rows are summed up ``by`` layer, block or op, and sorted by a column from large to small;
    ``top`` keeps the first of them. With a ``dtype`` what is read and written is in bytes.

    Raises: UsageError: no such spec, column, grouping, scope, convention or type. MbprofError:
    the spec makes no network at these values.

    >>> found = table("mobilenet_v1", by="op", sort="macs", top=1, alpha=0.75, res=128)
    >>> found.rows
    (<Row conv, 1,766,664 params, cost 101,744,640>,)
    >>> found.total[:2]
    (1800144, 106002432)
    """
    network = as_network(spec, **knobs)
    profile = network.profile(convention, scope)
    idle, scaled = network.idle(convention, scope), tuple(network.scaled_outputs())
    return Table(profile, by, sort, top, columns, idle, scaled, dtype)


def sizes(spec: SpecLike, /, image: Images = None, **knobs: Value) -> Sizes:
    """Say which heights and widths of the image make a network, and why the others do not.

    That is read off the conditions of a few builds whose height and width are symbols, and holds
    for every size that a spec takes. ``image`` is the input of a block; with one side of ``res``
    the sizes of the other one are looked at.

    Raises: UsageError: no such spec or block. MbprofError: no size makes a network. LimitError:
    there are too many cases.

    >>> sizes("hrnet_w18").text
    'height and width: multiples of 32 and up to 3 less, at least 29'
    >>> 224 in sizes("swin").height, sizes("swin").height.near(300)
    (True, [227, 448])
    """
    return sizes_at(spec, typed(knobs), image)


def sizes_at(what: object, given: Given, image: Images = None) -> Sizes:
    """Say which sizes make a network, see `sizes`; ``given`` is what was typed for knobs."""
    from mbprof.network.sizes import walked  # which no table needs

    spec, values = opened_at(what, given, image)
    return walked(spec.definition, configured(spec.definition.knobs, values, spec.name))

"""From a spec or block to its formula: its knobs become symbols, a build of it is written down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mbprof.errors import (
    KnobError,
    Loc,
    MbprofError,
    ShapeError,
    SpecError,
    UsageError,
    nearest,
    unknown,
)
from mbprof.formulas.builds import SIZES, Builds, Domain, placed
from mbprof.formulas.closed import Formula, Line
from mbprof.formulas.collect import Collector, Items, Letters
from mbprof.formulas.conditions import equal, pinned, stated
from mbprof.formulas.naming import Variables, replaced
from mbprof.language.fmt import Shape, Shapes, Value, parse, plain
from mbprof.language.record import record
from mbprof.language.source import Entry, Scalar, value_of
from mbprof.network import conventions
from mbprof.network.graph import Graph, layers
from mbprof.network.load import SpecLike, alone, as_spec
from mbprof.ops.base import channels as channels_of
from mbprof.ops.fields import Bound
from mbprof.spec.block import by_itself
from mbprof.spec.knobs import USUAL as USUAL_KNOBS
from mbprof.spec.knobs import Given, Knob, checked, configured
from mbprof.spec.model import Argument, Definition
from mbprof.spec.sections import chosen_scope
from mbprof.spec.zoo import OpenedBlock
from mbprof.spec.zoo import open as open_either
from mbprof.symbolic.symbols import Guard

GROUPINGS = ("layer", "block", "net")
MOST_WHOLE = 32_768
"""The largest value of a whole symbol; formulas are checked for all values up to it."""
MOST = 100.0
"""The largest value of a symbol with decimals, unless the knob has its own."""

_FREE = ("k", "s", "t", "r", "c", "e")
"""Arguments that are symbols even if they have a default."""
USUAL = {"k": 3, "s": 1, "t": 6, "r": 4, "c": 128, "e": 256, "g": 4}
"""What stands for arguments without a default."""
CHANNELS, SIDE, WIDTH = 64, 56, 32
"""What stands for the input's channels and sides, and for other widths."""
INSTEAD: tuple[dict[str, Value], ...] = ({}, {"c": CHANNELS}, {"s": 2})
"""Arguments to try one after the other, before those of its example, until the block fits."""
PREFIX = "block/"
"""What the names of the block's layers begin with."""
LETTERS = {
    "C": "the channels",
    "H": "the height",
    "W": "the width",
    "N": "the number of tokens",
}
"""The letters of formulas for the input."""
MAPS: Shape = (CHANNELS, SIDE, SIDE)
TOKENS: Shape = (196, CHANNELS)
"""What stands for an input of maps, and for one of tokens."""


def formula(
    spec: SpecLike,
    by: str = "layer",
    symbols: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
    **knobs: Value,
) -> Formula:
    """Return what a spec or block costs in closed form.

    Symbols are alpha, where the spec has it, H and W, and of a block its input and arguments;
    ``symbols`` names more of them. A knob that is given a value is a number, unless it is named
    there: then the formula is the one that holds at the value.
    Raises: UsageError: no such spec, block, scope or convention. KnobError: no such knob, or one
    that cannot be a symbol. MbprofError: there is no network at the values given.

    >>> formula("mobilenet_v1", by="net").evaluate(alpha=0.75, H=128, W=128)[:2]
    (1800144, 106002432)
    """
    return formula_at(spec, knobs, by, symbols, convention, scope)


def formula_at(
    spec: SpecLike,
    given: Given,
    by: str = "layer",
    symbols: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
    around: bool = False,
) -> Formula:
    """Return a formula; ``given`` are values of knobs, or what was typed for them.

    With ``around`` it is the one that holds at these values, in all symbols that there can be.
    """
    asked = dict.fromkeys(symbols)

    def answer(definition: Definition, usual: Iterable[str], prefix: str = "") -> Formula:
        values = configured(definition.knobs, given, definition.name)
        fixed = set() if around else {*given, *(SIZES if "res" in given else ())}
        wanted = dict.fromkeys(name for name in usual if name not in fixed or name in asked)
        chosen = chosen_scope(scope, definition.scope)
        if by not in GROUPINGS:
            raise unknown("grouping", by, GROUPINGS)
        counted = conventions.load(convention)
        shown = tuple(wanted | asked)
        return Request(definition, values, shown, chosen, counted, by, prefix).answer(asked)

    named = isinstance(spec, str | Path)
    opened = open_either(str(spec), "spec or block", given) if named else as_spec(spec)
    if isinstance(opened, OpenedBlock):
        failed: list[MbprofError] = []
        for values, images in _tries(opened):
            try:
                return answer(*block_spec(opened, {**values, **given}, images), PREFIX)
            except (ShapeError, SpecError, UsageError) as error:
                failed.append(error)
        raise failed[0]
    definition = opened.definition
    unclashed({n: k.loc for n, k in definition.knobs.items()}, SIZES, definition.name)
    sizes = SIZES if "res" in definition.knobs else ()
    alpha = definition.knobs.get("alpha")
    free = alpha is not None and alpha.kind == "number" and not alpha.one_of
    return answer(definition, ("alpha", *sizes) if free else sizes)


def _tries(opened: OpenedBlock) -> list[tuple[dict[str, Value], Shapes]]:
    """Return the arguments and the inputs to try a block with, one after the other.

    Those that its example or its spec's first call shows come last for maps, whose sides may be
    any, and alone for others: the number and channels of tokens are often those of arguments.
    """
    usual = [(dict(values), (MAPS,)) for values in INSTEAD]
    try:
        shown = opened.node.get("example") is not None or opened.around is not None
        example = alone(opened) if shown else None
    except MbprofError:
        example = None
    if example is None:
        return [*usual, ({}, (TOKENS,))]
    values = {name: parse(value) for name, value in example.arguments.items()}
    if len({*example.images}) > 1:
        return [(values, example.images)]
    image = example.images[0]
    if len(image) == 2:
        return [(values, (image,))]
    wide: Shape = (channels_of(image), *MAPS[1:])
    return [*usual, (values, (wide,)), (values, (image,))]


@record
class Request:
    """What is asked for: a spec, its knobs' values, and which of them are to be symbols.

    ``prefix`` is what the names of all layers begin with and nobody needs to read.
    """

    definition: Definition
    knobs: Mapping[str, Value]
    symbols: tuple[str, ...]
    scope: str
    convention: conventions.Convention
    by: str
    prefix: str

    def answer(self, asked: Iterable[str]) -> Formula:
        """Build the spec with symbols, some asked for by name, and write down what it costs.

        Raises: KnobError: a symbol that is no number. MbprofError: the spec makes no network at
        the values given.
        """
        domains = tuple(map(self.domain, self.symbols))
        fixed: dict[str, Any] = {}
        while True:
            left = tuple(domain for domain in domains if domain.name not in fixed)
            knobs = placed(self.knobs, fixed)
            builds = Builds(self.definition, knobs, left, self.convention, self.scope)
            path, graph = builds.walk({}, {})
            guards = builds.needed(path, graph)
            values = pinned(guards, builds)
            if not values:
                return self.formula(builds, graph, guards, fixed)
            for name in sorted(values.keys() & asked):
                raise KnobError(
                    f"{name} of {self.definition.name} cannot be a symbol: each value of it makes "
                    f"another network, and the formula would hold at {plain(values[name])} alone",
                    hint=f"give values one by one, such as --set {name}={plain(values[name])}",
                )
            fixed |= values

    def domain(self, name: str) -> Domain:
        """Return a symbol with its range and the value that stands for it.

        Raises: KnobError: the spec lacks it, or it is no number that can take any value.
        """
        if name in SIZES and self.size is not None:
            return Domain(name, self.size[SIZES.index(name)], 1, MOST_WHOLE)
        definition = self.definition
        knob = definition.knobs.get(name)
        if knob is None:
            hint = nearest(name, [*definition.knobs, *SIZES])
            raise KnobError(f"{definition.name} has no knob {name!r}", hint=hint)
        value = self.knobs[name]
        if knob.kind not in ("int", "number") or knob.one_of or value is None:
            why = f"it is {knob.range}" if knob.one_of else f"its value is {plain(value)}"
            if knob.kind == "size":
                why = "write H and W"
            raise KnobError(f"{name} of {definition.name} cannot be a symbol: {why}")
        return Domain(name, value, *_ends(knob, value))

    @property
    def size(self) -> Any:
        """The height and the width of the input, None of one that is no image."""
        return self.knobs.get("res")

    def formula(
        self, builds: Builds, graph: Graph, guards: Sequence[Guard], fixed: Mapping[str, Any]
    ) -> Formula:
        """Write the costs of a graph's layers, their sums and the conditions."""
        shapes = [s for node in graph.nodes for s in (*node.out_shapes, *node.in_shapes)]
        variables = Variables(builds.main, shapes)
        collector = Collector(variables, shapes)
        replacing = equal(guards, variables)
        costs: dict[str, list[tuple[Items, Items]]] = {}
        for group in layers(graph.nodes):
            if self.scope == "all" or group[0].scope == self.scope:
                both = (replaced(variables.poly(n), replacing) for n in builds.cost(group))
                params, cost = map(collector.items, both)
                if params or cost:
                    name = group[0].block if self.by == "block" else group[0].layer
                    costs.setdefault(name.removeprefix(self.prefix), []).append((params, cost))
        every = [pair for group in costs.values() for pair in group]
        conditions = stated(guards, builds, variables)
        letters = Letters(variables)
        letters.see(collector.written([items]) for pair in every for items in pair)
        letters.see(tree for condition in conditions for tree in condition.trees)

        def line(name: str, group: Sequence[tuple[Items, Items]]) -> Line:
            params = letters.named(collector.written(params for params, _ in group))
            return Line(name, params, letters.named(collector.written(cost for _, cost in group)))

        lines = [line(name, group) for name, group in costs.items()] if self.by != "net" else []
        total = line("total", every)
        said = [letters.condition(condition) for condition in conditions]
        shown = [tree for line in (*lines, total) for tree in line[1:]]
        shown += [tree for condition in said for tree in condition.trees]
        names = {domain.name for domain in builds.domains}
        own = dict(self.knobs)
        if names & {*SIZES}:
            del own["res"]
            own |= zip(SIZES, self.size, strict=True)
        return Formula(
            self.definition.name,
            builds.domains,
            {n: v for n, v in {**own, **fixed}.items() if n not in names},
            self.scope,
            self.convention,
            self.by,
            tuple(lines),
            total,
            letters.where(shown),
            tuple(said),
        )


def _ends(knob: Knob, value: Any) -> tuple[Any, Any]:
    """Return the least and the largest value of a symbol."""
    low, high = knob.least, knob.most
    if knob.kind == "int":
        if low is None:
            low = min(value, 1) if knob.above is None else math.floor(knob.above) + 1
        return math.ceil(low), max(MOST_WHOLE if high is None else math.floor(high), value)
    if low is None:
        low = math.nextafter(knob.above or 0.0, math.inf)
    if high is None:
        high = MOST if knob.below is None else math.nextafter(knob.below, -math.inf)
    return min(float(low), value), max(float(high), value)


def unclashed(names: Mapping[str, Loc | None], letters: Iterable[str], owner: str) -> None:
    """Refuse knobs or arguments that are named as the input's sizes are in formulas.

    Raises: KnobError: there is one.
    """
    for letter in letters:
        if letter in names:
            raise KnobError(
                f"{letter} of {owner} cannot stand in a formula, where {letter} stands "
                f"for {LETTERS[letter]} of the input",
                names[letter],
                hint=f"give it another name than {', '.join(letters)}",
            )


def block_spec(
    source: OpenedBlock, given: Given, images: Shapes = (MAPS,)
) -> tuple[Definition, tuple[str, ...]]:
    """Return a spec that is one block, and which of its knobs are symbols unless told otherwise.

    ``images`` stand for its inputs: one for all of them, maps (C, H, W) or tokens (N, C), whose
    sizes are symbols; several are as they are.
    Raises: UsageError: an argument without a value. KnobError: a value that an argument does not
    take. SourceError, SpecError: the block cannot be read.

    >>> from mbprof.spec.zoo import open_block
    >>> block_spec(open_block("dw_sep"), {})[1]
    ('k', 's', 'c', 'C', 'H', 'W')
    """
    takes, outer = source.signature().takes, source.knobs
    places: dict[str, Loc | None] = {name: entry.value.loc for name, entry in outer.items()}
    places |= {name: argument.loc for name, argument in takes.items()}
    letters = () if images[1:] else ("C", "H", "W") if len(images[0]) == 3 else ("C", "N")
    unclashed(places, letters, source.text)
    filled = ((name, _knob(argument, given.get(name))) for name, argument in takes.items())
    knobs = {name: knob for name, knob in filled if knob is not None}
    free = [
        name
        for name, knob in knobs.items()
        if knob.kind == "int" and (name in _FREE or takes[name].default is None)
    ]
    place = source.node.loc
    # An argument that bears the name of a knob that every spec has is a number.
    fixed = {name: knobs.pop(name) for name in USUAL_KNOBS if name in knobs}
    arguments = {
        name: Scalar(f"${name}" if knob.kind == "name" else name, place)
        for name, knob in knobs.items()
    } | {name: Scalar(plain(knob.default), place) for name, knob in fixed.items()}
    declared = {
        name: Entry(Scalar(name, place), Scalar(plain(knob.default), place))
        for name, knob in knobs.items()
    }
    around = {**outer, **declared}
    opened = by_itself(source, PREFIX.rstrip("/"), images, place, arguments, around)
    inputs, sizes = opened.definition.inputs, {}
    usual = {n: k for n, k in opened.definition.knobs.items() if n not in {i.knob for i in inputs}}
    if letters == ("C", "N"):
        n, c = images[0]
        sizes = {"C": Knob("C", c, "int", "input channels", least=1)}
        sizes["N"] = Knob("N", n, "int", "input tokens", least=1)
        shape = Bound(Scalar("N×C", place), lambda env: (env["N"], env["C"]))
        inputs = (replace(inputs[0], shape=shape),)
    elif letters:
        sizes = {"C": Knob("C", images[0][0], "int", "input channels", least=1)}
        channels = Bound(Scalar("C", place), lambda env: env["C"])
        inputs = (replace(inputs[0], knob="", channels=channels),)
    made = replace(
        opened.definition, name=source.text, inputs=inputs, knobs={**usual, **knobs, **sizes}
    )
    return made, (*(name for name in free if name in knobs), *letters)


def _knob(argument: Argument, given: Scalar | Value) -> Knob | None:
    """Return an argument as a knob; None where the block itself is to fill it in."""
    name, word = argument.name, argument.kind.word
    loc = given.loc if isinstance(given, Scalar) else None
    value = value_of(given) if isinstance(given, Scalar) else given
    if value is None and argument.default is not None:
        node = argument.default.node
        value = value_of(node) if isinstance(node, Scalar) else None
        if value is None or (isinstance(value, str) and word != "name"):
            return None  # an expression, which may depend on other arguments
    if value is None:
        if word not in ("int", "count", "number", "any"):
            raise UsageError(
                f"the argument {name} ({argument.doc or argument.kind.doc}) has no default",
                hint=f"give it one with --set {name}=...",
            )
        value = USUAL.get(name, WIDTH)
    kinds = {bool: "flag", int: "int", float: "number", str: "name", tuple: "size"}
    kind = kinds[type(value)]
    if word in ("int", "count") and kind != "int":
        raise KnobError(f"{name} is {value}; it must be {argument.kind.doc}", loc)
    least = {"int": 1, "count": 0}.get(word, min(value, 1) if isinstance(value, int) else None)
    knob = Knob(name, value, kind, argument.doc, least=least if kind == "int" else None)
    return replace(knob, default=checked(knob, value, loc))

"""Conventions: what counts, and how much; one data file beside for each way of counting."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mbprof.errors import ExpressionError, SpecError, closest, unknown
from mbprof.language.expr import Expr, unlimited
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import (
    Map,
    Scalar,
    Seq,
    is_file,
    known_keys,
    mapping,
    one_of,
    parse,
    read,
    required,
    text,
    word,
    words,
)
from mbprof.network.graph import Graph, Node, fold
from mbprof.ops import OPS, elements
from mbprof.ops.base import FACTS, Facts, Letter, total
from mbprof.ops.conv import FUNCTIONS
from mbprof.symbolic.arithmetic import added, is_whole, product

DEFAULT = "kernels"
_FOLDER = Path(__file__).resolve().with_suffix("")

UNITS = {"macs": "MACs", "flops": "FLOPs"}
"""What a convention can count, with the unit as it is printed."""

SIDE = {
    "all": "paths that end in an output of their own are counted as any other",
    "params": "of them only stored values are counted, because the tool runs the network without",
    "none": "they are not counted at all",
}
"""What a convention does with auxiliary outputs."""


def _maps(shape: Shape) -> tuple[int, int, int]:
    """Return a shape as C, H, W; a vector is one pixel, tokens are rows of one column."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return shape[-1], product(shape[:-1]), 1


QUANTITIES: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "in": ("elements of the first input", lambda node: product(node.in_shapes[0])),
    "in.c": ("channels of the first input", lambda node: _maps(node.in_shapes[0])[0]),
    "in.h": ("height of the same", lambda node: _maps(node.in_shapes[0])[1]),
    "in.w": ("width of the same", lambda node: _maps(node.in_shapes[0])[2]),
    "out": ("elements of all outputs", lambda node: elements(node.out_shapes)),
    "out.c": ("channels of the first output", lambda node: _maps(node.out_shapes[0])[0]),
    "out.h": ("height of the same", lambda node: _maps(node.out_shapes[0])[1]),
    "out.w": ("width of the same", lambda node: _maps(node.out_shapes[0])[2]),
    "inputs": ("how many inputs there are", lambda node: len(node.in_shapes)),
    "window": (
        "elements of the window, 1 if there is none",
        lambda node: product(node.op.geometry(node.in_shapes).kernel or ()),
    ),
    "window.h": (
        "height of the window, 1 if there is none",
        lambda node: (node.op.geometry(node.in_shapes).kernel or (1, 1))[0],
    ),
    "window.w": (
        "width of the same",
        lambda node: (node.op.geometry(node.in_shapes).kernel or (1, 1))[1],
    ),
    "step": (
        "elements of the stride, 1 if there is none",
        lambda node: product(node.op.geometry(node.in_shapes).stride or ()),
    ),
    "step.h": (
        "rows of the stride, 1 if there is none",
        lambda node: (node.op.geometry(node.in_shapes).stride or (1, 1))[0],
    ),
    "step.w": (
        "columns of the same",
        lambda node: (node.op.geometry(node.in_shapes).stride or (1, 1))[1],
    ),
    "groups": (
        "groups of the channels, 1 if there are none",
        lambda node: node.op.geometry(node.in_shapes).groups or 1,
    ),
    "stops": (
        "how often the window stops on the input, also of a transposed convolution",
        lambda node: product(axis.slides for axis in node.op.axes(node.in_shapes)),
    ),
    "covered": (
        "elements that the windows of an average pooling hold together, without a rule's padding",
        lambda node: node.op.covered(node.in_shapes, node.out_shapes),
    ),
    "params": ("all stored values", lambda node: node.facts.params),
    "trainable": ("stored values that training changes", lambda node: node.facts.trainable),
}
"""The quantities besides the kinds of facts, with their meaning."""

_OF_NODES = {**FACTS, **{name: doc for name, (doc, _) in QUANTITIES.items()}}
"""What a formula can ask of every node."""


@cache
def fields() -> dict[str, Letter]:
    """Return the keys of ops that a formula can ask for, such as ``bias`` or ``mode``."""
    letters = (each for op in OPS.values() for each in op.letters.items())
    return {key: letter for key, letter in letters if len(key) > 1}


class NodeNames(dict[str, Any]):
    """The names of a formula for one node, computed when they are asked for.

    A name that the node's op has no field for is not in sight.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __iter__(self) -> Iterator[str]:
        """Yield every name in sight, for the hint of an error."""
        yield from (*_OF_NODES, *(key for key in self.node.op.letters if key in fields()))

    def __missing__(self, name: str) -> Any:
        node = self.node
        if name in FACTS:
            value = getattr(node.facts, name)
        elif name in QUANTITIES:
            value = QUANTITIES[name][1](node)
        elif (letter := node.op.letters.get(name)) is not None:
            value = getattr(node.op, letter.attribute)
        else:
            raise KeyError(name)
        self[name] = value
        return value


class Count(NamedTuple):
    """What a convention counts: stored values, and a number for each of its measures."""

    params: int
    costs: tuple[int, ...]

    @property
    def cost(self) -> int:
        """The number of the first measure, 0 for a convention that counts no cost."""
        return self.costs[0] if self.costs else 0


@record
class Measure:
    """A sum: kinds of facts with their weights, or a formula for each op, function or call."""

    weights: Mapping[str, int]
    rules: Mapping[str, Expr]

    def of(self, nodes: Sequence[Node], facts: Facts) -> int:
        """Return the sum over nodes, whose facts together are ``facts``.

        Raises: ExpressionError, SpecError: a formula has no whole value for a node.
        """
        if not self.rules:
            return sum(weight * getattr(facts, kind) for kind, weight in self.weights.items())
        # Nodes of one kind, of which a network has many, hold the same op, shapes and facts.
        kinds: dict[tuple[int, int, int, str], int] = {}
        costs = []
        for node in nodes:
            kind = id(node.op), id(node.in_shapes), id(node.facts), node.call
            if kind not in kinds:
                kinds[kind] = self._cost(node)
            costs.append(kinds[kind])
        return added(costs)

    def _cost(self, node: Node) -> int:
        rule = self.rule(node)
        if rule is None:
            return 0
        try:
            value: Any = rule(NodeNames(node))
        except ExpressionError as error:
            raise error.through(f"for {node.name}, {node.call} ({node.op.word})") from None
        if not is_whole(value):
            message = f"{node.name} costs {value}, which is not a whole number"
            raise SpecError(message, rule.scalar.loc)
        present: int = node.present
        return value * present

    def rule(self, node: Node) -> Expr | None:
        """Return the formula that holds for a node: its call's, its function's or its op's.

        What a call is made of, as in ``nn.Linear of a view``, matters where a formula says so.
        """
        called = node.call.partition(" of ")[0]
        keys = (node.call, called, node.op.function, node.op.word)
        return next((self.rules[key] for key in keys if key in self.rules), None)


@record
class Convention:
    """A way of counting: a view of facts, with the tool that counts like this.

    ``measures`` are the costs that the tool prints, ``macs``, ``flops``, both or none; the first
    has the convention's unit. ``releases`` are those of the tool that count like this.
    ``faults`` are the tool's known errors that are reproduced.
    """

    name: str
    doc: str
    tool: str
    source: str
    params: Measure
    measures: Mapping[str, Measure]
    side: str = "all"
    folds: bool = False
    faults: tuple[str, ...] = ()
    releases: str = ""

    @property
    def unit(self) -> str:
        """The unit of the cost, ``MACs`` or ``FLOPs``; empty if there is no cost."""
        return UNITS[next(iter(self.measures))] if self.measures else ""

    @property
    def span(self) -> str:
        """The tool with the releases that count like this, or with the one that was measured.

        >>> load("ptflops@0.6.9").span
        'ptflops 0.6.8 to 0.6.9'
        """
        measured = self.tool.partition(", ")[0]
        return f"{measured.partition(' ')[0]} {self.releases}" if self.releases else measured

    def named(self, costs: tuple[int, ...]) -> dict[str, int]:
        """Return costs by the names of their measures, ``macs`` or ``flops``."""
        return dict(zip(self.measures, costs, strict=True))

    def view(self, graph: Graph) -> Graph:
        """Return the graph as the convention sees it: folded, if it counts folded networks."""
        return fold(graph) if self.folds else graph

    def count(self, nodes: Sequence[Node], facts: Facts | None = None) -> Count:
        """Return what nodes of a viewed graph cost; ``facts`` is their sum, if it is known.

        Raises: ExpressionError, SpecError: a formula has no whole value for a node.

        >>> from mbprof import load
        >>> from mbprof.network.conventions import load as convention
        >>> graph = load("mobilenet_v2").build().compiled
        >>> convention("kernels").count(graph.nodes).params
        3471040
        """
        costed = nodes
        if self.side != "all" and any(node.side for node in nodes):
            costed = [node for node in nodes if not node.side]
            facts = None
        stored = costed if self.side == "none" else nodes
        # Rules ask each node; only weights need the sum of all facts.
        weighs = any(measure.weights for measure in (self.params, *self.measures.values()))
        both = facts or (total(node.facts for node in stored) if weighs else Facts())
        params = self.params.of([node for node in stored if node.alone is None], both)
        # A layer costs the same each time that it is used, also where a tool counts its weights.
        used = [node.by_itself for node in costed]
        if weighs and (costed is not stored or any(node.alone for node in costed)):
            both = total(node.facts for node in used)
        return Count(params, tuple(measure.of(used, both) for measure in self.measures.values()))


KEYS = {
    "name": "the convention's name",
    "doc": "what it counts, in a sentence",
    "tool": "the tool that counts like this, with its version",
    "releases": "the releases of the tool that count like this, from first to last",
    "source": "where the formulas stand",
    "unit": "the unit of the cost: MACs, FLOPs, or none for a tool that counts no cost",
    "params": "stored values: weights of kinds, such as {kernels: 1}",
    "params_of": "or formulas of ops or calls, such as {nn.Conv2d: kernels + biases}",
    "macs": "MACs: weights of kinds, such as {mac: 1}",
    "macs_of": "or formulas of ops or calls, such as {conv: mac + add}",
    "flops": "FLOPs: weights of kinds, such as {mac: 2}",
    "flops_of": "or formulas of ops or calls, such as {bn: 2 * in}",
    "side": "auxiliary outputs: " + ", ".join(SIDE),
    "fold": "whether batch norms are folded into the layers before them",
    "faults": "known errors of the tool that are reproduced, in words",
}
"""The keys of a convention's file, with what each is."""


def names() -> list[str]:
    """Return the names of the conventions, the default first, the others in alphabetical order."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: name != DEFAULT)


def load(name: str) -> Convention:
    """Return a convention by name, or from a file by its path.

    Raises: UsageError: there is none of that name. SourceError, SpecError, ExpressionError: a
    file does not hold a convention.

    >>> load("torchinfo").unit
    'MACs'
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return _read(Path(name), Path(name).stat().st_mtime_ns if is_file(name) else 0)
    return _brought(name)


@lru_cache(maxsize=64)
def _brought(name: str) -> Convention:
    path = _FOLDER / f"{name}.yaml"
    if not name or not is_file(path):
        raise unknown("convention", name, names())
    return _read(path, 0)


def written(name: str) -> str:
    """Return the file of a convention that mbprof brings, as it stands."""
    return read(_FOLDER / f"{name}.yaml", "convention").text


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Convention:
    """Read a file; one that has changed since is another file."""
    built_in = Path(os.path.realpath(path)).parent == _FOLDER
    others = () if built_in else tuple(load(name) for name in names())
    what = "a convention"
    tree = mapping(parse(read(path, "convention")), what)
    known_keys(tree, KEYS, what)
    calls = _calls(others) if others else set()
    unit = word(required(tree, "unit", what), "unit")
    units = [*UNITS.values(), "none"]
    if unit.text not in units:
        raise unknown("unit", unit.text, units, unit.loc)
    given = {name: _measure(tree, name, calls) for name in UNITS}
    measures = {name: measure for name, measure in given.items() if measure is not None}
    main = unit.text.lower()
    if unit.text == "none" and measures:
        raise SpecError(f"a cost in {next(iter(measures))} needs a unit", unit.loc)
    if unit.text != "none" and main not in measures:
        message = f"the unit is {unit.text}, but nothing says what costs them"
        raise SpecError(message, unit.loc, f"add {main} or {main}_of")
    params = _measure(tree, "params", calls)
    if params is None:
        raise SpecError("a convention lacks the key 'params'", tree.loc)
    faults = tree.get("faults")
    name = word(required(tree, "name", what), "name")
    if any(name.text == other.name for other in others):
        hint = "give yours another name"
        raise SpecError(f"{name.text!r} is the name of a built-in convention", name.loc, hint)
    return Convention(
        name=name.text,
        doc=text(tree, "doc"),
        tool=text(tree, "tool"),
        source=text(tree, "source"),
        params=params,
        measures=dict(sorted(measures.items(), key=lambda pair: pair[0] != main)),
        side=one_of(tree, "side", tuple(SIDE), "all"),
        folds=one_of(tree, "fold", ("true", "false"), "false") == "true",
        releases=text(tree, "releases"),
        faults=tuple(fault.text for fault in words(faults, "a fault")) if faults else (),
    )


def _measure(tree: Map, name: str, calls: Collection[str]) -> Measure | None:
    """Read the weights of kinds under a name, or the formulas under ``NAME_of``."""
    kinds, rules = tree.get(name), tree.get(f"{name}_of")
    if kinds is not None and rules is not None:
        raise SpecError(f"give either {name} or {name}_of", rules.loc)
    if kinds is not None:
        return Measure(_weights(mapping(kinds, name)), {})
    return None if rules is None else Measure({}, _rules(mapping(rules, f"{name}_of"), calls))


def _weights(node: Map) -> dict[str, int]:
    weights = {}
    for kind, entry in node.entries.items():
        scalar = word(entry.value, "a weight")
        if kind not in FACTS:
            raise unknown("kind", kind, FACTS, entry.key.loc)
        if not re.fullmatch(r"[0-9]{1,9}", scalar.text):
            typed = scalar.text if len(scalar.text) <= 20 else f"{scalar.text[:20]}…"
            hint = "at most 9 digits" if scalar.text.isdecimal() else None
            raise SpecError(f"a weight is a whole number, found {typed!r}", scalar.loc, hint)
        weights[kind] = int(scalar.text)
    return weights


def _rules(node: Map, calls: Collection[str]) -> dict[str, Expr]:
    """Read ``{OPS: FORMULA}``; a key is an op, a function or a call, or several with commas."""
    rules: dict[str, Expr] = {}
    for keys, entry in node.entries.items():
        if isinstance(entry.value, Map | Seq):
            raise SpecError("a formula is a single value", entry.value.loc)
        formula = Expr.parse(word(entry.value, "a formula"), unlimited)
        if formula.counts or any(name not in _OF_NODES for name, _ in formula.names):
            formula.check({**_OF_NODES, **fields()})
        for key in (part.strip() for part in keys.split(",")):
            _check_key(key, entry.key, calls)
            if key in rules:
                raise SpecError(f"{key} has two formulas", entry.key.loc)
            rules[key] = formula
    return rules


def _calls(others: Iterable[Convention]) -> set[str]:
    """Return the calls that ops make, and those that conventions have formulas for."""
    made = {op.call for op in OPS.values()} | {function.call for function in FUNCTIONS.values()}
    measures = (measure for other in others for measure in (other.params, *other.measures.values()))
    return made.union(*(measure.rules for measure in measures))


_OTHERS = {
    "nn.Bilinear", "nn.Hardshrink", "nn.LazyBatchNorm2d", "nn.LazyConv2d", "nn.LazyLinear",
    "nn.LogSigmoid", "nn.LogSoftmax", "nn.MaxUnpool2d", "nn.Softmin", "nn.SyncBatchNorm",
    "F.bilinear", "F.hardshrink", "F.log_softmax", "F.logsigmoid", "F.max_unpool2d", "F.softmin",
}  # fmt: skip
"""Calls of PyTorch that resemble known ones and are not those."""


def _check_key(key: str, scalar: Scalar, calls: Collection[str]) -> None:
    """Refuse a plain word that is no op, and a call that is a known one misspelt."""
    known = [*OPS, *FUNCTIONS]
    if key.isidentifier() and key.islower() and key not in known:
        raise unknown("op or activation", key, known, scalar.loc)
    if calls and key not in known and (meant := _misspelt(key, {*known, *calls})):
        raise SpecError(f"unknown op or call {key!r}", scalar.loc, f"did you mean {meant!r}?")


def _misspelt(key: str, known: Collection[str]) -> str | None:
    """Return the known name that a name is but for its case or a few letters."""
    if key in known or key in _OTHERS:
        return None
    if (same := next((n for n in sorted(known) if n.lower() == key.lower()), None)) is not None:
        return same
    close = closest(key, sorted(known), 0.82)
    # Short names are alike by chance, those for other dimensions by design.
    if close is None or len(key.rpartition(".")[2]) < 6:
        return None
    flat = [re.sub("[123]d$", "", name) for name in (key, close)]
    return None if key != flat[0] and flat[0] == flat[1] else close

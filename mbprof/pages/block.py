"""A block beside the blocks that it might replace, on one input and of one width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.fmt import Images, Shape, Value
from mbprof.language.fmt import parse as parse_value
from mbprof.language.record import record
from mbprof.language.source import Map, Scalar, mapping, parse, read, required, sequence, word
from mbprof.network import conventions
from mbprof.network.conventions import Convention
from mbprof.network.load import Network, Spec, alone, as_text
from mbprof.network.profile import Table
from mbprof.network.rows import totals
from mbprof.output import Column, Report
from mbprof.pages.wiring import block_text
from mbprof.spec.block import LoneBlock, as_map, as_typed, input_of, of_row
from mbprof.spec.knobs import typed
from mbprof.spec.zoo import open_block

STANDARD, SEPARABLE = "standard 3x3 convolution", "depthwise separable"
"""The alternatives of which the law of the separable convolution speaks."""


@record
class Alternative:
    """A block of the same input, output channels and stride.

    ``costs`` are the measures of the convention, ``macs`` or ``flops``; ``reason`` says why there
    is no such block, which then has neither params nor costs.
    """

    name: str
    params: int = 0
    costs: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


def alternatives(
    image: Shape, output: Shape, convention: str = conventions.DEFAULT
) -> tuple[Alternative, ...]:
    """Return what blocks cost that lead from one shape to another, (C, H, W) -> (c, H/s, W/s).

    The depthwise separable convolution takes 1/c + 1/k² of the MACs of the standard one.
    Raises: UsageError: no such convention.
    Source: arXiv:1704.04861, section 3.1; the other rows name theirs in the block library.

    >>> [each.costs["macs"] for each in alternatives((64, 7, 7), (128, 7, 7))][:2]
    [3612672, 429632]
    """
    stride = _stride(image, output)
    if stride is None:
        reason = f"no stride leads from {fmt.shape(image)} to {fmt.shape(output)}"
        reason = reason if image else "it has several inputs or outputs"
        return tuple(Alternative(name, reason=reason) for name in _rows())
    return tuple(
        _cost(name, row, image, (output[0], stride), output, convention)
        for name, row in _rows().items()
    )


@lru_cache(maxsize=1)
def _rows() -> dict[str, Map]:
    """Return the rows of the data file by their names."""
    rows = {}
    for item in sequence(
        parse(read(Path(__file__).with_name("alternatives.yaml"))), "alternatives"
    ).items:
        row = mapping(item, "an alternative")
        name = word(required(row, "name", "an alternative"), "name").text
        entries = {key: entry for key, entry in row.entries.items() if key != "name"}
        rows[name] = Map(entries, row.loc)
    return rows


def _stride(image: Shape, output: Shape) -> int | None:
    if len(output) != 3 or len(image) != 3:
        return None
    sides = list(zip(image[1:], output[1:], strict=True))
    strides = {-(-n // m) for n, m in sides}
    s = strides.pop()
    return s if not strides and all(-(-n // s) == m for n, m in sides) else None


def _cost(
    name: str, row: Map, image: Shape, knobs: tuple[int, int], output: Shape, convention: str
) -> Alternative:
    given = {k: Scalar(str(n), row.loc) for k, n in zip("cs", knobs, strict=True)}
    try:
        entry = {"input": input_of(image, row.loc)}
        opened = of_row("alternative", row, entry, as_map(given, row.loc))
        network = Spec(opened.definition).build()
    except MbprofError as error:
        return Alternative(name, reason=error.message)
    if network.output_shape != output:
        return Alternative(name, reason=f"its output is {fmt.shape(network.output_shape)}")
    count = totals(network.compiled, convention, "all")
    return Alternative(name, count.params, conventions.load(convention).named(count.costs))


@record
class BlockNetwork(Network):
    """A block alone, on an input of its own; a notebook shows it beside other blocks."""

    block: LoneBlock
    convention: str = conventions.DEFAULT

    @property
    def brief(self) -> str:
        """The block, its inputs and its arguments."""
        return self.block.title

    @property
    def ends(self) -> tuple[Shape, Shape]:
        """The shapes of input and output, empty where there are several of either."""
        graph = self.compiled
        if max(len(graph.images), len(graph.results)) > 1:
            return (), ()
        return graph.image, graph.output_shape

    def report(self, layout: str = "page") -> Report:
        """Lay the block out: its table, its wiring, and what other blocks would cost."""
        block, profile = self.block, self.profile(self.convention)
        found = alternatives(*self.ends, self.convention)
        report = Table(profile, measures=True).report(layout)
        data = {
            **report.data,
            "block": block.name,
            "arguments": {name: parse_value(text) for name, text in block.arguments.items()},
            "alternatives": [
                {"name": a.name, "params": a.params, **a.costs} for a in found if not a.reason
            ],
            "impossible": [{"name": a.name, "reason": a.reason} for a in found if a.reason],
        }
        text = block_text(block.block).rstrip()
        wiring = Report(f"{block.name}, wiring", (), (), None, text=text)
        costs = profile.convention.named(profile.total.costs)
        this = Alternative(f"{block.name}, this block", profile.total.params, costs)
        beside = _beside(block.name, self.ends, (this, *found), profile.convention)
        return replace(report, title=block.title, data=data, more=(wiring, beside))


def block(
    name: str | Path,
    image: Images = None,
    *,
    convention: str = conventions.DEFAULT,
    **arguments: Value,
) -> BlockNetwork:
    """Compile a block of the library, of a file or of a spec (SPEC:BLOCK) alone.

    ``image`` is its input, HEIGHTxWIDTHxCHANNELS or the three numbers, TOKENSxCHANNELS, or several
    of these; what is not given is taken from the first call in the spec, or from its example. A
    report of it counts by the convention.
    Raises: UsageError: no such block or convention. MbprofError: it makes no network with these
    arguments.

    >>> block("inv_res", "56x56x24", c=24, t=6).profile().total[:2]
    (8208, 25740288)
    """
    return block_network(as_text(name), image, typed(arguments), convention)


def block_network(
    name: str,
    image: Images,
    given: Mapping[str, Scalar],
    convention: str = conventions.DEFAULT,
) -> BlockNetwork:
    """Build a block alone, see `block`; ``given`` is what was typed for its arguments."""
    conventions.load(convention)
    block = alone(open_block(name), image, given)
    network = Spec(block.definition, alone=True).build()
    return BlockNetwork(network.spec, network.knobs, network.compiled, block, convention)


def _beside(
    name: str, ends: tuple[Shape, Shape], found: Sequence[Alternative], convention: Convention
) -> Report:
    """Lay out a block and its alternatives; the first measure of the convention is the cost."""
    this, measure = found[0], next(iter(convention.measures), None)
    stride = _stride(*ends)
    columns = _columns(measure, convention.unit)
    if stride is None:
        notes = (f"Nothing stands beside it: {found[1].reason}.",)
        return Report(f"{name} beside other blocks", columns, (), None, notes=notes)
    rows = tuple(
        {
            "name": each.name,
            "params": each.params,
            "params_ratio": (each.params, this.params),
            **({measure: each.costs[measure]} if measure else {}),
            "cost_ratio": (each.costs[measure], this.costs[measure]) if measure else (0, 0),
        }
        for each in found
        if not each.reason
    )
    reasons = [f"No {each.name}: {each.reason}." for each in found if each.reason]
    image, output = ends
    return Report(
        f"{as_typed(output)} from {as_typed(image)} by other blocks, stride {stride}",
        columns,
        rows,
        None,
        notes=(*_seed_law(found[1:], output[0]), *reasons),
    )


def _times(value: tuple[int, int]) -> str:
    part, whole = value
    return f"{float(Fraction(part, whole)):.3g}×" if whole else "–"


def _columns(measure: str | None, unit: str) -> tuple[Column, ...]:
    params = (
        Column("name", "block", "the block", shrinks=True),
        Column("params", "params", "stored values that the convention counts", fmt.integer, True),
        Column("params_ratio", "of this", "times the params of this block", _times, True, yields=1),
    )
    if measure is None:
        return params
    return (
        *params,
        Column(measure, unit, "the cost that the convention counts", fmt.integer, True),
        Column("cost_ratio", "of this", "times the cost of this block", _times, True, yields=1),
    )


def _seed_law(found: Sequence[Alternative], c: int) -> tuple[str, ...]:
    """Say how two of the alternatives relate, where the law 1/c + 1/k² holds exactly."""
    macs = {alternative.name: alternative.costs.get("macs") for alternative in found}
    standard, separable = macs[STANDARD], macs[SEPARABLE]
    k = int(word(required(_rows()[STANDARD], "k", STANDARD), "k").text)
    law = Fraction(1, c) + Fraction(1, k * k)
    if not standard or not separable or Fraction(separable, standard) != law:
        return ()
    return (
        f"Depthwise separable over standard: 1/N + 1/k² = 1/{c} + 1/{k * k} = "
        f"{float(law):.4f} of the MACs.",
    )

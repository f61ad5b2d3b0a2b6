"""A block beside the blocks that it might replace, on one input and of one width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.source import Map, Node, Scalar, Seq, parse, read
from mbprof.language.tree import mapping, required, sequence, word
from mbprof.language.values import Shape
from mbprof.language.values import parse as parse_value
from mbprof.network import conventions
from mbprof.network.block import Alone, as_map, input_of, usual_defaults
from mbprof.network.conventions import Convention
from mbprof.network.load import Spec
from mbprof.network.profile import totals
from mbprof.network.table import profile_report
from mbprof.output import Column, Report
from mbprof.pages.spec import block_text
from mbprof.spec import zoo

_FILE = Path(__file__).parent / "alternatives.yaml"


@dataclass(frozen=True, slots=True)
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
        return tuple(Alternative(name, reason=reason) for name in _rows())
    return tuple(
        _cost(name, row, image, (output[0], stride), output, convention)
        for name, row in _rows().items()
    )


@lru_cache(maxsize=1)
def _rows() -> dict[str, Map]:
    """Return the rows of the data file by their names."""
    rows = {}
    for item in sequence(parse(read(_FILE)), "alternatives").items:
        row = mapping(item, "an alternative")
        name = word(required(row, "name", "an alternative"), "name").text
        rows[name] = Map({k: each for k, each in row.entries.items() if k != "name"}, row.loc)
    return rows


def _stride(image: Shape, output: Shape) -> int | None:
    if len(output) != 3:
        return None
    strides = {-(-n // m) for n, m in zip(image[1:], output[1:], strict=True)}
    s = strides.pop()
    fits = not strides and all(-(-n // s) == m for n, m in zip(image[1:], output[1:], strict=True))
    return s if fits else None


def _cost(
    name: str, row: Map, image: Shape, knobs: tuple[int, int], output: Shape, convention: str
) -> Alternative:
    place = row.loc
    values = zip(("c", "s"), (Scalar(str(knob), place) for knob in knobs), strict=True)
    entries: dict[str, Node] = {
        "name": Scalar("alternative", place),
        "input": input_of(image, place),
        "knobs": as_map(dict(values), place),
        "defaults": usual_defaults(place),
        "body": Seq((row,), place),
    }
    root = as_map(entries, place)
    try:
        network = Spec(zoo.define(zoo.Opened(root, _FILE.name, "", None))).build()
    except MbprofError as error:
        return Alternative(name, reason=error.message)
    if network.output_shape != output:
        return Alternative(name, reason=f"its output is {fmt.shape(network.output_shape)}")
    count = totals(network.compiled, convention, "all")
    return Alternative(name, count.params, conventions.load(convention).named(count.costs))


def block_report(
    block: Alone,
    convention: str = conventions.DEFAULT,
    layout: str = "page",
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
) -> Report:
    """Lay out a block alone: its table, its wiring, and what other blocks would cost.

    Raises: UsageError: no such convention or column. MbprofError: the block cannot be built.
    """
    network = block.build()
    profile = network.profile(convention)
    found = alternatives(block.image, network.output_shape, convention)
    report = profile_report(profile, "layer", sort, top, columns, layout)
    data = {
        **report.data,
        "block": block.name,
        "arguments": {name: parse_value(text) for name, text in block.arguments.items()},
        "alternatives": [
            {"name": each.name, "params": each.params, **each.costs}
            for each in found
            if not each.reason
        ],
        "impossible": [{"name": each.name, "reason": each.reason} for each in found if each.reason],
    }
    wiring = Report(f"{block.name}, wiring", (), (), None, text=block_text(block.block).rstrip())
    costs = profile.convention.named(profile.total.costs)
    this = Alternative(f"{block.name}, this block", profile.total.params, costs)
    beside = _beside(block, network.output_shape, (this, *found), profile.convention)
    return replace(report, title=block.title, data=data, more=(wiring, beside))


def _beside(
    block: Alone, output: Shape, found: Sequence[Alternative], convention: Convention
) -> Report:
    """Lay out a block and its alternatives; the first measure of the convention is the cost."""
    this, measure = found[0], next(iter(convention.measures), None)
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
    stride = _stride(block.image, output)
    reasons = [f"No {each.name}: {each.reason}." for each in found if each.reason]
    if stride is None:
        return Report(
            f"{block.name} beside other blocks", (), (), None,
            notes=(f"Nothing stands beside it: {found[1].reason}.",),
        )  # fmt: skip
    c, h, w = output
    _, high, wide = block.image
    return Report(
        f"{h}x{w}x{c} from {high}x{wide}x{block.image[0]} by other blocks, stride {stride}",
        _columns(measure, convention.unit),
        rows,
        None,
        notes=(*_seed_law(found[1:], c), *reasons),
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
    """Say how the first two alternatives relate, where the law 1/c + 1/k² holds exactly."""
    standard, separable = (each.costs.get("macs") for each in found[:2])
    if (
        not standard
        or not separable
        or Fraction(separable, standard) != Fraction(1, c) + Fraction(1, 9)
    ):
        return ()
    return (
        f"Depthwise separable over standard: 1/N + 1/k² = 1/{c} + 1/9 = "
        f"{float(Fraction(separable, standard)):.4f} of the MACs.",
    )

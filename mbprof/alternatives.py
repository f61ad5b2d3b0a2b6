"""A block beside the blocks that it might replace, on one input and of one width."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from mbprof import conventions, fmt, zoo
from mbprof.alone import DEFAULTS, Alone, as_map
from mbprof.describe import block_text
from mbprof.errors import MbprofError
from mbprof.network import Network, Spec
from mbprof.ops import Shape
from mbprof.profile import totals
from mbprof.reports import Column, Report
from mbprof.reports.tables import profile_report
from mbprof.source import Entry, Map, Node, Scalar, Seq, parse, read
from mbprof.spec.knobs import parse as parse_value
from mbprof.spec.nodes import mapping, required, sequence, word

_FILE = Path(__file__).parent / "alternatives.yaml"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A block of the same input, output channels and stride; without costs where there is none."""

    name: str
    params: int | None
    macs: int | None
    reason: str = ""


def alternatives(
    image: Shape, output: Shape, convention: str = conventions.DEFAULT
) -> tuple[Alternative, ...]:
    """Return what blocks cost that lead from one shape to another, (C, H, W) -> (c, H/s, W/s).

    The depthwise separable convolution takes 1/c + 1/k² of the MACs of the standard one.
    Raises: UsageError: no such convention.
    Source: arXiv:1704.04861, section 3.1; the other rows name theirs in the block library.

    >>> [each.macs for each in alternatives((64, 7, 7), (128, 7, 7))][:2]
    [3612672, 429632]
    """
    stride = _stride(image, output)
    if stride is None:
        reason = f"no stride leads from {fmt.shape(image)} to {fmt.shape(output)}"
        return tuple(Alternative(name, None, None, reason) for name in _rows())
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
    place, (c, h, w) = row.loc, image
    values: dict[str, Node] = dict(
        zip(("c", "s"), (Scalar(str(knob), place) for knob in knobs), strict=True)
    )
    default: Node = as_map({key: Scalar(value, place) for key, value in DEFAULTS.items()}, place)
    entries: dict[str, Node] = {
        "name": Scalar("alternative", place),
        "input": as_map(
            {"channels": Scalar(str(c), place), "res": Scalar(f"{h}x{w}", place)}, place
        ),
        "knobs": as_map(values, place),
        "defaults": as_map({"conv": default}, place),
        "body": Seq((row,), place),
    }
    root = Map({key: Entry(Scalar(key, place), node) for key, node in entries.items()}, place)
    try:
        network = Spec(zoo.define(zoo.Opened(root, _FILE.name, "", None))).build()
    except MbprofError as error:
        return Alternative(name, None, None, error.message)
    if network.output_shape != output:
        return Alternative(name, None, None, f"its output is {fmt.shape(network.output_shape)}")
    count = totals(network.layers, convention, "all")
    return Alternative(name, count.params, count.cost)


def block_report(
    block: Alone, convention: str = conventions.DEFAULT, layout: str = "page"
) -> Report:
    """Lay out a block alone: its table, its wiring, and what other blocks would cost.

    Raises: UsageError: no such convention. MbprofError: the block cannot be built.
    """
    network = block.build()
    profile = network.profile(convention)
    found = alternatives(block.image, network.output_shape, convention)
    report = profile_report(profile, layout=layout)
    data = {
        **report.data,
        "block": block.name,
        "arguments": {name: parse_value(text) for name, text in block.arguments.items()},
        "alternatives": [
            {"name": each.name, "params": each.params, "macs": each.macs}
            for each in found
            if each.macs is not None
        ],
        "impossible": [
            {"name": each.name, "reason": each.reason} for each in found if each.macs is None
        ],
    }
    wiring = Report(f"{block.name}, wiring", (), (), None, text=block_text(block.block).rstrip())
    beside = _beside(block, network, profile.total[:2], found)
    return replace(report, title=block.title, data=data, more=(wiring, beside))


def _beside(
    block: Alone, network: Network, own: tuple[int, int], found: tuple[Alternative, ...]
) -> Report:
    this = Alternative(f"{block.name}, this block", *own)
    rows = tuple(
        {
            "name": each.name,
            "params": each.params,
            "params_ratio": (each.params, own[0]),
            "macs": each.macs,
            "macs_ratio": (each.macs, own[1]),
        }
        for each in (this, *found)
        if each.macs is not None
    )
    impossible = tuple(f"No {each.name}: {each.reason}." for each in found if each.macs is None)
    c, h, w = network.output_shape if len(network.output_shape) == 3 else (0, 0, 0)
    return Report(
        f"{h}x{w}x{c} from {block.image[1]}x{block.image[2]}x{block.image[0]} by other blocks",
        _COLUMNS,
        rows,
        None,
        notes=(*_seed_law(found, c), *impossible),
    )


def _times(value: tuple[int | None, int]) -> str:
    part, whole = value
    return "–" if part is None or not whole else f"{float(Fraction(part, whole)):.3g}×"


_COLUMNS = (
    Column("name", "block", "the block", shrinks=True),
    Column("params", "params", "stored values that the convention counts", fmt.integer, True),
    Column("params_ratio", "of this", "times the params of this block", _times, True, yields=1),
    Column("macs", "MACs", "multiply-accumulates", fmt.integer, True),
    Column("macs_ratio", "of this", "times the MACs of this block", _times, True, yields=1),
)


def _seed_law(found: tuple[Alternative, ...], c: int) -> tuple[str, ...]:
    """Say how the first two alternatives relate, where the law 1/c + 1/k² holds exactly."""
    standard, separable = (each.macs for each in found[:2])
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

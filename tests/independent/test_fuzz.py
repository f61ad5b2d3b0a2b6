"""Specs from strangers: whatever the text, the answer is a network or one clear error."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import mbprof
from mbprof import MbprofError
from mbprof.errors import Loc, Source
from mbprof.language.expr import Expr
from mbprof.language.source import Scalar

SPECS = Path(__file__).parents[2] / "specs"
TEXT = (SPECS / "mobilenet_v1.yaml").read_text()
WORDS = """
{ } [ ] : - , # ' " $ none true 0 -1 1e9 9999999999999999999999999 c in.c in.q rows op conv dw_sep k
when n ( * /0 % x _ out name {row} {i é &a *a !!int branches repeat side join width knobs defaults
extend published
"""
PIECES = [*WORDS.split(), "\n", "  ", "\t", "\x00"]


def answer(work: Callable[[], object]) -> str:
    """Return the message of the error, or a word if there is none; any other error passes."""
    try:
        work()
    except MbprofError as error:
        return str(error)
    return "done"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), st.sampled_from(PIECES)),
        min_size=1,
        max_size=3,
    )
)
def test_a_mangled_spec_gives_a_network_or_an_error(edits: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    assert answer(lambda: mbprof.loads(text).build(res=64).profile())


BLOCK = Path(mbprof.__file__).parent.parent / "specs" / "blocks" / "mbv3.yaml"


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**4),
    st.integers(0, 40),
    st.text(alphabet="{}[]:,-0128 ckstin.\n", max_size=12),
)
def test_a_mangled_block_is_checked_or_refused(start: int, length: int, piece: str) -> None:
    text = BLOCK.read_text()
    at = start % len(text)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mangled.yaml"
        path.write_text(text[:at] + piece + text[at + length :])
        assert answer(lambda: mbprof.check(str(path)))


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="0123456789.+-*/%()<>=!, abcinoref'$_\n", max_size=30))
@example("1 if c else")
@example("not not c")
@example("int(0.5 * 9999999999999999.0 * 9999999999999999.0)")
def test_an_expression_has_a_value_or_an_error(text: str) -> None:
    scalar = Scalar(text, Loc(Source("text", text), 1, 1))
    assert answer(lambda: Expr.parse(scalar)({"c": 3, "in.c": 8, "r": 0.25, "f": True}))


KNOBS = [
    "alpha",
    "res",
    "classes",
    "min_depth",
    "output_stride",
    "final_endpoint",
    "depth_multiplier",
]
SIZES = st.integers(-2, 300)
VALUES = st.one_of(
    st.none(), st.booleans(), SIZES, st.floats(), st.text(max_size=8), st.tuples(SIZES, SIZES)
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KNOBS), VALUES))
def test_any_value_of_a_knob_is_taken_or_refused(knobs: dict[str, object]) -> None:
    spec = mbprof.load("mobilenet_v1")
    assert answer(lambda: spec.build(**knobs).profile())  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [1e6, 1e5, 1e-3])
def test_extreme_widths_are_exact_or_refused(alpha: float) -> None:
    network = mbprof.load("mobilenet_v1").build(alpha=alpha)
    last = network.profile().rows[-1]
    width = max(int(1024 * alpha), 8)
    assert last.params == width * width
    assert last.cost == width * width * 49

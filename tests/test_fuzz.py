"""Specs from strangers: whatever the text, the answer is a network or one clear error."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import mbprof
from mbprof import MbprofError
from mbprof.errors import Loc, Source
from mbprof.expr import Expr
from mbprof.source import Scalar

SPECS = Path(__file__).parent.parent / "specs"
TEXT = (SPECS / "mobilenet_v1.yaml").read_text()
PIECES = [
    "{", "}", "[", "]", ":", "- ", ",", "\n", "  ", "#", "'", '"', "$", "none", "true", "0", "-1",
    "1e9", "9" * 25, "c", "in.c", "in.q", "rows", "op", "conv", "dw_sep", "k", "when", "n", "(", "*",
    "/ 0", "%", "x", "_", "out", "name", "{row}", "{i", "\t", "é", "\x00", "&a ", "*a", "!!int ",
    "branches", "repeat", "side", "join", "width", "knobs", "defaults", "extend", "published",
]  # fmt: skip


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
    try:
        mbprof.loads(text).build(res=64).profile()
    except MbprofError as error:
        assert str(error)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="0123456789.+-*/%()<>=!, abcinoref'$_\n", max_size=30))
@example("1 if c else")
@example("not not c")
@example("int(0.5 * 9999999999999999.0 * 9999999999999999.0)")
def test_an_expression_has_a_value_or_an_error(text: str) -> None:
    scalar = Scalar(text, Loc(Source("text", text), 1, 1))
    try:
        Expr.parse(scalar)({"c": 3, "in.c": 8, "r": 0.25, "f": True})
    except MbprofError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["alpha", "res", "classes", "min_depth", "output_stride",
                                        "final_endpoint", "depth_multiplier"]),
                       st.one_of(st.none(), st.booleans(), st.integers(-5, 400), st.floats(),
                                 st.text(max_size=8), st.tuples(st.integers(-2, 300),
                                                                st.integers(-2, 300)))))  # fmt: skip
def test_any_value_of_a_knob_is_taken_or_refused(knobs: dict[str, object]) -> None:
    try:
        mbprof.load("mobilenet_v1").build(**knobs).profile()  # type: ignore[arg-type]
    except MbprofError as error:
        assert str(error)


@pytest.mark.parametrize("alpha", [1e6, 1e5, 1e-3])
def test_extreme_widths_are_exact_or_refused(alpha: float) -> None:
    network = mbprof.load("mobilenet_v1").build(alpha=alpha)
    last = network.profile().rows[-1]
    width = max(int(1024 * alpha), 8)
    assert last.params == width * width
    assert last.macs == width * width * 49

"""The spec language: what each construct means, shown on small networks."""

import math
from typing import Any

import pytest

import mbprof
from mbprof import MbprofError
from mbprof.errors import Loc, ShapeError, Source
from mbprof.formulas.sheet import render
from mbprof.language import counts
from mbprof.language.source import Scalar
from mbprof.ops.norms import GroupNorm
from mbprof.spec.sections import limit
from mbprof.symbolic.arithmetic import FUNCTIONS, OPERATIONS, Operation, lifted, product

HEAD = "name: net\ninput: {channels: 8, res: 16}\npadding: torch\n"


def build(text: str, **knobs: Any) -> mbprof.Network:
    return mbprof.loads(HEAD + text).build(**knobs)


def rows(text: str, **knobs: Any) -> list[tuple[Any, ...]]:
    profile = build(text, **knobs).profile()
    return [(row.op, row.name, row.out_shape) for row in profile.rows]


def test_rows_under_columns_equal_rows_as_mappings() -> None:
    table = """
body:
  columns: [op, k, s, c]
  rows:
    - [conv, 3, 2, 16]
    - [dwconv, 3, 1, -]
"""
    mappings = "body: [{op: conv, k: 3, s: 2, c: 16}, {op: dwconv, k: 3, s: 1}]\n"
    assert rows(table) == rows(mappings)


def test_repeats_stride_on_the_first_only_and_equal_rows_written_out() -> None:
    short = "body: [{op: conv, k: 3, s: 2, c: 16, n: 3}]\n"
    long = """
body:
  - {op: conv, k: 3, s: 2, c: 16}
  - {op: conv, k: 3, c: 16}
  - {op: conv, k: 3, c: 16}
"""
    assert rows(short) == rows(long)
    assert [row[2] for row in rows(short)] == [(16, 8, 8)] * 3


def test_no_repeats_leave_the_row_out() -> None:
    assert [row[0] for row in rows("body: [{op: conv, k: 3, c: 4, n: 0}, {op: gap}]\n")] == ["gap"]


def test_the_width_rule_scales_rows_but_not_what_blocks_are_handed() -> None:
    text = """
knobs: {alpha: 1.0}
width: int(alpha * c)
blocks:
  pair:
    takes: {c: int}
    body: [{op: conv, k: 1, c: c}, {op: conv, k: 1, c: 2 * in.c}]
body:
  - {op: pair, c: 32}
  - {op: conv, k: 1, c: 10, width: c}
"""
    assert [row[2][0] for row in rows(text, alpha=0.5)] == [16, 16, 10]


def test_a_width_rule_for_several_letters() -> None:
    text = """
knobs: {alpha: 1.0}
width: {c: int(alpha * c), e: div8(alpha * e)}
blocks:
  wide:
    takes: {c: int, e: int}
    body: [{op: conv, k: 1, c: e}, {op: conv, k: 1, c: c}]
body: [{op: wide, e: 72, c: 10}]
"""
    assert [row[2][0] for row in rows(text, alpha=0.5)] == [40, 5]


def test_compound_scaling_of_width_depth_and_resolution() -> None:
    text = """
name: net
input: {channels: 3, res: 32, scale: "pow(gamma, phi)"}
knobs: {phi: 0.0, gamma: 1.5}
width: {c: int((1 + phi) * c), n: ceil((1 + phi) * n)}
body: [{op: conv, k: 1, c: 4, n: 2}, {op: conv, k: 1, c: 6, n: 1, width: c}]
"""
    spec = mbprof.loads(text)
    shapes = [row.out_shape for row in spec.build(phi=1).profile().rows]
    assert shapes == [(8, 48, 48)] * 4 + [(6, 48, 48)]
    assert spec.build().profile().rows[0].out_shape == (4, 32, 32)
    assert spec.build(res=(30, 31), phi=1).profile().rows[0].out_shape == (8, 45, 46)


def test_branches_are_joined_and_an_empty_one_is_the_input() -> None:
    text = """
body:
  - branches:
      - [{op: conv, k: 1, c: 4}]
      - [{op: conv, k: 1, c: 6}, {op: conv, k: 3, c: 6}]
      - []
    join: concat
"""
    assert rows(text)[-1] == ("concat", "concat_1/concat", (18, 16, 16))


def test_a_named_branch_step_gives_its_name_to_what_is_in_it() -> None:
    text = """
body:
  - name: Mixed_5b
    join: add
    act: relu
    branches:
      - [{op: conv, k: 1, c: 8, name: "Branch_{branch}/a"}]
      - [{op: conv, k: 1, c: 8, name: "Branch_{branch}/a"}]
"""
    names = [row[1] for row in rows(text)]
    assert names == ["Mixed_5b/Branch_0/a", "Mixed_5b/Branch_1/a", "Mixed_5b/add"]
    assert build(text, final_endpoint="Mixed_5b").output_shape == (8, 16, 16)


def test_dense_repeats_hand_on_everything_that_came_before() -> None:
    text = "body: [{repeat: 3, dense: true, body: [{op: conv, k: 3, c: 5}]}]\n"
    convs = [row for row in build(text).profile().rows if row.op == "conv"]
    assert [row.in_shape[0] for row in convs] == [8, 13, 18]
    assert build(text).output_shape == (23, 16, 16)


def test_dense_repeats_equal_a_block_that_concatenates() -> None:
    dense = "body: [{repeat: 3, dense: true, body: [{op: conv, k: 3, c: 5}]}]\n"
    block = """
blocks:
  layer:
    body: [{op: conv, k: 3, c: 5}, {op: concat, in: [x, _]}]
body: [{op: layer, n: 3}]
"""
    assert build(dense).profile().total[:2] == build(block).profile().total[:2]


def test_a_side_path_ends_in_an_output_of_its_own_outside_the_body() -> None:
    text = """
knobs: {aux: true}
body:
  - {op: conv, k: 3, c: 4}
  - {side: [{op: gap}, {op: linear, c: 10}], when: aux}
  - {op: conv, k: 3, c: 6}
"""
    profile = build(text).profile
    assert [row.op for row in profile(scope="body").rows] == ["conv", "conv"]
    assert [row.op for row in profile(scope="all").rows] == ["conv", "gap", "linear", "conv"]
    assert len(build(text, aux=False).profile(scope="all").rows) == 2
    assert build(text).output_shape == (6, 16, 16)


def test_what_is_left_out_hands_on_its_input() -> None:
    text = """
blocks:
  unit:
    takes: {c: int, s: 1}
    body:
      - {op: conv, k: 3, c: c, s: s, out: main}
      - {op: conv, k: 1, c: c, s: s, in: x, out: short, when: s != 1 or in.c != c}
      - {op: add, in: [main, short]}
body: [{op: unit, c: 8}, {op: unit, c: 16, s: 2}]
"""
    assert [row[0] for row in rows(text)] == ["conv", "add", "conv", "conv", "add"]


def test_an_op_can_be_an_argument() -> None:
    text = """
blocks:
  unit:
    takes: {what: conv}
    body: [{op: $what, k: 3, c: 8}]
body: [{op: unit}, {op: unit, what: other}]
"""
    other = "  other:\n    takes: {k: int, c: int}\n    body: [{op: conv, k: k, c: 2 * c}]\n"
    text = text.replace("blocks:\n", "blocks:\n" + other)
    assert [row[2][0] for row in rows(text)] == [8, 16]


def test_a_block_can_take_two_inputs_and_give_two_outputs() -> None:
    text = """
blocks:
  cell:
    inputs: [left, right]
    body:
      - {op: concat, in: [left, right]}
      - {op: split, g: 2}
body:
  - {op: conv, k: 1, c: 4, out: a}
  - {op: conv, k: 1, c: 4, out: b}
  - {op: cell, in: [a, b], out: [c, d]}
  - {op: add, in: [c, d]}
"""
    assert [row[0] for row in rows(text)] == ["conv", "conv", "concat", "split", "add"]


def test_arguments_have_defaults_that_look_at_other_arguments() -> None:
    text = """
blocks:
  unit:
    takes: {c: int, t: {default: 4, doc: expansion}, e: {type: int, default: t * in.c}}
    body: [{op: conv, k: 1, c: e}, {op: conv, k: 1, c: c}]
body: [{op: unit, c: 4}, {op: unit, c: 4, t: 2}, {op: unit, c: 4, e: 7}]
"""
    assert [row[2][0] for row in rows(text)][::2] == [32, 8, 7]


def test_names_can_count_rows_repeats_and_stages() -> None:
    text = """
body:
  names: "s{stage}.{j}.{i}"
  columns: [op, k, c, n]
  rows: [[conv, 3, 4, 2], [conv, 3, 6, 1]]
"""
    assert [row[1] for row in rows(text)] == ["s0.0.0", "s0.1.1", "s1.0.2"]


def test_tables_nest_and_have_their_own_columns() -> None:
    text = """
body:
  - {op: conv, k: 3, c: 4, name: stem}
  - names: "mid{i}"
    columns: [op, k, c]
    rows: [[conv, 1, 6], [conv, 1, 8]]
  - {op: gap, name: pool}
"""
    assert [row[1] for row in rows(text)] == ["stem", "mid0", "mid1", "pool"]


def test_defaults_hold_for_an_op_and_its_family() -> None:
    text = """
defaults: {conv: {bn: true, act: relu6}, dwconv: {act: none}, bn: {scale: false}}
body: [{op: conv, k: 1, c: 4}, {op: dwconv, k: 3}]
"""
    nodes = build(text).compiled.nodes
    assert [node.op.word for node in nodes] == ["conv", "bn", "act", "dwconv", "bn"]
    assert nodes[1].facts.norm_scale == 0
    assert nodes[1].facts.norm_shift == 4


def test_a_norm_stands_in_the_place_of_every_batch_norm() -> None:
    text = """
norm: {op: gn, g: in.c // 2, shift: false}
defaults: {conv: {bn: true, act: relu}, bn: {scale: false}}
body: [{op: conv, k: 1, c: 8}, {op: bn, name: last}]
"""
    nodes = build(text).compiled.nodes
    assert [node.name for node in nodes] == ["conv_1", "conv_1/gn", "conv_1/act", "last"]
    assert [node.op for node in nodes[1::2]] == [GroupNorm(groups=4, scale=False, shift=False)] * 2


def test_a_convolution_can_take_its_weights_from_another_step() -> None:
    text = """
body:
  - {op: conv, k: 1, c: 4, out: maps}
  - {op: param, shape: [K, 9 * 4], out: kernels}
  - {op: DW, k: 3, in: [maps, kernels], C}
"""
    conv = text.replace("DW", "conv").replace("K,", "2,").replace("C}", "c: 2}")
    depthwise = text.replace("DW", "dwconv").replace("K,", "1,").replace(", C}", "}")
    for form, maps in ((conv, 2), (depthwise, 4)):
        last = build(form).compiled.nodes[-1]
        assert last.facts.params == 0
        assert last.out_shapes == ((maps, 16, 16),)
        assert last.facts.mac == 9 * (4 if maps == 2 else 1) * product(last.out_shapes[0])
    with pytest.raises(ShapeError, match="brings 72 weights, not 36"):
        build(depthwise.replace("[1,", "[2,"))


def test_output_stride_turns_later_strides_into_dilation() -> None:
    text = """
body:
  columns: [op, k, s, c]
  rows: [[conv, 3, 2, 8], [conv, 3, 2, 8], [conv, 3, 2, 8], [conv, 3, 1, 8]]
"""
    profile = build(text, output_stride=2).profile()
    assert [row.out_shape[1] for row in profile.rows] == [8, 8, 8, 8]
    assert [row.dilation for row in profile.rows] == [(1, 1), (1, 1), (2, 2), (4, 4)]
    assert profile.total.params == build(text).profile().total.params


def test_an_output_stride_between_two_strides_cannot_be_reached() -> None:
    with pytest.raises(MbprofError, match="output_stride 3 cannot be reached"):
        build(
            "body: [{op: conv, k: 3, s: 2, c: 8}, {op: conv, k: 3, s: 2, c: 8}]\n", output_stride=3
        )


def test_final_endpoint_keeps_only_what_it_depends_on() -> None:
    text = """
body:
  - branches:
      - [{op: conv, k: 1, c: 4, name: left}]
      - [{op: conv, k: 1, c: 4, name: right}]
    join: concat
    name: both
"""
    network = build(text, final_endpoint="both/right")
    assert [row.name for row in network.profile().rows] == ["both/right"]
    assert network.output_shape == (4, 16, 16)


PRESETS = """
knobs: {c: 8, deep: false}
body: [{op: conv, k: 3, c: c}, {op: conv, k: 3, c: c, when: deep}]
presets:
  net_large: {c: 16, deep: true, doc: the large one}
"""


def test_a_preset_is_a_set_of_knob_values() -> None:
    presets = mbprof.loads(HEAD + PRESETS).definition.presets
    assert dict(presets["net_large"].knobs) == {"c": 16, "deep": True}


def test_presets_can_be_the_rows_of_a_table() -> None:
    table = """
presets:
  columns: [name, doc, c, deep]
  rows:
    - [net_large, the large one, 16, true]
    - [net_wide, "wide, not deep", 32, -]
    - {name: net_deep, deep: true}
"""
    written = mbprof.loads(HEAD + PRESETS).definition.presets["net_large"]
    presets = mbprof.loads(HEAD + PRESETS.split("presets:")[0] + table).definition.presets
    assert presets["net_large"] == written
    assert dict(presets["net_wide"].knobs) == {"c": 32}
    assert dict(presets["net_deep"].knobs) == {"deep": True}


def test_variants_state_only_what_differs() -> None:
    base = mbprof.load("mobilenet_v1").definition
    cifar = mbprof.load("mobilenet_v1_cifar").definition
    assert len(cifar.body.steps) == len(base.body.steps)
    assert "min_depth" in base.knobs
    assert "min_depth" not in cifar.knobs
    assert cifar.published == ()
    assert cifar.flavours == {}


def test_a_spec_can_extend_a_file_beside_it(tmp_path: Any) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + "body: [{op: conv, k: 3, c: 4}, {op: gap}]\n")
    (tmp_path / "wide.yaml").write_text(
        "name: wide\nextend: base.yaml\nbody: {rows: {0: {c: 9}, 1: none}}\n"
    )
    assert mbprof.load(tmp_path / "wide.yaml").build().output_shape == (9, 16, 16)


def test_numbers_with_a_point_are_doubles_as_in_the_reference_code() -> None:
    for alpha in (0.07, 0.29, 0.35, 0.57, 0.58, 1.1, 1.15):
        for c in (24, 96, 100, 160, 320):
            text = f"knobs: {{a: 1.0}}\nbody: [{{op: conv, k: 1, c: int(a * {c}) + 1}}]\n"
            assert build(text, a=alpha).output_shape[0] == int(c * alpha) + 1


COUNTS = {
    "300M": 300_000_000,
    "3.2e6": 3_200_000,
    "3.4M": 3_400_000,
    "300 k": 300_000,
    "3,185,088": 3_185_088,
    "3_185_088": 3_185_088,
    "4.24 M params": 4_240_000,
    "0.58 GMACs": 580_000_000,
    "5.3 billion": 5_300_000_000,
    "~569M Multiply-Adds": 569_000_000,
    "123456789012345678901234567890": 123456789012345678901234567890,
}


@pytest.mark.parametrize(("text", "count"), COUNTS.items())
def test_a_count_is_read_alike_everywhere(text: str, count: int) -> None:
    assert counts.read(text).value == count
    here = Loc(Source("command line", text), 1, 1)
    kind = "params" if "params" in text else "macs"
    assert limit(Scalar(text, here), kind).count == count
    spec = mbprof.loads(
        f"{HEAD}body: [{{op: gap}}]\nbudget: {{{kind}: '{text}'}}\n"
        f"published: [{{source: a paper, {kind}: '{text}'}}]\n"
    ).definition
    said = getattr(spec.budget, kind), getattr(spec.published[0], kind)
    assert (said[0].count, said[1].value, said[1].holds(count)) == (count, count, True)
    assert counts.read(text).rounding(count) in ("exact", "nearest")


@pytest.mark.parametrize(
    ("text", "rounding", "low", "high"),
    [
        ("3.47M", "nearest", 3_465_000, 3_475_000),
        ("11M", "down", 11_000_000, 11_999_999),
        ("3.2e6", "nearest", 3_150_000, 3_250_000),
        ("569,000,000", "nearest", 569_000_000, 569_000_000),
    ],
)
def test_a_claim_is_held_by_the_counts_that_print_like_it(
    text: str, rounding: str, low: int, high: int
) -> None:
    quantity = counts.read(text).rounded(rounding)
    assert [quantity.holds(count) for count in (low - 1, low, high, high + 1)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_counts_stand_in_expressions() -> None:
    text = (
        "knobs: {wide: true}\nbody: [{op: linear, c: 1.5k if wide and in.c * 1M == 8M else 1_0}]\n"
    )
    flat = text.replace("[{op: linear", "[{op: gap}, {op: linear")
    assert build(flat).output_shape == (1500,)
    assert build(flat, wide=False).output_shape == (10,)


def test_a_size_of_equal_sides_is_a_number() -> None:
    text = "body: [{op: conv, k: 1, c: res // 2 if res < 32 and res == '16x16' else 5}]\n"
    assert build(text).output_shape[0] == 8
    assert build(text, res=32).output_shape[0] == 5


def test_the_larger_of_a_double_and_a_whole_number_is_a_double() -> None:
    assert build("body: [{op: conv, k: 1, c: '8 * max(0.5, 1) / 2'}]\n").output_shape[0] == 4


def test_a_function_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new row serves a spec, a sweep, a filter and a formula."""
    row = Operation(lifted("sqrt", math.sqrt), "sqrt", "call", 1, 1, "the square root")
    monkeypatch.setitem(OPERATIONS, "sqrt", row)
    monkeypatch.setitem(FUNCTIONS, "sqrt", row)
    text = "knobs: {a: 1.0}\nbody: [{op: conv, k: 1, c: int(sqrt(a) * 8)}]\n"
    spec = mbprof.loads(HEAD + text)
    assert spec.build(a=4.0).output_shape[0] == 16
    frame = mbprof.sweep(spec, a=[1.0, 2.25, 4.0], where="sqrt(params) > 8.0")
    assert frame["params"].tolist() == [96, 128]
    found = mbprof.formula(spec, by="net", symbols=["a"])
    assert found.evaluate(a=2.25).params == 96
    assert "⌊8·sqrt(a)⌋" in render(found)

"""Which sizes make a network, compared with building it at every size by a loop."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.errors import MbprofError
from tests.conftest import invoke, run
from tests.independent.sizes_everywhere import TOP, makes, square


# Windows that shrink maps, stride-2 halves beside pools, patches with windows, fusions at four
# strides, an oblong input, heads that pool by the size: each at every size of a fraction of them.
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("alexnet", 7), ("dla", 31), ("swin", 37), ("mlperf_tiny_kws", 7),
        ("mobilenet_v3_small", 61), ("resnet_aa", 31), ("yolo_v3_tiny", 5),
    ],
)  # fmt: skip
def test_sizes_of_the_zoo_are_those_that_can_be_built(name: str, step: int) -> None:
    spec = mbprof.load(name)
    good = square(mbprof.sizes(spec).to_dict())
    some = {*range(1, TOP + 1, step), *range(28, 36), *range(224, 229)}
    assert {n for n in some if makes(spec, n, n)} == good & some


STRIDED = st.sampled_from(
    [
        "{op: conv, k: 3, s: 2, c: 4, p: %s}",
        "{op: conv, k: 2, s: 2, c: 4, p: %s}",
        "{op: dwconv, k: 5, s: 3, p: %s}",
        "{op: maxpool, k: 2, p: %s}",
        "{op: maxpool, k: 3, s: 2, p: %s, ceil: true}",
        "{op: avgpool, k: 4, s: 1, p: %s}",
    ]
)
SMALL = range(1, 60)
PADDING = st.sampled_from(["same", "valid", "torch", "1"])


@st.composite
def networks(draw: st.DrawFn) -> str:
    """Draw a network that goes down, up again, and joins what it left behind, or two branches."""
    join = draw(st.sampled_from(["add", "concat", "mul"]))
    padding = draw(st.sampled_from(["tf-same", "torch", "fixed", "keras"]))
    down = [draw(STRIDED) % draw(PADDING) for _ in range(draw(st.integers(1, 3)))]
    other = [draw(STRIDED) % draw(PADDING) for _ in range(draw(st.integers(1, 2)))]
    rows = [f"{{op: {join}, in: [_, before]}}"]
    if draw(st.booleans()):
        rows = [f"{{op: resize, by: {draw(st.integers(1, 6))}}}", *rows]
        other = []
    if other:
        other[-1] = other[-1].replace("}", ", out: right}")
        other[0] = other[0].replace("{op", "{in: before, op", 1)
        ends = f"{{op: {join}, in: [left, right]}}"
        rows = ["{op: identity, out: left}", *other, ends]
    lines = "".join(f"  - {row}\n" for row in ("{op: identity, out: before}", *down, *rows))
    return f"name: net\ninput: {{channels: 4, res: 24}}\npadding: {padding}\nbody:\n{lines}"


@settings(deadline=None, max_examples=15)
@given(networks(), st.integers(1, 60))
def test_sizes_of_any_network_are_those_that_can_be_built(text: str, other: int) -> None:
    spec = mbprof.loads(text)
    built = {n for n in SMALL if makes(spec, n, n)}
    try:
        found = mbprof.sizes(spec)
    except MbprofError:
        assert not built
        return
    assert {n for n in SMALL if n in found.square} == built
    refused = {n for refusal in found.refusals for n in refusal.sizes.values if n in SMALL}
    assert refused | built == {*SMALL} or not found.alike
    if not found.tied:
        for high, wide in product((other, 24, 31), (other, 33)):
            assert makes(spec, high, wide) == (high in found.height and wide in found.width)


UNET = """\
name: unet
input: {channels: 3, res: 64}
body:
  - {op: conv, k: 3, c: 8, out: a}
  - {op: maxpool, k: 2}
  - {op: conv, k: 3, c: 16, out: b}
  - {op: maxpool, k: 2}
  - {op: conv, k: 3, c: 32}
  - {op: resize, by: 2}
  - {op: concat, in: [_, b]}
  - {op: resize, by: 2}
  - {op: concat, in: [_, a]}
"""


def test_a_join_that_fails_says_which_sizes_fit_and_what_fits_always() -> None:
    spec = mbprof.loads(UNET)
    assert mbprof.sizes(spec).text == "height and width: multiples of 4, at least 4"
    with pytest.raises(MbprofError) as caught:
        spec.build(res=50)
    hint = caught.value.hint or ""
    assert hint.startswith("the nearest size that makes a network is 48 or 52; height and width: m")
    assert "for all sizes: {op: resize, in: [a, b]}" in hint
    always = (UNET).replace("resize, by: 2}", "resize, in: [_, %s]}") % ("b", "a")
    assert mbprof.sizes(mbprof.loads(always)).text == "height and width: at least 4"


def test_a_sweep_goes_on_behind_sizes_that_make_no_network() -> None:
    spec = mbprof.loads(UNET)
    frame = mbprof.sweep(spec, res=list(range(60, 70)))
    assert frame["res"][frame["problem"].isna()].tolist() == [60, 64, 68]
    assert frame["macs"].dropna().tolist() == [
        spec.build(res=res).profile().total.cost for res in (60, 64, 68)
    ]
    assert "concat: 32×30×30 and 16×31×31 differ" in frame["problem"][2]
    assert mbprof.sweep(spec, res=[60, 61, 64], where="macs > 0")["res"].tolist() == [60, 64]
    assert "problem" not in mbprof.sweep(spec, res=[60, 64])
    wrong = mbprof.loads((UNET).replace("concat, in: [_, a]", "add, in: [_, a]"))
    with pytest.raises(MbprofError, match="add"):
        mbprof.sweep(wrong, res=[60, 61])


def test_sizes_that_depend_on_each_other_are_told_apart() -> None:
    spec = mbprof.load("mobilenet_v3_large")
    found = mbprof.sizes(spec)
    assert found.tied
    assert [makes(spec, n, n) for n in (1, 100)] == [n in found.square for n in (1, 100)]
    assert [makes(spec, n, 224) for n in (192, 193)] == [n in found.height for n in (192, 193)]
    assert [makes(spec, 224, n) for n in (192, 193)] == [n in found.width for n in (192, 193)]


def test_the_command_prints_what_the_function_returns() -> None:
    data = json.loads(run("sizes", "dla", "--format", "json"))
    assert data["holds"] == data["height"]["holds"] == [[31, 65535, 32], [32, 65504, 32]]
    assert (data["exceptions"], data["width"]) == ([], data["height"])
    simple = json.loads(run("sizes", "vgg16", "--format", "json"))
    assert simple["height"] == {"multiple_of": 1, "offset": 0, "min": 32}
    assert run("sizes", "inv_res", "--in", "56x56x24").startswith("inv_res: height and width: any")
    assert "  sizes    height and width: at least 32\n" in run("show", "vgg16")
    assert "Sizes that vgg16 takes, height and width: at least 32." in run("check", "vgg16")
    ended = invoke("sizes", "mobilenet_v9")
    assert (ended.status, ended.err.partition(":")[0]) == (2, "error[usage]")

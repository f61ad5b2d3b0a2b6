"""Shapes and facts of the ops, against values worked out by hand."""

import ast
from pathlib import Path

import pytest

import mbprof
from mbprof import MbprofError
from mbprof.language.fmt import Shape
from mbprof.network.graph import Node
from mbprof.ops import OPS
from mbprof.ops.base import Facts, op
from mbprof.ops.conv import Activation


def node(image: str, step: str, padding: str = "torch") -> Node:
    channels, _, res = image.partition("x")
    head = f"{{name: net, padding: {padding}, input: {{channels: {channels}, res: {res}}}"
    return mbprof.loads(f"{head}, body: [{step}]}}").build().compiled.nodes[-1]


# 2 maps of 4x4 are 32 elements.
ONE_INPUT: dict[str, tuple[str, Shape, Facts]] = {
    "conv with bias": (
        "{op: conv, k: [1, 3], c: 4, bias: true}",
        (4, 4, 4),
        Facts(kernels=24, biases=4, mac=384, add=64, read=60, write=64),
    ),
    "conv with gains": (
        "{op: conv, k: 1, c: 4, g: 2, gain: true}",
        (4, 4, 4),
        Facts(kernels=4, norm_scale=4, mac=64, read=36, write=64),
    ),
    "dwconv that is never trained": (
        "{op: dwconv, k: 3, s: 2, trained: false}",
        (2, 2, 2),
        Facts(constants=18, mac=72, read=50, write=8),
    ),
    "bn": (
        "{op: bn}",
        (2, 4, 4),
        Facts(
            norm_scale=2,
            norm_shift=2,
            norm_mean=2,
            norm_variance=2,
            mul=32,
            add=32,
            read=40,
            write=32,
        ),
    ),
    "bn without scale": (
        "{op: bn, scale: false}",
        (2, 4, 4),
        Facts(norm_shift=2, norm_mean=2, norm_variance=2, mul=32, add=32, read=38, write=32),
    ),
    "ln": (
        "{op: ln}",
        (2, 4, 4),
        Facts(norm_scale=2, norm_shift=2, add=128, mul=96, divide=48, read=36, write=32),
    ),
    "normalize": (
        "{op: normalize}",
        (2, 4, 4),
        Facts(constants=5, add=32, divide=32, read=37, write=32),
    ),
    "times": ("{op: times, by: 0.17}", (2, 4, 4), Facts(mul=32, read=32, write=32)),
    "relu": ("{op: act, f: relu}", (2, 4, 4), Facts(compare=32, read=32, write=32)),
    "relu6": ("{op: act, f: relu6}", (2, 4, 4), Facts(compare=64, read=32, write=32)),
    "prelu": (
        "{op: act, f: prelu}",
        (2, 4, 4),
        Facts(other=2, compare=64, add=32, mul=32, read=34, write=32),
    ),
    "star_relu": (
        "{op: act, f: star_relu}",
        (2, 4, 4),
        Facts(other=2, compare=32, add=32, mul=64, read=34, write=32),
    ),
    "sigmoid": (
        "{op: act, f: sigmoid}",
        (2, 4, 4),
        Facts(add=32, divide=32, exp=32, read=32, write=32),
    ),
    "no activation": ("{op: act, f: none}", (2, 4, 4), Facts()),
    "softmax over channels": (
        "{op: softmax}",
        (2, 4, 4),
        Facts(compare=16, add=48, divide=32, exp=32, read=32, write=32),
    ),
    "maxpool": ("{op: maxpool, k: 2}", (2, 2, 2), Facts(compare=24, read=32, write=8)),
    "maxpool with padding": (
        "{op: maxpool, k: 3, s: 2, p: 1}",
        (2, 2, 2),
        Facts(compare=64, read=32, write=8),
    ),
    "avgpool": ("{op: avgpool, k: 2}", (2, 2, 2), Facts(add=24, divide=8, read=32, write=8)),
    "adaptiveavgpool": (
        "{op: adaptiveavgpool, size: [2, 3]}",
        (2, 2, 3),
        Facts(add=36, divide=12, read=32, write=12),
    ),
    "gap": ("{op: gap}", (2, 1, 1), Facts(add=30, divide=2, read=32, write=2)),
    "gmp": ("{op: gmp}", (2, 1, 1), Facts(compare=30, read=32, write=2)),
    "shuffle": ("{op: shuffle, g: 2}", (2, 4, 4), Facts(read=32, write=32)),
    "pad": ("{op: pad, p: [0, 1, 2, 3]}", (2, 5, 9), Facts(read=32, write=90)),
    "pad evenly": ("{op: pad, p: [1, 2]}", (2, 6, 8), Facts(read=32, write=96)),
    "resize nearest": ("{op: resize, by: 2}", (2, 8, 8), Facts(read=32, write=128)),
    "resize bilinear": (
        "{op: resize, size: [2, 6], mode: bilinear}",
        (2, 2, 6),
        Facts(mul=96, add=72, read=32, write=24),
    ),
    "resize down": ("{op: resize, by: 0.4}", (2, 1, 1), Facts(read=32, write=2)),
    "flatten": ("{op: flatten}", (32,), Facts()),
    "reshape": ("{op: reshape, to: [4, 8]}", (4, 8), Facts()),
    "reshape to what is left": ("{op: reshape, to: [2, -1, 8]}", (2, 2, 8), Facts()),
    "tconv": (
        "{op: tconv, k: 3, s: 2, p: 1, c: 4, g: 2, bias: true}",
        (4, 7, 7),
        Facts(kernels=36, biases=4, mac=576, add=196, read=72, write=196),
    ),
    "pixelshuffle": ("{op: pixelshuffle, by: 1}", (2, 4, 4), Facts(read=32, write=32)),
    "pixelunshuffle": ("{op: pixelunshuffle, by: 2}", (8, 2, 2), Facts(read=32, write=32)),
    "crop": ("{op: crop, size: [3, 2]}", (2, 3, 2), Facts()),
    "crop some rows": ("{op: crop, p: [1, 0, 0, 2]}", (2, 3, 2), Facts()),
    "pad channels": ("{op: pad, c: 5}", (5, 4, 4), Facts(read=32, write=80)),
    "slice": ("{op: slice, axis: 2, from: -3, to: -1}", (2, 4, 2), Facts()),
    "slice with a step": ("{op: slice, axis: 1, from: 1, step: 2}", (2, 2, 4), Facts()),
    "a part of a split": ("{op: split, axis: 1, sizes: [1, 3], keep: 1}", (2, 3, 4), Facts()),
    "permute": ("{op: permute, axes: [2, 0, 1]}", (4, 2, 4), Facts(read=32, write=32)),
    "gn": (
        "{op: gn, g: 1, shift: false}",
        (2, 4, 4),
        Facts(norm_scale=2, add=96, mul=96, divide=3, read=34, write=32),
    ),
    "rms": (
        "{op: rms}",
        (2, 4, 4),
        Facts(norm_scale=2, add=32, mul=96, divide=32, read=34, write=32),
    ),
    "lrn": (
        "{op: lrn, size: 3}",
        (2, 4, 4),
        Facts(mul=96, add=96, exp=32, read=32, write=32),
    ),
    "mean": ("{op: mean, axes: [0, -1]}", (4,), Facts(add=28, divide=4, read=32, write=4)),
    "sum": ("{op: sum, axes: [0, -1]}", (4,), Facts(add=28, read=32, write=4)),
    "max": ("{op: max, axes: 0, keep: true}", (1, 4, 4), Facts(compare=16, read=32, write=16)),
    "softmax over rows": (
        "{op: softmax, axis: 1}",
        (2, 4, 4),
        Facts(compare=24, add=56, divide=32, exp=32, read=32, write=32),
    ),
    "lookup": ("{op: lookup, axis: 1, to: [3, 5]}", (2, 3, 5, 4), Facts(read=120, write=120)),
    "tokens": ("{op: tokens}", (16, 2), Facts(read=32, write=32)),
    "dropout": ("{op: dropout, rate: 0.2}", (2, 4, 4), Facts()),
    "identity": ("{op: identity}", (2, 4, 4), Facts()),
}


@pytest.mark.parametrize("name", ONE_INPUT)
def test_one_input(name: str) -> None:
    step, shape, facts = ONE_INPUT[name]
    found = node("2x4", step)
    assert (found.out_shapes, found.facts) == ((shape,), facts)


SEVERAL: dict[str, tuple[str, Shape, Facts]] = {
    "add": ("{op: add, in: [x, _, x]}", (2, 4, 4), Facts(add=64, read=96, write=32)),
    "mul": ("{op: mul, in: [x, _]}", (2, 4, 4), Facts(mul=32, read=64, write=32)),
    "concat": ("{op: concat, in: [x, _]}", (4, 4, 4), Facts(read=64, write=64)),
    "pad to the size of another": (
        "{op: crop, size: 2}, {op: pad, in: [_, x]}",
        (2, 4, 4),
        Facts(read=8, write=32),
    ),
    "crop to the size of another": (
        "{op: pad, p: 1}, {op: crop, in: [_, x]}",
        (2, 4, 4),
        Facts(),
    ),
    "resize to the size of another": (
        "{op: crop, size: 2}, {op: resize, in: [_, x]}",
        (2, 4, 4),
        Facts(read=8, write=32),
    ),
    "maps of the size of another": (
        "{op: tokens}, {op: maps, in: [_, x]}",
        (2, 4, 4),
        Facts(read=32, write=32),
    ),
    "a trained table": (
        "{op: tokens}, {op: param, shape: [in.n, in.c], out: t}, {op: add, in: [_, t]}",
        (16, 2),
        Facts(add=32, read=64, write=32),
    ),
    "sdpa": (
        "{op: tokens, out: t}, {op: slice, to: 3, out: q}, {op: sdpa, in: [q, t, t], heads: 2}",
        (3, 2),
        Facts(
            mac=192,
            mul=96,
            compare=90,
            add=186,
            exp=96,
            divide=96,
            read=70,
            write=6,
        ),
    ),
    "sdpa with a bias": (
        "{op: tokens, out: t}, {op: param, shape: [7], out: b}, {op: sdpa, in: [t, t, t, b]}",
        (16, 2),
        Facts(
            mac=1024,
            mul=256,
            compare=240,
            add=752,
            exp=256,
            divide=256,
            read=103,
            write=32,
        ),
    ),
    "rope": (
        "{op: tokens}, {op: rope, from: 4}",
        (16, 2),
        Facts(mul=48, add=24, read=32, write=32),
    ),
    "rope by trained frequencies": (
        "{op: tokens, out: t}, {op: param, shape: [2, 1], out: f}, {op: rope, in: [t, f]}",
        (16, 2),
        Facts(mul=64, add=32, read=34, write=32),
    ),
    "concat of rows": ("{op: concat, in: [x, _], axis: 1}", (2, 8, 4), Facts(read=64, write=64)),
    "matmul": ("{op: matmul, in: [x, _]}", (2, 4, 4), Facts(mac=128, read=64, write=32)),
    "matmul transposed": (
        "{op: matmul, in: [x, _], t: true}",
        (2, 4, 4),
        Facts(mac=128, read=64, write=32),
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_inputs(name: str) -> None:
    step, shape, facts = SEVERAL[name]
    found = node("2x4", f"{{op: act, f: relu}}, {step}")
    assert (found.out_shapes, found.facts) == ((shape,), facts)


def test_broadcast_product_is_the_gate_of_squeeze_and_excitation() -> None:
    found = node("2x4", "{op: gap}, {op: mul, in: [x, _]}")
    assert (found.out_shapes, found.facts.mul, found.facts.read) == (((2, 4, 4),), 32, 34)


def test_split_into_given_sizes() -> None:
    steps = "{op: split, sizes: [2, 1], out: [a, b]}, {op: concat, in: [b, a]}"
    assert node("3x4", steps).in_shapes == ((1, 4, 4), (2, 4, 4))


def test_linear_works_on_vectors_and_on_tokens() -> None:
    vector = node("2x4", "{op: flatten}, {op: linear, c: 5, bias: false}")
    assert (vector.out_shapes, vector.facts.kernels, vector.facts.mac) == (((5,),), 160, 160)
    tokens = node("2x4", "{op: reshape, to: [8, 4]}, {op: linear, c: 5}")
    assert tokens.out_shapes == ((8, 5),)
    assert (tokens.facts.kernels, tokens.facts.biases, tokens.facts.mac) == (20, 5, 160)


def test_a_trained_tensor_is_no_link_of_the_chain() -> None:
    found = node("2x4", "{op: param, shape: [1, 3], out: p}, {op: flatten, in: p}")
    assert (found.in_shapes, found.facts) == (((1, 3),), Facts())
    text = "{name: net, input: {res: 4}, body: [{op: tokens}, {op: param, shape: [5], out: p}, %s]}"
    ends = "{op: linear, c: 4}, {op: slice, from: 2}, {op: mul, in: [p, _]}"
    with pytest.raises(MbprofError, match="cannot be broadcast"):
        mbprof.loads(text % ends).build()
    for more, trainable in (("", 6), (", trained: false", 0)):
        steps = f"{{op: param, shape: [3, 2]{more}, out: p}}, {{op: identity, in: p}}"
        head = "name: net, input: {channels: 2, res: 4}"
        total = mbprof.loads(f"{{{head}, body: [{steps}]}}").build().profile("stored").total
        assert (total.params, total.facts.trainable) == (6, trainable)


def test_channels_are_the_last_axis_of_tokens() -> None:
    """Linear layers, norms, softmax, split and the names of expressions agree on it."""
    tokens = "{op: reshape, to: [8, 4]}"
    assert node("2x4", f"{tokens}, {{op: ln}}").facts.params == 8
    assert node("2x4", f"{tokens}, {{op: gn, g: 2}}").facts.params == 8
    assert node("2x4", f"{tokens}, {{op: rms}}").facts.divide == 16
    assert node("2x4", f"{tokens}, {{op: softmax}}").facts.compare == 24
    assert node("2x4", f"{tokens}, {{op: split, keep: 0}}").out_shapes == ((8, 2),)
    named = "{op: reshape, to: [in.n, in.c]}"
    assert node("2x4", f"{tokens}, {named}").out_shapes == ((8, 4),)
    assert node("2x4", named).out_shapes == ((16, 2),)
    stack = "{op: reshape, to: [2, 2, 2, 4]}, {op: linear, c: 3}"
    found = node("2x4", stack)
    assert (found.out_shapes, found.facts.kernels, found.facts.mac) == (((2, 2, 2, 3),), 12, 96)


def test_slopes_go_by_the_channels_of_tokens() -> None:
    assert Activation("prelu").facts(((5, 4),), ((5, 4),)).other == 4


def test_matmul_of_tokens() -> None:
    steps = "{op: reshape, to: [8, 4], out: q}, {op: matmul, in: [q, q], t: true}"
    found = node("2x4", steps)
    assert (found.out_shapes, found.facts.mac) == (((8, 8),), 256)


REFUSED = {
    "{op: reshape, to: [8, 4], out: q}, {op: matmul, in: [q, q]}": "4 columns meet 8 rows",
    "{op: flatten, out: q}, {op: matmul, in: [q, q]}": "cannot multiply 32 by 32",
    "{op: concat, in: [x, x], axis: 3}": "has no axis 3",
    "{op: split, sizes: [1, 2], out: [a, b]}, {op: add, in: [a, b]}": "make 3 channels, not 2",
    "{op: pad, p: same}": "pad needs numbers",
    "{op: resize}": "either size or by",
    "{op: resize, by: 0.1}": "is empty",
    "{op: dropout, rate: 1.5}": "is not a rate",
    "{op: gap}, {op: gap, in: [x, _]}": "takes 1 input, not 2",
    "{op: act, f: relu}, {op: matmul, in: [x, _, x]}": "takes 2 inputs, not 3",
    "{op: conv, k: 3, c: 4, g: 4}": "2 input channels do not divide into 4 groups",
    "{op: reshape, to: [-1, 5]}": "has 32 elements, which do not divide by 5",
    "{op: reshape, to: [-1, -1]}": "-1×-1 needs sizes of at least 1, or a single -1",
    "{op: reshape, to: [0, 4]}": "0×4 needs sizes of at least 1, or a single -1",
    "{op: tconv, k: 3, c: 4, g: 4}": "2 input channels do not divide into 4 groups",
    "{op: tconv, k: 3, c: 3, g: 2}": "3 output channels do not divide into 2 groups",
    "{op: tconv, k: 3, c: 4, s: 2, p_out: 2}": "an output padding of 2 is not below the stride",
    "{op: tconv, k: 1, c: 4, p: 2}": "padding of 4 leaves nothing of the height of 4",
    "{op: pixelshuffle, by: 2}": "2 channels do not divide into squares of 2×2",
    "{op: pixelunshuffle, by: 3}": "a height of 4 does not divide by 3",
    "{op: crop}": "crop needs one of size, p, and a second input",
    "{op: crop, size: 2, p: 1}": "crop needs one of size, p, and a second input",
    "{op: crop, size: 5}": "2×4×4 has no 5×5 in its middle",
    "{op: crop, p: 2}": "nothing is left of 2×4×4",
    "{op: crop, p: same}": "crop needs numbers",
    "{op: pad}": "pad needs p, c, or a second input",
    "{op: pad, c: 1}": "the input has 2 channels, more than 1",
    "{op: crop, size: 2}, {op: pad, in: [_, x], p: 1}": "either p or a second input",
    "{op: crop, size: 2}, {op: pad, in: [x, _]}": "2×4×4 is larger than 2×2×2",
    "{op: resize, by: 2, in: [x, x]}": "either size or by",
    "{op: slice, axis: 3}": "2×4×4 has no axis 3",
    "{op: slice, axis: -4}": "2×4×4 has no axis -4",
    "{op: slice, to: 3}": "axis 0 of 2×4×4 has no position 3",
    "{op: slice, from: -3}": "axis 0 of 2×4×4 has no position -1",
    "{op: slice, from: 1, to: 1}": "nothing stands from 1 to 1",
    "{op: split, keep: 2}": "there is no part 2; the last is 1",
    "{op: split, axis: 1, g: 3, keep: 0}": "4 elements of axis 1 do not divide into 3",
    "{op: permute, axes: [0, 1]}": "has 3 axes, and each has to be there once",
    "{op: permute, axes: [0, 1, -2]}": "has 3 axes, and each has to be there once",
    "{op: gn, g: 3}": "2 channels do not divide into 3 groups",
    "{op: flatten}, {op: lrn}": "lrn needs maps or tokens, got 32",
    "{op: mean, axes: [0, 1, 2]}": "leaves a single number",
    "{op: max, axes: 4}": "2×4×4 has no axis 4",
    "{op: max, axes: []}": "max needs at least one axis",
    "{op: softmax, axis: 3}": "2×4×4 has no axis 3",
    "{op: lookup, axis: 3, to: [2]}": "2×4×4 has no axis 3",
    "{op: lookup, to: []}": "lookup needs at least one size",
    "{op: flatten}, {op: tokens}": "tokens needs an input of C×H×W, got 32",
    "{op: tokens}, {op: maps}": "either size or a second input",
    "{op: tokens}, {op: maps, size: 3}": "16 tokens are not 3×3",
    "{op: maps, size: 4}": "maps needs tokens, N×C, got 2×4×4",
    "{op: param, shape: [], out: p}, {op: flatten, in: p}": "param needs at least one size",
    "{op: param, shape: [2], in: x, out: p}, {op: add, in: [p, p]}": "takes 0 inputs, not 1",
    "{op: param, shape: [2]}, {op: flatten}": "the output of param_1 is never used",
    "{op: sdpa, in: [x, x, x]}": "sdpa needs tokens, N×C, got 2×4×4",
    "{op: tokens, out: t}, {op: sdpa, in: [t, t, t], heads: 3}": "2 channels of q do not divide",
    "{op: tokens, out: t}, {op: sdpa, in: [t, t, t], heads: 2, kv_heads: 1}": "k has 2 channels",
    "{op: tokens, out: t}, {op: sdpa, in: [t, t, t], windows: 3}": "16 tokens do not divide into 3",
    "{op: tokens, out: t}, {op: sdpa, in: [t, t]}": "takes 3 or 4 inputs, not 2",
    "{op: rope}": "rope needs tokens, N×C, got 2×4×4",
    "{op: tokens}, {op: rope, from: 17}": "rope: there are 16 tokens, not 17",
    "{op: tokens}, {op: linear, c: 3}, {op: rope}": "rope turns pairs of channels, got 3",
    "{op: avgpool, k: 5}": "a window of 5 is larger than the input's height of 4",
}


@pytest.mark.parametrize("steps", REFUSED)
def test_what_does_not_fit_is_refused(steps: str) -> None:
    with pytest.raises(MbprofError) as refused:
        node("2x4", steps)
    assert REFUSED[steps] in refused.value.message
    assert refused.value.loc is not None


def test_output_stride_dilates_max_pooling_and_refuses_to_dilate_means() -> None:
    stem = "{{op: conv, k: 3, s: 2, c: 2}}"
    body = f"{stem}, {stem}, {{{{op: {{}}, k: 3, s: 2, p: 2}}}}"
    head = "{name: net, padding: torch, input: {channels: 2, res: 32}, body: ["
    pooled = mbprof.loads(f"{head}{body.format('maxpool')}]}}").build(output_stride=2)
    assert pooled.profile().rows[-1].dilation == (2, 2)
    with pytest.raises(MbprofError, match="avgpool cannot be dilated"):
        mbprof.loads(f"{head}{body.format('avgpool')}]}}").build(output_stride=2)


def test_every_op_stands_in_one_of_these_tests() -> None:
    text = " ".join([step for step, _, _ in (*ONE_INPUT.values(), *SEVERAL.values())])
    elsewhere = {"linear", "unknown"}
    assert {word for word in OPS if f"op: {word}," not in text and f"op: {word}}}" not in text} == (
        elsewhere
    )


PADDED = {  # of a convolution 3x3 at stride 2 on 7, 8 and 9 rows; keras-v1 floors, the rest ceil
    "tf-same": (4, 4, 5),
    "torch": (4, 4, 5),
    "fixed": (4, 4, 5),
    "keras": (4, 4, 5),
    "keras-v1": (3, 4, 4),
    "valid": (3, 3, 4),
}


@pytest.mark.parametrize("rule", PADDED)
def test_padding_rules_at_odd_and_even_sizes(rule: str) -> None:
    found = tuple(
        node(f"2x{n}", f"{{op: conv, k: 3, s: 2, c: 1, p: {rule}}}").out_shapes[0][1]
        for n in (7, 8, 9)
    )
    assert found == PADDED[rule]


def test_a_trait_that_no_op_has_is_refused() -> None:
    with pytest.raises(ValueError, match="traits") as caught:
        op("scale", "Tensor.mul", multplies=True)
    assert str(caught.value) == "op 'scale' has traits that no op has: ['multplies']"
    assert "scale" not in OPS


@pytest.mark.parametrize("room", ["checks", "compare"])
def test_what_kind_an_op_is_is_asked_of_the_op(room: str) -> None:
    paths = sorted((Path(mbprof.__file__).parent / room).rglob("*.py"))
    assert paths
    named = {
        (path.name, node.value)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in OPS
    }
    assert named == set()

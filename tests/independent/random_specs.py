"""Random networks as specs: ops at random values, and blocks of the library, behind each other."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from hypothesis import assume
from hypothesis import strategies as st

import mbprof
from mbprof.errors import MbprofError
from mbprof.language.fmt import Shape
from mbprof.ops.conv import FUNCTIONS
from mbprof.spec import folders

Draw = Callable[[st.SearchStrategy[Any]], Any]
WHICH = {True: "true", False: "false"}
RULES = ["tf-same", "torch", "fixed", "keras", "keras-v1"]
LARGEST = 60_000
"""So many elements a tensor of a random network may have."""


def _pick(draw: Draw, *choices: Any) -> Any:
    return draw(st.sampled_from(choices))


def _flag(draw: Draw) -> str:
    return WHICH[draw(st.booleans())]


def _number(draw: Draw, low: int, high: int) -> int:
    return int(draw(st.integers(low, high)))


def _pair(draw: Draw, low: int, high: int) -> str:
    if draw(st.booleans()):
        return str(_number(draw, low, high))
    return f"[{_number(draw, low, high)}, {_number(draw, low, high)}]"


def _padding(draw: Draw) -> str:
    sides = f"[{', '.join(str(_number(draw, 0, 2)) for _ in range(4))}]"
    return str(_pick(draw, "same", "same", "valid", 1, sides, *RULES))


def _divisor(draw: Draw, n: int) -> int:
    return int(_pick(draw, *(d for d in range(1, n + 1) if n % d == 0)))


def _after(draw: Draw, bn: bool = True) -> str:
    act = _pick(draw, *FUNCTIONS, "none", "none")
    return (f"bn: {_flag(draw)}, " if bn else "") + f"act: {act}"


def _conv(draw: Draw, shape: Shape) -> str:
    g = _divisor(draw, shape[0])
    c = g * _number(draw, 1, 3)
    form = f"k: {_pair(draw, 1, 5)}, s: {_pair(draw, 1, 3)}, d: {_pair(draw, 1, 2)}"
    kinds = f"bias: {_flag(draw)}, gain: {_flag(draw)}, trained: {_flag(draw)}"
    return f"{{op: conv, c: {c}, g: {g}, {form}, p: {_padding(draw)}, {kinds}, {_after(draw)}}}"


def _dwconv(draw: Draw, shape: Shape) -> str:
    form = f"k: {_pair(draw, 1, 5)}, s: {_pair(draw, 1, 2)}, m: {_number(draw, 1, 2)}"
    return f"{{op: dwconv, {form}, p: {_padding(draw)}, bias: {_flag(draw)}, {_after(draw)}}}"


def _tconv(draw: Draw, shape: Shape) -> str:
    g = _divisor(draw, shape[0])
    form = f"k: {_pair(draw, 1, 4)}, s: {_pair(draw, 1, 3)}, p: {_pick(draw, 'valid', 'tf-same')}"
    return f"{{op: tconv, c: {g * 2}, g: {g}, {form}, bias: {_flag(draw)}, {_after(draw)}}}"


def _pool(draw: Draw, shape: Shape) -> str:
    op, form = _pick(draw, "maxpool", "avgpool"), f"k: {_pair(draw, 1, 3)}, s: {_pair(draw, 1, 3)}"
    padding = _pick(draw, "valid", "same", "tf-same", 1)
    return f"{{op: {op}, {form}, p: {padding}, ceil: {_flag(draw)}}}"


def _norm(draw: Draw, shape: Shape) -> str:
    op = _pick(draw, "bn", "ln", "gn", "rms", "normalize", "lrn")
    c = shape[0] if len(shape) == 3 else shape[-1]
    more = {"gn": f", g: {_divisor(draw, c)}", "lrn": f", size: {_number(draw, 1, 5)}"}.get(op, "")
    scale = f", scale: {_flag(draw)}" if op in ("bn", "ln", "gn", "rms") else ""
    shift = f", shift: {_flag(draw)}" if op in ("bn", "ln", "gn") else ""
    return f"{{op: {op}{more}{scale}{shift}}}" if len(shape) > 1 or op != "lrn" else "{op: bn}"


def _plain(draw: Draw, shape: Shape) -> str:
    times = f"times, by: {_number(draw, 1, 9) / 8}"
    act = f"act, f: {_pick(draw, *FUNCTIONS)}"
    return f"{{op: {_pick(draw, 'softmax', 'dropout', 'identity', times, act)}}}"


def _resized(draw: Draw, shape: Shape) -> str:
    _, h, w = shape
    size = f"[{_number(draw, 1, 2 * h)}, {_number(draw, 1, 2 * w)}]"
    small = f"[{_number(draw, 1, h)}, {_number(draw, 1, w)}]"
    sides = f"[{', '.join(str(_number(draw, 0, 2)) for _ in range(4))}]"
    mode = _pick(draw, "nearest", "bilinear")
    return str(
        _pick(
            draw,
            f"{{op: resize, size: {size}, mode: {mode}}}",
            f"{{op: resize, by: {_pick(draw, 2, 3, 0.5, 1.5)}, mode: {mode}}}",
            f"{{op: adaptiveavgpool, size: {small}}}",
            f"{{op: crop, size: {small}}}",
            f"{{op: pad, p: {sides}}}",
            f"{{op: pad, c: {shape[0] + _number(draw, 1, 4)}, p: {sides}}}",
            f"{{op: pixelshuffle, by: {_number(draw, 1, 3)}}}",
            f"{{op: pixelunshuffle, by: {_number(draw, 1, 3)}}}",
        )
    )


def _form(draw: Draw, shape: Shape) -> str:
    rank = len(shape)
    axis = _number(draw, -rank, rank - 1)
    n = shape[axis]
    order = draw(st.permutations(range(rank)))
    start = _number(draw, 0, n - 1)
    part = _divisor(draw, n)
    return str(
        _pick(
            draw,
            f"{{op: permute, axes: {order}}}",
            f"{{op: slice, axis: {axis}, from: {start}, step: {_number(draw, 1, 2)}}}",
            f"{{op: split, axis: {axis}, g: {part}, keep: {_number(draw, 0, part - 1)}}}",
            f"{{op: {_pick(draw, 'mean', 'sum', 'max')}, axes: {axis}, keep: true}}",
            f"{{op: softmax, axis: {axis}}}",
            f"{{op: lookup, to: [{_number(draw, 1, 9)}], axis: {axis}}}",
            f"{{op: reshape, to: [{', '.join(map(str, order and _reshaped(shape)))}]}}",
        )
    )


def _reshaped(shape: Shape) -> Shape:
    return (shape[-1], *shape[:-1])


def _joined(draw: Draw, shape: Shape) -> str:
    """A path beside another one."""
    c = shape[0] if len(shape) == 3 else shape[-1]
    if len(shape) == 3:
        paths = [f"[{{op: conv, k: {k}, c: {c}, p: tf-same, {_after(draw)}}}]" for k in (1, 3)]
    else:
        paths = [f"[{{op: linear, c: {c}, {_after(draw, len(shape) < 3)}}}]", "[{op: identity}]"]
    join = _pick(draw, "add", "mul", "concat")
    return f"{{branches: [{', '.join(paths)}], join: {join}}}"


def _gate(draw: Draw, shape: Shape) -> str:
    c = shape[0]
    step = f"{{op: conv, k: 1, c: {c}, bias: true, act: sigmoid}}"
    return f"{{branches: [[{{op: identity}}], [{{op: gap}}, {step}]], join: mul}}"


def _shuffled(draw: Draw, shape: Shape) -> str:
    return f"{{op: shuffle, g: {_divisor(draw, shape[0])}}}"


def _ended(draw: Draw, shape: Shape) -> str:
    linear = f"{{op: linear, c: {_number(draw, 1, 20)}, bias: {_flag(draw)}}}"
    ends = ("{op: gap}", "{op: gmp}", "{op: flatten}", "{op: mean, axes: [1, 2]}")
    return f"{_pick(draw, *ends)}, {linear}"


def _attended(draw: Draw, shape: Shape) -> str:
    n, _ = shape
    heads, d, windows = _pick(draw, 1, 2, 3, 4), _number(draw, 1, 6), _divisor(draw, n)
    shared = _divisor(draw, heads)
    wide, narrow = heads * d, shared * d
    tag = f"t{_number(draw, 0, 10**9)}"
    made = (
        f"{{op: linear, c: {wide}, out: {tag}q}}, {{op: linear, c: {narrow}, in: {tag}x, "
        f"out: {tag}k}}, {{op: linear, c: {narrow}, in: {tag}x, out: {tag}v}}"
    )
    bias = f"{{op: param, shape: [{heads}, {n}, {n // windows}], out: {tag}b}}, "
    biased = draw(st.booleans()) and windows == 1
    taken = f"in: [{tag}q, {tag}k, {tag}v{f', {tag}b' if biased else ''}]"
    said = f"heads: {heads}, kv_heads: {shared}, windows: {windows}"
    turn = f"{{op: rope, from: {_number(draw, 0, n)}, in: {tag}q, out: {tag}q}}, "
    turned = turn if wide % 2 == 0 and draw(st.booleans()) else ""
    first = f"{{op: ln, out: {tag}x}}, {made}, {turned}{bias if biased else ''}"
    return f"{first}{{op: sdpa, {taken}, {said}}}"


def _token_ops(draw: Draw, shape: Shape) -> str:
    n, c = shape
    tag = f"p{_number(draw, 0, 10**9)}"
    divisor = _divisor(draw, n)
    return str(
        _pick(
            draw,
            f"{{op: linear, c: {_number(draw, 1, 24)}, bias: {_flag(draw)}, {_after(draw)}}}",
            f"{{op: param, shape: [{n}, {c}], out: {tag}}}, {{op: add, in: [_, {tag}]}}",
            f"{{op: param, shape: [1, {c}], out: {tag}}}, {{op: concat, in: [{tag}, _]}}",
            f"{{op: maps, size: [{divisor}, {n // divisor}]}}",
            f"{{op: identity, out: {tag}}}, {{op: matmul, t: true, in: [_, {tag}]}}",
            "{op: mean, axes: 0}",
        )
    )


def _vector_ops(draw: Draw, shape: Shape) -> str:
    c = shape[0]
    part = _divisor(draw, c)
    return str(
        _pick(
            draw,
            f"{{op: linear, c: {_number(draw, 1, 40)}, bias: {_flag(draw)}, {_after(draw)}}}",
            f"{{op: reshape, to: [{part}, {c // part}]}}",
            f"{{op: reshape, to: [{part}, {c // part}, 1]}}",
        )
    )


STEPS: dict[int, list[Callable[[Draw, Shape], str]]] = {
    3: [
        *[_conv] * 4, *[_dwconv] * 2, _tconv, *[_pool] * 2, _norm, _plain, *[_resized] * 2, _form,
        *[_joined] * 2, _gate, _shuffled, _ended, lambda draw, shape: "{op: tokens}",
    ],
    2: [*[_token_ops] * 3, *[_attended] * 2, _norm, _plain, _form, _joined],
    1: [*[_vector_ops] * 2, _norm, _plain, _joined],
}  # fmt: skip
"""What may stand behind a tensor of so many axes."""


@cache
def examples() -> dict[str, tuple[dict[str, Any], set[str]]]:
    """Return the blocks of the library that take one stack of maps: example and arguments."""
    found = {}
    for path in sorted((folders.folder() / "blocks").glob("*.yaml")):
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        example = tree.get("example", {})
        if str(example.get("in", "")).count("x") == 2 and "in" not in tree:
            found[path.stem] = example, set(tree.get("takes", ()))
    return found


@st.composite
def library(draw: Draw) -> tuple[str, list[str]]:
    """Draw an input, and a row that calls a block of the library on it, about as its example."""
    name = draw(st.sampled_from(sorted(examples())))
    example, takes = examples()[name]
    high, wide, channels = map(int, example["in"].split("x"))
    given = {key: value for key, value in example.items() if key not in ("in", "defaults")}
    if not {"h", "w", "size"} & takes:
        high = wide = _number(draw, 7, 14)
    if "s" in takes and draw(st.booleans()):
        given["s"] = _number(draw, 1, 2)
    if "k" in takes and isinstance(given.get("k", 3), int):
        given["k"] = _pick(draw, 3, 5)
    said = "".join(f", {key}: {json.dumps(value)}" for key, value in given.items())
    times = f", n: {_number(draw, 2, 3)}" if given.get("c") == channels else ""
    row = f"{{op: {name}{said}{times}}}"
    return f"{{channels: {channels}, res: {high}x{wide}}}", [row]


@st.composite
def specs(draw: Draw) -> str:
    """Draw the text of a spec that makes a network."""
    padding = _pick(draw, *RULES)
    maps = f"{_number(draw, 3, 14)}x{_number(draw, 3, 14)}"
    taken, body = f"{{channels: {_number(draw, 1, 8)}, res: {maps}}}", list[str]()
    kind = draw(st.integers(0, 7))
    if kind < 2:
        taken, body = draw(library())
    elif kind < 4:
        taken = f"{{shape: [{_number(draw, 1, 12)}, {_number(draw, 1, 12)}]}}"
    text, built = _spec(taken, body, padding), None
    try:
        built = mbprof.loads(text).build()
    except MbprofError:  # an argument that does not fit the block
        assume(False)
    for _ in range(_number(draw, 1, 7)):
        shape = built.compiled.output_shape
        step = draw(st.sampled_from(STEPS.get(len(shape), [_plain])))(draw, shape)
        longer = _spec(taken, [*body, step], padding)
        try:
            made = mbprof.loads(longer).build()
        except MbprofError:  # such as a window that is larger than the maps
            continue
        elements = (size(s) for node in made.compiled.nodes for s in node.out_shapes)
        if max(elements, default=0) > LARGEST:
            continue
        body, text, built = [*body, step], longer, made
    return text


def size(shape: Shape) -> int:
    """Return the number of elements of a tensor."""
    elements = 1
    for n in shape:
        elements *= n
    return elements


def _spec(taken: str, body: list[str], padding: str) -> str:
    rows = "".join(f"  - {row}\n" for row in _rows(body))
    return f"name: random\ninput: {taken}\npadding: {padding}\nbody:\n{rows}"


def _rows(body: list[str]) -> list[str]:
    """Part steps that one function wrote, at the commas between braces."""
    rows = []
    for text in body or ["{op: identity}"]:
        depth, start = 0, 0
        for place, sign in enumerate(text):
            depth += (sign in "{[") - (sign in "}]")
            if sign == "}" and depth == 0:
                rows.append(text[start : place + 1].lstrip(", "))
                start = place + 1
    return rows

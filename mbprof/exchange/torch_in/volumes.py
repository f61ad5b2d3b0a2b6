"""Layers of PyTorch that are several ops of the language: of volumes, and recurrent ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mbprof.exchange import composed
from mbprof.exchange.composed import Depth, Recurrent
from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.record import Call, Recorder, word_of
from mbprof.exchange.torch_in.rules import emit_of, first, rule
from mbprof.exchange.torch_in.views import Value
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.symbolic.arithmetic import product

_LAYERS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "rnn", "rnn_relu": "rnn"}


def _held(r: Recorder, weights: Sequence[Tensor]) -> str | None:
    """Let a layer hold its weights; None if it does not read them as they are stored."""
    leaves = [r.leaf(weight, weight.numel()) for weight in weights]
    return r.hold(*leaves) if all(leaves) else None


@rule(*_LAYERS)
def _recurrent(r: Recorder, c: Call) -> object:
    """Layers above each other; packed sequences, whose lengths are values, have no rule."""
    image, state, weights, biased, _, _, _, both = c.args[:8]
    if not isinstance(weights, list | tuple):
        return NotImplemented
    word, out = word_of(c.func), list(c.out)
    last = bool(c.args[8]) if len(c.args) > 8 else False
    projected = out[1].shape[-1] if word == "lstm" and len(out) > 2 else None
    hidden = weights[1].shape[0] // len(composed.CELLS[_LAYERS[word]].gates)
    projected = None if projected == hidden else projected
    of_each = 2 + 2 * biased + (projected is not None)
    layers = []
    for at in range(0, len(weights), of_each):
        own = weights[at : at + of_each]
        held = [_held(r, own[at : at + 1 + 2 * biased : 2]) for at in (0, 1)]
        held.append(_held(r, own[-1:]) if projected else "")
        if None in held:
            return NotImplemented
        shares = held[0] or "", held[1] or "", held[2] or ""
        function = "relu" if word == "rnn_relu" else "tanh"
        layers.append(
            Recurrent(_LAYERS[word], hidden, (biased, biased), projected, False, function, shares)
        )
    emit = emit_of(r)
    n = image.shape[1 if last else 0]
    tokens, side = product(tuple(image.shape[:-1])), image.shape[-1]
    x = r.tape.want(r.value(image), (tokens, side))
    for start in state if isinstance(state, list | tuple) else (state,):
        if not r.static(start):
            where = r.tape.whole(r.value(start))
            x = composed.led(emit, x, (tokens, side), where, start.numel())
    pairs_of = [layers[at : at + 1 + both] for at in range(0, len(layers), 1 + both)]
    made = composed.stacked(emit, x, pairs_of)
    whole = [state for state, _ in made[-1]]
    tensor = whole[0] if len(whole) == 1 else emit(new("concat", axis=1), *whole, part="states")
    r.set(out[0], Value(tuple(out[0].shape), tensor))
    for kind, ends in enumerate(out[1:]):
        first_of, by = (n - 1, n) if last else ((n - 1) * (tokens // n), 1)
        step = new("slice", axis=0, start=first_of, step=by)
        last_ones = [
            emit(step, pair[kind], part=f"end{i}") if first_of else pair[kind]
            for i, pair in enumerate(pair for layer in made for pair in layer)
        ]
        end = last_ones[0]
        if len(last_ones) > 1:
            end = emit(new("concat", axis=0), *last_ones, part="ends")
        r.set(ends, Value(tuple(ends.shape), end))
    return None


@rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _cell(r: Recorder, c: Call) -> object:
    """A single step of a recurrent layer, which a user's own loop repeats."""
    image, state, *weights = c.args
    kind = word_of(c.func).partition("_")[0]
    hidden = weights[0].shape[0] // len(composed.CELLS[kind].gates)
    biases = [w for w in weights[2:] if w is not None]
    held = [_held(r, [weights[at], *biases[at : at + 1]]) for at in (0, 1)]
    if None in held:
        return NotImplemented
    function = "relu" if "relu" in word_of(c.func) else "tanh"
    shares = (held[0] or "", held[1] or "", "")
    layer = Recurrent(kind, hidden, (bool(biases),) * 2, None, False, function, shares)
    rows = product(tuple(image.shape[:-1]))
    x = r.tape.want(r.value(image), (rows, image.shape[-1]))
    states = [*state] if isinstance(state, list | tuple) else [state]
    before = [r.tape.want(r.value(s), (rows, hidden)) for s in states]
    made = composed.recurrent(emit_of(r), x, layer, *before)
    for tensor, value in zip(c.out if isinstance(c.out, tuple) else (c.out,), made, strict=False):
        r.set(tensor, Value(tuple(tensor.shape), value))
    return None


def triple(value: Any) -> tuple[int, int, int]:
    """Return a size of all three axes."""
    d, high, wide = (value,) * 3 if isinstance(value, int) else (*value,) * (3 // len(value))
    return d, high, wide


def _volume(r: Recorder, tensor: Tensor) -> tuple[str, Shape]:
    """Return volumes (N, C, D, H, W) as one of N·C channels in the draft, with its shape."""
    shape = (product(tuple(tensor.shape[:-3])), *tensor.shape[-3:])
    return r.tape.want(r.value(tensor), shape), shape


@rule("conv3d")
def _conv3d(r: Recorder, c: Call) -> None:
    """At each stop along the depth, a convolution of as many maps as the kernel is deep.

    Several volumes are one, in as many times the groups, whose weights are those of one repeated.
    """
    image, weight, bias = c.get(0, "input"), c.get(1, "weight"), c.get(2, "bias")
    many, kernel = product(tuple(image.shape[:-4])), tuple(weight.shape[2:])
    made, per_group = weight.shape[0] * many, weight.shape[1]
    stride, dilation = (triple(c.get(i, n, 1)) for i, n in ((3, "stride"), (5, "dilation")))
    groups, sides = int(c.get(6, "groups", 1)) * many, c.get(4, "padding", 0)
    if sides == "same":
        whole = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads = [(n // 2, n - n // 2) for n in whole]
    else:
        pads = [(n, n) for n in triple(0 if sides == "valid" else sides)]
    pair = (weight, bias) if bias is not None else (weight,)
    extra, key, held = list[str](), None, bias is not None
    if many == 1:
        key = _held(r, pair)
    if key is None:
        extra, held = [r.tape.want(r.value(weight), (weight.numel(),))], False
        if many > 1:
            extra = [r.tape.one(new("lookup", to=(weight.numel() * many,)), extra[0])]
    said: dict[str, Any] = {
        "kernel": tuple(kernel[1:]), "stride": stride[1:], "dilation": dilation[1:],
        "padding": (*pads[1], *pads[2]), "bias": held,
    }  # fmt: skip
    if groups > 1 and per_group == kernel[0] == 1:
        op: Op = new("dwconv", multiplier=made // groups, **said)
    else:
        op = new("conv", channels=made, groups=groups, **said)
    depth = Depth(kernel[0], stride[0], dilation[0], *pads[0])
    _over_depth(r, c, depth, lambda e, x, part: e(op, x, *extra, part=part, share=key or ""))
    if bias is not None and not held:
        term = r.value(bias)
        term = r.tape.reshape(term, (*term.shape, 1, 1, 1))
        r.set(c.out, r.tape.joined(new("add"), [r.value(c.out), term], tuple(c.out.shape)))


@rule("max_pool3d", "max_pool3d_with_indices", "avg_pool3d")
def _pool3d(r: Recorder, c: Call) -> None:
    """Pool each map, then what the window is deep."""
    largest, image = "max" in word_of(c.func), c.get(0, "input")
    kernel = triple(c.get(1, "kernel_size"))
    stride, sides = triple(c.get(2, "stride") or kernel), triple(c.get(3, "padding", 0))
    dilation = triple(c.get(4, "dilation", 1)) if largest else (1, 1, 1)
    ceil = bool(c.get(5 if largest else 4, "ceil_mode", False))
    said: dict[str, Any] = {"dilation": dilation[1:]} if largest else {}
    op = new(
        "maxpool" if largest else "avgpool", kernel=kernel[1:], stride=stride[1:], ceil=ceil,
        padding=(sides[1], sides[1], sides[2], sides[2]), **said,
    )  # fmt: skip
    channels, deep = product(tuple(image.shape[:-3])), kernel[0]

    def pooled(emit: composed.Emit, x: str, part: str) -> str:
        maps = emit(op, x, part=part)
        if deep == 1:
            return maps
        _, high, wide = r.draft.shape(maps)
        to = (channels, deep, high * wide)
        flat = emit(new("reshape", to=to), maps, part=f"{part}.deep")
        reduce = new("max" if largest else "mean", along=(1,), keep=True)
        made = emit(reduce, flat, part=f"{part}.along")
        return emit(new("reshape", to=(channels, high, wide)), made, part=f"{part}.pooled")

    _over_depth(r, c, Depth(deep, stride[0], dilation[0], sides[0], sides[0]), pooled)


def _over_depth(r: Recorder, c: Call, depth: Depth, layer: Any) -> None:
    x, shape = _volume(r, c.get(0, "input"))
    out, emit = first(c.out), emit_of(r)
    made, _ = composed.over_depth(
        emit, x, shape, depth, out.shape[-3], lambda x, part: layer(emit, x, part), r.draft.shape
    )
    r.set(out, Value(tuple(out.shape), made))


@rule("adaptive_avg_pool3d", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices")
def _adaptive3d(r: Recorder, c: Call) -> object:
    """Pool whole volumes, or parts of equal size."""
    image, out, largest = c.get(0, "input"), first(c.out), "max" in word_of(c.func)
    sizes, made = tuple(image.shape[-3:]), tuple(out.shape[-3:])
    if any(n % m for n, m in zip(sizes, made, strict=True)):
        return NotImplemented
    # Each axis is read as stops and what a window holds.
    x, (channels, *_) = _volume(r, image)
    value = Value((channels, *sizes), x)
    emit = emit_of(r)
    tensor, shape = value.tensor, [channels, *sizes]
    for axis, (n, m) in enumerate(zip(sizes, made, strict=True), 1):
        if n == m:
            continue
        split = (product(tuple(shape[:axis])) * m, n // m, product(tuple(shape[axis + 1 :])))
        flat = emit(new("reshape", to=split), tensor, part=f"axis{axis}")
        reduce = new("max" if largest else "mean", along=(1,), keep=True)
        tensor = emit(reduce, flat, part=f"pool{axis}")
        shape[axis] = m
    r.set(out, Value(tuple(out.shape), tensor))
    return None

"""The table of PyTorch functions with a rule, and what rules have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from mbprof.exchange import composed
from mbprof.exchange.composed import Emit
from mbprof.exchange.rules import Rules, new
from mbprof.exchange.torch_in.record import Call, Recorder, Rule, tensors
from mbprof.exchange.torch_in.views import Value
from mbprof.language.fmt import Shape
from mbprof.ops import Op
from mbprof.ops.padding import Pair
from mbprof.symbolic.arithmetic import product

RULES: Rules[Rule] = Rules()
"""By the name of a function, as `word_of` writes it."""
rule = RULES.add
HEAVY = frozenset(
    {"conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d"}
    | {"linear", "matmul", "rmatmul", "mm", "bmm", "addmm", "baddbmm", "einsum"}
    | {"scaled_dot_product_attention"}
)
"""What multiplies and accumulates: it is recorded even where it depends on stored tensors only."""
WITHIN = frozenset(("multi_head_attention_forward",))
"""Functions of several ops, which are recorded as those."""


def emit_of(r: Recorder) -> Emit:
    """Return what adds the ops of a layer that is several."""
    path = r.path[-1][0]

    def emit(op: Op, *taken: str, part: str, share: str = "") -> str:
        name = f"{path}.{part}" if path else part
        return r.tape.one(op, *taken, name=name, call=r.call, share=share)

    return emit


def led(r: Recorder, value: Value, by: Iterable[Any]) -> Value:
    """Return a value whose positions are those that tensors say, where a module computes them."""
    images = {image.tensor for image in r.draft.images}
    for tensor in tensors(list(by)):
        if r.static(tensor) or r.value(tensor).tensor in images:
            continue
        own, where = r.tape.whole(value), r.tape.whole(r.value(tensor))
        made = composed.led(emit_of(r), own, r.draft.shape(own), where, tensor.numel())
        value = Value(value.shape, made)
    return value


def pair(value: Any, dims: int = 2) -> Pair:
    """Return a size of both axes; of a single axis the other one has size 1."""
    sizes = tuple(int(n) for n in value) if isinstance(value, list | tuple) else (int(value),)
    if dims == 1:
        return sizes[0], 1
    return sizes[0], sizes[-1]


def channels_first(r: Recorder, value: Value) -> Value:
    """Return a value (N, C, ...) as (C, N, ...); of a single image nothing moves."""
    return r.tape.permute(value, (1, 0, *range(2, len(value.shape))))


def as_maps(r: Recorder, value: Value) -> str:
    """Return a value (N, C, ...) as maps; several images stand one below the other."""
    moved = channels_first(r, value)
    c, n, *size = moved.shape
    high, wide = (size[0], product(tuple(size[1:]))) if size else (1, 1)
    return r.tape.want(moved, (c, n * high, wide))


def from_maps(r: Recorder, tensor: str, out: Tensor, shape: Shape) -> None:
    """Say that maps of `as_maps` are a result; ``shape`` is (N, C, ...)."""
    n, c, *size = shape
    made = channels_first(r, Value((c, n, *size), tensor))
    r.set(out, made._replace(shape=tuple(out.shape)))


_APART = frozenset(("maxpool", "avgpool", "adaptiveavgpool", "gap", "gmp", "resize"))
"""Ops that work on each map by itself."""


def over_maps(
    r: Recorder, op: Op, call: Call, dims: int, extra: Sequence[str] = (), share: str = ""
) -> None:
    """Apply an op of maps with ``dims`` axes to the images of a call.

    Several images are taken at once where that has the same result, as more maps where each map is
    worked on by itself, else one after the other.
    """
    value, out = r.value(call.get(0, "input")), first(call.out)
    bare = len(value.shape) == dims + 1
    if bare:
        value = r.tape.reshape(value, (1, *value.shape))
    shape = (1, *out.shape) if bare else tuple(out.shape)
    n, c, high, wide = shape[0], shape[1], shape[2], product(shape[3:])
    if n > 1 and op.word in _APART:
        each = (n * value.shape[1], value.shape[2], product(value.shape[3:]))
        r.set(out, Value(tuple(out.shape), r.tape.one(op, r.tape.want(value, each), call=r.call)))
        return
    maps = as_maps(r, value)
    sizes = (r.draft.shape(maps), *map(r.draft.shape, extra))
    if n == 1 or op.shapes(sizes) == ((c, n * high, wide),):
        tensor = r.tape.one(op, maps, *extra, share=share, call=r.call)
    else:
        images = r.tape.emit(new("split", parts=n, axis=1), [maps])
        made = [r.tape.one(op, image, *extra, share=share, call=r.call) for image in images]
        tensor = r.tape.one(new("concat", axis=1), *made)
    from_maps(r, tensor, out, shape)


def first(out: Any) -> Tensor:
    """Return a result, or the first of several."""
    made: Tensor = out if isinstance(out, Tensor) else out[0]
    return made

"""What PyTorch's functions that only move elements are in the spec language."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbprof.exchange import composed
from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.record import Call, Recorder, Static, tensors, word_of
from mbprof.exchange.torch_in.rules import emit_of, first, led, over_maps, rule
from mbprof.exchange.torch_in.views import Value, plain
from mbprof.symbolic.arithmetic import product

VIEWS = (
    "view reshape flatten unflatten squeeze unsqueeze view_as reshape_as contiguous clone detach to"
    " type type_as float half double bfloat16 int long unsafe_view alias positive ravel"
    " dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout native_dropout"
    " requires_grad lift_fresh get_data cpu to_copy identity atleast_1d atleast_2d atleast_3d"
)
ORDERS = "permute transpose swapaxes swapdims movedim moveaxis t adjoint get_T get_mT get_H get_mH"
COPIES = (
    "expand expand_as broadcast_to repeat tile repeat_interleave flip index_select gather take"
    " take_along_dim index rot90 unfold im2col"
)
CONSTANTS = (
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty"
    " new_full new_tensor"
)


@rule(*VIEWS.split())
def _view(r: Recorder, c: Call) -> object:
    source = c.args[0] if c.args else c.get(0, "input")
    out = first(c.out)
    if source.numel() != out.numel():
        return NotImplemented
    r.set(out, r.tape.reshape(r.value(source), tuple(out.shape)))
    return None


@rule("copy")
def _copy(r: Recorder, c: Call) -> None:
    source = r.value(c.args[1])
    same = product(source.shape) == c.out.numel()
    r.set(c.out, source if same else r.tape.gather(source, tuple(c.out.shape)))


@rule(*ORDERS.split())
def _order(r: Recorder, c: Call) -> None:
    source = c.args[0] if c.args else c.get(0, "input")
    # What the function does to axes of distinct sizes says where each of them goes.
    probe = torch.empty(tuple(range(2, 2 + source.dim())), device="meta")
    named = {name: value for name, value in c.named.items() if name not in ("input", "self")}
    made = c.func(probe, *c.args[1:], **({} if len(c.args) > 1 else named))
    r.set(c.out, r.tape.permute(r.value(source), [size - 2 for size in made.shape]))


@rule(*COPIES.split())
def _gather(r: Recorder, c: Call) -> None:
    source = c.args[0] if c.args else c.get(0, "input")
    value, out = r.value(source), tuple(c.out.shape)
    if word_of(c.func).startswith(("expand", "repeat", "tile", "broadcast")) and (
        product(value.shape) == product(out)
    ):
        r.set(c.out, r.tape.reshape(value, out))
        return
    changed = [
        axis for axis in range(len(out)) if out[axis : axis + 1] != value.shape[axis : axis + 1]
    ]
    dim = c.named.get("dim")
    axis = dim if isinstance(dim, int) else changed[0] if len(changed) == 1 else None
    others = tensors((c.args[1:], {k: v for k, v in c.named.items() if v is not source}))
    r.set(c.out, led(r, r.tape.gather(value, out, axis), others))


@rule("roll")
def _roll(r: Recorder, c: Call) -> None:
    """Each axis that is rolled is looked up at constant positions."""
    value, dims = r.value(c.args[0]), c.get(2, "dims", ())
    axes = tuple(dims) if isinstance(dims, list | tuple) else (dims,)
    for axis in axes or (None,):
        value = r.tape.gather(value, value.shape, axis)
    r.set(c.out, value)


@rule("embedding")
def _embedding(r: Recorder, c: Call) -> None:
    table = c.get(0, "weight") if c.args and c.args[0].is_floating_point() else c.get(1, "weight")
    shape = tuple(c.out.shape)
    rows = r.tape.whole(r.value(table))
    made = Value(shape, r.tape.one(new("lookup", to=plain(shape[:-1])), rows))
    r.set(c.out, led(r, made, [t for t in tensors(c.args[:2]) if t is not table]))


@rule(*CONSTANTS.split())
def _constant(r: Recorder, c: Call) -> None:
    r._keep(c.out, Static(tuple(c.out.shape)))


@rule("getitem", "select", "narrow", "slice")
def _part(r: Recorder, c: Call) -> None:
    word, source = word_of(c.func), c.args[0]
    value = r.value(source)
    if word == "getitem":
        r.set(c.out, _indexed(r, value, c.args[1], tuple(c.out.shape)))
        return
    axis = c.get(1, "dim", 0)
    n = value.shape[axis]
    if word == "select":
        start = c.get(2, "index") % n
        made = r.tape.part(value, axis, start, start + 1)
    elif word == "narrow":
        made = r.tape.part(value, axis, c.get(2, "start"), c.get(2, "start") + c.get(3, "length"))
    else:
        start, stop, step = slice(c.get(2, "start"), c.get(3, "end"), c.get(4, "step", 1)).indices(
            n
        )
        made = r.tape.part(value, axis, start, stop, step)
    r.set(c.out, r.tape.reshape(made, tuple(c.out.shape)))


def _indexed(r: Recorder, value: Value, index: Any, out: tuple[int, ...]) -> Value:
    """Return a part of a value as Python indexes it."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(item, Tensor | list) for item in items):
        return led(r, r.tape.gather(value, out), tensors(items))
    taken = sum(item is not None and item is not Ellipsis for item in items)
    axis = 0
    for item in items:
        if item is Ellipsis:
            axis += len(value.shape) - taken
        elif isinstance(item, slice):
            start, stop, step = item.indices(value.shape[axis])
            value = r.tape.part(value, axis, start, stop, step)
            axis += 1
        elif item is not None:
            start = int(item) % value.shape[axis]
            value = r.tape.part(value, axis, start, start + 1)
            axis += 1
    return r.tape.reshape(value, out)


@rule("setitem")
def _set_item(r: Recorder, c: Call) -> None:
    """What is written into a tensor is taken from both at the positions of the index."""
    if isinstance(c.args[2], Tensor):
        _written(r, c.args[0], c.args[0], c.args[2], [c.args[1]])


@rule("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_put",
      "masked_scatter", "put", "select_scatter", "slice_scatter", "diagonal_scatter")  # fmt: skip
def _scatter(r: Recorder, c: Call) -> None:
    """As writing into a part; what is added or compared there is one step for each element."""
    target, *others = tensors(c.args)
    written = c.named.get("src", c.named.get("source", c.named.get("values")))
    written = written if isinstance(written, Tensor) else others[-1] if others else None
    if not isinstance(written, Tensor) or not written.is_floating_point():
        r.set(c.out, led(r, r.value(target), others))  # a number is written
        return
    if "add" in word_of(c.func) or "reduce" in word_of(c.func) or c.named.get("accumulate"):
        value = r.tape.same(new("act", function="neg"), r.value(written), call=r.call)
        r._keep(written, value)
    _written(r, c.out, target, written, [t for t in others if t is not written])


def _written(r: Recorder, out: Tensor, target: Tensor, source: Tensor, places: list[Any]) -> None:
    old, written, shape = r.known(target), r.value(source), tuple(out.shape)
    if isinstance(old, Static) and not old.leaves and product(written.shape) == product(shape):
        r._keep(out, Value(shape, r.tape.whole(written)))
        return
    flats = [r.tape.want(v, (product(v.shape),)) for v in (r.value(target), written)]
    joined = r.tape.one(new("concat"), *flats)
    made = Value(shape, r.tape.one(new("lookup", to=plain(shape)), joined))
    r._keep(out, led(r, made, places))


@rule(
    "chunk",
    "split",
    "split_with_sizes",
    "unbind",
    "tensor_split",
    "unsafe_chunk",
    "unsafe_split",
    "iter",
)
def _split(r: Recorder, c: Call) -> None:
    word, value = word_of(c.func), r.value(c.args[0] if c.args else c.get(0, "tensor"))
    made = list(tensors(list(c.out)))
    place = 1 if word in ("unbind", "iter") else 2
    axis = c.get(place, "dim", 0) % len(value.shape)
    alone = word in ("unbind", "iter")
    sizes = [1] * len(made) if alone else [t.shape[axis] for t in made]
    made = [tensor for tensor in made if tensor.numel()]
    for tensor, part in zip(made, r.tape.parts(value, axis, [n for n in sizes if n]), strict=True):
        r.set(tensor, r.tape.reshape(part, tuple(tensor.shape)))


@rule("cat", "concat", "concatenate")
def _cat(r: Recorder, c: Call) -> None:
    parts = c.get(0, "tensors")
    axis = c.get(1, "dim", c.named.get("axis", 0))
    values = [r.value(t) for t in parts if t.numel()]
    r.set(c.out, r.tape.concat(values, axis, tuple(c.out.shape)))


@rule("stack")
def _stack(r: Recorder, c: Call) -> None:
    parts, shape = c.get(0, "tensors"), tuple(c.out.shape)
    axis = c.get(1, "dim", 0) % len(shape)
    alone = (*shape[:axis], 1, *shape[axis + 1 :])
    values = [r.tape.reshape(r.value(t), alone) for t in parts]
    r.set(c.out, r.tape.concat(values, axis, shape))


@rule("pad", "constant_pad_nd")
def _pad(r: Recorder, c: Call) -> None:
    source, amounts, mode = c.args[0], list(c.get(1, "pad")), c.get(2, "mode", "constant")
    value = r.value(source)
    if mode in ("reflect", "replicate", "circular"):
        r.set(c.out, r.tape.gather(value, tuple(c.out.shape)))
        return
    rank = len(value.shape)
    sides = [(rank - 1 - i // 2, amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)]
    for axis, before, after in sides:
        n = value.shape[axis]
        if min(before, after) < 0:
            value = r.tape.part(value, axis, max(0, -before), n + min(0, after))
    grown = [(axis, max(0, b), max(0, a)) for axis, b, a in sides if b > 0 or a > 0]
    if {axis for axis, *_ in grown} <= {rank - 1, rank - 2} and rank > 2:
        grown = [(rank - 2, *_sides(grown, rank - 2), *_sides(grown, rank - 1))]  # type: ignore[list-item]
    for axis, *by in grown:
        shape = value.shape
        rest = shape[axis + 1] if len(by) == 4 else product(shape[axis + 1 :])
        maps = r.tape.want(value, (product(shape[:axis]), shape[axis], rest))
        top, bottom, left, right = by if len(by) == 4 else (*by, 0, 0)
        made = r.tape.one(new("pad", padding=(top, bottom, left, right)), maps, call=r.call)
        tail = (rest + left + right,) if len(by) == 4 else shape[axis + 1 :]
        value = Value((*shape[:axis], shape[axis] + top + bottom, *tail), made)
    r.set(c.out, value)


def _sides(grown: list[tuple[int, int, int]], axis: int) -> tuple[int, int]:
    return next(((b, a) for at, b, a in grown if at == axis), (0, 0))


_TAPS = {"nearest": 1, "nearest-exact": 1, "linear": 2, "bilinear": 2, "trilinear": 2,
         "bicubic": 4}  # fmt: skip
"""How many values along an axis a mode of interpolation weighs."""


@rule("interpolate", "upsample", *(f"upsample_{mode}" for mode in (
    "nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "bicubic2d", "trilinear3d",
)))  # fmt: skip
def _resize(r: Recorder, c: Call) -> object:
    word, dims = word_of(c.func), c.out.dim() - 2
    usual = word.partition("_")[2][:-2] or "nearest"
    mode = c.get(3, "mode", usual) if word in ("interpolate", "upsample") else usual
    if tuple(c.args[0].shape) == tuple(c.out.shape):
        r.set(c.out, r.value(c.args[0]))
    elif mode == "area" and dims == 2:
        over_maps(r, new("adaptiveavgpool", size=tuple(c.out.shape[2:])), c, 2)
    elif mode in _TAPS:
        _sampled(r, c.args[0], c.out, _TAPS[mode] ** dims)
    else:
        return NotImplemented
    return None


@rule("grid_sample", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def _grid_sample(r: Recorder, c: Call) -> None:
    """Sample at the positions of a grid, as an interpolation does."""
    image, grid = c.get(0, "input"), c.get(1, "grid")
    mode = c.get(2, "mode", "bilinear")
    mode = mode if isinstance(mode, str) else ("bilinear", "nearest", "bicubic")[int(mode)]
    _sampled(r, image, c.out, _TAPS[mode] ** (image.dim() - 2))
    r.set(c.out, led(r, r.value(c.out), [grid]))


def _sampled(r: Recorder, image: Tensor, out: Tensor, taps: int) -> None:
    """Sample (N, C, ...) anew; axes behind the first of a map are read as one."""
    maps = r.tape.permute(r.value(image), (1, 0, *range(2, image.dim())))
    c, n, high, *rest = maps.shape
    x = r.tape.want(maps, (c, n * high, product(tuple(rest))))
    size = (n * out.shape[2], product(tuple(out.shape[3:])))
    if taps == 4:
        made = r.tape.one(new("resize", size=size, mode="bilinear"), x, call=r.call)
    elif taps == 1:
        made = r.tape.one(new("resize", size=size), x, call=r.call)
    else:
        made = composed.interpolated(emit_of(r), x, size, taps)
    value = Value((c, n, *out.shape[2:]), made)
    r.set(out, r.tape.permute(value, (1, 0, *range(2, out.dim()))))


@rule("pixel_shuffle")
def _pixel_shuffle(r: Recorder, c: Call) -> None:
    over_maps(r, new("pixelshuffle", by=int(c.get(1, "upscale_factor"))), c, 2)


@rule("pixel_unshuffle")
def _pixel_unshuffle(r: Recorder, c: Call) -> None:
    over_maps(r, new("pixelunshuffle", by=int(c.get(1, "downscale_factor"))), c, 2)


@rule("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(r: Recorder, c: Call) -> None:
    over_maps(r, new("shuffle", groups=int(c.get(1, "groups"))), c, 2)


@rule("fold", "col2im")
def _fold(r: Recorder, c: Call) -> None:
    """Each output adds up as many values as a window has taps; those beside the border are zero."""
    kernel, shape = c.get(2, "kernel_size"), tuple(c.out.shape)
    taps = product(tuple(kernel)) if isinstance(kernel, list | tuple) else kernel**2
    columns = r.tape.gather(r.value(c.args[0]), (product(shape), taps))
    flat = r.tape.want(columns, (product(shape), taps))
    r.set(c.out, Value(shape, r.tape.one(new("sum", along=(-1,)), flat, call=r.call)))

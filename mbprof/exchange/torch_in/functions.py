"""Functions of PyTorch that compute of each element, compare, choose, or reduce in several ops."""

from __future__ import annotations

from torch import Tensor

from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.layers import reduced, reduction
from mbprof.exchange.torch_in.record import Call, Recorder, tensors, word_of
from mbprof.exchange.torch_in.rules import first, rule

EACH: dict[str, str] = {
    **dict.fromkeys(["sqrt", "exp", "log", "erf", "sin", "cos", "abs", "softplus"], ""),
    "rsqrt": "sqrt reciprocal", "absolute": "abs", "negative": "neg", "exp2": "exp",
    "expm1": "exp neg", "log2": "log", "log10": "log", "log1p": "neg log", "erfc": "erf neg",
    "erfinv": "erf", "tan": "sin", "asin": "sin", "acos": "cos", "atan": "sin", "arcsin": "sin",
    "arccos": "cos", "arctan": "sin", "sinh": "exp", "cosh": "exp", "asinh": "log",
    "acosh": "log", "atanh": "log", "logsigmoid": "softplus neg", "log_sigmoid": "softplus neg",
    "selu": "elu", "celu": "elu", "rrelu": "leaky_relu", "hardshrink": "relu",
    "softshrink": "relu neg", "threshold": "relu", "tanhshrink": "tanh neg",
    "softsign": "abs neg reciprocal square", "logit": "neg reciprocal log",
    "nan_to_num": "relu6", "deg2rad": "square", "rad2deg": "square", "frac": "round neg",
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "fix", "sign", "sgn", "signbit"), "round"),
    **dict.fromkeys(("logical_not", "bitwise_not", "isnan", "isinf", "isfinite", "bool"), "round"),
    **dict.fromkeys(("cummax", "cummin", "tril", "triu"), "round"),
    "cumsum": "neg", "cumprod": "square",
}  # fmt: skip
"""What is computed of each element, as activations that are applied in turn, itself if empty.

Running sums and products are one operation for each element.
"""
COMPARED = (
    "maximum minimum fmax fmin eq ne lt le gt ge equal not_equal less less_equal greater"
    " greater_equal logical_and logical_or logical_xor and or xor rand ror bitwise_and bitwise_or"
    " bitwise_xor where masked_fill isclose"
)


@rule(*EACH)
def _each(r: Recorder, c: Call) -> None:
    word, source = word_of(c.func), c.args[0] if c.args else c.get(0, "input")
    out = first(c.out)
    _applied(r, source, out, EACH[word] or word)


def _applied(r: Recorder, source: Tensor, out: Tensor, functions: str) -> None:
    value = r.value(source)
    for function in functions.split():
        value = r.tape.same(new("act", function=function), value, call=r.call)
    r.set(out, value)


@rule(*COMPARED.split())
def _compared(r: Recorder, c: Call) -> None:
    """A step for each tensor behind the first, as a sum; with a number one for each element."""
    taken = [t for t in tensors((c.args, c.named)) if t.dim()]
    taken = list({id(t): t for t in taken}.values()) or [c.args[0]]
    joined(r, c.out, taken)


def joined(r: Recorder, out: Tensor, taken: list[Tensor], word: str = "add") -> None:
    """Record what joins tensors element by element; a single one is compared."""
    values = [r.value(t) for t in taken]
    shape = tuple(out.shape)
    if len(values) > 1:
        r.set(out, r.tape.joined(new(word), values, shape, call=r.call))
    else:
        r.set(out, r.tape.same(new("act", function="round"), values[0], call=r.call))


@rule("max", "min")
def _largest(r: Recorder, c: Call) -> object:
    """Of two tensors element by element, of one along an axis, or of all."""
    if isinstance(c.get(1, "other"), Tensor):
        joined(r, c.out, [c.args[0], c.get(1, "other")])
        return None
    return reduced(r, c, "max")


@rule("amin", "argmax", "argmin", "all", "any", "median", "kthvalue", "mode")
def _least(r: Recorder, c: Call) -> object:
    made = reduced(r, c, "max", 2 if word_of(c.func) == "kthvalue" else 1)
    for other in list(tensors(c.out))[1:]:
        r._keep(other, r.known(first(c.out)))
    return made


@rule("topk", "sort", "argsort", "msort")
def _chosen(r: Recorder, c: Call) -> None:
    """Each element is compared once at least; what is taken are as many as there are."""
    source, axis = c.args[0], c.get(2 if word_of(c.func) == "topk" else 1, "dim", -1)
    axis = axis if isinstance(axis, int) and not isinstance(axis, bool) else -1
    value = r.tape.same(new("act", function="round"), r.value(source), call=r.call)
    for made in tensors(c.out):
        r.set(made, r.tape.part(value, axis, 0, made.shape[axis]))


@rule("std", "var", "std_mean", "var_mean")
def _variance(r: Recorder, c: Call) -> object:
    """Subtract the mean, square, take the mean again, and the root of it."""
    word, source = word_of(c.func), c.args[0] if c.args else c.get(0, "input")
    dims = c.get(1, "dim")
    dims = None if isinstance(dims, bool) else dims
    made = list(tensors(c.out))
    mean = reduction(r, "mean", r.value(source), dims)
    less = r.tape.joined(new("add"), [r.value(source), mean], tuple(source.shape))
    square = r.tape.same(new("act", function="square"), less)
    spread = reduction(r, "mean", square, dims)
    if word.startswith("std"):
        spread = r.tape.same(new("act", function="sqrt"), spread)
    for tensor, value in zip(made, (spread, mean), strict=False):
        r.set(tensor, r.tape.reshape(value, tuple(tensor.shape)))
    return None


_NORMS: dict[object, tuple[str, str, str]] = {
    2: ("square", "sum", "sqrt"), 1: ("abs", "sum", ""), float("inf"): ("abs", "max", ""),
    "fro": ("square", "sum", "sqrt"), None: ("square", "sum", "sqrt"),
}  # fmt: skip
"""By the p of a norm: what is done to each element, with all, and to the result."""


@rule("norm", "vector_norm", "linalg_vector_norm", "linalg_norm", "frobenius_norm", "logsumexp",
      "count_nonzero", "nansum", "nanmean")  # fmt: skip
def _norm(r: Recorder, c: Call) -> object:
    word, source = word_of(c.func), c.args[0] if c.args else c.get(0, "input")
    alike = {"logsumexp": ("exp", "sum", "log"), "count_nonzero": ("round", "sum", ""),
             "nansum": ("round", "sum", ""), "nanmean": ("round", "mean", "")}  # fmt: skip
    plain = word in alike or word == "frobenius_norm"
    p = None if plain else c.get(1, "p", c.named.get("ord"))
    if isinstance(p, list) or (p not in _NORMS and word not in alike):
        return NotImplemented
    before, kind, behind = alike.get(word) or _NORMS[p]
    dims = c.get(1 if plain else 2, "dim")
    value = r.tape.same(new("act", function=before), r.value(source), call=r.call)
    value = reduction(r, kind, value, dims)
    if behind:
        value = r.tape.same(new("act", function=behind), value, call=r.call)
    r.set(c.out, r.tape.reshape(value, tuple(c.out.shape)))
    return None


@rule("clamp", "clip", "clamp_min", "clamp_max", "hardtanh")
def _clamp(r: Recorder, c: Call) -> None:
    """A comparison for each bound: as a ReLU6 of two numbers, as a ReLU of one."""
    names = ("min_val", "max_val") if "hardtanh" in word_of(c.func) else ("min", "max")
    usual = (-1, 1) if "hardtanh" in word_of(c.func) else (None, None)
    bounds = [c.get(i, name, usual[i - 1]) for i, name in enumerate(names, 1)]
    source = c.args[0] if c.args else c.get(0, "input")
    given = [bound for bound in bounds if bound is not None]
    if any(isinstance(bound, Tensor) and bound.dim() for bound in given):
        joined(r, c.out, [source, *(b for b in given if isinstance(b, Tensor))])
    else:
        _applied(r, source, c.out, "relu6" if len(given) > 1 else "relu")


@rule("log_softmax", "softmin")
def _log_softmax(r: Recorder, c: Call) -> None:
    """As much as a softmax, whose quotients are differences here."""
    value, axis = r.value(c.args[0] if c.args else c.get(0, "input")), c.get(1, "dim", -1)
    tensor, at = r.tape.axis(value, -1 if axis is None else axis)
    made = r.tape.one(new("softmax", axis=at), tensor, call=r.call)
    r.set(c.out, value._replace(tensor=made))


@rule("addcmul", "addcdiv")
def _add_product(r: Recorder, c: Call) -> None:
    source, left, right = (c.get(i, n) for i, n in enumerate(("input", "tensor1", "tensor2")))
    shape, values = tuple(c.out.shape), [r.value(left), r.value(right)]
    if word_of(c.func) == "addcdiv":
        values[1] = r.tape.same(new("act", function="reciprocal"), values[1])
    inner = tuple((left * right).shape) if not isinstance(right, int | float) else shape
    made = r.tape.joined(new("mul"), values, inner, call=r.call)
    if (by := c.named.get("value", 1)) != 1:
        made = r.tape.same(new("times", by=float(by)), made)
    r.set(c.out, r.tape.joined(new("add"), [r.value(source), made], shape, call=r.call))


@rule("lerp")
def _lerp(r: Recorder, c: Call) -> None:
    """A + w·(b - a)."""
    start, end, weight = (c.get(i, n) for i, n in enumerate(("input", "end", "weight")))
    shape = tuple(c.out.shape)
    less = r.tape.joined(new("add"), [r.value(end), r.value(start)], shape, call=r.call)
    if isinstance(weight, Tensor):
        part = r.tape.joined(new("mul"), [less, r.value(weight)], shape, call=r.call)
    else:
        part = r.tape.same(new("times", by=float(weight)), less, call=r.call)
    r.set(c.out, r.tape.joined(new("add"), [r.value(start), part], shape, call=r.call))


@rule("glu")
def _glu(r: Recorder, c: Call) -> None:
    value, axis = r.value(c.args[0] if c.args else c.get(0, "input")), c.get(1, "dim", -1)
    half = value.shape[axis] // 2
    left, right = r.tape.parts(value, axis, (half, half))
    gate = r.tape.same(new("act", function="sigmoid"), right, call=r.call)
    r.set(c.out, r.tape.joined(new("mul"), [left, gate], tuple(c.out.shape), call=r.call))


@rule("cosine_similarity")
def _cosine(r: Recorder, c: Call) -> None:
    """The product of two vectors, divided by their lengths."""
    left, right, axis = c.get(0, "x1"), c.get(1, "x2"), c.get(2, "dim", 1)
    values = [r.value(left), r.value(right)]
    shape = tuple((left * right).shape)
    dot = reduction(r, "sum", r.tape.joined(new("mul"), values, shape, call=r.call), axis)
    lengths = [
        r.tape.same(new("act", function="sqrt"),
                    reduction(r, "sum", r.tape.same(new("act", function="square"), v), axis))
        for v in values
    ]  # fmt: skip
    both = r.tape.joined(new("mul"), lengths, dot.shape, call=r.call)
    inverse = r.tape.same(new("act", function="reciprocal"), both)
    made = r.tape.joined(new("mul"), [dot, inverse], dot.shape, call=r.call)
    r.set(c.out, r.tape.reshape(made, tuple(c.out.shape)))

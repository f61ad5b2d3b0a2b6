"""Networks computed by PyTorch, node by node: what an exported network has to give, too.

Each op is the function of PyTorch that its docstring names as its source, or a loop. Of
`mbprof.exchange` only the names of the stored tensors are known here.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from mbprof.exchange.weights import parameters
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.padding import PADDING_RULES

Tensor = Any
EPSILON = 1e-5


def outputs(
    graph: Graph, weights: dict[str, Any], images: Sequence[Any], fitted: bool = False
) -> list[Any]:
    """Return the outputs of a network for a batch of each image, as arrays of numpy.

    Weights and variances are ``fitted`` first, in place, so that layers give values of a size of
    about 1: the weights of a hundred layers can otherwise make them so large that rounding decides.
    """
    import torch

    made = {Edge(IMAGE, port): torch.as_tensor(image) for port, image in enumerate(images)}
    left = {edge: number for number, node in enumerate(graph.nodes) for edge in node.inputs}
    seen: set[str] = set()
    with torch.no_grad():
        for number, (node, named) in enumerate(zip(graph.nodes, parameters(graph), strict=True)):
            own = {kind: torch.from_numpy(weights[tensor.name]) for kind, tensor in named.items()}
            taken = [made[edge] for edge in node.inputs]
            if fitted and not seen.issuperset(names := {t.name for t in named.values()}):
                fit(node, taken, own)
                seen |= names
            results = OPS[node.op.word](node, taken, own)
            results = results if isinstance(results, tuple | list) else [results]
            for port, (result, shape) in enumerate(zip(results, node.out_shapes, strict=True)):
                assert result.shape[1:] == shape, (node, result.shape)
                made[Edge(number, port)] = result
            for edge in node.inputs:
                if left[edge] == number and edge not in graph.outputs:
                    made.pop(edge, None)
    batch = len(images[0])
    return [made[edge].expand(batch, *graph.shape(edge)).numpy() for edge in graph.outputs]


def fit(node: Node, inputs: list[Tensor], own: dict[str, Tensor]) -> None:
    """Scale the weights, or the variances, of a node to what it is given.

    The position with the largest results counts: where a window is padding but for a few positions,
    the others would otherwise be so large that a softmax chooses, and rounding decides.
    """
    if "variance" in own and node.op.normalises:
        own["variance"] *= inputs[0].square().mean()
    elif "weight" in own and "gain" not in own:
        quiet = {k: t if k == "weight" else t * 0 for k, t in own.items()}
        made = OPS[node.op.word](node, inputs, quiet)
        channels = 1 if len(node.out_shapes[0]) == 3 else -1
        size = made.square().mean(channels).max().sqrt()
        own["weight"] /= size if size > 0 else 1.0


def channels_second(node: Node, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of PyTorch, whose channels are axis 1, where they may be the last."""
    if len(node.in_shapes[0]) == 3:
        return function(x)
    return function(x.movedim(-1, 1)).movedim(1, -1)


def padded(node: Node, x: Tensor, value: float = 0.0) -> Tensor:
    import torch.nn.functional as F  # noqa: N812 - its usual name

    (top, bottom), (left, right) = (a.padded for a in node.op.axes(node.in_shapes))
    return F.pad(x, (left, right, top, bottom), value=value)


def conv(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch
    import torch.nn.functional as F  # noqa: N812

    op: Any = node.op
    groups, c_out = op.geometry(node.in_shapes).groups, node.out_shapes[0][0]
    shape = (c_out, inputs[0].shape[1] // groups, *op.kernel)
    x = padded(node, inputs[0])

    def computed(image: Tensor, weight: Tensor) -> Tensor:
        if op.gain:
            scale = w["gain"] * weight[0].numel() ** -0.5
            flat = weight.reshape(1, c_out, -1)
            flat = F.batch_norm(flat, None, None, scale, training=True, momentum=0.0, eps=EPSILON)
            weight = flat.reshape(shape)
        return F.conv2d(image, weight, w.get("bias"), op.stride, 0, op.dilation, groups)

    if len(inputs) == 1:
        return computed(x, w["weight"])
    own = inputs[1].expand(len(x), *inputs[1].shape[1:])
    return torch.cat([computed(x[i : i + 1], own[i].reshape(shape)) for i in range(len(x))])


def tconv(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    """A transposed convolution by a rule is the gradient of the convolution by that rule."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    op: Any = node.op
    said = {"stride": op.stride, "dilation": op.dilation, "groups": op.groups}
    extents = [(k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True)]
    extra = op.output_padding or (0, 0)
    (x,) = inputs
    if op.padding in ("valid", "torch"):
        side = [0 if op.padding == "valid" else (e - 1) // 2 for e in extents]
        y = F.conv_transpose2d(x, w["weight"], None, padding=side, output_padding=extra, **said)
        wide = [n - m for n, m in zip(node.out_shapes[0][1:], y.shape[2:], strict=True)]
        y = F.pad(y, (0, wide[1], 0, wide[0]))
    elif isinstance(op.padding, str) and op.output_padding:
        side = [e // 2 for e in extents]
        y = F.conv_transpose2d(x, w["weight"], None, padding=side, output_padding=extra, **said)
    elif isinstance(op.padding, str):
        size = node.out_shapes[0]
        amounts = PADDING_RULES[op.padding].amounts
        (top, bottom), (left, right) = (
            amounts(*axis) for axis in zip(size[1:], op.kernel, op.stride, op.dilation, strict=True)
        )
        with torch.enable_grad():
            image = torch.zeros((len(x), *size), requires_grad=True)
            made = F.conv2d(F.pad(image, (left, right, top, bottom)), w["weight"], **said)
            (y,) = torch.autograd.grad(made, image, x)
    else:
        top, bottom, left, right = op.padding
        y = F.conv_transpose2d(x, w["weight"], None, output_padding=0, **said)
        y = F.pad(y, (-left, extra[1] - right, -top, extra[0] - bottom))
    return y + w["bias"].reshape(-1, 1, 1) if op.bias else y


def linear(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    x = inputs[0].flatten(1) if len(node.out_shapes[0]) == 1 else inputs[0]
    return F.linear(x, w["weight"], w.get("bias"))


def maxpool(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    op: Any = node.op
    x = padded(node, inputs[0], -math.inf)
    y = F.max_pool2d(x, op.kernel, op.stride, dilation=op.dilation, ceil_mode=op.ceil)
    _, high, wide = node.out_shapes[0]
    return y[:, :, :high, :wide]


def avgpool(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch
    import torch.nn.functional as F  # noqa: N812

    op: Any = node.op
    ones = torch.ones_like(inputs[0])

    def pooled(x: Tensor) -> Tensor:
        return F.avg_pool2d(padded(node, x), op.kernel, op.stride, ceil_mode=op.ceil)

    y = pooled(inputs[0])
    if isinstance(op.padding, str):
        y = y / pooled(ones)
    _, high, wide = node.out_shapes[0]
    return y[:, :, :high, :wide]


def bn(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    said = w["mean"], w["variance"], w.get("scale"), w.get("shift")
    return channels_second(node, inputs[0], lambda x: F.batch_norm(x, *said, eps=EPSILON))


def gn(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    said = node.op.groups, w.get("scale"), w.get("shift"), EPSILON  # type: ignore[attr-defined]
    return channels_second(node, inputs[0], lambda x: F.group_norm(x, *said))


def last(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Normalise the channels of each position."""

    def normalised(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
        x = inputs[0].movedim(1, -1) if len(node.in_shapes[0]) == 3 else inputs[0]
        y = function(x, (x.shape[-1],), w)
        return y.movedim(-1, 1) if len(node.in_shapes[0]) == 3 else y

    return normalised


def lrn(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    size = node.op.size  # type: ignore[attr-defined]
    return channels_second(node, inputs[0], lambda x: F.local_response_norm(x, size))


def normalize(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    def shifted(x: Tensor) -> Tensor:
        shape = (-1, *(1,) * (x.dim() - 2))
        return (x - w["mean"].reshape(shape)) / w["variance"].reshape(shape).sqrt()

    return channels_second(node, inputs[0], shifted)


def act(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch
    import torch.nn.functional as F  # noqa: N812

    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "relu": F.relu,
        "relu6": F.relu6,
        "leaky_relu": F.leaky_relu,
        "prelu": lambda x: channels_second(node, x, lambda y: F.prelu(y, w["slope"])),
        "elu": F.elu,
        "sigmoid": torch.sigmoid,
        "hsigmoid": F.hardsigmoid,
        "silu": F.silu,
        "hswish": F.hardswish,
        "tanh": torch.tanh,
        "gelu": F.gelu,
        "star_relu": lambda x: w["scale"] * F.relu(x) ** 2 + w["shift"],
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "mish": F.mish,
        "none": lambda x: x,
        "softplus": F.softplus,
    }
    name = node.op.function
    function = functions.get(name) or getattr(torch, name)
    return function(inputs[0])


def concat(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch

    batch, axis = max(map(len, inputs)), node.op.axis  # type: ignore[attr-defined]
    whole = [x.expand(batch, *x.shape[1:]) for x in inputs]
    return torch.cat(whole, axis + 1 if axis >= 0 else axis)


def split(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Any:
    op: Any = node.op
    axis = op.axis if op.axis is not None else 0 if len(node.in_shapes[0]) == 3 else -1
    at = axis + 1 if axis >= 0 else axis
    sizes = list(op.sizes) or inputs[0].shape[at] // op.parts
    parts = inputs[0].split(sizes, at)
    return parts if op.keep is None else parts[op.keep]


def sliced(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    places = [slice(None)] * inputs[0].dim()
    places[op.axis + 1 if op.axis >= 0 else op.axis] = slice(op.start, op.stop, op.step)
    return inputs[0][tuple(places)]


def permute(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    rank = inputs[0].dim() - 1
    order = node.op.order  # type: ignore[attr-defined]
    return inputs[0].permute(0, *(axis % rank + 1 for axis in order))


def pad(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    behind = node.out_shapes[0][0] - node.in_shapes[0][0]
    return F.pad(padded(node, inputs[0]), (0, 0, 0, 0, 0, behind))


def crop(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    (_, h, wide), (_, high, kept) = node.in_shapes[0], node.out_shapes[0]
    cut = node.op.padding  # type: ignore[attr-defined]
    top, left = (cut[0], cut[2]) if cut else ((h - high) // 2, (wide - kept) // 2)
    return inputs[0][:, :, top : top + high, left : left + kept]


def resize(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch.nn.functional as F  # noqa: N812

    op: Any = node.op
    size = None if op.by else node.out_shapes[0][1:]
    return F.interpolate(inputs[0], size, op.by, op.mode)


def lookup(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    import torch

    op: Any = node.op
    axis = op.axis % len(node.in_shapes[0])
    at = torch.arange(math.prod(op.to)) % node.in_shapes[0][axis]
    y = inputs[0].index_select(axis + 1, at)
    return y.reshape(len(y), *node.out_shapes[0])


def sdpa(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    """Window by window and head by head; a bias is counted on score by score."""
    import torch

    op: Any = node.op
    heads, shared = op.heads, op.shared or op.heads
    q, k, v = (x.unflatten(1, (op.windows, -1)) for x in inputs[:3])
    q = q.unflatten(-1, (heads, -1))
    k, v = (x.unflatten(-1, (shared, -1)).repeat_interleave(heads // shared, -2) for x in (k, v))
    scores = torch.einsum("bwnhd,bwmhd->bhwnm", q, k) / math.sqrt(q.shape[-1])
    if len(inputs) == 4:
        _, h, windows, n, m = scores.shape
        bias = inputs[3]
        size = math.prod(bias.shape[1:])
        if size == h * windows * n * m:
            scores = scores + bias.reshape(-1, h, windows, n, m)
        else:
            if size != h * n * m and bias.shape[1] != h and bias.shape[-1] == h:
                bias = bias.movedim(-1, 1)
            own = size == h * n * m or bias.shape[1] == h
            table = bias.reshape(len(bias), h, -1) if own else bias.reshape(len(bias), -1)
            at = torch.arange(n * m if own else h * n * m) % table.shape[-1]
            scores = scores + table[..., at].reshape(-1, h, 1, n, m)
    y = torch.einsum("bhwnm,bwmhd->bwnhd", scores.softmax(-1), v)
    return y.reshape(len(y), *node.out_shapes[0])


def rope(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    """Pairs of channels are complex numbers, turned by one of modulus 1."""
    import torch

    first = node.op.first  # type: ignore[attr-defined]
    n, c = node.in_shapes[0]
    kept, x = inputs[0][:, :first], inputs[0][:, first:]
    pairs = torch.arange(c // 2)
    rates = 10000.0 ** (-2 * pairs / c)
    if len(inputs) == 2:
        trained = inputs[1].flatten(1)
        rates = trained[:, pairs % trained.shape[1]].unsqueeze(1)
    angles = torch.arange(n - first).unsqueeze(-1) * rates
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    turned = turned * torch.polar(torch.ones_like(angles), angles)
    y = torch.view_as_real(turned).flatten(-2)
    return torch.cat([kept.expand(len(y), *kept.shape[1:]), y], 1)


def functions() -> dict[str, Callable[[Node, list[Tensor], dict[str, Tensor]], Any]]:
    """Return how each op is computed."""
    try:
        import torch
        import torch.nn.functional as F  # noqa: N812
    except ImportError:
        return {}

    def plain(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda node, inputs, w: function(node.op, *inputs)

    def along(op: Any) -> list[int]:
        return [axis + 1 if axis >= 0 else axis for axis in op.along]

    def softmax_axis(node: Node) -> int:
        axis = node.op.axis  # type: ignore[attr-defined]
        if axis is None:
            return 1 if len(node.in_shapes[0]) == 3 else -1
        return int(axis + 1 if axis >= 0 else axis)

    def joined(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
        def all_of(node: Node, inputs: list[Tensor], w: dict[str, Tensor]) -> Tensor:
            made, *rest = inputs
            for other in rest:
                made = function(made, other)
            return made

        return all_of

    return {
        "conv": conv,
        "dwconv": conv,
        "tconv": tconv,
        "linear": linear,
        "maxpool": maxpool,
        "avgpool": avgpool,
        "adaptiveavgpool": plain(lambda op, x: F.adaptive_avg_pool2d(x, op.size)),
        "gap": plain(lambda op, x: F.adaptive_avg_pool2d(x, 1)),
        "gmp": plain(lambda op, x: F.adaptive_max_pool2d(x, 1)),
        "mean": plain(lambda op, x: x.mean(along(op), op.keep)),
        "sum": plain(lambda op, x: x.sum(along(op), op.keep)),
        "max": plain(lambda op, x: x.amax(along(op), op.keep)),
        "bn": bn,
        "gn": gn,
        "ln": last(lambda x, c, w: F.layer_norm(x, c, w.get("scale"), w.get("shift"), EPSILON)),
        "rms": last(lambda x, c, w: F.rms_norm(x, c, w.get("scale"), EPSILON)),
        "lrn": lrn,
        "normalize": normalize,
        "act": act,
        "times": plain(lambda op, x: x * op.by),
        "softmax": lambda node, inputs, w: inputs[0].softmax(softmax_axis(node)),
        "dropout": plain(lambda op, x: x),
        "identity": plain(lambda op, x: x),
        "add": joined(torch.add),
        "mul": joined(torch.mul),
        "concat": concat,
        "split": split,
        "slice": sliced,
        "flatten": plain(lambda op, x: x.flatten(1)),
        "reshape": plain(lambda op, x: x.reshape(len(x), *op.to)),
        "permute": permute,
        "shuffle": plain(lambda op, x: F.channel_shuffle(x, op.groups)),
        "tokens": plain(lambda op, x: x.flatten(2).transpose(1, 2)),
        "maps": lambda node, inputs, w: inputs[0].transpose(1, 2).reshape(-1, *node.out_shapes[0]),
        "pad": pad,
        "crop": crop,
        "resize": resize,
        "pixelshuffle": plain(lambda op, x: F.pixel_shuffle(x, op.by)),
        "pixelunshuffle": plain(lambda op, x: F.pixel_unshuffle(x, op.by)),
        "param": lambda node, inputs, w: w["value"].unsqueeze(0),
        "lookup": lookup,
        "matmul": plain(lambda op, x, y: x @ (y.mT if op.transposed else y)),
        "sdpa": sdpa,
        "rope": rope,
    }


OPS = functions()

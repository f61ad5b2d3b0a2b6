"""What a framework counts of a network that mbprof wrote for it, by running it."""

from __future__ import annotations

import math
import types
from typing import Any, NamedTuple

from mbprof.language.fmt import Shape


class Counted(NamedTuple):
    """What was counted: trained values, others, multiply-accumulates and the outputs' shapes."""

    trained: int
    stored: int
    macs: int
    shapes: tuple[Shape, ...]


def module(text: str, name: str = "net") -> types.ModuleType:
    """Run the text of a file as a module."""
    made = types.ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), made.__dict__)
    return made


def network_class(made: types.ModuleType) -> Any:
    """Return the class of the whole network: the last one of the file."""
    classes = [value for value in vars(made).values() if isinstance(value, type)]
    return [cls for cls in classes if cls.__module__ == made.__name__][-1]


def torch_counted(text: str, images: list[Shape], device: str = "meta") -> Counted:
    """Count what a file of PyTorch holds and does, for one image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device(device):
        net = network_class(module(text))().eval()
        inputs = [torch.zeros(1, *shape) for shape in images]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        outputs = net(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    names = {name for name, _ in net.named_buffers()} & set(net.state_dict())
    buffers = {name: b for name, b in net.named_buffers() if name in names}
    stored = sum(p.numel() for p in net.parameters()) + sum(
        b.numel() for name, b in buffers.items() if not name.endswith("num_batches_tracked")
    )
    shapes = tuple(tuple(output.shape[1:]) for output in outputs)
    return Counted(trained, stored, counter.get_total_flops() // 2, shapes)


def expected(graph: Any) -> Counted:
    """Return the same of mbprof's graph."""
    from mbprof.ops.base import total

    facts = total(node.facts for node in graph.nodes)
    shapes = tuple(graph.shape(edge) for edge in dict.fromkeys(graph.outputs))
    return Counted(facts.trainable, facts.params, facts.mac, shapes)


def relative(a: Any, b: Any) -> float:
    """Return the largest difference of two arrays, relative to the largest value."""
    import numpy as np

    a, b = np.broadcast_arrays(a, b)
    alike = ((a == b) & np.isinf(a)) | (np.isnan(a) & np.isnan(b))
    there = ~alike  # of windows that hold padding alone, and of roots of what is below 0
    if not there.any():
        return 0.0
    a, b = a[there], b[there]
    scale = max(float(abs(a).max()), float(abs(b).max()), 1e-12)
    return float(abs(a - b).max()) / scale if math.isfinite(scale) else math.inf


TORCH_NAMES = {
    "scale": "weight",
    "shift": "bias",
    "mean": "running_mean",
    "variance": "running_var",
    "slope": "weight",
}
OWN_NAMES = {"shift": "bias"}  # of the classes that a file brings itself


def _at(net: Any, way: str) -> Any:
    for part in way.split("."):
        net = net[int(part)] if part.isdigit() else getattr(net, part)
    return net


def torch_filled(net: Any, graph: Any, paths: dict[int, str], values: dict[str, Any]) -> Any:
    """Give a network of PyTorch its weights."""
    import torch

    from mbprof.exchange.weights import parameters

    with torch.no_grad():
        for number, tensors in enumerate(parameters(graph)):
            for kind, tensor in tensors.items():
                owner = _at(net, paths[number])
                value = torch.from_numpy(values[tensor.name])
                name = TORCH_NAMES.get(kind, kind)
                if type(owner).__name__ in ("Normalize", "StarReLU"):
                    name = OWN_NAMES.get(kind, kind)
                target = owner if kind == "value" else getattr(owner, name)
                target.copy_(value.reshape(target.shape))
    return net


def keras_filled(net: Any, graph: Any, paths: dict[int, str], values: dict[str, Any]) -> Any:
    """Give a network of Keras its weights, in Keras' layout."""
    import numpy as np

    from mbprof.exchange.weights import parameters

    names = {
        "scale": "gamma",
        "shift": "beta",
        "mean": "moving_mean",
        "variance": "moving_variance",
    }
    for number, tensors in enumerate(parameters(graph)):
        for kind, tensor in tensors.items():
            owner, op = _keras_at(net, paths[number]), graph.nodes[number].op
            value, own = values[tensor.name], type(owner).__name__ in ("Normalize", "StarReLU")
            name = OWN_NAMES.get(kind, kind) if own else names.get(kind, kind)
            if kind == "weight":
                name = "kernel"
                if op.word == "linear":
                    value = value.T
                elif op.word != "tconv" and type(owner).__name__ == "DepthwiseConv2D":
                    multiplier = owner.depth_multiplier
                    c = value.shape[0] // multiplier
                    value = value.reshape(c, multiplier, *value.shape[2:]).transpose(2, 3, 0, 1)
                else:
                    value = value.transpose(2, 3, 1, 0)
            if kind == "slope":
                name = "alpha"
            if type(owner).__name__ == "RMSNormalization":
                name = "scale"
            target = owner if kind == "value" else getattr(owner, name)
            if kind == "value" and value.ndim == 3:
                value = value.transpose(1, 2, 0)
            target.assign(np.ascontiguousarray(value).reshape(target.shape))
    return net


def _keras_at(net: Any, way: str) -> Any:
    for part in way.split("."):
        net = net.layers[int(part)] if part.isdigit() else getattr(net, part)
    return net


def torch_result(exported: Any, graph: Any, values: dict[str, Any], images: list[Any]) -> list[Any]:
    """Return what a file of PyTorch makes of images, with given weights."""
    import torch

    net = network_class(module(exported.text))().eval()
    torch_filled(net, graph, exported.paths, values)
    with torch.no_grad():
        outputs = net(*map(torch.from_numpy, images))
    return [o.numpy() for o in (outputs if isinstance(outputs, tuple) else (outputs,))]


def keras_result(
    exported: Any, graph: Any, values: dict[str, Any], images: list[Any]
) -> tuple[list[Any], Counted]:
    """Return what a file of Keras makes of images, with given weights, and what is counted."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def turned(x: Any, order: tuple[int, ...]) -> Any:
        return torch.from_numpy(x.transpose(order).copy()) if x.ndim == 4 else torch.from_numpy(x)

    net = network_class(module(exported.text))()
    inputs = [turned(x, (0, 2, 3, 1)) for x in images]
    with torch.no_grad():
        net(*inputs, training=False)
        keras_filled(net, graph, exported.paths, values)
        net.requires_grad_(False)  # PyTorch's counter takes a trained tensor for one that it made.
        counter = FlopCounterMode(display=False)
        with counter:
            outputs = net(*inputs, training=False)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    made = [o.numpy().transpose(0, 3, 1, 2) if o.ndim == 4 else o.numpy() for o in outputs]
    trained = sum(math.prod(w.shape) for w in net.trainable_weights)
    stored = sum(math.prod(w.shape) for w in net.weights if "seed" not in w.name)
    shapes = tuple(tuple(x.shape[1:]) for x in made)
    return made, Counted(trained, stored, counter.get_total_flops() // 2, shapes)


def keras_shaped(text: str, images: list[Shape]) -> Counted:
    """Return what a file of Keras holds and the shapes that it makes, without values or MACs."""
    import keras

    sizes = [(*s[1:], s[0]) if len(s) == 3 else s for s in images]
    with keras.StatelessScope(initialize_variables=False):
        net = network_class(module(text))()
        outputs = net(*(keras.KerasTensor((1, *size)) for size in sizes))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    shapes = [tuple(output.shape[1:]) for output in outputs]
    trained = sum(math.prod(w.shape) for w in net.trainable_weights)
    stored = sum(math.prod(w.shape) for w in net.weights if "seed" not in w.name)
    firsts = tuple((s[2], s[0], s[1]) if len(s) == 3 else s for s in shapes)
    return Counted(trained, stored, 0, firsts)


def onnx_counted(built: Any) -> tuple[int, int, tuple[Shape, ...]]:
    """Return stored values, multiply-accumulates and shapes of an ONNX file, inferred by onnx."""
    import onnx
    from onnx.shape_inference import infer_shapes

    from mbprof.exchange.formats import Options
    from mbprof.exchange.onnx_out.file import model
    from mbprof.exchange.weights import stored

    made = infer_shapes(model(built, Options(batch=1)), strict_mode=True, data_prop=True)
    onnx.checker.check_model(made)
    graph = made.graph
    infos = (*graph.value_info, *graph.input, *graph.output)
    shapes = {
        info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos
    }
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    names = {tensor.name for tensor in stored(built.compiled)}
    kept = sum(math.prod(t.dims) for t in graph.initializer if t.name in names)
    macs = 0
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            # A weight is (C_out, C_in/g, ...), transposed (C_in, C_out/g, ...).
            side = shapes[(node.output if node.op_type == "Conv" else node.input)[0]]
            macs += math.prod(side) * math.prod(shapes[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            macs += math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return kept, macs, tuple(shapes[output.name][1:] for output in graph.output)

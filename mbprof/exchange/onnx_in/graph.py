"""The graph of an ONNX model with every shape: what depends on images, and what is fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import onnx
from onnx import TensorProto, numpy_helper

from mbprof.errors import ExchangeError, LimitError
from mbprof.exchange.onnx_in import fused as onnx_fused
from mbprof.exchange.onnx_in import values as onnx_values
from mbprof.exchange.onnx_in.batch import Axis, follow, without
from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple

MAX_NODES = 50_000
"""Nodes of a graph, those of functions and branches counted as often as they are there."""
MAX_SIZE = 2**40
"""Elements of a tensor."""


class Tensor(NamedTuple):
    """A tensor: its shape, its type as ONNX numbers it, and what is known of it.

    ``fixed`` says that no image decides it; ``value`` is what it then holds, where that is known.
    ``root`` is the initialiser that it is, ``batch`` the batch axis; ``trained`` says that it is
    made of values that training changes.
    """

    shape: Shape
    type: int
    fixed: bool = False
    value: Any = None
    root: str = ""
    batch: Axis = None
    trained: bool = False


class Node(NamedTuple):
    """A node: its op and domain, its name, the tensors that it takes and makes, what it says."""

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def known(self) -> str:
        """The op with its domain where it is not ONNX' own, as tables list it."""
        return f"{self.domain}.{self.kind}" if self.domain not in DOMAINS else self.kind


DOMAINS = ("", "ai.onnx")


@dataclass
class Walk:
    """Walks through a model in execution order: computes what is fixed, infers all shapes."""

    model: Any
    source: str
    batch: int
    sizes: Mapping[str, Shape]
    """The shapes of the inputs."""
    constants: set[str] = field(default_factory=set)
    """What is not trained where weights are initialisers, such as what Constant nodes hold."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    stated: dict[str, Any] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)
    makers: dict[str, Node] = field(default_factory=dict)
    """The nodes that make what no image decides of trained values, by what they make."""
    taken: set[str] = field(default_factory=set)
    """All that nodes take, also those that lead to no output."""
    count: int = 0

    def run(self) -> Walk:
        """Walk through the main graph.

        Raises: ExchangeError: a node takes what none before it makes, or its shapes are not known.
        """
        self.opsets = {entry.domain: entry.version for entry in self.model.opset_import}
        self.opsets[""] = self.opset
        graph = self.model.graph
        self.initialise(graph)
        for name, shape in self.sizes.items():
            kind = next(i.type.tensor_type.elem_type for i in graph.input if i.name == name)
            first = int(name in steps_first(self.model))
            axis = first if len(shape) > 1 and shape[first] == self.batch else None
            self.tensors[name] = Tensor(shape, kind, batch=axis)
        self.walk(graph)
        return self

    @property
    def opset(self) -> int:
        """The version of ONNX' own ops."""
        return next((self.opsets[d] for d in DOMAINS if d in self.opsets), 0)

    def initialise(self, graph: Any) -> None:
        """Take the initialisers of a graph, and the shapes that it states."""
        for tensor in graph.initializer:
            kept, name = _stored(tensor, tensor.name), tensor.name
            trained = prod(kept.shape) > 1 or _PARAMETER.fullmatch(name) is not None
            trained = trained and kept.type in FLOATS and name not in self.constants
            self.make(name, kept._replace(trained=trained))
        for sparse in graph.sparse_initializer:
            dims = tuple(sparse.dims)
            self.make(sparse.values.name, Tensor(dims, sparse.values.data_type, True))
        self.stated |= {info.name: info.type for info in (*graph.value_info, *graph.output)}

    @property
    def initialised(self) -> bool:
        """Whether layers take initialisers as their weights."""
        taken = (self.tensors.get(n.inputs[1]) for n in self.nodes if n.kind in MULTIPLY)
        return any(t and t.root and t.root not in self.constants for t in taken)

    def make(self, name: str, tensor: Tensor) -> None:
        """Note a tensor; a name is given once."""
        if name in self.tensors:
            raise ExchangeError(f"{self.source}: the tensor {name!r} is made twice")
        if prod(tensor.shape) > MAX_SIZE or any(size < 0 for size in tensor.shape):
            raise LimitError(f"{self.source}: {name} has a size that no tensor has")
        self.tensors[name] = tensor

    def walk(self, graph: Any) -> None:
        """Walk through the nodes of a graph."""
        for proto in graph.node:
            self.count += 1
            if self.count > MAX_NODES:
                raise LimitError(f"{self.source} has more than {MAX_NODES:,} nodes")
            self.step(self.node(proto), proto, graph)

    def node(self, proto: Any) -> Node:
        said = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        for name, value in said.items():
            if isinstance(value, bytes):
                said[name] = value.decode("utf-8", "replace")
        name = proto.name or (proto.output[0] if proto.output else proto.op_type)
        domain = "" if proto.domain in DOMAINS else proto.domain
        return Node(proto.op_type, domain, name, (*proto.input,), (*proto.output,), said)

    def step(self, node: Node, proto: Any, graph: Any) -> None:
        self.taken.update(node.inputs)
        missing = next((name for name in node.inputs if name and name not in self.tensors), None)
        if missing is not None:
            later = any(missing in other.output for other in graph.node)
            why = "a later node makes it: the graph has a cycle, or it is not in order"
            why = why if later else "nothing makes it"
            raise ExchangeError(f"{self.source}: {node.name} takes {missing!r}, but {why}")
        if node.kind in ("If", "Loop", "Scan", "SequenceMap") and not node.domain:
            self.control(node)
            return
        taken = [self.tensors.get(name) for name in node.inputs]
        fixed = all(tensor is None or tensor.fixed for tensor in taken)
        fixed = fixed and node.kind not in MULTIPLY
        trained = fixed and any(tensor.trained for tensor in taken if tensor)
        if trained:
            self.makers |= dict.fromkeys(node.outputs, node)
        if (made := self.computed(node, taken)) is not None:
            for name, value in zip(node.outputs, made, strict=False):
                type_ = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
                root = self.root(node, taken) or self.constant(node, name, value.size)
                self.make(name, Tensor(value.shape, type_, True, value, root, None, trained))
            return
        if (wrong := _misfit(node, taken)) is not None:
            raise ExchangeError(f"{self.source}: {node.name} ({node.known}) {wrong}")
        node = self.complete(node, taken)
        shapes = self.shapes(node, proto, taken)
        for name, (shape, type_) in shapes.items():
            axis = None if fixed else self.followed(node, taken, shape)
            root = self.root(node, taken) or self.constant(node, name, prod(shape))
            root = root if fixed else ""
            self.make(name, Tensor(shape, type_, fixed, None, root, axis, trained))
        if not fixed:
            self.nodes.append(node)

    def constant(self, node: Node, name: str, size: int) -> str:
        """Return the name of what a Constant holds, if it is more than a number."""
        if node.kind != "Constant" or size < 2:
            return ""
        self.constants.add(name)
        return name

    def root(self, node: Node, taken: Sequence[Tensor | None]) -> str:
        """Return the initialiser that a node only hands on in another form."""
        first = taken[0] if taken else None
        return first.root if first and node.kind in ROOTED and not node.domain else ""

    def followed(self, node: Node, taken: Sequence[Tensor | None], shape: Shape) -> Axis:
        known = [(t.shape, t.batch) for t in taken if t is not None]
        axis = follow(node.kind, known, shape, node.attributes, self.batch)
        lost = axis is None and any(at is not None for _, at in known)
        if lost and self.batch > 1:
            raise ExchangeError(
                f"{self.source}: the batch axis is lost in {node.name} ({node.known})",
                hint="export the network for a batch of 1",
            )
        return axis

    def complete(self, node: Node, taken: Sequence[Tensor | None]) -> Node:
        """Write axes that an input brings as an attribute, as older opsets have them."""
        at = {"Unsqueeze": 1, "Squeeze": 1}.get(node.kind, 1 if node.kind[:6] == "Reduce" else 0)
        second = taken[at] if at and len(taken) > at else None
        if node.domain or second is None or second.value is None:
            return node
        axes = [int(axis) for axis in second.value.reshape(-1)]
        return node._replace(attributes={**node.attributes, "axes": axes})

    def computed(self, node: Node, taken: Sequence[Tensor | None]) -> list[Any] | None:
        """Return the values that a node makes, None where an image or large weights decide them."""
        import numpy as np

        if node.domain:
            return None
        first = taken[0] if taken else None
        if node.kind == "Constant":
            return _constant(node)
        if node.kind == "Shape" and first is not None:
            said = node.attributes
            dims = first.shape[said.get("start", 0) : said.get("end", len(first.shape))]
            return [np.array(dims, np.int64)]
        if node.kind == "Size" and first is not None:
            return [np.array(prod(first.shape), np.int64)]
        values = [tensor.value if tensor else None for tensor in taken]
        if any(t and v is None for t, v in zip(taken, values, strict=True)) or not taken:
            return None
        attributes = {k: _array(v) for k, v in node.attributes.items()}
        try:
            with np.errstate(all="ignore"):
                return onnx_values.evaluate(
                    node.kind, values, {**attributes, "outputs": len(node.outputs)}, self.opset
                )
        except (ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError) as why:
            message = f"{self.source}: {node.name} ({node.kind}) cannot be computed: {why}"
            raise ExchangeError(message) from None

    def shapes(
        self, node: Node, proto: Any, taken: Sequence[Tensor | None]
    ) -> dict[str, tuple[Shape, int]]:
        """Return the shape and type of each output: inferred, or as the file states them."""
        made = {name: _whole(kind) for name, kind in self.inferred(node, proto, taken).items()}
        shapes = {}
        for name in filter(None, node.outputs):
            known = made.get(name) or _whole(self.stated.get(name)) or self.fused(node, taken, name)
            if known is None:
                raise ExchangeError(
                    f"{self.source}: the shape of {name!r} cannot be inferred, which {node.name} "
                    f"({node.known}) makes",
                    hint="state it in the file, or export the network with fixed sizes",
                )
            shapes[name] = known
        return shapes

    def inferred(self, node: Node, proto: Any, taken: Sequence[Tensor | None]) -> dict[str, Any]:
        version = self.opsets.get(node.domain, 1)
        try:
            schema = onnx.defs.get_schema(node.kind, version, node.domain)
        except onnx.defs.SchemaError:
            return {}
        equation = str(node.attributes.get("equation", "")).replace(" ", "")
        if node.kind == "Einsum" and not _EQUATION.fullmatch(equation):  # ONNX never ends with it.
            message = f"{self.source}: {node.name} ({node.known}) has no equation: {equation!r}"
            raise ExchangeError(message, hint="such as ij,jk->ik")
        types, data = {}, {}
        for name, tensor in zip(node.inputs, taken, strict=True):
            if tensor is None:
                continue
            types[name] = onnx.helper.make_tensor_type_proto(tensor.type, tensor.shape)
            if tensor.value is not None and tensor.value.ndim < 2:
                data[name] = numpy_helper.from_array(tensor.value, name)
        try:
            made: dict[str, Any] = onnx.shape_inference.infer_node_outputs(
                schema, proto, types, data, None, list(self.model.opset_import)
            )
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError) as why:
            said = str(why).splitlines()[0] if str(why) else type(why).__name__
            message = f"{self.source}: {node.name} ({node.known}) does not take its inputs: {said}"
            raise ExchangeError(message) from None
        return made

    def fused(
        self, node: Node, taken: Sequence[Tensor | None], name: str
    ) -> tuple[Shape, int] | None:
        """Return the first output of an op that ONNX itself does not have, None if not known."""

        def infer(kind: str, shapes: Sequence[Shape], said: Mapping[str, Any]) -> Shape | None:
            names = [f"x{number}" for number in range(len(shapes))]
            proto = onnx.helper.make_node(kind, names, ["y"], **said)
            tensors = [Tensor(shape, TensorProto.FLOAT) for shape in shapes]
            inner = Node(kind, "", node.name, (*names,), ("y",), said)
            whole = _whole(self.inferred(inner, proto, tensors).get("y"))
            return whole[0] if whole else None

        shapes = [tensor.shape if tensor else None for tensor in taken]
        if name != node.outputs[0] or not shapes or taken[0] is None:
            return None
        shape = onnx_fused.inferred(node.kind, shapes, node.attributes, infer)
        first = taken[onnx_fused.first(node.kind)]
        return None if shape is None or first is None else (shape, first.type)

    def control(self, node: Node) -> None:
        """Walk through the branch of an If whose condition is fixed.

        Raises: ExchangeError: it is not, or the node is a loop.
        """
        condition = self.tensors[node.inputs[0]] if node.inputs else None
        if node.kind != "If" or condition is None or condition.value is None:
            why = f"the condition of {node.name} depends on the image"
            if node.kind != "If":
                why = f"how often {node.name} ({node.kind}) repeats its body is not counted"
            hint = "export the network without control flow, such as with torch.export"
            raise ExchangeError(f"{self.source}: {why}", hint=hint)
        taken = bool(condition.value.reshape(-1)[:1].any())
        branch = node.attributes["then_branch" if taken else "else_branch"]
        self.initialise(branch)
        self.walk(branch)
        for name, output in zip(node.outputs, branch.output, strict=False):
            if output.name not in self.tensors:
                raise ExchangeError(f"{self.source}: {node.name}: nothing makes {output.name!r}")
            self.make(name, self.tensors[output.name])
            if not self.tensors[name].fixed:
                same = Node("Identity", "", node.name, (output.name,), (name,), {})
                self.nodes.append(same)

    def plain(self, name: str) -> Shape:
        """Return the shape of a tensor for one image."""
        tensor = self.tensors[name]
        return without(tensor.shape, tensor.batch, self.batch)


def steps_first(model: Any) -> set[str]:
    """Return the tensors whose first axis counts the steps of a recurrent layer."""
    layers = (node for node in model.graph.node if node.op_type in ("LSTM", "GRU", "RNN"))
    return {
        node.input[0]
        for node in layers
        if node.input and not any(a.name == "layout" and a.i for a in node.attribute)
    }


FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
_EQUATION = re.compile(r"TERM(,TERM)*(->TERM)?".replace("TERM", r"[A-Za-z]*(\.{3}[A-Za-z]*)?"))
_PARAMETER = re.compile(r"[^:]+\.[a-z_]\w*")  # the name of what a module stores, and of no literal
MULTIPLY = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Layers that a network runs even where no image decides what they take."""
ROOTED = {"Identity", "Cast", "DequantizeLinear", "QuantizeLinear", "Reshape", "Unsqueeze"}
ROOTED |= {"Squeeze", "Transpose", "Expand", "Flatten"}
"""Ops behind which weights are still the same weights."""


def _stored(tensor: Any, name: str) -> Tensor:
    """Return an initialiser; its values where they are few and stand in the file itself."""
    shape = tuple(tensor.dims)
    value = None
    if tensor.data_location != TensorProto.EXTERNAL and prod(shape) <= onnx_values.LARGEST:
        try:
            value = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError):
            value = None  # its values were left out
    if value is not None and value.shape != shape:
        value = None
    return Tensor(shape, tensor.data_type, True, value, name)


def _constant(node: Node) -> list[Any] | None:
    """Return what a Constant holds."""
    import numpy as np

    for kind, value in node.attributes.items():
        if kind == "value":
            stored = _stored(value, "")
            return None if stored.value is None else [stored.value]
        if kind in ("value_float", "value_floats"):
            return [np.array(value, np.float32)]
        if kind in ("value_int", "value_ints"):
            return [np.array(value, np.int64)]
    return None


_WEIGHTS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}


def _misfit(node: Node, taken: Sequence[Tensor | None]) -> str | None:
    """Say what the weights of a convolution do not fit; inference looks at windows only."""
    at = _WEIGHTS.get(node.kind, len(taken))
    x, weights = taken[0] if taken else None, taken[at] if at < len(taken) else None
    if x is None or weights is None or min(len(x.shape), len(weights.shape)) < 3:
        return None
    groups = node.attributes.get("group", 1)
    if groups < 1 or weights.shape[1] * groups != x.shape[1] or weights.shape[0] % groups:
        fit = f"{weights.shape[0]} maps of {weights.shape[1]} channels in {groups} groups"
        return f"has weights for {fit}, and an input of {x.shape[1]} channels"
    return None


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def _whole(type_: Any) -> tuple[Shape, int] | None:
    """Return the shape and type of a tensor, None where a size is not known."""
    if type_ is None or type_.WhichOneof("value") != "tensor_type":
        return None
    tensor = type_.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = tensor.shape.dim
    if any(dim.WhichOneof("value") != "dim_value" for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims), tensor.elem_type

"""What all ops need to be written in ONNX: tensors, stored values, shapes and names.

A tensor is called as the node that makes it. Numbers that are stored are initialisers, called as
`mbprof.exchange.weights` calls them; other numbers are constants, so that a reader of initialisers
sees what the network stores and nothing else. The whole numbers that ONNX has as inputs of an op,
such as a shape, are initialisers of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from mbprof.errors import ExchangeError
from mbprof.exchange.rules import Rules
from mbprof.exchange.weights import Stored, parameters
from mbprof.language.fmt import Shape
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.ops.base import channel_axis
from mbprof.symbolic.arithmetic import product

if TYPE_CHECKING:
    import numpy as np

BATCH = "batch"
"""What the size of the batch is called where it is not given."""
Written: TypeAlias = str | list[str]
Values: TypeAlias = "Callable[[Stored], np.ndarray[Any, Any]]"
WRITERS: Rules[Callable[[Writer], Written]] = Rules()
"""The function that writes an op and returns its tensors, by the op's word."""
writes = WRITERS.add


def batched(graph: Graph) -> list[bool]:
    """Return for each node whether it depends on an image, rather than on stored values alone."""
    made: list[bool] = []
    for node in graph.nodes:
        made.append(any(edge.node == IMAGE or made[edge.node] for edge in node.inputs))
    return made


class Writer:
    """What is written of a model, and the node that is being written: its op's function is called.

    The tensors of a network have the batch in front; those that depend on stored values alone have
    a 1 there.
    """

    def __init__(self, graph: Graph, batch: int | None) -> None:
        import onnx

        self.onnx = onnx
        self.graph = graph
        self.varies = batched(graph)
        own = any(n.op.multiplies and self._depends(n.inputs[1:]) for n in graph.nodes)
        self.batch = 1 if own and batch is None else batch
        self.parameters = parameters(graph)
        self.nodes: list[Any] = []
        self.kept: dict[str, tuple[Stored, Shape, bool]] = {}
        self.whole: dict[tuple[Shape, bytes], Any] = {}
        self.constants: dict[Any, str] = {}
        self.taken = {t.name for tensors in self.parameters for t in tensors.values()}
        self.tensors = self._tensors()
        self.known: list[Any] = []
        self.number = -1

    def _tensors(self) -> dict[Edge, str]:
        """Return what each tensor is called: as its node, a result as the spec says."""
        graph = self.graph
        images = [Edge(IMAGE, port) for port in range(len(graph.images))]
        wanted = {edge: graph.name_of(edge) for edge in images}
        for edge, name in zip(graph.results, graph.names, strict=False):
            wanted.setdefault(edge, name)
        for number, node in enumerate(graph.nodes):
            for port in range(len(node.out_shapes)):
                wanted.setdefault(Edge(number, port), f"{node.name}:{port}" if port else node.name)
        return {edge: self._free(name) for edge, name in wanted.items()}

    @property
    def node(self) -> Node:
        """The node that is being written."""
        return self.graph.nodes[self.number]

    @property
    def op(self) -> Any:
        """Its op."""
        return self.node.op

    @property
    def inputs(self) -> list[str]:
        """The tensors that it takes."""
        return [self.tensors[edge] for edge in self.node.inputs]

    @property
    def shape(self) -> Shape:
        """The shape of its first input, without the batch."""
        return self.node.in_shapes[0]

    @property
    def made(self) -> Shape:
        """The shape of its first output, without the batch."""
        return self.node.out_shapes[0]

    def write(self, number: int) -> None:
        """Write a node.

        Raises: ExchangeError: nobody has written its op.
        """
        self.number, begun = number, len(self.nodes)
        function = WRITERS.get(self.op.word)
        if function is None:
            raise ExchangeError(f"{self.node.name}: {self.op.word} has no counterpart in ONNX yet")
        results = function(self)
        results = [results] if isinstance(results, str) else results
        for port, result in enumerate(results):
            edge = Edge(number, port)
            if result in self.kept:
                self.tensors[edge] = result
                continue
            if not any(result in node.output for node in self.nodes[begun:]):
                result = self.emit("Identity", result)
            maker = next(node for node in self.nodes[begun:] if result in node.output)
            maker.output[list(maker.output).index(result)] = self.tensors[edge]
            maker.name = self.node.name
            maker.doc_string = f"{self.op.word}, of layer {self.node.layer} in {self.node.block}"
            self.known.append(self._info(edge))

    def emit(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of ONNX, and return the tensor that it makes."""
        return self.emit_all(kind, 1, *inputs, **attributes)[0]

    def emit_all(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node of ONNX, and return the tensors that it makes."""
        name = self._free(f"{self.node.name}/{kind}")
        names = [name, *(self._free(f"{name}:{port}") for port in range(1, outputs))]
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, names, name, **attributes))
        return names

    def _free(self, name: str) -> str:
        """Return a name that nobody has, from now on taken."""
        if name in self.taken:
            name = next(n for at in count(2) if (n := f"{name}_{at}") not in self.taken)
        self.taken.add(name)
        return name

    def stored(self, kind: str, shape: Shape | None = None, turned: bool = False) -> str:
        """Return a stored tensor of the node, read in another shape, or ``turned`` as a matrix."""
        tensor = self.parameters[self.number][kind]
        read = tensor.shape[::-1] if turned else shape or tensor.shape
        if self.kept.setdefault(tensor.name, (tensor, read, turned))[1] == read:
            return tensor.name
        return self.emit("Reshape", tensor.name, self.ints(read))

    def has(self, kind: str) -> bool:
        """Whether the node stores such a tensor."""
        return kind in self.parameters[self.number]

    def of_channels(self, kind: str, shape: Shape) -> str:
        """Return a stored tensor of a channel each, in a shape that fits a tensor's."""
        after = len(shape) - 1 - channel_axis(shape)
        (size,) = self.parameters[self.number][kind].shape
        return self.stored(kind, (size, *(1,) * after))

    def ints(self, values: Sequence[int] | np.ndarray[Any, Any]) -> str:
        """Return a tensor of whole numbers."""
        import numpy as np

        array = np.asarray(values, np.int64)
        key = array.shape, array.tobytes()
        if key not in self.whole:
            name = self._free("ints_" + "_".join(map(str, array.ravel()[:6])))
            self.whole[key] = self.onnx.numpy_helper.from_array(array, name)
        return str(self.whole[key].name)

    def constant(self, value: float | Sequence[float] | np.ndarray[Any, Any]) -> str:
        """Return a constant, which is no stored value."""
        import numpy as np

        array = np.asarray(value, np.float32)
        key = array.shape, array.tobytes()
        if key not in self.constants:
            tensor = self.onnx.numpy_helper.from_array(array)
            self.constants[key] = self.emit("Constant", value=tensor)
        return self.constants[key]

    def filled(self, size: int, value: float) -> str:
        """Return a vector of one constant, which stands for what the network does not store."""
        key = size, value
        if key not in self.constants:
            tensor = self.onnx.helper.make_tensor("", self.onnx.TensorProto.FLOAT, [1], [value])
            made = self.emit("ConstantOfShape", self.ints([size]), value=tensor)
            self.constants[key] = made
        return self.constants[key]

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Read a tensor in another shape, behind the batch."""
        return self.emit("Reshape", x, self.ints([0, *shape]))

    def transpose(self, x: str, order: Sequence[int]) -> str:
        """Put the axes behind the batch into another order."""
        return self.emit("Transpose", x, perm=[0, *(axis + 1 for axis in order)])

    def cut(self, x: str, axes: Sequence[int], first: Sequence[int], end: Sequence[int]) -> str:
        """Keep a part along some axes behind the batch."""
        behind = self.ints([axis + 1 for axis in axes])
        return self.emit("Slice", x, self.ints(first), self.ints(end), behind)

    def pad(self, x: str, pads: Sequence[tuple[int, int]], value: float = 0.0) -> str:
        """Surround the maps of a tensor by a constant; below 0, cut off."""
        first, last = zip(*pads, strict=True)
        axes = range(4 - len(pads), 4)
        inside = x, self.ints([*first, *last]), self.constant(value), self.ints(axes)
        return self.emit("Pad", *inside)

    def depends(self, number: int) -> bool:
        """Whether an input of the node depends on an image."""
        return self._depends([self.node.inputs[number]])

    def _depends(self, edges: Sequence[Edge]) -> bool:
        return any(edge.node == IMAGE or self.varies[edge.node] for edge in edges)

    def expanded(self, x: str, shape: Shape) -> str:
        """Repeat a tensor that no image changes for each image of the batch."""
        if self.batch:
            return self.emit("Expand", x, self.ints([self.batch, *shape]))
        image = self.tensors[Edge(IMAGE)]
        size = self.emit("Shape", image, start=0, end=1)
        whole = self.emit("Concat", size, self.ints(shape), axis=0)
        return self.emit("Expand", x, whole)

    def _info(self, edge: Edge) -> Any:
        lead = (self.batch or BATCH) if self._depends([edge]) else 1
        return self._typed(self.tensors[edge], (lead, *self.graph.shape(edge)))

    def _typed(self, name: str, shape: Sequence[int | str]) -> Any:
        kind = self.onnx.TensorProto.FLOAT
        return self.onnx.helper.make_tensor_value_info(name, kind, shape)

    def finished(self, name: str, weights: bool) -> Any:
        """Return the graph; without weights their tensors are inputs behind its own."""
        images = [self._info(Edge(IMAGE, port)) for port in range(len(self.graph.images))]
        results = self._results()
        ends = {result.name for result in results}
        known = [info for info in self.known if info.name not in ends]
        kept = {} if weights else self.kept
        images += [self._typed(key, shape) for key, (_, shape, _) in kept.items()]
        whole = list(self.whole.values())
        make = self.onnx.helper.make_graph
        return make(self.nodes, name, images, results, whole, value_info=known)

    @property
    def size(self) -> int:
        """Bytes that the weights take."""
        return sum(4 * product(shape) for _, shape, _ in self.kept.values())

    def chunks(self, values: Values) -> Iterator[bytes]:
        """Yield the values of each weight, in its layout."""
        for tensor, _, turned in self.kept.values():
            array = values(tensor)
            yield (array.T if turned else array).astype("<f4").tobytes()

    def fill(self, graph: Any, values: Values) -> None:
        """Add the weights with their values."""
        for tensor, data in zip(self._weights(graph), self.chunks(values), strict=True):
            tensor.raw_data = data

    def refer(self, graph: Any, file: str) -> None:
        """Add the weights, whose values stand one behind the other in another file."""
        offset = 0
        for tensor in self._weights(graph):
            length = 4 * product(tensor.dims)
            tensor.data_location = self.onnx.TensorProto.EXTERNAL
            said = {"location": file, "offset": offset, "length": length}
            for key, value in said.items():
                tensor.external_data.add(key=key, value=str(value))
            offset += length

    def _weights(self, graph: Any) -> Iterator[Any]:
        for key, (_, shape, _) in self.kept.items():
            kind = self.onnx.TensorProto.FLOAT
            yield graph.initializer.add(name=key, dims=shape, data_type=kind)

    def _results(self) -> list[Any]:
        """Return the outputs of the model, each a tensor of its own."""
        results: list[Any] = []
        for at, edge in enumerate(self.graph.outputs):
            x, self.number = self.tensors[edge], edge.node
            named = self.graph.names[at] if at < len(self.graph.names) else self.node.name
            if not self._depends([edge]):
                x = self._called(self.expanded(x, self.graph.shape(edge)), named)
            elif any(x == result.name for result in results):
                x = self._called(self.emit("Identity", x), named)
            results.append(self._typed(x, (self.batch or BATCH, *self.graph.shape(edge))))
        return results

    def _called(self, x: str, name: str) -> str:
        """Give the tensor that the last node made another name, if nobody has it."""
        if any(name in node.output for node in self.nodes):
            return x
        self.nodes[-1].output[0] = name
        return name

"""A compiled network as an ONNX model, with weights that a seed decides or without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mbprof.errors import ExchangeError
from mbprof.exchange import onnx_out_forms, onnx_out_layers
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_writer import Writer
from mbprof.output.formats import stamp, to_json

if TYPE_CHECKING:
    from mbprof.network.load import Network

OPSET, IR = 20, 9
"""The oldest in which every activation has a counterpart; those of onnx 1.15."""
REGISTERED = onnx_out_layers, onnx_out_forms
"""The modules of the ops, which fill the registry `mbprof.exchange.onnx_writer.WRITERS`."""


def export(network: Network, options: Options) -> bytes:
    """Return a network as an ONNX file, see `model`."""
    data: bytes = model(network, options).SerializeToString(deterministic=True)
    return data


def model(network: Network, options: Options = Options()) -> Any:  # noqa: B008 - a constant
    """Return a network as an ONNX model.

    The batch has the name ``batch`` unless a size is given; it is 1 where each image brings the
    weights of a convolution. Without weights their tensors are inputs behind the network's own.

    Raises: ExchangeError: the library onnx is missing, there are more weights than a file holds,
    or an op that nobody has written.
    """
    try:
        import onnx
    except ImportError:
        hint = "pip install 'mbprof[onnx]'"
        raise ExchangeError("writing ONNX files needs the library onnx", hint=hint) from None
    writer = Writer(network.compiled, options.batch)
    for number in range(len(writer.graph.nodes)):
        writer.write(number)
    made = onnx.ModelProto(ir_version=IR, producer_name="mbprof")
    made.opset_import.add(domain="", version=OPSET)
    made.graph.CopyFrom(writer.finished(network.spec.name, options.weights))
    if options.weights:
        writer.fill(made.graph, options.seed)
    said = stamp(network.spec.name, network.knobs)
    made.producer_version = said["version"]
    made.doc_string = made.graph.doc_string = network.definition.doc
    weights = f"random, seed {options.seed}" if options.weights else "inputs"
    said = {**said, "weights": weights, "knobs": to_json(said["knobs"], None)}
    onnx.helper.set_model_props(made, {f"mbprof.{key}": text for key, text in said.items()})
    return made

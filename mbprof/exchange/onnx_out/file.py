"""A compiled network as an ONNX model, with weights that a seed decides or without any."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mbprof.errors import ExchangeError
from mbprof.exchange.formats import Options, Parts
from mbprof.exchange.onnx_out import forms as onnx_out_forms
from mbprof.exchange.onnx_out import layers as onnx_out_layers
from mbprof.exchange.onnx_out.writer import Writer
from mbprof.exchange.weights import random_values
from mbprof.output.formats import stamp, to_json

if TYPE_CHECKING:
    import numpy as np

    from mbprof.network.load import Network

OPSET, IR = 20, 9
"""The oldest in which every activation has a counterpart; those of onnx 1.15."""
REGISTERED = onnx_out_layers, onnx_out_forms
"""The modules of the ops, which fill the registry `mbprof.exchange.onnx_out.writer.WRITERS`."""


LARGEST = 2**31 - 2**20
"""Bytes of weights that an ONNX file can hold, which is one message of protocol buffers."""
DATA = ".data"
"""What is behind the name of a file in that of the one that has its weights."""


def export(network: Network, options: Options) -> bytes | Parts:
    """Return a network as an ONNX file, see `model`; its weights lie beside it if they are many.

    Raises: ExchangeError: see `model`; there is no file that they can lie beside.
    """
    writer, made = _written(network, options)
    values = partial(random_values, seed=options.seed)
    beside = options.weights and writer.size > LARGEST
    if beside and not options.file:
        message = f"an ONNX file holds 2 GiB, and the weights take {writer.size:,} bytes"
        raise ExchangeError(
            message, hint="-o FILE puts them beside it; --no-weights leaves them out"
        )
    if beside:
        writer.refer(made.graph, options.file + DATA)
    elif options.weights:
        writer.fill(made.graph, values)
    data: bytes = made.SerializeToString(deterministic=True)
    return Parts(data, {DATA: writer.chunks(values)}) if beside else data


def model(
    network: Network,
    options: Options = Options(),  # noqa: B008 - a constant
    weights: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> Any:
    """Return a network as an ONNX model, with random weights unless some are given by name.

    The batch has the name ``batch`` unless a size is given; it is 1 where each image brings the
    weights of a convolution. Without weights their tensors are inputs behind the network's own.

    Raises: ExchangeError: the library onnx is missing, or an op that nobody has written.
    """
    writer, made = _written(network, options, "given" if weights else "")
    if options.weights:
        given = partial(random_values, seed=options.seed)
        writer.fill(made.graph, given if weights is None else lambda tensor: weights[tensor.name])
    return made


def _written(network: Network, options: Options, source: str = "") -> tuple[Writer, Any]:
    """Return a model whose weights lack their values, with what has written it."""
    try:
        import onnx
    except ImportError:
        hint = "pip install 'mbprof[onnx]'"
        raise ExchangeError("writing ONNX files needs the library onnx", hint=hint) from None
    try:
        return _described(onnx, network, options, source)
    except UnicodeEncodeError as error:
        message = f"{error.object!r} is no Unicode text, which an ONNX file needs"
        raise ExchangeError(message) from None


def _described(onnx: Any, network: Network, options: Options, source: str) -> tuple[Writer, Any]:
    """Return the graph in a model that says where it comes from."""
    writer = Writer(network.compiled, options.batch)
    for number in range(len(writer.graph.nodes)):
        writer.write(number)
    made = onnx.ModelProto(ir_version=IR, producer_name="mbprof")
    made.opset_import.add(domain="", version=OPSET)
    made.graph.CopyFrom(writer.finished(network.spec.name, options.weights))
    said = stamp(network.spec.name, network.knobs)
    made.producer_version = said["version"]
    made.doc_string = made.graph.doc_string = network.definition.doc
    weights = source or (f"random, seed {options.seed}" if options.weights else "inputs")
    said = {**said, "weights": weights, "knobs": to_json(said["knobs"], None)}
    if not options.weights:  # an importer has to know which inputs are the network's own
        own = made.graph.input[: len(writer.graph.images)]
        said["images"] = to_json([image.name for image in own], None)
    if constants := [key for key, (t, *_) in writer.kept.items() if t.fact == "constants"]:
        said["constants"] = to_json(constants, None)
    onnx.helper.set_model_props(made, {f"mbprof.{key}": text for key, text in said.items()})
    return writer, made

"""A network as a file of Keras: a class for each block, and one for the network.

Maps are (H, W, C) there, and every tensor of three axes is kept with its first axis last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbprof.exchange.source import keras_forms
from mbprof.exchange.source.classes import classes
from mbprof.exchange.source.keras_helpers import HELPERS, SIMPLE
from mbprof.exchange.source.keras_layers import WRITERS, KerasWriter, stored
from mbprof.exchange.source.python import Dialect, file, paths
from mbprof.exchange.source.torch_file import Exported, header

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network

_KEPT = (
    "self x y z keras layers ops math len range max min sum print super call build input output "
    "name dtype path weights variables losses metrics trainable add_loss add_metric add_variable "
    "add_weight apply buffers children compile cpu cuda double eval evaluate export fit float "
    "forward from_config get_config get_layer get_weights half inputs modules outputs parameters "
    "predict quantize save state_dict stateless_call summary supports_masking symbolic_call "
    "test_step to train train_step type zero_grad count_params compute_mask compute_loss "
    "compute_output_shape compute_output_spec dtype_policy input_spec jit_compile run_eagerly "
    "save_weights load_weights set_weights to_json trainable_variables trainable_weights "
    "non_trainable_variables non_trainable_weights variable_dtype compute_dtype autocast "
    "metrics_names metrics_variables quantization_mode register_module torch_params ipu xpu "
    "mtia bfloat16 extra_repr"
)
_RESERVED = frozenset(_KEPT.split())

DIALECT = Dialect(
    base="keras.Model",
    method="call",
    sequential="keras.Sequential([{}])",
    identity="layers.Identity()",
    imports={r"\bmath\.": "import math\n", r"\bkeras\.": "import keras"},
    helpers=HELPERS,
    main="",
    reserved=_RESERVED,
    bare=".call",
)

_MAIN = """if __name__ == "__main__":
    inputs = {inputs}
    net = keras.Model(inputs, {net}()({call}))
    print(f"{net.count_params():,} params")"""


def exported(network: Network) -> Exported:
    """Write a network as a file of Keras.

    Raises: UsageError: Keras has no layer for an op as it stands.
    """
    graph, spec = network.compiled, network.definition
    writer = KerasWriter(graph)
    grouped = classes(graph, spec.name.partition("@")[0], writer.write, _RESERVED)
    docs = {name: block.doc for name, block in spec.blocks.items()}
    images = [f"keras.Input({stored(image.shape)})" for image in graph.images]
    inputs, call = (f"[{', '.join(images)}]", "*inputs") if images[1:] else (images[0], "inputs")
    dialect = DIALECT._replace(
        helpers={**HELPERS, **SIMPLE} if writer.simple else HELPERS,
        main=_MAIN.replace("{inputs}", inputs).replace("{call}", call),
    )
    text = file(grouped, dialect, header(network), docs, spec.doc)
    used = [name for name in ("layers", "ops") if f"{name}." in text.replace("keras.layers", "")]
    if used:
        text = text.replace(
            "import keras\n", f"import keras\nfrom keras import {', '.join(used)}\n", 1
        )
    return Exported(text, paths(grouped))


def export(network: Network, options: Options) -> str:
    """Return a network as a file of Keras."""
    return exported(network).text


__all__ = ["DIALECT", "WRITERS", "export", "exported", "keras_forms"]

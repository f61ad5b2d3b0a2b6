"""A network as a file of PyTorch: a class for each block, and one for the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbprof.exchange.source import torch_forms
from mbprof.exchange.source.classes import classes
from mbprof.exchange.source.python import Dialect, file, paths
from mbprof.exchange.source.torch_helpers import HELPERS, SIMPLE
from mbprof.exchange.source.torch_layers import WRITERS, Writer
from mbprof.language.record import NamedTuple

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network

_KEPT = (
    "self x y z forward training train eval half float double type to cpu cuda apply modules "
    "children parameters buffers state_dict register_buffer add_module get_parameter extra_repr "
    "dump_patches compile named_modules zero_grad share_memory requires_grad_ bfloat16 super nn "
    "torch math len range max min sum print call_super_init t_destination"
)
_RESERVED = frozenset(_KEPT.split())

DIALECT = Dialect(
    base="nn.Module",
    method="forward",
    sequential="nn.Sequential({})",
    identity="nn.Identity()",
    imports={
        r"\bmath\.": "import math\n",
        r"\btorch\.": "import torch",
        r"\bF\.": "import torch.nn.functional as F",
        r"\bnn\.": "from torch import nn",
    },
    helpers=HELPERS,
    main="""if __name__ == "__main__":
    net = {net}()
    print(f"{sum(p.numel() for p in net.parameters() if p.requires_grad):,} params")""",
    reserved=_RESERVED,
)


class Exported(NamedTuple):
    """A file, and by a node's number the way in its network to what has its stored values."""

    text: str
    paths: dict[int, str]


def exported(network: Network) -> Exported:
    """Write a network as a file of PyTorch."""
    graph, spec = network.compiled, network.definition
    writer = Writer(graph)
    grouped = classes(graph, spec.name.partition("@")[0], writer.write, _RESERVED)
    docs = {name: block.doc for name, block in spec.blocks.items()}
    dialect = DIALECT._replace(helpers={**HELPERS, **SIMPLE}) if writer.simple else DIALECT
    text = file(grouped, dialect, header(network), docs, spec.doc)
    return Exported(text, paths(grouped))


def header(network: Network) -> list[str]:
    """Return the docstring of a file: what it is, from where, and with which values of knobs."""
    spec = network.definition
    knobs = ", ".join(f"{name} {network.knobs[name]}" for name in network.changed)
    shapes = ", ".join(str(image.shape) for image in network.compiled.images)
    source = f" ({spec.source})" if spec.source else ""
    said = (
        f"{spec.name}{source}, for {'images' if len(network.compiled.images) > 1 else 'an image'}"
    )
    text = f"{said} of {shapes}{f', with {knobs}' if knobs else ''}."
    return [f'"""{text}"""' if len(text) < 90 else f'"""{said} of {shapes}."""']


def export(network: Network, options: Options) -> str:
    """Return a network as a file of PyTorch."""
    return exported(network).text


__all__ = ["DIALECT", "WRITERS", "Exported", "export", "exported", "header", "torch_forms"]

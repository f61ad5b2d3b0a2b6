"""The ops: importing this package fills the registry `OPS`, one class for each word of a spec."""

from mbprof.ops import conv, form, layers
from mbprof.ops.base import OPS, Op, elements

__all__ = ["OPS", "Op", "conv", "elements", "form", "layers"]

"""The ops: importing this package fills the registry `OPS`, one class for each word of a spec."""

from mbprof.ops import act, conv, form, join, linear, norm, pool
from mbprof.ops.base import OPS, Geometry, Letter, Op, elements

__all__ = [
    "OPS",
    "Geometry",
    "Letter",
    "Op",
    "act",
    "conv",
    "elements",
    "form",
    "join",
    "linear",
    "norm",
    "pool",
]

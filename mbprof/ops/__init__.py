"""The ops: importing this package fills the registry `OPS`, one class for each word of a spec."""

from mbprof.ops import act, conv, form, join, linear, norm, pool
from mbprof.ops.base import OPS, Geometry, Letter, Op, Shape, Shapes, elements, show

__all__ = [
    "OPS",
    "Geometry",
    "Letter",
    "Op",
    "Shape",
    "Shapes",
    "act",
    "conv",
    "elements",
    "form",
    "join",
    "linear",
    "norm",
    "pool",
    "show",
]

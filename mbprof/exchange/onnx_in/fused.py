"""The shapes of ops that ONNX itself does not have: those that onnxruntime fuses or quantises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from mbprof.language.fmt import Shape
from mbprof.language.record import NamedTuple

Infer: TypeAlias = Callable[[str, Sequence[Shape], Mapping[str, Any]], Shape | None]


class Twin(NamedTuple):
    """An op of ONNX that makes what a fused one makes, of some of its inputs."""

    kind: str
    taken: slice
    said: tuple[str, ...] = ()


_POOL = ("kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad")
_CONV = ("kernel_shape", "strides", "pads", "auto_pad", "dilations", "group")
TWINS: dict[str, Twin] = {
    "FusedConv": Twin("Conv", slice(0, 2), _CONV),
    "FusedMatMul": Twin("MatMul", slice(0, 2)),
    "TransposeMatMul": Twin("MatMul", slice(0, 2)),
    "DynamicQuantizeMatMul": Twin("MatMul", slice(0, 2)),
    "MatMulIntegerToFloat": Twin("MatMul", slice(0, 2)),
    "FusedGemm": Twin("Gemm", slice(0, 2), ("transA", "transB")),
    "QGemm": Twin("Gemm", slice(0, 4, 3), ("transA", "transB")),
    "QLinearAdd": Twin("Add", slice(0, 4, 3)),
    "QLinearMul": Twin("Mul", slice(0, 4, 3)),
    "QLinearConcat": Twin("Concat", slice(2, None, 3), ("axis",)),
    "QLinearAveragePool": Twin("AveragePool", slice(0, 1), _POOL),
    "QLinearGlobalAveragePool": Twin("GlobalAveragePool", slice(0, 1)),
    "QLinearReduceMean": Twin("ReduceMean", slice(0, 1), ("axes", "keepdims")),
    "BiasGelu": Twin("Add", slice(0, 2)),
}
"""What onnxruntime's own ops are to the inference of shapes."""
SAME = {
    "Attention", "FastGelu", "Gelu", "GroupNorm", "LayerNormalization", "MultiHeadAttention",
    "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QuickGelu", "RotaryEmbedding",
    "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
}  # fmt: skip
"""Ops whose output has the shape of their first input."""


def first(kind: str) -> int:
    """Return which input has the type of what a fused op makes."""
    return int(TWINS[kind].taken.start) if kind in TWINS else 0


def inferred(
    kind: str, shapes: Sequence[Shape | None], said: Mapping[str, Any], infer: Infer
) -> Shape | None:
    """Return the shape that a fused op makes, None where that is not known.

    ``infer`` returns what an op of ONNX makes of shapes.
    """
    if kind in SAME and shapes:
        shape = shapes[0]
        if kind == "Attention" and said.get("qkv_hidden_sizes") and shape:
            shape = (*shape[:-1], int(said["qkv_hidden_sizes"][2]))
        return shape
    if (twin := TWINS.get(kind)) is None:
        return None
    taken = [shape for shape in shapes[twin.taken] if shape is not None]
    for number, key in enumerate(("transA", "transB")):
        if said.get(key) and twin.kind == "MatMul" and number < len(taken):
            *stack, rows, columns = taken[number]
            taken[number] = (*stack, columns, rows)
    return infer(twin.kind, taken, {key: said[key] for key in twin.said if key in said})

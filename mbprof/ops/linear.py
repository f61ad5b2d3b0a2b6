"""Linear layers and products of two tensors."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.values import Shapes, show
from mbprof.ops.base import Op, letter, op
from mbprof.ops.facts import Facts
from mbprof.ops.fields import FLAG, SIZE
from mbprof.symbolic.arithmetic import product


@op("linear", "nn.Linear", after=("bn", "act"), multiplies=True, sees_whole=True, ends_maps=True)
class Linear(Op):
    """Multiply each vector of C_in features by a matrix.

    Shape: (C_in) -> (C_out), and (N, C_in) -> (N, C_out) for N tokens; (C_in, 1, 1) counts as a
    vector.
    Params: C_in·C_out weights, and C_out biases if ``bias``.
    MACs: N·C_in·C_out.
    Raises: ShapeError: the input is a stack of maps.
    Source: torch.nn.Linear.

    >>> Linear(channels=1000).facts(((1024,),), ((1000,),)).kernels
    1024000
    """

    channels: int = letter("c", SIZE, "output features")
    bias: bool = letter("bias", FLAG, "whether a bias is added", True)

    def shapes(self, inputs: Shapes) -> Shapes:
        """Replace the last size by C_out."""
        shape = inputs[0]
        if len(shape) == 3 and (shape[1] != 1 or shape[2] != 1):
            raise ShapeError(
                f"linear needs a vector or tokens, got {show(shape)}",
                hint="put gap (global average pooling) or flatten before it",
            )
        if len(shape) == 2:
            return ((shape[0], self.channels),)
        return ((self.channels,),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Weights, biases and their multiply-accumulates."""
        size = product(outputs[0])
        features = product(inputs[0]) if len(inputs[0]) != 2 else inputs[0][1]
        kernel = features * self.channels
        bias = self.channels if self.bias else 0
        return Facts(
            kernels=kernel,
            biases=bias,
            mac=features * size,
            add=size if self.bias else 0,
            read=product(inputs[0]) + kernel + bias,
            write=size,
        )


@op("matmul", "@", inputs=(2, 2), sees_whole=True)
class MatMul(Op):
    """Multiply two tensors as stacks of matrices.

    Shape: (..., M, K), (..., K, N) -> (..., M, N); with ``t`` the second is (..., N, K).
    Params: none.
    MACs: M·K·N for each matrix of the stack.
    Raises: ShapeError: the inner sizes or the stacks differ.
    Source: torch.matmul; arXiv:1706.03762, equation 1.

    >>> MatMul().facts(((3, 197, 64), (3, 64, 197)), ((3, 197, 197),)).mac
    7451328
    """

    transposed: bool = letter("t", FLAG, "whether the second input is transposed", False)

    def shapes(self, inputs: Shapes) -> Shapes:
        """(..., M, K), (..., K, N) -> (..., M, N)."""
        left, right = inputs
        if len(left) < 2 or len(left) != len(right) or left[:-2] != right[:-2]:
            raise ShapeError(f"matmul: cannot multiply {show(left)} by {show(right)}")
        inner, columns = (right[-1], right[-2]) if self.transposed else (right[-2], right[-1])
        if left[-1] != inner:
            raise ShapeError(
                f"matmul: cannot multiply {show(left)} by {show(right)}; "
                f"{left[-1]} columns meet {inner} rows",
                hint="write t: true to multiply by the transposed matrix",
            )
        return ((*left[:-1], columns),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        """Multiply-accumulates only; there are no weights."""
        size = product(outputs[0])
        read = product(inputs[0]) + product(inputs[1])
        return Facts(mac=size * inputs[0][-1], read=read, write=size)

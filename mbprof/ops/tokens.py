"""Ops of token sequences, N tokens of C channels as (N, C): from maps and back, and attention."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shape, Shapes, show
from mbprof.ops.base import Facts, Op, axis_of, elements, letter, maps, op
from mbprof.ops.fields import AXIS, COUNT, FLAG, PAIR, SIZE, SIZES
from mbprof.ops.padding import Pair
from mbprof.symbolic.arithmetic import product


@op(
    "tokens",
    "Tensor.flatten",
    sees_whole=True,
    keeps_sign=True,
    lays_out=True,
    aliases=("sequence", "totokens"),
)
class Tokens(Op):
    """Read maps as a sequence of tokens, one for each pixel, row by row.

    Shape: (C, H, W) -> (H·W, C).
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: the input is no stack of maps.
    Source: arXiv:2010.11929, section 3.1.

    >>> Tokens().shapes(((192, 14, 14),))
    ((196, 192),)
    """

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "tokens")
        return ((h * w, c),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)


@op(
    "maps",
    "Tensor.reshape",
    inputs=(1, 2),
    sees_whole=True,
    keeps_sign=True,
    lays_out=True,
    aliases=("tomaps",),
)
class Maps(Op):
    """Read a sequence of tokens as maps, row by row.

    Shape: (H·W, C) -> (C, H, W); H and W are ``size``, or those of the second input.
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: the input is no sequence of H·W tokens; neither or both of the two.
    Source: arXiv:2110.02178, figure 1.

    >>> Maps(size=(14, 14)).shapes(((196, 192),))
    ((192, 14, 14),)
    """

    size: Pair | None = letter("size", PAIR, "height and width", None)

    def shapes(self, inputs: Shapes) -> Shapes:
        n, c = _sequence(inputs[0], "maps")
        if (self.size is None) == (len(inputs) == 1):
            raise ShapeError(
                "maps needs either size or a second input whose size it takes",
                hint="size: [in.h, in.w] is that of the block's input",
            )
        high, wide = self.size or maps(inputs[1], "maps")[1:]
        if n != high * wide:
            raise ShapeError(
                f"maps: {n:,} tokens are not {high}×{wide}",
                letter="size" if self.size else None,
                hint="slice takes a class token away",
            )
        return ((c, high, wide),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)


def _sequence(shape: Shape, word: str) -> tuple[int, int]:
    """Return the shape as (N, C).

    Raises: ShapeError: it is no sequence of tokens.
    """
    if len(shape) != 2:
        hint = "put tokens before it" if len(shape) == 3 else None
        raise ShapeError(f"{word} needs tokens, N×C, got {show(shape)}", hint=hint)
    return shape[0], shape[1]


@op("param", "nn.Parameter", inputs=(0, 0), aliases=("parameter", "variable", "weight"))
class Param(Op):
    """Provide a trained tensor: a class token, a table of positions, the scales of a layer.

    Shape: () -> ``shape``; it takes no input, and the step behind it takes the output before it.
    Params: one for each element, or as many constants if it is not trained.
    Cost: nothing; the op that takes it reads it.
    Source: arXiv:2010.11929, section 3.1; arXiv:2103.17239, equation 4.

    >>> Param(shape=(197, 192)).facts((), ((197, 192),)).other
    37824
    """

    shape: tuple[int, ...] = letter("shape", SIZES, "the sizes of the tensor")
    trained: bool = letter("trained", FLAG, "whether training changes it", True)

    def shapes(self, inputs: Shapes) -> Shapes:
        if not self.shape:
            raise ShapeError("param needs at least one size", letter="shape")
        return (self.shape,)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(self.shape)
        return Facts(other=size) if self.trained else Facts(constants=size)


@op("lookup", "Tensor.index", sees_whole=True, aliases=("gather", "index", "take", "embedding"))
class LookUp(Op):
    """Look up rows of a table at constant positions, along one axis.

    Shape: (N, C) -> (M, C) for ``to: [M]`` and axis 0; (H, N) -> (H, Q, K) for ``to: [Q, K]`` and
    axis 1.
    Params: none; the table is a param, and the positions are no part of the network.
    Cost: no arithmetic; every element of the output is read and written once.
    Raises: ShapeError: there is no such axis, or no size.
    Source: arXiv:2103.14030, equation 4; torch.index_select.

    >>> LookUp(to=(49, 49), axis=1).shapes(((8, 49),))
    ((8, 49, 49),)
    """

    to: tuple[int, ...] = letter("to", SIZES, "the sizes that the positions have")
    axis: int = letter("axis", AXIS, "the axis that is looked up", 0)

    def shapes(self, inputs: Shapes) -> Shapes:
        if not self.to:
            raise ShapeError("lookup needs at least one size", letter="to")
        axis = axis_of(inputs[0], self.axis, "lookup")
        return ((*inputs[0][:axis], *self.to, *inputs[0][axis + 1 :]),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        return Facts(read=size, write=size)


@op(
    "matmul",
    "@",
    inputs=(2, 2),
    sees_whole=True,
    mixes=True,
    aliases=("bmm", "mm", "einsum", "dot"),
)
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

    def activations(self, inputs: Shapes, outputs: Shapes) -> int:
        return product(outputs[0])

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        read = product(inputs[0]) + product(inputs[1])
        return Facts(mac=size * inputs[0][-1], read=read, write=size)


@op(
    "sdpa",
    "F.scaled_dot_product_attention",
    inputs=(3, 4),
    mixes=True,
    sees_whole=True,
    aliases=("attention", "attn", "multiheadattention", "mha", "selfattention"),
)
class Attention(Op):
    """Attend with N queries to M keys and their values, in h heads: softmax(q·kᵀ/√d)·v.

    Shape: q (N, C), k (M, C), v (M, C_v) -> (N, C_v). With ``kv_heads`` several heads share keys
    and values: k (M, C/h·kv), v (M, d_v·kv) -> (N, d_v·h). A fourth input is a bias: each score
    adds one of its values.
    Params: none; linear layers before it make q, k and v.
    MACs: h·N·M·(d + d_v), that is 2·h·N·M·d for d = C/h = C_v/h; with w windows each query attends
    to the M/w keys of its own.
    Cost: for each of the h·N·M/w scores one multiplication, and a softmax over each M/w of them.
    Raises: ShapeError: the inputs are no tokens; channels, heads or lengths do not fit.
    Source: arXiv:1706.03762, equation 1; torch.nn.functional.scaled_dot_product_attention.

    >>> Attention(heads=3).facts(((197, 192),) * 3, ((197, 192),)).mac
    14902656
    """

    heads: int = letter("heads", SIZE, "the number of heads", 1)
    shared: int | None = letter("kv_heads", SIZE, "heads of k and v, if they have fewer", None)
    windows: int = letter("windows", SIZE, "equal parts that attend to themselves only", 1)

    def shapes(self, inputs: Shapes) -> Shapes:
        (n, c), (m, c_k), (m_v, c_v) = (_sequence(shape, "sdpa") for shape in inputs[:3])
        heads, shared = self.heads, self.shared or self.heads
        if heads % shared:
            message = f"sdpa: {heads} heads do not divide by {shared} heads of k and v"
            raise ShapeError(message, letter="kv_heads")
        for channels, parts, which in ((c, heads, "q"), (c_v, shared, "v")):
            if channels % parts:
                message = f"sdpa: {channels} channels of {which} do not divide into {parts} heads"
                raise ShapeError(message, letter="heads")
        if c_k != c // heads * shared:
            raise ShapeError(
                f"sdpa: k has {c_k} channels, not {c // heads * shared}",
                hint="the order of inputs is  in: [q, k, v]",
            )
        if m != m_v:
            raise ShapeError(f"sdpa: there are {m} keys and {m_v} values")
        for length in (n, m):
            if length % self.windows:
                message = f"sdpa: {length} tokens do not divide into {self.windows} windows"
                raise ShapeError(message, letter="windows")
        return ((n, c_v // shared * heads),)

    def scaled(self, inputs: Shapes) -> int:
        d: int = inputs[0][1] // self.heads
        return d

    def activations(self, inputs: Shapes, outputs: Shapes) -> int:
        (n, _), (m, _) = inputs[:2]
        return self.heads * n * (m // self.windows) + product(outputs[0])

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        (n, c), (m, _) = inputs[:2]
        rows = self.heads * n
        scores = rows * (m // self.windows)
        size = product(outputs[0])
        return Facts(
            mac=n * (m // self.windows) * (c + outputs[0][1]),
            mul=scores,
            compare=scores - rows,
            add=2 * scores - rows + (scores if len(inputs) == 4 else 0),
            exp=scores,
            divide=scores,
            read=elements(inputs),
            write=size,
        )


@op(
    "rope",
    "*",
    inputs=(1, 2),
    turns=True,
    aliases=("rotary", "rotaryembedding", "rotarypositionembedding"),
)
class Rotate(Op):
    """Turn pairs of channels of each token by angles that its position decides.

    Shape: unchanged. A second input are trained frequencies, of any shape; without it the angles
    are constants.
    Params: none; sines and cosines are tables that are not stored.
    Cost: two multiplications and one addition for each element of the tokens behind the first
    ``from``.
    Raises: ShapeError: the input is no sequence of more than ``from`` tokens; an odd number of
    channels.
    Source: arXiv:2104.09864, equation 34; arXiv:2403.13298, for trained frequencies.

    >>> Rotate(first=1).facts(((197, 192),), ((197, 192),)).mul
    75264
    """

    first: int = letter("from", COUNT, "how many tokens at the start are not turned", 0)

    def shapes(self, inputs: Shapes) -> Shapes:
        n, c = _sequence(inputs[0], "rope")
        if c % 2:
            raise ShapeError(f"rope turns pairs of channels, got {c}")
        if n < self.first:
            raise ShapeError(f"rope: there are {n} tokens, not {self.first}", letter="from")
        return inputs[:1]

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        n, c = inputs[0]
        turned = (n - self.first) * c
        return Facts(mul=2 * turned, add=turned, read=elements(inputs), write=n * c)

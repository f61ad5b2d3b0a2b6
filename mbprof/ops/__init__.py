"""The ops: importing this package fills the registry `OPS`, one class for each word of a spec."""

from mbprof.ops import conv, form, layers, norms, resize, tokens, unknown
from mbprof.ops.base import OPS, Op, elements, simplified

__all__ = [
    "OPS", "Op", "conv", "elements", "form", "layers", "meant", "norms", "resize", "tokens",
    "unknown",
]  # fmt: skip


def meant(name: str) -> str | None:
    """Say what a spec writes for an op or activation that goes by another name, None if unknown.

    >>> meant("nn.GroupNorm"), meant("bottleneck")
    ("did you mean 'gn'?", None)
    >>> meant("swish")
    'write {op: act, f: silu}, or act: silu behind an op'
    """
    plain = simplified(name)
    named = ((word, (simplified(word), *op.aliases)) for word, op in OPS.items())
    called = ((word, (simplified(op.call),)) for word, op in OPS.items())
    for word, names in (*named, *called):
        if plain in names:
            return f"did you mean {word!r}?"
    if function := conv.meant(name):
        return f"write {{op: act, f: {function}}}, or act: {function} behind an op"
    return None

"""A block by itself, costed: what is public of `mbprof.spec.block`."""

from __future__ import annotations

from mbprof.language.values import Value
from mbprof.network.load import Network, Spec
from mbprof.spec.block import lone
from mbprof.spec.knobs import typed
from mbprof.spec.zoo import open_block


def block(
    name: str, image: str | tuple[int, int, int] | None = None, **arguments: Value
) -> Network:
    """Compile a block of the library, of a file or of a spec (SPEC:BLOCK) alone.

    ``image`` is its input, HEIGHTxWIDTHxCHANNELS or the three numbers; what is not given is taken
    from its example.
    Raises: UsageError: no such block. MbprofError: it makes no network with these arguments.

    >>> block("inv_res", "56x56x24", c=24, t=6).profile().total[:2]
    (8208, 25740288)
    """
    return Spec(lone(open_block(name), image, typed(arguments)).definition).build()

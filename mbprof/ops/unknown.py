"""What stands for an op of another format that there is no rule for."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shapes
from mbprof.ops.base import Facts, Op, letter, op
from mbprof.ops.fields import SHAPES, WORD


@op("unknown", "unknown", inputs=(0, None), sees_whole=True)
class Unknown(Op):
    """Stand for an op that there is no rule for; what it costs is missing from the total.

    Shape: any -> ``shape``, a list of sizes, or a list of such lists for several outputs.
    Params: not known.
    Cost: not known; tables list how many there are of each kind and call the total incomplete.
    Raises: ShapeError: there is no shape, or an empty one.
    Source: the file that the network comes from.

    >>> Unknown(kind="TopK", made=((5,), (5,))).shapes(((1000,),))
    ((5,), (5,))
    """

    kind: str = letter("kind", WORD, "what the other format calls it")
    made: Shapes = letter("shape", SHAPES, "the shape of its output, or those of several")

    @property
    def missing(self) -> str:
        return self.kind

    def shapes(self, inputs: Shapes) -> Shapes:
        if not self.made or not all(self.made):
            raise ShapeError("unknown needs a shape of at least one size", letter="shape")
        return self.made

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return Facts()

"""Which network each configuration is: learned by the knobs that networks are told apart by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 1 << 20
"""So many combinations of values are known at most."""
_ODD = 0x9E3779B97F4A7C15


class Places:
    """The number of the network for combinations of values that were met before.

    A combination is known by a number of 64 bits. Two that share one do no harm: what a network
    is asked of a configuration is asked anyway.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.codes: Any = ()
        self.numbers: Any = ()

    def tell_apart(self, names: set[str]) -> None:
        """Tell networks apart by further knobs; what was learned is forgotten."""
        if not names <= set(self.names):
            self.names = tuple(sorted({*self.names, *names}))
            self.codes, self.numbers = (), ()

    def of(self, columns: Mapping[str, Any], count: int) -> Any:
        """Return the number of each configuration's network, -1 where it is not known."""
        import numpy as np

        if not len(self.codes):
            return np.full(count, -1)
        codes = self.coded(columns, count)
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, self.numbers[at], -1)

    def learn(self, columns: Mapping[str, Any], count: int, number: int) -> None:
        """Note that some configurations are a network; what hardly comes again is not noted."""
        import numpy as np

        codes = np.unique(self.coded(columns, count))
        if 2 * len(codes) > max(count, 64) or len(self.codes) + len(codes) > MOST:
            return
        numbers = np.full(len(codes), number)
        if len(self.codes):
            codes = np.concatenate([self.codes, codes])
            numbers = np.concatenate([self.numbers, numbers])
        self.codes, first = np.unique(codes, return_index=True)
        self.numbers = numbers[first]

    def coded(self, columns: Mapping[str, Any], count: int) -> Any:
        """Return a number for each combination of values; knobs that are no numbers are left."""
        import numpy as np

        codes = np.zeros(count, np.uint64)
        for name in self.names:
            column = columns[name]
            if column.dtype.kind in "if":
                wide = np.float64 if column.dtype.kind == "f" else np.int64
                codes ^= np.ascontiguousarray(column, dtype=wide).view(np.uint64)
                codes *= np.uint64(_ODD)
                codes ^= codes >> np.uint64(29)
        return codes

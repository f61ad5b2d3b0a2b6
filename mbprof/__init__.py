"""What a convolutional network costs, layer by layer, without building or running it.

>>> import mbprof
>>> network = mbprof.load("mobilenet_v1").build(alpha=0.75, res=128)
>>> network.profile().total[:2]
(1800144, 106002432)
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbprof.checks.model import Finding
    from mbprof.checks.run import Checked, check
    from mbprof.compare.diff import Difference, diff
    from mbprof.compare.side_by_side import Comparison, compare
    from mbprof.errors import MbprofError
    from mbprof.formulas import Formula, formula
    from mbprof.network.block import block
    from mbprof.network.load import Network, Profile, Spec, load, loads
    from mbprof.network.profile import Row
    from mbprof.sweeps.sweep import sweep

__version__ = "0.1.0"

_HOMES = {
    "Checked": "mbprof.checks.run",
    "Comparison": "mbprof.compare.side_by_side",
    "Difference": "mbprof.compare.diff",
    "Finding": "mbprof.checks.model",
    "Formula": "mbprof.formulas",
    "MbprofError": "mbprof.errors",
    "Network": "mbprof.network.load",
    "Profile": "mbprof.network.load",
    "Row": "mbprof.network.profile",
    "Spec": "mbprof.network.load",
    "block": "mbprof.network.block",
    "check": "mbprof.checks.run",
    "compare": "mbprof.compare.side_by_side",
    "diff": "mbprof.compare.diff",
    "formula": "mbprof.formulas",
    "load": "mbprof.network.load",
    "loads": "mbprof.network.load",
    "sweep": "mbprof.sweeps.sweep",
}

__all__ = [
    "Checked",
    "Comparison",
    "Difference",
    "Finding",
    "Formula",
    "MbprofError",
    "Network",
    "Profile",
    "Row",
    "Spec",
    "__version__",
    "block",
    "check",
    "compare",
    "diff",
    "formula",
    "load",
    "loads",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import mbprof`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mbprof' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


class _Front(ModuleType):
    """The front door: a room that is imported does not take the place of the function it serves."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front

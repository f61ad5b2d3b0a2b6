"""What a convolutional network costs, layer by layer, without building or running it.

Every command of ``mbprof`` is a function here, which takes a name, a path, a `Spec` or a `Network`
alike. What it answers shows itself as a table in a notebook, and has ``to_frame()`` and
``to_dict()``.

>>> import mbprof
>>> network = mbprof.load("mobilenet_v1").build(alpha=0.75, res=128)
>>> network.profile().total[:2]
(1800144, 106002432)
>>> mbprof.table("mobilenet_v1", by="op", alpha=0.75, res=128).rows[0].params
1766664
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbprof.checks.model import Finding as Finding
    from mbprof.checks.run import Checked as Checked
    from mbprof.checks.run import check as check
    from mbprof.checks.run import diagnose as diagnose
    from mbprof.cli.manual import docs as docs
    from mbprof.compare.diff import Difference as Difference
    from mbprof.compare.diff import diff as diff
    from mbprof.compare.side_by_side import Comparison as Comparison
    from mbprof.compare.side_by_side import compare as compare
    from mbprof.device.calibrate import Calibration as Calibration
    from mbprof.device.calibrate import calibrate as calibrate
    from mbprof.device.latency import Latency as Latency
    from mbprof.device.latency import latency as latency
    from mbprof.device.memory import Memory as Memory
    from mbprof.device.memory import memory as memory
    from mbprof.device.training import Training as Training
    from mbprof.device.training import training as training
    from mbprof.errors import MbprofError as MbprofError
    from mbprof.exchange.convert.spec import convert as convert
    from mbprof.exchange.formats import export as export
    from mbprof.exchange.onnx_in.file import from_onnx as from_onnx
    from mbprof.exchange.torch_in import from_torch as from_torch
    from mbprof.formulas import Formula as Formula
    from mbprof.formulas import formula as formula
    from mbprof.network.load import Network as Network
    from mbprof.network.load import Spec as Spec
    from mbprof.network.load import load as load
    from mbprof.network.load import loads as loads
    from mbprof.network.load import sizes as sizes
    from mbprof.network.load import table as table
    from mbprof.network.profile import Profile as Profile
    from mbprof.network.profile import Table as Table
    from mbprof.network.rows import Row as Row
    from mbprof.network.sizes import Sizes as Sizes
    from mbprof.pages.block import BlockNetwork as BlockNetwork
    from mbprof.pages.block import block as block
    from mbprof.pages.catalogue import Catalogue as Catalogue
    from mbprof.pages.catalogue import catalogue
    from mbprof.pages.dossier import report as report
    from mbprof.pages.graph.drawing import Drawing as Drawing
    from mbprof.pages.graph.drawing import graph as graph
    from mbprof.pages.measured import Measured as Measured
    from mbprof.pages.measured import measure as measure
    from mbprof.pages.plot import plot as plot
    from mbprof.pages.topics import Topic as Topic
    from mbprof.pages.zoo import SpecPage as SpecPage
    from mbprof.pages.zoo import show as show
    from mbprof.published.accuracy import Accuracies as Accuracies
    from mbprof.published.accuracy import accuracy as accuracy
    from mbprof.published.estimate import Estimate as Estimate
    from mbprof.published.estimate import estimate as estimate
    from mbprof.published.origins import Origins as Origins
    from mbprof.published.tools import Explanation as Explanation
    from mbprof.published.tools import explain as explain
    from mbprof.published.verify import Verdicts as Verdicts
    from mbprof.published.verify import verify as verify
    from mbprof.spec.schema import schema as schema
    from mbprof.sweeps.frame import sweep as sweep
    from mbprof.sweeps.spaces.search import Found as Found
    from mbprof.sweeps.spaces.search import search as search
    from mbprof.sweeps.spaces.space import Space as Space
    from mbprof.sweeps.spaces.space import space as space

    list = catalogue  # noqa: A001 - the name of the command

__version__ = "0.1.0"

_HOMES = {
    "checks.model": "Finding",
    "checks.run": "Checked check diagnose",
    "cli.manual": "docs",
    "compare.diff": "Difference diff",
    "compare.side_by_side": "Comparison compare",
    "device.calibrate": "Calibration calibrate",
    "device.latency": "Latency latency",
    "device.memory": "Memory memory",
    "device.training": "Training training",
    "errors": "MbprofError",
    "exchange.convert.spec": "convert",
    "exchange.torch_in": "from_torch",
    "exchange.onnx_in.file": "from_onnx",
    "exchange.formats": "export",
    "formulas": "Formula formula",
    "network.load": "Network Spec load loads sizes table",
    "network.profile": "Profile Table",
    "network.rows": "Row",
    "network.sizes": "Sizes",
    "pages.block": "BlockNetwork block",
    "pages.dossier": "report",
    "pages.graph.drawing": "Drawing graph",
    "pages.measured": "Measured measure",
    "pages.plot": "plot",
    "pages.catalogue": "Catalogue list=catalogue",
    "pages.topics": "Topic",
    "pages.zoo": "SpecPage show",
    "published.accuracy": "Accuracies accuracy",
    "published.estimate": "Estimate estimate",
    "published.origins": "Origins",
    "published.tools": "Explanation explain",
    "published.verify": "Verdicts verify",
    "sweeps.spaces.search": "Found search",
    "sweeps.spaces.space": "Space space",
    "spec.schema": "schema",
    "sweeps.frame": "sweep",
}
"""The public names of each module, those above; ``import mbprof`` imports none of them."""

_HOME_OF = {
    name.partition("=")[0]: (f"mbprof.{module}", name.rpartition("=")[2])
    for module, names in _HOMES.items()
    for name in names.split()
}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mbprof' has no attribute {name!r}")
    module, attribute = _HOME_OF[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> Sequence[str]:
    return __all__


class _Front(ModuleType):
    """The front door: a room that is imported does not take the place of the function it serves."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOME_OF or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front

"""What other counters take for MobileNetV2: a whole process, and one more configuration.

``make peers`` installs them, measures, and writes the table of the README anew. Every tool counts
the same network: those of PyTorch as a module, onnx-tool as a file, both as mbprof writes them. The
processes run in turns, and what is shown are medians; ratios are to mbprof.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jobs

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- peers: make peers -->\n", "<!-- /peers -->"
MBPROF = [sys.executable, "-m", "mbprof"]
SPEC = "mobilenet_v2@torchvision"
CONFIGURATIONS = {
    "first": (1.0, 224),
    **{
        f"other_{alpha * 100:.0f}_{res}": (alpha, res)
        for res in (128, 160, 192, 224)
        for alpha in (0.5, 0.75, 1.0, 1.4)
    },
}
"""The width multiplier and the resolution of each, by the name of its files."""
SWEPT = 10_000_000
ROUNDS = 7
UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))

TORCH = """
import sys, torch, importlib
networks = {name: importlib.import_module(name).MobilenetV2 for name in sys.argv[2:]}
def made(name, alpha, res):
    return networks[name]().eval(), torch.zeros(1, 3, res, res)
"""
"""How a network comes to those that count a live module."""


class Peer(NamedTuple):
    """A counter: its distribution, what it is given, and how it is called, as its manual says."""

    distribution: str
    call: str
    source: str = TORCH


PEERS: Mapping[str, Peer] = {
    "torchinfo": Peer("torchinfo", """
from torchinfo import summary
def count(model, image):
    return summary(model, input_data=image, verbose=0).total_mult_adds
"""),
    "fvcore": Peer("fvcore", """
from fvcore.nn import FlopCountAnalysis
def count(model, image):
    return FlopCountAnalysis(model, image).unsupported_ops_warnings(False).total()
"""),
    "ptflops": Peer("ptflops", """
from ptflops import get_model_complexity_info
def count(model, image):
    return get_model_complexity_info(
        model, tuple(image.shape[1:]), as_strings=False, print_per_layer_stat=False)[0]
"""),
    "thop": Peer("thop", """
from thop import profile
def count(model, image):
    return profile(model, inputs=(image,), verbose=False)[0]
"""),
    "calflops": Peer("calflops", """
from calflops import calculate_flops
def count(model, image):
    return calculate_flops(model=model, input_shape=tuple(image.shape), print_results=False,
                           print_detailed=False, output_as_string=False)[1]
"""),
    "PyTorch's own": Peer("torch", """
from torch.utils.flop_counter import FlopCounterMode
def count(model, image):
    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()
"""),
    "onnx-tool": Peer("onnx-tool", """
import onnx_tool
def made(name, alpha, res):
    return (f"{name}.onnx",)
def count(path):
    model = onnx_tool.Model(path)
    model.graph.shape_infer(None)
    model.graph.profile()
    return int(model.graph.macs[0])
""", ""),
}  # fmt: skip

OURS = f"""
import mbprof
spec = mbprof.load("{SPEC}")
def made(name, alpha, res):
    return (spec.build(alpha=alpha, res=res),)
def count(network):
    return network.profile().total.cost
"""

ENDING = """
import json, sys, time
took, said = [], []
configurations = json.loads(sys.argv[1])
for name in sys.argv[2:]:
    start = time.perf_counter()
    said.append(int(count(*made(name, *configurations[name]))))
    took.append(time.perf_counter() - start)
print(json.dumps([said, took]))
"""


class Ran(NamedTuple):
    """A process that ended: its seconds, its peak in MB, and the last line that it printed."""

    seconds: float
    memory: float
    last: str


class Measured(NamedTuple):
    """What a tool says of the first network, what its process takes, and one network more."""

    counted: int
    seconds: float
    memory: float
    more: float


def ran(command: list[str], folder: str) -> Ran:
    """Run a command in a folder where its byte code is kept.

    Raises: RuntimeError: it failed.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment.update(PYTHONPYCACHEPREFIX=str(Path(folder, "pycache")), PYTHONPATH=folder)
    said = Path(folder, "said")
    start = time.perf_counter()
    with said.open("w") as target:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=target)
        _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[:1]} ended with {process.returncode}")
    return Ran(took, used.ru_maxrss / 1024, (said.read_text().splitlines() or [""])[-1])


def measured(python: str, folder: str) -> Iterator[tuple[str, Measured]]:
    """Yield what each tool takes; ``python`` has the others installed, this one has mbprof.

    Of mbprof the process is that of the command, and one network more is built and costed in
    Python, as the others are asked.
    """
    for name, (alpha, res) in CONFIGURATIONS.items():
        knobs = ["--alpha", str(alpha), "--res", str(res), "--batch", "1"]
        for form in ("onnx", "torch"):
            target = name + {"onnx": ".onnx", "torch": ".py"}[form]
            ran([*MBPROF, "export", SPEC, *knobs, "--to", form, "-o", target], folder)
    codes = {name: (python, peer.source + peer.call) for name, peer in PEERS.items()}
    codes["mbprof"] = (sys.executable, OURS)
    given = json.dumps(CONFIGURATIONS)
    asked = {name: [by, "-c", code + ENDING, given] for name, (by, code) in codes.items()}
    first = {name: [*command, "first"] for name, command in asked.items()}
    first["mbprof"] = [*MBPROF, "table", SPEC, "--format", "csv"]
    rounds = [{name: ran(first[name], folder) for name in first} for _ in range(1 + ROUNDS)][1:]
    for name, command in asked.items():
        counted, each = json.loads(ran([*command, *CONFIGURATIONS], folder).last)
        yield (
            name,
            Measured(
                counted[0],
                statistics.median(found[name].seconds for found in rounds),
                statistics.median(found[name].memory for found in rounds),
                statistics.median(each[1:]),
            ),
        )


def swept(folder: str) -> float:
    """Return the seconds of one configuration of a sweep of many to a front, the whole process."""
    command = [*jobs.sweep(SWEPT), "--jobs", "1"]
    return statistics.median(ran(command, folder).seconds for _ in range(3)) / SWEPT


def duration(seconds: float) -> str:
    """Return it with two digits, in the unit that suits.

    >>> duration(0.1234), duration(3.21), duration(1.2e-7), duration(0.99)
    ('120 ms', '3.2 s', '0.12 µs', '990 ms')
    """
    unit, factor = next(pair for pair in UNITS if seconds >= pair[1] or pair is UNITS[-1])
    scaled = float(f"{seconds / factor:.2g}")
    return f"{scaled:.0f} {unit}" if scaled >= 10 else f"{scaled:.2g} {unit}"


def times(ratio: float) -> str:
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def table(found: Mapping[str, Measured], one: float, versions: Mapping[str, str]) -> str:
    """Return the table as Markdown; ``one`` is the seconds of a configuration in a sweep."""
    lines = [
        "| tool | counts | a whole process | its memory | one network more |",
        "|---|--:|--:|--:|--:|",
    ]
    ours = found["mbprof"]
    rows = {"mbprof": ours, **found}
    for name, row in rows.items():
        of = f" {versions[name]}" if name in versions else ""
        beside = ["" if row is ours else f", {times(row[i] / ours[i])} ×" for i in (1, 3)]
        lines.append(
            f"| {name}{of} | {row.counted:,} | {duration(row.seconds)}{beside[0]} "
            f"| {row.memory:.0f} MB | {duration(row.more)}{beside[1]} |"
        )
    lines.insert(3, f"| mbprof, one of 10 million in a sweep | | | | {duration(one)} |")
    return "\n".join(lines) + "\n"


def versions(python: str, folder: str) -> dict[str, str]:
    """Return which version of each tool a Python has."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    names = [peer.distribution for peer in PEERS.values()]
    listed = ran([python, "-c", code, *names], folder).last.split()
    return {name: text.partition("+")[0] for name, text in zip(PEERS, listed, strict=True)}


def main() -> None:
    """Measure beside the tools that the Python of the first argument has, and write the table."""
    python = os.path.abspath(sys.argv[1])  # noqa: PTH100 - a link to the interpreter stays one
    with tempfile.TemporaryDirectory() as folder:
        found = dict(measured(python, folder))
        made = table(found, swept(folder), versions(python, folder))
    print(made, end="")
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()

"""Every spec of the zoo as an ONNX file that is read again: it costs the same.

    python -m tests.independent.reimported [SPEC ...]

Each spec is written twice: with its weights as inputs of the model, and as initialisers whose
values stand in another file, which is not there. Compared are MACs, kernels, trained and stored
values; printed is what differs.
"""

import gc
import sys
import time
from typing import Any

import mbprof
from mbprof.exchange.formats import Options
from mbprof.exchange.onnx_out import file as onnx_out
from mbprof.spec import zoo

CONVENTIONS = "kernels", "trainable", "stored"


def costs(network: mbprof.Network) -> dict[str, int]:
    """Return the totals of a network: MACs, and params of several conventions."""
    totals = {name: network.profile(name, "all").total for name in CONVENTIONS}
    return {"MACs": totals["kernels"].cost, **{n: row.params for n, row in totals.items()}}


def files(network: mbprof.Network) -> dict[str, Any]:
    """Return the network as models without weights: as inputs, and as those of a missing file."""
    beside, options = "weights.data", Options()
    writer, made = onnx_out._written(network, options)
    writer.refer(made.graph, beside)
    return {"inputs": onnx_out.model(network, Options(weights=False)), "beside": made}


def differences(network: mbprof.Network) -> list[str]:
    """Return what the files of a network cost otherwise, a line for each file."""
    wanted, lines = costs(network), []
    for kind, made in files(network).items():
        read = mbprof.from_onnx(made)
        seen, missing = costs(read), read.profile().missing
        if seen != wanted or missing:
            off = (f"{n} {seen[n]:,} not {wanted[n]:,}" for n in wanted if seen[n] != wanted[n])
            lines.append("; ".join([kind, *off, *(f"no rule for {m}" for m in missing)]))
    return lines


def main(names: list[str]) -> int:
    """Print a line for each spec; return how many differ."""
    failed = 0
    for name in names or zoo.spec_names():
        begun = time.monotonic()
        try:
            lines = differences(mbprof.load(name).build())
        except Exception as error:
            lines = [f"{type(error).__name__}: {error}".replace("\n", " ")[:400]]
        failed += bool(lines)
        seconds = f"{time.monotonic() - begun:.1f} s"
        print(name, "DIFFERS" if lines else "ok", seconds, *lines, sep="\t", flush=True)
        gc.collect()
    print(f"{failed} of {len(names or zoo.spec_names())} specs differ")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

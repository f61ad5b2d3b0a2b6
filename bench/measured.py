"""Predicted against measured time of networks on this machine, under onnxruntime, one thread."""

from __future__ import annotations

from typing import NamedTuple

import mbprof
from mbprof.device.calibrate import Measurement, correlation, counts_of, fitted, ranks
from mbprof.device.profiles import Fit
from mbprof.exchange.onnx_out.run import Settings, timed
from mbprof.network.measures import traffics

NETWORKS = {
    128: (
        "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet",
        "spnasnet", "fbnet_c", "hardcorenas_a", "mixnet_s", "efficientnet_b0", "lcnet", "ghostnet",
        "ghostnet_v2", "shufflenet_v2", "squeezenet1_1", "mobilenet_v4_conv_small", "rexnet",
    ),
    96: (
        "resnet18", "resnet34", "resnet50", "densenet121", "googlenet", "gernet_s", "xception",
        "res2net", "hrnet_w18",
    ),
}  # fmt: skip
"""Networks of the zoo by their resolution, so small that a run takes milliseconds."""
TERMS = (("mac", "activation", "constant"), ("mac", "activation", "param", "constant"))


class Outcome(NamedTuple):
    """The terms of a fit to half of the networks, and how it does on the others."""

    terms: tuple[str, ...]
    rank: float
    error: float


def measurements(rounds: int = 3) -> list[Measurement]:
    """Measure all networks in turns; from the one with the fewest MACs up.

    Of the medians of a network the least counts: other work on a machine only slows it.
    """
    settings = Settings(warmup=2, repeats=9)
    listed = [(name, side) for side, names in NETWORKS.items() for name in names]
    networks = [mbprof.load(name).build(res=side) for name, side in listed]
    turns = [
        [timed(network, settings, False).seconds for network in networks] for _ in range(rounds)
    ]
    least = [min(seconds) for seconds in zip(*turns, strict=True)]
    rows = [
        Measurement(n.brief, n.spec.name, counts_of(traffics(n.compiled).values()), seconds)
        for n, seconds in zip(networks, least, strict=True)
    ]
    return sorted(rows, key=lambda row: row.counts["mac"])


def outcomes(rows: list[Measurement]) -> list[Outcome]:
    """Fit every second network, and predict the others."""
    known, held = rows[::2], rows[1::2]
    measured = [row.seconds for row in held]
    found = []
    for terms in TERMS:
        fit = Fit(fitted(known, terms))
        guesses = [fit.of(row.counts) for row in held]
        errors = [abs(g / m - 1) for g, m in zip(guesses, measured, strict=True)]
        rank = correlation(ranks(guesses), ranks(measured))
        found.append(Outcome(terms, rank, sum(errors) / len(errors)))
    return found


if __name__ == "__main__":
    made = measurements()
    for row in made:
        print(f"{row.name:<50} {row.counts['mac'] / 1e6:8.1f} MMACs {row.seconds * 1e3:8.2f} ms")
    for outcome in outcomes(made):
        print(f"{', '.join(outcome.terms)}: rank {outcome.rank:.3f}, error {outcome.error:.1%}")

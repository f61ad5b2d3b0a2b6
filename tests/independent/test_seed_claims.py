"""Every number that the seed articles state, read as data and computed by mbprof."""

import csv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

import mbprof

with (Path(__file__).parent / "data" / "seed-claims.csv").open(newline="") as file:
    CLAIMS = {row["id"]: row for row in csv.DictReader(file)}

SEPARABLE = "{op: dwconv, k: 3}, {op: conv, k: 1, c: %s}"


def network(image: str, steps: str, padding: str = "tf-same") -> mbprof.Network:
    channels, _, res = image.partition("x")
    head = f"{{name: net, padding: {padding}, input: {{channels: {channels}, res: {res}}}"
    return mbprof.loads(f"{head}, body: [{steps}]}}").build()


def params(image: str, steps: str) -> int:
    return network(image, steps).profile().total.params


def macs(image: str, steps: str) -> int:
    return network(image, steps).profile().total.cost


def stored(image: str, steps: str) -> int:
    return network(image, steps).profile().total.facts.params


def classifier_share(alpha: float) -> Fraction:
    profile = mbprof.load("mobilenet_v1").build(alpha=alpha).profile(scope="all")
    return 100 * Fraction(profile.rows[-3].params, profile.total.params)


CONV, LOGITS = "{op: conv, k: 3, c: %s}", "{op: linear, c: 1000, bias: false}"
INCEPTION_3A = """{join: concat, branches: [
    [{op: conv, k: 1, c: 64}],
    [{op: conv, k: 1, c: 96}, {op: conv, k: 3, c: 128}],
    [{op: conv, k: 1, c: 16}, {op: conv, k: 5, c: 32}],
    [{op: maxpool, k: 3, s: 1, p: same}, {op: conv, k: 1, c: 32}]]}"""
BIASED = "{op: conv, k: 3, c: 64, bias: true}"
BIASED_SEPARABLE = "{op: dwconv, k: 3}, {op: conv, k: 1, c: 64, bias: true}"


def slim(alpha: float, res: int) -> mbprof.Profile:
    return mbprof.load("mobilenet_v1").build(alpha=alpha, res=res).profile()


EXACT: dict[str, Callable[[], int]] = {
    "conv3x3-16-32-params": lambda: params("16x7", CONV % 32),
    "dwsep3x3-16-32-params": lambda: params("16x7", SEPARABLE % 32),
    "conv3x3-3-4-params": lambda: params("3x5", CONV % 4),
    "dw3x3-3-params": lambda: params("3x5", "{op: dwconv, k: 3}"),
    "pw-3-4-params": lambda: params("3x5", "{op: conv, k: 1, c: 4}"),
    "dwsep3x3-3-4-params": lambda: params("3x5", SEPARABLE % 4),
    "conv-valid-5x5": lambda: network("3x5", "{op: conv, k: 3, c: 4, p: valid}").output_shape[1],
    "conv-same-5x5": lambda: network("3x5", CONV % 4).output_shape[2],
    "inception3a-out": lambda: network("192x28", INCEPTION_3A).output_shape[0],
    "conv3x3-64-128-7x7-macs": lambda: macs("64x7", CONV % 128),
    "dwsep3x3-64-128-7x7-macs": lambda: macs("64x7", SEPARABLE % 128),
    "mbv1-cifar-logits": lambda: mbprof.load("mobilenet_v1_cifar").build().output_shape[0],
    "slim-v1-100-224-params": lambda: slim(1.0, 224).total.params,
    "slim-v1-100-224-macs": lambda: slim(1.0, 224).total.cost,
    "slim-v1-075-128-params": lambda: slim(0.75, 128).total.params,
    "slim-v1-075-128-macs": lambda: slim(0.75, 128).total.cost,
    "fc-1024-1000-params": lambda: params("1024x1", LOGITS),
    "conv3x3-3-64-bias": lambda: stored("3x300", BIASED),
    "sepconv3x3-3-64-bias": lambda: stored("3x300", BIASED_SEPARABLE),
    "dw3x3-3-params-slim": lambda: params("3x300", "{op: dwconv, k: 3}"),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_claim(name: str) -> None:
    assert EXACT[name]() == int(CLAIMS[name]["value"])


def test_separable_convolution_saves_8_to_9_times_in_the_layers_of_the_network() -> None:
    low, high = map(int, CLAIMS["mbv1-saving-8-to-9"]["value"].split(".."))
    profile = mbprof.load("mobilenet_v1").build().profile()
    pairs = list(zip(profile.rows[1::2], profile.rows[2::2], strict=True))
    assert len(pairs) == 13
    for depthwise, pointwise in pairs:
        c, h, _ = depthwise.out_shape
        standard = macs(f"{c}x{h}", CONV % pointwise.out_shape[0])
        assert low <= round(Fraction(standard, depthwise.cost + pointwise.cost)) <= high


def test_separable_convolution_saves_more_than_80_percent() -> None:
    bound = int(CLAIMS["dwsep-saving-over-80pct"]["value"].lstrip(">"))
    assert 100 - 100 * Fraction(macs("64x7", SEPARABLE % 128), macs("64x7", CONV % 128)) > bound


def test_the_share_of_the_classifier() -> None:
    assert abs(classifier_share(1.0) - Fraction(CLAIMS["fc-share-100"]["value"])) < Fraction(1, 10)


def test_the_seed_is_wrong_about_the_share_of_a_thinner_classifier() -> None:
    claim = CLAIMS["fc-share-075"]
    assert "WRONG" in claim["note"]
    assert "29.90" in claim["note"]
    assert round(float(classifier_share(0.75)), 2) == 29.90
    assert abs(classifier_share(0.75) - Fraction(claim["value"])) > 6


def test_the_ratio_of_separable_to_standard_is_about_a_sixth() -> None:
    ratio = Fraction(stored("3x300", BIASED_SEPARABLE), stored("3x300", BIASED))
    assert round(float(ratio), 3) == float(CLAIMS["sep-over-conv-sixth"]["value"])


def test_every_claim_is_tested() -> None:
    approximate = {
        "mbv1-saving-8-to-9",
        "dwsep-saving-over-80pct",
        "fc-share-100",
        "fc-share-075",
        "sep-over-conv-sixth",
    }
    assert set(CLAIMS) == set(EXACT) | approximate

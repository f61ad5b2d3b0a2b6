"""Claims are recomputed, and what does not hold is said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mbprof import MbprofError
from mbprof.published import tabled
from mbprof.published.verify import ERRATUM, HOLDS, OTHER, ROUNDED, STALE, UNEXPLAINED, verify
from tests.conftest import run

SPEC = """
name: net
input: {channels: 3, res: 8}
knobs: {c: 4}
body: [{op: conv, k: 3, c: c}]
published:
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "net.yaml"


def verdicts(spec: Path, *claims: str) -> list[tuple[str, str]]:
    spec.write_text(SPEC + "".join(f"  - {{source: a paper, {claim}}}\n" for claim in claims))
    return [(each.quantity, each.verdict) for each in verify(spec)]


def test_exact_rounded_and_truncated_numbers(spec: Path) -> None:
    # The network has 108 weights and 6,912 MACs.
    assert verdicts(spec, 'params: 108, macs: "6,912"') == [("params", HOLDS), ("macs", HOLDS)]
    assert verdicts(spec, "macs: 6.9k", "macs: 7k", "macs: 6k") == [
        ("macs", HOLDS),
        ("macs", HOLDS),
        ("macs", ROUNDED),
    ]
    assert verdicts(spec, "macs: 6k, rounding: down") == [("macs", HOLDS)]
    assert verdicts(spec, "macs: 5k", "macs: 8k") == [("macs", UNEXPLAINED)] * 2
    # 7,452 to 7.5 to 8, one digit after the other.
    assert verdicts(spec, "at: {c: 69, res: 2}, macs: 8k") == [("macs", ROUNDED)]


def test_claims_at_other_knobs_conventions_and_scopes(spec: Path) -> None:
    assert verdicts(spec, "at: {c: 8}, params: 216") == [("params", HOLDS)]
    assert verdicts(spec, "convention: stored, scope: body, params: 108") == [("params", HOLDS)]


def test_an_erratum_has_to_be_one(spec: Path) -> None:
    assert verdicts(spec, "params: 109, erratum: a typing error") == [("params", ERRATUM)]
    assert verdicts(spec, "params: 108, erratum: a typing error") == [("params", STALE)]
    assert verdicts(spec, "params: 108, macs: 1, erratum: only the MACs") == [
        ("params", HOLDS),
        ("macs", ERRATUM),
    ]


BIASED = """
name: net
input: {channels: 3, res: 299}
body:
  - {op: conv, k: 3, c: 64, s: 2, bn: true, act: relu}
  - {op: conv, k: 3, c: 64, bias: true}
published:
"""


@pytest.mark.parametrize(
    ("claim", "verdict", "how"),
    [
        # Weights are 38,592; a bias and two trained values of a norm for each of 64 channels.
        ('params: "38,784"', "holds as trainable counts", "trainable counts"),
        ('params: "38,912", erratum: what', "holds as stored counts", "stored counts"),
        ('params: "38,785"', UNEXPLAINED, "is -0.0% off"),
        ("params: 39.1k, erratum: what", ERRATUM, "counts tried"),
    ],
)
def test_a_claim_that_fails_is_tried_under_every_convention(
    spec: Path, claim: str, verdict: str, how: str
) -> None:
    spec.write_text(f"{BIASED}  - {{source: a paper, {claim}}}\n")
    (found,) = verify(spec)
    assert found.verdict == verdict
    assert how in found.how


@pytest.mark.parametrize(
    ("network", "published", "verdict"),
    [
        ("inception_v3", "5.73G", "holds as fvcore counts"),
        ("inception_v4", "12.28G", "holds as fvcore counts"),
        ("inception_v4", "12.29G", "holds as paddle counts"),
        ("efficientnet", "9.2M", "holds as stored counts"),
        ("shufflenet_v1", "140M", OTHER),
    ],
)
def test_what_other_tools_count_is_not_wrong(network: str, published: str, verdict: str) -> None:
    assert verdict in {found.verdict for found in verify(network) if found.published == published}


def test_what_is_of_another_network_has_to_fail(spec: Path) -> None:
    assert verdicts(spec, "params: 99, other: a budget") == [("params", OTHER)]
    assert verdicts(spec, "params: 108, other: a budget") == [("params", STALE)]


def test_the_exit_status_is_1_where_a_claim_fails(spec: Path) -> None:
    verdicts(spec, "params: 109")
    text = run("verify", str(spec), status=1, width=100)
    assert "109 params (a paper) unexplained" in " ".join(text.split())
    verdicts(spec, "params: 108")
    run("verify", str(spec))


def test_json_is_a_list_of_claims(spec: Path) -> None:
    verdicts(spec, "at: {c: 8}, params: 216")
    (claim,) = json.loads(run("verify", str(spec), "--format", "json"))
    expected: dict[str, Any] = {
        "spec": str(spec),
        "at": {"c": 8},
        "quantity": "params",
        "published": "216",
        "computed": 216,
        "verdict": "holds",
        "source": "a paper",
    }
    assert {key: claim[key] for key in expected} == expected


def test_a_claim_that_cannot_be_computed_is_an_error_with_its_place(spec: Path) -> None:
    with pytest.raises(MbprofError, match=r"net\.yaml:7:5: .*unknown convention 'flops'"):
        verdicts(spec, "convention: flops, params: 108")


def test_a_table_of_claims_stands_for_one_each_row(spec: Path) -> None:
    rows = "columns: [c, params, erratum], rows: [[4, 108, -], [8, 217, a typing error]]"
    assert verdicts(spec, rows) == [("params", HOLDS), ("params", ERRATUM)]


@pytest.mark.long
def test_what_is_known_of_claims_is_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = verify()
    of_one = tuple(v for v in looked_up if re.fullmatch(r"mobilenet_v1(@\w+)?", v.spec))
    assert verify("mobilenet_v1") == of_one
    monkeypatch.setattr(tabled, "read", lambda *file: None)
    assert verify() == looked_up

"""Claims are recomputed, and what does not hold is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from mbprof import MbprofError
from mbprof.published.verify import ERRATUM, FAILS, HOLDS, STALE, verify
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
        ("macs", FAILS),
    ]
    assert verdicts(spec, "macs: 6k, rounding: down") == [("macs", HOLDS)]
    assert verdicts(spec, "macs: 7k, rounding: down") == [("macs", FAILS)]


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


def test_the_exit_status_is_1_where_a_claim_fails(spec: Path) -> None:
    verdicts(spec, "params: 109")
    text = run("verify", str(spec), status=1, width=100)
    assert "109 params (a paper) fails" in " ".join(text.split())
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

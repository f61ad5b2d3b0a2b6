"""Every machine-readable output says what was counted, of what, by which version."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest

import mbprof
from tests.conftest import run


def test_a_table_is_stamped() -> None:
    text = "table mobilenet_v2@torchvision --alpha 0.5 --convention calflops --format json"
    data = json.loads(run(*text.split()))
    assert data["version"] == mbprof.__version__
    assert (data["spec"], data["scope"], data["convention"], data["unit"]) == (
        "mobilenet_v2@torchvision",
        "all",
        "calflops",
        "FLOPs",
    )
    assert data["knobs"]["alpha"] == 0.5
    assert {"params", "flops", "macs", "unit", "params_by_kind", "params_folded"} <= {
        *data["total"]
    }


def test_the_rows_of_a_sweep_are_stamped() -> None:
    text = "sweep mobilenet_v1 --alpha 0.5,1 --convention torch --scope all --format json"
    rows = json.loads(run(*text.split()))
    assert [(row["alpha"], row["flops"]) for row in rows] == [(0.5, 298994176), (1.0, 1137480704)]
    stamp = rows[0]["stamp"]
    assert stamp.pop("knobs")["res"] == 224
    assert stamp == {
        "version": mbprof.__version__,
        "spec": "mobilenet_v1",
        "scope": "all",
        "convention": "torch",
        "unit": "FLOPs",
    }


def test_a_csv_has_its_columns_and_no_more() -> None:
    header = "sweep mobilenet_v1 --alpha 1 --format csv --convention "
    for convention, columns in {
        "kernels": "alpha,params,macs",
        "torch": "alpha,params,flops",
        "calflops": "alpha,params,flops,macs",
        "keras": "alpha,params",
    }.items():
        assert run(*header.split(), convention).splitlines()[0] == columns


def test_parquet_has_the_stamp_as_metadata(tmp_path: Path) -> None:
    path = tmp_path / "sweep.parquet"
    text = f"sweep mobilenet_v1 --alpha 0.5,1 --convention fvcore --format parquet -o {path}"
    run(*text.split())
    stamp = json.loads(pyarrow.parquet.read_schema(path).metadata[b"mbprof"])
    assert (stamp["convention"], stamp["unit"], stamp["version"]) == (
        "fvcore",
        "MACs",
        mbprof.__version__,
    )


@pytest.mark.parametrize(
    "command", ["list mobilenet_v1", "verify mobilenet_v1", "accuracy mobilenet_v1"]
)
def test_lists_are_stamped(command: str) -> None:
    rows = json.loads(run(*command.split(), "--format", "json"))
    assert rows
    for row in rows:
        assert row["version"] == mbprof.__version__
        assert {"convention", "scope"} <= {*row}

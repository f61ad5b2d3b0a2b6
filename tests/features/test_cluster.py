"""Sweeps on a Dask cluster: the same rows as in one process, whatever becomes of its workers."""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import pandas
import pytest

from mbprof.sweeps import cluster
from mbprof.sweeps.axes import CHUNK
from tests.conftest import MBPROF, child, invoke, loaded_by, started
from tests.features.test_jobs import of_session, proc, until, workers

ABSENT = importlib.util.find_spec("distributed") is None
dask = pytest.mark.skipif(ABSENT, reason="the extra dask is not installed")
SWEEP = ("sweep", "mobilenet_v2", "--alpha", "0.35:1.4", "--res", "96:224", "--random")
FEW = (*SWEEP, str(3 * CHUNK))
LONG = (*SWEEP, str(60 * CHUNK))
CLUSTER = """
import os, sys, time
from distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0",
                      local_directory=sys.argv[1]) as cluster, Client(cluster) as client:
        print(cluster.scheduler_address, *client.run(os.getpid).values(), flush=True)
        sys.stdin.read()
        time.sleep(600)
"""


@dask
@pytest.mark.long
@pytest.mark.parametrize("more", [(), ("--where", "macs < 100M", "--pareto", "macs,params:max")])
def test_a_cluster_gives_the_same_rows(more: tuple[str, ...]) -> None:
    here = invoke(*FEW, *more, "--format", "csv")
    there = child(*MBPROF, *FEW, *more, "--format", "csv", "--scheduler", "local", "--jobs", "2")
    assert (there.out, there.status) == (here.out, 0)
    # It says how far it is, and nothing else.
    *_, last = there.err.splitlines()
    assert last == f"{3 * CHUNK:,} of {3 * CHUNK:,} configurations"
    assert all(line.endswith("configurations") for line in there.err.splitlines())


@dask
@proc
@pytest.mark.long
def test_what_a_lost_worker_was_given_is_done_again(tmp_path: Path) -> None:
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    assert invoke(*LONG, "-o", str(here)).status == 0
    work = ("--scheduler", "local", "--jobs", "2", "-o", str(there))
    with started(*MBPROF, *LONG, *work) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.endswith(f" of {60 * CHUNK:,} configurations\n")
        os.kill(workers(process.pid)[-1], signal.SIGKILL)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        until(lambda: not of_session(process.pid), 5)
    pandas.testing.assert_frame_equal(pandas.read_parquet(there), pandas.read_parquet(here))


@dask
@proc
@pytest.mark.long
def test_a_cluster_that_runs_elsewhere_loses_a_worker(tmp_path: Path) -> None:
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    there = tmp_path / "there.csv"
    with started(sys.executable, str(script), str(tmp_path / "dask")) as running:
        assert running.stdout is not None
        address, *pids = running.stdout.readline().split()
        work = ("--format", "csv", "--scheduler", address, "-o", str(there))
        with started(*MBPROF, *LONG, *work) as process:
            assert process.stdout is not None
            assert process.stdout.readline().endswith("configurations\n")
            os.kill(int(pids[0]), signal.SIGKILL)
            said, _ = process.communicate(timeout=300)
            assert process.returncode == 0, said
    here = tmp_path / "here.csv"
    assert invoke(*LONG, "--format", "csv", "-o", str(here)).status == 0
    assert there.read_bytes() == here.read_bytes()


@dask
@proc
@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "said", "status"),
    [(signal.SIGINT, "interrupted; no file was written\n", 130), (signal.SIGTERM, "", 143)],
)
def test_a_signal_ends_the_cluster_that_was_started(
    number: int, said: str, status: int, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.parquet"
    work = ("--scheduler", "local", "--jobs", "2", "-o", str(path))
    with started(*MBPROF, *SWEEP, "1000000000", *work) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("configurations\n")
        os.killpg(process.pid, number)
        text, _ = process.communicate(timeout=60)
        lines = [line for line in text.splitlines(True) if not line.endswith("configurations\n")]
        assert ("".join(lines), process.returncode) == (said, status)
        until(lambda: not of_session(process.pid), 5)
    assert list(tmp_path.iterdir()) == []


@dask
def test_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    for address in ("tcp://127.0.0.1:9", "nowhere", "tcp://", "http://127.0.0.1:9", ""):
        ended = invoke(*FEW, "--format", "csv", "--scheduler", address)
        assert ended.status == 2
        assert ended.err.startswith(f"error[usage]: there is no Dask scheduler at {address}")
        assert ended.err.count("error[") == 1


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = (
        "error[usage]: --scheduler needs the package distributed\n"
        "  hint: pip install mbprof[dask]\n"
    )
    assert invoke(*FEW, "--scheduler", "local") == ("", said, 2)


def test_no_sweep_of_this_machine_loads_dask() -> None:
    asked = ("sweep", "mobilenet_v1", "--alpha", "0.5", "--format", "csv")
    assert not {"dask", "distributed", "multiprocessing.pool"} & loaded_by(*asked)


def test_a_signal_waits_until_a_cluster_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Cluster:
        def __init__(self, **given: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            seen.append("started")

        def __enter__(self) -> "Cluster":
            return self

        def __exit__(self, *why: object) -> None:
            seen.append("ended")

    monkeypatch.setattr("distributed.LocalCluster", Cluster)
    # A shell starts what runs in its background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(cluster.results(str, [1], "local", 1))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["started", "ended"]

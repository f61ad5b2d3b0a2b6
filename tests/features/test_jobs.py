"""Sweeps in several processes: the same rows, and nothing is left when they end, however."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mbprof
from mbprof.sweeps.axes import CHUNK
from tests.conftest import MBPROF, child, invoke, started

RANDOM = ("--alpha", "0.35:1.4", "--res", "96:224", "--random")
FEW = ("sweep", "mobilenet_v2", *RANDOM, str(5 * CHUNK))
LONG = ("sweep", "mobilenet_v2", *RANDOM, "1000000000")
KILLED = (
    "error[limit]: a process of --jobs was killed, perhaps since the memory was used\n    up\n"
    "  hint: take fewer --jobs; nothing was written\n"
)


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def of_session(session: int) -> dict[int, str]:
    """Return the command lines of the processes of a session that are alive."""
    alive = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state != "Z":
                alive[int(folder.name)] = (folder / "cmdline").read_bytes().decode()
        except (OSError, ValueError):
            continue
    return alive


def workers(session: int) -> list[int]:
    """Return the spawned processes of a session."""
    return [pid for pid, line in of_session(session).items() if "spawn_main" in line]


def semaphores(pid: int) -> set[Path]:
    """Return those that a process shares with others."""
    maps = Path(f"/proc/{pid}/maps").read_text().split()
    return {Path(word) for word in maps if word.startswith("/dev/shm/sem.")}


@contextmanager
def at_work(path: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a long sweep in two processes, and wait until both work."""
    with started(*MBPROF, *LONG, "--jobs", "2", *more, "-o", str(path)) as process:
        until(lambda: workers(process.pid) and any(path.parent.iterdir()))
        shared = semaphores(process.pid)
        assert shared
        yield process
        until(lambda: not of_session(process.pid), 5)
    assert list(path.parent.iterdir()) == []
    assert not any(semaphore.exists() for semaphore in shared)


proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--where", "macs < 100M and alpha * 4 > 2"),
        ("--pareto", "macs,params:max,res:max"),
        ("--sort", "macs", "--top", "7"),
        ("--pareto", "macs,params:max", "--sort", "res", "--top", "3"),
        ("--top", "40000"),
        ("--where", "macs < 0"),
    ],
    ids=" ".join,
)
def test_several_processes_give_the_same_rows(more: tuple[str, ...]) -> None:
    texts = [invoke(*FEW, *more, "--format", "csv", "--jobs", jobs) for jobs in ("1", "3")]
    assert texts[0] == texts[1]
    assert texts[0].status == 0


def test_several_processes_say_the_same_of_an_error(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "{name: net, input: {res: 8}, knobs: {grow: 2}, padding: valid,"
        " body: [{op: conv, k: 3, c: 8 // (90000 - grow)}]}"
    )
    asked = ("sweep", str(path), "--set", "grow=1:100000:1", "--format", "csv")
    one, two = (invoke(*asked, "--jobs", jobs) for jobs in ("1", "2"))
    assert one.err == two.err
    assert (one.status, two.status) == (2, 2)
    assert "grow" in one.err


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        "import mbprof\n"
        f"frame = mbprof.sweep('mobilenet_v2', alpha='0.35:1.4', random={3 * CHUNK}, jobs=2)\n"
        "print(len(frame), __name__)\n"
    )
    for command in ((str(path),), ("-c", path.read_text())):
        assert child(sys.executable, *command) == (f"{3 * CHUNK} __main__\n", "", 0)


@pytest.mark.parametrize(
    "spec",
    ["mobilenet_v2", "mobilenet_v2@torchvision", "resnet50", "efficientnet_b0@keras", "senet154"],
)
def test_a_spec_can_be_sent_to_another_process(spec: str) -> None:
    network = mbprof.load(spec)
    again = pickle.loads(pickle.dumps(network))
    assert (again.name, again.knobs, again.brief) == (network.name, network.knobs, network.brief)
    assert again.build().profile().total == network.build().profile().total


def test_a_text_with_turned_knobs_can_be_sent_to_another_process() -> None:
    text = "{name: net, input: {res: 8}, knobs: {n: 2}, body: [{op: conv, k: 3, c: n * 4}]}"
    network = mbprof.loads(text).build(n=5)
    again = pickle.loads(pickle.dumps(network.spec.settled(network.knobs)))
    assert again.build().profile().total == network.profile().total


@proc
@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("number", "said", "status"),
    [(signal.SIGINT, "interrupted; no file was written\n", 130), (signal.SIGTERM, "", 143)],
)
def test_a_signal_to_the_group_leaves_nothing(
    number: int, said: str, status: int, ending: str, tmp_path: Path
) -> None:
    with at_work(tmp_path / f"sweep.{ending}") as process:
        os.killpg(process.pid, number)
        assert process.communicate(timeout=30)[0] == said
        assert process.returncode == status


@proc
def test_a_killed_process_is_said(tmp_path: Path) -> None:
    with at_work(tmp_path / "sweep.csv", "--pareto", "macs,params:max") as process:
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        assert process.communicate(timeout=30)[0] == KILLED
        assert process.returncode == 2


@proc
def test_no_process_outlives_one_that_was_killed(tmp_path: Path) -> None:
    with at_work(tmp_path / "sweep.csv") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for part in tmp_path.iterdir():
            part.unlink()  # which nobody was left to do


LOADING = """
import os, signal, sys, types
import mbprof.cli

class Loaded(types.ModuleType):
    def __getattr__(self, name):
        os.kill(os.getpid(), signal.SIGINT)

sys.modules["mbprof.cli.run"] = Loaded("run")
mbprof.cli.main()
"""


@proc
def test_an_interrupt_while_modules_are_loaded_is_silent(tmp_path: Path) -> None:
    with started(sys.executable, "-c", LOADING, cwd=tmp_path) as process:
        assert process.communicate(timeout=60)[0] == ""
        assert process.returncode == -signal.SIGINT


def test_an_interrupt_of_a_class_that_is_made_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    def load(*args: object, **given: object) -> object:
        return type("Made", (), {"field": Field()})

    monkeypatch.setattr("mbprof.network.load.load", load)
    assert invoke("table", "mobilenet_v1").status == 130


IMPATIENT = """
import sys
from mbprof import cli
from mbprof.sweeps import pool
if __name__ == "__main__":
    pool.PATIENCE = 0.0
    sys.argv = ["mbprof", *sys.argv[1:]]
    cli.main()
"""


def test_an_interrupt_is_said_though_what_it_ends_takes_too_long(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    work = (*LONG, "-o", str(path))
    with started(sys.executable, "-c", IMPATIENT, *work) as process:
        assert process.stdout is not None
        until(lambda: any(tmp_path.iterdir()), 60)
        os.killpg(process.pid, signal.SIGINT)
        text, _ = process.communicate(timeout=60)
    assert (text, process.returncode) == ("interrupted; no file was written\n", 130)
    assert list(tmp_path.iterdir()) == []

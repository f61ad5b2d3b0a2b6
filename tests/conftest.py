"""How tests run mbprof and other programs, and compare what is committed with what is generated.

Run with OVERWRITE=1 to write down what is generated now, and read the difference.
"""

import contextlib
import gc
import io
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple
from zlib import crc32

import pytest

import mbprof
from mbprof import cli
from mbprof.spec import zoo

ROOT = Path(__file__).parents[1]
MBPROF = (sys.executable, "-m", "mbprof")
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # as pip spells it: no isolation
    "PYTHONPATH": sysconfig.get_path("purelib"),
}
"""Where pip builds and installs mbprof beside the libraries that are here, not with new ones."""
LONGEST = 600
"""Seconds that a child process has to end."""
# As a command does: to look for cycles among networks that are kept is work for nothing.
gc.set_threshold(100_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the long ones, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def sampled() -> list[str]:
    """Return every spec of the zoo, and a tenth of their presets: what is tested on networks.

    A preset's name alone decides whether it is among them, so that a new one displaces none.
    """
    specs = zoo.spec_names()
    presets = [name for name in zoo.names() if name not in specs]
    return sorted([*specs, *(name for name in presets if crc32(name.encode()) % 10 == 0)])


@cache
def network(name: str, **knobs: Any) -> mbprof.Network:
    """Return a network of the zoo, built once for all tests that look at it."""
    return mbprof.load(name).build(**knobs)


@cache
def profile(name: str, scope: str | None = None) -> mbprof.Profile:
    """Return what a network of the zoo costs at its defaults, counted once."""
    return network(name).profile(scope=scope)


class Ended(NamedTuple):
    """What a command printed, and its exit status."""

    out: str
    err: str
    status: int


def invoke(*arguments: str, stdin: str = "", width: int = 80) -> Ended:
    """Run a command in this process, as typed in a terminal that is so many columns wide."""
    texts = {"stdin": stdin, "stdout": "", "stderr": ""}
    streams = {
        name: io.TextIOWrapper(
            io.BytesIO(text.encode()), encoding="utf-8", errors="backslashreplace"
        )
        for name, text in texts.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mbprof", *arguments])
        patch.setenv("COLUMNS", str(width))
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    out, err = (_printed(streams[name]) for name in ("stdout", "stderr"))
    return Ended(out, err, int(stopped.value.code or 0))


def _printed(stream: io.TextIOWrapper) -> str:
    """Return what was printed; of what is no text, such as a network's weights, the beginning."""
    stream.flush()
    written: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    try:
        written.decode()
    except UnicodeDecodeError as error:
        return written[: error.end].decode(errors="backslashreplace")
    stream.seek(0)
    return stream.read()


def run(*arguments: str, status: int = 0, stdin: str = "", width: int = 80) -> str:
    """Run a command that ends with this exit status, and return its output."""
    ended = invoke(*arguments, stdin=stdin, width=width)
    assert ended.status == status, ended.out + ended.err
    return ended.out


@contextlib.contextmanager
def started(
    *command: str, cwd: Path | None = None, out: int | IO[str] = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start a program, and end it and all that it has started when the test leaves it."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # A shell starts its background jobs with interrupts ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def child(*command: str, cwd: Path | None = None, **environment: str) -> Ended:
    """Run a program to its end; it does not outlive the test."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, timeout=LONGEST,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Ended(done.stdout, done.stderr, done.returncode)


def loaded(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded behind this code."""
    ended = child(sys.executable, "-c", f"{code}\nimport sys; print(); print(*sys.modules)")
    assert ended.status == 0, ended.err
    return set(ended.out.splitlines()[-1].split())


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that a command has loaded when it ends."""
    return loaded(
        f"import sys, contextlib\nfrom mbprof import cli\nsys.argv = {['mbprof', *arguments]}\n"
        "with contextlib.suppress(SystemExit): cli.main()"
    )


def git(*arguments: str, cwd: Path) -> None:
    """Run git as somebody."""
    ended = child("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments, cwd=cwd)
    assert ended.status == 0, ended.err


def committed(path: Path, generated: str) -> str:
    """Return what a committed file holds, which is what is generated now if OVERWRITE is set."""
    if os.environ.get("OVERWRITE"):
        path.write_text(generated, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def sections(path: Path) -> dict[str, str]:
    """Return the parts of a case: lines ``key: value``, then each text below ``--- name``."""
    head, *parts = re.split(r"^--- (\w+)\n", path.read_text(encoding="utf-8"), flags=re.M)
    keys = dict(line.split(": ", 1) for line in head.splitlines())
    return keys | dict(zip(parts[::2], parts[1::2], strict=True))


def with_section(path: Path, name: str, body: str) -> str:
    """Return the text of a case whose last section, of this name, is this one."""
    head, *_ = re.split(rf"^--- {name}\n", path.read_text(encoding="utf-8"), flags=re.M)
    return f"{head.rstrip()}\n--- {name}\n{body}"

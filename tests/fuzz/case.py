"""A case: a load or a whole command with its files, and what has to hold whatever they are."""

import base64
import contextlib
import csv
import io
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mbprof
from mbprof import MbprofError
from tests.conftest import Ended, invoke

SECONDS = {
    "list": 20.0, "verify": 30.0, "report": 20.0, "accuracy": 10.0, "plot": 10.0, "graph": 8.0,
    "space": 8.0,
}  # fmt: skip
"""Seconds of processor time that a command has whatever its input, 2 if it is not named."""
MEGABYTES = 300
BINARY = (".onnx", ".tflite")
LAYERS, MOST = 10_000, 125_000
"""Layers of a network that is costed in 2 s; of one of more it takes longer, up to the most."""
COSTED = {"load": 8}
"""So often a case costs its network, once if it is not named."""
_LIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What no terminal may be sent, but for line breaks and tabs."""


class Broken(Exception):
    """Something that has to hold does not."""


class TooSlow(Exception):
    """More processor time than any input may cost."""


@dataclass(frozen=True, slots=True)
class Case:
    """What was typed, and the files beside it.

    That is a command line; or ``build`` and a file, which is loaded, built and costed; or ``load``
    and a file, which is swept and written in closed form, too. What is no text, by the ending of
    its name, stands there in base 64.
    """

    argv: tuple[str, ...]
    files: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "Case":
        """Return a case of the corpus."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(data["argv"]), data["files"])

    def text(self) -> str:
        """Return it as a file of the corpus."""
        return json.dumps({"argv": self.argv, "files": self.files}, indent=1) + "\n"

    @property
    def seconds(self) -> float:
        """The processor time that it has."""
        return SECONDS.get(self.argv[0], 2.0)

    def run(self, folder: Path) -> str:
        """Run it in an empty folder and return how it ended.

        Raises: Broken, TooSlow, and whatever mbprof lets through.
        """
        with limited(self.seconds * MOST / LAYERS):
            if self.argv[0] in ("build", "load"):
                return _load(self.files[self.argv[1]], self.argv[0] == "load")
            for name, text in self.files.items():
                binary = name.endswith(BINARY)
                data = base64.b64decode(text) if binary else text.encode("utf-8", "surrogatepass")
                (folder / name).write_bytes(data)
            with contextlib.chdir(folder):
                return _command(self, folder)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Stop what takes longer, in time of this processor: others do not count."""

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _said(work: Callable[[], Any]) -> Any:
    """Return the result, or the message of the error without the way to it."""
    try:
        return work()
    except MbprofError as error:
        return error.message


def _load(text: str, more: bool) -> str:
    """Load, build, cost; with ``more`` what else costs a network agrees."""
    try:
        spec = mbprof.loads(text)
        profile = spec.build().profile()
    except MbprofError as error:
        require(str(error).startswith(("s.yaml", "<", "error")) or ":" in str(error), "no place")
        return "refused"
    rows, total = profile.rows, profile.total
    require(sum(row.params for row in rows) == total.params, "params are no sum")
    require(sum(row.cost for row in rows) == total.cost, "costs are no sum")
    require(bool(json.dumps(profile.to_dict(), allow_nan=False)), "no JSON")
    if more:
        _same_swept(spec)
        _same_written(spec)
    return f"built: {len(rows)}"


def _same_swept(spec: Any) -> None:
    """A sweep says what a single run says, errors included."""
    knobs = [name for name in ("alpha", "res", "classes") if name in spec.knobs]
    for knob in knobs[:2]:
        value = spec.knobs[knob]
        value = value[0] if isinstance(value, tuple) else value
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        for number in (value, value * 2, 3 * 10**17):
            single = _said(partial(_totals, spec, knob, number))
            swept = _said(partial(_swept, spec, knob, number))
            # A size that makes no network is a row that says why, and at which place.
            alike = isinstance(single, str) and single in str(swept)
            require(alike or single == swept, f"{knob}={number}: run {single}, sweep {swept}")


def _same_written(spec: Any) -> None:
    """A closed form, where there is one, gives what a single run does at the network's size."""
    total = spec.build().profile().total
    try:
        formula = mbprof.formula(spec, by="net")
        written = formula.evaluate(**{symbol.name: symbol.value for symbol in formula.symbols})
    except MbprofError:
        return
    require(tuple(written[:2]) == (total.params, total.cost), f"formula {written}, run {total}")


def _totals(spec: Any, knob: str, value: Any) -> tuple[int, int]:
    total = spec.build(**{knob: value}).profile().total
    return total.params, total.cost


def _swept(spec: Any, knob: str, value: Any) -> tuple[int, int] | str:
    axes: Any = {knob: [value]}
    frame = mbprof.sweep(spec, chunks=False, **axes)
    if "problem" in frame and isinstance(frame["problem"].iloc[0], str):
        return str(frame["problem"].iloc[0])
    return int(frame["params"].iloc[0]), int(frame["macs"].iloc[0])


def require(holds: bool, what: str) -> None:
    """Raise Broken where something does not hold."""
    if not holds:
        raise Broken(what)


def _no_constant(word: str) -> None:
    raise Broken(f"JSON with {word}")


def _command(case: Case, folder: Path) -> str:
    """Run a command: a status that means something, and texts that do no harm."""
    ended = invoke(*case.argv)
    require(ended.status in (0, 1, 2), f"status {ended.status}")
    require(ended.status != 2 or bool(ended.err.strip()), "status 2 without a word")
    for text in (ended.err,) if "onnx" in case.argv else (ended.out, ended.err):  # which is no text
        require("Traceback (most" not in text, "a traceback")
        live = _LIVE.search(text)
        require(live is None, f"prints {live.group()!r}" if live else "")
    _check_format(case, ended)
    files = {path.name for path in folder.iterdir()} - set(case.files)
    named = set(case.argv)
    named |= {word.removesuffix(".md") for word in named if case.argv[0] == "report"}  # charts
    require(files <= named, f"leaves {sorted(files - named)}")
    require(ended.status != 2 or not files, f"an error leaves {sorted(files)}")
    return f"status {ended.status}"


def _check_format(case: Case, ended: Ended) -> None:
    elsewhere = {"-o", "--output", "--help"} & set(case.argv)
    if ended.status == 2 or elsewhere or "--format" not in case.argv[:-1]:
        return
    form = case.argv[case.argv.index("--format") + 1]
    if form in ("json", "sarif"):
        json.loads(ended.out, parse_constant=_no_constant)
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(ended.out, newline=""), strict=True))
        require(len({len(row) for row in rows}) <= 1, "CSV rows of different lengths")
    elif form in ("md", "markdown"):
        for block in re.findall(r"(?:^\|.*\n?)+", ended.out, re.M):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            require(len(widths) == 1, "Markdown rows of different lengths")


def timed(case: Case, folder: Path) -> tuple[str, float]:
    """Run a case and return how it ended, and the seconds of processor time.

    Raises: TooSlow, also where the exception that stops it was lost; see `Case.run`.
    """
    start = time.process_time()
    how, took = case.run(folder), time.process_time() - start
    if took > case.seconds:
        layers = max(map(_layers, case.files.values()), default=0) * COSTED.get(case.argv[0], 1)
        if took > case.seconds * layers / LAYERS:
            raise TooSlow(f"{took:.1f} s")
    return how, took


def _layers(text: str) -> int:
    """Return how many layers a network has; 0 if the text is none."""
    try:
        return len(mbprof.loads(text).build().graph.nodes)
    except MbprofError:
        return 0

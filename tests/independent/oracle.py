"""Networks measured from their real implementations, and the spec that stands for each.

A file of ``data/oracle`` names a model of a library, and is compared with what the zoo has under
that name, so that a new file is a new test without a line of code. For slim, whose names the zoo
does not list, ``data/oracle/slim.csv`` says which spec a model is (a regular expression), and
which knobs it needs.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mbprof
from mbprof.language.fmt import parse

FOLDER = Path(__file__).parent / "data" / "oracle"

# Options of the libraries, and the knobs that they are; None where the spec or alpha says it.
OPTIONS: dict[str, str | None] = {
    "finegrain_classification_mode": "finegrain",
    "create_aux_logits": "aux",
    "aux_logits": "aux",
    "use_explicit_padding": "explicit_padding",
    "width_mult": None,
    "tag": None,
}
TAGS = {"reparam": {"deployed": True}}
"""What was done to a model before it was measured, and the knobs that say so."""


@dataclass(frozen=True)
class Oracle:
    """A measured network: the spec that it is compared with, and what was measured."""

    path: Path
    spec: str
    knobs: dict[str, Any]
    scope: str
    measured: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def _slim(model: str) -> tuple[str, dict[str, Any]]:
    """Return the spec of a model of slim, and the knobs that it needs."""
    with (FOLDER / "slim.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if re.fullmatch(row["model"], model))
    settings = (part.split("=") for part in row["knobs"].split())
    return row["spec"], {name: parse(value) for name, value in settings}


@cache
def oracles() -> tuple[Oracle, ...]:
    """Return every measured network, with the spec that stands for it."""
    return tuple(map(_oracle, sorted(FOLDER.glob("*/*.json"))))


def _oracle(path: Path) -> Oracle:
    measured = json.loads(path.read_text())
    library = path.name.partition(".")[0] if path.parent.name == "torch" else path.parent.name
    model, tag = measured["model"], measured["options"].get("tag")
    spec, own = _slim(model) if library == "slim" else (f"{library}:{model}", {})
    channels, *res = measured["input"]
    assert channels == 3
    knobs: dict[str, Any] = {"res": tuple(res), **own, **TAGS.get(tag, {})}
    for option, value in measured["options"].items():
        knob = OPTIONS.get(option, option)
        if knob is not None:
            knobs[knob] = value
    if measured["alpha"] is not None:
        knobs["alpha"] = measured["alpha"]
    if measured["classes"] is not None:
        knobs["classes"] = measured["classes"]
    return Oracle(path, spec, knobs, "all" if measured["top"] else "body", measured)


def settings(oracle: Oracle, spec: mbprof.Spec) -> dict[str, Any]:
    """Return the knobs to build with; an option that is off needs no knob."""
    return {
        name: value
        for name, value in oracle.knobs.items()
        if name in spec.knobs or (value is not False and not (name == "alpha" and value == 1.0))
    }


def selected(pattern: str) -> Iterator[Oracle]:
    """Yield the oracles whose name matches."""
    return (oracle for oracle in oracles() if re.search(pattern, str(oracle)))

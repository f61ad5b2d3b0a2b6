"""Networks measured from their real implementations, and the spec that stands for each.

A file of ``data/oracle`` names a model of a library. ``data/oracle/names/*.csv`` says which spec
that is (``model`` is a regular expression) and which knobs it needs, so that a new file of a known
model is a new test without a line of code.
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


@dataclass(frozen=True)
class Name:
    """What a library calls a model, and what it is called here."""

    origin: str
    model: str
    spec: str
    knobs: dict[str, Any]


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


def names() -> list[Name]:
    """Return the models that the zoo has."""
    found = []
    for path in sorted((FOLDER / "names").glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                settings = (part.split("=") for part in row["knobs"].split())
                knobs = {name: parse(value) for name, value in settings}
                found.append(Name(row["library"], row["model"], row["spec"], knobs))
    return found


@cache
def oracles() -> tuple[Oracle, ...]:
    """Return every measured network, with the spec that stands for it."""
    known = names()
    return tuple(_oracle(path, known) for path in sorted(FOLDER.glob("*/*.json")))


def _oracle(path: Path, known: list[Name]) -> Oracle:
    measured = json.loads(path.read_text())
    library = path.name.partition(".")[0] if path.parent.name == "torch" else path.parent.name
    name = next(
        (n for n in known if n.origin == library and re.fullmatch(n.model, measured["model"])),
        Name(library, measured["model"], "", {}),
    )
    channels, *res = measured["input"]
    assert channels == 3
    knobs: dict[str, Any] = {"res": tuple(res), **name.knobs}
    for option, value in measured["options"].items():
        knob = OPTIONS.get(option, option)
        if knob is not None:
            knobs[knob] = value
    if measured["alpha"] is not None:
        knobs["alpha"] = measured["alpha"]
    if measured["classes"] is not None:
        knobs["classes"] = measured["classes"]
    return Oracle(path, name.spec, knobs, "all" if measured["top"] else "body", measured)


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

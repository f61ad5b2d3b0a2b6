"""Questions that people asked in public, and specs of new users: the right answers, as data.

A row of ``public/answers.csv`` names a spec, how it is turned, what is asked and the answer; what
``says`` is part of a located error. Sources are the threads, or the library that was measured.
"""

import csv
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import MbprofError
from mbprof.language.fmt import parse
from mbprof.network.load import Network, network_at
from mbprof.published.origins import origins
from mbprof.spec.sections import SCOPES
from tests.conftest import run

FOLDER = Path(__file__).parent / "public"
with (FOLDER / "answers.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def asked(row: dict[str, str]) -> tuple[str, dict[str, Any], str | None]:
    """Return the spec, the knobs or arguments, and the input of a block."""
    at = dict(setting.split("=") for setting in row["at"].split())
    image = at.pop("in", None)
    path = FOLDER / row["spec"]
    knobs = {name: parse(value) for name, value in at.items()}
    return str(path) if path.suffix else row["spec"], knobs, image


def origin(spec: str, number: str) -> str:
    """Return what the likeliest origins of a number are: value, scope, who counts so, and how."""
    found = origins(spec, number).rows
    first = found[0]
    said = [f"{first['value']}, {first['scope']}"]
    if first["scope"] in SCOPES:
        said.append(first["conventions"][0])
    same = [
        f"{row['conventions'][0]} {row['view']}"
        for row in found[1:]
        if row["value"] == first["value"] and row["view"]
    ]
    told = ", ".join([*said, *([first["said"]] if first["said"] else [])])
    return "; ".join([told, *same])


def answer(network: Network, what: str) -> str:
    """Return what a network answers, as the table writes it."""
    kind, _, name = what.partition(" ")
    total = network.profile(scope="all").total
    rows = {row.name: row for row in network.profile(scope="all").rows}
    if kind == "cost":
        return str(network.profile(name, scope="all").total.cost)
    if kind == "output":
        return "x".join(map(str, network.output_shape))
    if kind == "layer":
        trained = rows[name].facts.trainable
        return f"{trained}, {'x'.join(map(str, rows[name].out_shape or ()))}"
    facts = rows[name.removeprefix("of ")].facts if name.startswith("of ") else total.facts
    if name.startswith("less than "):
        other = mbprof.load(name.removeprefix("less than ")).build().profile(scope="all")
        return str(other.total.facts.trainable - facts.trainable)
    return str(facts.mac if kind == "mac" else facts.trainable)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['case']} {row['spec']} {row['what']}")
def test_the_answer_is_the_right_one(row: dict[str, str]) -> None:
    spec, knobs, image = asked(row)
    if row["what"] == "says":
        with pytest.raises(MbprofError) as raised:
            network_at(spec, knobs, image)
        said = str(raised.value)
        assert row["answer"] in said
        assert raised.value.loc is not None or spec == row["spec"]
    elif row["what"].startswith("finds "):
        code = row["what"].split()[-1]
        found = [each.message for each in mbprof.check(spec).findings if each.code == code]
        assert all(row["answer"] in message for message in found)
        assert bool(found) == bool(row["answer"])
    elif row["what"].startswith("origin of "):
        assert origin(spec, row["what"].removeprefix("origin of ")) == row["answer"]
    elif row["what"].startswith("columns "):
        known = run("table", spec, "--columns", "help")
        assert {*row["answer"].split()} <= {line.split()[0] for line in known.splitlines() if line}
        assert row["what"].split()[1] not in known
    else:
        assert answer(network_at(spec, knobs, image), row["what"]) == row["answer"]


def test_every_spec_is_asked_something() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} <= {row["spec"] for row in ROWS}

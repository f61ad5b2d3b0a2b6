"""The specs that come with mbprof."""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import mbprof
from mbprof.network.conventions import load as convention
from mbprof.ops import OPS
from mbprof.output.model import Screen
from mbprof.published import tabled, totals
from mbprof.published.verify import verify
from mbprof.spec import folders, index, zoo
from mbprof.spec.knobs import KNOB_KEYS
from mbprof.spec.reader import BLOCK_KEYS, INPUT_KEYS, SPEC_KEYS
from mbprof.spec.schema import FORMATS, schema
from mbprof.spec.sections import CLAIM_KEYS
from mbprof.spec.steps import TABLE_KEYS
from mbprof.spec.wiring import WIRING_KEYS
from tests.conftest import OFFLINE, child, sampled

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", zoo.spec_names())
def test_published_claims_hold_and_errata_do_not(name: str) -> None:
    verdicts = verify(name)
    assert [each for each in verdicts if not each.passed] == []


@pytest.mark.parametrize("name", zoo.names())
def test_every_spec_says_what_it_is_and_where_it_is_from(name: str) -> None:
    definition = mbprof.load(name).definition
    assert definition.doc
    assert definition.source


@pytest.mark.parametrize("name", sampled())
def test_every_flavour_builds(name: str) -> None:
    for flavour in mbprof.load(name).definition.flavours:
        spec = mbprof.load(f"{name}@{flavour}")
        assert spec.name == f"{name}@{flavour}"
        assert spec.definition.flavour == flavour
        assert spec.build().profile().total.cost > 0


def test_the_flavour_that_is_the_default_is_the_spec_as_it_stands() -> None:
    plain, named = mbprof.load("mobilenet_v1").build(), mbprof.load("mobilenet_v1@slim").build()
    assert plain.profile().rows == named.profile().rows


@cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema())


@pytest.mark.parametrize("path", sorted((ROOT / "specs").rglob("*.yaml")), ids=lambda p: p.stem)
def test_specs_fit_their_schema(path: Path) -> None:
    validator().validate(json.loads(json.dumps(yaml.safe_load(path.read_text()))))


@pytest.mark.parametrize(
    "row",
    ["{op: conv, k: 3, c: 16, strid: 2}", "{op: gap, k: 3}", "{op: act, f: relu, bn: true}"],
)
def test_the_schema_refuses_unknown_keys(row: str) -> None:
    spec = yaml.safe_load(f"{{name: net, input: {{res: 8}}, body: [{row}]}}")
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(spec)


def test_no_enum_says_a_word_twice_and_every_key_is_described() -> None:
    """As validators of JavaScript and editors ask for; test_editors.py runs these themselves."""

    def parts(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            yield node
        for inner in node.values() if isinstance(node, dict) else node:
            if isinstance(inner, dict | list):
                yield from parts(inner)

    described = set[str]()
    for part in parts(schema()):
        words = part.get("enum", [])
        assert len(words) == len(set(words))
        for key, said in part.get("properties", {}).items():
            assert said["description"], key
            described.add(key)
        if isinstance(free := part.get("additionalProperties"), dict):
            assert free["description"]
    every = (SPEC_KEYS, BLOCK_KEYS, INPUT_KEYS, KNOB_KEYS, CLAIM_KEYS, TABLE_KEYS, WIRING_KEYS)
    assert described >= {key for keys in every for key in keys}
    assert described >= {key for op in OPS.values() for key in (*op.letters, *op.after)}


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (ROOT / "specs" / "spec.schema.json").read_text() == FORMATS["json"].write(
        schema(), Screen()
    )


def test_the_committed_index_is_of_the_specs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = index.rows(folders.folder())
    assert rows is not None, "run make index"
    for name in sorted(rows)[::40]:
        total = mbprof.load(name).build().profile().total
        assert (name, total.params, total.cost) == (
            name, int(rows[name]["params"]), int(rows[name]["macs"])
        )  # fmt: skip
    monkeypatch.setattr(index, "rows", lambda folder: None)  # as it is where a file was changed
    assert sorted(rows) == zoo.names.__wrapped__()
    assert mbprof.list("mobilenet_v1")[0].params == int(rows["mobilenet_v1"]["params"])


def test_the_committed_totals_are_of_the_specs_and_conventions_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for file in ("totals.csv", "claimed.csv"):
        assert tabled.read(folders.folder(), file) is not None, "run make index"
    rows = totals.totals()
    for row in rows[::150]:
        network = mbprof.load(row.name).build(**row.knobs)
        for way, value in zip(totals.ways(), row.values, strict=True):
            total = network.profile(convention=way.convention, scope="all").total
            assert value in (total.params, *total.costs), (row.name, way)
    monkeypatch.setattr(tabled, "read", lambda *file: None)  # as it is where a file was changed
    made = totals.totals(["squeezenet"])
    assert made == [row for row in rows if row.name.partition("@")[0] == "squeezenet"]


def test_no_architecture_is_named_in_python() -> None:
    families = re.compile(
        r"(?<![a-z])(mobilenet|inception|resnet|xception|densenet|shufflenet|squeezenet|efficientnet|vgg|"
        r"alexnet|senet|googlenet|mnasnet)",
        re.IGNORECASE,
    )
    for path in sorted((ROOT / "mbprof").rglob("*.py")):
        code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
        for line in code.splitlines():
            named = families.search(line)
            # Examples in help texts and sources in brackets or strings of paths are no code.
            if named and not re.search(r"Example: |research/|keras/src|\bsource\b|#", line):
                raise AssertionError(f"{path.name}: {line.strip()}")


@pytest.mark.parametrize("word", sorted(OPS))
def test_every_op_has_formula_source_and_example(word: str) -> None:
    doc = OPS[word].__doc__ or ""
    for part in ("Shape: ", "Source: ", ">>> "):
        assert part in doc, f"{word} lacks {part}"
    assert "Params: " in doc or "Cost: " in doc


def test_the_default_convention_is_data() -> None:
    kernels = convention("kernels")
    assert dict(kernels.params.weights) == {"kernels": 1}
    weights = {name: dict(measure.weights) for name, measure in kernels.measures.items()}
    assert weights == {"macs": {"mac": 1}}


def test_a_wheel_carries_the_zoo_and_the_manual(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir")
    ended = child(*pip, str(tmp_path), str(ROOT), cwd=None, **OFFLINE)
    assert ended.status == 0, ended.err
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "mbprof/specs/mobilenet_v1.yaml" in names
    assert "mbprof/network/conventions/kernels.yaml" in names
    assert "mbprof/py.typed" in names
    assert "mbprof/pages/docs/guides/pytorch.md" in names
    assert "mbprof/pages/cases/MB104.case" in names

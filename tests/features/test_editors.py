"""What editors and JavaScript make of specs: diagnostics, completion, hovering, YAML."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mbprof.language.source import Entry, Map, Node, Seq, parse, read
from mbprof.ops import OPS
from mbprof.spec import folders, zoo
from mbprof.spec.schema import schema
from tests.conftest import ROOT, child

EDITORS = ROOT / "tests" / "editors"
SCHEMA = ROOT / "specs" / "spec.schema.json"
FILES = sorted(path for path in (ROOT / "specs").rglob("*.yaml"))

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not (EDITORS / "node_modules").is_dir(),
    reason="Node.js or what the editors' tests need is not installed: make editors",
)


def node(script: str, given: Any, folder: Path) -> Any:
    (folder / "given.json").write_text(json.dumps(given))
    ended = child("node", str(EDITORS / script), str(folder / "given.json"))
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def served(documents: dict[str, str], asked: list[list[Any]], folder: Path) -> Any:
    """Return what the language server says of texts; a first line that names a schema is left."""
    texts = {name: text.replace("yaml-language-server", "", 1) for name, text in documents.items()}
    return node(
        "server.mjs", {"schema": SCHEMA.as_uri(), "documents": texts, "asked": asked}, folder
    )


def zoo_texts() -> dict[str, str]:
    folder = ROOT / "specs"
    names = {path: "-".join(path.relative_to(folder).parts) for path in FILES}
    return {name: path.read_text() for path, name in names.items()}


WRONG = {
    "a key that conv lacks": "[{op: conv, k: 3, c: 16, strid: 2}]",
    "a key that a block lacks": "[{op: inv_res, c: 16, kernel: 3}]",
    "no activation": "[{op: conv, k: 3, c: 16, act: rleu}]",
    "no join": "[{join: ad, branches: [[{op: conv, c: 8}], []]}]",
    "no table": "{rowz: []}",
}


def test_ajv_takes_the_schema_and_the_zoo_and_refuses_mistakes(tmp_path: Path) -> None:
    head = "name: net\ninput: {channels: 3, res: 8}\nbody: "
    wrong = {name: head + body for name, body in WRONG.items()}
    given = {"schema": schema(), "documents": zoo_texts() | wrong}
    errors = node("ajv.mjs", given, tmp_path)
    assert {name for name, found in errors.items() if found} == set(wrong)


@pytest.mark.long
def test_the_language_server_has_nothing_to_say_of_the_zoo_but_of_mistakes(tmp_path: Path) -> None:
    head = "name: net\ninput: {channels: 3, res: 8}\nbody: "
    wrong = {f"{number}.yaml": head + body for number, body in enumerate(WRONG.values())}
    said = served(zoo_texts() | wrong, [], tmp_path)["diagnostics"]
    assert {name for name, found in said.items() if found} == set(wrong)


HEAD = "name: net\ninput: {channels: 3, res: 8}\n"
KEYS = {
    # what is typed, the place marked: what is offered there, and what is not
    HEAD + "|\nbody: []\n": ("doc knobs defaults head flavours budget", "name takes k"),
    "|": ("name input body a network", "takes k"),
    "takes: {c: int}\n|\nbody: []\n": ("doc source example", "takes input knobs"),
    HEAD + "body:\n  - {op: conv, |}\n": ("k s c p d g bias bn act in when name", "op t branches"),
    HEAD + "body:\n  - {op: conv, k: 3, | }\n": ("s c p", "k op"),
    HEAD + "body:\n  - {op: conv, b|}\n": ("bias bn", "op t"),
    HEAD + "body:\n  - op: conv\n    |\n": ("k s c p", "op t"),
    HEAD + "body:\n  - {op: maxpool, |}\n": ("k s p", "c bias t"),
    HEAD + "body:\n  - {op: inv_res, |}\n": ("t c s residual in when", "op bias"),
    HEAD + "body:\n  - op: inv_res\n    |\n": ("t c s residual", "op bias"),
    HEAD + "body:\n  columns: [op, k]\n  rows:\n    - {op: conv, |}\n": ("k s c", "op t"),
    HEAD + "body:\n  columns: [op, k]\n  rows:\n    - op: conv\n      |\n": ("k s c", "op t"),
    HEAD + "body:\n  columns: [op, k]\n  rows:\n    - [|]\n": ("conv inv_res", "k"),
    HEAD + "body:\n  - join: add\n    branches:\n      - - {op: conv, |}\n": ("k s c", "op t"),
    HEAD + "body:\n  - {|}\n": ("op branches repeat in", "k t"),
    HEAD + "body:\n  - {op: |}\n": ("conv inv_res", "k"),
    HEAD + "body:\n  - op: inv|\n": ("inv_res", "k"),
    HEAD + "body:\n  - {op: conv, act: |}\n": ("relu hswish none", "k"),
    HEAD + "body:\n  - {op: conv, act: re|}\n": ("relu relu6", "k"),
    HEAD + "defaults:\n  conv: {|}\nbody: []\n": ("bn act p", "t"),
    HEAD + "knobs:\n  alpha: {default: 1.0, |}\nbody: []\n": ("above doc one_of", "default k"),
    HEAD + "blocks:\n  b:\n    body:\n      - {op: conv, |}\nbody: []\n": ("k s c", "op t"),
    HEAD + "blocks:\n  b:\n    takes:\n      c: {|}\n    body: []\nbody: []\n": ("type doc", "k"),
    HEAD + "flavours:\n  keras:\n    |\nbody: []\n": ("like padding head", "name flavours"),
    "name: net\ninput: {|}\nbody: []\n": ("channels res", "k"),
    HEAD + "budget: {|}\nbody: []\n": ("macs params peak weights dtype", "k"),
}


def test_completion_offers_the_keys_of_a_place(tmp_path: Path) -> None:
    documents, asked = {}, []
    for number, typed in enumerate(KEYS):
        before = typed[: typed.index("|")]
        name = f"{number}.yaml"
        documents[name] = typed.replace("|", "", 1)
        line = before.count("\n")
        asked.append(["completion", name, line, len(before) - before.rfind("\n") - 1])
    answers = served(documents, asked, tmp_path)["answers"]
    for (typed, (some, none)), answer in zip(KEYS.items(), answers, strict=True):
        items = {item["label"]: item for item in answer["items"]}
        wanted = ["a network", *some.split()[:-2]] if "a network" in some else some.split()
        assert (set(wanted) - items.keys(), items.keys() & set(none.split())) == (set(), set()), (
            typed
        )
        properties = [item for item in items.values() if item["kind"] == 10]
        assert [item["label"] for item in properties if not item.get("documentation")] == [], typed


HOVERED = ["mobilenet_v2", "mobilenet_v3_large", "inception_v3", "densenet", "shufflenet_v2"]


def keys(node: Node) -> Iterator[Entry]:
    for entry in node.entries.values() if isinstance(node, Map) else ():
        yield entry
        yield from keys(entry.value)
    for item in node.items if isinstance(node, Seq) else ():
        yield from keys(item)


def test_every_key_has_a_description_where_it_is_hovered_over(tmp_path: Path) -> None:
    paths = [folders.folder() / f"{name}.yaml" for name in HOVERED]
    paths += [
        folders.folder() / "blocks" / "inv_res.yaml",
        folders.folder() / "blocks" / "uib.yaml",
    ]
    documents = {path.name: path.read_text() for path in paths}
    found = [(path.name, entry.key) for path in paths for entry in keys(parse(read(path)))]
    # The server looks for no description of a key that is a number, such as that of a row.
    places = [(name, key) for name, key in found if not key.text.isdigit()]
    asked = [["hover", name, key.loc.line - 1, key.loc.column - 1] for name, key in places]
    answers = served(documents, asked, tmp_path)["answers"]
    silent = {
        str(key.loc)
        for (_, key), answer in zip(places, answers, strict=True)
        if not answer or not answer["contents"]["value"].partition("\n")[2].strip()
    }
    assert silent == set()
    assert len(places) > 1000


def test_javascript_reads_the_same_from_the_zoo_as_python(tmp_path: Path) -> None:
    texts = zoo_texts()
    read_there = node("parsers.mjs", texts, tmp_path)
    for name, text in texts.items():
        here = json.loads(json.dumps(yaml.safe_load(text)))
        assert read_there[name] == {"yaml": here, "js-yaml": here}, name


def test_every_op_is_offered() -> None:
    assert set(schema()["definitions"]["word"]["enum"]) == {*OPS, *zoo.block_names()}

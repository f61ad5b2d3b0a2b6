"""The recipes of CONTRIBUTING, each carried out in a scratch copy: one file for all of mbprof."""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, child

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NET = "name: net\ninput: {res: 8}\nbody:\n  - {op: conv, k: 3, c: 8}\n"


def code(recipe: str) -> str:
    """Return the first Python block of a recipe."""
    section = TEXT.split(f"### Add {recipe}\n")[1]
    match = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert match is not None
    return match[1]


RULE = '''

@rule("MB299", ADVICE)
def single_layer(subject: Subject) -> Iterator[Found]:
    """A network of one layer.

    Why: it is hardly a network.
    Remedy: add a layer.
    Source: a test.
    """
    if len(list(subject.layers)) == 1:
        yield Found("the network has one layer", nodes=list(subject.layers))
'''
WRITER = '''

@REPORTS.add("tsv", ".tsv")
def tabs(report: Report, screen: Screen) -> str:
    """Write raw values with tabs between them."""
    names = [column.name for column in report.columns]
    rows = ["\\t".join(str(row.get(name, "")) for name in names) for row in report.rows]
    return "\\n".join(["\\t".join(names), *rows, ""])
'''
COMMAND = '''

@command(epilog="Example: mbprof hello")
def hello() -> None:
    """Say hello."""
    typer.echo("hello")
'''
CONVENTION = """
name: muls
doc: multiplications
source: a test
unit: MACs
params: {kernels: 1}
macs: {mac: 1, mul: 1}
"""
BLOCK = """
doc: a convolution twice
source: a test
takes: {c: {type: int, doc: channels}}
example: {in: 8x8x4, c: 4}
body:
  - {op: conv, k: 1, c: c}
  - {op: conv, k: 1, c: c}
"""
DEVICE = """
name: toy
doc: a device that is none
sources: [a test]
peak: {int8: 1e9}
bandwidth: 1e9
"""
SCALED = NET + "  - {op: scale}\n"
ROOTED = NET.replace("c: 8", "c: int(sqrt(64))")

# The file that a recipe touches and what is done to it; then what is asked of mbprof, and answered.
RECIPES: Mapping[str, tuple[str, str, str, list[list[str]], list[str]]] = {
    "an op": (
        "mbprof/ops/form.py", "\n\n" + code("an op"), SCALED,
        [["table", "net.yaml", "--columns", "name,mul", "--format", "csv"], ["schema"]],
        ["scale_1,512", '"scale"'],
    ),
    "a language function": (
        "mbprof/symbolic/arithmetic.py", code("a language function"), ROOTED,
        [
            ["table", "net.yaml", "--format", "csv"],
            ["sweep", "net.yaml", "--res", "8,16", "--where", "sqrt(macs) > 1", "--format", "csv"],
        ],
        ["conv_1,", "\n8,216,13824\n16,216,55296\n"],
    ),
    "a block": (
        "specs/blocks/twice.yaml", BLOCK, NET + "  - {op: twice, c: 4}\n",
        [["show", "twice"], ["block", "twice"], ["table", "net.yaml", "--by", "block"], ["schema"]],
        ["a convolution twice", "twice, in 8x8x4, c 4", "twice_1", '"twice"'],
    ),
    "a spec": (
        "specs/my_net.yaml", NET.replace("name: net", "name: my_net"), NET,
        [["table", "my_net", "--format", "csv"], ["list", "my_net"], ["verify", "my_net"]],
        ["conv_1", "my_net", "no claims"],
    ),
    "a convention": (
        "mbprof/network/conventions/muls.yaml", CONVENTION, NET,
        [["table", "net.yaml", "--convention", "muls"], ["explain", "net.yaml"]],
        ["(convention muls)", "muls"],
    ),
    "a device": (
        "mbprof/device/data/toy.yaml", DEVICE, NET,
        [["latency", "net.yaml", "--device", "toy"]],
        ["on toy"],
    ),
    "a rule": (
        "mbprof/checks/rules/widths.py", RULE, NET,
        [["check", "net.yaml"], ["check", "--explain", "MB299"], ["check", "--explain", "all"]],
        ["the network has one layer", "it is hardly a network", "MB299"],
    ),
    "a report format": (
        "mbprof/output/writers.py", WRITER, NET,
        [["table", "net.yaml", "--format", "tsv"], ["list", "--help"]],
        ["conv_1\t", "tsv"],
    ),
    "a command": (
        "mbprof/cli/networks.py", COMMAND, NET, [["hello"], ["--help"]], ["hello", "Say hello."],
    ),
}  # fmt: skip


def carried_out(path: Path, text: str) -> None:
    """Write a new file, or add to one: a row of the table of operations, or its end."""
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        return
    before, table = path.read_text(encoding="utf-8"), "OPERATIONS: dict[str, Operation] = {\n"
    after = before.replace(table, table + text) if table in before else before + text
    path.write_text(after, encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_touches_one_file(recipe: str, tmp_path: Path) -> None:
    assert f"### Add {recipe}\n" in TEXT
    touched, text, spec, asked, answers = RECIPES[recipe]
    for room in ("mbprof", "specs"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    carried_out(tmp_path / touched, text)
    (tmp_path / "net.yaml").write_text(spec, encoding="utf-8")
    said = []
    for arguments in asked:
        ended = child(
            sys.executable, "-m", "mbprof", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path)
        )
        assert ended.status == 0, (arguments, ended.out, ended.err)
        said.append(ended.out)
    for answer, out in zip(answers, said, strict=True):
        assert answer in out


def test_every_recipe_is_carried_out() -> None:
    """The step form's, which takes two files, is carried out in tests/features/test_forms.py."""
    written = re.findall(r"^### Add (.+)$", TEXT, flags=re.MULTILINE)
    assert {*written} == {*RECIPES, "a step form"}

"""Every command and output in the docs is what mbprof really says."""

import doctest
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import mbprof
from mbprof.checks import RULES
from mbprof.network import conventions
from mbprof.network.conventions import QUANTITIES
from mbprof.ops import OPS
from mbprof.ops.base import FACTS
from mbprof.ops.conv import FUNCTIONS as ACTIVATIONS
from mbprof.ops.fields import ARGUMENT_KINDS
from mbprof.ops.padding import PADDING_RULES
from mbprof.spec.knobs import COUNTERS, INPUT_NAMES
from mbprof.spec.reader import SPEC_KEYS
from mbprof.spec.sections import CALL_FIELDS as CALL_FIELDS
from mbprof.spec.wiring import WIRING_KEYS
from mbprof.symbolic.arithmetic import FUNCTIONS
from tests.conftest import ROOT, child, committed, invoke
from tests.features.docs import blocks, commands

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def said(line: str) -> str:
    """Return what a terminal of 80 columns shows of a command."""
    program, *arguments = shlex.split(line)
    assert program == "mbprof"
    ended = invoke(*arguments)
    return f"$ {line}\n{ended.out}{ended.err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_say_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, end = "", 0
    whole = page.read_text()
    for library in re.findall("<!-- needs: (\\w+) -->", whole):
        pytest.importorskip(library)
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.body)
        if block.kind == "console":
            text += whole[end : block.start] + "".join(map(said, commands(block.body)))
            end = block.end
    text += whole[end:]
    assert committed(page, text) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_docs_runs(page: Path) -> None:
    for library in re.findall("<!-- needs: (\\w+) -->", page.read_text()):
        pytest.importorskip(library)
    for block in blocks(page):
        if block.kind == "pycon":
            test = doctest.DocTestParser().get_doctest(block.body, {}, page.name, str(page), 0)
            assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_of_the_docs_exist(page: Path) -> None:
    for block in blocks(page):
        for line in block.body.splitlines() if block.kind == "sh" else ():
            if line.startswith("make "):
                assert child("make", "-n", *line.split()[1:], cwd=ROOT).status == 0, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def rows_of(spec: Path) -> str:
    """Return the body of a spec as it stands in its file."""
    lines = spec.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("body:"))
    rest = enumerate(lines[start + 1 :], start + 1)
    end = next(i for i, line in rest if not line.startswith(" "))
    return "\n".join(lines[start:end]) + "\n"


def test_rows_in_the_docs_are_those_of_the_specs() -> None:
    page = ROOT / "docs" / "zoo.md"
    text = page.read_text()
    pattern = re.compile(r"(<!-- rows: (\S+) -->\n```yaml\n)(.*?)(```)", re.S)
    assert len(pattern.findall(text)) == 4
    shown = pattern.sub(lambda m: m[1] + rows_of(ROOT / m[2]) + m[4], text)
    assert committed(page, shown) == shown


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines
    )


def generated() -> dict[str, str]:
    """Return the parts of the reference that are generated from the code."""
    ops = []
    for op in OPS.values():
        keys = ", ".join(
            f"`{key}`" if letter.required else f"`{key}`?" for key, letter in op.letters.items()
        )
        after = "".join(f", `{key}`?" for key in op.after)
        ops.append(
            [f"`{op.word}`", (op.__doc__ or "").splitlines()[0], (keys + after).lstrip(", ")]
        )
    letters: dict[tuple[str, str, str], list[str]] = {}
    for op in OPS.values():
        for key, letter in op.letters.items():
            letters.setdefault((key, letter.kind.word, letter.doc), []).append(op.word)
    return {
        "spec-keys": table(["key", "what"], [[f"`{k}`", v] for k, v in SPEC_KEYS.items()]),
        "step-keys": table(["key", "what"], [[f"`{k}`", v] for k, v in WIRING_KEYS.items()]),
        "ops": table(["op", "what it does", "keys"], ops),
        "letters": table(
            ["key", "type", "what", "of"],
            [[f"`{k}`", kind, doc, ", ".join(of)] for (k, kind, doc), of in letters.items()],
        ),
        "types": table(["type", "what"], [[f"`{k}`", v.doc] for k, v in ARGUMENT_KINDS.items()]),
        "activations": table(
            ["activation", "formula"], [[f"`{k}`", v.formula] for k, v in ACTIVATIONS.items()]
        ),
        "padding": table(
            ["rule", "what", "source"],
            [[f"`{k}`", v.doc, v.source] for k, v in PADDING_RULES.items()],
        ),
        "functions": table(["function", "what"], [[f"`{k}`", v.doc] for k, v in FUNCTIONS.items()]),
        "call-fields": table(["name", "what"], [[f"`{k}`", v] for k, v in CALL_FIELDS.items()]),
        "calls": table(
            ["op", "call"],
            [
                [f"`{name}`", f"`{call}`"]
                for name, call in (
                    *((name, op.call) for name, op in OPS.items() if name != "act"),
                    *((name, function.call) for name, function in ACTIVATIONS.items()),
                )
            ],
        ),
        "convention-keys": table(
            ["key", "what"], [[f"`{k}`", v] for k, v in conventions.KEYS.items()]
        ),
        "quantities": table(
            ["name", "what"], [[f"`{k}`", doc] for k, (doc, _) in QUANTITIES.items()]
        ),
        "kinds": table(["kind", "what"], [[f"`{k}`", v] for k, v in FACTS.items()]),
        "names": table(
            ["name", "what"], [[f"`{k}`", v] for k, v in {**INPUT_NAMES, **COUNTERS}.items()]
        ),
    }


def test_the_reference_is_generated_from_the_code() -> None:
    page = ROOT / "docs" / "spec-language.md"
    text = page.read_text()
    for name, part in generated().items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.S)
        assert pattern.search(text), name
        text = pattern.sub(lambda m, part=part: m[1] + part + m[2], text)  # type: ignore[misc]
    assert committed(page, text) == text


def of_conventions() -> dict[str, str]:
    """Return what the conventions say of themselves."""
    known = [conventions.load(name) for name in conventions.names()]
    rows = [
        [f"`{c.name}`", c.unit or "none", c.doc, c.tool or "–", c.releases or "–"] for c in known
    ]
    faults = [[f"`{c.name}`", fault] for c in known for fault in c.faults]
    return {
        "conventions": table(["convention", "unit", "what it counts", "tool", "releases"], rows),
        "faults": table(["convention", "fault"], faults),
    }


def of_rules() -> dict[str, str]:
    """Return what the rules of checks say of themselves."""
    rows = [[f"`{rule.code}`", rule.severity, rule.title] for rule in RULES.values()]
    return {"rules": table(["code", "severity", "finds"], sorted(rows))}


@pytest.mark.parametrize(
    ("name", "parts"), [("checks.md", of_rules), ("conventions.md", of_conventions)]
)
def test_tables_of_registries_are_generated(name: str, parts: Callable[[], dict[str, str]]) -> None:
    page = ROOT / "docs" / name
    text = page.read_text()
    for part, shown in parts().items():
        pattern = re.compile(rf"(<!-- generated: {part} -->\n).*?(<!-- end -->)", re.S)
        assert pattern.search(text), part
        text = pattern.sub(lambda m, shown=shown: m[1] + shown + m[2], text)  # type: ignore[misc]
    assert committed(page, text) == text


def test_the_changelog_has_the_version() -> None:
    assert f"## {mbprof.__version__}" in (ROOT / "CHANGELOG.md").read_text()

"""The shape of the house: imports run one way, start-up stays light, modules fit in a head."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mbprof

PACKAGE = Path(mbprof.__file__).parent

# From the text to the terminal; a module imports only what stands before it.
ORDER = [
    "errors",
    "source",
    "lanes.atoms",
    "lanes.symbols",
    "lanes",
    "lanes.program",
    "functions",
    "expr",
    "padding",
    "facts",
    "fields",
    "ops.base",
    "ops.window",
    "ops.conv",
    "ops.linear",
    "ops.pool",
    "ops.norm",
    "ops.act",
    "ops.join",
    "ops.form",
    "ops",
    "spec",
    "spec.nodes",
    "spec.knobs",
    "spec.calls",
    "spec.claims",
    "spec.budget",
    "spec.model",
    "spec.scalars",
    "spec.steps",
    "spec.overlay",
    "spec.reader",
    "revisions",
    "zoo",
    "graph",
    "build.frame",
    "build.names",
    "build.nodes",
    "build.expand",
    "build",
    "folding",
    "conventions.quantities",
    "conventions.model",
    "conventions.reader",
    "conventions",
    "profile",
    "fmt",
    "reports.model",
    "reports.terminal",
    "reports.writers",
    "reports",
    "reports.tables",
    "engine",
    "axes",
    "filters",
    "network",
    "alone",
    "formulas.tree",
    "formulas.algebra",
    "formulas.naming",
    "formulas.paths",
    "formulas.collect",
    "formulas.conditions",
    "formulas.letters",
    "formulas.text",
    "formulas.closed",
    "formulas.lone",
    "formulas",
    "formulas.latex",
    "formulas.notes",
    "formulas.sheet",
    "accuracy",
    "estimate",
    "joined",
    "sweeping",
    "verify",
    "catalogue",
    "align",
    "comparing",
    "differing",
    "changes",
    "wiring",
    "describe",
    "alternatives",
    "checks.model",
    "checks.paths",
    "checks.broken",
    "checks.shortcuts",
    "checks.widths",
    "checks.guidelines",
    "checks.functions",
    "checks.resolution",
    "checks.balance",
    "checks.budget",
    "checks.run",
    "checks",
    "checks.sarif",
    "checks.report",
    "schema",
    "output",
    "streams",
    "charts",
    "charts.points",
    "charts.style",
    "charts.kinds",
    "charts.costs",
    "charts.fronts",
    "plot",
    "dossier",
    "reconcile",
    "numbers",
    "search",
    "origins",
    "watching",
    "cli.app",
    "cli.options",
    "cli.inputs",
    "cli.compare",
    "cli.costs",
    "cli.formulas",
    "cli.zoo",
    "cli.blocks",
    "cli.explain",
    "cli",
    "__main__",
]
# The front door names what is behind it, and imports it when it is asked for.
FRONT = "__init__"


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mbprof":
            base = (node.module or "").removeprefix("mbprof").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                names.add(inner if inner in modules() else base or FRONT)
        elif isinstance(node, ast.Import):
            names |= {a.name[7:] for a in node.names if a.name.startswith("mbprof.")}
    return names


def test_every_module_has_its_place() -> None:
    assert sorted(modules()) == sorted([*ORDER, FRONT])


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_one_way(name: str) -> None:
    before = {*ORDER[: ORDER.index(name)], FRONT}
    assert imported(modules()[name]) <= before


def test_modules_fit_in_a_head() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def loaded(code: str) -> set[str]:
    script = f"import sys; {code}; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


HEAVY = {"pandas", "matplotlib", "networkx", "numpy", "rich", "yaml"}


def test_importing_mbprof_loads_nothing_else() -> None:
    assert not loaded("import mbprof") & (HEAVY | {"typer"})
    assert "mbprof.network" not in loaded("import mbprof")


def test_help_loads_no_library_but_typer() -> None:
    script = (
        "import sys, contextlib\nfrom mbprof import cli\nsys.argv = ['mbprof', '--help']\n"
        "with contextlib.suppress(SystemExit): cli.main()\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.splitlines()[-1].split()) & HEAVY


@pytest.mark.parametrize("format", ["csv", "md", "json", "html"])
def test_a_table_needs_no_heavy_library(format: str) -> None:
    script = (
        "import sys, contextlib\nfrom mbprof import cli\n"
        f"sys.argv = ['mbprof', 'table', 'mobilenet_v1', '--format', {format!r}]\n"
        "with contextlib.suppress(SystemExit): cli.main()\nprint()\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = set(done.stdout.splitlines()[-1].split()) & HEAVY
    assert heavy == {"yaml"}


def test_public_names_are_listed_and_documented() -> None:
    for name in mbprof.__all__:
        value = getattr(mbprof, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = mbprof.lod

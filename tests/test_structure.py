"""The shape of the house: imports run one way, start-up stays light, modules fit in a head."""

import ast
import importlib.metadata
import itertools
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import networkx
import pytest

import mbprof
from tests.conftest import ROOT, loaded, loaded_by

PACKAGE = Path(mbprof.__file__).parent

# From the ground up: a room imports rooms above it; rooms on one line do not know each other.
ROOMS = (
    ("errors",),
    ("symbolic",),
    ("language",),
    ("output",),
    ("ops",),
    ("spec",),
    ("network",),
    ("device",),
    ("compare", "published", "checks", "formulas", "exchange"),
    ("sweeps",),
    ("pages",),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


@cache
def modules() -> dict[str, Path]:
    """Return every module by its name within the package, the front door as ``__init__``."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def imported(name: str) -> set[str]:
    """Return the modules of the package that a module imports, at its top or in a function."""
    known, names = modules(), set()
    for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mbprof":
            base = (node.module or "").removeprefix("mbprof").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                names.add(inner if inner in known else base or "__init__")
        elif isinstance(node, ast.Import):
            names |= {a.name[7:] for a in node.names if a.name.startswith("mbprof.")}
    return names


def room(name: str) -> str:
    return name.partition(".")[0]


def test_the_house_has_fifteen_rooms_and_nothing_else() -> None:
    kept = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    files = {"__init__.py", "__main__.py", "errors.py", "py.typed"}
    assert kept == {*FLOOR, *files} - {"errors"}
    assert len(FLOOR) - 1 == 15


def test_each_room_says_what_it_is_for_in_a_sentence() -> None:
    for name in FLOOR:
        text = ast.get_docstring(ast.parse(modules()[name].read_text(encoding="utf-8"))) or ""
        assert text.partition("\n")[0].endswith("."), name


# The front door names what is behind it, and imports it when it is asked for.
@pytest.mark.parametrize("name", sorted(set(modules()) - {"__init__", "__main__"}))
def test_imports_between_rooms_run_one_way(name: str) -> None:
    own = room(name)
    for other in imported(name) - {"__init__"}:
        assert room(other) == own or FLOOR[room(other)] < FLOOR[own], (name, other)


def test_no_two_modules_import_each_other() -> None:
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from((name, other) for name in modules() for other in imported(name))
    graph.remove_node("__init__")
    assert [
        sorted(each) for each in networkx.strongly_connected_components(graph) if len(each) > 1
    ] == []


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [extras[name] for name in extras if name != "dev"]
    lines = itertools.chain(project["dependencies"], *asked)
    declared = {re.split("[<>=]", line)[0] for line in lines}
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in modules().values())
    roots = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").partition(".")[0])
    owners = importlib.metadata.packages_distributions()
    libraries = roots - sys.stdlib_module_names - {"mbprof"}
    # What an extra brings need not be here; it is then declared by the name that it is imported by.
    assert {owners.get(library, [library])[0] for library in libraries} <= declared


def test_modules_fit_in_a_head() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


HEAVY = {"pandas", "matplotlib", "networkx", "numpy", "rich", "yaml", "distributed"}


def test_importing_mbprof_loads_nothing_else() -> None:
    assert not loaded("import mbprof") & (HEAVY | {"typer"})
    assert {
        name for name in loaded("import mbprof; dir(mbprof)") if name.startswith("mbprof.")
    } == set()


def test_what_the_front_door_names_for_checkers_is_what_it_imports() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    named = {
        ("list" if alias.name == "catalogue" else alias.name): (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert named == mbprof._HOME_OF


def test_help_loads_no_library_but_typer() -> None:
    assert loaded_by("--help") & (HEAVY | {"typer"}) == {"typer"}


LATER = {"fractions", "mbprof.network.reach", "mbprof.network.sizes", "mbprof.spec.git"}
"""What no usual table needs."""


@pytest.mark.parametrize("format", ["rich", "csv", "md", "json", "html"])
def test_a_table_needs_no_heavy_library(format: str) -> None:
    asked = loaded_by("table", "mobilenet_v1", "--format", format)
    assert asked & (HEAVY | LATER) == {"yaml"}
    rooms = {name.split(".")[1] for name in asked if name.startswith("mbprof.")}
    assert rooms == {"cli", "errors", "language", "network", "ops", "output", "spec", "symbolic"}


def test_public_names_are_listed_and_documented() -> None:
    for name in mbprof.__all__:
        value = getattr(mbprof, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = mbprof.lod

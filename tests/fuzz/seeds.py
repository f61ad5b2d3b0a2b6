"""What mutants are made of: trees of specs, blocks and conventions, and their parts."""

import contextlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import mbprof
from mbprof.ops import OPS
from mbprof.spec.reader import SPEC_KEYS
from mbprof.spec.wiring import WIRING_KEYS
from tests.conftest import sections
from tests.fuzz.case import Case

SPECS = Path(mbprof.__file__).parent.parent / "specs"
CONVENTIONS = Path(mbprof.__file__).parent / "network" / "conventions"
CASES = Path(__file__).parent.parent / "cases"
CORPUS = Path(__file__).parent / "corpus"
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

EASY = 400
"""Characters of a text up to which one is as likely as another; longer ones cost time."""
PART = 300
"""Characters of the longest row or value that is put elsewhere."""
_STEPS = {"op", "branches", "repeat", "side", "rows"}


class Seeds(NamedTuple):
    """Trees, each with how likely it is, added up."""

    trees: tuple[Any, ...]
    chances: tuple[float, ...]

    @classmethod
    def of(cls, trees: Mapping[float, Iterable[Any]]) -> "Seeds":
        """Return trees, by how often they are wanted, that are the rarer, the larger they are."""
        made = [(often, tree) for often, some in trees.items() for tree in some]
        chances = (often * max(EASY, len(json.dumps(tree))) ** -1.5 for often, tree in made)
        return cls(tuple(tree for _, tree in made), tuple(accumulate(chances)))

    def draw(self, rng: random.Random) -> Any:
        """Return one of them."""
        return rng.choices(self.trees, cum_weights=self.chances)[0]


def trees(texts: Iterable[str]) -> Iterator[Any]:
    for text in texts:
        with contextlib.suppress(yaml.YAMLError):
            tree = yaml.load(text, Loader=LOADER)
            if isinstance(tree, dict):
                yield tree


def _texts(folder: Path) -> Iterator[str]:
    yield from (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml")))


@cache
def corpus() -> tuple[Case, ...]:
    """Return all that ever failed."""
    return tuple(Case.read(path) for path in sorted(CORPUS.glob("*.json")))


@cache
def typed() -> tuple[Case, ...]:
    """Return the command lines of the cases of errors, with their files."""
    files = {"spec": "spec.yaml", "convention": "mine.yaml"}
    cases = map(sections, sorted((CASES / "errors").glob("*.case")))
    return tuple(
        Case(tuple(case["args"].split()), {files[key]: case[key] for key in files if key in case})
        for case in cases
        if "make" not in case and "spec" in case
    )


@cache
def specs() -> Seeds:
    """Return the zoo, blocks at their examples, and the small specs of the tests."""
    checks = [sections(path) for path in sorted((CASES / "checks").glob("*.case"))]
    shown = [case[key] for case in checks for key in ("fires", "silent") if key in case]
    public, wrong = _texts(CASES / "public"), (case.files.get("spec.yaml", "") for case in typed())
    failed = (text for case in corpus() for name, text in case.files.items() if name == "s.yaml")
    usual = [*_texts(SPECS), *shown, *public]
    return Seeds.of({2: _examples(), 1: trees(usual), 0.1: trees([*failed, *wrong])})


def _examples() -> Iterator[Any]:
    """Yield a spec for each block, which calls it as its example does."""
    for path in sorted((SPECS / "blocks").glob("*.yaml")):
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
        example = dict(tree.get("example", {}))
        size = example.pop("in", "")
        if isinstance(size, str) and size.count("x") == 2:
            high, _, channels = size.split("x")
            yield {
                "name": "n",
                "input": {"channels": channels, "res": high},
                "body": [{"op": path.stem, **example}],
            }


@cache
def blocks() -> Seeds:
    """Return the block library."""
    return Seeds.of({1: trees(_texts(SPECS / "blocks"))})


@cache
def conventions() -> Seeds:
    """Return the conventions."""
    return Seeds.of({1: trees(_texts(CONVENTIONS))})


Place = tuple[Any, Any, str]
"""What holds a value, its key or index there, and the name of what it says."""


def places(tree: Any, name: str = "") -> Iterator[Place]:
    """Yield every place of a tree; a cell of a table has the name of its column."""
    if isinstance(tree, dict):
        columns = tree.get("columns")
        for key, value in tree.items():
            yield tree, key, key
            if key == "rows" and isinstance(columns, list) and isinstance(value, list):
                yield from _cells(value, columns)
            elif isinstance(value, dict | list):
                yield from places(value, key)
    else:
        for index, value in enumerate(tree):
            yield tree, index, name
            if isinstance(value, dict | list):
                yield from places(value, name)


def _cells(rows: list[Any], columns: list[Any]) -> Iterator[Place]:
    for index, row in enumerate(rows):
        yield rows, index, "rows"
        if isinstance(row, list):
            names = (column if isinstance(column, str) else "" for column in columns)
            yield from ((row, at, name) for at, name in zip(range(len(row)), names, strict=False))
        elif isinstance(row, dict):
            yield from places(row, "rows")


def _known() -> tuple[str, ...]:
    """Return the ops and the blocks of the library."""
    return (*OPS, *(path.stem for path in (SPECS / "blocks").glob("*.yaml")))


@cache
def values() -> dict[tuple[str, type], tuple[Any, ...]]:
    """Return what stands behind each key anywhere, by its kind, each value once."""
    found: dict[tuple[str, type], dict[str, Any]] = defaultdict(dict)
    for tree in (*specs().trees, *blocks().trees):
        for holder, key, name in places(tree):
            text = json.dumps(holder[key])
            if len(text) < PART:
                found[name, type(holder[key])][text] = holder[key]
    found["op", str] = {name: name for name in _known()}
    return {name: tuple(known.values()) for name, known in found.items()}


@cache
def keys() -> dict[str, tuple[str, ...]]:
    """Return which keys stand in the mappings behind each key anywhere; "" is the whole."""
    found: dict[str, set[str]] = defaultdict(set)
    for tree in (*specs().trees, *blocks().trees):
        for holder, key, name in places(tree):
            if isinstance(holder[key], dict):
                found[name].update(holder[key])
    found[""] = set(SPEC_KEYS)
    return {name: tuple(sorted(known)) for name, known in found.items()}


def sayable(holder: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return what a mapping can say, which is found behind a key: a row what its op has."""
    op = holder.get("op")
    if isinstance(op, str) and op in OPS:
        return (*WIRING_KEYS, *OPS[op].letters, *OPS[op].after)
    return keys().get(name) or tuple(WIRING_KEYS)


@cache
def steps() -> tuple[dict[str, Any], ...]:
    """Return short rows of bodies that need no block of their spec, each once."""
    found, known = {}, set(_known())
    for tree in (*specs().trees, *blocks().trees):
        for holder, key, _ in places(tree):
            value = holder[key]
            if isinstance(holder, list) and isinstance(value, dict) and _STEPS & value.keys():
                text = json.dumps(value)
                if len(text) < PART and value.get("op", "conv") in known:
                    found[text] = value
    return tuple(found.values())

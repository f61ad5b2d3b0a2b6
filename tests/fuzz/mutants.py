"""Inputs that are almost right: trees of specs, blocks, conventions and command lines, mutated."""

import contextlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import mbprof
from tests.fuzz.case import Case

SPECS = Path(mbprof.__file__).parent.parent / "specs"
CONVENTIONS = Path(mbprof.__file__).parent / "network" / "conventions"
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
CORPUS = Path(__file__).parent / "corpus"

_LISTS: dict[str, list[str]] = json.loads((Path(__file__).parent / "values.json").read_text())
NUMBERS, WORDS, EXPRESSIONS = _LISTS["numbers"], _LISTS["words"], _LISTS["expressions"]
VALUES = [*NUMBERS, *WORDS, *_LISTS["hostile"], *EXPRESSIONS]


def _trees(texts: Iterable[str]) -> tuple[Any, ...]:
    trees = []
    for text in texts:
        with contextlib.suppress(yaml.YAMLError):
            trees.append(yaml.load(text, Loader=LOADER))
    return tuple(tree for tree in trees if isinstance(tree, dict))


def _texts(folder: Path) -> Iterator[str]:
    yield from (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml")))


@cache
def specs() -> tuple[Any, ...]:
    """Return the trees of the zoo's specs, and of the texts of the corpus."""
    files = (file for case in corpus() for file in case.files.items())
    return _trees([*_texts(SPECS), *(text for name, text in files if name.endswith(".yaml"))])


@cache
def blocks() -> tuple[Any, ...]:
    """Return the trees of the block library."""
    return _trees(_texts(SPECS / "blocks"))


@cache
def conventions() -> tuple[Any, ...]:
    """Return the trees of the conventions."""
    return _trees(_texts(CONVENTIONS))


@cache
def corpus() -> tuple[Case, ...]:
    """Return all that ever failed."""
    return tuple(Case.read(path) for path in sorted(CORPUS.glob("*.json")))


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of a tree: what holds it, and its key or index there."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from places(tree[key])


def copied(tree: Any) -> Any:
    """Return a deep copy of a tree."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    return [copied(value) for value in tree] if isinstance(tree, list) else tree


def _any(rng: random.Random) -> Any:
    word = rng.choice(VALUES)
    kind = rng.random()
    if kind < 0.9:
        return word
    return [word, rng.choice(VALUES)] if kind < 0.95 else {rng.choice(WORDS): word}


def _replace(rng: random.Random, holder: Any, key: Any) -> None:
    holder[key] = _any(rng)


def _drop(rng: random.Random, holder: Any, key: Any) -> None:
    del holder[key]


def _rename(rng: random.Random, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(holder, dict):
        holder[str(rng.choice(WORDS if rng.random() < 0.7 else VALUES))] = holder.pop(key)
    else:
        holder.insert(rng.randrange(len(holder) + 1), copied(value))


def _splice(rng: random.Random, holder: Any, key: Any) -> None:
    source, there = rng.choice(list(places(rng.choice([*specs(), *blocks()]))))
    holder[key] = copied(source[there])


def _wrap(rng: random.Random, holder: Any, key: Any) -> None:
    value = holder[key]
    holder[key] = rng.choice([[value], {rng.choice(WORDS): value}, [value, copied(value)]])


def _join(rng: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder[key], str):
        word = str(rng.choice(VALUES))
        at = rng.randrange(len(holder[key]) + 1)
        holder[key] = holder[key][:at] + word + holder[key][at:]


def _tweak(rng: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder[key], str) and holder[key].isdigit():
        holder[key] = str(rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 16, 63, 100, 4096, 10**6]))
    elif isinstance(holder[key], str):
        holder[key] = rng.choice(WORDS)


def _many(rng: random.Random, holder: Any, key: Any) -> None:
    value, count = holder[key], rng.choice([9, 99, 999])
    if isinstance(holder, list):
        holder[key : key + 1] = [copied(value) for _ in range(count)]
    elif isinstance(value, str):
        holder[key] = value * count


STEPS: tuple[Callable[[random.Random, Any, Any], None], ...] = (
    _tweak, _tweak, _tweak, _replace, _replace, _drop, _rename, _splice, _wrap, _join, _many,
)  # fmt: skip


def mutated(rng: random.Random, tree: Any, most: int = 4) -> Any:
    """Return a tree with one to ``most`` changes."""
    tree = copied(tree)
    for _ in range(min(rng.randint(1, most), rng.randint(1, most))):
        here = list(places(tree))
        if here:
            holder, key = rng.choice(here)
            rng.choice(STEPS)(rng, holder, key)
    return tree


def written(rng: random.Random, tree: Any) -> str:
    """Return a tree as text, which is now and then damaged once more."""
    text = yaml.dump(
        tree, Dumper=DUMPER, allow_unicode=rng.random() < 0.5, sort_keys=False, width=10**6
    )
    # The dump quotes what is no word; specs are written without quotes.
    text = text.replace("'", "") if rng.random() < 0.05 else text
    if rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + str(rng.choice(VALUES)) + text[at + rng.randrange(9) :]
    return text


def spec(rng: random.Random) -> Case:
    """Return the load of a mutated spec."""
    tree = mutated(rng, rng.choice(specs()))
    return Case(("load", "s.yaml"), {"s.yaml": written(rng, tree)})


KNOBS = ("alpha", "res", "classes", "output_stride", "final_endpoint", "depth_multiplier", "e", "x")
FORMATS = ("terminal", "csv", "json", "md", "markdown", "html", "latex", "svg", "sarif", "parquet")
NETWORKS = ("mobilenet_v1", "mobilenet_v2", "squeezenet", "resnet18", "s.yaml", "s.yaml", "b.yaml")
COMMANDS = (
    "table", "block", "check", "compare", "diff", "sweep", "accuracy", "plot", "report", "explain",
    "formula", "list", "show", "verify", "schema",
)  # fmt: skip
OPTIONS = (
    "--alpha", "--res", "--set", "--format", "--convention", "--scope", "--where", "--pareto",
    "--sort", "--top", "--columns", "--number", "--group", "--random", "--seed", "--jobs", "--from",
    "--max-macs", "--max-params", "--blocks", "--kind", "--by", "--in", "-o",
)  # fmt: skip


def _argument(rng: random.Random, option: str) -> str:
    choices: dict[str, Callable[[], str]] = {
        "--alpha": lambda: rng.choice(["0.25,0.5", "0.1:1:0.1", "1:1e30:1e-30", *NUMBERS]),
        "--res": lambda: rng.choice(["32,64", "96:224:32", "32x64", *NUMBERS]),
        "--set": lambda: f"{rng.choice(KNOBS)}={rng.choice(VALUES)}",
        "--format": lambda: rng.choice(FORMATS),
        "--convention": lambda: rng.choice(["kernels", "thop", "fvcore", "c.yaml", "x"]),
        "--scope": lambda: rng.choice(["body", "all", "x"]),
        "--where": lambda: rng.choice(["macs < 100M", "params > 0", *EXPRESSIONS]),
        "--pareto": lambda: rng.choice(["macs", "macs,params", "x", "res,macs,params"]),
        "--from": lambda: rng.choice(["k.csv", "s.yaml", "no.csv", "."]),
        "--in": lambda: rng.choice(["3x32x32", "32x8x8", *NUMBERS]),
        "-o": lambda: rng.choice(["o.csv", "o.md", "o.html", "o.json", "o.svg", "no/o.csv", "."]),
        "--jobs": lambda: rng.choice(["1", "0", "-1", "x"]),
        "--random": lambda: rng.choice(["3", "1000000000000", *NUMBERS]),
    }
    return choices.get(option, lambda: str(rng.choice([*NUMBERS, *WORDS])))()


def pipeline(rng: random.Random) -> Case:
    """Return a whole command, with a mutated spec, block, convention and list of knobs."""
    files = {
        "s.yaml": written(rng, mutated(rng, rng.choice(specs()), 2)),
        "b.yaml": written(rng, mutated(rng, rng.choice(blocks()), 1)),
        "c.yaml": written(rng, mutated(rng, rng.choice(conventions()), 2)),
        "k.csv": "\n".join(
            ",".join(str(rng.choice([*KNOBS, *VALUES] if row == 0 else VALUES)) for _ in range(3))
            for row in range(rng.randint(0, 4))
        ),
    }
    command = rng.choice(COMMANDS)
    arguments = [rng.choice(NETWORKS)]
    if command in ("compare", "diff", "report"):
        arguments.append(rng.choice(NETWORKS))
    if command in ("list", "schema"):
        arguments = []
    for _ in range(rng.randint(0, 3)):
        option = rng.choice(OPTIONS)
        arguments += [option, _argument(rng, option)]
    if rng.random() < 0.05:
        arguments.insert(rng.randrange(len(arguments) + 1), str(rng.choice(VALUES)))
    if command == "report":
        arguments += ["-o", "r"]
    used = " ".join(arguments)
    return Case((command, *arguments), {name: text for name, text in files.items() if name in used})

"""Inputs that are almost right: specs, blocks, conventions and lists of knobs, mutated."""

import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz import seeds
from tests.fuzz.case import Case
from tests.fuzz.seeds import Place

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
LISTS: dict[str, Any] = json.loads((Path(__file__).parent / "values.json").read_text())
NUMBERS, WORDS, EXPRESSIONS = LISTS["numbers"], LISTS["words"], LISTS["expressions"]
VALUES = [*NUMBERS, *WORDS, *LISTS["hostile"], *EXPRESSIONS]
KNOBS = ("alpha", "res", "classes", "output_stride", "final_endpoint", "depth_multiplier", "e", "x")
SMALL = ("0", "1", "2", "3", "4", "5", "7", "8", "16", "63", "100", "4096", "1000000")

SWEPT = 200
"""Of so many loads, one is of a sweep and a formula beside the run, too."""
ROOM = 2000
"""Characters of a text from which on a change makes nothing many times as large."""


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


def _usual(rng: random.Random, name: str, kind: type) -> Any:
    if rng.random() < 0.1:
        kind = rng.choice((str, list, dict))
    known = seeds.values().get((name, kind))
    return copied(rng.choice(known)) if known else rng.choice(WORDS)


def _tweak(rng: random.Random, place: Place) -> None:
    holder, key, name = place
    if isinstance(holder[key], str) and holder[key].isdigit() and rng.random() < 0.5:
        holder[key] = rng.choice(SMALL)
    else:
        holder[key] = _usual(rng, name, type(holder[key]))


def _replace(rng: random.Random, place: Place) -> None:
    holder, key, _ = place
    holder[key] = _any(rng)


def _drop(rng: random.Random, place: Place) -> None:
    holder, key, _ = place
    del holder[key]


def _rename(rng: random.Random, place: Place) -> None:
    holder, key, name = place
    if isinstance(holder, dict):
        known = seeds.sayable(holder, name)
        holder[str(rng.choice(known if rng.random() < 0.7 else VALUES))] = holder.pop(key)
    else:
        holder.insert(rng.randrange(len(holder) + 1), holder.pop(key))


def _say(rng: random.Random, place: Place) -> None:
    """Say one thing more, of what others say in such a place."""
    holder, key, name = place
    inner = holder[key]
    if isinstance(inner, dict):
        more = rng.choice(seeds.sayable(inner, name))
        inner[more] = _usual(rng, more, str)
    elif isinstance(holder, list) and name in ("body", "rows", "head"):
        holder.insert(key + rng.randrange(2), copied(rng.choice(seeds.steps())))


def _again(rng: random.Random, place: Place) -> None:
    holder, key, name = place
    if isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copied(holder[key]))
    else:
        more = rng.choice(seeds.sayable(holder, name))
        holder[more] = copied(holder[key])


def _wrap(rng: random.Random, place: Place) -> None:
    holder, key, _ = place
    value = holder[key]
    holder[key] = rng.choice([[value], {rng.choice(WORDS): value}, [value, copied(value)]])


def _join(rng: random.Random, place: Place) -> None:
    holder, key, _ = place
    if isinstance(holder[key], str):
        word = str(rng.choice(VALUES))
        at = rng.randrange(len(holder[key]) + 1)
        holder[key] = holder[key][:at] + word + holder[key][at:]


def _many(rng: random.Random, place: Place) -> None:
    holder, key, _ = place
    value, count = holder[key], rng.choice([9, 9, 9, 99, 99, 999])
    if isinstance(holder, list):
        holder[key : key + 1] = [copied(value) for _ in range(count)]
    elif isinstance(value, str):
        holder[key] = value * count


CHANGES: dict[Callable[[random.Random, Place], None], int] = {
    _tweak: 48, _say: 24, _again: 8, _replace: 6, _drop: 6, _rename: 4, _wrap: 2, _join: 2,
    _many: 1,
}  # fmt: skip
"""Each with how often it is made."""
_KINDS, _OFTEN = list(CHANGES), list(CHANGES.values())


def mutated(rng: random.Random, tree: Any) -> Any:
    """Return a tree with one change or a few."""
    tree = copied(tree)
    while True:
        here = list(seeds.places(tree))
        if here:
            change = rng.choices(_KINDS, _OFTEN)[0]
            if change is not _many or len(here) < ROOM:
                change(rng, rng.choice(here))
        if rng.random() < 0.7:
            return tree


_PLAIN = re.compile(r"(?![-=](?:\s|$))[-=]?[\w.~][\w.+*/()=<>! $-]*(?<! )", re.ASCII)


@cache
def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _flow(node: Any) -> str:
    if isinstance(node, dict):
        return (
            "{" + ", ".join([f"{_word(key)}: {_flow(value)}" for key, value in node.items()]) + "}"
        )
    if isinstance(node, list):
        return "[" + ", ".join(map(_flow, node)) + "]"
    return _word(str(node))


def _typed(tree: Any) -> str:
    """Return a tree as people write it: a line for each row, and no quotes but where needed."""
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            inner = [f"  {_word(name)}: {_flow(below)}" for name, below in value.items()]
        elif isinstance(value, list) and value:
            inner = [f"  - {_flow(below)}" for below in value]
        else:
            lines.append(f"{_word(key)}: {_flow(value)}")
            continue
        lines += [f"{_word(key)}:", *inner]
    return "\n".join(lines) + "\n"


def written(rng: random.Random, tree: Any) -> str:
    """Return a tree as text, which is now and then damaged once more."""
    how = rng.random()
    if how < 0.02:
        return yaml.dump(tree, Dumper=DUMPER, allow_unicode=True, sort_keys=False, width=10**6)
    text = _typed(tree) if how < 0.95 else json.dumps(tree, ensure_ascii=how < 0.97)
    if rng.random() < 0.05:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + str(rng.choice(VALUES)) + text[at + rng.randrange(9) :]
    return text


def drawn(rng: random.Random, some: seeds.Seeds, sound: float = 0.0) -> str:
    """Return the text of one of some trees, mutated but for a share."""
    tree = some.draw(rng)
    return _typed(tree) if rng.random() < sound else written(rng, mutated(rng, tree))


def load(rng: random.Random) -> Case:
    """Return the load of a mutated spec, now and then with all that has to agree with it."""
    how = "load" if rng.randrange(SWEPT) == 0 else "build"
    return Case((how, "s.yaml"), {"s.yaml": drawn(rng, seeds.specs())})


def listed(rng: random.Random) -> str:
    """Return a CSV of configurations."""
    rows = [[rng.choice(KNOBS if rng.random() < 0.8 else VALUES) for _ in range(2)]]
    rows += [[rng.choice(VALUES), rng.choice(NUMBERS)] for _ in range(rng.randint(0, 4))]
    return "\n".join(",".join(map(str, row)) for row in rows)

"""Command lines that are almost right: every command with its own options, and files mutated."""

import random
from functools import cache
from typing import Any

import typer

from mbprof.cli.manual import app
from tests.fuzz import mutants, seeds
from tests.fuzz.case import Case
from tests.fuzz.mutants import LISTS, NUMBERS, VALUES, WORDS

NEVER = {"watch", "serve", "measure", "calibrate"}
"""Commands that wait for somebody, or that run what is installed."""
LONG = {"report": 0.02, "verify": 0.1, "plot": 0.2, "list": 0.2, "schema": 0.05, "docs": 0.3}
"""Commands that do much whatever their input is, with how often they are tried beside others."""
UNUSED = {"--scheduler", "--run", "--all", "--zoo", "--help"}
"""Options that start a cluster, run what is installed, or count the whole zoo."""
SOUND = 0.4
"""How many files are left as they are: what comes behind a refusal is seen of them alone."""
FILES = {
    "s.yaml": lambda rng: mutants.drawn(rng, seeds.specs(), SOUND),
    "b.yaml": lambda rng: mutants.drawn(rng, seeds.blocks(), SOUND),
    "c.yaml": lambda rng: mutants.drawn(rng, seeds.conventions(), SOUND),
    "k.csv": mutants.listed,
}
"""The files beside a command, each with what makes it."""


@cache
def commands() -> dict[str, Any]:
    """Return the commands that are tried, as they are registered."""
    group: Any = typer.main.get_command(app(None))
    return {name: made for name, made in group.commands.items() if name not in NEVER}


@cache
def _chances() -> tuple[list[str], list[float]]:
    return list(commands()), [LONG.get(name, 1.0) for name in commands()]


@cache
def _options(command: str) -> tuple[tuple[str, bool], ...]:
    """Return the options of a command, each with whether a value follows it."""
    params = (param for param in commands()[command].params if param.param_type_name == "option")
    named = ((word, param) for param in params for word in (*param.opts, *param.secondary_opts))
    return tuple(
        (word, not param.is_flag)
        for word, param in named
        if word not in UNUSED and not (word == "--from" and command == "explain")
    )


def _value(rng: random.Random, option: str) -> str:
    known = LISTS["options"].get(option)
    if known and rng.random() < 0.75:
        return str(rng.choice(known))
    if option == "--set":
        return f"{rng.choice(mutants.KNOBS)}={rng.choice(VALUES)}"
    return str(rng.choice([*NUMBERS, *WORDS] if rng.random() < 0.9 else VALUES))


def _arguments(rng: random.Random, command: str) -> list[str]:
    """Return what stands in the places of a command's arguments."""
    names: list[str] = []
    for param in commands()[command].params:
        if param.param_type_name == "argument":
            least = 1 if param.required or command in LISTS["needed"] else 0
            most = 2 if param.nargs == -1 else 1
            known = LISTS["arguments"].get(command, LISTS["arguments"][""])
            names += [str(rng.choice(known)) for _ in range(rng.randint(least, most))]
    return names


def pipeline(rng: random.Random) -> Case:
    """Return a whole command with its files; some start from the cases of the tests."""
    if rng.random() < 0.1:
        return _retyped(rng)
    (command,) = rng.choices(*_chances())
    words = [*_arguments(rng, command), *LISTS["always"].get(command, ())]
    for _ in range(min(rng.randint(0, 3), rng.randint(0, 3))):
        word, valued = rng.choice(_options(command))
        words += [word, _value(rng, word)] if valued else [word]
    if rng.random() < 0.05:
        words.insert(rng.randrange(len(words) + 1), str(rng.choice(VALUES)))
    used = " ".join(words)
    return Case(
        (command, *words), {name: make(rng) for name, make in FILES.items() if name in used}
    )


def _retyped(rng: random.Random) -> Case:
    """Return a command of a case of the tests, its text mutated or its words."""
    case = rng.choice([case for case in seeds.typed() if case.argv[0] in commands()])
    words = list(case.argv)
    if rng.random() < 0.5 and len(words) > 2:
        words[rng.randrange(2, len(words))] = str(rng.choice(VALUES))
    files = dict(case.files)
    for name, text in case.files.items():
        for tree in seeds.trees([text]):
            files[name] = mutants.written(rng, mutants.mutated(rng, tree))
    return Case(tuple(words), files)

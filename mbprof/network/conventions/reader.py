"""A convention found and read from its file, with every key, kind, unit, op and name checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from mbprof.errors import SpecError, closest, unknown
from mbprof.language.expr import Expr
from mbprof.language.source import Map, Node, Scalar, Seq, parse, read
from mbprof.language.tree import known_keys, mapping, one_of, required, text, word, words
from mbprof.network.conventions.model import NAMES, SIDE, UNITS, Convention, Measure
from mbprof.ops import OPS
from mbprof.ops.act import FUNCTIONS
from mbprof.ops.facts import FACTS

DEFAULT = "kernels"
_FOLDER = Path(__file__).resolve().parent

KEYS = {
    "name": "the convention's name",
    "doc": "what it counts, in a sentence",
    "tool": "the tool that counts like this, with its version",
    "source": "where the formulas stand",
    "unit": "the unit of the cost: MACs, FLOPs, or none for a tool that counts no cost",
    "params": "stored values: weights of kinds, such as {kernels: 1}",
    "params_of": "or formulas of ops or calls, such as {nn.Conv2d: kernels + biases}",
    "macs": "MACs: weights of kinds, such as {mac: 1}",
    "macs_of": "or formulas of ops or calls, such as {conv: mac + add}",
    "flops": "FLOPs: weights of kinds, such as {mac: 2}",
    "flops_of": "or formulas of ops or calls, such as {bn: 2 * in}",
    "side": "auxiliary outputs: " + ", ".join(SIDE),
    "fold": "whether batch norms are folded into the layers before them",
    "faults": "known errors of the tool that are reproduced, in words",
}
"""The keys of a convention's file, with what each is."""


def names() -> list[str]:
    """Return the names of the conventions, the default first, the others in alphabetical order."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: name != DEFAULT)


def load(name: str) -> Convention:
    """Return a convention by name, or from a file by its path.

    Raises: UsageError: there is none of that name. SourceError, SpecError, ExpressionError: a
    file does not hold a convention.

    >>> load("torchinfo").unit
    'MACs'
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    path = _FOLDER / f"{name}.yaml"
    if not name or not path.is_file():
        raise unknown("convention", name, names(), limit=24)
    return _read(path, 0)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Convention:
    """Read a file; one that has changed since is another file."""
    built_in = path.resolve().parent == _FOLDER
    others = () if built_in else tuple(load(name) for name in names())
    return convention(parse(read(path, "convention")), others)


def convention(root: Node, others: Sequence[Convention] = ()) -> Convention:
    """Read a convention from its tree; it has another name than ``others``.

    A call that only resembles those of others, or of ops, is taken for a misspelt one.
    Raises: SpecError, ExpressionError: with the place and a hint.
    """
    what = "a convention"
    tree = mapping(root, what)
    known_keys(tree, KEYS, what)
    calls = _calls(others) if others else set()
    unit = word(required(tree, "unit", what), "unit")
    units = [*UNITS.values(), "none"]
    if unit.text not in units:
        raise unknown("unit", unit.text, units, unit.loc)
    given = {name: _measure(tree, name, calls) for name in UNITS}
    measures = {name: measure for name, measure in given.items() if measure is not None}
    main = unit.text.lower()
    if unit.text == "none" and measures:
        raise SpecError(f"a cost in {next(iter(measures))} needs a unit", unit.loc)
    if unit.text != "none" and main not in measures:
        raise SpecError(
            f"the unit is {unit.text}, but nothing says what costs them",
            unit.loc,
            f"add {main} or {main}_of",
        )
    params = _measure(tree, "params", calls)
    if params is None:
        raise SpecError("a convention lacks the key 'params'", tree.loc)
    faults = tree.get("faults")
    name = word(required(tree, "name", what), "name")
    if any(name.text == other.name for other in others):
        hint = "give yours another name"
        raise SpecError(f"{name.text!r} is the name of a built-in convention", name.loc, hint)
    return Convention(
        name=name.text,
        doc=text(tree, "doc"),
        tool=text(tree, "tool"),
        source=text(tree, "source"),
        params=params,
        measures=dict(sorted(measures.items(), key=lambda pair: pair[0] != main)),
        side=one_of(tree, "side", tuple(SIDE), "all"),
        folds=one_of(tree, "fold", ("true", "false"), "false") == "true",
        faults=tuple(fault.text for fault in words(faults, "a fault")) if faults else (),
    )


def _measure(tree: Map, name: str, calls: Collection[str]) -> Measure | None:
    """Read the weights of kinds under a name, or the formulas under ``NAME_of``."""
    kinds, rules = tree.get(name), tree.get(f"{name}_of")
    if kinds is not None and rules is not None:
        raise SpecError(f"give either {name} or {name}_of", rules.loc)
    if kinds is not None:
        return Measure(_weights(mapping(kinds, name)), {})
    if rules is not None:
        return Measure({}, _rules(mapping(rules, f"{name}_of"), calls))
    return None


def _weights(node: Map) -> dict[str, int]:
    weights = {}
    for kind, entry in node.entries.items():
        scalar = word(entry.value, "a weight")
        if kind not in FACTS:
            raise unknown("kind", kind, FACTS, entry.key.loc, 20)
        if not re.fullmatch(r"[0-9]{1,9}", scalar.text):
            typed = scalar.text if len(scalar.text) <= 20 else f"{scalar.text[:20]}…"
            hint = "at most 9 digits" if scalar.text.isdecimal() else None
            raise SpecError(f"a weight is a whole number, found {typed!r}", scalar.loc, hint)
        weights[kind] = int(scalar.text)
    return weights


def _rules(node: Map, calls: Collection[str]) -> dict[str, Expr]:
    """Read ``{OPS: FORMULA}``; a key is an op, a function or a call, or several with commas."""
    rules: dict[str, Expr] = {}
    for keys, entry in node.entries.items():
        if isinstance(entry.value, Map | Seq):
            raise SpecError("a formula is a single value", entry.value.loc)
        formula = Expr.parse(word(entry.value, "a formula"))
        formula.check(NAMES)
        for key in (part.strip() for part in keys.split(",")):
            _check_key(key, entry.key, calls)
            if key in rules:
                raise SpecError(f"{key} has two formulas", entry.key.loc)
            rules[key] = formula
    return rules


def _calls(others: Iterable[Convention]) -> set[str]:
    """Return the calls that ops make, and those that conventions have formulas for."""
    made = {op.call for op in OPS.values()} | {function.call for function in FUNCTIONS.values()}
    measures = (measure for other in others for measure in (other.params, *other.measures.values()))
    return made.union(*(measure.rules for measure in measures))


_OTHERS = {
    "nn.Bilinear", "nn.Hardshrink", "nn.LazyBatchNorm2d", "nn.LazyConv2d", "nn.LazyLinear",
    "nn.LogSigmoid", "nn.LogSoftmax", "nn.MaxUnpool2d", "nn.Softmin", "nn.SyncBatchNorm",
    "F.bilinear", "F.hardshrink", "F.log_softmax", "F.logsigmoid", "F.max_unpool2d", "F.softmin",
}  # fmt: skip
"""Calls of PyTorch that resemble known ones and are not those."""


def _check_key(key: str, scalar: Scalar, calls: Collection[str]) -> None:
    """Refuse a plain word that is no op, and a call that is a known one misspelt.

    The names of calls have dots, capitals or signs.
    """
    known = [*OPS, *FUNCTIONS]
    if key.isidentifier() and key.islower() and key not in known:
        raise unknown("op or activation", key, known, scalar.loc)
    if calls and key not in known and (meant := _misspelt(key, {*known, *calls})):
        raise SpecError(f"unknown op or call {key!r}", scalar.loc, f"did you mean {meant!r}?")


def _misspelt(key: str, known: Collection[str]) -> str | None:
    """Return the known name that a name is but for its case or a few letters."""
    if key in known or key in _OTHERS:
        return None
    if (same := next((n for n in sorted(known) if n.lower() == key.lower()), None)) is not None:
        return same
    close = closest(key, sorted(known), 0.82)
    # Short names are alike by chance, those for other dimensions by design.
    if close is None or len(key.rpartition(".")[2]) < 6:
        return None
    flat = [re.sub("[123]d$", "", name) for name in (key, close)]
    return None if key != flat[0] and flat[0] == flat[1] else close

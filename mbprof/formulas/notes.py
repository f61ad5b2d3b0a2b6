"""What a reader of a formula has to know besides: values, functions, what was counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mbprof.formulas.algebra import Call, Double, Symbol, Tree, children
from mbprof.formulas.closed import Formula
from mbprof.formulas.text import Text, number
from mbprof.language.fmt import integer
from mbprof.language.values import plain

_ROUND = (
    "{one} is the multiple of {n} nearest to {x}, but at least {n}, and {n} more where that is "
    "less than {share}; with {two} it is at least {m}."
)


def notes(
    formula: Formula, style: Text, escaped: Callable[[str], str] | None = None
) -> Iterator[str]:
    """Yield sentences: the value at the defaults, functions, what is counted and what is fixed.

    Where names have to be ``escaped``, formulas stand between dollars.
    """

    def math(text: str) -> str:
        return text if escaped is None else f"${text}$"

    plainly = escaped or (lambda text: text)
    values = formula.evaluate()
    at = [
        math(f"{style.name(Symbol(each.name))} = {number(each.value)}") for each in formula.symbols
    ]
    unit = formula.convention.unit
    where = f"At {', '.join(at)}: " if at else "That is "
    cost = f", {integer(values.cost)} {unit}" if unit else ""
    yield f"{where}{integer(values.params)} params{cost}."
    trees = [tree for _, tree in formula.where] + [t for c in formula.conditions for t in c.trees]
    found = {part for tree in trees for part in _parts(tree)}
    calls = {part.name for part in found if isinstance(part, Call)}
    if "divisible" in calls:
        n = "n" if escaped is not None else "ₙ"
        one, two = (style.called("round", each, n) for each in (["x"], ["x", "m"]))
        share = f"0.9{style.times}x"
        words = {"one": one, "two": two, "share": share, "n": "n", "x": "x", "m": "m"}
        yield _ROUND.format(**{name: math(word) for name, word in words.items()})
    if "round" in calls:
        one = math(style.called("round", ["x"]))
        yield f"{one} is the nearest whole number, the even one of two."
    if "gcd" in calls:
        one = math(style.called("gcd", ["x", "y"]))
        yield f"{one} is the greatest common divisor of {math('x')} and {math('y')}."
    if any(isinstance(part, Double) for part in found):
        yield "Numbers with decimals are IEEE doubles, computed in the order in which they stand."
    yield f"Counted: {plainly(formula.convention.doc)} (convention {formula.convention.name})."
    fixed = [f"{name} {plain(value)}" for name, value in formula.fixed.items() if value is not None]
    yield plainly(f"Scope {formula.scope}{'; fixed: ' if fixed else ''}{', '.join(fixed)}.")


def _parts(tree: Tree) -> Iterator[Tree]:
    yield tree
    for part in children(tree):
        yield from _parts(part)

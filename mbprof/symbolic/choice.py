"""One whole number or another, as a flag has it."""

from __future__ import annotations

import math
from typing import Any

from mbprof.symbolic.symbols import Whole, bounds, key, terms_of, whole_value


def chosen(flag: Whole, yes: Any, no: Any) -> Any:
    """Return one of two whole numbers: ``yes`` where a flag is 1."""
    yes, no = _under(flag, yes, True), _under(flag, no, False)
    difference = yes - no
    if isinstance(difference, int) and difference == 0:
        return yes
    (a, b), (c, d) = bounds(yes), bounds(no)
    multiple = math.gcd(*(x.multiple if isinstance(x, Whole) else x for x in (yes, no)))
    value = whole_value(yes if flag.value else no)
    args = tuple(map(key, (flag, yes, no)))
    made = flag.trace.atom("chosen", args, value, min(a, c), max(b, d), multiple)
    if a > d or c > b:
        return made
    from mbprof.symbolic.domain import settled  # which few networks need

    # One of several that exclude each other may be taken, and all give the same.
    return settled(made)


def _under(flag: Whole, value: Any, answer: bool) -> Any:
    """Return a whole number where a flag is known: of what it chose, one of the two is left."""
    atoms, terms = flag.trace.atoms, terms_of(value)
    if len(terms) != 1 or len(terms[0][0]) != 1 or terms[0][1] != 1:
        return value
    atom = atoms[terms[0][0][0]]
    if atom.op != "chosen" or atom.args[0] != key(flag):
        return value
    left = atom.args[1 if answer else 2]
    if isinstance(left, int):
        return left
    own = left[1]
    number = sum(factor * math.prod(atoms[n].value for n in m) for m, factor in own)
    return flag.trace.polynomial(dict(own), number)

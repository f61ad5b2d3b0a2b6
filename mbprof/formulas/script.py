"""Formulas as JavaScript that computes what they say to the last digit, without any name in it.

Whole numbers are BigInts and numbers with decimals are doubles, as in Python, where they are
computed in the same order. A value is called by its number: the symbols, then the definitions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from mbprof.formulas.closed import Formula
from mbprof.formulas.text import Call, Condition, Number, Product, Range, Rounded, Sum, Symbol, Tree

FUNCTIONS: Mapping[str, str] = {
    "+": "(a, b) => Number(a) + Number(b)",
    "-": "(a, b) => Number(a) - Number(b)",
    "*": "(a, b) => Number(a) * Number(b)",
    "/": "(a, b) => Number(a) / there(Number(b))",
    "//": "(a, b) => f.below(Number(a), Number(b))",
    "%": "(a, b) => typeof a === typeof b ? rest(a, b) : rest(Number(a), Number(b))",
    "min": "(...all) => all.some((a) => typeof a === 'number')"
    " ? Math.min(...all.map(Number)) : all.reduce((a, b) => (b < a ? b : a))",
    "max": "(...all) => all.some((a) => typeof a === 'number')"
    " ? Math.max(...all.map(Number)) : all.reduce((a, b) => (b > a ? b : a))",
    "int": "(a) => typeof a === 'bigint' ? a : BigInt(Math.trunc(a))",
    "round": "(a) => typeof a === 'bigint' ? a : even(a)",
    "gcd": "(a, b) => { while (b) [a, b] = [b, a % b]; return a < 0n ? -a : a; }",
    "divisible": "(a, n, least) => { const near = BigInt(Math.trunc(Number(a) + Number(n) / 2));"
    " const up = f.max(least, f.below(near, n) * n);"
    " return up < 0.9 * Number(a) ? up + n : up; }",
}
"""What an operation of formulas is in JavaScript. A power is not there: browsers round it."""

_HELPERS = """\
const there = (a) => { if (!a) throw new RangeError("divided by zero"); return a; };
const rest = (a, b) => {
  const left = a % there(b);
  return left && left < 0 !== b < 0 ? left + b : left;
};
const even = (a) => {
  const low = Math.floor(a), left = a - low;
  return BigInt(left > 0.5 || (left === 0.5 && low % 2 !== 0) ? low + 1 : low);
};
const below = (a, b) => {
  if (typeof a === "bigint" && typeof b === "bigint") return (a - rest(a, b)) / b;
  const x = Number(a), y = there(Number(b)), left = x % y;
  const near = (x - left) / y - (left && left < 0 !== y < 0 ? 1 : 0), low = Math.floor(near);
  return near - low > 0.5 ? low + 1 : low;
};
const down = (a, b) =>
  typeof a === "number" && b === 1n ? BigInt(Math.floor(a)) : below(a, b);
const up = (a, b) => typeof a === "number" && b === 1n ? BigInt(Math.ceil(a)) : -below(-a, b);"""

_EVALUATE = """\
(formula, values) => {
  const known = [...values];
  const get = (i) => {
    if (known[i] === undefined) throw new RangeError("no value");
    return known[i];
  };
  const broken = (numbers) => {
    let unknown = -1;
    for (const i of numbers) {
      try {
        if (!formula.conditions[i](get)) return i;
      } catch {
        if (unknown < 0) unknown = i;
      }
    }
    return unknown;
  };
  let condition = broken(formula.ranges);
  if (condition < 0) {
    formula.where.forEach((of, i) => {
      try { known[values.length + i] = of(get); } catch { /* what needs it has none, either */ }
    });
    condition = broken(formula.conditions.keys());
  }
  if (condition >= 0) return { condition };
  try {
    return { total: formula.total(get), lines: formula.lines.map((of) => of(get)) };
  } catch {
    return {};
  }
}"""


class Inexact(Exception):
    """A formula that has an operation which JavaScript does not compute alike."""


def javascript(formula: Formula) -> str:
    """Return a program with ``formula`` and ``evaluate(formula, values)``, of values as symbols.

    That returns ``total`` and ``lines``, each params and cost, or the number of the ``condition``
    that does not hold, or nothing where there is no value. It does what `Formula.evaluate` does.
    Raises: Inexact: see there.
    """
    names = [Symbol(symbol.name) for symbol in formula.symbols] + [
        name for name, _ in formula.where
    ]
    at = {name: number for number, name in enumerate(names)}
    lines = [line[1:] for line in formula.lines]
    ranged = [i for i, of in enumerate(formula.conditions) if isinstance(of, Range)]
    conditions = [_condition(condition, at) for condition in formula.conditions]
    functions = ",\n".join(f"  {json.dumps(name)}: {text}" for name, text in FUNCTIONS.items())
    return "\n".join(
        (
            _HELPERS,
            f"const f = {{\n  down, up, below,\n{functions}\n}};",
            "const formula = {",
            f"ranges: {ranged},",
            f"conditions: {_functions(conditions)},",
            f"where: {_functions([_written(tree, at) for _, tree in formula.where])},",
            f"lines: {_functions([_pair(pair, at) for pair in lines])},",
            f"total: (v) => {_pair(formula.total[1:], at)},",
            "};",
            f"const evaluate = {_EVALUATE};",
        )
    )


def _functions(texts: Sequence[str]) -> str:
    return "[\n" + ",\n".join(f"(v) => {text}" for text in texts) + "\n]"


def _pair(pair: Sequence[Tree], at: Mapping[Symbol, int]) -> str:
    return f"[{', '.join(_written(tree, at) for tree in pair)}]"


def _condition(condition: Condition, at: Mapping[Symbol, int]) -> str:
    if isinstance(condition, Range):
        value = _written(condition.symbol, at)
        low, high = _number(condition.low), _number(condition.high)
        first, last = ("<" if strict else "<=" for strict in (condition.above, condition.below))
        return f"{low} {first} {value} && {value} {last} {high}"
    left, right = (_written(tree, at) for tree in condition.trees)
    # A whole number equals a double of its value with two signs, and does not with three.
    sign = {"=": "==", "≠": "!=", "≤": "<=", "≥": ">="}.get(condition.sign, condition.sign)
    return f"{left} {sign} {right}"


def _written(tree: Tree, at: Mapping[Symbol, int]) -> str:
    match tree:
        case Symbol():
            return f"v({at[tree]})"
        case Number(value):
            return _number(value)
        case Product(factor, parts):
            factors = [] if factor == 1 and parts else [_number(factor)]
            return f"({'*'.join([*factors, *(_written(part, at) for part in parts)])})"
        case Sum(parts):
            return f"({' + '.join(_written(part, at) for part in parts)})"
        case Rounded(up, top, by):
            return f"f.{'up' if up else 'down'}({_written(top, at)}, {_written(by, at)})"
        case Call(name, arguments):
            if name not in FUNCTIONS:
                raise Inexact(f"its formula has {name}, which browsers round in ways of their own")
            return f"f[{json.dumps(name)}]({', '.join(_written(a, at) for a in arguments)})"


def _number(value: float) -> str:
    """Write a number: a whole one as a BigInt, a double with all its digits."""
    return f"{value}n" if isinstance(value, int) else repr(float(value))

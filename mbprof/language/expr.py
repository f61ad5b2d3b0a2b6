"""The expression language of specs: a small parser and evaluation, never ``eval``.

    value      := either ["if" either "else" value]
    either     := both ("or" both)*            both := negated ("and" negated)*
    negated    := "not" negated | compared     compared := sum [("<"|"<="|"=="|...) sum]
    sum        := term (("+"|"-") term)*       term := signed (("*"|"/"|"//"|"%") signed)*
    signed     := "-" signed | atom
    atom       := number | 'text' | name | name.c | name(value, ...) | (value)

Integers are exact. ``/`` of two integers must divide exactly. A number with a decimal point, such
as a width multiplier, is an IEEE double, because the reference implementations compute with
doubles and their truncation is reproduced bit for bit: ``int(0.29 * 100)`` is 28 there and here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from mbprof.errors import ExpressionError, nearest, unknown
from mbprof.language.functions import FUNCTIONS
from mbprof.language.source import Scalar
from mbprof.language.values import Env, Value
from mbprof.symbolic.arithmetic import is_flag, is_number, is_whole

MAX_LENGTH = 400
MAX_DEPTH = 40
MAX_DIGITS = 18
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d{1,3})?)|(?P<name>[A-Za-z_]\w*(?:\.[a-z]+)?)"
    r"|(?P<text>'[^']*')|(?P<sign><=|>=|==|!=|//|[-+*/%<>(),])|(?P<other>\S))"
)
_WORDS = {"if", "else", "and", "or", "not"}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "none": None}


class _Fail(Exception):
    """Internal: what went wrong and at which offset of the text."""

    def __init__(self, message: str, at: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.hint = message, at, hint


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Value
    at: int

    def eval(self, env: Env) -> Value:
        return self.value


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    at: int

    def eval(self, env: Env) -> Value:
        try:
            return env[self.name]
        except KeyError:
            raise _Fail(f"unknown name {self.name!r}", self.at, nearest(self.name, env)) from None


@dataclass(frozen=True, slots=True)
class _Unary:
    sign: str
    operand: _Node
    at: int

    def eval(self, env: Env) -> Value:
        if self.sign == "not":
            return not _truth(self.operand.eval(env), self.operand.at)
        return -_number(self.operand.eval(env), self.operand.at)


@dataclass(frozen=True, slots=True)
class _Binary:
    sign: str
    left: _Node
    right: _Node
    at: int

    def eval(self, env: Env) -> Value:
        if self.sign == "and":
            return _truth(self.left.eval(env), self.left.at) and _truth(
                self.right.eval(env), self.right.at
            )
        if self.sign == "or":
            return _truth(self.left.eval(env), self.left.at) or _truth(
                self.right.eval(env), self.right.at
            )
        left, right = self.left.eval(env), self.right.eval(env)
        if self.sign in ("==", "!="):
            return (
                _equals(left, right) == (self.sign == "==")
                if _paired(left, right)
                else (left == right if self.sign == "==" else left != right)
            )
        x, y = _number(left, self.left.at), _number(right, self.right.at)
        try:
            return _ARITHMETIC[self.sign](x, y)
        except ZeroDivisionError:
            raise _Fail(f"{_show(x)} {self.sign} 0 divides by zero", self.at) from None
        except OverflowError:
            raise _Fail("the number is too large", self.at) from None
        except _Inexact:
            hint = f"write {x} // {y} to round down, or {x} / {y}.0 for a decimal"
            raise _Fail(f"{x} / {y} does not divide exactly", self.at, hint) from None


def _paired(left: Value, right: Value) -> bool:
    """Whether a pair of numbers is compared with a single one."""
    return isinstance(left, tuple) != isinstance(right, tuple)


def _equals(left: Value, right: Value) -> bool:
    """Whether a pair is one number on both axes."""
    pair, one = (left, right) if isinstance(left, tuple) else (right, left)
    return isinstance(pair, tuple) and all(each == one for each in pair)


@dataclass(frozen=True, slots=True)
class _Choice:
    yes: _Node
    condition: _Node
    no: _Node
    at: int

    def eval(self, env: Env) -> Value:
        chosen = self.yes if _truth(self.condition.eval(env), self.condition.at) else self.no
        return chosen.eval(env)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: tuple[_Node, ...]
    at: int

    def eval(self, env: Env) -> Value:
        values = [_number(each.eval(env), each.at) for each in self.arguments]
        try:
            found: Value = FUNCTIONS[self.name].call(*values)
            return found
        except ZeroDivisionError:
            raise _Fail(f"{self.name}() divides by zero", self.at) from None
        except (OverflowError, ValueError):
            raise _Fail(f"{self.name}() has no finite value here", self.at) from None


_Node: TypeAlias = "_Literal | _Name | _Unary | _Binary | _Choice | _Call"


class _Inexact(ArithmeticError):
    pass


def _divide(x: float, y: float) -> float:
    if is_whole(x) and is_whole(y):
        quotient, rest = divmod(x, y)
        if rest:
            raise _Inexact
        return quotient
    return x / y


_ARITHMETIC: dict[str, Callable[[float, float], Value]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _divide,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}


def _number(value: Value, at: int) -> float:
    if not is_number(value):
        raise _Fail(f"{_show(value)} is not a number", at)
    return value


def _truth(value: Value, at: int) -> bool:
    if not is_flag(value):
        raise _Fail(f"{_show(value)} is neither true nor false", at, "compare it, as in  r > 0")
    return bool(value)


def _show(value: Value) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return str(value)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or ""
        token = _Token(kind, match[kind], match.start(kind))
        if kind == "other":
            hint = "an argument is written by its bare name here" if token.text == "$" else None
            if token.text == "=":
                hint = "equality is written =="
            raise _Fail(f"unexpected {token.text!r}", token.at, hint)
        if kind == "sign" and token.text == "*" and text[match.end() : match.end() + 1] == "*":
            raise _Fail("there is no power operator", token.at, "write k * k, or pow(k, 2)")
        yield token
        position = match.end()
    yield _Token("end", "", len(text.rstrip()))


class _Parser:
    """Recursive descent; length and depth are bounded because specs come from strangers."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise _Fail(f"an expression of more than {MAX_LENGTH} characters", 0)
        self.tokens = list(_tokens(text))
        self.position = 0
        self.depth = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> _Token | None:
        token = self.here
        if token.kind in ("sign", "name") and token.text in texts:
            self.position += 1
            return token
        return None

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise _Fail(f"expected {text!r}{self.found()}", self.here.at)

    def found(self) -> str:
        return f" before {self.here.text!r}" if self.here.text else " at the end"

    def whole(self) -> _Node:
        node = self.value()
        if self.here.kind != "end":
            hint = None
            if self.here.text in ("<", "<=", ">", ">=", "==", "!="):
                hint = "join two comparisons with and"
            raise _Fail(f"unexpected {self.here.text!r}", self.here.at, hint)
        return node

    def value(self) -> _Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Fail(f"nested deeper than {MAX_DEPTH} levels", self.here.at)
        node = self.either()
        if token := self.take("if"):
            condition = self.either()
            self.expect("else")
            node = _Choice(node, condition, self.value(), token.at)
        self.depth -= 1
        return node

    def either(self) -> _Node:
        return self.chain(self.both, "or")

    def both(self) -> _Node:
        return self.chain(self.negated, "and")

    def negated(self) -> _Node:
        if token := self.take("not"):
            return _Unary("not", self.negated(), token.at)
        left = self.sum()
        if token := self.take("<", "<=", ">", ">=", "==", "!="):
            return _Binary(token.text, left, self.sum(), token.at)
        return left

    def sum(self) -> _Node:
        return self.chain(self.term, "+", "-")

    def term(self) -> _Node:
        return self.chain(self.signed, "*", "/", "//", "%")

    def chain(self, part: Callable[[], _Node], *signs: str) -> _Node:
        node = part()
        while token := self.take(*signs):
            node = _Binary(token.text, node, part(), token.at)
        return node

    def signed(self) -> _Node:
        if token := self.take("-"):
            return _Unary("-", self.signed(), token.at)
        return self.atom()

    def atom(self) -> _Node:
        token = self.here
        if self.take("("):
            node = self.value()
            self.expect(")")
            return node
        if token.kind == "end" or token.kind == "sign" or token.text in _WORDS:
            raise _Fail(f"expected a value{self.found()}", token.at)
        self.position += 1
        if token.kind == "number":
            if len(token.text) > MAX_DIGITS:
                raise _Fail(f"a number of more than {MAX_DIGITS} digits", token.at)
            number = int(token.text) if token.text.isdigit() else float(token.text)
            return _Literal(number, token.at)
        if token.kind == "text":
            return _Literal(token.text[1:-1], token.at)
        if self.take("("):
            return self.call(token)
        if token.text in _CONSTANTS:
            return _Literal(_CONSTANTS[token.text], token.at)
        return _Name(token.text, token.at)

    def call(self, name: _Token) -> _Node:
        if name.text not in FUNCTIONS:
            hint = nearest(name.text, FUNCTIONS)
            raise _Fail(f"unknown function {name.text!r}", name.at, hint)
        arguments = []
        if not self.take(")"):
            arguments.append(self.value())
            while self.take(","):
                arguments.append(self.value())
            self.expect(")")
        function = FUNCTIONS[name.text]
        if not function.least <= len(arguments) <= function.most:
            takes = str(function.least)
            if function.most > function.least:
                takes += f" to {function.most}"
            raise _Fail(f"{name.text}() takes {takes} arguments, not {len(arguments)}", name.at)
        return _Call(name.text, tuple(arguments), name.at)


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[_Node, tuple[tuple[str, int], ...]]:
    parser = _Parser(text)
    node = parser.whole()
    names = tuple(
        (token.text, token.at)
        for token, after in zip(parser.tokens, [*parser.tokens[1:], parser.tokens[-1]], strict=True)
        if token.kind == "name"
        and token.text not in _WORDS
        and token.text not in _CONSTANTS
        and after.text != "("
    )
    return node, names


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression and the scalar that it was read from.

    >>> from mbprof.errors import Loc, Source
    >>> rule = Scalar("max(int(alpha * c), 8)", Loc(Source("s", ""), 1, 1))
    >>> Expr.parse(rule)({"alpha": 0.75, "c": 32})
    24
    """

    scalar: Scalar
    node: _Node
    names: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, scalar: Scalar) -> Expr:
        """Parse a scalar's text.

        Raises: ExpressionError: at the character where it stops making sense.
        """
        try:
            node, names = _parse(scalar.text)
        except _Fail as fail:
            raise ExpressionError(fail.message, scalar.place(fail.at), fail.hint) from None
        return cls(scalar, node, names)

    def check(self, known: Mapping[str, object]) -> None:
        """Refuse names that are not known, before anything is evaluated.

        Raises: ExpressionError: with the nearest known name.
        """
        for name, at in self.names:
            if name not in known:
                raise unknown("name", name, known, self.scalar.place(at), error=ExpressionError)

    def __call__(self, env: Env) -> Value:
        """Evaluate with the names of ``env``.

        Raises: ExpressionError: division by zero, an inexact ``/``, a value of the wrong type.
        """
        try:
            return self.node.eval(env)
        except _Fail as fail:
            raise ExpressionError(fail.message, self.scalar.place(fail.at), fail.hint) from None

    def over(self, columns: Mapping[str, Any], operations: Mapping[str, Any]) -> Any:
        """Evaluate on whole columns, with what each operator and function is on them.

        Raises: ExpressionError: a function that columns lack.
        """
        return _over(self, self.node, columns, operations)

    @property
    def constant(self) -> bool:
        """Whether the expression mentions no names."""
        return not self.names


def _over(expr: Expr, node: _Node, columns: Mapping[str, Any], ops: Mapping[str, Any]) -> Any:
    def on(each: _Node) -> Any:
        return _over(expr, each, columns, ops)

    if isinstance(node, _Literal):
        return node.value
    if isinstance(node, _Name):
        return columns[node.name]
    if isinstance(node, _Unary):
        return ops["not" if node.sign == "not" else "negative"](on(node.operand))
    if isinstance(node, _Binary):
        return ops[node.sign](on(node.left), on(node.right))
    if isinstance(node, _Choice):
        return ops["if"](on(node.condition), on(node.yes), on(node.no))
    if node.name not in ops:
        raise ExpressionError(f"{node.name}() has no meaning here", expr.scalar.place(node.at))
    return ops[node.name](*map(on, node.arguments))

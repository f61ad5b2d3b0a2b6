"""The expression language of specs: a small parser and evaluation, never ``eval``.

    value      := either ["if" either "else" value]
    either     := both ("or" both)*            both := negated ("and" negated)*
    negated    := "not" negated | compared     compared := sum [("<"|"<="|"=="|...) sum]
    sum        := term (("+"|"-") term)*       term := signed (("*"|"/"|"//"|"%") signed)*
    signed     := "-" signed | atom
    atom       := number | count | 'text' | name | name.c | name(value, ...) | (value)

Integers are exact, and so are counts with a unit, such as 3.4M. ``/`` of two integers must divide
exactly. A size of equal sides is a number. A number with a decimal point, such
as a width multiplier, is an IEEE double, because the reference implementations compute with
doubles and their truncation is reproduced bit for bit: ``int(0.29 * 100)`` is 28 there and here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters
from typing import Any, TypeAlias

from mbprof.errors import ExpressionError, nearest, unknown
from mbprof.language import counts
from mbprof.language.source import Scalar
from mbprof.language.tokens import Fail, Token, tokens
from mbprof.language.values import Env, Value, parse, plain
from mbprof.symbolic.arithmetic import FUNCTIONS, OPERATIONS, Inexact, is_flag, is_number

MAX_DEPTH = 40
MAX_DIGITS = 18
_WORDS = {"if", "else", "and", "or", "not"}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "none": None}


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
            raise Fail(f"unknown name {self.name!r}", self.at, nearest(self.name, env)) from None


@dataclass(frozen=True, slots=True)
class _Unary:
    sign: str
    operand: _Node
    at: int

    def eval(self, env: Env) -> Value:
        if self.sign == "not":
            return not _flag(self.operand, env)
        return -_number(self.operand.eval(env), self.operand.at)


@dataclass(frozen=True, slots=True)
class _Binary:
    sign: str
    left: _Node
    right: _Node
    at: int

    def eval(self, env: Env) -> Value:
        if self.sign == "and":
            return bool(_flag(self.left, env)) and _flag(self.right, env)
        if self.sign == "or":
            return bool(_flag(self.left, env)) or _flag(self.right, env)
        left, right = self.left.eval(env), self.right.eval(env)
        if self.sign == "==":
            return _equal(left, right)
        if self.sign == "!=":
            return not _equal(left, right)
        x, y = _number(left, self.left.at), _number(right, self.right.at)
        try:
            value: Value = OPERATIONS[self.sign].plain(x, y)
            return value
        except ZeroDivisionError:
            raise Fail(f"{_show(x)} {self.sign} 0 divides by zero", self.at) from None
        except OverflowError:
            raise Fail("the number is too large", self.at) from None
        except Inexact:
            hint = f"write {x} // {y} to round down, or {x} / {y}.0 for a decimal"
            raise Fail(f"{x} / {y} does not divide exactly", self.at, hint) from None


def _equal(left: Value, right: Value) -> bool:
    """Whether values are equal; a size is the number that both its sides are, or as it is typed."""
    left, right = _known(left), _known(right)
    if isinstance(left, tuple) == isinstance(right, tuple):
        return left == right
    size, other = (left, right) if isinstance(left, tuple) else (right, left)
    other = parse(other) if isinstance(other, str) else other
    return size == (other if isinstance(other, tuple) else (other,) * len(size))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Choice:
    yes: _Node
    condition: _Node
    no: _Node
    at: int

    def eval(self, env: Env) -> Value:
        chosen = self.yes if _flag(self.condition, env) else self.no
        return chosen.eval(env)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: tuple[_Node, ...]
    at: int

    def eval(self, env: Env) -> Value:
        numbers = [_number(node.eval(env), node.at) for node in self.arguments]
        try:
            value: Value = OPERATIONS[self.name].plain(*numbers)
            return value
        except ZeroDivisionError:
            raise Fail(f"{self.name}() divides by zero", self.at) from None
        except (OverflowError, ValueError):
            raise Fail(f"{self.name}() has no finite value here", self.at) from None


_Node: TypeAlias = "_Literal | _Name | _Unary | _Binary | _Choice | _Call"


def _known(value: Value) -> Value:
    """Return a value; the answer to a condition that is not asked yet."""
    return bool(value) if is_flag(value) else value


def _number(value: Value, at: int) -> float:
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if not is_number(value):
        raise Fail(f"{_show(value)} is not a number", at)
    return value


def _flag(node: _Node, env: Env, at: int | None = None) -> Any:
    """Return what is true or false, or a condition that nobody asked yet."""
    value = node.eval(env)
    if not is_flag(value):
        hint = "compare it, as in  r > 0"
        place = node.at if at is None else at
        raise Fail(f"expected true or false, found {_show(value)}", place, hint)
    return value


def _show(value: Value) -> str:
    return repr(value) if isinstance(value, str) else plain(_known(value))


class _Parser:
    """Recursive descent; length and depth are bounded because specs come from strangers."""

    def __init__(self, text: str) -> None:
        self.tokens = list(tokens(text))
        self.position = 0
        self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> Token | None:
        token = self.here
        if token.kind in ("sign", "name") and token.text in texts:
            self.position += 1
            return token
        return None

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Fail(f"expected {text!r}{self.found()}", self.here.at)

    def found(self) -> str:
        return f" before {self.here.text!r}" if self.here.text else " at the end"

    def whole(self) -> _Node:
        node = self.value()
        if self.here.kind != "end":
            hint = None
            if self.here.text in ("<", "<=", ">", ">=", "==", "!="):
                hint = "join two comparisons with and"
            raise Fail(f"unexpected {self.here.text!r}", self.here.at, hint)
        return node

    def value(self) -> _Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Fail(f"nested deeper than {MAX_DEPTH} levels", self.here.at)
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
            raise Fail(f"expected a value{self.found()}", token.at)
        self.position += 1
        if token.kind in ("number", "count"):
            return self.number(token)
        if token.kind == "text":
            return _Literal(token.text[1:-1], token.at)
        if self.take("("):
            return self.call(token)
        if token.text in _CONSTANTS:
            return _Literal(_CONSTANTS[token.text], token.at)
        return _Name(token.text, token.at)

    def number(self, token: Token) -> _Node:
        if len(token.text) > MAX_DIGITS:
            raise Fail(f"a number of more than {MAX_DIGITS} digits", token.at)
        if token.kind == "count":
            try:
                return _Literal(counts.read(token.text).value, token.at)
            except ValueError as error:
                raise Fail(str(error), token.at, counts.HINT) from None
        digits = token.text.replace("_", "")
        return _Literal(int(digits) if digits.isdigit() else float(digits), token.at)

    def call(self, name: Token) -> _Node:
        if name.text not in FUNCTIONS:
            hint = nearest(name.text, FUNCTIONS)
            raise Fail(f"unknown function {name.text!r}", name.at, hint)
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
            raise Fail(f"{name.text}() takes {takes} arguments, not {len(arguments)}", name.at)
        return _Call(name.text, tuple(arguments), name.at)


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[_Node, tuple[tuple[str, int], ...], tuple[Token, ...]]:
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
    return node, names, tuple(token for token in parser.tokens if token.kind == "count")


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
    counts: tuple[Token, ...] = ()

    @classmethod
    def parse(cls, scalar: Scalar) -> Expr:
        """Parse a scalar's text.

        Raises: ExpressionError: at the character where it stops making sense.
        """
        try:
            return cls(scalar, *_parse(scalar.text))
        except Fail as fail:
            raise ExpressionError(fail.message, scalar.place(fail.at), fail.hint) from None

    def check(self, known: Mapping[str, object]) -> None:
        """Refuse what has no meaning with the names that are known, before it is evaluated.

        Raises: ExpressionError: an unknown name, with the nearest known one; a count whose unit is
        a name.
        """
        for _, text, at in self.counts:
            digits = text.rstrip(ascii_letters)
            if (unit := text.removeprefix(digits)) in known:
                raise ExpressionError(
                    f"{text!r} may be a count or a product",
                    self.scalar.place(at),
                    f"write {digits.strip()} * {unit}, or {counts.read(text).value}",
                )
        for name, at in self.names:
            if name not in known:
                raise unknown("name", name, known, self.scalar.place(at), error=ExpressionError)

    def __call__(self, env: Env) -> Value:
        """Evaluate with the names of ``env``.

        Raises: ExpressionError: division by zero, an inexact ``/``, a value of the wrong type.
        """
        try:
            return self.node.eval(env)
        except Fail as fail:
            raise ExpressionError(fail.message, self.scalar.place(fail.at), fail.hint) from None

    def flag(self, env: Env) -> Any:
        """Evaluate a condition with the names of ``env``; of symbols it may be left unasked.

        Raises: ExpressionError: as for any expression; neither true nor false.
        """
        try:
            return _flag(self.node, env, 0)
        except Fail as fail:
            raise ExpressionError(fail.message, self.scalar.place(fail.at), fail.hint) from None

    def truth(self, env: Env) -> bool:
        """Evaluate a condition and ask it.

        Raises: ExpressionError: see `flag`.
        """
        return bool(self.flag(env))

    @property
    def constant(self) -> bool:
        """Whether the expression mentions no names."""
        return not self.names

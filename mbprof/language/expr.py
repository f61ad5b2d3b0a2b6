"""The expression language of specs: a small parser and evaluation, never ``eval``.

    value      := either ["if" either "else" value]
    either     := both ("or" both)*            both := negated ("and" negated)*
    negated    := "not" negated | compared     compared := sum [("<"|"<="|"=="|...) sum]
    sum        := term (("+"|"-") term)*       term := signed (("*"|"/"|"//"|"%") signed)*
    signed     := "-" signed | atom
    atom       := number | count | 'text' | name | name.c | name(value, ...) | (value)

No number is larger than 10^30. Integers are exact, and so are counts with a unit, such as 3.4M.
``/`` of two integers must divide exactly. A size of equal sides is a number. A number with a
decimal point, such as a width multiplier, is an IEEE double, because the reference implementations
compute with doubles and their truncation is reproduced bit for bit: ``int(0.29 * 100)`` is 28 there
and here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from typing import Any, TypeAlias

from mbprof.errors import ExpressionError, nearest, unknown
from mbprof.language import counts
from mbprof.language.fmt import LONGEST, Env, Value, flag_meant, parse, plain, several
from mbprof.language.record import NamedTuple, record
from mbprof.language.source import Scalar
from mbprof.symbolic.arithmetic import FUNCTIONS, OPERATIONS, Inexact, is_flag, is_number, is_whole
from mbprof.symbolic.choice import chosen
from mbprof.symbolic.symbols import Condition, bounded, inside, is_open

MAX_LENGTH = 400
MAX_DEPTH = 40
_TOO_LARGE = "the number is larger than 10^30"
_MEANT = {"$": "an argument is written by its bare name here", "=": "equality is written =="}
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_WORDS = {"if", "else", "and", "or", "not"}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "none": None}
_TOKEN = re.compile(
    rf"\s*(?:(?P<count>[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)? ?(?i:{counts.UNIT})(?!\w))"
    r"|(?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?:_[0-9]+)*)(?:[eE][-+]?[0-9]{1,9})?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[a-z]+)?)"
    r"|(?P<text>'[^']*')|(?P<sign><=|>=|==|!=|//|[-+*/%<>(),])|(?P<other>\S))"
)


Limit: TypeAlias = Callable[[Any], Any]


def unlimited(number: Any) -> Any:
    """Return a number: what is computed from costs has no end but that of its expression.

    >>> unlimited(10**40) == 10**40
    True
    """
    return number


class Fail(Exception):
    """What is wrong with an expression, and at which offset of its text."""

    def __init__(self, message: str, at: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.hint = message, at, hint


class Token(NamedTuple):
    """A word or sign, what it is, and at which offset of the text."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the words and signs of an expression, and its end.

    Raises: Fail: it is too long, or holds a sign that means nothing.
    """
    if len(text) > MAX_LENGTH:
        raise Fail(f"an expression of more than {MAX_LENGTH} characters", 0)
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or ""
        token = Token(kind, match[kind], match.start(kind))
        if kind == "other":
            raise Fail(f"unexpected {token.text!r}", token.at, _MEANT.get(token.text))
        if kind == "sign" and token.text == "*" and text[match.end() : match.end() + 1] == "*":
            raise Fail("there is no power operator", token.at, "write k * k, or pow(k, 2)")
        yield token
        position = match.end()
    yield Token("end", "", len(text.rstrip()))


class _Node(NamedTuple):
    """A part of an expression: what gives its value at some names, and where it stands."""

    eval: Callable[[Env], Value]
    at: int


def _literal(value: Value, at: int) -> _Node:
    return _Node(lambda env: value, at)


def _name(name: str, at: int) -> _Node:
    def value(env: Env) -> Value:
        try:
            return env[name]
        except KeyError:
            raise Fail(f"unknown name {name!r}", at, nearest(name, env)) from None

    return _Node(value, at)


def _binary(sign: str, left: _Node, right: _Node, at: int, limit: Limit) -> _Node:
    def logical(env: Env) -> Any:
        first = _flag(left, env)
        if is_open(first):
            return _joined(sign, first, right, env)
        return _flag(right, env) if bool(first) == (sign == "and") else bool(first)

    def equality(env: Env) -> Value:
        equal = _equal(left.eval(env), right.eval(env))
        return equal if sign == "==" else _negated(equal)

    def arithmetic(env: Env) -> Any:
        values = left.eval(env), right.eval(env)
        x, y = _number(values[0], left.at), _number(values[1], right.at)
        try:
            return limit(apply(x, y))
        except ZeroDivisionError:
            raise Fail(f"{_show(x)} {sign} 0 divides by zero", at) from None
        except OverflowError:
            raise Fail(_TOO_LARGE, at) from None
        except Inexact:
            hint = f"write {x} // {y} to round down, or {x} / {y}.0 for a decimal"
            raise Fail(f"{x} / {y} does not divide exactly", at, hint) from None

    special = {"and": logical, "or": logical, "==": equality, "!=": equality}
    if sign in special:
        return _Node(special[sign], at)
    apply = OPERATIONS[sign].plain
    limit = unlimited if sign in _COMPARISONS else limit
    return _Node(arithmetic, at)


def _call(name: str, arguments: list[_Node], at: int, limit: Limit) -> _Node:
    def value(env: Env) -> Any:
        numbers = [_number(node.eval(env), node.at) for node in arguments]
        try:
            return limit(OPERATIONS[name].plain(*numbers))
        except ZeroDivisionError:
            raise Fail(f"{name}() divides by zero", at) from None
        except OverflowError:
            raise Fail(_TOO_LARGE, at) from None
        except ValueError:
            raise Fail(f"{name}() has no finite value here", at) from None

    return _Node(value, at)


def _equal(left: Value, right: Value) -> bool:
    """Whether values are equal; a size is the number that both its sides are, or as it is typed."""
    left, right = _known(left), _known(right)
    if isinstance(left, tuple) == isinstance(right, tuple):
        return left == right
    size, other = (left, right) if isinstance(left, tuple) else (right, left)
    if isinstance(other, str):
        try:
            other = parse(other)
        except ValueError:
            return False
    return size == (other if isinstance(other, tuple) else (other,) * len(size))  # type: ignore[arg-type]


def _known(value: Value) -> Value:
    """Return a value; the answer to a condition that is not asked yet."""
    return bool(value) if is_flag(value) else value


def _number(value: Value, at: int) -> float:
    if type(value) is int or type(value) is float:  # nearly all of them
        return value
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if isinstance(value, tuple):
        hint = "a size is a number where both sides are equal; a row of a spec has in.h and in.w"
        raise Fail(f"{_show(value)} is a height and a width, not a number", at, hint)
    if not is_number(value):
        raise Fail(f"{_show(value)} is not a number", at)
    return value


def _flag(node: _Node, env: Env) -> Any:
    """Return what is true or false, or a condition that nobody asked yet."""
    value = node.eval(env)
    if not is_flag(value):
        message = f"expected true or false, found {_show(value)}"
        raise Fail(message, node.at, flag_meant(value) or "compare it, as in  r > 0")
    return value


def _joined(sign: str, first: Condition, right: _Node, env: Env) -> Any:
    """Return whether both hold, or either, unasked; asked where the second makes no sense."""
    both = sign == "and"
    try:
        second = _flag(right, env)
    except Fail:
        return _flag(right, env) if bool(first) == both else bool(first)
    if not is_open(second):
        return first if second == both else second
    return first.flag * second.flag > 0 if both else first.flag + second.flag > 0


def _negated(flag: Any) -> Any:
    return flag.flag == 0 if is_open(flag) else not flag


def _either(condition: _Node, yes: _Node, no: _Node, env: Env) -> Any:
    flag = _flag(condition, env)
    if is_open(flag):
        with suppress(Fail):
            values = yes.eval(env), no.eval(env)
            if all(map(is_whole, values)):
                return chosen(flag.flag, *values)
    return (yes if flag else no).eval(env)


def _show(value: Value) -> str:
    return repr(value) if isinstance(value, str) else plain(_known(value))


class _Parser:
    """Recursive descent; length and depth are bounded because specs come from strangers."""

    def __init__(self, text: str, limit: Limit) -> None:
        self.limit = limit
        self.tokens = list(tokens(text))
        self.names: list[tuple[str, int]] = []
        self.counts: list[Token] = []
        self.position = self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> Token | None:
        token = self.here
        if token.kind not in ("sign", "name") or token.text not in texts:
            return None
        self.position += 1
        return token

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Fail(f"expected {text!r}{self.found()}", self.here.at)

    def found(self) -> str:
        return f" before {self.here.text!r}" if self.here.text else " at the end"

    def whole(self) -> _Node:
        node = self.value()
        if self.here.kind != "end":
            hint = "join two comparisons with and" if self.here.text in _COMPARISONS else None
            raise Fail(f"unexpected {self.here.text!r}", self.here.at, hint)
        return node

    def value(self) -> _Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Fail(f"nested deeper than {MAX_DEPTH} levels", self.here.at)
        node = self.either()
        if token := self.take("if"):
            yes, condition = node, self.either()
            self.expect("else")
            other = self.value()
            node = _Node(lambda env: _either(condition, yes, other, env), token.at)
        self.depth -= 1
        return node

    def either(self) -> _Node:
        return self.chain(lambda: self.chain(self.negated, "and"), "or")

    def negated(self) -> _Node:
        if token := self.take("not"):
            operand = self.negated()
            return _Node(lambda env: _negated(_flag(operand, env)), token.at)
        left = self.sum()
        if token := self.take(*_COMPARISONS):
            return _binary(token.text, left, self.sum(), token.at, self.limit)
        return left

    def sum(self) -> _Node:
        return self.chain(lambda: self.chain(self.signed, "*", "/", "//", "%"), "+", "-")

    def chain(self, part: Callable[[], _Node], *signs: str) -> _Node:
        node = part()
        while token := self.take(*signs):
            node = _binary(token.text, node, part(), token.at, self.limit)
        return node

    def signed(self) -> _Node:
        if token := self.take("-"):
            operand = self.signed()
            return _Node(lambda env: -_number(operand.eval(env), operand.at), token.at)
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
            return _literal(token.text[1:-1], token.at)
        if self.take("("):
            return self.call(token)
        if token.text in _CONSTANTS:
            return _literal(_CONSTANTS[token.text], token.at)
        self.names.append((token.text, token.at))
        return _name(token.text, token.at)

    def number(self, token: Token) -> _Node:
        if len(token.text) > LONGEST:
            raise Fail(f"a number of more than {LONGEST} characters", token.at)
        if token.kind == "count":
            self.counts.append(token)
            try:
                return _literal(counts.read(token.text).value, token.at)
            except ValueError as error:
                raise Fail(str(error), token.at, counts.HINT) from None
        digits = token.text.replace("_", "")
        value = int(digits) if digits.isdigit() else float(digits)
        if not inside(value):
            raise Fail(_TOO_LARGE, token.at)
        return _literal(value, token.at)

    def call(self, name: Token) -> _Node:
        if name.text not in FUNCTIONS:
            raise Fail(f"unknown function {name.text!r}", name.at, nearest(name.text, FUNCTIONS))
        arguments: list[_Node] = []
        if not self.take(")"):
            arguments.append(self.value())
            while self.take(","):
                arguments.append(self.value())
            self.expect(")")
        function = FUNCTIONS[name.text]
        if not function.least <= len(arguments) <= function.most:
            takes = f"{function.least} to " if function.most > function.least else ""
            takes += several(function.most, "argument")
            raise Fail(f"{name.text}() takes {takes}, not {len(arguments)}", name.at)
        return _call(name.text, arguments, name.at, self.limit)


@lru_cache(maxsize=4096)
def _parse(text: str, limit: Limit) -> tuple[_Node, tuple[tuple[str, int], ...], tuple[Token, ...]]:
    parser = _Parser(text, limit)
    return parser.whole(), tuple(parser.names), tuple(parser.counts)


@record
class Expr:
    """A parsed expression and the scalar that it was read from.

    >>> from mbprof.errors import Loc, Source
    >>> rule = Scalar("max(int(alpha * c), 8)", Loc(Source("s", ""), 1, 1))
    >>> Expr.parse(rule)({"alpha": 0.75, "c": 32})
    24
    """

    scalar: Scalar
    node: _Node = field(compare=False)
    names: tuple[tuple[str, int], ...]
    counts: tuple[Token, ...] = ()

    @classmethod
    def parse(cls, scalar: Scalar, limit: Limit = bounded) -> Expr:
        """Parse a scalar's text; ``limit`` takes each result, or raises an OverflowError.

        Raises: ExpressionError: at the character where it stops making sense.
        """
        try:
            return cls(scalar, *_parse(scalar.text, limit))
        except Fail as fail:
            raise ExpressionError(fail.message, scalar.place(fail.at), fail.hint) from None

    def check(self, known: Mapping[str, object]) -> None:
        """Refuse what has no meaning with the names that are known, before it is evaluated.

        Raises: ExpressionError: an unknown name, with the nearest known one; a count whose unit is
        a name.
        """
        for _, text, at in self.counts:
            if (unit := re.sub(r"[\d_. ]", "", text)) in known:
                digits = text.removesuffix(unit).strip()
                raise ExpressionError(
                    f"{text!r} may be a count or a product",
                    self.scalar.place(at),
                    f"write {digits} * {unit}, or {counts.read(text).value}",
                )
        for name, at in self.names:
            if name not in known:
                error = unknown("name", name, known, self.scalar.place(at), error=ExpressionError)
                error.hint = flag_meant(name) or error.hint
                raise error

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
            return _flag(self.node._replace(at=0), env)
        except Fail as fail:
            raise ExpressionError(fail.message, self.scalar.place(fail.at), fail.hint) from None

    def truth(self, env: Env) -> Any:
        """Evaluate a condition and ask it, unless its trace leaves open what is there.

        Raises: ExpressionError: see `flag`.
        """
        flag = self.flag(env)
        return flag if is_open(flag) else bool(flag)

    def __reduce__(self) -> tuple[Any, ...]:
        return Expr.parse, (self.scalar,)

    @property
    def constant(self) -> bool:
        """Whether the expression mentions no names."""
        return not self.names

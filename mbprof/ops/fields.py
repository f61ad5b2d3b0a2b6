"""The types of a field: a kind reads a node once, when a spec is loaded, and returns a Bound.

That is evaluated for each configuration with the knobs and arguments of the place of the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from mbprof.errors import LimitError, Loc, SpecError, nearest, unknown
from mbprof.language.expr import Expr
from mbprof.language.fmt import Env, several
from mbprof.language.record import record
from mbprof.language.source import KIND_OF, Node, Scalar, Seq, few, value_of
from mbprof.ops.padding import FAMILIES, PADDING_RULES
from mbprof.symbolic.arithmetic import is_integral, is_number, is_real, is_whole, truncated

LARGEST = 2**31 - 1
"""The largest size, width or count that a field takes."""

Known = Mapping[str, object]


@record
class Bound:
    """A field as written: where it stands and how to evaluate it."""

    node: Node
    evaluate: Callable[[Env], Any]

    @property
    def loc(self) -> Loc:
        """The place of the value in its source."""
        return self.node.loc


@record
class Kind:
    """A type of field: its word in specs and the JSON Schema of what it accepts."""

    word: str
    doc: str
    schema: Mapping[str, object] = field(hash=False, compare=False)
    reader: Callable[[Node, Known], Callable[[Env], Any]] = field(compare=False)
    words: tuple[str, ...] = field(default=(), compare=False)
    """All that a value can be, if these are words; besides these it can be an argument."""

    def read(self, node: Node, known: Known) -> Bound:
        """Bind a node to this type.

        Raises: SpecError: a list where a word is needed. ExpressionError: see `Expr.parse`.
        """
        return Bound(node, self.reader(node, known))


def scalar(node: Node, what: str) -> Scalar:
    """Return the node if it is a single value.

    Raises: SpecError: it is a list or a mapping.
    """
    if not isinstance(node, Scalar):
        raise SpecError(f"expected {what}, found {KIND_OF[type(node)]}", node.loc)
    return node


def whole(value: object, least: int, loc: Loc) -> int:
    """Check a value that must be a whole number of at least ``least``.

    Raises: SpecError: not a whole number, or too small. LimitError: too large.
    """
    if is_real(value):
        if not is_integral(value):
            hint = "round it with int(), round() or div8()"
            raise SpecError(f"{value:g} is not a whole number", loc, hint)
        value = truncated(value)
    if not is_whole(value):
        raise SpecError(f"expected a whole number, found {_say(value)}", loc)
    if value < least:
        raise SpecError(f"{value} is too small; the least is {least}", loc)
    if value > LARGEST:
        shown = f"{value:,}" if value < 10**30 else "a number of more than 30 digits"
        raise LimitError(f"{shown} is too large; the largest is {LARGEST:,}", loc)
    return value


def _say(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)


def items_of(node: Seq) -> tuple[Node, ...]:
    """Return the values of a list.

    Raises: LimitError: there are too many.
    """
    few(node.items, "values", node.loc)
    return node.items


def expression(node: Node, known: Known, what: str) -> Expr:
    """Parse an expression that knows only some names; ``what`` is what errors expect.

    Raises: SpecError: not a single value. ExpressionError: see `Expr.parse`.
    """
    expr = Expr.parse(scalar(node, what))
    expr.check(known)
    return expr


def _whole_reader(least: int) -> Callable[[Node, Known], Callable[[Env], int]]:
    def reader(node: Node, known: Known) -> Callable[[Env], int]:
        expr = expression(node, known, "a whole number")
        if expr.constant:
            value = whole(expr({}), least, node.loc)
            return lambda env: value
        return lambda env: whole(expr(env), least, node.loc)

    return reader


def _pair_reader(least: int) -> Callable[[Node, Known], Callable[[Env], tuple[int, int]]]:
    size = _whole_reader(least)

    def reader(node: Node, known: Known) -> Callable[[Env], tuple[int, int]]:
        if isinstance(node, Seq):
            if len(node.items) != 2:
                raise SpecError(
                    f"expected [height, width], found {several(len(node.items), 'value')}", node.loc
                )
            high, wide = (size(item, known) for item in node.items)
            return lambda env: (high(env), wide(env))
        expr = expression(node, known, "a number or [height, width]")

        def evaluate(env: Env) -> tuple[int, int]:
            value = expr(env)
            both = value if isinstance(value, tuple) else (value, value)
            if len(both) != 2:
                raise SpecError(f"expected two numbers, found {len(both)}", node.loc)
            return whole(both[0], least, node.loc), whole(both[1], least, node.loc)

        if expr.constant:
            value = evaluate({})
            return lambda env: value
        return evaluate

    return reader


def _padding_reader(node: Node, known: Known) -> Callable[[Env], object]:
    names = ("same", *PADDING_RULES)

    def sides(values: tuple[object, ...]) -> tuple[int, int, int, int]:
        numbers = [whole(value, 0, node.loc) for value in values]
        if len(numbers) == 2:
            high, wide = numbers
            return high, high, wide, wide
        if len(numbers) == 4:
            top, bottom, left, right = numbers
            return top, bottom, left, right
        raise SpecError(
            "expected [height, width] or [top, bottom, left, right], found "
            f"{several(len(numbers), 'value')}",
            node.loc,
        )

    if isinstance(node, Seq):
        parts = [expression(item, known, "a number") for item in items_of(node)]
        return lambda env: sides(tuple(part(env) for part in parts))
    word = scalar(node, "same, valid, a number or a list").text
    if word in names:
        return lambda env: word
    if (word.isidentifier() and word not in known) or ("-" in word and word[0].isalpha()):
        raise unknown("padding", word, names, node.loc)
    expr = expression(node, known, "a number")

    def evaluate(env: Env) -> object:
        value = expr(env)
        if isinstance(value, str):
            if value not in names:
                raise unknown("padding", value, names, node.loc)
            return value
        return sides(value if isinstance(value, tuple) else (value, value))

    return evaluate


def _number_reader(node: Node, known: Known) -> Callable[[Env], float]:
    expr = expression(node, known, "a number")

    def evaluate(env: Env) -> float:
        value = expr(env)
        if not is_number(value):
            raise SpecError(f"expected a number, found {_say(value)}", node.loc)
        return value

    return evaluate


def _wholes_reader(
    least: int, alone: bool = False
) -> Callable[[Node, Known], Callable[[Env], tuple[int, ...]]]:
    """Make the reader of a list of whole numbers; ``alone`` allows one without brackets."""
    size = _whole_reader(least)

    def reader(node: Node, known: Known) -> Callable[[Env], tuple[int, ...]]:
        if not isinstance(node, Seq) and not (alone and isinstance(node, Scalar)):
            raise SpecError(f"expected a list of numbers, found {KIND_OF[type(node)]}", node.loc)
        items = items_of(node) if isinstance(node, Seq) else (node,)
        parts = [size(item, known) for item in items]
        return lambda env: tuple(part(env) for part in parts)

    return reader


def _shapes_reader(node: Node, known: Known) -> Callable[[Env], tuple[tuple[int, ...], ...]]:
    """Read a list of sizes, or a list of such lists."""
    size = _wholes_reader(1)
    several = isinstance(node, Seq) and any(isinstance(item, Seq) for item in node.items)
    items = items_of(node) if isinstance(node, Seq) and several else (node,)
    parts = [size(item, known) for item in items]
    return lambda env: tuple(part(env) for part in parts)


def argument(text: str) -> str | None:
    """Return the name behind a ``$``, for fields that are words rather than expressions."""
    return text[1:] if text.startswith("$") else None


def choice(
    word: str,
    doc: str,
    choices: tuple[str, ...],
    meant: Callable[[str], str | None] = lambda text: None,
) -> Kind:
    """Make the type of a field that is one of a few words, or ``$name`` of an argument.

    ``meant`` returns the word for what others call it, if there is one.
    """

    def checked(value: object, loc: Loc) -> str:
        if value is None:
            value = "none"
        if not isinstance(value, str) or value not in choices:
            typed = value if isinstance(value, str) else ""
            known = meant(typed)
            hint = f"did you mean {known!r}?" if known else nearest(typed, choices)
            raise SpecError(f"unknown {word} {_say(value)}", loc, hint)
        return value

    def reader(node: Node, known: Known) -> Callable[[Env], str]:
        text = scalar(node, f"the name of {doc}").text
        name = argument(text)
        if name is None:
            if text in known and text not in choices:
                raise SpecError(
                    f"unknown {word} {text!r}", node.loc, f"the argument is written ${text}"
                )
            value = checked(text, node.loc)
            return lambda env: value
        if name not in known:
            raise unknown("argument", text, sorted(known), node.loc)
        return lambda env: checked(env[name], node.loc)

    kinds = [{"enum": list(choices)}, {"pattern": r"^\$"}]
    return Kind(word, doc, {"type": "string", "anyOf": kinds}, reader, choices)


def _anything_reader(node: Node, known: Known) -> Callable[[Env], Any]:
    """Read a block's argument: an expression, a word, ``$name`` or a list of expressions."""
    if isinstance(node, Seq):
        parts = [_anything_reader(item, known) for item in items_of(node)]
        return lambda env: tuple(part(env) for part in parts)
    leaf = scalar(node, "a value")
    name = argument(leaf.text)
    if name is not None and name in known:
        return lambda env: env[name]
    word = leaf.text.replace("-", "_")
    if word.isidentifier() and leaf.text not in known and word not in ("true", "false", "none"):
        return lambda env: leaf.text
    return expression(leaf, known, "a value")


_TEXT: dict[str, object] = {"type": "string"}
_EXPRESSION: dict[str, object] = {"anyOf": [{"type": "integer"}, _TEXT]}
_LIST_OF_TWO: dict[str, object] = {"type": "array", "items": _EXPRESSION, "minItems": 2}

SIZE = Kind("int", "a whole number of at least 1", _EXPRESSION, _whole_reader(1))
COUNT = Kind("count", "a whole number of at least 0", _EXPRESSION, _whole_reader(0))
PAIR = Kind(
    "pair",
    "one number for both axes, or [height, width]",
    {"anyOf": [_EXPRESSION, {**_LIST_OF_TWO, "maxItems": 2}]},
    _pair_reader(1),
)
PADDING = Kind(
    "padding",
    "same, valid, a rule's name, a number, [height, width] or [top, bottom, left, right]",
    {
        "anyOf": [
            {"type": "string", "enum": ["same", *PADDING_RULES]},
            _EXPRESSION,
            {**_LIST_OF_TWO, "maxItems": 4},
        ]
    },
    _padding_reader,
)
FLAG = Kind(
    "flag",
    "true, false or a condition",
    {"anyOf": [{"type": "boolean"}, _TEXT]},
    lambda node, known: expression(node, known, "true, false or a condition").truth,
)
NUMBER = Kind(
    "number",
    "a number, decimals allowed",
    {"anyOf": [{"type": "number"}, _TEXT]},
    _number_reader,
)
PAIR_OR_NONE = Kind(
    "counts",
    "a number of at least 0 for both axes, or [height, width]",
    PAIR.schema,
    _pair_reader(0),
)
_LIST = {"type": "array", "items": _EXPRESSION}
SIZES = Kind("ints", "a list of numbers", _LIST, _wholes_reader(1))
SHAPES = Kind(
    "shapes",
    "a list of sizes, or a list of such lists",
    {"type": "array", "items": {"anyOf": [_EXPRESSION, _LIST]}},
    _shapes_reader,
)
SHAPE = Kind("shape", "a list of sizes, one of which may be -1", _LIST, _wholes_reader(-1))
AXIS = Kind("axis", "a whole number, from the end if below 0", _EXPRESSION, _whole_reader(-LARGEST))
AXES = Kind(
    "axes",
    "an axis or a list of them, from the end if below 0",
    {"anyOf": [_EXPRESSION, _LIST]},
    _wholes_reader(-LARGEST, alone=True),
)
WORD = Kind("name", "a word, handed on as it is", _TEXT, _anything_reader)
ANY = Kind("any", "any value", {}, _anything_reader)

ARGUMENT_KINDS = {kind.word: kind for kind in (SIZE, COUNT, PAIR, PADDING, FLAG, NUMBER, WORD, ANY)}
"""The types that a block can declare for its arguments, by their word."""


def inferred(default: Node) -> Kind:
    """Return the type of an argument by its default: a word, a flag, a padding, or a number.

    Raises: SpecError: the default is a mapping.
    """
    if isinstance(default, Seq):
        return ANY
    if not isinstance(default, Scalar):
        raise SpecError("a default is a single value or a list", default.loc)
    typed = value_of(default)
    if isinstance(typed, bool | int | float):
        return {bool: FLAG, int: ANY, float: NUMBER}[type(typed)]
    if default.text in ("same", "valid", *FAMILIES):
        return PADDING
    return WORD if default.text.isidentifier() else ANY

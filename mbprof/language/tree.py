"""Reading a located tree: required and optional keys, words, lists, each refusal with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mbprof.errors import Loc, SpecError, nearest, unknown
from mbprof.language.source import KIND_OF, Map, Node, Scalar, Seq


def mapping(node: Node, what: str) -> Map:
    """Return the node if it is a mapping.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Map):
        raise SpecError(f"{what} must be a mapping, found {KIND_OF[type(node)]}", node.loc)
    return node


def sequence(node: Node, what: str) -> Seq:
    """Return the node if it is a list.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Seq):
        raise SpecError(f"{what} must be a list, found {KIND_OF[type(node)]}", node.loc)
    return node


def word(node: Node, what: str) -> Scalar:
    """Return the node if it is a single, non-empty value.

    Raises: SpecError: it is not.
    """
    if not isinstance(node, Scalar):
        raise SpecError(f"{what} must be a single value, found {KIND_OF[type(node)]}", node.loc)
    if not node.text:
        raise SpecError(f"{what} is empty", node.loc)
    return node


def words(node: Node, what: str) -> tuple[Scalar, ...]:
    """Return one value or a list of values as a tuple."""
    if isinstance(node, Seq):
        return tuple(word(item, what) for item in node.items)
    return (word(node, what),)


def identifier(scalar: Scalar, what: str, reserved: Collection[str] = ()) -> str:
    """Return a name that expressions can use.

    Raises: SpecError: not a name, or one with a meaning of its own.
    """
    name = scalar.text
    if not name.isidentifier() or not name.isascii():
        raise SpecError(
            f"{name!r} cannot name {what}", scalar.loc, "use letters, digits and underscores"
        )
    if name in reserved:
        raise SpecError(f"{name!r} cannot name {what}; it has a meaning of its own", scalar.loc)
    return name


def known_keys(node: Map, allowed: Iterable[str], what: str) -> None:
    """Refuse keys that are not allowed.

    Raises: SpecError: with the nearest allowed key.
    """
    names = list(allowed)
    for key, entry in node.entries.items():
        if key not in names:
            raise SpecError(f"{what} has no key {key!r}", entry.key.loc, nearest(key, names, 20))


def required(node: Map, key: str, what: str, loc: Loc | None = None) -> Node:
    """Return the value of a key.

    Raises: SpecError: the key is missing.
    """
    value = node.get(key)
    if value is None:
        raise SpecError(f"{what} lacks the key {key!r}", loc or node.loc)
    return value


def text(node: Map, key: str, default: str = "") -> str:
    """Return a key's text, or the default where the key is absent."""
    value = node.get(key)
    return default if value is None else word(value, key).text


def one_of(node: Map, key: str, choices: tuple[str, ...], default: str) -> str:
    """Return a key's text, which must be one of a few words.

    Raises: SpecError: it is another word.
    """
    value = node.get(key)
    if value is None:
        return default
    scalar = word(value, key)
    if scalar.text not in choices:
        raise unknown(key, scalar.text, choices, scalar.loc)
    return scalar.text

"""Classes that are made quickly, frozen ones and named tuples; work while the collector rests."""

from __future__ import annotations

import gc
from collections import _tuplegetter  # type: ignore[attr-defined]  # fields of namedtuple(), in C
from collections.abc import Callable, Iterable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from functools import cache, partial, wraps
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, dataclass_transform

T = TypeVar("T")
P = ParamSpec("P")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(made: type[T]) -> type[T]:
    """Make of a class what ``dataclass(frozen=True, slots=True)`` does, in an eighth of the time.

    That compiles six methods anew for each class, and looks at each field; here one is compiled
    for all classes of as many fields, and the fields are looked at, once an object is made.

    >>> @record
    ... class Point:
    ...     "A point."
    ...     x: int
    ...     y: int = 0
    >>> Point(3), Point(3) == Point(3, 0), hash(Point(3)) == hash(Point(3))
    (Point(x=3, y=0), True, True)
    """
    kind: type[T] = _remade(made, _SHARED)
    return kind


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def mutable(made: type[T]) -> type[T]:
    """Make of a class what ``dataclass(slots=True, eq=False)`` does, as quickly as `record`."""
    kind: type[T] = _remade(made, {})
    return kind


def _remade(made: Any, shared: dict[str, Any]) -> Any:
    own = vars(made)
    types = made.__annotations__.items()
    names = [n for n, kind in types if not str(kind).removeprefix("typing.").startswith("ClassVar")]
    kept = own.keys() - {*names, "__dict__", "__weakref__"}
    inherited = {name for base in made.__mro__ for name in vars(base).get("__slots__", ())}
    said = {"__repr__": _said} if made.__repr__ is object.__repr__ else {}
    space = {**shared, **said, **{name: own[name] for name in kept}}
    space["__slots__"] = tuple(name for name in names if name not in inherited)
    kind: Any = type(made)(made.__name__, made.__bases__, space)
    kind.__qualname__ = made.__qualname__
    if "__init__" not in kept:
        kind.__init__ = Later(kind, "__init__", _initializer)
    kind._compared = Later(kind, "_compared", _comparer)
    for name in _DESCRIPTION:
        setattr(kind, name, Later(kind, name, partial(_described, made, name)))
    return kind


def at_once(work: Callable[P, T]) -> Callable[P, T]:
    """Let a function work without a search for garbage: it makes much that stays, and no cycles.

    Such searches, one for every 700 objects, take half of the time of a long spec.

    >>> at_once(gc.isenabled)(), gc.isenabled()
    (False, True)
    """

    @wraps(work)
    def run(*args: P.args, **named: P.kwargs) -> T:
        if not gc.isenabled():
            return work(*args, **named)
        gc.disable()
        try:
            return work(*args, **named)
        finally:
            gc.enable()

    return run


class Later:
    """What a class has when it is asked for: most classes make no object in a run."""

    def __init__(self, kind: Any, name: str, make: Callable[[Any], Any]) -> None:
        self.kind, self.name, self.make = kind, name, make

    def __get__(self, made: Any, owner: Any = None) -> Any:
        value = self.make(self.kind)
        setattr(self.kind, self.name, value)
        bound = made is not None and hasattr(value, "__get__")
        return value.__get__(made, owner) if bound else value


_DESCRIPTION = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")


def _described(made: Any, name: str, kind: Any) -> Any:
    """Return what a dataclass knows of itself, from the class as it was written."""
    if name not in vars(made):
        dataclass(init=False, eq=False, repr=False)(made)
    return vars(made)[name]


def _comparer(kind: Any) -> Any:
    compared = [part.name for part in fields(kind) if part.compare]
    return attrgetter(*compared) if compared else type


def _initializer(kind: Any) -> Any:
    """Return what sets the fields of a new object, each by its slot, as nothing else does.

    ``object.__setattr__``, which a frozen dataclass calls, takes nearly twice the time.
    """
    known, usual = {}, {}
    parts = sorted(
        (part for part in fields(kind) if part.init), key=lambda part: bool(part.kw_only)
    )
    for number, part in enumerate(parts):
        put = getattr(kind, part.name).__set__
        if part.default_factory is not MISSING:
            put = _or_made(put, part.default_factory)
            usual[part.name] = MISSING
        elif part.default is not MISSING:
            usual[part.name] = part.default
        known[f"set_{number}"] = put
    body = "set up" if hasattr(kind, "__post_init__") else "set"
    types, named = (
        {part.name: part.type for part in parts},
        sum(bool(part.kw_only) for part in parts),
    )
    return _method(kind, "__init__", body, types, usual, known, named)


def _or_made(put: Callable[[Any, Any], None], make: Callable[[], Any]) -> Any:
    return lambda made, value: put(made, make() if value is MISSING else value)


def _method(
    kind: Any,
    name: str,
    body: str,
    types: dict[str, Any],
    usual: dict[str, Any],
    known: dict[str, Any],
    named: int = 0,
) -> Any:
    """Return a method that takes the fields of a class: code of that shape, with their names."""
    said, words = f"{kind.__qualname__}.{name}", [*types]
    code = _code(body, len(words), named).replace(
        co_varnames=("self", *words), co_name=name, co_qualname=said
    )
    asked = len(words) - named
    first = tuple(usual[word] for word in words[:asked] if word in usual)
    method = FunctionType(code, {**known, "__name__": kind.__module__}, name, first)
    method.__kwdefaults__ = {word: usual[word] for word in words[asked:] if word in usual}
    method.__qualname__, method.__annotations__ = said, types
    return method


@cache
def _code(body: str, count: int, named: int) -> CodeType:
    """Compile a method that takes so many values; to do it for each class is most of its time."""
    words = [f"value_{number}" for number in range(count)]
    lines = [f"set_{number}(self, {word})" for number, word in enumerate(words)]
    if body == "new":
        lines = [f"return new(self, ({''.join(f'{word}, ' for word in words)}))"]
    elif body == "set up":
        lines.append("self.__post_init__()")
    head = ["self", *words[: count - named], *(["*"] if named else []), *words[count - named :]]
    known: dict[str, Any] = {}
    exec("\n ".join([f"def method({', '.join(head)}):", *lines, "pass"]), known)
    code: CodeType = known["method"].__code__
    return code


def _equal(self: Any, other: Any) -> Any:
    if self is other:
        return True
    same = type(self) is type(other)
    return self._compared(self) == other._compared(other) if same else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _said(self: Any) -> str:
    parts = (f"{part.name}={getattr(self, part.name)!r}" for part in fields(self) if part.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _set(self: Any, name: str, value: Any) -> None:
    """Set a field once, as ``__init__`` does."""
    if hasattr(self, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__setattr__": _set,
    "__delattr__": _delete,
}


if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    class _Named(type):
        """The class of classes of named tuples."""

        def __new__(cls, name, bases, space):
            made = super().__new__(cls, name, bases, {**space, "__slots__": ()})
            if any(type(base) is cls and base is NamedTuple for base in bases):
                names = made._fields = made.__match_args__ = tuple(made.__annotations__)
                made._field_defaults = {name: space[name] for name in names if name in space}
                for number, name in enumerate(names):
                    setattr(made, name, _tuplegetter(number, None))
                made.__new__ = Later(made, "__new__", _maker)
            return made

    class NamedTuple(tuple, metaclass=_Named):
        """What ``typing.NamedTuple`` makes, in a tenth of the time.

        That compiles the type of each field, and a method for each class.

        >>> class Point(NamedTuple):
        ...     x: int
        ...     y: int = 0
        >>> Point(3), Point(3)._replace(y=1), Point(3) == (3, 0)
        (Point(x=3, y=0), Point(x=3, y=1), True)
        """

        _fields, _field_defaults = (), {}

        def __repr__(self) -> str:
            parts = (f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({', '.join(parts)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Any:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **given: Any) -> Any:
            made = self._make(map(given.pop, self._fields, self))
            if given:
                raise TypeError(f"{type(self).__name__} has no field {', '.join(given)}")
            return made


def _maker(kind: Any) -> Any:
    types, usual = kind.__annotations__, kind._field_defaults
    return _method(kind, "__new__", "new", types, usual, {"new": tuple.__new__})

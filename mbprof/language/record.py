"""Objects that are made quickly: frozen dataclasses, and what works while the collector rests."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from functools import wraps
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar, dataclass_transform

T = TypeVar("T")
P = ParamSpec("P")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(made: type[T]) -> type[T]:
    """Make of a class what ``dataclass(frozen=True, slots=True)`` does, in an eighth of the time.

    That compiles six methods anew for each class; here it is one, once an object is made, and the
    others are shared.

    >>> @record
    ... class Point:
    ...     "A point."
    ...     x: int
    ...     y: int = 0
    >>> Point(3), Point(3) == Point(3, 0), hash(Point(3)) == hash(Point(3))
    (Point(x=3, y=0), True, True)
    """
    own = set(vars(made))
    kind: Any = dataclass(slots=True, init=False, eq=False, repr=False)(made)
    if "__init__" not in own:
        kind.__init__ = _Init(kind)
    compared = [part.name for part in fields(kind) if part.compare]
    kind._compared = attrgetter(*compared) if compared else type
    shared = {"__eq__": _equal, "__hash__": _hash, "__setattr__": _set, "__delattr__": _delete}
    if kind.__repr__ is object.__repr__:
        shared["__repr__"] = _said
    for name in shared.keys() - own:
        setattr(kind, name, shared[name])
    return kind  # type: ignore[no-any-return]  # dataclass() of a type variable is Any


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


class _Init:
    """The ``__init__`` of a class until it is asked for: most classes make no object in a run."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __get__(self, made: Any, owner: Any = None) -> Any:
        self.kind.__init__ = init = _initializer(self.kind)
        return init if made is None else init.__get__(made, owner)


def _initializer(kind: Any) -> Any:
    """Return what sets the fields of a new object, each by its slot, as nothing else does.

    ``object.__setattr__``, which a frozen dataclass calls, takes nearly twice the time.
    """
    known: dict[str, Any] = {"__name__": kind.__module__, "_missing": MISSING}
    asked, named, lines = ["self"], ["*"], []
    parts = [part for part in fields(kind) if part.init]
    for part in parts:
        name = value = word = part.name
        if part.default_factory is not MISSING:
            word, value = f"{name}=_missing", f"_make_{name}() if {name} is _missing else {name}"
        elif part.default is not MISSING:
            word = f"{name}=_usual_{name}"
        known[f"_set_{name}"] = getattr(kind, name).__set__
        known[f"_usual_{name}"], known[f"_make_{name}"] = part.default, part.default_factory
        (named if part.kw_only else asked).append(word)
        lines.append(f"_set_{name}(self, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    head = ", ".join(asked + named) if len(named) > 1 else ", ".join(asked)
    exec("\n ".join([f"def __init__({head}):", *lines, "pass"]), known)
    init = known["__init__"]
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    init.__annotations__ = {part.name: part.type for part in parts}
    return init


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

"""Records are frozen dataclasses, and named tuples are, but for the time that they take to make."""

import pickle
import typing
from dataclasses import FrozenInstanceError, dataclass, field, replace
from inspect import signature
from typing import Any

import pytest

from mbprof.language import record as records
from mbprof.language.record import mutable, record


def made(make: Any) -> Any:
    """Return a class that is made a dataclass in one way or another."""

    class Point:
        """A point."""

        x: int
        y: int = 2
        seen: list[int] = field(default_factory=list, compare=False)
        name: str = field(default="p", kw_only=True, repr=False)
        far: bool = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "far", self.x > 9)

    return make(Point)


POINTS = [made(record), made(dataclass(frozen=True, slots=True))]


@pytest.mark.parametrize("given", [((1,), {}), ((1, 3, [4]), {"name": "q"}), ((12,), {"y": 0})])
def test_a_record_is_a_frozen_dataclass(given: Any) -> None:
    ours, theirs = (point(*given[0], **given[1]) for point in POINTS)
    assert repr(ours) == repr(theirs)
    for name in ("x", "y", "seen", "name", "far"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert replace(ours, x=5) == POINTS[0](5, ours.y, name=ours.name)
    own, usual = (point.__init__ for point in POINTS)
    assert (own.__module__, own.__qualname__) == (usual.__module__, usual.__qualname__)
    assert ours == replace(ours, seen=[7])
    assert hash(ours) == hash(replace(ours, seen=[7]))
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        ours.x = 3
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del ours.x


@pytest.mark.parametrize("given", [((), {}), ((1, 2, [], "n"), {}), ((1,), {"z": 3})])
def test_a_record_says_what_it_lacks_as_a_dataclass_does(given: Any) -> None:
    said = []
    for point in POINTS:
        with pytest.raises(TypeError) as error:
            point(*given[0], **given[1])
        said.append(str(error.value))
    assert said[0] == said[1]


def test_a_record_shows_its_arguments() -> None:
    fresh = made(record)
    assert list(signature(fresh).parameters) == ["x", "y", "seen", "name"]
    assert fresh(1).seen is not fresh(1).seen


def test_a_mutable_one_is_a_dataclass_with_slots() -> None:
    ours, theirs = (made(way)(1, name="q") for way in (mutable, dataclass(slots=True, eq=False)))
    for point in (ours, theirs):
        point.x = 5
        with pytest.raises(AttributeError):
            point.z = 1
    assert repr(ours) == repr(theirs)
    assert ours == ours != made(mutable)(5, name="q")
    assert replace(ours, y=7).y == 7


@record
class Base:
    """A record that others extend."""

    a: int


@record
class Wide(Base):
    """One with a field more, whose own start sets both."""

    b: int = 1


class Plain(Base):
    """A class that is no record itself."""

    __slots__ = ()


def test_records_extend_one_another_and_are_sent() -> None:
    assert Plain(3).a == 3
    assert Wide(4) == Wide(4, 1) != Base(4)
    assert pickle.loads(pickle.dumps(Wide(4, 5))) == Wide(4, 5)


class Ours(records.NamedTuple):
    """A tuple whose parts have names."""

    x: int
    y: str = "b"

    @property
    def both(self) -> str:
        return f"{self.x}{self.y}"


class Theirs(typing.NamedTuple):
    """The same, as Python makes it."""

    x: int
    y: str = "b"

    @property
    def both(self) -> str:
        return f"{self.x}{self.y}"


class Larger(Ours):
    """A class that adds no field."""

    __slots__ = ()


@pytest.mark.parametrize("given", [((1,), {}), ((1, "c"), {}), ((), {"y": "d", "x": 3})])
def test_a_named_tuple_is_that_of_typing(given: Any) -> None:
    ours, theirs = (kind(*given[0], **given[1]) for kind in (Ours, Theirs))
    assert repr(ours).removeprefix("Ours") == repr(theirs).removeprefix("Theirs")
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert ours.both == theirs.both
    assert ours._asdict() == theirs._asdict()
    assert ours._replace(y="z") == theirs._replace(y="z")
    assert Ours._make(theirs) == theirs
    with pytest.raises(TypeError, match="Ours has no field z"):
        ours._replace(z=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Ours has 2 fields, not 1"):
        Ours._make([1])
    assert not hasattr(ours, "__dict__")
    assert pickle.loads(pickle.dumps(ours)) == ours
    with pytest.raises(AttributeError):
        ours.x = 3  # type: ignore[misc]
    match ours:
        case Ours(x, y):
            assert (x, y) == tuple(theirs)


@pytest.mark.parametrize("given", [((), {}), ((1, "a", 2), {}), ((1,), {"z": 3})])
def test_a_named_tuple_says_what_it_lacks_as_that_of_typing_does(given: Any) -> None:
    said = []
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError) as error:
            kind(*given[0], **given[1])
        said.append(str(error.value).replace(kind.__name__, "Point"))
    assert said[0] == said[1]


def test_a_named_tuple_shows_its_arguments_and_is_extended() -> None:
    for name in ("_fields", "_field_defaults", "__match_args__", "__slots__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert list(signature(Ours).parameters) == list(signature(Theirs).parameters)
    assert (type(Larger(1)._replace(x=2)), Larger(1).both) == (Larger, "1b")

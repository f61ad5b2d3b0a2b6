"""Where specs and blocks are found: the zoo that comes with mbprof, files, standard input."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mbprof.errors import Source, SourceError, SpecError, UsageError, nearest, unknown
from mbprof.language.source import Map, Scalar, decode, parse, read, read_stdin
from mbprof.language.tree import mapping, word
from mbprof.spec import git
from mbprof.spec.model import Definition
from mbprof.spec.overlay import overlay
from mbprof.spec.reader import SpecReader

_PACKAGE = Path(__file__).parent.parent
_MAX_EXTENDS = 8


def folder() -> Path:
    """Return the folder of the zoo: in the wheel inside the package, in a checkout beside it."""
    packed = _PACKAGE / "specs"
    return packed if packed.is_dir() else _PACKAGE.parent / "specs"


def spec_names() -> list[str]:
    """Return the names of the zoo's files, without presets, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


@lru_cache(maxsize=1)
def names() -> list[str]:
    """Return the names of the zoo's specs, presets included, in alphabetical order."""
    found = []
    for name in spec_names():
        found += [name, *_presets(_file(name))]
    return sorted(found)


def block_names() -> list[str]:
    """Return the names of the block library."""
    return sorted(path.stem for path in (folder() / "blocks").glob("*.yaml"))


@lru_cache(maxsize=256)
def block_tree(name: str) -> Map | None:
    """Return the tree of a block of the library, or None."""
    if not name.isidentifier() or not (folder() / "blocks" / f"{name}.yaml").is_file():
        return None
    return _file(f"blocks/{name}").root


class _Text(NamedTuple):
    """A text and its tree."""

    source: Source
    root: Map


class Opened(NamedTuple):
    """A spec's tree, with what it extends and its flavour laid over one another."""

    root: Map
    path: str
    flavour: str
    preset: str | None


@lru_cache(maxsize=256)
def _file(name: str) -> _Text:
    """Read a file of the zoo once; it is known by its path inside the project."""
    return _parsed(Source(f"specs/{name}.yaml", read(folder() / f"{name}.yaml").text))


def _parsed(source: Source) -> _Text:
    return _Text(source, mapping(parse(source), "a spec"))


def _presets(text: _Text) -> list[str]:
    presets = text.root.get("presets")
    return list(presets.entries) if isinstance(presets, Map) else []


def load(spec: str | Path) -> Definition:
    """Return a spec: ``NAME`` or ``NAME@FLAVOUR`` of the zoo, a path, ``REV:PATH``, or ``-``.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1@keras").name
    'mobilenet_v1@keras'
    """
    text, preset, flavour = _found(str(spec))
    return (
        _zoo(text, preset, flavour) if isinstance(text, str) else _definition(text, None, flavour)
    )


def tree(spec: str) -> Opened:
    """Return the tree of a spec, which `load` reads a spec from.

    Raises: UsageError: no such name or flavour. SourceError, SpecError: the text is not a spec.
    """
    text, preset, flavour = _found(spec)
    return _opened(_file(text) if isinstance(text, str) else text, preset, flavour)


def exists(spec: str) -> bool:
    """Return whether there is a spec or file of that name, flavours aside."""
    name = spec.rpartition("@")[0] or spec
    return name == "-" or any(Path(each).exists() or _packed(each) for each in (spec, name))


def _found(asked: str) -> tuple[str | _Text, str | None, str]:
    """Return the file of the zoo, or another text, that a spec is in; its preset and flavour."""
    name, flavour = asked, ""
    if "@" in asked and not Path(asked).is_file():
        before, _, after = asked.rpartition("@")
        # What git writes as HEAD@{1}:PATH or @:PATH is no flavour.
        if ":" not in after:
            name, flavour = before, after
            if not flavour:
                raise UsageError(f"{asked!r} names no flavour after the @")
    if "/" not in name and (packed := _packed(name)) is not None:
        return (*packed, flavour)
    return _unpacked(name), None, flavour


def loads(text: str, name: str) -> Definition:
    """Return a spec from its text; errors call it by ``name``.

    Raises: SourceError, SpecError, ExpressionError: the text is not a spec.
    """
    data = text.encode("utf-8", errors="surrogatepass")
    return _definition(_parsed(decode(name, data)), None, "")


@lru_cache(maxsize=512)
def _zoo(name: str, preset: str | None, flavour: str) -> Definition:
    return _definition(_file(name), preset, flavour)


def _opened(text: _Text, preset: str | None, flavour: str) -> Opened:
    root = _extended(text.root, text.source, ())
    if flavour:
        root = _flavoured(root, flavour)
    return Opened(root, text.source.name, flavour, preset)


def _definition(text: _Text, preset: str | None, flavour: str) -> Definition:
    return define(_opened(text, preset, flavour))


def define(spec: Opened) -> Definition:
    """Read a spec's tree.

    Raises: SpecError, ExpressionError: it is no spec.
    """
    found = SpecReader(block_tree, block_names).spec(spec.root, spec.path, spec.flavour or None)
    if spec.preset is not None:
        found = _preset(found, spec.preset)
    return replace(found, name=f"{found.name}@{spec.flavour}") if spec.flavour else found


def _preset(spec: Definition, name: str) -> Definition:
    knobs = dict(spec.knobs)
    for knob, value in spec.presets[name].knobs.items():
        knobs[knob] = replace(knobs[knob], default=value)
    return replace(spec, name=name, doc=spec.presets[name].doc or spec.doc, knobs=knobs)


def _packed(name: str) -> tuple[str, str | None] | None:
    """Return the file of the zoo that a name stands for, and the preset; None if there is none."""
    if not name.isidentifier():
        return None
    if (folder() / f"{name}.yaml").is_file():
        return name, None
    for stem in spec_names():
        # Most files are ruled out by a look at their text, before they are parsed.
        if f"{name}:" in (folder() / f"{stem}.yaml").read_text(encoding="utf-8") and (
            name in _presets(_file(stem))
        ):
            return stem, name
    return None


def _unpacked(name: str) -> _Text:
    """Read a spec that is no name of the zoo: standard input, a file, or one at a revision."""
    if name == "-":
        return _parsed(read_stdin())
    if Path(name).exists():
        return _parsed(read(Path(name)))
    if (asked := git.revision(name)) is not None:
        return _parsed(git.read(asked))
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        raise SourceError(f"there is no file {name}", hint=_file_hint(name))
    raise unknown("spec", name, names())


def _file_hint(name: str) -> str:
    path = Path(name)
    beside = [each.name for each in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    if beside:
        return nearest(path.name, sorted(beside))
    return "a spec is a name of mbprof list, a path, or - for standard input"


def _extended(root: Map, source: Source, seen: tuple[str, ...]) -> Map:
    """Lay a spec over the one that it extends."""
    node = root.get("extend")
    if node is None:
        return root
    scalar = word(node, "extend")
    if scalar.text in seen or len(seen) >= _MAX_EXTENDS:
        chain = " -> ".join((*seen, scalar.text))
        raise SpecError(f"extend goes round in a circle: {chain}", scalar.loc)
    base = _base(scalar, source)
    below = _extended(base.root, base.source, (*seen, scalar.text))
    merged = overlay(below, root, skip=("published", "presets", "extend"))
    return Map({key: each for key, each in merged.entries.items() if key != "extend"}, root.loc)


def _base(scalar: Scalar, source: Source) -> _Text:
    """Read the spec that another one extends: a name of the zoo, or a path from where it stands.

    Beside a file at a revision that is a file at the same revision.
    """
    if scalar.text.isidentifier() and (folder() / f"{scalar.text}.yaml").is_file():
        return _file(scalar.text)
    path = Path(source.name).parent / scalar.text
    if (beside := git.beside(source.name, scalar.text)) is not None:
        try:
            if git.exists(beside):
                return _parsed(git.read(beside))
        except SourceError as error:
            raise error.at(scalar.loc) from None
    elif path.is_file():
        return _parsed(read(path))
    hint = nearest(scalar.text, names())
    raise SpecError(f"cannot extend {scalar.text!r}: there is no such spec", scalar.loc, hint)


def _flavoured(root: Map, flavour: str, seen: tuple[str, ...] = ()) -> Map:
    """Lay a flavour over its spec, or over the one it is like; the spec's own changes nothing."""
    own, node = root.get("flavour"), root.get("flavours")
    if own is not None and word(own, "flavour").text == flavour:
        return root
    flavours = mapping(node, "flavours").entries if node else {}
    if flavour not in flavours:
        known = [*([word(own, "flavour").text] if own else []), *flavours]
        name = word(root.entries["name"].value, "name").text if "name" in root.entries else "it"
        raise UsageError(f"{name} has no flavour {flavour!r}", hint=nearest(flavour, known))
    changes = mapping(flavours[flavour].value, f"flavour {flavour}")
    if (other := changes.get("like")) is not None:
        scalar = word(other, "like")
        if scalar.text in (*seen, flavour):
            chain = " -> ".join((*seen, flavour, scalar.text))
            raise SpecError(f"like goes round in a circle: {chain}", scalar.loc)
        if scalar.text not in flavours:
            hint = nearest(scalar.text, flavours)
            raise SpecError(f"there is no flavour {scalar.text!r}", scalar.loc, hint)
        root = _flavoured(root, scalar.text, (*seen, flavour))
    merged = overlay(root, changes)
    dropped = ("flavour", "like")
    return Map({key: each for key, each in merged.entries.items() if key not in dropped}, root.loc)

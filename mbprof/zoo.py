"""Where specs and blocks are found: the zoo that comes with mbprof, files, standard input."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mbprof.errors import Source, SourceError, SpecError, UsageError, nearest
from mbprof.source import Map, decode, parse, read, read_stdin
from mbprof.spec.model import Definition
from mbprof.spec.nodes import mapping, word
from mbprof.spec.overlay import overlay
from mbprof.spec.reader import SpecReader

_PACKAGE = Path(__file__).parent
_MAX_EXTENDS = 8


def folder() -> Path:
    """Return the folder of the zoo: in the wheel inside the package, in a checkout beside it."""
    packed = _PACKAGE / "specs"
    return packed if packed.is_dir() else _PACKAGE.parent / "specs"


def spec_names() -> list[str]:
    """Return the names of the zoo's files, without presets, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def names() -> list[str]:
    """Return the names of the zoo's specs, presets included, in alphabetical order."""
    found = []
    for path in sorted(folder().glob("*.yaml")):
        found += [path.stem, *_presets(path)]
    return sorted(found)


def block_names() -> list[str]:
    """Return the names of the block library."""
    return sorted(path.stem for path in (folder() / "blocks").glob("*.yaml"))


def _presets(path: Path) -> list[str]:
    root = _tree(read(path))
    presets = root.get("presets")
    return list(presets.entries) if isinstance(presets, Map) else []


@lru_cache(maxsize=256)
def block_tree(name: str) -> Map | None:
    """Return the tree of a block of the library, or None."""
    if not name.isidentifier():
        return None
    path = folder() / "blocks" / f"{name}.yaml"
    return _tree(_packed(path)) if path.is_file() else None


def _packed(path: Path) -> Source:
    """Read a file of the zoo; it is known by its path inside the project."""
    return Source(f"specs/{path.relative_to(folder()).as_posix()}", read(path).text)


def _tree(source: Source) -> Map:
    return mapping(parse(source), "a spec")


def load(spec: str | Path) -> Definition:
    """Return a spec: ``NAME`` or ``NAME@FLAVOUR`` of the zoo, a path, or ``-`` for standard input.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1").name
    'mobilenet_v1'
    """
    text = str(spec)
    name, _, flavour = text.partition("@")
    if not flavour and "@" in text:
        raise UsageError(f"{text!r} names no flavour after the @")
    source, preset = _find(name)
    root = _extended(_tree(source), source, ())
    if flavour:
        root = _flavoured(root, flavour, text)
    read_spec = SpecReader(block_tree, block_names).spec(root, source.name, flavour or None)
    if preset:
        read_spec = _preset(read_spec, preset)
    return _renamed(read_spec, f"{preset or read_spec.name}@{flavour}") if flavour else read_spec


def loads(text: str, name: str) -> Definition:
    """Return a spec from its text; errors call it by ``name``.

    Raises: SourceError, SpecError, ExpressionError: the text is not a spec.
    """
    source = decode(name, text.encode("utf-8", errors="surrogatepass"))
    root = _extended(_tree(source), source, ())
    return SpecReader(block_tree, block_names).spec(root, name)


def _renamed(spec: Definition, name: str) -> Definition:
    from dataclasses import replace

    return replace(spec, name=name)


def _preset(spec: Definition, name: str) -> Definition:
    from dataclasses import replace

    knobs = dict(spec.knobs)
    for knob, value in spec.presets[name].knobs.items():
        knobs[knob] = replace(knobs[knob], default=value)
    return replace(spec, name=name, doc=spec.presets[name].doc or spec.doc, knobs=knobs)


def _find(name: str) -> tuple[Source, str | None]:
    """Return the source of a name or path, and the preset that the name stands for."""
    if name == "-":
        return read_stdin(), None
    looks_like_path = "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))
    if not looks_like_path and name.isidentifier():
        path = folder() / f"{name}.yaml"
        if path.is_file():
            return _packed(path), None
        for path in sorted(folder().glob("*.yaml")):
            if f"{name}:" in (source := _packed(path)).text and name in _presets(path):
                return source, name
    if looks_like_path or Path(name).exists():
        if looks_like_path and not Path(name).exists():
            raise SourceError(f"there is no file {name}", hint=_file_hint(name))
        return read(Path(name)), None
    raise UsageError(f"unknown spec {name!r}", hint=nearest(name, names()))


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
    base_source = _base(scalar.text, source, scalar)
    base = _extended(_tree(base_source), base_source, (*seen, scalar.text))
    merged = overlay(base, root, skip=("published", "presets", "extend"))
    return Map({key: each for key, each in merged.entries.items() if key != "extend"}, root.loc)


def _base(text: str, source: Source, scalar: object) -> Source:
    from mbprof.source import Scalar

    loc = scalar.loc if isinstance(scalar, Scalar) else None
    if text.isidentifier() and (folder() / f"{text}.yaml").is_file():
        return _packed(folder() / f"{text}.yaml")
    path = Path(source.name).parent / text
    if path.is_file():
        return read(path)
    hint = nearest(text, names())
    raise SpecError(f"cannot extend {text!r}: there is no such spec", loc, hint)


def _flavoured(root: Map, flavour: str, asked: str) -> Map:
    own = root.get("flavour")
    if own is not None and word(own, "flavour").text == flavour:
        return root
    node = root.get("flavours")
    flavours = mapping(node, "flavours").entries if node else {}
    if flavour not in flavours:
        known = [*([word(own, "flavour").text] if own else []), *flavours]
        raise UsageError(
            f"{asked} is unknown: no flavour {flavour!r}", hint=nearest(flavour, known)
        )
    changes = mapping(flavours[flavour].value, f"flavour {flavour}")
    merged = overlay(root, changes)
    return Map({key: each for key, each in merged.entries.items() if key != "flavour"}, root.loc)

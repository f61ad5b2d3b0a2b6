"""What a text names: a spec or block of the zoo, of a file, of a revision, of standard input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

from mbprof.errors import (
    LimitError,
    Loc,
    MbprofError,
    Source,
    SourceError,
    SpecError,
    UsageError,
    near_file,
    nearest,
    unknown,
)
from mbprof.language.record import record
from mbprof.language.source import (
    MAX_BYTES,
    Entry,
    Map,
    Scalar,
    decode,
    exists,
    is_file,
    is_folder,
    lies_below,
    mapping,
    parse,
    read,
    read_stdin,
    repository_of,
    word,
)
from mbprof.spec import foreign, index
from mbprof.spec import names as library_names
from mbprof.spec.flavours import check_chain, flavoured, preset_changes
from mbprof.spec.folders import BLOCKS, SPECS, folder, found, listed
from mbprof.spec.knobs import Given, turned
from mbprof.spec.model import Block, Definition, named_after
from mbprof.spec.overlay import overlay
from mbprof.spec.reader import BLOCK_KEYS, SpecReader
from mbprof.spec.sections import presets

_LONGEST = 200
"""No name of a spec or block has more characters; the system takes no name of more than 255."""
NOTHING: Given = {}
_SPEC_KEYS = {"input", "body", "extend"}
"""One of them makes a mapping a spec."""


@lru_cache(maxsize=1)
def spec_names() -> list[str]:
    """Return the names of the zoo's files, without presets, in alphabetical order."""
    return sorted(path.stem for path in listed(folder(), SPECS))


@lru_cache(maxsize=1)
def names() -> list[str]:
    """Return the names of the zoo's specs, presets included, in alphabetical order."""
    if (indexed := index.rows(folder())) is not None:
        return sorted(indexed)
    return sorted(name for stem in spec_names() for name in (stem, *presets(_file(stem))))


@lru_cache(maxsize=1)
def block_names() -> list[str]:
    """Return the names of the block library."""
    return sorted(path.stem for path in listed(folder(), BLOCKS))


@lru_cache(maxsize=1024)
def block_tree(name: str) -> Map | None:
    """Return the tree of a block of the library, or None."""
    path = found(folder(), BLOCKS, name)
    return None if path is None else _tree(_read(path))


@lru_cache(maxsize=512)
def _read(path: Path) -> Source:
    """Read a file of the zoo once; it is known by its path inside the project."""
    return Source(f"specs/{path.relative_to(folder()).as_posix()}", read(path).text)


def _source(stem: str) -> Source:
    """Return a file of the zoo that is there."""
    path = found(folder(), SPECS, stem)
    assert path is not None
    return _read(path)


@lru_cache(maxsize=512)
def _file(stem: str) -> Map:
    return _tree(_source(stem))


def _tree(source: Source) -> Map:
    return mapping(parse(source), "a spec")


class OpenedSpec:
    """A spec's own tree, and the preset and flavour that were asked for; each part is read once."""

    def __init__(
        self,
        own: Map,
        preset: str | None = None,
        flavour: str = "",
        settings: Mapping[str, str] | None = None,
        plain: OpenedSpec | None = None,
        ours: bool = False,
    ) -> None:
        self.own, self.preset, self.flavour, self.settings = own, preset, flavour, settings
        self.plain, self.ours = plain, ours

    @cached_property
    def root(self) -> Map:
        """The tree, with what it extends and its flavour laid over one another.

        Raises: UsageError: no such flavour. SourceError, SpecError: nothing to extend.
        """
        root = _extended(self.own, ())
        return flavoured(root, self.flavour) if self.flavour else root

    @cached_property
    def read(self) -> Definition:
        """The spec, read as if no preset were asked for."""
        reader = SpecReader(block_tree, block_names)
        spec = reader.spec(self.root, self.own.loc.source.name, self.flavour or None)
        if not self.ours:
            spec.claims()  # those of the zoo are right, and few commands ask for them
        return spec

    @cached_property
    def definition(self) -> Definition:
        """The spec, read.

        Raises: SpecError, ExpressionError: it is no spec. UsageError: no such flavour.
        """
        spec = self.plain.read if self.plain else self.read
        if self.preset is not None:
            preset = spec.presets[self.preset]
            own = {
                name: replace(spec.knobs[name], default=value)
                for name, value in preset.knobs.items()
            }
            knobs = {**spec.knobs, **own}
            spec = replace(spec, name=preset.name, doc=preset.doc or spec.doc, knobs=knobs)
        if self.settings is not None:
            # A library has no scope: it counts the network with its head.
            spec = replace(spec, scope="all", knobs=turned(spec.knobs, self.settings, spec.name))
        return replace(spec, name=f"{spec.name}@{self.flavour}") if self.flavour else spec


@record
class OpenedBlock:
    """A block's tree, and the spec around it if there is one."""

    text: str
    """What was asked for."""
    name: str
    node: Map
    around: OpenedSpec | None = None

    @property
    def shared(self) -> bool:
        """Whether it is the block of that name in the library."""
        return block_tree(self.name) is self.node

    @property
    def knobs(self) -> dict[str, Entry]:
        """The knobs of the spec around it, as they are declared."""
        node = self.around.root.get("knobs") if self.around else None
        return dict(node.entries) if isinstance(node, Map) else {}

    def signature(self) -> Block:
        """Return the block without its body.

        Raises: SpecError, ExpressionError: its arguments cannot be read.
        """
        reader = SpecReader(block_tree, block_names)
        if self.around is not None:
            reader.inputs(self.around.root)
        return reader.signature(self.name, self.node, self.shared)


def open(  # noqa: A001
    text: str, wanted: str = "spec", given: Given = NOTHING
) -> OpenedSpec | OpenedBlock:
    """Return what a text names; whatever it names is read once.

    That is NAME of the zoo or the block library, a file, REV:PATH or - for standard input; of a
    spec also NAME@FLAVOUR, LIBRARY:NAME, which is what a library calls it, and SPEC:BLOCK of its
    blocks, and a file of another format. ``wanted`` is what errors call it, ``given`` what is asked
    of the knobs, which files of other formats may need to be read.
    Raises: UsageError: no such name. SourceError, SpecError: the text cannot be read.

    >>> [type(open(text)).__name__ for text in ("mobilenet_v1", "inv_res", "mobilenet_v1:dw_sep")]
    ['OpenedSpec', 'OpenedBlock', 'OpenedBlock']
    """
    if (node := block_tree(text)) is not None:
        return OpenedBlock(text, named_after(text), node)
    if ":" in text and (known := library_names.named(folder(), text)) is not None:
        name, flavour = _split(known.spec)
        stem, preset = _packed(name) or (name, None)
        plain = _of_zoo(stem, None, flavour)
        return OpenedSpec(plain.own, preset, flavour, known.knobs, plain, True)
    absent = library_names.missing(folder(), text) if ":" in text else None
    if (source := foreign.source(text, given, absent)) is not None:
        return OpenedSpec(_tree(source))
    around, _, name = text.rpartition(":")
    if name.isidentifier() and not (is_file(text) or is_folder(around)):
        spec = _spec(around)
        if spec is not None:
            return _inside(spec, text, around, name)
    why: MbprofError | None = None
    try:
        spec = _spec(text)
    except SourceError as error:
        spec, why = None, error
    if spec is None:
        if (source := foreign.called(text, given)) is None:
            raise why or _unknown(text, wanted)
        spec = OpenedSpec(_tree(source))
    return told(spec, text)


def told(spec: OpenedSpec, text: str) -> OpenedSpec | OpenedBlock:
    """Return the block that a tree is instead: by its arguments, or by keys that are a block's."""
    keys = spec.own.entries.keys()
    fits = "takes" in keys or keys <= BLOCK_KEYS.keys()
    sized = isinstance(spec.own.get("inputs"), Map)  # those of a block are names
    if spec.flavour or not fits or sized or keys & {"input", "extend"}:
        return spec
    named = spec.own.get("name")
    name = word(named, "name").text if named else named_after(Path(spec.own.loc.source.name).stem)
    return OpenedBlock(text, name, spec.own)


def open_block(text: str) -> OpenedBlock:
    """Return the block that a text names, see `open`; of a spec it is the only one.

    Raises: UsageError: no such block, or several. SourceError, SpecError: see `open`.
    """
    opened = open(text, "block")
    return _inside(opened, text, text, None) if isinstance(opened, OpenedSpec) else opened


def _inside(spec: OpenedSpec, text: str, called: str, name: str | None) -> OpenedBlock:
    """Return a block of a spec, or of the library inside it; the only one if none is named."""
    node = spec.root.get("blocks")
    blocks = node.entries if isinstance(node, Map) else {}
    if name is None:
        if len(blocks) != 1:
            known = ", ".join(f"{called}:{block}" for block in blocks)
            raise UsageError(
                f"{called} is a spec with {len(blocks) or 'no'} blocks; say which one",
                hint=f"one of {known}" if known else "mbprof table costs a whole network",
            )
        name = next(iter(blocks))
    tree = mapping(blocks[name].value, f"block {name}") if name in blocks else block_tree(name)
    if tree is None:
        hint = nearest(name, [*blocks, *block_names()])
        raise UsageError(f"{called} has no block {name!r}", hint=hint)
    return OpenedBlock(text, name, tree, spec)


def load(spec: str | Path, given: Given = NOTHING) -> Definition:
    """Return a spec: ``NAME`` or ``NAME@FLAVOUR`` of the zoo, a path, ``REV:PATH``, or ``-``.

    Raises: UsageError: no such name or flavour. SourceError, SpecError, ExpressionError: the text
    is not a spec.

    >>> load("mobilenet_v1@keras").name
    'mobilenet_v1@keras'
    """
    opened = open(str(spec), given=given)
    if isinstance(opened, OpenedBlock):
        if opened.around is not None or opened.shared:
            hint = f"mbprof block {spec} costs it alone"
            raise UsageError(f"{spec} is a block, not a spec", hint=hint)
        opened = OpenedSpec(opened.node)  # Read as a spec, the file says what it lacks.
    return opened.definition


def of_text(text: str, name: str) -> OpenedSpec:
    """Return what a text holds, which errors call by ``name``.

    Raises: SourceError, SpecError: it cannot be read.
    """
    return OpenedSpec(_tree(decode(name, text.encode("utf-8", errors="surrogatepass"))))


def _spec(asked: str) -> OpenedSpec | None:
    """Return the spec, or the block in its place, of a name without ``:BLOCK``; None if none."""
    name, flavour = _split(asked)
    if "/" not in name and (packed := _packed(name)) is not None:
        return _of_zoo(*packed, flavour)
    if name == "-":
        source = read_stdin()
    elif name and exists(name):
        source = read(Path(name))
        if Path(name).is_symlink() and not lies_below(name, repository_of(name), folder()):
            return OpenedSpec(_stranger(source), None, flavour)
    else:
        from mbprof.spec import git  # which neither the zoo nor a file needs

        if (revision := git.revision(name)) is None:
            return None
        source = git.read(revision)
    return OpenedSpec(_tree(source), None, flavour)


@lru_cache(maxsize=512)
def _of_zoo(stem: str, preset: str | None, flavour: str) -> OpenedSpec:
    plain = _of_zoo(stem, None, flavour) if preset else None
    return OpenedSpec(_file(stem), preset, flavour, plain=plain, ours=True)


def _split(asked: str) -> tuple[str, str]:
    """Take the flavour off a name; what git writes as HEAD@{1}:PATH or @:PATH is none."""
    name, _, flavour = asked.rpartition("@")
    if not name or ":" in flavour or is_file(asked):
        return asked, ""
    if not flavour:
        raise UsageError(f"{asked!r} names no flavour after the @")
    return name, flavour


def _packed(name: str) -> tuple[str, str | None] | None:
    """Return the file of the zoo that a name stands for, and the preset; None if there is none."""
    if not name.isidentifier():
        return None
    if found(folder(), SPECS, name):
        return name, None
    named = re.compile(rf"\b{name}\b")
    # Most presets are called like their spec; other files are ruled out by a look at their text,
    # before they are parsed.
    for stem in sorted(spec_names(), key=lambda stem: not name.startswith(stem)):
        text = _source(stem).text
        if name in text and named.search(text) and name in presets(_file(stem)):
            return stem, name
    return None


def _unknown(asked: str, wanted: str) -> MbprofError:
    name, _ = _split(asked)
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        usual = "a spec is a name of mbprof list, a path, or - for standard input"
        usual = "a block is a name, a file or SPEC:BLOCK" if wanted == "block" else usual
        try:
            Path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as why:
            return SourceError(f"cannot read {name}: {getattr(why, 'strerror', why)}")
        return SourceError(f"there is no file {name}", hint=near_file(Path(name)) or usual)
    known = [*(names() if "spec" in wanted else ()), *(block_names() if "block" in wanted else ())]
    near = near_file(Path(name)) if is_file(f"{name}.yaml") else None
    error = unknown(wanted, name, known)
    error.hint = near or error.hint
    return error


def _extended(root: Map, seen: tuple[str, ...], size: int = 0, top: Path | None = None) -> Map:
    """Lay a spec over the one that it extends.

    ``size`` is that of the texts so far, ``top`` how far up the first of them may reach.
    """
    node = root.get("extend")
    if node is None:
        return root
    scalar = word(node, "extend")
    check_chain("extend", (*seen, scalar.text), scalar.loc)
    size += len(root.loc.source.text)
    if size > MAX_BYTES:
        message = f"the specs that extend one another hold more than {MAX_BYTES:,} characters"
        raise LimitError(message, scalar.loc)
    top = top or repository_of(root.loc.source.name)
    tree, preset, flavour = _base(scalar, top)
    below = _extended(tree, (*seen, scalar.text), size, top)
    skip = ["published", "presets"]
    if flavour:
        try:
            below = flavoured(below, flavour)
        except UsageError as error:
            raise SpecError(error.message, scalar.loc, error.hint) from None
        skip.append("flavours")  # They say what differs from the spec without a flavour.
    if preset:
        below = overlay(below, preset_changes(tree, preset), drop=())
    return overlay(below, root, skip=tuple(skip), drop=("extend",))


def _stranger(source: Source, loc: Loc | None = None) -> Map:
    """Return the tree of a file that the user did not name; what is no spec is not quoted.

    Raises: SpecError: it is no spec.
    """
    try:
        tree = _tree(source)
    except MbprofError:
        tree = None
    if tree is None or not tree.entries.keys() & _SPEC_KEYS:
        raise SpecError(f"{source.name} is no spec", loc, "a spec is a mapping with input and body")
    return tree


def _base(scalar: Scalar, top: Path) -> tuple[Map, str | None, str]:
    """Read the spec that another one extends: a name of the zoo, or a path from where it stands.

    Returned are its tree, and the preset and flavour that are asked for. Beside a file at a
    revision a path is that of a file at the same revision.
    """
    if len(scalar.text) > _LONGEST:
        raise SpecError(f"cannot extend {scalar.text!r}: there is no such spec", scalar.loc)
    name, _, flavour = scalar.text.partition("@")
    if (packed := _packed(name)) is not None:
        return _file(packed[0]), packed[1], flavour
    for text, asked in ((scalar.text, ""), (name, flavour)):
        if (source := _beside(text, scalar.loc, top)) is not None:
            return _stranger(source, scalar.loc), None, asked
    hint = near_file(Path(scalar.loc.source.name).parent / name) or nearest(name, names())
    raise SpecError(f"cannot extend {scalar.text!r}: there is no such spec", scalar.loc, hint)


def _beside(text: str, loc: Loc, top: Path) -> Source | None:
    """Read the file at a path from where a spec stands; None if there is none."""
    from mbprof.spec import git

    here = loc.source.name
    try:
        if (beside := git.beside(here, text)) is not None:
            return git.find(beside)
        path = Path(here).parent / text
        if not lies_below(path, top, folder()):
            message = f"cannot extend {text!r}: it lies outside of the repository"
            hint = "without a repository a spec reaches what is below its own folder"
            raise SpecError(message, loc, f"{hint}; the zoo is always there")
        return read(path) if is_file(path) else None
    except SourceError as error:
        raise error.at(loc) from None
    except ValueError:
        return None  # no file has such a name

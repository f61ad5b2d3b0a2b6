"""The manual: kinds of topics, the names of each, and the page of Markdown that a name has.

The documentation site and ``mbprof docs`` show the same pages; their text stands here, in the
guides of ``docs/``, and in what the registries say of themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import mbprof
from mbprof.errors import UsageError, nearest
from mbprof.language.record import NamedTuple, record
from mbprof.output import Formats, Screen, inert, prose
from mbprof.output.formats import stamp, to_json
from mbprof.output.model import Brief

_HERE = Path(__file__).resolve()


class Kind(NamedTuple):
    """A kind of topics: what has a page each, and where the pages stand on the site."""

    word: str
    folder: str
    title: str
    doc: str
    names: Callable[[], Sequence[str]]
    page: Callable[[str], str]
    brief: Callable[[str], str]
    """What a topic is in one line of Markdown."""


Kinds: TypeAlias = Mapping[str, Kind]


@record
class Topic(Brief):
    """A page of the manual: of which kind, its name, and its text in Markdown."""

    kind: str
    name: str
    text: str
    also: tuple[str, ...] = ()
    """What else bears the name, as it is asked for."""

    @property
    def brief(self) -> str:
        """The kind and the name."""
        return f"{self.kind}/{self.name}" if self.kind else "all topics"

    @property
    def page(self) -> str:
        """The text, with what else bears the name."""
        also = ", ".join(f"`mbprof docs {other}`" for other in self.also)
        return f"{self.text.rstrip()}\n\nAlso: {also}\n" if also else self.text

    def to_dict(self) -> dict[str, Any]:
        """Return the page as plain data."""
        return {
            **stamp(), "kind": self.kind, "name": self.name, "text": self.text, "also": [*self.also]
        }  # fmt: skip

    def _repr_markdown_(self) -> str:
        return self.page


FORMATS: Formats[Callable[[Topic, Screen], str]] = Formats()
"""The formats of pages."""


@FORMATS.add("rich", layout="terminal")
def terminal(topic: Topic, screen: Screen) -> str:
    """Draw a page for a terminal."""
    return prose.drawn(topic.page, screen)


@FORMATS.add("md", ".md", ".markdown", layout="page")
def markdown(topic: Topic, screen: Screen) -> str:
    """Write a page as it is."""
    return topic.page


@FORMATS.add("json", ".json")
def plain_data(topic: Topic, screen: Screen) -> str:
    """Write a page as data."""
    return to_json(topic.to_dict()) + "\n"


def find(kinds: Kinds, asked: str) -> Topic:
    """Return the page of a topic: NAME, KIND/NAME, KIND/ for its list; all kinds if it is empty.

    A name that several kinds have is that of the first kind.
    Raises: UsageError: no such kind or name.
    """
    if not asked:
        return Topic("", "", overview(kinds))
    word, slash, name = asked.partition("/")
    if slash and word not in kinds:
        raise UsageError(f"there is no kind {word!r} of topics", hint=nearest(word, kinds))
    searched = [kinds[word]] if slash else [*kinds.values()]
    if slash and not name:
        return Topic(word, "", index(kinds[word]))
    wanted = (name if slash else asked).lower()
    found = [(kind, n) for kind in searched for n in kind.names() if n.lower() == wanted]
    found = [pair for pair in found if pair[1] == (name if slash else asked)] or found
    if not found:
        # The words of the kinds are known, too: whoever types one wants its list.
        known = [n for kind in searched for n in kind.names()]
        lists = [] if slash else [f"{word}/" for word in kinds]
        hint = nearest(name if slash else asked, [*lists, *known])
        raise UsageError(f"no topic is called {asked!r}", hint=hint)
    (kind, named), *others = found
    also = tuple(f"{other.word}/{same}" for other, same in others)
    return Topic(kind.word, named, kind.page(named), also)


def overview(kinds: Kinds) -> str:
    """Return the list of the kinds."""
    rows = (
        [prose.code(f"{kind.word}/"), str(len(kind.names())), kind.doc, prose.code(kind.names()[0])]
        for kind in kinds.values()
    )
    lines = (
        "# Topics",
        "`mbprof docs NAME` prints a page, `mbprof docs KIND/` lists a kind, and"
        " `mbprof docs KIND/NAME` is exact where several kinds have a name.",
        prose.table(["kind", "pages", "what", "such as"], rows),
    )
    return "\n\n".join(lines)


def index(kind: Kind) -> str:
    """Return the list of a kind, each name with its page and what it is."""
    rows = (
        [f"[{prose.code(name)}]({address_of(name)}.md)", kind.brief(name)] for name in kind.names()
    )
    return "\n\n".join([f"# {kind.title}", kind.doc, prose.table(["name", "what"], rows)])


def address_of(name: str) -> str:
    """Return a name as a link to its page has it."""
    from urllib.parse import quote

    return quote(name)


# Guides


def manual() -> Path:
    """Return the folder of the guides: in the wheel inside the package, in a checkout beside it."""
    packed = _HERE.with_name("docs")
    return packed if packed.is_dir() else _HERE.parents[2] / "docs"


def examples() -> Path:
    """Return the folder of the rules' examples, with which they are also tested."""
    packed = _HERE.with_name("cases")
    return packed if packed.is_dir() else _HERE.parents[2] / "tests" / "cases" / "checks"


@lru_cache(maxsize=1)
def guides() -> dict[str, Path]:
    """Return the guides by their names: those for newcomers first."""
    folder = manual()
    files = [*sorted(folder.glob("guides/*.md")), *sorted(folder.glob("*.md"))]
    return {path.stem: path for path in files}


def guide(name: str) -> str:
    """Return a guide's text."""
    return guides()[name].read_text(encoding="utf-8")


def title(page: str) -> str:
    """Return the heading of a page of Markdown."""
    found = re.search(r"^# (.+)$", page, re.M)
    return found[1] if found else ""


GUIDE = Kind(
    "guide",
    "docs",
    "Guides",
    "What to do, and how to read the answers.",
    lambda: [*guides()],
    guide,
    lambda name: title(guide(name)),
)


def section(page: str, heading: str) -> str:
    r"""Return what stands below a heading of a page, up to the next one of its level.

    >>> section("# a\n## b\nc\n## d\n", "b")
    'c'
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    return found[1].strip() if found else ""


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of what has a value, in Markdown."""
    return "\n".join(f"- {inert.markdown(name)}: {value}" for name, value in rows if value) + "\n"


def joined(parts: Iterable[str]) -> str:
    """Return a page of its parts, without those that are empty."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def public() -> list[str]:
    """Return the public names of the package."""
    return [name for name in mbprof.__all__ if not name.startswith("_")]

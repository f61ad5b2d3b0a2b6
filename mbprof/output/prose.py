"""Pages of Markdown: what docstrings say as Markdown, tables in it, and a page for a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mbprof.output import inert
from mbprof.output.model import Screen

if TYPE_CHECKING:
    from rich.console import Console

_CODE = re.compile(r"``(.+?)``|`([^`]+)`", re.S)
_LABEL = re.compile(r"(?:MACs|[A-Z][a-z]+)(?=: )")
"""What begins a paragraph of a docstring: ``Source: ...``."""
_PAPER = re.compile(r"arXiv\\?:(\d{4}\.\d{4,5})")
_LINK = re.compile(r"(?<!\\)!?\[((?:`[^`\n]*`|\\.|[^\[\]`\\])+)\]\([^()\s]+\)|(`+[^`\n]+`+)")
"""A link or a picture, or a code span, in which nothing is one."""
_COMMENT = re.compile(r"^<!--.*?-->\n", re.M)
_FENCE = re.compile(r"(^(`{3,}).*?^\2$)", re.M | re.S)


def text(said: str) -> str:
    """Return words as Markdown: what stands in backticks is code, papers are links.

    >>> text("``a|b`` of arXiv:1704.04861, see `Op`")
    '`a|b` of [arXiv:1704.04861](https://arxiv.org/abs/1704.04861), see `Op`'
    """
    parts, end = [], 0
    for span in _CODE.finditer(said):
        parts += [_words(said[end : span.start()]), inert.code(span[1] or span[2])]
        end = span.end()
    return "".join([*parts, _words(said[end:])])


def _words(said: str) -> str:
    # An escape drops the blanks at the start of a line.
    kept = said[: len(said) - len(said.lstrip())]
    escaped = kept + inert.markdown(said)
    return _PAPER.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped)


def docstring(said: str) -> str:
    r"""Return a docstring as Markdown; what begins with a word and a colon is a paragraph.

    >>> docstring("Do it.\n\nRaises: Bad: no.\nSource: a `b`.\n\n>>> f(1)\n2")
    'Do it.\n\n**Raises:** Bad: no.\n\n**Source:** a `b`.\n\n```pycon\n>>> f(1)\n2\n```\n'
    """
    return "\n\n".join(_paragraphs(said)).rstrip() + "\n"


def _paragraphs(said: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", said.strip()):
        if paragraph.startswith((">>>", "    ")):
            yield inert.fenced(paragraph, "pycon" if paragraph[0] == ">" else "text").rstrip()
            continue
        part: list[str] = []
        for line in paragraph.split("\n"):
            if part and _LABEL.match(line):
                yield _labelled(part)
                part = []
            part.append(line.strip())
        yield _labelled(part)


def _labelled(lines: Sequence[str]) -> str:
    said = " ".join(lines)
    label = _LABEL.match(said)
    return f"**{label[0]}:** {text(said[label.end() + 2 :])}" if label else text(said)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """Return a table of cells that are Markdown already; the last ``numbers`` columns are numbers.

    >>> print(table(["a", "b"], [["x", "1"]], 1), end="")
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    words = len(heads) - numbers
    lines = [heads, [*["---"] * words, *["---:"] * numbers], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def code(said: str) -> str:
    """Return a code span for a cell of a table."""
    return inert.code(said, cell=True)


def unlinked(page: str) -> str:
    """Return a page without links, pictures and comments; their words stay, and code as it is.

    >>> unlinked("see [a](b.md), [`e`](f.md) and `[c](d)`")
    'see a, `e` and `[c](d)`'
    """
    parts = _FENCE.split(page)
    kept = []
    # A split by two groups gives what is between, the fenced block, and its fence.
    for between, fenced in zip(parts[::3], [*parts[1::3], ""], strict=True):
        kept += [_LINK.sub(lambda m: m[1] or m[0], _COMMENT.sub("", between)), fenced]
    return "".join(kept)


def drawn(page: str, screen: Screen) -> str:
    """Draw a page of Markdown for a terminal; lines of code break where they do not fit."""
    from rich import markdown
    from rich.console import ConsoleOptions, RenderResult
    from rich.text import Text

    class Fenced(markdown.CodeBlock):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Text(str(self.text).rstrip())

    class Heading(markdown.Heading):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            shown = self.text.copy()
            shown.justify = "left"
            shown.stylize("bold")
            yield shown

    class Page(markdown.Markdown):
        elements = {  # noqa: RUF012 - as rich has it
            **markdown.Markdown.elements,
            "fence": Fenced,
            "code_block": Fenced,
            "heading_open": Heading,
        }

    out = io.StringIO()
    console_of(screen, out).print(Page(unlinked(page), hyperlinks=False))
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines()) + "\n"


def console_of(screen: Screen, out: io.StringIO) -> Console:
    """Return what draws for a screen into a text."""
    from rich.console import Console

    width, colours = screen
    return Console(
        file=out, width=width, force_terminal=colours, color_system="auto" if colours else None,
        no_color=not colours, highlight=False, legacy_windows=False,
    )  # fmt: skip

"""Commands and their output in Markdown: found, run, compared, rewritten on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    body: str
    file: str | None
    start: int
    end: int


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = path.read_text()
    return [
        Block(m["kind"], m["body"], m["file"], m.start("body"), m.end("body"))
        for m in FENCE.finditer(text)
    ]


def commands(body: str) -> list[str]:
    """Return the command lines of a console block."""
    return re.findall(r"^\$ (.*)$", body, flags=re.M)

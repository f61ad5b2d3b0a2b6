"""What a package index shows: the README, whose links lead to the repository, and its address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")
"""A picture, or a link to a file of the project; links to elsewhere and within the page stay."""


def readme(text: str, repository: str) -> str:
    """Return Markdown whose relative links and pictures lead to a repository.

    Where it has no address, what would lead nowhere is left out: of a link its words stay, and of a
    picture nothing.

    >>> readme("[a](a.md), ![b](b.svg)", "https://a.example/n")
    '[a](https://a.example/n/blob/HEAD/a.md), ![b](https://a.example/n/raw/HEAD/b.svg)'
    >>> readme("[a](docs/a.md), ![b](b.svg), [c](#c)", "")
    'a, , [c](#c)'
    """

    def absolute(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        if not repository:
            return "" if picture else words
        kind = "raw" if picture else "blob"
        return f"{picture}[{words}]({repository.rstrip('/')}/{kind}/HEAD/{target})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
    return "".join(p if p.startswith("```") else _LINK.sub(absolute, p) for p in parts)


class ProjectMetadata(MetadataHookInterface):
    """Fills in what depends on the addresses in pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README, and where there are addresses, the links that an index shows."""
        repository, site = self.config["repository"], self.config["site"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": readme(text, repository),
        }
        urls = {"Manual": site.rstrip("/")} if site else {}
        if repository:
            urls |= {
                "Repository": repository,
                "Documentation": f"{repository.rstrip('/')}/tree/HEAD/docs",
                "Changelog": f"{repository.rstrip('/')}/blob/HEAD/CHANGELOG.md",
            }
        if urls:
            metadata["urls"] = urls

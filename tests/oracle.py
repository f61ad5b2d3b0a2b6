"""Networks measured from their real implementations, and the spec that stands for each.

A file of ``data/oracle`` names a model of a library; how the library's names and options translate
into a spec's name and knobs is written down here once, so that a new file is a new test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "oracle"


@dataclass(frozen=True)
class Oracle:
    """A measured network: the spec that it is compared with, and what was measured."""

    path: Path
    spec: str
    knobs: dict[str, Any]
    scope: str
    measured: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def _slim(name: str) -> str | None:
    return {"mobilenet_v1": "mobilenet_v1@slim"}.get(name)


def _keras(name: str) -> str | None:
    return {"MobileNet": "mobilenet_v1@keras"}.get(name)


def _torch(name: str) -> str | None:
    return "mobilenet_v1@timm" if re.fullmatch(r"mobilenetv1_\d+", name) else None


SPEC_OF: dict[str, Callable[[str], str | None]] = {"slim": _slim, "keras": _keras, "torch": _torch}


def oracles() -> Iterator[Oracle]:
    """Yield every measured network that the zoo has a spec for."""
    for path in sorted(FOLDER.glob("*/*.json")):
        measured = json.loads(path.read_text())
        spec = SPEC_OF[path.parent.name](measured["model"])
        assert spec is not None, f"{path}: no spec is known for {measured['model']}"
        channels, *res = measured["input"]
        assert channels == 3
        knobs: dict[str, Any] = {"res": tuple(res), **measured["options"]}
        if measured["alpha"] is not None:
            knobs["alpha"] = measured["alpha"]
        if measured["classes"] is not None:
            knobs["classes"] = measured["classes"]
        yield Oracle(path, spec, knobs, "all" if measured["top"] else "body", measured)

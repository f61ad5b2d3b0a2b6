"""How the rows of a spec are written: mappings and lists in brackets, keys in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mbprof.exchange.convert.arguments import written

Keys = dict[str, str]
"""The keys of a row with their texts."""
_PLAIN = re.compile(r"[A-Za-z0-9_.$/][\w .$*+/<>=!()-]*")
"""What YAML reads as it stands inside of brackets."""
_ORDER = ("op", "in", "out", "when", "n", "name")


def ordered(keys: Keys) -> Keys:
    """Return keys as rows have them: the op, its own keys, the wiring, the name."""
    own = {key: value for key, value in keys.items() if key not in _ORDER}
    ends = {key: keys[key] for key in _ORDER[1:] if key in keys}
    op = {"op": keys["op"]} if keys["op"] else {}  # a step that repeats others is no op
    return {**op, **own, **ends}


def constant(value: object, kind: str = "") -> str:
    """Write the value of a key; ``kind`` is its type.

    >>> constant((3, 3), "pair"), constant((1, 64, 7)), constant(None)
    ('3', '[1, 64, 7]', 'none')
    """
    if isinstance(value, tuple):
        if kind in ("pair", "counts") and value[0] == value[1]:
            return written(value[0])
        return listed([written(item) for item in value], always=True)
    return "none" if value is None else written(value)


def listed(values: Sequence[str], always: bool = False) -> str:
    """Write a list; a single value is one only if it ``always`` is."""
    return values[0] if len(values) == 1 and not always else f"[{', '.join(map(cell, values))}]"


def cell(text: str) -> str:
    """Write a value inside of brackets."""
    listed = text.startswith("[") and text.endswith("]")
    plain = listed or text in ("~", "_") or re.fullmatch(r"-?[\d.]+(e-?\d+)?", text)
    return text if plain or _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def flow(keys: Mapping[str, str]) -> str:
    """Write a mapping in one line.

    >>> flow({"op": "conv", "c": "max(c, 8)"})
    '{op: conv, c: "max(c, 8)"}'
    """
    return f"{{{', '.join(f'{key}: {cell(value)}' for key, value in keys.items())}}}"

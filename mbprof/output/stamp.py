"""The stamp of an output: by which version, of what, and how it was counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbprof import __version__
from mbprof.language.values import Value

KEYS = ("version", "spec", "knobs", "scope", "convention", "unit")
"""What a stamp can say, in its order."""


def stamp(
    spec: str | None = None,
    knobs: Mapping[str, Value] | None = None,
    scope: str | None = None,
    convention: Any = None,
) -> dict[str, Any]:
    """Return what stands in machine-readable outputs; what is not given is left out.

    A convention also says its unit; its name alone does not.

    >>> {**stamp("net", {"res": (8, 8)}, "all"), "version": "1"}
    {'version': '1', 'spec': 'net', 'knobs': {'res': 8}, 'scope': 'all'}
    """
    values = None if knobs is None else {name: _plain(value) for name, value in knobs.items()}
    name = getattr(convention, "name", convention)
    said = stamped(dict(zip(KEYS, (__version__, spec, values, scope, name), strict=False)))
    return {**said, "unit": convention.unit or None} if name is not convention else said


def stamped(data: Any) -> dict[str, Any]:
    """Return the stamp that data bears; only the version of what has none.

    >>> sorted(stamped({"scope": "all", "version": "1", "layers": []}))
    ['scope', 'version']
    """
    said = data if isinstance(data, Mapping) and "version" in data else {"version": __version__}
    return {key: said[key] for key in KEYS if said.get(key) is not None}


def _plain(value: Value) -> Value:
    """Return a knob's value; a square size is one number."""
    square = isinstance(value, tuple) and len(set(value)) == 1
    return value[0] if square and isinstance(value, tuple) else value

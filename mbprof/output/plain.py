"""Plain data as text: JSON and the cells of CSV, the same wherever they are written."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import IO, Any


def to_json(value: Any, indent: int | None = 1) -> str:
    """Write a value as JSON, on one line if ``indent`` is None.

    Raises: ValueError: a number is not finite; JSON has no word for it.

    >>> to_json({"res": (8, 8), "α": None}, None)
    '{"res": [8, 8], "α": null}'
    """
    return (_LINE if indent is None else _encoder(indent)).encode(value)


def _encoder(indent: int | None) -> json.JSONEncoder:
    return json.JSONEncoder(indent=indent, ensure_ascii=False, allow_nan=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return dict(value) if hasattr(value, "items") else list(value)


_LINE = _encoder(None)


def rows_of(file: IO[str]) -> Any:
    """Return a writer of rows as CSV, which quotes what needs it."""
    return csv.writer(file, lineterminator="\n")


def cell(value: Any) -> Any:
    """Return a value as a cell of CSV.

    >>> cell((3, 3)), cell({"alpha": 0.5}), cell(True), cell(None), cell(("a", "b"))
    ('3x3', 'alpha=0.5', 'true', '', 'a b')
    """
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(inner)}" for name, inner in value.items())
    if isinstance(value, tuple | list):
        between = " " if any(isinstance(part, str) for part in value) else "x"
        return between.join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
